"""The table behind a figure: a real table with row heads, that scrolls inside its own frame."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from dash import html

from dashboard.components.attributes import aria


class Row(NamedTuple):
    """Head and cells of a row, and what it is: "", "own", "group" or "country"."""

    head: Any
    cells: Sequence[Any]
    kind: str = ""


def data_table(caption: str, columns: Sequence[str], rows: Sequence[Row], numeric: Sequence[int] = ()) -> html.Div:
    """Return the table; ``columns`` name the row head first, ``numeric`` are places of cells set flush right."""

    def cls(place: int) -> str:
        return "n" if place in numeric else ""

    head = html.Thead(
        html.Tr(
            [html.Th(columns[0], scope="col")]
            + [html.Th(name, scope="col", className=cls(place)) for place, name in enumerate(columns[1:])]
        )
    )
    body = html.Tbody(
        [
            html.Tr(
                [html.Th(row.head, scope="row")]
                + [html.Td(cell, className=cls(place)) for place, cell in enumerate(row.cells)],
                className=row.kind,
            )
            for row in rows
        ]
    )
    table = html.Table([html.Caption(caption, className="visually-hidden"), head, body], className="data-table")
    # The frame takes focus so that it can be scrolled by keyboard.
    return html.Div(table, className="scroll", tabIndex=0, role="region", **aria(label=caption))

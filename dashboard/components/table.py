"""The table behind a figure: a real table with row heads, that scrolls inside its own frame."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from dash import html

from dashboard.components.attributes import aria
from dashboard.components.markup import Tag


class Row(NamedTuple):
    """Head and cells of a row, and what it is: "", "own", "group" or "country"."""

    head: Any
    cells: Sequence[Any]
    kind: str = ""


def data_table(caption: str, columns: Sequence[str], rows: Sequence[Row], numeric: Sequence[int] = ()) -> html.Div:
    """Return the table; ``columns`` name the row head first, ``numeric`` are places of cells set flush right."""

    def cls(place: int) -> dict[str, str]:
        return {"class": "n"} if place in numeric else {}

    head = [Tag("th", columns[0], scope="col")]
    head += [Tag("th", name, scope="col", **cls(place)) for place, name in enumerate(columns[1:])]
    body = [
        Tag(
            "tr",
            [
                Tag("th", row.head, scope="row"),
                *(Tag("td", cell, **cls(place)) for place, cell in enumerate(row.cells)),
            ],
            **({"class": row.kind} if row.kind else {}),
        )
        for row in rows
    ]
    caption_of_table = Tag("caption", caption, **{"class": "visually-hidden"})
    table: Any = Tag(
        "table",
        [caption_of_table, Tag("thead", Tag("tr", head)), Tag("tbody", body)],
        **{"class": "data-table"},
    )
    # The frame takes focus so that it can be scrolled by keyboard.
    return html.Div(table, className="scroll", tabIndex=0, role="region", **aria(label=caption))

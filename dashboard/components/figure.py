"""A figure as the reader meets it: its sentence, the chart, the table with the same numbers, and its files."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from dash import html

from dashboard.components.tree import classes, first_of_class
from dashboard.words import Words

Kind = TypeVar("Kind", bound=str)


def figure_block(sentence: str, chart: Any, twin: Any, actions: list[Any], words: Words, as_table: bool) -> html.Figure:
    """Return the figure with its sentence as heading; ``as_table`` shows the table in the place of the chart."""
    heading = html.Figcaption(html.H2(sentence))
    if as_table:
        return html.Figure([heading, twin, html.Div(actions, className="actions")])
    details = html.Details([html.Summary(words("figure.as_table")), twin])
    return html.Figure([heading, chart, html.Div(actions, className="actions"), details])


def links_to_files(kinds: Iterable[Kind], address: Callable[[Kind], str], words: Words) -> list[html.A]:
    """Return a link to what is behind a figure, or to its picture, in each kind of file."""
    return [html.A(words(f"figure.{kind}"), href=address(kind), download="") for kind in kinds]


def drawn_parts(figure: html.Figure) -> tuple[list[Any], Any]:
    """Return of a figure what is drawn, with its legend, and the table behind it (None where there is none)."""
    beside = (html.Figcaption, html.Details)
    drawn = [part for part in figure.children if not isinstance(part, beside) and "actions" not in classes(part)]
    return drawn, first_of_class(figure, "scroll")

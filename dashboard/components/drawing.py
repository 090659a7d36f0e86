"""A large drawing as a figure: its sentence, two sizes of it, legend, table, files, and itself as a picture."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from dash import html

from dashboard.components.attributes import aria
from dashboard.components.figure import figure_block, links_to_files
from dashboard.components.svg import Svg
from dashboard.figures.numbers import Numbers
from dashboard.figures.svg import NARROW, WALL, WIDE
from dashboard.selection import Selection
from dashboard.words import Words

PICTURES = ("svg", "png")
FOR_SCREEN = "svg for-screen"
"""Class of the drawing that a picture is made of."""


def drawing_block(
    name: str,
    sentence: str,
    draw: Callable[[int], str],
    legend: Sequence[tuple[str, str]],
    twin: Any,
    actions: Sequence[Any],
    selection: Selection,
    words: Words,
    heading: type[html.H2 | html.H3] = html.H2,
    numbers: Numbers | None = None,
) -> html.Figure:
    """Return the figure ``name`` of the page that is selected.

    ``draw`` makes the drawing for a width; the style sheet shows the one there is room for, and a meeting the one for
    its wall. ``legend``: marks and what they mean. ``actions`` are links beside the one to the picture
    (``dashboard.papers``). ``heading`` is H3 under the heading of a section. ``numbers`` are those that are drawn;
    without them slides show a picture.
    """
    parts: list[Any] = [
        html.Div(
            [
                Svg(draw(WALL if selection.meeting else WIDE), className=FOR_SCREEN, numbers=numbers),
                Svg(draw(NARROW), className="svg for-phone"),
            ]
        ),
    ]
    if legend:
        items = [html.Li([Svg(mark), text]) for mark, text in legend]
        parts.append(html.Ul(items, className="legend", **aria(label=words("figure.legend"))))
    pictures = links_to_files(PICTURES, lambda kind: picture_address(name, selection, kind), words)
    block = figure_block(
        sentence, html.Div(parts), twin, [*pictures, *actions], words, as_table=selection.view == "table"
    )
    _, *below = block.children
    return html.Figure([html.Figcaption(heading(sentence)), *below], id=name)


def picture_address(name: str, selection: Selection, kind: str) -> str:
    """Return where the figure ``name`` of a view is had as a picture of a kind of PICTURES."""
    return f"/billede/{name}.{kind}?{urlencode({'adresse': selection.to_url()})}"

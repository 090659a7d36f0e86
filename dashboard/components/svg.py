"""Inline SVG as a component; Dash's own HTML components have none. ``components.markup`` writes it."""

from dash.development.base_component import Component

from dashboard.figures.numbers import Numbers


class Svg(Component):
    """A drawing made on the server, inline so that it follows the theme, prints, and scales.

    ``markup`` is put into the page as it is: it must come from :mod:`dashboard.figures`, which escapes every text.
    ``numbers`` is what is drawn, for papers; it does not reach the page.
    """

    _namespace = "naerblik"
    _type = "Svg"
    _prop_names = ["markup", "className", "numbers"]  # noqa: RUF012 – the name and type Dash reads
    _valid_wildcard_attributes: list[str] = []  # noqa: RUF012
    available_properties = _prop_names
    available_wildcard_properties: list[str] = []  # noqa: RUF012

    def __init__(
        self,
        markup: str,
        className: str = "",  # noqa: N803 – as all Dash components
        numbers: Numbers | None = None,
    ) -> None:
        # Not Dash's own, which for each argument looks all over the disk for a module named as the namespace: drawings
        # are what a page has most of, and these arguments need no check.
        self.markup, self.className, self.numbers = markup, className, numbers

"""A few SVG elements, so that the drawings read as drawings. Texts are escaped here and nowhere else."""

from collections.abc import Iterable
from html import escape

WIDE, NARROW, WALL = 1000, 400, 950
"""Widths of the large drawings, which are made for a screen, for a phone, and for a wall.

Type has the same size in all of them. Of a wall a drawing takes the whole width, so that its type of 13 units is 24
pixels high on a screen of 1920; it is lower, for a long conclusion stands over it.
"""


def drawing(width: float, height: float, label: str, parts: Iterable[str]) -> str:
    """Return a drawing that scales with its place and is read aloud as ``label``."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def ornament(width: float, height: float, parts: Iterable[str]) -> str:
    """Return a drawing that says nothing the words beside it do not say."""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" aria-hidden="true" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def bar(x: float, y: float, width: float, height: float, cls: str, title: str = "") -> str:
    """Return an upright bar whose middle lies at ``x``."""
    inside = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<rect class="{cls}" x="{x - width / 2:.1f}" y="{y:g}" width="{width:g}" height="{height:g}">{inside}</rect>'
    )


def area(points: Iterable[tuple[float, float]], cls: str) -> str:
    """Return a filled polygon."""
    return f'<polygon class="{cls}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def line(x1: float, y1: float, x2: float, y2: float, cls: str) -> str:
    """Return a straight line."""
    return f'<line class="{cls}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def dot(x: float, y: float, radius: float, cls: str, title: str = "") -> str:
    """Return a filled circle."""
    inside = f"<title>{escape(title)}</title>" if title else ""
    return f'<circle class="{cls}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}">{inside}</circle>'


_SHAPES = {
    "diamond": ((0, -1.1), (1.1, 0), (0, 1.1), (-1.1, 0)),
    "triangle": ((0, -1.1), (1.1, 0.9), (-1.1, 0.9)),
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "flag": ((-1, -1), (1, -1), (0, 0.8)),
}


def marker(shape: str, x: float, y: float, radius: float, cls: str, title: str = "") -> str:
    """Return a small filled shape around a point: diamond, triangle, square or flag."""
    points = " ".join(f"{x + dx * radius:.1f},{y + dy * radius:.1f}" for dx, dy in _SHAPES[shape])
    inside = f"<title>{escape(title)}</title>" if title else ""
    return f'<polygon class="{cls}" points="{points}">{inside}</polygon>'


def shape(d: str, cls: str, title: str, fill: str = "") -> str:
    """Return a filled shape whose outline is the path ``d``; ``fill`` goes before the colour of the class."""
    return f'<path class="{cls}" d="{d}"{_style(fill)}><title>{escape(title)}</title></path>'


def square(x: float, y: float, side: float, cls: str, title: str = "", fill: str = "") -> str:
    """Return a filled square with its upper left corner at ``x``, ``y``."""
    inside = f"<title>{escape(title)}</title>" if title else ""
    size = f'width="{side:g}" height="{side:g}" rx="3"'
    return f'<rect class="{cls}" x="{x:g}" y="{y:g}" {size}{_style(fill)}>{inside}</rect>'


def _style(fill: str) -> str:
    return f' style="fill:{fill}"' if fill else ""


def path(points: Iterable[tuple[float, float]], cls: str) -> str:
    """Return a line through the points."""
    return f'<polyline class="{cls}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def text(x: float, y: float, content: str, cls: str, anchor: str = "start") -> str:
    """Return a text whose ``anchor`` (start, middle, end) lies at ``x``."""
    return f'<text class="{cls}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'

"""Drawings outside the page: with the rules of the style sheet in them, in the colours of white paper or of print."""

import re
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib import resources
from textwrap import wrap

from dashboard.figures.svg import WIDE
from dashboard.papers.content import Drawing, Figure

# On a black-and-white printer own area, group and others are told apart by how dark they are.
_PRINT: Mapping[str, str] = {
    "--accent": "#0b3a6e",
    "--group": "#4f86bd",
    "--others": "#b3bdc7",
    "--faint": "#c3ccd4",
    "--quiet": "#47535f",
    "--line": "#cfd7de",
}
_RULE = r"^(\.d-[\w-]+) (\{[^}]*\})"
_MARGIN = 28
_LETTER = 6.6  # mean width of a letter of the legend


def for_print(drawing: Drawing) -> str:
    """Return a drawing for paper, with colours that are told apart in black and white, too."""
    return _with_rules(drawing, _rules(True))


def for_screen(drawing: Drawing) -> str:
    """Return a drawing in the colours of a light screen."""
    return _with_rules(drawing, _rules(False))


def _with_rules(drawing: Drawing, rules: str) -> str:
    start = drawing.markup.index(">") + 1
    width, height = drawing.size
    head = drawing.markup[:start].replace("<svg ", f'<svg width="{width:g}" height="{height:g}" ', 1)
    return f"{head}<style>{rules}</style>{drawing.markup[start:]}"


def picture(figure: Figure, title: str, source: str) -> str | None:
    """Return a figure as one SVG with title, sentence, legend and source in it; None where it has no drawing."""
    if figure.drawing is None:
        return None
    y = _MARGIN + 4.0
    lines = [_line(y, title, "p-title")]
    for row in wrap(figure.sentence, 90):
        y += 24
        lines.append(_line(y, row, "p-sentence"))
    top = y + 18
    width, height = figure.drawing.size
    drawn = height * WIDE / width
    place = f'<svg x="{_MARGIN}" y="{top:g}" width="{WIDE}" height="{drawn:g}" overflow="visible" '
    body = figure.drawing.markup.replace("<svg ", place, 1)
    legend, y = _legend(figure.legend, top + drawn + 16)
    for row in wrap(source, 140):
        y += 17
        lines.append(_line(y, row, "p-source"))
    total_width, total_height = WIDE + 2 * _MARGIN, y + _MARGIN - 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width} {total_height:g}" '
        f'width="{total_width}" height="{total_height:g}"><title>{escape(title)}</title>'
        f"<desc>{escape(figure.sentence)}</desc><style>{_rules(False)}</style>"
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(lines)}{body}{"".join(legend)}</svg>\n'
    )


def _legend(legend: tuple[tuple[Drawing | None, str], ...], y: float) -> tuple[list[str], float]:
    """Return the entries set in lines from ``y`` on, and where they end."""
    parts: list[str] = []
    x = float(_MARGIN)
    for mark, told in legend:
        if x > _MARGIN and x + 40 + _LETTER * len(told) > WIDE:
            x, y = float(_MARGIN), y + 22
        if mark is not None:
            parts.append(mark.markup.replace("<svg ", f'<svg x="{x:g}" y="{y:g}" width="22" height="16" ', 1))
        parts.append(f'<text class="p-legend" x="{x + 28:g}" y="{y + 12:g}">{escape(told)}</text>')
        x += 52 + _LETTER * len(told)
    return parts, y + 24 if parts else y


def _line(y: float, text: str, cls: str) -> str:
    return f'<text class="{cls}" x="{_MARGIN}" y="{y:g}">{escape(text)}</text>'


@cache
def _rules(is_print: bool) -> str:
    """Return the rules of the style sheets for drawings, with the colours in the place of their names."""
    folder = resources.files("dashboard").joinpath("assets", "2_own")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".css")), key=lambda file: file.name)
    sheets = {file.name: file.read_text(encoding="utf-8") for file in files}
    tokens = sheets["naerblik.css"]
    colours = dict(re.findall(r"(--[\w-]+):\s*([^;]+);", tokens[: tokens.index("@media")]))
    if is_print:
        colours |= _PRINT
    rules = [rule for sheet in sheets.values() for rule in re.findall(_RULE, sheet, flags=re.MULTILINE)]
    filled = "".join(name + re.sub(r"var\((--[\w-]+)\)", lambda found: colours[found[1]], rule) for name, rule in rules)
    return (
        "text{font-family:Inter,system-ui,sans-serif}"
        ".p-title{font-size:14px;fill:#55626f}.p-sentence{font-size:19px;font-weight:600;fill:#16202a}"
        ".p-source,.p-legend{font-size:12px;fill:#55626f}" + filled
    )

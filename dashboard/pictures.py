"""Figures as pictures: any drawing of any view as an SVG file that says by itself what it shows and where from."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from textwrap import wrap
from typing import Any

from dash import html
from dash.development.base_component import Component
from flask import Flask, Response, request

from dashboard.components.drawing import FOR_SCREEN
from dashboard.components.svg import Svg
from dashboard.figures.svg import WIDE
from dashboard.view import View, show
from dashboard.words import load_words
from kpis.indicator import LANGUAGES
from kpis.release import ReleaseError, current_release

_MARGIN = 28
_LETTER = 6.6  # mean width of a letter of the legend


def register(server: Flask, data_dir: Path) -> None:
    """Add ``/billede/<figure>.svg?adresse=<address of a view>``."""

    @server.get("/billede/<name>.svg")
    def send_picture(name: str) -> Response | tuple[str, int, dict[str, str]]:
        path, _, query = request.args.get("adresse", "/").partition("?")
        try:
            release = current_release(data_dir)
        except ReleaseError:
            return _refused("There is no release to draw.", 503)
        view = show(data_dir, path, query)
        figure = next((part for part in _walk(view.content) if getattr(part, "id", None) == name), None)
        if not isinstance(figure, html.Figure):
            return _refused(
                f"The view at {path[:80]} has no figure {name[:40]!r}. See the links under its figures.", 404
            )
        words = load_words(next(lang for lang in LANGUAGES if lang == view.lang))
        source = words("figure.source", release=release.id, address=(path + (f"?{query}" if query else ""))[:160])
        if release.manifest["is_synthetic"]:
            source = f"{words('shell.synthetic')} {source}"
        markup = picture(view, figure, source)
        if markup is None:
            return _refused("This figure is a table at this address. Leave out visning=tabel.", 404)
        answer = Response(markup, mimetype="image/svg+xml")
        answer.headers.set("Content-Disposition", "attachment", filename=f"naerblik_{name}_{release.id}.svg")
        return answer


def picture(view: View, figure: html.Figure, source: str) -> str | None:
    """Return the drawing of a figure with its title, sentence, legend and source; None where it has no drawing."""
    parts = list(_walk(figure))
    drawings = (part for part in parts if isinstance(part, Svg) and getattr(part, "className", "") == FOR_SCREEN)
    drawing = next((_markup(part) for part in drawings), None)
    if drawing is None:
        return None
    sentence = _text(next(part for part in parts if isinstance(part, html.Figcaption)))
    legend = next(
        (part for part in parts if isinstance(part, html.Ul) and getattr(part, "className", "") == "legend"), None
    )
    _, _, width, height = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', drawing).groups()  # type: ignore[union-attr]
    y = _MARGIN + 4.0
    lines = [_line(y, view.title.removesuffix(" – Nærblik"), "p-title")]
    for row in wrap(sentence, 90):
        y += 24
        lines.append(_line(y, row, "p-sentence"))
    top = y + 18
    drawn = float(height) * WIDE / float(width)
    body = drawing.replace(
        "<svg ", f'<svg x="{_MARGIN}" y="{top:g}" width="{WIDE}" height="{drawn:g}" overflow="visible" ', 1
    )
    y = top + drawn + 16
    legend_parts, y = _legend(legend, y)
    for row in wrap(source, 140):
        y += 17
        lines.append(_line(y, row, "p-source"))
    total_width, total_height = WIDE + 2 * _MARGIN, y + _MARGIN - 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width} {total_height:g}" '
        f'width="{total_width}" height="{total_height:g}"><title>{escape(view.title)}</title>'
        f"<desc>{escape(sentence)}</desc><style>{_style()}</style>"
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(lines)}{body}{"".join(legend_parts)}</svg>\n'
    )


def _legend(legend: html.Ul | None, y: float) -> tuple[list[str], float]:
    """Return the entries set in lines from ``y`` on, and where they end."""
    parts: list[str] = []
    x = float(_MARGIN)
    for item in _walk(legend):
        if not isinstance(item, html.Li):
            continue
        mark = next(_markup(part) for part in _walk(item) if isinstance(part, Svg))
        told = _text(item)
        if x > _MARGIN and x + 40 + _LETTER * len(told) > WIDE:
            x, y = float(_MARGIN), y + 22
        placed = mark.replace("<svg ", f'<svg x="{x:g}" y="{y:g}" width="22" height="16" ', 1)
        parts += [placed, f'<text class="p-legend" x="{x + 28:g}" y="{y + 12:g}">{escape(told)}</text>']
        x += 52 + _LETTER * len(told)
    return parts, y + 24 if parts else y


def _markup(part: Svg) -> str:
    return str(getattr(part, "markup"))  # noqa: B009 – Dash sets the properties of a component, no type tells them


def _line(y: float, text: str, cls: str) -> str:
    return f'<text class="{cls}" x="{_MARGIN}" y="{y:g}">{escape(text)}</text>'


@cache
def _style() -> str:
    """The rules of the style sheet for drawings in the colours of white paper, so that a picture stands alone."""
    sheet = resources.files("dashboard").joinpath("assets", "2_own", "naerblik.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"(--[\w-]+):\s*([^;]+);", sheet[: sheet.index("@media")]))
    rules = re.findall(r"^(\.d-[\w-]+) (\{[^}]*\})", sheet, flags=re.MULTILINE)
    filled = "".join(name + re.sub(r"var\((--[\w-]+)\)", lambda found: colours[found[1]], rule) for name, rule in rules)
    return (
        "text{font-family:Inter,system-ui,sans-serif}"
        ".p-title{font-size:14px;fill:#55626f}.p-sentence{font-size:19px;font-weight:600;fill:#16202a}"
        ".p-source,.p-legend{font-size:12px;fill:#55626f}" + filled
    )


def _walk(part: Any) -> Iterator[Component]:
    if isinstance(part, list | tuple):
        for child in part:
            yield from _walk(child)
    elif isinstance(part, Component):
        yield part
        yield from _walk(getattr(part, "children", None))


def _text(part: Any) -> str:
    if isinstance(part, Sequence) and not isinstance(part, str):
        return "".join(_text(child) for child in part)
    if isinstance(part, Component):
        return _text(getattr(part, "children", None))
    return "" if part is None else str(part)


def _refused(text: str, status: int) -> tuple[str, int, dict[str, str]]:
    return text + "\n", status, {"Content-Type": "text/plain; charset=utf-8"}

"""Tilgængelighed: what was done, how it was tested, and what is still missing."""

from typing import Any

from dash import html

from dashboard.components.controls import letters_button
from dashboard.pages import Body
from dashboard.selection import Selection
from dashboard.words import load_words
from kpis.release import Release

_DONE = ("keyboard", "text", "colour", "contrast", "tests")


def page(selection: Selection, release: Release) -> Body:
    """Return the accessibility statement."""
    words = load_words(selection.lang)
    done = html.Ul([html.Li(words(f"accessibility.done_{name}")) for name in _DONE])
    contents: dict[str, list[Any]] = {
        "aim": [html.P(words("accessibility.aim"))],
        "done": [done],
        "keys": [html.P(words("accessibility.keys")), letters_button(words)],
        "known": [html.P(words("accessibility.known"))],
        "contact": [html.P(words("accessibility.contact"))],
    }
    sections = [
        html.Section([html.H2(words(f"accessibility.{name}_heading")), *content]) for name, content in contents.items()
    ]
    return Body(
        words("accessibility.title"),
        [
            html.Div(html.H1(words("accessibility.title"), tabIndex=-1), className="page-head"),
            html.Div(sections, className="prose"),
        ],
    )

"""Tilgængelighed: what was done, how it was tested, and what is still missing.

It holds what an authority needs for its accessibility statement, and is none itself: whoever runs a site declares.
"""

from typing import Any

from dash import html

from dashboard.components.controls import letters_button
from dashboard.pages import Body
from dashboard.selection import Selection
from dashboard.words import load_words
from kpis.release import Release

_DONE = ("keyboard", "text", "colour", "contrast", "tests")


def page(selection: Selection, release: Release) -> Body:
    """Return the page."""
    words = load_words(selection.lang)
    done = html.Ul([html.Li(words(f"accessibility.done_{name}")) for name in _DONE])
    contents: dict[str, list[Any]] = {
        "statement": [html.P(words("accessibility.statement")), html.P(words("accessibility.status"))],
        "aim": [html.P(words("accessibility.aim"))],
        "done": [done],
        "keys": [html.P(words("accessibility.keys")), letters_button(words)],
        "known": [html.P(words("accessibility.known"))],
        "papers": [html.P(words("accessibility.papers"))],
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

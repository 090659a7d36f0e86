"""Om: what the product is, how figures come about, and what it cannot do."""

from dash import html

from dashboard.components.shell import release_facts
from dashboard.pages import Body
from dashboard.selection import Selection
from dashboard.words import load_words
from kpis.release import Release


def page(selection: Selection, release: Release) -> Body:
    """Return the page about the product and the release shown."""
    words = load_words(selection.lang)
    sections = [
        html.Section([html.H2(words(f"about.{name}_heading")), html.P(words(f"about.{name}"))])
        for name in ("what", "how", "limits", "use")
    ]
    facts = html.Dl([part for name, text in release_facts(release, words) for part in (html.Dt(name), html.Dd(text))])
    return Body(
        words("about.title"),
        [
            html.Div(html.H1(words("about.title"), tabIndex=-1), className="page-head"),
            html.Div([*sections, html.Section([html.H2(words("about.release_heading")), facts])], className="prose"),
        ],
    )

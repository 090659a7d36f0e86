"""Sammenlign: one indicator, all areas of a level among each other, own area and group in front of the country."""

from typing import Any

from dash import html

from dashboard.components.figure import drawn_parts
from dashboard.pages import Body, Wall
from dashboard.pages.compare.controls import controls
from dashboard.pages.compare.drawn import figure
from dashboard.pages.compare.said import apart_from, conclusion, notes, without
from dashboard.pages.compare.scope import compared, scope_text, told_of
from dashboard.pages.scope import on_map
from dashboard.selection import Notice, Selection, catalogue
from dashboard.words import load_words
from kpis.release import Release


def page(selection: Selection, release: Release) -> Body:
    """Return the comparison that is selected."""
    words = load_words(selection.lang)
    known = catalogue(release)
    asked, selection = selection, told_of(selection, known)
    shown = compared(selection, release, known, words)
    notices = []
    if selection.level != asked.level:
        notices.append(Notice("notice.too_uncertain", {"shown": words(f"levels.{selection.level}")}))
    if selection.crude and not shown.indicator.can_be_standardised:
        notices.append(Notice("notice.not_standardised", {"name": shown.texts.name}))
    scope, block = scope_text(shown, words) + on_map(selection, words), figure(shown, selection, words)
    apart = apart_from(shown, words) if selection.view in ("funnel", "map", "tiles") else []
    provisional = [words("compare.provisional")] if shown.peers["is_provisional"].any() else []
    parts: list[Any] = [
        html.Div(
            [
                html.P(scope, className="eyebrow"),
                html.H1(shown.texts.short_name, tabIndex=-1),
                controls(selection, release, known, shown, words),
            ],
            className="page-head",
        ),
        *(html.P(text, className="quiet") for text in provisional),
        block,
        *apart,
        *without(shown, selection, words),
        *notes(shown, selection, words),
    ]
    drawn, twin = drawn_parts(block)
    drawn = [*drawn, *without(shown, selection, words)]
    on_wall = html.Div([html.Div(drawn), *apart], className="wall-map") if selection.view in ("map", "tiles") else drawn
    wall = Wall(" · ".join([scope, *provisional]), conclusion(shown, selection, words), on_wall, twin)
    return Body(words("compare.title", name=shown.texts.short_name), parts, tuple(notices), wall)

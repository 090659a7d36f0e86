"""The list of interventions: the newest first and never by effect, for it is no competition."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dash import html

from dashboard.components.verdict import verdict_mark, verdict_text
from dashboard.effect.plans import known_plans
from dashboard.effect.reports import effects_so_far
from dashboard.guard.access import may
from dashboard.pages import Body, Wall
from dashboard.pages.effect.told import facts, sentence_of
from dashboard.selection import COUNTRY, Selection, catalogue
from dashboard.sentence import area_name, capitalised
from dashboard.words import Words, load_words
from kpis.effect_report import EffectReport, Verdict
from kpis.intervention import Plan
from kpis.release import Release

_PATIENCE = 2.0
"""Seconds that a reader waits for verdicts that nobody asked for yet; the rest come by themselves."""

_MOST_ON_WALL = 6

_ORDER: tuple[Verdict, ...] = ("fall", "perhaps_fall", "rise", "cannot_tell")


def page(selection: Selection, release: Release) -> Body:
    """Return all interventions, or those in the selected area."""
    words = load_words(selection.lang)
    area = catalogue(release).area(selection.area or COUNTRY, selection.map)
    assert area is not None, "Selection.from_url gives areas of the map only"
    plans = [plan for plan in known_plans(release) if set(plan.municipalities) & set(area.municipalities)]
    reports = effects_so_far(release, plans, _PATIENCE)
    title = words("effect.title")
    name = capitalised(area_name(area, words))
    parts: list[Any] = [
        html.Div(
            [
                html.P(_eyebrow(selection, name, words), className="eyebrow"),
                html.H1(title, tabIndex=-1),
                html.P(_conclusion(plans, reports, words), className="conclusion"),
            ],
            className="page-head",
        ),
        html.Ul([_entry(plan, reports.get(plan.id), selection, words) for plan in plans], className="efforts"),
    ]
    if may("editor"):
        href = replace(selection, page="effect_form", intervention=None).to_url()
        parts.append(html.P(html.A(words("effect.register"), href=href, className="start-here")))
    parts.append(html.P(words("effect.list_note"), className="quiet small"))
    entries = [_entry(plan, reports.get(plan.id), selection, words, is_short=True) for plan in plans[:_MOST_ON_WALL]]
    context = words("effect.newest_first")
    if len(plans) > _MOST_ON_WALL:
        context = words("effect.newest_of", shown=words.count(_MOST_ON_WALL), count=words.count(len(plans)))
    wall = Wall(context, _conclusion(plans, reports, words), html.Ul(entries, className="efforts"))
    return Body(title, parts, wall=wall, is_final=len(reports) == len(plans))


def _eyebrow(selection: Selection, name: str, words: Words) -> list[Any]:
    if selection.area is None:
        return [words("effect.newest_first")]
    every = html.A(words("effect.all"), href=replace(selection, area=None).to_url())
    return [words("effect.in_area", area=name), " · ", every]


def _conclusion(plans: list[Plan], reports: Mapping[str, EffectReport], words: Words) -> str:
    if not plans:
        return words("effect.none")
    if len(reports) < len(plans):
        return words("effect.list_working", count=words.count(len(plans)))
    number = Counter(report.verdict for report in reports.values())
    told = [
        words("effect.list_verdict", verdict=verdict_text(verdict, words), count=words.count(number[verdict]))
        for verdict in _ORDER
        if number[verdict]
    ]
    key = "effect.list_one" if len(plans) == 1 else "effect.list_some"
    return words(key, count=words.count(len(reports)), verdicts=words.listing(told))


def _entry(
    plan: Plan, report: EffectReport | None, selection: Selection, words: Words, is_short: bool = False
) -> html.Li:
    href = replace(selection, page="effect", intervention=plan.id).to_url()
    verdict = verdict_mark(report.verdict, words) if report else html.Span(words("effect.working"), className="missing")
    told = [html.P(sentence_of(report, words))] if report and not is_short else []
    about = [html.H2(html.A(plan.name, href=href)), html.P(facts(plan, words), className="facts"), *told]
    return html.Li([verdict, html.Div(about)])

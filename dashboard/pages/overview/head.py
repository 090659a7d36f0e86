"""Overblik: one area, one sentence, the headlines of the four focus areas; everything else is one click away."""

from dataclasses import replace
from typing import Any

from dash import html

from dashboard import sentence
from dashboard.components.controls import Option, segments, select
from dashboard.components.verdict import CALM, SILENT, verdict_text
from dashboard.groups import group_options
from dashboard.pages import Body, Wall
from dashboard.pages.overview.beside import besides, interventions, news
from dashboard.pages.overview.numbers import months, numbers, numbers_table
from dashboard.pages.overview.rows import indicator_table, legend
from dashboard.pages.overview.scope import Line, OverviewScope, chosen_indicators, line_of, scope_of
from dashboard.pages.scope import on_map, period_text
from dashboard.papers.addresses import overview_address
from dashboard.selection import COUNTRY, Catalogue, Page, Selection, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import levels
from kpis.indicator import load_indicators
from kpis.release import Release


def page(selection: Selection, release: Release) -> Body:
    """Return the overview of the selected area."""
    words = load_words(selection.lang)
    known = catalogue(release)
    scope = scope_of(selection, release, known, words)
    lines = [line_of(indicator, scope) for indicator in chosen_indicators()]
    headlines = [line for line in lines if line.indicator.headline]
    period = period_text(scope.period, words)
    newest = words(f"period.newest_{scope.period.grain}")
    heading = sentence.capitalised(scope.name)
    conclusion, told_scope = _conclusion(headlines, scope), words("overview.scope", period=period, newest=newest)
    table = indicator_table(lines, scope)
    return Body(
        words("overview.title", area=heading),
        [
            html.Div(
                [
                    html.Div(
                        [
                            html.P(_memberships(scope, known), className="eyebrow"),
                            html.H1(heading, tabIndex=-1),
                            html.P(conclusion, className="conclusion"),
                            html.P(
                                [told_scope, on_map(selection, words), " · ", _paper(selection, words)],
                                className="quiet small",
                            ),
                        ]
                    ),
                    _controls(scope, known),
                ],
                className="page-head with-choice",
            ),
            table,
            besides(lines, scope),
            *interventions(scope),
            news(scope),
            legend(lines, scope),
            numbers([line_of(indicator, scope) for indicator in load_indicators().values()], scope),
            months(lines, scope),
            *_members(scope, known),
        ],
        wall=Wall(
            told_scope + on_map(selection, words),
            conclusion,
            [table, legend(lines, scope)],
            numbers_table(lines, scope),
        )
        if selection.meeting
        else None,
    )


def _conclusion(headlines: list[Line], scope: OverviewScope) -> str:
    judged = [line for line in headlines if line.verdict.verdict not in SILENT]
    findings: dict[str, list[str]] = {}
    for line in judged:
        if line.verdict.verdict not in CALM:
            findings.setdefault(verdict_text(line.verdict.verdict, scope.words), []).append(line.texts.short_name)
    period = period_text(scope.period, scope.words)
    return sentence.overview(scope.name, findings, len(judged), len(headlines), period, scope.is_country, scope.words)


def _memberships(scope: OverviewScope, known: Catalogue) -> list[Any]:
    """Return the level of the area and links to the areas that it is part of."""
    parts: list[Any] = [scope.words(f"level.{scope.area.level}")]
    if scope.area.level == "municipality":
        for level in levels(scope.selection.map):
            if level in ("municipality", "country"):
                continue
            for area in known.areas[scope.selection.map, level]:
                if scope.area.code in area.municipalities:
                    href = scope.selection.of_area(area_ref(area)).to_url()
                    parts += [" · ", html.A(area.name, href=href)]
    if scope.area.level != "country":
        href = scope.selection.of_area(COUNTRY).to_url()
        parts += [" · ", html.A(scope.words("area.country"), href=href)]
    return parts


def _paper(selection: Selection, words: Words) -> html.A:
    return html.A(words("overview.pdf"), href=overview_address(selection), download="")


def _controls(scope: OverviewScope, known: Catalogue) -> html.Div:
    """Return with whom a municipality is compared, and of a group the way to the carpet of its municipalities."""
    words = scope.words
    if scope.area.level == "municipality":
        options = group_options(scope.selection, known, words)
        return html.Div(select("gruppe", words("overview.compared_with"), options), className="choices")
    return html.Div(area_views(scope.selection, words), className="choices")


def area_views(selection: Selection, words: Words) -> html.Div:
    """Return the two views of a group side by side: itself as one area, and its municipalities."""
    pages: tuple[Page, ...] = ("area", "carpet")
    views = [
        Option(words(f"overview.view_{page}"), selection.on_page(page).to_url(), page == selection.page)
        for page in pages
    ]
    return segments("visning", words("compare.view"), views)


def _members(scope: OverviewScope, known: Catalogue) -> list[Any]:
    if scope.area.level in ("municipality", "country"):
        return []
    links = [
        html.Li(html.A(area.name, href=scope.selection.of_area(area_ref(area)).to_url()))
        for area in known.areas[scope.selection.map, "municipality"]
        if area.code in scope.area.municipalities
    ]
    compare = replace(scope.selection, page="compare", area=None, group=area_ref(scope.area), only_group=True)
    words = scope.words
    return [
        html.Section(
            [
                html.H2(words("overview.other_areas", area=scope.name)),
                html.Ul(links, className="columns"),
                html.P(html.A(words("overview.compare_members", area=scope.name), href=compare.to_url())),
            ],
            className="members",
        )
    ]

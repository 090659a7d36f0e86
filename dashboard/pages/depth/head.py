"""The page in depth: its head with the conclusion and the controls, its parts, and the ways on."""

from dataclasses import replace

from dash import html

from dashboard import sentence
from dashboard.components.attributes import aria
from dashboard.components.controls import Option, segments, select
from dashboard.components.verdict import SILENT, verdict_text
from dashboard.pages import Body
from dashboard.pages.depth.beside import counterweights, expected
from dashboard.pages.depth.months import goals, months
from dashboard.pages.depth.parts import breakdown
from dashboard.pages.depth.scope import DepthScope, calculation, change_told, scope_of
from dashboard.pages.scope import on_map, period_text
from dashboard.readings import (
    SPARK_MONTHS,
    area_process,
)
from dashboard.selection import Selection, area_ref
from dashboard.words import load_words
from kpis.indicator import FOCUS_AREAS, load_indicators
from kpis.period import months_between
from kpis.release import Release


def page(selection: Selection, release: Release) -> Body:
    """Return one indicator of one area in depth."""
    words = load_words(selection.lang)
    scope = scope_of(selection, release, words)
    title = words("depth.title", name=scope.texts.short_name, area=scope.name)
    head = html.Div(
        [
            html.P([_eyebrow(scope), on_map(selection, words)], className="eyebrow"),
            html.H1(title, tabIndex=-1),
            html.P(_conclusion(scope), className="conclusion"),
            _controls(scope),
        ],
        className="page-head",
    )
    if scope.own["status"] == "too_uncertain":
        return Body(title, [head, _larger_areas(scope), _further(scope)])
    return Body(
        title,
        [
            head,
            months(scope),
            *goals(scope),
            *breakdown(scope),
            *expected(scope),
            *counterweights(scope),
            _further(scope),
        ],
    )


def _larger_areas(scope: DepthScope) -> html.Section:
    """Return the ways to the areas around one that the figure is too uncertain of."""
    words, selection = scope.words, scope.selection
    around = [
        area
        for (map_id, _), of_level in scope.known.areas.items()
        if map_id == selection.map
        for area in of_level
        if len(area.municipalities) > 1 and set(scope.area.municipalities) <= set(area.municipalities)
    ]
    links = [
        html.Li(
            html.A(
                sentence.capitalised(sentence.area_name(area, words)),
                href=replace(selection, area=area_ref(area)).to_url(),
            )
        )
        for area in around
    ]
    return html.Section([html.P(words("depth.too_uncertain", name=scope.texts.short_name)), html.Ul(links)])


def _eyebrow(scope: DepthScope) -> str:
    focus = FOCUS_AREAS[scope.indicator.focus_area]
    told = [getattr(focus, scope.words.lang), period_text(scope.period, scope.words)]
    return " · ".join([*told, *calculation(scope.indicator, scope.words)])


def _controls(scope: DepthScope) -> html.Div:
    words, selection = scope.words, scope.selection
    indicators = [
        Option(
            item.texts(words.lang).short_name,
            replace(selection, indicator=item.id).to_url(),
            item.id == scope.indicator.id,
        )
        for item in load_indicators().values()
    ]
    every = replace(selection, since=scope.known.first_month, until=None)
    spans = [
        Option(
            words("depth.newest_months", count=SPARK_MONTHS),
            replace(selection, since=None, until=None).to_url(),
            selection.since is None,
        ),
        Option(words("depth.all_months"), every.to_url(), selection.since == scope.known.first_month),
    ]
    if months_between(scope.known.first_month, scope.known.last_month) < SPARK_MONTHS:
        spans = []
    views = [
        Option(words("compare.view_chart"), replace(selection, view="chart").to_url(), selection.view != "table"),
        Option(words("compare.view_table"), replace(selection, view="table").to_url(), selection.view == "table"),
    ]
    return html.Div(
        [
            select("indikator", words("compare.indicator"), indicators),
            *([segments("maaneder", words("depth.months"), spans)] if spans else []),
            segments("visning", words("compare.view"), views),
        ],
        className="choices",
    )


def _conclusion(scope: DepthScope) -> str:
    """Say where the area stands, how sure that is, and whether it moves."""
    words = scope.words
    if scope.own["value"] is None:
        missing = sentence.value_text(scope.own, scope.digits, words)
        return words("compare.own_missing", area=sentence.capitalised(scope.name), missing=missing)
    told = [_level(scope)]
    if not scope.is_country and scope.judged.verdict not in SILENT:
        verdict = verdict_text(scope.judged.verdict, words)
        told.append(words("compare.judged", verdict=verdict, levels=words(f"levels.{scope.area.level}")))
    if not scope.indicator.is_yearly:
        told.append(change_told(area_process(scope.release, scope.indicator.id, scope.area), words))
    return " ".join(told)


def _level(scope: DepthScope) -> str:
    words = scope.words
    interval = sentence.interval_text(scope.own, scope.digits, words)
    told = words(
        "compare.own" if interval else "compare.own_plain",
        area=sentence.capitalised(scope.name),
        value=sentence.value_text(scope.own, scope.digits, words),
        unit=scope.texts.unit,
        interval=interval,
    )
    if scope.is_country or scope.whole["value"] is None:
        return told
    relation = sentence.relation(scope.own, scope.whole, words)
    country = words.number(scope.whole["value"], scope.digits)
    beside = "compare.against_country" if relation else "compare.beside_country"
    return f"{told} {words(beside, country_relation=relation, country=country)}"


def _further(scope: DepthScope) -> html.Nav:
    words, selection = scope.words, scope.selection
    links = [
        html.A(words("compare.to_overview", area=scope.name), href=selection.on_page("area").to_url()),
        html.A(
            words("depth.to_compare", name=scope.texts.short_name),
            href=selection.on_page("compare", scope.indicator.id).to_url(),
        ),
        html.A(words("depth.to_potential", area=scope.name), href=selection.on_page("potential").to_url()),
        html.A(words("depth.to_method"), href=selection.on_page("method", scope.indicator.id).to_url()),
    ]
    return html.Nav(links, className="further", **aria(label=words("depth.further")))

"""Sammenlign: one indicator, all areas of a level by size, own area and group in front of the country."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
from dash import html

from dashboard import files, sentence
from dashboard.components.controls import Option, segments, select
from dashboard.components.figure import figure_block, graph
from dashboard.components.svg import Svg
from dashboard.components.table import Row, data_table
from dashboard.components.verdict import SILENT, verdict_text
from dashboard.figures.caterpillar import caterpillar, height, mark_key
from dashboard.pages import Body
from dashboard.readings import (
    NOT_ASSESSED,
    Estimate,
    Judged,
    area_estimate,
    complete_periods,
    latest_period,
    level_estimates,
    level_verdicts,
)
from dashboard.selection import COUNTRY, Catalogue, Notice, Selection, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import Area, levels
from kpis.explanation import status_words
from kpis.indicator import FOCUS_AREAS, Indicator, Texts, load_indicators
from kpis.period import Period
from kpis.release import Release

MOST_NAMES = 12
_GROUP_LEVELS = ("kkr", "region", "health_council", "cluster", "municipality_group")


@dataclass(frozen=True)
class Comparison:
    """Everything that chart, sentence and table of a comparison are made from."""

    indicator: Indicator
    texts: Texts
    period: Period
    is_standardised: bool
    peers: pl.DataFrame  # rows of ESTIMATES, all areas of the level or those of the group
    own_area: Area | None
    own: Estimate | None
    group_area: Area | None
    group: Estimate | None
    country: Estimate
    is_group_only: bool
    digits: int
    verdicts: Mapping[str, Judged]  # by area code, of all areas of the level; empty where nothing is judged

    @property
    def group_codes(self) -> tuple[str, ...]:
        """Codes of the areas that belong to the group: municipalities, since groups are made of them."""
        return self.group_area.municipalities if self.group_area else ()


def page(selection: Selection, release: Release) -> Body:
    """Return the comparison that is selected."""
    words = load_words(selection.lang)
    known = catalogue(release)
    shown = _compared(selection, release, known)
    name = shown.texts.name
    notices = []
    if selection.crude and not shown.indicator.can_be_standardised:
        notices.append(Notice("notice.not_standardised", {"name": name}))
    text = _sentence(shown, selection, words)
    twin = _table(shown, selection, words)
    chart = _chart(shown, selection, text, words)
    parts: list[Any] = [
        html.Div(
            [
                html.P([_scope(shown, words), on_map(selection, words)], className="eyebrow"),
                html.H1(shown.texts.short_name, tabIndex=-1),
                _controls(selection, release, known, shown, words),
            ],
            className="page-head",
        ),
        figure_block(text, chart, twin, _actions(shown, selection, words), words, selection.table),
        *_without(shown, selection, words),
        *([html.P(words("compare.note"), className="quiet small")] if shown.peers["lower"].count() else []),
    ]
    if shown.peers["is_provisional"].any():
        parts.insert(1, html.P(words("compare.provisional"), className="quiet"))
    return Body(words("compare.title", name=shown.texts.short_name), parts, tuple(notices))


def _scope(shown: Comparison, words: Words) -> str:
    calculation = "compare.standardised" if shown.is_standardised else "compare.crude"
    parts = [getattr(FOCUS_AREAS[shown.indicator.focus_area], words.lang), period_text(shown.period, words)]
    return " · ".join([*parts, words(calculation).lower()] if shown.indicator.can_be_standardised else parts)


def _compared(selection: Selection, release: Release, known: Catalogue) -> Comparison:
    indicator = load_indicators()[selection.indicator or known.indicators[0]]
    period = selection.period or latest_period(release)
    standardised = indicator.can_be_standardised and not selection.crude
    peers = level_estimates(release, indicator.id, selection.level, selection.map, period, standardised)
    own_area = known.area(selection.area, selection.map) if selection.area else None
    group_area = group_of(selection, known)

    def estimate(area: Area | None) -> Estimate | None:
        return area_estimate(release, indicator.id, area, selection.map, period, standardised) if area else None

    country = estimate(known.area(COUNTRY, selection.map))
    assert country is not None, "every release has the country"
    digits = sentence.digits_of(peers.iter_rows(named=True))
    is_group_only = selection.only_group and group_area is not None and selection.level == "municipality"
    if is_group_only and group_area:
        peers = peers.filter(pl.col("area_code").is_in(list(group_area.municipalities)))
    return Comparison(
        indicator,
        indicator.texts(selection.lang),
        period,
        standardised,
        peers,
        own_area,
        estimate(own_area),
        group_area,
        estimate(group_area),
        country,
        is_group_only,
        digits,
        level_verdicts(release, indicator.id, selection.level, selection.map, period, standardised),
    )


def group_of(selection: Selection, known: Catalogue) -> Area | None:
    """Return the chosen group, or else the KKR (on the new map the region) of the highlighted municipality."""
    if selection.group:
        return known.area(selection.group, selection.map)
    if not selection.area or selection.area.level != "municipality":
        return None
    own = known.area(selection.area, selection.map)
    level = "kkr" if "kkr" in levels(selection.map) else "region"
    return next((area for area in known.areas[selection.map, level] if own and own.code in area.municipalities), None)


def group_options(selection: Selection, known: Catalogue, words: Words) -> list[Option]:
    """Return the groups to compare with: those the own area is part of, else all of the map."""
    own = known.area(selection.area, selection.map) if selection.area else None
    chosen = group_of(selection, known)
    offered = [
        area
        for level in _GROUP_LEVELS
        for area in known.areas.get((selection.map, level), ())
        if own is None or own.level != "municipality" or own.code in area.municipalities or area == chosen
    ]
    options = [Option(area.name, replace(selection, group=area_ref(area)).to_url(), area == chosen) for area in offered]
    if own is None or own.level != "municipality":
        options.insert(
            0,
            Option(
                words("compare.no_group"), replace(selection, group=None, only_group=False).to_url(), chosen is None
            ),
        )
    return options


def _sentence(shown: Comparison, selection: Selection, words: Words) -> str:
    """Say how the areas lie, and of the own area the same verdict that its overview gives."""
    told = _position(shown, selection, words)
    judged = shown.verdicts.get(shown.own_area.code, NOT_ASSESSED) if shown.own_area else NOT_ASSESSED
    if judged.verdict in SILENT:
        return told
    verdict = words(
        "compare.judged", verdict=verdict_text(judged.verdict, words), levels=_peers_text(shown, selection, words)
    )
    return f"{told} {verdict}"


def _position(shown: Comparison, selection: Selection, words: Words) -> str:
    return sentence.comparison(
        shown.own,
        sentence.capitalised(sentence.area_name(shown.own_area, words)) if shown.own_area else "",
        shown.group,
        sentence.area_name(shown.group_area, words) if shown.group_area else "",
        shown.country,
        shown.peers.iter_rows(named=True),
        _peers_text(shown, selection, words),
        period_text(shown.period, words),
        shown.texts.unit,
        shown.digits,
        words,
    )


def _peers_text(shown: Comparison, selection: Selection, words: Words) -> str:
    if shown.is_group_only and shown.group_area:
        return words("compare.members", area=shown.group_area.name)
    return words(f"levels.{selection.level}")


def _chart(shown: Comparison, selection: Selection, text: str, words: Words) -> Any:
    n_areas = shown.peers.drop_nulls("value").height
    if not n_areas:
        return html.P(words("compare.elsewhere"), className="missing")
    country = shown.country["value"]
    title = {"lower": "compare.axis_lower", "higher": "compare.axis_higher", "neither": "compare.axis"}
    figure = caterpillar(
        shown.peers,
        shown.own_area.code if shown.own_area else None,
        shown.group_codes,
        (words("area.country"), country) if country is not None else None,
        words(title[shown.indicator.better], unit=shown.texts.unit),
        shown.digits,
        words,
    )
    label = words(
        "compare.label",
        name=shown.texts.name,
        period=period_text(shown.period, words),
        count=n_areas,
        levels=words(f"levels.{selection.level}"),
        sentence=text,
    )
    return html.Div([graph(figure, label, words, height(n_areas)), _legend(shown, selection, words)])


def _legend(shown: Comparison, selection: Selection, words: Words) -> html.Ul | None:
    entries = [("own", shown.own_area.name)] if shown.own_area and shown.own_area.level == selection.level else []
    if shown.group_area and selection.level == "municipality":
        entries.append(("group", shown.group_area.name))
    if not entries:
        return None
    if not shown.is_group_only:
        entries.append(("others", words("compare.marks_others")))
    return html.Ul([html.Li([Svg(mark_key(kind)), text]) for kind, text in entries], className="legend")


def _table(shown: Comparison, selection: Selection, words: Words) -> html.Div:
    ordered = shown.peers.sort("value", "area_name", nulls_last=True).iter_rows(named=True)
    own = shown.own_area.code if shown.own_area else None
    rows = [_table_row(shown.country, "country", shown, words, sentence.capitalised(words("area.in_country")))]
    if shown.group and shown.group_area:
        rows.append(_table_row(shown.group, "", shown, words, shown.group_area.name))
    rows += [
        _table_row(
            row,
            "own" if row["area_code"] == own else "group" if row["area_code"] in shown.group_codes else "",
            shown,
            words,
        )
        for row in ordered
    ]
    columns = ("area", "value", "lower", "upper", "numerator", "denominator", "against", "verdict")
    caption = words("compare.table_caption", name=shown.texts.name, period=period_text(shown.period, words))
    return data_table(caption, [words(f"compare.column_{name}") for name in columns], rows, numeric=(0, 1, 2, 3, 4))


def _table_row(row: Estimate, kind: str, shown: Comparison, words: Words, name: str = "") -> Row:
    def number(column: str, digits: int) -> str:
        return words.number(row[column], digits) if row[column] is not None else ""

    relation = sentence.relation(row, shown.country, words) if kind != "country" else None
    judged = shown.verdicts.get(row["area_code"])
    cells = [
        sentence.value_text(row, shown.digits, words),
        number("lower", shown.digits),
        number("upper", shown.digits),
        number("numerator", 0),
        number("denominator", 0),
        relation or "",
        verdict_text(judged.verdict, words) if judged else "",
    ]
    return Row(name or row["area_name"], cells, kind)


def _without(shown: Comparison, selection: Selection, words: Words) -> list[Any]:
    """Name the areas that a figure leaves out and why; of many only how many, the table names them."""
    missing = shown.peers.filter(pl.col("value").is_null())
    if missing.is_empty():
        return []
    told = [
        f"{status_words(words.lang)[status]}: {words.listing(names)}"
        if len(names) <= MOST_NAMES
        else words(
            "compare.without_many",
            status=status_words(words.lang)[status],
            count=len(names),
            levels=words(f"levels.{selection.level}"),
        )
        for status, names in missing.group_by("status", maintain_order=True).agg("area_name").iter_rows()
    ]
    return [html.P(words("compare.without", told="; ".join(told)), className="quiet small")]


def _controls(selection: Selection, release: Release, known: Catalogue, shown: Comparison, words: Words) -> html.Div:
    def to(**changes: Any) -> str:
        return replace(selection, **changes).to_url()

    indicators = [
        Option(item.texts(selection.lang).short_name, to(indicator=item.id), item.id == shown.indicator.id)
        for item in load_indicators().values()
    ]
    offered = [level for level in levels(selection.map) if level != "country"]
    level_options = [
        Option(
            sentence.capitalised(words(f"levels.{level}")),
            to(level=level, area=None, group=None, only_group=False),
            level == selection.level,
        )
        for level in offered
    ]
    areas = [Option(words("compare.no_area"), to(area=None), selection.area is None)]
    areas += [
        Option(area.name, to(area=area_ref(area), group=None), area == shown.own_area)
        for area in known.areas[selection.map, selection.level]
    ]
    latest = latest_period(release)
    periods = [
        Option(words("compare.latest", period=period_text(latest, words)), to(period=None), selection.period is None)
    ]
    offered_periods: Sequence[Period] = complete_periods(release)
    if selection.period and selection.period not in offered_periods:
        offered_periods = (selection.period, *offered_periods)
    periods += [
        Option(period_text(period, words), to(period=period), period == selection.period) for period in offered_periods
    ]
    first = [
        select("indikator", words("compare.indicator"), indicators),
        select("omraade", words("compare.area"), areas),
    ]
    if selection.level == "municipality":
        first.append(select("gruppe", words("compare.group"), group_options(selection, known, words)))
        if shown.group_area:
            cut = [
                Option(words("compare.cut_all"), to(only_group=False), not selection.only_group),
                Option(words("compare.cut_group"), to(only_group=True), selection.only_group),
            ]
            first.append(segments("udsnit", words("compare.cut"), cut))
    more = [
        select("niveau", words("compare.level"), level_options),
        select("periode", words("compare.period"), periods),
    ]
    if shown.indicator.can_be_standardised:
        calculations = [
            Option(words("compare.standardised"), to(crude=False), not selection.crude),
            Option(words("compare.crude"), to(crude=True), selection.crude),
        ]
        more.append(segments("beregning", words("compare.calculation"), calculations))
    views = [
        Option(words("compare.view_chart"), to(table=False), not selection.table),
        Option(words("compare.view_table"), to(table=True), selection.table),
    ]
    more.append(segments("visning", words("compare.view"), views))
    is_open = selection.level != "municipality" or bool(selection.period) or selection.crude or selection.table
    folded = html.Details(
        [html.Summary(words("compare.more")), html.Div(more, className="choices")], open=is_open, className="more"
    )
    return html.Div([html.Div(first, className="choices"), folded])


def _actions(shown: Comparison, selection: Selection, words: Words) -> list[Any]:
    links = [
        html.A(
            words(f"figure.{kind}"),
            href=files.address(
                shown.indicator.id,
                kind,
                selection.level,
                (shown.period,),
                shown.is_standardised,
                selection.map,
                selection.lang,
            ),
            download="",
        )
        for kind in files.KINDS
    ]
    method = selection.on_page("method", shown.indicator.id)
    links.append(html.A(words("figure.definition"), href=method.to_url()))
    if shown.own_area:
        text = words("compare.to_overview", area=sentence.area_name(shown.own_area, words))
        links.append(html.A(text, href=selection.on_page("area").to_url()))
    return links


def period_text(period: Period, words: Words) -> str:
    """Return the period in words: *2024*, *1. kvartal 2024*, *oktober 2024 – september 2025*."""
    if period.grain == "quarter":
        return words("period.quarter", number=period.last.month // 3, year=period.last.year)
    return words.months(period.first, period.last)


def on_map(selection: Selection, words: Words) -> str:
    """Return what to add to a scope on another map than the usual one."""
    return f" · {words('shell.on_map_2027')}" if selection.map != Selection.map else ""

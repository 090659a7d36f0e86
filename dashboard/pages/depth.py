"""Dybde: one indicator of one area: its months, where a difference lies, what was to be expected, who pays for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from dash import html

from dashboard import files, sentence
from dashboard.components.attributes import aria
from dashboard.components.controls import Option, segments, select
from dashboard.components.drawing import drawing_block
from dashboard.components.table import Row, data_table
from dashboard.components.verdict import CHANGES, SILENT, reason_text, verdict_mark, verdict_text
from dashboard.figures.process import Flag, GoalPath, process, process_key
from dashboard.figures.rows import Mark, rows, rows_key
from dashboard.pages import Body
from dashboard.pages.compare import on_map, period_text
from dashboard.potentials import area_potential
from dashboard.readings import (
    NOT_ASSESSED,
    SPARK_MONTHS,
    Estimate,
    Judged,
    Process,
    area_estimate,
    area_expectations,
    area_parts,
    area_process,
    area_split,
    goal_progress,
    goals_of,
    group_names,
    interventions,
    last_month,
    latest_period,
    level_estimates,
    level_verdicts,
)
from dashboard.selection import COUNTRY, Breakdown, Catalogue, Selection, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import Area, Map
from kpis.evaluate import By
from kpis.explanation import status_words
from kpis.indicator import FOCUS_AREAS, Indicator, Texts, load_indicators
from kpis.period import Period, add_months, breaks_within, months_between, periods_between
from kpis.potential import has_potential
from kpis.potential import words as potential_words
from kpis.release import Release

_BY: dict[Breakdown, By] = {"condition": "group", "age": "age", "sex": "sex"}
_SIGNALS = ("improvement", "concern", "rise", "fall")
_GROUPS_BESIDE = ("cluster", "health_council", "kkr", "region")
MOST_NAMED = 3


@dataclass(frozen=True)
class _Scope:
    """What all figures of one view share."""

    selection: Selection
    release: Release
    words: Words
    known: Catalogue
    indicator: Indicator
    texts: Texts
    area: Area
    country: Area
    period: Period
    own: Estimate
    whole: Estimate
    digits: int
    judged: Judged  # against the country; of the country itself against its own past

    @property
    def name(self) -> str:
        return sentence.area_name(self.area, self.words)

    @property
    def is_country(self) -> bool:
        return self.area.level == "country"


def page(selection: Selection, release: Release) -> Body:
    """Return one indicator of one area in depth."""
    words = load_words(selection.lang)
    scope = _scope(selection, release, words)
    title = words("depth.title", name=scope.texts.short_name, area=scope.name)
    return Body(
        title,
        [
            html.Div(
                [
                    html.P([_eyebrow(scope), on_map(selection, words)], className="eyebrow"),
                    html.H1(title, tabIndex=-1),
                    html.P(_conclusion(scope), className="conclusion"),
                    _controls(scope),
                ],
                className="page-head",
            ),
            _months(scope),
            *_goals(scope),
            *_breakdown(scope),
            *_expected(scope),
            *_counterweights(scope),
            _further(scope),
        ],
    )


def _scope(selection: Selection, release: Release, words: Words) -> _Scope:
    known = catalogue(release)
    indicator = load_indicators()[selection.indicator or known.indicators[0]]
    area = known.area(selection.area or COUNTRY, selection.map)
    country = known.area(COUNTRY, selection.map)
    assert area is not None and country is not None, "Selection.from_url gives areas of the map only"
    period = latest_period(release, indicator.id)
    own, whole = (area_estimate(release, indicator.id, item, selection.map, period, True) for item in (area, country))
    peers = level_estimates(release, indicator.id, area.level, selection.map, period, True)
    if area.level == "country":
        judged = area_process(release, indicator.id, area).judged
    else:
        verdicts = level_verdicts(release, indicator.id, area.level, selection.map, period, True)
        judged = verdicts.get(area.code, NOT_ASSESSED)
    digits = max(sentence.digits_of(peers.iter_rows(named=True)), sentence.digits_of([own]))
    texts = indicator.texts(words.lang)
    return _Scope(selection, release, words, known, indicator, texts, area, country, period, own, whole, digits, judged)


def _eyebrow(scope: _Scope) -> str:
    focus = FOCUS_AREAS[scope.indicator.focus_area]
    calculation = [scope.words("compare.standardised").lower()] if scope.indicator.can_be_standardised else []
    return " · ".join([getattr(focus, scope.words.lang), period_text(scope.period, scope.words), *calculation])


def _controls(scope: _Scope) -> html.Div:
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


def _conclusion(scope: _Scope) -> str:
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
        told.append(_change(area_process(scope.release, scope.indicator.id, scope.area), words))
    return " ".join(told)


def _level(scope: _Scope) -> str:
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


def _change(shown: Process, words: Words) -> str:
    """Say whether the months have changed, in the words of the verdict."""
    verdict = shown.judged.verdict
    if verdict in CHANGES and shown.since:
        change = verdict_text(verdict, words)
        return words("depth.changed", change=words("verdict.since", change=change, month=words.month(shown.since)))
    if verdict in SILENT:
        return words("depth.not_judged", reason=reason_text(shown.judged.reason, words))
    return words("depth.unchanged", verdict=verdict_text(verdict, words))


# --- Month by month -----------------------------------------------------------------------------------------


def _months(scope: _Scope) -> html.Figure | html.P:
    words, selection, release = scope.words, scope.selection, scope.release
    if scope.indicator.is_yearly:
        return html.P(words("depth.only_years"), className="missing")
    until = selection.until or last_month(release)
    since = selection.since or max(add_months(until, 1 - SPARK_MONTHS), scope.known.first_month)
    shown = area_process(release, scope.indicator.id, scope.area, until, months_between(since, until) + 1)
    rows_ = list(shown.months.iter_rows(named=True))
    if sum(row["adjusted"] is not None for row in rows_) < 2:
        return html.P(words("spark.empty"), className="missing")
    flags = _flags(scope, since, until)
    path = _goal_path(scope, rows_)
    text = _months_sentence(scope, shown, rows_)
    label = words("depth.months_label", name=scope.texts.name, area=scope.name, sentence=text)
    signals = {row["signal"] for row in rows_} & set(_SIGNALS)
    legend = []
    if any(row["centre"] is not None for row in rows_):
        legend.append((process_key("limits"), words("overview.legend_limits")))
    if any(row["is_provisional"] for row in rows_):
        legend.append((process_key("tail"), words("overview.legend_tail")))
    legend += [(process_key(kind), words(f"depth.signal_{kind}")) for kind in _SIGNALS if kind in signals]
    if path:
        legend.append((process_key("goal"), words("depth.legend_goal")))
    if flags:
        legend.append((process_key("flag"), words("depth.legend_flag")))
    twin = html.Div([_month_table(scope, rows_), *_happenings(scope, flags, since, until)])
    periods = periods_between(since, until, "month")
    return drawing_block(
        "maaneder",
        text,
        lambda width: process(shown.months, flags, path, scope.digits, label, words, width),
        legend,
        twin,
        _actions(scope, periods),
        selection,
        words,
    )


def _months_sentence(scope: _Scope, shown: Process, months: list[dict[str, Any]]) -> str:
    words = scope.words
    span = words.months(months[0]["month"], months[-1]["month"])
    told = words("depth.months_sentence", span=sentence.capitalised(span), change=_change(shown, words))
    levels = [month["centre"] for month in months if month["centre"] is not None]
    if not levels:
        return told
    return f"{told} {words('depth.months_level', value=words.number(levels[-1], scope.digits), unit=scope.texts.unit)}"


def _month_table(scope: _Scope, months: list[dict[str, Any]]) -> html.Div:
    words, digits = scope.words, scope.digits

    def number(month: dict[str, Any], column: str) -> str:
        return words.number(month[column], digits) if month[column] is not None else words("depth.no_limit")

    table_rows = [
        Row(
            words.month(month["month"]) + (f" ({words('overview.provisional')})" if month["is_provisional"] else ""),
            [
                sentence.value_text(month, digits, words),
                number(month, "adjusted"),
                number(month, "centre"),
                number(month, "lower_limit"),
                number(month, "upper_limit"),
                words(f"depth.signal_{month['signal']}") if month["signal"] in _SIGNALS else words("words.none"),
            ],
        )
        for month in reversed(months)
    ]
    columns = ("month", "counted", "adjusted", "centre", "lower", "upper", "signal")
    caption = words("depth.months_caption", name=scope.texts.name, area=scope.name)
    return data_table(caption, [words(f"depth.column_{name}") for name in columns], table_rows, numeric=range(5))


def _flags(scope: _Scope, since: date, until: date) -> list[Flag]:
    found = interventions(scope.release, scope.indicator.id, scope.area)
    return [
        Flag(add_months(item["start_date"], 0), _intervention_name(scope, item))
        for item in found
        if since <= add_months(item["start_date"], 0) <= until
    ]


def _intervention_name(scope: _Scope, item: Estimate) -> str:
    if item["areas"] == [scope.area.code]:
        return str(item["name"])
    return scope.words("depth.in_part", name=item["name"], count=scope.words.count(len(item["areas"])))


def _happenings(scope: _Scope, flags: Sequence[Flag], since: date, until: date) -> list[Any]:
    """Tell breaks and interventions in words: what stands as lines and flags in the drawing."""
    words = scope.words
    told = [
        words("depth.break", month=words.month(item.month), text=getattr(item, words.lang))
        for item in breaks_within(since, until)
    ]
    told += [words("depth.intervention", month=words.month(flag.month), name=flag.name) for flag in flags]
    return [html.Ul([html.Li(item) for item in told], className="small")] if told else []


def _goal_path(scope: _Scope, months: list[dict[str, Any]]) -> GoalPath | None:
    """Return the path of the goal that falls due first, in the months that its baseline is past."""
    for one in goals_of(scope.release, scope.indicator.id, scope.area):
        if one.baseline is not None and not breaks_within(one.baseline.first, months[-1]["month"]):
            path = [
                (month["month"], one.required(add_months(month["month"], 1)))
                for month in months
                if month["month"] >= one.baseline.last
            ]
            target = scope.words.number(one.target_value, max(scope.digits, 1))
            return GoalPath(path, scope.words("depth.mark_goal", value=target, year=one.due_date.year))
    return None


def _goals(scope: _Scope) -> list[Any]:
    """Tell each goal of the area: where it stands on its path, and what the trend leads to; and the potential."""
    words = scope.words
    items = []
    for one in goals_of(scope.release, scope.indicator.id, scope.area):
        row = goal_progress(scope.release)[one.goal_id]
        told = [
            words(
                f"depth.goal_{one.scope}",
                target=words.number(one.target_value, max(scope.digits, 1)),
                unit=scope.texts.unit,
                due=words.day(one.due_date),
            )
        ]
        if row["required"] is not None and row["value"] is not None:
            told.append(
                words(
                    "depth.goal_stands",
                    value=words.number(row["value"], max(scope.digits, 1)),
                    required=words.number(row["required"], max(scope.digits, 1)),
                )
            )
        if row["odds"] is not None:
            key = "depth.goal_odds_break" if row["outlook_note"] == "across_break" else "depth.goal_odds"
            told.append(words(key, odds=sentence.odds(row["odds"])))
        mark = verdict_mark(row["verdict"], words)
        reason = [html.Span(reason_text(row["reason"], words), className="verdict-note")] if row["reason"] else []
        items.append(html.Li([mark, *reason, html.Span(" ".join(told))]))
    items += _worth(scope)
    if not items:
        return []
    heading = html.H2(words("depth.goals"))
    return [html.Section([heading, html.Ul(items, className="goals")], className="beside-figure")]


def _worth(scope: _Scope) -> list[html.Li]:
    """Tell what it would be worth to be as the best fifth, where the indicator has a potential."""
    words = scope.words
    if not has_potential(scope.indicator):
        return []
    row = area_potential(scope.release, scope.indicator.id, scope.area, scope.period, "best_fifth", 1.0)
    if row["status"] != "ok":
        return []
    value, lower, upper = sentence.amounts(row["potential"], row["lower"], row["upper"])
    key = "depth.worth_more" if scope.indicator.better == "higher" else "depth.worth_fewer"
    text = words(
        key if value > 0 else "depth.worth_nothing",
        reference=potential_words("reference", "best_fifth", words.lang),
        amount=words("value.with_interval", value=words.number(value), interval=words.interval(lower, upper)),
    )
    link = html.A(words("depth.worth"), href=scope.selection.on_page("potential").to_url())
    return [html.Li([link, html.Span(sentence.capitalised(text))])]


# --- Where the difference lies ------------------------------------------------------------------------------


def _offered(scope: _Scope) -> list[Breakdown]:
    indicator = scope.indicator
    offered: list[Breakdown] = [name for name, by in _BY.items() if by in indicator.breakdowns]
    if indicator.kind == "rate" and indicator.numerator.measure == "n_acute" and not scope.is_country:
        offered.append("length")
    return offered


def _breakdown(scope: _Scope) -> list[Any]:
    words, selection, offered = scope.words, scope.selection, _offered(scope)
    if not offered or scope.own["value"] is None:
        return []
    chosen = selection.breakdown if selection.breakdown in offered else offered[0]
    options = [
        Option(words(f"depth.by_{name}"), replace(selection, breakdown=name).to_url(), name == chosen)
        for name in offered
    ]
    figure = _by_length(scope) if chosen == "length" else _by_part(scope, chosen)
    return [
        html.Section(
            [
                html.H2(words("depth.breakdown")),
                segments("opdeling", words("depth.breakdown_by"), options),
                figure,
                html.P(
                    words("depth.length_note" if chosen == "length" else "depth.breakdown_note"),
                    className="quiet small",
                ),
            ],
            className="figure-section",
        )
    ]


def _cell(scope: _Scope) -> tuple[Release, str, Area, Map, Period]:
    return scope.release, scope.indicator.id, scope.area, scope.selection.map, scope.period


def _by_part(scope: _Scope, breakdown: Breakdown) -> html.Figure | html.P:
    words, by = scope.words, _BY[breakdown]
    own, whole = area_split(scope.release, scope.indicator.id, scope.area, scope.selection.map, scope.period, by)
    names = [_part_name(scope, breakdown, row["group"], at, own) for at, row in enumerate(own)]
    # One number of decimals for all rows: the large ones bear one, and rows all below two need a second.
    largest = max((row["value"] for row in own if row["value"] is not None), default=0.0)
    digits = 1 if largest >= 2 else 2
    marks = [
        Mark(
            name,
            row["value"],
            row["lower"],
            row["upper"],
            None if scope.is_country else other["value"],
            sentence.with_interval(row, digits, words),
        )
        for name, row, other in zip(names, own, whole, strict=True)
    ]
    parts = (
        []
        if scope.is_country
        else area_parts(scope.release, scope.indicator.id, scope.area, scope.selection.map, scope.period)
        if scope.indicator.kind == "rate"
        else []
    )
    of_dimension = {row["part"]: row for row in parts if row["dimension"] == by}
    text = _part_sentence(scope, breakdown, names, own, whole, of_dimension, digits)
    label = words("depth.breakdown_label", name=scope.texts.name, area=scope.name, sentence=text)
    legend = [(rows_key("own"), sentence.capitalised(scope.name))]
    if not scope.is_country:
        legend.append((rows_key("reference"), words("overview.legend_country")))
    return drawing_block(
        "opdeling-figur",
        text,
        lambda width: rows(marks, scope.texts.unit, label, words, width, at_zero=True),
        legend,
        _part_table(scope, breakdown, names, own, whole, of_dimension, digits),
        _actions(scope, (scope.period,), by),
        scope.selection,
        words,
        html.H3,
    )


def _part_name(scope: _Scope, breakdown: Breakdown, group: str, at: int, parts: Sequence[Estimate]) -> str:
    if breakdown == "condition":
        return sentence.capitalised(group_names(scope.release, scope.words.lang)[group])
    if breakdown == "sex":
        return scope.words(f"depth.sex_{group}")
    if at + 1 < len(parts):
        return scope.words("depth.ages", first=group, last=int(parts[at + 1]["group"]) - 1)
    end = scope.indicator.population.age_to
    return scope.words("depth.ages", first=group, last=end) if end else scope.words("depth.ages_open", first=group)


def _part_sentence(
    scope: _Scope,
    breakdown: Breakdown,
    names: Sequence[str],
    own: Sequence[Estimate],
    whole: Sequence[Estimate],
    parts: dict[str, Estimate],
    digits: int,
) -> str:
    """Say which parts differ from the country's, and what each makes of the whole difference where that is sure."""
    words = scope.words
    told = list(zip(names, own, whole, strict=True))
    if scope.is_country:
        known = [item for item in told if item[1]["value"] is not None]
        if not known:
            return words("compare.nothing", period=period_text(scope.period, words))
        name, row, _ = max(known, key=lambda item: item[1]["value"])
        return words("depth.largest", name=name, value=words.number(row["value"], digits), unit=scope.texts.unit)
    found: dict[str, list[str]] = {}
    for name, row, other in told:
        relation = sentence.relation(row, other, words)
        if relation and relation != words("compare.relation_same"):
            share = parts.get(row["group"], {}).get("share")
            of_whole = words("depth.share", share=words.number(100 * share)) if share is not None else ""
            found.setdefault(relation, []).append(f"{name.lower() if breakdown == 'condition' else name}{of_whole}")
    sentences = [
        words("depth.differ", relation=sentence.capitalised(relation), names=words.listing(items[:MOST_NAMED]))
        + (words("depth.and_more", count=words.count(len(items) - MOST_NAMED)) if len(items) > MOST_NAMED else "")
        + "."
        for relation, items in found.items()
    ]
    if not sentences:
        sentences = [words(f"depth.alike_{breakdown}")]
    structure = parts.get("structure", {}).get("difference")
    if structure is not None:
        value = words.number(abs(structure), digits)
        sentences.append(words("depth.structure_more" if structure > 0 else "depth.structure_less", value=value))
    return " ".join(sentences)


def _part_table(
    scope: _Scope,
    breakdown: Breakdown,
    names: Sequence[str],
    own: Sequence[Estimate],
    whole: Sequence[Estimate],
    parts: dict[str, Estimate],
    digits: int,
) -> html.Div:
    words = scope.words

    def number(value: float | None, places: int = digits) -> str:
        return words.number(value, places) if value is not None else ""

    table_rows = []
    for name, row, other in zip(names, own, whole, strict=True):
        cells = [
            sentence.value_text(row, digits, words),
            number(row["lower"]),
            number(row["upper"]),
            number(row["numerator"], 0),
        ]
        if not scope.is_country:
            cells += [
                sentence.value_text(other, digits, words),
                sentence.relation(row, other, words) or "",
            ]
        if parts:
            part = parts.get(row["group"], {})
            share = part.get("share")
            told = f"{words.number(100 * share)} %" if share is not None else words("depth.no_share")
            cells += [number(part.get("difference")), told]
        table_rows.append(Row(name, cells))
    columns = ["part", "value", "low", "high", "numerator"]
    columns += [] if scope.is_country else ["country", "against"]
    columns += ["difference", "share"] if parts else []
    caption = words(
        "depth.breakdown_caption", name=scope.texts.name, area=scope.name, by=words(f"depth.by_{breakdown}")
    )
    return data_table(
        caption, [words(f"depth.column_{name}") for name in columns], table_rows, numeric=(0, 1, 2, 3, 4, 6, 7)
    )


def _by_length(scope: _Scope) -> html.Figure | html.P:
    """Take the difference of bed days apart into more or fewer admissions and longer or shorter ones."""
    words = scope.words
    parts = {
        row["part"]: row for row in area_parts(*_cell(scope)) if row["dimension"] in ("length_of_stay", "short_stay")
    }
    if "admissions" not in parts:
        return html.P(words("depth.no_length"), className="missing")
    admissions, length = (parts[name]["difference"] for name in ("admissions", "length_of_stay"))
    total = admissions + length
    digits = 0 if abs(total) >= 20 else 1

    def signed(value: float, places: int = digits) -> str:
        return f"{'+' if value > 0 else '−' if value < 0 else ''}{words.number(abs(value), places)}"

    names = [words(f"depth.part_{name}") for name in ("admissions", "length", "total")]
    values = [admissions, length, total]
    marks = [
        Mark(name, value, None, None, 0.0, signed(value), is_strong=at == 2)
        for at, (name, value) in enumerate(zip(names, values, strict=True))
    ]
    short = parts["short"]
    direction = "more" if total > 0 else "fewer"
    text = words(
        f"depth.bed_days_{direction}",
        area=sentence.capitalised(scope.name),
        total=words.number(abs(total), digits),
        admissions=signed(admissions),
        length=signed(length),
    )
    is_alike = short["lower"] is not None and short["lower"] <= 0 <= short["upper"]
    short_key = "depth.short_alike" if is_alike else "depth.short_differ"
    text = f"{text} {words(short_key, difference=signed(short['difference'], scope.digits))}"
    label = words("depth.breakdown_label", name=scope.texts.name, area=scope.name, sentence=text)
    caption = words("depth.breakdown_caption", name=scope.texts.name, area=scope.name, by=words("depth.by_length"))
    table_rows = [Row(name, [signed(value)]) for name, value in zip(names, values, strict=True)]
    table_rows.append(Row(words("depth.part_short"), [signed(short["difference"], scope.digits)]))
    twin = data_table(caption, [words("depth.column_part"), words("depth.column_difference")], table_rows, numeric=(0,))
    return drawing_block(
        "opdeling-figur",
        text,
        lambda width: rows(marks, words("depth.bed_days_axis"), label, words, width, at_zero=True),
        [],
        twin,
        _actions(scope, (scope.period,)),
        scope.selection,
        words,
        html.H3,
    )


# --- Observed against expected ------------------------------------------------------------------------------


def _expected(scope: _Scope) -> list[Any]:
    """Hold the area, and the groups that it is part of, against what the country's rates would give them."""
    if scope.is_country or not scope.indicator.can_be_standardised:
        return []
    words, known, map_id = scope.words, scope.known, scope.selection.map
    groups = [
        area
        for level in _GROUPS_BESIDE
        for area in known.areas.get((map_id, level), ())
        if level != scope.area.level and set(scope.area.municipalities) < set(area.municipalities)
    ]
    found = area_expectations(scope.release, scope.indicator.id, (scope.area, *groups), scope.period)
    own = found[0]
    if own["value"] is None:
        return []
    digits = max(sentence.digits_of(found), 0)
    text = words(
        "depth.expected_sentence",
        area=sentence.capitalised(scope.name),
        observed=words.number(own["observed"]),
        expected=words.number(own["expected"]),
        ratio=words.number(own["value"], digits),
        interval=sentence.interval_text(own, digits, words),
        relation=sentence.relation(own, {"value": 100.0}, words),
    )
    marks = [
        Mark(
            row["area_name"],
            row["value"],
            row["lower"],
            row["upper"],
            100.0,
            sentence.with_interval(row, digits, words),
            is_strong=row is own,
        )
        for row in found
    ]
    label = words("depth.expected_label", name=scope.texts.name, sentence=text)
    table_rows = [
        Row(
            row["area_name"],
            [
                words.number(row["observed"])
                if row["observed"] is not None
                else status_words(words.lang)[row["status"]],
                words.number(row["expected"], 0) if row["expected"] is not None else words("depth.no_limit"),
                words.number(row["value"], digits) if row["value"] is not None else words("depth.no_limit"),
                sentence.interval_text(row, digits, words),
            ],
            "own" if row is own else "",
        )
        for row in found
    ]
    columns = ("area", "observed", "expected", "ratio", "interval")
    caption = words("depth.expected_caption", name=scope.texts.name, period=period_text(scope.period, words))
    twin = data_table(caption, [words(f"depth.column_{name}") for name in columns], table_rows, numeric=range(4))
    figure = drawing_block(
        "forventet",
        text,
        lambda width: rows(marks, words("depth.expected_axis"), label, words, width),
        [(rows_key("reference"), words("overview.legend_country"))],
        twin,
        _actions(scope, (scope.period,)),
        scope.selection,
        words,
        html.H3,
    )
    note = html.P(words("depth.expected_note"), className="quiet small")
    return [html.Section([html.H2(words("depth.expected")), figure, note], className="figure-section")]


# --- Counterweights -----------------------------------------------------------------------------------------


def _counterweights(scope: _Scope) -> list[Any]:
    """Show the indicators that would tell if this one improved at others' cost."""
    words, selection = scope.words, scope.selection
    if not scope.indicator.counterweights:
        return []
    table_rows, alarms = [], []
    for other in (load_indicators()[name] for name in scope.indicator.counterweights):
        shown = _scope(replace(selection, indicator=other.id), scope.release, words)
        change = area_process(scope.release, other.id, scope.area).judged
        name = shown.texts.short_name
        if shown.judged.verdict in ("worse", "much_worse", "worsening") or change.verdict == "worsening":
            alarms.append(name)
        marks = [verdict_mark(shown.judged.verdict, words)] + (
            [verdict_mark(change.verdict, words)] if change.verdict in CHANGES and not scope.is_country else []
        )
        reason = shown.judged.reason
        notes = [html.Span(reason_text(reason, words), className="verdict-note")] if reason else []
        table_rows.append(
            Row(
                [
                    html.A(name, href=replace(selection, indicator=other.id).to_url()),
                    html.Span(shown.texts.unit, className="unit"),
                ],
                [
                    sentence.with_interval(shown.own, shown.digits, words),
                    *([] if scope.is_country else [sentence.value_text(shown.whole, shown.digits, words)]),
                    html.Div([*marks, *notes], className="marks"),
                ],
            )
        )
    text = words("depth.alarms", names=words.listing(alarms)) if alarms else words("depth.no_alarms")
    columns = ["indicator", "value_interval", *([] if scope.is_country else ["country"]), "verdict"]
    numeric = (0,) if scope.is_country else (0, 1)
    caption = words("depth.counterweights_caption", name=scope.texts.short_name, area=scope.name)
    table = data_table(caption, [words(f"depth.column_{name}") for name in columns], table_rows, numeric)
    told = [
        html.P(text, className="section-sentence"),
        table,
        html.P(words("depth.counterweights_note"), className="quiet small"),
    ]
    return [html.Section([html.H2(words("depth.counterweights")), *told], id="modvaegte")]


# --- Links --------------------------------------------------------------------------------------------------


def _actions(scope: _Scope, periods: tuple[Period, ...], by: By | None = None) -> list[Any]:
    """Return links to the file behind a figure in every kind, and to the definition."""
    words, selection = scope.words, scope.selection
    is_one = len(periods) == 1 and by is None
    links = [
        html.A(
            words(f"figure.{kind}"),
            href=files.address(
                scope.indicator.id,
                kind,
                scope.area.level,
                periods,
                is_one and scope.indicator.can_be_standardised,
                selection.map,
                words.lang,
                within=area_ref(scope.area),
                by=by,
            ),
            download="",
        )
        for kind in files.KINDS
    ]
    method = selection.on_page("method", scope.indicator.id)
    return [*links, html.A(words("figure.definition"), href=method.to_url())]


def _further(scope: _Scope) -> html.Nav:
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

"""Month by month: the process chart with what happened and the path to the goal, and the goals."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from dash import html

from dashboard import sentence
from dashboard.components.drawing import drawing_block
from dashboard.components.table import Row, data_table
from dashboard.components.verdict import reason_text, verdict_mark
from dashboard.effect.plans import municipality_names, plans_for
from dashboard.figures.numbers import of_months
from dashboard.figures.process import Flag, GoalPath, process, process_key
from dashboard.figures.sparkline import SIGNALS
from dashboard.pages.depth.scope import DepthScope, actions, change_told
from dashboard.potentials import area_potential
from dashboard.readings import (
    SPARK_MONTHS,
    Process,
    area_process,
    goal_progress,
    goals_of,
    last_month,
)
from kpis.intervention import Plan
from kpis.period import add_months, breaks_within, months_between, periods_between
from kpis.potential import has_potential
from kpis.potential import words as potential_words


def months(scope: DepthScope) -> html.Figure | html.P:
    """Return the process chart of the newest months, or why there is none."""
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
    signals = {row["signal"] for row in rows_} & set(SIGNALS)
    legend = []
    if any(row["centre"] is not None for row in rows_):
        legend.append((process_key("limits"), words("overview.legend_limits")))
    if any(row["is_provisional"] for row in rows_):
        legend.append((process_key("tail"), words("overview.legend_tail")))
    legend += [(process_key(kind), words(f"depth.signal_{kind}")) for kind in SIGNALS if kind in signals]
    if path:
        legend.append((process_key("goal"), words("depth.legend_goal")))
    if flags:
        legend.append((process_key("flag"), words("depth.legend_flag")))
    twin = html.Div([_month_table(scope, rows_), *_happenings(scope, flags, since, until)])
    periods = periods_between(since, until, "month")
    axis = words("depth.months_axis", unit=scope.texts.unit)
    return drawing_block(
        "maaneder",
        text,
        lambda width: process(shown.months, flags, path, scope.digits, label, words, width, axis),
        legend,
        twin,
        [*actions(scope, periods), *_plan_links(scope)],
        selection,
        words,
        numbers=of_months(rows_, path, axis, scope.digits),
    )


def _months_sentence(scope: DepthScope, shown: Process, months: list[dict[str, Any]]) -> str:
    words = scope.words
    span = words.months(months[0]["month"], months[-1]["month"])
    told = words("depth.months_sentence", span=sentence.capitalised(span), change=change_told(shown, words))
    levels = [month["centre"] for month in months if month["centre"] is not None]
    if not levels:
        return told
    return f"{told} {words('depth.months_level', value=words.number(levels[-1], scope.digits), unit=scope.texts.unit)}"


def _month_table(scope: DepthScope, months: list[dict[str, Any]]) -> html.Div:
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
                words(f"depth.signal_{month['signal']}") if month["signal"] in SIGNALS else words("words.none"),
            ],
        )
        for month in reversed(months)
    ]
    columns = ("month", "counted", "adjusted", "centre", "lower", "upper", "signal")
    caption = words("depth.months_caption", name=scope.texts.name, area=scope.name)
    return data_table(caption, [words(f"depth.column_{name}") for name in columns], table_rows, numeric=range(5))


def _flags(scope: DepthScope, since: date, until: date) -> list[Flag]:
    return [
        Flag(add_months(plan.start, 0), _plan_name(scope, plan))
        for plan in plans_for(scope.release, scope.area, scope.indicator.id)
        if since <= add_months(plan.start, 0) <= until
    ]


def _plan_name(scope: DepthScope, plan: Plan) -> str:
    inside = set(plan.municipalities) & set(scope.area.municipalities)
    if len(inside) == len(scope.area.municipalities):
        return plan.name
    if len(inside) == 1:
        return scope.words("effect.in_one", name=plan.name, area=municipality_names()[next(iter(inside))])
    return scope.words("depth.in_part", name=plan.name, count=scope.words.count(len(inside)))


def _plan_links(scope: DepthScope) -> list[html.A]:
    """Link to what came of each intervention here that aims at the indicator."""
    words, selection = scope.words, replace(scope.selection, page="effect", view="chart")
    return [
        html.A(words("effect.from_depth", name=plan.name), href=replace(selection, intervention=plan.id).to_url())
        for plan in plans_for(scope.release, scope.area, scope.indicator.id)
    ]


def _happenings(scope: DepthScope, flags: Sequence[Flag], since: date, until: date) -> list[Any]:
    """Tell breaks and interventions in words: what stands as lines and flags in the drawing."""
    words = scope.words
    told = [
        words("depth.break", month=words.month(item.month), text=getattr(item, words.lang))
        for item in breaks_within(since, until)
    ]
    told += [words("depth.intervention", month=words.month(flag.month), name=flag.name) for flag in flags]
    return [html.Ul([html.Li(item) for item in told], className="small")] if told else []


def _goal_path(scope: DepthScope, months: list[dict[str, Any]]) -> GoalPath | None:
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


def goals(scope: DepthScope) -> list[Any]:
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


def _worth(scope: DepthScope) -> list[html.Li]:
    """Tell what it would be worth to be as the best fifth, where the indicator has a potential."""
    words = scope.words
    if not has_potential(scope.indicator):
        return []
    row = area_potential(scope.release, scope.indicator.id, scope.area, scope.period, "best_fifth", 1.0)
    if row["status"] != "ok":
        return []
    value, lower, upper = sentence.amounts(row["potential"], row["lower"], row["upper"])
    if not upper:
        return []
    key = "depth.worth_more" if scope.indicator.better == "higher" else "depth.worth_fewer"
    text = words(
        key if value > 0 else "depth.worth_nothing",
        reference=potential_words("reference", "best_fifth", words.lang),
        amount=words("value.with_interval", value=words.number(value), interval=words.interval(lower, upper)),
    )
    link = html.A(words("depth.worth"), href=scope.selection.on_page("potential").to_url())
    return [html.Li([link, html.Span(sentence.capitalised(text))])]

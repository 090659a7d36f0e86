"""How far goals have come in a release: value, path, odds, and which municipality makes which part of the distance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from kpis import goal as goals_of
from kpis.area import Area, Map, areas
from kpis.assess import assess_change, seasonal_exposure
from kpis.clustering import national_clustering
from kpis.evaluate import Query, evaluate, newest_period
from kpis.goal import Goal, contributions, front_runners, goal_area, months_to_due, outlook, status
from kpis.indicator import Indicator, load_indicators
from kpis.period import Period, add_months, breaks_within, periods_between
from kpis.rates import LEVEL_95, Interval, normal_quantile
from kpis.release import Release, per_release
from kpis.rounding import rounding_noise
from kpis.verdict import judge_path

PROGRESS = pl.Schema(
    {
        "goal_id": pl.String,
        "indicator": pl.String,
        "level": pl.String,
        "area_code": pl.String,
        "area_name": pl.String,
        "scope": pl.String,  # common, own
        "term": pl.String,  # short, long
        "baseline_period": pl.String,
        "baseline_value": pl.Float64,
        "target_value": pl.Float64,
        "due_date": pl.Date,
        "period": pl.String,  # the twelve months that are judged
        "value": pl.Float64,  # crude, with 95 % limits, in the unit of the indicator; null where there is none
        "lower": pl.Float64,
        "upper": pl.Float64,
        "required": pl.Float64,  # what the path asks for at the end of the period
        "status": pl.String,  # of goal.Status
        "verdict": pl.String,  # of verdict.VOCABULARY
        "reason": pl.String,  # of verdict.REASONS, why there is no verdict
        "forecast": pl.Float64,  # value of the twelve months before the due date if things go on, with 95 % limits
        "forecast_lower": pl.Float64,
        "forecast_upper": pl.Float64,
        "odds": pl.Float64,  # probability of being at the target then; null where the series is too short
        # across_break: a break in the data lies before the due date, and nobody knows what it does to the figure
        "outlook_note": pl.String,
        # What the limits of the monthly process chart promise unless the process changes: passes (the target is always
        # reached), fails (never), either (it is luck); not_assessed. Two icons, variation and assurance, say the rest.
        "assurance": pl.String,
    }
)

CONTRIBUTIONS = pl.Schema(
    {
        "goal_id": pl.String,
        "area_code": pl.String,  # of the municipality
        "area_name": pl.String,
        "period": pl.String,
        "events": pl.Int64,
        "distance": pl.Float64,  # events too many (below 0: to spare) at the target; they add up to that of the area
        "lower": pl.Float64,
        "upper": pl.Float64,
        # true: among the best fifth of these municipalities beyond doubt. Never true where they hardly differ.
        "is_front_runner": pl.Boolean,
    }
)


def progress(release: Release, period: Period | None = None) -> pl.DataFrame:
    """Where every goal of the release stands, with the columns of PROGRESS, in the order of their ids.

    `period`: twelve months; None = the newest without a provisional one. A goal is not assessed before its baseline
    has passed ("not_begun"), nor where a break in the data lies between its baseline and the period: the path would
    cross it.
    """
    judged = period or Period.containing(newest_period(release).last, "rolling12")
    wanted = goals_of.goals(release)
    rows = [_progress(release, one, judged) for one in wanted]
    promised = _assurance(release, wanted, judged)
    return pl.DataFrame([row | {"assurance": promised.get(row["goal_id"], "not_assessed")} for row in rows], PROGRESS)


def _assurance(release: Release, wanted: Sequence[Goal], period: Period) -> dict[str, str]:
    """Goal id → what the monthly limits of its area promise; the areas of one indicator are charted together."""
    placed = [(one, area) for one in wanted if (area := goal_area(release, one)) is not None]
    found: dict[str, str] = {}
    for name in dict.fromkeys(one.indicator for one, _ in placed):
        indicator = load_indicators().get(name)
        if indicator is None or indicator.better == "neither":
            continue
        same = [(one, area) for one, area in placed if one.indicator == name]
        chart = assess_change(release, indicator, [area for _, area in same], last=period.last).chart
        targets = np.array([one.target_value for one, _ in same])
        words = chart.assurance(targets, indicator.better)
        found |= {one.goal_id: str(word) for (one, _), word in zip(same, words, strict=True)}
    return found


def _progress(release: Release, one: Goal, period: Period) -> dict[str, Any]:
    row: dict[str, Any] = {
        "goal_id": one.goal_id,
        "indicator": one.indicator,
        "level": one.level,
        "area_code": one.area_code,
        "scope": one.scope,
        "term": one.term,
        "baseline_period": one.baseline.id if one.baseline else None,
        "baseline_value": one.baseline_value,
        "target_value": one.target_value,
        "due_date": one.due_date,
        "period": period.id,
        "status": "not_assessed",
        "verdict": "not_assessed",
    }
    area = goal_area(release, one)
    indicator = load_indicators().get(one.indicator)
    if area is None or indicator is None:
        return row | {"reason": "unknown"}
    row |= {"area_name": area.name}
    if indicator.better == "neither":
        return row | {"reason": "no_direction"}
    query = Query(indicator, (area,), (period,))
    (found,) = evaluate(release, query).iter_rows(named=True)
    row |= {name: found[name] for name in ("value", "lower", "upper")}
    # The rounding of a year's count belongs to the value at the due date as much as to the newest one.
    row |= _outlook(release, one, indicator, area, period, float(rounding_noise(release, query).numerator[0, 0, 0]))
    if one.baseline is None or one.baseline_value is None:
        return row | {"reason": "no_baseline"}
    if breaks_within(one.baseline.first, period.last):
        return row | {"reason": "across_break"}
    if not one.has_begun(period):
        return row | {"reason": "not_begun"}
    value, lower, upper = (
        np.array(np.nan if found[name] is None else found[name]) for name in ("value", "lower", "upper")
    )
    interval = Interval(value, lower, upper, np.array(found["status"]), np.array(found["method"]))
    required = one.required(period.end)
    where = status(interval, required, one.target_value, one.is_due(period), indicator.better)
    verdict = judge_path(where)
    return row | {
        "required": required,
        "status": str(where),
        "verdict": str(verdict.id),
        "reason": str(verdict.reason),
    }


def _outlook(
    release: Release, one: Goal, indicator: Indicator, area: Area, period: Period, noise: float
) -> dict[str, Any]:
    """Forecast and odds from the unbroken months up to the end of `period`; empty where none can be given."""
    first = release.date("data_from")
    for data_break in breaks_within(first, period.last):
        first = data_break.month
    months = periods_between(first, period.last, "month")
    horizon = months_to_due(one, period.last)
    if indicator.kind not in ("rate", "proportion") or horizon < 0 or not months:
        return {}
    found = evaluate(release, Query(indicator, (area,), months))
    events = found["numerator"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    exposure = seasonal_exposure(release, indicator, found)
    clustered = national_clustering(release, indicator)
    ahead = outlook(
        events,
        exposure,
        one.target_value,
        horizon,
        indicator.better,
        indicator.per,
        variance=noise,
        dispersion=clustered,
    )
    shown = {
        "forecast": ahead.forecast,
        "forecast_lower": ahead.lower,
        "forecast_upper": ahead.upper,
        "odds": ahead.odds,
    }
    is_across = bool(breaks_within(period.last, add_months(period.last, horizon)))
    return {
        **{name: None if np.isnan(value) else float(value) for name, value in shown.items()},
        "outlook_note": "across_break" if is_across else "",
    }


def standardised_target(release: Release, one: Goal, period: Period) -> float | None:
    """Return the target of a goal on the scale of the standardised rate; the target itself for other kinds.

    Goals are set and judged as counted. Where areas are shown standardised, the target is moved as far as the value of
    the goal's own area is by the standardisation in the period: target × standardised ÷ crude. None where that area
    has no value.
    """
    area, indicator = goal_area(release, one), load_indicators().get(one.indicator)
    if area is None or indicator is None:
        return None
    if not indicator.can_be_standardised:
        return one.target_value
    crude, standardised = (
        _values(release, indicator, area.level, area.map_id, period, wanted)[area.code] for wanted in (False, True)
    )
    return one.target_value * standardised / crude if crude and standardised is not None else None


@per_release
def _values(
    release: Release, indicator: Indicator, level: str, map_id: Map, period: Period, standardised: bool
) -> dict[str, float | None]:
    """Value of every area of a level by code: every municipality may have a goal of its own."""
    found = evaluate(release, Query(indicator, areas(release, level, map_id), (period,), standardised=standardised))
    return dict(zip(found["area_code"], found["value"], strict=True))


def goal_contributions(release: Release, one: Goal, period: Period | None = None) -> pl.DataFrame:
    """Each municipality's part of the distance to a goal of their area, with the columns of CONTRIBUTIONS.

    The parts add up to what the area as a whole has too many (or too few, where higher is better). Municipalities
    without a figure have nulls, and the sum is then not the area's. Empty for an unknown area and for kinds without
    events.
    """
    area, indicator = goal_area(release, one), load_indicators().get(one.indicator)
    if area is None or indicator is None:
        return pl.DataFrame(schema=CONTRIBUTIONS)
    if indicator.better == "neither" or indicator.kind not in ("rate", "proportion"):
        return pl.DataFrame(schema=CONTRIBUTIONS)
    judged = period or Period.containing(newest_period(release).last, "rolling12")
    members = tuple(m for m in areas(release, "municipality", area.map_id) if m.code in area.municipalities)
    query = Query(indicator, members, (judged,))
    found = evaluate(release, query)
    events, at_risk, value, lower, upper = (
        found[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("numerator", "denominator", "value", "lower", "upper")
    )
    parts = contributions(
        events,
        at_risk,
        one.target_value,
        indicator.better,
        indicator.per,
        variance=rounding_noise(release, query).numerator[:, 0, 0],
        dispersion=national_clustering(release, indicator),
    )
    # √ makes the chance of a rate as large everywhere; half the width of its limits there is z standard errors.
    root = np.sqrt(np.stack([value, lower, upper]))
    front = front_runners(root[0], (root[2] - root[1]) / (2 * normal_quantile(LEVEL_95)), indicator.better)
    return pl.DataFrame(
        {
            "goal_id": one.goal_id,
            "area_code": found["area_code"],
            "area_name": found["area_name"],
            "period": judged.id,
            "events": found["numerator"],
            "distance": parts.value,
            "lower": parts.lower,
            "upper": parts.upper,
            "is_front_runner": front == 1,
        },
        schema=CONTRIBUTIONS,
        nan_to_null=True,
    )

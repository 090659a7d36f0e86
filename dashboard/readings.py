"""What pages ask a release for, asked once per release. Everything that is shown comes from these frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from kpis.area import Area, Map, areas
from kpis.compare import derived_population, proportion_dispersion, ratio_dispersion
from kpis.evaluate import Query, evaluate
from kpis.indicator import Indicator, find_indicator
from kpis.period import Period, add_months, breaks_within, periods_between
from kpis.process import ProcessChart, month_factors, rate_chart, share_chart, xmr_chart
from kpis.rates import LEVEL_95, normal_quantile
from kpis.release import Release, per_release
from kpis.verdict import judge_change, judge_level

Estimate = Mapping[str, Any]
"""A row of ``kpis.evaluate.ESTIMATES``."""

SPARK_MONTHS = 36
EVENTS_A_MONTH = 10
"""With fewer events in a usual month its published count, a multiple of five, mostly says whether it was rounded up."""


def latest_period(release: Release) -> Period:
    """Return the newest twelve months without a provisional one.

    A release too young to have them gives its newest full quarter or month, or else its very last month.
    """
    last_sure = add_months(release.date("provisional_from"), -1)
    for grain in ("rolling12", "quarter", "month"):
        offered = periods_between(release.date("data_from"), last_sure, grain)
        if offered:
            return offered[-1]
    return Period.containing(last_month(release), "month")


def last_month(release: Release) -> date:
    """Return the last delivered month, its first day."""
    return add_months(release.date("as_of"), -1)


@per_release
def level_estimates(
    release: Release, indicator_id: str, level: str, map_id: Map, period: Period, standardised: bool
) -> pl.DataFrame:
    """Return the estimates of every area of a level, one row an area, in Danish alphabetical order.

    ``standardised`` is kept to where the indicator can be standardised. Columns: ``kpis.evaluate.ESTIMATES``.
    """
    indicator = find_indicator(indicator_id)
    wanted = standardised and indicator.can_be_standardised
    return evaluate(release, Query(indicator, areas(release, level, map_id), (period,), standardised=wanted))


@per_release
def level_rows(
    release: Release, indicator_id: str, level: str, map_id: Map, period: Period, standardised: bool
) -> dict[str, Estimate]:
    """Return the rows of :func:`level_estimates` by area code: a frame is a hundred times slower to look up in."""
    frame = level_estimates(release, indicator_id, level, map_id, period, standardised)
    return {row["area_code"]: row for row in frame.iter_rows(named=True)}


def area_estimate(
    release: Release, indicator_id: str, area: Area, map_id: Map, period: Period, standardised: bool
) -> Estimate:
    """Return the one row of :func:`level_estimates` that belongs to ``area``."""
    return level_rows(release, indicator_id, area.level, map_id, period, standardised)[area.code]


@dataclass(frozen=True)
class Judged:
    """A verdict (id of ``kpis.verdict.VOCABULARY``) and the reason where there is none, else ""."""

    verdict: str
    reason: str


NOT_ASSESSED = Judged("not_assessed", "no_data")


@per_release
def level_verdicts(
    release: Release, indicator_id: str, level: str, map_id: Map, period: Period, standardised: bool
) -> dict[str, Judged]:
    """Return the verdict of every area of a level against the country, by area code.

    Rates are judged as ratios of what was counted to what the area's own (derived) population would have at the
    country's rate, proportions around the proportion of all. What makes the shown interval wider than chance (rounded
    counts, weights of the standard) makes the verdict as careful. Figures without an interval are not judged: empty.
    """
    indicator = find_indicator(indicator_id)
    peers = level_estimates(release, indicator_id, level, map_id, period, standardised)
    events = _array(peers, "numerator")
    value = _array(peers, "value") / indicator.per
    error = (_array(peers, "upper") - _array(peers, "lower")) / indicator.per / (2 * normal_quantile(LEVEL_95))
    match indicator.kind:
        case "rate":
            country = level_estimates(release, indicator_id, "country", map_id, period, standardised)
            population = derived_population(events, value, 1.0)
            surplus = np.maximum((error * population) ** 2 - events, 0.0)
            baseline = _array(country, "value")[0] / indicator.per
            dispersion = ratio_dispersion(events, population * baseline, extra_variance=surplus)
        case "proportion":
            trials = _array(peers, "denominator")
            surplus = np.maximum((error * trials) ** 2 - trials * value * (1.0 - value), 0.0)
            dispersion = proportion_dispersion(events, trials, extra_variance=surplus)
        case _:
            return {}
    judged = judge_level(dispersion, indicator.better, peers["status"].to_numpy().astype(str))
    found = zip(judged.id, judged.reason, strict=True)
    return {
        code: Judged(str(verdict), str(reason))
        for code, (verdict, reason) in zip(peers["area_code"], found, strict=True)
    }


@dataclass(frozen=True)
class Process:
    """The newest months of one area against its own past.

    ``months``: one row a month, oldest first, columns ``month value status is_provisional centre lower_limit
    upper_limit signal``; null = none, values and limits in the unit of the indicator, ``status`` that of the estimate,
    ``signal`` as in ``ProcessChart.variation``.
    ``since``: first month of the unbroken row of signals that the verdict rests on; None without one.
    """

    months: pl.DataFrame
    judged: Judged
    since: date | None


def process_months(release: Release) -> tuple[Period, ...]:
    """Return the newest :data:`SPARK_MONTHS` months of a release, or all it has, oldest first."""
    last = last_month(release)
    return periods_between(max(add_months(last, 1 - SPARK_MONTHS), release.date("data_from")), last, "month")


@per_release
def area_process(release: Release, indicator_id: str, area: Area, country: Area) -> Process:
    """Return the months of :func:`process_months` for an area.

    Rates are freed of the season that the whole country has: otherwise every winter is a signal. Breaks in the data
    begin a new phase.
    """
    indicator = find_indicator(indicator_id)
    periods = process_months(release)
    own = evaluate(release, Query(indicator, (area,), periods))
    whole = evaluate(release, Query(indicator, (country,), periods))
    chart = _chart(
        indicator, own, whole, np.array([len(breaks_within(periods[0].first, period.first)) for period in periods])
    )
    change = judge_change(chart, indicator.better)
    judged = Judged(str(change.id), str(change.reason))
    usual = own["numerator"].median()
    if judged.verdict != "not_assessed" and isinstance(usual, float) and usual < EVENTS_A_MONTH:
        return Process(_months(own, chart, indicator, is_judged=False), Judged("cannot_tell", "too_few"), None)
    months = _months(own, chart, indicator, is_judged=True)
    return Process(months, judged, _since(months))


def _months(own: pl.DataFrame, chart: ProcessChart, indicator: Indicator, is_judged: bool) -> pl.DataFrame:
    """Return the columns of ``Process.months``; a process that is not judged has neither limits nor signals."""
    months = pl.DataFrame(
        {
            "month": own["period_first"],
            "value": chart.value,
            "status": own["status"],
            "is_provisional": own["is_provisional"],
            "centre": chart.centre,
            "lower_limit": chart.lower,
            "upper_limit": chart.upper,
            "signal": chart.variation(indicator.better),
        }
    ).with_columns(pl.col("value", "centre", "lower_limit", "upper_limit").fill_nan(None))
    if not is_judged:
        months = months.with_columns(
            pl.lit(None, pl.Float64).alias(name) for name in ("centre", "lower_limit", "upper_limit")
        ).with_columns(signal=pl.lit("none"))
    return months


def _chart(indicator: Indicator, own: pl.DataFrame, whole: pl.DataFrame, phase: np.ndarray) -> ProcessChart:
    provisional = own["is_provisional"].to_numpy()
    events, at_risk = _array(own, "numerator"), _array(own, "denominator")
    match indicator.kind:
        case "rate":
            calendar = own["period_first"].dt.month().to_numpy()
            factors = month_factors(_array(whole, "numerator"), _array(whole, "denominator"), calendar)
            season = np.nan_to_num(factors, nan=1.0)[calendar - 1]
            return rate_chart(events, at_risk * season, indicator.per, phase=phase, provisional=provisional)
        case "proportion":
            return share_chart(events, at_risk, indicator.per, phase=phase, provisional=provisional)
        case _:
            return xmr_chart(_array(own, "value"), phase=phase, provisional=provisional)


def _since(months: pl.DataFrame) -> date | None:
    since = None
    for row in reversed(list(months.filter(~pl.col("is_provisional")).iter_rows(named=True))):
        if row["signal"] == "none":
            break
        since = row["month"]
    return since


def _array(estimates: pl.DataFrame, column: str) -> np.ndarray:
    """Return a column with NaN for what is missing, as the statistics want it."""
    return estimates[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()


@per_release
def complete_periods(release: Release) -> tuple[Period, ...]:
    """Return the periods a comparison offers, newest first: whole years, then quarters, none with an open end."""
    first, last = release.date("data_from"), last_month(release)
    return tuple(period for grain in ("year", "quarter") for period in reversed(periods_between(first, last, grain)))

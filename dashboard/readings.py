"""What pages ask a release for, asked once per release. Everything that is shown comes from these frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from kpis.area import Area, Map, areas
from kpis.assess import assess_change, assess_level
from kpis.evaluate import Query, evaluate
from kpis.indicator import find_indicator
from kpis.period import Period, add_months, periods_between
from kpis.release import Release, per_release

Estimate = Mapping[str, Any]
"""A row of ``kpis.evaluate.ESTIMATES``."""

SPARK_MONTHS = 36


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
    """Return the verdict of every area of a level against the country, by area code (``kpis.assess``)."""
    indicator = find_indicator(indicator_id)
    wanted = standardised and indicator.can_be_standardised
    estimates, judged = assess_level(release, indicator, level, map_id, period, standardised=wanted)
    found = zip(estimates["area_code"], judged.id, judged.reason, strict=True)
    return {code: Judged(str(verdict), str(reason)) for code, verdict, reason in found}


@dataclass(frozen=True)
class Process:
    """The newest months of one area against its own past.

    ``months``: one row a month, oldest first, columns ``month value adjusted status is_provisional centre
    lower_limit upper_limit signal``; ``value`` as counted, ``adjusted`` freed of the season; null = none. Values and
    limits in the unit of the indicator, ``status`` that of the estimate, ``signal`` as in ``ProcessChart.variation``.
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
def area_process(release: Release, indicator_id: str, area: Area) -> Process:
    """Return the months of :func:`process_months` for an area, judged by ``kpis.assess``.

    A process of too few events is drawn without limits and signals: its published counts are mostly rounding.
    """
    indicator = find_indicator(indicator_id)
    changes = assess_change(release, indicator, (area,), months=SPARK_MONTHS)
    judged = Judged(str(changes.verdicts.id[0]), str(changes.verdicts.reason[0]))
    chart = changes.chart
    months = changes.estimates.select(pl.col("period_first").alias("month"), "value", "status", "is_provisional")
    drawn = pl.DataFrame(
        {
            "adjusted": chart.value[0],
            "centre": chart.centre[0],
            "lower_limit": chart.lower[0],
            "upper_limit": chart.upper[0],
            "signal": chart.variation(indicator.better)[0],
        }
    )
    if judged.reason == "too_few":
        unbounded = [pl.lit(None, pl.Float64).alias(name) for name in ("centre", "lower_limit", "upper_limit")]
        drawn = drawn.with_columns(*unbounded, pl.lit("none").alias("signal"))
    months = pl.concat([months, drawn.with_columns(pl.col(pl.Float64).fill_nan(None))], how="horizontal")
    return Process(months, judged, changes.since(0) if judged.verdict not in ("cannot_tell", "not_assessed") else None)


@per_release
def complete_periods(release: Release) -> tuple[Period, ...]:
    """Return the periods a comparison offers, newest first: whole years, then quarters, none with an open end."""
    first, last = release.date("data_from"), last_month(release)
    return tuple(period for grain in ("year", "quarter") for period in reversed(periods_between(first, last, grain)))

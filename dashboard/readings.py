"""What pages ask a release for, asked once per release. Everything that is shown comes from these frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from kpis import funnel
from kpis.area import LEVELS, Area, Map, areas
from kpis.assess import Changes, assess_change, assess_level
from kpis.concentration import explain
from kpis.evaluate import By, Query, QueryError, evaluate, newest_period
from kpis.expectation import expectations
from kpis.goal import Goal, goals
from kpis.indicator import Language, find_indicator
from kpis.news import changes
from kpis.period import Period, add_months, periods_between
from kpis.potential import potentials, target_ratio
from kpis.progress import progress, standardised_target
from kpis.release import Release, per_release, release_before

Estimate = Mapping[str, Any]
"""A row of ``kpis.evaluate.ESTIMATES``."""

SPARK_MONTHS = 36


@per_release
def latest_period(release: Release, indicator_id: str | None = None) -> Period:
    """Return the period that is shown where none is chosen (``kpis.evaluate.newest_period``).

    An indicator of yearly figures has its own: the newest calendar year that it is told for.
    """
    return newest_period(release, find_indicator(indicator_id) if indicator_id else None)


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
    """Return the one row of :func:`level_estimates` that belongs to ``area``.

    A list of municipalities that a reader put together is counted anew: there are too many such lists to remember.
    """
    if area.level not in LEVELS:
        indicator = find_indicator(indicator_id)
        wanted = standardised and indicator.can_be_standardised
        return evaluate(release, Query(indicator, (area,), (period,), standardised=wanted)).row(0, named=True)
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


@per_release
def process_months(release: Release) -> tuple[Period, ...]:
    """Return the newest :data:`SPARK_MONTHS` months of a release, or all it has, oldest first."""
    last = last_month(release)
    return periods_between(max(add_months(last, 1 - SPARK_MONTHS), release.date("data_from")), last, "month")


class _LevelChanges(NamedTuple):
    changes: Changes
    signals: npt.NDArray[np.str_]  # [areas, months]
    place: dict[str, int]  # of each area code


# The months of all levels and indicators are kept: with every column they take 100 MB more, a release.
_SHOWN_OF_A_MONTH = ("period_first", "value", "status", "is_provisional")


def _assessed(
    release: Release, indicator_id: str, of_areas: tuple[Area, ...], last: date | None, months: int
) -> _LevelChanges:
    indicator = find_indicator(indicator_id)
    changes = assess_change(release, indicator, of_areas, last=last, months=months)
    changes = replace(changes, estimates=changes.estimates.select(_SHOWN_OF_A_MONTH))
    places = {area.code: place for place, area in enumerate(of_areas)}
    return _LevelChanges(changes, changes.chart.variation(indicator.better), places)


@per_release
def level_changes(release: Release, indicator_id: str, level: str, map_id: Map) -> _LevelChanges:
    """Return the newest :data:`SPARK_MONTHS` months of every area of a level: hardly dearer than those of one."""
    return _assessed(release, indicator_id, areas(release, level, map_id), None, SPARK_MONTHS)


@per_release
def area_process(
    release: Release, indicator_id: str, area: Area, last: date | None = None, months_shown: int = SPARK_MONTHS
) -> Process:
    """Return the months of an area up to ``last`` (the newest), judged by ``kpis.assess``.

    A process of too few events is drawn without limits and signals: its published counts are mostly rounding; and so
    is one that somebody decides, where limits mean nothing. No verdict, no signals.
    """
    if last in (None, last_month(release)) and months_shown == SPARK_MONTHS:
        changes, signals, places = level_changes(release, indicator_id, area.level, area.map_id)
    else:
        changes, signals, places = _assessed(release, indicator_id, (area,), last, months_shown)
    place, chart, span = places[area.code], changes.chart, len(changes.months)
    judged = _judged(changes, place)
    months = changes.estimates[place * span : (place + 1) * span]
    is_bounded = judged.reason not in ("too_few", "decided")
    is_silent = judged.verdict in ("cannot_tell", "not_assessed")
    nothing = [None] * span

    def known(values: npt.NDArray[np.float64]) -> list[float | None]:
        return [None if np.isnan(value) else value for value in values.tolist()]

    frame = pl.DataFrame(
        {
            "month": months["period_first"],
            "value": months["value"],
            "status": months["status"],
            "is_provisional": months["is_provisional"],
            "adjusted": known(chart.value[place]),
            "centre": known(chart.centre[place]) if is_bounded else nothing,
            "lower_limit": known(chart.lower[place]) if is_bounded else nothing,
            "upper_limit": known(chart.upper[place]) if is_bounded else nothing,
            "signal": ["none"] * span if is_silent else signals[place].tolist(),
        },
        schema_overrides=dict.fromkeys(("adjusted", "centre", "lower_limit", "upper_limit"), pl.Float64),
    )
    return Process(frame, judged, None if is_silent else changes.since(place))


def area_change(release: Release, indicator_id: str, area: Area) -> Judged:
    """Return what :func:`area_process` says of an area's newest months, without drawing them up."""
    changes, _, places = level_changes(release, indicator_id, area.level, area.map_id)
    return _judged(changes, places[area.code])


def _judged(changes: Changes, place: int) -> Judged:
    return Judged(str(changes.verdicts.id[place]), str(changes.verdicts.reason[place]))


@per_release
def complete_periods(release: Release) -> tuple[Period, ...]:
    """Return the periods a comparison offers, newest first: whole years, then quarters, none with an open end."""
    first, last = release.date("data_from"), last_month(release)
    return tuple(period for grain in ("year", "quarter") for period in reversed(periods_between(first, last, grain)))


@per_release
def area_split(
    release: Release, indicator_id: str, area: Area, map_id: Map, period: Period, by: By
) -> tuple[Sequence[Estimate], Sequence[Estimate]]:
    """Return the parts of an indicator in an area and in the country, as counted, in the same order."""
    indicator = find_indicator(indicator_id)
    (country,) = areas(release, "country", map_id)
    frame = evaluate(release, Query(indicator, (area, country), (period,), by=by))
    rows = list(frame.iter_rows(named=True))
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


@per_release
def area_parts(release: Release, indicator_id: str, area: Area, map_id: Map, period: Period) -> list[Estimate]:
    """Return the parts of the difference to the country: rows of ``kpis.concentration.PARTS``."""
    (country,) = areas(release, "country", map_id)
    return list(explain(release, find_indicator(indicator_id), area, country, period).iter_rows(named=True))


@per_release
def area_expectations(
    release: Release, indicator_id: str, of_areas: tuple[Area, ...], period: Period
) -> list[Estimate]:
    """Return observed against expected: rows of ``kpis.expectation.EXPECTATIONS``; none for other kinds of figures."""
    indicator = find_indicator(indicator_id)
    if not indicator.can_be_standardised:
        return []
    return list(expectations(release, indicator, of_areas, period).iter_rows(named=True))


@per_release
def group_names(release: Release, lang: Language) -> dict[str, str]:
    """Return the names of the diagnosis groups by id."""
    return dict(release.sql(f"select group_id, name_{lang} from diagnosis_group").iter_rows())


@per_release
def goal_progress(release: Release) -> dict[str, Mapping[str, Any]]:
    """Return where every goal stands, rows of ``kpis.progress.PROGRESS`` by goal id."""
    return {row["goal_id"]: row for row in progress(release).iter_rows(named=True)}


def goals_of(release: Release, indicator_id: str, area: Area) -> list[Goal]:
    """Return the goals of an area itself for an indicator, the first to fall due first."""
    found = [
        one
        for one in goals(release)
        if (one.indicator, one.level, one.area_code) == (indicator_id, area.level, area.code)
    ]
    return sorted(found, key=lambda one: (one.due_date, one.goal_id))


# How areas lie among each other ---------------------------------------------------------------------------------


@per_release
def level_funnel(
    release: Release, indicator_id: str, level: str, map_id: Map, period: Period, standardised: bool
) -> pl.DataFrame:
    """Return limits and place of every area of a level: rows of ``kpis.funnel.FUNNEL``."""
    indicator = find_indicator(indicator_id)
    wanted = standardised and indicator.can_be_standardised
    return funnel.level_funnel(release, indicator, level, map_id, period, standardised=wanted)


class Place(NamedTuple):
    """Where an area stands: the ends of the 95 % interval of its rank, 1 = best or lowest, among so many."""

    lower: int
    upper: int
    rank: int
    of: int


@per_release
def level_places(
    release: Release, indicator_id: str, level: str, map_id: Map, period: Period, standardised: bool
) -> dict[str, Place]:
    """Return the place of every area of a level that has one, by area code."""
    rows = level_funnel(release, indicator_id, level, map_id, period, standardised)
    found = rows.select("area_code", "rank_lower", "rank_upper", "rank").iter_rows()
    return {code: Place(lower, upper, rank, rows.height) for code, lower, upper, rank in found}


@per_release
def best_fifth(release: Release, indicator_id: str, map_id: Map, period: Period) -> float | None:
    """Return the level that the best fifth of the municipalities reach, in the unit in which areas are compared."""
    indicator = find_indicator(indicator_id)
    try:
        ratio = target_ratio(potentials(release, indicator, period))
    except QueryError:
        return None
    (country,) = areas(release, "country", map_id)
    value = area_estimate(release, indicator_id, country, map_id, period, True)["value"]
    return None if ratio is None or value is None else ratio * value


@per_release
def goal_level(release: Release, indicator_id: str, area: Area, period: Period) -> float | None:
    """Return the nearest goal of an area, or of the KKR that a municipality is in, in the unit of comparisons."""
    holders = [area]
    if area.level == "municipality":
        holders += [group for group in areas(release, "kkr", "2024") if area.code in group.municipalities]
    found = [one for holder in holders for one in goals_of(release, indicator_id, holder)]
    ahead = [one for one in found if one.due_date >= period.last]
    return _target(release, ahead[0], period) if ahead else None


@per_release
def _target(release: Release, goal: Goal, period: Period) -> float | None:
    """Remembered by goal: a common one is asked for by every municipality of its KKR."""
    return standardised_target(release, goal, period)


@dataclass(frozen=True)
class SliceChanges:
    """What a release says otherwise of the rows of a slice than the release before it.

    ``changed``: rows ``indicator area_name period before after`` of values that both give and that differ, the largest
    relative change first; ``n_common`` rows are in both, ``n_new`` only in the newer one.
    """

    before: Release
    changed: pl.DataFrame
    n_common: int
    n_new: int


def slice_changes(release: Release, queries: Sequence[Query]) -> SliceChanges | None:
    """Return how the rows of queries differ from the release before; None without one."""
    before = release_before(release)
    if before is None:
        return None
    both = changes(before, release, queries)
    known = both.drop_nulls(["before", "after"])
    changed = known.filter(pl.col("before") != pl.col("after")).with_columns(
        size=((pl.col("after") - pl.col("before")) / pl.col("before")).abs().fill_nan(None)
    )
    return SliceChanges(
        before,
        changed.sort("size", descending=True, nulls_last=True, maintain_order=True),
        known.height,
        both.filter(pl.col("before").is_null() & pl.col("after").is_not_null()).height,
    )

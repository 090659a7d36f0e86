"""From counts to estimates: indicator × area × period (× group), with interval and status.

    query = Query(
        find_indicator("preventable_admissions_65plus"),
        areas(release, "region", "2024"),
        periods_between(date(2024, 1, 1), date(2024, 12, 1), "quarter"),
    )
    evaluate(release, query)  # a frame with the columns of ESTIMATES

The complete grid is laid first (every area × period × group that was asked for) and then filled, so that zero
and missing are decided in one place. Counts stay integers until the last division.
"""

import functools
from collections.abc import Callable
from datetime import date
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from kpis import counts, goal, protection, rates
from kpis.area import Area
from kpis.clustering import national_clustering
from kpis.counts import BoolArray, FloatArray, IntArray
from kpis.indicator import Count, Indicator, Kind, load_indicators
from kpis.period import Grain, Period, add_months, breaks_within, months_between, periods_between
from kpis.query import By, Query, QueryError
from kpis.release import Release, per_release
from kpis.rounding import Noise, noise_of
from kpis.tally import Grid, into_strata, tally

__all__ = [
    "ESTIMATES",
    "NOTES",
    "STATUSES",
    "By",
    "Query",
    "QueryError",
    "Status",
    "evaluate",
    "newest_period",
]

Status = Literal["ok", "too_few", "too_uncertain", "hidden", "not_relevant", "not_received", "undefined"]
STATUSES: tuple[Status, ...] = get_args(Status)

ESTIMATES = pl.Schema(
    {
        "indicator": pl.String,
        "level": pl.String,
        "area_code": pl.String,
        "area_name": pl.String,
        "period": pl.String,  # its id, such as 2024-Q1
        "period_first": pl.Date,  # first day of the first month
        "period_last": pl.Date,  # first day of the last month, which is included
        "grain": pl.String,
        # all; or id of a diagnosis group, lower end of an age band (65), or sex (1 men, 2 women)
        "group": pl.String,
        # What was counted, and what it is divided by (person-years, discharges, place-days …).
        # Null where status is too_uncertain, hidden, not_relevant or not_received.
        "numerator": pl.Int64,
        "denominator": pl.Float64,
        # In the unit of the indicator, null unless status is ok; limits are null too where the kind has none.
        "value": pl.Float64,
        "lower": pl.Float64,
        "upper": pl.Float64,
        # ok
        # too_few: so few events that the method fails
        # too_uncertain: the figure is not told of a municipality by itself, only of larger areas
        # hidden: few persons, withheld for discretion
        # not_relevant: there is nothing that could be counted, such as no acute places
        # not_received: not delivered, or not followed for long enough; `note` says which
        # undefined: nobody at risk
        "status": pl.String,
        "method": pl.String,  # of the limits: exact, byar, dobson-byar, wilson, median-rank, none
        "is_provisional": pl.Boolean,  # at least one month can still change by late reports
        "note": pl.String,  # words of NOTES, separated by semicolons; empty when there is nothing to say
    }
)

NOTES = (
    "outside_coverage",  # a month of the period was not delivered by a municipality that counts
    "follow_up_incomplete",  # the 30 days after the last month are not over in the data
    "population_carried",  # the population of another quarter stands in for one that is not delivered
    "age_bands_merged",  # an age band without inhabitants was standardised together with its neighbour
    "crosses_break",  # the period holds months of before and after a break in the data
    "whole_years_only",  # the figure exists for calendar years only
)


def evaluate(release: Release, query: Query) -> pl.DataFrame:
    """Estimates with the columns of ESTIMATES, one row per area × period × group, in the order of the query.

    An area has an estimate only where every municipality in it that is concerned delivered every month of the
    period: a sum that lacks a municipality is not the area's. A municipality without acute places is not
    concerned by their figures, but its citizens count where the capacity of its region is divided by people.
    """
    if not query.areas or not query.periods:
        return pl.DataFrame(schema=ESTIMATES)
    grid = Grid.of(release, query)
    numerator = _count(release, query, grid, query.indicator.numerator)
    denominator = _count(release, query, grid, query.indicator.denominator)
    noise = noise_of(release, query, numerator, denominator)
    estimate = _ESTIMATORS[query.indicator.kind](release, query, numerator, denominator, noise)
    status, note = _availability(release, query, grid, estimate)
    return _frame(release, query, estimate, status, note)


def newest_period(release: Release, indicator: Indicator | None = None) -> Period:
    """The period to show first: the newest twelve months without a provisional one.

    For an `indicator` of yearly figures it is the newest calendar year that any municipality has one for. Where the
    data do not reach back that far, the newest quarter or month without one; else the newest provisional period. Firm
    goes before long, because what needs follow-up (readmissions) has no value in the last months.
    """
    first, last = counts.months(release)[0], counts.months(release)[-1]
    if indicator is not None and indicator.is_yearly:
        years = periods_between(first, last, "year")
        missing = counts.missing(release, indicator.measures)
        given = [year for year in years if (_months_missing(release, missing, year) == 0).any()]
        if given or years:
            return (given or years)[-1]
    firm = add_months(release.date("provisional_from"), -1)
    wanted: tuple[tuple[Grain, date], ...] = (
        ("rolling12", firm),
        ("quarter", firm),
        ("month", firm),
        ("rolling12", last),
        ("quarter", last),
        ("month", last),
    )
    return next(periods[-1] for grain, end in wanted if (periods := periods_between(first, end, grain)))


def _months_missing(release: Release, missing: IntArray, period: Period) -> IntArray:
    """[municipalities]: how many months of a period within the release are missing."""
    start = months_between(counts.months(release)[0], period.first)
    return missing[months_between(counts.months(release)[0], period.end)] - missing[start]


# --- Counting -----------------------------------------------------------------------------------------------


def _count(release: Release, query: Query, grid: Grid, count: Count) -> npt.NDArray[Any]:
    """[areas, periods, groups, strata]: counts of the release, or goals, which are evaluated to be counted."""
    if count.definition.table != "goal":
        return tally(release, query, grid, count)
    started, on_track = _goals(release, query)
    return (on_track if count.measure == "n_goal_on_track" else started)[:, :, None, None]


@per_release
def _common_goals(release: Release, area: Area) -> tuple[goal.Goal, ...]:
    """Common goals of the area itself and of areas that lie wholly inside it."""
    inside = set(area.municipalities)
    return tuple(
        one
        for one in goal.goals(release)
        if one.scope == "common" and (place := goal.goal_area(release, one)) and inside.issuperset(place.municipalities)
    )


def _goals(release: Release, query: Query) -> tuple[IntArray, IntArray]:
    """[areas, periods]: common goals that had begun and could be assessed, and those of them on track.

    A goal is assessed on the twelve months that end with the period, against its path at their end, from the first
    period after its baseline.
    """
    started = np.zeros((len(query.areas), len(query.periods)), dtype=np.int64)
    on_track = np.zeros_like(started)
    wanted = [set(_common_goals(release, area)) for area in query.areas]
    for one in dict.fromkeys(item for items in wanted for item in sorted(items, key=lambda item: item.goal_id)):
        status = _goal_status(release, one, query.periods)
        has_begun = np.array([one.has_begun(period) for period in query.periods]) & (status != "not_assessed")
        concerned = np.array([one in items for items in wanted])[:, None]
        started += concerned & has_begun
        on_track += concerned & has_begun & np.isin(status, goal.IS_ON_TRACK)
    return started, on_track


@per_release
def _goal_status(release: Release, one: goal.Goal, periods: tuple[Period, ...]) -> rates.StrArray:
    """[periods]: `goal.status` of a goal on the twelve months that end with each period; the levels share it."""
    place, indicator = goal.goal_area(release, one), load_indicators().get(one.indicator)
    if place is None or indicator is None or indicator.better == "neither":
        return np.full(len(periods), "not_assessed")
    years = tuple(Period.containing(period.last, "rolling12") for period in periods)
    found = evaluate(release, Query(indicator, (place,), years))
    value, lower, upper = (
        found[column].cast(pl.Float64).fill_null(np.nan).to_numpy() for column in ("value", "lower", "upper")
    )
    interval = rates.Interval(value, lower, upper, found["status"].to_numpy().astype(str), np.array("none"))
    required = np.array([one.required(period.end) for period in periods])
    is_due = np.array([one.is_due(period) for period in periods])
    return goal.status(interval, required, one.target_value, is_due, indicator.better)


# --- Estimators: from counts to values with limits ----------------------------------------------------------


class _Estimate(NamedTuple):
    """All arrays have the shape [areas, periods, groups]."""

    interval: rates.Interval
    numerator: IntArray
    denominator: FloatArray
    is_merged: BoolArray | np.bool_ = np.False_  # empty age bands were joined with their neighbours


def _rate(release: Release, query: Query, events: IntArray, person_years: FloatArray, noise: Noise) -> _Estimate:
    indicator = query.indicator
    numerator, denominator = _summed(events, person_years)
    if not query.standardised or indicator.standard is None:
        interval = rates.crude_rate(
            numerator,
            denominator,
            indicator.per,
            query.confidence,
            extra_variance=noise.numerator,
            dispersion=national_clustering(release, indicator),
        )
        return _Estimate(interval, numerator, denominator)
    people = np.s_[None, indicator.population.sexes, indicator.population.bands]
    weights = into_strata(query, counts.standard(release, indicator.standard)[people])
    strata = _merge_empty_bands(*np.broadcast_arrays(events.astype(float), person_years, weights))
    interval = rates.direct_rate(
        strata.events,
        strata.person_years,
        strata.weights,
        indicator.per,
        query.confidence,
        extra_variance=_rounding_of_strata(release, query, strata, noise.numerator),
        dispersion=national_clustering(release, indicator),
    )
    return _Estimate(interval, numerator, denominator, strata.is_merged)


def _proportion(release: Release, query: Query, part: IntArray, whole: IntArray, noise: Noise) -> _Estimate:
    """With both counts taken as rounded apart; a part and its whole err the same way, so this is on the wide side."""
    numerator, denominator = _summed(part, whole)
    interval = rates.proportion(
        numerator,
        denominator,
        query.indicator.per,
        query.confidence,
        extra_variance=noise.numerator,
        extra_variance_trials=noise.denominator,
        dispersion=national_clustering(release, query.indicator),
    )
    return _Estimate(interval, numerator, denominator)


def _ratio(release: Release, query: Query, amount: IntArray, base: npt.NDArray[Any], noise: Noise) -> _Estimate:
    """Without limits: days and places are not independent events, and nothing tells how they cluster.

    One factor for the whole country (`kpis.clustering`) will not do for days after ready: they come in sums without
    persons. In the demo country the half-years of the smallest municipalities vary 0.4 times as much as that factor
    says, those of the largest 2.5 times.
    """
    numerator, denominator = _summed(amount, base)
    is_defined = denominator > 0
    value = numerator / np.where(is_defined, denominator, np.nan) * query.indicator.per
    unknown = np.full(value.shape, np.nan)
    status = np.where(is_defined, "ok", "undefined")
    interval = rates.Interval(value, unknown, unknown, status, np.full(value.shape, "none"))
    return _Estimate(interval, numerator, denominator)


def _median(release: Release, query: Query, by_band: IntArray, _: IntArray, noise: Noise) -> _Estimate:
    """The median of a banded quantity: the value at rank n/2, found by a straight line within its band.

    Limits: the values at the ranks n/2 ± z·√n/2, the order statistics of a binomial with p = ½ (Conover 1999,
    Practical Nonparametric Statistics, §3.2), with the rounding of the bands (half of each error, for a band lies
    below the median or above it) added under the root. The highest band has no upper end: what lies in it is given as
    its lower end, to be read as "at least".
    """
    lower_ends = [float(category) for category in query.indicator.numerator.categories]
    ends = np.array([*lower_ends, lower_ends[-1]])
    numerator, denominator = _summed(by_band, by_band)
    nothing = np.zeros((*numerator.shape, 1), dtype=np.int64)
    below = np.concatenate([nothing, np.cumsum(by_band, axis=-1)], axis=-1)  # events below each of `ends`
    middle = denominator / 2
    half = rates.normal_quantile(query.confidence) * np.sqrt(denominator + noise.numerator) / 2
    value, lower, upper = (
        _value_at(rank, below, ends) * query.indicator.per for rank in (middle, middle - half, middle + half)
    )
    status = np.where(numerator > 0, "ok", "undefined")
    interval = rates.Interval(value, lower, upper, status, np.full(value.shape, "median-rank"))
    return _Estimate(interval, numerator, denominator)


def _value_at(rank: FloatArray, below: IntArray, ends: FloatArray) -> FloatArray:
    """The value with `rank` events below it, by straight line between the ends of its band."""
    wanted = np.clip(rank, 0, below[..., -1])[..., None]
    band = np.clip((below < wanted).sum(axis=-1, keepdims=True), 1, len(ends) - 1)
    start = np.take_along_axis(below, band - 1, axis=-1)
    size = np.take_along_axis(below, band, axis=-1) - start
    share = (wanted - start) / np.where(size > 0, size, 1)
    return (ends[band - 1] + share * (ends[band] - ends[band - 1]))[..., 0]


_ESTIMATORS: dict[Kind, Callable[[Release, Query, Any, Any, Noise], _Estimate]] = {
    "rate": _rate,
    "proportion": _proportion,
    "ratio": _ratio,
    "median": _median,
}


def _summed(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> tuple[IntArray, FloatArray]:
    """Both with the strata added up and of the same shape [areas, periods, groups]."""
    above, under = np.broadcast_arrays(numerator.sum(axis=-1), denominator.sum(axis=-1))
    return above, under.astype(float)


class _Strata(NamedTuple):
    events: FloatArray
    person_years: FloatArray
    weights: FloatArray
    is_merged: BoolArray


def _merge_empty_bands(events: FloatArray, person_years: FloatArray, weights: FloatArray) -> _Strata:
    """The strata, with each where nobody lives joined to the one before it, or else to the first with people.

    A stratum with weight but without inhabitants has no rate, and leaving it out would compare with another
    standard. On a small island it is the men of 90 and over, who are then taken together with those of 85–89.
    """
    has_people = person_years > 0
    is_merged = np.any(~has_people & (weights > 0), axis=-1) & np.any(has_people, axis=-1)
    if not is_merged.any():
        return _Strata(events, person_years, weights, is_merged)
    present = has_people[is_merged]
    into = np.maximum.accumulate(np.where(present, np.arange(present.shape[-1]), -1), axis=-1)
    into = np.where(into < 0, present.argmax(axis=-1)[:, None], into)
    events, weights = events.copy(), weights.copy()
    for values in (events, weights):
        joined = np.zeros(into.shape)
        np.add.at(joined, (np.arange(len(into))[:, None], into), values[is_merged])
        values[is_merged] = joined
    return _Strata(events, person_years, weights, is_merged)


def _rounding_of_strata(release: Release, query: Query, strata: _Strata, noise: FloatArray) -> FloatArray | float:
    """[areas, periods, groups, 1]: error variance that, given to each stratum, is that of the standardised rate.

    Rounding moves events between neighbouring ages but keeps their sum. With the slope f = weight ÷ person-years of
    each stratum and its mean f̄ by events, the error of Σ fO is that of the sum, f̄²·noise, and that of the moves,
    Σ (f − f̄)²·v·O: a fifth of the events carries the other four, of any age, to its own cell.
    """
    variance = protection.chain_variance(release)
    if variance == 0:
        return 0.0
    share = strata.weights / np.maximum(strata.weights.sum(axis=-1, keepdims=True), 1.0)
    slope = np.where(strata.person_years > 0, share / np.where(strata.person_years > 0, strata.person_years, 1.0), 0.0)
    events = strata.events.sum(axis=-1, keepdims=True)
    middle = (slope * strata.events).sum(axis=-1, keepdims=True) / np.where(events > 0, events, 1.0)
    runs = np.array([protection.cell_runs(period) for period in query.periods])
    municipalities = np.array([len(area.municipalities) for area in query.areas])
    cells = np.multiply.outer(municipalities, runs)[:, :, None, None] * len(query.indicator.group_ids)
    moved = variance * np.minimum(strata.events, cells)
    wanted = middle[..., 0] ** 2 * noise + ((slope - middle) ** 2 * moved).sum(axis=-1)
    squares = (slope**2).sum(axis=-1)
    return (wanted / np.where(squares > 0, squares, 1.0))[..., None]


# --- Availability: what can be said, and what may be --------------------------------------------------------


def _availability(
    release: Release, query: Query, grid: Grid, estimate: _Estimate
) -> tuple[npt.NDArray[np.str_], IntArray]:
    """Status of every cell [areas, periods, groups], and its notes as bits in the order of NOTES."""
    measures = query.indicator.measures
    is_concerned = np.ones(len(counts.municipalities(release)), dtype=bool)
    if any(measure.is_about_acute_places for measure in measures):
        is_concerned = counts.may_have_acute_places(release)
    is_relevant = np.logical_or.reduceat(is_concerned[grid.members], grid.area_starts)[:, None, None]
    if any(measure.table == "goal" for measure in measures):
        is_relevant = np.array([bool(_common_goals(release, area)) for area in query.areas])[:, None, None]

    is_alone = np.array([len(area.municipalities) == 1 for area in query.areas])[:, None, None]
    is_refused = is_alone & (not query.indicator.is_told_of_single_municipalities)
    months_missing = grid.total(counts.missing(release, measures) * is_concerned)[:, :, None]
    is_outside = (months_missing > 0) | grid.is_outside[:, None]
    diagnoses = query.indicator.diagnoses
    if diagnoses and diagnoses.may_be_missing:
        is_outside |= not counts.holds_any(release, query.indicator.group_ids)
    cuts_year = np.array([period.first.month != 1 or period.last.month != 12 for period in query.periods])[:, None]
    cuts_year = np.broadcast_to(cuts_year & query.indicator.is_yearly, is_outside.shape)
    is_unfollowed = np.zeros_like(is_outside)
    if any(measure.is_followed for measure in measures):
        is_unfollowed = ~is_outside & (grid.stops > counts.followed_months(release))[:, None]
    is_carried = np.zeros_like(is_outside)
    if any(measure.table == "population" for measure in measures):
        is_carried = ~is_outside & (grid.total(counts.carried(release))[:, :, None] > 0)
    is_hidden = np.zeros_like(is_outside)
    if rule := query.indicator.disclosure:
        known = _count(release, query, grid, Count(measure=rule.measure)).sum(axis=-1)
        is_hidden = (known < rule.at_least) & (estimate.numerator > 0)

    shape = estimate.numerator.shape
    status = np.select(
        [
            np.broadcast_to(~is_relevant, shape),
            np.broadcast_to(is_refused, shape),
            is_outside | is_unfollowed | cuts_year,
            is_hidden,
        ],
        [np.array("not_relevant"), np.array("too_uncertain"), np.array("not_received"), np.array("hidden")],
        estimate.interval.status,
    )
    is_across = np.array([bool(breaks_within(period.first, period.last)) for period in query.periods])[:, None]
    is_ok = status == "ok"
    is_cut = cuts_year & ~is_outside
    flags = (is_outside, is_unfollowed, is_carried, estimate.is_merged & is_ok, is_across & is_ok, is_cut)
    note = sum(np.broadcast_to(flag, shape).astype(np.int64) << bit for bit, flag in enumerate(flags))
    return status, np.where(np.isin(status, ("not_relevant", "too_uncertain")), 0, note)


def _frame(
    release: Release, query: Query, estimate: _Estimate, status: npt.NDArray[np.str_], note: IntArray
) -> pl.DataFrame:
    """The cells as rows with the columns of ESTIMATES."""
    areas = pl.DataFrame(
        {
            "indicator": [query.indicator.id] * len(query.areas),
            "level": [item.level for item in query.areas],
            "area_code": [item.code for item in query.areas],
            "area_name": [item.name for item in query.areas],
        }
    )
    provisional_from = release.date("provisional_from")
    periods = pl.DataFrame(
        {
            "period": [item.id for item in query.periods],
            "period_first": [item.first for item in query.periods],
            "period_last": [item.last for item in query.periods],
            "grain": [item.grain for item in query.periods],
            "is_provisional": [item.last >= provisional_from for item in query.periods],
        }
    )
    area, period, group = (position.reshape(-1) for position in np.indices(status.shape))
    groups = pl.DataFrame({"group": query.groups})
    is_ok, is_told = status == "ok", ~np.isin(status, ("too_uncertain", "hidden", "not_relevant", "not_received"))

    def known(values: npt.NDArray[Any], where: BoolArray) -> pl.Series:
        return pl.Series(np.where(where, values, np.nan).reshape(-1), nan_to_null=True)

    # Put together column by column: expressions cost more than the figures, and a page asks for hundreds of frames.
    columns = {
        "numerator": known(estimate.numerator, is_told).cast(pl.Int64),
        "denominator": known(estimate.denominator, is_told),
        "value": known(estimate.interval.value, is_ok),
        "lower": known(estimate.interval.lower, is_ok),
        "upper": known(estimate.interval.upper, is_ok),
        "status": pl.Series(status.reshape(-1)),
        "method": pl.Series(estimate.interval.method.reshape(-1)),
    }
    for part in (areas[area], periods[period], groups[group], _notes()[note.reshape(-1)]):
        columns |= {column.name: column for column in part.get_columns()}
    return pl.DataFrame({name: columns[name] for name in ESTIMATES}, schema=ESTIMATES)


@functools.cache
def _notes() -> pl.DataFrame:
    """The column `note` for every set of NOTES, by the bits of the set."""
    sets = ([word for bit, word in enumerate(NOTES) if bits >> bit & 1] for bits in range(1 << len(NOTES)))
    return pl.DataFrame({"note": [";".join(words) for words in sets]})

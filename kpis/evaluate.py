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

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from kpis import counts, goal, protection, rates
from kpis.area import Area
from kpis.counts import SEXES, BoolArray, FloatArray, IntArray
from kpis.indicator import Count, Indicator, Kind, load_indicators
from kpis.period import Grain, Period, add_months, breaks_within, months_between, periods_between
from kpis.release import AGE_BANDS, Release

By = Literal["group", "age", "sex"]
Status = Literal["ok", "too_few", "hidden", "not_relevant", "not_received", "undefined"]
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
        # Null where status is hidden, not_relevant or not_received.
        "numerator": pl.Int64,
        "denominator": pl.Float64,
        # In the unit of the indicator, null unless status is ok; limits are null too where the kind has none.
        "value": pl.Float64,
        "lower": pl.Float64,
        "upper": pl.Float64,
        # ok
        # too_few: so few events that the method fails
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
)


class QueryError(ValueError):
    """A question that the counts cannot answer; the text says what can be asked instead."""


@dataclass(frozen=True)
class Query:
    """What to evaluate. Areas may mix levels and periods may mix grains; each area carries its map.

    `standardised` rates are standardised directly, for age and sex, to the standard population that the
    indicator names; with `by` the weights are those of the part in question. Raises QueryError when the
    counts of the indicator do not carry what is asked for.
    """

    indicator: Indicator
    areas: tuple[Area, ...]
    periods: tuple[Period, ...]
    by: By | None = None
    standardised: bool = False
    confidence: float = rates.LEVEL_95

    def __post_init__(self) -> None:
        indicator = self.indicator
        if self.by is not None and self.by not in indicator.breakdowns:
            possible = ", ".join(indicator.breakdowns) or "nothing"
            raise QueryError(f"{indicator.id} cannot be split by {self.by}; it can be split by: {possible}.")
        if self.standardised and not indicator.can_be_standardised:
            raise QueryError(f"{indicator.id} cannot be standardised; ask for it without.")

    @property
    def groups(self) -> tuple[str, ...]:
        """Values of the column `group`, in the order of the estimates."""
        match self.by:
            case None:
                return ("all",)
            case "group":
                return self.indicator.group_ids
            case "age":
                return tuple(str(age) for age in AGE_BANDS[_bands(self.indicator)])
            case "sex":
                return tuple(str(sex) for sex in SEXES)


def evaluate(release: Release, query: Query) -> pl.DataFrame:
    """Estimates with the columns of ESTIMATES, one row per area × period × group, in the order of the query.

    An area has an estimate only where every municipality in it that is concerned delivered every month of the
    period: a sum that lacks a municipality is not the area's. A municipality without acute places is not
    concerned by their figures, but its citizens count where the capacity of its region is divided by people.
    """
    if not query.areas or not query.periods:
        return pl.DataFrame(schema=ESTIMATES)
    grid = _Grid.of(release, query)
    numerator = _count(release, query, grid, query.indicator.numerator)
    denominator = _count(release, query, grid, query.indicator.denominator)
    noise = _noise(release, query, numerator, denominator)
    estimate = _ESTIMATORS[query.indicator.kind](release, query, numerator, denominator, noise)
    status, note = _availability(release, query, grid, estimate)
    return _frame(release, query, estimate, status, note)


def newest_period(release: Release) -> Period:
    """The period to show first: the newest twelve months without a provisional one.

    Where the data do not reach back that far, the newest quarter without one; else the newest provisional period.
    Firm goes before long, because what needs follow-up (readmissions) has no value in the last months.
    """
    first, last = counts.months(release)[0], counts.months(release)[-1]
    firm = add_months(release.date("provisional_from"), -1)
    wanted: tuple[tuple[Grain, date], ...] = (
        ("rolling12", firm),
        ("quarter", firm),
        ("rolling12", last),
        ("quarter", last),
        ("month", last),
    )
    return next(periods[-1] for grain, end in wanted if (periods := periods_between(first, end, grain)))


# --- The grid: which months and municipalities a cell adds up -----------------------------------------------


@dataclass(frozen=True)
class _Grid:
    """Areas × periods as positions in the arrays of `kpis.counts`."""

    members: IntArray  # municipalities of all areas, one area after the other
    area_starts: IntArray  # where each area begins in `members`
    starts: IntArray  # [periods] first month of the period
    stops: IntArray  # [periods] month after its last one; equal to `starts` where the period is outside
    is_outside: BoolArray  # [periods] reaches out of the months of the release

    @classmethod
    def of(cls, release: Release, query: Query) -> "_Grid":
        position = counts.municipalities(release)
        months = counts.months(release)
        sizes = [len(area.municipalities) for area in query.areas]
        starts = np.array([months_between(months[0], period.first) for period in query.periods])
        stops = np.array([months_between(months[0], period.last) + 1 for period in query.periods])
        is_outside = (starts < 0) | (stops > len(months))
        return cls(
            members=np.array([position[code] for area in query.areas for code in area.municipalities]),
            area_starts=np.cumsum([0, *sizes[:-1]]),
            starts=np.where(is_outside, 0, starts),
            stops=np.where(is_outside, 0, stops),
            is_outside=is_outside,
        )

    def total(self, summed: IntArray) -> IntArray:
        """[areas, periods, …] of an array [months + 1, municipalities, …] that is summed up over months."""
        in_period = summed[self.stops] - summed[self.starts]
        in_area = np.add.reduceat(in_period[:, self.members], self.area_starts, axis=1, dtype=np.int64)
        return in_area.swapaxes(0, 1)


def _count(release: Release, query: Query, grid: _Grid, count: Count) -> npt.NDArray[Any]:
    """[areas, periods, groups, strata]: a count in every cell, split into strata that add up to it.

    Strata are age and sex as far as they are not groups, or the categories of a monthly measure. The
    population has one group where diagnosis groups are asked for, because it is the same for all of them.
    """
    indicator, measure = query.indicator, count.definition
    if measure.table == "goal":
        started, on_track = _goals(release, query)
        return (on_track if measure.name == "n_goal_on_track" else started)[:, :, None, None]
    if measure.table == "municipality_month":
        monthly = [counts.monthly(release, measure.name, category) for category in count.categories or (None,)]
        return np.stack([grid.total(array) for array in monthly], axis=-1)[:, :, None, :]
    if measure.table == "population":
        dense = [counts.population(release, measure.name)]
    elif query.by == "group":
        dense = [counts.cube(release, measure.name, (group,)) for group in indicator.group_ids]
    else:
        dense = [counts.cube(release, measure.name, indicator.group_ids)]
    people = np.s_[:, :, _sexes(indicator), _bands(indicator)]
    total = _strata(query, np.stack([grid.total(array[people]) for array in dense], axis=2))
    return total / 12 if measure.name == "person_years" else total  # a month of a person is a twelfth of a year


def _strata(query: Query, by_people: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[…, groups, strata] of an array […, diagnosis groups, sexes, age bands]."""
    match query.by:
        case "age":
            return by_people[..., 0, :, :].swapaxes(-1, -2)
        case "sex":
            return by_people[..., 0, :, :]
        case _:
            return by_people.reshape(*by_people.shape[:-2], -1)


def _sexes(indicator: Indicator) -> slice:
    sex = indicator.population.sex
    return slice(sex - 1, sex) if sex else slice(0, len(SEXES))


def _bands(indicator: Indicator) -> slice:
    people = indicator.population
    stop = len(AGE_BANDS) if people.age_to is None else AGE_BANDS.index(people.age_to + 1)
    return slice(AGE_BANDS.index(people.age_from), stop)


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
    years = tuple(Period.containing(period.last, "rolling12") for period in query.periods)
    wanted = [set(_common_goals(release, area)) for area in query.areas]
    for one in dict.fromkeys(item for items in wanted for item in sorted(items, key=lambda item: item.goal_id)):
        place, indicator = goal.goal_area(release, one), load_indicators().get(one.indicator)
        if place is None or indicator is None or indicator.better == "neither":
            continue
        found = evaluate(release, Query(indicator, (place,), years))
        value, lower, upper = (
            found[column].cast(pl.Float64).fill_null(np.nan).to_numpy() for column in ("value", "lower", "upper")
        )
        interval = rates.Interval(value, lower, upper, found["status"].to_numpy().astype(str), np.array("none"))
        required = np.array([one.required(period.end) for period in query.periods])
        is_due = np.array([one.is_due(period) for period in query.periods])
        status = goal.status(interval, required, one.target_value, is_due, indicator.better)
        has_begun = np.array([one.has_begun(period) for period in query.periods]) & (status != "not_assessed")
        concerned = np.array([one in items for items in wanted])[:, None]
        started += concerned & has_begun
        on_track += concerned & has_begun & np.isin(status, goal.IS_ON_TRACK)
    return started, on_track


# --- Rounding: what the protection of the counts adds to their uncertainty ----------------------------------


class Noise(NamedTuple):
    """Error variance of numerator and denominator by the rounding of published counts, [areas, periods, groups]."""

    numerator: FloatArray
    denominator: FloatArray


def rounding_noise(release: Release, query: Query) -> Noise:
    """How far the counts of a query's estimates may lie from the true ones; see `kpis.protection`."""
    grid = _Grid.of(release, query)
    numerator, denominator = (
        _count(release, query, grid, count) for count in (query.indicator.numerator, query.indicator.denominator)
    )
    return _noise(release, query, numerator, denominator)


def _noise(release: Release, query: Query, numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> Noise:
    counted = (query.indicator.numerator, numerator), (query.indicator.denominator, denominator)
    return Noise(*(_rounding(release, query, count, total.sum(axis=-1)) for count, total in counted))


def _rounding(release: Release, query: Query, count: Count, total: npt.NDArray[Any]) -> FloatArray:
    measure = count.definition
    if protection.chain_variance(release) == 0 or measure.table in ("population", "goal"):
        return np.zeros(total.shape)
    municipalities = np.array([len(area.municipalities) for area in query.areas])
    runs = [_runs(query, count, period) for period in query.periods]
    return protection.rounding_variance(release, np.multiply.outer(municipalities, runs)[:, :, None], total)


def _runs(query: Query, count: Count, period: Period) -> int:
    """Runs of rounding that one municipality's count touches in a period."""
    indicator, measure = query.indicator, count.definition
    if measure.table == "municipality_month":
        return protection.monthly_runs(measure, len(count.categories) or 1, period)
    groups = 1 if query.by == "group" else len(indicator.group_ids)
    bands = range(len(AGE_BANDS))[_bands(indicator)]
    sexes = 1 if query.by == "sex" or indicator.population.sex else 2
    # A single band has the same runs whichever it is.
    return groups * protection.cube_runs(measure, bands[:1] if query.by == "age" else bands, sexes, period)


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
            numerator, denominator, indicator.per, query.confidence, extra_variance=noise.numerator
        )
        return _Estimate(interval, numerator, denominator)
    people = np.s_[None, _sexes(indicator), _bands(indicator)]
    weights = _strata(query, counts.standard(release, indicator.standard)[people])
    strata = _merge_empty_bands(*np.broadcast_arrays(events.astype(float), person_years, weights))
    interval = rates.direct_rate(
        strata.events,
        strata.person_years,
        strata.weights,
        indicator.per,
        query.confidence,
        extra_variance=_rounding_of_strata(release, query, strata, noise.numerator),
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
    )
    return _Estimate(interval, numerator, denominator)


def _ratio(release: Release, query: Query, amount: IntArray, base: npt.NDArray[Any], noise: Noise) -> _Estimate:
    """Without limits: days and places are not independent events, and nothing tells how they cluster."""
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
    months = np.array([months_between(period.first, period.end) for period in query.periods])
    municipalities = np.array([len(area.municipalities) for area in query.areas])
    cells = np.multiply.outer(municipalities, months)[:, :, None, None] * len(query.indicator.group_ids)
    moved = variance * np.minimum(strata.events, cells)
    wanted = middle[..., 0] ** 2 * noise + ((slope - middle) ** 2 * moved).sum(axis=-1)
    squares = (slope**2).sum(axis=-1)
    return (wanted / np.where(squares > 0, squares, 1.0))[..., None]


# --- Availability: what can be said, and what may be --------------------------------------------------------


def _availability(
    release: Release, query: Query, grid: _Grid, estimate: _Estimate
) -> tuple[npt.NDArray[np.str_], IntArray]:
    """Status of every cell [areas, periods, groups], and its notes as bits in the order of NOTES."""
    measures = query.indicator.measures
    is_concerned = np.ones(len(counts.municipalities(release)), dtype=bool)
    if any(measure.is_about_acute_places for measure in measures):
        is_concerned = counts.may_have_acute_places(release)
    is_relevant = np.logical_or.reduceat(is_concerned[grid.members], grid.area_starts)[:, None, None]
    if any(measure.table == "goal" for measure in measures):
        is_relevant = np.array([bool(_common_goals(release, area)) for area in query.areas])[:, None, None]

    months_missing = grid.total(counts.missing(release, measures) * is_concerned)[:, :, None]
    is_outside = (months_missing > 0) | grid.is_outside[:, None]
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
        [np.broadcast_to(~is_relevant, shape), is_outside | is_unfollowed, is_hidden],
        [np.array("not_relevant"), np.array("not_received"), np.array("hidden")],
        estimate.interval.status,
    )
    is_across = np.array([bool(breaks_within(period.first, period.last)) for period in query.periods])[:, None]
    flags = (is_outside, is_unfollowed, is_carried, estimate.is_merged & (status == "ok"), is_across & (status == "ok"))
    note = sum(np.broadcast_to(flag, shape).astype(np.int64) << bit for bit, flag in enumerate(flags))
    return status, np.where(status == "not_relevant", 0, note)


def _frame(
    release: Release, query: Query, estimate: _Estimate, status: npt.NDArray[np.str_], note: IntArray
) -> pl.DataFrame:
    """The cells as rows with the columns of ESTIMATES."""
    areas = pl.DataFrame(
        [(query.indicator.id, item.level, item.code, item.name) for item in query.areas],
        schema=["indicator", "level", "area_code", "area_name"],
        orient="row",
    )
    provisional_from = release.date("provisional_from")
    periods = pl.DataFrame(
        [(item.id, item.first, item.last, item.grain, item.last >= provisional_from) for item in query.periods],
        schema=["period", "period_first", "period_last", "grain", "is_provisional"],
        orient="row",
    )
    notes = pl.DataFrame(
        {
            "note": [
                ";".join(word for bit, word in enumerate(NOTES) if bits >> bit & 1) for bits in range(1 << len(NOTES))
            ]
        }
    )
    area, period, group = (position.reshape(-1) for position in np.indices(status.shape))
    figures = pl.DataFrame(
        {
            "numerator": estimate.numerator.reshape(-1),
            "denominator": estimate.denominator.reshape(-1),
            "value": estimate.interval.value.reshape(-1),
            "lower": estimate.interval.lower.reshape(-1),
            "upper": estimate.interval.upper.reshape(-1),
            "status": status.reshape(-1),
            "method": estimate.interval.method.reshape(-1),
        }
    ).with_columns(
        pl.when(~pl.col("status").is_in(["hidden", "not_relevant", "not_received"])).then(
            pl.col("numerator", "denominator")
        ),
        pl.when(pl.col("status") == "ok").then(pl.col("value", "lower", "upper").fill_nan(None)),
    )
    groups = pl.DataFrame({"group": query.groups})
    parts = [areas[area], periods[period], groups[group], figures, notes[note.reshape(-1)]]
    return pl.concat(parts, how="horizontal").match_to_schema(ESTIMATES)

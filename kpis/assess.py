"""Verdicts on the estimates of a release: an area against its reference, against its own past, and its trend.

What a verdict must know besides the counts is put together here, once, for every page and file: how far rounding
moved the counts, that every winter has more admissions than every summer, and where a new way to count began.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
import polars as pl

from kpis.area import Area, Map, areas, map_of
from kpis.clustering import national_clustering
from kpis.counts import FloatArray, IntArray
from kpis.dispersion import Dispersion, proportion_dispersion, ratio_dispersion
from kpis.evaluate import Query, evaluate
from kpis.indicator import Indicator
from kpis.period import Break, Period, add_months, breaks_within, periods_between
from kpis.process import ProcessChart, month_factors, rate_chart, share_chart, xmr_chart
from kpis.release import Release, per_release
from kpis.rounding import rounding_noise
from kpis.trend import RateTrend, rate_trend
from kpis.verdict import Verdicts, judge_change, judge_level

MONTHS_SHOWN = 36
MONTHS_FOR_SEASON = 24
"""A season is told from a change when every month of the year was seen twice."""
EVENTS_A_MONTH = 10
"""With fewer events in a usual month its published count mostly says whether it was rounded up."""


# --- an area against the country ----------------------------------------------------------------------------


def assess_level(
    release: Release, indicator: Indicator, level: str, map_id: Map, period: Period, *, standardised: bool = False
) -> tuple[pl.DataFrame, Verdicts]:
    """Estimates of every area of a level, and their verdicts against the country, in the same order.

    Rates are judged as observed to expected at the country's rate, standardised ones with the population that the
    rate is worth (`compare.derived_population`), shares around the share of all areas together; clustering, rounding
    and overdispersion (`level_dispersion`) counted in. What lies nearer to the reference than the indicator's
    `smallest_difference` is as expected, however sure. Kinds without an interval, and periods that run across a break
    in the data, are "not_assessed".
    """
    query = Query(indicator, areas(release, level, map_id), (period,), standardised=standardised)
    estimates = evaluate(release, query)
    dispersion = level_dispersion(release, query, estimates)
    refused = (
        "no_interval" if dispersion is None else "across_break" if breaks_within(period.first, period.last) else ""
    )
    if dispersion is None or refused:
        nothing = np.full(estimates.height, "not_assessed")
        return estimates, Verdicts(nothing, np.full(estimates.height, refused))
    value = _array(estimates, "value")
    middle = dispersion.reference * _unit(release, query)
    is_trifle = np.abs(value - middle) < indicator.smallest_difference
    status = estimates["status"].to_numpy().astype(str)
    return estimates, judge_level(dispersion, indicator.better, status, is_trifle=is_trifle)


def level_dispersion(release: Release, query: Query, estimates: pl.DataFrame) -> Dispersion | None:
    """Funnel of the estimates of one period against the country; None for kinds without an interval.

    How much areas differ beyond chance (τ²) is always estimated on the 98 municipalities. A larger area is a sum of
    them: if they differ independently of each other with τ², it differs with τ²·Σs², s being each one's share of the
    area's persons (trials). Five regions could not tell their own τ²: one that stands out would make it so large that
    it stands out no more. A region whose municipalities all lie to one side is therefore called out, and should be:
    that is no sum of independent differences. The reference holds the area itself, which makes the limits of the
    largest areas somewhat wide.
    """
    own = _funnel(release, query, estimates)
    municipalities = areas(release, "municipality", query.areas[0].map_id)
    if own is None or query.areas == municipalities:
        return own
    between, size = _between(release, replace(query, areas=municipalities))
    if between is None:
        return own
    shares = [np.array([size[code] for code in area.municipalities]) for area in query.areas]
    carried = [float((sizes**2).sum() / sizes.sum() ** 2) if sizes.any() else 1.0 for sizes in shares]
    return replace(own, tau2=between.tau2 * np.array(carried))


@per_release
def _between(release: Release, query: Query) -> tuple[Dispersion | None, dict[str, float]]:
    """Funnel of all municipalities and what each is divided by, 0 = nothing; every larger level asks for it."""
    estimates = evaluate(release, query)
    size = zip(estimates["area_code"], np.nan_to_num(_array(estimates, "denominator")), strict=True)
    return _funnel(release, query, estimates), dict(size)


def _unit(release: Release, query: Query) -> float:
    """What a dispersion's ratios (or shares) are multiplied with to stand in the unit of the indicator."""
    if query.indicator.kind != "rate":
        return float(query.indicator.per)
    return _value_of(release, replace(query, areas=areas(release, "country", query.areas[0].map_id)))


@per_release
def _value_of(release: Release, query: Query) -> float:
    """The estimate of a query of one area and one period; NaN = none."""
    return float(_array(evaluate(release, query), "value")[0])


def _funnel(release: Release, query: Query, estimates: pl.DataFrame) -> Dispersion | None:
    """Dispersion of the areas of a query around the country, τ² estimated on these areas."""
    indicator = query.indicator
    noise = rounding_noise(release, query)
    extra, extra_of_trials = noise.numerator[:, 0, 0], noise.denominator[:, 0, 0]
    events, at_risk, value = (_array(estimates, name) for name in ("numerator", "denominator", "value"))
    clustered = national_clustering(release, indicator)
    match indicator.kind:
        case "rate":
            baseline = _unit(release, query)
            expected = (
                events * baseline / np.where(value > 0, value, np.nan)
                if query.standardised
                else at_risk * baseline / indicator.per
            )
            return ratio_dispersion(events, expected, extra_variance=extra + (clustered - 1.0) * expected)
        case "proportion":
            total = np.nansum(at_risk)
            share = np.nansum(events) / total if total > 0 else 0.0
            extra = extra + (clustered - 1.0) * share * (1.0 - share) * at_risk
            return proportion_dispersion(events, at_risk, extra_variance=extra, extra_variance_trials=extra_of_trials)
        case _:
            return None


# --- an area against its own past ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Changes:
    """Monthly charts of several areas and what they say; arrays have shape (areas, months).

    `chart` values and limits are in the unit of the indicator, free of the country's season. `phase` is a number that
    grows by one at each break in the data; no limit, run or trend crosses one.
    """

    areas: tuple[Area, ...]
    months: tuple[Period, ...]
    estimates: pl.DataFrame  # of `kpis.evaluate.ESTIMATES`, areas × months
    chart: ProcessChart
    phase: IntArray
    verdicts: Verdicts

    @property
    def breaks(self) -> tuple[Break, ...]:
        """Why a new phase begins where one does, oldest first."""
        return breaks_within(self.months[0].first, self.months[-1].last) if self.months else ()

    def since(self, area: int) -> date | None:
        """First month of the unbroken row of signals, all one way, on which a verdict rests; None without one."""
        judged = [month for month in range(len(self.months)) if self.chart.is_judged[area, month]]
        found = None
        for month in reversed(judged):
            direction = self.chart.direction[area, month]
            if direction == 0 or direction != self.chart.direction[area, judged[-1]]:
                break
            found = self.months[month].first
        return found


def assess_change(
    release: Release,
    indicator: Indicator,
    of_areas: Sequence[Area],
    *,
    last: date | None = None,
    months: int = MONTHS_SHOWN,
) -> Changes:
    """The newest months of areas against their own past, seasons taken out and breaks as new phases.

    `last`: newest month; None = the last of the release. "cannot_tell" with fewer than 24 judged months in the phase
    ("few_points") or fewer than 10 events in a usual month ("too_few"); "not_assessed" where the count is decided by
    somebody ("decided"): limits are made of what chance does from month to month, and here it does nothing. A month
    nearer to its centre line than the indicator's `smallest_difference` gives no signal: the months of a whole country
    are so sure that a drift of one per cent would.
    """
    end = last or add_months(release.date("as_of"), -1)
    start = max(add_months(end, 1 - months), release.date("data_from"))
    periods = periods_between(start, end, "month")
    estimates = evaluate(release, Query(indicator, tuple(of_areas), periods))
    shape = (len(of_areas), len(periods))
    events = _array(estimates, "numerator").reshape(shape)
    phase = np.array([len(breaks_within(start, period.first)) for period in periods], dtype=np.int64)
    provisional = estimates["is_provisional"].to_numpy().reshape(shape)
    at_risk = _array(estimates, "denominator").reshape(shape)
    if indicator.kind in ("rate", "proportion"):
        season = _season(release, indicator, periods, tuple(phase))
        if indicator.kind == "rate":
            chart = rate_chart(events, at_risk * season, indicator.per, phase=phase, provisional=provisional)
        else:
            chart = share_chart(
                np.minimum(events / season, at_risk), at_risk, indicator.per, phase=phase, provisional=provisional
            )
    else:
        value = _array(estimates, "value").reshape(shape)
        chart = xmr_chart(value, phase=phase, provisional=provisional)
    chart = chart.without(np.abs(chart.value - chart.centre) < indicator.smallest_difference)
    verdicts = _careful(judge_change(chart, indicator.better), chart, events, phase)
    if indicator.numerator.definition.is_decided:
        verdicts = Verdicts(np.full(shape[0], "not_assessed"), np.full(shape[0], "decided"))
    return Changes(tuple(of_areas), periods, estimates, chart, phase, verdicts)


def _careful(verdicts: Verdicts, chart: ProcessChart, events: FloatArray, phase: IntArray) -> Verdicts:
    """Verdicts without those that a short series or small counts cannot carry."""
    is_of_newest = np.equal(phase, phase.max(initial=0))
    is_short = (chart.is_judged & is_of_newest).sum(axis=-1) < MONTHS_FOR_SEASON
    usual = _median(np.where(chart.is_judged, events, np.nan))
    is_judged = verdicts.id != "not_assessed"
    few, small = is_judged & is_short, is_judged & (usual < EVENTS_A_MONTH)
    return Verdicts(
        np.where(few | small, "cannot_tell", verdicts.id),
        np.select([few, small], ["few_points", "too_few"], verdicts.reason),
    )


def _median(values: FloatArray) -> FloatArray:
    """Median over the last axis without NaN; 0 where there is nothing else (NumPy warns of it)."""
    is_empty = np.isnan(values).all(axis=-1, keepdims=True)
    return np.nanmedian(np.where(is_empty, 0.0, values), axis=-1)


# --- the trend over years -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trends:
    """Log-linear trends of several areas over the unbroken months from `first` to `last`, both inclusive.

    `trend`: rate ratio per year (0.98 = two per cent fewer each year), arrays of shape (areas,). `after`: the break
    behind which the months begin because nothing may be compared across it; None where the data begin.
    """

    areas: tuple[Area, ...]
    first: date
    last: date
    after: Break | None
    trend: RateTrend


def assess_trend(
    release: Release, indicator: Indicator, of_areas: Sequence[Area], *, last: date | None = None
) -> Trends | None:
    """Yearly rate ratio of rates and shares, from the newest break in the data to the newest firm month.

    Seasons of the country are taken out; errors are quasi-Poisson with at least the national clustering, so that
    readmissions in later months and the rounding count in. None for kinds without independent events, and with fewer
    than 24 months: a season is no trend.
    `last`: end earlier than the newest month that is not provisional.
    """
    if indicator.kind not in ("rate", "proportion"):
        return None
    end = last or add_months(release.date("provisional_from"), -1)
    crossed = breaks_within(release.date("data_from"), end)
    start = crossed[-1].month if crossed else release.date("data_from")
    periods = periods_between(start, end, "month")
    if len(periods) < MONTHS_FOR_SEASON:
        return None
    estimates = evaluate(release, Query(indicator, tuple(of_areas), periods))
    shape = (len(of_areas), len(periods))
    events, at_risk = (_array(estimates, name).reshape(shape) for name in ("numerator", "denominator"))
    season = _season(release, indicator, periods, (0,) * len(periods))
    clustered = national_clustering(release, indicator)
    trend = rate_trend(events, at_risk * season, np.arange(len(periods)) / 12, known_dispersion=clustered)
    return Trends(tuple(of_areas), start, end, crossed[-1] if crossed else None, trend)


def seasonal_exposure(release: Release, indicator: Indicator, estimates: pl.DataFrame) -> FloatArray:
    """Denominators of monthly estimates of one area times the season of the country, NaN where there is none."""
    periods = tuple(Period(first, first, "month") for first in estimates["period_first"])
    phase = tuple(len(breaks_within(periods[0].first, period.first)) for period in periods)
    return _array(estimates, "denominator") * _season(release, indicator, periods, phase)


@per_release
def _season(release: Release, indicator: Indicator, periods: tuple[Period, ...], phase: tuple[int, ...]) -> FloatArray:
    """[months]: by how much the month of the year lies above the year in the whole country; 1 while that is unknown.

    Each phase has its own, from its months that are not provisional. With fewer than 24 of them a season cannot be
    told from a change, so none is taken out (and no verdict is given).
    """
    country = areas(release, "country", map_of(periods[-1].last))
    whole = evaluate(release, Query(indicator, country, periods))
    events, at_risk = _array(whole, "numerator"), _array(whole, "denominator")
    is_firm = ~whole["is_provisional"].to_numpy() & ~np.isnan(events)
    calendar = np.array([period.first.month for period in periods])
    season = np.ones(len(periods))
    for number in set(phase):
        is_of_phase = np.equal(phase, number)
        used = is_firm & is_of_phase
        if used.sum() < MONTHS_FOR_SEASON:
            continue
        factors = month_factors(events[used], at_risk[used], calendar[used])
        season = np.where(is_of_phase, np.nan_to_num(factors, nan=1.0)[calendar - 1], season)
    return season


def _array(estimates: pl.DataFrame, column: Literal["numerator", "denominator", "value"]) -> FloatArray:
    """A column with NaN for what is missing, as the statistics want it."""
    return estimates[column].to_numpy().astype(float)  # which makes NaN of null

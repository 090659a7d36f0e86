"""Relief of the hospitals beside care given: what an area had in a year against what it could expect of itself.

    relief(release, find_indicator("preventable_admissions_65plus"), areas(release, "kkr", "2024"), year)

The question is whether an area moved otherwise than the country did, so what is expected is the area's own level of a
base year, moved on by its citizens' ages and by the development everywhere else:

    expected = O_b · E_t / E_b,    E = Σ_s (person-years of s in the area) · (rate of s in the rest of the country)

O_b: events of the area in the base year b; E_b, E_t: what its citizens would have had in the base year and in the year
t at the rates of all other municipalities in the same year. Strata are sex and age band where the counts carry them
(the cube), else all ages of the indicator together (StatBank). The whole country has no rest: its E are found with its
own rates of the base year, so that its expected is its own level at its ageing and nothing else.

difference = observed − expected: fewer admissions than expected are what may have been avoided; more recipients are
care given beyond the expected. Its 95 % limits are normal, difference ± 1.96·√V, with

    V = φ·(O_t + c²·O_b) + noise_t + c²·noise_b + τ²·Σ_m expected_m²,    c = E_t / E_b

φ: the clustering of the events (`kpis.clustering`), noise: the rounding of published counts (`kpis.rounding`), m: the
municipalities of the area, and τ²: by how much municipalities drift apart from one year to the other beyond chance, the
variance of observed ÷ expected between all of them (additive random effects; Spiegelhalter 2005: `kpis.dispersion`).

Weaknesses, to be told wherever the figure is shown:
- It is no effect. Nothing was drawn by lot, and whoever had a bad base year has a better one next (regression towards
  the mean): the base year is the first whole one for everybody, never chosen. `kpis.effect` is for efforts that were
  planned.
- An effort that all municipalities make at once moves the rest of the country too and shows as no difference.
- τ² is estimated while some of the municipalities do have an effect, so limits err on the wide side.
- The two sides are counted on different persons and never divided by each other.
- The country has no control at all: its difference holds every trend of the time.
"""

import numpy as np
import polars as pl

from kpis.area import Area, areas
from kpis.clustering import national_clustering
from kpis.counts import BoolArray, FloatArray
from kpis.dispersion import ratio_dispersion
from kpis.evaluate import Query, QueryError, evaluate
from kpis.indicator import Indicator
from kpis.period import Period, add_months, breaks_within, periods_between
from kpis.rates import LEVEL_95, expected_events, normal_quantile
from kpis.release import Release
from kpis.rounding import rounding_noise
from kpis.tally import Grid, tally

RELIEF = pl.Schema(
    {
        "indicator": pl.String,
        "level": pl.String,
        "area_code": pl.String,
        "area_name": pl.String,
        "period": pl.String,  # the year
        "base": pl.String,  # the year whose level is expected to go on
        "observed": pl.Float64,  # events of the year; null unless status is ok, as are the next four
        "expected": pl.Float64,
        "difference": pl.Float64,  # observed - expected
        "lower": pl.Float64,  # 95 % limits of the difference
        "upper": pl.Float64,
        "status": pl.String,  # as of the estimates; of two years without a figure that of the later one
    }
)


def whole_years(release: Release) -> tuple[Period, ...]:
    """Calendar years that can be held against each other, oldest first: firm, and behind the newest break."""
    first, last = release.date("data_from"), add_months(release.date("provisional_from"), -1)
    years = periods_between(first, last, "year")
    return tuple(year for year in years if not breaks_within(year.first, last))


def relief(release: Release, indicator: Indicator, of_areas: tuple[Area, ...], year: Period) -> pl.DataFrame:
    """Observed against expected of areas in one year, with the columns of RELIEF, in the given order.

    The base year is the first of `whole_years`. Raises QueryError for figures that are no rates, and for a period that
    is no later one of these years.
    """
    years = whole_years(release)
    if indicator.kind != "rate":
        raise QueryError(f"{indicator.id} has no expected number: only rates count events or persons in a population.")
    if year not in years[1:]:
        possible = ", ".join(item.id for item in years[1:]) or "none, for there are not two whole years"
        raise QueryError(f"{year.id} cannot be held against a base year. Possible: {possible}.")
    pair = (years[0], year)
    everywhere = areas(release, "municipality", of_areas[0].map_id)
    query = Query(indicator, everywhere, pair)
    grid = Grid.of(release, query)
    events, people = (
        tally(release, query, grid, count)[:, :, 0].astype(float)
        for count in (indicator.numerator, indicator.denominator)
    )
    if events.shape[-1] != people.shape[-1]:  # figures of StatBank carry no sex and age
        people = people.sum(axis=-1, keepdims=True)
    is_known = (_status(release, query)[1] == "ok").to_numpy()
    dispersion = national_clustering(release, indicator)

    def found(wanted: tuple[Area, ...]) -> tuple[FloatArray, FloatArray, FloatArray]:
        is_in = np.array([[one.code in area.municipalities for one in everywhere] for area in wanted])
        noise = rounding_noise(release, Query(indicator, wanted, pair)).numerator[:, :, 0]
        return against_expected(events, people, is_in, is_known, noise, dispersion)

    observed, expected, variance = found(everywhere)
    drift = drift_variance(np.where(is_known, observed, np.nan), expected, variance)
    is_in = np.array([[one.code in area.municipalities for one in everywhere] for area in of_areas])
    drifted = drift * (is_in @ np.nan_to_num(expected) ** 2)
    observed, expected, variance = found(of_areas)
    return _frame(release, Query(indicator, of_areas, pair), observed, expected, variance + drifted)


def against_expected(
    events: FloatArray,
    people: FloatArray,
    is_in: BoolArray,
    is_known: BoolArray,
    noise: FloatArray,
    dispersion: float = 1.0,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Observed and expected events of the second year, and the variance of their difference without drift; (areas,).

    Args:
        events: [municipalities, 2 years, strata].
        people: person-years, likewise.
        is_in: [areas, municipalities] whether an area holds a municipality.
        is_known: [municipalities] whether it has both years; the others are no part of the rest of the country.
        noise: [areas, 2 years] error variance of the counts by rounding.
        dispersion: variance of counts ÷ that of independent events.

    NaN where nothing is expected. Formula: see the module.
    """
    own_events, own_people = (np.tensordot(is_in.astype(float), counted, 1) for counted in (events, people))
    rest = (~is_in & is_known).astype(float)
    rest_events, rest_people = (np.tensordot(rest, counted, 1) for counted in (events, people))
    is_alone = rest.sum(axis=1)[:, None, None] == 0
    rest_events = np.where(is_alone, own_events[:, :1], rest_events)
    rest_people = np.where(is_alone, own_people[:, :1], rest_people)
    usual = expected_events(own_people, rest_events, rest_people)
    base, observed = own_events.sum(axis=-1).T
    growth = np.divide(usual[:, 1], usual[:, 0], out=np.full(len(usual), np.nan), where=usual[:, 0] > 0)
    chance = dispersion * (np.maximum(observed, 1.0) + growth**2 * np.maximum(base, 1.0))
    return observed, growth * base, chance + noise[:, 1] + growth**2 * noise[:, 0]


def drift_variance(observed: FloatArray, expected: FloatArray, variance: FloatArray) -> float:
    """τ²: how much observed ÷ expected varies between municipalities beyond `variance`, that of observed - expected.

    `ratio_dispersion` works on the square root of the ratio, whose variance is a fourth of the ratio's. No tails are
    cut off: of 98 municipalities that drift by 8 % without any effect 4.8 % then lie outside limits of 95 %; with a
    tenth winsorised at either end it was 11 %.
    """
    beyond_poisson = np.maximum(variance - expected, 0.0)
    tau2 = ratio_dispersion(observed, expected, extra_variance=beyond_poisson, trim=0.0).tau2
    return float(4.0 * np.nan_to_num(tau2).item())


def _status(release: Release, query: Query) -> tuple[pl.DataFrame, pl.Series]:
    """The estimates of the later year, and of each area the status of the pair."""
    estimates = evaluate(release, query)
    base, year = (estimates.filter(period=period.id) for period in query.periods)
    return year, pl.select(pl.when(year["status"] == "ok").then(base["status"]).otherwise(year["status"])).to_series()


def _frame(
    release: Release, query: Query, observed: FloatArray, expected: FloatArray, variance: FloatArray
) -> pl.DataFrame:
    rows, status = _status(release, query)
    difference, half = observed - expected, normal_quantile(LEVEL_95) * np.sqrt(variance)
    figures = {
        "observed": observed,
        "expected": expected,
        "difference": difference,
        "lower": difference - half,
        "upper": difference + half,
    }
    is_ok = pl.Series(np.isfinite(difference)) & (status == "ok")
    return (
        rows.select("indicator", "level", "area_code", "area_name", "period")
        .with_columns(base=pl.lit(query.periods[0].id), status=status, is_ok=is_ok, **figures)
        .with_columns(pl.when("is_ok").then(pl.col(list(figures))))
        .with_columns(
            pl.when(pl.col("is_ok") | (pl.col("status") != "ok")).then("status").otherwise(pl.lit("undefined"))
        )
        .select(list(RELIEF))
    )

"""Observed against expected: what an area would have if its citizens of each age and sex fared as the country's."""

from collections.abc import Sequence

import polars as pl

from kpis import rates
from kpis.area import Area, areas
from kpis.clustering import national_clustering
from kpis.evaluate import Query, QueryError, evaluate
from kpis.indicator import Indicator
from kpis.period import Period
from kpis.release import Release
from kpis.rounding import rounding_noise
from kpis.tally import Grid, tally

EXPECTATIONS = pl.Schema(
    {
        "indicator": pl.String,
        "level": pl.String,
        "area_code": pl.String,
        "area_name": pl.String,
        "period": pl.String,
        "observed": pl.Int64,
        "expected": pl.Float64,  # events at the country's rates of the same period
        "value": pl.Float64,  # observed / expected × 100: 100 = as the country; null unless status is ok
        "lower": pl.Float64,  # 95 % limits, chance and rounding of the observed events together
        "upper": pl.Float64,
        "status": pl.String,  # as of the crude estimate of the same area and period
    }
)


def expectations(release: Release, indicator: Indicator, of_areas: Sequence[Area], period: Period) -> pl.DataFrame:
    """Indirectly standardised ratios of areas in one period, with the columns of EXPECTATIONS, in the given order.

    Age and sex are counted as finely as the release holds them. Compare each area with the country (100) only: two
    ratios rest on two age structures. The country's own rates are taken as known. Source: `rates.indirect_ratio`,
    which is `rates.crude_rate` on expected events, with the clustering of the indicator counted in. Raises QueryError
    for figures that are no rates of the cube.
    """
    if indicator.kind != "rate" or indicator.numerator.definition.table != "cube":
        raise QueryError(f"{indicator.id} has no expectation: only rates by age and sex have.")
    (country,) = areas(release, "country", of_areas[0].map_id)
    query = Query(indicator, (country, *of_areas), (period,))
    grid = Grid.of(release, query)
    events, people = (
        tally(release, query, grid, count)[:, 0, 0] for count in (indicator.numerator, indicator.denominator)
    )
    expected = rates.expected_events(people[1:], events[0], people[0])
    noise = rounding_noise(release, query).numerator[1:, 0, 0]
    found = rates.crude_rate(
        events[1:].sum(axis=-1),
        expected,
        100.0,
        extra_variance=noise,
        dispersion=national_clustering(release, indicator),
    )
    estimates = evaluate(release, query)[1:]
    is_there = pl.col("numerator").is_not_null() & (pl.col("status") != "undefined")
    return (
        estimates.select("indicator", "level", "area_code", "area_name", "period", "numerator", "status")
        .with_columns(expected=expected, value=found.value, lower=found.lower, upper=found.upper)
        .with_columns(pl.when(is_there).then(pl.col("expected", "value", "lower", "upper").fill_nan(None)))
        .rename({"numerator": "observed"})
        .select(list(EXPECTATIONS))
    )

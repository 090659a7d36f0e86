"""How the areas of a level lie among each other: a funnel around the country, and the place of each with its interval.

Both come from the dispersion that the verdicts rest on (`assess.level_dispersion`): an area drawn outside the outer
lines is called clearly better or worse, unless the difference is too small to matter (`smallest_difference`).
"""

import numpy as np
import polars as pl

from kpis.area import Map, areas
from kpis.assess import level_dispersion
from kpis.evaluate import Query, evaluate
from kpis.indicator import Indicator
from kpis.period import Period, breaks_within
from kpis.rates import LEVEL_95, LEVEL_998
from kpis.release import Release
from kpis.small_area import rank_intervals

FUNNEL = pl.Schema(
    {
        "area_code": pl.String,
        "area_name": pl.String,
        "size": pl.Float64,  # what the width of the funnel hangs on: expected events of a rate, trials of a share
        "value": pl.Float64,  # in the unit of the indicator, as the limits
        "reference": pl.Float64,  # the middle of the funnel, the same in every row
        "lower_95": pl.Float64,  # limits with overdispersion and rounding counted in
        "upper_95": pl.Float64,
        "lower_998": pl.Float64,
        "upper_998": pl.Float64,
        "rank": pl.Int64,  # 1 = best (lowest where neither direction is better), the median of the simulated ranks
        "rank_lower": pl.Int64,  # 95 % limits of the rank
        "rank_upper": pl.Int64,
    }
)


def level_funnel(
    release: Release, indicator: Indicator, level: str, map_id: Map, period: Period, *, standardised: bool = False
) -> pl.DataFrame:
    """Return the columns of FUNNEL, one row per area with a value, in Danish alphabetical order.

    Empty for kinds without an interval and for a period that runs across a break in the data: nothing is judged there,
    and no place is given either. Ranks are simulated after shrinkage (`small_area.rank_intervals`).
    """
    query = Query(indicator, areas(release, level, map_id), (period,), standardised=standardised)
    estimates = evaluate(release, query)
    dispersion = level_dispersion(release, query, estimates)
    if dispersion is None or breaks_within(period.first, period.last):
        return pl.DataFrame(schema=FUNNEL)
    unit = indicator.per
    if indicator.kind == "rate":
        whole = Query(indicator, areas(release, "country", map_id), (period,), standardised=standardised)
        unit = evaluate(release, whole)["value"].cast(pl.Float64).fill_null(np.nan)[0]
    placing = rank_intervals(dispersion.y, dispersion.standard_error, indicator.better)
    limits = {
        f"{end}_{name}": line * unit
        for name, level_of_limit in (("95", LEVEL_95), ("998", LEVEL_998))
        for end, line in zip(("lower", "upper"), dispersion.limits(level_of_limit), strict=True)
    }
    events, at_risk, value = (
        estimates[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("numerator", "denominator", "value")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = events / value * unit if query.standardised else at_risk * unit / indicator.per
    frame = pl.DataFrame(
        {
            "area_code": estimates["area_code"],
            "area_name": estimates["area_name"],
            "size": expected if indicator.kind == "rate" else at_risk,
            "value": value,
            "reference": np.full(value.shape, dispersion.reference[0] * unit),
            **limits,
            "rank": placing.rank,
            "rank_lower": placing.lower,
            "rank_upper": placing.upper,
        },
        nan_to_null=True,
    )
    ranks = pl.col("rank", "rank_lower", "rank_upper").cast(pl.Int64)
    return frame.with_columns(ranks).match_to_schema(FUNNEL).drop_nulls(["value", "size", "rank"])

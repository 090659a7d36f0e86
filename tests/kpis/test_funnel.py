"""Funnel and places agree with the verdicts, and with each other."""

import polars as pl
import pytest

from kpis.area import areas
from kpis.assess import assess_level
from kpis.evaluate import Query, evaluate, newest_period
from kpis.funnel import FUNNEL, level_funnel
from kpis.indicator import load_indicators
from kpis.period import Period
from kpis.potential import potentials, target_ratio

INDICATORS = load_indicators()
PREVENTABLE = INDICATORS["preventable_admissions_65plus"]
READMISSIONS = INDICATORS["readmissions_30d"]


@pytest.mark.parametrize(
    ("indicator", "standardised"), [(PREVENTABLE, True), (PREVENTABLE, False), (READMISSIONS, False)]
)
def test_beyond_the_outer_lines_lie_those_that_are_clearly_better_or_worse(country, indicator, standardised) -> None:
    asked = (country, indicator, "municipality", "2024", newest_period(country))
    found = level_funnel(*asked, standardised=standardised)
    assert found.schema == FUNNEL
    estimates, verdicts = assess_level(*asked, standardised=standardised)
    verdict = dict(zip(estimates["area_code"], verdicts.id, strict=True))
    for row in found.iter_rows(named=True):
        is_inside = row["lower_998"] <= row["value"] <= row["upper_998"]
        assert not verdict[row["area_code"]].startswith("much_") or not is_inside
        if row["lower_95"] <= row["value"] <= row["upper_95"]:
            assert verdict[row["area_code"]] in ("as_expected", "cannot_tell", "not_assessed")


def test_the_middle_is_the_country_and_small_areas_have_wide_limits(country) -> None:
    period = newest_period(country)
    found = level_funnel(country, PREVENTABLE, "municipality", "2024", period, standardised=True).sort("size")
    (whole,) = areas(country, "country", "2024")
    value = evaluate(country, Query(PREVENTABLE, (whole,), (period,), standardised=True))["value"][0]
    assert found["reference"].to_list() == pytest.approx([value] * found.height)
    width = (found["upper_95"] - found["lower_95"]).to_list()
    assert width[0] > 2 * width[-1]


def test_a_place_is_an_interval_around_its_rank_and_the_lowest_come_first(country) -> None:
    found = level_funnel(country, PREVENTABLE, "municipality", "2024", newest_period(country), standardised=True)
    assert (
        found.filter((pl.col("rank_lower") <= pl.col("rank")) & (pl.col("rank") <= pl.col("rank_upper"))).height == 98
    )
    assert found["rank_lower"].min() == 1 and found["rank_upper"].max() == 98
    large = found.sort("size", descending=True).head(20).sort("value")
    assert large["rank"].to_list() == sorted(large["rank"].to_list())


def test_where_nothing_is_judged_there_is_no_place(country) -> None:
    occupancy = INDICATORS["acute_place_occupancy"]
    assert level_funnel(country, occupancy, "municipality", "2024", newest_period(country)).is_empty()


def test_the_ratio_of_the_best_fifth_is_below_that_of_the_median_and_of_the_country(country) -> None:
    period = newest_period(country)
    best, median = (target_ratio(potentials(country, PREVENTABLE, period, one)) for one in ("best_fifth", "median"))
    assert best <= median
    assert 0.5 < best <= 1.0
    assert target_ratio(potentials(country, PREVENTABLE, period, "own_best")) is None


def test_potentials_of_areas_of_the_other_map_add_up_to_the_same_country(country) -> None:
    period = Period.from_id("2024")
    old, new = (
        potentials(country, PREVENTABLE, period, level="region", map_id=map_id)["potential"].sum()
        for map_id in ("2024", "2027")
    )
    assert old == pytest.approx(new, rel=0.02)

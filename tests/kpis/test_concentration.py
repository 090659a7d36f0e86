"""Where a difference lies: by hand, and on a release the parts add up to what evaluate shows."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis import period as period_module
from kpis.area import areas, find_area
from kpis.concentration import PARTS, additive, by_product, by_structure, explain
from kpis.evaluate import Query, QueryError, evaluate, newest_period
from kpis.indicator import load_indicators
from kpis.period import Break, Period
from tests.helpers import build_release

INDICATORS = load_indicators()
PREVENTABLE = INDICATORS["preventable_admissions_65plus"]


def test_one_condition_can_be_more_than_the_whole_difference() -> None:
    found = additive([10.0, 5.0, 1.0], [4.0, 6.0, 2.0])
    assert found.whole == 4
    assert found.shares == pytest.approx([1.5, -0.25, -0.25])
    assert found.fewest() == 1


def test_the_fewest_parts_that_make_four_fifths() -> None:
    assert additive([5.0, 3.0, 1.0, 1.0], [0.0, 0, 0, 0]).fewest() == 2
    assert np.isnan(additive([1.0, 2.0], [2.0, 1.0]).fewest())


def test_equal_rates_at_every_age_leave_the_structure_alone() -> None:
    """Both have 10 and 100 per 1,000; one has 900 young and 100 old, the other half of each."""
    found = by_structure([9, 10], [900, 100], [5, 50], [500, 500])
    assert found.whole == pytest.approx(19 - 55)
    assert found.parts == pytest.approx([19 - 55, 0, 0])


def test_equal_structures_leave_the_rates_alone() -> None:
    found = by_structure([20, 10], [500, 500], [10, 10], [500, 500])
    assert found.parts == pytest.approx([0, 10, 0])


def test_an_age_that_only_one_side_has_is_structure() -> None:
    found = by_structure([10, 20], [500, 500], [20, 0], [1000, 0])
    assert found.whole == pytest.approx(10)
    assert found.parts == pytest.approx([10, 0, 0])


COUNT = st.tuples(st.integers(0, 50), st.integers(1, 5000), st.integers(0, 50), st.integers(1, 5000))


@given(st.lists(COUNT, min_size=1, max_size=6))
def test_the_parts_always_add_up_to_the_difference_of_the_rates(strata) -> None:
    o, n, ref_o, ref_n = (np.array(column, dtype=float) for column in zip(*strata, strict=True))
    found = by_structure(o, n, ref_o, ref_n)
    assert found.parts.sum() == pytest.approx(1000 * (o.sum() / n.sum() - ref_o.sum() / ref_n.sum()), abs=1e-6)


def test_bed_days_differ_by_admissions_and_by_their_length() -> None:
    """60 × 5 days against 50 × 4: 100 days, of which 45 by number and 55 by length."""
    found = by_product(60, 5, 50, 4)
    assert found.whole == 100
    assert found.parts == pytest.approx([45, 55])


def test_the_rows_of_each_dimension_add_up_to_the_difference_shown(country) -> None:
    period = newest_period(country)
    area, whole = find_area(country, "København", "2024", "municipality"), areas(country, "country", "2024")[0]
    found = explain(country, PREVENTABLE, area, whole, period)
    assert found.schema == PARTS
    value = evaluate(country, Query(PREVENTABLE, (area, whole), (period,)))["value"]
    for dimension in ("group", "age"):
        parts = found.filter(dimension=dimension)
        assert parts["difference"].sum() == pytest.approx(value[0] - value[1])
    assert set(found.filter(dimension="group")["part"]) == set(PREVENTABLE.group_ids)
    assert found.filter(dimension="age")["part"].to_list()[:2] == ["structure", "65"]
    assert found.filter(dimension="short_stay").height == 1


def test_an_area_against_itself_has_no_shares(country) -> None:
    area = areas(country, "country", "2024")[0]
    found = explain(country, PREVENTABLE, area, area, newest_period(country))
    assert found["difference"].to_list() == pytest.approx([0] * found.height)
    assert found["share"].is_null().all()


def test_without_lengths_of_stay_there_are_no_bed_days(tmp_path) -> None:
    release = build_release(tmp_path, length_of_stay=[])
    one, other = areas(release, "region", "2024")[:2]
    found = explain(release, PREVENTABLE, one, other, newest_period(release))
    assert found.filter(dimension="length_of_stay").is_empty() and not found.is_empty()


def test_longer_stays_in_a_region_show_as_length(tmp_path) -> None:
    lengths = [
        (region, 2025, 65, group, 100, 700 if region == "1081" else 500)
        for region in ("1081", "1082", "1083", "1084", "1085")
        for group in PREVENTABLE.group_ids
    ]
    release = build_release(tmp_path, length_of_stay=lengths)
    north, whole = find_area(release, "nordjylland", "2024", "region"), areas(release, "country", "2024")[0]
    found = explain(release, PREVENTABLE, north, whole, newest_period(release)).filter(dimension="length_of_stay")
    parts = dict(found.select("part", "difference").iter_rows())
    assert parts["length_of_stay"] > 50  # nearly two days more for each of some sixty admissions


def test_a_period_across_a_break_is_not_taken_apart(country, monkeypatch) -> None:
    """The same question in the same release, with a break in the middle of the year."""
    area, (whole,) = find_area(country, "Hjørring", "2024"), areas(country, "country", "2024")
    year = Period.from_id("2024")
    assert explain(country, PREVENTABLE, area, whole, year).height > 0
    change = Break("change", date(2024, 7, 1), "Ny optælling.", "A new way to count.")
    monkeypatch.setattr(period_module, "BREAKS", (change,))
    assert explain(country, PREVENTABLE, area, whole, year).is_empty()


@pytest.mark.parametrize("name", ["readmissions_30d", "days_after_ready"])
def test_only_rates_by_age_and_diagnosis_can_be_taken_apart(country, name) -> None:
    area = areas(country, "country", "2024")[0]
    with pytest.raises(QueryError, match="taken apart"):
        explain(country, INDICATORS[name], area, area, newest_period(country))

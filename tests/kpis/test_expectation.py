"""Observed against expected, on countries small enough to count by hand."""

from datetime import date

import polars as pl
import pytest

from kpis import reference
from kpis.area import areas
from kpis.evaluate import QueryError
from kpis.expectation import EXPECTATIONS, expectations
from kpis.indicator import find_indicator
from kpis.period import Period
from tests.helpers import memberships, tiny_release

HIP = find_indicator("hip_fractures_65plus")
YEAR = Period.from_id("2025")
OLD, OLDER = 65, 80
PERSONS = {"0101": {OLD: 1000, OLDER: 100}, "0860": {OLD: 200, OLDER: 400}}
EVENTS = {"0101": {OLD: 10, OLDER: 5}, "0860": {OLD: 2, OLDER: 20}}


@pytest.fixture
def release(tmp_path):
    """Two municipalities whose men of 65–69 break 10 in 1,000 a year, those of 80–84 25 in 500."""
    quarters = [date(2025, month, 1) for month in (1, 4, 7, 10)]
    months = [date(2025, month, 1) for month in range(1, 13)]
    population = [
        (code, quarter, 1, age, persons)
        for code, ages in PERSONS.items()
        for age, persons in ages.items()
        for quarter in quarters
    ]
    cube = [
        (code, months[0], 1, age, "prevention.hip_fracture", n, n, n, 0, 0, 0)
        for code, ages in EVENTS.items()
        for age, n in ages.items()
    ]
    coverage = [
        (kind, code, months[0], months[-1]) for kind in ("lpr_contacts", "population") for code in reference_codes()
    ]
    everywhere = [
        (code, quarter, 1, OLD, 0) for code in reference_codes() if code not in PERSONS for quarter in quarters
    ]
    return tiny_release(
        tmp_path,
        manifest={"data_from": "2025-01-01", "as_of": "2026-01-01", "provisional_from": "2026-01-01"},
        area=reference.areas(),
        membership=memberships(),
        population=population + [(*row[:4], 1) for row in everywhere],
        cube=cube,
        coverage=coverage,
    )


def reference_codes() -> list[str]:
    municipalities = reference.areas().filter(pl.col("level") == "municipality")
    return municipalities["area_code"].unique().sort().to_list()


def found(release, *codes: str) -> list[dict]:
    known = {area.code: area for level in ("municipality", "country") for area in areas(release, level, "2024")}
    return expectations(release, HIP, [known[code] for code in codes], YEAR).rows(named=True)


def test_expected_is_what_the_countrys_rates_by_age_would_give(release):
    # Rates of the country: 12 events on 1,200 + 96 persons of 65–69, 25 on 500 of 80–84.
    young, old = 12 / 1296, 25 / 500
    (hjoerring,) = found(release, "0860")
    expected = 200 * young + 400 * old
    assert hjoerring["observed"] == 22
    assert hjoerring["expected"] == pytest.approx(expected)
    assert hjoerring["value"] == pytest.approx(100 * 22 / expected)
    assert hjoerring["lower"] < hjoerring["value"] < hjoerring["upper"]


def test_the_country_is_100_and_what_is_expected_adds_up_to_what_is_observed(release):
    codes = reference_codes()
    (country,) = found(release, "DK")
    assert country["value"] == pytest.approx(100)
    assert sum(row["expected"] for row in found(release, *codes)) == pytest.approx(country["observed"])


def test_old_people_alone_make_no_index(release):
    # Hjørring has 3.7 % events where København has 1.4 %, and yet as many as its ages give.
    copenhagen, hjoerring = found(release, "0101", "0860")
    assert hjoerring["lower"] < 100 < hjoerring["upper"]
    assert copenhagen["lower"] < 100 < copenhagen["upper"]


def test_a_month_that_was_not_delivered_gives_no_expectation(release):
    known = {area.code: area for area in areas(release, "municipality", "2024")}
    (row,) = expectations(release, HIP, [known["0860"]], Period.from_id("2024")).rows(named=True)
    assert row["status"] == "not_received"
    assert (row["observed"], row["expected"], row["value"]) == (None, None, None)


def test_the_columns_are_those_of_the_contract(country):
    of_areas = areas(country, "region", "2024")
    frame = expectations(country, find_indicator("preventable_admissions_65plus"), of_areas, YEAR)
    assert frame.schema == EXPECTATIONS
    assert frame["area_name"].to_list() == [area.name for area in of_areas]


def test_a_figure_without_age_and_sex_has_none(country):
    with pytest.raises(QueryError, match="only rates by age and sex"):
        expectations(country, find_indicator("days_after_ready"), areas(country, "region", "2024"), YEAR)

"""What the page of an indicator says of a release."""

import re

import pytest

from kpis.explanation import describe, number, statistics
from kpis.indicator import LANGUAGES, load_indicators
from kpis.page import newest_lines, official_lines
from kpis.price import section_238_amount
from tests.helpers import build_release

INDICATORS = load_indicators()


def test_days_after_ready_are_told_with_what_they_cost(country) -> None:
    value, cost = newest_lines(country, INDICATORS["days_after_ready"], "da")
    assert value.startswith("oktober 2024 – september 2025: ")
    assert re.fullmatch(
        r"Dagene koster kommunerne \d+–\d+ mio\. kr\. efter lofterne i Sundhedsloven § 238 \(2016-priser\), alt .+",
        cost,
    )


def test_what_days_cost_lies_between_the_price_of_the_first_and_of_the_later_days() -> None:
    assert section_238_amount(10) == (10 * 3952, 10 * 5928, 2016)
    assert section_238_amount(0)[:2] == (0, 0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_of_others_stand_beside_ours_with_the_difference_and_its_reasons(tmp_path, language) -> None:
    figures = [
        ("preventable_admissions_65plus", level, code, year, None, None, value, "esundhed")
        for level, code, value in (("municipality", "0101", 60.0), ("country", "DK", 70.0))
        for year in ("2023", "2024")
    ]
    release = build_release(tmp_path, official_figure=figures)
    lines = official_lines(release, INDICATORS["preventable_admissions_65plus"], language)
    assert len([line for line in lines if "eSundhed" in line]) == 2
    assert (
        "2024" in lines[0]
        and ("Hele landet" if language == "da" else "Whole country") in lines[0]
        and ("70,0" if language == "da" else "70.0") in lines[0]
    )
    assert ("uden for vores interval" if language == "da" else "outside our interval") in lines[0]
    assert any(("trukket på hver sin dag" if language == "da" else "drawn on different days") in line for line in lines)


def test_without_figures_of_others_nothing_is_said(country) -> None:
    assert official_lines(country, INDICATORS["hip_fractures_65plus"], "da") == []


def test_readmissions_name_the_diagnoses_that_are_left_out_and_how_sure_they_are() -> None:
    page = describe(INDICATORS["readmission_copd"], "en", [])
    codes = page.partition("Diagnosis codes (SKS)")[2].partition("Statistics")[0]
    assert re.findall(r"Code list: (\w+), version 1, not confirmed by an official source\.", codes) == [
        "chronic",
        "exclusion",
    ]
    assert "- Cancer: DC0 DC1" in codes
    assert "exclusion" not in describe(INDICATORS["copd_admissions_18plus"], "en", [])


@pytest.mark.parametrize("indicator", INDICATORS.values(), ids=INDICATORS)
def test_the_calculation_tells_who_is_counted_where_the_counts_know_it(indicator) -> None:
    calculation = describe(indicator, "en", []).partition("\nCalculation\n")[2].partition("\nCounted\n")[0]
    told = " ".join(calculation.split())
    knows_ages = any(measure.table in ("cube", "population") for measure in indicator.measures)
    assert (" aged " in told or "all ages" in told) == knows_ages
    assert ("with a diagnosis of the code list" in told) == (indicator.group_ids != ("all",))
    assert ("but those of the code list" in told) == bool(indicator.left_out_ids)


def test_only_counts_of_persons_are_said_to_be_rounded() -> None:
    rounded = {name for name, one in INDICATORS.items() if "rounded to protect persons" in statistics(one, "en")}
    exact = {name for name, one in INDICATORS.items() if "are not rounded" in statistics(one, "en")}
    assert exact == {"acute_place_capacity", "acute_place_days_over_capacity"}
    of_statbank = {name for name, one in INDICATORS.items() if one.is_yearly}
    assert "home_nursing_65plus" in of_statbank
    assert set(INDICATORS) - rounded - exact == of_statbank | {"common_goals_on_track"}


def test_a_difference_that_rounds_to_nothing_has_no_sign() -> None:
    assert number(-0.04, 1, "da") == "0,0"
    assert number(-1234.56, 1, "da") == "-1.234,6"

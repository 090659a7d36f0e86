"""What the page of an indicator says of a release."""

import re

import pytest

from kpis.indicator import LANGUAGES, load_indicators
from kpis.page import newest_lines, official_lines
from kpis.price import section_238_amount
from tests.helpers import build_release

INDICATORS = load_indicators()


def test_days_after_ready_are_told_with_what_they_cost(country) -> None:
    value, cost = newest_lines(country, INDICATORS["days_after_ready"], "da")
    assert value.startswith("oktober 2024 – september 2025: ")
    assert re.fullmatch(
        r"Dagene svarer til \d+–\d+ mio\. kr\. for kommunerne \(Sundhedsloven § 238, 2016-priser\)\.", cost
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

"""Against what was expected: by hand, and how often nothing is taken for something."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from kpis.area import areas
from kpis.evaluate import QueryError
from kpis.indicator import load_indicators
from kpis.period import Period
from kpis.relief import RELIEF, against_expected, drift_variance, relief, whole_years
from tests.helpers import DATA_FROM, build_release, tiny_release

INDICATORS = load_indicators()
PREVENTABLE, NURSING = INDICATORS["preventable_admissions_65plus"], INDICATORS["home_nursing_65plus"]
YEAR = Period.from_id("2025")


def test_expected_is_the_own_level_moved_on_with_the_others_and_the_own_ageing() -> None:
    # Two ages. The others fall by a tenth in the first and stay in the second; the own citizens move into the second.
    events = np.array([[[60, 60], [50, 80]], [[100, 200], [90, 200]]], dtype=float)  # [municipality, year, age]
    people = np.array([[[1000, 500], [900, 600]], [[2000, 1000], [2000, 1000]]], dtype=float)
    alone, known = np.array([[True, False]]), np.array([True, True])
    observed, expected, variance = against_expected(events, people, alone, known, np.zeros((1, 2)))
    # At the others' rates: 1000·0.05 + 500·0.2 = 150 before, 900·0.045 + 600·0.2 = 160.5 after; own level 120 of 150.
    assert observed.tolist() == [130.0]
    assert expected[0] == pytest.approx(120 * 160.5 / 150)
    assert variance[0] == pytest.approx(130 + (160.5 / 150) ** 2 * 120)
    clustered = against_expected(events, people, alone, known, np.array([[10.0, 20.0]]), dispersion=1.5)[2]
    assert clustered[0] == pytest.approx(1.5 * variance[0] + 20 + (160.5 / 150) ** 2 * 10)


def test_the_country_has_only_itself_and_its_ageing() -> None:
    events = np.array([[[60, 60], [1, 2]]], dtype=float)
    people = np.array([[[1000, 500], [900, 600]]], dtype=float)
    _, expected, _ = against_expected(events, people, np.array([[True]]), np.array([True]), np.zeros((1, 2)))
    assert expected[0] == pytest.approx(900 * 0.06 + 600 * 0.12)


def test_a_municipality_without_both_years_is_no_part_of_the_rest() -> None:
    events = np.array([[[100], [100]], [[50], [50]], [[500], [0]]], dtype=float)
    people = np.full((3, 2, 1), 1000.0)
    first = np.array([[True, False, False]])
    _, expected, _ = against_expected(events, people, first, np.array([True, True, False]), np.zeros((1, 2)))
    assert expected[0] == pytest.approx(100)


@pytest.mark.parametrize("drift", [0.0, 0.08])
def test_of_municipalities_without_an_effect_about_one_in_twenty_lies_outside(drift: float) -> None:
    rng = np.random.default_rng(7)
    people = np.repeat(rng.lognormal(9, 0.8, 98)[:, None, None], 2, axis=1)
    outside = []
    for _ in range(60):
        level = 0.06 * rng.lognormal(0, 0.1, (98, 1, 1)) * rng.lognormal(0, drift / np.sqrt(2), (98, 2, 1))
        events = rng.poisson(people * level * np.array([1.0, 0.95])[:, None]).astype(float)
        known = np.ones(98, dtype=bool)
        observed, expected, variance = against_expected(
            events, people, np.eye(98, dtype=bool), known, np.zeros((98, 2))
        )
        tau2 = drift_variance(observed, expected, variance)
        half = 1.96 * np.sqrt(variance + tau2 * expected**2)
        outside.append(np.mean(np.abs(observed - expected) > half))
    assert 0.03 < np.mean(outside) < 0.07


def test_an_effect_is_found(tmp_path) -> None:
    """A fourth of the preventable admissions of Hjørring taken away in the second year."""
    release = build_release(tmp_path, seed=3)
    cube = release.sql("select * from cube")
    is_there = (pl.col("municipality_code") == "0860") & (pl.col("month") >= date(2025, 1, 1))
    fewer = pl.when(is_there).then(pl.col("n_acute") * 3 // 4).otherwise("n_acute").alias("n_acute")
    manifest = {"provisional_from": "2026-01-01", "data_from": DATA_FROM.isoformat(), "as_of": "2026-01-01"}
    tables = ("area", "membership", "population", "standard_population", "diagnosis_group", "coverage", "welfare")
    given = {name: release.sql(f"select * from {name}") for name in tables}
    release = tiny_release(tmp_path, "v20260115T030000Z-effect", manifest, cube=cube.with_columns(fewer), **given)
    rows = relief(release, PREVENTABLE, areas(release, "municipality", "2024"), YEAR)
    assert rows.schema == RELIEF
    (hjoerring,) = rows.filter(area_code="0860").iter_rows(named=True)
    assert hjoerring["upper"] < 0
    assert hjoerring["difference"] == pytest.approx(hjoerring["observed"] - hjoerring["expected"])
    assert hjoerring["base"] == "2023"
    assert rows.filter(pl.col("upper") < 0).height <= 6


def test_the_base_is_the_first_whole_year_and_the_others_are_later(country) -> None:
    assert [year.id for year in whole_years(country)] == ["2023", "2024"]  # 2025 is provisional to its end
    everywhere = areas(country, "municipality", "2024")
    with pytest.raises(QueryError, match=r"2023 cannot be held against a base year. Possible: 2024"):
        relief(country, PREVENTABLE, everywhere, Period.from_id("2023"))
    with pytest.raises(QueryError, match="only rates"):
        relief(country, INDICATORS["days_after_ready"], everywhere, Period.from_id("2024"))


def test_care_has_the_same_columns_and_faces_of_missing(country, tmp_path) -> None:
    year = Period.from_id("2024")
    rows = relief(country, NURSING, areas(country, "region", "2024"), year)
    assert rows["status"].to_list() == ["ok"] * 5
    assert (rows["lower"] < rows["difference"]).all() and (rows["difference"] < rows["upper"]).all()
    welfare = country.sql("select * from welfare").filter(
        (pl.col("municipality_code") != "0860") | (pl.col("period") != "2024")
    )
    release = build_release(tmp_path, welfare=welfare)
    rows = relief(release, NURSING, areas(release, "municipality", "2024"), year)
    (hjoerring,) = rows.filter(area_code="0860").iter_rows(named=True)
    assert (hjoerring["status"], hjoerring["observed"], hjoerring["upper"]) == ("not_received", None, None)
    assert set(rows.filter(pl.col("area_code") != "0860")["status"]) == {"ok"}

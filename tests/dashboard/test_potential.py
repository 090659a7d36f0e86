"""Potentiale: the figures are those of kpis, the total counts a diagnosis once, and chance is not sold."""

import io
import re
from datetime import date

import polars as pl
import pytest
from dash import html
from polars.testing import assert_frame_equal

from dashboard import readings, sentence
from dashboard.potentials import (
    admission_indicators,
    admissions_together,
    area_potential,
    beside_indicators,
    goal_targets,
    potential_rows,
)
from dashboard.selection import AreaRef, Selection, catalogue
from dashboard.words import load_words
from kpis.area import levels
from kpis.indicator import LANGUAGES, load_indicators
from kpis.potential import REFERENCES, potentials, union_potential
from tests.dashboard.conftest import figure, shown, table_rows, text_of, walk
from tests.helpers import build_release

WORDS = load_words("da")
HJOERRING = AreaRef("municipality", "hjoerring")
NORDJYLLAND = AreaRef("kkr", "nordjylland")


def address(**choices) -> str:
    return Selection(page="potential", **choices).to_url()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("area", [None, HJOERRING, NORDJYLLAND])
def test_every_reference_can_be_shown(country_data, reference, area, lang) -> None:
    view = shown(country_data, address(area=area, reference=reference, lang=lang))
    assert len([part for part in walk(view.content) if isinstance(part, html.H1)]) == 1


def test_the_country_is_named_as_in_a_sentence(country_data) -> None:
    view = shown(country_data, address())
    assert "Lå hele landet som" in text_of(view.content)


@pytest.mark.parametrize(("map_id", "level"), [(m, level) for m in ("2024", "2027") for level in levels(m)])
def test_every_level_of_both_maps_can_be_shown(country, country_data, map_id, level) -> None:
    area = catalogue(country).areas[map_id, level][0]
    ref = AreaRef(level, "" if level == "country" else area.slug)
    shown(country_data, address(area=ref, map=map_id))


def test_the_rows_are_those_of_kpis_and_the_total_is_no_sum_of_them(country, country_data) -> None:
    cells = table_rows(figure(shown(country_data, address(area=NORDJYLLAND)).content, "potentiale"))
    period = readings.latest_period(country)
    code = catalogue(country).area(NORDJYLLAND, "2024").code
    rows = {
        item.da.short_name: potentials(country, item, period, level="kkr").row(
            by_predicate=pl.col("area_code") == code, named=True
        )
        for item in admission_indicators()
    }
    total, _ = union_potential(country, list(admission_indicators()), period, level="kkr")
    rows[WORDS("potential.total")] = total.row(by_predicate=pl.col("area_code") == code, named=True)
    assert set(cells) == set(rows)
    for name, row in rows.items():
        value, lower, upper = sentence.amounts(row["potential"], row["lower"], row["upper"])
        assert cells[name][1] == f"{WORDS.number(value)} ({WORDS.interval(lower, upper)})"


def test_a_share_of_the_distance_is_that_share_of_the_potential(country) -> None:
    area = catalogue(country).area(NORDJYLLAND, "2024")
    period = readings.latest_period(country)
    whole, half = (
        area_potential(country, "preventable_admissions_65plus", area, period, "best_fifth", share)
        for share in (1.0, 0.5)
    )
    assert whole["potential"] > 0
    assert half["potential"] == pytest.approx(whole["potential"] / 2)


def test_the_address_keeps_the_share_and_refuses_others(country_data) -> None:
    text = text_of(shown(country_data, address(area=NORDJYLLAND, capture=50)).content)
    assert "Hvis 50\u00a0% af afstanden vindes:" in text
    wrong = shown(country_data, "/potentiale?andel=120")
    assert any(getattr(part, "className", None) == "notices" for part in walk(wrong.content))


def test_an_area_that_is_there_in_all_says_so_and_what_its_rows_have_all_the_same(country, country_data) -> None:
    period = readings.latest_period(country)
    found, _ = admissions_together(country, "municipality", "2024", period, "best_fifth", 1.0)
    best = min(found.values(), key=lambda row: row["potential"])
    assert best["potential"] == 0
    area = next(a for a in catalogue(country).areas["2024", "municipality"] if a.code == best["area_code"])
    by_row = {
        item.da.short_name: area_potential(country, item.id, area, period, "best_fifth", 1.0)
        for item in (*admission_indicators(), *beside_indicators())
    }
    found_some = {name: row for name, row in by_row.items() if row["status"] == "ok" and row["potential"] >= 0.5}
    sure = {
        name
        for name, row in found_some.items()
        if sentence.amounts(row["potential"], row["lower"], row["upper"])[1] > 0
    }
    assert found_some
    text = text_of(shown(country_data, address(area=AreaRef("municipality", area.slug))).content)
    assert f"Under ét ligger {area.name} allerede som den bedste femtedel af kommunerne" in text
    told = text[text.index("Under ét ligger") :][:600]
    assert all(name in told for name in sure) == (len(sure) <= 3)
    assert ("Heller ikke hver for sig" in text) == (not sure)
    assert WORDS("potential.less_together") in text and "intet potentiale at vise" not in text


def test_a_larger_area_lists_its_municipalities_in_alphabetical_order(country, country_data) -> None:
    content = shown(country_data, address(area=NORDJYLLAND)).content
    names = list(table_rows(content, "Potentiale i kommunerne i KKR Nordjylland"))
    members = catalogue(country).area(NORDJYLLAND, "2024").municipalities
    assert names == [a.name for a in catalogue(country).areas["2024", "municipality"] if a.code in members]


def test_kroner_stand_only_where_there_is_a_price_with_a_year(country_data) -> None:
    rows = table_rows(shown(country_data, address()).content, "Potentialer ved siden af")
    for name, cells in rows.items():
        days = name == load_indicators()["days_after_ready"].da.short_name
        assert bool(re.search(r"kr\. \(\d{4}-priser\)|^0 kr\.$", cells[-1])) == days
    assert set(rows) == {item.da.short_name for item in beside_indicators()}


def test_it_says_who_pays_and_who_gains(country_data) -> None:
    text = text_of(shown(country_data, address()).content)
    assert "Hvem betaler i dag" in text and "Hvem vinder, hvis det falder" in text
    assert "kommunen får ikke nødvendigvis pengene" in text


def test_the_goal_of_a_municipality_is_its_own_before_the_one_it_shares(tmp_path) -> None:
    indicator = "preventable_admissions_65plus"
    goals = [
        ("shared", indicator, "kkr", "kkr-nordjylland", "common", "long", 60.0, "2023", 50.0, date(2026, 12, 31)),
        ("own", indicator, "municipality", "0860", "own", "long", 60.0, "2023", 45.0, date(2027, 12, 31)),
    ]
    release = build_release(tmp_path, goal=goals)
    targets = goal_targets(release, indicator, readings.latest_period(release))
    assert targets["0860"] == 45.0
    assert targets["0851"] == 50.0 and len(targets) == 11


@pytest.mark.parametrize("reference", REFERENCES)
def test_the_file_holds_the_rows_of_the_page(country, country_data, client, reference) -> None:
    url = address(area=NORDJYLLAND, reference=reference, capture=50)
    block = figure(shown(country_data, url).content, "potentiale")
    links = {part.href.partition("?")[0]: part.href for part in walk(block) if isinstance(part, html.A)}
    answer = client.get(links["/fil/potentiale.parquet"])
    file = pl.read_parquet(io.BytesIO(answer.data))
    area = catalogue(country).area(NORDJYLLAND, "2024")
    rows = potential_rows(country, area, readings.latest_period(country), reference, 0.5)
    assert_frame_equal(file.select(rows.columns), rows, abs_tol=1e-5)
    assert country.id in answer.headers["Content-Disposition"]
    csv = client.get(links["/fil/potentiale.csv"]).data.decode("utf-8-sig").splitlines()
    assert len(csv) == 1 + rows.height and csv[0].startswith("indicator;level;area_code")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("/fil/potentiale.xlsx", "Allowed: parquet, csv"),
        ("/fil/potentiale.csv?omraade=k-atlantis", "omraade=k-atlantis is not known"),
        ("/fil/potentiale.csv?maalestok=bedst", "Allowed: bedste-femtedel, median, egen-bedste, maal"),
        ("/fil/potentiale.csv?andel=120", "Allowed: 100, 50, 25"),
        ("/fil/potentiale.csv?periode=hest", "periode=hest is not known. Allowed: 2024-01, 2024-Q1"),
    ],
)
def test_a_wrong_address_of_potentials_is_told_what_is_allowed(client, url, told) -> None:
    answer = client.get(url)
    assert answer.status_code == 400
    assert told in answer.text

"""Sundhed på tværs: both sides from the same release, missing with its face, and no word of cause."""

import io
import re
from datetime import date

import polars as pl
import pytest
from dash import html

from dashboard import across
from dashboard.figures.multiples import Panel, Value, multiples
from dashboard.figures.svg import NARROW, WIDE
from dashboard.pages.welfare import difference_text, direction
from dashboard.readings import area_estimate
from dashboard.selection import AreaRef, Selection, catalogue
from dashboard.words import load_words
from kpis.area import areas, levels
from kpis.indicator import LANGUAGES, find_indicator
from kpis.period import Period
from kpis.release import CONTRACT
from kpis.relief import relief
from tests.dashboard.conftest import figure, shown, table_rows, text_of, walk
from tests.helpers import build_release, tiny_release

WORDS = load_words("da")
HJOERRING = AreaRef("municipality", "hjoerring")
YEAR = Period.from_id("2024")


def address(**choices) -> str:
    return Selection(page="welfare", **choices).to_url()


def hjoerring_of(release):
    area = catalogue(release).area(HJOERRING, "2024")
    assert area is not None
    return area


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("map_id", "level"), [(m, level) for m in ("2024", "2027") for level in levels(m)])
def test_every_level_of_both_maps_can_be_shown(country, country_data, map_id, level, lang) -> None:
    area = catalogue(country).areas[map_id, level][0]
    ref = AreaRef(level, "" if level == "country" else area.slug)
    view = shown(country_data, address(area=ref, map=map_id, lang=lang))
    assert len([part for part in walk(view.content) if isinstance(part, html.H1)]) == 1
    assert "{" not in text_of(view.content)


def test_the_address_says_the_area(country_data) -> None:
    assert address() == "/paa-tvaers"
    assert address(area=HJOERRING) == "/paa-tvaers?omraade=k-hjoerring"
    assert "Hjørring" in shown(country_data, address(area=HJOERRING)).title


def test_the_twin_holds_the_estimates_of_both_sides(country, country_data) -> None:
    cells = table_rows(figure(shown(country_data, address(area=HJOERRING)).content, "paa-tvaers"))
    assert len(cells) == len(across.HOSPITAL) + len(across.MUNICIPAL)
    area = hjoerring_of(country)
    for name in (across.AVOIDED, across.CARE):
        texts = find_indicator(name).texts("da")
        row = area_estimate(country, name, area, "2024", YEAR, True)
        told = cells[f"{texts.short_name}, {texts.unit}"][1]
        assert told.startswith(WORDS.number(row["value"])[:2]) and "–" in told


def test_a_year_that_is_not_received_is_said_and_never_zero(country, tmp_path) -> None:
    welfare = country.sql("select * from welfare").filter(pl.col("statbank_table") != "HJEMSYG")
    build_release(tmp_path, welfare=welfare)
    view = shown(tmp_path, address(area=HJOERRING))
    texts = find_indicator(across.CARE).texts("da")
    cells = table_rows(figure(view.content, "paa-tvaers"))[f"{texts.short_name}, {texts.unit}"]
    assert set(cells[:3]) == {"ikke modtaget endnu; en måned i perioden er ikke leveret"}
    assert set(cells[3:]) == {"ikke modtaget endnu"}
    said = text_of(view.content)
    assert "Hjemmesygeplejen kan ikke holdes op mod det ventede (ikke modtaget endnu)." in said
    assert "ikke vurderet" in said


def test_the_key_figure_is_that_of_kpis(country, country_data) -> None:
    area = hjoerring_of(country)
    view = shown(country_data, address(area=area and HJOERRING))
    rows = table_rows(view.content, "Talt og ventet")
    for name in across.compared_indicators():
        of_all = relief(country, find_indicator(name), areas(country, "municipality", "2024"), YEAR)
        (row,) = of_all.filter(area_code="0860").iter_rows(named=True)
        cells = rows[f"{find_indicator(name).texts('da').short_name} 2024"]
        assert cells[0] == WORDS(f"welfare.word_{direction(row)}")
        assert cells[2:] == [WORDS.number(row["observed"]), WORDS.number(row["expected"])]


def test_a_difference_is_told_as_fewer_or_more_and_agrees_with_what_stands_beside_it() -> None:
    unsure = {"status": "ok", "difference": -7.4, "lower": -128.0, "upper": 117.0}
    assert difference_text(unsure, WORDS) == "7 færre (130 færre til 115 flere)"
    assert difference_text(unsure | {"lower": -13.0, "upper": -2.0}, WORDS) == "7 færre (2–13)"
    assert difference_text(unsure | {"difference": 18.0, "lower": 4.0, "upper": 33.0}, WORDS) == "18 flere (4–33)"


@pytest.mark.parametrize(
    ("lower", "upper", "status", "told"),
    [
        (-20.0, -1.0, "ok", "fewer"),
        (-20.0, 1.0, "ok", "same"),
        (1.0, 20.0, "ok", "more"),
        (None, None, "not_received", "unknown"),
    ],
)
def test_a_difference_is_only_told_where_the_interval_leaves_no_doubt(lower, upper, status, told) -> None:
    assert direction({"lower": lower, "upper": upper, "status": status}) == told


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_conclusion_says_that_nothing_follows_from_it(country_data, lang) -> None:
    said = {"da": "siger ikke, at det ene skyldes det andet", "en": "do not say that one is due to the other"}[lang]
    for area in (None, HJOERRING, AreaRef("kkr", "nordjylland")):
        assert said in text_of(shown(country_data, address(area=area, lang=lang)).content)


def test_a_release_of_one_year_has_no_base_and_says_so(country, tmp_path) -> None:
    tables = {name: country.sql(f"select * from {name}") for name in CONTRACT["tables"] if name != "manifest"}
    tiny_release(tmp_path, manifest={"data_from": "2024-01-01"}, **tables)
    said = text_of(shown(tmp_path, address(area=HJOERRING)).content)
    assert "der skal to hele år til" in said
    assert "Forebyggelige indlæggelser 65+" in said, "the figures themselves are there"


def test_the_file_holds_every_year_and_figure(client, country) -> None:
    answer = client.get("/fil/paa-tvaers.parquet?omraade=k-hjoerring")
    assert answer.status_code == 200
    table = pl.read_parquet(io.BytesIO(answer.data))
    assert table["indicator"].to_list() == list(across.compared_indicators())
    assert set(table["area_code"]) == {"0860"} and set(table["release"]) == {country.id}
    assert client.get("/fil/paa-tvaers.csv").status_code == 200
    for wrong in ("/fil/paa-tvaers.pdf", "/fil/paa-tvaers.csv?omraade=k-findes-ikke"):
        assert client.get(wrong).status_code == 400


# --- The drawing --------------------------------------------------------------------------------------------------


def value(year: int, number: float | None) -> Value:
    limits = (None, None) if number is None else (number - 1, number + 1)
    return Value(Period.from_id(str(year)), number, *limits, f"{year}: {number}")


def drawn(panels: list[Panel], width: int = WIDE, last: date = date(2025, 12, 1)) -> str:
    return multiples([("Sygehusene", panels)], date(2023, 1, 1), last, "læst op", WORDS, width)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_years_are_lines_as_long_as_the_year_and_never_joined(width: int) -> None:
    panel = Panel("Navn", "enhed", [value(2023, 5), value(2024, 7), value(2025, None)], [value(2023, 6)])
    picture = drawn([panel], width)
    spans = [
        (float(x1), float(x2))
        for x1, x2 in re.findall(r'class="d-own-interval" x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)"', picture)
    ]
    assert len(spans) == 2 and spans[0][1] < spans[1][0]
    assert spans[0][1] - spans[0][0] == pytest.approx(spans[1][1] - spans[1][0], abs=0.2)
    assert "polyline" not in picture
    assert picture.count("ikke modtaget") == 1
    assert 'aria-label="læst op"' in picture


def test_nothing_to_draw_leaves_the_name_and_the_axis() -> None:
    picture = drawn([Panel("Navn", "enhed", [value(2023, None)], [])])
    assert "Navn" in picture and "2024" in picture and "nan" not in picture.lower()


def test_a_break_in_the_data_is_marked() -> None:
    panel = Panel("Navn", "enhed", [value(2023, 5)], [])
    assert "d-break-large" not in drawn([panel])
    assert "d-break-large" in drawn([panel], last=date(2027, 3, 1))

"""Akutpladser: a doctor finds the number, and nothing that is missing looks like nothing."""

import re
from datetime import date

import polars as pl
import pytest
from dash import html

from dashboard import readings
from dashboard.pages.acute_places import find, place_indicators
from dashboard.register import services
from dashboard.selection import AreaRef, Selection, catalogue
from dashboard.words import load_words
from kpis.area import levels
from kpis.indicator import LANGUAGES
from kpis.release import open_release
from tests.dashboard.conftest import figure, shown, table_rows, text_of, walk
from tests.helpers import build_release

WORDS = load_words("da")


def service(
    code="0860", kind="akutplads", name="Akutpladserne", phone="72 33 00 00", places=6, until=None, can=("ilt",)
):
    place = (code, kind, name, "Vej 1", phone, "hele døgnet", "egen læge", list(can), places, 90, "kommune")
    return (*place, date(2024, 1, 1), until)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A country where Hjørring has places and a team, Læsø a team only, and nobody heard from Aalborg."""
    folder = tmp_path_factory.mktemp("places")
    rows = [
        service(),
        service(kind="akutteam", name="Akutteam <Nord>", phone=None, places=None, can=("palliation",)),
        service(name="Nedlagt afsnit", until=date(2025, 6, 1)),
        service("0825", "akutteam", "Akutteam Læsø", "98 49 00 00", None),
    ]
    release = build_release(folder / "first")
    coverage = release.sql("select * from coverage").rows()
    heard = [row for row in coverage if row[0] != "services_template"]
    heard += [("services_template", code, date(2023, 1, 1), date(2025, 12, 1)) for code in ("0860", "0825", "0810")]
    build_release(folder, service=rows, coverage=heard)
    return folder


def address(**choices) -> str:
    return Selection(page="acute_places", **choices).to_url()


def numbers(view) -> dict[str, str]:
    """Address → text of the numbers that can be called."""
    links = [part for part in walk(view.content) if isinstance(part, html.A)]
    return {link.href: text_of(link) for link in links if link.href.startswith("tel:")}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("map_id", "level"), [(m, level) for m in ("2024", "2027") for level in levels(m)])
def test_every_level_can_be_shown(country, country_data, map_id, level, lang) -> None:
    area = catalogue(country).areas[map_id, level][0]
    ref = AreaRef(level, "" if level == "country" else area.slug)
    shown(country_data, address(area=ref, map=map_id, lang=lang))


def test_the_first_letters_of_a_municipality_give_a_number_to_call(data) -> None:
    view = shown(data, address(search="hjø"))
    assert numbers(view) == {"tel:72330000": "72 33 00 00"}
    text = text_of(view.content)
    for told in ("hele døgnet", "egen læge", "90 minutter", "Akutplads · 6 pladser", "telefon ikke oplyst"):
        assert told in text
    assert "Nedlagt afsnit" not in text, "a service that has ended is not offered"


def test_what_was_delivered_in_danish_is_marked_as_danish_on_the_english_page(data) -> None:
    content = shown(data, address(search="hjø", lang="en")).content
    assert "in Danish, as the municipality delivered them" in text_of(content)
    danish = {text_of(part) for part in walk(content) if getattr(part, "lang", None) == "da"}
    assert {"Akutpladserne", "hele døgnet", "egen læge"} <= danish and "90 minutes" not in danish
    assert "som kommunen har indberettet" not in text_of(shown(data, address(search="hjø")).content)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hjoerring", ["Akutpladserne", "Akutteam <Nord>"]),
        ("hjørring", ["Akutpladserne", "Akutteam <Nord>"]),
        ("860", ["Akutpladserne", "Akutteam <Nord>"]),
        ("læsø", ["Akutteam Læsø"]),
        ("akutteam", ["Akutteam <Nord>", "Akutteam Læsø"]),
        ("palliation", ["Akutteam <Nord>"]),
        ("  ", []),
        ("xyz", []),
    ],
)
def test_a_search_finds_by_municipality_then_by_name_then_by_competence(data, text, found) -> None:
    release = open_release(data)
    municipalities = catalogue(release).areas["2024", "municipality"]
    names = [row["name"] for row in find(text, municipalities, services(release))]
    assert sorted(names) == sorted(found)


@pytest.mark.parametrize(
    ("slug", "told"),
    [
        ("laesoe", "Læsø har indberettet, at der ikke er akutpladser i kommunen."),
        ("broenderslev", "Brønderslev har indberettet, at der ikke er akutte eller subakutte tilbud."),
        ("aalborg", "Aalborg har ikke indberettet sine tilbud endnu."),
    ],
)
def test_what_is_missing_says_which_way(data, slug, told) -> None:
    assert told in text_of(shown(data, address(area=AreaRef("municipality", slug))).content)


def test_a_search_without_an_answer_says_so(data) -> None:
    assert "Intet tilbud passer med “zzz”" in text_of(shown(data, address(search="zzz")).content)


def test_a_group_shows_the_services_of_all_its_municipalities(data) -> None:
    view = shown(data, address(area=AreaRef("kkr", "nordjylland")))
    assert set(numbers(view).values()) == {"72 33 00 00", "98 49 00 00"}


def test_the_figures_are_the_estimates(country, country_data) -> None:
    area = catalogue(country).area(AreaRef("kkr", "nordjylland"), "2024")
    content = shown(country_data, address(area=AreaRef("kkr", "nordjylland"))).content
    cells = table_rows(content, "Akutpladser i KKR Nordjylland")
    assert len(cells) == len(place_indicators())
    for item in place_indicators():
        own = readings.area_estimate(country, item.id, area, "2024", readings.latest_period(country), True)
        told = cells[item.da.short_name + item.da.unit][0].split(" (")[0]
        assert told == WORDS.number(own["value"], len(told.partition(",")[2]))


def test_a_municipality_without_acute_places_has_a_sentence_and_no_table_of_what_is_not_relevant(
    country, country_data
) -> None:
    capacity = readings.level_estimates(
        country, "acute_place_capacity", "municipality", "2024", readings.latest_period(country), True
    )
    code = capacity.filter(pl.col("status") == "not_relevant")["area_code"][0]
    area = next(area for area in catalogue(country).areas["2024", "municipality"] if area.code == code)
    content = shown(country_data, address(area=AreaRef("municipality", area.slug))).content
    assert f"{area.name} har ingen akutpladser i perioden" in text_of(content)
    assert "ikke relevant" not in text_of(content) and "Måned for måned" not in text_of(content)


def test_the_shares_of_who_refers_add_up(country, country_data) -> None:
    block = figure(shown(country_data, address()).content, "henvisere")
    shares = [int(re.match(r"\d+", cells[1])[0]) for cells in table_rows(block).values()]
    assert sum(shares) == pytest.approx(100, abs=2)


def test_a_register_that_never_came_is_not_received(tmp_path) -> None:
    release = build_release(tmp_path / "a")
    heard = [row for row in release.sql("select * from coverage").rows() if row[0] != "services_template"]
    build_release(tmp_path, service=[], coverage=heard)
    assert "ikke modtaget endnu" in text_of(shown(tmp_path, "/akutpladser?soeg=hj").content)

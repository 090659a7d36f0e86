"""Meeting mode: another frame around the same conclusion and the same numbers, for every page."""

import re
from dataclasses import replace

import pytest
from dash import html

from dashboard.agenda import Agenda, AgendaItem
from dashboard.agenda.kept import keep_agenda
from dashboard.components.svg import Svg
from dashboard.components.tree import first_of_class
from dashboard.components.wall import neighbours
from dashboard.figures.caterpillar import NAMED_ON_A_WALL
from dashboard.pages.carpet import MOST_ON_WALL
from dashboard.selection import AreaRef, Selection, catalogue
from dashboard.view import draw
from dashboard.words import load_words
from kpis.indicator import LANGUAGES, load_indicators
from tests.dashboard.conftest import shown, table_rows, text_of, walk

INDICATOR = "preventable_admissions_65plus"
COMPARE = f"/sammenlign/{INDICATOR}?omraade=k-hjoerring"
VIEWS = (
    "/k/hjoerring",
    "/land",
    "/kkr/nordjylland",
    "/kkr/nordjylland/overblik",
    "/kkr/hovedstaden",
    "/sundhedsraad/fyn?kort=2027",
    f"/k/hjoerring/{INDICATOR}",
    "/k/hjoerring/days_after_ready",
    f"/kkr/nordjylland/{INDICATOR}?opdeling=alder",
    COMPARE,
    f"{COMPARE}&visning=tragt",
    f"{COMPARE}&visning=kort",
    f"{COMPARE}&visning=felter",
    f"{COMPARE}&visning=tabel",
    f"/sammenlign/{INDICATOR}?gruppe=kkr-nordjylland&udsnit=gruppe",
    f"/sammenlign/{INDICATOR}?niveau=klynge",
    "/sammenlign/days_after_ready?periode=2024",
    "/potentiale?omraade=kkr-nordjylland",
    "/akutpladser?omraade=kkr-nordjylland",
    "/data",
    f"/metode/{INDICATOR}",
    "/metode",
    "/",
    "/om",
    "/tilgaengelighed",
    "/effekt/i1",
    "/paa-tvaers?omraade=k-hjoerring",
    "/api",
    "/moede",
)


def on_wall(address: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}m=1"


def of_class(part, name: str) -> str:
    return text_of(first_of_class(part, name))


def numbers_in(part) -> set[str]:
    """The numbers in a layout; each text by itself, for two cells beside each other are not one number."""
    if isinstance(part, str):
        return set(re.findall(r"\d+(?:[.,]\d+)*", part))
    below = part if isinstance(part, list | tuple) else [getattr(part, "children", None)]
    return {number for child in below if child is not None for number in numbers_in(child)}


def told_by_drawings(view, element: str) -> set[str]:
    """Values with their intervals: as marks tell them (``title``: with a name before) or as they are written (``text``)."""
    drawings = "".join(part.markup for part in walk(view.content) if isinstance(part, Svg))
    texts = re.findall(f"<{element}[^>]*>([^<]*)</{element}>", drawings)
    return {text.rpartition(": ")[2] for text in texts}


@pytest.mark.parametrize(
    ("address", "lang"), [*((address, "da") for address in VIEWS), *((address, "en") for address in VIEWS[::4])]
)
def test_the_wall_says_what_the_page_says(country_data, address: str, lang) -> None:
    address = f"{address}{'&' if '?' in address else '?'}sprog={lang}"
    page, wall = shown(country_data, address), shown(country_data, on_wall(address))
    assert wall.address.endswith("&m=1") or wall.address.endswith("?m=1")
    said = of_class(wall.content, "conclusion")
    assert said in text_of(page.content), "the conclusion is the page's own, word for word"
    cells = [part for part in walk(first_of_class(wall.content, "wall-chart")) if isinstance(part, html.Td | html.Th)]
    assert numbers_in(cells) <= numbers_in(page.content)
    on_page = told_by_drawings(page, "title") | told_by_drawings(page, "text")
    assert told_by_drawings(wall, "title") <= on_page, "every mark tells the same number"
    assert len([part for part in walk(wall.content) if isinstance(part, html.H1)]) == 1
    assert load_words(lang)("meeting.source", release="", last="").split("·")[0].strip() in text_of(wall.content)


@pytest.mark.parametrize("address", VIEWS)
def test_entering_and_leaving_changes_no_choice(country_data, address: str) -> None:
    page = shown(country_data, address)
    wall = shown(country_data, on_wall(address))
    assert replace(wall.selection, meeting=False) == page.selection
    markup = draw(country_data, *on_wall(address).partition("?")[::2]).markup
    out = re.search(r'<a [^>]*data-key="out"[^>]*href="([^"]*)"', markup)
    assert out and out[1].replace("&amp;", "&") == page.address
    entered = re.search(
        r'<a [^>]*data-key="meeting"[^>]*href="([^"]*)"', draw(country_data, *address.partition("?")[::2]).markup
    )
    assert entered and entered[1].replace("&amp;", "&") == wall.address


@pytest.mark.parametrize("address", [f"/k/hjoerring/{INDICATOR}", COMPARE, "/potentiale?omraade=kkr-nordjylland"])
def test_the_table_on_the_wall_is_the_table_of_the_page(country_data, address: str) -> None:
    page = shown(country_data, address)
    as_table = shown(country_data, on_wall(f"{address}{'&' if '?' in address else '?'}visning=tabel"))
    assert table_rows(as_table.content) == table_rows(page.content)


def test_the_table_of_an_overview_holds_its_six_rows(country_data) -> None:
    page = table_rows(shown(country_data, "/k/hjoerring").content, "Tallene bag")
    wall = table_rows(shown(country_data, "/k/hjoerring?visning=tabel&m=1").content)
    assert len(wall) == 6
    for head, cells in wall.items():
        assert page[head][: len(cells)] == cells


def test_an_overview_on_a_wall_says_what_its_marks_mean_and_of_what_is_not_drawn_nothing(country_data) -> None:
    on_page, on_the_wall = (
        text_of(first_of_class(shown(country_data, address).content, "legend"))
        for address in ("/k/hjoerring", "/k/hjoerring?m=1")
    )
    assert "den bedste femtedel" in on_the_wall and "foreløbige" not in on_the_wall
    assert on_page.startswith(on_the_wall.strip()) and "foreløbige" in on_page


@pytest.mark.parametrize("address", VIEWS)
def test_no_figure_on_a_wall_has_more_than_twelve_names(country_data, address: str) -> None:
    markup = draw(country_data, *on_wall(address).partition("?")[::2]).markup
    drawing = re.search(r'class="svg for-screen".*?</svg>', markup, flags=re.DOTALL)
    if drawing is None:
        return
    texts = re.findall(
        r'<text class="(?:d-label-ink|d-label-own|d-label-strong|d-flag-name|d-tile-name)[^>]*>([^<]*)', drawing[0]
    )
    assert len([text for text in texts if re.match(r"[^\W\d]", text)]) <= 12


def test_few_are_listed_by_name_and_many_only_at_their_ends(country_data) -> None:
    def named(address: str) -> list[str]:
        markup = draw(country_data, *on_wall(address).partition("?")[::2]).markup
        drawing = re.search(r'class="svg for-screen".*?</svg>', markup, flags=re.DOTALL)[0]
        return re.findall(r'<text class="d-label-(?:ink|own)"[^>]*>([^<\d]+)', drawing)

    few = named(f"/sammenlign/{INDICATOR}?gruppe=kkr-nordjylland&udsnit=gruppe")
    assert "Aalborg" in few and len(few) == NAMED_ON_A_WALL + 1, "eleven municipalities and the country"
    assert named(COMPARE)[:2] == ["Hele landet", "Hjørring"] and len(named(COMPARE)) <= 4


def test_a_carpet_of_many_shows_those_that_stand_out_and_counts_the_rest(country, country_data) -> None:
    wall = shown(country_data, "/land/taeppe?m=1")
    chart = first_of_class(wall.content, "wall-chart")
    rows = [row for row in walk(chart) if isinstance(row, html.Tr)]
    members = len(catalogue(country).areas["2024", "municipality"])
    left_out = re.search(r"de (\d+) kommuner", text_of(chart))
    assert left_out and len(rows) - 3 == members - int(left_out[1]) <= MOST_ON_WALL
    every = shown(country_data, "/land/taeppe?m=1&visning=tabel")
    assert len([row for row in walk(every.content) if isinstance(row, html.Tr)]) == members + 3


@pytest.mark.parametrize("level", ["kkr", "region"])
def test_a_wall_leaves_nobody_out_without_saying_how_they_are(country, country_data, level: str) -> None:
    for area in catalogue(country).areas["2024", level]:
        names = [
            one.name for one in catalogue(country).areas["2024", "municipality"] if one.code in area.municipalities
        ]
        wall = shown(country_data, f"/{level}/{area.slug}?m=1").content
        shows = set(table_rows(wall))
        others = [name for name in names if name not in shows]
        told = load_words("da")("carpet.others_named", names=load_words("da").listing(others))
        assert len(others) > 12 or told in text_of(wall) or "skiller sig mindst ud" in text_of(wall) or not others
        assert bool(others) == any(text in text_of(wall) for text in ("skiller sig ikke ud", "skiller sig mindst ud"))


def test_arrows_lead_from_an_area_through_the_indicators_and_back() -> None:
    first, second, *_, last = load_indicators()
    overview = Selection(page="area", area=AreaRef("municipality", "hjoerring"), meeting=True)
    depth = replace(overview, page="depth", indicator=first)
    assert neighbours(overview) == (None, depth)
    before, after = neighbours(depth)
    assert before and before.to_url() == overview.to_url()
    assert after == replace(depth, indicator=second)
    assert neighbours(replace(depth, indicator=last))[1] is None
    compare = Selection(page="compare", indicator=second, view="table", meeting=True)
    assert neighbours(compare)[0] == replace(compare, indicator=first)
    assert neighbours(Selection(page="potential")) == (None, None)


@pytest.fixture
def agenda(country_data, tmp_path):
    """A data folder with an agenda of three items on the release of the random country."""
    (tmp_path / "releases").symlink_to(country_data / "releases", target_is_directory=True)
    views = (
        AgendaItem("Status i Nordjylland", "/kkr/nordjylland", "At KKR tager status til efterretning."),
        AgendaItem("Hjørring", f"/k/hjoerring/{INDICATOR}?opdeling=alder", notes="Kun for oplægsholderen."),
        AgendaItem("Alle", f"/sammenlign/{INDICATOR}?visning=tragt"),
    )
    made = Agenda("moede", "Sundhed", "KKR-møde", None, "v20260115T030000Z-test", "2024", "da", views)
    keep_agenda(tmp_path, made, None)
    return tmp_path


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_item_shows_the_numbers_of_its_view(agenda, number: int) -> None:
    item = shown(agenda, f"/moede/moede?punkt={number}&m=1")
    view = shown(agenda, item.selection.to_url())
    assert item.address == f"/moede/moede?punkt={number}&m=1"
    for name in ("conclusion", "wall-chart"):
        assert of_class(item.content, name) == of_class(view.content, name) != ""
    assert f"Punkt {number} af 3" in of_class(item.content, "wall-head")


def test_an_item_has_its_own_title_and_recommendation_and_keeps_its_notes(agenda) -> None:
    item = text_of(shown(agenda, "/moede/moede?punkt=1&m=1").content)
    assert "Status i Nordjylland" in item and "At KKR tager status" in item
    for address in ("/moede/moede?punkt=2&m=1", "/moede/moede?punkt=2"):
        assert "Kun for oplægsholderen" not in text_of(shown(agenda, address).content)


def keys(data, address: str) -> dict[str, str]:
    """Where the keys of a view lead."""
    markup = draw(data, *address.partition("?")[::2]).markup
    links = re.findall(r'<a [^>]*data-key="(\w+)"[^>]*href="([^"]*)"', markup)
    return {name: href.replace("&amp;", "&") for name, href in links}


def test_the_keys_of_a_wall_go_through_the_agenda(agenda) -> None:
    first = keys(agenda, "/moede/moede?punkt=1&m=1")
    assert first["next"] == "/moede/moede?punkt=2&m=1" and "previous" not in first
    middle = keys(agenda, "/moede/moede?punkt=2&m=1")
    assert middle["previous"] == "/moede/moede?punkt=1&m=1" and middle["next"] == "/moede/moede?punkt=3&m=1"
    assert middle["table"] == "/moede/moede?visning=tabel&punkt=2&m=1"
    assert middle["out"] == "/moede/moede?punkt=2"
    assert keys(agenda, middle["table"])["table"] == "/moede/moede?punkt=2&m=1"
    assert "next" not in keys(agenda, "/moede/moede?punkt=3&m=1")
    outside = keys(agenda, "/moede/moede?punkt=2")
    assert outside["meeting"] == "/moede/moede?punkt=2&m=1" and outside["agenda"] == "/moede/moede"
    assert keys(agenda, "/moede/moede")["meeting"] == "/moede/moede?punkt=1&m=1"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("address", [view for view in VIEWS if not view.startswith("/moede")][::4])
def test_from_every_page_one_link_leads_to_an_agenda(country_data, address: str, lang) -> None:
    address = f"{address}{'&' if '?' in address else '?'}sprog={lang}"
    there = keys(country_data, address)["agenda"]
    page = shown(country_data, there)
    assert page.selection.page == "meeting" and page.selection.adding == shown(country_data, address).address
    assert load_words(lang)("meeting.add_view") in text_of(page.content)


def test_an_agenda_whose_release_is_gone_says_so_on_the_wall(agenda) -> None:
    text = (agenda / "web/agendas/moede.toml").read_text(encoding="utf-8")
    (agenda / "web/agendas/gammel.toml").write_text(
        text.replace("v20260115T030000Z-test", "v2019-old"), encoding="utf-8"
    )
    wall = shown(agenda, "/moede/gammel?punkt=2&m=1")
    assert load_words("da")("notice.release_gone", value="v2019-old") in text_of(wall.content)

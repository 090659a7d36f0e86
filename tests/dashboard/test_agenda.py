"""Agendas: the same text in a file and in a link; who may change one; and what a hostile one cannot do."""

import base64
import os
import shutil
import zlib
from contextlib import suppress
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.agenda import (
    LINK_KEY,
    LONGEST,
    MOST_ITEMS,
    Agenda,
    AgendaItem,
    AgendaProblem,
    agenda_name,
    from_link,
    item_address,
    moved,
    plain,
    read_agenda,
    write_agenda,
)
from dashboard.agenda.drafts import DRAFT_LEVELS, load_drafts
from dashboard.agenda.kept import OverwrittenError, keep_agenda, kept_agenda, kept_agendas, place_on_agenda
from dashboard.app import create_app
from dashboard.guard import access
from dashboard.own_folder import last_kept, own_folder, write_file
from dashboard.selection import Selection, catalogue
from dashboard.view import draw
from dashboard.words import load_words
from kpis.area import MAPS, levels
from kpis.indicator import LANGUAGES
from tests.dashboard.conftest import shown, text_of, walk

RELEASE = "v20260115T030000Z-test"
AGENDA = Agenda(
    "kkr-nordjylland",
    "Sundhed i KKR Nordjylland",
    "KKR-møde",
    date(2026, 11, 24),
    RELEASE,
    "2024",
    "da",
    (
        AgendaItem("Status", "/kkr/nordjylland", "At KKR tager status til efterretning."),
        AgendaItem("Hjørring", "/k/hjoerring", notes='Spørg til "akutteamet"\nog til tallene.'),
        AgendaItem("Måned for måned", "/k/hjoerring/preventable_admissions_65plus?opdeling=alder"),
    ),
)

texts = st.text(max_size=120).map(plain)
named = texts.filter(bool)
items = st.builds(
    AgendaItem,
    title=named,
    address=st.text("abc/?=&-_%æ .", max_size=60).map(lambda text: "/" + text.replace("\\", "").lstrip("/")).map(plain),
    recommendation=texts,
    notes=texts,
)
agendas = st.builds(
    Agenda,
    name=st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,3}", fullmatch=True),
    title=named,
    meeting=texts,
    day=st.none() | st.dates(),
    release=st.from_regex(r"v[0-9A-Za-z-]{1,60}", fullmatch=True),
    map=st.sampled_from(MAPS),
    lang=st.sampled_from(LANGUAGES),
    items=st.lists(items, max_size=6).map(tuple),
)


@given(agendas)
def test_a_file_and_a_link_give_back_what_was_put_in(agenda: Agenda) -> None:
    assert read_agenda(write_agenda(agenda)) == agenda
    assert from_link(agenda.to_link()) == agenda
    assert from_link("?" + agenda.to_link()) == agenda


@given(st.text(max_size=300))
def test_a_text_that_is_no_agenda_is_a_problem_and_nothing_else(text: str) -> None:
    with pytest.raises(AgendaProblem):
        read_agenda(text)
    with pytest.raises(AgendaProblem):
        from_link(urlencode({LINK_KEY: text}))


@given(agendas, st.integers(0, 2_000), st.binary(min_size=1, max_size=3))
def test_a_damaged_link_is_a_problem_or_another_agenda(agenda: Agenda, at: int, noise: bytes) -> None:
    packed = agenda.to_link().removeprefix(f"{LINK_KEY}=")
    at %= len(packed)
    broken = packed[:at] + base64.urlsafe_b64encode(noise).decode() + packed[at + 1 :]
    with suppress(AgendaProblem):
        assert isinstance(from_link(urlencode({LINK_KEY: broken})), Agenda)


def test_a_link_that_unpacks_to_a_mountain_is_not_unpacked() -> None:
    packed = base64.urlsafe_b64encode(zlib.compress(b"# " + b"x" * 50_000_000, 9)).decode()
    with pytest.raises(AgendaProblem, match="not whole"):
        from_link(urlencode({LINK_KEY: packed}))


def test_brackets_without_end_are_a_problem() -> None:
    with pytest.raises(AgendaProblem):
        read_agenda("a = " + "[" * 100_000)


def test_every_fault_of_a_file_is_told_at_once() -> None:
    text = write_agenda(AGENDA).replace('map = "2024"', "map = 2024").replace("day = 2026-11-24", 'day = "mandag"')
    with pytest.raises(AgendaProblem) as found:
        read_agenda(text + "\ncolour = 'red'\n")
    assert {notice.values["key"] for notice in found.value.notices} == {"map", "day", "colour"}
    with pytest.raises(AgendaProblem) as found:
        replace(AGENDA, title="", map="1970", items=(AgendaItem("", "https://elsewhere.example/"),))
    assert {notice.key for notice in found.value.notices} == {
        *("meeting.no_title", "meeting.bad_value", "meeting.no_item_title", "meeting.bad_address")
    }


@pytest.mark.parametrize(
    "address", ["", "k/hjoerring", "//elsewhere.example/k", "/\\elsewhere.example", "javascript:alert(1)"]
)
def test_an_item_is_a_view_of_ours(address: str) -> None:
    with pytest.raises(AgendaProblem):
        replace(AGENDA, items=(AgendaItem("x", address),))


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".x", "æble", "A", "-a", "a-", "a" * 61, "a\0b"])
def test_a_name_is_no_way_to_another_file(name: str, tmp_path) -> None:
    with pytest.raises(AgendaProblem):
        replace(AGENDA, name=name)
    (tmp_path / "x.toml").write_text(write_agenda(AGENDA), encoding="utf-8")
    with pytest.raises(AgendaProblem):
        kept_agenda(tmp_path, name)


def test_there_is_an_end_to_items_and_texts() -> None:
    with pytest.raises(AgendaProblem):
        replace(AGENDA, items=AGENDA.items * MOST_ITEMS)
    for field in ("title", "recommendation", "notes"):
        with pytest.raises(AgendaProblem):
            replace(AGENDA, items=(replace(AGENDA.items[0], **{field: "x" * (LONGEST[field] + 1)}),))


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Møde i KKR Nordjylland", "moede-i-kkr-nordjylland"),
        ("Ærø, Å og Øen!", "aeroe-aa-og-oeen"),
        ("???", "dagsorden"),
        ("x" * 100, "x" * 60),
    ],
)
def test_a_name_is_made_of_a_title(title: str, name: str) -> None:
    assert agenda_name(title) == name
    assert replace(AGENDA, name=name)


def test_an_item_forgets_how_and_when_it_was_looked_at() -> None:
    address = "/k/hjoerring?sprog=en&kort=2027&opdeling=alder&udgave=v1&m=1"
    assert item_address(address) == "/k/hjoerring?opdeling=alder"
    assert item_address("/k/hjoerring") == "/k/hjoerring"


def test_items_move_no_further_than_the_ends() -> None:
    def order(agenda: Agenda) -> list[str]:
        return [item.title for item in agenda.items]

    first, second, third = order(AGENDA)
    assert order(moved(AGENDA, 1, 1)) == [second, first, third]
    assert order(moved(AGENDA, 1, -1)) == [first, second, third]
    assert order(moved(AGENDA, 3, 1)) == [first, second, third]
    assert order(moved(AGENDA, 3, -1)) == [first, third, second]


# Kept ---------------------------------------------------------------------------------------------------------------


def test_an_agenda_is_kept_as_a_file_that_a_person_can_read(tmp_path) -> None:
    keep_agenda(tmp_path, AGENDA, None)
    kept = kept_agenda(tmp_path, AGENDA.name)
    assert kept.agenda == AGENDA
    text = (tmp_path / "web" / "agendas" / "kkr-nordjylland.toml").read_text(encoding="utf-8")
    assert 'title = "Sundhed i KKR Nordjylland"' in text and "day = 2026-11-24" in text and "[[item]]" in text
    assert [path.name for path in (tmp_path / "web" / "agendas").iterdir()] == ["kkr-nordjylland.toml"], "no leftovers"


def test_nobody_writes_over_what_he_has_not_seen(tmp_path) -> None:
    keep_agenda(tmp_path, AGENDA, None)
    with pytest.raises(OverwrittenError):
        keep_agenda(tmp_path, replace(AGENDA, title="En anden"), None)
    seen = kept_agenda(tmp_path, AGENDA.name).version
    keep_agenda(tmp_path, replace(AGENDA, title="Først"), seen)
    with pytest.raises(OverwrittenError):
        keep_agenda(tmp_path, replace(AGENDA, title="For sent"), seen)
    assert kept_agenda(tmp_path, AGENDA.name).agenda.title == "Først"


def test_a_file_that_is_broken_hides_no_other(tmp_path) -> None:
    keep_agenda(tmp_path, AGENDA, None)
    folder = own_folder(tmp_path, "agendas")
    (folder / "broken.toml").write_text("title = ", encoding="utf-8")
    (folder / "latin.toml").write_bytes(b"title = '\xe6'")
    kept, broken = kept_agendas(tmp_path)
    assert [one.agenda.name for one in kept] == ["kkr-nordjylland"]
    assert [name for name, _ in broken] == ["broken.toml", "latin.toml"]


def test_a_folder_of_files_says_when_it_changed(tmp_path) -> None:
    assert last_kept(tmp_path, "agendas") == 0
    path = own_folder(tmp_path, "agendas") / "a.toml"
    write_file(path, "1")
    os.utime(path, ns=(1, 10**18))
    os.utime(path.parent, ns=(1, 10**18))
    before = last_kept(tmp_path, "agendas", "interventions")
    path.write_text("edited in place by hand", encoding="utf-8")
    assert last_kept(tmp_path, "agendas", "interventions") > before


def test_where_nothing_can_be_written_there_is_no_folder(tmp_path) -> None:
    (tmp_path / "web").write_text("a file where the folder should be", encoding="utf-8")
    assert own_folder(tmp_path, "agendas") is None
    with pytest.raises(OSError, match="cannot be written"):
        keep_agenda(tmp_path, AGENDA, None)


# Places -------------------------------------------------------------------------------------------------------------


def test_an_item_is_shown_on_the_release_and_map_of_its_agenda(tmp_path) -> None:
    keep_agenda(tmp_path, replace(AGENDA, map="2027"), None)
    place = place_on_agenda(tmp_path, "/moede/kkr-nordjylland", "?punkt=3&m=1&sprog=en&visning=tabel")
    path, query = place.asked
    assert path == "/k/hjoerring/preventable_admissions_65plus"
    assert {key: values[-1] for key, values in parse_qs(query).items()} == {
        **{"opdeling": "alder", "kort": "2027", "sprog": "en"},
        **{"udgave": RELEASE, "visning": "tabel", "m": "1"},
    }
    assert place.selection.to_url() == "/moede/kkr-nordjylland?sprog=en&visning=tabel&punkt=3&m=1"
    assert place.at(4) is None and place.at(0) is None and place.at(2).item == AGENDA.items[1]


@pytest.mark.parametrize("query", ["", "punkt=0", "punkt=4", "punkt=x", "punkt=-1", "punkt=1e9", "punkt=٣x"])
def test_an_item_that_is_not_there_is_no_place(tmp_path, query: str) -> None:
    keep_agenda(tmp_path, AGENDA, None)
    assert place_on_agenda(tmp_path, "/moede/kkr-nordjylland", query) is None


# Drafts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("draft", load_drafts(), ids=lambda draft: draft.id)
def test_a_draft_shows_what_it_promises_for_any_group(country, draft, lang) -> None:
    known = catalogue(country)
    for map_id in MAPS:
        for level in (level for level in DRAFT_LEVELS if level in levels(map_id)):
            for area in known.areas[map_id, level]:
                agenda = draft.agenda(area, None, country.id, lang)
                assert area.name in agenda.title and len(agenda.items) >= 4
                assert "{" not in write_agenda(agenda)
                for item in agenda.items:
                    path, _, query = item.address.partition("?")
                    kort = urlencode({"kort": map_id})
                    selection, notices = Selection.from_url(path, f"{query}&{kort}", known)
                    assert notices == [], f"{item.address}: {notices}"
                    assert area.slug in selection.to_url()


def test_the_chain_of_meetings_is_whole_and_the_kkr_item_has_six_views() -> None:
    assert [draft.id for draft in load_drafts()] == [
        *("cluster_meeting", "administrative_dialogue", "political_dialogue", "kkr_item")
    ]
    assert len(load_drafts()[-1].items) == 6


# Pages and forms ----------------------------------------------------------------------------------------------------


@pytest.fixture
def data(country_data, tmp_path):
    """A data folder of its own, with the release of the random country."""
    (tmp_path / "releases").symlink_to(country_data / "releases", target_is_directory=True)
    return tmp_path


@pytest.fixture
def browser(data):
    return create_app(data).server.test_client()


def send(browser, address: str, **form: str):
    """Send a form as the page would; return the answer and where it leads."""
    answer = browser.post(address, data=form)
    return answer, answer.headers.get("Location", "")


def test_an_agenda_is_made_of_a_draft_changed_and_deleted(browser, data) -> None:
    answer, there = send(
        browser, "/moede", goer="ny", skabelon="kkr_item", omraade="2024:kkr-nordjylland", dag="2026-11-24"
    )
    assert answer.status_code == 303
    name = there.removeprefix("/moede/")
    kept = kept_agenda(data, name)
    assert kept.agenda.day == date(2026, 11, 24) and len(kept.agenda.items) == 6
    assert kept.agenda.release == RELEASE

    _, there = send(browser, there, goer="ned-1", set=kept.version, **{"punkt-1-titel": "Først nævnt", "titel": "Møde"})
    assert there == f"/moede/{name}#punkt-2"
    kept = kept_agenda(data, name)
    assert kept.agenda.items[1].title == "Først nævnt" and kept.agenda.title == "Møde"

    _, there = send(browser, f"/moede/{name}", goer="fjern-1", set=kept.version)
    assert len(kept_agenda(data, name).agenda.items) == 5
    assert there == f"/moede/{name}#punkt-1"

    answer, _ = send(browser, f"/moede/{name}", goer="gem", set=kept.version, titel="Forældet")
    assert answer.status_code == 409
    assert kept_agenda(data, name).agenda.title == "Møde"

    answer, there = send(browser, f"/moede/{name}", goer="slet")
    assert there == "/moede" and kept_agendas(data)[0] == []


def test_a_view_goes_to_an_agenda_with_what_was_chosen_on_it(browser, data) -> None:
    view = "/k/hjoerring/preventable_admissions_65plus?sprog=en&opdeling=alder&m=1"
    _, there = send(browser, "/moede", goer="tilfoej", visning=view, titel="Alder", dagsorden="")
    name = there.removeprefix("/moede/")
    _, there = send(browser, "/moede", goer="tilfoej", visning="/kkr/nordjylland", titel="KKR", dagsorden=name)
    assert [(item.title, item.address) for item in kept_agenda(data, name).agenda.items] == [
        ("Alder", "/k/hjoerring/preventable_admissions_65plus?opdeling=alder"),
        ("KKR", "/kkr/nordjylland"),
    ]
    page = shown(data, f"/moede?tilfoej={quote(view)}")
    assert "Forebyggelige indlæggelser 65+: Hjørring" in text_of(page.content)


def test_an_address_that_was_pasted_becomes_an_item(browser, data) -> None:
    keep_agenda(data, AGENDA, None)
    version = kept_agenda(data, AGENDA.name).version
    _, there = send(
        browser,
        f"/moede/{AGENDA.name}",
        goer="tilfoej",
        set=version,
        visning="http://127.0.0.1:8050/potentiale?omraade=kkr-nordjylland&m=1",
    )
    assert there.endswith("#punkt-4")
    assert kept_agenda(data, AGENDA.name).agenda.items[3].address == "/potentiale?omraade=kkr-nordjylland"


def test_who_may_not_change_agendas_gets_them_in_a_link(browser, data, monkeypatch) -> None:
    keep_agenda(data, AGENDA, None)
    monkeypatch.setattr(access, "LOCAL", access.User("læser", frozenset({"viewer"})))
    answer, _ = send(browser, f"/moede/{AGENDA.name}", goer="gem", titel="Kapret")
    assert answer.status_code == 403
    assert kept_agenda(data, AGENDA.name).agenda == AGENDA
    page = shown(data, f"/moede/{AGENDA.name}")
    assert load_words("da")("meeting.read_only") in text_of(page.content)
    assert not [part for part in walk(page.content) if getattr(part, "name", "") == "punkt-1-titel"]

    answer, there = send(browser, f"/moede/{AGENDA.name}", goer="kopi")
    assert answer.status_code == 303, answer.text
    held = from_link(urlsplit(there).query)
    assert held == AGENDA
    _, there = send(browser, there, goer="gem", titel="Min egen")
    assert from_link(urlsplit(there).query).title == "Min egen"
    assert load_words("da")("meeting.held_by_link") in text_of(shown(data, there).content)
    answer, _ = send(browser, there, goer="behold")
    assert answer.status_code == 403

    _, there = send(browser, "/moede", goer="ny", skabelon="kkr_item", omraade="2024:kkr-nordjylland")
    assert len(from_link(urlsplit(there).query).items) == 6
    _, there = send(browser, "/moede", goer="tilfoej", visning="/k/hjoerring", titel="x", link=f"http://host{there}")
    assert len(from_link(urlsplit(there).query).items) == 7
    assert [one.agenda.name for one in kept_agendas(data)[0]] == [AGENDA.name]


def test_where_nothing_can_be_kept_the_link_holds_it(browser, data) -> None:
    keep_agenda(data, AGENDA, None)
    shutil.rmtree(data / "web")
    (data / "web").write_text("read-only", encoding="utf-8")
    page = shown(data, "/moede")
    assert load_words("da")("meeting.lead_link") in text_of(page.content)
    _, there = send(browser, "/moede", goer="ny", skabelon="cluster_meeting", omraade="2027:sundhedsraad-fyn")
    agenda = from_link(urlsplit(there).query)
    assert agenda.map == "2027"
    _, there = send(browser, there, goer="ned-1", **{"punkt-1-titel": "Ændret"})
    assert from_link(urlsplit(there).query).items[1].title == "Ændret"


def test_a_link_becomes_a_kept_agenda(browser, data) -> None:
    _, there = send(browser, f"/moede/{AGENDA.name}?{AGENDA.to_link()}", goer="behold")
    assert there == f"/moede/{AGENDA.name}"
    assert kept_agenda(data, AGENDA.name).agenda == AGENDA
    _, there = send(browser, f"/moede/{AGENDA.name}?{AGENDA.to_link()}", goer="behold")
    assert there == f"/moede/{AGENDA.name}-2", "what is kept is not written over"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_wrong_is_told_in_words(browser, data, lang) -> None:
    keep_agenda(data, AGENDA, None)
    version = kept_agenda(data, AGENDA.name).version
    answer, _ = send(browser, f"/moede/{AGENDA.name}?sprog={lang}", goer="gem", set=version, titel="", dag="i morgen")
    assert answer.status_code == 400
    assert load_words(lang)("meeting.go_back") in answer.text
    answer, _ = send(browser, f"/moede/nix?sprog={lang}", goer="gem")
    assert load_words(lang)("meeting.unknown", value="nix") in answer.text
    long = replace(AGENDA, items=tuple(AgendaItem(f"{n}", "/k/hjoerring", os.urandom(400).hex()) for n in range(15)))
    answer, _ = send(browser, f"/moede/x?sprog={lang}&{long.to_link()}", goer="gem")
    assert answer.status_code == 400 and "6000" in answer.text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_pages_about_meetings_say_what_is_wrong_with_an_address(data, lang) -> None:
    keep_agenda(data, AGENDA, None)
    words = load_words(lang)
    unknown = shown(data, f"/moede/findes-ikke?sprog={lang}")
    assert words("meeting.unknown", value="findes-ikke") in text_of(unknown.content)
    broken = shown(data, f"/moede/x?sprog={lang}&indhold=abc")
    assert words("meeting.broken_link") in text_of(broken.content)
    beyond = shown(data, f"/moede/{AGENDA.name}?sprog={lang}&punkt=9")
    assert words("meeting.no_item", number=9, count=3) in text_of(beyond.content)


def test_what_is_written_in_an_agenda_is_text_and_nothing_else(browser, data) -> None:
    nasty = '<script>alert(1)</script>" onfocus="x'
    agenda = replace(AGENDA, title=nasty, items=(AgendaItem(nasty, "/k/hjoerring", nasty, nasty + "</textarea><b>"),))
    keep_agenda(data, agenda, None)
    for address, query in (
        *(("/moede", ""), (f"/moede/{agenda.name}", "")),
        *((f"/moede/{agenda.name}", "punkt=1"), (f"/moede/{agenda.name}", "punkt=1&m=1")),
    ):
        found = _Elements()
        found.feed(draw(data, address, query).markup)
        assert not found.names & {"script", "b"} and "onfocus" not in found.attributes
        assert nasty in "".join(found.texts), "it is told as it was written"


class _Elements(HTMLParser):
    """What a browser makes of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.names, self.attributes, self.texts = set[str](), set[str](), list[str]()

    def handle_starttag(self, tag, attrs) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data) -> None:
        self.texts.append(data)


def test_a_changed_agenda_is_shown_at_once(browser, data) -> None:
    keep_agenda(data, AGENDA, None)
    assert "Sundhed i KKR" in draw(data, f"/moede/{AGENDA.name}", "").markup
    version = kept_agenda(data, AGENDA.name).version
    send(browser, f"/moede/{AGENDA.name}", goer="gem", set=version, titel="Noget nyt")
    assert "Noget nyt" in draw(data, f"/moede/{AGENDA.name}", "").markup

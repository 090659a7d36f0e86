"""Passports: a few letters reopen exactly the figures, and say how they were made."""

import pytest
from dash import html

import kpis.release
from dashboard import passport
from dashboard.app import create_app
from dashboard.passport import find, issue, passport_id, pinned
from dashboard.view import show
from kpis.passport import LENGTH, passport_of, read_passport
from tests.dashboard.conftest import text_of, walk
from tests.helpers import build_release

OLD, NEW = "v20260115T030000Z-old", "v20260215T030000Z-new"
HEADLINE = "preventable_admissions_65plus"


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The same country counted otherwise in two releases; the first is the current one for now."""
    folder = tmp_path_factory.mktemp("two")
    build_release(folder, OLD, seed=1)
    return folder


def footer_link(view) -> str:
    return next(part.href for part in walk(view.content) if getattr(part, "id", "") == "foot-passport")


def test_an_id_is_of_the_address_and_the_release_and_of_nothing_else():
    one = passport_id("/k/hjoerring?sprog=en", OLD)
    assert len(one) == LENGTH and read_passport(one) == one
    assert passport_id(f"/k/hjoerring?sprog=en&udgave={OLD}&m=1", OLD) == one
    assert len({one, passport_id("/k/hjoerring", OLD), passport_id("/k/hjoerring?sprog=en", NEW)}) == 3


def test_ids_differ_as_chance_would_have_it():
    assert len({passport_of(str(number), OLD) for number in range(20_000)}) == 20_000


def test_an_id_is_read_as_people_write_it():
    one = passport_of("/k/hjoerring", OLD)
    assert read_passport(f" {one[:5].upper()}-{one[5:]} ") == one
    assert read_passport("OIL" + "0" * 7) == "011" + "0" * 7
    assert [read_passport(text) for text in ("", "123", one + "0", "æ" * 10, "../../etc/")] == [None] * 5


def test_a_kept_id_opens_what_it_was_given_to(tmp_path):
    one = issue(tmp_path, f"/k/hjoerring?sprog=en&udgave={OLD}&m=1", OLD)
    found = find(tmp_path, one.upper())
    assert found == (one, "/k/hjoerring?sprog=en", OLD)
    assert found.pinned == f"/k/hjoerring?sprog=en&udgave={OLD}"
    assert issue(tmp_path, "/k/hjoerring?sprog=en", OLD) == one
    assert find(tmp_path, passport_of("/k/other", OLD)) is None


def test_two_requests_that_would_share_an_id_do_not(tmp_path):
    one = issue(tmp_path, "/k/hjoerring", OLD, request="the same")
    assert issue(tmp_path, "/k/aalborg", OLD, request="the same") is None
    assert find(tmp_path, one).address == "/k/hjoerring"


def test_too_many_make_room_of_what_no_release_is_kept_for(tmp_path, monkeypatch):
    monkeypatch.setattr(passport, "MOST_PASSPORTS", 3)
    build_release(tmp_path, NEW)
    gone = [issue(tmp_path, address, OLD) for address in ("/k/hjoerring", "/k/aalborg")]
    kept = [issue(tmp_path, address, NEW) for address in ("/k/hjoerring", "/k/aalborg", "/k/aarhus")]
    assert [find(tmp_path, one) for one in gone] == [None, None]
    assert [find(tmp_path, one).id for one in kept] == kept
    assert issue(tmp_path, "/land", NEW) is None, "there are as many as may be, and all of a release that is kept"


def test_where_nothing_can_be_kept_the_page_gives_the_whole_address(tmp_path):
    release = build_release(tmp_path, OLD)
    (tmp_path / "web").write_text("in the way: a folder cannot be made here")
    assert issue(tmp_path, "/k/hjoerring", release.id) is None
    assert find(tmp_path, passport_id("/k/hjoerring", release.id)) is None
    view = show(tmp_path, "/k/hjoerring", "")
    assert footer_link(view) == pinned("/k/hjoerring", release.id)
    assert "låst til denne udgivelse" in text_of(view.content)


def test_the_short_address_of_a_page_reopens_it_on_its_release_when_a_newer_one_is_there(two):
    before = show(two, "/k/hjoerring", "")
    short = footer_link(before)
    build_release(two, NEW, seed=2)
    kpis.release._watches.clear()
    after = show(two, "/k/hjoerring", "")
    reopened = show(two, short, "")
    told = text_of(reopened.content)
    assert reopened.title == before.title and reopened.address == short
    assert f"Udgivelse:{OLD}" in told and f"Udgivelse:{NEW}" in text_of(after.content)
    main = next(text_of(part) for part in walk(before.content) if isinstance(part, html.Main))
    assert len(main) > 1_000 and main in told and main not in text_of(after.content)
    assert "Talpas" in told and "Forebyggelige indlæggelser 65+" in told


def test_an_unknown_passport_says_so(two):
    view = show(two, "/p/0000000000", "")
    assert "Talpasset kendes ikke" in text_of(view.content)


def test_the_passport_of_a_file_says_what_is_in_it_and_gives_it_again(two):
    client = create_app(two).server.test_client()
    query = f"niveau=kkr&inddeling=year&udgave={OLD}"
    answer = client.get(f"/fil/{HEADLINE}.csv?{query}")
    short = answer.headers["Link"].partition(">")[0].removeprefix("<")
    view = show(two, short, "")
    links = [getattr(part, "href", "") for part in walk(view.content)]
    csv = next(href for href in links if href and href.startswith("/fil/") and ".csv?" in href)
    assert client.get(csv).data == answer.data
    assert "findes ikke" not in text_of(view.content)
    english = client.get(f"/fil/{HEADLINE}.parquet?{query}&sprog=en").headers["Link"]
    assert english == answer.headers["Link"], "the same figures in another language and kind"
    builder = next(
        part.href
        for part in walk(view.content)
        if text_of(part) == "Vis udsnittet på siden Data" and getattr(part, "href", "")
    )
    assert csv in [getattr(part, "href", "") for part in walk(show(two, *builder.partition("?")[::2]).content)]
    told = client.get(f"{short}.json").json
    assert told["release"] == OLD and told["map"] == "2024"
    assert told["indicators"][HEADLINE]["codelist"]["id"] == "preventable_65plus"
    assert told["protection"]["base"] == 5 and told["release_content"].startswith("sha256:")


def test_the_passport_of_a_view_tells_programs_about_its_indicators(two):
    client = create_app(two).server.test_client()
    short = footer_link(show(two, f"/k/hjoerring/{HEADLINE}", f"udgave={OLD}"))
    told = client.get(f"{short}.json").json
    assert list(told["indicators"]) == [HEADLINE]
    assert told["address"] == f"/k/hjoerring/{HEADLINE}?udgave={OLD}"
    assert client.get("/p/0000000000.json").status_code == 404

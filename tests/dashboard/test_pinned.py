"""An address that is tied to a release goes on showing it."""

import pytest
from dash import html

import kpis.release
from dashboard.selection import Selection, catalogue
from dashboard.view import draw, show
from tests.dashboard.conftest import text_of, walk
from tests.helpers import build_release

OLD, NEW = "v20260115T030000Z-old", "v20260215T030000Z-new"


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The same country counted otherwise in two releases."""
    folder = tmp_path_factory.mktemp("two")
    build_release(folder, OLD, seed=1)
    build_release(folder, NEW, seed=2)
    return folder


def text(view):
    return text_of(view.content)


def test_the_pin_stands_last_in_the_address_and_follows_every_link(two):
    known = catalogue(kpis.release.kept_release(two, OLD))
    selection, notices = Selection.from_url("/k/hjoerring", f"udgave={OLD}&sprog=en", known)
    assert notices == []
    assert selection.to_url() == f"/k/hjoerring?sprog=en&udgave={OLD}"
    assert selection.on_page("data").to_url() == f"/data?sprog=en&omraade=k-hjoerring&udgave={OLD}"


def test_the_pinned_release_is_shown_and_the_newest_named(two):
    old, new = show(two, "/k/hjoerring", f"udgave={OLD}"), show(two, "/k/hjoerring", "")
    assert f"Den nyeste er {NEW}" in text(old)
    assert f"Udgivelse:{OLD}" in text(old) and f"Udgivelse:{NEW}" in text(new)
    assert old.address == f"/k/hjoerring?udgave={OLD}"


def test_a_pinned_page_leads_to_the_newest(two):
    links = {
        getattr(part, "id", ""): getattr(part, "href", "")
        for part in walk(show(two, "/k/hjoerring", f"sprog=en&udgave={OLD}").content)
    }
    assert links["foot-newest"] == "/k/hjoerring?sprog=en"
    assert all("udgave=" in links[name] for name in ("nav-data", "nav-compare", "language", "foot-map"))


def test_drawn_views_of_two_releases_are_not_taken_for_each_other(two):
    drawn = [draw(two, "/k/hjoerring", query).markup for query in ("", f"udgave={OLD}", "", f"udgave={OLD}")]
    assert drawn[0] == drawn[2] != drawn[1] == drawn[3]


def test_pinned_to_the_newest_it_shows_the_same_without_a_word(two):
    pinned, plain = (
        next(text_of(part) for part in walk(show(two, "/k/hjoerring", query).content) if isinstance(part, html.Main))
        for query in (f"udgave={NEW}", "")
    )
    assert pinned == plain


@pytest.mark.parametrize("gone", ["v20200101T000000Z-gone", "../etc", "'; drop"])
def test_a_release_that_is_gone_gives_the_newest_and_a_notice(two, gone):
    view = show(two, "/k/hjoerring", f"udgave={gone}")
    assert "gemmes ikke længere" in text(view) and NEW in text(view)
    assert view.address == "/k/hjoerring"

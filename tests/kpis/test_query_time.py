"""A query that a request asks for is broken off in time; opening a release, and work that nobody waits for, is not."""

import contextvars
import time

import pytest

from dashboard.app import create_app
from dashboard.guard.security import SLOWEST_QUERY
from kpis.release import QUERY_SECONDS, QueryTooSlow, open_release
from tests.helpers import tiny_release
from tests.server import callback

ENDLESS = "select count(*) as n from range(1000000) a, range(1000000) b where (a.range * b.range) % 7 = 3"


def within(seconds: float | None, act):
    """What `act` gives where queries are given so many seconds."""

    def limited():
        QUERY_SECONDS.set(seconds)
        return act()

    return contextvars.copy_context().run(limited)


def test_a_slow_query_is_broken_off_and_the_next_one_answered(tmp_path) -> None:
    release = tiny_release(tmp_path)
    start = time.monotonic()
    with pytest.raises(QueryTooSlow, match=r"more than 0\.2 s"):
        within(0.2, lambda: release.sql(ENDLESS))
    assert time.monotonic() - start < 5
    assert within(0.2, lambda: release.sql("select 1 as n").item()) == 1


def test_opening_a_release_takes_the_time_it_takes(tmp_path) -> None:
    tiny_release(tmp_path)
    assert within(0.0, lambda: open_release(tmp_path)).id


def test_without_a_limit_nothing_is_broken_off(tmp_path) -> None:
    release = tiny_release(tmp_path)
    assert within(None, lambda: release.sql("select count(*) as n from range(3000000)").item()) == 3_000_000


def test_only_requests_are_limited(country_data, monkeypatch) -> None:
    limits = []
    monkeypatch.setattr("dashboard.app.draw", lambda *_: limits.append(QUERY_SECONDS.get()) or 1 / 0)
    client = create_app(country_data).server.test_client()
    client.post("/_dash-update-component", data=callback("/"), content_type="application/json")
    assert limits == [SLOWEST_QUERY]
    assert QUERY_SECONDS.get() is None


def test_a_page_that_takes_too_long_says_so_and_is_asked_for_again(country_data, monkeypatch) -> None:
    from dashboard import view

    def slow(*_):
        raise QueryTooSlow("a query took more than 5 s")

    monkeypatch.setitem(view.PAGE_FUNCTIONS, "about", slow)
    shown = view.draw(country_data, "/om", "langsom=ja")  # an address that nobody has asked for before
    assert not shown.is_final and "længere end normalt" in shown.markup

"""Siden sidst: a signal, a revision and a new method are three things, and the first release has none of them."""

from datetime import date

import polars as pl

from dashboard.news import area_news
from dashboard.readings import latest_period, level_rows
from dashboard.selection import AreaRef, catalogue
from kpis.indicator import load_indicators
from kpis.release import CONTRACT, REQUIRED_MANIFEST_KEYS, release_before
from tests.dashboard.conftest import shown, text_of
from tests.helpers import build_release, tiny_release

HEADLINE = next(item.id for item in load_indicators().values() if item.headline)
HJOERRING = AreaRef("municipality", "hjoerring")


def two_releases(country, folder, *, factor: float = 1.0, before=None, after=None):
    """The random country twice, later with counts of Hjørring times ``factor``; ``before``, ``after``: more facts."""
    tables = {table: country.sql(f"select * from {table}") for table in CONTRACT["tables"] if table != "manifest"}
    is_old = (pl.col("municipality_code") == "0860") & (pl.col("month") < date(2025, 10, 1))
    counts = pl.col("n_stay", "n_admission", "n_acute", "n_short")
    more = pl.when(is_old).then((counts * factor).round().cast(pl.Int32)).otherwise(counts)
    facts = {key: country.manifest[key] for key in REQUIRED_MANIFEST_KEYS if key != "release_id"}
    tiny_release(folder, "v20260115T030000Z-first", facts | (before or {}), **tables)
    changed = tables | {"cube": tables["cube"].with_columns(more)}
    return tiny_release(folder, "v20260215T030000Z-second", facts | (after or {}), **changed)


def news_of(release):
    area = catalogue(release).area(HJOERRING, "2024")
    return area_news(release, area, "2024", load_indicators())


def test_the_first_release_says_that_there_is_nothing_to_hold_it_against(country, country_data) -> None:
    assert release_before(country) is None
    assert news_of(country) is None
    assert "første udgivelse" in text_of(shown(country_data, "/k/hjoerring").content)


def test_the_same_figures_again_are_no_news(country, tmp_path) -> None:
    news = news_of(two_releases(country, tmp_path))
    assert (news.signals, news.revisions, news.is_newer) == ((), (), False)
    assert (news.method.indicators, news.method.rules, news.method.groups) == ((), (), ())
    told = text_of(shown(tmp_path, "/k/hjoerring").content)
    assert "der er ikke kommet nye måneder" in told and "står, som de stod" in told


def test_figures_of_the_same_months_that_moved_are_a_revision(country, tmp_path) -> None:
    release = two_releases(country, tmp_path, factor=1.4)
    found = {one.indicator_id: one for one in news_of(release).revisions}
    period = latest_period(release_before(release))
    before, after = (
        level_rows(one, HEADLINE, "municipality", "2024", period, True)["0860"]["value"]
        for one in (release_before(release), release)
    )
    assert (found[HEADLINE].before, found[HEADLINE].after) == (before, after)
    assert after > 1.3 * before
    assert "talt om" in text_of(shown(tmp_path, "/k/hjoerring").content)
    assert "står, som de stod" in text_of(shown(tmp_path, "/k/thisted").content), "only where it shows"


def test_what_is_counted_otherwise_is_a_new_method(country, tmp_path) -> None:
    versions, rule = dict.fromkeys(load_indicators(), 1), {"value": 4, "da": "x", "en": "x"}
    release = two_releases(
        country,
        tmp_path,
        before={"indicators": versions, "rules": {"S1": rule, "S2": rule}},
        after={"indicators": versions | {HEADLINE: 2}, "rules": {"S1": rule | {"value": 6}, "S2": rule | {"da": "y"}}},
    )
    method = news_of(release).method
    assert (method.indicators, method.rules, method.groups) == ((HEADLINE,), ("S1",), ())
    told = text_of(shown(tmp_path, "/k/hjoerring").content)
    assert load_indicators()[HEADLINE].da.short_name + "; regel S1." in told


def test_an_unprotected_release_is_never_held_against_a_protected_one(tmp_path) -> None:
    tiny_release(tmp_path, "v20260101T000000Z-open", {"protection": {"method": "none"}})
    release = build_release(tmp_path, name="v20260215T030000Z-second")
    assert release_before(release) is None

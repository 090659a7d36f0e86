"""Verdicts from a release: hardly any where nothing differs, and the right ones where something does."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from kpis import rates
from kpis.area import areas
from kpis.assess import assess_change, assess_level, assess_trend
from kpis.clustering import national_clustering
from kpis.evaluate import Query, evaluate
from kpis.indicator import load_indicators
from kpis.period import Period, add_months
from kpis.protection import chain_variance
from tests.helpers import build_release, tiny_release
from tests.kpis.alike import UNPROTECTED, build_alike

INDICATORS = load_indicators()
PREVENTABLE = INDICATORS["preventable_admissions_65plus"]
READMISSIONS = INDICATORS["readmissions_30d_65plus"]
YEAR = Period.from_id("12m-2025-09")
SEEDS = range(1, 9)


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    """Eight countries without any true difference, each published with the protection of a release."""
    folder = tmp_path_factory.mktemp("alike")
    return [build_alike(folder, seed) for seed in SEEDS]


def test_where_nothing_differs_at_most_one_verdict_in_twenty_shouts(alike) -> None:
    """Over 3,000 verdicts; the 20 smallest municipalities, whose counts are mostly rounding, are asked apart."""
    shouts: dict[str, list[bool]] = {"level": [], "smallest": [], "change": [], "change of smallest": []}
    for release in alike:
        municipalities = areas(release, "municipality", "2024")
        for indicator in (PREVENTABLE, READMISSIONS):
            estimates, level = assess_level(
                release, indicator, "municipality", "2024", YEAR, standardised=indicator.can_be_standardised
            )
            change = assess_change(release, indicator, municipalities).verdicts
            small = np.argsort(estimates["denominator"].to_numpy())[:20]
            shouts["level"] += list(level.shouts)
            shouts["smallest"] += list(level.shouts[small])
            shouts["change"] += list(change.shouts)
            shouts["change of smallest"] += list(change.shouts[small])
    assert {name: np.mean(found) <= 0.05 for name, found in shouts.items()} == dict.fromkeys(shouts, True)
    assert np.mean(shouts["level"]) < 0.01 and np.mean(shouts["change"]) < 0.025


def test_rounding_widens_an_interval_by_the_runs_it_touches(tmp_path) -> None:
    """Ten groups that are balanced together, over two calendar years, are two runs; half-widths are squared and added."""
    release = build_alike(tmp_path, 1)
    clustered = national_clustering(release, PREVENTABLE)
    country = areas(release, "country", "2024")
    largest = tuple(area for area in areas(release, "municipality", "2024") if area.code == "0101")
    for place, runs in ((largest, 2), (country, 2 * 98)):
        (row,) = evaluate(release, Query(PREVENTABLE, place, (YEAR,))).iter_rows(named=True)
        plain = rates.crude_rate(row["numerator"], row["denominator"], dispersion=clustered)
        half = rates.normal_quantile(0.95) * np.sqrt(chain_variance(release) * runs) / row["denominator"] * 1000
        assert row["upper"] - row["value"] == pytest.approx(np.hypot(float(plain.upper - plain.value), half))


def test_an_unprotected_release_is_widened_by_its_clustering_only(tmp_path) -> None:
    release = build_alike(tmp_path, 1, UNPROTECTED)
    clustered = national_clustering(release, PREVENTABLE)
    (row,) = evaluate(release, Query(PREVENTABLE, areas(release, "country", "2024"), (YEAR,))).iter_rows(named=True)
    plain = rates.crude_rate(row["numerator"], row["denominator"], dispersion=clustered)
    assert (row["lower"], row["upper"]) == pytest.approx((float(plain.lower), float(plain.upper)))


def test_a_region_is_judged_by_what_its_municipalities_make_likely(tmp_path) -> None:
    """Municipalities that differ by 15 per cent, each for itself, make no region stand out; one whose municipalities
    all lie 15 per cent higher does. Five regions alone would call that overdispersion."""
    release = build_alike(tmp_path, 2, differing=0.15)
    _, verdicts = assess_level(release, PREVENTABLE, "region", "2024", YEAR, standardised=True)
    assert not verdicts.shouts.any()
    hit = next(area for area in areas(release, "region", "2024") if area.code == "1084")
    higher = pl.col("municipality_code").is_in(list(hit.municipalities))
    cube = release.sql("select * from cube").with_columns(
        pl.when(higher).then((pl.col("n_acute") * 1.25).round().cast(pl.Int32)).otherwise("n_acute").alias("n_acute")
    )
    tables = {
        table: release.sql(f"select * from {table}")
        for table in ("area", "membership", "population", "standard_population", "coverage")
    }
    changed = tiny_release(tmp_path, "v20260117T030000Z-region", dict(release.manifest), cube=cube, **tables)
    estimates, verdicts = assess_level(changed, PREVENTABLE, "region", "2024", YEAR, standardised=True)
    assert dict(zip(estimates["area_code"], verdicts.id.tolist(), strict=True))["1084"] == "much_worse"


def test_a_trifle_is_as_expected_however_sure(tmp_path, country) -> None:
    """Half a per cent fewer complete contacts in the largest municipality: plain to the counts, nothing to a reader."""
    fewer = (pl.col("municipality_code") == "0101") & (pl.col("measure") == "n_contact_coded")
    counts = country.sql("select * from municipality_month").with_columns(
        pl.when(fewer).then((pl.col("n") * 0.995).cast(pl.Int32)).otherwise("n").alias("n")
    )
    release = build_release(tmp_path, municipality_month=counts)
    complete = INDICATORS["data_completeness"]
    for indicator, wanted in (
        (complete, "as_expected"),
        (complete.model_copy(update={"smallest_difference": 0.0}), "much_worse"),
    ):
        estimates, verdicts = assess_level(release, indicator, "municipality", "2024", YEAR)
        assert dict(zip(estimates["area_code"], verdicts.id.tolist(), strict=True))["0101"] == wanted


def test_a_winter_is_no_signal_though_every_winter_is_higher(alike) -> None:
    """The season of 15 per cent stands in the raw series; for the largest municipality it would be a signal."""
    largest = tuple(area for area in areas(alike[0], "municipality", "2024") if area.code == "0101")
    found = assess_change(alike[0], PREVENTABLE, largest, last=date(2025, 2, 1), months=24)
    raw = found.estimates["value"].to_numpy()
    assert np.corrcoef(raw, found.chart.value[0])[0, 1] < 0.9
    assert not found.verdicts.shouts.any()


# --- true changes and differences ---------------------------------------------------------------------------

FIRST = date(2023, 1, 1)


def one_municipality(folder, counts, first=FIRST):
    """Two municipalities of 12,000 persons; the first has these monthly admissions, the other 100 a month."""
    months = [add_months(first, step) for step in range(len(counts))]
    end = add_months(first, len(counts))
    cube = []
    for code, of_month in (("0101", counts), ("0151", [100] * len(counts))):
        for month, n in zip(months, of_month, strict=True):
            cube.append((code, month, 1, 65, "preventable_65plus.fracture", n, n, n, 0, 0, 0))
    codes = ("0101", "0151")
    area = [("municipality", code, code, code, None, None) for code in codes] + [("country", "DK", "", "", None, None)]
    membership = [
        (code, level, place, None, None, "verified")
        for code in codes
        for level, place in (("municipality", code), ("country", "DK"))
    ]
    facts = {"data_from": str(first), "as_of": str(end), "provisional_from": str(end)}
    return tiny_release(
        folder,
        manifest=facts,
        area=area,
        membership=membership,
        population=[(code, first, sex, 65, 6000) for code in codes for sex in (1, 2)],
        coverage=[("lpr_contacts", code, months[0], months[-1]) for code in codes],
        cube=cube,
    )


def noisy(level, months, seed=1):
    return np.random.default_rng(seed).poisson(level, months).tolist()


def test_a_fall_is_seen_and_since_when(tmp_path) -> None:
    release = one_municipality(tmp_path, noisy(100, 26) + noisy(60, 10, 2))
    found = assess_change(release, PREVENTABLE, areas(release, "municipality", "2024")[:1])
    assert found.verdicts.id.tolist() == ["improving"]
    since = found.since(0)
    assert since is not None and since >= date(2025, 3, 1)


def test_a_fall_that_is_too_small_to_matter_is_no_signal_in_any_month(tmp_path) -> None:
    """From 100 to 60: a signal, unless the indicator says that 60 is too little to hear of."""
    release = one_municipality(tmp_path, noisy(100, 26) + noisy(60, 10, 2))
    trifling = PREVENTABLE.model_copy(update={"smallest_difference": 60.0})
    found = assess_change(release, trifling, areas(release, "municipality", "2024")[:1])
    assert found.verdicts.id.tolist() == ["no_signal"]
    assert set(found.chart.variation("lower").ravel()) == {"none"}
    assert found.since(0) is None


@pytest.mark.parametrize("name", [item.id for item in INDICATORS.values() if item.headline])
def test_what_is_too_small_to_matter_is_a_twentieth_of_the_level(country, name: str) -> None:
    """Large enough that the months of a country do not shout of one per cent, small enough to hide no real change."""
    indicator = INDICATORS[name]
    (level,) = evaluate(country, Query(indicator, areas(country, "country", "2024"), (YEAR,)))["value"]
    assert 0.02 < indicator.smallest_difference / level < 0.1


@pytest.mark.parametrize(("months", "word", "reason"), [(20, "cannot_tell", "few_points"), (36, "no_signal", "")])
def test_less_than_two_years_cannot_tell_a_change_from_a_season(tmp_path, months, word, reason) -> None:
    release = one_municipality(tmp_path, noisy(100, months))
    found = assess_change(release, PREVENTABLE, areas(release, "municipality", "2024")[:1]).verdicts
    assert (found.id.tolist(), found.reason.tolist()) == ([word], [reason])


def test_where_a_month_has_few_events_nothing_is_said(tmp_path) -> None:
    release = one_municipality(tmp_path, [5, 0] * 18)
    found = assess_change(release, PREVENTABLE, areas(release, "municipality", "2024")[:1]).verdicts
    assert (found.id.tolist(), found.reason.tolist()) == (["cannot_tell"], ["too_few"])


def test_places_are_decided_and_no_process(country) -> None:
    """They stand still while the citizens of 80 and over grow each quarter: every step would be a signal."""
    found = assess_change(country, INDICATORS["acute_place_capacity"], areas(country, "municipality", "2024")).verdicts
    assert set(zip(found.id.tolist(), found.reason.tolist(), strict=True)) == {("not_assessed", "decided")}


@pytest.mark.parametrize(("first", "at_break"), [(date(2017, 1, 1), 26), (date(2025, 1, 1), 24)])
def test_a_break_in_the_data_is_no_change_and_no_limit_crosses_it(tmp_path, first, at_break) -> None:
    """Levels fall by 40 per cent at the break: a new way to count, not a better area."""
    release = one_municipality(tmp_path, noisy(100, at_break) + noisy(60, 30, 2), first=first)
    found = assess_change(release, PREVENTABLE, areas(release, "municipality", "2024")[:1], months=at_break + 30)
    assert np.unique(found.phase).tolist() == [0, 1]
    assert np.flatnonzero(np.diff(found.phase)).tolist() == [at_break - 1]
    assert [reason.month for reason in found.breaks] == [add_months(first, at_break)]
    assert found.verdicts.id.tolist() == ["no_signal"]
    per_month = 1000 / 1000  # 12,000 persons are 1,000 person-years a month
    assert found.chart.centre[0, 0] == pytest.approx(100 * per_month, rel=0.05)
    assert found.chart.centre[0, -1] == pytest.approx(60 * per_month, rel=0.05)


@pytest.mark.parametrize("period", ["2019", "12m-2027-05"])
def test_a_period_across_a_break_says_so_and_is_not_compared(tmp_path, period) -> None:
    release = one_municipality(tmp_path, noisy(100, 120), first=date(2018, 1, 1))
    estimates, verdicts = assess_level(release, PREVENTABLE, "municipality", "2024", Period.from_id(period))
    assert all("crosses_break" in note for note in estimates["note"])
    assert set(verdicts.id.tolist()) == {"not_assessed"} and set(verdicts.reason.tolist()) == {"across_break"}
    whole = Period.from_id("2020")
    estimates, verdicts = assess_level(release, PREVENTABLE, "municipality", "2024", whole)
    assert not any("crosses_break" in note for note in estimates["note"])
    assert "not_assessed" not in verdicts.id.tolist()


def test_a_municipality_that_differs_is_called_out(tmp_path) -> None:
    release = build_alike(tmp_path, 3)
    doubled = release.sql("select * from cube").with_columns(
        pl.when(pl.col("municipality_code") == "0751").then(pl.col("n_acute") * 2).otherwise("n_acute").alias("n_acute")
    )
    tables = {
        table: release.sql(f"select * from {table}")
        for table in ("area", "membership", "population", "standard_population", "coverage")
    }
    changed = tiny_release(tmp_path, "v20260116T030000Z-changed", dict(release.manifest), cube=doubled, **tables)
    estimates, verdicts = assess_level(changed, PREVENTABLE, "municipality", "2024", YEAR, standardised=True)
    shouting = estimates.filter(pl.Series(verdicts.shouts))
    assert shouting["area_code"].to_list() == ["0751"]
    assert verdicts.id[estimates["area_code"].to_list().index("0751")] == "much_worse"


def test_kinds_without_an_interval_are_not_judged(country) -> None:
    _, verdicts = assess_level(country, INDICATORS["days_after_ready"], "municipality", "2024", YEAR)
    assert set(verdicts.id.tolist()) == {"not_assessed"} and set(verdicts.reason.tolist()) == {"no_interval"}


# --- trends over years --------------------------------------------------------------------------------------


def test_a_steady_fall_is_a_yearly_ratio_and_its_interval_holds_it(tmp_path) -> None:
    """Ten per cent fewer each year in the first municipality, the second unchanged."""
    counts = np.random.default_rng(1).poisson(400 * 0.9 ** (np.arange(48) / 12)).tolist()
    release = one_municipality(tmp_path, counts, first=date(2020, 1, 1))
    found = assess_trend(release, PREVENTABLE, areas(release, "municipality", "2024"))
    assert found is not None and found.after is None
    assert found.trend.ratio.lower[0] < 0.9 < found.trend.ratio.upper[0] < 1


def test_where_nothing_changes_few_trends_are_sure(alike) -> None:
    sure = []
    for release in alike:
        found = assess_trend(release, PREVENTABLE, areas(release, "municipality", "2024"))
        assert found is not None
        ratio = found.trend.ratio
        sure += list((ratio.lower > 1) | (ratio.upper < 1))
    assert np.mean(sure) < 0.07


def test_a_trend_begins_behind_the_break_and_says_so(tmp_path) -> None:
    """Levels fall by 40 per cent at the break of March 2019 and stay level on both sides."""
    release = one_municipality(tmp_path, noisy(1000, 26) + noisy(600, 36, 2), first=date(2017, 1, 1))
    found = assess_trend(release, PREVENTABLE, areas(release, "municipality", "2024")[:1])
    assert found is not None and found.after is not None
    assert (found.first, found.after.id) == (date(2019, 3, 1), "lpr3")
    assert found.trend.ratio.lower[0] < 1 < found.trend.ratio.upper[0]


def test_no_trend_of_less_than_two_years_or_of_days_and_places(tmp_path, country) -> None:
    release = one_municipality(tmp_path, noisy(100, 20))
    assert assess_trend(release, PREVENTABLE, areas(release, "municipality", "2024")) is None
    country_area = areas(country, "country", "2024")
    assert assess_trend(country, INDICATORS["days_after_ready"], country_area) is None

"""Clustering: by hand, by simulation, and from a release."""

import numpy as np
import pytest

from kpis.clustering import clustering, national_clustering, window_of
from kpis.indicator import load_indicators
from tests.kpis.alike import build_alike

INDICATORS = load_indicators()
PREVENTABLE = INDICATORS["preventable_admissions_65plus"]
SIZES = np.exp(np.random.default_rng(5).normal(np.log(138), 0.8, 98))
"""Preventable admissions a quarter that municipalities of real sizes would have."""
QUARTERS = 12
SEASON = 1 + 0.2 * np.cos(2 * np.pi * np.arange(QUARTERS) / 4)


def usual(size: float = 1.0) -> np.ndarray:
    return SIZES[:, None] * SEASON * size


def several(simulate, runs: int = 20) -> float:
    """Mean of the factor over as many made-up countries."""
    return float(
        np.mean([clustering(simulate(np.random.default_rng(seed)), np.ones((98, QUARTERS))) for seed in range(runs)])
    )


def test_independent_events_are_worth_what_they_count_whatever_the_season() -> None:
    assert several(lambda rng: rng.poisson(usual())) == pytest.approx(1.0, abs=0.04)


def test_events_in_pairs_are_worth_half() -> None:
    """Always two at once: E(m²)/E(m) = 2."""
    assert several(lambda rng: 2 * rng.poisson(usual(0.5))) == pytest.approx(2.0, abs=0.08)


def test_a_second_event_in_a_later_month_counts_nearly_as_much_as_one_in_the_same() -> None:
    """A quarter of the citizens come twice, a month apart: E(m²)/E(m) = (0.75 + 0.25·4)/1.25 = 1.4. One in three pairs
    is parted by the end of a quarter, one in six by the end of a half-year."""

    def next_month(rng: np.random.Generator) -> np.ndarray:
        first = rng.poisson(np.repeat(usual(0.8), 3, axis=1) / 3)
        months = first + np.roll(rng.binomial(first, 0.25), 1, axis=1)
        return months.reshape(98, QUARTERS, 3).sum(axis=2)

    assert several(next_month) == pytest.approx(1.4, abs=0.1)


def test_the_error_of_rounding_is_no_clustering() -> None:
    """Each window is off by a variance of 40 events² in areas of 280 events a window; unsaid it looks like clustering."""
    rng = np.random.default_rng(1)
    exact = rng.poisson(np.full((98, QUARTERS), 138.0)).astype(float)
    noisy = np.maximum(exact + rng.normal(0, np.sqrt(40 / 2), exact.shape), 0)
    said = clustering(noisy, np.ones(exact.shape), extra_variance=np.full(98, 40.0))
    assert said == pytest.approx(clustering(exact, np.ones(exact.shape)), abs=0.06)
    assert clustering(noisy, np.ones(exact.shape)) > said + 0.1


def test_shares_have_their_own_variance() -> None:
    rng = np.random.default_rng(2)
    trials = rng.poisson(usual(4))
    events = rng.binomial(trials, 0.4)
    assert clustering(events, trials, is_share=True) == pytest.approx(1.0, abs=0.1)


def test_too_few_quarters_or_events_say_nothing() -> None:
    rng = np.random.default_rng(3)
    assert clustering(2 * rng.poisson(usual(0.5))[:, :3], np.ones((98, 3))) == 1.0
    assert clustering(3 * rng.poisson(np.full((98, QUARTERS), 0.15)), np.ones((98, QUARTERS))) == 1.0
    assert clustering(np.full((98, QUARTERS), np.nan), np.ones((98, QUARTERS))) == 1.0
    assert [window_of(quarters) for quarters in (3, 4, 7, 8, 40)] == [0, 1, 1, 2, 2]


def test_of_a_release_it_is_what_its_citizens_did(tmp_path) -> None:
    """15 per cent are admitted once more: 1 + 2·0.15/1.15 = 1.26; rounded counts tell it too. Readmissions are drawn
    one by one."""
    found = [national_clustering(build_alike(tmp_path, seed), PREVENTABLE) for seed in (1, 2, 3)]
    assert np.mean(found) == pytest.approx(1.26, abs=0.12)
    release = build_alike(tmp_path, 4, again=0.0)
    assert national_clustering(release, PREVENTABLE) == pytest.approx(1.0, abs=0.15)
    assert national_clustering(release, INDICATORS["readmissions_30d_65plus"]) == pytest.approx(1.0, abs=0.15)


def test_what_is_no_count_of_events_has_none(country) -> None:
    for name in (
        "acute_place_occupancy",
        "common_goals_on_track",
        "acute_place_median_stay",
        "preventive_home_visits_75plus",
    ):
        assert national_clustering(country, INDICATORS[name]) == 1.0

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.rates import confint_poisson

from kpis import rates

COUNTS = st.integers(0, 5000)
CONFIDENCES = st.sampled_from([0.8, 0.9, 0.95, 0.998])


def _numbers(interval: rates.Interval) -> list[float]:
    return [float(interval.value), float(interval.lower), float(interval.upper)]


# --- limits of a count ------------------------------------------------------------------------------------


def test_byar_limits_of_ten_events_by_hand() -> None:
    lower, upper = rates.byar_limits(10)
    assert lower == pytest.approx(10 * (1 - 1 / 90 - 1.959963985 / (3 * 10**0.5)) ** 3)
    assert upper == pytest.approx(11 * (1 - 1 / 99 + 1.959963985 / (3 * 11**0.5)) ** 3)


@given(COUNTS, CONFIDENCES)
def test_exact_limits_agree_with_statsmodels(events: int, confidence: float) -> None:
    ours = rates.exact_poisson_limits(events, confidence)
    theirs = confint_poisson(events, 1.0, method="exact-c", alpha=1 - confidence)
    assert np.allclose(ours, np.nan_to_num(theirs), rtol=1e-9)


def test_limits_are_exact_under_ten_events_and_byar_from_ten() -> None:
    lower, _, method = rates.poisson_limits([0, 9, 10])
    assert method.tolist() == ["exact", "exact", "byar"]
    assert lower[0] == 0.0
    assert lower[1] == pytest.approx(stats.chi2.ppf(0.025, 18) / 2)


# --- crude rates ------------------------------------------------------------------------------------------


def test_crude_rate_is_events_per_thousand_person_years() -> None:
    rate = rates.crude_rate([0, 50], [1000, 2000])
    assert rate.value.tolist() == [0.0, 25.0]
    assert rate.lower[0] == 0.0
    assert rate.upper[0] == pytest.approx(3.688879, abs=1e-6)  # −ln 0.025


def test_more_events_than_persons_is_a_rate_but_nothing_at_risk_is_not() -> None:
    rate = rates.crude_rate([30, 4, -1, np.nan, 3], [20, 0, 10, 10, np.nan])
    assert rate.status.tolist() == ["ok"] + ["undefined"] * 4
    assert np.isnan(rate.value[1:]).all() and np.isnan(rate.lower[1:]).all() and np.isnan(rate.upper[1:]).all()


@given(COUNTS, st.floats(0.1, 1e6), st.floats(0, 100))
def test_limits_enclose_the_rate_and_widen_with_confidence(events: int, years: float, extra: float) -> None:
    narrow = rates.crude_rate(events, years, confidence=0.95, extra_variance=extra)
    wide = rates.crude_rate(events, years, confidence=0.998, extra_variance=extra)
    assert 0 <= wide.lower <= narrow.lower <= narrow.value <= narrow.upper <= wide.upper


def test_a_confidence_that_is_none_is_refused() -> None:
    for confidence in (0.0, 1.0, 95.0):
        with pytest.raises(ValueError, match="must lie between 0 and 1"):
            rates.crude_rate(5, 100, confidence=confidence)


# --- shares -----------------------------------------------------------------------------------------------


@given(st.integers(0, 2000), st.integers(1, 2000), CONFIDENCES)
def test_wilson_limits_agree_with_statsmodels(events: int, trials: int, confidence: float) -> None:
    share = rates.proportion(events, trials, 1.0, confidence)
    if events > trials:
        assert share.status == "undefined"
        return
    assert np.allclose((share.lower, share.upper), proportion_confint(events, trials, 1 - confidence, "wilson"))


def test_a_share_of_none_or_all_ends_exactly_there() -> None:
    share = rates.proportion([0, 40], [40, 40])
    assert share.lower[0] == 0.0
    assert share.upper[1] == 100.0


@given(st.integers(0, 300), st.integers(1, 300), st.floats(0, 50), st.floats(0, 50))
def test_a_share_never_leaves_0_to_100(events: int, trials: int, extra: float, extra_trials: float) -> None:
    share = rates.proportion(min(events, trials), trials, extra_variance=extra, extra_variance_trials=extra_trials)
    assert 0 <= share.lower <= share.value <= share.upper <= 100


# --- direct standardisation -------------------------------------------------------------------------------


def test_direct_rate_by_hand() -> None:
    rate = rates.direct_rate([10, 20], [1000, 500], [3, 1])
    assert rate.value == pytest.approx((3 * 10 + 1 * 40) / 4)
    # Var = (0.75² · 10/1000² + 0.25² · 20/500²) · 1000² = 10.625, stretched as the 30 events are by Byar
    z = 1.959963985
    lower_30 = 30 * (1 - 1 / 270 - z / (3 * 30**0.5)) ** 3
    upper_30 = 31 * (1 - 1 / 279 + z / (3 * 31**0.5)) ** 3
    assert rate.lower == pytest.approx(17.5 + (10.625 / 30) ** 0.5 * (lower_30 - 30))
    assert rate.upper == pytest.approx(17.5 + (10.625 / 30) ** 0.5 * (upper_30 - 30))


def test_with_one_stratum_the_direct_rate_is_the_crude_one() -> None:
    direct, crude = rates.direct_rate([25], [800], [7]), rates.crude_rate(25, 800)
    assert _numbers(direct) == pytest.approx(_numbers(crude))


def test_nine_events_are_too_few_for_a_direct_rate_and_ten_are_enough() -> None:
    rate = rates.direct_rate([[4, 5], [5, 5]], [500, 500], [1, 1])
    assert rate.status.tolist() == ["too_few", "ok"]
    assert np.isnan(rate.value[0])


def test_a_stratum_with_weight_but_nobody_in_it_leaves_no_direct_rate() -> None:
    people, weights = [[500, 0], [500, 500], [500, 0]], [[1, 1], [1, 1], [1, 0]]
    assert rates.direct_rate([20, 0], people, weights).status.tolist() == ["undefined", "ok", "ok"]


def test_a_missing_count_is_no_events_but_a_missing_population_is_an_error() -> None:
    counted = rates.direct_rate([20, np.nan], [500, 500], [1, 1])
    assert counted.value == rates.direct_rate([20, 0], [500, 500], [1, 1]).value
    assert rates.direct_rate([20, 5], [500, np.nan], [1, 1]).status == "undefined"


def test_repeaters_give_the_same_rate_with_wider_limits() -> None:
    people, weights = [1000, 500], [3, 1]
    once = rates.direct_rate([20, 30], people, weights)
    twice = rates.direct_rate_of_repeaters([[10, 10], [5, 10]], [1, 2], people, weights)
    assert twice.value == pytest.approx(once.value)
    assert twice.lower < once.lower and twice.upper > once.upper
    alone = rates.direct_rate_of_repeaters([[20, 30]], [1], people, weights)
    assert _numbers(alone) == pytest.approx(_numbers(once))


def test_the_gamma_interval_of_one_stratum_is_the_exact_one() -> None:
    gamma = rates.direct_rate_gamma([15], [1000], [1])
    assert _numbers(gamma)[1:] == pytest.approx([float(x) for x in rates.exact_poisson_limits(15)], rel=1e-9)


# --- indirect standardisation and ratios ------------------------------------------------------------------


def test_indirect_ratio_by_hand() -> None:
    expected = rates.expected_events([1000, 0], [50, 80], [10_000, 4_000])  # 1000 · 0.005
    assert expected == 5.0
    ratio = rates.indirect_ratio(6, expected)
    assert ratio.value == pytest.approx(1.2)
    assert rates.indirect_rate(6, expected, 9.2).value == pytest.approx(11.04)
    assert rates.indirect_ratio(0, 5.0).value == 0.0
    assert rates.indirect_ratio(3, 0.0).status == "undefined"


def test_no_expectation_where_the_reference_has_nobody() -> None:
    assert np.isnan(rates.expected_events([10, 10], [5, 5], [100, 0]))


@given(st.integers(0, 400), st.integers(1, 400), st.floats(10, 1e5), st.floats(10, 1e5))
def test_rate_ratio_limits_agree_with_scipys_clopper_pearson(
    first: int, second: int, years: float, other_years: float
) -> None:
    ratio = rates.rate_ratio(first, years, second, other_years)
    shares = stats.binomtest(first, first + second).proportion_ci(0.95, "exact")
    scale = other_years / years
    assert ratio.lower == pytest.approx(shares.low / (1 - shares.low) * scale, rel=1e-8)
    assert ratio.upper == pytest.approx(shares.high / (1 - shares.high) * scale, rel=1e-8)


def test_a_ratio_to_no_events_does_not_exist_but_has_a_lower_limit() -> None:
    ratio = rates.rate_ratio([3, 0, 0, 3], [10, 10, 10, 0], [0, 4, 0, 4], 10)
    assert ratio.status.tolist() == ["undefined", "ok", "undefined", "undefined"]
    assert ratio.lower[0] == pytest.approx(0.025 ** (1 / 3) / (1 - 0.025 ** (1 / 3)))
    assert np.isnan(ratio.upper[0]) and np.isnan(ratio.value[0])
    assert ratio.value[1] == 0.0 and ratio.lower[1] == 0.0 and np.isfinite(ratio.upper[1])
    assert np.isnan(ratio.lower[2:]).all()


def test_mean_has_students_limits() -> None:
    mean = rates.mean([[1, 2, 6, np.nan], [4, np.nan, np.nan, np.nan]])
    assert mean.value[0] == pytest.approx(3.0)
    assert mean.upper[0] - 3.0 == pytest.approx(stats.t.ppf(0.975, 2) * np.std([1, 2, 6], ddof=1) / 3**0.5)
    assert mean.status.tolist() == ["ok", "undefined"]


def test_arrays_are_the_same_as_one_at_a_time() -> None:
    rng = np.random.default_rng(1)
    events, people, weights = rng.poisson(8, (3, 4, 6)), rng.uniform(50, 900, (3, 4, 6)), rng.uniform(0, 9, 6)
    together = rates.direct_rate(events, people, weights)
    for k in np.ndindex(3, 4):
        alone = rates.direct_rate(events[k], people[k], weights)
        assert together.lower[k] == pytest.approx(float(alone.lower))


# --- coverage: an interval says what it says -----------------------------------------------------------------


def _coverage(interval: rates.Interval, truth: float) -> float:
    known = interval.status == "ok"
    return float(((interval.lower <= truth) & (truth <= interval.upper))[known].mean())


@pytest.mark.parametrize("mean", [15, 60, 400])
def test_coverage_of_crude_rates(mean: float) -> None:
    events = np.random.default_rng(2).poisson(mean, 20_000)
    assert 0.93 < _coverage(rates.crude_rate(events, 1000.0), mean) < 0.97


def test_exact_limits_of_few_events_cover_at_least_what_they_promise() -> None:
    events = np.random.default_rng(3).poisson(4, 20_000)
    assert _coverage(rates.crude_rate(events, 1000.0), 4) >= 0.95


@pytest.mark.parametrize(("share", "trials"), [(0.12, 60), (0.12, 900), (0.5, 40)])
def test_coverage_of_shares(share: float, trials: int) -> None:
    events = np.random.default_rng(4).binomial(trials, share, 20_000)
    assert 0.93 < _coverage(rates.proportion(events, trials), 100 * share) < 0.97


def test_coverage_of_direct_rates() -> None:
    people, risk, weights = np.array([3000, 1500, 400, 60]), np.array([0.01, 0.03, 0.08, 0.2]), [5, 3, 2, 1]
    events = np.random.default_rng(5).poisson(people * risk, (20_000, 4))
    truth = float(np.average(risk, weights=weights) * 1000)
    assert 0.93 < _coverage(rates.direct_rate(events, people, weights), truth) < 0.97


def test_coverage_of_rate_ratios() -> None:
    rng = np.random.default_rng(6)
    ratio = rates.rate_ratio(rng.poisson(150, 20_000), 1000, rng.poisson(300, 20_000), 3000)
    assert 0.93 < _coverage(ratio, 1.5) < 0.97


def test_limits_that_know_of_rounding_cover_and_those_that_do_not_fall_short() -> None:
    """Ten cells rounded to base 5 up or down at random: an error variance of r(5 − r) each, on average 4."""
    rng = np.random.default_rng(7)
    cells = rng.poisson(3, (20_000, 10))
    published = 5 * np.floor(cells / 5 + rng.random(cells.shape)).sum(axis=1)
    aware = rates.crude_rate(published, 1000.0, extra_variance=4.0 * 10)
    assert 0.93 < _coverage(aware, 30) < 0.97
    assert _coverage(rates.crude_rate(published, 1000.0), 30) < 0.88


# --- events that come together ------------------------------------------------------------------------------


def test_with_dispersion_a_count_is_worth_fewer_events() -> None:
    """100 events of dispersion 4 are as uncertain as 25 independent ones: their limits, four times."""
    plain, clustered = rates.crude_rate(25, 250), rates.crude_rate(100, 1000, dispersion=4.0)
    assert clustered.value == plain.value
    assert (float(clustered.lower), float(clustered.upper)) == pytest.approx((float(plain.lower), float(plain.upper)))


def test_ten_effective_events_are_what_byar_needs() -> None:
    assert str(rates.crude_rate(12, 100).method) == "byar"
    assert str(rates.crude_rate(12, 100, dispersion=1.5).method) == "exact"


def test_a_share_with_dispersion_is_that_of_fewer_trials() -> None:
    plain, clustered = rates.proportion(10, 50), rates.proportion(20, 100, dispersion=2.0)
    assert (float(clustered.lower), float(clustered.upper)) == pytest.approx((float(plain.lower), float(plain.upper)))
    none, all_of_them = rates.proportion(0, 50, dispersion=2.0), rates.proportion(50, 50, dispersion=2.0)
    assert float(none.lower) == 0.0 and float(all_of_them.upper) == 100.0


def test_a_standardised_rate_of_one_stratum_is_the_crude_one_also_with_dispersion() -> None:
    crude = rates.crude_rate(80, 1000, dispersion=1.6)
    direct = rates.direct_rate([80], [1000], [500], dispersion=1.6)
    assert (float(direct.lower), float(direct.upper)) == pytest.approx((float(crude.lower), float(crude.upper)))


def test_with_dispersion_the_limits_cover_events_that_come_in_pairs() -> None:
    rng = np.random.default_rng(1)
    events = 2 * rng.poisson(40, 20_000)
    found = rates.crude_rate(events, 1.0, 1.0, dispersion=2.0)
    assert np.mean((found.lower <= 80) & (found.upper >= 80)) == pytest.approx(0.95, abs=0.02)
    plain = rates.crude_rate(events, 1.0, 1.0)
    assert np.mean((plain.lower <= 80) & (plain.upper >= 80)) < 0.87

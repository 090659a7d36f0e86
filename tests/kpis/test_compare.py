import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from kpis import compare, dispersion, rates


def _interval(value: list[float], lower: list[float], upper: list[float]) -> rates.Interval:
    shape = np.shape(value)
    status = np.where(np.isnan(value), "too_few", "ok")
    return rates.Interval(np.array(value), np.array(lower), np.array(upper), status, np.full(shape, "given"))


# --- a value and its reference, two shares ----------------------------------------------------------------


def test_different_means_that_the_interval_leaves_the_benchmark_out() -> None:
    area = _interval([3.0, 3.0, 3.0, np.nan], [2.0, 2.5, 1.0, np.nan], [4.0, 3.5, 3.2, np.nan])
    side = compare.side_of(area, [3.9, 2.4, 3.3, 1.0])
    assert side[:3].tolist() == [0.0, 1.0, -1.0]
    assert np.isnan(side[3])


def test_rate_ratio_p_value_of_a_fair_coin() -> None:
    assert compare.rate_ratio_p_value(8, 100, 2, 100) == pytest.approx(stats.binomtest(8, 10).pvalue)
    assert np.isnan(compare.rate_ratio_p_value(0, 100, 0, 100))


def test_proportion_difference_agrees_with_statsmodels_and_scipy() -> None:
    found = compare.proportion_difference(61, 433, 48, 312, per=1.0)
    low, high = confint_proportions_2indep(61, 433, 48, 312, method="newcomb")
    assert (float(found.difference.lower), float(found.difference.upper)) == pytest.approx((low, high))
    chi2 = stats.chi2_contingency([[61, 372], [48, 264]], correction=False)
    assert (float(found.chi2), float(found.p_value)) == pytest.approx((chi2.statistic, chi2.pvalue))


def test_a_difference_to_an_undefined_share_is_undefined() -> None:
    assert compare.proportion_difference(3, 10, 4, 0).difference.status == "undefined"


# --- funnels ----------------------------------------------------------------------------------------------


@given(st.integers(1, 3000))
def test_a_point_on_the_limit_has_its_interval_end_at_the_reference(observed: int) -> None:
    at_upper, at_lower = compare.expected_at_limit(observed, 0.95)
    assert stats.poisson.sf(observed - 1, at_upper) == pytest.approx(0.025)
    assert stats.poisson.cdf(observed, at_lower) == pytest.approx(0.025)


def test_funnels_narrow_with_size_and_the_outer_pair_encloses_the_inner() -> None:
    funnel = compare.ratio_funnel([2, 20, 200, 2000])
    lines = np.array([funnel.lower_998, funnel.lower_95, np.ones(4), funnel.upper_95, funnel.upper_998])
    assert (np.diff(lines, axis=0) > 0).all()
    assert (np.diff(funnel.upper_95) < 0).all() and (np.diff(funnel.lower_95) > 0).all()


def test_proportion_funnel_by_hand() -> None:
    baseline, funnel = compare.proportion_funnel([10, 30], [100, 100], [64, 1])
    assert baseline == 20.0
    assert funnel.upper_95[0] == pytest.approx(20 + 1.959963985 * 5)  # √(0.2 · 0.8 / 64) = 5 %
    assert funnel.lower_998[1] == 0.0 and funnel.upper_998[1] == 100.0


def test_rate_funnel_has_the_pooled_rate_in_the_middle() -> None:
    baseline, funnel = compare.rate_funnel([10, 30, 0], [10.0, 20.0, 0.0], [25])
    assert baseline == pytest.approx(40 / 2500 * 1000)
    assert funnel.upper_95[0] == pytest.approx(25 / stats.chi2.ppf(0.025, 50) * 2 * baseline)


def test_categories_ask_the_outer_limit_first() -> None:
    words = compare.ratio_category([200, 130, 105, 80, 40, 0, 5], [100, 100, 100, 100, 100, 20, 0])
    expected = ["high_998", "high_95", "inside", "low_95", "low_998", "low_998", "undefined"]
    assert words.tolist() == expected


def test_proportion_category_is_about_the_common_share() -> None:
    events, trials = [480, 480, 620, 5], [5000, 5000, 5000, 0]
    words = compare.proportion_category(events, trials)
    assert words.tolist() == ["low_95", "low_95", "high_998", "undefined"]


# --- overdispersion ---------------------------------------------------------------------------------------


def test_overdispersion_by_hand_without_trimming() -> None:
    """√(O/E) = 1.2, 1.0, 0.8, 1.0 with s = 0.05: z = 4, 0, −4, 0; φ = 8; τ² = (32 − 3)/(1600 − 400)."""
    found = dispersion.ratio_dispersion([144, 100, 64, 100], 100, trim=0.0)
    assert found.z.tolist() == pytest.approx([4, 0, -4, 0])
    assert found.phi.item() == pytest.approx(8.0)
    assert found.tau2.item() == pytest.approx(29 / 1200)
    lower, upper = found.limits(0.95)
    assert upper[0] == pytest.approx((1 + 1.959963985 * (0.0025 + 29 / 1200) ** 0.5) ** 2)
    assert lower[0] == pytest.approx((1 - 1.959963985 * (0.0025 + 29 / 1200) ** 0.5) ** 2)


def test_the_error_of_a_protected_count_adds_to_chance() -> None:
    """s² = 1/(4E) + v/(4E²) = 0.0025 + 0.0011 for E = 100 and v = 44."""
    assert dispersion.ratio_dispersion([90, 100], 100, extra_variance=44).standard_error == pytest.approx(0.06)
    # On the asin scale Var(p)/(4p(1−p)) = 1/(4n) + (9 + 0.25 · 12)/(n² · 4 · 0.25) = 0.0025 + 0.0012 for n = 100, π = ½
    share = dispersion.proportion_dispersion([40, 60], 100, extra_variance=9, extra_variance_trials=12)
    assert share.standard_error**2 == pytest.approx(0.0037)


def test_areas_that_differ_less_than_chance_get_the_limits_of_chance() -> None:
    found = dispersion.ratio_dispersion([101, 99, 100, 100], 100)
    assert found.tau2.item() == 0.0
    assert np.array_equal(found.limits(0.998), found.limits(0.998, with_overdispersion=False))


def test_limits_with_overdispersion_enclose_those_without() -> None:
    rng = np.random.default_rng(1)
    expected = rng.uniform(20, 900, 98)
    found = dispersion.ratio_dispersion(rng.poisson(expected * np.exp(rng.normal(0, 0.3, 98))), expected)
    (lower, upper), (inner_lower, inner_upper) = found.limits(0.95), found.limits(0.95, with_overdispersion=False)
    assert found.tau2.item() > 0
    assert (lower < inner_lower).all() and (upper > inner_upper).all()


def test_dispersion_recovers_the_spread_that_was_put_in() -> None:
    """Normal values beyond chance with standard deviation 0.1 on the √ scale; trimming costs a third of τ²."""
    rng = np.random.default_rng(2)
    expected = rng.uniform(300, 3000, (200, 98))
    observed = rng.poisson(expected * (1 + rng.normal(0, 0.1, expected.shape)) ** 2)
    untrimmed = dispersion.ratio_dispersion(observed, expected, trim=0.0).tau2.mean()
    trimmed = dispersion.ratio_dispersion(observed, expected).tau2.mean()
    assert untrimmed == pytest.approx(0.01, rel=0.05)
    assert 0.6 * untrimmed < trimmed < 0.8 * untrimmed


def test_one_wild_area_cannot_widen_the_limits_of_all() -> None:
    rng = np.random.default_rng(3)
    observed = rng.poisson(400.0, 98)
    before = dispersion.ratio_dispersion(observed, 400.0).tau2.item()
    observed[0] = 4000
    after = dispersion.ratio_dispersion(observed, 400.0)
    assert after.tau2.item() < before + 1e-4
    assert after.adjusted_z[0] > 3.09


def test_areas_without_a_value_take_no_part() -> None:
    whole = dispersion.proportion_dispersion([10, 20, 30, 44], [100, 200, 300, 300])
    holed = dispersion.proportion_dispersion([10, np.nan, 20, 30, 44, 5], [100, 50, 200, 300, 300, 0])
    assert holed.tau2 == pytest.approx(whole.tau2)
    assert np.isnan(holed.adjusted_z[[1, 5]]).all()


def test_the_log_version_leaves_out_an_area_without_events() -> None:
    found = dispersion.ratio_dispersion([0, 100, 120, 80], 100, scale="log")
    assert np.isnan(found.z[0]) and np.isfinite(found.z[1:]).all()


def test_rounding_counts_as_chance_not_as_overdispersion() -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(12, (300, 98))
    published = 5 * np.floor(counts / 5 + rng.random(counts.shape))
    blind = dispersion.ratio_dispersion(published, 12.0).tau2
    aware = dispersion.ratio_dispersion(published, 12.0, extra_variance=4.0).tau2
    assert blind.mean() > 4 * aware.mean()

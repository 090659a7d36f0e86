import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from kpis import trend

YEARS = np.arange(6.0)


def test_share_trend_by_hand() -> None:
    """Five years of 100: x = 10…14, p̄ = 0.12, Σt(x − np̄) = 10, Σnt² − (Σnt)²/Σn = 1000; χ² = 100/(0.1056 · 1000)."""
    found = trend.share_trend([10, 11, 12, 13, 14], 100)
    assert found.chi2 == pytest.approx(100 / 105.6)
    assert found.direction == 1


def test_share_trend_needs_five_points_and_some_but_not_all_events() -> None:
    found = trend.share_trend([[1, 2, 3, 4, np.nan], [0] * 5, [9] * 5, [1, 2, 3, 4, 5]], 9)
    assert np.isnan(found.p_value).tolist() == [True, True, True, False]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 500), min_size=6, max_size=6))
def test_rate_trend_agrees_with_statsmodels(events: list[int]) -> None:
    people = np.array([900.0, 950, 980, 1000, 1010, 1050])
    found = trend.rate_trend(events, people)
    family = sm.families.Poisson()
    # To its usual tolerance it stops a little early where one year has nearly all of the events.
    model = sm.GLM(events, sm.add_constant(YEARS), family, offset=np.log(people)).fit(tol=1e-13, maxiter=200)
    dispersion = model.pearson_chi2 / model.df_resid
    assert float(found.ratio.value) == pytest.approx(np.exp(model.params[1]), rel=1e-6)
    assert float(found.dispersion) == pytest.approx(dispersion, rel=1e-5, abs=1e-9)
    assert float(found.standard_error) == pytest.approx(model.bse[1] * max(dispersion, 1) ** 0.5, rel=1e-5)


def test_the_error_of_a_trend_is_never_smaller_than_chance() -> None:
    on_the_line = trend.rate_trend([1000, 900, 810, 729], 10_000)
    assert on_the_line.ratio.value == pytest.approx(0.9)
    assert on_the_line.dispersion < 0.01
    assert on_the_line.ratio.method == "poisson"
    assert on_the_line.standard_error > 0.01


def test_a_dispersion_known_from_elsewhere_is_the_least_that_is_assumed() -> None:
    calm, wild = [1000, 900, 810, 729], [1000, 600, 900, 500]
    plain, known = trend.rate_trend(calm, 10_000), trend.rate_trend(calm, 10_000, known_dispersion=4.0)
    assert float(known.standard_error) == pytest.approx(2 * float(plain.standard_error))
    assert known.ratio.method == "quasi-poisson"
    assert (
        trend.rate_trend(wild, 10_000).standard_error
        == trend.rate_trend(wild, 10_000, known_dispersion=4.0).standard_error
    )


def test_a_trend_of_rates_is_undefined_where_it_would_be_0_or_infinite() -> None:
    found = trend.rate_trend([[5, 0, 0], [0, 0, 5], [0, 0, 0], [3, np.nan, 4], [3, 0, 4], [0, 3, 0]], 100)
    assert found.ratio.status.tolist() == ["undefined"] * 4 + ["ok", "ok"]
    assert found.ratio.value[5] == pytest.approx(1.0)
    assert np.isnan(found.p_value[:4]).all()


def test_missing_years_are_left_out_and_times_may_be_uneven() -> None:
    holed = trend.rate_trend([100, np.nan, 81, 90], [1000, 1000, 1000, np.nan])
    assert holed.ratio.status == "undefined"
    uneven = trend.rate_trend([1000, 810, 729], 1000, times=[2015, 2017, 2018])
    assert uneven.ratio.value == pytest.approx(0.9)


def test_many_series_at_once_are_the_same_as_one_at_a_time() -> None:
    events = np.random.default_rng(1).poisson(40, (3, 5, 7))
    together = trend.rate_trend(events, 1000)
    for k in np.ndindex(3, 5):
        assert together.ratio.upper[k] == pytest.approx(float(trend.rate_trend(events[k], 1000).ratio.upper))


@pytest.mark.parametrize(("years", "spread"), [(5, 1.0), (8, 1.0), (8, 3.0)])
def test_coverage_of_annual_rate_ratios(years: int, spread: float) -> None:
    """With and without overdispersion; never under 93 %, and little over 97 % because of the floor at chance."""
    rng = np.random.default_rng(2)
    mean = rng.uniform(100, 500, (8000, 1)) * 0.98 ** np.arange(years)
    events = rng.poisson(mean) if spread == 1 else rng.negative_binomial(mean / (spread - 1), 1 / spread)
    ratio = trend.rate_trend(events, 10_000).ratio
    assert 0.93 < ((ratio.lower <= 0.98) & (ratio.upper >= 0.98)).mean() < 0.975


def test_kendall_of_four_falling_points_is_one_order_in_24_each_way() -> None:
    found = trend.kendall_trend([4.0, 3, np.nan, 2, 1])
    assert (found.s, found.tau) == (-6, -1.0)
    assert found.p_value == pytest.approx(2 / 24)


def test_kendall_with_ties_or_too_few_points() -> None:
    assert trend.kendall_trend([1.0, 1, 2, 3, 3]).s == 8
    assert np.isnan(trend.kendall_trend([1.0, 2]).p_value)

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize

from kpis import effect

UNITS, TIMES, START = 12, 20, 10


def _panel(change: float, seed: int = 1) -> tuple[np.ndarray, ...]:
    """y, treated now, unit, time of 12 units, the first five treated from time 10."""
    rng = np.random.default_rng(seed)
    unit, time = np.repeat(np.arange(UNITS), TIMES), np.tile(np.arange(TIMES), UNITS)
    treated_now = ((unit < 5) & (time >= START)).astype(float)
    level = rng.normal(50, 5, UNITS)[unit] + rng.normal(0, 2, TIMES)[time]
    return level + change * treated_now + rng.normal(0, 1, unit.size), treated_now, unit, time


# --- difference in differences ----------------------------------------------------------------------------


def test_difference_of_four_cells_by_hand() -> None:
    y = [10, 10, 12, 12, 20, 20, 25, 25]
    treated, post = [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1]
    found = effect.did_2x2(y, treated, post, [1, 2, 1, 2, 3, 4, 3, 4])
    assert found.effect.value == pytest.approx((25 - 20) - (12 - 10))
    assert found.cell_means.tolist() == [[10, 12], [20, 25]]
    assert found.notes == ("few_treated", "few_controls")


def test_panel_agrees_with_statsmodels() -> None:
    y, treated_now, unit, time = _panel(-3.0)
    found = effect.did_panel(y, treated_now, unit, time)
    x = np.column_stack([treated_now, np.eye(UNITS)[unit], np.eye(TIMES)[time][:, 1:]])
    model = sm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": unit}, use_t=True)
    assert found.effect.value == pytest.approx(model.params[0])
    assert found.effect.standard_error == pytest.approx(model.bse[0])
    assert (found.effect.lower, found.effect.upper) == pytest.approx(tuple(model.conf_int()[0]))
    assert found.effect.p_value == pytest.approx(model.pvalues[0])
    assert found.effect.lower < -3.0 < found.effect.upper
    free = y.size - x.shape[1]
    nested = found.effect.standard_error * (free / (free + UNITS - 1)) ** 0.5
    assert found.alternative_error == pytest.approx(nested)


def test_counts_agree_with_statsmodels() -> None:
    rng = np.random.default_rng(2)
    _, treated_now, unit, time = _panel(0.0)
    people = rng.uniform(2000, 9000, UNITS)[unit]
    events = rng.poisson(people * 0.01 * np.exp(rng.normal(0, 0.3, UNITS)[unit] - 0.2 * treated_now))
    found = effect.did_counts(events, people, treated_now, unit, time)
    x = np.column_stack([treated_now, np.eye(UNITS)[unit], np.eye(TIMES)[time][:, 1:]])
    model = sm.GLM(events, x, sm.families.Poisson(), offset=np.log(people))
    fitted = model.fit(cov_type="cluster", cov_kwds={"groups": unit, "use_correction": False})
    assert found.effect.value == pytest.approx(np.exp(fitted.params[0]), rel=1e-6)
    assert found.alternative_error == pytest.approx(fitted.bse[0], rel=1e-6)
    assert found.effect.standard_error == pytest.approx(fitted.bse[0] * (12 / 11) ** 0.5, rel=1e-6)


def test_a_unit_without_events_changes_nothing() -> None:
    _, treated_now, unit, time = _panel(0.0)
    events = np.random.default_rng(3).poisson(30, unit.size)
    without = effect.did_counts(events, np.full(unit.size, 1000.0), treated_now, unit, time)
    more = [np.append(a, b) for a, b in ((events, [0] * TIMES), (treated_now, [0] * TIMES))]
    labels = [np.append(unit, [99] * TIMES), np.append(time, np.arange(TIMES))]
    with_it = effect.did_counts(more[0], np.full(more[0].size, 1000.0), more[1], *labels)
    assert with_it.effect.value == pytest.approx(without.effect.value)


def test_designs_without_an_answer_are_refused() -> None:
    y, _, unit, time = _panel(0.0)
    staggered = ((unit < 3) & (time >= 8)) | ((unit >= 3) & (unit < 5) & (time >= 12))
    with pytest.raises(ValueError, match="2 start dates"):
        effect.did_panel(y, staggered, unit, time)
    with pytest.raises(ValueError, match="a treatment ends"):
        effect.did_panel(y, (unit < 5) & (time >= 8) & (time < 15), unit, time)
    with pytest.raises(ValueError, match="use synthetic_control"):
        effect.did_panel(y, (unit == 0) & (time >= 8), unit, time)
    with pytest.raises(ValueError, match="is empty"):
        effect.did_2x2(y, unit < 5, np.ones(unit.size), unit)


def test_units_that_drifted_apart_before_the_start_are_found_out() -> None:
    y, _, unit, time = _panel(0.0)
    parallel = effect.pre_trend(y, unit < 5, unit, time, START)
    drifting = effect.pre_trend(y + 0.5 * time * (unit < 5), unit < 5, unit, time, START)
    assert abs(parallel.effect.value) < 0.2
    assert drifting.effect.lower > 0
    assert drifting.effect.value - parallel.effect.value == pytest.approx(0.5)
    with pytest.raises(ValueError, match="at least 3"):
        effect.pre_trend(y, unit < 5, unit, time, 2)


def test_clustered_limits_cover_when_months_of_a_unit_hang_together() -> None:
    rng = np.random.default_rng(4)
    unit, time = np.repeat(np.arange(40), 12), np.tile(np.arange(12), 40)
    treated_now = ((unit < 20) & (time >= 6)).astype(float)
    hits = []
    for _ in range(300):
        walk = np.cumsum(rng.normal(0, 1, (40, 12)), axis=1).ravel()
        found = effect.did_panel(walk, treated_now, unit, time).effect
        hits.append(found.lower <= 0 <= found.upper)
    assert 0.91 < np.mean(hits) < 0.985


# --- interrupted series -----------------------------------------------------------------------------------


def test_a_kinked_line_is_read_back_exactly() -> None:
    t = np.arange(1.0, 25.0)
    y = 100 - 0.5 * t + np.where(t >= 13, -8 - 0.25 * (t - 13), 0)
    noise = np.tile([0.01, -0.01, -0.01, 0.01], 6)
    found = effect.interrupted_series(y + noise, 12)
    assert found.level_change.value == pytest.approx(-8, abs=0.05)
    assert found.trend_change.value == pytest.approx(-0.25, abs=0.01)
    assert found.counterfactual[-1] == pytest.approx(88, abs=0.1)
    assert found.counterfactual[:12] == pytest.approx(found.fitted[:12])
    assert found.notes == ("short",)


def test_newey_west_errors_agree_with_statsmodels_seasons_included() -> None:
    rng = np.random.default_rng(5)
    y = rng.normal(30, 2, 60) + 3 * np.sin(np.arange(60) * 2 * np.pi / 12)
    found = effect.interrupted_series(y, 30, lag=5, harmonics=2)
    t = np.arange(1.0, 61.0)
    post = (t >= 31).astype(float)
    waves = [f(2 * np.pi * h * t / 12) for h in (1, 2) for f in (np.sin, np.cos)]
    x = np.column_stack([np.ones(60), t, post, post * (t - 31), *waves])
    model = sm.OLS(y, x).fit(cov_type="HAC", cov_kwds={"maxlags": 5, "use_correction": True}, use_t=True)
    for ours, k in ((found.pre_trend, 1), (found.level_change, 2), (found.trend_change, 3)):
        assert (ours.value, ours.standard_error) == pytest.approx((model.params[k], model.bse[k]))
        assert (ours.lower, ours.upper) == pytest.approx(tuple(model.conf_int()[k]))


def test_interrupted_counts_agree_with_statsmodels() -> None:
    rng = np.random.default_rng(6)
    people = np.linspace(900_000, 990_000, 48)
    events = rng.poisson(people * 0.01 * np.where(np.arange(48) >= 24, 0.85, 1.0))
    found = effect.interrupted_counts(events, people, 24, lag=3)
    t = np.arange(1.0, 49.0)
    post = (t >= 25).astype(float)
    x = np.column_stack([np.ones(48), t, post, post * (t - 25)])
    model = sm.GLM(events, x, sm.families.Poisson(), offset=np.log(people))
    fitted = model.fit(cov_type="HAC", cov_kwds={"maxlags": 3, "use_correction": True})
    assert found.level_change.value == pytest.approx(np.exp(fitted.params[2]), rel=1e-6)
    assert found.level_change.standard_error == pytest.approx(fitted.bse[2], rel=1e-4)
    assert found.level_change.value == pytest.approx(0.85, abs=0.03)
    assert found.counterfactual[-1] > found.fitted[-1]


def test_the_mean_effect_is_that_of_level_and_slope_together() -> None:
    rng = np.random.default_rng(10)
    y = 30 - 2.0 * (np.arange(40) >= 20) + rng.normal(0, 0.5, 40)
    line = effect.interrupted_series(y, 20)
    assert line.mean_effect.value == pytest.approx((line.fitted - line.counterfactual)[20:].mean())
    # Counted anew with the slope centred on the middle of the months after, its level is the mean effect.
    t = np.arange(40.0)
    post = (t >= 20).astype(float)
    x = np.column_stack([np.ones(40), t, post, post * (t - t[20:].mean())])
    lag = int(4 * (40 / 100) ** (2 / 9))
    model = sm.OLS(y, x).fit(cov_type="HAC", cov_kwds={"maxlags": lag, "use_correction": True}, use_t=True)
    assert (line.mean_effect.value, line.mean_effect.standard_error) == pytest.approx((model.params[2], model.bse[2]))
    events, people = rng.poisson(1000, 40), np.full(40, 1e5)
    counts = effect.interrupted_counts(events, people, 20)
    assert counts.mean_effect.value == pytest.approx(counts.fitted[20:].sum() / counts.counterfactual[20:].sum())


def test_limits_of_the_mean_effect_on_counts_cover() -> None:
    rng = np.random.default_rng(11)
    people = np.full(60, 1e5)
    covered = []
    for _ in range(300):
        events = rng.poisson(people * 0.005 * np.where(np.arange(60) >= 30, 0.9, 1.0))
        found = effect.interrupted_counts(events, people, 30, lag=0).mean_effect
        covered.append(found.lower <= 0.9 <= found.upper)
    assert 0.91 < np.mean(covered) < 0.98


def test_a_short_side_is_refused() -> None:
    with pytest.raises(ValueError, match="7 points before and 13 after; at least 8"):
        effect.interrupted_series(np.arange(20.0), 7)


def test_the_autoregressive_check_agrees_with_statsmodels() -> None:
    rng = np.random.default_rng(7)
    noise = np.zeros(60)
    for k in range(1, 60):
        noise[k] = 0.6 * noise[k - 1] + rng.normal()
    y = 40 + noise - 3.0 * (np.arange(60) >= 30)
    found = effect.interrupted_series_ar1(y, 30)
    t = np.arange(1.0, 61.0)
    post = (t >= 31).astype(float)
    x = np.column_stack([np.ones(60), t, post, post * (t - 31)])
    model = sm.tsa.SARIMAX(y, exog=x, order=(1, 0, 0)).fit(disp=False, maxiter=200)
    assert found.phi == pytest.approx(model.params[4], abs=2e-3)
    assert found.level_change == pytest.approx(model.params[2], abs=1e-2)


# --- synthetic control ------------------------------------------------------------------------------------


def _donors() -> np.ndarray:
    return 50 + np.random.default_rng(8).normal(0, 3, (10, 30))


def test_a_mixture_of_donors_is_found_again() -> None:
    donors = _donors()
    treated = 0.7 * donors[2] + 0.3 * donors[5]
    treated[20:] -= 4.0
    found = effect.synthetic_control(treated, donors, 20)
    assert found.weights[[2, 5]] == pytest.approx([0.7, 0.3], abs=1e-4)
    assert found.weights.sum() == pytest.approx(1.0) and (found.weights >= 0).all()
    assert found.effect == pytest.approx(-4.0, abs=1e-3)


def test_a_penalty_spreads_the_weights_as_the_same_problem_solved_otherwise() -> None:
    donors = _donors()
    treated, penalty = donors[:3].mean(axis=0), np.linspace(1, 400, 10)
    found = effect.synthetic_control(treated, donors, 20, penalty)

    def loss(weights: np.ndarray) -> float:
        return float(((treated - weights @ donors)[:20] ** 2).sum() + penalty @ weights**2)

    total = {"type": "eq", "fun": lambda weights: weights.sum() - 1}
    best = minimize(loss, np.full(10, 0.1), bounds=[(0, 1)] * 10, constraints=[total], options={"ftol": 1e-12})
    assert found.weights == pytest.approx(best.x, abs=2e-3)
    assert loss(found.weights) == pytest.approx(best.fun, rel=1e-5)
    plain = effect.synthetic_control(treated, donors, 20)
    assert (found.weights**2).sum() < (plain.weights**2).sum()


def test_a_unit_outside_what_the_donors_span_does_not_fit() -> None:
    donors = _donors()
    assert not effect.synthetic_control(donors.max(axis=0) + 20, donors, 20).fits
    assert effect.synthetic_control(donors.mean(axis=0), donors, 20).fits


def test_a_true_effect_ranks_first_among_the_placebos() -> None:
    donors = _donors()
    treated = donors[:4].mean(axis=0) + np.random.default_rng(9).normal(0, 0.5, 30)
    treated[20:] += 8.0
    placebos = effect.placebo_test(treated, donors, 20)
    assert (placebos.rank, placebos.p_value) == (1, pytest.approx(1 / 11))
    assert placebos.gaps.shape == (11, 30)


def test_synthetic_control_needs_times_before_and_after() -> None:
    for n_pre in (1, 30):
        with pytest.raises(ValueError, match="at least 2 before"):
            effect.synthetic_control(np.zeros(30), _donors(), n_pre)

import numpy as np
import pytest

from kpis import process

CALM = [10.0, 12, 11, 9, 10, 12, 9, 11, 10, 12, 9, 11, 10, 12]


def _signals(values: list[float], **options: object) -> list[str]:
    return process.xmr_chart(values, **options).signal.tolist()  # type: ignore[arg-type]


# --- centre and limits ------------------------------------------------------------------------------------


def test_limits_by_hand() -> None:
    chart = process.xmr_chart([4.0, 6, 5, 5])  # moving ranges 2, 1, 0
    assert chart.centre.tolist() == [5.0] * 4
    assert chart.upper.tolist() == pytest.approx([5 + 2.66] * 4)
    assert chart.lower.tolist() == pytest.approx([5 - 2.66] * 4)
    assert chart.is_trial.all()


def test_one_great_leap_is_screened_out_of_the_limits() -> None:
    leap = [*CALM, 60.0, *CALM]
    screened, raw = process.xmr_chart(leap), process.xmr_chart(leap, screen_outliers=False)
    assert screened.upper[0] - screened.centre[0] < raw.upper[0] - raw.centre[0]
    assert screened.signal[14] == "outside"


def test_a_constant_series_has_limits_at_its_mean_and_no_signal() -> None:
    chart = process.xmr_chart([7.0] * 20)
    assert chart.lower.tolist() == chart.upper.tolist() == [7.0] * 20
    assert set(chart.signal.tolist()) == {""}
    assert set(process.rate_chart([7] * 20, 1000).signal.tolist()) == {""}


def test_a_series_that_hardly_ever_moves_keeps_limits_with_a_width() -> None:
    chart = process.xmr_chart([5.0] * 12 + [6.0] + [5.0] * 12)
    assert (chart.upper > chart.lower).all()


def test_a_missing_month_has_no_moving_range_to_either_side() -> None:
    assert process.xmr_chart([4.0, 6, np.nan, 50, 51]).upper[0] == pytest.approx(27.75 + 2.66 * 1.5)


def test_provisional_months_are_drawn_but_do_not_count() -> None:
    values = [*CALM, 2.0, 1.0]
    is_provisional = np.arange(16) >= 14
    chart = process.xmr_chart(values, provisional=is_provisional)
    assert chart.centre[-1] == process.xmr_chart(CALM).centre[-1]
    assert chart.signal[-2:].tolist() == ["", ""]
    assert process.xmr_chart(values).signal[-1] != ""
    assert not chart.is_judged[-1] and chart.value[-1] == 1.0


def test_phases_have_their_own_limits_and_no_run_crosses_them() -> None:
    values = np.array([10.0, 11] * 7 + [20.0, 21] * 7)
    one, two = process.xmr_chart(values), process.xmr_chart(values, phase=np.repeat([0, 1], 14))
    assert "run" in one.signal or "outside" in one.signal
    assert set(two.signal.tolist()) == {""}
    assert (two.centre[0], two.centre[-1]) == (10.5, 20.5)


def test_no_moving_range_crosses_a_phase() -> None:
    values, phase = np.array([10.0, 11] * 7 + [20.0, 21] * 7), np.repeat([0, 1], 14)
    chart = process.xmr_chart(values, phase=phase, screen_outliers=False)
    assert (chart.upper - chart.centre).tolist() == pytest.approx([2.66] * 28)


def test_a_run_of_eight_over_the_border_of_two_phases_is_none() -> None:
    up = [9.0] * 4 + [11.0, 9] * 3 + [11.0] * 4  # mean 10
    values = [*up, *up[::-1]]
    assert "run" in process.xmr_chart(values).signal
    assert set(process.xmr_chart(values, phase=np.repeat([0, 1], 14)).signal.tolist()) == {""}


def test_limits_are_on_trial_under_thirteen_points_of_their_own_phase() -> None:
    values, phase = np.array([9.0, 11] * 14), np.repeat([0, 1, 2], [13, 12, 3])
    assert process.xmr_chart(values, phase=phase).is_trial.tolist() == [False] * 13 + [True] * 15


def test_limits_can_be_fixed_by_the_first_twelve() -> None:
    values = [10.0, 11] * 6 + [30.0] * 6
    assert process.xmr_chart(values, fix_after=12).centre[-1] == 10.5
    with pytest.raises(ValueError, match="at the earliest"):
        process.xmr_chart(values, fix_after=5)


def test_series_side_by_side_are_the_same_as_one_at_a_time() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(50, 5, (4, 3, 40))
    values[rng.random(values.shape) < 0.05] = np.nan
    phase = np.repeat([0, 1], 20)
    together = process.xmr_chart(values, phase=phase)
    for k in np.ndindex(4, 3):
        alone = process.xmr_chart(values[k], phase=phase)
        assert np.array_equal(together.signal[k], alone.signal)
        assert np.allclose(together.upper[k], alone.upper)


# --- signals ----------------------------------------------------------------------------------------------


def _on(centre: float, tail: list[float]) -> list[float]:
    """A calm stretch about the centre with the tail after it, limits being those of the whole."""
    calm = [centre + d for d in (1, -1) * 20]
    return calm + tail


def test_seven_on_one_side_are_a_run_and_six_are_none() -> None:
    assert _signals(_on(10, [10.9, 10.2] * 3 + [10.9]))[-7:] == ["run"] * 7
    assert set(_signals([9.0, 11] * 20 + [9.0] + [11.0, 10.5] * 3)[-6:]) == {""}


def test_a_point_on_the_centre_breaks_a_run() -> None:
    values = np.array([9.0, 11] * 10 + [11.0] * 3 + [10.0] + [11.0] * 3 + [9.0] * 6)
    assert values.mean() == 10.0
    assert "run" not in process.xmr_chart(values).signal


def test_seven_rising_points_are_a_trend_and_all_seven_are_marked() -> None:
    values = [10.0, 9, 11, 9, 11, 9, 11, 8.5, 8.9, 9.6, 10.1, 10.6, 11.2, 11.6, 9, 11, 9, 11, 10]
    signal = _signals(values)
    assert signal[7:14] == ["trend"] * 7
    assert "trend" not in signal[:7] + signal[14:]


def test_two_of_three_near_the_limit_mark_only_the_near_ones() -> None:
    values = [9.0, 11] * 10 + [14.5, 10.8, 14.5] + [9.0, 11] * 10
    chart = process.xmr_chart(values)
    third = chart.centre[0] + (chart.upper[0] - chart.centre[0]) * 2 / 3
    assert third < 14.5 < chart.upper[0]
    assert chart.signal[20:23].tolist() == ["two_of_three", "", "two_of_three"]
    one_of_three = [9.0, 11] * 10 + [14.5, 10.8, 10.8] + [9.0, 11] * 10
    assert set(_signals(one_of_three)) == {""}


def test_the_strongest_signal_is_the_one_that_is_named() -> None:
    values = [9.0, 11] * 10 + [12.0] * 6 + [40.0]
    assert _signals(values)[-2:] == ["run", "outside"]


def test_a_gap_breaks_a_run_and_a_trend() -> None:
    rising = [9.0, 11] * 8 + [8.0, 8.5, 9, np.nan, 9.5, 10, 10.5, 11]
    assert "trend" not in _signals(rising)
    assert "trend" in _signals([v for v in rising if not np.isnan(v)])


def test_direction_and_what_is_better_make_improvement_or_concern() -> None:
    chart = process.xmr_chart([9.0, 11] * 10 + [30.0])
    assert chart.direction[-1] == 1
    assert chart.variation("lower")[-1] == "concern"
    assert chart.variation("higher")[-1] == "improvement"
    assert chart.variation("neither")[-1] == "rise"


def test_a_target_outside_the_limits_is_always_or_never_reached() -> None:
    chart = process.xmr_chart(CALM)
    for target, lower, higher in ((50.0, "passes", "fails"), (1.0, "fails", "passes"), (10.0, "either", "either")):
        assert chart.assurance(target, "lower") == lower
        assert chart.assurance(target, "higher") == higher
    assert chart.assurance(np.nan, "lower") == "not_assessed"
    with pytest.raises(ValueError, match="needs a direction"):
        chart.assurance(3.0, "neither")


# --- counts with a denominator ----------------------------------------------------------------------------


def test_u_limits_by_hand() -> None:
    chart = process.rate_chart([40, 60], [1000, 1000], 1000.0, adapted=False)
    assert chart.centre[0] == 50.0
    assert chart.upper[0] == pytest.approx(50 + 3 * (0.05 / 1000) ** 0.5 * 1000)


def test_where_the_series_varies_as_chance_has_it_laney_agrees_with_the_plain_chart() -> None:
    events = np.random.default_rng(2).poisson(80, (300, 60))
    plain, adapted = (process.rate_chart(events, 4000.0, adapted=a) for a in (False, True))
    ratio = (adapted.upper - adapted.centre) / (plain.upper - plain.centre)
    assert ratio.mean() == pytest.approx(1.0, abs=0.02)


def test_with_large_denominators_the_plain_chart_shouts_and_the_adapted_one_does_not() -> None:
    rng = np.random.default_rng(3)
    trials = np.full((100, 36), 50_000)
    events = rng.binomial(trials, np.clip(rng.normal(0.12, 0.01, trials.shape), 0, 1))
    plain, adapted = (process.share_chart(events, trials, adapted=a) for a in (False, True))
    assert (plain.signal == "outside").mean() > 0.5
    assert (adapted.signal == "outside").mean() < 0.02


def test_shares_stay_between_0_and_1_and_impossible_months_are_missing() -> None:
    chart = process.share_chart([1, 0, 2, 9, 1, 0], [10, 9, 11, 8, 0, 10])
    assert np.isnan(chart.value[[3, 4]]).all()
    assert np.nanmin(chart.lower) == 0.0 and np.nanmax(chart.upper) <= 1.0


def test_seasons_make_runs_and_seasonal_expectations_remove_them() -> None:
    rng = np.random.default_rng(4)
    month = np.arange(60) % 12 + 1
    season = 1 + 0.12 * np.cos(2 * np.pi * month / 12)
    events = rng.poisson(900 * season, (50, 60))
    factors = process.month_factors(events.sum(axis=0), np.full(60, 50 * 20_000.0), month)
    assert factors == pytest.approx(1 + 0.12 * np.cos(2 * np.pi * np.arange(1, 13) / 12), abs=0.01)
    blind = process.rate_chart(events, 20_000.0)
    aware = process.rate_chart(events, 20_000.0 * factors[month - 1])
    assert (blind.signal != "").mean() > 0.3
    assert (aware.signal != "").mean() < 0.1


# --- run tests --------------------------------------------------------------------------------------------


def test_anhoejs_rules_by_hand() -> None:
    """24 useful points: a run of more than round(log₂ 24) + 3 = 8, or fewer than 8 crossings, is a signal."""
    alternating = process.run_test([1.0, -1] * 12, 0.0)
    assert (alternating.longest_run, alternating.crossings, bool(alternating.signal)) == (1, 23, False)
    shifted = process.run_test([1.0] * 12 + [-1.0] * 12, 0.0)
    assert (shifted.longest_run, shifted.crossings, bool(shifted.signal)) == (12, 1, True)
    assert (shifted.longest_run_max, shifted.crossings_min) == (8, 8)


def test_points_on_the_centre_and_missing_points_do_not_count() -> None:
    found = process.run_test([[1.0, 0, np.nan, 1, -1], [0.0, 0, 0, 0, 0]], 0.0)
    assert found.n_useful.tolist() == [3, 0]
    assert found.longest_run.tolist() == [2, 0]
    assert found.signal.tolist() == [False, False]


# --- false alarms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("months", [24, 60])
def test_at_a_given_month_an_unchanged_process_signals_about_twice_in_a_hundred(months: int) -> None:
    rng = np.random.default_rng(5)
    for chart in (
        process.xmr_chart(rng.normal(50, 4, (4000, months))),
        process.rate_chart(rng.poisson(40, (4000, months)), 1000.0),
        process.share_chart(rng.binomial(300, 0.12, (4000, months)), 300),
    ):
        assert 0.01 < (chart.signal[:, -1] != "").mean() < 0.035


def test_run_tests_raise_false_alarms_rarely() -> None:
    values = np.random.default_rng(6).normal(0, 1, (1500, 36))
    assert process.run_test(values).signal.mean() < 0.10

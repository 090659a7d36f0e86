import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis import small_area

# --- shrinkage --------------------------------------------------------------------------------------------


def test_shrinkage_by_hand() -> None:
    """y = 10, 14, 18 with s = 1: m = 14, Q = 32, τ² = (32 − 2)/(3 − 1) = 15, B = 15/16."""
    found = small_area.shrink([10.0, 14, 18], 1.0)
    assert found.variance == pytest.approx(15.0)
    assert found.value == pytest.approx([14 - 15 / 4, 14, 14 + 15 / 4])


def test_areas_that_differ_no_more_than_by_chance_all_get_the_mean() -> None:
    found = small_area.shrink([10.0, 10.5, 9.5, np.nan], 1.0)
    assert found.value[:3] == pytest.approx([10.0] * 3)
    assert np.isnan(found.value[3])
    assert (found.weight[:3] == 0).all()


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(100, 90_000)), min_size=2, max_size=30))
def test_a_smoothed_rate_lies_between_the_raw_one_and_the_mean(areas: list[tuple[int, int]]) -> None:
    events, people = np.array(areas, dtype=float).T
    found = small_area.shrink_rates(events, people, 1.0)
    raw, mean = events / people, events.sum() / people.sum()
    slack = 1e-9 * raw.max()
    assert (found.rate.value >= np.minimum(raw, mean) - slack).all()
    assert (found.rate.value <= np.maximum(raw, mean) + slack).all()
    assert (found.rate.lower <= found.rate.value + slack).all() and (found.rate.value <= found.rate.upper + slack).all()


def test_homogeneous_areas_give_the_mean_and_nothing_absurd() -> None:
    found = small_area.shrink_rates([50, 101, 149, 3], [1000, 2000, 3000, 0])
    assert found.rate.value[:3] == pytest.approx([50.0] * 3)
    assert found.rate.status[3] == "undefined" and np.isnan(found.rate.value[3])
    assert found.prior_variance == 0.0


def test_shrinkage_is_closer_to_the_truth_and_its_limits_cover() -> None:
    rng = np.random.default_rng(1)
    people = rng.uniform(300, 5000, (200, 98))
    truth = rng.gamma(25, 0.05 / 25, people.shape)
    events = rng.poisson(people * truth)
    found = small_area.shrink_rates(events, people, 1.0).rate
    raw = events / people
    assert ((found.value - truth) ** 2).mean() < 0.75 * ((raw - truth) ** 2).mean()
    assert 0.93 < ((found.lower <= truth) & (truth <= found.upper)).mean() < 0.97


# --- ranks ------------------------------------------------------------------------------------------------


def test_well_known_values_have_sure_ranks_in_the_direction_that_is_better() -> None:
    low_first = small_area.rank_intervals([3.0, 1.0, np.nan, 2.0], 1e-3, draws=200)
    assert low_first.rank[[0, 1, 3]].tolist() == [3, 1, 2]
    assert low_first.lower[[0, 1, 3]].tolist() == low_first.upper[[0, 1, 3]].tolist() == [3, 1, 2]
    assert np.isnan(low_first.rank[2])
    high_first = small_area.rank_intervals([3.0, 1.0, np.nan, 2.0], 1e-3, "higher", draws=200)
    assert high_first.rank[[0, 1, 3]].tolist() == [1, 3, 2]


def test_the_same_input_gives_the_same_ranks() -> None:
    values = np.random.default_rng(2).normal(0, 1, 98)
    first, second = (small_area.rank_intervals(values, 0.5, draws=500) for _ in range(2))
    assert np.array_equal(first.lower, second.lower) and np.array_equal(first.in_front, second.in_front)


def test_probabilities_of_the_front_add_up_to_its_size() -> None:
    values = np.random.default_rng(3).normal(0, 1, 98)
    found = small_area.rank_intervals(values, 0.5, draws=1000)
    assert found.in_front.sum() == pytest.approx(19.0)  # the best fifth of 98, rounded down


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
def test_rank_intervals_hold_the_true_rank(spread: float) -> None:
    rng = np.random.default_rng(4)
    error = rng.uniform(0.4, 2.0, (25, 98))
    truth = rng.normal(0, spread, error.shape)
    found = small_area.rank_intervals(rng.normal(truth, error), error, draws=1000)
    rank = 1 + (truth[:, None, :] < truth[:, :, None]).sum(axis=-1)
    assert 0.93 < ((found.lower <= rank) & (rank <= found.upper)).mean() < 0.98


def test_areas_that_do_not_differ_may_stand_anywhere() -> None:
    found = small_area.rank_intervals(np.random.default_rng(5).normal(0, 1, 98) * 0.9, 1.0, draws=2000)
    assert (found.upper - found.lower).min() > 85


def test_too_many_areas_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 4096"):
        small_area.rank_intervals(np.zeros(5000), 1.0, draws=1)


def test_pairs_are_told_apart_when_their_difference_exceeds_its_error() -> None:
    apart = small_area.told_apart([1.0, 3.7, 3.8, np.nan], 1.0)  # 1.96 · √2 = 2.77
    assert apart[0, :3].tolist() == [0, 0, -1]
    assert apart[2, :3].tolist() == [1, 0, 0]
    assert np.isnan(apart[3]).all()


# --- neighbours -------------------------------------------------------------------------------------------


def test_morans_i_of_alternating_and_of_sorted_values() -> None:
    ring = [[(k - 1) % 8, (k + 1) % 8] for k in range(8)]
    assert small_area.morans_i([1, -1] * 4, ring).i == pytest.approx(-1.0)
    halves = small_area.morans_i([1] * 4 + [-1] * 4, ring)
    assert halves.i == pytest.approx(0.5)
    assert halves.expectation == pytest.approx(-1 / 7)


def test_islands_do_not_count_as_areas_and_too_few_areas_are_refused() -> None:
    ring = [[(k - 1) % 8, (k + 1) % 8] for k in range(8)] + [[]]
    assert small_area.morans_i([*range(8), 3.5], ring).expectation == pytest.approx(-1 / 7)
    with pytest.raises(ValueError, match="at least 4"):
        small_area.morans_i([1.0, 2, 3], [[1], [0], []])


def test_morans_variance_is_that_of_shuffled_values() -> None:
    rng = np.random.default_rng(6)
    ring = [[(k - 1) % 20, (k + 1) % 20] for k in range(20)]
    values = rng.gamma(2, 1, 20)
    found = small_area.morans_i(values, ring)
    shuffled = [small_area.morans_i(rng.permutation(values), ring).i for _ in range(1500)]
    assert np.mean(shuffled) == pytest.approx(found.expectation, abs=0.02)
    assert np.var(shuffled) == pytest.approx(found.variance, rel=0.15)

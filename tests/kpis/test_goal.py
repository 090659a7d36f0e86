"""Goals: the path, the status, the odds by simulation, and who makes the distance."""

from datetime import date

import numpy as np
import pytest

from kpis.goal import Goal, contributions, front_runners, goals, months_to_due, outlook, status
from kpis.period import Period
from kpis.rates import Interval
from tests.helpers import tiny_release

# From 60 at the end of 2024 to 50 at the end of 2026.
ONE = Goal(
    "g1",
    "preventable_admissions_65plus",
    "kkr",
    "kkr-nordjylland",
    "common",
    "short",
    60.0,
    Period.from_id("2024"),
    50.0,
    date(2026, 12, 31),
)


def interval(value, half=0.0):
    values = np.atleast_1d(np.asarray(value, dtype=float))
    return Interval(values, values - half, values + half, np.where(np.isnan(values), "undefined", "ok"), np.array("x"))


# --- path and status ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "value"),
    [
        (date(2024, 6, 1), 60.0),  # before it begins
        (date(2025, 1, 1), 60.0),
        (date(2026, 1, 1), 55.0),  # half of the 729 days
        (date(2026, 12, 31), 50.0),
        (date(2030, 1, 1), 50.0),  # the target stays
    ],
)
def test_the_path_is_a_straight_line_from_baseline_to_target(day, value) -> None:
    assert ONE.required(day) == pytest.approx(value, abs=0.01)


def test_a_goal_is_due_when_its_day_has_passed() -> None:
    assert not ONE.is_due(Period.from_id("12m-2026-11"))
    assert ONE.is_due(Period.from_id("2026"))


@pytest.mark.parametrize(
    ("value", "half", "is_due", "expected"),
    [
        (45, 2, False, "met"),
        (49, 2, False, "on_track"),  # at the target, but chance could have put it there
        (49, 2, True, "met"),
        (54, 2, False, "on_track"),
        (56, 2, False, "perhaps_behind"),
        (58, 2, False, "behind"),
        (51, 2, True, "missed"),
        (np.nan, 0, False, "not_assessed"),
        (54, np.nan, False, "on_track"),  # no interval: the value as it is
        (56, np.nan, False, "behind"),
    ],
)
def test_status_against_a_path_at_55_and_a_target_of_50(value, half, is_due, expected) -> None:
    assert status(interval(value, half), 55.0, 50.0, is_due, "lower").tolist() == [expected]


def test_where_higher_is_better_everything_is_the_other_way_round() -> None:
    found = status(interval([45, 51, 56, 62], 2), 55.0, 60.0, False, "higher")
    assert found.tolist() == ["behind", "behind", "on_track", "on_track"]
    assert status(interval(63, 2), 55.0, 60.0, False, "higher").tolist() == ["met"]


def test_a_goal_needs_a_direction() -> None:
    for act in (
        lambda: status(interval(1.0), 1.0, 1.0, False, "neither"),
        lambda: outlook(np.ones(36), np.ones(36), 1.0, 12, "neither"),
        lambda: contributions([1.0], [1.0], 1.0, "neither"),
    ):
        with pytest.raises(ValueError, match="direction"):
            act()


# --- the odds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("due", "months"), [(date(2026, 12, 31), 12), (date(2026, 12, 30), 11), (date(2026, 1, 1), 0)])
def test_whole_months_from_the_newest_one_to_the_last_before_the_due_date(due, months) -> None:
    one = Goal("g", "i", "kkr", "k", "common", "long", 1.0, Period.from_id("2024"), 1.0, due)
    assert months_to_due(one, date(2025, 12, 1)) == months


def test_what_nothing_changes_stays_and_a_fall_goes_on() -> None:
    """1,000 a month without chance to speak of; and ten per cent fewer every year."""
    level = np.full(36, 1e7)
    falling = 1e7 * 0.9 ** (np.arange(36) / 12)
    found = outlook(np.stack([level, falling]), 1e7, [1.0, 0.7], 24, "lower", per=1.0)
    assert found.forecast[0] == pytest.approx(1.0, rel=1e-3)
    # The twelve months before the due date have their middle 35 + 24 − 5.5 months after the first.
    assert found.forecast[1] == pytest.approx(0.9 ** (53.5 / 12), rel=1e-2)
    assert found.odds[1] > 0.99


@pytest.mark.parametrize(
    ("months", "horizon", "level", "clustering"),
    [(36, 18, 50.0, 0.0), (36, 18, 50.0, 0.02), (60, 36, 50.0, 0.02), (24, 14, 50.0, 0.0), (36, 18, 5.0, 0.0)],
)
def test_of_goals_with_odds_of_seventy_per_cent_seventy_are_reached(months, horizon, level, clustering) -> None:
    """Trends of a few per cent a year that go on; targets near and far; five classes of odds."""
    rng = np.random.default_rng(2)
    cases = 4000
    slope = rng.normal(0, 0.04, cases)
    years = np.arange(months + horizon) / 12
    mean = level * np.exp(slope[:, None] * (years - months / 12))
    if clustering:
        mean = mean * rng.gamma(1 / clustering, clustering, mean.shape)
    events = rng.poisson(mean)
    final = events[:, -12:].mean(axis=1) / level
    target = np.exp(rng.normal(0, 0.12 if level > 10 else 0.3, cases))
    found = outlook(events[:, :months], np.full((cases, months), level), target, horizon, "lower", per=1.0)
    assert 0.93 < ((found.lower <= final) & (final <= found.upper)).mean() < 0.975
    is_reached = final <= target
    of_class = np.clip((found.odds * 5).astype(int), 0, 4)
    for number in range(5):
        here = of_class == number
        assert abs(found.odds[here].mean() - is_reached[here].mean()) < 0.08


def test_higher_is_better_turns_the_odds_round() -> None:
    events = np.random.default_rng(3).poisson(50, 36)
    lower = outlook(events, np.full(36, 50.0), 0.95, 12, "lower", per=1.0)
    higher = outlook(events, np.full(36, 50.0), 0.95, 12, "higher", per=1.0)
    assert lower.odds + higher.odds == pytest.approx(1.0)


@pytest.mark.parametrize("months", [5, 23])
def test_under_two_years_there_are_no_odds(months) -> None:
    found = outlook(np.full(months, 50.0), np.full(months, 50.0), 0.9, 12, "lower", per=1.0)
    assert np.isnan(found.odds) and np.isnan(found.forecast)


# --- who does what ------------------------------------------------------------------------------------------


def test_the_parts_of_the_distance_add_up() -> None:
    """At 50 per 1,000 the three may have 50, 100 and 25 events: 10 too many, none too many, 5 to spare."""
    found = contributions([60, 100, 20], [1000, 2000, 500], 50.0, "lower")
    assert found.value == pytest.approx([10, 0, -5])
    assert found.value.sum() == pytest.approx(180 - 0.05 * 3500)
    assert (found.lower < found.value).all() and (found.value < found.upper).all()
    assert contributions([60], [1000], 50.0, "higher").value == pytest.approx([-10])


def test_where_areas_hardly_differ_nobody_runs_in_front() -> None:
    rng = np.random.default_rng(4)
    found = [front_runners(rng.normal(60, 3, 98), 3.0, "lower").sum() for _ in range(30)]
    assert np.mean(found) < 0.1


def test_front_runners_are_in_the_best_fifth_where_they_are_named() -> None:
    rng = np.random.default_rng(5)
    named = right = 0
    for _ in range(40):
        truth = rng.normal(60, 6, 98)
        front = front_runners(truth + rng.normal(0, 2, 98), 2.0, "lower") == 1
        named += front.sum()
        right += (front & (truth <= np.sort(truth)[18])).sum()
    assert named > 100
    assert right / named > 0.93


# --- from a release -----------------------------------------------------------------------------------------


def test_goals_are_read_in_order(tmp_path) -> None:
    row = ("preventable_admissions_65plus", "municipality", "0101", "own", "long", 60.0, "12m-2024-12", 50.0)
    release = tiny_release(tmp_path, goal=[("b", *row, date(2030, 1, 1)), ("a", *row, date(2030, 1, 1))])
    assert [one.goal_id for one in goals(release)] == ["a", "b"]
    assert goals(release)[0].baseline == Period.from_id("12m-2024-12")


@pytest.mark.parametrize("period", [None, "in spring"])
def test_a_goal_without_a_baseline_has_a_target_but_no_path(tmp_path, period) -> None:
    row = ("a", "i", "kkr", "k", "common", None, None, period, 50.0, date(2030, 1, 1))
    (one,) = goals(tiny_release(tmp_path, goal=[row]))
    assert one.baseline is None and one.term is None
    assert np.isnan(one.required(date(2026, 1, 1)))
    assert not one.has_begun(Period.from_id("2026"))

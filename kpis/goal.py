"""Goals: from a baseline along a straight path to a target, and the odds of getting there.

A goal is a row of the release table `goal`. Its path is the straight line from the baseline (at the end of the
baseline period) to the target (on the due date): what a value must be at a month to be on track. Where an area stands
is judged on twelve whole months, so that no season is taken for progress.

Everything here is about values and counts that are already there; `kpis.progress` asks a release for them.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

import numpy as np
from scipy import special

from kpis.area import MAPS, Area, areas, levels
from kpis.compare import Better, side_of
from kpis.period import Period, months_between
from kpis.rates import PER_THOUSAND, ArrayLike, FloatArray, Interval, StrArray, crude_rate
from kpis.release import Release, per_release
from kpis.small_area import rank_intervals
from kpis.trend import rate_trend

Scope = Literal["common", "own"]
Term = Literal["short", "long"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
TERMS: tuple[Term, ...] = get_args(Term)
MONTHS_FOR_ODDS = 24
"""Fewer months than two years tell no trend from a season."""
SLOPE_DEVIATION = 0.05
"""How fast rates are believed to change before any data: 95 of 100 by less than ten per cent a year."""
FRONT_PROBABILITY = 0.95
"""A front-runner is in the best fifth with at least this probability."""


@dataclass(frozen=True)
class Goal:
    """One goal. `baseline_value` and `target_value` are in the unit of the indicator.

    `scope`: common (agreed in a KKR) or own (a municipality's). `baseline`: the period the baseline was measured in.
    Term, baseline value and its period may be missing; a goal without a baseline has a target but no path.
    """

    goal_id: str
    indicator: str
    level: str
    area_code: str
    scope: Scope
    term: Term | None
    baseline_value: float | None
    baseline: Period | None
    target_value: float
    due_date: date

    def required(self, day: date) -> float:
        """The value that is on the path on `day`: the baseline before it starts, the target after the due date.

        A value of twelve months is asked for the path at the end of its months. It shows the state half a year
        earlier, but so does the baseline at the start of the path. NaN without a baseline.
        """
        if self.baseline is None or self.baseline_value is None:
            return float("nan")
        start = self.baseline.end
        length = (self.due_date - start).days
        gone = 1.0 if length <= 0 else min(max((day - start).days / length, 0.0), 1.0)
        return self.baseline_value + gone * (self.target_value - self.baseline_value)

    def has_begun(self, period: Period) -> bool:
        """Whether the period ends after the baseline; False without one."""
        return self.baseline is not None and period.end > self.baseline.end

    def is_due(self, period: Period) -> bool:
        """Whether the due date has passed when the period ends."""
        return self.due_date < period.end


@per_release
def goals(release: Release) -> tuple[Goal, ...]:
    """All goals of the release in the order of their ids. A baseline period that names none is no baseline."""
    rows = release.sql("select * from goal order by goal_id").iter_rows(named=True)
    return tuple(Goal(baseline=_period(row.pop("baseline_period")), **row) for row in rows)


def _period(text: str | None) -> Period | None:
    try:
        return Period.from_id(text or "")
    except ValueError:
        return None


def goal_area(release: Release, one: Goal) -> Area | None:
    """The area of a goal, on the oldest map that draws its level; None where the release does not know it."""
    for map_id in MAPS:
        if one.level in levels(map_id):
            found = next((area for area in areas(release, one.level, map_id) if area.code == one.area_code), None)
            if found:
                return found
    return None


# --- where it stands ----------------------------------------------------------------------------------------

Status = Literal["met", "on_track", "perhaps_behind", "behind", "missed", "not_assessed"]


def status(interval: Interval, required: ArrayLike, target: ArrayLike, is_due: ArrayLike, better: Better) -> StrArray:
    """Where values stand against their paths; arrays of one shape.

    - "met": at the target or better, beyond doubt (the 95 % interval does not cover it), or at it when it is due
    - "on_track": at the path or better
    - "perhaps_behind": behind the path, but the interval covers it
    - "behind": behind the path beyond doubt
    - "missed": due, and not at the target
    - "not_assessed": no value

    Values without an interval (NaN limits) are taken as they are. Raises ValueError for "neither".
    """
    if better == "neither":
        raise ValueError('better is "neither"; a goal needs a direction: "lower" or "higher"')
    sign = 1.0 if better == "lower" else -1.0
    aim, path = np.asarray(target, dtype=float), np.asarray(required, dtype=float)
    is_there = (interval.status == "ok") & ~np.isnan(aim) & ~np.isnan(path)
    sure = Interval(
        interval.value,
        np.where(np.isnan(interval.lower), interval.value, interval.lower),
        np.where(np.isnan(interval.upper), interval.value, interval.upper),
        interval.status,
        interval.method,
    )
    is_at_target, is_at_path = (sign * (interval.value - mark) <= 0 for mark in (aim, path))
    surely_at_target = is_at_target & (side_of(sure, aim) != 0)
    surely_behind = sign * side_of(sure, path) > 0
    return np.select(
        [
            ~is_there,
            surely_at_target | (is_at_target & np.asarray(is_due)),
            np.asarray(is_due, dtype=bool),
            is_at_path,
            surely_behind,
        ],
        ["not_assessed", "met", "missed", "on_track", "behind"],
        "perhaps_behind",
    )


IS_ON_TRACK = ("met", "on_track")


# --- the odds -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outlook:
    """What the trend so far leads to in the twelve months before the due date; arrays of the leading shape.

    `forecast` with 95 % limits is in the unit of the target; `odds` is the probability of being at the target or
    better if things go on as they did. NaN where the series is too short.
    """

    forecast: FloatArray
    lower: FloatArray
    upper: FloatArray
    odds: FloatArray


def outlook(
    events: ArrayLike,
    expected: ArrayLike,
    target: ArrayLike,
    months_to_due: ArrayLike,
    better: Better,
    per: float = PER_THOUSAND,
    *,
    variance: ArrayLike = 0.0,
    dispersion: ArrayLike = 1.0,
) -> Outlook:
    """Odds that the mean of the twelve months up to the due date is at the target, from a log-linear trend.

    `events` and `expected` have shape (…, months), oldest first, NaN where a month is missing; `expected` are
    person-years (or trials) times the month's season. `months_to_due`: months from the last one to the last one
    before the due date; `variance`: error variance of a year's count by rounding, in events²; `dispersion`: by how much
    events vary more than independent ones as known from elsewhere (`kpis.clustering`), the least that is assumed here.

    The trend is `trend.rate_trend` (Poisson, quasi-Poisson errors), its slope b shrunken towards none: a prior of
    mean 0 and standard deviation 0.05 keeps three noisy years of a small area from promising the moon. The logarithm
    of the year's rate at the due date is taken as normal: centre a + b·(t − t̄), variance φ/ΣO + (t − t̄)²·se(b)² for
    the line, φ/E + v/E² for the chance of that year. That is calibrated where the trend goes on (of goals with odds
    of 70 %, 70 in 100 are reached); nothing can foresee that it breaks. NaN with fewer than 24 months.
    """
    if better == "neither":
        raise ValueError('better is "neither"; a goal needs a direction: "lower" or "higher"')
    o, e = np.broadcast_arrays(np.asarray(events, dtype=float), np.asarray(expected, dtype=float))
    is_there = (o >= 0) & (e > 0)
    o, e = np.where(is_there, o, np.nan), np.where(is_there, e, np.nan)
    years = np.arange(o.shape[-1]) / 12.0
    trend = rate_trend(o, e, years, known_dispersion=dispersion)
    estimated, its_variance = np.log(trend.ratio.value), trend.standard_error**2
    weight_of_data = SLOPE_DEVIATION**2 / (SLOPE_DEVIATION**2 + its_variance)
    slope = weight_of_data * estimated
    total = np.nansum(o, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The line passes through the mean of the fitted events at their mean time: level and slope are independent.
        weight = np.where(is_there, np.nan_to_num(e) * np.exp(slope[..., None] * years), 0.0)
        middle = (weight * years).sum(axis=-1) / weight.sum(axis=-1)
        level = np.log(total) - np.log((weight / np.exp(slope * middle)[..., None]).sum(axis=-1))
        at_due = (o.shape[-1] - 1 + np.asarray(months_to_due, dtype=float) - 5.5) / 12.0
        centre = level + slope * (at_due - middle)
        spread = np.maximum(trend.dispersion, np.maximum(dispersion, 1.0))
        year = 12.0 * np.nanmean(np.where(is_there, e, np.nan), axis=-1) * np.exp(centre)
        noise = np.asarray(variance, dtype=float)
        error = np.sqrt(
            spread / total + (at_due - middle) ** 2 * weight_of_data * its_variance + spread / year + noise / year**2
        )
        ahead = (np.log(np.asarray(target, dtype=float) / per) - centre) / error
    odds = special.ndtr(ahead if better == "lower" else -ahead)
    is_long = (is_there.sum(axis=-1) >= MONTHS_FOR_ODDS) & (trend.ratio.status == "ok")
    z = special.ndtri(0.975)
    shown = [np.where(is_long, np.exp(centre + k * error) * per, np.nan) for k in (0.0, -z, z)]
    return Outlook(shown[0], shown[1], shown[2], np.where(is_long, odds, np.nan))


def months_to_due(goal: Goal, last_month: date) -> int:
    """Months from `last_month` (its first day) to the last whole month before or on the due date."""
    return months_between(last_month, goal.due_date + timedelta(days=1)) - 1


# --- who does what ------------------------------------------------------------------------------------------


def contributions(
    events: ArrayLike,
    at_risk: ArrayLike,
    target: float,
    better: Better,
    per: float = PER_THOUSAND,
    *,
    variance: ArrayLike = 0.0,
    dispersion: ArrayLike = 1.0,
) -> Interval:
    """Each municipality's part of the distance to a common goal, in events: O − target·n/per (signs of "lower").

    The parts add up to the distance of the whole; a part below 0 carries others. Limits are those of its own count
    (`rates.crude_rate`, with its error variance by rounding and its dispersion), target known. Areas on the last axis.
    """
    if better == "neither":
        raise ValueError('better is "neither"; a goal needs a direction: "lower" or "higher"')
    sign = 1.0 if better == "lower" else -1.0
    n = np.asarray(at_risk, dtype=float)
    own = crude_rate(events, n, 1.0, extra_variance=variance, dispersion=dispersion)
    allowed = target / per
    distance = [sign * (rate - allowed) * n for rate in (own.value, own.lower, own.upper)]
    lower, upper = (distance[1], distance[2]) if sign > 0 else (distance[2], distance[1])
    return Interval(distance[0], lower, upper, own.status, own.method)


def front_runners(values: ArrayLike, standard_error: ArrayLike, better: Better) -> FloatArray:
    """1 = among the best fifth with at least 95 % probability, 0 = not to be told; areas on the last axis.

    From the shrunken rank simulation (`small_area.rank_intervals`): where the areas hardly differ there are no
    front-runners, however the list looks. NaN for an area without a value.
    """
    probability = rank_intervals(values, standard_error, better).in_front
    return np.where(np.isnan(probability), np.nan, probability >= FRONT_PROBABILITY)

"""Clustering: by how much counts vary more than independent events would, because one citizen causes several.

A citizen who is admitted is admitted again more often than another, so 100 admissions are worth fewer than 100
independent events and their Poisson interval is too narrow. How many times each person was admitted is known on the
secure side only. What is published tells it all the same: with m admissions by each of N citizens a count varies
E(m²)/E(m) times as much as its size, and that shows in how a municipality's half-years swing about its own level. One
factor for the whole country and an indicator, estimated over all municipalities together:

    Σ_a w_a [ mean over windows of (O − E)² / (1 − W/T)  −  v_a ]  ÷  Σ_a w_a V_a,   never under 1

O, E: observed and expected events of area a in a window of W successive quarters, E = the area's own level × what the
quarters were like in the whole country (season, epidemics and the common trend); V: the variance of independent events
(E for rates, E(1 − p) for shares); v: the known error variance by rounding; T: quarters in all; w = 1/(V + v), so that
areas whose counts are mostly rounding weigh little. Windows are long because a readmission often falls in the next
month: single months miss it. They consist of quarters because rounding is balanced over these. This is Bartlett's
estimate of the long-run variance (Newey & West 1987) over its mean.

Alternatives not taken: the dispersion between areas (it holds the true differences one looks for, and says nothing
where they are few); a published table of admissions per person (each row of it tells of few persons in a small area).
Known limitation: that some citizens are frailer than others all their lives is a trait of an area's people, not chance,
and is not counted; a true change within the years is taken for clustering, which errs on the wide side.
"""

import numpy as np
from numpy.typing import ArrayLike

from kpis.area import areas, map_of
from kpis.counts import FloatArray
from kpis.indicator import Indicator
from kpis.period import Period, add_months, breaks_within, periods_between
from kpis.query import Query
from kpis.release import Release, per_release
from kpis.rounding import rounding_noise
from kpis.tally import Grid, tally

WINDOW = 2
"""Quarters that are summed: readmissions within a month, and most of those later on, fall into the same window."""
QUARTERS = 12
"""Newest quarters that are looked at; over longer ones true changes of an area would count as clustering."""
FEWEST_QUARTERS = 4
FEWEST_EVENTS = 5
"""Expected in a window; with fewer, the level of an area is not known well enough to say what varies about it."""


def clustering(
    events: ArrayLike, at_risk: ArrayLike, *, is_share: bool = False, extra_variance: ArrayLike = 0.0
) -> float:
    """Variance of counts ÷ that of independent events, as above; shape (areas, quarters), NaN where one is missing.

    `at_risk`: person-years, or trials where `is_share`. `extra_variance` (areas,): error variance of a window's count
    by rounding, in events², for windows of `window_of(quarters)`. 1 with fewer than 4 quarters or without any area that
    has the events for it. With 98 municipalities and 12 quarters its own standard error is about 8 per cent.
    """
    o, n = np.broadcast_arrays(np.asarray(events, dtype=float), np.asarray(at_risk, dtype=float))
    window = window_of(o.shape[-1])
    is_there = (o >= 0) & (n > 0)
    o, n = np.where(is_there, o, 0.0), np.where(is_there, n, 0.0)
    if window == 0 or not n.any():
        return 1.0
    usual = n * _ratio(o.sum(axis=0), n.sum(axis=0))
    expected = usual * _ratio(o.sum(axis=-1, keepdims=True), usual.sum(axis=-1, keepdims=True))
    # An area is part of the country it is compared with, and moves a little with it.
    independent = expected * (1.0 - _ratio(expected, expected.sum(axis=0)))
    if is_share:
        independent *= 1.0 - np.minimum(_ratio(expected, n), 1.0)
    quarters = is_there.sum(axis=-1)
    is_whole = _sums(is_there.astype(float), window) > window - 0.5
    windows = is_whole.sum(axis=-1)
    swing, usual_swing = (
        _ratio(np.where(is_whole, values, 0.0).sum(axis=-1), windows)
        for values in (_sums(o - expected, window) ** 2, _sums(independent, window))
    )
    swing = swing / (1.0 - window / np.maximum(quarters, window + 1))  # the level was taken from the same quarters
    rounded = np.broadcast_to(np.asarray(extra_variance, dtype=float), swing.shape)
    is_used = (quarters >= FEWEST_QUARTERS) & (usual_swing >= FEWEST_EVENTS)
    if not is_used.any():
        return 1.0
    weight = _ratio(is_used.astype(float), usual_swing + rounded)
    return max(float((weight * (swing - rounded)).sum() / (weight * usual_swing).sum()), 1.0)


def window_of(quarters: int) -> int:
    """Quarters of a window in a series of so many; 0 where it is too short for any."""
    return 0 if quarters < FEWEST_QUARTERS else min(quarters // 4, WINDOW)


@per_release
def national_clustering(release: Release, indicator: Indicator) -> float:
    """Clustering of an indicator's events over all municipalities, from the newest unbroken firm quarters (at most 12).

    1 (independent events) where nothing is counted per person or per trial, for yearly figures and where the quarters
    are too few.
    """
    is_of_persons = indicator.kind in ("rate", "proportion") or indicator.denominator.measure == "person_years"
    if not is_of_persons or indicator.is_yearly:
        return 1.0
    last = add_months(release.date("provisional_from"), -1)
    first = release.date("data_from")
    for data_break in breaks_within(first, last):
        first = data_break.month
    quarters = periods_between(first, last, "quarter")[-QUARTERS:]
    window = window_of(len(quarters))
    if window == 0:
        return 1.0
    query = Query(indicator, areas(release, "municipality", map_of(last)), quarters)
    grid = Grid.of(release, query)
    events, at_risk = (
        tally(release, query, grid, count).sum(axis=(2, 3)).astype(float)
        for count in (indicator.numerator, indicator.denominator)
    )
    of_window = Period(quarters[0].first, quarters[window - 1].last, "quarter")
    rounded = rounding_noise(release, Query(indicator, query.areas, (of_window,))).numerator[:, 0, 0]
    return clustering(events, at_risk, is_share=indicator.kind == "proportion", extra_variance=rounded)


def _sums(values: FloatArray, window: int) -> FloatArray:
    """Sums of `window` successive values along the last axis."""
    running = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
    return running[..., window:] - running[..., :-window]


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """part / whole, 0 where there is no whole."""
    return np.where(whole > 0, part, 0.0) / np.where(whole > 0, whole, 1.0)

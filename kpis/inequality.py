"""Inequality between areas: quantile groups, and slope and relative index of inequality over them.

Groups lie on the last axis, from the worst off (first) to the best off (last).
"""

from dataclasses import dataclass

import numpy as np

from kpis.rates import LEVEL_95, ArrayLike, FloatArray, Interval, normal_quantile

GROUPS_FOR_SLOPE = 5
DRAWS = 100_000
SEED = 20_121_010


def quantile_groups(values: ArrayLike, groups: int, *, highest_first: bool = True) -> FloatArray:
    """Group 1…k of each area by rank, k = `groups`; areas on the last axis; group 1 holds the highest values.

    ⌊(k+1) − ⌈(N+1−rank)/(N/k)⌉⌋ with ties at their lowest rank (PHE `phe_quantile`), so that equal values
    always share a group. With fewer areas than groups: all NaN. A NaN area has no group.
    """
    value = np.asarray(values, dtype=float)
    key = -value if highest_first else value
    rank = 1.0 + (key[..., None, :] < key[..., :, None]).sum(axis=-1)
    number = (~np.isnan(value)).sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        group = np.floor((groups + 1.0) - np.ceil((number + 1.0 - rank) / (number / groups)))
    return np.where(np.isnan(value) | (number < groups), np.nan, group)


@dataclass(frozen=True)
class Slope:
    """Slope and relative index of inequality with limits; `intercept` is the level at the worst-off end."""

    sii: Interval
    rii: Interval
    intercept: FloatArray


def slope_index(
    values: ArrayLike,
    population: ArrayLike,
    standard_error: ArrayLike | None = None,
    *,
    confidence: float = LEVEL_95,
) -> Slope:
    """SII: difference in value between the best-off and the worst-off end of the population; RII: ratio.

    Ridit bⱼ = cumulative population share − half the own share; least squares of √p·y on √p and √p·b (no
    intercept): SII = slope, RII = (a + SII)/a (Low & Low 2004; PHE `phe_sii`). Groups from worst to best off
    on the last axis, at least 5, else "undefined". With `standard_error` of the values, limits from 100,000
    draws y ~ N(y, se) with a fixed seed; without it lower and upper are NaN though the status is "ok".
    """
    y, p = np.broadcast_arrays(np.asarray(values, dtype=float), np.asarray(population, dtype=float))
    normal_quantile(confidence)
    is_defined = (y.shape[-1] >= GROUPS_FOR_SLOPE) & np.all((p > 0) & ~np.isnan(y), axis=-1)
    share = np.where(p > 0, p, 1.0)
    share = share / share.sum(axis=-1, keepdims=True)
    ridit = np.cumsum(share, axis=-1) - share / 2.0
    middle = (share * ridit).sum(axis=-1, keepdims=True)
    # Weighted least squares is linear in y: slope = Σ kⱼyⱼ and level = Σ(shareⱼ − middle·kⱼ)yⱼ.
    to_slope = share * (ridit - middle) / (share * (ridit - middle) ** 2).sum(axis=-1, keepdims=True)
    to_level = share - middle * to_slope
    sii, level = (to_slope * y).sum(axis=-1), (to_level * y).sum(axis=-1)
    limits = np.full((4, *sii.shape), np.nan)
    if standard_error is not None:
        s = np.broadcast_to(np.asarray(standard_error, dtype=float), y.shape)
        drawn = y + s * np.random.default_rng(SEED).standard_normal((DRAWS, *y.shape))
        slopes, levels = (drawn * to_slope).sum(axis=-1), (drawn * to_level).sum(axis=-1)
        tails = [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0]
        limits[:2] = np.quantile(slopes, tails, axis=0)
        limits[2:] = np.quantile((levels + slopes) / levels, tails, axis=0)
    status = np.where(is_defined, "ok", "undefined")
    method = np.full(sii.shape, "wls")
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = [np.where(is_defined, x, np.nan) for x in (sii, *limits[:2], (level + sii) / level, *limits[2:])]
    return Slope(
        Interval(figures[0], figures[1], figures[2], status, method),
        Interval(figures[3], figures[4], figures[5], status, method),
        np.where(is_defined, level, np.nan),
    )

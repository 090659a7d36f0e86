"""What areas would gain at a target: the distance from what is believed of them to it, with limits.

Chance must not be sold as potential: the smallest municipalities are always among the best and the worst. So every
ratio of observed to expected events is first shrunken towards the whole by as much as chance, clustering and the
rounding of published counts explain (`small_area.shrink_rates`), and the target is read off the shrunken ratios.
Where the municipalities differ no more than by chance there is no potential.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kpis import rates
from kpis.compare import Better
from kpis.rates import ArrayLike, FloatArray
from kpis.small_area import SEED, shrink_rates

BEST_FIFTH = 0.2
"""The share of the areas that do at least as well as the usual target."""
DRAWS = 4_000


@dataclass(frozen=True)
class Potential:
    """Events that would be avoided (or gained) at the target; arrays of shape (areas,), NaN without a value.

    `target`: events at the target. The others are what totals are drawn from: `ratio` of one area is believed to be
    gamma with shape mean²/spread + `seen` and rate mean/spread + `usual`, and stands for `unit` events.
    """

    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    target: FloatArray
    unit: FloatArray
    seen: FloatArray
    usual: FloatArray
    mean: float
    spread: float
    sign: int

    def total(self, members: Sequence[int]) -> tuple[float, float, float]:
        """Sum over areas with 95 % limits, by 4,000 seeded draws from the posteriors; NaN where no member has a value.

        It is the distance of those areas that have a potential. Areas at the target or beyond add nothing, neither to
        the sum nor to its limits: to draw them too would let chance lift the sum above what it is. The mean of all
        areas and the variance between them are drawn too, because all areas are wrong together where they are wrong.
        """
        known = [area for area in members if not np.isnan(self.value[area])]
        if not known:
            return (float("nan"),) * 3
        value = float(self.value[known].sum())
        drawn = [area for area in known if self.value[area] > 0]
        if not drawn or self.spread <= 0:
            return value, value, value
        rng = np.random.default_rng(SEED)
        mean, spread = self._drawn_prior(rng)
        shape = mean**2 / spread + self.seen[drawn]
        rate = mean / spread + self.usual[drawn]
        ratio = rng.standard_gamma(shape) / rate
        totals = (self.sign * (ratio * self.unit[drawn] - self.target[drawn])).sum(axis=1)
        tail = (1.0 - rates.LEVEL_95) / 2.0
        low, high = np.quantile(totals, [tail, 1.0 - tail])
        return value, max(min(float(low), value), 0.0), max(float(high), value)

    def _drawn_prior(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Means of all areas and variances between them that would give what was seen, each of shape (draws, 1).

        What varies in all is χ² of so many areas' worth; the mean is that of as many events as were seen.
        """
        usual = self.usual[self.usual > 0]
        chance = self.mean * usual.size / usual.sum()
        worth = usual.sum() ** 2 / (usual**2).sum()  # areas by weight
        freedom = max(worth - 1.0, 1.0)
        varied = (self.spread + chance) * freedom / rng.chisquare(freedom, (DRAWS, 1))
        spread = np.maximum(varied - chance, 1e-6 * self.mean**2)
        error = np.sqrt(self.mean / usual.sum() + spread / worth)
        mean = self.mean + error * rng.standard_normal((DRAWS, 1))
        return np.maximum(mean, 1e-3 * self.mean), spread


def potential_to_target(
    observed: ArrayLike,
    expected: ArrayLike,
    target: ArrayLike | None,
    better: Better,
    *,
    place: float = BEST_FIFTH,
    variance: ArrayLike | None = None,
) -> Potential:
    """Potential of areas with `observed` events where `expected` are usual (age, sex, size); shape (areas,).

    `target`: events at the target, taken as known; None = at the ratio that the best `place` of the areas reach after
    shrinkage (a quantile of the shrunken ratios, 0.2 = best fifth). `variance`: of each count in events²; default
    that of a Poisson count. A count with more variance v than its expectation E is worth only the share E/v of its
    events: observed and expected are reduced to that before the shrinkage.

    value = max(0, ±(shrunken ratio × expected − target)), limits those of the gamma posterior carried over; no
    uncertainty of the target is in them. Areas without expectation get NaN. Raises ValueError for "neither".
    """
    if better == "neither":
        raise ValueError('better is "neither"; a potential needs a direction: "lower" or "higher"')
    sign = 1 if better == "lower" else -1
    o, e = np.broadcast_arrays(np.asarray(observed, dtype=float), np.asarray(expected, dtype=float))
    worth = _worth(e, variance)
    shrunken = shrink_rates(o * worth, e * worth, 1.0)
    ratio = shrunken.rate
    if target is None:
        at = np.nanquantile(sign * ratio.value, place) * sign if np.any(~np.isnan(ratio.value)) else np.nan
        aim = at * e
    else:
        aim = np.broadcast_to(np.asarray(target, dtype=float), e.shape)
    near, far = (ratio.lower, ratio.upper) if sign > 0 else (ratio.upper, ratio.lower)
    value, lower, upper = (np.maximum(sign * (r * e - aim), 0.0) for r in (ratio.value, near, far))
    mean, spread = float(shrunken.prior_mean[0]), float(shrunken.prior_variance[0])
    is_used = ~np.isnan(ratio.value)
    seen, usual = (np.where(is_used, x * worth, 0.0) for x in (o, e))
    return Potential(value, lower, upper, aim, e, seen, usual, mean, spread, sign)


def potential_to_own_best(
    observed: ArrayLike, expected: ArrayLike, better: Better, *, variance: ArrayLike | None = None
) -> Potential:
    """Potential of each area against the best of its own windows of time; arrays (areas, windows), newest last.

    Each window's ratio to the area's own mean is shrunken together with all windows of all areas, so that the luckiest
    year of an unchanging area is no target. Result and arguments otherwise as in `potential_to_target`.
    """
    if better == "neither":
        raise ValueError('better is "neither"; a potential needs a direction: "lower" or "higher"')
    sign = 1 if better == "lower" else -1
    o, e = np.broadcast_arrays(np.asarray(observed, dtype=float), np.asarray(expected, dtype=float))
    with np.errstate(divide="ignore", invalid="ignore"):
        own = o.sum(axis=-1, keepdims=True) / e.sum(axis=-1, keepdims=True)
    usual = own * e
    worth = _worth(usual, variance)
    shrunken = shrink_rates((o * worth).reshape(-1), (usual * worth).reshape(-1), 1.0)
    ratio, low, high = (x.reshape(o.shape) for x in (shrunken.rate.value, shrunken.rate.lower, shrunken.rate.upper))
    best = sign * np.min(sign * ratio, axis=-1)
    now = usual[..., -1]
    near, far = (low, high) if sign > 0 else (high, low)
    aim = best * now
    is_idle = (o.sum(axis=-1) == 0) & (e.sum(axis=-1) > 0)  # nothing ever happened, and nothing can be won
    value, lower, upper = (
        np.where(is_idle, 0.0, np.maximum(sign * (r[..., -1] * now - aim), 0.0)) for r in (ratio, near, far)
    )
    mean, spread = float(shrunken.prior_mean[0]), float(shrunken.prior_variance[0])
    seen, known = (np.nan_to_num((worth * x)[..., -1]) for x in (o, usual))
    return Potential(value, lower, upper, aim, now, seen, known, mean, spread, sign)


def _worth(expected: FloatArray, variance: ArrayLike | None) -> FloatArray:
    if variance is None:
        return np.ones(expected.shape)
    spread = np.maximum(np.asarray(variance, dtype=float), expected)
    return np.where(expected > 0, expected / np.where(spread > 0, spread, 1.0), 1.0)

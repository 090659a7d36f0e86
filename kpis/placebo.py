"""Placebos: the same question asked of municipalities, and of times, in which nothing was done.

What a method's formula promises of its interval holds only where the world is as the formula takes it to be. So the
interval is set by what the method does where the truth is known to be *no effect*: it is asked of hundreds of groups of
municipalities like the treated ones and of other starting months, on the very counts of the release – clustering,
seasons, drift, regional habits and the rounding of published counts are all in them – and widened until it holds the
truth as often as it says (permutation of placebos: Abadie, Diamond & Hainmueller 2010; as a distribution-free interval:
Vovk, Gammerman & Shafer 2005, Chernozhukov, Wüthrich & Zhu 2021).

Groups differ in size, so every change is divided by its own standard error before it is compared. Of N events before
and after a start, the share p(θ) = θX₁ / (θX₁ + X₀) falls after it when the effect is the rate ratio θ and X are the
events usual before and after in the comparison. The score of θ is

    z(θ) = (O₁ − N·p) / √( φ·N·p(1−p) + (1−p)²·R₁ + p²·R₀ + τ²·(N·p(1−p))² )

with φ the clustering of events, R the rounding variance of the counts and τ the drift that placebos show beyond both.
The limits of θ are where z reaches the placebos' quantile: Wilson's interval of a share, with all noise counted in.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from kpis.rates import FloatArray

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

WIDEST = 4.0
"""Limits are looked for between rate ratios of e⁻⁴ and e⁴."""
LEAST_OF_NORMAL = 0.9
_HALVINGS = 40
"""Of that stretch, so that limits are exact to far below what is shown."""


@dataclass(frozen=True)
class Shifts:
    """Events before and after a start; every array has shape (…, cohorts), and cohorts add up.

    `observed` and `usual` are (before, after): what happened, and what would be proportional to it without an effect.
    `rounding`: error variance of the two observed counts. `control`: variance of ln(usual after ÷ before) that comes
    from the chance of the comparison itself, shape (…).
    """

    observed: tuple[FloatArray, FloatArray]
    usual: tuple[FloatArray, FloatArray]
    rounding: tuple[FloatArray, FloatArray]
    control: FloatArray

    def row(self, at: int | slice) -> "Shifts":
        """Some of them; a single one keeps its axis."""
        which = slice(at, at + 1) if isinstance(at, int) else at
        pairs = ((pair[0][which], pair[1][which]) for pair in (self.observed, self.usual, self.rounding))
        observed, usual, rounding = pairs
        return Shifts(observed, usual, rounding, self.control[which])

    def error(self, clustering: float, drift: float) -> FloatArray:
        """Standard error of ln θ where there is no effect, shape (…)."""
        _, chance, leverage = self._parts(np.ones(1))
        variance = clustering * leverage + chance + (drift + self.control) * leverage**2
        return np.sqrt(variance) / np.maximum(leverage, 1e-12)

    def score(self, theta: npt.ArrayLike, clustering: float, drift: float) -> FloatArray:
        """z(θ) of the text above, shape (…); falls as θ grows. 0 where nothing happened at all."""
        gap, chance, leverage = self._parts(np.asarray(theta, dtype=float))
        variance = clustering * leverage + chance + (drift + self.control) * leverage**2
        return gap / np.sqrt(np.maximum(variance, 1e-12))

    def estimate(self) -> FloatArray:
        """The θ with score 0: the ratio of observed to usual after, over that before."""
        return self._where(0.0, 1.0, 0.0)

    def limits(self, quantile: float, clustering: float, drift: float) -> tuple[FloatArray, FloatArray]:
        """The θ between which |z| stays within `quantile`; e^±4 where the counts set no limit."""
        return self._where(quantile, clustering, drift), self._where(-quantile, clustering, drift)

    def drift(self, clustering: float) -> float:
        """τ²: variance of ln θ between these shifts beyond clustering, rounding and control, where none has an effect.

        Moments weighted by precision, a few rounds; 0 where they vary no more than that.
        """
        gap, chance, leverage = self._parts(np.ones(1))
        known = clustering * leverage + chance + self.control * leverage**2
        found = 0.0
        for _ in range(5):
            weight = (leverage / np.maximum(known + found * leverage**2, 1e-12)) ** 2
            bottom = float((weight * leverage**2).sum())
            found = max(float((weight * (gap**2 - known)).sum()) / bottom, 0.0) if bottom > 0 else 0.0
        return found

    def _parts(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """O₁ − N·p, the rounding's variance of it, and N·p(1−p); cohorts added up."""
        before, after = self.usual
        share = theta[..., None] * after / np.maximum(theta[..., None] * after + before, 1e-12)
        n = self.observed[0] + self.observed[1]
        gap = self.observed[1] - n * share
        chance = (1.0 - share) ** 2 * self.rounding[1] + share**2 * self.rounding[0]
        return gap.sum(axis=-1), chance.sum(axis=-1), (n * share * (1.0 - share)).sum(axis=-1)

    def _where(self, wanted: float, clustering: float, drift: float) -> FloatArray:
        """θ at which the score is `wanted`, by halving: it falls in θ."""
        low = np.full(self.control.shape, -WIDEST)
        high = np.full(self.control.shape, WIDEST)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            is_above = self.score(np.exp(middle), clustering, drift) > wanted
            low, high = np.where(is_above, middle, low), np.where(is_above, high, middle)
        return np.exp((low + high) / 2.0)


# --- which placebos -----------------------------------------------------------------------------------------


def draw_groups(
    rng: np.random.Generator, size: FloatArray, wanted: int, target: float, blocks: IntArray | None, number: int
) -> BoolArray:
    """[placebos, units]: groups of `wanted` units that are as large together as `target`, as far as there are any.

    `size`: of each unit, 0 for units that may not be drawn. `blocks`: a number per unit (its region) where a group must
    lie within one block, because the treated does and neighbours share what happens to them; None = anywhere. Single
    units are all drawn, once each. Groups may overlap each other. Empty where no group can be drawn.
    """
    free = np.flatnonzero(size > 0)
    if wanted == 1:
        return np.eye(size.size, dtype=bool)[free]
    pools = [free] if blocks is None else [free[blocks[free] == block] for block in np.unique(blocks[free])]
    pools = [pool for pool in pools if pool.size >= wanted]
    if not pools:
        return np.zeros((0, size.size), dtype=bool)
    # Each pool as often as its units: a unit is then as likely to be drawn in a small region as in a large one.
    share = np.array([pool.size for pool in pools], dtype=float)
    chosen = rng.choice(len(pools), size=3 * number, p=share / share.sum())
    groups = np.zeros((3 * number, size.size), dtype=bool)
    for group, at in zip(groups, chosen, strict=True):
        group[rng.choice(pools[at], size=wanted, replace=False)] = True
    groups = np.unique(groups, axis=0)
    nearest = np.argsort(np.abs(np.log(groups @ size / target)), kind="stable")
    return groups[nearest[:number]]


# --- how wide an interval must be ---------------------------------------------------------------------------


class Calibration(NamedTuple):
    """What placebos say of an interval: its quantile, and how often it held "no effect" where there was none.

    `coverage` is honest: each placebo is judged by the quantile of those that share no municipality with it.
    """

    quantile: float
    coverage: float
    n: int


def calibrate(scores: FloatArray, groups: BoolArray, confidence: float) -> Calibration:
    """Quantile of |z| that holds `confidence` of the placebos, and the coverage reached.

    It is at least nine tenths of the normal quantile: the standard errors err on the wide side, but a few placebos that
    happen to be alike must not make an interval that no formula would.
    `scores`: (placebos, …) – further axes are other starting months of the same group. `groups`: (placebos, units).
    NaN scores are no placebos. The quantile is that of n + 1 (Vovk et al.), so that few placebos widen it.
    """
    floor = LEAST_OF_NORMAL * float(special.ndtri(0.5 + confidence / 2.0))
    size = np.abs(scores.reshape(len(scores), -1))
    overlaps = (groups.astype(np.float32) @ groups.T.astype(np.float32)) > 0
    quantile = max(_quantile(size, confidence), floor)
    apart = np.array([max(_quantile(size[~row], confidence), floor) for row in overlaps])
    held = size[:, 0] <= apart
    is_there = ~np.isnan(size[:, 0])
    coverage = float(held[is_there].mean()) if is_there.any() else float("nan")
    return Calibration(quantile, coverage, int(is_there.sum()))


def _quantile(size: FloatArray, confidence: float) -> float:
    known = np.sort(size[~np.isnan(size)])
    if known.size == 0:
        return float("inf")
    return float(known[min(int(np.ceil((known.size + 1) * confidence)), known.size) - 1])

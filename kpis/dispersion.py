"""Overdispersion: how much areas differ by more than chance, and funnel limits that count it in.

Real counts differ by more than chance (case mix, coding, local habits), so limits that know only chance flag nearly
everyone; `Dispersion` measures the surplus and widens them. Areas lie on the last axis; leading axes (indicators,
periods) are done at once; a NaN area takes no part and gets NaN.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kpis.rates import ArrayLike, FloatArray, normal_quantile

Scale = Literal["sqrt", "log"]
TRIM = 0.1
"""Share of the areas in each tail that may not steer the estimate of overdispersion."""


@dataclass(frozen=True)
class Dispersion:
    """How much areas differ beyond chance, on a scale where chance has the same size everywhere.

    Arrays `y`, `standard_error`, `z`, `z_trimmed` have shape (…, areas); `target`, `phi`, `tau2` have shape
    (…, 1). phi ≈ 1: the areas differ as much as chance makes them; tau2: variance between areas beyond chance
    (0 = none); where it was estimated on other areas and carried over, it has shape (…, areas).
    """

    scale: Literal["sqrt", "log", "asin"]
    y: FloatArray
    standard_error: FloatArray
    target: FloatArray
    z: FloatArray
    z_trimmed: FloatArray
    phi: FloatArray
    tau2: FloatArray

    @property
    def adjusted_z(self) -> FloatArray:
        """Standard normal deviate of each area with overdispersion counted in; NaN without a value."""
        return (self.y - self.target) / np.sqrt(self.standard_error**2 + self.tau2)

    @property
    def reference(self) -> FloatArray:
        """What the areas are compared with, on the original scale (1, or the common share); (…, 1)."""
        return self._original(self.target)

    def limits(self, confidence: float, *, with_overdispersion: bool = True) -> tuple[FloatArray, FloatArray]:
        """Lower and upper limit for each area on the original scale (ratio or share), never under 0."""
        extra = self.tau2 if with_overdispersion else 0.0
        half = normal_quantile(confidence) * np.sqrt(self.standard_error**2 + extra)
        return self._original(self.target - half), self._original(self.target + half)

    def _original(self, y: FloatArray) -> FloatArray:
        if self.scale == "log":
            return np.exp(y)
        if self.scale == "sqrt":
            return np.maximum(y, 0.0) ** 2
        return np.sin(np.clip(y, 0.0, np.pi / 2.0)) ** 2


def ratio_dispersion(
    observed: ArrayLike,
    expected: ArrayLike,
    *,
    scale: Scale = "sqrt",
    extra_variance: ArrayLike = 0.0,
    trim: float = TRIM,
) -> Dispersion:
    """Overdispersion of ratios O/E around 1 (Spiegelhalter 2005; Spiegelhalter et al. 2012), areas last.

    - "sqrt" (CQC; the default, since it takes O = 0): Y = √(O/E), s = 1/(2√E), tails of the z scores
      winsorised.
    - "log" (NHS SHMI): Y = ln(O/E), s = 1/√E, areas in the tails left out by rank; an area with O = 0 takes
      no part.

    `extra_variance` is the known error variance of a protected count, in events²; it adds to s² (delta method
    at O = E). FunnelPlotR forgets to square the sqrt limits back; these are squared.
    """
    o, e, v = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (observed, expected, extra_variance)))
    is_used = (o >= 0) & (e > 0) if scale == "sqrt" else (o > 0) & (e > 0)
    o, e = np.where(is_used, o, np.nan), np.where(is_used, e, np.nan)
    noise = v / e**2
    if scale == "sqrt":
        return _dispersion(np.sqrt(o / e), np.sqrt(0.25 / e + 0.25 * noise), 1.0, "sqrt", trim, by_rank=False)
    return _dispersion(np.log(o / e), np.sqrt(1.0 / e + noise), 0.0, "log", trim, by_rank=True)


def proportion_dispersion(
    events: ArrayLike,
    trials: ArrayLike,
    *,
    extra_variance: ArrayLike = 0.0,
    extra_variance_trials: ArrayLike = 0.0,
    trim: float = TRIM,
) -> Dispersion:
    """Overdispersion of shares around the share of all areas together; areas on the last axis.

    Y = asin√p, s = 1/(2√n), target = asin√(Σx/Σn), tails of the z scores winsorised (FunnelPlotR "PR").
    The error variances of protected counts are those of `rates.proportion`; they add to s² (delta method at π).
    """
    x, n, v, v_trials = np.broadcast_arrays(
        *(np.asarray(a, dtype=float) for a in (events, trials, extra_variance, extra_variance_trials))
    )
    is_used = (x >= 0) & (n > 0) & (x <= n)
    x, n = np.where(is_used, x, np.nan), np.where(is_used, n, np.nan)
    with np.errstate(invalid="ignore"):
        share = np.nansum(x, axis=-1, keepdims=True) / np.nansum(n, axis=-1, keepdims=True)
        noise = (v + share**2 * v_trials) / n / np.where((share > 0) & (share < 1), share * (1.0 - share), np.nan)
    target = np.arcsin(np.sqrt(share))
    error = 0.5 * np.sqrt((1.0 + np.nan_to_num(noise)) / n)
    return _dispersion(np.arcsin(np.sqrt(x / n)), error, target, "asin", trim, by_rank=False)


def count_ratio_dispersion(events: ArrayLike, other_events: ArrayLike, *, trim: float = TRIM) -> Dispersion:
    """Overdispersion of ratios of two counts, both subject to chance; areas on the last axis.

    Y = ln((x+½)/(n+½)), s = √(x/(x+½)² + n/(n+½)²), target = ln(Σx/Σn), winsorised (FunnelPlotR "RC"; its
    limits use another s than its z scores, these use the same).
    """
    x, n = np.broadcast_arrays(np.asarray(events, dtype=float), np.asarray(other_events, dtype=float))
    is_used = (x >= 0) & (n > 0)
    x, n = np.where(is_used, x, np.nan), np.where(is_used, n, np.nan)
    total = np.nansum(x, axis=-1, keepdims=True)
    # No events anywhere: there is no common ratio to compare with.
    target = np.log(np.where(total > 0, total, np.nan) / np.nansum(n, axis=-1, keepdims=True))
    error = np.sqrt(x / (x + 0.5) ** 2 + n / (n + 0.5) ** 2)
    return _dispersion(np.log((x + 0.5) / (n + 0.5)), error, target, "log", trim, by_rank=False)


def _dispersion(
    y: FloatArray,
    standard_error: FloatArray,
    target: ArrayLike,
    scale: Literal["sqrt", "log", "asin"],
    trim: float,
    *,
    by_rank: bool,
) -> Dispersion:
    """phi = Σz²/I of trimmed z; tau2 by moments, 0 unless I·phi ≥ I − 1 (DerSimonian & Laird 1986)."""
    middle = np.broadcast_to(np.asarray(target, dtype=float), (*y.shape[:-1], 1))
    z = (y - middle) / standard_error
    trimmed = _drop_tails(z, trim) if by_rank else _winsorise(z, trim)
    is_kept = ~np.isnan(trimmed)
    kept = is_kept.sum(axis=-1, keepdims=True).astype(float)
    squares = np.nansum(trimmed**2, axis=-1, keepdims=True)
    weight = np.where(is_kept, 1.0 / standard_error**2, 0.0)
    total = weight.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = squares / kept
        tau2 = (squares - (kept - 1.0)) / (total - (weight**2).sum(axis=-1, keepdims=True) / total)
    tau2 = np.where((kept > 1) & (tau2 > 0), tau2, 0.0)
    return Dispersion(scale, y, standard_error, middle, z, trimmed, phi, tau2)


def _winsorise(z: FloatArray, trim: float) -> FloatArray:
    if z.shape[-1] == 0:
        return z
    # NumPy warns about a row of nothing but NaN; such a row has no tails.
    some = np.where(np.isnan(z).all(axis=-1, keepdims=True), 0.0, z)
    low, high = np.nanquantile(some, [trim, 1.0 - trim], axis=-1, keepdims=True)
    return np.clip(z, low, high)


def _drop_tails(z: FloatArray, trim: float) -> FloatArray:
    """NaN for areas in the outer `trim` shares by rank (FunnelPlotR: floor(rank·k/(n+1)), k = 1/trim)."""
    order = np.argsort(np.argsort(z, axis=-1), axis=-1) + 1.0  # NaN sorts last and stays NaN
    groups = round(1.0 / trim)
    place = np.floor(order * groups / ((~np.isnan(z)).sum(axis=-1, keepdims=True) + 1.0))
    return np.where((place > 0) & (place < groups - 1), z, np.nan)

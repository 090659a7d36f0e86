"""Trends over years: is a share or a rate going up or down, by how much a year, and could it be chance?

Time lies on the last axis; leading axes are done at once; NaN points are left out. A trend is a statement
about a stretch without breaks: the caller cuts the series at them (2019, a reform), nothing here does.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from kpis.rates import LEVEL_95, ArrayLike, FloatArray, Interval, normal_quantile

POINTS_FOR_SHARE = 5
"""A trend of shares is tested from this many points."""
POINTS_FOR_RATE = 3
"""A trend of rates needs two points for the line and one to see how well it fits."""


@dataclass(frozen=True)
class ShareTrend:
    """χ² test for trend; arrays have the leading shape; NaN where there is nothing to test.

    `direction`: 1 rising, −1 falling, 0 exactly level, whatever the p value.
    """

    chi2: FloatArray
    p_value: FloatArray
    direction: FloatArray


def share_trend(events: ArrayLike, trials: ArrayLike) -> ShareTrend:
    """χ² test for linear trend in proportions (Cochran–Armitage; R `prop.trend.test`), equally spaced points.

    With scores tᵢ = 1…k: χ² = (Σtᵢ(xᵢ − nᵢp̄))² / (p̄(1−p̄)(Σnᵢtᵢ² − (Σnᵢtᵢ)²/Σnᵢ)) on 1 degree of freedom.
    NaN with fewer than 5 points, or where all or none had the event.
    """
    x, n = np.broadcast_arrays(np.asarray(events, dtype=float), np.asarray(trials, dtype=float))
    is_used = (x >= 0) & (n > 0) & (x <= n)
    x, n = np.where(is_used, x, 0.0), np.where(is_used, n, 0.0)
    score = np.arange(1.0, x.shape[-1] + 1.0)
    total = n.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = x.sum(axis=-1) / total
        slope = (score * (x - n * pooled[..., None])).sum(axis=-1)
        spread = (n * score**2).sum(axis=-1) - (n * score).sum(axis=-1) ** 2 / total
        chi2 = slope**2 / (pooled * (1.0 - pooled) * spread)
    is_tested = (is_used.sum(axis=-1) >= POINTS_FOR_SHARE) & (pooled > 0) & (pooled < 1)
    chi2 = np.where(is_tested, chi2, np.nan)
    return ShareTrend(chi2, special.chdtrc(1.0, chi2), np.where(is_tested, np.sign(slope), np.nan))


@dataclass(frozen=True)
class RateTrend:
    """A log-linear trend; arrays have the leading shape.

    `ratio`: rate ratio per unit of time (0.98 = two per cent fewer each year) with limits. `standard_error`:
    of its logarithm, dispersion included. `dispersion`: Pearson χ²/df as estimated (under 1 it is not used).
    `p_value`: no trend.
    """

    ratio: Interval
    standard_error: FloatArray
    dispersion: FloatArray
    p_value: FloatArray


def rate_trend(
    events: ArrayLike,
    person_years: ArrayLike,
    times: ArrayLike | None = None,
    confidence: float = LEVEL_95,
    *,
    known_dispersion: ArrayLike = 1.0,
) -> RateTrend:
    """Rate ratio per year: Poisson log-linear model with offset ln(person-years), quasi-Poisson errors.

    ln μ = a + b·t + ln n, fitted by maximum likelihood (R and statsmodels `glm`); the variance is multiplied by the
    dispersion, but never made smaller than chance (floor 1), or than `known_dispersion`: one that was found elsewhere,
    where it could be seen that events of different points go together. Where the own dispersion is used the limits are
    Student's t on k − 2 degrees of freedom, else normal. `times` in years, default 0, 1, 2, …. "undefined" with fewer
    than 3 points, or when all events fall at the first or the last point (the ratio would be 0 or infinite).
    """
    o, n = np.broadcast_arrays(np.asarray(events, dtype=float), np.asarray(person_years, dtype=float))
    t = np.arange(float(o.shape[-1])) if times is None else np.asarray(times, dtype=float)
    is_used = (o >= 0) & (n > 0)
    o, n = np.where(is_used, o, 0.0), np.where(is_used, n, 0.0)
    points, total = is_used.sum(axis=-1), o.sum(axis=-1)
    t = np.broadcast_to(t, o.shape)
    first = np.where(is_used, t, np.inf).min(axis=-1, keepdims=True)
    last = np.where(is_used, t, -np.inf).max(axis=-1, keepdims=True)
    is_inside = (o > 0) & ((t > first) & (t < last))
    both_ends = np.any((o > 0) & (t == first), axis=-1) & np.any((o > 0) & (t == last), axis=-1)
    is_defined = (points >= POINTS_FOR_RATE) & (np.any(is_inside, axis=-1) | both_ends)
    n = np.where(is_defined[..., None], n, 1.0)
    total = np.where(is_defined, total, 1.0)

    slope = _poisson_slope(o, n, t, total)
    fitted = _share_of_events(slope, n, t) * total[..., None]
    mean_time = (fitted * t).sum(axis=-1) / total
    information = (fitted * (t - mean_time[..., None]) ** 2).sum(axis=-1)
    freedom = np.maximum(points - 2, 1)
    pearson = np.where(fitted > 0, (o - fitted) ** 2 / np.where(fitted > 0, fitted, 1.0), 0.0).sum(axis=-1)
    dispersion = np.where(is_defined, pearson / freedom, np.nan)
    floor = np.maximum(np.asarray(known_dispersion, dtype=float), 1.0)
    error = np.sqrt(np.maximum(dispersion, floor) / information)
    is_wide = dispersion > floor
    quantile = np.where(is_wide, special.stdtrit(freedom, 0.5 + confidence / 2.0), normal_quantile(confidence))
    deviate = np.abs(slope) / error
    p_value = 2.0 * np.where(is_wide, special.stdtr(freedom, -deviate), special.ndtr(-deviate))
    limits = [np.where(is_defined, np.exp(slope + k * quantile * error), np.nan) for k in (0.0, -1.0, 1.0)]
    ratio = Interval(
        limits[0],
        limits[1],
        limits[2],
        np.where(is_defined, "ok", "undefined"),
        np.where(is_wide | (floor > 1.0), "quasi-poisson", "poisson"),
    )
    return RateTrend(ratio, np.where(is_defined, error, np.nan), dispersion, np.where(is_defined, p_value, np.nan))


def _share_of_events(slope: FloatArray, n: FloatArray, t: FloatArray) -> FloatArray:
    """Share of all events that the model puts at each point: n·eᵇᵗ over its sum."""
    exponent = slope[..., None] * t
    weight = n * np.exp(exponent - exponent.max(axis=-1, keepdims=True))
    return weight / weight.sum(axis=-1, keepdims=True)


def _poisson_slope(o: FloatArray, n: FloatArray, t: FloatArray, total: FloatArray) -> FloatArray:
    """Maximum-likelihood b with the level profiled out: concave in one unknown, so Newton finds it."""
    slope = np.zeros(o.shape[:-1])
    observed_time = (o * t).sum(axis=-1) / total
    spread = np.maximum(t.max() - t.min(), 1e-300)
    for _ in range(50):
        share = _share_of_events(slope, n, t)
        mean_time = (share * t).sum(axis=-1)
        variance = (share * (t - mean_time[..., None]) ** 2).sum(axis=-1)
        step = (observed_time - mean_time) / np.where(variance > 0, variance, 1.0)
        # A full step can overshoot where nearly all events lie at one end.
        step = np.clip(step, -2.0 / spread, 2.0 / spread)
        slope = slope + step
        if np.all(np.abs(step) * spread < 1e-12):
            break
    return slope


@dataclass(frozen=True)
class KendallTrend:
    """Kendall's S (rising minus falling pairs), τ and the two-sided p value of no trend, for one series."""

    s: int
    tau: float
    p_value: float


def kendall_trend(values: ArrayLike) -> KendallTrend:
    """Mann–Kendall test of a monotone trend in one short series; exact without ties.

    NaN points are left out. With ties the p value is the usual normal approximation. Fewer than 3 points:
    NaN.
    """
    from scipy.stats import kendalltau  # scipy.stats takes a second to import, and few pages need it

    value = np.asarray(values, dtype=float)
    value = value[~np.isnan(value)]
    if value.size < 3:
        return KendallTrend(0, float("nan"), float("nan"))
    later, earlier = np.tril_indices(value.size, -1)
    s = int(np.sign(value[later] - value[earlier]).sum())
    has_ties = np.unique(value).size < value.size
    result = kendalltau(np.arange(value.size), value, method="asymptotic" if has_ties else "exact")
    return KendallTrend(s, float(result.statistic), float(result.pvalue))

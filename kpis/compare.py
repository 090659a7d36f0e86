"""Comparing areas with a reference: ratios, funnel limits, overdispersion, and attainment of a goal.

Areas lie on the last axis wherever a statistic is about all of them together (`Dispersion`, the baselines);
leading axes (indicators, periods) are done at once. A NaN area takes no part and gets NaN.

Two limits, 95 % and 99.8 %, everywhere: of 98 areas that do not differ, 4.9 fall outside the first and 0.2
outside the second. Real counts differ by more than chance (case mix, coding, the same citizen admitted
again), so limits that know only chance flag nearly everyone; `Dispersion` measures the surplus and widens
them.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from kpis.rates import (
    LEVEL_95,
    LEVEL_998,
    PER_CENT,
    PER_THOUSAND,
    ArrayLike,
    FloatArray,
    Interval,
    StrArray,
    exact_poisson_limits,
    normal_quantile,
    poisson_limits,
    proportion,
)

Better = Literal["lower", "higher", "neither"]
Scale = Literal["sqrt", "log"]
TRIM = 0.1
"""Share of the areas in each tail that may not steer the estimate of overdispersion."""


# --- two rates, two shares, a value and its reference -----------------------------------------------------


def relative_to(interval: Interval, reference: ArrayLike) -> Interval:
    """The interval divided by a reference that is taken as known: 1 = as the reference.

    A reference ≤ 0 or missing gives "undefined". Use it with the country or a fixed baseline; where the
    reference is itself uncertain (another area, a short period), use `rates.rate_ratio`.
    """
    known = np.asarray(reference, dtype=float)
    has_reference = known > 0
    ratio = interval.scaled(1.0 / np.where(has_reference, known, np.nan))
    status = np.where(has_reference | (ratio.status != "ok"), ratio.status, "undefined")
    return Interval(ratio.value, ratio.lower, ratio.upper, status, ratio.method)


def side_of(interval: Interval, benchmark: ArrayLike) -> FloatArray:
    """On which side of a benchmark an interval lies: 1 wholly above, −1 wholly below, 0 covers it.

    NaN where there is no value or no benchmark. "Different from the national value" is this: the benchmark
    outside the interval. It is not that two intervals do not overlap, which misses true differences.
    """
    mark = np.asarray(benchmark, dtype=float)
    side = (interval.lower > mark).astype(float) - (interval.upper < mark)
    return np.where((interval.status == "ok") & ~np.isnan(mark), side, np.nan)


def rate_ratio_p_value(events: float, person_years: float, other_events: float, other_person_years: float) -> float:
    """Two-sided exact p value that two rates are equal, given O₁ + O₂ (R `poisson.test`); one pair of rates.

    NaN where there are no events or no population.
    """
    from scipy.stats import binomtest  # scipy.stats takes a second to import, and few pages need it

    together = round(events + other_events)
    if together == 0 or person_years <= 0 or other_person_years <= 0:
        return float("nan")
    return float(binomtest(round(events), together, person_years / (person_years + other_person_years)).pvalue)


@dataclass(frozen=True)
class ProportionDifference:
    """Difference of two shares, in units of `per`, with limits and the score test of no difference."""

    difference: Interval
    chi2: FloatArray
    p_value: FloatArray


def proportion_difference(
    events: ArrayLike,
    trials: ArrayLike,
    other_events: ArrayLike,
    other_trials: ArrayLike,
    per: float = PER_CENT,
    confidence: float = LEVEL_95,
) -> ProportionDifference:
    """First share minus second with Newcombe's limits (1998, method 10: Wilson, squared and added).

    With it the score test of no difference: χ² = (p₁−p₂)² / (p̄(1−p̄)(1/n₁+1/n₂)) on 1 degree of freedom (R
    `prop.test(correct = FALSE)`); NaN where all or none had the event. "undefined" where one of the shares
    is.
    """
    first, second = (proportion(x, n, 1.0, confidence) for x, n in ((events, trials), (other_events, other_trials)))
    x1, n1, x2, n2 = (np.asarray(a, dtype=float) for a in (events, trials, other_events, other_trials))
    value = first.value - second.value
    lower = value - np.hypot(first.value - first.lower, second.upper - second.value)
    upper = value + np.hypot(first.upper - first.value, second.value - second.lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (x1 + x2) / (n1 + n2)
        chi2 = value**2 / (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2))
    status = np.where(np.isnan(value), "undefined", "ok")
    difference = Interval(value * per, lower * per, upper * per, status, np.full(value.shape, "newcombe"))
    return ProportionDifference(difference, chi2, special.chdtrc(1.0, chi2))


# --- funnel limits without overdispersion -----------------------------------------------------------------


@dataclass(frozen=True)
class FunnelLimits:
    """The two pairs of lines of a funnel, all of one shape, in the unit of the values drawn."""

    lower_95: FloatArray
    upper_95: FloatArray
    lower_998: FloatArray
    upper_998: FloatArray

    def scaled(self, factor: ArrayLike) -> "FunnelLimits":
        """The same lines in another unit."""
        by = np.asarray(factor, dtype=float)
        return FunnelLimits(self.lower_95 * by, self.upper_95 * by, self.lower_998 * by, self.upper_998 * by)


def expected_at_limit(observed: ArrayLike, confidence: float = LEVEL_95) -> tuple[FloatArray, FloatArray]:
    """The expected counts for which `observed` events lie exactly on the upper, and on the lower, limit.

    Closed form of what PHE's `poisson_funnel` finds by bisection: χ²⁻¹(α/2, 2O)/2 and χ²⁻¹(1−α/2, 2O+2)/2,
    which are the exact Poisson limits of the mean read the other way.
    """
    return exact_poisson_limits(observed, confidence)


def ratio_funnel(observed: ArrayLike) -> FunnelLimits:
    """Lines of a funnel of ratios O/E around 1 at given observed events (> 0): exact Poisson.

    Source: PHE `calculate_funnel_limits(statistic = "ratio")`. The x axis is observed events. Multiply with a
    baseline for rates (`rate_funnel`).
    """
    o = np.asarray(observed, dtype=float)
    at_upper_95, at_lower_95 = expected_at_limit(o, LEVEL_95)
    at_upper_998, at_lower_998 = expected_at_limit(o, LEVEL_998)
    return FunnelLimits(o / at_lower_95, o / at_upper_95, o / at_lower_998, o / at_upper_998)


def derived_population(events: ArrayLike, rate: ArrayLike, per: float = PER_THOUSAND) -> FloatArray:
    """Population on which a standardised rate behaves like a crude one: per·O/rate; NaN for rate 0."""
    r = np.asarray(rate, dtype=float)
    return per * np.asarray(events, dtype=float) / np.where(r > 0, r, np.nan)


def rate_funnel(
    events: ArrayLike, rate: ArrayLike, at_events: ArrayLike, per: float = PER_THOUSAND
) -> tuple[float, FunnelLimits]:
    """Baseline Σ events / Σ derived population, and the lines around it at given events; both per `per`.

    Source: PHE `calculate_funnel_limits(statistic = "rate")`; works for crude and directly standardised
    rates. An area's place on the population axis is `derived_population`.
    """
    population = derived_population(events, rate, per)
    is_used = ~np.isnan(population)
    baseline = float(np.sum(np.asarray(events, dtype=float)[is_used]) / population[is_used].sum() * per)
    return baseline, ratio_funnel(at_events).scaled(baseline)


def proportion_funnel(
    events: ArrayLike, trials: ArrayLike, at_trials: ArrayLike, per: float = PER_CENT
) -> tuple[float, FunnelLimits]:
    """Baseline π = Σ events / Σ trials and the lines π ± z√(π(1−π)/n) at given trials, clipped to 0–per.

    Source: PHE `calculate_funnel_limits(statistic = "proportion")`, whose long formula reduces to this.
    """
    pi = float(np.nansum(np.asarray(events, dtype=float)) / np.nansum(np.asarray(trials, dtype=float)))
    spread = np.sqrt(pi * (1.0 - pi) / np.asarray(at_trials, dtype=float))
    z95, z998 = normal_quantile(LEVEL_95), normal_quantile(LEVEL_998)
    lines = [np.clip(pi + z * spread, 0.0, 1.0) for z in (-z95, z95, -z998, z998)]
    return pi * per, FunnelLimits(*lines).scaled(per)


def ratio_category(observed: ArrayLike, expected: ArrayLike) -> StrArray:
    """Place in the Poisson funnel: "high_998", "high_95", "inside", "low_95", "low_998", "undefined".

    High when even the lower limit of O/E (`rates.poisson_limits`) exceeds 1, low when the upper falls under
    it; the 99.8 % limits are asked first (PHE `assign_funnel_significance`). For rates let `expected` be the
    derived population times the baseline. O = 0 can be low.
    """
    o, e = np.broadcast_arrays(np.asarray(observed, dtype=float), np.asarray(expected, dtype=float))
    lower_95, upper_95, _ = poisson_limits(np.maximum(o, 0.0), LEVEL_95)
    lower_998, upper_998, _ = poisson_limits(np.maximum(o, 0.0), LEVEL_998)
    return np.select(
        [~((o >= 0) & (e > 0)), lower_998 > e, upper_998 < e, lower_95 > e, upper_95 < e],
        ["undefined", "high_998", "low_998", "high_95", "low_95"],
        "inside",
    )


def proportion_category(events: ArrayLike, trials: ArrayLike) -> StrArray:
    """Where each share lies in the funnel around all of them together; words as in `ratio_category`."""
    x, n = np.broadcast_arrays(np.asarray(events, dtype=float), np.asarray(trials, dtype=float))
    is_defined = (x >= 0) & (n > 0) & (x <= n)
    x, n = np.where(is_defined, x, np.nan), np.where(is_defined, n, np.nan)
    pi = np.nansum(x, axis=-1, keepdims=True) / np.nansum(n, axis=-1, keepdims=True)
    z = (x / n - pi) / np.sqrt(pi * (1.0 - pi) / n)
    return category_of_z(z)


def category_of_z(z: ArrayLike) -> StrArray:
    """Words of `ratio_category` for standard normal deviates; NaN is "undefined"."""
    deviate = np.asarray(z, dtype=float)
    z95, z998 = normal_quantile(LEVEL_95), normal_quantile(LEVEL_998)
    return np.select(
        [np.isnan(deviate), deviate > z998, deviate < -z998, deviate > z95, deviate < -z95],
        ["undefined", "high_998", "low_998", "high_95", "low_95"],
        "inside",
    )


# --- funnel limits with overdispersion --------------------------------------------------------------------


@dataclass(frozen=True)
class Dispersion:
    """How much areas differ beyond chance, on a scale where chance has the same size everywhere.

    Arrays `y`, `standard_error`, `z`, `z_trimmed` have shape (…, areas); `target`, `phi`, `tau2` have shape
    (…, 1). phi ≈ 1: the areas differ as much as chance makes them; tau2: variance between areas beyond chance
    (0 = none).
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


def effective_counts(
    interval: Interval, reference: ArrayLike, confidence: float = LEVEL_95
) -> tuple[FloatArray, FloatArray]:
    """Observed and expected counts that a standardised value is worth, for `ratio_dispersion`.

    A directly standardised rate with standard error s is as uncertain as O = (value/s)² events, of which
    O·reference/value were expected at the reference; s is the width of the limits over 2z (the same idea as
    PHE's derived population). With it the verdict rests on the very figure that is shown. NaN without a
    value.
    """
    error = (interval.upper - interval.lower) / (2.0 * normal_quantile(confidence))
    value = np.where(interval.value > 0, interval.value, np.nan)
    observed = (value / np.where(error > 0, error, np.nan)) ** 2
    return observed, observed * np.asarray(reference, dtype=float) / value


# --- goals ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attainment:
    """Whether a goal is met, whether that is beyond doubt, and what is missing; arrays of one shape.

    `reached`: "met", "not_met", "not_assessed". `surely`: the same with "cannot_tell" where the 95 % interval
    covers the target. `gap_events`: events too many (or too few, where higher is better) for the target, 0
    where met, NaN where not assessed.
    """

    reached: StrArray
    surely: StrArray
    gap_events: FloatArray


def attainment(
    interval: Interval,
    target: ArrayLike,
    better: Better,
    events: ArrayLike,
    person_years: ArrayLike,
    per: float = PER_THOUSAND,
) -> Attainment:
    """Goal attainment of rates or shares; exactly on target is met. Target and `interval` share their unit.

    Gap = ⌈O − target·n/per⌉ events (the other way round where higher is better); for a standardised rate pass
    `compare.derived_population` as `person_years`. Raises ValueError for an indicator without a direction.
    """
    if better == "neither":
        raise ValueError('better is "neither"; a goal needs a direction: "lower" or "higher"')
    aim, o, n = (np.asarray(a, dtype=float) for a in (target, events, person_years))
    sign = 1.0 if better == "lower" else -1.0
    is_assessed = (interval.status == "ok") & ~np.isnan(aim)
    is_met = sign * (interval.value - aim) <= 0
    worst, best = (interval.upper, interval.lower) if better == "lower" else (interval.lower, interval.upper)
    surely = np.select(
        [~is_assessed, sign * (worst - aim) <= 0, sign * (best - aim) > 0],
        ["not_assessed", "met", "not_met"],
        "cannot_tell",
    )
    # Rounded before the ceiling: 12.000000001 events too many are 12, not 13.
    missing = np.ceil(np.round(sign * (o - aim * n / per), 6))
    gap = np.where(is_assessed, np.where(is_met, 0.0, np.maximum(missing, 0.0)), np.nan)
    return Attainment(np.select([~is_assessed, is_met], ["not_assessed", "met"], "not_met"), surely, gap)

"""Comparing areas with a reference: on which side of it they lie, and funnel limits that know only chance.

Areas lie on the last axis wherever a statistic is about all of them together (the baselines); leading axes (indicators,
periods) are done at once. A NaN area takes no part and gets NaN.

Two limits, 95 % and 99.8 %, everywhere: of 98 areas that do not differ, 4.9 fall outside the first and 0.2 outside the
second. Real counts differ by more than chance: see `kpis.dispersion`.
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


# --- two rates, two shares, a value and its reference -----------------------------------------------------


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

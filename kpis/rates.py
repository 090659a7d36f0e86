"""Rates, proportions and standardised rates with intervals: counts in, intervals out.

Every function takes arrays (or scalars) that broadcast against each other and returns an `Interval` of the
broadcast shape. Nothing here raises for a bad *number*: a cell that has no value gets a status. What raises
is a bad *call* (a confidence outside 0–1, strata that do not fit).

Published counts may be disclosure-protected (rounded), so that a count carries a known error variance on top
of chance. Each function takes it as `extra_variance`, always in units of events², and adds it by squaring and
adding the half-widths (MOVER, the rule by which Newcombe joins intervals; Zou & Donner 2008), so that the
interval keeps its skewness and a count of 0 works.

Events of one citizen come together (admitted, readmitted), so that counts vary more than independent events would.
`dispersion` is by how much: variance ÷ that of independent events, 1 = independent. A count O is then worth
O/dispersion independent events; the method is applied to these and its limits are multiplied back (the effective
sample size of survey statistics, Kish 1965; quasi-Poisson).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

FloatArray = npt.NDArray[np.float64]
StrArray = npt.NDArray[np.str_]
ArrayLike = npt.ArrayLike

PER_THOUSAND = 1000.0
PER_CENT = 100.0
LEVEL_95 = 0.95
"""Confidence of the intervals that are shown; outside it = "shaded"."""
LEVEL_998 = 0.998
"""Confidence of the limits that may raise a voice: of 98 like areas 0.2 fall outside, at 95 % it is 4.9."""
EXACT_BELOW = 10
"""Byar's approximation from this many events, the exact Poisson interval below (PHE practice)."""
TOO_FEW_BELOW = 10
"""A directly standardised rate is withheld under this many events in all (PHE practice)."""


@dataclass(frozen=True)
class Interval:
    """Values with lower and upper limits; all five arrays have the same shape.

    `status` is "ok", "too_few" (withheld: so few events that the method fails) or "undefined" (no value
    exists: nothing at risk, more events than trials, negative or missing counts). Where it is not "ok",
    value, lower and upper are NaN. `method` names how the limits were found ("exact", "byar", "wilson",
    "dobson-byar", …).
    """

    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    status: StrArray
    method: StrArray

    def scaled(self, factor: ArrayLike) -> "Interval":
        """The same statements in another unit: value and limits times a factor ≥ 0 known without error."""
        by = np.asarray(factor, dtype=float)
        return Interval(
            self.value * by,
            self.lower * by,
            self.upper * by,
            np.broadcast_to(self.status, np.broadcast_shapes(self.status.shape, by.shape)),
            np.broadcast_to(self.method, np.broadcast_shapes(self.method.shape, by.shape)),
        )


def normal_quantile(confidence: float) -> float:
    """z of a two-sided interval: 1.959964 for 0.95, 3.090232 for 0.998. ValueError unless between 0 and 1."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1, such as 0.95 or 0.998")
    return float(special.ndtri(0.5 + confidence / 2.0))


def exact_poisson_limits(events: ArrayLike, confidence: float = LEVEL_95) -> tuple[FloatArray, FloatArray]:
    """Exact (Garwood) limits of a Poisson mean: χ²⁻¹(α/2, 2O)/2 and χ²⁻¹(1−α/2, 2O+2)/2, in events.

    The lower limit of 0 events is 0. Uses that χ²⁻¹(q, 2k)/2 is the inverse regularised incomplete gamma
    function.
    """
    o = np.asarray(events, dtype=float)
    normal_quantile(confidence)
    tail = (1.0 - confidence) / 2.0
    lower = np.where(o > 0, special.gammaincinv(np.where(o > 0, o, 1.0), tail), 0.0)
    return lower, special.gammaincinv(o + 1.0, 1.0 - tail)


def byar_limits(events: ArrayLike, confidence: float = LEVEL_95) -> tuple[FloatArray, FloatArray]:
    """Byar's limits of a Poisson mean (Breslow & Day 1987, eq. 2.9), in events.

    lower = O(1 − 1/(9O) − z/(3√O))³ and upper = (O+1)(1 − 1/(9(O+1)) + z/(3√(O+1)))³. From 10 events on
    within 0.2 % of the exact limits at 95 % and 1.5 % at 99.8 %. A lower limit of 0 events is 0.
    """
    o = np.asarray(events, dtype=float)
    z = normal_quantile(confidence)
    positive = np.where(o > 0, o, 1.0)
    # Under about two events the cube would turn negative at high confidence; a mean cannot.
    root = np.maximum(1.0 - 1.0 / (9.0 * positive) - z / (3.0 * np.sqrt(positive)), 0.0)
    lower = np.where(o > 0, positive * root**3, 0.0)
    more = o + 1.0
    return lower, more * (1.0 - 1.0 / (9.0 * more) + z / (3.0 * np.sqrt(more))) ** 3


def poisson_limits(events: ArrayLike, confidence: float = LEVEL_95) -> tuple[FloatArray, FloatArray, StrArray]:
    """Limits of a Poisson mean as published indicators have them: exact under 10 events, then Byar.

    The third array says which it was: "exact" or "byar".
    """
    o = np.asarray(events, dtype=float)
    lower, upper = (np.array(limit) for limit in byar_limits(o, confidence))
    is_small = o < EXACT_BELOW
    # The inverse gamma function is slow, and small counts are few different ones.
    few, place = np.unique(o[is_small], return_inverse=True)
    exact_lower, exact_upper = exact_poisson_limits(few, confidence)
    lower[is_small], upper[is_small] = exact_lower[place], exact_upper[place]
    return lower, upper, np.where(is_small, "exact", "byar")


def crude_rate(
    events: ArrayLike,
    person_years: ArrayLike,
    per: float = PER_THOUSAND,
    confidence: float = LEVEL_95,
    *,
    extra_variance: ArrayLike = 0.0,
    dispersion: ArrayLike = 1.0,
) -> Interval:
    """Events per `per` person-years, O/n·per, with Poisson limits (exact under 10 events, Byar from 10).

    Source: PHE fingertips methods, `phe_rate`; Breslow & Day 1987. More events than person-years is legal
    (several admissions per person). No population, negative or missing numbers: "undefined". With `dispersion` the
    limits are those of O/dispersion events, times dispersion; ten *effective* events are then what Byar needs.
    """
    o, n, extra, spread = _broadcast(events, person_years, extra_variance, dispersion)
    is_defined = (o >= 0) & (n > 0)
    o, n = np.where(is_defined, o, 0.0), np.where(is_defined, n, 1.0)
    lower, upper, method = poisson_limits(o / spread, confidence)
    lower, upper = lower * spread, upper * spread
    lower, upper = _with_extra(o, lower, upper, extra, confidence)
    return _interval(o / n * per, lower / n * per, upper / n * per, _status(is_defined), method)


def proportion(
    events: ArrayLike,
    trials: ArrayLike,
    per: float = PER_CENT,
    confidence: float = LEVEL_95,
    *,
    extra_variance: ArrayLike = 0.0,
    extra_variance_trials: ArrayLike = 0.0,
    dispersion: ArrayLike = 1.0,
) -> Interval:
    """Share of trials with the event, x/n·per, with Wilson's limits clamped to 0–per.

    Source: Wilson 1927; Newcombe 1998; PHE `phe_proportion`. x = 0 has lower limit 0 and x = n upper limit
    `per`, exactly. No trials, more events than trials, negative or missing numbers: "undefined". Where the
    trials are protected counts too, `extra_variance_trials` is theirs; it counts p² times (delta method,
    errors independent of each other). With `dispersion` the limits are those of n/dispersion trials.
    """
    x, n, extra, extra_n, spread = _broadcast(events, trials, extra_variance, extra_variance_trials, dispersion)
    is_defined = (x >= 0) & (n > 0) & (x <= n)
    x, n = np.where(is_defined, x, 0.0), np.where(is_defined, n, 1.0)
    z = normal_quantile(confidence)
    share = x / n
    worth, of = x / spread, n / spread
    middle, half = 2.0 * worth + z**2, z * np.sqrt(z**2 + 4.0 * worth * (1.0 - share))
    lower = np.where(x == 0, 0.0, (middle - half) / (2.0 * (of + z**2)))
    upper = np.where(x == n, 1.0, (middle + half) / (2.0 * (of + z**2)))
    lower, upper = _with_extra(share, lower, upper, (extra + share**2 * extra_n) / n**2, confidence)
    method = np.full(share.shape, "wilson")
    return _interval(share * per, lower * per, np.minimum(upper, 1.0) * per, _status(is_defined), method)


def direct_rate(
    events: ArrayLike,
    person_years: ArrayLike,
    weights: ArrayLike,
    per: float = PER_THOUSAND,
    confidence: float = LEVEL_95,
    *,
    extra_variance: ArrayLike = 0.0,
    dispersion: ArrayLike = 1.0,
) -> Interval:
    """Directly standardised rate per `per`: Σ wᵢOᵢ/nᵢ / Σwᵢ over the last axis, limits by Dobson with Byar.

    limits = DSR + √(Var/ΣO)·(Byar(ΣO) − ΣO), Var = Σ wᵢ²Oᵢ/nᵢ² / (Σwᵢ)² (Dobson et al. 1991; PHE
    `calculate_dsr`).

    `events`, `person_years` and `extra_variance` have shape (…, strata), `weights` (persons of the standard
    population) broadcasts to it; the result has shape (…). A missing (NaN) count is no events. Fewer than 10
    events in all: "too_few" – use the indirect rate, which copes. A stratum that has weight but no
    population: "undefined", because leaving it out would silently compare with another standard; merge age
    bands or use the indirect rate. A stratum without weight adds nothing, whatever its population.
    `extra_variance` is taken as independent between strata; where margins are controlled the errors cancel in
    part, so the interval is then on the wide side.
    """
    o, n, w, extra = _broadcast(events, person_years, weights, extra_variance)
    o = np.where(np.isnan(o), 0.0, o)
    has_weight = w > 0
    is_defined = np.all(~has_weight | (n > 0), axis=-1) & np.all((o >= 0) & (w >= 0), axis=-1)
    is_defined &= np.any(has_weight, axis=-1)
    share = _shares(np.where(has_weight & is_defined[..., None], w, 0.0))
    slope = share / np.where(n > 0, n, 1.0)
    total = np.where(has_weight, o, 0.0).sum(axis=-1)
    value = (slope * o).sum(axis=-1)
    lower, upper = _dobson(value, (slope**2 * o).sum(axis=-1), total, confidence, np.asarray(dispersion, dtype=float))
    lower, upper = _with_extra(value, lower, upper, (slope**2 * extra).sum(axis=-1), confidence)
    method = np.full(value.shape, "dobson-byar")
    return _interval(value * per, lower * per, upper * per, _status(is_defined, total), method)


def direct_rate_of_repeaters(
    persons: ArrayLike,
    frequency: ArrayLike,
    person_years: ArrayLike,
    weights: ArrayLike,
    per: float = PER_THOUSAND,
    confidence: float = LEVEL_95,
) -> Interval:
    """Directly standardised rate when a person may have the event several times: events are not independent.

    `persons` has shape (…, frequencies, strata): how many persons had the event exactly `frequency` times
    (1-D, 1, 2, 3 …; not pooled at the top). The value is that of `direct_rate` on Σ f·persons; Var = Σ_f
    f²·Var_f with Var_f from the persons (PHE `calculate_dsr(independent_events = FALSE)`). Other shapes,
    status and units as in `direct_rate`.
    """
    f = np.asarray(frequency, dtype=float)[:, None]
    k = np.nan_to_num(np.asarray(persons, dtype=float))
    o = (f * k).sum(axis=-2)
    plain = direct_rate(o, person_years, weights, per, confidence)
    o, n, w = _broadcast(o, person_years, weights)
    slope = _shares(np.where(w > 0, w, 0.0)) / np.where(n > 0, n, 1.0)
    variance = (slope**2 * (f**2 * k).sum(axis=-2)).sum(axis=-1)
    lower, upper = _dobson(plain.value / per, variance, np.where(w > 0, o, 0.0).sum(axis=-1), confidence)
    method = np.full(plain.value.shape, "dobson-byar-repeaters")
    return _interval(plain.value, lower * per, upper * per, plain.status, method)


def direct_rate_gamma(
    events: ArrayLike,
    person_years: ArrayLike,
    weights: ArrayLike,
    per: float = PER_THOUSAND,
    confidence: float = LEVEL_95,
) -> Interval:
    """Directly standardised rate with the gamma interval of Fay & Feuer 1997, a check on `direct_rate`.

    With v = Var as in `direct_rate` and m = max wᵢ/(nᵢΣw): lower is the gamma quantile with mean DSR and
    variance v, upper the one with mean DSR + m and variance v + m². Conservative where one stratum weighs
    heavily. Shapes, status and units as in `direct_rate`.
    """
    plain = direct_rate(events, person_years, weights, per, confidence)
    o, n, w = _broadcast(events, person_years, weights)
    o = np.nan_to_num(o)
    slope = _shares(np.where(w > 0, w, 0.0)) / np.where(n > 0, n, 1.0)
    variance, largest = (slope**2 * o).sum(axis=-1), slope.max(axis=-1)
    tail = (1.0 - confidence) / 2.0
    value = plain.value / per
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = special.gammaincinv(value**2 / variance, tail) * variance / value
        more, spread = value + largest, variance + largest**2
        upper = special.gammaincinv(more**2 / spread, 1.0 - tail) * spread / more
    method = np.full(plain.value.shape, "fay-feuer")
    return _interval(plain.value, lower * per, upper * per, plain.status, method)


def expected_events(
    person_years: ArrayLike, reference_events: ArrayLike, reference_person_years: ArrayLike
) -> FloatArray:
    """Events an area would have with the reference's rates, Σ nᵢ·refOᵢ/refnᵢ, strata on the last axis.

    A stratum without population adds nothing. NaN (no expectation) where an area has population in a stratum
    in which the reference has none.
    """
    n, ref_o, ref_n = _broadcast(person_years, reference_events, reference_person_years)
    rate = np.where(ref_n > 0, ref_o / np.where(ref_n > 0, ref_n, 1.0), np.nan)
    return np.where(n == 0, 0.0, n * rate).sum(axis=-1)


def indirect_ratio(
    events: ArrayLike,
    expected: ArrayLike,
    confidence: float = LEVEL_95,
    *,
    extra_variance: ArrayLike = 0.0,
) -> Interval:
    """Indirectly standardised ratio O/E (1 = as the reference), limits of `poisson_limits` on O divided by E.

    Source: PHE `calculate_ISRatio`. E comes from `expected_events` and is taken as known. Works for any
    number of events, so it stands in where the direct rate is "too_few". Compare each area with the reference
    only: two indirect ratios rest on different age structures. E ≤ 0 or missing: "undefined".
    """
    return crude_rate(events, expected, 1.0, confidence, extra_variance=extra_variance)


def indirect_rate(
    events: ArrayLike,
    expected: ArrayLike,
    reference_rate: ArrayLike,
    confidence: float = LEVEL_95,
    *,
    extra_variance: ArrayLike = 0.0,
) -> Interval:
    """Indirectly standardised rate: O/E times the reference's crude rate, in the unit of `reference_rate`.

    Source: PHE `calculate_ISRate`; edge cases as in `indirect_ratio`.
    """
    return indirect_ratio(events, expected, confidence, extra_variance=extra_variance).scaled(reference_rate)


def rate_ratio(
    events: ArrayLike,
    person_years: ArrayLike,
    other_events: ArrayLike,
    other_person_years: ArrayLike,
    confidence: float = LEVEL_95,
) -> Interval:
    """Ratio of two independent rates, (O₁/n₁)/(O₂/n₂), with the exact conditional interval (R: poisson.test).

    Given O₁ + O₂, O₁ is binomial with p = n₁·ratio/(n₁·ratio + n₂); Clopper–Pearson limits of p are carried
    over. O₁ = 0: ratio 0, lower 0, finite upper limit. O₂ = 0 < O₁: no ratio exists ("undefined"), but
    `lower` is kept, the one exception to the rule of `Interval`: it is what can be said. Both 0, or no
    population: "undefined", all NaN.
    """
    o1, n1, o2, n2 = _broadcast(events, person_years, other_events, other_person_years)
    normal_quantile(confidence)
    tail = (1.0 - confidence) / 2.0
    has_population = (o1 >= 0) & (o2 >= 0) & (n1 > 0) & (n2 > 0)
    is_defined = has_population & (o2 > 0)
    low = np.where(o1 > 0, special.betaincinv(np.maximum(o1, 1.0), o2 + 1.0, tail), 0.0)
    high = np.where(o2 > 0, special.betaincinv(o1 + 1.0, np.maximum(o2, 1.0), 1.0 - tail), np.nan)
    scale = np.where(has_population, n2, np.nan) / np.where(n1 > 0, n1, np.nan)
    value = o1 / np.where(is_defined, o2, np.nan) * scale
    lower = np.where(has_population & (o1 + o2 > 0), low / (1.0 - low), np.nan) * scale
    upper = np.where(is_defined, high / (1.0 - high), np.nan) * scale
    return Interval(value, lower, upper, _status(is_defined), np.full(value.shape, "exact-conditional"))


def mean(values: ArrayLike, confidence: float = LEVEL_95) -> Interval:
    """Mean over the last axis with Student's t limits, mean ± t(n−1)·s/√n (PHE `phe_mean`); result shape (…).

    NaN values are left out. Fewer than two values: "undefined".
    """
    v = np.asarray(values, dtype=float)
    normal_quantile(confidence)
    is_present = ~np.isnan(v)
    n = is_present.sum(axis=-1)
    is_defined = n >= 2
    safe_n = np.where(is_defined, n, 2)
    average = np.where(is_present, v, 0.0).sum(axis=-1) / safe_n
    squares = (np.where(is_present, v - average[..., None], 0.0) ** 2).sum(axis=-1)
    half = special.stdtrit(safe_n - 1, 0.5 + confidence / 2.0) * np.sqrt(squares / (safe_n - 1) / safe_n)
    return _interval(average, average - half, average + half, _status(is_defined), np.full(average.shape, "student-t"))


def _broadcast(*arrays: ArrayLike) -> tuple[FloatArray, ...]:
    return tuple(np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in arrays)))


def _shares(weights: FloatArray) -> FloatArray:
    total = weights.sum(axis=-1, keepdims=True)
    return weights / np.where(total > 0, total, 1.0)


def _dobson(
    value: FloatArray,
    variance: FloatArray,
    total: FloatArray,
    confidence: float,
    dispersion: FloatArray | float = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """Limits around a standardised value; `total` events have `variance` when independent."""
    worth = total / dispersion
    lower, upper = byar_limits(worth, confidence)
    scale = np.sqrt(variance / np.where(total > 0, total, 1.0)) * dispersion
    return value + scale * (lower - worth), value + scale * (upper - worth)


def _with_extra(
    value: FloatArray, lower: FloatArray, upper: FloatArray, variance: FloatArray, confidence: float
) -> tuple[FloatArray, FloatArray]:
    """Limits widened by an independent error of the value: half-widths squared and added; never under 0."""
    if not np.any(variance > 0):
        return lower, upper
    half_squared = normal_quantile(confidence) ** 2 * variance
    wider_lower = np.maximum(value - np.sqrt((value - lower) ** 2 + half_squared), 0.0)
    return wider_lower, value + np.sqrt((upper - value) ** 2 + half_squared)


def _status(is_defined: npt.NDArray[np.bool_], total: FloatArray | None = None) -> StrArray:
    status = np.where(is_defined, "ok", "undefined")
    if total is None:
        return status
    return np.where(is_defined & (total < TOO_FEW_BELOW), "too_few", status)


def _interval(value: FloatArray, lower: FloatArray, upper: FloatArray, status: StrArray, method: StrArray) -> Interval:
    is_ok = status == "ok"
    shown = [np.where(is_ok, a, np.nan) for a in (value, lower, upper)]
    return Interval(shown[0], shown[1], shown[2], status, method)

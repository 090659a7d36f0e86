"""Process charts: is a monthly series doing what it has been doing, or has something changed?

Time lies on the last axis (one point per month, NaN where a month is missing); leading axes (indicators,
areas) are done at once. Two families share one set of rules:

- `xmr_chart`: individual values with moving ranges (Shewhart/Wheeler; NHS "Making Data Count",
  NHSRplotthedots).
- `rate_chart` (u, u′) and `share_chart` (p, p′): counts with a denominator; the primed ones (Laney 2002) let
  the limits follow how much the series really varies and are the default, since with large denominators u and
  p limits flag nearly every month.

A *phase* is a stretch with its own centre line and limits; it starts where somebody has a reason (an
intervention, the break of 2019). No moving range, run or trend crosses a phase or a missing month.
*Provisional* months (still being reported) are drawn but neither set limits nor give signals.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from kpis.compare import Better
from kpis.rates import ArrayLike, FloatArray, StrArray

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

XMR_LIMIT = 2.66
"""Limits lie this many mean moving ranges from the mean: 3/1.128 as every NHS chart rounds it."""
RANGE_TO_SIGMA = 1.128
"""Mean moving range of two normal values, in standard deviations (d₂)."""
SCREEN_AT = 3.267
"""A moving range of this many times the mean one is an outlier and is left out of the mean, once (D₄)."""
RUN = 7
"""Points in a row on one side of the centre, or rising, or falling, that make a signal."""
FULL_LIMITS_FROM = 13
"""With fewer points in a phase the limits are trial limits."""
RULES = ("", "run", "two_of_three", "trend", "outside")
"""Signals from none to the strongest, which is the one that is named."""


@dataclass(frozen=True)
class ProcessChart:
    """A series with its limits and signals; all arrays have shape (…, months).

    `signal`: "outside" (beyond a limit), "trend" (one of 7 in a row rising or falling), "two_of_three" (two
    of three points in the outer third of the band), "run" (one of 7 in a row on one side), or "" for none,
    the strongest one that applies, in this order. `direction`: 1 = the signal is upwards, −1 downwards, 0 =
    none. `is_trial`: the phase has fewer than 13 points. `is_judged`: the month is there and not provisional.
    Centre and limits are NaN in a phase without a single point that may set them.
    """

    value: FloatArray
    centre: FloatArray
    lower: FloatArray
    upper: FloatArray
    signal: StrArray
    direction: IntArray
    is_trial: BoolArray
    is_judged: BoolArray

    def without(self, months: npt.ArrayLike) -> "ProcessChart":
        """The same chart without the signals of some months, a mask of shape (…, months)."""
        return replace(
            self, signal=np.where(months, "", self.signal), direction=np.where(months, np.int64(0), self.direction)
        )

    def variation(self, better: Better) -> StrArray:
        """Per point: "none", "improvement", "concern", or "rise"/"fall" where neither direction is better."""
        if better == "neither":
            return np.select([self.direction > 0, self.direction < 0], ["rise", "fall"], "none")
        good = -1 if better == "lower" else 1
        return np.select([self.direction == 0, self.direction == good], ["none", "improvement"], "concern")

    def assurance(self, target: ArrayLike, better: Better) -> StrArray:
        """What the last limits promise about a target: "passes", "fails", "either" or "not_assessed".

        Unless the process changes, a target outside the limits will always be met ("passes") or always be
        missed ("fails"); inside them it is luck. `target` has the leading shape. Raises ValueError for
        "neither".
        """
        if better == "neither":
            raise ValueError('better is "neither"; assurance needs a direction: "lower" or "higher"')
        aim = np.asarray(target, dtype=float)
        lower, upper = self.lower[..., -1], self.upper[..., -1]
        above, below = ("passes", "fails") if better == "lower" else ("fails", "passes")
        return np.select([np.isnan(aim + lower), aim > upper, aim < lower], ["not_assessed", above, below], "either")


def xmr_chart(
    values: ArrayLike,
    *,
    phase: npt.ArrayLike = 0,
    provisional: npt.ArrayLike = False,
    screen_outliers: bool = True,
    fix_after: int | None = None,
    limit: float = XMR_LIMIT,
) -> ProcessChart:
    """XmR chart of individual values: mean ± 2.66 mean moving ranges, signals as in `ProcessChart`.

    `phase`: integers that broadcast to `values`, constant within a phase. `fix_after`: let only the first so
    many points of each phase (at least 12) set its limits. A constant series has limits equal to its mean and
    no signals. The lower limit may be negative; clamp it when drawing only. Source: NHSRplotthedots 0.2.2
    `ptd_spc`, except that a missing month breaks runs (its issue 156).
    """
    value = np.asarray(values, dtype=float)
    if fix_after is not None and fix_after < 12:
        raise ValueError(f"fix_after is {fix_after}; limits may be fixed after 12 points at the earliest")
    phases = np.broadcast_to(np.asarray(phase), value.shape)
    is_counted = ~np.isnan(value) & ~np.broadcast_to(np.asarray(provisional, dtype=bool), value.shape)
    sets_limits = is_counted
    if fix_after is not None:
        sets_limits = is_counted & (_place_in_phase(is_counted, phases) <= fix_after)
    centre, mean_range = _mean_and_range(value, phases, sets_limits, screen_outliers)
    half = limit * mean_range
    return _chart(value, centre, centre - half, centre + half, phases, is_counted)


def rate_chart(
    events: ArrayLike,
    person_years: ArrayLike,
    per: float = 1.0,
    *,
    adapted: bool = True,
    phase: npt.ArrayLike = 0,
    provisional: npt.ArrayLike = False,
) -> ProcessChart:
    """u′ chart (u with `adapted=False`) of events per `per`: ū ± 3σ_z√(ū/n), lower limit ≥ 0.

    ū = Σ events / Σ person-years in the phase; z = (u − ū)/√(ū/n); σ_z = mean|Δz|/1.128, outliers screened
    once (1 for the plain chart). Source: Laney 2002; qicharts2 0.8.1. A month without person-years is
    missing. With events expected by season in place of person-years it is a chart of O/E, free of the
    seasons.
    """
    o, n = np.broadcast_arrays(np.asarray(events, dtype=float), np.asarray(person_years, dtype=float))
    return _laney(o, n, per, adapted, phase, provisional, is_share=False)


def share_chart(
    events: ArrayLike,
    trials: ArrayLike,
    per: float = 1.0,
    *,
    adapted: bool = True,
    phase: npt.ArrayLike = 0,
    provisional: npt.ArrayLike = False,
) -> ProcessChart:
    """p′ chart (p with `adapted=False`) of a share: p̄ ± 3σ_z√(p̄(1−p̄)/n), clipped to 0–per.

    Everything else as in `rate_chart`; a month with more events than trials is missing.
    """
    x, n = np.broadcast_arrays(np.asarray(events, dtype=float), np.asarray(trials, dtype=float))
    return _laney(x, n, per, adapted, phase, provisional, is_share=True)


def count_chart(counts: ArrayLike, *, phase: npt.ArrayLike = 0, provisional: npt.ArrayLike = False) -> ProcessChart:
    """c chart of counts over equal stretches: c̄ ± 3√c̄, lower ≥ 0 (Shewhart; qicharts2 0.8.1)."""
    c = np.asarray(counts, dtype=float)
    return _laney(c, np.ones_like(c), 1.0, False, phase, provisional, is_share=False)


@dataclass(frozen=True)
class RunTest:
    """Anhøj's two run tests of a series about its centre; arrays have the leading shape.

    `signal`: the longest run is longer, or the crossings fewer, than chance makes them. Points on the centre
    line and missing ones do not count (`n_useful`).
    """

    signal: BoolArray
    n_useful: IntArray
    longest_run: IntArray
    longest_run_max: IntArray
    crossings: IntArray
    crossings_min: IntArray


def run_test(values: ArrayLike, centre: ArrayLike | None = None) -> RunTest:
    """Anhøj's run rules: longest run > round(log₂ n) + 3, or crossings < the 5 % point of Bin(n − 1, ½).

    Source: Anhøj & Olesen 2014; qicharts2 0.8.1. `centre` broadcasts to `values`; None is the median of each
    series. Fewer than two useful points give no signal. No limits and no distribution are assumed.
    """
    value = np.asarray(values, dtype=float)
    if centre is None:  # NumPy warns about the median of nothing but NaN
        centre = np.nanmedian(np.where(np.isnan(value).all(axis=-1, keepdims=True), 0.0, value), axis=-1, keepdims=True)
    middle = np.asarray(centre, dtype=float)
    side = np.nan_to_num(np.sign(value - middle)).astype(np.int64)
    flat = side.reshape(-1, side.shape[-1])
    found = np.array([_runs(row[row != 0]) for row in flat], dtype=np.int64).reshape(-1, 3)
    n, longest, crossings = (column.reshape(side.shape[:-1]) for column in found.T)
    longest_max = np.round(np.log2(np.maximum(n, 1))).astype(np.int64) + 3
    table = np.array([_binomial_quantile(0.05, k) for k in range(side.shape[-1] + 1)], dtype=np.int64)
    fewest = table[np.maximum(n - 1, 0)]
    signal = (n >= 2) & ((longest > longest_max) | (crossings < fewest))
    return RunTest(signal, n, longest, longest_max, crossings, fewest)


def month_factors(events: ArrayLike, person_years: ArrayLike, month: npt.ArrayLike) -> FloatArray:
    """Seasonal factors: by how much each month's rate lies above or below its year, mean 1; shape (…, 12).

    `month` holds 1–12 per point (time on the last axis). Ratio of the month's pooled rate to the mean of the
    twelve. Take them from a large population (country, region), where they are well known, and multiply an
    area's person-years by them before `rate_chart`: otherwise every winter is a run. NaN where one of the
    twelve months never occurs.
    """
    o, n = np.broadcast_arrays(np.asarray(events, dtype=float), np.asarray(person_years, dtype=float))
    of_month = np.asarray(month) == np.arange(1, 13)[:, None]
    is_there = ~np.isnan(o + n)
    pooled_o, pooled_n = (np.where(is_there, a, 0.0) @ of_month.T.astype(float) for a in (o, n))
    rate = pooled_o / np.where(pooled_n > 0, pooled_n, np.nan)
    return rate / rate.mean(axis=-1, keepdims=True)


def _laney(
    o: FloatArray,
    n: FloatArray,
    per: float,
    adapted: bool,
    phase: npt.ArrayLike,
    provisional: npt.ArrayLike,
    *,
    is_share: bool,
) -> ProcessChart:
    is_there = (n > 0) & (o >= 0) & ((o <= n) if is_share else True)
    o, n = np.where(is_there, o, np.nan), np.where(is_there, n, np.nan)
    value = o / n
    phases = np.broadcast_to(np.asarray(phase), value.shape)
    sets_limits = is_there & ~np.broadcast_to(np.asarray(provisional, dtype=bool), value.shape)
    centre = np.full(value.shape, np.nan)
    for in_phase in _each_phase(phases):
        used = in_phase & sets_limits
        total = np.where(used, n, 0.0).sum(axis=-1, keepdims=True)
        level = np.where(used, o, 0.0).sum(axis=-1, keepdims=True) / np.where(total > 0, total, np.nan)
        centre = np.where(in_phase, level, centre)
    spread = np.sqrt((centre * (1.0 - centre) if is_share else centre) / n)
    # A month without denominator has no limits of its own; it takes no part in anything else either.
    if adapted:
        z = (value - centre) / np.where(spread > 0, spread, np.nan)
        _, mean_range = _mean_and_range(z, phases, sets_limits & ~np.isnan(z), screen_outliers=True)
        spread = spread * mean_range / RANGE_TO_SIGMA
    lower = np.maximum(centre - 3.0 * spread, 0.0)
    upper = centre + 3.0 * spread
    if is_share:
        upper = np.minimum(upper, 1.0)
    return _chart(value * per, centre * per, lower * per, upper * per, phases, sets_limits)


def _chart(
    value: FloatArray,
    centre: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    phases: IntArray,
    is_counted: BoolArray,
) -> ProcessChart:
    signal, direction = _signals(value, centre, lower, upper, phases, is_counted)
    is_trial = np.zeros(value.shape, dtype=bool)
    for in_phase in _each_phase(phases):
        few = (in_phase & is_counted).sum(axis=-1, keepdims=True) < FULL_LIMITS_FROM
        is_trial |= in_phase & few
    return ProcessChart(value, centre, lower, upper, signal, direction, is_trial, is_counted)


def _signals(
    value: FloatArray,
    centre: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    phases: IntArray,
    is_counted: BoolArray,
) -> tuple[StrArray, IntArray]:
    """The NHS rules. All points of a run, trend or two-of-three are marked, not only the completing one."""
    # In a phase without any variation a point on the centre line up to floating error is on the centre line.
    has_width = (upper - lower) > 1e-12 * np.maximum(np.abs(centre), 1e-300)
    judged = is_counted & has_width & ~np.isnan(centre)
    deviation = np.where(judged, value - centre, 0.0)
    side = np.sign(deviation)
    outside = judged & ((value > upper) | (value < lower))
    third = np.where(side > 0, upper - centre, centre - lower) * (2.0 / 3.0)
    is_close = judged & ~outside & (np.abs(deviation) > third)
    same_phase = phases[..., 1:] == phases[..., :-1]
    joined = np.concatenate(
        [np.zeros((*value.shape[:-1], 1), bool), same_phase & judged[..., 1:] & judged[..., :-1]], axis=-1
    )
    step = np.sign(np.diff(np.where(judged, value, 0.0), axis=-1, prepend=0.0))
    rule = np.zeros(value.shape, dtype=np.int8)
    direction = np.zeros(value.shape, dtype=np.int64)
    for sign in (1, -1):
        on_side = side == sign
        close = is_close & on_side
        near = close.astype(int) + _shift(close, 1) + _shift(close, 2)
        # Seven points rising are six steps in a row; the run is then stretched to the point it starts from.
        hits = {
            "run": _members(_ends_of_runs(on_side, RUN, joined), RUN),
            "two_of_three": _members(_ends_of_runs(on_side, 3, joined) & (near >= 2), 3) & close,
            "trend": _members(_ends_of_runs(joined & (step == sign), RUN - 1), RUN),
            "outside": outside & on_side,
        }
        for name, is_hit in hits.items():
            strength = RULES.index(name)
            wins = is_hit & (rule < strength)
            rule = np.where(wins, strength, rule)
            direction = np.where(wins, sign, direction)
    return np.array(RULES)[rule], direction


def _shift(flag: BoolArray, by: int) -> BoolArray:
    """Flags moved `by` points later (earlier if negative); nothing comes in from outside the series."""
    out = np.zeros_like(flag)
    if by == 0:
        return flag
    if abs(by) < flag.shape[-1]:
        if by > 0:
            out[..., by:] = flag[..., :-by]
        else:
            out[..., :by] = flag[..., -by:]
    return out


def _ends_of_runs(flag: BoolArray, length: int, joined: BoolArray | None = None) -> BoolArray:
    """Points that complete `length` flags in a row; with `joined`, each joined to the one before it."""
    ends = flag
    for back in range(1, length):
        ends = ends & _shift(flag, back)
        if joined is not None:
            ends = ends & _shift(joined, back - 1)
    return ends


def _members(ends: BoolArray, length: int) -> BoolArray:
    """All points of the runs of `length` points that end at `ends`."""
    members = ends
    for back in range(1, length):
        members = members | _shift(ends, -back)
    return members


def _mean_and_range(
    value: FloatArray, phases: IntArray, used: BoolArray, screen_outliers: bool
) -> tuple[FloatArray, FloatArray]:
    """Mean and mean moving range of the used points, over each phase (NaN where there are none)."""
    is_pair = np.zeros(value.shape, dtype=bool)
    is_pair[..., 1:] = used[..., 1:] & used[..., :-1] & (phases[..., 1:] == phases[..., :-1])
    filled = np.where(used, value, 0.0)
    moving_range = np.abs(np.diff(filled, axis=-1, prepend=0.0))
    mean, mean_range = np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    for in_phase in _each_phase(phases):
        mean = np.where(in_phase, _mean_where(filled, used & in_phase), mean)
        pairs = is_pair & in_phase
        average = _mean_where(moving_range, pairs)
        if screen_outliers:
            screened = _mean_where(moving_range, pairs & (moving_range < SCREEN_AT * average))
            # Where most steps are 0 only zeros pass; limits without width would flag every real step.
            average = np.where(screened > 0, screened, average)
        mean_range = np.where(in_phase, average, mean_range)
    return mean, mean_range


def _mean_where(value: FloatArray, where: BoolArray) -> FloatArray:
    number = where.sum(axis=-1, keepdims=True)
    return np.where(where, value, 0.0).sum(axis=-1, keepdims=True) / np.where(number > 0, number, np.nan)


def _each_phase(phases: IntArray) -> list[BoolArray]:
    return [phases == k for k in np.unique(phases)]


def _place_in_phase(is_counted: BoolArray, phases: IntArray) -> IntArray:
    place = np.zeros(is_counted.shape, dtype=np.int64)
    for in_phase in _each_phase(phases):
        place = np.where(in_phase, np.cumsum(is_counted & in_phase, axis=-1), place)
    return place


def _runs(side: IntArray) -> tuple[int, int, int]:
    """Number of points, longest run and crossings of a series of −1 and 1."""
    if side.size == 0:
        return 0, 0, 0
    changes = np.flatnonzero(np.diff(side))
    edges = np.concatenate([[-1], changes, [side.size - 1]])
    return side.size, int(np.diff(edges).max()), changes.size


def _binomial_quantile(probability: float, trials: int) -> int:
    """Smallest k with P(Bin(trials, ½) ≤ k) ≥ probability (R `qbinom`)."""
    return int(np.argmax(special.bdtr(np.arange(trials + 1), trials, 0.5) >= probability))

"""Did an intervention work? Difference in differences, interrupted time series and synthetic control.

Each method answers against another counterfactual; a finding worth believing shows up in more than one. All
take plain 1-D arrays, one row per unit × time (panel) or per time (series), and refuse designs they cannot
answer rather than return a number. Least squares with robust variances is a handful of lines and is written
here, so that the product needs no statistics package at run time; the tests hold every figure against
statsmodels and R.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from kpis.rates import LEVEL_95, ArrayLike, FloatArray

FEW_CLUSTERS = 10
"""With fewer treated or control units the clustered standard error is too small; the result says so."""
POINTS_EACH_SIDE = 8
"""An interrupted series needs this many points before and after."""
POINTS_RECOMMENDED = 24


@dataclass(frozen=True)
class Effect:
    """An estimate with its standard error and Student's t limits on `freedom` degrees of freedom."""

    value: float
    standard_error: float
    lower: float
    upper: float
    p_value: float
    freedom: float

    def as_ratio(self) -> "Effect":
        """An effect on the log scale as a ratio; `standard_error` stays that of the logarithm."""
        value, lower, upper = (float(np.exp(x)) for x in (self.value, self.lower, self.upper))
        return Effect(value, self.standard_error, lower, upper, self.p_value, self.freedom)


@dataclass(frozen=True)
class DifferenceInDifferences:
    """Effect of an intervention on the treated, clustered by unit.

    `effect`: difference (or, for counts, rate ratio), limits on t(G−1). `alternative_error`: the standard
    error by the other convention that the function names (NaN if none). `cell_means`: control and treated
    (rows), before and after (columns), for counts rates; all NaN in a `pre_trend`. `notes`: "few_treated" and
    "few_controls" mark fewer than 10 units.
    """

    effect: Effect
    alternative_error: float
    n_rows: int
    n_treated: int
    n_controls: int
    cell_means: FloatArray
    notes: tuple[str, ...]


def did_2x2(
    y: ArrayLike,
    is_treated: npt.ArrayLike,
    is_post: npt.ArrayLike,
    unit: npt.ArrayLike,
    confidence: float = LEVEL_95,
) -> DifferenceInDifferences:
    """Difference in differences of four cell means: (treated after − before) − (control after − before).

    OLS y ~ treated·post; standard error clustered by unit with G/(G−1)·(n−1)/(n−k) (R `vcovCL` HC1;
    statsmodels "cluster"); `alternative_error`: HC1, without clusters. Raises ValueError if one of the four
    cells is empty or only one unit is treated.
    """
    outcome = np.asarray(y, dtype=float)
    treated, post = np.asarray(is_treated, dtype=bool), np.asarray(is_post, dtype=bool)
    cells = _cell_means(outcome, np.ones(outcome.size), treated, post)
    if np.isnan(cells).any():
        raise ValueError("difference in differences: one of the four cells treated × after is empty")
    units = _Units.of(unit, treated)
    columns = np.column_stack([treated & post, np.ones(outcome.size), treated, post]).astype(float)
    value, residual, mover = _partial(columns[:, 0], columns[:, 1:], outcome)
    n, k = outcome.size, columns.shape[1]
    hc1 = float(np.sqrt((mover**2 * residual**2).sum() * n / (n - k)) / (mover @ mover))
    error = _clustered(mover, residual, units.index, (n - 1.0) / (n - k))
    return units.result(_effect(value, error, units.number - 1, confidence), hc1, n, cells)


def did_panel(
    y: ArrayLike,
    is_treated_now: npt.ArrayLike,
    unit: npt.ArrayLike,
    time: npt.ArrayLike,
    confidence: float = LEVEL_95,
) -> DifferenceInDifferences:
    """Two-way fixed effects: OLS y ~ treated now + unit + time, one common start date, clustered by unit.

    `time` holds anything that sorts as time runs: numbers or dates, not "1", "10", "2".

    The error counts all dummies in k (R `vcovCL` HC1 = statsmodels "cluster"); `alternative_error` leaves the
    unit dummies out (fixest, pyfixest). Raises ValueError for staggered starts, where plain two-way fixed
    effects compares treated with already treated (estimate each cohort by itself), for treatments that end,
    and for one treated unit (use `synthetic_control`).
    """
    outcome, treated_now = np.asarray(y, dtype=float), np.asarray(is_treated_now, dtype=float)
    treated, post = _common_start(treated_now, unit, time)
    units = _Units.of(unit, treated)
    cells = _cell_means(outcome, np.ones(outcome.size), treated, post)
    dummies = _two_way(unit, time)
    value, residual, mover = _partial(treated_now, dummies, outcome)
    n, k = outcome.size, dummies.shape[1] + 1
    error = _clustered(mover, residual, units.index, (n - 1.0) / (n - k))
    nested = _clustered(mover, residual, units.index, (n - 1.0) / (n - k + units.number - 1))
    return units.result(_effect(value, error, units.number - 1, confidence), nested, n, cells)


def did_counts(
    events: ArrayLike,
    person_years: ArrayLike,
    is_treated_now: npt.ArrayLike,
    unit: npt.ArrayLike,
    time: npt.ArrayLike,
    confidence: float = LEVEL_95,
) -> DifferenceInDifferences:
    """Rate ratio of a Poisson difference in differences with offset ln(person-years).

    events ~ treated now + unit + time. Clustered by unit with G/(G−1); `alternative_error`: without that
    factor (R `vcovCL` HC0). The clustered error also covers overdispersion. Units and times without any event
    say nothing and are left out. Refuses what `did_panel` refuses.
    """
    o, n = np.asarray(events, dtype=float), np.asarray(person_years, dtype=float)
    treated_now = np.asarray(is_treated_now, dtype=float)
    _, unit_index = np.unique(np.asarray(unit), return_inverse=True)
    _, time_index = np.unique(np.asarray(time), return_inverse=True)
    kept = (np.bincount(unit_index, o)[unit_index] > 0) & (np.bincount(time_index, o)[time_index] > 0)
    o, n, treated_now = o[kept], n[kept], treated_now[kept]
    unit_index, time_index = unit_index[kept], time_index[kept]
    treated, post = _common_start(treated_now, unit_index, time_index)
    units = _Units.of(unit_index, treated)
    x = np.column_stack([treated_now, _two_way(unit_index, time_index)])
    beta, fitted, bread = _poisson(x, o, np.log(n))
    scores = np.zeros((units.number, x.shape[1]))
    np.add.at(scores, units.index, x * (o - fitted)[:, None])
    plain = float(np.sqrt(bread[0] @ (scores.T @ scores) @ bread[0]))
    error = plain * np.sqrt(units.number / (units.number - 1.0))
    effect = _effect(beta[0], error, units.number - 1, confidence).as_ratio()
    return units.result(effect, plain, o.size, _cell_means(o, n, treated, post))


def pre_trend(
    y: ArrayLike,
    is_treated: npt.ArrayLike,
    unit: npt.ArrayLike,
    time: ArrayLike,
    start: float,
    confidence: float = LEVEL_95,
) -> DifferenceInDifferences:
    """Extra slope of the treated before `start`: did treated and controls already drift apart?

    Difference in differences assumes it is 0. A wide interval around 0 is no proof of parallel trends: always
    draw both. Raises ValueError with fewer than three times before `start`.
    """
    outcome, when = np.asarray(y, dtype=float), np.asarray(time, dtype=float)
    before = when < start
    if np.unique(when[before]).size < 3:
        raise ValueError(f"pre-trend: {np.unique(when[before]).size} times before {start}; a slope needs at least 3")
    treated, names = np.asarray(is_treated, dtype=bool)[before], np.asarray(unit)[before]
    units = _Units.of(names, treated)
    dummies = _two_way(names, when[before])
    value, residual, mover = _partial(treated * when[before], dummies, outcome[before])
    n, k = int(before.sum()), dummies.shape[1] + 1
    error = _clustered(mover, residual, units.index, (n - 1.0) / (n - k))
    return units.result(_effect(value, error, units.number - 1, confidence), float("nan"), n, np.full((2, 2), np.nan))


@dataclass(frozen=True)
class InterruptedSeries:
    """A series before and after: level and slope change, and the path without the intervention.

    For counts the effects are rate ratios and `fitted`, `counterfactual` are events. `counterfactual` equals
    `fitted` before the intervention. `mean_effect`: level and slope together over all points after it – the mean
    difference, or the ratio of the events; its error is that of both, by the delta method. `standard_errors_ols` and
    `durbin_watson` (2 = no autocorrelation; NaN for counts) are for the critical reader. `notes`: "short" marks fewer
    than 24 points on one side.
    """

    intercept: Effect
    pre_trend: Effect
    level_change: Effect
    trend_change: Effect
    mean_effect: Effect
    fitted: FloatArray
    counterfactual: FloatArray
    standard_errors_ols: FloatArray
    durbin_watson: float
    notes: tuple[str, ...]


def interrupted_series(
    y: ArrayLike,
    first_post: int,
    *,
    lag: int | None = None,
    harmonics: int = 0,
    period: float = 12.0,
    small_sample: bool = True,
    confidence: float = LEVEL_95,
) -> InterruptedSeries:
    """Segmented regression y = a + b·t + c·post + d·(t − t₀)·post (+ seasons), t = 1, 2, ….

    t₀ is the first point after the start, so that c is the jump there (`first_post`, a 0-based position).
    `harmonics`: pairs of sine and cosine per `period`; monthly health data need two, or winter becomes an
    effect. Errors: Newey–West with a Bartlett kernel, a fixed `lag` (default ⌊4(n/100)^(2/9)⌋), no
    prewhitening, times n/(n−k) if `small_sample` (R `NeweyWest(prewhite = FALSE)`, statsmodels "HAC").
    Source: Lopez Bernal et al. 2017. Raises ValueError with fewer than 8 points on one side.
    """
    outcome = np.asarray(y, dtype=float)
    x, without, notes = _segmented(outcome, first_post, harmonics, period)
    n, k = x.shape
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ (x.T @ outcome)
    residual = outcome - x @ beta
    covariance = bread @ _newey_west(x * residual[:, None], _lag(lag, n)) @ bread
    if small_sample:
        covariance = covariance * n / (n - k)
    errors = np.sqrt(np.diag(covariance))
    ols = np.sqrt(np.diag(bread) * (residual @ residual) / (n - k))
    start, pre, level, slope = (_effect(beta[j], errors[j], n - k, confidence) for j in range(4))
    watson = float((np.diff(residual) ** 2).sum() / (residual @ residual))
    gradient = (x - without)[first_post:].mean(axis=0)
    mean = _effect(gradient @ beta, float(np.sqrt(gradient @ covariance @ gradient)), n - k, confidence)
    return InterruptedSeries(start, pre, level, slope, mean, x @ beta, without @ beta, ols, watson, notes)


def interrupted_counts(
    events: ArrayLike,
    person_years: ArrayLike,
    first_post: int,
    *,
    lag: int | None = None,
    harmonics: int = 0,
    period: float = 12.0,
    confidence: float = LEVEL_95,
) -> InterruptedSeries:
    """`interrupted_series` for counts: Poisson, offset ln(person-years); the effects are rate ratios.

    Newey–West errors of the scores times n/(n−k), which also cover overdispersion (statsmodels GLM "HAC");
    limits on t(n−k). `standard_errors_ols` holds the quasi-Poisson errors (dispersion at least 1), blind to
    autocorrelation.
    """
    o, n_years = np.asarray(events, dtype=float), np.asarray(person_years, dtype=float)
    x, without, notes = _segmented(o, first_post, harmonics, period)
    n, k = x.shape
    offset = np.log(n_years)
    beta, fitted, bread = _poisson(x, o, offset)
    covariance = bread @ _newey_west(x * (o - fitted)[:, None], _lag(lag, n)) @ bread * n / (n - k)
    errors = np.sqrt(np.diag(covariance))
    dispersion = max(float(((o - fitted) ** 2 / fitted).sum() / (n - k)), 1.0)
    start, pre, level, slope = (_effect(beta[j], errors[j], n - k, confidence).as_ratio() for j in range(4))
    quasi = np.sqrt(np.diag(bread) * dispersion)
    path = np.exp(without @ beta + offset)
    after = np.s_[first_post:]
    gradient = (fitted[after] @ x[after]) / fitted[after].sum() - (path[after] @ without[after]) / path[after].sum()
    log_ratio = np.log(fitted[after].sum() / path[after].sum())
    mean = _effect(log_ratio, float(np.sqrt(gradient @ covariance @ gradient)), n - k, confidence).as_ratio()
    return InterruptedSeries(start, pre, level, slope, mean, fitted, path, quasi, float("nan"), notes)


@dataclass(frozen=True)
class AutoregressiveCheck:
    """The segmented regression again, with errors that follow an AR(1) process; a sensitivity analysis."""

    phi: float
    level_change: float
    trend_change: float


def interrupted_series_ar1(
    y: ArrayLike, first_post: int, *, harmonics: int = 0, period: float = 12.0
) -> AutoregressiveCheck:
    """The model of `interrupted_series` with AR(1) errors by exact maximum likelihood.

    As R `arima(order = c(1, 0, 0), xreg)`. The likelihood is maximised over φ in (−1, 1) with the regression
    profiled out: for a given φ it is least squares after Prais and Winsten's transformation.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and only this page needs it

    outcome = np.asarray(y, dtype=float)
    x, _, _ = _segmented(outcome, first_post, harmonics, period)
    n = outcome.size

    def transformed(phi: float, a: FloatArray) -> FloatArray:
        return np.concatenate([np.sqrt(1.0 - phi**2) * a[:1], a[1:] - phi * a[:-1]])

    def fit(phi: float) -> tuple[FloatArray, float]:
        tx, ty = transformed(phi, x), transformed(phi, outcome)
        beta = np.linalg.lstsq(tx, ty, rcond=None)[0].astype(float)
        return beta, float(((ty - tx @ beta) ** 2).sum())

    found = minimize_scalar(
        lambda phi: n / 2.0 * np.log(fit(phi)[1]) - 0.5 * np.log(1.0 - phi**2),
        bounds=(-0.999, 0.999),
        method="bounded",
        options={"xatol": 1e-8},
    )
    beta, _ = fit(float(found.x))
    return AutoregressiveCheck(float(found.x), float(beta[2]), float(beta[3]))


@dataclass(frozen=True)
class SyntheticControl:
    """A treated unit against a weighted mean of donors that followed it before the start.

    `weights`: one per donor, ≥ 0, sum 1. `gaps`: treated minus synthetic at each time. `rmspe_pre`,
    `rmspe_post`: root mean square gap before and after; `effect`: mean gap after. `fits`: False when the mean
    gap before exceeds the scatter of the gaps: the treated unit lies outside what the donors span, and the
    result must not be reported.
    """

    weights: FloatArray
    gaps: FloatArray
    rmspe_pre: float
    rmspe_post: float
    effect: float
    fits: bool

    @property
    def ratio(self) -> float:
        """RMSPE after over before: how much worse the fit became; infinite if the fit before was perfect."""
        return self.rmspe_post / self.rmspe_pre if self.rmspe_pre > 0 else float("inf")


def synthetic_control(treated: ArrayLike, donors: ArrayLike, n_pre: int, penalty: ArrayLike = 0.0) -> SyntheticControl:
    """Outcomes-only synthetic control: weights ≥ 0 with sum 1 and the least squared gaps before.

    "Before" is the first `n_pre` times. `treated` has shape (times,), `donors` (donors, times). Non-negative
    least squares with one heavy row for the sum; the fit is unique where the nested search over covariate
    weights of Abadie & Gardeazabal 2003 is not.

    `penalty` (donors,): how much a squared weight costs. With counts, let it be the variance of each donor by chance,
    summed over the times before: a small donor whose months happen to follow the treated would else be taken for its
    like, and several fits be equally good (the ridge of Doudchenko & Imbens 2016 and of synthetic difference in
    differences, Arkhangelsky et al. 2021). Raises ValueError with fewer than two times before, or none after.
    """
    from scipy.optimize import nnls  # slow to import, and only this page needs it

    own, pool = np.asarray(treated, dtype=float), np.asarray(donors, dtype=float)
    if not 2 <= n_pre < own.size:
        raise ValueError(f"synthetic control: n_pre is {n_pre} of {own.size} times; at least 2 before and 1 after")
    heavy = 1e3 * max(float(np.abs(pool[:, :n_pre]).max()), 1e-300) * np.sqrt(n_pre)
    costs = np.sqrt(np.broadcast_to(np.asarray(penalty, dtype=float), pool.shape[:1]))
    costly = np.diag(costs)[costs > 0]
    system = np.vstack([pool[:, :n_pre].T, costly, np.full(pool.shape[0], heavy)])
    weights, _ = nnls(system, np.concatenate([own[:n_pre], np.zeros(len(costly)), [heavy]]))
    weights = weights / weights.sum()
    gaps = own - weights @ pool
    before, after = gaps[:n_pre], gaps[n_pre:]
    pre, post = (float(np.sqrt((g**2).mean())) for g in (before, after))
    fits = bool(abs(before.mean()) <= before.std())
    return SyntheticControl(weights, gaps, pre, post, float(after.mean()), fits)


@dataclass(frozen=True)
class PlaceboTest:
    """The treated unit's fit among those of all units, each treated in turn.

    `ratios`: RMSPE after over before, the treated unit first. `rank`: place of the treated from the largest
    ratio; `p_value` = rank / number of units, never smaller than one over their number. `gaps`: shape (units,
    times), for drawing.
    """

    ratios: FloatArray
    gaps: FloatArray
    rank: int
    p_value: float


def placebo_test(treated: ArrayLike, donors: ArrayLike, n_pre: int) -> PlaceboTest:
    """`synthetic_control` of every unit against all others (Abadie, Diamond & Hainmueller 2010)."""
    units = np.vstack([np.asarray(treated, dtype=float), np.asarray(donors, dtype=float)])
    fits = [synthetic_control(units[k], np.delete(units, k, axis=0), n_pre) for k in range(len(units))]
    ratios = np.array([fit.ratio for fit in fits])
    rank = int((ratios >= ratios[0]).sum())
    return PlaceboTest(ratios, np.array([fit.gaps for fit in fits]), rank, rank / len(units))


@dataclass(frozen=True)
class _Units:
    """The clusters of a panel: position of each row's unit, and how many are treated."""

    index: npt.NDArray[np.int64]
    number: int
    n_treated: int

    @classmethod
    def of(cls, unit: npt.ArrayLike, is_treated: npt.ArrayLike) -> "_Units":
        names, index = np.unique(np.asarray(unit), return_inverse=True)
        n_treated = int(np.unique(index[np.asarray(is_treated, dtype=bool)]).size)
        if n_treated < 2 or names.size - n_treated < 2:
            raise ValueError(
                f"difference in differences: {n_treated} treated and {names.size - n_treated} control units;"
                " at least 2 of each are needed. With one treated unit use synthetic_control and placebo_test"
            )
        return cls(index, names.size, n_treated)

    def result(
        self, effect: Effect, alternative_error: float, n_rows: int, cell_means: FloatArray
    ) -> DifferenceInDifferences:
        n_controls = self.number - self.n_treated
        few = [("few_treated", self.n_treated), ("few_controls", n_controls)]
        notes = tuple(note for note, number in few if number < FEW_CLUSTERS)
        return DifferenceInDifferences(effect, alternative_error, n_rows, self.n_treated, n_controls, cell_means, notes)


def _cell_means(
    total: FloatArray, size: FloatArray, treated: npt.NDArray[np.bool_], post: npt.NDArray[np.bool_]
) -> FloatArray:
    """Σ total / Σ size of the four cells, control and treated by before and after; NaN for an empty one."""
    cell = 2 * treated.astype(np.int64) + post
    sizes = np.bincount(cell, size, minlength=4)
    means = np.bincount(cell, total, minlength=4) / np.where(sizes > 0, sizes, np.nan)
    return means.reshape(2, 2)


def _common_start(
    treated_now: FloatArray, unit: npt.ArrayLike, time: npt.ArrayLike
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Rows of units that are ever treated, and rows from the start on.

    ValueError unless all treated units start at one time and none stops.
    """
    names, units = np.unique(np.asarray(unit), return_inverse=True)
    _, times = np.unique(np.asarray(time), return_inverse=True)
    is_on = treated_now > 0
    ever = np.bincount(units, is_on) > 0
    start = np.full(names.size, times.max() + 1)
    np.minimum.at(start, units[is_on], times[is_on])
    starts = np.unique(start[ever])
    if starts.size != 1:
        raise ValueError(
            f"difference in differences: {starts.size} start dates; exactly one is allowed."
            " Estimate each cohort by itself against units that are never treated"
        )
    post = times >= starts[0]
    if np.any(ever[units] & post & ~is_on):
        raise ValueError("difference in differences: a treatment ends again; cut the panel at its end")
    return ever[units], post


def _two_way(unit: npt.ArrayLike, time: npt.ArrayLike) -> FloatArray:
    """Dummies of all units and of all times but the first."""
    _, units = np.unique(np.asarray(unit), return_inverse=True)
    _, times = np.unique(np.asarray(time), return_inverse=True)
    return np.hstack([np.eye(units.max() + 1)[units], np.eye(times.max() + 1)[times][:, 1:]])


def _partial(x: FloatArray, others: FloatArray, y: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Coefficient of x in y ~ x + others, the residuals, and what is left of x (Frisch–Waugh–Lovell)."""
    both = np.column_stack([x, y])
    left = both - others @ np.linalg.lstsq(others, both, rcond=None)[0]
    value = (left[:, 0] @ left[:, 1]) / (left[:, 0] @ left[:, 0])
    return float(value), left[:, 1] - value * left[:, 0], left[:, 0]


def _clustered(mover: FloatArray, residual: FloatArray, index: npt.NDArray[np.int64], factor: float) -> float:
    """Standard error clustered by `index`, with G/(G−1) and the caller's factor."""
    scores = np.bincount(index, mover * residual)
    clusters = scores.size
    return float(np.sqrt(scores @ scores * clusters / (clusters - 1.0) * factor) / (mover @ mover))


def _effect(value: float, error: float, freedom: float, confidence: float) -> Effect:
    half = float(special.stdtrit(freedom, 0.5 + confidence / 2.0)) * error
    p_value = 2.0 * float(special.stdtr(freedom, -abs(value) / error)) if error > 0 else float("nan")
    return Effect(float(value), float(error), float(value - half), float(value + half), p_value, float(freedom))


def _segmented(
    y: FloatArray, first_post: int, harmonics: int, period: float
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Columns 1, t, post, t since (, seasons); the same without the intervention; and notes."""
    sides = (first_post, y.size - first_post)
    if min(sides) < POINTS_EACH_SIDE:
        raise ValueError(
            f"interrupted series: {sides[0]} points before and {sides[1]} after;"
            f" at least {POINTS_EACH_SIDE} are needed on each side"
        )
    t = np.arange(1.0, y.size + 1.0)
    post = (np.arange(y.size) >= first_post).astype(float)
    seasons = [f(2.0 * np.pi * h * t / period) for h in range(1, harmonics + 1) for f in (np.sin, np.cos)]
    x = np.column_stack([np.ones(y.size), t, post, post * (t - t[first_post]), *seasons])
    without = x.copy()
    without[:, 2:4] = 0.0
    return x, without, ("short",) if min(sides) < POINTS_RECOMMENDED else ()


def _lag(lag: int | None, n: int) -> int:
    return int(4.0 * (n / 100.0) ** (2.0 / 9.0)) if lag is None else lag


def _newey_west(scores: FloatArray, lag: int) -> FloatArray:
    """Long-run variance of the scores with Bartlett weights 1 − j/(lag + 1)."""
    total = scores.T @ scores
    for j in range(1, lag + 1):
        cross = scores[j:].T @ scores[:-j]
        total = total + (1.0 - j / (lag + 1.0)) * (cross + cross.T)
    return total


def _poisson(x: FloatArray, o: FloatArray, offset: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Poisson regression with log link by reweighted least squares: β, fitted, inverse information."""
    fitted = (o + o.mean()) / 2.0
    for _ in range(50):
        working = np.log(fitted) - offset + (o - fitted) / fitted
        bread = np.linalg.inv(x.T @ (x * fitted[:, None]))
        beta = bread @ (x.T @ (fitted * working))
        updated = np.exp(x @ beta + offset)
        converged = np.max(np.abs(updated - fitted)) < 1e-10 * np.max(fitted)
        fitted = updated
        if converged:
            return beta, fitted, np.linalg.inv(x.T @ (x * fitted[:, None]))
    raise ValueError("Poisson regression did not converge; look for groups with hardly any events")

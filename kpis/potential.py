"""Potential: what would be saved if an area did as well as the best fifth, the median, itself at its best, or its goal.

Chance must not be sold as potential: the smallest municipalities are always among the best and the worst. So every
ratio of observed to expected events is first shrunken towards the whole by as much as chance, clustering and the
rounding of published counts explain (`small_area.shrink_rates`), and the target is read off the shrunken ratios.
Where the municipalities differ no more than by chance there is no potential.

Potentials of several indicators must not be added: a person with COPD is in more than one of them. `union_potential`
counts every diagnosis once.

What is not claimed: that all of it can be had. `capture` says which share of the distance is assumed to be won.
"""

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import polars as pl

from kpis import counts, rates
from kpis.area import Area, areas, map_of
from kpis.compare import Better
from kpis.counts import SEXES
from kpis.evaluate import Query, QueryError, evaluate, rounding_noise
from kpis.indicator import MEASURES, Indicator, Language
from kpis.length_of_stay import bed_days, in_period
from kpis.period import Period, breaks_within, periods_between
from kpis.protection import cube_runs, rounding_variance
from kpis.rates import ArrayLike, FloatArray, StrArray
from kpis.reference import DiagnosisGroup, load_codelists, section_238_prices, shared_prefixes
from kpis.release import AGE_BANDS, Release
from kpis.small_area import SEED, shrink_rates

Reference = Literal["best_fifth", "median", "own_best", "goal"]
REFERENCES: tuple[Reference, ...] = get_args(Reference)
PLACE: dict[Reference, float] = {"best_fifth": 0.2, "median": 0.5}
"""The share of the municipalities that do at least as well as the target."""
DRAWS = 4_000

POTENTIALS = pl.Schema(
    {
        "indicator": pl.String,  # its id; or several, joined by +
        "level": pl.String,
        "area_code": pl.String,
        "area_name": pl.String,
        "period": pl.String,
        "reference": pl.String,
        "observed": pl.Float64,  # events counted in the period
        "target": pl.Float64,  # events at the target; null for areas of several municipalities
        "potential": pl.Float64,  # events that would be avoided (or gained, where higher is better), never negative
        "lower": pl.Float64,  # 95 % limits of the potential
        "upper": pl.Float64,
        "bed_days": pl.Float64,  # of the potential, with limits
        "bed_days_lower": pl.Float64,
        "bed_days_upper": pl.Float64,
        "kroner_from": pl.Float64,  # least and most that the potential is worth, in kroner of `price_year`
        "kroner_to": pl.Float64,
        "price_year": pl.Int64,
        "capture": pl.Float64,  # share of the distance to the target that is assumed to be won
        "status": pl.String,  # ok, not_assessed
        "reason": pl.String,  # reasons of potential.toml, separated by semicolons
    }
)


# --- the statistic ------------------------------------------------------------------------------------------


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
        the sum nor to its limits: to draw them too would let chance lift the sum above what it is. The variance
        between areas is drawn too (a multiple of χ²), because all areas are wrong together where it is wrong.
        """
        known = [area for area in members if not np.isnan(self.value[area])]
        if not known:
            return (float("nan"),) * 3
        value = float(self.value[known].sum())
        drawn = [area for area in known if self.value[area] > 0]
        if not drawn or self.spread <= 0:
            return value, value, value
        rng = np.random.default_rng(SEED)
        spread = self._drawn_spread(rng)[:, None]
        shape = self.mean**2 / spread + self.seen[drawn]
        rate = self.mean / spread + self.usual[drawn]
        ratio = rng.standard_gamma(shape) / rate
        totals = (self.sign * (ratio * self.unit[drawn] - self.target[drawn])).sum(axis=1)
        tail = (1.0 - rates.LEVEL_95) / 2.0
        low, high = np.quantile(totals, [tail, 1.0 - tail])
        return value, max(min(float(low), value), 0.0), max(float(high), value)

    def _drawn_spread(self, rng: np.random.Generator) -> FloatArray:
        """Variances between areas that would give what was seen: what varies in all is χ² of so many areas' worth."""
        usual = self.usual[self.usual > 0]
        chance = self.mean * usual.size / usual.sum()
        freedom = max(usual.sum() ** 2 / (usual**2).sum() - 1.0, 1.0)  # areas by weight
        varied = (self.spread + chance) * freedom / rng.chisquare(freedom, DRAWS)
        return np.maximum(varied - chance, 1e-6 * self.mean**2)


def potential_to_target(
    observed: ArrayLike,
    expected: ArrayLike,
    target: ArrayLike | None,
    better: Better,
    *,
    place: float = PLACE["best_fifth"],
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


def clustering(observed: ArrayLike, expected: ArrayLike, variance: ArrayLike = 0.0) -> float:
    """By how much counts vary more than independent events would: Σ((O − E)² − v) / ΣE, never under 1.

    Rows (areas) × columns (months) of counts whose expectation E shares out each row's own sum over the columns; v
    the known error variance of a single count. One citizen can cause thirty days after being ready for discharge:
    such days are worth far fewer events than there are.
    """
    o, e = np.broadcast_arrays(np.asarray(observed, dtype=float), np.asarray(expected, dtype=float))
    columns = o.shape[-1]
    total = e.sum()
    if columns < 2 or total <= 0:
        return 1.0
    excess = ((o - e) ** 2 * columns / (columns - 1) - np.asarray(variance, dtype=float))[e > 0].sum()
    return float(max(excess / total, 1.0))


def _worth(expected: FloatArray, variance: ArrayLike | None) -> FloatArray:
    if variance is None:
        return np.ones(expected.shape)
    spread = np.maximum(np.asarray(variance, dtype=float), expected)
    return np.where(expected > 0, expected / np.where(spread > 0, spread, 1.0), 1.0)


# --- diagnoses that several indicators count -----------------------------------------------------------------


class Disjoint(NamedTuple):
    """Groups that share no diagnosis, and those left out because they share some but not all of theirs."""

    kept: tuple[str, ...]
    partly_covered: tuple[str, ...]


def disjoint_groups(groups: Sequence[DiagnosisGroup]) -> Disjoint:
    """The groups without those that others cover: their counts can be added without counting a diagnosis twice.

    A group whose diagnoses all lie in another is left out (COPD in lower respiratory disease). Of two that overlap in
    part the later one is left out and named: a sum over the kept ones is then a lower bound. Give the largest first.
    """
    kept: list[DiagnosisGroup] = []
    partly: list[str] = []
    whole = [
        group
        for place, group in enumerate(groups)
        if not any(
            _covers(other, group) and not (_covers(group, other) and place < other_place)
            for other_place, other in enumerate(groups)
            if other is not group
        )
    ]
    for group in whole:
        if any(shared_prefixes(group, other) for other in kept):
            partly.append(group.group_id)
        else:
            kept.append(group)
    return Disjoint(tuple(group.group_id for group in kept), tuple(partly))


def _covers(wide: DiagnosisGroup, narrow: DiagnosisGroup) -> bool:
    """Whether every diagnosis of `narrow` is in `wide`."""
    is_inside = all(
        prefix.startswith(wide.prefixes) and not prefix.startswith(wide.excluded_prefixes) for prefix in narrow.prefixes
    )
    holes = [hole for hole in wide.excluded_prefixes if hole.startswith(narrow.prefixes)]
    return is_inside and all(hole.startswith(narrow.excluded_prefixes) for hole in holes)


# --- from a release -----------------------------------------------------------------------------------------


def potentials(
    release: Release,
    indicator: Indicator,
    period: Period,
    reference: Reference = "best_fifth",
    *,
    level: str = "municipality",
    goals: Mapping[str, float] | None = None,
    capture: float = 1.0,
) -> pl.DataFrame:
    """Potential of every area of a level, with the columns of POTENTIALS, in Danish alphabetical order.

    Every municipality is measured against the target by itself, and an area is the sum of its municipalities.
    `goals`, for the reference "goal": municipality code → target in the unit of the indicator. Raises QueryError for
    an indicator without a direction or without events, and for a `capture` outside 0–1.
    """
    _check(indicator, capture)
    municipalities = areas(release, "municipality", map_of(period.last))
    counted = _counted(release, indicator, municipalities, period)
    reason = _why_missing(release, indicator, municipalities, period)
    found: Potential | None
    match reference:
        case "goal":
            aims = np.array([(goals or {}).get(area.code, np.nan) for area in municipalities])
            reason = np.where(np.isnan(aims) & (reason == ""), "no_goal", reason)
            target = aims * counted.at_risk / indicator.per
            found = potential_to_target(
                counted.observed, counted.expected, target, indicator.better, variance=counted.variance
            )
        case "own_best":
            found = _own_best(release, indicator, municipalities, period, counted)
            unknown = np.isnan(found.value) if found else np.full(reason.shape, True)
            reason = np.where((reason == "") & unknown, "too_short", reason)
        case _:
            found = potential_to_target(
                counted.observed,
                counted.expected,
                None,
                indicator.better,
                place=PLACE[reference],
                variance=counted.variance,
            )
    if found is not None:  # nobody lives there, so nothing is expected
        reason = np.where((reason == "") & np.isnan(found.value), "no_estimate", reason)
    stay = _mean_stay(release, _single_scope(indicator), municipalities, period)
    wanted = areas(release, level, map_of(period.last))
    return _frame(
        indicator, (indicator.id,), wanted, municipalities, period, reference, counted, found, reason, stay, capture
    )


def union_potential(
    release: Release,
    indicators: Sequence[Indicator],
    period: Period,
    reference: Literal["best_fifth", "median"] = "best_fifth",
    *,
    level: str = "municipality",
    capture: float = 1.0,
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Potential of several indicators of acute admissions together, every diagnosis counted once.

    Worked out on the union of their diagnoses, age band by age band, never as a sum of potentials. Also gives the ids
    of the groups left out because they overlap with another in part: the total is then a lower bound. Raises
    QueryError for indicators that do not count acute admissions by diagnosis: readmissions are among the admissions,
    but nobody knows which.
    """
    for indicator in indicators:
        _check(indicator, capture)
        if indicator.numerator.measure != "n_acute" or indicator.diagnoses is None or indicator.better != "lower":
            raise QueryError(
                f"{indicator.id} cannot be part of a total: only acute admissions by diagnosis, where lower is "
                "better, can be counted once. Show it beside the total."
            )
    municipalities = areas(release, "municipality", map_of(period.last))
    scope, left_out = _union_scope(release, indicators, period)
    together = max(_clustering(release, indicator, municipalities, period) for indicator in indicators)
    counted = _counted_cube(release, scope, municipalities, period, together)
    missing = [_why_missing(release, item, municipalities, period) for item in indicators]
    reason = np.where(np.any([item != "" for item in missing], axis=0), "no_estimate", "")
    counted = replace(counted, observed=np.where(reason == "", counted.observed, np.nan))
    found = potential_to_target(
        counted.observed, counted.expected, None, "lower", place=PLACE[reference], variance=counted.variance
    )
    stay = _mean_stay(release, scope, municipalities, period)
    wanted = areas(release, level, map_of(period.last))
    ids = tuple(indicator.id for indicator in indicators)
    frame = _frame(indicators[0], ids, wanted, municipalities, period, reference, counted, found, reason, stay, capture)
    return frame, left_out


def words(kind: Literal["reference", "reason"], key: str, language: Language) -> str:
    """Words for a reference, or for a reason why an amount is missing."""
    text: str = _texts()[kind][key][language]
    return text


def money_words(indicator: Indicator, language: Language) -> dict[str, str]:
    """Who pays today and what a fall means for whom: keys `pays gains note`; empty where nothing is said."""
    return {key: texts[language] for key, texts in _texts()["money"].get(indicator.numerator.measure, {}).items()}


@functools.cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(resources.files("kpis").joinpath("potential.toml").read_text("utf-8"))


def _check(indicator: Indicator, capture: float) -> None:
    if not 0.0 <= capture <= 1.0:
        raise QueryError(f"capture is {capture}; it is the share of the distance that is won, from 0 to 1.")
    counts_people = indicator.denominator.measure == "person_years"
    if indicator.better == "neither" or not (indicator.kind in ("rate", "proportion") or counts_people):
        raise QueryError(
            f"{indicator.id} has no potential: it needs a direction and countable events. "
            "Ask for a rate or a proportion where lower or higher is better."
        )


@dataclass(frozen=True)
class _Scope:
    """What is counted of the cube: groups per age band (none = the band does not count)."""

    measure: str
    denominator: str
    by_band: tuple[tuple[str, ...], ...]
    sexes: slice

    @property
    def groups(self) -> dict[str, list[int]]:
        """Group → positions of the age bands in which it counts."""
        found: dict[str, list[int]] = {}
        for band, groups in enumerate(self.by_band):
            for group in groups:
                found.setdefault(group, []).append(band)
        return found


@dataclass(frozen=True)
class _Counted:
    """Events of each municipality, what is usual for its age and sex, what they are divided by; NaN = no figure."""

    observed: FloatArray
    expected: FloatArray
    at_risk: FloatArray
    variance: FloatArray  # of the count, chance and rounding together


def _single_scope(indicator: Indicator) -> _Scope:
    people = indicator.population
    by_band = tuple(
        indicator.group_ids if people.age_from <= age and (people.age_to is None or age <= people.age_to) else ()
        for age in AGE_BANDS
    )
    sexes = slice(people.sex - 1, people.sex) if people.sex else slice(0, len(SEXES))
    return _Scope(indicator.numerator.measure, indicator.denominator.measure, by_band, sexes)


def _union_scope(release: Release, indicators: Sequence[Indicator], period: Period) -> tuple[_Scope, tuple[str, ...]]:
    """Of each age band the groups that any indicator counts there, largest first, without double counting."""
    known = {group.group_id: group for codelist in load_codelists() for group in codelist.groups}
    scopes = [_single_scope(indicator) for indicator in indicators]
    wanted = {group for scope in scopes for group in scope.groups}
    size = {group: int(in_period(release, counts.cube(release, "n_acute", (group,)), period).sum()) for group in wanted}
    by_band: list[tuple[str, ...]] = []
    left_out: set[str] = set()
    for band in range(len(AGE_BANDS)):
        here = sorted({group for scope in scopes for group in scope.by_band[band]}, key=lambda g: (-size[g], g))
        disjoint = disjoint_groups([known[group] for group in here])
        by_band.append(disjoint.kept)
        left_out.update(disjoint.partly_covered)
    return _Scope("n_acute", "person_years", tuple(by_band), slice(0, len(SEXES))), tuple(sorted(left_out))


def _counted(release: Release, indicator: Indicator, municipalities: Sequence[Area], period: Period) -> _Counted:
    together = _clustering(release, indicator, municipalities, period)
    if indicator.numerator.definition.table == "cube":
        is_known = _why_missing(release, indicator, municipalities, period) == ""
        counted = _counted_cube(release, _single_scope(indicator), municipalities, period, together)
        return replace(counted, observed=np.where(is_known, counted.observed, np.nan))
    query = Query(indicator, tuple(municipalities), (period,))
    estimates = evaluate(release, query)
    observed, at_risk = (
        estimates[column].cast(pl.Float64).fill_null(float("nan")).to_numpy() for column in ("numerator", "denominator")
    )
    expected = at_risk * (np.nansum(observed) / max(np.nansum(at_risk), 1.0))
    noise = rounding_noise(release, query).numerator[:, 0, 0]
    return _Counted(observed, expected, at_risk, together * expected + noise)


def _clustering(release: Release, indicator: Indicator, municipalities: Sequence[Area], period: Period) -> float:
    """How much more than independent events the months of a municipality vary, seasons of the country taken out."""
    query = Query(indicator, tuple(municipalities), periods_between(period.first, period.last, "month"))
    monthly = evaluate(release, query)["numerator"].cast(pl.Float64).fill_null(0.0).to_numpy()
    observed = monthly.reshape(len(municipalities), -1)
    season = observed.sum(axis=0) / max(observed.sum(), 1.0)
    expected = observed.sum(axis=1, keepdims=True) * season
    return clustering(observed, expected, rounding_noise(release, query).numerator[:, :, 0])


def _counted_cube(
    release: Release, scope: _Scope, municipalities: Sequence[Area], period: Period, together: float
) -> _Counted:
    events = _strata(release, scope, scope.measure, municipalities, period)
    people = _strata(release, scope, scope.denominator, municipalities, period)
    expected = rates.expected_events(people, events.sum(axis=0), people.sum(axis=0))
    observed = events.sum(axis=1)
    measure = MEASURES[scope.measure]
    sexes = len(range(*scope.sexes.indices(len(SEXES))))
    runs = sum(cube_runs(measure, bands, sexes, period) for bands in scope.groups.values())
    variance = together * expected + rounding_variance(release, runs, observed)
    return _Counted(observed, expected, people.sum(axis=1), variance)


def _strata(
    release: Release, scope: _Scope, measure: str, municipalities: Sequence[Area], period: Period
) -> FloatArray:
    """[municipalities, sexes × age bands] of events or of persons in the scope over the period."""
    position = counts.municipalities(release)
    rows = [position[area.code] for area in municipalities]
    total = np.zeros((len(rows), len(SEXES), len(AGE_BANDS)))
    if measure == "person_years":
        counted = [i for i, groups in enumerate(scope.by_band) if groups]
        total[:, :, counted] = in_period(release, counts.population(release, measure), period)[rows][:, :, counted] / 12
    else:
        for groups in set(scope.by_band) - {()}:
            bands = [band for band, here in enumerate(scope.by_band) if here == groups]
            total[:, :, bands] = in_period(release, counts.cube(release, measure, groups), period)[rows][:, :, bands]
    return total[:, scope.sexes].reshape(len(rows), -1)


def _why_missing(release: Release, indicator: Indicator, municipalities: Sequence[Area], period: Period) -> StrArray:
    """[municipalities]: "" where there is a figure; across_break, not_relevant (nothing to count) or no_estimate."""
    estimates = evaluate(release, Query(indicator, tuple(municipalities), (period,)))
    is_there, status = estimates["numerator"].is_not_null().to_numpy(), estimates["status"].to_numpy()
    is_across = np.full(len(municipalities), bool(breaks_within(period.first, period.last)))
    return np.select(
        [is_across, is_there, status == "not_relevant"], ["across_break", "", "not_relevant"], "no_estimate"
    )


def _own_best(
    release: Release, indicator: Indicator, municipalities: Sequence[Area], period: Period, counted: _Counted
) -> Potential | None:
    """Against the own windows of the same length before the period, back to the newest break; None without any."""
    first = counts.months(release)[0]
    windows = [period]
    while True:
        earlier = windows[0].year_before()
        if earlier.first < first or breaks_within(earlier.first, period.last):
            break
        windows.insert(0, earlier)
    if len(windows) < 2:
        return None
    series = [_counted(release, indicator, municipalities, window) for window in windows[:-1]] + [counted]
    # What is usual is that of the newest window throughout, so that the country's own change is part of the story.
    level = [one.at_risk / counted.at_risk * counted.expected for one in series]
    observed, variance = (
        np.stack([getattr(one, name) for one in series], axis=-1) for name in ("observed", "variance")
    )
    return potential_to_own_best(observed, np.stack(level, axis=-1), indicator.better, variance=variance)


def _mean_stay(release: Release, scope: _Scope, municipalities: Sequence[Area], period: Period) -> FloatArray:
    """[municipalities]: mean bed days of an acute admission in the scope, the country's where there is none; or NaN."""
    if scope.measure != "n_acute":
        return np.full(len(municipalities), np.nan)
    admissions, days = bed_days(release, scope.groups, municipalities, period)
    total = admissions.sum()
    usual = days.sum() / total if total > 0 else np.nan
    return np.where(admissions > 0, days / np.where(admissions > 0, admissions, 1.0), usual)


def _kroner(indicator: Indicator) -> tuple[float, float, int] | None:
    """Least and most kroner an event is worth, and the price year; None without a price that has a source."""
    if indicator.numerator.measure != "days_after_ready":
        return None
    prices = section_238_prices()
    year = int(prices["price_year"].max())  # type: ignore[arg-type]
    newest = prices.filter(pl.col("price_year") == year)
    by_day = [
        float(
            newest.filter((pl.col("first_day") <= day) & (pl.col("last_day").is_null() | (pl.col("last_day") >= day)))[
                "kroner_per_day"
            ].sum()
        )
        for day in sorted(set(newest["first_day"]))
    ]
    return min(by_day), max(by_day), year


def _frame(
    indicator: Indicator,
    ids: tuple[str, ...],
    wanted: Sequence[Area],
    municipalities: Sequence[Area],
    period: Period,
    reference: str,
    counted: _Counted,
    found: Potential | None,
    reason: StrArray,
    stay: FloatArray,
    capture: float,
) -> pl.DataFrame:
    position = {area.code: row for row, area in enumerate(municipalities)}
    price = _kroner(indicator)
    is_days = indicator.numerator.measure == "days_after_ready"
    rows = []
    for area in wanted:
        everywhere = [position[code] for code in area.municipalities]
        members = [at for at in everywhere if reason[at] != "not_relevant"]
        missing = [str(reason[at]) for at in members if reason[at]] if members else ["not_relevant"]
        row: dict[str, Any] = {
            "indicator": "+".join(ids),
            "level": area.level,
            "area_code": area.code,
            "area_name": area.name,
            "period": period.id,
            "reference": reference,
            "capture": capture,
            "status": "not_assessed",
            "reason": ";".join(dict.fromkeys(missing)),
        }
        # An area whose municipalities are not all known has no total: a part would look like a small potential.
        if found is None or missing:
            rows.append(row)
            continue
        value, lower, upper = _amount(found, members)
        row |= {
            "status": "ok",
            "observed": float(counted.observed[members].sum()),
            "target": float(found.target[members[0]]) if len(members) == 1 else None,
            "potential": value * capture,
            "lower": lower * capture,
            "upper": upper * capture,
        }
        worth = found.value[members]
        days = 1.0 if is_days else _average(stay[members], worth, counted.observed[members])
        reasons = []
        if np.isnan(days):
            reasons.append("no_length_of_stay")
        else:
            row |= {"bed_days": value * capture * days}
            row |= {"bed_days_lower": lower * capture * days, "bed_days_upper": upper * capture * days}
        if price is None:
            reasons.append("no_price")
        else:
            least, most, year = price
            row |= {"kroner_from": value * capture * least, "kroner_to": value * capture * most, "price_year": year}
        rows.append(row | {"reason": ";".join(reasons)})
    return pl.DataFrame(rows, schema=POTENTIALS)


def _amount(found: Potential, members: Sequence[int]) -> tuple[float, float, float]:
    if len(members) == 1:
        at = members[0]
        return float(found.value[at]), float(found.lower[at]), float(found.upper[at])
    return found.total(members)


def _average(values: FloatArray, weights: FloatArray, otherwise: FloatArray) -> float:
    """Mean of `values` weighted by the potential, or by the events where there is no potential."""
    weight = weights if weights.sum() > 0 else otherwise
    return float((values * weight).sum() / weight.sum()) if weight.sum() > 0 else float("nan")

"""Potential: what would be saved if an area did as well as the best fifth, the median, itself at its best, or its goal.

How the distance is measured so that chance is not sold as potential stands in `kpis.gain`, what an indicator counts in
`kpis.scope`, and what is counted twice in `kpis.overlap`.

Potentials of several indicators must not be added: a person with COPD is in more than one of them. `union_potential`
counts every diagnosis once.

What is not claimed: that all of it can be had. `capture` says which share of the distance is assumed to be won.
"""

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from kpis import counts, rates
from kpis.area import Area, Map, areas, map_of
from kpis.clustering import national_clustering
from kpis.evaluate import Query, QueryError, evaluate
from kpis.gain import BEST_FIFTH, Potential, potential_to_own_best, potential_to_target
from kpis.indicator import Indicator, Language
from kpis.length_of_stay import bed_days
from kpis.period import Period, breaks_within
from kpis.price import section_238_amount
from kpis.protection import rounding_variance
from kpis.rates import FloatArray, StrArray
from kpis.release import Release, per_release
from kpis.rounding import rounding_noise, scope_runs
from kpis.scope import Scope, by_age_and_sex, single_scope, union_scope

Reference = Literal["best_fifth", "median", "own_best", "goal"]
REFERENCES: tuple[Reference, ...] = get_args(Reference)
PLACE: dict[Reference, float] = {"best_fifth": BEST_FIFTH, "median": 0.5}
"""The share of the municipalities that do at least as well as the target."""

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


def potentials(
    release: Release,
    indicator: Indicator,
    period: Period,
    reference: Reference = "best_fifth",
    *,
    level: str = "municipality",
    map_id: Map | None = None,
    goals: Mapping[str, float] | None = None,
    capture: float = 1.0,
) -> pl.DataFrame:
    """Potential of every area of a level, with the columns of POTENTIALS, in Danish alphabetical order.

    Every municipality is measured against the target by itself, and an area is the sum of its municipalities. `map_id`:
    the map whose areas are added up; None = the one valid in the period.
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
    stay = _mean_stay(release, single_scope(indicator), municipalities, period)
    wanted = areas(release, level, map_id or map_of(period.last))
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
    map_id: Map | None = None,
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
    scope, left_out = union_scope(release, indicators, period)
    together = max(national_clustering(release, indicator) for indicator in indicators)
    counted = _counted_cube(release, scope, municipalities, period, together)
    missing = [_why_missing(release, item, municipalities, period) for item in indicators]
    reason = np.where(np.any([item != "" for item in missing], axis=0), "no_estimate", "")
    counted = replace(counted, observed=np.where(reason == "", counted.observed, np.nan))
    found = potential_to_target(
        counted.observed, counted.expected, None, "lower", place=PLACE[reference], variance=counted.variance
    )
    stay = _mean_stay(release, scope, municipalities, period)
    wanted = areas(release, level, map_id or map_of(period.last))
    ids = tuple(indicator.id for indicator in indicators)
    frame = _frame(indicators[0], ids, wanted, municipalities, period, reference, counted, found, reason, stay, capture)
    return frame, left_out


def target_ratio(found: pl.DataFrame) -> float | None:
    """Return how the target lies to the whole: events at it to events counted, over all municipalities of a frame.

    Times the value of the country it is the level that the best fifth (or the median) reach. None where the target is
    not one for all (own best, goals), or there are no events.
    """
    known = found.drop_nulls(["target", "observed"])
    if known.is_empty() or known["reference"][0] not in PLACE:
        return None
    observed, aimed = (float(known[name].sum()) for name in ("observed", "target"))
    return aimed / observed if observed else None


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


def has_potential(indicator: Indicator) -> bool:
    """Whether an indicator has a direction and countable events, so that a potential can be worked out.

    And whether it is told of single municipalities: each is measured against the target by itself.
    """
    is_counted = indicator.kind in ("rate", "proportion") or indicator.denominator.measure == "person_years"
    return indicator.better != "neither" and is_counted and indicator.is_told_of_single_municipalities


def _check(indicator: Indicator, capture: float) -> None:
    if not 0.0 <= capture <= 1.0:
        raise QueryError(f"capture is {capture}; it is the share of the distance that is won, from 0 to 1.")
    if not has_potential(indicator):
        raise QueryError(
            f"{indicator.id} has no potential: it needs a direction, countable events and figures of municipalities. "
            "Ask for a rate or a proportion where lower or higher is better."
        )


@dataclass(frozen=True)
class _Counted:
    """Events of each municipality, what is usual for its age and sex, what they are divided by; NaN = no figure."""

    observed: FloatArray
    expected: FloatArray
    at_risk: FloatArray
    variance: FloatArray  # of the count, chance and rounding together


@per_release
def _counted(release: Release, indicator: Indicator, municipalities: tuple[Area, ...], period: Period) -> _Counted:
    together = national_clustering(release, indicator)
    if indicator.numerator.definition.table == "cube":
        is_known = _why_missing(release, indicator, municipalities, period) == ""
        counted = _counted_cube(release, single_scope(indicator), municipalities, period, together)
        return replace(counted, observed=np.where(is_known, counted.observed, np.nan))
    query = Query(indicator, tuple(municipalities), (period,))
    estimates = evaluate(release, query)
    observed, at_risk = (
        estimates[column].cast(pl.Float64).fill_null(float("nan")).to_numpy() for column in ("numerator", "denominator")
    )
    expected = at_risk * (np.nansum(observed) / max(np.nansum(at_risk), 1.0))
    noise = rounding_noise(release, query).numerator[:, 0, 0]
    return _Counted(observed, expected, at_risk, together * expected + noise)


def _counted_cube(
    release: Release, scope: Scope, municipalities: Sequence[Area], period: Period, together: float
) -> _Counted:
    """What a scope counts; `together`: by how much its events vary more than independent ones."""
    events = by_age_and_sex(release, scope, scope.measure, municipalities, period)
    people = by_age_and_sex(release, scope, scope.denominator, municipalities, period)
    expected = rates.expected_events(people, events.sum(axis=0), people.sum(axis=0))
    observed = events.sum(axis=1)
    noise = rounding_variance(release, scope_runs(scope, period), observed)
    return _Counted(observed, expected, people.sum(axis=1), together * expected + noise)


@per_release
def _why_missing(release: Release, indicator: Indicator, municipalities: tuple[Area, ...], period: Period) -> StrArray:
    """[municipalities]: "" where there is a figure; across_break, not_relevant (nothing to count) or no_estimate."""
    estimates = evaluate(release, Query(indicator, tuple(municipalities), (period,)))
    is_there, status = estimates["numerator"].is_not_null().to_numpy(), estimates["status"].to_numpy()
    is_across = np.full(len(municipalities), bool(breaks_within(period.first, period.last)))
    return np.select(
        [is_across, is_there, status == "not_relevant"], ["across_break", "", "not_relevant"], "no_estimate"
    )


def _own_best(
    release: Release, indicator: Indicator, municipalities: tuple[Area, ...], period: Period, counted: _Counted
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
    with np.errstate(divide="ignore", invalid="ignore"):  # nobody at risk: no level, and so no potential
        level = [one.at_risk / counted.at_risk * counted.expected for one in series]
    observed, variance = (
        np.stack([getattr(one, name) for one in series], axis=-1) for name in ("observed", "variance")
    )
    return potential_to_own_best(observed, np.stack(level, axis=-1), indicator.better, variance=variance)


def _mean_stay(release: Release, scope: Scope, municipalities: Sequence[Area], period: Period) -> FloatArray:
    """[municipalities]: mean bed days of an acute admission in the scope, the country's where there is none; or NaN."""
    if scope.measure != "n_acute":
        return np.full(len(municipalities), np.nan)
    admissions, days = bed_days(release, scope.groups, municipalities, period)
    total = admissions.sum()
    usual = days.sum() / total if total > 0 else np.nan
    return np.where(admissions > 0, days / np.where(admissions > 0, admissions, 1.0), usual)


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
        if is_days:
            amount = section_238_amount(value * capture)
            row |= {"kroner_from": amount.least, "kroner_to": amount.most, "price_year": amount.price_year}
        else:
            reasons.append("no_price")
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

"""Where a difference lies: how much of it is one condition, the age of the people, or the length of the stays.

Three ways to take the same difference apart, each of them exact (the parts add up to the whole):

- by condition: the rates of diagnosis groups add up to the rate, so their differences add up to the difference
- by age and sex (Kitagawa 1955): what the structure of the population makes, and what the rates of each age make
- by length of stay: bed days per 1,000 = admissions per 1,000 × days per admission, halves of the joint part to both

A share of a difference that may be chance is a share of nothing: shares are given only where the 95 % interval of the
whole difference leaves out zero.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from kpis.area import Area, areas
from kpis.evaluate import By, Query, QueryError, evaluate
from kpis.indicator import Count, Indicator
from kpis.length_of_stay import bed_days
from kpis.period import Period, breaks_within
from kpis.rates import PER_THOUSAND, ArrayLike, FloatArray
from kpis.release import AGE_BANDS, Release

PARTS = pl.Schema(
    {
        "indicator": pl.String,
        "area_code": pl.String,
        "reference_code": pl.String,
        "period": pl.String,
        # group; age (rates by age, and "structure" = the ages of the people); length_of_stay (in bed days);
        # short_stay (acute stays under 24 hours of the same people and conditions, beside the admissions)
        "dimension": pl.String,
        "part": pl.String,  # diagnosis group, lower end of an age band, structure, admissions, length_of_stay, short
        "difference": pl.Float64,  # area minus reference, in the unit of the indicator (length_of_stay: in bed days)
        "lower": pl.Float64,  # 95 % limits of the part; null where none are known
        "upper": pl.Float64,
        "share": pl.Float64,  # of the whole; may be negative or over 1; null unless the whole is beyond doubt
    }
)


# --- the arithmetic -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """Parts of a difference; `parts` (…, k) add up to `whole` (…). `shares` are parts / whole, NaN where whole is 0."""

    whole: FloatArray
    parts: FloatArray

    @property
    def shares(self) -> FloatArray:
        """What each part is of the whole; they add up to 1, and single ones may be negative or over 1."""
        whole = self.whole[..., None]
        return self.parts / np.where(whole == 0, np.nan, whole)

    def fewest(self, share: float = 0.8) -> FloatArray:
        """The smallest number of parts that together make at least `share` of the whole; NaN where whole is 0."""
        largest_first = -np.sort(-self.shares, axis=-1)
        enough = np.cumsum(largest_first, axis=-1) >= share - 1e-12
        number = np.argmax(enough, axis=-1) + 1.0
        return np.where(np.isnan(self.shares).any(axis=-1), np.nan, number)


def additive(parts: ArrayLike, reference_parts: ArrayLike) -> Difference:
    """Of values that are sums of parts on the last axis, such as a rate of the rates of diagnosis groups."""
    own, other = np.broadcast_arrays(np.asarray(parts, dtype=float), np.asarray(reference_parts, dtype=float))
    return Difference(own.sum(axis=-1) - other.sum(axis=-1), own - other)


def by_structure(
    events: ArrayLike,
    person_years: ArrayLike,
    reference_events: ArrayLike,
    reference_person_years: ArrayLike,
    per: float = PER_THOUSAND,
) -> Difference:
    """Of two crude rates: the first part is the structure of the population, the others the rates of the strata.

    With shares s = n/Σn and rates r = O/n of each stratum: structure = Σ(s − s′)(r + r′)/2, each stratum
    (r − r′)(s + s′)/2 (Kitagawa 1955). A stratum where one side has nobody is given the rate of the other, so that it
    counts as structure alone. Strata on the last axis; the result has one part more.
    """
    o, n, ref_o, ref_n = np.broadcast_arrays(
        *(np.asarray(a, dtype=float) for a in (events, person_years, reference_events, reference_person_years))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, ref_rate = np.where(n > 0, o / n, np.nan), np.where(ref_n > 0, ref_o / ref_n, np.nan)
        share, ref_share = n / n.sum(axis=-1, keepdims=True), ref_n / ref_n.sum(axis=-1, keepdims=True)
    rate, ref_rate = (np.nan_to_num(np.where(np.isnan(a), b, a)) for a, b in ((rate, ref_rate), (ref_rate, rate)))
    structure = ((share - ref_share) * (rate + ref_rate) / 2.0).sum(axis=-1, keepdims=True)
    strata = (rate - ref_rate) * (share + ref_share) / 2.0
    parts = np.concatenate([structure, strata], axis=-1) * per
    return Difference(parts.sum(axis=-1), parts)


def by_product(number: ArrayLike, length: ArrayLike, ref_number: ArrayLike, ref_length: ArrayLike) -> Difference:
    """Of two products (admissions per 1,000 × days per admission): the parts of the number and of the length.

    number = (a − a′)(l + l′)/2, length = (l − l′)(a + a′)/2: what both make together is halved between them.
    """
    a, l_, a2, l2 = (np.asarray(x, dtype=float) for x in (number, length, ref_number, ref_length))
    parts = np.stack([(a - a2) * (l_ + l2) / 2.0, (l_ - l2) * (a + a2) / 2.0], axis=-1)
    return Difference(a * l_ - a2 * l2, parts)


# --- from a release -----------------------------------------------------------------------------------------


def explain(release: Release, indicator: Indicator, area: Area, reference: Area, period: Period) -> pl.DataFrame:
    """Parts of the difference between an area and a reference in one period, with the columns of PARTS.

    For rates of the cube: by condition where the indicator has several, by age (with the structure of the
    population), and where acute admissions are counted by length of stay and beside the short stays. Rows of a
    dimension add up to the difference of the crude rates (of bed days in "length_of_stay"); the one row of
    "short_stay" is no part of it, because stays under 12 hours are short but no admissions. Empty where either has no
    figure, and for a period that runs across a break in the data. Raises QueryError for other kinds.
    """
    if indicator.kind != "rate" or indicator.numerator.definition.table != "cube":
        raise QueryError(f"{indicator.id} cannot be taken apart: only rates by age and diagnosis can.")
    whole = evaluate(release, Query(indicator, (area, reference), (period,)))
    if whole["value"].null_count() or breaks_within(period.first, period.last):
        return pl.DataFrame(schema=PARTS)
    total, lower, upper = _minus(whole)
    is_sure = bool(lower[0] > 0 or upper[0] < 0)
    common = {
        "indicator": indicator.id,
        "area_code": area.code,
        "reference_code": reference.code,
        "period": period.id,
    }
    rows: list[dict[str, Any]] = []
    if "group" in indicator.breakdowns:
        split = evaluate(release, Query(indicator, (area, reference), (period,), by="group"))
        difference, low, high = _minus(split)
        rows += _rows(
            common | {"dimension": "group"},
            indicator.group_ids,
            difference,
            low,
            high,
            Difference(total[0], difference).shares,
            is_sure,
        )
    if "age" in indicator.breakdowns:
        rows += _by_age(release, indicator, area, reference, period, common | {"dimension": "age"}, is_sure)
    if indicator.numerator.measure == "n_acute":
        rows += _by_stay(release, indicator, whole, (area, reference), period, common | {"dimension": "length_of_stay"})
        short = indicator.model_copy(update={"numerator": Count(measure="n_short")})
        difference, low, high = _minus(evaluate(release, Query(short, (area, reference), (period,))))
        none = np.full(1, np.nan)
        rows += _rows(common | {"dimension": "short_stay"}, ("short",), difference, low, high, none, is_sure)
    return pl.DataFrame(rows, schema=PARTS)


def _by_age(
    release: Release,
    indicator: Indicator,
    area: Area,
    reference: Area,
    period: Period,
    common: dict[str, Any],
    is_sure: bool,
) -> list[dict[str, Any]]:
    by: By = "age"
    query = Query(indicator, (area, reference), (period,), by=by)
    split = evaluate(release, query)
    events, people = (
        split[column].cast(pl.Float64).to_numpy().reshape(2, -1) for column in ("numerator", "denominator")
    )
    difference = by_structure(events[0], people[0], events[1], people[1], indicator.per)
    unknown = np.full(difference.parts.shape, np.nan)
    return _rows(common, ("structure", *query.groups), difference.parts, unknown, unknown, difference.shares, is_sure)


def _by_stay(
    release: Release,
    indicator: Indicator,
    whole: pl.DataFrame,
    pair: tuple[Area, Area],
    period: Period,
    common: dict[str, Any],
) -> list[dict[str, Any]]:
    people = indicator.population
    bands = [
        place
        for place, age in enumerate(AGE_BANDS)
        if people.age_from <= age and (people.age_to is None or age <= people.age_to)
    ]
    groups = dict.fromkeys(indicator.group_ids, bands)
    known = {area.code: area for area in areas(release, "municipality", pair[0].map_id)}
    lengths = []
    for area in pair:
        admissions, days = bed_days(release, groups, [known[code] for code in area.municipalities], period)
        if admissions.sum() == 0:
            return []
        lengths.append(days.sum() / admissions.sum())
    value = whole["value"].to_numpy()
    difference = by_product(value[0], lengths[0], value[1], lengths[1])
    unknown = np.full(2, np.nan)
    # No interval is known of bed days (stays of one citizen follow each other), so no share is beyond doubt either:
    # shares are given where the two parts pull the same way.
    is_one_way = bool((difference.parts >= 0).all() or (difference.parts <= 0).all())
    return _rows(
        common, ("admissions", "length_of_stay"), difference.parts, unknown, unknown, difference.shares, is_one_way
    )


def _minus(estimates: pl.DataFrame) -> tuple[FloatArray, FloatArray, FloatArray]:
    """First area minus second, with limits by squaring and adding (MOVER; Newcombe 1998, Zou & Donner 2008)."""
    value, lower, upper = (
        estimates[column].to_numpy().astype(float).reshape(2, -1) for column in ("value", "lower", "upper")
    )
    difference = value[0] - value[1]
    low = difference - np.hypot(value[0] - lower[0], upper[1] - value[1])
    high = difference + np.hypot(upper[0] - value[0], value[1] - lower[1])
    return difference, low, high


def _rows(
    common: dict[str, Any],
    names: tuple[str, ...],
    difference: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    share: FloatArray,
    is_sure: bool,
) -> list[dict[str, Any]]:
    def known(value: float) -> float | None:
        return None if np.isnan(value) else float(value)

    return [
        common
        | {
            "part": name,
            "difference": float(difference[at]),
            "lower": known(lower[at]),
            "upper": known(upper[at]),
            "share": known(share[at]) if is_sure else None,
        }
        for at, name in enumerate(names)
    ]

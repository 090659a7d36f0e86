"""The sums that pages and files show, by which the rounding is balanced, and how diagnosis groups contain each other.

Sums run over municipalities (every level of both maps), months (month, quarter, year, and years that begin in July, so
that any twelve months are near), ages (0–17, 18–64, 65 and over, and single bands), sexes, diagnosis groups, and the
groups or categories that an indicator adds up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import polars as pl

from etl.balance import Ints, Margins, Nesting
from etl.counting import counted_as
from kpis.area import MAP_DAY
from kpis.indicator import load_indicators
from kpis.protection import CLASSES
from kpis.reference import DiagnosisGroup, load_codelists, memberships
from kpis.release import AGE_BANDS

SEXES = (1, 2)
ALL = "all"

# How much each kind of sum counts. A municipality's own figures weigh most: they are smallest and shown most.
OF_MUNICIPALITY = {"month": 4, "quarter": 8, "year": 8, "year from July": 4}
OF_LARGER_AREA = {"quarter": 2}
BY_SEX, BY_BAND, ALL_AGES = {"year": 3}, {"year": 2}, {"quarter": 2, "year": 4}


@dataclass(frozen=True)
class Family:
    """Counts of one cell that share a threshold, because they are parts of each other: largest first.

    `worth`: how much the sums of each count beside the others.
    """

    name: str
    measures: tuple[str, ...]
    worth: tuple[int, ...]


STAYS = Family("stays", ("n_stay", "n_admission", "n_acute", "n_short"), (1, 2, 4, 2))
DISCHARGES = Family("discharges", ("n_index", "n_readmission"), (1, 1))
CONTACTS = Family("contacts", ("n_contact", "n_contact_timely", "n_contact_coded"), (1, 1, 1))
FOLLOWED = Family("followed", ("n_place_followed", "n_place_admitted_30", "n_place_admitted_7"), (1, 1, 1))


def in_order(groups: Iterable[str]) -> list[str]:
    """Diagnosis groups with parts before what contains them, `all` last."""
    names = sorted(groups)
    parts = _parts(names)
    return sorted(names, key=lambda name: len(parts[name]))


def cube_strata(groups: Sequence[str]) -> list[tuple[str, int, int]]:
    """The strata of the cube in the order of their positions: group, sex, age band."""
    return list(product(groups, SEXES, AGE_BANDS))


def cube_nesting(groups: Sequence[str]) -> tuple[Nesting, Ints]:
    """How the strata of the cube are nested, and the level [strata] of each: parts lie on lower ones."""
    places = len(SEXES) * len(AGE_BANDS)
    parts = _parts(groups)
    wholes = [[at for at, whole in enumerate(groups) if part in parts[whole]] for part in groups]
    level = np.unique([len(parts[whole]) for whole in groups], return_inverse=True)[1]
    nesting = Nesting(
        np.repeat(np.arange(len(groups), dtype=np.int32), places),
        np.tile(np.arange(places, dtype=np.int32), len(groups)),
        _filled_up(wholes),
        int(level.max(initial=0)) + 1,
    )
    return nesting, np.repeat(level.astype(np.int32), places)


def flat_nesting(strata: int) -> tuple[Nesting, Ints]:
    """Strata of which none is part of another."""
    nothing = np.zeros(strata, np.int32)
    return Nesting(nothing, np.arange(strata, dtype=np.int32), np.full((1, 1), -1, np.int32), 1), nothing


def cube_margins(
    family: Family, groups: Sequence[str], months: Sequence[int], municipalities: Sequence[str]
) -> Margins:
    """The sums of the cube that are shown."""
    group, sex, band = np.indices((len(groups), len(SEXES), len(AGE_BANDS))).reshape(3, -1)
    age_class = np.searchsorted(CLASSES, np.array(AGE_BANDS), side="right")[band] - 1
    sums = _Sums(months, municipalities)
    figure = counted_as()
    told_as = {figure.get(name, name): name for name in groups}
    added_up = {
        frozenset(told_as.get(figure.get(name, name), name) for name in indicator.group_ids)
        for indicator in load_indicators().values()
        if indicator.numerator.definition.table == "cube"
    }
    kinds = [group, *(_one_or_none(np.isin(group, _places(names, groups))) for names in _several(added_up))]
    for kind in kinds:
        is_in = kind >= 0
        of_class = np.where(is_in, kind * len(CLASSES) + age_class, -1)
        sums.of_municipalities(of_class, OF_MUNICIPALITY)
        sums.of_municipalities(np.where(is_in, of_class * len(SEXES) + sex, -1), BY_SEX)
        sums.of_municipalities(np.where(is_in, kind * len(AGE_BANDS) + band, -1), BY_BAND)
        sums.of_larger_areas(of_class, OF_LARGER_AREA)
    sums.of_municipalities(group, ALL_AGES)
    sums.of_country((group * len(AGE_BANDS) + band) * len(SEXES) + sex, OF_LARGER_AREA)
    return sums.margins(family)


def month_margins(
    family: Family, strata: Sequence[str], months: Sequence[int], municipalities: Sequence[str]
) -> Margins:
    """The sums of municipality_month that are shown; strata are `measure|category`."""
    sums = _Sums(months, municipalities)
    measure = [name.split("|")[0] for name in strata]
    counts = [count for each in load_indicators().values() for count in (each.numerator, each.denominator)]
    added_up = {
        frozenset(f"{count.measure}|{category}" for category in count.categories)
        for count in counts
        if count.categories
    } | {frozenset(name for name in strata if name.startswith(f"{one}|")) for one in set(measure)}
    singles = np.arange(len(strata))
    kinds = [singles, *(_one_or_none(np.isin(singles, _places(names, strata))) for names in _several(added_up))]
    for kind in kinds:
        sums.of_municipalities(kind, OF_MUNICIPALITY)
        sums.of_larger_areas(kind, OF_LARGER_AREA)
    return sums.margins(family)


class _Sums:
    """Collects families of sums."""

    def __init__(self, months: Sequence[int], municipalities: Sequence[str]):
        month = np.array(months)
        self._periods = {
            "month": month,
            "quarter": month // 3,
            "year": month // 12,
            "year from July": (month + 6) // 12,
        }
        self._own = np.arange(len(municipalities))
        self._country = np.zeros_like(self._own)
        self._areas = [*_larger_areas(tuple(municipalities)), self._country]
        self._rows: list[tuple[np.ndarray, np.ndarray, np.ndarray, float]] = []

    def of_municipalities(self, stratum: np.ndarray, weights: dict[str, int]) -> None:
        self._add([self._own], stratum, weights)

    def of_larger_areas(self, stratum: np.ndarray, weights: dict[str, int]) -> None:
        self._add(self._areas, stratum, weights)

    def of_country(self, stratum: np.ndarray, weights: dict[str, int]) -> None:
        self._add([self._country], stratum, weights)

    def _add(self, areas: list[np.ndarray], stratum: np.ndarray, weights: dict[str, int]) -> None:
        for area, (period, weight) in product(areas, weights.items()):
            at = self._periods[period]
            self._rows.append((area, stratum, at - at.min(initial=at[0]), weight))

    def margins(self, family: Family) -> Margins:
        area, stratum, period, weight = zip(*self._rows, strict=True)
        return Margins(
            np.array(area, np.int32),
            np.array(stratum, np.int32),
            np.array(period, np.int32),
            np.array(weight, np.float64),
            np.array(family.worth, np.float64),
        )


@cache
def _larger_areas(municipalities: tuple[str, ...]) -> list[np.ndarray]:
    """Position of each municipality's area, for every level of both maps; levels with the same areas once."""
    table = memberships()
    found: dict[bytes, np.ndarray] = {}
    for level, day in product(sorted(table["level"].unique()), MAP_DAY.values()):
        valid = table.filter(
            (pl.col("level") == level)
            & (pl.col("valid_from") <= day)
            & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day))
        )
        area_of = dict(valid.select("municipality_code", "area_code").iter_rows())
        if area_of:
            position = np.unique([area_of.get(code, "") for code in municipalities], return_inverse=True)[1]
            found[position.astype(np.int32).tobytes()] = position
    return list(found.values())


def _parts(groups: Sequence[str]) -> dict[str, set[str]]:
    """Group → those of `groups` whose every diagnosis is one of its own as well."""
    known = _groups()
    found = {name: set() if name != ALL else set(groups) - {ALL} for name in groups}
    for whole, part in product(groups, groups):
        if whole != part and whole in known and part in known:
            large, small = known[whole], known[part]
            if all(prefix.startswith(large.prefixes) for prefix in small.prefixes) and (
                set(large.excluded_prefixes) <= set(small.excluded_prefixes)
            ):
                found[whole].add(part)
    return found


@cache
def _groups() -> dict[str, DiagnosisGroup]:
    return {group.group_id: group for codelist in load_codelists() for group in codelist.groups}


def _several(sets: set[frozenset[str]]) -> list[frozenset[str]]:
    return sorted((names for names in sets if len(names) > 1), key=sorted)


def _places(names: Iterable[str], among: Sequence[str]) -> list[int]:
    return [among.index(name) for name in names if name in among]


def _one_or_none(is_in: np.ndarray) -> np.ndarray:
    return np.where(is_in, 0, -1)


def _filled_up(lists: list[list[int]]) -> Ints:
    longest = max(1, *map(len, lists)) if lists else 1
    return np.array([[*items, *[-1] * (longest - len(items))] for items in lists], dtype=np.int32)

"""Disclosure protection: what of the true counts is published, decided once, before anything is published.

Every published count of events of persons is a multiple of the base, by a secret threshold of its own cell that stays
the same from release to release (see `etl.balance`). All that pages, files and other programs show is worked out from
these counts alone. In a cell with fewer persons than `threshold` each person counts at most once, so that twelve
admissions of one citizen are protected as one; the sums around it are kept right by the other cells.

    protected = protect(true_cube, true_counts, true_lengths, ROUNDED, key, memory)
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from etl.accuracy import Accuracy, in_words
from etl.balance import Cells, Ints, Margins, Nesting, balance, by_lowest, counted_once, months_to_balance
from etl.margins import (
    CONTACTS,
    DISCHARGES,
    FOLLOWED,
    SEXES,
    STAYS,
    Family,
    cube_margins,
    cube_nesting,
    cube_strata,
    flat_nesting,
    in_order,
    month_margins,
)
from etl.pseudonym import PseudonymKey
from etl.remembered import Memory, Thresholds, nothing_known, packed, unpacked
from etl.rules import RulesProblem, rule_values
from etl.words import Both, together, told
from kpis.protection import EXACT
from kpis.release import AGE_BANDS, CONTRACT

METHOD = "balanced rounding"
RUN_VARIANCE = 0.4
"""Error variance of a sum that is balanced by itself, in base²: measured, and held by tests/kpis/test_protection.py."""
PROTECTED_DA = (
    "Antal hændelser er afrundet til hele {base}’ere efter hemmelige grænser, så små tal ikke kan læses nøjagtigt. "
    "En kommunes akutte indlæggelser på et år er i gennemsnit højst {municipality_year_mean} for mange eller for få, "
    "og aldrig mere end {municipality_year_max}; hele landets højst {country_year_per_cent} %."
)
PROTECTED_EN = (
    "Counts of events are rounded to multiples of {base} by secret thresholds, so that small ones cannot be read "
    "exactly. A municipality's acute admissions of a year are on average at most {municipality_year_mean} too many "
    "or too few, and never more than {municipality_year_max}; the country's at most {country_year_per_cent} %."
)
UNPROTECTED_DA = "Ubeskyttet: må ikke vises uden for den sikre side."
UNPROTECTED_EN = "Unprotected: not to be shown outside the secure side."
NO_METHOD = "none"
SMALLEST, LARGEST = 3, 10  # what base and threshold may be
CUBE_KEYS = ("group_id", "sex", "age_from")


@dataclass(frozen=True)
class Protection:
    """How a release is protected.

    `base`: counts are published as multiples of it; 1 protects nothing and is for the secure side only.
    `threshold`: fewest persons of a cell of whom each one's every event counts.
    """

    method: str
    base: int
    threshold: int

    def __post_init__(self) -> None:
        if self.method == NO_METHOD:
            return
        faults: list[Both] = [
            told("rules.range", name=name, value=value, smallest=SMALLEST, largest=LARGEST)
            for name, value in (("protection_base", self.base), ("persons_threshold", self.threshold))
            if not SMALLEST <= value <= LARGEST
        ]
        if self.base < self.threshold:
            faults.append(told("rules.base", base=self.base, threshold=self.threshold))
        if faults:
            raise RulesProblem(told("rules.protection", faults=together(faults, "; ")))

    @property
    def is_rounded(self) -> bool:
        """Whether counts differ from the true ones."""
        return self.base > 1

    @property
    def manifest(self) -> dict[str, Any]:
        """How the release was protected. `chain_variance` is what intervals reckon with (see `kpis.protection`)."""
        return {
            "method": self.method,
            "base": self.base,
            "threshold": self.threshold,
            "chain_variance": round(RUN_VARIANCE * self.base**2, 3) if self.is_rounded else 0,
        }

    def told(self, accuracy: Accuracy) -> dict[str, Any]:
        """The same with how accurate it leaves the figures, in numbers and in words for every page and file."""
        if not self.is_rounded:
            return self.manifest | {"da": UNPROTECTED_DA, "en": UNPROTECTED_EN}
        words = {
            language: text.format(
                base=self.base, **{name: in_words(value, language) for name, value in accuracy._asdict().items()}
            )
            for language, text in (("da", PROTECTED_DA), ("en", PROTECTED_EN))
        }
        return self.manifest | {"accuracy": accuracy._asdict()} | words


ROUNDED = Protection(METHOD, int(rule_values()["protection_base"]), int(rule_values()["persons_threshold"]))
UNPROTECTED = Protection(NO_METHOD, 1, 1)


class Protected(NamedTuple):
    """The protected tables of a release, and what the next one has to remember of them."""

    cube: pl.DataFrame
    municipality_month: pl.DataFrame
    length_of_stay: pl.DataFrame
    memory: Memory


def protect(
    cube: pl.DataFrame,
    counts: pl.DataFrame,
    lengths: pl.DataFrame,
    protection: Protection,
    key: PseudonymKey,
    memory: Memory | None = None,
) -> Protected:
    """Protect all true counts of a release; `memory` is what the releases before have fixed."""
    memory = memory or Memory(protection.base, protection.threshold)
    protected_cube, memory = protect_cube(cube, protection, key, memory)
    protected_counts, memory = protect_municipality_month(counts, protection, key, memory)
    return Protected(protected_cube, protected_counts, protect_length_of_stay(lengths, protection, key), memory)


def protect_cube(
    cube: pl.DataFrame, protection: Protection, key: PseudonymKey, memory: Memory | None = None
) -> tuple[pl.DataFrame, Memory]:
    """The published cube of the true one, without rows that hold nothing, and what is to be remembered.

    `cube` has the columns of the contract and `n_person`, the persons behind the cell. Groups with the same codes are
    one figure and stand in it once.
    """
    memory = memory or Memory(protection.base, protection.threshold)
    columns = list(CONTRACT["tables"]["cube"]["columns"])
    if not protection.is_rounded:
        return cube.select(columns), memory
    groups = in_order(cube["group_id"].unique().cast(pl.String))
    at = [_positions(cube[name], values) for name, values in zip(CUBE_KEYS, (groups, SEXES, AGE_BANDS), strict=True)]
    stratum = (at[0] * len(SEXES) + at[1]) * len(AGE_BANDS) + at[2]
    strata = [f"{group}|{sex}|{age}" for group, sex, age in cube_strata(groups)]
    table = _Table(cube, strata, stratum, *cube_nesting(groups))
    for family in (STAYS, DISCHARGES):
        margins = cube_margins(family, groups, table.months, table.municipalities)
        rounded, memory = table.rounded(family, margins, protection, key, memory)
        cube = cube.with_columns(rounded)
    holds_anything = pl.any_horizontal(pl.col(each.measures[0]) > 0 for each in (STAYS, DISCHARGES))
    return cube.select(columns).filter(holds_anything), memory


def protect_municipality_month(
    counts: pl.DataFrame, protection: Protection, key: PseudonymKey, memory: Memory | None = None
) -> tuple[pl.DataFrame, Memory]:
    """The published municipality × month × measure × category counts; what only tells of operation stays exact.

    `counts` has the columns of the contract and `n_person`, null where a measure counts no persons.
    """
    memory = memory or Memory(protection.base, protection.threshold)
    columns = list(CONTRACT["tables"]["municipality_month"]["columns"])
    if not protection.is_rounded:
        return counts.select(columns), memory
    published = [counts.filter(pl.col("measure").is_in(EXACT)).select(columns)]
    nested = [name for family in (CONTACTS, FOLLOWED) for name in family.measures]
    for family in (CONTACTS, FOLLOWED):
        whole = _side_by_side(counts, family)
        if not whole.is_empty():
            part, memory = _rounded_months(whole, family, protection, key, memory)
            part = part.drop("measure", "category")
            published.append(part.unpivot(family.measures, index=columns[:2], variable_name="measure", value_name="n"))
    rest = counts.filter(~pl.col("measure").is_in([*EXACT, *nested]))
    if not rest.is_empty():
        part, memory = _rounded_months(rest, Family("others", ("n",), (1,)), protection, key, memory)
        published.append(part)
    together = pl.concat([part.with_columns(pl.col("n").cast(pl.Int32)) for part in published], how="diagonal")
    return together.with_columns(pl.col("category").fill_null("")).filter(pl.col("n") > 0).select(columns), memory


def protect_length_of_stay(counts: pl.DataFrame, protection: Protection, key: PseudonymKey) -> pl.DataFrame:
    """Regional admissions and bed days, each cell by a threshold that its name and the key make.

    There are at least ten persons behind each, and the sums are large, so that nothing is balanced or remembered.
    """
    columns = list(CONTRACT["tables"]["length_of_stay"]["columns"])
    if not protection.is_rounded or counts.is_empty():
        return counts.select(columns)
    names = counts.select(pl.concat_str("region_code", "year", "age_from", "group_id", separator="|")).to_series()
    thresholds = np.array([_keyed(f"length_of_stay|{name}", key) % protection.base for name in names], np.int64)
    base = protection.base
    return counts.with_columns(
        pl.Series(name, (counts[name].to_numpy() + thresholds) // base * base, dtype=counts.schema[name])
        for name in ("n_acute", "bed_days")
    ).select(columns)


class _Table:
    """True counts of one table laid out as cells: positions of months, municipalities and strata."""

    def __init__(
        self,
        counts: pl.DataFrame,
        strata: Sequence[str],
        stratum: npt.NDArray[np.int32],
        nesting: Nesting,
        level: npt.NDArray[np.int32],
    ):
        self.counts, self.strata, self.nesting, self._level = counts, tuple(strata), nesting, level
        day = counts["month"].to_physical().to_numpy()
        month_of_day = _month_of_day(day.min(), day.max())
        self.months = tuple(range(int(month_of_day[0]), int(month_of_day[-1]) + 1))
        self.municipalities = tuple(counts["municipality_code"].unique().cast(pl.String).sort())
        self.month = month_of_day[day - day.min()] - month_of_day[0]
        self.municipality = _positions(counts["municipality_code"], self.municipalities)
        self.stratum = stratum
        self._persons = counts["n_person"].cast(pl.Int32).fill_null(2**31 - 1).to_numpy()
        self._wanted = np.zeros(0, bool)  # the months that were laid out last, and how
        self._layout: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

    @property
    def _at(self) -> tuple[Ints, Ints, Ints]:
        """Positions of month, municipality and stratum."""
        return self.month, self.municipality, self.stratum

    def rounded(
        self, family: Family, margins: Margins, protection: Protection, key: PseudonymKey, memory: Memory
    ) -> tuple[list[pl.Series], Memory]:
        """The counts of a family as they are published, in the rows' own order, and what is to be remembered."""
        base, axes = protection.base, (self.months, self.municipalities, self.strata)
        known = memory.families.get(family.name)
        shape = tuple(map(len, axes))
        left = known.on(*axes, base) if known else np.full(shape, nothing_known(base), np.uint8)
        true = tuple(self.counts[name].cast(pl.Int32).to_numpy() for name in family.measures)
        for values in true:  # also those that had to be copied: compiled code takes arrays of one type
            values.setflags(write=False)
        published, is_free = by_lowest(true, self._persons, protection.threshold, left, self._at, base)
        # of ten years most months have nothing left to choose: they are not laid out
        rows, segments = self._laid_out(months_to_balance(np.unique(self.month[is_free]), margins))
        at = self.month[rows], self.municipality[rows], self.stratum[rows]
        laid_out = np.stack([counts[rows] for counts in true], axis=1)
        counted = counted_once(laid_out, self._persons[rows], protection.threshold)
        cells = Cells(laid_out, counted, *at, self._chance(family, key, rows, is_free[rows]), segments)
        lowest, highest = (ends.astype(np.uint8) for ends in unpacked(left[at]))
        balanced, low, high = balance(cells, margins, self.nesting, lowest, highest, base)
        published[:, rows] = balanced.T
        left[at] = packed(low, high)
        columns = [
            pl.Series(name, values, dtype=self.counts.schema[name])
            for name, values in zip(family.measures, published, strict=True)
        ]
        return columns, memory.with_family(family.name, Thresholds(*axes, left))

    def _laid_out(self, is_wanted: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows of some months by month, level and municipality; where each level of each month begins, and the end.

        What was laid out for one family is not laid out again for the next: mostly they want the same months.
        """
        if np.array_equal(is_wanted, self._wanted):
            return self._layout
        rows = np.flatnonzero(is_wanted[self.month])
        month, stratum = self.month[rows], self.stratum[rows]
        size = np.bincount(self._level, minlength=self.nesting.levels)
        before = np.cumsum(size) - size
        rank = np.argsort(np.argsort(self._level, kind="stable"), kind="stable")  # of each stratum
        level = self._level[stratum]
        within = self.municipality[rows] * size[level] + rank[stratum] - before[level]
        # a place for every cell there could be in these months
        number = np.cumsum(is_wanted) - 1
        place = (number[month] * len(self.strata) + before[level]) * len(self.municipalities) + within
        row_at = np.full(int(is_wanted.sum()) * len(self.strata) * len(self.municipalities), -1, np.int64)
        row_at[place] = rows
        sizes = np.bincount(month * self.nesting.levels + level, minlength=len(self.months) * self.nesting.levels)
        self._wanted, self._layout = is_wanted, (row_at[row_at >= 0], np.concatenate([[0], np.cumsum(sizes)]))
        return self._layout

    def _chance(
        self, family: Family, key: PseudonymKey, rows: npt.NDArray[np.int64], is_free: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        """Keyed numbers of the free among some cells, −½ to ½: mostly small, so that sums decide; some very large."""
        free = rows[is_free]
        month, municipality, stratum = self.month[free], self.municipality[free], self.stratum[free]
        strata, municipalities = (
            np.array([_keyed(f"{family.name}|{name}", key) for name in labels], np.uint64)
            for labels in (self.strata, self.municipalities)
        )
        blocks = np.stack(
            [strata[stratum], municipalities[municipality] + np.array(self.months, np.uint64)[month]], axis=1
        )
        drawn = Cipher(algorithms.AES(key.secret[:32]), modes.ECB()).encryptor().update(blocks.tobytes())
        chance = np.zeros(rows.size)
        chance[is_free] = 4 * (np.frombuffer(drawn, np.uint64)[::2] / 2.0**64 - 0.5) ** 3
        return chance


def _rounded_months(
    counts: pl.DataFrame, family: Family, protection: Protection, key: PseudonymKey, memory: Memory
) -> tuple[pl.DataFrame, Memory]:
    """`counts` with the measures of a family rounded; a stratum is `measure|category`."""
    label = counts.select(pl.concat_str("measure", "category", separator="|")).to_series()
    strata = label.unique().sort().to_list()
    table = _Table(counts, strata, _positions(label, strata), *flat_nesting(len(strata)))
    margins = month_margins(family, strata, table.months, table.municipalities)
    rounded, memory = table.rounded(family, margins, protection, key, memory)
    return counts.with_columns(rounded), memory


def _side_by_side(counts: pl.DataFrame, family: Family) -> pl.DataFrame:
    """The measures of a family as columns, missing ones 0, under the name of the first; municipality × month."""
    of_family = counts.filter(pl.col("measure").is_in(family.measures))
    wide = (
        of_family.group_by("municipality_code", "month")
        .agg(
            *(pl.col("n").filter(pl.col("measure") == name).sum().alias(name) for name in family.measures),
            pl.col("n_person").max(),
        )
        .sort("municipality_code", "month")
    )
    return wide.with_columns(pl.lit(family.name).alias("measure"), pl.lit("").alias("category"))


def _month_of_day(first: int, last: int) -> npt.NDArray[np.int32]:
    """Year · 12 + month − 1 of each day from one to another, days since 1970."""
    days = np.arange(first, last + 1).astype("datetime64[D]")
    return (days.astype("datetime64[M]").astype(np.int32) + 1970 * 12).astype(np.int32)


def _positions(labels: pl.Series, among: Sequence[Any]) -> npt.NDArray[np.int32]:
    """Where each label stands in a sequence of all there are."""
    if labels.dtype == pl.String:
        labels = labels.cast(pl.Enum(among))
    if isinstance(labels.dtype, pl.Enum):
        place_of = {label: place for place, label in enumerate(among)}
        position = np.array([place_of.get(label, -1) for label in labels.dtype.categories], np.int32)
        return position[labels.to_physical().to_numpy()]
    position = np.full(max(among) + 1, -1, np.int32)
    position[list(among)] = np.arange(len(among))
    return position[labels.to_numpy()]


def _keyed(label: str, key: PseudonymKey) -> int:
    digest = hashlib.blake2b(label.encode(), key=key.secret, digest_size=8, person=b"protection").digest()
    return int.from_bytes(digest, "little")

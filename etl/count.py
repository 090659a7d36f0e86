"""From stays to counts: municipality × month × sex × age band × diagnosis group. True counts, never published as such.

What is counted is an event: a stay that begins (in the month and municipality of its start) or an index admission that
ends (rule R3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from etl.contact import NOTHING, Columns, distinct
from etl.parse import EPOCH
from kpis.period import add_months
from kpis.release import AGE_BANDS

# what an event counts as; one byte
STAY, ADMISSION, ACUTE, SHORT, INDEX, READMISSION, OPEN = (1 << bit for bit in range(7))
MEASURES = {
    "n_stay": STAY,
    "n_admission": ADMISSION,
    "n_acute": ACUTE,
    "n_short": SHORT,
    "n_index": INDEX,
    "n_readmission": READMISSION,
}
ALL = 0  # the number of the group of all diagnoses; the others follow
CONTACT_MEASURES = ("n_contact", "n_contact_timely", "n_contact_coded", "n_contact_dated")
SEXES = 2
AGE_CLASSES = (0, 18, 65)


@dataclass(frozen=True)
class Grid:
    """The cells that are counted: months from `first` × municipalities × sexes × age bands, numbered in that order.

    A later month adds cells behind those there are, and leaves their numbers.
    """

    municipalities: tuple[str, ...]
    first: date
    n_months: int

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return len(self.municipalities) * self.n_months * SEXES * len(AGE_BANDS)

    @cached_property
    def months(self) -> list[date]:
        """The first day of each month."""
        return [add_months(self.first, number) for number in range(self.n_months)]

    @cached_property
    def _municipality(self) -> NDArray[np.int32]:
        places = np.full(10_000, NOTHING, dtype=np.int32)
        places[[int(code) for code in self.municipalities]] = np.arange(len(self.municipalities))
        return places

    @cached_property
    def _month_of_day(self) -> NDArray[np.int32]:
        """By days since the epoch; the last entry stands for all days after the data period."""
        starts = [(month - EPOCH.date()).days for month in [*self.months, add_months(self.first, self.n_months)]]
        places = np.full(starts[-1] + 1, NOTHING, dtype=np.int32)
        for number, (start, end) in enumerate(pairwise(starts)):
            places[max(start, 0) : end] = number
        return places

    def month_of(self, minute: NDArray[np.integer]) -> NDArray[np.int32]:
        """The number of the month; NOTHING outside the data period."""
        days = self._month_of_day
        found: NDArray[np.int32] = days[np.clip(minute // 1440, 0, len(days) - 1)]
        return found

    def place_of(self, municipality: NDArray[np.integer]) -> NDArray[np.int32]:
        """The number of the municipality."""
        found: NDArray[np.int32] = self._municipality[municipality]
        return found

    def cells(self, stays: Columns, minute: NDArray[np.integer]) -> NDArray[np.int32]:
        """The cell of each stay by one of its points in time; NOTHING outside the data period."""
        month = self.month_of(minute)
        cell = month * len(self.municipalities) + self.place_of(stays["municipality"])
        cell = (cell * SEXES + (stays["sex"] - 1)) * len(AGE_BANDS) + _BAND_OF_AGE[stays["age"]]
        return np.where(month == NOTHING, NOTHING, cell)

    def months_and_municipalities(self, cell: NDArray[np.integer]) -> pl.DataFrame:
        """Municipality (of millions of cells: as an Enum) and month of numbers month × municipality."""
        month, municipality = np.divmod(cell, len(self.municipalities))
        return pl.DataFrame(
            {
                "municipality_code": pl.Series(self.municipalities, dtype=pl.Enum(self.municipalities)).gather(
                    municipality
                ),
                "month": pl.Series(self.months, dtype=pl.Date).gather(month),
            }
        )

    def named(self, cell: NDArray[np.integer]) -> pl.DataFrame:
        """Municipality, month, sex and age band of cells."""
        return self._names[cell]  # cells are looked up by the million

    @cached_property
    def _names(self) -> pl.DataFrame:
        rest, band = np.divmod(np.arange(self.n_cells), len(AGE_BANDS))
        rest, sex = np.divmod(rest, SEXES)
        return self.months_and_municipalities(rest).with_columns(
            pl.Series("sex", (sex + 1).astype(np.int8)),
            pl.Series("age_from", np.array(AGE_BANDS, dtype=np.int16)[band]),
        )


_BAND_OF_AGE = np.searchsorted(AGE_BANDS, np.arange(126), side="right").astype(np.int32) - 1


class Tally:
    """What adds up over parts of persons. `add_contacts` and `add_stays` for each part, then the tables.

    All diagnoses together are counted part by part, while the part is in the processor's cache. Events of a diagnosis
    that is in a group, the smaller part, are kept as a few bytes each and counted group by group at the end.
    """

    def __init__(self, grid: Grid, groups: dict[str, NDArray[np.bool_]], region_of: Mapping[str, str]) -> None:
        """Begin at zero.

        Args:
            grid: the cells.
            groups: by group id, which places of diagnoses belong to it. A stay is in `all` and in each group that its
                diagnosis belongs to.
            region_of: the region of each municipality, for lengths of stay.
        """
        self.grid = grid
        self._groups = groups
        self._in_a_group = np.r_[np.any([*groups.values()], axis=0), False] if groups else np.zeros(1, dtype=bool)
        self._lengths = LengthGrid(grid, region_of)
        self._contacts = np.zeros((len(CONTACT_MEASURES), len(grid.municipalities) * grid.n_months), np.int64)
        self._all = {name: np.zeros(grid.n_cells, np.int64) for name in (*MEASURES, "n_person")}
        self._all_lengths = _Lengths.zero(self._lengths.n_cells)
        self._events: dict[str, list[NDArray[np.integer]]] = {
            name: [] for name in ("cell", "diagnosis", "kind", "person", "is_again", "minutes")
        }
        self._n_persons = 0

    def add_contacts(self, contacts: Columns, timely_days: int) -> None:
        """Count valid contacts by municipality and month of start, whatever their type."""
        month = self.grid.month_of(contacts["start_minute"])
        cell = month * len(self.grid.municipalities) + self.grid.place_of(contacts["municipality"])
        start, end, reported = (contacts[f"{name}_minute"] for name in ("start", "end", "reported"))
        until = np.where(end == NOTHING, start, end) + timely_days * 1440
        is_dated = reported != NOTHING
        inside = month != NOTHING
        is_timely, is_coded = is_dated & (reported <= until), contacts["diagnosis"] != NOTHING
        for number, is_counted in enumerate((inside, inside & is_timely, inside & is_coded, inside & is_dated)):
            self._contacts[number] += np.bincount(cell[is_counted], minlength=self._contacts.shape[1])

    def add_stays(self, stays: Columns, is_index: NDArray[np.bool_], is_readmitted: NDArray[np.bool_]) -> None:
        """Count a part's stays; all stays of each of its persons."""
        events = self._events_of(stays, is_index, is_readmitted)
        for name, bit in MEASURES.items():
            self._all[name] += np.bincount(events["cell"][(events["kind"] & bit) != 0], minlength=self.grid.n_cells)
        is_again, n_person = _distinct(events["person"], events["cell"], self.grid.n_cells)
        self._all["n_person"] += n_person
        self._all_lengths += self._lengths.count(events)
        kept = np.flatnonzero(self._in_a_group[events["diagnosis"]])
        events["person"] += self._n_persons
        for name, values in (events | {"is_again": is_again}).items():
            self._events[name].append(values[kept])
        if stays["place_of_person"].size:
            self._n_persons += int(stays["place_of_person"][-1]) + 1

    def _events_of(self, stays: Columns, is_index: NDArray[np.bool_], is_readmitted: NDArray[np.bool_]) -> Columns:
        is_acute = stays["is_admission"] & stays["is_acute"]
        begun = STAY + ADMISSION * stays["is_admission"] + ACUTE * is_acute + SHORT * stays["is_short"]
        begun += OPEN * stays["is_open"]
        at = np.flatnonzero(is_index)
        index = {name: stays[name][at] for name in ("municipality", "sex", "age")}
        events = {
            "cell": np.r_[
                self.grid.cells(stays, stays["start_minute"]), self.grid.cells(index, stays["end_minute"][at])
            ],
            "diagnosis": np.r_[stays["diagnosis"], stays["diagnosis"][at]],
            "kind": np.r_[begun, INDEX + READMISSION * is_readmitted[at]].astype(np.uint8),
            "person": np.r_[stays["place_of_person"], stays["place_of_person"][at]].astype(np.int32),
            "minutes": np.r_[stays["end_minute"] - stays["start_minute"], np.zeros(at.size, np.int64)].astype(np.int32),
        }
        inside = np.flatnonzero(events["cell"] != NOTHING)
        return {name: values[inside] for name, values in events.items()}

    def tables(self) -> dict[str, pl.DataFrame]:
        """What was counted, without cells in which nothing happened: the tables of KEYS that are told by cell.

        cube: MEASURES and n_person, the distinct persons behind whatever is counted in the cell. lengths: acute closed
        admissions, n_acute, n_person and minutes. contacts: CONTACT_MEASURES.
        """
        by_diagnosis = _ByDiagnosis({name: np.concatenate(parts) for name, parts in self._events.items()})
        self._events.clear()
        cubes = [_counted(self._all, "n_person", ALL)]
        lengths = [_counted(vars(self._all_lengths), "n_acute", ALL)]
        for group, members in enumerate(self._groups.values(), start=ALL + 1):
            events = by_diagnosis.of(members)
            cubes.append(self._cube_of_group(group, events))
            lengths.append(_counted(vars(self._lengths.count(events)), "n_acute", group))
        contacts = _counted(dict(zip(CONTACT_MEASURES, self._contacts, strict=True)), "n_contact")
        cube = pl.concat(cubes).cast({pl.Int64: pl.Int32})  # millions of small counts
        return {"cube": cube, "lengths": pl.concat(lengths), "contacts": contacts}

    def _cube_of_group(self, group: int, events: Columns) -> pl.DataFrame:
        # few of all cells hold anything of a group: only those are counted
        holds = np.zeros(self.grid.n_cells, dtype=bool)
        holds[events["cell"]] = True
        cell, place = np.flatnonzero(holds), (np.cumsum(holds) - 1)[events["cell"]]
        kind, again = events["kind"], events["is_again"]
        counts = {name: np.bincount(place[(kind & bit) != 0], minlength=cell.size) for name, bit in MEASURES.items()}
        persons_again = distinct(events["person"][again].astype(np.int64) * cell.size + place[again])
        counts["n_person"] = np.bincount(place[~again], minlength=cell.size)
        if cell.size:
            counts["n_person"] += np.bincount(persons_again % cell.size, minlength=cell.size)
        return _counted(counts, "n_person", group).with_columns(pl.Series("cell", cell.astype(np.int32)))


def _counted(counts: Mapping[str, NDArray[np.int64]], some: str, group: int | None = None) -> pl.DataFrame:
    """Rows of the cells in which `some` is not zero: (group and) cell, and the counts."""
    cell = np.flatnonzero(counts[some])
    keys: Columns = {} if group is None else {"group": np.full(cell.size, group, dtype=np.int16)}
    keys["cell"] = cell.astype(np.int32)
    return pl.DataFrame(keys | {name: values[cell] for name, values in counts.items()})


@dataclass
class _Lengths:
    """Acute closed admissions, their persons and minutes, by cell of a LengthGrid."""

    n_acute: NDArray[np.int64]
    n_person: NDArray[np.int64]
    minutes: NDArray[np.int64]

    @classmethod
    def zero(cls, n_cells: int) -> "_Lengths":
        return cls(*(np.zeros(n_cells, np.int64) for _ in range(3)))

    def __iadd__(self, other: "_Lengths") -> "_Lengths":
        self.n_acute += other.n_acute
        self.n_person += other.n_person
        self.minutes += other.minutes
        return self


class LengthGrid:
    """Year × region × age class: the cells of bed days, which are told by region only."""

    def __init__(self, grid: Grid, region_of: Mapping[str, str]) -> None:
        self.regions = sorted(set(region_of.values()))
        self.years = sorted({month.year for month in grid.months})
        region = np.array([self.regions.index(region_of[code]) for code in grid.municipalities])
        year = np.array([self.years.index(month.year) for month in grid.months])
        age_class = np.searchsorted(AGE_CLASSES, AGE_BANDS, side="right") - 1
        rest = np.add.outer(year * len(self.regions), region)[:, :, None, None] * len(AGE_CLASSES)
        self._cell_of = np.broadcast_to(rest + age_class, (*rest.shape[:2], SEXES, len(AGE_BANDS))).ravel()

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return len(self.regions) * len(self.years) * len(AGE_CLASSES)

    def count(self, events: Columns) -> _Lengths:
        """Count the acute closed admissions among events."""
        at = np.flatnonzero((events["kind"] & (ACUTE | OPEN)) == ACUTE)
        cell, person = self._cell_of[events["cell"][at]], events["person"][at]
        order = np.lexsort((person, cell))
        cell, person = cell[order], person[order]
        is_new = np.r_[np.ones(min(cell.size, 1), dtype=bool), (cell[1:] != cell[:-1]) | (person[1:] != person[:-1])]
        minutes = np.bincount(cell, weights=events["minutes"][at][order], minlength=self.n_cells)
        return _Lengths(
            np.bincount(cell, minlength=self.n_cells),
            np.bincount(cell[is_new], minlength=self.n_cells),
            minutes.astype(np.int64),
        )

    def named(self, cell: NDArray[np.integer]) -> pl.DataFrame:
        """Region, year and age class of cells."""
        rest, age_class = np.divmod(cell, len(AGE_CLASSES))
        year, region = np.divmod(rest, len(self.regions))
        return pl.DataFrame(
            {
                "region_code": pl.Series(self.regions, dtype=pl.String).gather(region),
                "year": np.array(self.years, dtype=np.int16)[year],
                "age_from": np.array(AGE_CLASSES, dtype=np.int16)[age_class],
            }
        )


class _ByDiagnosis:
    """Events in the order of their diagnoses, so that those of a group are a few slices."""

    def __init__(self, events: Columns) -> None:
        self.events = events
        diagnosis = events["diagnosis"] + 1
        small = diagnosis.size and diagnosis.max() < 1 << 16  # numbers of 16 bits are sorted in one pass
        order = np.argsort(diagnosis.astype(np.uint16) if small else diagnosis, kind="stable")
        self._sorted = {name: values[order] for name, values in events.items()}
        self._starts = np.searchsorted(self._sorted["diagnosis"], np.arange(diagnosis.max(initial=0) + 1))

    def of(self, members: NDArray[np.bool_]) -> Columns:
        """The events whose diagnosis is a member."""
        places = np.flatnonzero(members)
        places = places[places < len(self._starts)]
        ends = np.r_[self._starts[1:], len(self._sorted["cell"])]
        slices = [slice(self._starts[place], ends[place]) for place in places if ends[place] > self._starts[place]]
        return {
            name: np.concatenate([values[part] for part in slices]) if slices else values[:0]
            for name, values in self._sorted.items()
        }


def _distinct(
    person: NDArray[np.integer], cell: NDArray[np.integer], n_cells: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which events share person and cell with another one; and how many distinct persons each cell has.

    Events are those of stays and then those of index admissions, both in the order of persons.
    """
    begins = np.flatnonzero(person[1:] < person[:-1]) + 1
    n_first = int(begins[0]) if begins.size else len(person)
    is_again, n_person = np.zeros(len(person), dtype=bool), np.zeros(n_cells, np.int64)
    _count_distinct(person, cell, n_first, is_again, n_person)
    return is_again, n_person


@njit(cache=True)
def _count_distinct(person, cell, n_first, is_again, n_person):  # type: ignore[no-untyped-def]
    first, second = 0, n_first
    while first < n_first or second < len(person):
        of_first = first < n_first and (second == len(person) or person[first] <= person[second])
        one = person[first] if of_first else person[second]
        begin, begin_second = first, second
        while first < n_first and person[first] == one:
            first += 1
        while second < len(person) and person[second] == one:
            second += 1
        n, n_of_first = first - begin + second - begin_second, first - begin
        for number in range(n):
            at = begin + number if number < n_of_first else begin_second + number - n_of_first
            is_new = True
            for earlier in range(number):
                other = begin + earlier if earlier < n_of_first else begin_second + earlier - n_of_first
                if cell[other] == cell[at]:
                    is_again[other] = is_again[at] = True
                    is_new = False
            n_person[cell[at]] += is_new

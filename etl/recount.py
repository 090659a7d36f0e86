"""Counting a history again of which an earlier state was counted: only the persons whom a delivery or time touches.

Everything that is counted adds up over persons. So where the counts of an earlier state of the history are kept
(`Standing`), those of the present state are: what stood, and the touched persons as they are now, less the touched
persons as they were. Counting everything from the beginning gives the same.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from etl.contact import (
    NO_ID,
    NOTHING,
    Columns,
    Reports,
    Run,
    Wanted,
    distinct,
    first_of_each,
    in_order_of_persons,
    is_among,
    told_twice,
)
from etl.counting import KEYS, Counts, Surroundings, count
from etl.land import checksum_of
from etl.rules import rule_values
from etl.words import Both, told
from kpis.reference import load_codelists

STANDING = Path("build") / "standing"  # in the data folder
_LINK = ("person", "contact_id", "start_minute", "end_minute")  # what links reports with each other
_ARRAYS = ("ids_told_twice", "on_places", "dead", "death_minute")
CHECKSUMS = "checksums.json"  # of all other files of a Standing: a turned bit would be published for years

# Code and definitions that decide what is counted: counts made by others do not stand.
_DECIDE = ("contact.py", "stay.py", "count.py", "counting.py", "recount.py", "rules.toml",
           "sql/05_small_deliveries.sql", "sql/11_municipality.sql", "sql/11_diagnosis.sql")  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """Counts of an earlier state of the history, kept beside it in `build/standing`.

    Attributes:
        counts: the tables of KEYS.
        files: hashes of the contact files that were counted.
        as_of: the first minute after the data they were counted for.
        decided_by: see `fingerprint`.
        ids_told_twice: sorted ids of the contacts that had been told more than once.
        on_places, deaths: as in Surroundings.
    """

    counts: Counts
    files: frozenset[str]
    as_of: int
    decided_by: str
    ids_told_twice: NDArray[np.int64]
    on_places: NDArray[np.uint64]
    deaths: tuple[NDArray[np.uint64], NDArray[np.int64]]

    def write(self, folder: Path) -> None:
        """Keep the counts in `folder`, whole or not at all."""
        part = Path(tempfile.mkdtemp(prefix=".standing-", dir=folder.parent))
        for name, table in self.counts.items():
            table.write_ipc(part / f"{name}.arrow")
        for name, values in zip(_ARRAYS, (self.ids_told_twice, self.on_places, *self.deaths), strict=True):
            np.save(part / f"{name}.npy", values)
        facts = {"files": sorted(self.files), "as_of": self.as_of, "decided_by": self.decided_by}
        (part / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
        checksums = {path.name: checksum_of(path) for path in part.iterdir()}
        (part / CHECKSUMS).write_text(json.dumps(checksums), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)

    @classmethod
    def read(cls, folder: Path) -> "Standing | None":
        """What is kept in `folder`; None where nothing is, or not all of it as it was kept."""
        try:
            checksums = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
            if any(checksum_of(folder / name) != checksum for name, checksum in checksums.items()):
                return None
            facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
            counts = {name: pl.read_ipc(folder / f"{name}.arrow") for name in KEYS}
            ids_told_twice, on_places, *deaths = (np.load(folder / f"{name}.npy") for name in _ARRAYS)
            told_of = frozenset(facts["files"]), facts["as_of"], facts["decided_by"]
            return cls(counts, *told_of, ids_told_twice, on_places, (deaths[0], deaths[1]))
        except (OSError, ValueError, KeyError, EOFError, pl.exceptions.PolarsError):
            return None


def fingerprint(around: Surroundings, other_files: list[str]) -> str:
    """What counts depend on besides contacts and `as_of`: rules, code lists, code, the first month, and `other_files`.

    Args:
        around: the grid and the regions.
        other_files: hashes of the deliveries that bear on contacts: residence, diagnoses, deaths.
    """
    digest = hashlib.sha256()
    for name in _DECIDE:
        digest.update((Path(__file__).parent / name).read_bytes())
    lists = [(group.group_id, group.prefixes, group.excluded_prefixes) for c in load_codelists() for group in c.groups]
    facts = [lists, around.grid.municipalities, str(around.grid.first), dict(around.region_of), sorted(other_files)]
    digest.update(json.dumps(facts).encode())
    return digest.hexdigest()


# Bits of the periods at whose beginning a person has a report: across it, short before it, short after it. Where there
# is one across, or one before and one after, what is counted may look from one period into the other.
_JOINED = ("across", "before", "after")
_FIRST_YEAR, _MOST_PERIODS = 2000, 64  # a bit each


@dataclass(frozen=True)
class Recount:
    """Counting a history again of which an earlier state stands."""

    reports: Reports
    around: Surroundings
    as_of: int
    standing: Standing

    def counts(self, progress: Callable[[Both], None]) -> Counts:
        """What stood, and what is touched as it is now, less what is touched as it was."""
        progress(told("stage.touched"))
        reports = self.reports.taken(self._touched)
        before = replace(self.around, on_places=self.standing.on_places, deaths=self.standing.deaths)
        then = count(reports.only(self._old_files), before, self.standing.as_of)
        now = count(reports, self.around, self.as_of, progress)
        stood = self.standing.counts
        return {
            name: (_sum_of_cells if "cell" in keys else _sum)(stood[name], now[name], then[name], keys)
            for name, keys in KEYS.items()
        }

    @property
    def ids_told_twice(self) -> NDArray[np.int64]:
        """Sorted ids of contacts that have been told more than once, told by what is new."""
        again = self._links["contact_id"][is_among(self._links["contact_id"], self._new_ids)]
        return distinct(np.r_[self.standing.ids_told_twice, told_twice([self._new["contact_id"]]), again])

    @cached_property
    def _old_files(self) -> set[int]:
        return {number for number, sha256 in self.around.sha256.items() if sha256 in self.standing.files}

    @cached_property
    def _old(self) -> Reports:
        return self.reports.only(self._old_files)

    @cached_property
    def _new(self) -> Columns:
        """_LINK of the new reports."""
        new = self.reports.only({*self.around.sha256} - self._old_files)
        return new.at(np.arange(len(new)), _LINK)

    @cached_property
    def _new_ids(self) -> NDArray[np.int64]:
        ids = distinct(self._new["contact_id"])
        return ids[ids != NO_ID]

    @cached_property
    def _told_again(self) -> NDArray[np.int64]:
        """Sorted ids of the contacts that may be told more than once, now or then."""
        return distinct(np.r_[self.standing.ids_told_twice, self._new_ids])

    @cached_property
    def _links(self) -> Columns:
        """_LINK of the old reports of contacts that are told more than once."""
        return self._old.at(self._old.with_one_of(self._told_again), _LINK)

    @cached_property
    def _in_time(self) -> Columns:
        """Person, start and end of the old reports that the passing of time touches.

        When time has passed, it touches an open contact, a start that lay in the future, and an end after which 30
        days had not passed.
        """
        as_of = self.standing.as_of
        watched_since = as_of - (rule_values()["follow_up_days"] + 1) * 1440

        def touched(run: Run) -> NDArray[np.int64]:
            return _touched_by_time(run.get("start_minute"), run.get("end_minute"), watched_since, as_of)

        has_passed = self.as_of != as_of
        places = self._old.places(touched) if has_passed else np.empty(0, np.int64)
        return self._old.at(places, ("person", "start_minute", "end_minute"))

    @cached_property
    def _tied(self) -> NDArray[np.uint64]:
        """The persons, sorted, all of whose reports may count otherwise than they did.

        Those who are new on acute places, whose death is told anew, or who share a contact with a touched person.
        """
        death, minute = self.around.deaths
        known, known_minute = self.standing.deaths
        at = np.minimum(np.searchsorted(known, death), max(known.size - 1, 0))
        is_known = known_minute[at] == minute if known.size else np.zeros(death.size, bool)
        new_deaths = death[~(is_among(death, known) & is_known)]
        tied = np.r_[np.setdiff1d(self.around.on_places, self.standing.on_places), new_deaths]
        touched = distinct(np.r_[self._new["person"], self._in_time["person"], tied])
        person, ids = _told_of_several(
            *(np.r_[self._links[name], self._new[name]] for name in ("person", "contact_id"))
        )
        while True:
            of_touched = distinct(ids[is_among(person, touched)])
            more = distinct(np.r_[touched, person[is_among(ids, of_touched)]])
            if more.size == touched.size:
                return distinct(np.r_[tied, person[is_among(ids, of_touched)]])
            touched = more

    @cached_property
    def _touched(self) -> NDArray[np.int64]:
        """Places of the reports that may count otherwise than they did, or that bear on such a report.

        Of most persons who are touched at all that is only what is recent: all since the beginning of a period before
        which the person's reports lie apart from those after it by more than anything that is counted looks across.
        Persons are told apart within years at most, so periods begin with a year; of whom only the 30 days after a
        stay have passed no stay counts otherwise, only what followed it, and theirs begin with a month.
        """
        new, in_time, tied = self._new, self._in_time, self._tied
        person = np.r_[new["person"], in_time["person"], tied]
        since = np.r_[new["start_minute"], in_time["start_minute"], np.zeros(tied.size, np.int32)]
        is_followed = (in_time["end_minute"] != NOTHING) & (in_time["start_minute"] < self.standing.as_of)
        may_count = np.r_[np.ones(len(new["person"]), bool), ~is_followed, np.ones(tied.size, bool)]
        order = in_order_of_persons(person)
        person, since, may_count = person[order], since[order], may_count[order]
        first = first_of_each(person)
        wanted = Wanted(person[first])
        if first.size:
            since, may_count = np.minimum.reduceat(since, first), np.logical_or.reduceat(may_count, first)
        values = rule_values()
        apart = (values["follow_up_days"] + 1) * 1440 + values["gap_minutes"]
        period_of_day, begins_a_year = _periods(self.as_of)
        joined = np.zeros((len(_JOINED), first.size), np.uint64)

        # of what is told of one contact one report counts: they lie together, to its last end
        again = {name: np.r_[self._links[name], new[name]] for name in _LINK}
        at, which = wanted.found(again["person"])
        end = _last_of_each(again["contact_id"][at], _until(again["start_minute"][at], again["end_minute"][at]))
        _join(which, again["start_minute"][at], end, apart, period_of_day, joined)

        found_of: list[NDArray[np.int32]] = []
        period_of: list[NDArray[np.uint8]] = []

        def theirs(run: Run) -> NDArray[np.int64]:
            at, which = wanted.found(run.get("person"))
            start, end = run.get("start_minute", at), run.get("end_minute", at)
            found_of.append(which)
            period_of.append(_join(which, start, _until(start, end), apart, period_of_day, joined))
            return at

        places = self.reports.places(theirs)
        first_period = _first_periods(since, may_count, period_of_day, begins_a_year, joined)
        bears = (
            np.concatenate([np.empty(0, np.uint8), *period_of])
            >= first_period[np.concatenate([np.empty(0, np.int32), *found_of])]
        )
        return places[bears]


def _told_of_several(
    person: NDArray[np.uint64], ids: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Persons and ids of the contacts that are told of more than one person."""
    order = np.argsort(ids)
    person, ids = person[order], ids[order]
    of_several = distinct(ids[1:][(ids[1:] == ids[:-1]) & (person[1:] != person[:-1])])
    at = is_among(ids, of_several) & (ids != NO_ID)
    return person[at], ids[at]


def _last_of_each(ids: NDArray[np.int64], end: NDArray[np.int32]) -> NDArray[np.int32]:
    """The latest end of all that share an id, one entry an end."""
    order = np.argsort(ids)
    first = first_of_each(ids[order])
    last = np.empty_like(end)
    if ids.size:
        last[order] = np.repeat(np.maximum.reduceat(end[order], first), np.diff(np.r_[first, ids.size]))
    return last


@njit(cache=True)
def _touched_by_time(start, end, watched_since, as_of):  # type: ignore[no-untyped-def]
    found = np.empty(len(start), np.int64)
    n = 0
    for at in range(len(start)):
        if end[at] == NOTHING or end[at] >= watched_since or start[at] >= as_of:
            found[n] = at
            n += 1
    return found[:n].copy()


def _until(start: NDArray[np.int32], end: NDArray[np.int32]) -> NDArray[np.int32]:
    """Ends, none before its start; of an open contact the end of all time."""
    return np.where(end == NOTHING, np.int32(2**31 - 1), np.maximum(start, end))


def _periods(as_of: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The period of each day since 2000, and which periods begin with a year.

    Years, and since the New Year before last months, seen from `as_of`; what comes later is of the last one.
    """
    day = np.arange(366 * (_MOST_PERIODS + 1))
    date = np.datetime64(f"{_FIRST_YEAR}-01-01") + day
    year, month = (date.astype(f"datetime64[{unit}]").astype(int) for unit in "YM")
    first_month = 12 * (year[min(max(as_of // 1440, 0), day.size - 1)] - 1)
    period = year - year[0] + np.maximum(month - first_month, 0) - np.maximum(year - first_month // 12, 0)
    period = np.minimum(period, _MOST_PERIODS - 1)
    begins = np.searchsorted(period, np.arange(period[-1] + 1))
    return period.astype(np.uint8), month[begins] % 12 == 0


@njit(cache=True)
def _period(minute, period_of_day):  # type: ignore[no-untyped-def]
    return period_of_day[min(max(minute // 1440, 0), len(period_of_day) - 1)]


@njit(cache=True)
def _bits(after, until):  # type: ignore[no-untyped-def]
    """A bit for each period after one and until another."""
    bits = np.uint64(0)
    for period in range(after + 1, until + 1):
        bits |= np.uint64(1) << np.uint64(period)
    return bits


@njit(cache=True)
def _join(which, start, end, apart, period_of_day, joined):  # type: ignore[no-untyped-def]
    """Note beginnings of periods that persons' reports lie across or near to (see _JOINED); periods of the starts."""
    periods = np.empty(len(which), np.uint8)
    for at in range(len(which)):
        earliest, latest = _period(start[at] - apart, period_of_day), _period(end[at] + apart, period_of_day)
        periods[at] = earliest
        if earliest < latest:
            first, last = _period(start[at], period_of_day), _period(end[at], period_of_day)
            joined[0, which[at]] |= _bits(first, last)
            joined[1, which[at]] |= _bits(last, latest)
            joined[2, which[at]] |= _bits(earliest, first)
            periods[at] = first
    return periods


@njit(cache=True)
def _first_periods(since, within_years, period_of_day, begins_a_year, joined):  # type: ignore[no-untyped-def]
    """The period of each person before which nothing bears on what began at `since` or later."""
    found = np.empty(len(since), np.uint8)
    for at in range(len(since)):
        period = _period(since[at], period_of_day)
        together = joined[0, at] | (joined[1, at] & joined[2, at])
        while together >> np.uint64(period) & np.uint64(1) or (within_years[at] and not begins_a_year[period]):
            period -= 1
        found[at] = period
    return found


def _sum(stood: pl.DataFrame, now: pl.DataFrame, then: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """What stood, and what is counted now less what was counted then; without rows in which nothing is left."""
    counts = [name for name in stood.columns if name not in keys]
    all_ = pl.concat([stood, now, then.with_columns(-pl.col(counts))], how="vertical_relaxed")
    total = all_.group_by(keys, maintain_order=True).agg(pl.col(counts).sum())
    return total.filter(pl.any_horizontal(pl.col(counts) != 0)).cast(dict(stood.schema))  # type: ignore[arg-type]


def _sum_of_cells(stood: pl.DataFrame, now: pl.DataFrame, then: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The same of tables by cell, which are in the order of their keys and stay so: millions of rows."""
    counts = [name for name in stood.columns if name not in keys]
    both = pl.concat([now, then.with_columns(-pl.col(counts))])
    places = _places(both, keys)
    order = np.argsort(places, kind="stable")  # quick: two that are in order
    first = first_of_each(places[order])
    if not first.size:
        return stood
    change = {name: np.add.reduceat(both[name].to_numpy()[order], first) for name in counts}
    moved = np.flatnonzero(np.any([*change.values()], axis=0))
    row = order[first[moved]]

    known = _places(stood, keys)
    at = np.searchsorted(known, places[row])
    is_new = np.r_[known, -1][at] != places[row]
    is_left = np.zeros(len(stood) + int(is_new.sum()), dtype=bool)
    total = {}
    for name in stood.columns:
        values, more = stood[name].to_numpy(), both[name].to_numpy()[row]
        if name in change:
            values, more = values.copy(), change[name][moved]
            values[at[~is_new]] += more[~is_new]
        total[name] = np.insert(values, at[is_new], more[is_new])
        if name in change:
            is_left |= total[name] != 0
    return pl.DataFrame(total, schema=stood.schema).filter(is_left)


def _places(table: pl.DataFrame, keys: list[str]) -> NDArray[np.int64]:
    """One number for the keys of each row, in their order."""
    place = table[keys[0]].to_numpy().astype(np.int64)
    for name in keys[1:]:
        place = (place << 32) | table[name].to_numpy()
    return place

"""Counting a history again of which an earlier state was counted: only the persons whom a delivery or time touches.

Everything that is counted adds up over persons. So where the counts of an earlier state of the history are kept
(`Standing`), those of the present state are: what stood, and the touched persons as they are now, less the touched
persons as they were. Counting everything from the beginning gives the same.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
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
)
from etl.count import Grid
from etl.counting import KEYS, Counts, Surroundings, count
from etl.land import checksum_of
from etl.rules import rule_values
from etl.words import Both, told
from kpis.reference import load_codelists

STANDING = Path("build") / "standing"  # in the data folder
LINK = ("person", "contact_id", "start_minute", "end_minute")  # what links reports with each other
_ARRAYS = ("on_places", "dead", "death_minute")
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
        told_twice: LINK of all reports of the contacts that had been told more than once, in the order of their ids.
        on_places, deaths: as in Surroundings.
    """

    counts: Counts
    files: frozenset[str]
    as_of: int
    decided_by: str
    told_twice: Columns
    on_places: NDArray[np.uint64]
    deaths: tuple[NDArray[np.uint64], NDArray[np.int64]]

    def leads_to(self, decided_by: str, files: frozenset[str], as_of: int) -> bool:
        """Whether the state of a history that these tell of can be counted from this one, which is part of it."""
        return self.decided_by == decided_by and self.files <= files and self.as_of <= as_of

    def write(self, folder: Path) -> None:
        """Keep the counts in `folder`, whole or not at all."""
        part = Path(tempfile.mkdtemp(prefix=".standing-", dir=folder.parent))
        for name, table in self.counts.items():
            table.write_ipc(part / f"{name}.arrow")
        pl.DataFrame(self.told_twice).write_ipc(part / "told_twice.arrow")
        for name, values in zip(_ARRAYS, (self.on_places, *self.deaths), strict=True):
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
            counts = {name: _mapped(folder / f"{name}.arrow") for name in KEYS}
            told_twice = {column.name: column.to_numpy() for column in _mapped(folder / "told_twice.arrow")}
            on_places, *deaths = (np.load(folder / f"{name}.npy") for name in _ARRAYS)
            told_of = frozenset(facts["files"]), facts["as_of"], facts["decided_by"]
            return cls(counts, *told_of, told_twice, on_places, (deaths[0], deaths[1]))
        except (OSError, ValueError, KeyError, EOFError, pa.ArrowException):
            return None


def _mapped(path: Path) -> pl.DataFrame:
    """A table of numbers as it lies in a file, which is mapped and not read."""
    with pa.memory_map(str(path)) as mapped:
        table = pl.from_arrow(pa.ipc.open_file(mapped).read_all())
    assert isinstance(table, pl.DataFrame)
    return table


def in_order_of_ids(links: Columns) -> Columns:
    """LINK of reports in the order of their contacts' ids."""
    order = np.argsort(links["contact_id"], kind="stable")  # quick where most are in order
    return {name: values[order] for name, values in links.items()}


def fingerprint(grid: Grid, region_of: Mapping[str, str], other_files: list[str]) -> str:
    """What counts depend on besides contacts and `as_of`: rules, code lists, code, the first month, and `other_files`.

    Args:
        grid, region_of: as in Surroundings.
        other_files: hashes of the deliveries that bear on contacts: residence, diagnoses, deaths.
    """
    digest = hashlib.sha256()
    for name in _DECIDE:
        digest.update((Path(__file__).parent / name).read_bytes())
    lists = [(group.group_id, group.prefixes, group.excluded_prefixes) for c in load_codelists() for group in c.groups]
    facts = [lists, grid.municipalities, str(grid.first), dict(region_of), sorted(other_files)]
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
    def told_twice(self) -> Columns:
        """LINK of all reports of contacts that have been told more than once, told by what is new."""
        ids = self._links_and_new["contact_id"]
        is_as_next = np.r_[ids[1:] == ids[:-1], False][: ids.size]
        is_told_twice = is_as_next | np.r_[False, is_as_next[:-1]][: ids.size]
        return {name: values[is_told_twice] for name, values in self._links_and_new.items()}

    @cached_property
    def _old_files(self) -> set[int]:
        return {number for number, sha256 in self.around.sha256.items() if sha256 in self.standing.files}

    @cached_property
    def _old(self) -> Reports:
        return self.reports.only(self._old_files)

    @cached_property
    def _new(self) -> Columns:
        """LINK of the new reports."""
        new = self.reports.only({*self.around.sha256} - self._old_files)
        return new.at(np.arange(len(new)), LINK)

    @cached_property
    def _links_and_new(self) -> Columns:
        """LINK of the new reports, and of the old ones of contacts that may be told more than once, now or then.

        In the order of their ids; reports without one are linked with no other.
        """
        known, new = self.standing.told_twice, self._new
        first_told_again = distinct(new["contact_id"])
        first_told_again = first_told_again[~is_among(first_told_again, known["contact_id"])]
        found = self._old.at(self._old.with_one_of(first_told_again[first_told_again != NO_ID]), LINK)
        ids = np.r_[known["contact_id"], found["contact_id"], new["contact_id"]]
        has_id = ids != NO_ID
        return in_order_of_ids({name: np.r_[known[name], found[name], new[name]][has_id] for name in LINK})

    @cached_property
    def _open_since(self) -> int:
        """What has been open since before this minute was held back then (C2-open), and is now."""
        return self.standing.as_of - rule_values()["open_contact_max_days"] * 1440

    @cached_property
    def _in_time(self) -> Columns:
        """Person and start of the old reports that the passing of time touches, and whether they may count otherwise.

        When time has passed, it touches an open contact, a start that lay in the future, and an admission after which
        30 days had not passed: that one counts as it did, and only what followed it counts otherwise. Who has no
        contacts that could make an admission, all taken together, has none.
        """
        values, as_of = rule_values(), self.standing.as_of
        watched_since = as_of - (values["follow_up_days"] + 1) * 1440
        # of an admission that began earlier, the contacts that end after this are long enough together to show it
        looked_at_since = watched_since - values["admission_minutes"] - values["gap_minutes"]

        def some(run: Run) -> NDArray[np.int64]:
            start, end = run.get("start_minute"), run.get("end_minute")
            at: NDArray[np.int64] = _touched_by_time(start, end, looked_at_since, self._open_since, as_of)
            return at[run.get("rule", at) == NOTHING]

        places = self._old.places(some) if self.as_of != as_of else np.empty(0, np.int64)
        found = self._old.at(places, ("person", "start_minute", "end_minute", "is_physical", "is_cancelled"))
        start, end = found["start_minute"], found["end_minute"]
        may_count = (end == NOTHING) | (start >= as_of)
        closed = np.flatnonzero(~may_count & found["is_physical"] & ~found["is_cancelled"])
        closed = closed[in_order_of_persons(found["person"][closed])]
        first = first_of_each(found["person"][closed])
        if first.size:
            together = np.maximum.reduceat(end[closed], first) - np.minimum.reduceat(start[closed], first)
            is_long = np.repeat(together >= values["admission_minutes"], np.diff(np.r_[first, closed.size]))
            closed = closed[is_long & (end[closed] >= watched_since)]
        touched = np.r_[np.flatnonzero(may_count), closed]
        found |= {"may_count": may_count}
        return {name: found[name][touched] for name in ("person", "start_minute", "may_count")}

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
        person, ids = _told_of_several(self._links_and_new)
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
        may_count = np.r_[np.ones(len(new["person"]), bool), in_time["may_count"], np.ones(tied.size, bool)]
        order = in_order_of_persons(person)
        person, since, may_count = person[order], since[order], may_count[order]
        first = first_of_each(person)
        wanted = Wanted(person[first])
        if first.size:
            since, may_count = np.minimum.reduceat(since, first), np.logical_or.reduceat(may_count, first)
        near = _Near.of(self.as_of, self._open_since, first.size)

        # of what is told of one contact one report counts: they lie together, to its last end
        again = self._links_and_new
        at, which = wanted.found(again["person"])
        start = again["start_minute"][at]
        near.note(which, start, _last_of_each(again["contact_id"][at], near.until(start, again["end_minute"][at])))

        # most persons lie apart before what is recent, so that what is older is not looked up for them
        recent = self._found(wanted, np.arange(first.size), near, is_recent=True)
        earlier = np.flatnonzero(near.first_periods(since, may_count) < near.periods.first_month)
        older = self._found(Wanted(person[first][earlier]), earlier, near, is_recent=False)
        first_period = near.first_periods(since, may_count)
        bear = [places[period >= first_period[which]] for places, which, period in (recent, older)]
        return np.sort(np.concatenate(bear), kind="stable")

    def _found(
        self, wanted: Wanted, number: NDArray[np.integer], near: "_Near", *, is_recent: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.integer], NDArray[np.uint8]]:
        """Places of the wanted persons' reports, the number of each one's person, and its period; they are noted.

        Of what is recent all that lasts until short before the first month or longer, or else all other reports.
        """
        whose: list[NDArray[np.integer]] = [np.empty(0, np.int64)]
        when = [np.empty(0, np.uint8)]

        def theirs(run: Run) -> NDArray[np.int64]:
            start, end = run.get("start_minute"), run.get("end_minute")
            lasts_until = near.periods.first_month_minute - near.minutes
            some = _places_by_end(start, end, near.open_since, lasts_until, is_recent)
            of_some, which = wanted.found(run.get("person", some))
            at = some[of_some]
            whose.append(number[which])
            when.append(near.note(number[which], start[at], near.until(start[at], end[at])))
            return at

        return self.reports.places(theirs), np.concatenate(whose), np.concatenate(when)


@dataclass(frozen=True)
class _Near:
    """Where persons have reports at the beginning of a period, or near to it.

    Attributes:
        periods: of time.
        minutes: what is no further apart may be counted together.
        open_since: what is open since earlier is held back, and joins nothing.
        joined: by _JOINED and person, a bit for each period.
    """

    periods: "_Periods"
    minutes: int
    open_since: int
    joined: NDArray[np.uint64]

    @classmethod
    def of(cls, as_of: int, open_since: int, n_persons: int) -> "_Near":
        """Nothing noted yet."""
        values = rule_values()
        minutes = (values["follow_up_days"] + 1) * 1440 + values["gap_minutes"]
        return cls(_Periods.seen_from(as_of), minutes, open_since, np.zeros((len(_JOINED), n_persons), np.uint64))

    def until(self, start: NDArray[np.int32], end: NDArray[np.int32]) -> NDArray[np.int32]:
        """Ends, none before its start; of an open contact the end of all time, if it is not held back."""
        is_open, is_held_back = end == NOTHING, start < self.open_since
        return np.where(is_open & ~is_held_back, np.int32(2**31 - 1), np.maximum(start, end))

    def note(self, which: NDArray[np.integer], start: NDArray[np.int32], end: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Note reports of persons told by their numbers; return the period of each one's start."""
        periods: NDArray[np.uint8] = _join(which, start, end, self.minutes, self.periods.of_day, self.joined)
        return periods

    def first_periods(self, since: NDArray[np.int32], within_years: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """The period of each person before which nothing that is noted bears on what began at `since` or later."""
        of_day, begins_a_year = self.periods.of_day, self.periods.begins_a_year
        found: NDArray[np.uint8] = _first_periods(since, within_years, of_day, begins_a_year, self.joined)
        return found


def _told_of_several(links: Columns) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Persons and ids of the contacts that are told of more than one person; `links` in the order of ids."""
    person, ids = links["person"], links["contact_id"]
    first = first_of_each(ids)
    if not first.size:
        return person, ids
    is_of_several = np.minimum.reduceat(person, first) != np.maximum.reduceat(person, first)
    at = np.repeat(is_of_several, np.diff(np.r_[first, ids.size]))
    return person[at], ids[at]


def _last_of_each(ids: NDArray[np.int64], end: NDArray[np.int32]) -> NDArray[np.int32]:
    """The latest end of all that share an id, one entry an end; `ids` are in order."""
    first = first_of_each(ids)
    return np.repeat(np.maximum.reduceat(end, first), np.diff(np.r_[first, ids.size])) if ids.size else end


@njit(cache=True)
def _touched_by_time(start, end, ends_since, open_since, as_of):  # type: ignore[no-untyped-def]
    found = np.empty(len(start), np.int64)
    n = 0
    for at in range(len(start)):
        if end[at] >= ends_since or start[at] >= as_of or (end[at] == NOTHING and start[at] >= open_since):
            found[n] = at
            n += 1
    return found[:n].copy()


class _Periods(NamedTuple):
    """Years, and since the New Year before last months; what comes after the last one is of it.

    Attributes:
        of_day: the period of each day since 2000.
        begins_a_year: which periods do.
        first_month: the first period that is a month, and
        first_month_minute: when it begins.
    """

    of_day: NDArray[np.uint8]
    begins_a_year: NDArray[np.bool_]
    first_month: int
    first_month_minute: int

    @classmethod
    def seen_from(cls, as_of: int) -> "_Periods":
        """The periods seen from the end of the data."""
        day = np.arange(366 * (_MOST_PERIODS + 1))
        date = np.datetime64(f"{_FIRST_YEAR}-01-01") + day
        year, month = (date.astype(f"datetime64[{unit}]").astype(int) for unit in "YM")
        year_before = year[min(max(as_of // 1440, 0), day.size - 1)] - 1
        first_month = 12 * year_before
        period = year - year[0] + np.maximum(month - first_month, 0) - np.maximum(year - year_before, 0)
        period = np.minimum(period, _MOST_PERIODS - 1)
        begins = np.searchsorted(period, np.arange(period[-1] + 1))
        is_month_since = int(np.searchsorted(month, first_month))
        return cls(period.astype(np.uint8), month[begins] % 12 == 0, int(period[is_month_since]), is_month_since * 1440)


@njit(cache=True)
def _places_by_end(start, end, open_since, minute, is_later):  # type: ignore[no-untyped-def]
    """Places of what ends at a minute or later, or is open (and not held back); or else of all others."""
    found = np.empty(len(start), np.int64)
    n = 0
    for at in range(len(start)):
        found[n] = at  # without a branch, which a processor could not foresee
        is_open = (end[at] == NOTHING) & (start[at] >= open_since)
        n += np.int64((is_open | (max(start[at], end[at]) >= minute)) == is_later)
    return found[:n].copy()


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
    """See _Near."""
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
    """See _Near."""
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
    change = _added_up([now, then.with_columns(-pl.col(counts))], keys, stood.schema)
    moved = _added_up([stood.join(change, on=keys, how="semi"), change], keys, stood.schema)
    return pl.concat([stood.join(change, on=keys, how="anti"), moved])


def _added_up(tables: list[pl.DataFrame], keys: list[str], schema: pl.Schema) -> pl.DataFrame:
    """Counts summed by keys, without rows in which nothing is left."""
    counts = [name for name in schema if name not in keys]
    total = pl.concat([table.cast(dict(schema)) for table in tables]).group_by(keys).agg(pl.col(counts).sum())  # type: ignore[arg-type]
    return total.filter(pl.any_horizontal(pl.col(counts) != 0)).cast(dict(schema))  # type: ignore[arg-type]


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
    is_known = places[row] == (known[np.minimum(at, known.size - 1)] if known.size else -1)
    told = {name: both[name].to_numpy()[row] for name in keys} | {name: change[name][moved] for name in counts}
    for name in counts:
        told[name][is_known] += stood[name].to_numpy()[at[is_known]]
    is_left = np.any([told[name] for name in counts], axis=0)
    # made here, where NumPy asks for large pages
    columns = {
        name: np.empty(stood.height - is_known.sum() + is_left.sum(), values.dtype) for name, values in told.items()
    }
    for name, spliced in columns.items():
        _splice(stood[name].to_numpy(), at, is_known, told[name], is_left, spliced)
    return pl.DataFrame(columns, schema=stood.schema)


@njit(cache=True)
def _splice(values, at, is_known, told, is_left, spliced):  # type: ignore[no-untyped-def]
    """`values` with what is told put in at places (sorted), in the stead of what is known there; what is left of it."""
    done, n = 0, 0
    for number in range(len(at)):
        for place in range(done, at[number]):
            spliced[n] = values[place]
            n += 1
        done = at[number] + is_known[number]
        if is_left[number]:
            spliced[n] = told[number]
            n += 1
    spliced[n:] = values[done:]


def _places(table: pl.DataFrame, keys: list[str]) -> NDArray[np.int64]:
    """One number for the keys of each row, in their order."""
    place = table[keys[0]].to_numpy().astype(np.int64)
    for name in keys[1:]:
        place <<= 32
        place |= table[name].to_numpy()
    return place

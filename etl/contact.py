"""Contacts: of every contact its newest report, judged by the rules C1–C4, as columns of numbers.

A national history is some 25 million reports. They lie as columns in landed files, which are mapped into memory and
not read (`landed_reports`), and are worked on in parts that hold all reports of their persons: each part's arrays stay
in the processor's cache.

    person u64 · contact_id i64 · start_minute end_minute reported_minute i32 · municipality age i16 · sex i8 ·
    is_physical is_acute is_cancelled bool · diagnosis rule i32 (places in the lists of words) · row i64 · delivery i32

NOTHING stands for null: no end (the contact is open), no time of report, no municipality, no diagnosis, no rule broken.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from etl.words import Problem, told

Columns = dict[str, NDArray[Any]]

NOTHING = -1
NO_ID = np.iinfo(np.int64).min
WORDS = ("diagnosis", "rule")  # columns of text; all others are numbers as they are landed
NUMBERS = (
    "person", "contact_id", "start_minute", "end_minute", "reported_minute", "municipality", "age", "sex",
    "is_physical", "is_acute", "is_cancelled", "row",
)  # fmt: skip
TRUTHS = ("is_physical", "is_acute", "is_cancelled")  # never null; a byte each in the file, so that they need no copy
CONTENT = [name for name in (*NUMBERS, *WORDS) if name not in ("contact_id", "row")]
LATER_RULES = ("C2-municipality", "C2-future", "C2-open")  # judged here, not at landing
SUFFIX = ".arrow"  # of landed contacts; versions before landed them as .parquet, with nulls


# How an array says that there is nothing, where a table has a null.
NULLS = dict.fromkeys(("start_minute", "end_minute", "reported_minute", "municipality", "age", "sex"), NOTHING)
NULLS |= {"person": 0, "contact_id": NO_ID}

NO_WORD = ""  # the first word of each landed list: there is none
_WORD = pa.dictionary(pa.int32(), pa.large_string())
SCHEMA = pa.schema(
    {
        "contact_id": pa.int64(), "person": pa.uint64(), "start_minute": pa.int32(), "end_minute": pa.int32(),
        "reported_minute": pa.int32(), "municipality": pa.int16(), "age": pa.int16(), "sex": pa.int8(),
        "is_physical": pa.uint8(), "is_acute": pa.uint8(), "diagnosis": _WORD, "is_cancelled": pa.uint8(),
        "row": pa.int64(), "rule": _WORD,
    }
)  # fmt: skip
DTYPES = {name: np.int32 if name in WORDS else SCHEMA.field(name).type.to_pandas_dtype() for name in (*NUMBERS, *WORDS)}
DTYPES |= dict.fromkeys(TRUTHS, np.bool_)


@dataclass(frozen=True)
class Run:
    """Reports of one delivery in the order of persons: a batch of a landed file, or some of it.

    Attributes:
        columns: NUMBERS and WORDS, one entry a report; words are told by the run's own numbers.
        places: by column of WORDS, the place of each of the run's own words in the lists of all; NOTHING of no word.
        delivery: number of the delivery.
    """

    columns: Columns
    places: dict[str, NDArray[np.int32]]
    delivery: int

    def __len__(self) -> int:
        return len(self.columns["person"])

    def get(self, name: str, at: Any = slice(None)) -> NDArray[Any]:
        """Values of a column, of all reports or of those at some places."""
        if name == "delivery":
            return np.full(len(self.columns["row"][at]), self.delivery, dtype=np.int32)
        values = self.columns[name][at]
        return self.places[name][values] if name in WORDS else values

    def taken(self, at: NDArray[np.integer]) -> "Run":
        """A copy of the reports at these places."""
        return replace(self, columns={name: values[at] for name, values in self.columns.items()})


@dataclass(frozen=True)
class Reports:
    """Reports of contacts, run after run; `diagnoses` is in alphabetical order."""

    runs: Sequence[Run]
    diagnoses: list[str]
    rules: list[str]

    def __len__(self) -> int:
        return int(self.begins[-1])

    @cached_property
    def begins(self) -> NDArray[np.int64]:
        """The place of each run's first report among all, and how many there are."""
        return np.cumsum([0, *map(len, self.runs)])

    @cached_property
    def told_twice(self) -> NDArray[np.int64]:
        """Places of all reports of contacts that stand more than once."""
        return self.with_one_of(_ids_told_twice([run.get("contact_id") for run in self.runs]))

    def only(self, deliveries: Collection[int]) -> "Reports":
        """The reports of these deliveries."""
        return replace(self, runs=[run for run in self.runs if run.delivery in deliveries])

    def taken(self, places: NDArray[np.int64]) -> "Reports":
        """A copy of the reports at these places (sorted) among all."""
        return replace(self, runs=[self.runs[number].taken(at) for number, _, at in self._within(places)])

    def with_one_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places among all of the reports whose contact id is one of these (distinct)."""
        wanted = Wanted(ids)
        return self.places(lambda run: wanted.found(run.get("contact_id"))[0])

    def places(self, in_run: Callable[[Run], NDArray[np.int64]]) -> NDArray[np.int64]:
        """Places among all of reports that are told by their places in each run."""
        found = [begin + in_run(run) for begin, run in zip(self.begins, self.runs, strict=False)]
        return np.concatenate([np.empty(0, np.int64), *found])

    def at(self, places: NDArray[np.int64], names: Iterable[str]) -> Columns:
        """Columns of the reports at these places (sorted) among all."""
        of_runs = [(self.runs[number], at) for number, _, at in self._within(places)]
        return {name: _joined(name, [run.get(name, at) for run, at in of_runs]) for name in names}

    def _within(self, places: NDArray[np.int64]) -> Iterator[tuple[int, slice, NDArray[np.int64]]]:
        """Of each run that holds some of these places (sorted) among all: its number, which ones, and where in it."""
        cuts = np.searchsorted(places, self.begins)
        for number, (first, last) in enumerate(pairwise(cuts)):
            if last > first:
                yield number, slice(first, last), places[first:last] - self.begins[number]

    def parts(
        self, names: Sequence[str], is_true: NDArray[np.bool_], size: int
    ) -> Iterator[tuple[Columns, NDArray[np.bool_]]]:
        """About `size` reports at a time, all reports of a person in one part: columns, and what is true of each.

        A part is a slice of each run. Person numbers are evenly spread over 64 bits, so that equal ranges of them hold
        equal shares of the reports.
        """
        n_parts = number_of_parts(len(self), size)
        limits = np.array([number * 2**64 // n_parts for number in range(1, n_parts)], dtype=np.uint64)
        cuts = [[0, *np.searchsorted(run.get("person"), limits).tolist(), len(run)] for run in self.runs]
        for part in range(n_parts):
            slices = [slice(cut[part], cut[part + 1]) for cut in cuts]
            columns = {
                name: _joined(name, [run.get(name, at) for run, at in zip(self.runs, slices, strict=True)])
                for name in names
            }
            begins = self.begins[:-1].tolist()
            flags = [is_true[begin + at.start : begin + at.stop] for begin, at in zip(begins, slices, strict=True)]
            yield columns, np.concatenate([np.empty(0, bool), *flags])

    def filled(self, name: str, places: NDArray[np.int64], values: Sequence[Any] | NDArray[Any]) -> "Reports":
        """The reports with values of a column filled in at these places (sorted); of a diagnosis as text."""
        reports, column = self, np.asarray(values)
        if name == "diagnosis":
            reports = self._knowing(values)
            place_of = {code: place for place, code in enumerate(reports.diagnoses)}
            column = np.array([place_of[code] for code in values], dtype=np.int32)
        runs = list(reports.runs)
        for number, some, at in reports._within(places):
            run = runs[number]
            whole = np.array(run.get(name))
            whole[at] = column[some]
            own = run.places | ({name: np.r_[np.arange(len(reports.diagnoses)), NOTHING]} if name in WORDS else {})
            runs[number] = replace(run, columns=run.columns | {name: whole}, places=own)
        return replace(reports, runs=runs)

    def _knowing(self, codes: Iterable[str]) -> "Reports":
        """The reports with more diagnoses in their list, and the list in order."""
        diagnoses = sorted({*self.diagnoses, *codes})
        place = {code: number for number, code in enumerate(diagnoses)}
        moved = np.array([*(place[code] for code in self.diagnoses), NOTHING], dtype=np.int32)
        runs = [replace(run, places={**run.places, "diagnosis": moved[run.places["diagnosis"]]}) for run in self.runs]
        return Reports(runs, diagnoses, self.rules)

    def frame(self, names: Iterable[str]) -> pl.DataFrame:
        """The reports as a table with nulls and words."""
        columns = {name: pl.Series(values) for name, values in self.at(np.arange(len(self)), names).items()}
        for name in columns.keys() & {*WORDS}:
            words = pl.Series([*(self.diagnoses if name == "diagnosis" else self.rules), None], dtype=pl.String)
            columns[name] = words.gather(columns[name].replace(NOTHING, len(words) - 1))
        return pl.DataFrame(columns).with_columns(
            pl.when(pl.col(name) != NULLS[name]).then(pl.col(name)).alias(name)
            for name in columns.keys() & NULLS.keys()
        )


def _joined(name: str, pieces: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(pieces) if pieces else np.empty(0, np.int32 if name == "delivery" else DTYPES[name])


class HistoryProblem(Problem):
    """A file of the history cannot be read, or is gone; the text says which, of which delivery, and what to do."""

    def __init__(self, path: Path, *, delivery: str = "", is_gone: bool = False) -> None:
        of = told("stop.history_of", name=delivery) if delivery else ""
        super().__init__(told("stop.history_gone" if is_gone else "stop.history", file=path, delivery=of))


# Landed files -----------------------------------------------------------------------------------------------------


def to_batch(columns: Columns, diagnoses: Sequence[str], rules: Sequence[str]) -> pa.RecordBatch:
    """Reports as they are landed; `diagnosis` and `rule` are places in the lists of words, which only ever grow."""
    arrays = []
    for field in SCHEMA:
        values = columns[field.name]
        if field.name in WORDS:
            words = pa.array([NO_WORD, *(diagnoses if field.name == "diagnosis" else rules)], pa.large_string())
            arrays.append(pa.DictionaryArray.from_arrays(pa.array(values + np.int32(1), pa.int32()), words))
        else:
            arrays.append(pa.array(values.view(np.uint8) if field.name in TRUTHS else values, field.type))
    return pa.record_batch(arrays, schema=SCHEMA)


def from_frame(rows: pl.DataFrame, diagnoses: dict[str, int], rules: dict[str, int]) -> Columns:
    """Typed rows as arrays; the words that are new are added to `diagnoses` and `rules`."""
    columns = {name: rows[name].fill_null(NULLS[name]).to_numpy() for name in NULLS}
    columns |= {name: rows[name].to_numpy() for name in NUMBERS if name not in NULLS}
    for name, known in (("diagnosis", diagnoses), ("rule", rules)):
        words = rows[name].unique(maintain_order=True).drop_nulls()
        places = [known.setdefault(word, len(known)) for word in words]
        found = rows[name].replace_strict(words, pl.Series(places, dtype=pl.Int32), default=NOTHING)
        columns[name] = found.to_numpy()
    return columns


def landed_reports(files: Sequence[tuple[Path, int]]) -> Reports:
    """The reports of landed files of contacts, with the numbers of their deliveries. The files are mapped, not read.

    Raises HistoryProblem.
    """
    known: dict[str, dict[str, int]] = {name: {} for name in WORDS}
    known["rule"] = {rule: at for at, rule in enumerate(LATER_RULES)}
    met = [run for path, number in files for run in _runs(path, number, known)]
    return Reports(met, list(known["diagnosis"]), list(known["rule"]))._knowing(())


def _runs(path: Path, number: int, known: dict[str, dict[str, int]]) -> Iterator[Run]:
    """Runs whose words are placed in the order in which they were first met."""
    places: dict[str, NDArray[np.int32]] = {name: np.array([NOTHING], np.int32) for name in WORDS}
    for batch in _batches(path):
        for name in WORDS:
            words = batch.column(name).dictionary
            if n_new := len(words) - len(places[name]):  # a file's list only ever grows
                met = [known[name].setdefault(word, len(known[name])) for word in words[-n_new:].to_pylist()]
                places[name] = np.r_[places[name], np.array(met, np.int32)]
        columns = {name: batch.column(name).to_numpy() for name in NUMBERS}
        columns |= {name: batch.column(name).indices.to_numpy() for name in WORDS}
        columns |= {name: columns[name].view(np.bool_) for name in TRUTHS}
        yield Run(columns, dict(places), number)


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    try:
        if path.suffix != SUFFIX:
            yield from _batches_of_parquet(path)
            return
        with pa.memory_map(str(path)) as mapped:  # what is mapped stays while it is used, also when the file is closed
            file = pa.ipc.open_file(mapped)
            for number in range(file.num_record_batches):
                yield file.get_batch(number)
    except pa.ArrowException as error:
        raise HistoryProblem(path) from error


def _batches_of_parquet(path: Path) -> Iterator[pa.RecordBatch]:
    """Batches of a file that an earlier version landed: with nulls, and with words of each row group's own."""
    diagnoses, rules = dict[str, int](), dict[str, int]()
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        rows = pl.from_arrow(file.read_row_group(group, [*NUMBERS, *WORDS], use_threads=False))
        assert isinstance(rows, pl.DataFrame)
        rows = rows.with_columns(pl.col(name).cast(pl.String) for name in WORDS)
        yield to_batch(from_frame(rows, diagnoses, rules), list(diagnoses), list(rules))


def starts_by_day(reports: Reports) -> NDArray[np.int64]:
    """How many reports that break no rule start on each day since 2000."""
    last = max((int(run.get("start_minute").max(initial=0)) for run in reports.runs), default=0)
    n = np.zeros(last // 1440 + 1, np.int64)
    for run in reports.runs:
        _count_starts(run.columns["start_minute"], run.columns["rule"], run.places["rule"], n)
    return n


@njit(cache=True)
def _count_starts(start, word, rules, n):  # type: ignore[no-untyped-def]
    for at in range(len(start)):
        if rules[word[at]] == NOTHING:
            n[start[at] // 1440] += 1


# Newest reports ---------------------------------------------------------------------------------------------------


def reported_again(reports: Reports, newest_minute_of: NDArray[np.int64]) -> pl.DataFrame:
    """Reports of contacts that were reported more than once, and what becomes of each.

    Rule C1: the newest report wins (time of report, then a cancellation, then the extract that tells of the latest
    point in time, then content); equal rows count once. Only ids seen twice need a decision: a small part of all.

    Args:
        reports: all reports.
        newest_minute_of: by number of delivery, the latest point in time that it tells of.

    Returns: `at` (place among all), `delivery`, `fate` (newest, duplicate, superseded); grain = report.
    """
    at = reports.told_twice
    again = pl.DataFrame(reports.at(at, ("contact_id", *CONTENT, "delivery", "row"))).with_columns(pl.Series("at", at))
    again = again.with_columns(pl.Series("newest_minute", newest_minute_of[again["delivery"].to_numpy()]))
    again = again.sort(
        "contact_id", "reported_minute", "is_cancelled", "newest_minute", *CONTENT, "delivery", "row",
        descending=[False, True, True, True, *(False for _ in CONTENT), False, False],
    )  # fmt: skip
    return again.select(
        "at",
        "delivery",
        pl.when(pl.col("contact_id").is_first_distinct())
        .then(pl.lit("newest"))
        .when(pl.struct("contact_id", *CONTENT).is_first_distinct())
        .then(pl.lit("superseded"))
        .otherwise(pl.lit("duplicate"))
        .alias("fate"),
    )


def distinct(numbers: NDArray[Any]) -> NDArray[Any]:
    """The numbers in order, each once. NumPy's `unique` does the same by hashing, which takes ten times as long."""
    numbers = np.sort(numbers)
    return numbers[first_of_each(numbers)]


def first_of_each(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Where each number stands first; `numbers` are in order."""
    return np.flatnonzero(np.r_[np.ones(min(numbers.size, 1), dtype=bool), numbers[1:] != numbers[:-1]])


def _ids_told_twice(ids: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Sorted ids that stand more than once in these arrays."""
    shift = _shift(sum(map(len, ids)))
    once, twice = _no_marks(shift), _no_marks(shift)
    for some in ids:
        _mark_again(some, once, twice, SPREAD, shift)
    marked = [some[_places_with_a_mark(some, twice, SPREAD, shift)] for some in ids]
    suspects = np.sort(np.concatenate([np.empty(0, np.int64), *marked]))
    again = distinct(suspects[1:][suspects[1:] == suspects[:-1]])
    return again[again != NO_ID]


class Wanted:
    """A set of numbers that values are looked up in by the million; a table of marks rules out nearly all others."""

    def __init__(self, numbers: NDArray[Any]) -> None:
        """Take distinct numbers: contact ids, or persons (u64)."""
        self._numbers = numbers
        # persons are spread evenly as they are, and come in order: so do their marks, which a processor reads ahead
        self._spread = np.uint64(1) if numbers.dtype == np.uint64 else SPREAD
        self._shift, self._slot_shift = _shift(len(numbers)), _slot_shift(len(numbers))
        self._marks = _no_marks(self._shift)
        _mark_again(numbers, self._marks, self._marks, self._spread, self._shift)
        self._slots = _slots(numbers, self._spread, self._slot_shift)

    def found(self, values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Places of the values that are in the set, and where each stands in the set."""
        candidates = _places_with_a_mark(values, self._marks, self._spread, self._shift)
        at, which = _confirmed(candidates, values, self._numbers, self._slots, self._spread, self._slot_shift)
        return at, which


SPREAD = np.uint64(0x9E3779B97F4A7C15)  # a product with this is spread evenly over 64 bits
MOST_MARK_BITS = 28
SPARE_MARK_BITS = 5  # so that of some 32 numbers that are not wanted, one has a mark


def _shift(n_numbers: int) -> np.uint64:
    """What makes marks of hashes: few for few numbers, so that the table stays in the processor's cache."""
    bits = max(3, n_numbers.bit_length() + SPARE_MARK_BITS)
    return np.uint64(64 - min(bits, MOST_MARK_BITS))


def _slot_shift(n_numbers: int) -> np.uint64:
    """What makes a slot of a hash: at least twice as many slots as numbers."""
    return np.uint64(64 - max(3, n_numbers.bit_length() + 1))


def _no_marks(shift: np.uint64) -> NDArray[np.uint8]:
    return np.zeros(1 << (61 - int(shift)), np.uint8)


@njit(cache=True)
def _mark(number, spread, shift):  # type: ignore[no-untyped-def]
    return (np.uint64(number) * spread) >> shift


@njit(cache=True)
def _mark_again(numbers, once, twice, spread, shift):  # type: ignore[no-untyped-def]
    """Mark each number in `once`, and in `twice` those whose mark was there."""
    for number in numbers:
        mark = _mark(number, spread, shift)
        byte, bit = mark >> np.uint64(3), np.uint8(1 << (mark & np.uint64(7)))
        if once[byte] & bit:
            twice[byte] |= bit
        once[byte] |= bit


@njit(cache=True)
def _places_with_a_mark(values, marks, spread, shift):  # type: ignore[no-untyped-def]
    found = np.empty(len(values), np.int64)
    n = 0
    for at in range(len(values)):
        mark = _mark(values[at], spread, shift)
        found[n] = at  # without a branch, which a processor could not foresee
        n += np.int64((marks[mark >> np.uint64(3)] >> np.uint8(mark & np.uint64(7))) & 1)
    return found[:n].copy()


@njit(cache=True)
def _slots(numbers, spread, shift):  # type: ignore[no-untyped-def]
    """A hash table of the places of numbers, NOTHING where a slot is free."""
    slots = np.full(np.uint64(1) << (np.uint64(64) - shift), NOTHING, np.int32)
    for at in range(len(numbers)):
        slot = _mark(numbers[at], spread, shift)
        while slots[slot] != NOTHING:
            slot = (slot + np.uint64(1)) & np.uint64(len(slots) - 1)
        slots[slot] = at
    return slots


@njit(cache=True)
def _confirmed(candidates, values, numbers, slots, spread, shift):  # type: ignore[no-untyped-def]
    """Those of the candidates' places whose values are among the numbers, and where each stands there."""
    which = np.empty(len(candidates), np.int32)
    n = 0
    for at in candidates:
        slot = _mark(values[at], spread, shift)
        while slots[slot] != NOTHING and numbers[slots[slot]] != values[at]:
            slot = (slot + np.uint64(1)) & np.uint64(len(slots) - 1)
        if slots[slot] != NOTHING:
            candidates[n], which[n] = at, slots[slot]
            n += 1
    return candidates[:n], which[:n]


def in_order_of_persons(person: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Places in the order of persons, those of a person in their own order."""
    if not person.size:
        return np.empty(0, np.int64)
    return _in_order_of_keys(person, person.min(), person.max())


@njit(cache=True)
def _in_order_of_keys(key, lowest, highest):  # type: ignore[no-untyped-def]
    """Counted into buckets by their first bits, each of which is sorted by insertion: keys are spread evenly."""
    shift = 0
    while (highest - lowest) >> np.uint64(shift) >= np.uint64(len(key)):
        shift += 1
    bits = np.uint64(shift)
    begins = np.zeros(((highest - lowest) >> bits) + np.uint64(2), np.int64)
    for at in range(len(key)):
        begins[((key[at] - lowest) >> bits) + np.uint64(1)] += 1
    for bucket in range(1, len(begins)):
        begins[bucket] += begins[bucket - 1]
    order = np.empty(len(key), np.int64)
    filled = begins.copy()
    for at in range(len(key)):
        bucket = (key[at] - lowest) >> bits
        to, first = filled[bucket], begins[bucket]
        while to > first and key[order[to - 1]] > key[at]:
            order[to] = order[to - 1]
            to -= 1
        order[to] = at
        filled[bucket] += 1
    return order


def number_of_parts(n_reports: int, size: int) -> int:
    """How many parts `Reports.parts` gives."""
    return max(1, -(-n_reports // size))


def is_among(values: NDArray[Any], known: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values are known; `known` is sorted."""
    if not known.size:
        return np.zeros(len(values), dtype=bool)
    found: NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, values), known.size - 1)] == values
    return found


def judge(reports: Columns, rules: Sequence[str], as_of: int, open_contact_max_days: int) -> NDArray[np.int32]:
    """The rule that each report breaks, as a place in `rules`; NOTHING where it stands.

    Rule C2 as far as it needs more than the row: municipality (which may come from a residence delivery), the data
    period, and contacts that have been open for too long.
    """
    open_since = as_of - open_contact_max_days * 1440
    later = [rules.index(name) for name in LATER_RULES]
    found: NDArray[np.int32] = _judge(
        reports["rule"], reports["municipality"], reports["start_minute"], reports["end_minute"], as_of, open_since,
        *later,
    )  # fmt: skip
    return found


@njit(cache=True)
def _judge(rule, municipality, start, end, as_of, open_since, no_municipality, in_future, open_too_long):  # type: ignore[no-untyped-def]
    judged = rule.copy()
    for at in range(len(rule)):
        if rule[at] == NOTHING:
            if municipality[at] == NOTHING:
                judged[at] = no_municipality
            elif start[at] >= as_of:
                judged[at] = in_future
            elif end[at] == NOTHING and start[at] < open_since:
                judged[at] = open_too_long
    return judged

"""Contacts: of every contact its newest report, judged by the rules C1–C4, as columns of numbers.

A national history is some 25 million reports. They are held as NumPy arrays, one entry a report, and worked on in
parts that hold all reports of their persons: each part's arrays stay in the processor's cache.

    person u64 · contact_id i64 · start_minute end_minute reported_minute i32 · municipality age i16 · sex i8 ·
    is_physical is_acute is_cancelled bool · diagnosis rule i32 (places in the lists of words) · row i64 · delivery i32

NOTHING stands for null: no end (the contact is open), no time of report, no municipality, no diagnosis, no rule broken.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]

NOTHING = -1
NO_ID = np.iinfo(np.int64).min
WORDS = ("diagnosis", "rule")  # columns of text; all others are numbers as they are landed
NUMBERS = (
    "person", "contact_id", "start_minute", "end_minute", "reported_minute", "municipality", "age", "sex",
    "is_physical", "is_acute", "is_cancelled", "row",
)  # fmt: skip
CONTENT = [name for name in (*NUMBERS, *WORDS) if name not in ("contact_id", "row")]
LATER_RULES = ("C2-municipality", "C2-future", "C2-open")  # judged here, not at landing


# How an array says that there is nothing, where the landed file has a null. Truths are never null.
NULLS = dict.fromkeys(("start_minute", "end_minute", "reported_minute", "municipality", "age", "sex"), NOTHING)
NULLS |= {"person": 0, "contact_id": NO_ID}

_WORD = pa.dictionary(pa.int32(), pa.large_string())
SCHEMA = pa.schema(
    {
        "contact_id": pa.int64(), "person": pa.uint64(), "start_minute": pa.int32(), "end_minute": pa.int32(),
        "reported_minute": pa.int32(), "municipality": pa.int16(), "age": pa.int16(), "sex": pa.int8(),
        "is_physical": pa.bool_(), "is_acute": pa.bool_(), "diagnosis": _WORD, "is_cancelled": pa.bool_(),
        "row": pa.int64(), "rule": _WORD,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Reports:
    """Landed reports of contacts as parallel arrays; `diagnoses` is in alphabetical order."""

    columns: Columns
    diagnoses: list[str]
    rules: list[str]

    def __len__(self) -> int:
        return len(self.columns["person"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    @cached_property
    def ids_told_twice(self) -> NDArray[np.int64]:
        """Sorted ids of contacts that stand more than once."""
        return told_twice(self["contact_id"])

    def taken(self, at: NDArray[np.integer]) -> "Reports":
        """A copy of the reports at these places."""
        return Reports({name: values[at] for name, values in self.columns.items()}, [*self.diagnoses], [*self.rules])


def to_table(columns: Columns, diagnoses: Sequence[str], rules: Sequence[str]) -> pa.Table:
    """Reports as they are landed; `diagnosis` and `rule` are places in the lists of words."""
    arrays = []
    for field in SCHEMA:
        values = columns[field.name]
        if field.name in WORDS:
            words = pa.array(diagnoses if field.name == "diagnosis" else rules, pa.large_string())
            is_null = values == NOTHING
            places = pa.array(values, pa.int32(), mask=is_null if is_null.any() else None)
            arrays.append(pa.DictionaryArray.from_arrays(places, words))
            continue
        is_null = values == NULLS[field.name] if field.name in NULLS else np.zeros(0, dtype=bool)
        arrays.append(pa.array(values, field.type, mask=is_null if is_null.any() else None))
    return pa.table(arrays, schema=SCHEMA)


def from_frame(rows: pl.DataFrame, diagnoses: dict[str, int], rules: dict[str, int]) -> Columns:
    """Landed rows as arrays; the words that are new are added to `diagnoses` and `rules`."""
    columns = {name: rows[name].fill_null(NULLS[name]).to_numpy() for name in NULLS}
    columns |= {name: rows[name].to_numpy() for name in NUMBERS if name not in NULLS}
    for name, known in (("diagnosis", diagnoses), ("rule", rules)):
        words = rows[name].unique().drop_nulls()
        places = [known.setdefault(word, len(known)) for word in words]
        found = rows[name].replace_strict(words, pl.Series(places, dtype=pl.Int32), default=NOTHING)
        columns[name] = found.to_numpy()
    return columns


@dataclass(frozen=True)
class History:
    """Landed files of contacts, with the numbers of their deliveries; read when asked, for they are large."""

    files: Sequence[tuple[Path, int]]

    def only(self, numbers: Container[int]) -> "History":
        """The files of these deliveries."""
        return History([(path, number) for path, number in self.files if number in numbers])

    def batches(self, *names: str) -> Iterator[Columns]:
        """Columns of numbers of all reports, a few at a time."""
        for table in self._tables(*names):
            yield {name: _numbers(table.column(name), name) for name in names}

    def starts_by_day(self) -> NDArray[np.int64]:
        """How many reports that break no rule start on each day since 2000."""
        n = np.zeros(0, np.int64)
        for table in self._tables("start_minute", "rule"):
            stands = table.column("rule").is_null().to_numpy()
            of_table = np.bincount(_numbers(table.column("start_minute"), "start_minute")[stands] // 1440)
            n, shorter = (n, of_table) if len(n) > len(of_table) else (of_table, n)
            n[: len(shorter)] += shorter
        return n

    def _tables(self, *names: str) -> Iterator[pa.Table]:
        for path, _ in self.files:
            file = pq.ParquetFile(path)
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, list(names), use_threads=False)

    def read(self, persons: NDArray[np.uint64] | None = None) -> Reports:
        """All reports, or those of some persons (sorted)."""
        words: dict[str, dict[str, int]] = {"diagnosis": {}, "rule": {rule: at for at, rule in enumerate(LATER_RULES)}}
        opened = [(pq.ParquetFile(path, read_dictionary=list(WORDS)), number) for path, number in self.files]
        n_reports = sum(file.metadata.num_rows for file, _ in opened)
        columns = {name: np.empty(n_reports, _dtype(name)) for name in (*NUMBERS, *WORDS, "delivery")}
        wanted = None if persons is None else Wanted(persons)
        first = 0
        for file, number in opened:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, [*NUMBERS, *WORDS], use_threads=False)
                if wanted is not None:
                    table = table.take(pa.array(wanted.places(_numbers(table.column("person"), "person"))))
                rows = slice(first, first + table.num_rows)
                first = rows.stop
                for name in NUMBERS:
                    columns[name][rows] = _numbers(table.column(name), name)
                for name in WORDS:
                    columns[name][rows] = _places(table.column(name), words[name])
                columns["delivery"][rows] = number
        columns = {name: values[:first] for name, values in columns.items()}
        diagnoses = sorted(words["diagnosis"])
        place = np.array([*np.argsort(np.argsort(list(words["diagnosis"]))), NOTHING], dtype=np.int32)
        np.take(place, columns["diagnosis"], out=columns["diagnosis"], mode="wrap")
        return Reports(columns, diagnoses, list(words["rule"]))


def _dtype(name: str) -> Any:
    return np.int32 if name in (*WORDS, "delivery") else SCHEMA.field(name).type.to_pandas_dtype()


def _numbers(column: pa.ChunkedArray, name: str) -> NDArray[Any]:
    whole = column.combine_chunks()
    if whole.null_count:
        whole = pc.fill_null(whole, pa.scalar(NULLS.get(name, False), whole.type))
    numbers: NDArray[Any] = whole.to_numpy(zero_copy_only=False)
    return numbers


def _places(column: pa.ChunkedArray, known: dict[str, int]) -> NDArray[np.int32]:
    """Places of words in the order in which they were first met."""
    parts = []
    for chunk in column.chunks:
        if chunk.null_count == len(chunk):
            parts.append(np.full(len(chunk), NOTHING, dtype=np.int32))
            continue
        told = [known.setdefault(word, len(known)) for word in chunk.dictionary.to_pylist()]
        places = np.array([*told, NOTHING], dtype=np.int32)
        parts.append(places[chunk.indices.fill_null(len(told)).to_numpy(zero_copy_only=False)])
    return np.concatenate(parts) if parts else np.empty(0, np.int32)


def reported_again(reports: Reports, newest_minute_of: NDArray[np.int64]) -> pl.DataFrame:
    """Reports of contacts that were reported more than once, and what becomes of each.

    Rule C1: the newest report wins (time of report, then the extract that tells of the latest point in time, then
    content); equal rows count once. Only ids seen twice need a decision: that is a small part of all reports.

    Args:
        reports: all reports.
        newest_minute_of: by number of delivery, the latest point in time that it tells of.

    Returns: `at` (place in the arrays), `delivery`, `fate` (newest, duplicate, superseded); grain = report.
    """
    at = Wanted(reports.ids_told_twice).places(reports["contact_id"])
    told = pl.DataFrame({name: reports[name][at] for name in ("contact_id", *CONTENT, "delivery", "row")})
    told = told.with_columns(pl.Series("at", at), pl.Series("newest_minute", newest_minute_of[reports["delivery"][at]]))
    by_extract = ["newest_minute", "delivery", "row"]
    told = told.sort("contact_id", *by_extract, descending=[False, True, False, False]).with_columns(
        pl.struct("contact_id", *CONTENT).is_first_distinct().alias("is_first_copy")
    )
    told = told.sort(
        "contact_id", "is_first_copy", "reported_minute", "newest_minute", *CONTENT, "delivery", "row",
        descending=[False, True, True, True, *(False for _ in CONTENT), False, False],
    )  # fmt: skip
    return told.select(
        "at",
        "delivery",
        pl.when(~pl.col("is_first_copy"))
        .then(pl.lit("duplicate"))
        .when(pl.col("contact_id").is_first_distinct())
        .then(pl.lit("newest"))
        .otherwise(pl.lit("superseded"))
        .alias("fate"),
    )


def told_twice(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sorted ids that stand more than once."""
    suspects = np.sort(_sharing_a_mark(ids))
    again = np.unique(suspects[1:][suspects[1:] == suspects[:-1]])
    return again[again != NO_ID]


MARK_BITS = 28


@njit(cache=True)
def _sharing_a_mark(ids):  # type: ignore[no-untyped-def]
    """The ids that share one of 2^28 marks with another: all that stand twice, and about one in twenty others."""
    once, twice = np.zeros((2, 1 << (MARK_BITS - 3)), np.uint8)
    n = 0
    for number in ids:
        mark = _mark(number)
        byte, bit = mark >> np.uint64(3), np.uint8(1 << (mark & np.uint64(7)))
        if once[byte] & bit:
            twice[byte] |= bit
        once[byte] |= bit
    found = np.empty(len(ids), np.int64)
    for number in ids:
        mark = _mark(number)
        if twice[mark >> np.uint64(3)] & np.uint8(1 << (mark & np.uint64(7))):
            found[n] = number
            n += 1
    return found[:n]


class Wanted:
    """A set of numbers that values are looked up in by the million; a table of marks rules out nearly all others."""

    def __init__(self, numbers: NDArray[Any]) -> None:
        """Take sorted numbers."""
        self._numbers = numbers
        self._marks = _marked(numbers)

    def places(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Places of the values that are in the set."""
        candidates = _places_with_a_mark(values, self._marks)
        return candidates[is_among(values[candidates], self._numbers)]


@njit(cache=True)
def _mark(number):  # type: ignore[no-untyped-def]
    return (np.uint64(number) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - MARK_BITS)


@njit(cache=True)
def _marked(numbers):  # type: ignore[no-untyped-def]
    marks = np.zeros(1 << (MARK_BITS - 3), np.uint8)
    for number in numbers:
        mark = _mark(number)
        marks[mark >> np.uint64(3)] |= np.uint8(1 << (mark & np.uint64(7)))
    return marks


@njit(cache=True)
def _places_with_a_mark(values, marks):  # type: ignore[no-untyped-def]
    found = np.empty(len(values), np.int64)
    n = 0
    for at in range(len(values)):
        mark = _mark(values[at])
        if marks[mark >> np.uint64(3)] & np.uint8(1 << (mark & np.uint64(7))):
            found[n] = at
            n += 1
    return found[:n]


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
    """How many parts `parts_of_persons` gives."""
    return max(1, -(-n_reports // size))


def parts_of_persons(person: NDArray[np.uint64], size: int) -> Iterator[NDArray[np.int64]]:
    """Places of about `size` reports at a time, such that all reports of a person are in one part.

    Landed files are runs sorted by person, so that a part is a slice of each. Person numbers are evenly spread over
    64 bits, so that equal ranges of them hold equal shares of the reports.
    """
    begins = np.flatnonzero(person[1:] < person[:-1]) + 1
    runs = pairwise([0, *begins.tolist(), len(person)])
    n_parts = number_of_parts(len(person), size)
    limits = np.array([number * 2**64 // n_parts for number in range(1, n_parts)], dtype=np.uint64)
    cuts = [[first, *(first + np.searchsorted(person[first:last], limits)).tolist(), last] for first, last in runs]
    for part in range(n_parts):
        yield np.concatenate([np.arange(cut[part], cut[part + 1]) for cut in cuts])


def is_among(values: NDArray[Any], known: NDArray[Any]) -> NDArray[np.bool_]:
    """Which values are known; `known` is sorted."""
    if not known.size:
        return np.zeros(len(values), dtype=bool)
    found: NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, values), known.size - 1)] == values
    return found


def judge(reports: Reports, as_of: int, open_contact_max_days: int) -> NDArray[np.int32]:
    """The rule that each report breaks, as a place in `reports.rules`; NOTHING where it stands.

    Rule C2 as far as it needs more than the row: municipality (which may come from a residence delivery), the data
    period, and contacts that have been open for too long.
    """
    open_since = as_of - open_contact_max_days * 1440
    later = [reports.rules.index(name) for name in LATER_RULES]
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

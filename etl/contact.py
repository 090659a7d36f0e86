"""Contacts: of every contact its newest report, judged by the rules C1–C4, as columns of numbers.

A national history is some 25 million reports. They are held as NumPy arrays, one entry a report, and worked on in
parts that hold all reports of their persons: each part's arrays stay in the processor's cache.

    person u64 · contact_id i64 · start_minute end_minute reported_minute i32 · municipality age i16 · sex i8 ·
    is_physical is_acute is_cancelled bool · diagnosis rule i32 (places in the lists of words) · row i64 · delivery i32

NOTHING stands for null: no end (the contact is open), no time of report, no municipality, no diagnosis, no rule broken.
"""

from collections.abc import Iterator, Sequence
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


def read_reports(files: Sequence[tuple[Path, int]]) -> Reports:
    """All reports of landed files of contacts, given with the numbers of their deliveries."""
    words: dict[str, dict[str, int]] = {"diagnosis": {}, "rule": {rule: at for at, rule in enumerate(LATER_RULES)}}
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in (*NUMBERS, *WORDS)}
    delivery = []
    for path, number in files:
        table = pq.ParquetFile(path, read_dictionary=list(WORDS)).read([*NUMBERS, *WORDS], use_threads=False)
        delivery.append(np.full(table.num_rows, number, dtype=np.int32))
        for name in NUMBERS:
            parts[name].append(_numbers(table.column(name), name))
        for name in WORDS:
            parts[name] += [_places(chunk, words[name]) for chunk in table.column(name).chunks]
    columns = {}
    for name in (*NUMBERS, *WORDS):  # one at a time, so that not all are held twice
        arrays = parts.pop(name)
        columns[name] = np.concatenate(arrays) if arrays else _empty(name)
    columns["delivery"] = np.concatenate(delivery) if delivery else np.empty(0, np.int32)
    diagnoses = sorted(words["diagnosis"])
    place = np.array([*np.argsort(np.argsort(list(words["diagnosis"]))), NOTHING], dtype=np.int32)
    columns["diagnosis"] = place[columns["diagnosis"]]
    return Reports(columns, diagnoses, list(words["rule"]))


def _numbers(column: pa.ChunkedArray, name: str) -> NDArray[Any]:
    whole = column.combine_chunks()
    if whole.null_count:
        is_bool, is_person = pa.types.is_boolean(whole.type), name == "person"
        null = False if is_bool else 0 if is_person else NO_ID if name == "contact_id" else NOTHING
        whole = pc.fill_null(whole, pa.scalar(null, whole.type))
    numbers: NDArray[Any] = whole.to_numpy(zero_copy_only=False)
    return numbers


def _places(chunk: pa.DictionaryArray, known: dict[str, int]) -> NDArray[np.int32]:
    """Places of words in the order in which they were first met."""
    told = [known.setdefault(word, len(known)) for word in chunk.dictionary.to_pylist()]
    places = np.array([*told, NOTHING], dtype=np.int32)
    found: NDArray[np.int32] = places[chunk.indices.fill_null(len(told)).to_numpy(zero_copy_only=False)]
    return found


def _empty(name: str) -> NDArray[Any]:
    return np.empty(0, np.uint64 if name == "person" else np.int64)


def reported_again(reports: Reports, newest_minute_of: NDArray[np.int64]) -> pl.DataFrame:
    """Reports of contacts that were reported more than once, and what becomes of each.

    Rule C1: the newest report wins (time of report, then the extract that tells of the latest point in time, then
    content); equal rows count once. Only ids seen twice need a decision: that is a small part of all reports.

    Args:
        reports: all reports.
        newest_minute_of: by number of delivery, the latest point in time that it tells of.

    Returns: `at` (place in the arrays), `delivery`, `fate` (newest, duplicate, superseded); grain = report.
    """
    at = among(reports["contact_id"], reports.ids_told_twice)
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
    """Sorted ids that stand more than once. Values are sorted, never places: that is many times faster."""
    in_order = np.sort(ids)
    again = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
    return again[again != NO_ID]


def among(values: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.int64]:
    """Places of the values that are wanted, where few are: a table of their last bits rules out nearly all others."""
    low = wanted.dtype.type((1 << 26) - 1)
    maybe = np.zeros(1 << 26, dtype=bool)
    maybe[wanted & low] = True
    candidates = np.flatnonzero(maybe[values & low])
    return candidates[np.isin(values[candidates], wanted)]


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


def judge(reports: Reports, as_of: int, open_contact_max_days: int) -> NDArray[np.int32]:
    """The rule that each report breaks, as a place in `reports.rules`; NOTHING where it stands.

    Rule C2 as far as it needs more than the row: municipality (which may come from a residence delivery), the data
    period, and contacts that have been open for too long.
    """
    rule, start = reports["rule"].copy(), reports["start_minute"]
    too_long = (reports["end_minute"] == NOTHING) & (start < as_of - open_contact_max_days * 1440)
    for name, broken in (
        ("C2-municipality", reports["municipality"] == NOTHING),
        ("C2-future", start >= as_of),
        ("C2-open", too_long),
    ):
        rule[broken & (rule == NOTHING)] = reports.rules.index(name)
    return rule

"""Contacts that are written as registers write them, typed in compiled passes over columns.

Of millions of contacts nearly all are plain: ids and persons are digits, times are typed or ISO text, and all else is
one of a few texts, each of which is understood once by the reader of its column (`etl.parse`). A row with anything
else – a blank that must not be one, an odd spelling, a value that breaks a rule – is odd, and left to `etl.typed` and
`etl.shape`, which say what is wrong with it. A plain row gets exactly what they would give it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from etl.contact import DTYPES, NOTHING, NULLS, NUMBERS, WORDS, Columns, in_order_of_persons
from etl.parse import EPOCH, OPEN_END, OUTSIDE_MUNICIPALITIES, READERS, to_text, trimmed
from etl.pseudonym import CPR_DIGITS, PseudonymKey, pseudonymise_cprs
from etl.source import Column, Recognised

ODD = -2
EPOCH_SECOND = int((EPOCH - datetime(1970, 1, 1)).total_seconds())
OPEN_END_SECOND = EPOCH_SECOND + (OPEN_END - EPOCH.date()).days * 86_400
LONGEST_ID = 18  # digits; longer ones are no plain numbers
OLDEST = 125
NEEDED = ("contact_id", "person", "start", "end", "contact_type", "priority", "age", "sex")
TIMES = {"start": "start_minute", "end": "end_minute", "reported": "reported_minute"}

# What becomes of a meaning of a coded column: name of the landed column, and the number of the meaning.
CODED: Mapping[str, tuple[str, Callable[[Any], int]]] = {
    "contact_type": ("is_physical", lambda meaning: int(meaning == "physical")),
    "priority": ("is_acute", lambda meaning: int(meaning == "acute")),
    "system": ("system", lambda meaning: 1 if meaning == "lpr3" else ODD),
    "is_cancelled": ("is_cancelled", int),
    "sex": ("sex", int),
    "municipality": ("municipality", lambda meaning: ODD if meaning in OUTSIDE_MUNICIPALITIES else int(meaning)),
}


@dataclass(frozen=True)
class Plain:
    """The plain rows of a batch of contacts.

    columns: as `etl.contact` holds reports, in the order of persons. `diagnosis` is a place in `diagnoses`.
    is_odd: which rows of the batch are not among them.
    deaths: person and death_date, as far as they are told, most of them once.
    has_test_persons: whether any is about a made-up person.
    """

    columns: Columns
    is_odd: NDArray[np.bool_]
    deaths: pl.DataFrame
    has_test_persons: bool

    def __len__(self) -> int:
        return len(self.columns["person"])


class PlainContacts:
    """Types the plain rows of the batches of one file; `diagnoses` grows with what is met."""

    def __init__(self, fit: Recognised, key: PseudonymKey) -> None:
        """Say which contacts the file has; `key` turns persons into numbers."""
        self._fit, self._key = fit, key
        has_all = set(NEEDED) <= fit.header_of.keys()
        self._tells_all = has_all and not fit.clock_of and not fit.source.constants
        self._columns = {column.name: column for column in fit.source.columns if column.name in fit.header_of}
        self._numbers: dict[str, dict[str | None, int]] = {name: {} for name in self._columns}
        self.diagnoses: dict[str, int] = {}

    def read(self, batch: pa.Table) -> Plain:
        """Type a batch as delivered. Contacts that do not tell all of themselves, each in one column, are all odd."""
        n = batch.num_rows
        is_odd = np.full(n, not self._tells_all)
        columns = {name: np.full(n, NULLS.get(name, 0), dtype=DTYPES[name]) for name in (*NUMBERS, *WORDS)}
        columns["rule"][:] = NOTHING
        columns["row"] = batch.column("row").to_numpy()
        death_day, has_test_persons = np.full(n, NOTHING, dtype=np.int32), False
        for name, column in self._columns.items() if self._tells_all else ():
            delivered = _array(batch.column(self._fit.header_of[name]))
            may_be_blank = column.may_be_blank or not column.rule
            if name == "contact_id":
                columns[name] = _digits(delivered, is_odd, 1, LONGEST_ID, may_begin_with_zero=False)
            elif name == "person":
                cprs = _digits(delivered, is_odd, CPR_DIGITS, CPR_DIGITS)
                is_odd |= cprs == 0
                has_test_persons = _some_day_of_birth_is_late(cprs, is_odd)
                columns[name] = pseudonymise_cprs(cprs.astype(np.uint64), self._key)
            elif name in TIMES:
                columns[TIMES[name]] = _minutes(delivered, is_odd, may_be_blank=may_be_blank)
            elif name == "death_date":
                death_day = _days(delivered, is_odd)
            elif name == "age":
                columns[name] = _ages(delivered, is_odd)
            elif name == "diagnosis":
                columns[name] = self._coded(delivered, column, is_odd, self._place_of_diagnosis, NOTHING)
            elif name in CODED:
                landed, number = CODED[name]
                columns[landed] = self._coded(delivered, column, is_odd, number, NULLS.get(landed, 0))
        start, end = columns["start_minute"], columns["end_minute"]
        is_odd |= (start == NOTHING) | ((end != NOTHING) & (end < start))
        at = np.flatnonzero(~is_odd)
        at = at[in_order_of_persons(columns["person"][at])]
        dead = at[death_day[at] != NOTHING]
        person, day = columns["person"][dead], death_day[dead]
        is_new = np.r_[np.ones(min(dead.size, 1), dtype=bool), (person[1:] != person[:-1]) | (day[1:] != day[:-1])]
        death_date = pl.Series(day[is_new]).cast(pl.Date)
        return Plain(
            {name: values[at].astype(DTYPES[name], copy=False) for name, values in columns.items() if name in DTYPES},
            is_odd,
            pl.DataFrame({"person": person[is_new], "death_date": death_date}),
            has_test_persons,
        )

    def _place_of_diagnosis(self, code: str) -> int:
        return self.diagnoses.setdefault(code, len(self.diagnoses))

    def _coded(
        self, delivered: pa.Array, column: Column, is_odd: NDArray[np.bool_], number: Callable[[Any], int], blank: int
    ) -> NDArray[np.int32]:
        """The number of each coded text; `blank` where there is none and may be none."""
        if not pa.types.is_dictionary(delivered.type):
            if not _is_text(delivered.type):
                is_odd[:] = True
                return np.zeros(len(delivered), dtype=np.int32)
            delivered = delivered.dictionary_encode()
        known = self._numbers[column.name]
        texts = [*delivered.dictionary.to_pylist(), None]
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            for text, meaning in _meanings(self._fit.source.id, column, new).items():
                known[text] = ODD if meaning is UNREADABLE else blank if meaning is None else number(meaning)
        numbers = np.array([known[text] for text in texts], dtype=np.int32)
        codes = delivered.indices.fill_null(len(texts) - 1) if delivered.null_count else delivered.indices
        return _looked_up(codes.to_numpy(zero_copy_only=False), numbers, is_odd)


UNREADABLE = object()
_KNOWN: dict[tuple[str, str], dict[str | None, Any]] = {}  # by source and column; a folder has many files of a source


def _meanings(source_id: str, column: Column, texts: list[str | None]) -> dict[str | None, Any]:
    """What the reader of a column makes of texts: None of a blank that may be one, UNREADABLE of what it refuses."""
    known = _KNOWN.setdefault((source_id, column.name), {})
    if new := [text for text in texts if text not in known]:
        delivered = pl.Series(new, dtype=pl.String)
        told = to_text(delivered)
        meanings = READERS[column.type](trimmed(delivered) if column.type == "yes_no" else told, column)
        of_blank = None if column.may_be_blank or not column.rule else UNREADABLE
        for text, meaning, is_blank in zip(new, meanings, told.is_null(), strict=True):
            known[text] = meaning if meaning is not None else of_blank if is_blank else UNREADABLE
    return {text: known[text] for text in texts}


# Columns ----------------------------------------------------------------------------------------------------------


def _array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()  # which would copy a single one, too


def _is_text(dtype: pa.DataType) -> bool:
    return pa.types.is_string(dtype) or pa.types.is_large_string(dtype)


def _letters(text: pa.Array) -> tuple[NDArray[np.integer], NDArray[np.uint8]]:
    """Where each text begins (and the last ends), and the bytes of all; a null is a text without letters."""
    _, offsets, data = text.buffers()
    wide = pa.types.is_large_string(text.type)
    ends: NDArray[np.integer] = np.frombuffer(offsets, dtype=np.int64 if wide else np.int32)
    letters = np.frombuffer(data, dtype=np.uint8) if data is not None else np.empty(0, np.uint8)
    return ends[text.offset : text.offset + len(text) + 1], letters


def _digits(
    delivered: pa.Array, is_odd: NDArray[np.bool_], fewest: int, most: int, *, may_begin_with_zero: bool = True
) -> NDArray[np.int64]:
    if _is_text(delivered.type):
        return _numbers_of_digits(*_letters(delivered), is_odd, fewest, most, may_begin_with_zero)
    is_odd[:] = True
    return np.zeros(len(delivered), dtype=np.int64)


def _minutes(delivered: pa.Array, is_odd: NDArray[np.bool_], *, may_be_blank: bool) -> NDArray[np.int32]:
    if pa.types.is_timestamp(delivered.type) and delivered.type.tz is None:
        is_null, numbers = _known(delivered.cast(pa.timestamp("us")))
        return _minutes_of_microseconds(numbers, is_null, is_odd, may_be_blank)
    if _is_text(delivered.type):
        return _minutes_of_text(*_letters(delivered), is_odd, may_be_blank)
    is_odd[:] = True
    return np.zeros(len(delivered), dtype=np.int32)


def _days(delivered: pa.Array, is_odd: NDArray[np.bool_]) -> NDArray[np.int32]:
    if pa.types.is_date32(delivered.type):
        is_null, numbers = _known(delivered)
        is_odd |= ~is_null & (numbers < 0)
        return np.where(is_null, NOTHING, numbers).astype(np.int32)
    if _is_text(delivered.type):
        return _days_of_text(*_letters(delivered), is_odd)
    is_odd[:] = True
    return np.full(len(delivered), NOTHING, dtype=np.int32)


def _ages(delivered: pa.Array, is_odd: NDArray[np.bool_]) -> NDArray[np.integer]:
    if pa.types.is_integer(delivered.type):
        is_null, numbers = _known(delivered)
        is_odd |= is_null | (numbers < 0) | (numbers > OLDEST)
        return numbers
    numbers = _digits(delivered, is_odd, 1, 3)
    is_odd |= numbers > OLDEST
    return numbers


def _known(delivered: pa.Array) -> tuple[NDArray[np.bool_], NDArray[np.integer]]:
    """Which entries are null, and all as whole numbers (what a null has says nothing)."""
    width = delivered.type.bit_width // 8
    numbers = np.frombuffer(delivered.buffers()[1], dtype=f"i{width}")[delivered.offset :][: len(delivered)]
    if not delivered.null_count:
        return np.zeros(len(delivered), dtype=bool), numbers
    return delivered.is_null().to_numpy(zero_copy_only=False), numbers


# Compiled passes --------------------------------------------------------------------------------------------------


@njit(cache=True)
def _number(letters, first, last):  # type: ignore[no-untyped-def]
    """The whole number that digits write; −1 where anything is no digit."""
    number = 0
    for at in range(first, last):
        digit = letters[at] - 48
        if digit < 0 or digit > 9:
            return -1
        number = number * 10 + digit
    return number


@njit(cache=True)
def _numbers_of_digits(begins, letters, is_odd, fewest, most, may_begin_with_zero):  # type: ignore[no-untyped-def]
    found = np.zeros(len(begins) - 1, np.int64)
    for row in range(len(found)):
        first, last = begins[row], begins[row + 1]
        number = -1
        if fewest <= last - first <= most and (may_begin_with_zero or letters[first] != 48):
            number = _number(letters, first, last)
        if number < 0:
            is_odd[row] = True
        else:
            found[row] = number
    return found


@njit(cache=True)
def _some_day_of_birth_is_late(cprs, is_odd):  # type: ignore[no-untyped-def]
    """Whether any is a number set aside for made-up persons, see `etl.pseudonym.some_are_test_persons`."""
    for row in range(len(cprs)):
        day, month = cprs[row] // 100_000_000, cprs[row] // 1_000_000 % 100
        if 60 < day <= 91 and 1 <= month <= 12 and not is_odd[row]:
            return True
    return False


@njit(cache=True)
def _looked_up(codes, numbers, is_odd):  # type: ignore[no-untyped-def]
    found = np.empty(len(codes), np.int32)
    for row in range(len(codes)):
        found[row] = numbers[codes[row]]
        if found[row] == ODD:
            is_odd[row] = True
            found[row] = 0
    return found


@njit(cache=True)
def _minutes_of_microseconds(stamps, is_null, is_odd, may_be_blank):  # type: ignore[no-untyped-def]
    found = np.empty(len(stamps), np.int32)
    for row in range(len(stamps)):
        found[row] = NOTHING
        if is_null[row]:
            is_odd[row] |= not may_be_blank
            continue
        second = stamps[row] // 1_000_000
        if EPOCH_SECOND <= second < OPEN_END_SECOND:
            found[row] = (second - EPOCH_SECOND) // 60
        else:
            is_odd[row] = True
    return found


@njit(cache=True)
def _day_of(letters, first):  # type: ignore[no-untyped-def]
    """Days from 1970 to a date written 2024-01-31; NOTHING where it is none. Howard Hinnant's days_from_civil."""
    if letters[first + 4] != 45 or letters[first + 7] != 45:
        return NOTHING
    year = _number(letters, first, first + 4)
    month = _number(letters, first + 5, first + 7)
    day = _number(letters, first + 8, first + 10)
    if year < 1970 or month < 1 or month > 12 or day < 1:
        return NOTHING
    is_leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    longest = 30 + (month + month // 8) % 2 if month != 2 else 28 + is_leap
    if day > longest:
        return NOTHING
    shifted = year - (month <= 2)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    era = shifted // 400
    year_of_era = shifted - era * 400
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


@njit(cache=True)
def _minutes_of_text(begins, letters, is_odd, may_be_blank):  # type: ignore[no-untyped-def]
    """Times written 2024-01-31 14:05, with or without whole seconds."""
    found = np.full(len(begins) - 1, NOTHING, np.int32)
    for row in range(len(found)):
        first, length = begins[row], begins[row + 1] - begins[row]
        if length == 0 and may_be_blank:
            continue
        is_odd_here = True
        if (length == 16 or length == 19) and (letters[first + 10] == 32 or letters[first + 10] == 84):
            day = _day_of(letters, first)
            hour = _number(letters, first + 11, first + 13)
            minute = _number(letters, first + 14, first + 16)
            is_clock = letters[first + 13] == 58 and 0 <= hour < 24 and 0 <= minute < 60
            if length == 19:
                is_clock = is_clock and letters[first + 16] == 58 and 0 <= _number(letters, first + 17, first + 19) < 60
            second = day * 86_400
            if day != NOTHING and is_clock and EPOCH_SECOND <= second < OPEN_END_SECOND:
                found[row] = (second - EPOCH_SECOND) // 60 + hour * 60 + minute
                is_odd_here = False
        is_odd[row] |= is_odd_here
    return found


@njit(cache=True)
def _days_of_text(begins, letters, is_odd):  # type: ignore[no-untyped-def]
    """Dates written 2024-01-31, or nothing."""
    found = np.full(len(begins) - 1, NOTHING, np.int32)
    for row in range(len(found)):
        length = begins[row + 1] - begins[row]
        if length == 10:
            found[row] = _day_of(letters, begins[row])
        is_odd[row] |= length != 0 and found[row] == NOTHING
    return found

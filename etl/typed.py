"""From a batch of delivered rows to typed ones: every column by the reader of its type, every fault with its row."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from etl.finding import Refused
from etl.parse import READERS, by_distinct, read_plain_ids, to_minute, to_text, trimmed
from etl.pseudonym import PseudonymKey, birth_date, is_cpr, normalise_persons, pseudonymise, some_are_test_persons
from etl.source import Column, Recognised

FAULTS = {"row": pl.Int64, "column": pl.String, "rule": pl.String, "found": pl.String}
DAYS_AND_TIMES = ("date", "timestamp", "end_of_day")
FOR_EVER = r"^(9999-?12-?31|31[-./]12[-./]9999|31DEC9999)"
SWAPPED_SHARE = 0.1  # of the dates of a column, before it is taken to be written month first
UNKNOWN = -1
PERSON_LIKE = r"\d{5,6}[-\s.]{0,3}\d{4}|\d{2}[-./ ]\d{2}[-./ ]\d{2}[-\s./]{0,3}\d{4}"
NAME_LIKE = r"\p{Lu}\p{Ll}+(?:[ -]+\p{Lu}[\p{Ll}.]*)+"  # two words or more, each with a capital
HIDDEN_NUMBER, HIDDEN_NAME = "xxxxxx-xxxx", "Xxxx Xxxx"
CALLED_LIKE_PERSONS = ("area", "named_area")  # types of columns


@dataclass(frozen=True)
class Typed:
    """A batch of typed rows.

    values: grain = delivered row, in order; canonical columns, `row`, and `rule` (the first rule the row breaks, null
        where it breaks none). Persons are numbers (UInt64); `birth_date` and `id_sex` come with them where age or sex
        of a contact must be found from the person id.
    faults: row, column, rule (empty = the value was set to null and the row kept), found (masked).
    has_test_persons: whether any person is a made-up one.
    """

    values: pl.DataFrame
    faults: pl.DataFrame
    has_test_persons: bool


class Typing:
    """Types the batches of one file. What a coded text means is worked out once and remembered for later batches."""

    def __init__(self, fit: Recognised, key: PseudonymKey) -> None:
        """Say which source the file is, and which header carries which column; `key` turns persons into numbers."""
        self._fit = fit
        self._key = key
        self._meanings: defaultdict[str, _Meanings] = defaultdict(_Meanings)

    def typed(self, raw: pl.DataFrame) -> Typed:
        """Type every canonical column of a batch as delivered; its column `row` is the row's number in the file.

        Clear-text persons end here. Raises Refused where a column's dates are written month first.
        """
        fit = self._fit
        out: dict[str, pl.Series] = {"row": raw["row"]}
        faults: list[pl.DataFrame] = []
        has_test_persons = False
        rule = pl.Series("rule", [None], dtype=pl.String).new_from_index(0, raw.height)
        for column in fit.source.columns:
            header = fit.header_of.get(column.name)
            if header is None:
                continue
            delivered, clock = raw[header], fit.clock_of.get(column.name)
            if clock is not None:
                delivered = _with_clock(delivered, raw[clock])
            if column.type == "person":
                needs_birth = fit.source.kind == "lpr_contacts" and not {"age", "sex"} <= fit.header_of.keys()
                persons, has_test_persons = self._persons(to_text(delivered), needs_birth=needs_birth)
                out |= persons
                value = out["person"]
            else:
                value = out[column.name] = self._read(delivered, column)
            bad = _unread(value, delivered, raw["row"], column)
            if bad.is_empty():
                continue
            if column.type in DAYS_AND_TIMES:
                _refuse_swapped_dates(bad, to_text(delivered), header)
            faults.append(
                bad.select(
                    "row",
                    pl.lit(column.name).alias("column"),
                    pl.lit(column.rule).alias("rule"),
                    mask(pl.col("found"), column.type).alias("found"),
                )
            )
            if column.rule:
                first_fault = bad["at"].filter(rule.gather(bad["at"]).is_null())
                rule = rule.scatter(first_fault, column.rule)
        constants = [pl.lit(value).alias(name) for name, value in fit.source.constants.items()]
        values = pl.DataFrame([series.alias(name) for name, series in out.items()] + [rule.alias("rule")])
        values = values.with_columns(constants) if constants else values
        return Typed(values, pl.concat(faults) if faults else pl.DataFrame(schema=FAULTS), has_test_persons)

    def _persons(self, delivered: pl.Series, *, needs_birth: bool) -> tuple[dict[str, pl.Series], bool]:
        """The person numbers, with birth date and sex where asked for; and whether any of them is a made-up person."""
        persons = normalise_persons(delivered)
        columns = {"person": pseudonymise(persons, self._key)}
        if needs_birth:
            number = pl.col("id")
            sex = 2 - number.str.slice(9, 1).cast(pl.Int8, strict=False) % 2
            facts = pl.DataFrame({"id": persons.drop_nulls().unique()}).with_columns(
                pl.when(is_cpr(number)).then(birth_date(number)).alias("birth_date"),
                pl.when(is_cpr(number)).then(sex).alias("id_sex"),
            )
            columns |= {
                name: persons.replace_strict(facts["id"], facts[name], default=None, return_dtype=facts.schema[name])
                for name in ("birth_date", "id_sex")
            }
        return columns, some_are_test_persons(persons)

    def _read(self, delivered: pl.Series, column: Column) -> pl.Series:
        """Values of one column; typed times, dates and numbers (Parquet, SAS) are taken as they are."""
        if delivered.dtype.is_temporal() and column.type == "timestamp":
            return pl.select(to_minute(delivered.cast(pl.Datetime("us")))).to_series()
        if delivered.dtype.is_temporal() and column.type == "date":
            return delivered.cast(pl.Date)
        if delivered.dtype.is_numeric() and column.type == "decimal":
            return delivered.cast(pl.Float64)
        if delivered.dtype.is_integer() and column.type == "age" and delivered.is_between(0, 125).all():
            return delivered.cast(pl.Int16)
        if column.type == "id" and (ids := read_plain_ids(delivered)) is not None:
            return ids
        reader = READERS[column.type]
        if column.type == "decimal":  # how a number is written is told by the whole column
            return reader(to_text(delivered), column)

        def read(values: pl.Series) -> pl.Series:
            # an x is a yes there, not a blank
            return reader(trimmed(values) if column.type == "yes_no" else to_text(values), column)

        if delivered.dtype == pl.Categorical:
            return self._meanings[column.name].of(delivered, read)
        return by_distinct(delivered, read)


class _Meanings:
    """What the texts of a coded column mean, by their codes, as far as they have been met."""

    def __init__(self) -> None:
        self._place_of_code = np.empty(0, dtype=np.int32)
        self._found = pl.Series()

    def of(self, values: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
        """What `read` makes of each of the coded texts; null for null."""
        told = values.is_not_null()
        codes = values.to_physical().filter(told).to_numpy() if values.null_count() else values.to_physical().to_numpy()
        n_new = int(codes.max(initial=0)) + 1 - len(self._place_of_code)
        self._place_of_code = np.pad(self._place_of_code, (0, max(0, n_new)), constant_values=UNKNOWN)
        if len(unknown := np.flatnonzero(self._place_of_code[codes] == UNKNOWN)):
            new, first = np.unique(codes[unknown], return_index=True)
            self._learn(new, values.filter(told).gather(unknown[first]).cast(pl.String), read)
        elif self._found.is_empty():  # nothing was ever told: what type nothing has
            self._found = read(pl.Series([], dtype=pl.String))
        if not values.null_count():
            return self._found.gather(self._place_of_code[codes])
        place = pl.Series([None], dtype=pl.UInt32).new_from_index(0, len(values))
        return self._found.gather(place.scatter(told.arg_true(), self._place_of_code[codes].astype(np.uint32)))

    def _learn(self, codes: np.ndarray, texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> None:
        found = read(texts)
        self._place_of_code[codes] = len(self._found) + np.arange(len(codes))
        self._found = found if self._found.is_empty() else self._found.append(found)


def _unread(value: pl.Series, delivered: pl.Series, row: pl.Series, column: Column) -> pl.DataFrame:
    """Where a column has a fault: a blank that must not be one, or something unreadable. at, row, found (as text)."""
    may_be_blank = column.may_be_blank or not column.rule
    n_blank = delivered.null_count() if may_be_blank else 0
    if value.null_count() == n_blank:  # no reader makes something of nothing
        return pl.DataFrame(schema={"at": pl.UInt32, "row": pl.Int64, "found": pl.String})
    at = (value.is_null() & delivered.is_not_null() if may_be_blank else value.is_null()).arg_true()
    bad = pl.DataFrame({"at": at, "row": row.gather(at), "found": to_text(delivered.gather(at))})
    if may_be_blank:
        bad = bad.filter(pl.col("found").is_not_null())
    if column.may_be_blank and column.type in DAYS_AND_TIMES:
        bad = bad.filter(~pl.col("found").str.contains(FOR_EVER))
    return bad


def _refuse_swapped_dates(bad: pl.DataFrame, delivered: pl.Series, header: str) -> None:
    """Refuse the file where a column's days only make sense as month/day.

    The other half of such a column reads as Danish dates and would be wrong in silence: 02/03 is 2 March or 3 February.
    """
    parts = r"^(\d{1,2})[-./](\d{1,2})[-./]\d{4}"
    swapped = bad.filter(
        (pl.col("found").str.extract(parts, 1).cast(pl.Int32) <= 12)
        & pl.col("found").str.extract(parts, 2).cast(pl.Int32).is_between(13, 31)
    )
    first = delivered.str.extract(parts, 1).cast(pl.Int32)
    is_danish = bool((first > 12).any())
    if swapped.height >= 2 and not is_danish and swapped.height >= SWAPPED_SHARE * first.count():
        row, found = swapped.row(0, named=True)["row"], swapped["found"][0][:10]
        raise Refused("D12-date-order", row=row, column=header, found=found, others=swapped.height - 1)


def _with_clock(days: pl.Series, clock: pl.Series) -> pl.Series:
    """Text of a day and a time of day that were delivered apart; no time means midnight, no day stays null."""
    return to_text(days).str.slice(0, 10) + " " + to_text(clock).fill_null("00:00")


def mask(text: pl.Expr, type_: str) -> pl.Expr:
    """What a message may show of a value: short, and never anything that could be a person.

    Columns may be shifted, so persons' numbers and names may stand in each; only areas are called like persons.
    """
    if type_ == "person":
        return pl.when(text.is_not_null()).then(pl.lit(HIDDEN_NUMBER))
    hidden = text.str.replace_all(PERSON_LIKE, HIDDEN_NUMBER).str.replace_all(r"[\x00-\x1f\x7f]", "�")
    if type_ not in CALLED_LIKE_PERSONS:
        hidden = hidden.str.replace_all(NAME_LIKE, HIDDEN_NAME)
    return hidden.str.slice(0, 80)

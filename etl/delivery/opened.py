"""A delivery that has been opened: what it was recognised as, and its rows as delivered, batch by batch."""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from etl.file import DeliveredFile, shown
from etl.finding import Finding, Refused
from etl.source import Recognised, fold

BATCH_ROWS = 1 << 17  # whose columns stay in the processor's cache
MOST_LINES_NAMED = 500  # of those that are no rows of the table; all are counted
DAMAGES = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, pa.ArrowException, pl.exceptions.PolarsError)

# A row's number is the line or sheet row that a person would look up. Where that is not enough to find the cell, the
# number also holds the sheet and the column: number = row + column × 2^40 + sheet × 2^54.
ROW_BITS, COLUMN_BITS = 40, 14


class Batch:
    """Rows as delivered, in order; column `row` is the line or sheet row that a person would look up.

    As an Arrow table and as a Polars frame, of which the other is made when it is asked for.
    """

    def __init__(self, rows: pl.DataFrame | pa.Table) -> None:
        """Take rows in either form."""
        self._rows = rows

    @cached_property
    def table(self) -> pa.Table:
        """As Arrow. Text of a file that came as Arrow may have broken letters, which `frame` refuses."""
        return self._rows if isinstance(self._rows, pa.Table) else self._rows.to_arrow()

    @cached_property
    def frame(self) -> pl.DataFrame:
        """As Polars. Raises Refused where text has broken letters: they would end the process."""
        if isinstance(self._rows, pl.DataFrame):
            return self._rows
        try:
            self._rows.validate(full=True)
            return _in_danish_time(pl.DataFrame(pl.from_arrow(self._rows)))
        except pa.ArrowException as error:
            raise Refused("D7-parquet.block", row=self._rows["row"][0].as_py()) from error

    def __len__(self) -> int:
        return len(self._rows)

    @staticmethod
    def together(batches: Sequence["Batch"]) -> "Batch":
        """Batches of one file as one."""
        tables = [batch._rows for batch in batches if isinstance(batch._rows, pa.Table)]
        return Batch(pa.concat_tables(tables) if tables else pl.concat(batch.frame for batch in batches))

    def part(self, is_wanted: NDArray[np.bool_]) -> "Batch":
        """The rows that are wanted."""
        wanted = is_wanted if isinstance(self._rows, pl.DataFrame) else pa.array(is_wanted)
        return Batch(self._rows.filter(wanted))


@dataclass
class Delivery:
    """One recognised file. `findings` grows while `batches` is read."""

    file: DeliveredFile
    sha256: str
    fit: Recognised
    _open: Callable[["Delivery"], Iterator[pl.DataFrame] | Iterator[pa.Table]] = field(repr=False)
    findings: list[Finding] = field(default_factory=list)
    n_malformed: int = 0  # lines that are no rows of the table: broken ones, totals and notes; counted as quarantined
    sheets: tuple[str, ...] = ()  # of a workbook, the sheets that are read
    rows_expected: int | None = None  # about so many, where that is known before they are read
    letters: tuple[dict[str, str], ...] = ()  # of each of these, the letters of a canonical column or a year

    def batches(self) -> Iterator[Batch]:
        """All rows, in batches. Raises Refused where the file breaks off or is damaged inside."""
        try:
            n_rows = 0
            for rows in self._open(self):
                n_rows += len(rows)
                yield Batch(_years_as_rows(Batch(rows).frame, self.fit) if self.fit.years else rows)
        except DAMAGES as error:
            raise Refused("D5-damaged") from error
        if n_rows == 0 and self.n_malformed:
            first = next(finding for finding in self.findings if finding.rule == "D4-fields")
            raise Refused("D4-fields.none", row=first.row, first={"da": first.da, "en": first.en})

    def place(self, number: int, column: str) -> tuple[int, str]:
        """The row of a row's number, and what to call its cell: the header as delivered, in a workbook D7."""
        row, at = number % (1 << ROW_BITS), (number >> ROW_BITS) % (1 << COLUMN_BITS)
        year = self.fit.years[at - 1] if at else ""
        header = year if year and column == "value" else self.fit.header_of.get(column, column)
        if not self.sheets:
            return row, header
        sheet = number >> (ROW_BITS + COLUMN_BITS)
        letters = self.letters[sheet].get(year if column == "value" else column)
        cell = f"{letters}{row}" if letters else header
        return row, f"{shown(self.sheets[sheet])}!{cell}" if len(self.sheets) > 1 else cell

    def leave_out(self, row: int, text: str, **values: Any) -> None:
        """Count and name a line that is no row of the table."""
        self.n_malformed += 1
        if self.n_malformed <= MOST_LINES_NAMED:
            self.findings.append(Finding.of(text, row, **values))


def _years_as_rows(frame: pl.DataFrame, fit: Recognised) -> pl.DataFrame:
    """A row for each year of a table that has them side by side; the row's number keeps which column it was."""
    kept = [name for name in frame.columns if name not in (*fit.years, "row")]
    return pl.concat(
        frame.select(
            *kept,
            pl.lit(fold(year)).alias("period"),
            pl.col(year).cast(pl.String).alias("value"),
            (pl.col("row") + (at << ROW_BITS)).alias("row"),
        )
        for at, year in enumerate(fit.years, start=1)
    )


def _in_danish_time(frame: pl.DataFrame) -> pl.DataFrame:
    """Points in time as the clock on the wall showed them."""
    zoned = [name for name, dtype in frame.schema.items() if getattr(dtype, "time_zone", None)]
    return frame.with_columns(
        pl.col(name).dt.convert_time_zone("Europe/Copenhagen").dt.replace_time_zone(None) for name in zoned
    )

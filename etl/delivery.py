"""Opening delivered files: CSV, Parquet, SAS and Excel become batches of rows as delivered, with their row numbers.

Nothing is guessed from the values. Delimiter and header row are those under which the headers are recognised;
text is UTF-8, or Windows-1252 where it is not UTF-8 at all.
"""

import codecs
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from etl.excel import Sheet, read_workbook
from etl.file import MOST_MEMBERS, REFUSED, UNKNOWN_PACKING, DeliveredFile, shown
from etl.finding import Finding, Refused
from etl.parse import REPEATING
from etl.sas import read_batches, read_headers
from etl.source import Recognised, Unknown, fold, recognise
from etl.words import together, told
from kpis.intervention import KEYS, PlanProblem, read_plan, to_row
from kpis.reference import municipality_spellings, normalise_municipality

BATCH_ROWS = 1 << 17  # whose columns stay in the processor's cache
BATCH_BYTES = 64 << 20
HEADER_ROWS_LOOKED_AT = 20  # titles and notes may stand above the header of a sheet
DELIMITERS = (";", ",", "\t")
LONGEST_HEADER = 1 << 20
MOST_HEADERS_NAMED = 15
MOST_LINES_NAMED = 500  # of those that are no rows of the table; all are counted
DAMAGES = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, pa.ArrowException, pl.exceptions.PolarsError)
DANISH_IN_UTF8 = [letter.encode() for letter in "æøåÆØÅ"]
NOT_IN_CP1252 = [b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"]
TOTAL_WORDS = ["i alt", "ialt", "total", "totalt", "sum", "samlet", "hovedtotal"]
LONGEST_TOTAL_WORD = 16  # with the blanks around it
HAVE_TOTALS = ("population", "statbank", "esundhed", "generic_long", "baseline")  # where a total is a row like others
TEXTS = (".csv", ".txt", ".tsv")
DECIMAL_DOT = r"^(-?[1-9]\d{0,2}(?:\.\d{3})+)$"

# A row's number is the line or sheet row that a person would look up. Where that is not enough to find the cell, the
# number also holds the sheet and the column: number = row + column × 2^40 + sheet × 2^54.
ROW_BITS, COLUMN_BITS = 40, 14
CODED_TEXT = pa.dictionary(pa.int32(), pa.string())


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


def open_delivery(file: DeliveredFile) -> Delivery:
    """Recognise one file. Raises Refused where it cannot be read or no source fits."""
    delivery = _opened(file)
    unread = [header for header in delivery.fit.unused if header and header not in _partitions(file)]
    unshown = [delivery.fit.header_of[c.name] for c in delivery.fit.source.columns
               if not c.is_shown and c.name in delivery.fit.header_of]  # fmt: skip
    for text, headers in (("D2-unread", unread), ("D2-unshown", unshown)):
        if headers:
            delivery.findings.append(Finding.of(text, columns=_headers_shown(headers)))
    return delivery


def _headers_shown(headers: Sequence[str]) -> str:
    """Some headers for a message. In a file without headers data stand in their place: long numbers are left out."""
    some = [shown(re.sub(r"\d{5,}", "…", header)) for header in headers[:MOST_HEADERS_NAMED]]
    return ", ".join(some) + (f" … ({len(headers)})" if len(headers) > MOST_HEADERS_NAMED else "")


def _opened(file: DeliveredFile) -> Delivery:
    if file.path.stat().st_size == 0:
        raise Refused("D1-empty.bytes")
    if file.is_hostile:
        raise Refused("D11-name")
    if file.path.suffix.lower() == ".zip" and file.member is None:
        raise Refused("D11-archive.open", most=MOST_MEMBERS)
    if file.suffix in REFUSED:
        raise Refused(REFUSED[file.suffix], ending=file.suffix)
    try:
        match file.suffix:
            case ".parquet":
                return _open_parquet(file)
            case ".xlsx" | ".xlsm":
                return _open_excel(file)
            case ".sas7bdat":
                return _open_sas(file)
            case ".toml":
                return _open_plan(file)
            case _:
                return _open_csv(file)
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, UNKNOWN_PACKING) as error:
        raise Refused("D11-archive.damaged") from error


def _recognised(fit: Recognised | Unknown) -> Recognised:
    if isinstance(fit, Unknown):
        raise _refusal(fit)
    return fit


def count_rows(file: DeliveredFile) -> int | None:
    """Rows of a file that was refused: lines under the header of a text, rows of a Parquet file; None: unknown."""
    try:
        if file.suffix == ".parquet":
            return pa.parquet.ParquetFile(
                pa.BufferReader(file.read()) if file.is_packed else file.path
            ).metadata.num_rows
        if file.suffix in TEXTS and not file.is_hostile:
            with file.open() as stream:
                return max(0, sum(not line.isspace() for line in stream) - 1)
    except (*DAMAGES, OSError, ValueError, UNKNOWN_PACKING, Refused):
        pass  # why it cannot be read is told already
    return None


def _refusal(fit: Unknown) -> Refused:
    """In words: what the file might be, and which columns differ."""
    if fit.n_found == 0:
        return Refused("D2-unknown.none")
    title, missing = fit.nearest.title, ", ".join(fit.missing)
    # a file without headers has data in their place: what holds a digit is not repeated
    strange = [header for header in fit.unused if re.fullmatch(r"(?:[^\W\d]|[ ./-]){2,40}", header)]
    if not strange:
        return Refused("D2-unknown.nearest", title=title, missing=missing)
    return Refused("D2-unknown.strange", title=title, missing=missing, strange=", ".join(strange[:8]))


def _open_csv(file: DeliveredFile) -> Delivery:
    encoding, findings, ends_open, n_lines = _encoding(file)
    try:
        with io.TextIOWrapper(file.open(), encoding=encoding, newline="") as text:
            header_line = text.readline(LONGEST_HEADER).rstrip("\r\n")
            has_rows = bool(text.readline(LONGEST_HEADER))
    except UnicodeError as error:
        raise Refused("D6-encoding.utf16") from error
    fits = {d: recognise(_split_header(header_line, d), file.names) for d in DELIMITERS}
    apart = {d: fit.distance if isinstance(fit, Unknown) else 0.0 for d, fit in fits.items()}
    delimiter = min(DELIMITERS, key=lambda d: apart[d])
    fit = _recognised(fits[delimiter])
    headers = _split_header(header_line, delimiter)
    _refuse_header_twice(headers, 1)
    _refuse_untitled(fit)
    if not has_rows:
        raise Refused("D1-empty.rows")

    def read(delivery: Delivery) -> Iterator[pl.DataFrame]:
        malformed: list[int] = []
        last: list[pyarrow.csv.InvalidRow] = []  # the last malformed line

        def note_malformed(row: pyarrow.csv.InvalidRow) -> str:
            last[:] = [row]
            malformed.append(row.number)
            if row.actual_columns == 1 and _is_note(row.text):
                delivery.leave_out(row.number, "D4-fields.note")
            else:
                counts = {"found": row.actual_columns, "wanted": row.expected_columns}
                delivery.leave_out(row.number, "D4-fields.count", **counts)
            return "skip"

        line = 2  # the header is line 1
        for batch in _csv_batches(file, encoding, delimiter, headers, _coded(fit), note_malformed):
            frame = pl.DataFrame(pl.from_arrow(batch))
            skipped = [number - line for number in malformed if number >= line]
            numbers = np.delete(np.arange(line, line + frame.height + len(skipped)), skipped)[: frame.height]
            line = int(numbers[-1]) + 1 if frame.height else line
            rows = frame.with_columns(pl.Series("row", numbers, dtype=pl.Int64))
            yield _without_totals_and_notes(_without_blank_lines(rows), delivery)
        for cut in last:
            is_short = cut.actual_columns < cut.expected_columns
            if ends_open and cut.number >= line and is_short and not (cut.actual_columns == 1 and _is_note(cut.text)):
                raise Refused("D5-cut.line", row=cut.number)

    return Delivery(file, file.sha256(), fit, read, findings, rows_expected=n_lines)


def _csv_batches(
    file: DeliveredFile,
    encoding: str,
    delimiter: str,
    headers: list[str],
    coded: set[str],
    note_malformed: Callable[[pyarrow.csv.InvalidRow], str],
) -> Iterator[pa.RecordBatch]:
    try:
        yield from pyarrow.csv.open_csv(
            _byte_stream(file, encoding),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=BATCH_BYTES, column_names=headers, skip_rows=1
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, invalid_row_handler=note_malformed, ignore_empty_lines=False
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: CODED_TEXT if name in coded else pa.string() for name in headers},
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise Refused("D4-fields.quote") from error


def _coded(fit: Recognised) -> set[str]:
    """Headers of columns whose texts are read as codes, because the same few stand again and again."""
    return {fit.header_of[c.name] for c in fit.source.columns if c.type in REPEATING and c.name in fit.header_of}


def _without_blank_lines(rows: pl.DataFrame) -> pl.DataFrame:
    starts_blank = rows[rows.columns[0]].cast(pl.String).str.strip_chars() == ""
    if not starts_blank.any():
        return rows
    return rows.filter(~pl.all_horizontal(pl.exclude("row").cast(pl.String).str.strip_chars() == ""))


def _refuse_header_twice(headers: list[str], row: int) -> None:
    twice = sorted({shown(h) for h in headers if h and headers.count(h) > 1})
    if twice:
        raise Refused("D3-header", row=row, names=", ".join(twice))


def _refuse_untitled(fit: Recognised) -> None:
    if fit.years and "indicator" not in fit.header_of:
        raise Refused("D2-unknown.untitled", title=fit.source.title)


def _is_note(text: str) -> bool:
    """Whether a lonely cell is words, not a broken row or an id."""
    return bool(re.search(r"[^\W\d_]{3}", text)) and normalise_municipality(text) not in municipality_spellings()


def _without_totals_and_notes(rows: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    """The rows without those that people write under a table; each is named in the findings."""
    first, *others = (name for name in rows.columns if name != "row")

    def text(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.String).fill_null("")

    has_totals = delivery.fit.source.kind in HAVE_TOTALS
    is_suspect = pl.lit(False) if has_totals else text(first).str.len_bytes() <= LONGEST_TOTAL_WORD
    if len(others) > 1:
        is_suspect = is_suspect | pl.all_horizontal(text(name) == "" for name in others[:2])
    suspects = rows.filter(is_suspect)
    is_total = text(first).str.strip_chars().str.to_lowercase().is_in([] if has_totals else TOTAL_WORDS)
    is_lonely = pl.all_horizontal(text(name).str.strip_chars() == "" for name in others)
    suspects = suspects.filter(is_total | is_lonely) if len(others) > 1 else suspects.filter(is_total)
    left_out = []
    for row in suspects.iter_rows(named=True):
        word = (row[first] or "").strip()
        if not has_totals and fold(word) in TOTAL_WORDS:
            delivery.leave_out(row["row"] % (1 << ROW_BITS), "D4-fields.total", word=word)
        elif _is_note(word):
            delivery.leave_out(row["row"] % (1 << ROW_BITS), "D4-fields.note")
        else:
            continue
        left_out.append(row["row"])
    return rows.filter(~pl.col("row").is_in(left_out)) if left_out else rows


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


def _split_header(line: str, delimiter: str) -> list[str]:
    return [name.strip().strip('"').strip() for name in line.lstrip("\ufeff").split(delimiter)]


class _Text(NamedTuple):
    encoding: str
    findings: list[Finding]
    ends_open: bool  # without a line end, as a file that was cut off does
    n_lines: int | None


def _encoding(file: DeliveredFile) -> _Text:
    """UTF-8 (with or without mark), UTF-16 by its mark, else Windows-1252 with a finding that says so."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, has_danish_utf8, is_cp1252 = True, False, True
    with file.open() as stream:
        is_first, ends_open, n_lines = True, False, 0
        while block := stream.read(1 << 22):
            n_lines += block.count(b"\n")
            ends_open = block[-1:] not in (b"\n", b"\r")
            if is_first and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return _Text("utf-16", [], False, None)
            is_first = False
            if b"\0" in block:
                raise Refused("D5-binary")
            has_danish_utf8 |= any(pair in block for pair in DANISH_IN_UTF8)
            is_cp1252 &= not any(byte in block for byte in NOT_IN_CP1252)
            if is_utf8:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    is_utf8 = False
    if is_utf8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            if has_danish_utf8:
                raise Refused("D5-cut.letter") from error
        else:
            return _Text("utf-8-sig", [], ends_open, n_lines)
    if has_danish_utf8:
        raise Refused("D6-encoding.mixed")
    if not is_cp1252:
        raise Refused("D6-encoding.unknown")
    return _Text("cp1252", [Finding.of("D6-encoding.cp1252")], ends_open, n_lines)


def _byte_stream(file: DeliveredFile, encoding: str) -> BinaryIO:
    if encoding == "utf-8-sig":
        return file.open()
    return io.BufferedReader(_Transcoded(file.open(), encoding), 1 << 20)


class _Transcoded(io.RawIOBase):
    """A stream of UTF-8 made of a stream in another encoding, block by block."""

    def __init__(self, stream: BinaryIO, encoding: str):
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As a file's readinto."""
        while not self._ready:
            block = self._stream.read(1 << 20)
            self._ready = self._decoder.decode(block, final=not block).encode()
            if not block:
                break
        taken, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _open_parquet(file: DeliveredFile) -> Delivery:
    """One file, or one part of a folder; what the folders' names tell (year=2024) are columns like others."""
    try:
        content = pa.BufferReader(file.read()) if file.is_packed else file.path
        parquet = pa.parquet.ParquetFile(content, page_checksum_verification=True)
        schema = parquet.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Refused("D7-parquet.open") from error
    told_by_folder = {name: value for name, value in _partitions(file).items() if name not in schema.names}
    headers = [*schema.names, *told_by_folder]
    _refuse_header_twice(headers, 1)
    fit = _recognised(recognise(headers, file.names))
    _refuse_untitled(fit)
    wanted = [name for name in _wanted(fit) if name not in told_by_folder]
    nested = [name for name in wanted if pa.types.is_nested(schema.field(name).type)]
    if nested:
        raise Refused("D7-parquet.nested", column=shown(nested[0]))
    texts = {name for name in wanted if schema.field(name).type in (pa.string(), pa.large_string())}
    parquet = pa.parquet.ParquetFile(content, read_dictionary=sorted(texts & _coded(fit)))

    def read(_: Delivery) -> Iterator[pa.Table]:
        row = 1
        try:
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=wanted, use_threads=False):
                rows = pa.table(batch).append_column("row", pa.array(np.arange(row, row + batch.num_rows)))
                for name, value in told_by_folder.items():
                    rows = rows.append_column(name, pa.repeat(pa.scalar(value, pa.string()), batch.num_rows))
                yield rows
                row += batch.num_rows
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Refused("D7-parquet.block", row=row) from error

    sha256 = file.sha256()
    if told_by_folder:  # equal bytes in another folder are other data
        sha256 = hashlib.sha256(f"{sha256} {sorted(told_by_folder.items())}".encode()).hexdigest()
    return Delivery(file, sha256, fit, read, rows_expected=parquet.metadata.num_rows)


def _partitions(file: DeliveredFile) -> dict[str, str | None]:
    """What folders named column=value tell (Hive's way), outermost first."""
    folders = (file.member or str(file.path)).replace("\\", "/").split("/")[:-1]
    told = dict(folder.split("=", 1) for folder in folders if "=" in folder)
    return {name: None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value) for name, value in told.items()}


def _in_danish_time(frame: pl.DataFrame) -> pl.DataFrame:
    """Points in time as the clock on the wall showed them."""
    zoned = [name for name, dtype in frame.schema.items() if getattr(dtype, "time_zone", None)]
    return frame.with_columns(
        pl.col(name).dt.convert_time_zone("Europe/Copenhagen").dt.replace_time_zone(None) for name in zoned
    )


def _wanted(fit: Recognised) -> list[str]:
    headers = [*fit.header_of.values(), *fit.clock_of.values(), *fit.years]
    return [name for name in dict.fromkeys(headers) if not (fit.years and name in ("period", "value"))]


def _numbered(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    return frame.with_columns(pl.int_range(first, first + frame.height, dtype=pl.Int64).alias("row"))


def _open_sas(file: DeliveredFile) -> Delivery:
    if file.is_packed:
        raise Refused("D9-sas.archive")
    fit = _recognised(recognise(read_headers(file.path), file.names))

    def read(_: Delivery) -> Iterator[pl.DataFrame]:
        row = 1
        for frame in read_batches(file.path, _wanted(fit)):
            yield _numbered(frame, row)
            row += frame.height

    return Delivery(file, file.sha256(), fit, read)


def _open_plan(file: DeliveredFile) -> Delivery:
    """The plan of one intervention, as the form in the dashboard writes it: a table of one row."""
    try:
        row = to_row(read_plan(file.read().decode("utf-8")))
    except UnicodeDecodeError as error:
        raise Refused("D6-encoding.unknown") from error
    except PlanProblem as error:
        faults = [
            told(f"I1-plan.{fault.problem}", key=KEYS.get(fault.field, fault.field), found=shown(fault.found))
            for fault in error.faults
        ]
        raise Refused("I1-plan", faults=together(faults, "; ")) from error
    frame = pl.DataFrame([row]).with_columns(pl.lit(1, dtype=pl.Int64).alias("row"))
    return Delivery(file, file.sha256(), _recognised(recognise(list(row), file.names)), lambda _: iter([frame]))


class _Table(NamedTuple):
    """A table on a sheet: where its header is, and what the headers are."""

    sheet: Sheet
    header_row: int  # from 0
    headers: list[str]
    fit: Recognised


def _open_excel(file: DeliveredFile) -> Delivery:
    """All visible sheets whose headers are recognised, which must be of one kind; hidden sheets are never read."""
    sheets = read_workbook(file.read())
    tables, missed = [], []
    for sheet in sheets:
        found = _find_table(sheet, file.names) if sheet.is_visible else None
        tables += [found] if isinstance(found, _Table) else []
        missed += [found] if isinstance(found, Unknown) else []
    if not tables:
        nearest = min(missed, key=lambda miss: miss.distance, default=None)
        raise _refusal(nearest) if nearest else Refused("D2-unknown.sheets")
    if len({table.fit.source.id for table in tables}) > 1:
        kinds = [told("D8-sheets.one", title=t.fit.source.title, sheet=shown(t.sheet.name)) for t in tables]
        raise Refused("D8-sheets", kinds=together(kinds, ", "))
    for table in tables:
        _refuse_header_twice(table.headers, table.header_row + 1)
        _refuse_empty_formulas(table.sheet)
    source = tables[0].fit.source
    read_names = {table.sheet.name for table in tables}
    findings = [Finding.of("D8-hidden", sheet=shown(sheet.name)) for sheet in sheets if not sheet.is_visible] + [
        Finding.of("D8-sheet", sheet=shown(sheet.name))
        for sheet in sheets
        if sheet.is_visible and sheet.name not in read_names and not sheet.cells.is_empty()
    ]
    delivery = _excel_delivery(file, tables, findings)
    if all(_body(table).is_empty() for table in tables):
        if source.kind == "services_template":
            raise Refused("T0-blank", sheet=shown(tables[0].sheet.name))
        raise Refused("D1-empty.rows")
    return delivery


def _find_table(sheet: Sheet, name: str) -> _Table | Unknown | None:
    """The first row that is the header of something known; else the row that comes nearest to one."""
    nearest: Unknown | None = None
    for header_row in range(min(HEADER_ROWS_LOOKED_AT, sheet.cells.height)):
        headers = [str(cell).strip() if cell is not None else "" for cell in sheet.cells.row(header_row)]
        if sum(bool(header) for header in headers) < 2:
            continue
        fit = recognise(headers, name)
        if isinstance(fit, Recognised):
            return _Table(sheet, header_row, headers, fit)
        nearest = fit if nearest is None or fit.distance < nearest.distance else nearest
    return nearest


def _refuse_empty_formulas(sheet: Sheet) -> None:
    if sheet.formulas_without_value:
        first, n = sheet.formulas_without_value[0], len(sheet.formulas_without_value)
        raise Refused("D8-formula", column=first, cell=first, sheet=shown(sheet.name), n=n)


def _body(table: _Table) -> pl.DataFrame:
    """The cells under the header as text, without blank rows; columns are the headers, and `row`."""
    body = table.sheet.cells.slice(table.header_row + 1)
    columns = [body.to_series(at).cast(pl.String).alias(header) for at, header in enumerate(table.headers) if header]
    frame = _numbered(pl.DataFrame(columns), table.header_row + 2)
    return frame.filter(~pl.all_horizontal(pl.exclude("row").fill_null("").str.strip_chars() == ""))


def _excel_delivery(file: DeliveredFile, tables: list[_Table], findings: list[Finding]) -> Delivery:
    fit = tables[0].fit
    is_untitled = bool(fit.years) and "indicator" not in fit.header_of
    if is_untitled:
        fit = replace(fit, header_of=fit.header_of | {"indicator": "indicator"})
    decimals = [column.name for column in fit.source.columns if column.type == "decimal"]

    def read(delivery: Delivery) -> Iterator[pl.DataFrame]:
        for number, table in enumerate(tables):
            here = table.fit
            body = _without_totals_and_notes(_body(table), delivery)
            if is_untitled:
                body = body.with_columns(pl.lit(_title(table)).alias("indicator"))
                here = replace(here, header_of=here.header_of | {"indicator": "indicator"})
            # the same column may stand under another spelling, or not at all, on another sheet
            stands_as = {header: here.header_of.get(name) for name, header in fit.header_of.items()}
            stands_as |= {header: here.clock_of.get(name) for name, header in fit.clock_of.items()}
            stands_as |= {year: year for year in fit.years}
            wanted = [
                (pl.col(there) if there in body.columns else pl.lit(None, dtype=pl.String)).alias(header)
                for header, there in stands_as.items()
                if not (fit.years and header in ("period", "value"))
            ]
            frame = body.select(*wanted, pl.col("row") + (number << (ROW_BITS + COLUMN_BITS)))
            # a number in a cell is written with a decimal dot here, never with dots between thousands
            numbers = {fit.header_of[name] for name in decimals if name in fit.header_of} | set(fit.years)
            yield frame.with_columns(
                pl.col(name).str.replace(DECIMAL_DOT, "${1}0") for name in numbers & set(frame.columns)
            )

    names = tuple(table.sheet.name for table in tables)
    return Delivery(file, file.sha256(), fit, read, findings, sheets=names, letters=tuple(map(_letters_of, tables)))


def _letters_of(table: _Table) -> dict[str, str]:
    """Canonical column or year → the letters of its column on the sheet."""
    stands = {
        name: table.headers.index(header) for name, header in table.fit.header_of.items() if header in table.headers
    }
    stands |= {year: table.headers.index(year) for year in table.fit.years}
    return {name: _letters(at) for name, at in stands.items()}


def _title(table: _Table) -> str:
    """What stands above the table: the first words on the sheet, else the sheet's name."""
    above = (cell for row in table.sheet.cells.head(table.header_row).iter_rows() for cell in row if cell)
    return next((str(cell).strip() for cell in above), table.sheet.name)


def _letters(at: int) -> str:
    """The letters of a column, counted from 0: A … Z, AA …"""
    return (_letters(at // 26 - 1) if at >= 26 else "") + chr(ord("A") + at % 26)

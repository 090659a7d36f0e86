"""Opening delivered files: CSV, Parquet, SAS and Excel become batches of rows as delivered, with their row numbers.

Nothing is guessed from the values. Delimiter and header row are those under which the headers are recognised;
text is UTF-8, or Windows-1252 where it is not UTF-8 at all.
"""

import codecs
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pyreadstat

from etl.excel import Sheet, read_workbook
from etl.file import DeliveredFile
from etl.finding import Finding, Refused
from etl.source import Recognised, Unknown, recognise

BATCH_ROWS = 1_000_000
BATCH_BYTES = 64 << 20
HEADER_ROWS_LOOKED_AT = 20  # titles and notes may stand above the header of a sheet
DELIMITERS = (";", ",", "\t")
DANISH_IN_UTF8 = [letter.encode() for letter in "æøåÆØÅ"]
NOT_IN_CP1252 = [b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"]


@dataclass
class Delivery:
    """One recognised file. `findings` grows while `batches` is read."""

    file: DeliveredFile
    sha256: str
    fit: Recognised
    _open: object = field(repr=False)
    findings: list[Finding] = field(default_factory=list)
    n_malformed: int = 0  # rows with too few or too many fields: counted as quarantined

    def batches(self) -> Iterator[pl.DataFrame]:
        """Rows as delivered, in order, in batches; column `row` is the line or sheet row a person would look up."""
        return self._open(self)  # type: ignore[operator]


def open_delivery(file: DeliveredFile) -> Delivery:
    """Recognise one file. Raises Refused where it cannot be read or no source fits."""
    if file.path.stat().st_size == 0:
        raise Refused("D1-empty", "The file is empty (0 bytes). Ask for it to be sent again.")
    if file.path.suffix.lower() == ".zip" and file.member is None:
        raise Refused("D11-archive", "The archive cannot be opened. Was it cut off? Ask for it again.")
    try:
        match file.suffix:
            case ".parquet":
                return _open_parquet(file)
            case ".xlsx":
                return _open_excel(file)
            case ".sas7bdat":
                return _open_sas(file)
            case _:
                return _open_csv(file)
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise Refused("D11-archive", "The archive is damaged. Was it cut off? Ask for it again.") from error


def _recognised(fit: Recognised | Unknown) -> Recognised:
    if isinstance(fit, Unknown):
        raise Refused("D2-unknown", fit.message)
    return fit


def _open_csv(file: DeliveredFile) -> Delivery:
    encoding, findings = _encoding(file)
    with io.TextIOWrapper(file.open(), encoding=encoding, newline="") as text:
        header_line = text.readline().rstrip("\r\n")
        has_rows = bool(text.readline())
    fits = {d: recognise(_split_header(header_line, d)) for d in DELIMITERS}
    delimiter = next((d for d, fit in fits.items() if isinstance(fit, Recognised)), ";")
    fit = _recognised(fits[delimiter])
    headers = _split_header(header_line, delimiter)
    twice = sorted({h for h in headers if headers.count(h) > 1})
    if twice:
        raise Refused("D3-header", f"The header names {', '.join(twice)} more than once.", row=1)
    if not has_rows:
        raise Refused("D1-empty", "The file has a header and no rows. It does not replace what was delivered before.")

    def read(delivery: Delivery) -> Iterator[pl.DataFrame]:
        malformed: list[int] = []

        def note_malformed(row: pyarrow.csv.InvalidRow) -> str:
            delivery.n_malformed += 1
            malformed.append(row.number)
            delivery.findings.append(
                Finding(
                    row.number,
                    None,
                    "D4-fields",
                    f"The line has {row.actual_columns} fields where the header has {row.expected_columns}.",
                )
            )
            return "skip"

        line, taken = 2, 0  # the header is line 1
        for batch in _csv_batches(file, encoding, delimiter, headers, note_malformed):
            frame = pl.DataFrame(pl.from_arrow(batch))
            numbers: list[int] = []
            skipped = set(malformed[taken:])
            while len(numbers) < frame.height:
                if line not in skipped:
                    numbers.append(line)
                line += 1
            taken = len(malformed)
            is_blank = pl.all_horizontal(pl.all().str.strip_chars() == "")
            yield frame.filter(~is_blank).with_columns(
                pl.Series("row", numbers, dtype=pl.Int64).filter(~frame.select(is_blank).to_series())
            )

    return Delivery(file, file.sha256(), fit, read, findings)


def _csv_batches(
    file: DeliveredFile,
    encoding: str,
    delimiter: str,
    headers: list[str],
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
                column_types=dict.fromkeys(headers, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise Refused("D4-fields", "The lines cannot be parted into fields. Is a quotation mark left open?") from error


def _split_header(line: str, delimiter: str) -> list[str]:
    return [name.strip().strip('"').strip() for name in line.lstrip("\ufeff").split(delimiter)]


def _encoding(file: DeliveredFile) -> tuple[str, list[Finding]]:
    """UTF-8 (with or without mark), UTF-16 by its mark, else Windows-1252 with a finding that says so."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, has_danish_utf8, is_cp1252 = True, False, True
    with file.open() as stream:
        is_first = True
        while block := stream.read(1 << 22):
            if is_first and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16", []
            is_first = False
            if b"\0" in block:
                raise Refused("D5-binary", "The file holds zero bytes, so it is no text. Was it cut off or renamed?")
            has_danish_utf8 |= any(pair in block for pair in DANISH_IN_UTF8)
            is_cp1252 &= not any(byte in block for byte in NOT_IN_CP1252)
            if is_utf8:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    is_utf8 = False
    if is_utf8:
        return "utf-8-sig", []
    if has_danish_utf8:
        raise Refused("D6-encoding", "The file mixes UTF-8 and Windows-1252. Ask for it in one encoding, UTF-8.")
    if not is_cp1252:
        raise Refused("D6-encoding", "The file is neither UTF-8 nor Windows-1252. Ask for it as UTF-8.")
    return "cp1252", [Finding(None, None, "D6-encoding", "The file is not UTF-8; it was read as Windows-1252.")]


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
    try:
        content = pa.BufferReader(file.read()) if file.is_packed else file.path
        parquet = pa.parquet.ParquetFile(content)
    except (pa.ArrowInvalid, OSError) as error:
        raise Refused("D7-parquet", "The Parquet file cannot be read. Was it cut off? Ask for it again.") from error
    fit = _recognised(recognise(parquet.schema_arrow.names))
    wanted = _wanted(fit)

    def read(_: Delivery) -> Iterator[pl.DataFrame]:
        row = 1
        try:
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
                frame = pl.DataFrame(pl.from_arrow(batch))
                yield _numbered(frame, row)
                row += frame.height
        except (pa.ArrowInvalid, OSError) as error:
            text = "A block of the Parquet file cannot be read. Ask for it again."
            raise Refused("D7-parquet", text, row=row) from error

    return Delivery(file, file.sha256(), fit, read)


def _wanted(fit: Recognised) -> list[str]:
    return list(dict.fromkeys([*fit.header_of.values(), *fit.clock_of.values()]))


def _numbered(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    return frame.with_columns(pl.int_range(first, first + frame.height, dtype=pl.Int64).alias("row"))


def _open_sas(file: DeliveredFile) -> Delivery:
    if file.is_packed:
        raise Refused("D9-sas", "A SAS file cannot be read from an archive. Deliver it unpacked.")
    try:
        _, about = pyreadstat.read_sas7bdat(file.path, metadataonly=True)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        raise Refused("D9-sas", "The SAS file cannot be read. Was it cut off? Ask for it again.") from error
    fit = _recognised(recognise(about.column_names))

    def read(_: Delivery) -> Iterator[pl.DataFrame]:
        row = 1
        chunks = pyreadstat.read_file_in_chunks(
            pyreadstat.read_sas7bdat, file.path, chunksize=BATCH_ROWS, usecols=_wanted(fit), output_format="polars"
        )
        try:
            for frame, _about in chunks:
                yield _numbered(frame, row)
                row += frame.height
        except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
            raise Refused("D9-sas", "The SAS file breaks off. Ask for it again.", row=row) from error

    return Delivery(file, file.sha256(), fit, read)


def _open_excel(file: DeliveredFile) -> Delivery:
    """The first visible sheet with a header that is recognised; hidden sheets are named, never read."""
    sheets = read_workbook(file.read())
    nearest: Unknown | None = None
    for sheet in sheets:
        for header_row in range(min(HEADER_ROWS_LOOKED_AT, sheet.cells.height) if sheet.is_visible else 0):
            headers = [str(cell).strip() if cell is not None else "" for cell in sheet.cells.row(header_row)]
            if sum(bool(header) for header in headers) < 2:
                continue
            fit = recognise(headers)
            if isinstance(fit, Recognised):
                return _excel_delivery(file, fit, sheet, headers, header_row, sheets)
            nearest = fit if nearest is None or len(fit.missing) < len(nearest.missing) else nearest
    raise Refused("D2-unknown", nearest.message if nearest else "No visible sheet of the workbook has a header row.")


def _excel_delivery(
    file: DeliveredFile, fit: Recognised, sheet: Sheet, headers: list[str], header_row: int, sheets: list[Sheet]
) -> Delivery:
    if sheet.formulas_without_value:
        first, n = sheet.formulas_without_value[0], len(sheet.formulas_without_value)
        raise Refused(
            "D8-formula",
            f"Cell {first} of sheet “{sheet.name}” holds a formula without a stored result ({n} such cells). "
            "Open the workbook in Excel, save it and send it again.",
        )

    def read(_: Delivery) -> Iterator[pl.DataFrame]:
        places = {header: place for place, header in enumerate(headers) if header}
        body = sheet.cells.slice(header_row + 1)
        columns = [body.to_series(place).cast(pl.String).alias(header) for header, place in places.items()]
        frame = _numbered(pl.DataFrame(columns), header_row + 2)
        yield frame.filter(~pl.all_horizontal(pl.exclude("row").fill_null("").str.strip_chars() == ""))

    findings = [
        Finding(None, None, "D8-hidden", f"Sheet “{other.name}” is hidden and was not read.")
        for other in sheets
        if not other.is_visible and sheet.name != fit.source.sheet_hint
    ]
    return Delivery(file, file.sha256(), fit, read, findings)

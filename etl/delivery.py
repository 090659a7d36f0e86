"""Opening delivered files: CSV, Parquet and Excel become batches of rows as delivered, with their row numbers.

Nothing is guessed from the values. Delimiter and header row are those under which the headers are recognised;
text is UTF-8, or Windows-1252 where it is not UTF-8 at all.
"""

import codecs
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import fastexcel
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from etl.source import Recognised, Unknown, recognise

SUFFIXES = (".csv", ".txt", ".parquet", ".xlsx")
BATCH_ROWS = 1_000_000
BATCH_BYTES = 64 << 20
HEADER_ROWS_LOOKED_AT = 20  # titles and notes may stand above the header of a sheet


@dataclass(frozen=True)
class Finding:
    """Something worth telling whoever delivered: where, what rule, and a text that never shows a person."""

    row: int | None
    column: str | None
    rule: str
    message: str


class Refused(Exception):
    """A file that cannot be taken in; carries the one finding that says why."""

    def __init__(self, rule: str, message: str, row: int | None = None, column: str | None = None):
        super().__init__(message)
        self.finding = Finding(row, column, rule, message)


@dataclass
class Delivery:
    """One recognised file. `findings` grows while `batches` is read."""

    path: Path
    sha256: str
    fit: Recognised
    _open: object = field(repr=False)
    findings: list[Finding] = field(default_factory=list)
    n_malformed: int = 0  # rows with too few or too many fields: counted as quarantined

    def batches(self) -> Iterator[pl.DataFrame]:
        """Rows as delivered, in order, in batches; column `row` is the line or sheet row a person would look up."""
        return self._open(self)  # type: ignore[operator]


def find_files(paths: list[Path]) -> list[Path]:
    """All data files under the given files and folders, in a fixed order.

    Names that begin with a dot or underscore are not deliveries (editors' and systems' own files).
    """
    found: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: there is no such file or folder.")
        inside = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        base = path if path.is_dir() else path.parent
        found.update(
            p
            for p in inside
            if p.suffix.lower() in SUFFIXES
            and not any(part.startswith((".", "_", "~$")) for part in p.relative_to(base).parts)
        )
    return sorted(found)


def open_delivery(path: Path) -> Delivery:
    """Recognise one file. Raises Refused where it cannot be read or no source fits."""
    if path.stat().st_size == 0:
        raise Refused("D1-empty", "The file is empty (0 bytes). Ask for it to be sent again.")
    sha256 = _hash(path)
    match path.suffix.lower():
        case ".parquet":
            return _open_parquet(path, sha256)
        case ".xlsx":
            return _open_excel(path, sha256)
        case _:
            return _open_csv(path, sha256)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _recognised(fit: Recognised | Unknown) -> Recognised:
    if isinstance(fit, Unknown):
        raise Refused("D2-unknown", fit.message)
    return fit


def _open_csv(path: Path, sha256: str) -> Delivery:
    encoding, findings = _encoding(path)
    with path.open("r", encoding=encoding, newline="") as file:
        header_line = file.readline().rstrip("\r\n")
        has_rows = bool(file.readline())
    fits = {d: recognise(_split_header(header_line, d)) for d in (";", ",", "\t")}
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
        for batch in _csv_batches(path, encoding, delimiter, headers, note_malformed):
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

    return Delivery(path, sha256, fit, read, findings)


def _csv_batches(
    path: Path,
    encoding: str,
    delimiter: str,
    headers: list[str],
    note_malformed: Callable[[pyarrow.csv.InvalidRow], str],
) -> Iterator[pa.RecordBatch]:
    try:
        yield from pyarrow.csv.open_csv(
            _byte_stream(path, encoding),
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


def _encoding(path: Path) -> tuple[str, list[Finding]]:
    """UTF-8 (with or without mark), UTF-16 by its mark, else Windows-1252 with a finding that says so."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        start = file.read(4)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16", []
        file.seek(0)
        is_utf8, has_multibyte = True, False
        while block := file.read(1 << 22):
            if b"\0" in block:
                raise Refused(
                    "D5-binary",
                    "The file holds zero bytes, so it is no text file. Was it cut off or renamed?",
                )
            try:
                has_multibyte |= not decoder.decode(block).isascii()
            except UnicodeDecodeError:
                is_utf8 = False
                break
    if is_utf8:
        return "utf-8-sig", []
    whole = path.read_bytes()
    if any(pair in whole for pair in ("æ".encode(), "ø".encode(), "å".encode())):
        raise Refused("D6-encoding", "The file mixes UTF-8 and Windows-1252. Ask for it in one encoding, UTF-8.")
    try:
        whole.decode("cp1252")
    except UnicodeDecodeError as error:
        raise Refused("D6-encoding", "The file is neither UTF-8 nor Windows-1252. Ask for it as UTF-8.") from error
    return "cp1252", [Finding(None, None, "D6-encoding", "The file is not UTF-8; it was read as Windows-1252.")]


def _byte_stream(path: Path, encoding: str) -> io.BufferedIOBase | str:
    if encoding == "utf-8-sig":
        return str(path)
    with path.open("r", encoding=encoding, newline="") as file:
        return io.BytesIO(file.read().encode())


def _open_parquet(path: Path, sha256: str) -> Delivery:
    try:
        file = pa.parquet.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise Refused("D7-parquet", "The Parquet file cannot be read. Was it cut off? Ask for it again.") from error
    fit = _recognised(recognise(file.schema_arrow.names))
    wanted = [*fit.header_of.values(), *fit.clock_of.values()]

    def read(_: Delivery) -> Iterator[pl.DataFrame]:
        row = 1
        try:
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
                frame = pl.DataFrame(pl.from_arrow(batch))
                yield frame.with_columns(pl.int_range(row, row + frame.height, dtype=pl.Int64).alias("row"))
                row += frame.height
        except (pa.ArrowInvalid, OSError) as error:
            raise Refused(
                "D7-parquet", "A block of the Parquet file cannot be read. Ask for it again.", row=row
            ) from error

    return Delivery(path, sha256, fit, read)


def _open_excel(path: Path, sha256: str) -> Delivery:
    try:
        book = fastexcel.read_excel(path)
        sheets = {
            name: book.load_sheet(name, header_row=None, dtypes="string").to_polars() for name in book.sheet_names
        }
    except fastexcel.FastExcelError as error:
        raise Refused("D8-excel", "The workbook cannot be opened. Is it a real .xlsx and not protected?") from error
    nearest: Unknown | None = None
    for name, cells in sheets.items():
        for header_row in range(min(HEADER_ROWS_LOOKED_AT, cells.height)):
            headers = [str(cell) if cell is not None else "" for cell in cells.row(header_row)]
            if sum(bool(h) for h in headers) < 2:
                continue
            fit = recognise(headers)
            if isinstance(fit, Recognised):
                return _excel_delivery(path, sha256, fit, cells, headers, header_row, name, len(sheets))
            nearest = fit if nearest is None or len(fit.missing) < len(nearest.missing) else nearest
    raise Refused("D2-unknown", nearest.message if nearest else "No sheet of the workbook has a header row.")


def _excel_delivery(
    path: Path,
    sha256: str,
    fit: Recognised,
    cells: pl.DataFrame,
    headers: list[str],
    header_row: int,
    sheet: str,
    n_sheets: int,
) -> Delivery:
    def read(_: Delivery) -> Iterator[pl.DataFrame]:
        places = {h: i for i, h in enumerate(headers) if h}
        body = cells.slice(header_row + 1)
        frame = body.select([body.to_series(i).alias(h) for h, i in places.items()]).with_columns(
            pl.int_range(header_row + 2, header_row + 2 + body.height, dtype=pl.Int64).alias("row")
        )
        yield frame.filter(~pl.all_horizontal(pl.exclude("row").fill_null("").str.strip_chars() == ""))

    findings = []
    if n_sheets > 1:
        findings.append(
            Finding(None, None, "D8-sheet", f"Sheet “{sheet}” was read; the other {n_sheets - 1} were not.")
        )
    return Delivery(path, sha256, fit, read, findings if sheet.casefold() != fit.source.sheet_hint.casefold() else [])

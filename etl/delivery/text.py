"""Delimited text: UTF-8, UTF-16 or Windows-1252, with every line accounted for."""

import codecs
import io
from collections.abc import Callable, Iterator
from itertools import islice
from operator import itemgetter
from typing import BinaryIO, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv

from etl.delivery.headers import ROWS_LOOKED_AT, coded, recognised, refuse_header_twice, refuse_untitled
from etl.delivery.lines import is_note, without_blank_lines, without_totals_and_notes
from etl.delivery.opened import Delivery
from etl.file import DeliveredFile
from etl.finding import Finding, Refused
from etl.source import Recognised, Unknown, recognise

BATCH_BYTES = 64 << 20
DELIMITERS = (";", ",", "\t", "|")
LONGEST_HEADER = 1 << 20
DANISH_IN_UTF8 = [letter.encode() for letter in "æøåÆØÅ"]
NOT_IN_CP1252 = [b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"]
CODED_TEXT = pa.dictionary(pa.int32(), pa.string())


def open_csv(file: DeliveredFile) -> Delivery:
    """Open text under the delimiter under which its headers are recognised. Raises Refused."""
    encoding, findings, ends_open, n_lines = _encoding(file)
    try:
        with io.TextIOWrapper(file.open(), encoding=encoding, newline="") as text:
            lines = list(islice(iter(lambda: text.readline(LONGEST_HEADER), ""), ROWS_LOOKED_AT + 1))
    except UnicodeError as error:
        raise Refused("D6-encoding.utf16") from error
    lines = [line.rstrip("\r\n") for line in lines] or [""]
    header_row, headers, delimiter, found = _find_header(lines, file.names)
    fit = recognised(found, header_row)
    refuse_header_twice(headers, header_row)
    refuse_untitled(fit)
    if len(lines) == header_row:
        raise Refused("D1-empty.rows")
    if header_row > 1:
        findings = [*findings, Finding.of("D3-above", header_row - 1, n=header_row - 1)]

    def read(delivery: Delivery) -> Iterator[pl.DataFrame]:
        malformed: list[int] = []
        last: list[pyarrow.csv.InvalidRow] = []  # the last malformed line

        def note_malformed(row: pyarrow.csv.InvalidRow) -> str:
            last[:] = [row]
            malformed.append(row.number)
            if row.actual_columns == 1 and is_note(row.text):
                delivery.leave_out(row.number, "D4-fields.note")
            else:
                counts = {"found": row.actual_columns, "wanted": row.expected_columns}
                delivery.leave_out(row.number, "D4-fields.count", **counts)
            return "skip"

        line = header_row + 1
        for batch in _csv_batches(file, encoding, delimiter, headers, header_row, coded(fit), note_malformed):
            frame = pl.DataFrame(pl.from_arrow(batch))
            skipped = [number - line for number in malformed if number >= line]
            numbers = np.delete(np.arange(line, line + frame.height + len(skipped)), skipped)[: frame.height]
            line = int(numbers[-1]) + 1 if frame.height else line
            rows = frame.with_columns(pl.Series("row", numbers, dtype=pl.Int64))
            yield without_totals_and_notes(without_blank_lines(rows), delivery)
        for cut in last:
            is_short = cut.actual_columns < cut.expected_columns
            if ends_open and cut.number >= line and is_short and not (cut.actual_columns == 1 and is_note(cut.text)):
                raise Refused("D5-cut.line", row=cut.number)

    return Delivery(file, file.sha256(), fit, read, findings, rows_expected=n_lines)


def _csv_batches(
    file: DeliveredFile,
    encoding: str,
    delimiter: str,
    headers: list[str],
    header_row: int,
    coded: set[str],
    note_malformed: Callable[[pyarrow.csv.InvalidRow], str],
) -> Iterator[pa.RecordBatch]:
    try:
        yield from pyarrow.csv.open_csv(
            _byte_stream(file, encoding),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=BATCH_BYTES, column_names=headers, skip_rows=header_row
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


class _Header(NamedTuple):
    row: int  # from 1
    headers: list[str]
    delimiter: str
    fit: Recognised | Unknown


def _find_header(lines: list[str], name: str) -> _Header:
    """The first line that is the header of something known, with titles at most above it; else the nearest to one."""
    missed = []
    for row, line in enumerate(lines[:ROWS_LOOKED_AT], start=1):
        for delimiter in DELIMITERS:
            headers = _split_header(line, delimiter)
            header = _Header(row, headers, delimiter, recognise(headers, name))
            is_first = all(sum(map(bool, _split_header(above, delimiter))) < 2 for above in lines[: row - 1])
            if isinstance(header.fit, Recognised) and is_first:
                return header
            if isinstance(header.fit, Unknown):
                missed.append((header.fit.distance, header))
    return min(missed, key=itemgetter(0))[1]


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

"""Opening delivered files: CSV, Parquet, SAS and Excel become batches of rows as delivered, with their row numbers.

Nothing is guessed from the values. Delimiter and header row are those under which the headers are recognised;
text is UTF-8, or Windows-1252 where it is not UTF-8 at all.
"""

import gzip
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from etl.delivery.headers import headers_shown
from etl.delivery.opened import DAMAGES, Delivery
from etl.delivery.parquet import open_parquet, partitions
from etl.delivery.plan import open_plan
from etl.delivery.sas import open_sas
from etl.delivery.text import open_csv
from etl.delivery.workbook import open_excel
from etl.file import MOST_MEMBERS, REFUSED, UNKNOWN_PACKING, DeliveredFile, names_in
from etl.finding import Finding, Refused

TEXTS = (".csv", ".txt", ".tsv")


def open_delivery(file: DeliveredFile) -> Delivery:
    """Recognise one file. Raises Refused where it cannot be read or no source fits."""
    delivery = _opened(file)
    unread = [header for header in delivery.fit.unused if header and header not in partitions(file)]
    unshown = [delivery.fit.header_of[c.name] for c in delivery.fit.source.columns
               if not c.is_shown and c.name in delivery.fit.header_of]  # fmt: skip
    for text, headers in (("D2-unread", unread), ("D2-unshown", unshown)):
        if headers:
            delivery.findings.append(Finding.of(text, columns=headers_shown(headers)))
    return delivery


def count_rows(file: DeliveredFile) -> int | None:
    """Rows of a file that was refused: lines under the header of a text, rows of a Parquet file; None: unknown."""
    try:
        if file.suffix == ".parquet":
            return pq.ParquetFile(pa.BufferReader(file.read()) if file.is_packed else file.path).metadata.num_rows
        if file.suffix in TEXTS and not file.is_hostile:
            with file.open() as stream:
                return max(0, sum(not line.isspace() for line in stream) - 1)
    except (*DAMAGES, OSError, ValueError, UNKNOWN_PACKING, Refused):
        pass  # why it cannot be read is told already
    return None


def _opened(file: DeliveredFile) -> Delivery:
    if file.path.stat().st_size == 0:
        raise Refused("D1-empty.bytes")
    if file.is_hostile:
        raise Refused("D11-name")
    if file.path.suffix.lower() == ".zip" and file.member is None:
        raise _of_archive(file.path)
    if file.suffix in REFUSED:
        raise Refused(REFUSED[file.suffix], ending=file.suffix)
    try:
        match file.suffix:
            case ".parquet":
                return open_parquet(file)
            case ".xlsx" | ".xlsm":
                return open_excel(file)
            case ".sas7bdat":
                return open_sas(file)
            case ".toml":
                return open_plan(file)
            case _:
                return open_csv(file)
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, UNKNOWN_PACKING) as error:
        raise Refused("D11-archive.damaged") from error


def _of_archive(path: Path) -> Refused:
    """Why an archive is refused of which no single file is read."""
    try:
        n = len(names_in(path))
    except zipfile.BadZipFile:
        return Refused("D11-archive.damaged")
    return Refused("D11-archive.many", found=n, most=MOST_MEMBERS) if n else Refused("D1-empty.archive")

"""Parsers that run apart, in a process of their own with bounds on memory and time: python -m etl.apart.

A workbook or a SAS file may be made to harm whoever parses it; what it makes of its parser stays in that process. Rows
go back through a pipe, for they name persons and must not lie on a disk. Nothing of the package is imported here, and
libraries only where they are used, because a process is started for every file.
"""

import io
import json
import re
import resource
import sys
import zipfile
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

MEMORY = 2 << 30
SECONDS = 60  # of computing; for a SAS file one more for each megabyte
MOST_CELLS = 20_000_000
BATCH_ROWS = 200_000


def write_workbook() -> None:
    """Read a workbook from standard input, write its sheets to standard output as JSON."""
    _bound(SECONDS)
    json.dump(_sheets(sys.stdin.buffer.read()), sys.stdout)


def write_sas_headers(path: str) -> None:
    """Write the names of a SAS file's columns to standard output as JSON."""
    import pyreadstat

    _bound(_seconds(path))
    _, about = pyreadstat.read_sas7bdat(path, metadataonly=True)
    json.dump(about.column_names, sys.stdout)


def write_sas_rows(path: str, *columns: str) -> None:
    """Write the rows of these columns of a SAS file to standard output as an Arrow stream."""
    import pyarrow as pa
    import pyreadstat

    _bound(_seconds(path))
    chunks = pyreadstat.read_file_in_chunks(
        pyreadstat.read_sas7bdat, path, chunksize=BATCH_ROWS, usecols=list(columns), output_format="polars"
    )
    tables = (frame.to_arrow() for frame, _about in chunks)
    first = next(tables, pa.table({}))
    with pa.ipc.new_stream(sys.stdout.buffer, first.schema) as writer:
        for table in chain([first], tables):
            writer.write_table(table.cast(first.schema))


def _seconds(path: str) -> int:
    return SECONDS + (Path(path).stat().st_size >> 20)


def _bound(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _sheets(content: bytes) -> list[dict[str, Any]]:
    import fastexcel

    book = fastexcel.read_excel(content)
    archive = zipfile.ZipFile(io.BytesIO(content))
    parts = _parts(archive)
    sheets, cells = [], 0
    for name in book.sheet_names:
        sheet = book.load_sheet(name, header_row=None, dtypes="string")
        cells += sheet.height * sheet.width
        if cells > MOST_CELLS:
            raise MemoryError
        sheets.append(
            {
                "name": name,
                "is_visible": sheet.visible == "visible",
                "columns": [column.to_pylist() for column in sheet.to_arrow().columns],
                "formulas_without_value": _empty_formulas(archive, parts.get(name, "")),
            }
        )
    return sheets


def _parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """Which member of the archive holds which sheet: their numbers need not follow the order of the tabs."""
    relations = {
        relation.get("Id"): relation.get("Target", "").removeprefix("/xl/")
        for relation in ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    }
    relation_id = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
    return {
        sheet.get("name", ""): f"xl/{relations.get(sheet.get(relation_id))}" for sheet in book.findall(".//{*}sheet")
    }


def _empty_formulas(archive: zipfile.ZipFile, part: str) -> tuple[str, ...]:
    """Cells with a formula whose result was never stored: a reader sees a blank where a person sees a number."""
    if part not in archive.namelist():
        return ()
    cells = re.finditer(rb'<c r="([A-Z]+\d+)"([^>]*)(?<!/)>(.*?)</c>', archive.read(part), flags=re.S)
    return tuple(
        address.decode()
        for address, attributes, inside in (cell.groups() for cell in cells)
        if re.search(rb"<f[\s/>]", inside)
        and not re.search(rb"<v>[^<]", inside)
        # a formula that speaks of an empty text, as in if(a1="";"";b1), may well give one
        and not (b't="str"' in attributes and re.search(rb'""|&quot;&quot;', inside))
    )


PARSERS: dict[str, Callable[..., None]] = {
    "workbook": write_workbook,
    "sas-headers": write_sas_headers,
    "sas-rows": write_sas_rows,
}

if __name__ == "__main__":
    PARSERS[sys.argv[1]](*sys.argv[2:])

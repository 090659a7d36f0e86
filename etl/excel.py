"""Excel workbooks as cells of text, read in a process of its own with bounds on memory and time.

A workbook is a zip archive: the gate below looks at its table of contents before anything is unpacked.
"""

import io
import json
import re
import resource
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

import fastexcel
import polars as pl

from etl.finding import Refused

LARGEST_FILE = 50 << 20
LARGEST_UNPACKED = 200 << 20
LARGEST_RATIO = 100
MOST_MEMBERS = 200
MOST_CELLS = 20_000_000
MEMORY = 2 << 30
SECONDS = 60


@dataclass(frozen=True)
class Sheet:
    """A sheet's cells as text, blanks as null; `formulas_without_value` are addresses such as C7."""

    name: str
    is_visible: bool
    cells: pl.DataFrame
    formulas_without_value: tuple[str, ...]


def read_workbook(content: bytes) -> list[Sheet]:
    """The sheets of a workbook. Raises Refused where it is no workbook, too large, or hostile."""
    _gate(content)
    damaged = "The workbook cannot be read. Is it protected, damaged or very large? Save it again as .xlsx."
    try:
        reader = subprocess.run(
            [sys.executable, "-m", "etl.excel"], input=content, capture_output=True, check=False, timeout=SECONDS * 2
        )
    except subprocess.TimeoutExpired as error:
        raise Refused("D8-excel", damaged) from error
    if reader.returncode != 0:
        raise Refused("D8-excel", damaged)
    return [
        Sheet(
            sheet["name"],
            sheet["is_visible"],
            pl.DataFrame(sheet["columns"], schema=[f"column_{n}" for n in range(len(sheet["columns"]))], orient="col"),
            tuple(sheet["formulas_without_value"]),
        )
        for sheet in json.loads(reader.stdout)
    ]


def _gate(content: bytes) -> None:
    if len(content) > LARGEST_FILE:
        raise Refused("D8-excel", f"The workbook is larger than {LARGEST_FILE >> 20} MB. Deliver it as CSV or Parquet.")
    try:
        members = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, zlib.error) as error:
        raise Refused("D8-excel", "The file is no .xlsx workbook. Open it in Excel and save it as .xlsx.") from error
    unpacked = sum(member.file_size for member in members)
    climbs = any(".." in PurePosixPath(member.filename).parts or member.filename.startswith("/") for member in members)
    if (
        climbs
        or len(members) > MOST_MEMBERS
        or unpacked > LARGEST_UNPACKED
        or unpacked > LARGEST_RATIO * len(content) + (1 << 20)
    ):
        raise Refused("D8-excel", "The workbook unpacks to far more than a workbook should. It was not read.")


def _sheets(content: bytes) -> list[dict[str, Any]]:
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
                "columns": [column.to_list() for column in sheet.to_polars()],
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


def main() -> None:
    """Read a workbook from standard input, write its sheets to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    json.dump(_sheets(sys.stdin.buffer.read()), sys.stdout)


if __name__ == "__main__":
    main()

"""Excel workbooks as cells of text, read in a process of its own with bounds on memory and time.

A workbook is a zip archive: the gate below looks at its table of contents before anything is unpacked.
"""

import io
import json
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath

import polars as pl

from etl.apart import SECONDS
from etl.file import UNKNOWN_PACKING
from etl.finding import Refused

LARGEST_FILE = 50 << 20
LARGEST_UNPACKED = 200 << 20
LARGEST_RATIO = 100
MOST_MEMBERS = 200


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
    try:
        reader = subprocess.run(
            [sys.executable, "-m", "etl.apart", "workbook"],
            input=content,
            capture_output=True,
            check=False,
            timeout=SECONDS * 2,
        )
    except subprocess.TimeoutExpired as error:
        raise Refused("D8-excel.damaged") from error
    if reader.returncode != 0:
        raise Refused("D8-excel.damaged")
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
        raise Refused("D8-excel.large", megabytes=LARGEST_FILE >> 20)
    try:
        members = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, UNKNOWN_PACKING, ValueError, zlib.error) as error:
        raise Refused("D8-excel.other") from error
    unpacked = sum(member.file_size for member in members)
    climbs = any(".." in PurePosixPath(member.filename).parts or member.filename.startswith("/") for member in members)
    if (
        climbs
        or len(members) > MOST_MEMBERS
        or unpacked > LARGEST_UNPACKED
        or unpacked > LARGEST_RATIO * len(content) + (1 << 20)
    ):
        raise Refused("D8-excel.bomb")

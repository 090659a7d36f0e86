"""SAS files as batches of rows, parsed apart (see etl.apart)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa

from etl.delivery.headers import recognised, wanted_headers
from etl.delivery.lines import numbered
from etl.delivery.opened import Delivery
from etl.file import DeliveredFile
from etl.finding import Refused
from etl.source import recognise


def open_sas(file: DeliveredFile) -> Delivery:
    """Open a SAS file. Raises Refused."""
    if file.is_packed:
        raise Refused("D9-sas.archive")
    fit = recognised(recognise(_read_headers(file.path), file.names))

    def read(_: Delivery) -> Iterator[pl.DataFrame]:
        row = 1
        for frame in _read_batches(file.path, wanted_headers(fit)):
            yield numbered(frame, row)
            row += frame.height

    return Delivery(file, file.sha256(), fit, read)


def _read_headers(path: Path) -> list[str]:
    """The names of the columns. Raises Refused where it is no SAS file, or a damaged one."""
    with _parser("sas-headers", path) as parser:
        said = parser.communicate()[0]
    if parser.returncode != 0:
        raise Refused("D9-sas.open")
    return json.loads(said)


def _read_batches(path: Path, columns: list[str]) -> Iterator[pl.DataFrame]:
    """The rows of these columns, in order. Raises Refused where the file breaks off."""
    row = 1
    with _parser("sas-rows", path, *columns) as parser:
        assert parser.stdout is not None
        try:
            for batch in pa.ipc.open_stream(parser.stdout):
                yield pl.DataFrame(pl.from_arrow(batch))
                row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise Refused("D9-sas.breaks", row=row) from error
        if parser.wait() != 0:
            raise Refused("D9-sas.breaks", row=row)


@contextmanager
def _parser(what: str, path: Path, *columns: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "etl.apart", what, str(path.absolute()), *columns]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parser:
        try:
            yield parser
        finally:
            parser.kill()  # does nothing where it has ended by itself

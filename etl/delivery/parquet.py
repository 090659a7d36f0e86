"""Parquet files, alone or as parts of a folder whose names tell columns."""

import hashlib
from collections.abc import Iterator
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from etl.delivery.headers import coded, recognised, refuse_header_twice, refuse_untitled, wanted_headers
from etl.delivery.opened import BATCH_ROWS, Delivery
from etl.file import DeliveredFile, shown
from etl.finding import Refused
from etl.source import recognise


def open_parquet(file: DeliveredFile) -> Delivery:
    """One file, or one part of a folder; what the folders' names tell (year=2024) are columns like others."""
    try:
        content = pa.BufferReader(file.read()) if file.is_packed else file.path
        parquet = pq.ParquetFile(content, page_checksum_verification=True)
        schema = parquet.schema_arrow
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Refused("D7-parquet.open") from error
    told_by_folder = {name: value for name, value in partitions(file).items() if name not in schema.names}
    headers = [*schema.names, *told_by_folder]
    refuse_header_twice(headers, 1)
    fit = recognised(recognise(headers, file.names))
    refuse_untitled(fit)
    wanted = [name for name in wanted_headers(fit) if name not in told_by_folder]
    nested = [name for name in wanted if pa.types.is_nested(schema.field(name).type)]
    if nested:
        raise Refused("D7-parquet.nested", column=shown(nested[0]))
    texts = {name for name in wanted if schema.field(name).type in (pa.string(), pa.large_string())}
    parquet = pq.ParquetFile(content, read_dictionary=sorted(texts & coded(fit)))

    def read(_: Delivery) -> Iterator[pa.Table]:
        row = 1
        try:
            for batch in _batches(parquet, wanted):
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


def _batches(parquet: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Row group by row group: words are coded anew in each, so that a batch over two would come in two."""
    for group in range(parquet.num_row_groups):
        yield from parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns, use_threads=False)


def partitions(file: DeliveredFile) -> dict[str, str | None]:
    """What folders named column=value tell (Hive's way), outermost first."""
    folders = (file.member or str(file.path)).replace("\\", "/").split("/")[:-1]
    told = dict(folder.split("=", 1) for folder in folders if "=" in folder)
    return {name: None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value) for name, value in told.items()}

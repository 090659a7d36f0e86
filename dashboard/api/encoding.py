"""Rows as bytes in the kinds that the API speaks, piece by piece, so that no answer has to be held whole."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, get_args

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from kpis.catalogue import to_json
from kpis.export import MEDIA_TYPES, as_plain_text, to_arrow

Kind = Literal["json", "csv", "parquet", "arrow"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MEDIA_TYPE: Mapping[Kind, str] = {
    "json": "application/json",
    **{kind: MEDIA_TYPES[kind] for kind in ("csv", "parquet", "arrow")},
}


def encode(kind: Kind, frames: Iterable[pl.DataFrame], about: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield rows as a file of a kind. ``frames`` have the same columns; there is at least one, which may be empty.

    ``about`` stands before the rows in JSON and in the metadata of Parquet and Arrow; CSV has no place for it.
    """
    match kind:
        case "json":
            return _json(frames, about)
        case "csv":
            return _csv(frames)
        case "parquet":
            return _columnar(frames, about, lambda sink, schema: pq.ParquetWriter(sink, schema, compression="zstd"))
        case "arrow":
            options = pa.ipc.IpcWriteOptions(compression="zstd")
            return _columnar(frames, about, lambda sink, schema: pa.ipc.new_file(sink, schema, options=options))


def _json(frames: Iterable[pl.DataFrame], about: Mapping[str, Any]) -> Iterator[bytes]:
    yield (to_json(about)[:-1] + (", " if about else "") + '"rows": [').encode()
    is_first = True
    for frame in frames:
        if frame.height:
            lines = frame.write_ndjson().rstrip("\n").replace("\n", ",\n")
            yield (("\n" if is_first else ",\n") + lines).encode()
            is_first = False
    yield b"\n]}\n"


def _csv(frames: Iterable[pl.DataFrame]) -> Iterator[bytes]:
    """As the international CSV files; the parts of a list stand in one cell with a space between."""
    for number, frame in enumerate(frames):
        lists = pl.selectors.list()
        flat = frame.with_columns(lists.list.join(" ")).with_columns(as_plain_text())
        yield flat.write_csv(include_header=number == 0, float_scientific=False).encode()


def _columnar(
    frames: Iterable[pl.DataFrame], about: Mapping[str, Any], opened: Callable[[Any, pa.Schema], Any]
) -> Iterator[bytes]:
    told = {key: value if isinstance(value, str) else to_json(value) for key, value in about.items()}
    pipe, writer = _Pipe(), None
    for frame in frames:
        table = to_arrow(frame).replace_schema_metadata(told)
        if writer is None:
            writer = opened(pa.PythonFile(pipe, "w"), table.schema)
        writer.write_table(table)
        yield pipe.taken()
    assert writer is not None, "there is at least one frame"
    writer.close()
    yield pipe.taken()


class _Pipe(io.RawIOBase):
    """Where a writer writes to, and from where it is taken at once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._written

    def write(self, part: Any) -> int:
        content = bytes(part)
        self._parts.append(content)
        self._written += len(content)
        return len(content)

    def taken(self) -> bytes:
        """Return what was written since it was last asked."""
        content = b"".join(self._parts)
        self._parts.clear()
        return content

"""Small tables in, production code run on them: what most tests of the ETL stand on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from etl.contact import SCHEMA, from_frame, to_batch
from etl.counting import parts
from etl.land import empty_history
from etl.parse import EPOCH
from etl.shape import SHAPES
from etl.warehouse import Warehouse, judge_reports, open_warehouse, surroundings

STAY = (
    "person", "start_minute", "end_minute", "n_contact", "is_open", "is_acute", "diagnosis", "municipality", "age",
    "is_admission", "is_readmitted",
)  # fmt: skip


def minute(text: str | None) -> int | None:
    return None if text is None else int((datetime.fromisoformat(text) - EPOCH).total_seconds() // 60)


def contact(
    contact_id: int,
    person: int,
    start: int | None,
    end: int | None,
    *,
    reported: int | None = None,
    municipality: int | None = 101,
    age: int = 70,
    sex: int = 1,
    is_physical: bool = True,
    is_acute: bool = True,
    diagnosis: str | None = "DJ449",
    is_cancelled: bool = False,
    rule: str | None = None,
) -> dict:
    """One landed contact row; times in minutes since 2000."""
    return {
        "contact_id": contact_id, "person": person, "start_minute": start, "end_minute": end, "reported_minute": reported,
        "municipality": municipality, "age": age, "sex": sex, "is_physical": is_physical, "is_acute": is_acute,
        "diagnosis": diagnosis, "is_cancelled": is_cancelled, "row": contact_id, "rule": rule,
    }  # fmt: skip


@contextmanager
def warehouse_of(
    folder: Path, contacts: list[dict], as_of: date, deaths: dict[int, date] | None = None
) -> Iterator[Warehouse]:
    """A warehouse whose history holds exactly these contacts and deaths."""
    write_history(folder, "lpr_contacts", contacts)
    write_history(
        folder,
        "deaths",
        [{"person": p, "death_date": d, "row": 1, "rule": None} for p, d in (deaths or {}).items()],
    )
    empty_history(folder)
    with open_warehouse(folder, as_of=as_of) as warehouse:
        yield warehouse


def stays_in(warehouse: Warehouse) -> pl.DataFrame:
    """The columns of STAY, sorted by person and start; is_readmitted is null where the stay is no index admission."""
    frames = []
    newest = judge_reports(warehouse)
    for part in parts(newest, surroundings(warehouse), warehouse.as_of):
        columns = part.stays | {"is_index": part.is_index, "is_readmitted": part.is_readmitted}
        code = pl.Series([*newest.reports.diagnoses, None], dtype=pl.String)
        frame = pl.DataFrame(columns).with_columns(
            code.gather(np.where(columns["diagnosis"] < 0, len(code) - 1, columns["diagnosis"])).alias("diagnosis"),
            pl.when("is_index").then("is_readmitted").alias("is_readmitted"),
        )
        frames.append(frame.select(STAY))
    return pl.concat(frames).sort("person", "start_minute")


def write_history(folder: Path, kind: str, rows: list[dict], name: str = "a" * 64) -> None:
    """Land rows directly, as one file."""
    if not rows:
        return
    (folder / kind).mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(rows, schema=SHAPES[kind].schema)
    if kind == "lpr_contacts":
        write_contacts(folder / kind / f"{name}.arrow", frame)
    else:
        frame.write_parquet(folder / kind / f"{name}.parquet")
    sidecar = {
        "file": "test", "sha256": name, "kind": kind, "source": "test", "rows_in": len(rows), "rows_malformed": 0,
        "rows_total": 0, "faults_by_rule": {}, "findings": [], "newest_minute": 0, "has_test_persons": True, "key_id": "",
    }  # fmt: skip
    (folder / kind / f"{name}.json").write_text(json.dumps(sidecar), encoding="utf-8")


def write_contacts(path: Path, frame: pl.DataFrame) -> None:
    """Land contacts in two batches, so that the second one knows words that the first did not."""
    diagnoses, rules = dict[str, int](), dict[str, int]()
    with pa.ipc.new_file(str(path), SCHEMA, options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)) as writer:
        for some in (frame[: len(frame) // 2], frame[len(frame) // 2 :]):
            columns = from_frame(some.sort("person"), diagnoses, rules)
            writer.write(to_batch(columns, list(diagnoses), list(rules)))

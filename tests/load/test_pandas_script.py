"""The script that the benchmark measures against does the same work: the very same true counts, cell by cell."""

from datetime import date

import polars as pl
from polars.testing import assert_frame_equal

from etl.counting import by_all_names
from etl.load import load
from etl.protect import UNPROTECTED
from etl.synthetic import write_demo
from etl.warehouse import build, open_warehouse
from kpis.release import CONTRACT
from tests.load.pandas_script import cube

KEYS = ["group_id", "municipality_code", "month", "sex", "age_from"]


def test_the_usual_script_counts_what_the_product_counts(tmp_path) -> None:
    write_demo(tmp_path / "demo", years=1, scale=0.02)
    assert load([tmp_path / "demo"], tmp_path / "data", protection=UNPROTECTED).is_loadable
    with open_warehouse(tmp_path / "data" / "build" / "history") as warehouse:
        build(warehouse)
    counts = [name for name in CONTRACT["tables"]["cube"]["columns"] if name.startswith("n_")] + ["n_person"]
    usual = cube(tmp_path / "demo", date(2026, 10, 1))
    usual["month"] = usual["month"].dt.to_timestamp()
    told = pl.from_pandas(usual).rename({"municipality": "municipality_code", "band": "age_from"})
    types = dict.fromkeys(counts, pl.Int64) | {
        "group_id": pl.String, "municipality_code": pl.String, "month": pl.Date, "sex": pl.Int64, "age_from": pl.Int64,
    }  # fmt: skip
    both = [table.select(*KEYS, *counts).cast(types).sort(KEYS) for table in (by_all_names(warehouse.true_cube), told)]
    assert both[0]["n_readmission"].sum() > 1_000
    assert_frame_equal(both[0], both[1])

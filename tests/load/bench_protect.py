"""What protecting a release costs: the cube of the country at once, and one more month on top of what is remembered.

    make bench                      one national year
    make bench BENCH_YEARS=10       ten

CPU seconds and peak memory of one process, beside the build of the true counts itself. It prints; it does not fail.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import polars as pl

from etl.accuracy import measured
from etl.load import load
from etl.protect import ROUNDED, UNPROTECTED, Protected, protect
from etl.pseudonym import PseudonymKey
from etl.remembered import read_memory
from etl.synthetic import write_demo
from etl.warehouse import build, open_warehouse

T = TypeVar("T")
KEY = PseudonymKey(b"k" * 32)
FIGURES = ("all", "chronic.copd", "preventable_65plus.fracture", "prevention.hip_fracture")


def cpu(task: Callable[[], T]) -> tuple[T, float]:
    """What a task gives, and its CPU seconds."""
    began = time.process_time()
    return task(), time.process_time() - began


def true_counts(deliveries: Path, data: Path) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Cube, monthly counts and lengths of stay of deliveries, as they truly are."""
    assert load([deliveries], data, protection=UNPROTECTED).is_loadable
    with open_warehouse(data / "build" / "history") as warehouse:
        build(warehouse)
        counts, lengths = (
            warehouse.query(f"select * from {name}") for name in ("true_municipality_month", "true_length_of_stay")
        )
        return warehouse.true_cube, counts, lengths


def main() -> None:
    """Make the country, protect it, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--years", type=int, default=1)
    years = parser.parse_args().years
    with tempfile.TemporaryDirectory(prefix="naerblik-bench-") as name:
        folder = Path(name)
        print(f"making {years} national year(s) …", flush=True)
        write_demo(folder / "demo", years=years)
        tables, built = cpu(lambda: true_counts(folder / "demo", folder / "data"))
        newest = pl.col("month") == tables[0]["month"].max()
        older = [table.filter(~newest) for table in tables[:2]]
        protect(*(table.head(1000) for table in tables), ROUNDED, KEY)  # compiles
        whole, at_once = cpu(lambda: protect(*tables, ROUNDED, KEY))
        before = protect(*older, tables[2], ROUNDED, KEY)
        path = folder / "thresholds.npz"
        before.memory.save(path)

        def one_more() -> Protected:
            after = protect(*tables, ROUNDED, KEY, read_memory(path, ROUNDED.base, ROUNDED.threshold))
            after.memory.save(path)
            return after

        _, month = cpu(one_more)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{tables[0].height:,} cells; loading and building them {built:.1f} CPU s")
    print(f"protecting them all {at_once:.1f} CPU s, one more month {month:.1f} CPU s, peak {peak:.2f} GB")
    print(
        f"{'error of acute admissions':32}{'m×year':>8}{'most':>6}{'m×quarter':>11}{'r×quarter %':>13}{'country %':>11}"
    )
    for group in FIGURES:
        exact = measured(tables[0], whole.cube, "n_acute", group)
        print(f"{group:32}{exact[0]:8.2f}{exact[1]:6.0f}{exact[2]:11.2f}{exact[3]:13.3f}{exact[4]:11.4f}")


if __name__ == "__main__":
    main()

"""How fast deliveries become a release, beside what cannot be avoided (reading them) and what is usual (pandas).

    make bench                      one national year
    make bench BENCH_YEARS=10       ten national years, about 25 mio. contacts

Every figure is CPU seconds (steadier than the clock on a shared machine), wall seconds and peak memory of a process of
its own, all in one run, start-up included; the median of ROUNDS. It prints; it does not fail.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.abc import MetaPathFinder
from pathlib import Path

COLUMNS = [
    "dw_ek_kontakt", "pnr", "kont_starttidspunkt", "kont_sluttidspunkt", "kont_type", "prioritet", "adiag",
    "borger_bo_kom", "borger_alder_aar_ind", "borger_koen", "indberettet_dato",
]  # fmt: skip


def scan(deliveries: Path, _: Path) -> None:
    """Read the eleven columns of the contacts, nothing more: the floor."""
    import pyarrow.parquet as pq

    for path in sorted(deliveries.rglob("lpr_a_kontakt/**/*.parquet")):
        file = pq.ParquetFile(path)
        wanted = [name for name in file.schema_arrow.names if name.lower() in COLUMNS]
        for batch in file.iter_batches(columns=wanted):
            assert batch.num_rows


def scan_csv(deliveries: Path, _: Path) -> None:
    """Read the same columns of the same contacts as CSV, typed, nothing more."""
    import duckdb

    files = sorted(map(str, deliveries.rglob("kontakter*.csv")))
    with Path(files[0]).open(encoding="utf-8") as text:
        headers = text.readline().strip().split(";")
    types = {"dw_ek_kontakt": "bigint", "borger_alder_aar_ind": "smallint"}
    types |= dict.fromkeys(("kont_starttidspunkt", "kont_sluttidspunkt", "indberettet_dato"), "timestamp")
    columns = {header: types.get(header.lower(), "varchar") for header in headers}
    read = ", ".join(f"bit_xor(hash({name}))" for name in COLUMNS)
    duckdb.sql(f"select {read} from read_csv({files}, delim = ';', header = true, columns = {columns})").fetchall()


def load(deliveries: Path, data: Path) -> None:
    """The product: everything from files to a published release."""
    from etl.load import load as load_paths

    assert load_paths([deliveries], data).is_loadable


def load_month(deliveries: Path, data: Path) -> None:
    """One more month on top of what is loaded."""
    from etl.load import load as load_paths

    report = load_paths([deliveries], data, accept_change="benchmark")
    assert report.is_loadable


def pandas_script(deliveries: Path, _: Path) -> None:
    """The same true counts as an analyst would usually come by them."""
    sys.path[:0] = [str(Path(__file__).parent)]
    from datetime import date

    from pandas_script import cube

    assert len(cube(deliveries, date(2026, 10, 1)))


def newest_month(deliveries: Path, folder: Path) -> None:
    """The contacts parted in two deliveries: all reported before the newest month, and that month's, a file a region."""
    import polars as pl

    older, newer = folder / "older", folder / "newer"
    shutil.copytree(deliveries, older, ignore=shutil.ignore_patterns("lpr_a_kontakt", "_facit"))
    newer.mkdir()
    late: dict[str, list[pl.DataFrame]] = {}
    for number, path in enumerate(sorted(deliveries.rglob("lpr_a_kontakt/**/*.parquet"))):
        frame = pl.read_parquet(path, hive_partitioning=False)
        reported = next(name for name in frame.columns if name.lower() == "indberettet_dato")
        is_new = pl.col(reported) >= pl.datetime(2026, 9, 1)
        frame.filter(~is_new).write_parquet(older / f"{number}.parquet")
        late.setdefault(path.stem, []).append(frame.filter(is_new).rename(str.lower))
    for region, frames in late.items():
        pl.concat(frames).write_parquet(newer / f"{region}.parquet")


def as_csv(deliveries: Path, folder: Path) -> None:
    """The same deliveries with the contacts as CSV, a file for each of Parquet, headers alike."""
    import polars as pl

    shutil.copytree(deliveries, folder, ignore=shutil.ignore_patterns("lpr_a_kontakt", "_facit"))
    for number, path in enumerate(sorted(deliveries.rglob("lpr_a_kontakt/**/*.parquet"))):
        frame = pl.read_parquet(path, hive_partitioning=False).rename(str.lower)
        frame.write_csv(folder / f"kontakter{number}.csv", separator=";", datetime_format="%Y-%m-%d %H:%M:%S")


class WithoutPandas(MetaPathFinder):
    """What production does not have is not there: PyArrow would import it, which takes a quarter of a second."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def prepare(folder: Path, years: int) -> None:
    """Make the country, the same as CSV, and the same parted in all before the newest month and that month."""
    from etl.synthetic import write_demo

    write_demo(folder / "demo", years=years)
    newest_month(folder / "demo", folder)
    as_csv(folder / "demo", folder / "csv")


TASKS = {task.__name__: task for task in (scan, scan_csv, load, load_month, pandas_script)}
ROUNDS = 3


Used = tuple[float, float, float]  # CPU seconds, wall seconds, peak GB


def measure(task: str, deliveries: Path, data: Path, *options: str) -> Used:
    """What one task uses in a fresh process, its helpers included."""
    began = time.monotonic()
    command = [sys.executable, __file__, "--task", task, str(deliveries), str(data), *options]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(said[-2]), time.monotonic() - began, float(said[-1])


def main() -> None:
    """Make the country, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--years", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--task", nargs=3, metavar=("TASK", "DELIVERIES", "DATA"))
    asked = parser.parse_args()
    if asked.task:
        name, deliveries, data = asked.task
        if name == "prepare":  # in a process of its own, so that what it needs counts for no other
            prepare(Path(deliveries), asked.years)
        else:
            if name != "pandas_script":
                sys.meta_path.insert(0, WithoutPandas())
            TASKS[name](Path(deliveries), Path(data))
        own, helpers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        print(sum(u.ru_utime + u.ru_stime for u in (own, helpers)), max(own.ru_maxrss, helpers.ru_maxrss) / 1e6)
        return

    with tempfile.TemporaryDirectory(prefix="naerblik-bench-") as name:
        folder = Path(name)
        print(f"making {asked.years} national year(s) …", flush=True)
        measure("prepare", folder, folder, "--years", str(asked.years))
        measure("load", folder / "older", folder / "monthly")
        tasks = {
            "bare scan of 11 columns": ("scan", folder / "demo"),
            "full load and publication": ("load", folder / "demo"),
            "one more month": ("load_month", folder / "newer"),
            "pandas script": ("pandas_script", folder / "demo"),
            "bare typed CSV scan": ("scan_csv", folder / "csv"),
            "full load from CSV": ("load", folder / "csv"),
        }
        rounds: dict[str, list[Used]] = {what: [] for what in tasks}
        for _ in range(asked.rounds):
            for what, (task, deliveries) in tasks.items():
                data = folder / "data"
                if task == "load_month":
                    shutil.copytree(folder / "monthly", data, symlinks=True)
                rounds[what].append(measure(task, deliveries, data))
                shutil.rmtree(data, ignore_errors=True)
    results = {what: sorted(used)[len(used) // 2] for what, used in rounds.items()}
    floor, full = results["bare scan of 11 columns"][0], results["full load and publication"][0]
    csv_floor = results["bare typed CSV scan"][0]
    print(f"{'':28}{'CPU s':>8}{'wall s':>8}{'GB':>7}{'× scan':>8}{'÷ full':>8}")
    for what, (cpu, wall, gigabytes) in results.items():
        times = cpu / (csv_floor if "CSV" in what else floor)
        print(f"{what:28}{cpu:8.1f}{wall:8.1f}{gigabytes:7.2f}{times:8.1f}{cpu / full:8.2f}")


if __name__ == "__main__":
    main()

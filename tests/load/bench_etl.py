"""How fast deliveries become a release, beside what cannot be avoided (reading them) and what is usual (pandas).

    make bench                      one national year
    make bench BENCH_YEARS=10       ten national years, about 25 mio. contacts

Every figure is CPU seconds (steadier than the clock on a shared machine), wall seconds and peak memory of a process of
its own, all in one run. It prints; it does not fail.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
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
    """Stays, admissions, readmissions and monthly counts as an analyst would usually write them."""
    import pandas as pd

    frames = []
    for path in sorted(deliveries.rglob("lpr_a_kontakt/**/*.parquet")):
        frame = pd.read_parquet(path)
        frame.columns = frame.columns.str.lower()
        frames.append(frame[[*COLUMNS, "annulleret"]])
    contacts = pd.concat(frames, ignore_index=True)
    contacts = contacts.sort_values("indberettet_dato").drop_duplicates("dw_ek_kontakt", keep="last")
    contacts = contacts[
        (contacts["annulleret"] != "Ja") & (contacts["kont_type"] == "ALCA00") & (contacts["pnr"] != "")
    ]
    as_of = contacts["kont_starttidspunkt"].max()
    contacts["kont_sluttidspunkt"] = contacts["kont_sluttidspunkt"].fillna(as_of)
    contacts = contacts[contacts["kont_sluttidspunkt"] >= contacts["kont_starttidspunkt"]]
    contacts = contacts.sort_values(["pnr", "kont_starttidspunkt", "kont_sluttidspunkt"])
    reach = contacts.groupby("pnr")["kont_sluttidspunkt"].cummax()
    before = reach.groupby(contacts["pnr"]).shift()
    begins = before.isna() | (contacts["kont_starttidspunkt"] - before > pd.Timedelta(hours=4))
    contacts["stay"] = begins.cumsum()
    stays = contacts.groupby("stay").agg(
        pnr=("pnr", "first"), start=("kont_starttidspunkt", "min"), end=("kont_sluttidspunkt", "max"),
        priority=("prioritet", "first"), diagnosis=("adiag", "first"), municipality=("borger_bo_kom", "first"),
        age=("borger_alder_aar_ind", "first"), sex=("borger_koen", "first"),
    )  # fmt: skip
    admissions = stays[stays["end"] - stays["start"] >= pd.Timedelta(hours=12)].sort_values(["pnr", "start"])
    following = admissions.groupby("pnr").shift(-1)
    days = (following["start"] - admissions["end"]).dt.total_seconds() / 86400
    admissions["is_readmitted"] = (days <= 30) & (following["priority"] == "ATA1")
    admissions["month"] = admissions["start"].dt.to_period("M")
    admissions["band"] = admissions["age"] // 5 * 5
    cube = admissions.groupby(["municipality", "month", "sex", "band", "diagnosis"]).size()
    assert len(cube)


TASKS = {task.__name__: task for task in (scan, load, load_month, pandas_script)}


def measure(task: str, deliveries: Path, data: Path) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and peak GB of one task in a fresh process."""
    began = time.monotonic()
    command = [sys.executable, __file__, "--task", task, str(deliveries), str(data)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(said[-2]), time.monotonic() - began, float(said[-1])


def newest_month(deliveries: Path, folder: Path) -> tuple[Path, Path]:
    """The contacts parted in two deliveries: all reported before the newest month, and that month's reports."""
    import polars as pl

    older, newer = folder / "older", folder / "newer"
    shutil.copytree(deliveries, older, ignore=shutil.ignore_patterns("lpr_a_kontakt", "_facit"))
    newer.mkdir()
    for number, path in enumerate(sorted(deliveries.rglob("lpr_a_kontakt/**/*.parquet"))):
        frame = pl.read_parquet(path, hive_partitioning=False)
        reported = next(name for name in frame.columns if name.lower() == "indberettet_dato")
        is_new = pl.col(reported) >= pl.datetime(2026, 9, 1)
        frame.filter(~is_new).write_parquet(older / f"{number}.parquet")
        if not (late := frame.filter(is_new)).is_empty():
            late.write_parquet(newer / f"{number}.parquet")
    return older, newer


def main() -> None:
    """Make the country, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--years", type=int, default=1)
    parser.add_argument("--task", nargs=3, metavar=("TASK", "DELIVERIES", "DATA"))
    asked = parser.parse_args()
    if asked.task:
        name, deliveries, data = asked.task
        TASKS[name](Path(deliveries), Path(data))
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)
        return

    from etl.synthetic import write_demo

    with tempfile.TemporaryDirectory(prefix="naerblik-bench-") as name:
        folder = Path(name)
        print(f"making {asked.years} national year(s) …", flush=True)
        write_demo(folder / "demo", years=asked.years)
        older, newer = newest_month(folder / "demo", folder)
        results = {
            "bare scan of 11 columns": measure("scan", folder / "demo", folder),
            "full load and publication": measure("load", folder / "demo", folder / "full"),
            "pandas script": measure("pandas_script", folder / "demo", folder),
        }
        measure("load", older, folder / "monthly")
        results["one more month"] = measure("load_month", newer, folder / "monthly")
    floor, full = results["bare scan of 11 columns"][0], results["full load and publication"][0]
    print(f"{'':28}{'CPU s':>8}{'wall s':>8}{'GB':>7}{'× scan':>8}{'÷ full':>8}")
    for what, (cpu, wall, gigabytes) in results.items():
        print(f"{what:28}{cpu:8.1f}{wall:8.1f}{gigabytes:7.2f}{cpu / floor:8.1f}{cpu / full:8.2f}")


if __name__ == "__main__":
    main()

"""From landed history to the tables of a release: the one place that writes DuckDB.

Working tables live in memory (and, when large, in a private spill folder) and hold pseudonymised persons; the
release file is a fresh file that only ever receives protected counts and public rows.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from etl.land import Landed, landed_files
from etl.parse import EPOCH
from etl.rules import rule_values
from kpis.reference import areas, load_codelists, memberships, standard_population
from kpis.release import AGE_BANDS, CONTRACT

SQL = Path(__file__).parent / "sql"
EPOCH_DAY = (EPOCH.date() - date(1970, 1, 1)).days
MEMORY_LIMIT = "3GB"
PLACE_LENGTH_BANDS = [0, 1, 2, 3, 5, 7, 10, 14, 21, 28]  # days; lower ends, as the contract's measures say
SHARE_OF_A_MONTH = 0.2  # a month with fewer contacts than this share of the median month is no delivered month

VIEWS = {
    "lpr_contacts": "report",
    "lpr_diagnoses": "reported_diagnosis",
    "residence": "residence",
    "deaths": "death_report",
    "deaths_of_contacts": "death_of_contact",
    "population": "population_report",
    "acute_place_stays": "stay_report",
    "acute_place_capacity": "capacity_report",
    "services_template": "service_report",
    "goals": "goal_report",
    "interventions": "intervention_report",
    "faerdigbehandlede": "faerdigbehandlede_report",
    "generic_long": "official_report",
    "esundhed": "esundhed_report",
    "statbank": "statbank_report",
    "baseline": "baseline_report",
}


class BuildProblem(Exception):
    """The landed deliveries do not make a release; the text says what is missing and what to do."""


@dataclass(frozen=True)
class Span:
    """The months a release covers: `data_from` inclusive, `as_of` exclusive; both first days of a month."""

    data_from: date
    as_of: date


@dataclass(frozen=True)
class Fate:
    """What became of a file's rows. `rows_in` = loaded + duplicate + superseded + quarantined, always."""

    rows_in: int
    loaded: int
    duplicate: int
    superseded: int
    quarantined: int
    quarantined_by_rule: dict[str, int]
    first_row_by_rule: dict[str, int]  # of rules that are judged on the newest report


class Warehouse:
    """An in-memory database over landed history. Use `open_warehouse`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: list[Landed], span: Span | None):
        self._connection = connection
        self.files = files
        self.span = span

    def query(self, sql: str) -> pl.DataFrame:
        """Rows of a query over the working tables (for audits, the attrition table and tests)."""
        return self._connection.sql(sql).pl()

    def run(self, *names: str) -> None:
        """Run SQL files of `sql/`, in the given order."""
        for name in names:
            self._connection.execute((SQL / f"{name}.sql").read_text(encoding="utf-8"))

    def parts(self) -> list[tuple[int, int]]:
        """Ranges of person numbers (both ends included) that hold about REPORTS_A_PART reports each.

        Person numbers are evenly spread over 64 bits, so equal ranges hold equal shares of them.
        """
        n = max(1, -(-self.query("select count(*) from report").item() // REPORTS_A_PART))
        ends = [number * 2**64 // n for number in range(n + 1)]
        return [(first, following - 1) for first, following in pairwise(ends)]

    def choose_part(self, part: tuple[int, int]) -> None:
        """The range of persons that the steps of PER_PART work on next."""
        for name, value in zip(("person_from", "person_to"), part, strict=True):
            self._connection.execute(f"set variable {name} = {value}::ubigint")

    def close(self) -> None:
        """Drop everything."""
        self._connection.close()

    def table(self, name: str, frame: pl.DataFrame) -> None:
        """Make a table of a frame."""
        arrow = frame.to_arrow()
        self._connection.register("_incoming", arrow)
        self._connection.execute(f'create or replace table "{name}" as select * from _incoming')
        self._connection.unregister("_incoming")


# SQL files of `sql/` in the order in which they run
REPORTS = ("11_lookups", "10_reported_again", "12_newest_report", "15_counts")
BEFORE = (("05_small_deliveries", "small deliveries"), *((name, "newest reports") for name in REPORTS))
PER_PART = (
    ("20_report_of_part", "reports"),
    ("22_contact", "contacts in order"),
    ("25_diagnosis", "diagnosis groups"),
    ("30_stay", "hospital stays"),
    ("40_admission", "readmissions"),
    ("50_acute_place_stay", "acute places"),
    ("60_count", "counts"),
)
AFTER = (
    ("72_cube", "cube"),
    ("74_municipality_month", "counts by municipality"),
    ("76_length_of_stay", "bed days"),
    ("80_public", "population, areas, goals"),
)
ATTRITION = (
    "reports",
    "newest_reports",
    "valid_contacts",
    "physical_contacts",
    "stays",
    "admissions",
    "index_admissions",
    "readmissions",
)
REPORTS_A_PART = 4_000_000  # a part's contacts and stays fit in memory several times over


@contextmanager
def open_warehouse(history: Path, *, as_of: date | None = None, today: date | None = None) -> Iterator[Warehouse]:
    """A warehouse over everything landed under `history`, with rule values and reference tables in place.

    Args:
        history: folder of landed files.
        as_of: first day after the data; by default the month after the last one with a fair number of contacts.
        today: contacts that start later than this are no evidence of a delivered month.
    """
    spill = Path(tempfile.mkdtemp(prefix=".spill-", dir=history))
    connection = duckdb.connect(":memory:", config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(spill)})
    try:
        connection.execute("set enable_progress_bar = false; set preserve_insertion_order = true")
        files = landed_files(history)
        _make_views(connection, history, files)
        span = _span(connection, as_of, today or datetime.now(tz=UTC).date())
        warehouse = Warehouse(connection, files, span)
        _set_variables(connection, span)
        _add_reference(warehouse, span)
        yield warehouse
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def fates(warehouse: Warehouse) -> dict[str, Fate]:
    """What became of each landed file's rows, by sha256; needs the steps of REPORTS and `judge_reports` or `build`."""
    again = warehouse.query(
        "select sha256, fate, count(*) as n from reported_again inner join delivery using (delivery) "
        "group by sha256, fate"
    )
    broken = warehouse.query(
        'select sha256, rule, count(*) as n, min("row") as first_row '
        "from held_back inner join delivery using (delivery) group by sha256, rule"
    )
    result = {}
    for file in warehouse.files:
        by_fate = dict(again.filter(pl.col("sha256") == file.sha256).select("fate", "n").iter_rows())
        if file.kind == "lpr_contacts":
            of_file = broken.filter(pl.col("sha256") == file.sha256)
            by_rule = dict(of_file.select("rule", "n").iter_rows())
            first_row = dict(of_file.select("rule", "first_row").iter_rows())
        else:
            by_rule, first_row = dict(file.faults_by_rule), {}
        if file.rows_malformed:
            by_rule["D4-fields"] = file.rows_malformed
        quarantined = sum(by_rule.values())
        duplicate = by_fate.get("duplicate", 0) + file.rows_total
        superseded = by_fate.get("superseded", 0)
        result[file.sha256] = Fate(
            file.rows_in,
            file.rows_in - quarantined - duplicate - superseded,
            duplicate,
            superseded,
            quarantined,
            by_rule,
            first_row,
        )
    return result


def build(warehouse: Warehouse, progress: Callable[[str], None] = lambda step: None) -> None:
    """Run every step. Raises BuildProblem where contacts or population are missing."""
    if warehouse.span is None:
        raise BuildProblem("No hospital contacts have been loaded yet. Load LPR contacts (LPR_A or LPR_F) first.")
    if not any(file.kind == "population" for file in warehouse.files):
        raise BuildProblem(
            "No population has been loaded yet, so no rate can be worked out. Load StatBank's FOLK1A by municipality, "
            "sex and age (CSV) together with the contacts."
        )
    for name, what in BEFORE:
        progress(what)
        warehouse.run(name)
    parts = warehouse.parts()
    for number, part in enumerate(parts, start=1):
        warehouse.choose_part(part)
        for name, what in PER_PART:
            progress(f"{what} ({number} of {len(parts)})")
            warehouse.run(name)
    for name, what in AFTER:
        progress(what)
        warehouse.run(name)


def judge_reports(warehouse: Warehouse) -> None:
    """Find the newest reports and what of them is held back, without building anything of them."""
    warehouse.run(*REPORTS)
    for part in warehouse.parts():
        warehouse.choose_part(part)
        warehouse.run("20_report_of_part")


def attrition(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Rows after each step from delivered reports to index admissions, for the manifest and the method page."""
    counted = dict(warehouse.query("select step, sum(n)::bigint from row_count group by step").iter_rows())
    without_person = warehouse.query("select count(*) from newest_report where person is null").item()
    counted["reports"] = warehouse.query("select count(*) from report").item()
    counted["newest_reports"] += without_person
    return [{"step": step, "rows": counted[step]} for step in ATTRITION]


def write_release(tables: dict[str, pl.DataFrame], path: Path) -> None:
    """Write the contract's tables to a new DuckDB file, checkpoint and close it. Raises if the file exists.

    Columns are cast to the contract's types and rows sorted, so that equal content gives equal tables.
    """
    if path.exists():
        raise FileExistsError(path)
    connection = duckdb.connect(str(path))
    try:
        for name, entry in CONTRACT["tables"].items():
            columns = entry["columns"]
            frame = tables[name]
            connection.register("_incoming", frame.select(list(columns)).to_arrow())
            casts = ", ".join(f'cast("{column}" as {type_}) as "{column}"' for column, type_ in columns.items())
            order = ", ".join(f'"{column}"' for column in columns)
            connection.execute(f'create table "{name}" as select {casts} from _incoming order by {order}')
            connection.unregister("_incoming")
        connection.execute("checkpoint")
    finally:
        connection.close()


def content_hash(path: Path) -> dict[str, str]:
    """Rows and an order-free hash of every table of a release file, read block by block.

    DuckDB files of equal content differ in bytes, so content is what is compared.
    """
    connection = duckdb.connect(str(path), read_only=True)
    try:
        found = {}
        for name, entry in CONTRACT["tables"].items():
            row = ", ".join(f'"{column}"' for column in entry["columns"])
            rows, xor, total = connection.execute(
                f'select count(*), bit_xor(hash({row})), sum(hash({row})::hugeint) from "{name}"'
            ).fetchone()  # type: ignore[misc]
            found[name] = f"{rows}:{xor}:{total}"
        return found
    finally:
        connection.close()


def _make_views(connection: duckdb.DuckDBPyConnection, history: Path, files: list[Landed]) -> None:
    """A view per kind over its landed files; `delivery` numbers files in the order of their hashes."""
    number_of = {sha256: number for number, sha256 in enumerate(sorted(file.sha256 for file in files), start=1)}
    for kind, view in VIEWS.items():
        paths = sorted(p for p in (history / kind).glob("*.parquet") if p.stem in number_of)
        read = [f"select *, {number_of[path.stem]} as delivery from read_parquet('{_quoted(path)}')" for path in paths]
        none = f"select *, 0 as delivery from read_parquet('{_quoted(history / kind / 'none.parquet')}')"
        connection.execute(f"create view {view} as {' union all '.join(read) if read else none}")
    connection.execute("create table delivery (delivery integer, sha256 varchar, newest_minute integer)")
    rows = [[number_of[file.sha256], file.sha256, file.newest_minute] for file in files]
    connection.executemany("insert into delivery values (?, ?, ?)", rows or [[0, "", 0]])


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _span(connection: duckdb.DuckDBPyConnection, as_of: date | None, today: date) -> Span | None:
    """The delivered months, told from where contacts are: single stray dates do not stretch the data period."""
    starts = connection.sql(
        f"select date '1970-01-01' + ({EPOCH_DAY} + start_minute // 1440)::integer as day, count(*) as n from report "
        "where rule is null group by all"
    ).pl()
    by_month = (
        starts.filter(pl.col("day") <= today)
        .group_by(month=pl.col("day").dt.truncate("1mo").cast(pl.Date))
        .agg(pl.col("n").sum())
    )
    if by_month.is_empty():
        return None
    delivered = by_month.filter(pl.col("n") >= SHARE_OF_A_MONTH * by_month["n"].median())
    first, last = delivered["month"].min(), delivered["month"].max()
    return Span(first, as_of or (last + timedelta(days=32)).replace(day=1))


def _minute(day: date) -> int:
    return (day - EPOCH.date()).days * 1440


def _set_variables(connection: duckdb.DuckDBPyConnection, span: Span | None) -> None:
    values: dict[str, Any] = dict(rule_values())
    values["epoch_day"] = EPOCH_DAY
    if span is not None:
        values |= {"as_of": _minute(span.as_of), "as_of_day": span.as_of, "data_from": span.data_from}
    else:
        values |= {"as_of": 2**31 - 1, "as_of_day": date(9999, 1, 1), "data_from": date(2000, 1, 1)}
    connection.execute("set variable person_from = 0::ubigint")
    connection.execute(f"set variable person_to = {2**64 - 1}::ubigint")
    for name, value in values.items():
        connection.execute(f"set variable {name} = ?", [value])


def _add_reference(warehouse: Warehouse, span: Span | None) -> None:
    warehouse.table("area", areas())
    warehouse.table("membership", memberships())
    warehouse.table("standard_population", standard_population())
    warehouse.table(
        "diagnosis_group",
        pl.DataFrame(
            [
                {
                    "group_id": "all",
                    "codelist": "",
                    "codelist_version": "",
                    "name_da": "Alle diagnoser",
                    "name_en": "All diagnoses",
                    "prefixes": [],
                    "excluded_prefixes": [],
                },
                *(
                    {
                        "group_id": group.group_id,
                        "codelist": codelist.id,
                        "codelist_version": str(codelist.version),
                        "name_da": group.name_da,
                        "name_en": group.name_en,
                        "prefixes": list(group.prefixes),
                        "excluded_prefixes": list(group.excluded_prefixes),
                    }
                    for codelist in load_codelists()
                    for group in codelist.groups
                ),
            ],
            schema_overrides={"excluded_prefixes": pl.List(pl.String)},
        ),
    )
    bands = [{"age": age, "age_from": max(band for band in AGE_BANDS if band <= age)} for age in range(126)]
    warehouse.table("age_band", pl.DataFrame(bands, schema={"age": pl.Int16, "age_from": pl.Int16}))
    ends = [*(start - 1 for start in PLACE_LENGTH_BANDS[1:]), 10**6]
    warehouse.table(
        "length_band",
        pl.DataFrame(
            {
                "category": [f"{d:02d}" for d in PLACE_LENGTH_BANDS],
                "first_day": PLACE_LENGTH_BANDS,
                "last_day": ends,
            }
        ),
    )
    first, last = (span.data_from, span.as_of) if span else (date(2000, 1, 1), date(2000, 1, 2))
    days = pl.DataFrame({"date": pl.date_range(first, last, closed="left", eager=True)})
    warehouse.table(
        "month_of_day",
        days.select(
            (pl.col("date") - EPOCH.date()).dt.total_days().cast(pl.Int32).alias("day"),
            pl.col("date").dt.truncate("1mo").alias("month"),
        ),
    )

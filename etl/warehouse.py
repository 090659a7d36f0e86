"""From landed history to the tables of a release: the one place that writes DuckDB.

Contacts, the only large delivery, are arrays (`etl.contact`) that become stays (`etl.stay`) and counts (`etl.count`);
all else is SQL over working tables in memory. Both hold pseudonymised persons; the release file is a fresh file that
only ever receives protected counts and public rows.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from etl.contact import (
    NOTHING,
    HistoryProblem,
    Reports,
    Run,
    first_of_each,
    landed_reports,
    starts_by_day,
)
from etl.count import Grid
from etl.counting import (
    Newest,
    Surroundings,
    all_held_back,
    count,
    cube,
    lengths_of_stay,
    newest,
    told_of,
)
from etl.land import Landed, landed_files, refuse_damaged
from etl.parse import EPOCH
from etl.recount import LINK, Recount, Standing, fingerprint, in_order_of_ids
from etl.rules import rule_values
from etl.shape import SHAPES
from etl.words import Both, Problem, told
from kpis.reference import areas, load_codelists, memberships, standard_population
from kpis.release import CONTRACT, digest

SQL = Path(__file__).parent / "sql"
EPOCH_DAY = (EPOCH.date() - date(1970, 1, 1)).days
MEMORY_LIMIT = "2GB"
PLACE_LENGTH_BANDS = [0, 1, 2, 3, 5, 7, 10, 14, 21, 28]  # days; lower ends, as the contract's measures say
SHARE_OF_A_MONTH = 0.2  # a month with fewer contacts than this share of the median month is no delivered month

VIEWS = {
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


# What tells the facts of a small delivery apart, and which of those who tell the same fact counts: that of the delivery
# which comes last (see `Landed.precedence`), and within it the first row.
_BY_DELIVERY = 'precedence desc, "row"'
FACTS = {
    "acute_place_capacity": ("municipality, unit_id, day, coalesce(place_type, 'acute')", _BY_DELIVERY),
    "acute_place_stays": ("municipality, stay_id", 'precedence desc, end_minute desc nulls last, "row"'),
    "baseline": ("indicator, area, period", f"answered_on desc nulls last, {_BY_DELIVERY}"),
    "esundhed": ("indicator, area, period", _BY_DELIVERY),
    "faerdigbehandlede": ("municipality, month", _BY_DELIVERY),
    "generic_long": ("indicator, area, period", _BY_DELIVERY),
    "goals": ("goal_id", _BY_DELIVERY),
    "interventions": ("intervention_id", _BY_DELIVERY),
    "services_template": ("municipality, service_type, name", _BY_DELIVERY),
    "statbank": ("municipality, period, statbank_table, measure", _BY_DELIVERY),
}


class BuildProblem(Problem):
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
    """Landed history, opened: arrays of contacts and an in-memory database of all else. Use `open_warehouse`.

    `again` and `held_back` (`etl.counting.KEYS`) are there when the reports have been judged, the others when a
    release has been built.
    """

    again: pl.DataFrame
    held_back: pl.DataFrame
    true_cube: pl.DataFrame  # see `etl.counting.cube`; true counts never leave the secure side
    attrition: list[dict[str, Any]]  # rows after each step from delivered reports to readmissions
    standing: Standing  # what the next build can go on from

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: list[Landed], reports: Reports, span: Span | None):
        self._connection = connection
        self.files = files
        self.reports = reports  # all landed reports of contacts
        self.span = span

    @property
    def as_of(self) -> int:
        """The first minute after the data."""
        return _minute(self.span.as_of) if self.span else FAR_FUTURE

    @cached_property
    def grid(self) -> Grid:
        """The cells to count in; of a history without contacts those of a month."""
        span = self.span or Span(date(2000, 1, 1), date(2000, 2, 1))
        municipalities = areas().filter(pl.col("level") == "municipality")["area_code"].unique().sort()
        n_months = (span.as_of.year - span.data_from.year) * 12 + span.as_of.month - span.data_from.month
        return Grid(tuple(municipalities), span.data_from, n_months)

    @cached_property
    def region_of(self) -> dict[str, str]:
        """The region of each municipality (map 2024)."""
        regions = self.query(
            "select municipality_code, area_code from membership where level = 'region' "
            "and valid_from <= date '2024-01-01' and coalesce(valid_to, date '9999-12-31') > date '2024-01-01'"
        )
        return dict(regions.sort("municipality_code").iter_rows())

    def query(self, sql: str) -> pl.DataFrame:
        """Rows of a query over the working tables (for audits, release tables and tests)."""
        return self._connection.sql(sql).pl()

    def query_in_parallel(self, sql: str) -> pl.DataFrame:
        """Rows of a query over all contacts, by all processors."""
        self._connection.execute("reset threads")
        try:
            return self.query(sql)
        finally:
            self._connection.execute("set threads = 1")

    def run(self, *names: str) -> None:
        """Run SQL files of `sql/`, in the given order."""
        for name in names:
            self.execute((SQL / f"{name}.sql").read_text(encoding="utf-8"))

    def execute(self, sql: str) -> None:
        """Run statements."""
        self._connection.execute(sql)

    def close(self) -> None:
        """Drop everything."""
        self._connection.close()

    def table(self, name: str, frame: pl.DataFrame) -> None:
        """Make a table of a frame."""
        arrow = frame.to_arrow()
        self._connection.register("_incoming", arrow)
        self._connection.execute(f'create or replace table "{name}" as select * from _incoming')
        self._connection.unregister("_incoming")


# SQL files of `sql/` in the order in which they run after the stays are counted
AFTER = (
    ("50_acute_place_stay", "stage.places"),
    ("74_municipality_month", "stage.months"),
    ("76_length_of_stay", "stage.bed_days"),
    ("80_public", "stage.public"),
)
FAR_FUTURE = 2**31 - 1
BEAR_ON_CONTACTS = ("residence", "deaths", "lpr_diagnoses")  # deliveries that change what contacts tell


@contextmanager
def open_warehouse(
    history: Path, *, as_of: date | None = None, today: date | None = None, known: Iterable[Landed] = ()
) -> Iterator[Warehouse]:
    """A warehouse over everything landed under `history`, with rule values and reference tables in place.

    Args:
        history: folder of landed files.
        as_of: first day after the data; by default the month after the last one with a fair number of contacts.
        today: contacts that start later than this are no evidence of a delivered month.
        known: what has been read of `landed_files`.

    Raises HistoryProblem where a landed file is damaged.
    """
    spill = Path(tempfile.mkdtemp(prefix=".spill-", dir=history))
    connection = duckdb.connect(":memory:", config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(spill)})
    try:
        # deliveries are small: a second thread would cost more than it helps
        connection.execute("set enable_progress_bar = false; set preserve_insertion_order = true; set threads = 1")
        files = landed_files(history, known)
        refuse_damaged(files, history)
        number_of = _make_views(connection, history, files)
        contacts = [file for file in files if file.kind == "lpr_contacts"]
        reports = landed_reports([(file.path_in(history), number_of[file.sha256]) for file in contacts])
        span = _span(reports, as_of, today or datetime.now(tz=UTC).date())
        warehouse = Warehouse(connection, files, reports, span)
        _set_variables(connection, span)
        _add_reference(warehouse, span)
        yield warehouse
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def judge_reports(warehouse: Warehouse) -> Newest:
    """Find the newest report of every contact and what of them is held back, without building anything of them."""
    _read_small_deliveries(warehouse)
    around = surroundings(warehouse)
    found = newest(warehouse.reports, around)
    warehouse.again, warehouse.held_back = found.again, all_held_back(found, around, warehouse.as_of)
    return found


def _read_small_deliveries(warehouse: Warehouse) -> None:
    """Make `newest_<view>` of population and every kind of FACTS: the rows that count."""
    warehouse.run("05_small_deliveries")
    for kind, (facts, order) in FACTS.items():
        view = VIEWS[kind]
        told = f"from {view} inner join delivery using (delivery) where rule is null"
        fact = warehouse.query(f"select hash({facts}) as fact {told}")["fact"]
        # most facts are told once: to find that is quicker than to order them all
        is_told_twice = fact.n_unique() < len(fact)
        choice = f"qualify row_number() over (partition by {facts} order by {order}) = 1" if is_told_twice else ""
        warehouse.execute(f"create {'table' if choice else 'view'} newest_{view} as select {view}.* {told} {choice}")


def _not_counted(warehouse: Warehouse) -> dict[str, dict[str, int]]:
    """By sha256 of small deliveries, rows that do not count: duplicate (of one that does), superseded."""
    found: dict[str, dict[str, int]] = {}
    for kind in {file.kind for file in warehouse.files} & {*FACTS, "population"}:
        view = VIEWS[kind]
        n_told = warehouse.query(f"select count(*) from {view} where rule is null").item()
        n_counted = warehouse.query(f"select count(*) from newest_{view}").item()
        if n_told == n_counted:
            continue
        content = f"hash({', '.join(SHAPES[kind].schema.keys() - {'row'})})"
        rows = warehouse.query(f"""
            with left_out as (
                select sha256, {content} in (select {content} from newest_{view}) as is_told
                from {view} anti join newest_{view} using (delivery, "row") inner join delivery using (delivery)
                where rule is null
            )
            select sha256, count(*) filter (is_told) as duplicate, count(*) filter (not is_told) as superseded
            from left_out group by sha256
        """)
        found |= {row.pop("sha256"): row for row in rows.iter_rows(named=True)}
    return found


def surroundings(warehouse: Warehouse, standing: Standing | None = None) -> Surroundings:
    """What `etl.counting` needs besides the reports; the small deliveries must have been read.

    What deliveries told of before is taken from `standing` counts, where those fit.
    """
    delivery = warehouse.query("select delivery, sha256, newest_minute from delivery order by delivery")
    newest_minute = np.zeros(int(delivery["delivery"][-1]) + 1, dtype=np.int64)
    newest_minute[delivery["delivery"].to_numpy()] = delivery["newest_minute"].to_numpy()
    sha256 = dict(delivery.select("delivery", "sha256").iter_rows())
    on_places = warehouse.query("select distinct person from stay_report where rule is null order by person")
    return Surroundings(
        grid=warehouse.grid,
        region_of=warehouse.region_of,
        sha256=sha256,
        newest_minute=newest_minute,
        deaths=_first_deaths(warehouse, sha256, standing),
        on_places=on_places["person"].drop_nulls().to_numpy(),
        look_up=lambda reports, is_true: _look_up(warehouse, reports, is_true),
    )


def _first_deaths(
    warehouse: Warehouse, sha256_of: dict[int, str], standing: Standing | None
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """See Surroundings; of several dates of a person the first."""
    known = standing.deaths if standing else (np.empty(0, np.uint64), np.empty(0, np.int64))
    # counts stand only where of other deliveries than contacts nothing is new (see `fingerprint`)
    known_files = standing.files | {f.sha256 for f in warehouse.files if f.kind == "deaths"} if standing else set()
    new = ", ".join(["0", *(str(number) for number, sha256 in sha256_of.items() if sha256 not in known_files)])
    told_of = warehouse.query(f"select person, death_date from told_death where delivery in ({new})")
    day = told_of["death_date"].to_physical().to_numpy().astype(np.int64)
    person = np.r_[known[0], told_of["person"].to_numpy()]
    minute = np.r_[known[1], (day - EPOCH_DAY) * 1440]
    order = np.argsort(person, kind="stable")  # quick: each file is in order already
    person, minute = person[order], minute[order]
    first = first_of_each(person)
    return person[first], np.minimum.reduceat(minute, first) if first.size else minute


def _look_up(warehouse: Warehouse, reports: Reports, is_true: NDArray[np.bool_]) -> Reports:
    """Fill in what LPR_F and LPR2 deliver apart from contacts: the municipality, and the action diagnosis."""
    for name, others in (("municipality", "residence"), ("diagnosis", "reported_diagnosis")):
        if warehouse.query(f"select 1 from {others} limit 1").is_empty():
            continue
        lacking = reports.places(partial(_lacking, name))
        at = lacking[is_true[lacking]]
        asked = reports.at(at, ("contact_id", "person", "start_minute"))
        warehouse.table("asked_report", pl.DataFrame({"at": at, **asked}))
        found = warehouse.query_in_parallel((SQL / f"11_{name}.sql").read_text(encoding="utf-8")).sort("at")
        reports = reports.filled(name, found["at"].to_numpy(), found[name].to_list())
    return reports


def _lacking(name: str, run: Run) -> NDArray[np.int64]:
    """Places of the reports that break no rule and do not tell a column."""
    return np.flatnonzero((run.get(name) == NOTHING) & (run.get("rule") == NOTHING))


def fates(warehouse: Warehouse) -> dict[str, Fate]:
    """What became of each landed file's rows, by sha256; needs `judge_reports` or `build` to have run."""
    again = warehouse.again.select("sha256", "fate", "n").rows_by_key("sha256")
    broken = warehouse.held_back.group_by("sha256", "rule").agg(
        pl.col("n").sum(), pl.col("row").min().alias("first_row")
    )
    broken_of = broken.rows_by_key("sha256")
    not_counted = _not_counted(warehouse)
    result = {}
    for file in warehouse.files:
        by_fate = dict(again.get(file.sha256, [])) | not_counted.get(file.sha256, {})
        if file.kind == "lpr_contacts":
            rules = broken_of.get(file.sha256, [])
            by_rule, first_row = {rule: n for rule, n, _ in rules}, {rule: row for rule, _, row in rules}
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


def build(
    warehouse: Warehouse, progress: Callable[[Both], None] = lambda told: None, standing: Standing | None = None
) -> None:
    """Run every step. Raises BuildProblem where contacts or population are missing, or no data lie before `as_of`.

    Where `standing` counts fit (the same rules, code lists and first month, and no file gone), only persons that are
    touched by what came since are counted again.
    """
    if warehouse.span is None:
        raise BuildProblem(told("stop.no_contacts"))
    if not any(file.kind == "population" for file in warehouse.files):
        raise BuildProblem(told("stop.no_population"))
    if warehouse.span.as_of <= warehouse.span.data_from:
        raise BuildProblem(told("stop.as_of", as_of=warehouse.span.as_of, first=warehouse.span.data_from))
    _read_small_deliveries(warehouse)
    others = [file.sha256 for file in warehouse.files if file.kind in BEAR_ON_CONTACTS]
    decided_by = fingerprint(warehouse.grid, warehouse.region_of, others)
    files = frozenset(file.sha256 for file in warehouse.files if file.kind == "lpr_contacts")
    if standing and not standing.leads_to(decided_by, files, warehouse.as_of):
        standing = None
    around = surroundings(warehouse, standing)
    if standing:
        recount = Recount(warehouse.reports, around, warehouse.as_of, standing)
        counts, told_twice = recount.counts(progress), recount.told_twice
    else:
        progress(told("stage.history"))
        reports = warehouse.reports
        counts = count(reports, around, warehouse.as_of, progress)
        told_twice = in_order_of_ids(reports.at(reports.told_twice, LINK))
    told_of_all = told_twice, around.on_places, around.deaths
    warehouse.standing = Standing(counts, files, warehouse.as_of, decided_by, *told_of_all)
    warehouse.again, warehouse.held_back = counts["again"], counts["held_back"]
    warehouse.attrition = told_of(counts)
    warehouse.true_cube = cube(counts, around.grid)
    contacts = counts["contacts"]
    named = around.grid.months_and_municipalities(contacts["cell"].to_numpy())
    warehouse.table("contact_count", pl.concat([named, contacts.drop("cell")], how="horizontal"))
    warehouse.table("length_of_stay_count", lengths_of_stay(counts, around))
    warehouse.table("place_admission", counts["place_admissions"].drop("n"))
    for name, stage in AFTER:
        progress(told(stage))
        warehouse.run(name)


IN_ORDER = ("cube",)


class ReleaseFile:
    """A new DuckDB file that receives the contract's tables, and says what they are to hold.

    Columns are cast to the contract's types and rows sorted, so that equal content gives equal tables; those of
    IN_ORDER come in an order that their content tells, and are millions.
    """

    def __init__(self, path: Path) -> None:
        """Make the file. Raises FileExistsError where there is one."""
        if path.exists():
            raise FileExistsError(path)
        # two threads write the columns' blocks one after the other, and a third of the file is left empty
        self._connection = duckdb.connect(str(path), config={"threads": 1})

    def __enter__(self) -> "ReleaseFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add(self, name: str, frame: pl.DataFrame) -> str:
        """Write a table; return the digest of the rows in memory, not of those in the file."""
        columns = CONTRACT["tables"][name]["columns"]
        rows = frame.select(list(columns))
        rows = rows if name in IN_ORDER else _in_order(rows)
        self._connection.register("_incoming", rows.to_arrow())
        casts = ", ".join(f'cast("{column}" as {type_}) as "{column}"' for column, type_ in columns.items())
        self._connection.execute(f'create table "{name}" as select {casts} from _incoming')
        content = digest(self._connection, columns, f"(select {casts} from _incoming)")
        self._connection.unregister("_incoming")
        return content

    def finish(self) -> None:
        """Write all that is not written yet."""
        self._connection.execute("checkpoint")


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the order of their columns; words, of which there are few, as the numbers of their places."""
    words = {name: rows[name].drop_nulls().unique().sort() for name, dtype in rows.schema.items() if dtype == pl.String}
    keys = [pl.col(name).cast(pl.Enum(words[name])) if name in words else pl.col(name) for name in rows.columns]
    return rows.sort(keys, nulls_last=True)


def _make_views(connection: duckdb.DuckDBPyConnection, history: Path, files: list[Landed]) -> dict[str, int]:
    """A view per kind over its landed files; `delivery` numbers files in the order of their hashes.

    Returns the numbers by hash.
    """
    number_of = {sha256: number for number, sha256 in enumerate(sorted(file.sha256 for file in files), start=1)}
    for kind, view in VIEWS.items():
        paths = sorted(p for p in (history / kind).glob("*.parquet") if p.stem in number_of)
        for path in paths:
            _refuse_unreadable(path)
        read = [f"select *, {number_of[path.stem]} as delivery from read_parquet('{_quoted(path)}')" for path in paths]
        none = f"select *, 0 as delivery from read_parquet('{_quoted(history / kind / 'none.parquet')}')"
        # Files landed by an older version may lack a column that came later; it is null in them.
        connection.execute(f"create view {view} as {' union all by name '.join([none, *read])}")
    connection.execute(
        "create table delivery (delivery integer, sha256 varchar, newest_minute integer, precedence integer)"
    )
    rows = [
        [number_of[file.sha256], file.sha256, file.newest_minute, place]
        for place, file in enumerate(sorted(files, key=lambda file: file.precedence))
    ]
    connection.executemany("insert into delivery values (?, ?, ?, ?)", rows or [[0, "", 0, 0]])
    return number_of


def _refuse_unreadable(path: Path) -> None:
    """Also of files that have no checksum: those of earlier versions, and deaths."""
    try:
        pq.read_metadata(path)
    except pa.ArrowException as error:
        raise HistoryProblem(path) from error


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _span(reports: Reports, as_of: date | None, today: date) -> Span | None:
    """The delivered months, told from where contacts are: single stray dates do not stretch the data period."""
    starts = pl.DataFrame({"n": starts_by_day(reports)}).with_row_index("day").filter(pl.col("n") > 0)
    starts = starts.select((pl.lit(EPOCH.date()) + pl.duration(days="day")).cast(pl.Date).alias("day"), "n")
    by_month = (
        starts.filter(pl.col("day") <= today).group_by(month=pl.col("day").dt.truncate("1mo")).agg(pl.col("n").sum())
    )
    if by_month.is_empty():
        return None
    usual = float(np.median(by_month["n"].to_numpy()))
    delivered = by_month.filter(pl.col("n") >= SHARE_OF_A_MONTH * usual)
    months = delivered["month"].sort().to_list()
    return Span(months[0], as_of or (months[-1] + timedelta(days=32)).replace(day=1))


def _minute(day: date) -> int:
    return (day - EPOCH.date()).days * 1440


def _set_variables(connection: duckdb.DuckDBPyConnection, span: Span | None) -> None:
    values: dict[str, Any] = dict(rule_values())
    values["epoch_day"] = EPOCH_DAY
    if span is not None:
        values |= {"as_of": _minute(span.as_of), "as_of_day": span.as_of, "data_from": span.data_from}
    else:
        values |= {"as_of": FAR_FUTURE, "as_of_day": date(9999, 1, 1), "data_from": date(2000, 1, 1)}
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

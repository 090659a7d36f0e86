"""One month's folder to a new release: land every file, build, audit, protect, publish – or change nothing."""

import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from etl import protect
from etl.delivery import open_delivery
from etl.disk import disk_problems_named
from etl.file import find_files, shown
from etl.finding import Finding, Refused
from etl.history import joined
from etl.land import Landed, empty_history, land, landed_files
from etl.pseudonym import PseudonymKey, make_key, read_key
from etl.publish import Published, PublishProblem, current_or_none, one_writer, publish
from etl.quarantine import QUARANTINE, held_back, quarantined
from etl.rules import load_rules, rule_values
from etl.shape import EXPECTED_RULES
from etl.warehouse import (
    SQL,
    BuildProblem,
    Fate,
    Span,
    Warehouse,
    attrition,
    build,
    fates,
    judge_reports,
    open_warehouse,
)
from kpis.indicator import load_indicators
from kpis.release import CONTRACT, Release

LARGEST_CHANGE = 0.10  # of all stays in months that both releases hold as final
RULE_SENTENCES = {
    "C2-municipality": "the municipality is missing or unknown",
    "C2-future": "the contact starts after the data period",
    "C2-open": "the contact has been open for more than 90 days",
}


@dataclass(frozen=True)
class FileReport:
    """What became of one delivered file."""

    file: str
    kind: str | None
    status: str  # accepted · accepted_with_warnings · refused
    rows_in: int
    rows_loaded: int
    rows_duplicate: int
    rows_superseded: int
    rows_quarantined: int
    findings: list[Finding]


@dataclass(frozen=True)
class LoadReport:
    """What became of a folder. `published` is None where nothing was published; `problem` then says why.

    `held_back` has one row for each row that was held back, with the columns of QUARANTINE. `passed_over` are files in
    the folder that are no data files by their names.
    """

    files: list[FileReport]
    published: Published | None = None
    problem: str | None = None
    held_back: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=QUARANTINE))
    passed_over: list[str] = field(default_factory=list)

    @property
    def is_loadable(self) -> bool:
        """Whether every file was taken in and nothing stopped the load."""
        return self.problem is None and all(file.status != "refused" for file in self.files)


class LoadStopped(PublishProblem):
    """The files were fine, yet no release was made of them. `report` tells of the files."""

    def __init__(self, report: LoadReport):
        super().__init__(report.problem)
        self.report = report


class Progress(Protocol):
    """How long work tells where it is."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A new stage begins; `total` in rows where it is known."""

    def step(self, n: int) -> None:
        """`n` more rows are done."""


class Silent:
    """No progress shown."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Nothing."""

    def step(self, n: int) -> None:
        """Nothing."""


def check(paths: list[Path], progress: Progress | None = None) -> LoadReport:
    """Say what each file is and what is wrong with it; change nothing.

    Files are judged together as if they were loaded into an empty data folder.
    """
    with tempfile.TemporaryDirectory(prefix="naerblik-check-") as folder:
        history = Path(folder)
        key = PseudonymKey(secrets.token_bytes(64))  # what a kill leaves in this folder nobody can turn back
        return _report_of(_land_all(paths, history, key, progress or Silent()), history)


def load(
    paths: list[Path],
    data_dir: Path,
    *,
    as_of: date | None = None,
    protection: protect.Protection = protect.ROUNDED,
    accept_change: str | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Land the files, build a release from everything landed so far, and publish it.

    A refused file stops the load before anything changes: history and release stay as they were.

    Raises FileNotFoundError for a path that does not exist, KeyProblem for the pseudonym key, LoadStopped where the
    files were fine but no release could be made of them, PublishProblem where another load is running, DiskProblem.
    """
    progress = progress or Silent()
    with disk_problems_named(data_dir), one_writer(data_dir):
        history, incoming = data_dir / "build" / "history", data_dir / "build" / "incoming"
        keys = open_keys(data_dir)
        before = landed_files(history)
        taken = _land_all(paths, incoming, keys.pseudonym, progress)
        if taken.refused or not taken.landed:
            refused = f"{len(taken.refused)} of {len(taken.landed) + len(taken.refused)} files were refused"
            problem = "Nothing was loaded: " + (
                f"{refused}. Correct them, or leave them out, and load again."
                if taken.refused
                else f"no data files ({', '.join(map(str, paths))})."
            )
            return _report_of(taken, incoming, problem)
        with joined(taken.landed, data_dir):
            try:
                _refuse_mixture(taken.landed, before)
                built = _build_and_publish(data_dir, keys, as_of, protection, accept_change, progress)
            except (PublishProblem, BuildProblem) as problem:
                raise LoadStopped(_report_of(taken, history, str(problem))) from problem
        told = [file.sha256 for file in [*before, *taken.landed]]  # of two copies in a folder the second is told again
        reports = [
            _report(file, built.fates[file.sha256], again=file.sha256 in told[: len(before) + position])
            for position, file in enumerate(taken.landed)
        ]
        rows = held_back(built.quarantined, taken.landed)
        return LoadReport(reports, built.published, held_back=rows, passed_over=taken.passed_over)


def rebuild(
    data_dir: Path,
    *,
    as_of: date | None,
    protection: protect.Protection,
    accept_change: str | None,
    progress: Progress,
) -> Published:
    """Build and publish again from what is landed (after a change of rules, code lists or reference data)."""
    with disk_problems_named(data_dir), one_writer(data_dir):
        return _build_and_publish(data_dir, open_keys(data_dir), as_of, protection, accept_change, progress).published


@dataclass(frozen=True)
class Keys:
    """The secrets of a data folder: one for persons, one for rounding."""

    pseudonym: PseudonymKey
    protection: PseudonymKey


def open_keys(data_dir: Path) -> Keys:
    """The keys of a data folder; made on its first load, never made anew once something was landed with them."""
    folder = data_dir / "build" / "keys"
    if not landed_files(data_dir / "build" / "history"):
        return Keys(make_key(folder / "pseudonym.key"), make_key(folder / "protection.key"))
    return Keys(read_key(folder / "pseudonym.key"), read_key(folder / "protection.key"))


@dataclass(frozen=True)
class _Taken:
    """What became of a folder's files at landing."""

    landed: list[Landed]
    refused: list[FileReport]
    passed_over: list[str]


def _land_all(paths: list[Path], history: Path, key: PseudonymKey, progress: Progress) -> _Taken:
    taken = _Taken([], [], [])
    files = find_files(paths, lambda name: taken.passed_over.append(shown(name)))
    for number, file in enumerate(files, start=1):
        progress.stage(f"reading {shown(file.path.name)} ({number} of {len(files)})")
        kind = None
        try:
            delivery = open_delivery(file)
            kind = delivery.fit.source.kind
            taken.landed.append(land(delivery, history, key, progress.step))
        except Refused as problem:
            taken.refused.append(FileReport(file.name, kind, "refused", 0, 0, 0, 0, 0, [problem.finding]))
    return taken


def _refuse_mixture(landed: list[Landed], before: list[Landed]) -> None:
    contacts = [file for file in [*before, *landed] if file.kind == "lpr_contacts"]
    if any(f.has_test_persons for f in contacts) and not all(f.has_test_persons for f in contacts):
        raise PublishProblem(
            "These contacts and those already loaded do not belong together: some are of made-up test persons, some "
            "are not. Load real deliveries into a data folder of their own (--data DIR)."
        )


@contextmanager
def _ready(history: Path, as_of: date | None = None) -> Iterator[Warehouse]:
    history.mkdir(parents=True, exist_ok=True)
    empty_history(history)
    with open_warehouse(history, as_of=as_of) as warehouse:
        yield warehouse


def _report_of(taken: _Taken, history: Path, problem: str | None = None) -> LoadReport:
    """What became of files that no release was built of."""
    if not taken.landed:
        return LoadReport(taken.refused, problem=problem, passed_over=taken.passed_over)
    with _ready(history) as warehouse:
        judge_reports(warehouse)
        by_file, rows = fates(warehouse), quarantined(warehouse)
    files = [*taken.refused, *(_report(file, by_file[file.sha256]) for file in taken.landed)]
    return LoadReport(
        sorted(files, key=lambda report: report.file),
        problem=problem,
        held_back=held_back(rows, taken.landed),
        passed_over=taken.passed_over,
    )


def _report(file: Landed, fate: Fate, *, again: bool = False) -> FileReport:
    findings = list(file.findings)
    for rule, n in sorted(fate.quarantined_by_rule.items()):
        later = n - file.faults_by_rule.get(rule, 0)
        if rule in RULE_SENTENCES and later > 0:
            where = "one row is" if later == 1 else f"{later} rows are"
            findings.append(
                Finding(
                    fate.first_row_by_rule[rule], None, rule, f"{where} held back: {RULE_SENTENCES[rule]}.".capitalize()
                )
            )
    if fate.duplicate - file.rows_total > 0:
        findings.append(
            Finding(
                None,
                None,
                "C1",
                f"{fate.duplicate - file.rows_total} rows repeat another row word for word; they count once.",
            )
        )
    if fate.superseded:
        findings.append(
            Finding(
                None,
                None,
                "C1",
                f"{fate.superseded} rows are replaced by a newer report of the same contact.",
            )
        )
    if again:
        findings.append(Finding(None, None, "D10-again", "This file was loaded before; nothing was counted twice."))
    warns = [
        finding for finding in findings if finding.rule not in ("C1", "P0-total", "P1-total", "D8-sheet", "D10-again")
    ]
    status = "accepted_with_warnings" if warns else "accepted"
    return FileReport(
        file.file,
        file.kind,
        status,
        fate.rows_in,
        fate.loaded,
        fate.duplicate,
        fate.superseded,
        fate.quarantined,
        findings,
    )


@dataclass(frozen=True)
class _Built:
    published: Published
    fates: dict[str, Fate]  # by sha256
    quarantined: pl.DataFrame  # see `quarantined`


def _build_and_publish(
    data_dir: Path,
    keys: Keys,
    as_of: date | None,
    protection: protect.Protection,
    accept_change: str | None,
    progress: Progress,
) -> _Built:
    with _ready(data_dir / "build" / "history", as_of) as warehouse:
        build(warehouse, lambda step: progress.stage(f"building: {step}"))
        by_file, rows = fates(warehouse), quarantined(warehouse)
        progress.stage("protecting")
        tables, facts = _tables(warehouse, keys, protection)
        span = warehouse.span
        assert span is not None  # build() has refused a warehouse without contacts
        manifest = _manifest(warehouse, span, keys, facts | {"change_reason": accept_change})
    progress.stage("auditing")
    current = current_or_none(data_dir)
    _audit(tables, manifest, current, accept_change)
    progress.stage("publishing")
    return _Built(publish(tables, manifest, data_dir / "releases"), by_file, rows)


def _tables(
    warehouse: Warehouse, keys: Keys, protection: protect.Protection
) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    true_cube = warehouse.query("select * from true_cube")
    true_counts = warehouse.query("select * from true_municipality_month")
    cube = protect.protect_cube(true_cube, protection, keys.protection)
    facts = {
        "protection": protection.manifest
        | {"key_id": keys.protection.key_id, "accuracy": protect.accuracy(true_cube, cube)}
    }
    tables = {
        name: warehouse.query(f"select * from {source}")
        for name, source in {
            "area": "area",
            "membership": "out_membership",
            "population": "out_population",
            "standard_population": "standard_population",
            "diagnosis_group": "diagnosis_group where group_id <> getvariable('excluded_group')",
            "coverage": "out_coverage",
            "goal": "out_goal",
            "intervention": "out_intervention",
            "service": "out_service",
            "official_figure": "out_official_figure",
            "welfare": "out_welfare",
            "baseline": "out_baseline",
        }.items()
    }
    tables["cube"] = cube
    tables["length_of_stay"] = protect.protect_length_of_stay(
        warehouse.query("select * from true_length_of_stay"), protection, keys.protection
    )
    tables["municipality_month"] = protect.protect_municipality_month(true_counts, protection, keys.protection)
    return tables, facts


def _manifest(warehouse: Warehouse, span: Span, keys: Keys, facts: dict[str, Any]) -> dict[str, Any]:
    months_back = rule_values()["provisional_months"]
    month_index = span.as_of.year * 12 + span.as_of.month - 1 - months_back
    return {
        "contract_version": CONTRACT["version"],
        "data_from": span.data_from.isoformat(),
        "as_of": span.as_of.isoformat(),
        "provisional_from": date(month_index // 12, month_index % 12 + 1, 1).isoformat(),
        "is_synthetic": any(file.has_test_persons for file in warehouse.files),
        "attrition": attrition(warehouse),
        "deliveries": [
            {"file": shown(f.file), "sha256": f.sha256, "kind": f.kind, "source": f.source, "rows_in": f.rows_in,
             "held_back": {rule: n for rule, n in f.faults_by_rule.items() if rule not in EXPECTED_RULES}}
            for f in warehouse.files
        ],
        "pseudonym_key_id": keys.pseudonym.key_id,
        "rules": load_rules(),
        "indicators": {indicator.id: indicator.version for indicator in load_indicators().values()},
        "sql": {path.stem: path.read_text(encoding="utf-8") for path in sorted(SQL.glob("*.sql"))},
        "code_version": _code_version(),
    } | facts  # fmt: skip


def _code_version() -> str:
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        return found.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        try:
            return metadata.version("naerblik")
        except metadata.PackageNotFoundError:
            return "unknown"


def _audit(
    tables: dict[str, pl.DataFrame],
    manifest: dict[str, Any],
    current: Release | None,
    accept_change: str | None,
) -> None:
    """Stop a publication whose numbers cannot be right. All problems are told together."""
    problems = []
    cube, population = tables["cube"], tables["population"]
    measures = [column for column in cube.columns if column.startswith("n_")]
    if cube.is_empty():
        problems.append("No stay was counted. Do the contacts hold physical attendances (ALCA00) in the data period?")
    elif cube.select(pl.min_horizontal(measures).min()).item() < 0:
        problems.append("A count is negative.")
    if (
        not cube.filter(pl.col("n_acute") > pl.col("n_admission")).is_empty()
        or not cube.filter(pl.col("n_readmission") > pl.col("n_index")).is_empty()
    ):
        problems.append("A part is larger than its whole.")
    per_quarter = (
        population.group_by("quarter").agg(pl.col("municipality_code").n_unique().alias("n")).filter(pl.col("n") != 98)
    )
    if not per_quarter.is_empty():
        quarter, n = per_quarter.sort("quarter").row(0)
        problems.append(f"The population of {quarter} has {n} of 98 municipalities.")
    on_a_map = tables["membership"].filter((pl.col("level") == "region") & pl.col("valid_to").is_null())
    if on_a_map["municipality_code"].n_unique() != 98:
        problems.append("Not every municipality is in a region.")
    if current is not None and not accept_change and current.manifest["is_synthetic"] == manifest["is_synthetic"]:
        problems += _changes(cube, manifest, current)
    if problems:
        raise PublishProblem("The release was not published; the one before stays. " + " ".join(problems))


def _changes(cube: pl.DataFrame, manifest: dict[str, Any], current: Release) -> list[str]:
    first = max(manifest["data_from"], current.manifest["data_from"])
    last = min(manifest["provisional_from"], current.manifest["provisional_from"])
    if first >= last:
        return []
    now = cube.filter(
        (pl.col("group_id") == "all")
        & pl.col("month").is_between(date.fromisoformat(first), date.fromisoformat(last), closed="left")
    )["n_stay"].sum()
    before = current.sql(
        "select coalesce(sum(n_stay), 0)::bigint as n from cube "
        "where group_id = 'all' and month >= $first::date and month < $last::date",
        first=first, last=last,
    ).item()  # fmt: skip
    if before and abs(now - before) / before > LARGEST_CHANGE:
        return [
            f"Stays in {first} to {last} change from {before} to {now} (more than {LARGEST_CHANGE:.0%}). "
            'If that is right, load again with --accept-change "the reason".'
        ]
    return []

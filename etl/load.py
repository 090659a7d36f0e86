"""One month's folder to a new release: land every file, build, audit, protect, publish – or change nothing."""

import etl.process  # noqa: F401

# isort: split

import secrets
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from etl import protect
from etl.accuracy import measured, rounded_up
from etl.audit import audit
from etl.contact import LATER_RULES
from etl.counting import by_all_names
from etl.delivery import count_rows, open_delivery
from etl.disk import disk_problems_named
from etl.file import find_files, shown
from etl.finding import Finding, Refused
from etl.history import joined
from etl.land import Landed, empty_history, land, landed_files
from etl.pseudonym import KeyProblem, PseudonymKey, make_key, read_key
from etl.publish import Published, PublishProblem, current_or_none, one_writer, publish
from etl.quarantine import QUARANTINE, held_back, quarantined
from etl.recount import STANDING, Standing
from etl.remembered import FILE as MEMORY
from etl.remembered import Memory, read_memory
from etl.rules import load_rules, rule_values
from etl.shape import EXPECTED_RULES
from etl.warehouse import (
    SQL,
    BuildProblem,
    Fate,
    Span,
    Warehouse,
    build,
    fates,
    judge_reports,
    open_warehouse,
)
from etl.words import Both, told
from kpis.indicator import load_indicators
from kpis.period import add_months
from kpis.release import CONTRACT, Release

COUNTING_CODE = ("contact.py", "stay.py", "count.py")  # from contacts to counts; shown on the method page
# told, and nothing to mend
QUIET = ("C1", "N1", "P0-total", "P1-total", "D2-unread", "D2-unshown", "D3-above", "D8-sheet", "D10-again")


@dataclass(frozen=True)
class FileReport:
    """What became of one delivered file. A refused file is held back whole.

    `is_counted` is False for a refused file whose rows could not be counted; its counts are 0 then.
    """

    file: str
    kind: str | None
    status: str  # accepted · accepted_with_warnings · refused
    rows_in: int
    rows_loaded: int
    rows_duplicate: int
    rows_superseded: int
    rows_quarantined: int
    findings: list[Finding]
    is_counted: bool = True


@dataclass(frozen=True)
class LoadReport:
    """What became of a folder. `published` is None where nothing was published; `problem` says what stopped it.

    `period` says which months a release would cover, where one could be built.

    `lacking` says what else must be loaded before a release can be made, where that is no fault of these files.

    `held_back` has one row for each row that was held back, with the columns of QUARANTINE. `passed_over` are files in
    the folder that are no data files by their names.
    """

    files: list[FileReport]
    published: Published | None = None
    problem: Both | None = None
    lacking: Both | None = None
    held_back: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=QUARANTINE))
    passed_over: list[str] = field(default_factory=list)
    period: Both | None = None

    @property
    def is_loadable(self) -> bool:
        """Whether every file was taken in and nothing stopped the load."""
        return self.problem is None and all(file.status != "refused" for file in self.files)


class LoadStopped(PublishProblem):
    """The files were fine, yet no release was made of them. `report` tells of the files."""

    def __init__(self, report: LoadReport, problem: Both):
        super().__init__(problem)
        self.report = report


class Progress(Protocol):
    """How long work tells where it is."""

    def stage(self, what: Both, total: int | None = None) -> None:
        """A new stage begins; `total` in rows where it is known."""

    def expect(self, total: int | None) -> None:
        """How many rows the stage has, where that is found out after it began."""

    def step(self, n: int) -> None:
        """`n` more rows are done."""


class Silent:
    """No progress shown."""

    def stage(self, what: Both, total: int | None = None) -> None:
        """Nothing."""

    def expect(self, total: int | None) -> None:
        """Nothing."""

    def step(self, n: int) -> None:
        """Nothing."""


class _Tried(Exception):
    """Ends a load that was to be tried only, so that everything it did is undone."""

    def __init__(self, report: LoadReport):
        super().__init__()
        self.report = report


def check(paths: list[Path], data_dir: Path | None = None, progress: Progress | None = None) -> LoadReport:
    """Say what each file is, what is wrong with it, and what `load` would say; publish nothing.

    It is a load into `data_dir` (an empty folder where nothing was loaded there) that is undone when its audits have
    been run. Files of one kind alone are part of a delivery: that no release can be made of them yet is not held
    against them, only told.
    """
    try:
        if data_dir is not None and any((data_dir / "build" / "history").glob("*/*.json")):
            return _load(paths, data_dir, progress or Silent(), _Terms(protection=_as_now(data_dir)), is_trial=True)
        key = PseudonymKey(secrets.token_bytes(64))  # nowhere written: what a kill leaves nobody can turn back
        with tempfile.TemporaryDirectory(prefix="naerblik-check-") as folder:
            return _load(paths, Path(folder), progress or Silent(), keys=Keys(key, key), is_trial=True)
    except _Tried as tried:
        return tried.report
    except LoadStopped as stopped:
        return stopped.report


def _as_now(data_dir: Path) -> protect.Protection:
    """As the current release is protected, so that a check compares like with like and tells what a load would."""
    current = current_or_none(data_dir)
    is_bare = current is not None and current.manifest["protection"]["method"] == protect.NO_METHOD
    return protect.UNPROTECTED if is_bare else protect.ROUNDED


def load(
    paths: list[Path],
    data_dir: Path,
    *,
    as_of: date | None = None,
    protection: protect.Protection = protect.ROUNDED,
    accept_change: str | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Land the files, build a release from everything landed so far, and publish it – or change nothing.

    A refused file stops the load before anything changes: history and release stay as they were.

    Raises NoSuchPath for a path that does not exist, KeyProblem for the pseudonym key, LoadStopped where the
    files were fine but no release could be made of them, PublishProblem where another load is running, DiskProblem.
    """
    terms = _Terms(as_of, protection, accept_change)
    return _load(paths, data_dir, progress or Silent(), terms)


@dataclass(frozen=True)
class _Terms:
    """How a release is to be made, see `load`."""

    as_of: date | None = None
    protection: protect.Protection = protect.ROUNDED
    accept_change: str | None = None


def _load(
    paths: list[Path],
    data_dir: Path,
    progress: Progress,
    terms: _Terms = _Terms(),
    *,
    keys: "Keys | None" = None,
    is_trial: bool = False,
) -> LoadReport:
    """See `load`. A trial ends in _Tried or LoadStopped, at the latest where it would publish; both undo all of it."""
    with disk_problems_named(data_dir), one_writer(data_dir):
        history, incoming = data_dir / "build" / "history", data_dir / "build" / "incoming"
        before = landed_files(history)
        keys = keys or open_keys(data_dir, before)
        taken = _land_all(paths, incoming, keys.pseudonym, progress)
        if taken.refused:
            n_files = len(taken.landed) + len(taken.refused)
            stop = told("stop.refused", refused=len(taken.refused), files=n_files)
            return _report_of(taken, incoming, before, stop)
        if not taken.landed:
            return _report_of(taken, incoming, before, told("stop.no_files", paths=", ".join(map(str, paths))))
        with joined(taken.landed, data_dir):
            try:
                _refuse_mixture(taken.landed, before)
                lacking = _lacking([*before, *taken.landed])
                if lacking and is_trial and len({file.kind for file in taken.landed}) == 1:
                    raise _Tried(replace(_report_of(taken, history, before), lacking=lacking))
                if lacking:
                    raise PublishProblem(lacking)
                standing = Standing.read(data_dir / STANDING)
                built = _build(data_dir, keys, terms, progress, standing, known=before)
            except PublishProblem as problem:
                raise LoadStopped(_report_of(taken, history, before, problem.said), problem.said) from problem
            reports = _reports(taken.landed, built.fates, before)
            rows = held_back(built.quarantined, taken.landed)
            months = built.manifest["data_from"][:7], add_months(date.fromisoformat(built.manifest["as_of"]), -1)
            period = told("done.period", first=months[0], last=f"{months[1]:%Y-%m}")
            report = LoadReport(reports, held_back=rows, passed_over=taken.passed_over, period=period)
            if is_trial:
                raise _Tried(report)
            return replace(report, published=_publish(built, data_dir, progress))


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
        built = _build(data_dir, open_keys(data_dir), _Terms(as_of, protection, accept_change), progress)
        return _publish(built, data_dir, progress)


@dataclass(frozen=True)
class Keys:
    """The secrets of a data folder: one for persons, one for rounding."""

    pseudonym: PseudonymKey
    protection: PseudonymKey


def open_keys(data_dir: Path, landed: list[Landed] | None = None) -> Keys:
    """The keys of a data folder; made on its first load, never made anew once something was landed with them.

    `landed` is all that was, where it has been looked up. Raises KeyProblem, also for a key that is not the one that
    was landed with.
    """
    folder = data_dir / "build" / "keys"
    landed = landed_files(data_dir / "build" / "history") if landed is None else landed
    if not landed:
        return Keys(make_key(folder / "pseudonym.key"), make_key(folder / "protection.key"))
    keys = Keys(read_key(folder / "pseudonym.key"), read_key(folder / "protection.key"))
    others = {file.key_id for file in landed} - {"", keys.pseudonym.key_id}
    if others:
        path = folder / "pseudonym.key"
        raise KeyProblem(told("key.other", path=path, id=keys.pseudonym.key_id, others=", ".join(sorted(others))))
    return keys


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
        progress.stage(told("stage.reading", file=shown(file.path.name), number=number, files=len(files)))
        kind = None
        try:
            delivery = open_delivery(file)
            kind = delivery.fit.source.kind
            progress.expect(delivery.rows_expected)
            taken.landed.append(land(delivery, history, key, progress.step))
        except Refused as problem:
            n = count_rows(file) if problem.rows_in is None else problem.rows_in
            rows, is_counted = n or 0, n is not None
            taken.refused.append(
                FileReport(file.name, kind, "refused", rows, 0, 0, 0, rows, problem.findings, is_counted)
            )
    return taken


def _refuse_mixture(landed: list[Landed], before: list[Landed]) -> None:
    contacts = [file for file in [*before, *landed] if file.kind == "lpr_contacts"]
    if any(f.has_test_persons for f in contacts) and not all(f.has_test_persons for f in contacts):
        raise PublishProblem(told("stop.mixture"))


def _lacking(files: list[Landed]) -> Both | None:
    """What no release can be made without, where it is not among these files."""
    kinds = {file.kind for file in files}
    if "lpr_contacts" not in kinds:
        return told("stop.no_contacts")
    return None if "population" in kinds else told("stop.no_population")


@contextmanager
def _ready(history: Path, as_of: date | None = None, known: Iterable[Landed] = ()) -> Iterator[Warehouse]:
    history.mkdir(parents=True, exist_ok=True)
    empty_history(history)
    with open_warehouse(history, as_of=as_of, known=known) as warehouse:
        yield warehouse


def _report_of(taken: _Taken, history: Path, before: list[Landed], problem: Both | None = None) -> LoadReport:
    """What became of files that no release was built of."""
    if not taken.landed:
        return LoadReport(taken.refused, problem=problem, passed_over=taken.passed_over)
    with _ready(history) as warehouse:
        judge_reports(warehouse)
        by_file, rows = fates(warehouse), quarantined(warehouse)
    files = [*taken.refused, *_reports(taken.landed, by_file, before)]
    return LoadReport(
        sorted(files, key=lambda report: report.file),
        problem=problem,
        held_back=held_back(rows, taken.landed),
        passed_over=taken.passed_over,
    )


def _reports(landed: list[Landed], by_file: dict[str, Fate], before: list[Landed]) -> list[FileReport]:
    """What became of each landed file; one whose content was there before names where."""
    loaded_before = {file.sha256: Finding.of("D10-again.before", other=file.file) for file in before}
    of_this_delivery: dict[str, Finding] = {}
    reports = []
    for file in landed:
        again = loaded_before.get(file.sha256) or of_this_delivery.get(file.sha256)
        reports.append(_report(file, by_file[file.sha256], again))
        of_this_delivery.setdefault(file.sha256, Finding.of("D10-again.copy", other=file.file))
    return reports


def _report(file: Landed, fate: Fate, again: Finding | None) -> FileReport:
    findings = list(file.findings)
    for rule, n in sorted(fate.quarantined_by_rule.items()):
        later = n - file.faults_by_rule.get(rule, 0)
        if rule in LATER_RULES and later > 0:
            findings.append(Finding.of(f"{rule}.later", fate.first_row_by_rule[rule], n=later))
    repeated = fate.duplicate - file.rows_total
    if again is None and repeated:
        findings.append(Finding.of("C1.duplicate" if file.kind == "lpr_contacts" else "N1.duplicate", n=repeated))
    if again is None and fate.superseded:
        text = "C1.superseded" if file.kind == "lpr_contacts" else "N1-other.superseded"
        findings.append(Finding.of(text, n=fate.superseded))
    # what a second copy holds was counted with the first
    loaded, duplicate, superseded = fate.loaded, fate.duplicate, fate.superseded
    if again is not None:
        findings.append(again)
        loaded, duplicate, superseded = 0, loaded + duplicate + superseded, 0
    status = "accepted" if all(finding.rule in QUIET for finding in findings) else "accepted_with_warnings"
    counts = (fate.rows_in, loaded, duplicate, superseded, fate.quarantined)
    return FileReport(file.file, file.kind, status, *counts, findings)


@dataclass(frozen=True)
class _Built:
    """A release that has passed its audits and is not written yet."""

    tables: dict[str, pl.DataFrame]
    manifest: dict[str, Any]
    fates: dict[str, Fate]  # by sha256
    quarantined: pl.DataFrame  # see `quarantined`
    memory: Memory  # what later releases have to know of the protection of this one
    standing: Standing  # what the next load can go on from
    current: Release | None  # that it was audited against


def _build(
    data_dir: Path,
    keys: Keys,
    terms: _Terms,
    progress: Progress,
    standing: Standing | None = None,
    known: Iterable[Landed] = (),
) -> _Built:
    """Work out a release from the history, going on from `standing` counts where they fit.

    `known` is what has been read of the landed files before.

    Raises PublishProblem where an audit stops it.
    """
    try:
        with _ready(data_dir / "build" / "history", terms.as_of, known) as warehouse:
            build(warehouse, progress.stage, standing)
            by_file, rows = fates(warehouse), quarantined(warehouse)
            progress.stage(told("stage.protecting"))
            memory = read_memory(data_dir / MEMORY, terms.protection.base, terms.protection.threshold)
            current = current_or_none(data_dir)
            if memory is None and current and not terms.accept_change:
                _refuse_forgotten(current, keys, terms.protection, data_dir / MEMORY)
            tables, facts, memory = _tables(warehouse, keys, terms.protection, memory)
            span = warehouse.span
            assert span is not None  # build() has refused a warehouse without contacts
            manifest = _manifest(warehouse, span, keys, facts | {"change_reason": terms.accept_change})
    except BuildProblem as problem:
        raise PublishProblem(problem.said) from problem
    progress.stage(told("stage.auditing"))
    audit(tables, manifest, current, terms.accept_change)
    return _Built(tables, manifest, by_file, rows, memory, warehouse.standing, current)


def _refuse_forgotten(current: Release, keys: Keys, protection: protect.Protection, file: Path) -> None:
    """Raise PublishProblem where the current release was rounded alike, so that its thresholds were remembered."""
    before = current.manifest["protection"]
    if protection.is_rounded and before == before | protection.manifest | {"key_id": keys.protection.key_id}:
        raise PublishProblem(told("stop.forgotten", file=file))


def _publish(built: _Built, data_dir: Path, progress: Progress) -> Published:
    progress.stage(told("stage.publishing"))
    if built.memory.families:  # before anybody can see the release: what was seen must be remembered
        built.memory.save(data_dir / MEMORY)
    published = publish(built.tables, built.manifest, data_dir / "releases", built.current)
    with suppress(OSError):  # the release is out; without standing counts the next load counts everything again
        built.standing.write(data_dir / STANDING)
    return published


def _tables(
    warehouse: Warehouse, keys: Keys, protection: protect.Protection, memory: Memory | None
) -> tuple[dict[str, pl.DataFrame], dict[str, Any], Memory]:
    true_cube = warehouse.true_cube
    protected = protect.protect(
        true_cube,
        warehouse.query("select * from true_municipality_month"),
        warehouse.query("select * from true_length_of_stay"),
        protection,
        keys.protection,
        memory,
    )
    accuracy = rounded_up(measured(true_cube, protected.cube))
    facts = {"protection": protection.told(accuracy) | {"key_id": keys.protection.key_id}}
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
    tables["cube"] = by_all_names(protected.cube)
    tables["length_of_stay"] = protected.length_of_stay
    tables["municipality_month"] = protected.municipality_month
    return tables, facts, protected.memory


def _manifest(warehouse: Warehouse, span: Span, keys: Keys, facts: dict[str, Any]) -> dict[str, Any]:
    months_back = rule_values()["provisional_months"]
    month_index = span.as_of.year * 12 + span.as_of.month - 1 - months_back
    return {
        "contract_version": CONTRACT["version"],
        "data_from": span.data_from.isoformat(),
        "as_of": span.as_of.isoformat(),
        "provisional_from": date(month_index // 12, month_index % 12 + 1, 1).isoformat(),
        "is_synthetic": any(file.has_test_persons for file in warehouse.files),
        "attrition": [
            step | {"rows": round(step["rows"] / facts["protection"]["base"]) * facts["protection"]["base"]}
            for step in warehouse.attrition
        ],
        "deliveries": [
            {"file": shown(f.file), "sha256": f.sha256, "kind": f.kind, "source": f.source, "rows_in": f.rows_in,
             "held_back": {rule: n for rule, n in f.faults_by_rule.items() if rule not in EXPECTED_RULES}}
            for f in warehouse.files
        ],
        "pseudonym_key_id": keys.pseudonym.key_id,
        "rules": load_rules(),
        "indicators": {indicator.id: indicator.version for indicator in load_indicators().values()},
        "code": {name: Path(__file__).with_name(name).read_text(encoding="utf-8") for name in COUNTING_CODE},
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
        about = here.parent / "pyproject.toml"
        return str(tomllib.loads(about.read_text("utf-8"))["project"]["version"]) if about.exists() else "unknown"

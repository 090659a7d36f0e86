"""Landing a delivery: from a file as delivered to one typed Parquet file without clear-text persons.

    history/<kind>/<sha256>.parquet   rows as landed, bad ones too, with the rule they break
    history/<kind>/<sha256>.arrow     the same of contacts, which are many: columns to be mapped into memory
    history/<kind>/<sha256>.json      what the file was and what was found in it

The name is the content's hash, so landing a file again changes nothing. Nothing is decided here that depends on
another file: which report of a contact is the newest is decided when a release is built.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from etl.contact import NOTHING, SCHEMA, SUFFIX, HistoryProblem, from_frame, to_batch
from etl.delivery.opened import BATCH_ROWS, Batch, Delivery
from etl.file import shown
from etl.finding import Finding, Refused
from etl.parse import EPOCH, OPEN_END, former_municipalities
from etl.plain import TIMES, Plain, PlainContacts
from etl.pseudonym import PseudonymKey
from etl.rules import rule_values
from etl.shape import BROKEN, EXPECTED_RULES, SHAPES, Shape, with_columns_or_null
from etl.source import Column
from etl.typed import Typed, Typing
from etl.words import Both, together, told

TOLD_IN_SUM = "P1-outside"  # the check of the whole file says it once, with the persons left out
AREAS = ("municipality", "area", "named_area")  # types of columns in which a former municipality may stand
NO_FILE = "none"  # name of the empty file of each kind, see `empty_history`
DEATHS = "deaths_of_contacts"  # folder of the history: deaths that contacts tell of
EXACT_DIGITS = 15  # of a number in a spreadsheet; what follows becomes zeros
MOST_AHEAD = 0.05  # of the contacts that may be reported before they begin, else days and months are exchanged
FEWEST_AHEAD = 20
IDS_LOOKED_AT = 1_000  # of a batch: a spreadsheet spoils them all
MAX_FINDINGS = 500  # a report longer than this is read by nobody; the counts stay exact


@dataclass(frozen=True)
class Landed:
    """What is known of a landed file. `rows_in` = rows of the Parquet file + malformed lines + total rows left out."""

    file: str
    sha256: str
    kind: str
    source: str
    rows_in: int
    rows_malformed: int
    rows_total: int  # totals that repeat other rows
    faults_by_rule: dict[str, int]  # rows held back at landing
    findings: list[Finding]
    newest_minute: int  # the newest point in time the file tells of: later extracts win over earlier ones
    has_test_persons: bool
    key_id: str
    checksum: str = ""  # of the landed file, see `checksum_of`; empty where an earlier version landed it
    modified: str = ""  # see DeliveredFile.modified; empty where an earlier version landed it
    checksum_of_deaths: str = ""  # of the file of deaths that contacts tell of; empty where they tell of none

    @property
    def precedence(self) -> tuple[str, int, str, str]:
        """Orders deliveries: of the same fact told by two, the one that comes last counts.

        The day on which the file was written, the newest point in time it tells of, and what is left. A correction of
        an old month is written later than what it corrects; files that were copied together are of one day.
        """
        return self.modified[:10], self.newest_minute, self.modified, self.sha256

    @property
    def path_name(self) -> str:
        """Where in the history it lies, without the ending of the name."""
        return f"{self.kind}/{self.sha256}"

    def path_in(self, history: Path) -> Path:
        """The file of its rows."""
        path = history / f"{self.path_name}.parquet"
        return contacts_path(history, self.sha256) if self.kind == "lpr_contacts" else path

    def checksums(self, history: Path) -> dict[Path, str]:
        """The files that it was landed as, as far as their checksums are known."""
        told = {self.path_in(history): self.checksum, deaths_path(history, self.sha256): self.checksum_of_deaths}
        return {path: checksum for path, checksum in told.items() if checksum}


def checksum_of(path: Path) -> str:
    """XXH3 of a file: it tells a disk's damage from what was landed.

    Read and not mapped, so that a disk that fails raises OSError here instead of ending the process later, when what
    has been read by then is mapped.
    """
    digest, block = xxhash.xxh3_128(), bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while n := file.readinto(block):
            digest.update(memoryview(block)[:n])
    return digest.hexdigest()


def refuse_damaged(files: Iterable[Landed], history: Path) -> None:
    """Compare landed files with their checksums. Raises HistoryProblem."""
    for file in files:
        for path, checksum in file.checksums(history).items():
            if not path.exists():
                raise HistoryProblem(path, delivery=shown(file.file), is_gone=True)
            if checksum_of(path) != checksum:
                raise HistoryProblem(path, delivery=shown(file.file))


def deaths_path(history: Path, sha256: str) -> Path:
    """The file of the deaths that a delivery of contacts tells of."""
    return history / DEATHS / f"{sha256}.parquet"


def contacts_path(history: Path, sha256: str) -> Path:
    """The file of landed contacts; one that an earlier version landed has an older form."""
    path = history / "lpr_contacts" / f"{sha256}{SUFFIX}"
    return path if path.exists() else path.with_suffix(".parquet")


def suffix_of(kind: str) -> str:
    """How the names of landed files of a kind end."""
    return SUFFIX if kind == "lpr_contacts" else ".parquet"


@dataclass
class _Tally:
    """What adds up over the batches of one file."""

    rows_in: int = 0
    rows_total: int = 0
    newest_minute: int = 0
    has_test_persons: bool = False
    by_rule: Counter[str] = field(default_factory=Counter)
    faults: list[pl.DataFrame] = field(default_factory=list)
    deaths: list[pl.DataFrame] = field(default_factory=list)
    n_reported: int = 0  # contacts that tell when they were reported
    n_ahead: int = 0  # of them those that begin a day later or more
    long_ids: int = 0  # of those looked at
    rounded_ids: int = 0

    def add(self, typed: Typed, landed: pl.DataFrame, faults: pl.DataFrame) -> None:
        """Count rows that were typed and landed one column after the other."""
        self.rows_in += typed.values.height
        self.rows_total += typed.values.height - landed.height
        self.newest_minute = max(self.newest_minute, _newest_minute(landed))
        self.has_test_persons |= typed.has_test_persons
        self.by_rule.update(landed["rule"].drop_nulls().to_list())
        for frame in (typed.faults, faults):
            if not frame.is_empty() and sum(known.height for known in self.faults) < MAX_FINDINGS:
                self.faults.append(frame.head(MAX_FINDINGS))
        if "reported_minute" in landed:
            self._look_ahead(
                landed["start_minute"].fill_null(0).to_numpy(), landed["reported_minute"].fill_null(NOTHING).to_numpy()
            )
        if "death_date" in typed.values and "contact_id" in landed:
            told = typed.values.select("person", "death_date").filter(pl.col("death_date").is_not_null())
            self.deaths.append(told.drop_nulls().unique())

    def add_plain(self, plain: Plain) -> None:
        """Count the plain rows of a batch of contacts."""
        self.rows_in += len(plain)
        for name in TIMES.values():
            self.newest_minute = max(self.newest_minute, int(plain.columns[name].max(initial=0)))
        self.has_test_persons |= plain.has_test_persons
        self.deaths.append(plain.deaths)
        self._look_ahead(plain.columns["start_minute"], plain.columns["reported_minute"])
        ids = [str(number) for number in plain.columns["contact_id"][:IDS_LOOKED_AT].tolist()]
        tails = [number[EXACT_DIGITS:] for number in ids if len(number) > EXACT_DIGITS + 1]
        self.long_ids += len(tails)
        self.rounded_ids += sum(not tail.strip("0") for tail in tails)

    def _look_ahead(self, start: NDArray[np.int32], reported: NDArray[np.int32]) -> None:
        is_reported = reported != NOTHING
        self.n_reported += int(is_reported.sum())
        self.n_ahead += int((is_reported & (start >= reported + 1440)).sum())

    @property
    def are_dates_exchanged(self) -> bool:
        """Whether so many contacts begin after they were reported that 02/03 must have been meant as 3 February."""
        return self.n_ahead >= FEWEST_AHEAD and self.n_ahead > MOST_AHEAD * self.n_reported

    @property
    def are_ids_rounded(self) -> bool:
        """Whether a spreadsheet has made zeros of the last digits: of other ids one in a hundred ends so."""
        return self.long_ids >= 20 and self.rounded_ids > self.long_ids / 2


def land(
    delivery: Delivery, history: Path, key: PseudonymKey, progress: Callable[[int], None] = lambda rows: None
) -> Landed:
    """Type, pseudonymise and store one delivery; return what was found.

    Raises Refused where the file as a whole cannot be taken in. Interrupted, it leaves only a `.part` file.
    """
    kind = delivery.fit.source.kind
    target = history / kind / f"{delivery.sha256}{suffix_of(kind)}"
    if target.exists() and target.with_suffix(".json").exists():
        return replace(_read_sidecar(target.with_suffix(".json")), file=delivery.file.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    try:
        known = _land_into(part, delivery, history, key, progress)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    known = replace(known, checksum=checksum_of(part))
    sidecar = asdict(replace(known, file=shown(delivery.file.path.name)))
    target.with_suffix(".json").write_text(json.dumps(sidecar, ensure_ascii=False), encoding="utf-8")
    part.rename(target)
    return known


def _land_into(
    part: Path, delivery: Delivery, history: Path, key: PseudonymKey, progress: Callable[[int], None]
) -> Landed:
    shape = SHAPES[delivery.fit.source.kind]
    tally = _Tally()
    rows: Iterator[tuple[pa.Table | pa.RecordBatch, int]]
    if delivery.fit.source.kind == "lpr_contacts":
        rows = _contacts(delivery, key, tally)
        writer = pa.ipc.new_file(str(part), SCHEMA, options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True))
    else:
        rows = _rows(delivery, key, tally)
        # a history is read as often as written, and as a whole: what is quick to read beats what is small
        texts = [name for name, dtype in shape.schema.items() if dtype == pl.String]
        options = {"compression": "none", "use_dictionary": texts, "write_statistics": False, "store_schema": False}
        writer = pq.ParquetWriter(part, shape.arrow_schema, **options)
    with writer:
        for table, n_delivered in rows:
            writer.write(table)
            progress(n_delivered)
    if tally.rows_in == 0:
        raise Refused("D1-empty.rows")
    if tally.are_dates_exchanged:
        raise Refused("D12-date-order.ahead", n=tally.n_ahead, of=tally.n_reported)
    if tally.are_ids_rounded:
        raise Refused("C1-id.rounded", n=tally.rounded_ids, of=tally.long_ids)
    known = Landed(
        file=delivery.file.name,
        sha256=delivery.sha256,
        kind=delivery.fit.source.kind,
        source=delivery.fit.source.id,
        rows_in=tally.rows_in + delivery.n_malformed,
        rows_malformed=delivery.n_malformed,
        rows_total=tally.rows_total,
        faults_by_rule=dict(tally.by_rule),
        findings=_findings(delivery, tally),
        newest_minute=tally.newest_minute,
        has_test_persons=tally.has_test_persons,
        key_id=key.key_id,
        modified=delivery.file.modified(),
    )
    if shape.check is not None:
        known = replace(known, findings=[*known.findings, *shape.check(pl.read_parquet(part))])
    _refuse_over_limit(known)
    if not tally.deaths:
        return known
    deaths = pl.concat(tally.deaths).unique().sort("person", "death_date")
    return replace(known, checksum_of_deaths=_write_deaths(deaths, history, delivery.sha256))


def _rows(delivery: Delivery, key: PseudonymKey, tally: _Tally) -> Iterator[tuple[pa.Table, int]]:
    """Landed rows of each batch, and how many were delivered."""
    shape, typing = SHAPES[delivery.fit.source.kind], Typing(delivery.fit, key)
    for batch in delivery.batches():
        landed = _landed(batch, typing, shape, tally)
        if "person" in shape.schema:
            landed = landed.sort("person")  # so that a part of the persons is a few row groups
        yield landed.to_arrow().cast(shape.arrow_schema), len(batch)


def _landed(batch: Batch, typing: Typing, shape: Shape, tally: _Tally) -> pl.DataFrame:
    typed = typing.typed(batch.frame)
    rows, faults = shape.to_landed(typed.values)
    landed = with_columns_or_null(rows, shape.schema).select(list(shape.schema)).cast(shape.schema)  # type: ignore[arg-type]
    tally.add(typed, landed, faults)
    return landed


def _contacts(delivery: Delivery, key: PseudonymKey, tally: _Tally) -> Iterator[tuple[pa.RecordBatch, int]]:
    """As `_rows`, of contacts: plain rows in compiled passes, odd ones as all deliveries are."""
    shape, typing = SHAPES["lpr_contacts"], Typing(delivery.fit, key)
    reader, rules = PlainContacts(delivery.fit, key), dict[str, int]()

    def explained(odd: list[Batch]) -> tuple[pa.RecordBatch, int]:
        rows = _landed(Batch.together(odd), typing, shape, tally).sort("person")
        return to_batch(from_frame(rows, reader.diagnoses, rules), list(reader.diagnoses), list(rules)), len(rows)

    odd: list[Batch] = []  # until there are many: the readers take long to begin
    for batch in delivery.batches():
        plain = reader.read(batch.table)
        tally.add_plain(plain)
        yield to_batch(plain.columns, list(reader.diagnoses), list(rules)), len(plain)
        if plain.is_odd.any():
            odd.append(batch.part(plain.is_odd))
        if sum(map(len, odd)) >= BATCH_ROWS:
            yield explained(odd)
            odd.clear()
    if odd:
        yield explained(odd)


def landed_files(history: Path, known: Iterable[Landed] = ()) -> list[Landed]:
    """Everything that has been landed, by kind and hash; what is `known` of it is not read again.

    Raises HistoryProblem where rows are there without what was told of them, or the other way round: a file that is
    gone must not be taken for one that was never delivered.
    """
    files = [path for kind in SHAPES for path in (history / kind).glob("*") if path.stem != NO_FILE]
    told_of = {path.with_suffix("") for path in files if path.suffix == ".json"}
    rows = {path.with_suffix("") for path in files if path.suffix in (".parquet", SUFFIX)}
    for path in sorted(rows - told_of):
        raise HistoryProblem(path.with_suffix(".json"), is_gone=True)
    for path in sorted(told_of - rows):
        name = shown(_read_sidecar(path.with_suffix(".json")).file)
        raise HistoryProblem(path.with_suffix(suffix_of(path.parent.name)), delivery=name, is_gone=True)
    known_as = {history / file.path_name: file for file in known}
    return [known_as.get(path) or _read_sidecar(path.with_suffix(".json")) for path in sorted(told_of)]


def _read_sidecar(path: Path) -> Landed:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        findings = [_finding(told) for told in known.pop("findings")]
        return Landed(**known, findings=findings)
    except (ValueError, KeyError, TypeError) as error:
        raise HistoryProblem(path) from error


def _finding(told: dict[str, Any]) -> Finding:
    """A finding of a sidecar; before findings were told in two languages, it had one `message`."""
    message = told.pop("message", None)
    return Finding(**(told if message is None else told | {"da": message, "en": message}))


def _write_deaths(deaths: pl.DataFrame, history: Path, sha256: str) -> str:
    """Write them; return the checksum."""
    target = deaths_path(history, sha256)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    deaths.write_parquet(part)
    checksum = checksum_of(part)
    part.rename(target)
    return checksum


def _newest_minute(landed: pl.DataFrame) -> int:
    """The newest time that good rows tell of: minutes of contacts and stays, or the dates of other kinds."""
    minutes = [pl.col(name) for name in ("reported_minute", "start_minute", "end_minute") if name in landed.columns]
    dates = [pl.col(name) for name, dtype in landed.schema.items() if dtype == pl.Date]
    dates = [pl.when(date < OPEN_END).then(date) for date in dates]
    told = minutes or [(date - EPOCH.date()).dt.total_days() * 1440 for date in dates]
    if not told:
        return 0
    stands = pl.col("rule").is_null()
    newest = landed.select(pl.max_horizontal(pl.when(stands).then(time).max() for time in told))
    return int(newest.item() or 0)


def _findings(delivery: Delivery, tally: _Tally) -> list[Finding]:
    columns = {column.name: column for column in delivery.fit.source.columns}
    faults = pl.concat([pl.DataFrame(schema=BROKEN), *tally.faults], how="diagonal")
    findings = list(delivery.findings)
    for row, name, rule, found, why in faults.filter(pl.col("rule") != TOLD_IN_SUM).sort("row").iter_rows():
        at, cell = delivery.place(row, name)
        findings.append(Finding(at, cell, rule or "D0-value", **_value_told(columns.get(name), rule, found, why)))
    if tally.rows_total:
        findings.append(Finding.of("P1-total", n=tally.rows_total))
    return findings


def _value_told(column: Column | None, rule: str, found: str | None, why: str | None) -> Both:
    """What is wrong with a value, what is allowed, and what became of the row."""
    former = former_municipalities().get(found.zfill(4)) if column and found and column.type in AREAS else None
    what = why or ("value.blank" if found is None else "value.former" if former else "value.found")
    sentences = [told(what, found=found or "", name=former or "")]
    if column and column.allowed and not why:
        sentences.append(told("value.allowed", allowed=column.allowed))
    return together([*sentences, told("value.held_back" if rule else "value.left_out")])


def _refuse_over_limit(known: Landed) -> None:
    held_back = known.rows_malformed + sum(n for rule, n in known.faults_by_rule.items() if rule not in EXPECTED_RULES)
    limit = max(rule_values()["quarantine_rows"], rule_values()["quarantine_share"] * known.rows_in)
    is_all = held_back >= known.rows_in - known.rows_total
    if held_back > limit or is_all:
        by_rule = {"D4-fields": known.rows_malformed} | known.faults_by_rule
        most = sorted(((n, rule) for rule, n in by_rule.items() if n), reverse=True)
        rules = ", ".join(f"{rule} ({n})" for n, rule in most)
        text = "D9.all" if is_all else "D9"
        refusal = Refused(text, held_back=held_back, rows_in=known.rows_in, limit=int(limit), rules=rules)
        refusal.findings += known.findings
        refusal.rows_in = known.rows_in
        raise refusal


def empty_history(history: Path) -> None:
    """Make sure that every kind has at least an empty Parquet file, so that SQL can name it."""
    for kind, shape in SHAPES.items():
        path = history / kind / f"{NO_FILE}.parquet"
        # One of an older version may lack a column that the SQL names.
        if not path.exists() or pl.read_parquet_schema(path) != shape.schema:
            path.parent.mkdir(parents=True, exist_ok=True)
            pl.DataFrame(schema=shape.schema).write_parquet(path)
    path = deaths_path(history, NO_FILE)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(schema={"person": pl.UInt64, "death_date": pl.Date}).write_parquet(path)

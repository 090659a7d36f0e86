"""Counting a history of contacts: all of it, or only the persons whom a delivery or the passing of a month touches.

Everything that is counted adds up over persons. So where the counts of an earlier state of the history are kept
(`Standing`), those of the present state are: what stood, and the touched persons as they are now, less the touched
persons as they were. Counting everything from the beginning gives the same.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from etl.contact import (
    NO_ID,
    NOTHING,
    Columns,
    History,
    Reports,
    Wanted,
    is_among,
    judge,
    number_of_parts,
    parts_of_persons,
    reported_again,
    told_twice,
)
from etl.count import ALL, MEASURES, Grid, LengthGrid, Tally
from etl.rules import rule_values
from etl.stay import StayRules, readmissions_of, stays_of
from etl.words import Both, told
from kpis.reference import load_codelists

REPORTS_A_PART = 500_000  # whose arrays stay in the processor's cache
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
CONTACT = (
    "person", "contact_id", "start_minute", "end_minute", "reported_minute", "municipality", "age", "sex",
    "is_physical", "is_acute", "diagnosis",
)  # fmt: skip

# What is counted: tables that add up over persons, by what their rows are told apart. All other columns are counts.
KEYS = {
    "cube": ["group", "cell"],
    "lengths": ["group", "cell"],
    "contacts": ["cell"],
    "attrition": ["step"],
    "again": ["sha256", "fate"],  # reports of contacts told more than once: newest, duplicate, superseded
    "held_back": ["sha256", "row", "rule"],
    "place_admissions": ["person", "start_minute"],  # acute admissions of persons who have been on acute places
}
Counts = dict[str, pl.DataFrame]
STANDING = Path("build") / "standing"  # in the data folder

# Code and definitions that decide what is counted: counts made by others do not stand.
_DECIDE = ("contact.py", "stay.py", "count.py", "counting.py", "rules.toml", "sql/05_small_deliveries.sql",
           "sql/11_municipality.sql", "sql/11_diagnosis.sql")  # fmt: skip


@dataclass(frozen=True)
class Surroundings:
    """All that counting needs besides the reports.

    Attributes:
        grid: the cells to count in.
        region_of: the region of each municipality (map 2024).
        sha256: of each delivery, by its number.
        newest_minute: the latest point in time that each delivery tells of, by its number.
        deaths: persons with a known date of death, sorted, and the minute at which that day begins.
        on_places: persons who have been on a municipal acute place, sorted.
        look_up: fills in what was delivered apart: municipality (LPR_F) and action diagnosis (LPR_F, LPR2) of reports
            at some places.
    """

    grid: Grid
    region_of: Mapping[str, str]
    sha256: Mapping[int, str]
    newest_minute: NDArray[np.int64]
    deaths: tuple[NDArray[np.uint64], NDArray[np.int64]]
    on_places: NDArray[np.uint64]
    look_up: Callable[[Reports, NDArray[np.bool_]], None]


@dataclass(frozen=True)
class Judged:
    """What became of reports: `again` and `held_back` as in KEYS, and which reports stand, one entry a report.

    `is_valid` is true for the newest report of a contact that breaks no rule and is not cancelled.
    """

    again: pl.DataFrame
    held_back: pl.DataFrame
    is_newest: NDArray[np.bool_]
    is_valid: NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """All that happened to a part of the persons: valid contacts, their hospital stays and what followed those."""

    contacts: Columns
    stays: Columns
    is_index: NDArray[np.bool_]
    is_readmitted: NDArray[np.bool_]


def judged(reports: Reports, around: Surroundings, as_of: int) -> Judged:
    """Find the newest report of every contact, and what of them is held back. Fills in what was delivered apart."""
    again = reported_again(reports, around.newest_minute)
    is_newest = np.ones(len(reports), dtype=bool)
    is_newest[again.filter(pl.col("fate") != "newest")["at"].to_numpy()] = False
    around.look_up(reports, is_newest & (reports["rule"] == NOTHING))
    rule = judge(reports, as_of, rule_values()["open_contact_max_days"])
    broken = np.flatnonzero(is_newest & (rule != NOTHING))
    held_back = pl.DataFrame(
        {
            "delivery": reports["delivery"][broken],
            "row": reports["row"][broken],
            "rule": pl.Series(reports.rules, dtype=pl.String).gather(rule[broken]),
        }
    )
    is_valid = is_newest & (rule == NOTHING) & ~reports["is_cancelled"]
    return Judged(
        _by_file(again, around, KEYS["again"]), _by_file(held_back, around, KEYS["held_back"]), is_newest, is_valid
    )


def _by_file(rows: pl.DataFrame, around: Surroundings, keys: list[str]) -> pl.DataFrame:
    """Rows counted by file, whose hash stays the same while its number does not."""
    sha256 = pl.col("delivery").replace_strict(around.sha256, return_dtype=pl.String)
    return rows.with_columns(sha256.alias("sha256")).group_by(keys).agg(pl.len().cast(pl.Int64).alias("n"))


def parts(reports: Reports, is_valid: NDArray[np.bool_], around: Surroundings, as_of: int) -> Iterator[Part]:
    """The persons part by part. Arrays as `etl.contact` and `etl.stay` say."""
    values = rule_values()
    of_stays = ("gap_minutes", "gap_includes_limit", "admission_minutes", "short_stay_minutes", "follow_up_days")
    rules = StayRules(as_of=as_of, **{name: values[name] for name in of_stays})
    excluded = diagnosis_groups(reports.diagnoses)[values["excluded_group"]]
    for whole in parts_of_persons(reports["person"], REPORTS_A_PART):
        at = whole[is_valid[whole]]
        contacts = {name: reports[name][at] for name in CONTACT}
        physical = np.flatnonzero(contacts["is_physical"])  # rule C4
        stays = stays_of({name: column[physical] for name, column in contacts.items()}, rules)
        yield Part(contacts, stays, *readmissions_of(stays, excluded, around.deaths, rules))


def diagnosis_groups(diagnoses: list[str]) -> dict[str, NDArray[np.bool_]]:
    """By group id, which of the codes belong to it; a code may be in groups of several lists."""
    return {
        group.group_id: np.array(
            [
                code.startswith(tuple(group.prefixes)) and not code.startswith(tuple(group.excluded_prefixes))
                for code in diagnoses
            ],
            dtype=bool,
        )
        for codelist in load_codelists()
        for group in codelist.groups
    }


def counted_groups() -> list[str]:
    """The ids of the groups that are counted, in the order of their numbers: all diagnoses first."""
    groups = [group.group_id for codelist in load_codelists() for group in codelist.groups]
    return ["all", *(group for group in groups if group != rule_values()["excluded_group"])]


def count(
    reports: Reports, around: Surroundings, as_of: int, progress: Callable[[Both], None] = lambda told: None
) -> Counts:
    """Build the stays of all reports, part by part, and count them: the tables of KEYS."""
    progress(told("stage.newest"))
    verdict = judged(reports, around, as_of)
    groups = diagnosis_groups(reports.diagnoses)
    tally = Tally(around.grid, {group: groups[group] for group in counted_groups()[ALL + 1 :]}, around.region_of)
    steps = dict.fromkeys(ATTRITION, 0)
    steps["reports"], steps["newest_reports"] = len(reports), int(verdict.is_newest.sum())
    followed = [pl.DataFrame(schema={"person": pl.UInt64, "start_minute": pl.Int64})]
    n_parts = number_of_parts(len(reports), REPORTS_A_PART)
    for number, part in enumerate(parts(reports, verdict.is_valid, around, as_of), start=1):
        progress(told("stage.stays", number=number, parts=n_parts))
        tally.add_contacts(part.contacts, rule_values()["timely_days"])
        tally.add_stays(part.stays, part.is_index, part.is_readmitted)
        acute = np.flatnonzero(part.stays["is_admission"] & part.stays["is_acute"])
        at = acute[is_among(part.stays["person"][acute], around.on_places)]
        followed.append(pl.DataFrame({name: part.stays[name][at] for name in KEYS["place_admissions"]}))
        for step, n in (
            ("valid_contacts", len(part.contacts["person"])),
            ("physical_contacts", part.stays["n_contact"].sum()),
            ("stays", len(part.stays["person"])),
            ("admissions", part.stays["is_admission"].sum()),
            ("index_admissions", part.is_index.sum()),
            ("readmissions", part.is_readmitted.sum()),
        ):
            steps[step] += int(n)
    progress(told("stage.counts"))
    return tally.tables() | {
        "attrition": pl.DataFrame({"step": list(steps), "n": list(steps.values())}).filter(pl.col("n") != 0),
        "again": verdict.again,
        "held_back": verdict.held_back,
        "place_admissions": pl.concat(followed).with_columns(n=pl.lit(1, pl.Int64)),
    }


def cube(counts: Counts, grid: Grid) -> pl.DataFrame:
    """Counts by municipality_code, month, sex, age_from and group_id: MEASURES and n_person, true ones."""
    table = counts["cube"].sort("group", "cell")
    return grid.named(table["cell"].to_numpy()).with_columns(
        pl.Series(counted_groups(), dtype=pl.String).gather(table["group"]).alias("group_id"),
        *(table[name].cast(pl.Int32) for name in (*MEASURES, "n_person")),
    )


def lengths_of_stay(counts: Counts, around: Surroundings) -> pl.DataFrame:
    """Acute closed admissions by region_code, year, age_from and group_id: n_acute, n_person and minutes."""
    table = counts["lengths"].sort("group", "cell")
    return (
        LengthGrid(around.grid, around.region_of)
        .named(table["cell"].to_numpy())
        .with_columns(
            pl.Series(counted_groups(), dtype=pl.String).gather(table["group"]).alias("group_id"),
            *(table[name] for name in ("n_acute", "n_person", "minutes")),
        )
    )


# Counting only what is touched ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """Counts of an earlier state of the history, kept beside it in `build/standing`.

    Attributes:
        counts: the tables of KEYS.
        files: hashes of the contact files that were counted.
        as_of: the first minute after the data they were counted for.
        decided_by: see `fingerprint`.
        ids_told_twice: sorted ids of the contacts that had been told more than once.
        on_places: as in Surroundings.
    """

    counts: Counts
    files: frozenset[str]
    as_of: int
    decided_by: str
    ids_told_twice: NDArray[np.int64]
    on_places: NDArray[np.uint64]

    def write(self, folder: Path) -> None:
        """Keep the counts in `folder`, whole or not at all."""
        part = Path(tempfile.mkdtemp(prefix=".standing-", dir=folder.parent))
        for name, table in self.counts.items():
            table.write_parquet(part / f"{name}.parquet", compression="lz4")
        np.save(part / "ids_told_twice.npy", self.ids_told_twice)
        np.save(part / "on_places.npy", self.on_places)
        facts = {"files": sorted(self.files), "as_of": self.as_of, "decided_by": self.decided_by}
        (part / "standing.json").write_text(json.dumps(facts), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)

    @classmethod
    def read(cls, folder: Path) -> "Standing | None":
        """What is kept in `folder`; None where nothing is, or not all of it."""
        try:
            facts = json.loads((folder / "standing.json").read_text(encoding="utf-8"))
            counts = {name: pl.read_parquet(folder / f"{name}.parquet") for name in KEYS}
            arrays = [np.load(folder / f"{name}.npy") for name in ("ids_told_twice", "on_places")]
            return cls(counts, frozenset(facts["files"]), facts["as_of"], facts["decided_by"], *arrays)
        except (OSError, ValueError, KeyError, EOFError, pl.exceptions.PolarsError):
            return None


def fingerprint(around: Surroundings, other_files: list[str]) -> str:
    """What counts depend on besides contacts and `as_of`: rules, code lists, code, the first month, and `other_files`.

    Args:
        around: the grid and the regions.
        other_files: hashes of the deliveries that bear on contacts: residence, diagnoses, deaths.
    """
    digest = hashlib.sha256()
    for name in _DECIDE:
        digest.update((Path(__file__).parent / name).read_bytes())
    lists = [(group.group_id, group.prefixes, group.excluded_prefixes) for c in load_codelists() for group in c.groups]
    facts = [lists, around.grid.municipalities, str(around.grid.first), dict(around.region_of), sorted(other_files)]
    digest.update(json.dumps(facts).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class Recount:
    """Counting a history again of which an earlier state stands."""

    history: History
    around: Surroundings
    as_of: int
    standing: Standing

    def counts(self, progress: Callable[[Both], None]) -> Counts:
        """What stood, and the touched persons as they are now, less the touched persons as they were."""
        progress(told("stage.touched"))
        reports = self.history.read(self._touched)
        is_new = np.isin(reports["delivery"], self._new_files)
        before = Surroundings(**vars(self.around) | {"on_places": self.standing.on_places})
        then = count(reports.taken(np.flatnonzero(~is_new)), before, self.standing.as_of)
        now = count(reports, self.around, self.as_of, progress)
        return {name: _sum(self.standing.counts[name], now[name], then[name], keys) for name, keys in KEYS.items()}

    @property
    def ids_told_twice(self) -> NDArray[np.int64]:
        """Sorted ids of contacts that have been told more than once, told by what is new."""
        told_by_old = self._links_of_old[1]
        again = told_by_old[is_among(told_by_old, np.unique(self._new["contact_id"]))]
        return np.unique(np.r_[self.standing.ids_told_twice, told_twice(self._new["contact_id"]), again])

    @cached_property
    def _new_files(self) -> list[int]:
        return [number for number, sha256 in self.around.sha256.items() if sha256 not in self.standing.files]

    @cached_property
    def _new(self) -> Columns:
        """Person and contact_id of the new reports that have an id."""
        batches = [*self.history.only(self._new_files).batches("person", "contact_id")]
        empty = {"person": np.empty(0, np.uint64), "contact_id": np.empty(0, np.int64)}
        new = {name: np.concatenate([empty[name], *(batch[name] for batch in batches)]) for name in empty}
        return {name: values[new["contact_id"] != NO_ID] for name, values in new.items()}

    @cached_property
    def _of_old(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
        """Persons of old reports whom the passing of time touches; and person and id of old reports told again.

        When time has passed, it touches who has an open contact, a start that lay in the future, or an end after which
        30 days had not passed.
        """
        has_passed, as_of = self.as_of != self.standing.as_of, self.standing.as_of
        watched_since = as_of - (rule_values()["follow_up_days"] + 1) * 1440
        linked = Wanted(np.union1d(self.standing.ids_told_twice, self._new["contact_id"]))
        touched, persons, ids = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        old = self.history.only({*self.around.sha256} - {*self._new_files})
        for batch in old.batches("person", "contact_id", "start_minute", "end_minute"):
            if has_passed:
                end = batch["end_minute"]
                is_touched = (end == NOTHING) | (end >= watched_since) | (batch["start_minute"] >= as_of)
                touched.append(batch["person"][is_touched])
            at = linked.places(batch["contact_id"])
            persons.append(batch["person"][at])
            ids.append(batch["contact_id"][at])
        return np.concatenate(touched), np.concatenate(persons), np.concatenate(ids)

    @property
    def _links_of_old(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        return self._of_old[1:]

    @cached_property
    def _touched(self) -> NDArray[np.uint64]:
        """The persons whose counts may differ from those that stand, sorted.

        Those with something new, corrected or moved; whom the passing of time touches; and who are new on acute places.
        """
        new_on_places = np.setdiff1d(self.around.on_places, self.standing.on_places)
        persons = np.unique(np.r_[self._new["person"], self._of_old[0], new_on_places])
        # a contact that was told of two persons ties them together
        person, ids = self._links_of_old
        person, ids = np.r_[person, self._new["person"]], np.r_[ids, self._new["contact_id"]]
        while True:
            of_ids = np.unique(ids[is_among(person, persons)])
            more = np.union1d(persons, person[is_among(ids, of_ids)])
            if more.size == persons.size:
                return persons
            persons = more


def _sum(stood: pl.DataFrame, now: pl.DataFrame, then: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    counts = [name for name in stood.columns if name not in keys]
    less = then.with_columns(-pl.col(counts))
    summed = pl.concat([stood, now, less], how="vertical_relaxed").group_by(keys).agg(pl.col(counts).sum())
    return summed.filter(pl.any_horizontal(pl.col(counts) != 0)).select(stood.columns).cast(dict(stood.schema))  # type: ignore[arg-type]


def told_of(counts: Counts) -> list[dict[str, Any]]:
    """Rows after each step from delivered reports to readmissions, in order."""
    n = dict(counts["attrition"].iter_rows())
    return [{"step": step, "rows": n.get(step, 0)} for step in ATTRITION]

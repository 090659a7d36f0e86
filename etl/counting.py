"""Counting a history of contacts: from its newest reports, part of the persons by part, to tables that add up."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from etl.contact import (
    NOTHING,
    Columns,
    Reports,
    is_among,
    judge,
    number_of_parts,
    reported_again,
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

# What is counted: tables that add up over persons, by what their rows are told apart; those told by cell are in their
# order. All other columns are counts.
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
        look_up: gives the reports with what was delivered apart of those that are true: municipality (LPR_F) and action
            diagnosis (LPR_F, LPR2).
    """

    grid: Grid
    region_of: Mapping[str, str]
    sha256: Mapping[int, str]
    newest_minute: NDArray[np.int64]
    deaths: tuple[NDArray[np.uint64], NDArray[np.int64]]
    on_places: NDArray[np.uint64]
    look_up: Callable[[Reports, NDArray[np.bool_]], Reports]


@dataclass(frozen=True)
class Newest:
    """Reports with what was delivered apart of them, and of each contact the newest.

    Attributes:
        reports: all of them.
        is_newest: one entry a report.
        again: as in KEYS.
    """

    reports: Reports
    is_newest: NDArray[np.bool_]
    again: pl.DataFrame


@dataclass(frozen=True)
class Judged:
    """The newest reports of a part of the persons: valid contacts (columns of CONTACT), and what of them is held back.

    Valid is what breaks no rule and is not cancelled. `held_back`: delivery, row, rule.
    """

    contacts: Columns
    held_back: pl.DataFrame


@dataclass(frozen=True)
class Part:
    """All that happened to a part of the persons: valid contacts, their hospital stays and what followed those."""

    judged: Judged
    stays: Columns
    is_index: NDArray[np.bool_]
    is_readmitted: NDArray[np.bool_]


def newest(reports: Reports, around: Surroundings) -> Newest:
    """Find the newest report of every contact, and fill in what was delivered apart of it."""
    again = reported_again(reports, around.newest_minute)
    is_newest = np.ones(len(reports), dtype=bool)
    is_newest[again.filter(pl.col("fate") != "newest")["at"].to_numpy()] = False
    return Newest(around.look_up(reports, is_newest), is_newest, _by_file(again, around, KEYS["again"]))


def judged(of: Newest, as_of: int) -> Iterator[Judged]:
    """Judge the newest reports, part of the persons by part."""
    reports, open_days = of.reports, rule_values()["open_contact_max_days"]
    names = (*CONTACT, "is_cancelled", "rule", "delivery", "row")
    for columns, is_newest in reports.parts(names, of.is_newest, REPORTS_A_PART):
        rule = judge(columns, reports.rules, as_of, open_days)
        broken = np.flatnonzero(is_newest & (rule != NOTHING))
        held_back = pl.DataFrame(
            {
                "delivery": columns["delivery"][broken],
                "row": columns["row"][broken],
                "rule": pl.Series(reports.rules, dtype=pl.String).gather(rule[broken]),
            }
        )
        at = np.flatnonzero(is_newest & (rule == NOTHING) & ~columns["is_cancelled"])
        yield Judged({name: columns[name][at] for name in CONTACT}, held_back)


def all_held_back(of: Newest, around: Surroundings, as_of: int) -> pl.DataFrame:
    """What of the newest reports is held back, as in KEYS."""
    return _by_file(pl.concat(part.held_back for part in judged(of, as_of)), around, KEYS["held_back"])


def _by_file(rows: pl.DataFrame, around: Surroundings, keys: list[str]) -> pl.DataFrame:
    """Rows counted by file, whose hash stays the same while its number does not."""
    sha256 = pl.col("delivery").replace_strict(around.sha256, return_dtype=pl.String)
    return rows.with_columns(sha256.alias("sha256")).group_by(keys).agg(pl.len().cast(pl.Int64).alias("n"))


def parts(of: Newest, around: Surroundings, as_of: int) -> Iterator[Part]:
    """The persons part by part. Arrays as `etl.contact` and `etl.stay` say."""
    values = rule_values()
    of_stays = ("gap_minutes", "gap_includes_limit", "admission_minutes", "short_stay_minutes", "follow_up_days")
    rules = StayRules(as_of=as_of, **{name: values[name] for name in of_stays})
    excluded = diagnosis_groups(of.reports.diagnoses)[values["excluded_group"]]
    for judged_ in judged(of, as_of):
        physical = np.flatnonzero(judged_.contacts["is_physical"])  # rule C4
        stays = stays_of({name: column[physical] for name, column in judged_.contacts.items()}, rules)
        yield Part(judged_, stays, *readmissions_of(stays, excluded, around.deaths, rules))


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


def published_groups() -> list[str]:
    """The ids of the groups of a release: all diagnoses first."""
    groups = [group.group_id for codelist in load_codelists() for group in codelist.groups]
    return ["all", *(group for group in groups if group != rule_values()["excluded_group"])]


def counted_as() -> dict[str, str]:
    """By group id of a release, the group that it is counted as: of those with the same codes, the first by name."""
    codes = {group.group_id: (group.prefixes, group.excluded_prefixes) for c in load_codelists() for group in c.groups}
    first: dict[object, str] = {}
    return {group: first.setdefault(codes.get(group), group) for group in sorted(published_groups())}


def counted_groups() -> list[str]:
    """The ids of the groups that are counted, in the order of their numbers: all diagnoses first."""
    one_of = counted_as()
    return [group for group in published_groups() if one_of[group] == group]


def by_all_names(counts: pl.DataFrame) -> pl.DataFrame:
    """Counts by `group_id`, with those of a counted group also under the names of groups with the same codes."""
    others = [
        counts.filter(pl.col("group_id") == first).with_columns(group_id=pl.lit(group, counts.schema["group_id"]))
        for group, first in counted_as().items()
        if group != first
    ]
    return pl.concat([counts, *others])


def count(
    reports: Reports, around: Surroundings, as_of: int, progress: Callable[[Both], None] = lambda told: None
) -> Counts:
    """Build the stays of all reports, part by part, and count them: the tables of KEYS."""
    progress(told("stage.newest"))
    of = newest(reports, around)
    groups = diagnosis_groups(of.reports.diagnoses)
    tally = Tally(around.grid, {group: groups[group] for group in counted_groups()[ALL + 1 :]}, around.region_of)
    steps = dict.fromkeys(ATTRITION, 0)
    steps["reports"], steps["newest_reports"] = len(reports), int(of.is_newest.sum())
    followed = [pl.DataFrame(schema={"person": pl.UInt64, "start_minute": pl.Int64})]
    broken = []
    n_parts = number_of_parts(len(reports), REPORTS_A_PART)
    for number, part in enumerate(parts(of, around, as_of), start=1):
        progress(told("stage.stays", number=number, parts=n_parts))
        contacts, stays = part.judged.contacts, part.stays
        tally.add_contacts(contacts, rule_values()["timely_days"])
        tally.add_stays(stays, part.is_index, part.is_readmitted)
        acute = np.flatnonzero(stays["is_admission"] & stays["is_acute"])
        at = acute[is_among(stays["person"][acute], around.on_places)]
        followed.append(pl.DataFrame({name: stays[name][at] for name in KEYS["place_admissions"]}))
        broken.append(part.judged.held_back)
        for step, n in (
            ("valid_contacts", len(contacts["person"])),
            ("physical_contacts", stays["n_contact"].sum()),
            ("stays", len(stays["person"])),
            ("admissions", stays["is_admission"].sum()),
            ("index_admissions", part.is_index.sum()),
            ("readmissions", part.is_readmitted.sum()),
        ):
            steps[step] += int(n)
    progress(told("stage.counts"))
    return tally.tables() | {
        "attrition": pl.DataFrame({"step": list(steps), "n": list(steps.values())}).filter(pl.col("n") != 0),
        "again": of.again,
        "held_back": _by_file(pl.concat(broken), around, KEYS["held_back"]),
        "place_admissions": pl.concat(followed).with_columns(n=pl.lit(1, pl.Int64)),
    }


def cube(counts: Counts, grid: Grid) -> pl.DataFrame:
    """Counts by municipality_code, month, sex, age_from and (counted) group_id: MEASURES and n_person, true ones."""
    table = counts["cube"]
    return grid.named(table["cell"].to_numpy()).with_columns(
        pl.Series(counted_groups(), dtype=pl.Enum(published_groups())).gather(table["group"]).alias("group_id"),
        *(table[name] for name in (*MEASURES, "n_person")),
    )


def lengths_of_stay(counts: Counts, around: Surroundings) -> pl.DataFrame:
    """Acute closed admissions by region_code, year, age_from and group_id: n_acute, n_person and minutes."""
    table = counts["lengths"]
    return by_all_names(
        LengthGrid(around.grid, around.region_of)
        .named(table["cell"].to_numpy())
        .with_columns(
            pl.Series(counted_groups(), dtype=pl.String).gather(table["group"]).alias("group_id"),
            *(table[name] for name in ("n_acute", "n_person", "minutes")),
        )
    )


def told_of(counts: Counts) -> list[dict[str, Any]]:
    """Rows after each step from delivered reports to readmissions, in order."""
    n = dict(counts["attrition"].iter_rows())
    return [{"step": step, "rows": n.get(step, 0)} for step in ATTRITION]

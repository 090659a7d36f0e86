"""What a delivery is: recognised by its headers, described by a data file in `sources/`.

A source file names a delivery's kind and its columns. Adding a shape needs a new TOML file and no code.
"""

import difflib
import re
import tomllib
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from etl.words import Both

SOURCES = Path(__file__).parent / "sources"
YEAR = re.compile(r"(19|20)\d\d")  # a header that is a year: the sheet has a column for each


@dataclass(frozen=True)
class Column:
    """One canonical column of a source: which headers carry it, how it is read, what happens where it is bad."""

    name: str
    type: str
    headers: tuple[str, ...]
    clock_headers: tuple[str, ...] = ()  # the time of day, where date and time are delivered apart
    is_required: bool = False  # the column must be there for the file to be this source
    rule: str = ""  # the rule that a missing or unreadable value breaks; empty: it becomes null and the row stays
    may_be_blank: bool = False  # a blank is no break of the rule
    codes: dict[str, str] = field(default_factory=dict)  # as delivered (folded) -> canonical
    allowed: Both | None = None  # what is allowed, in words, for the message
    is_shown: bool = True  # False: it is read and checked, but no release holds it


@dataclass(frozen=True)
class Source:
    """One shape of delivery."""

    id: str
    kind: str
    title: Both
    columns: tuple[Column, ...]
    table: str = ""  # the StatBank table it is
    must_be_named: bool = False  # other tables have the same headers: the file's name must hold the table's
    has_year_columns: bool = False  # years stand side by side; they are read as rows (columns `period` and `value`)
    constants: dict[str, str] = field(default_factory=dict)  # canonical columns with one value in every row


@dataclass(frozen=True)
class Recognised:
    """A source and where each of its canonical columns stands in the file at hand."""

    source: Source
    header_of: dict[str, str]  # canonical column -> header as delivered
    clock_of: dict[str, str]
    unused: tuple[str, ...]  # headers that nothing reads
    years: tuple[str, ...] = ()  # headers that are years, where the source has a column for each


MOST_LOST, MORE_THERE = 2, 2  # columns; times: when a file is rather one that lacks a header than one that lacks none


@dataclass(frozen=True)
class Unknown:
    """No source fits: the nearest one, and what would have to be there."""

    nearest: Source
    missing: tuple[str, ...]
    unused: tuple[str, ...]  # headers that this source does not read
    n_found: int  # columns of the source that are there

    def is_rather_meant_than(self, fit: Recognised) -> bool:
        """Whether a header was lost: few are missing of a source of which far more is there than of the one that fits.

        Contacts without their diagnosis are no deaths, though both tell of persons and dates.
        """
        return len(self.missing) <= MOST_LOST and self.n_found > MORE_THERE * len(fit.header_of)

    @property
    def distance(self) -> float:
        """The share of columns, wanted or delivered, that have no partner."""
        apart = len(self.missing) + len(self.unused)
        return apart / (apart + 2 * self.n_found)


def fold(text: str) -> str:
    """Spelling that does not matter is taken away: case, outer blanks, byte order mark, composed letters."""
    return unicodedata.normalize("NFC", text).replace("\ufeff", "").replace("\u00a0", " ").strip().casefold()


@cache
def load_sources() -> tuple[Source, ...]:
    """All sources of `sources/*.toml`. Raises ValueError that names file and column where one cannot be used."""
    return tuple(_read_source(path) for path in sorted(SOURCES.glob("*.toml")))


def recognise(headers: list[str], name: str = "") -> Recognised | Unknown:
    """Which source these headers belong to; column order, case and extra columns do not matter.

    Where several fit, the StatBank table that the file's `name` holds is meant (hjemsyg2024.csv), else the one that
    leaves the fewest headers unread.
    """
    fits = [fit for source in load_sources() if isinstance(fit := _match(source, headers), Recognised)]
    words = {re.sub(r"(19|20)\d\d$", "", word) for word in re.split(r"[^0-9a-z]+", name.casefold())}
    fits = [fit for fit in fits if not fit.source.must_be_named or fit.source.table.casefold() in words]
    misses = [miss for source in load_sources() if isinstance(miss := _match(source, headers), Unknown)]
    if fits:
        best = min(fits, key=lambda fit: (fit.source.table.casefold() not in words, len(fit.unused), fit.source.id))
        meant = [miss for miss in misses if miss.is_rather_meant_than(best)]
        return min(meant, key=lambda miss: (miss.distance, miss.nearest.id)) if meant else best
    return min(misses, key=lambda miss: (miss.distance, miss.nearest.id))


def closest(word: str, allowed: list[str]) -> str:
    """A hint for a message: the nearest allowed word, or nothing."""
    near = difflib.get_close_matches(word, allowed, n=1, cutoff=0.6)
    return f" Did you mean “{near[0]}”?" if near else ""


def _match(source: Source, headers: list[str]) -> Recognised | Unknown:
    delivered = {fold(header): header for header in headers}
    header_of, clock_of, missing = {}, {}, []
    for column in source.columns:
        found = next((delivered[h] for h in column.headers if h in delivered), None)
        if found is not None:
            header_of[column.name] = found
        elif column.is_required:
            missing.append(column.headers[0])
        clock = next((delivered[h] for h in column.clock_headers if h in delivered), None)
        if clock is not None:
            clock_of[column.name] = clock
    years = tuple(h for h in headers if YEAR.fullmatch(fold(h))) if source.has_year_columns else ()
    if source.has_year_columns and not years:
        missing.append("2023, 2024 …")  # a column for each year
    used = {*header_of.values(), *clock_of.values(), *years}
    if missing:
        return Unknown(source, tuple(missing), tuple(h for h in headers if h and h not in used), len(header_of))
    if years:
        header_of |= {name: name for name in ("period", "value")}
    return Recognised(source, header_of, clock_of, tuple(h for h in headers if h not in used), years)


def _read_source(path: Path) -> Source:
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    columns = []
    for name, entry in raw["columns"].items():
        unknown = set(entry) - {
            "headers",
            "clock_headers",
            "type",
            "required",
            "rule",
            "may_be_blank",
            "codes",
            "allowed",
            "shown",
        }
        if unknown:
            raise ValueError(f"{path.name}: column {name}: unknown key {sorted(unknown)}")
        columns.append(
            Column(
                name=name,
                type=entry["type"],
                headers=tuple(fold(h) for h in entry["headers"]),
                clock_headers=tuple(fold(h) for h in entry.get("clock_headers", [])),
                is_required=entry.get("required", False),
                rule=entry.get("rule", ""),
                may_be_blank=entry.get("may_be_blank", False),
                codes={fold(said): meant for meant, spellings in entry.get("codes", {}).items() for said in spellings},
                allowed=entry.get("allowed"),
                is_shown=entry.get("shown", True),
            )
        )
    options = {name: raw[name] for name in raw.keys() - {"kind", "title", "columns"}}
    return Source(path.stem, raw["kind"], raw["title"], tuple(columns), **options)

"""What a delivery is: recognised by its headers, described by a data file in `sources/`.

A source file names a delivery's kind and its columns. Adding a shape needs a new TOML file and no code.
"""

import difflib
import tomllib
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parent / "sources"


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
    allowed: str = ""  # what is allowed, in words, for the message


@dataclass(frozen=True)
class Source:
    """One shape of delivery."""

    id: str
    kind: str
    title: str
    columns: tuple[Column, ...]
    sheet_hint: str = ""

    @property
    def required_headers(self) -> list[str]:
        """The first spelling of each required column, for messages."""
        return [column.headers[0] for column in self.columns if column.is_required]


@dataclass(frozen=True)
class Recognised:
    """A source and where each of its canonical columns stands in the file at hand."""

    source: Source
    header_of: dict[str, str]  # canonical column -> header as delivered
    clock_of: dict[str, str]
    unused: tuple[str, ...]  # headers that nothing reads


@dataclass(frozen=True)
class Unknown:
    """No source fits: the nearest one, and what would have to be there."""

    nearest: Source
    missing: tuple[str, ...]

    @property
    def message(self) -> str:
        """In one sentence: what it might be, and which columns differ."""
        if len(self.missing) == len(self.nearest.required_headers):
            return "None of the headers belongs to a known delivery."
        return (
            f"The headers fit no known delivery. Nearest is “{self.nearest.title}” ({self.nearest.kind}), "
            f"which also needs: {', '.join(self.missing)}."
        )


def fold(text: str) -> str:
    """Spelling that does not matter is taken away: case, outer blanks, byte order mark, composed letters."""
    return unicodedata.normalize("NFC", text).replace("\ufeff", "").replace("\u00a0", " ").strip().casefold()


@cache
def load_sources() -> tuple[Source, ...]:
    """All sources of `sources/*.toml`. Raises ValueError that names file and column where one cannot be used."""
    return tuple(_read_source(path) for path in sorted(SOURCES.glob("*.toml")))


def recognise(headers: list[str]) -> Recognised | Unknown:
    """Which source these headers belong to; column order, case and extra columns do not matter.

    Where several fit, the one that leaves the fewest headers unread is meant.
    """
    fits = [fit for source in load_sources() if isinstance(fit := _match(source, headers), Recognised)]
    if fits:
        return min(fits, key=lambda fit: (len(fit.unused), fit.source.id))
    misses = [miss for source in load_sources() if isinstance(miss := _match(source, headers), Unknown)]
    return min(misses, key=lambda miss: (len(miss.missing) / len(miss.nearest.required_headers), miss.nearest.id))


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
    if missing:
        return Unknown(source, tuple(missing))
    used = {*header_of.values(), *clock_of.values()}
    return Recognised(source, header_of, clock_of, tuple(h for h in headers if h not in used))


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
                allowed=entry.get("allowed", ""),
            )
        )
    return Source(path.stem, raw["kind"], raw["title"], tuple(columns), raw.get("sheet_hint", ""))

"""Reference data: the one place that knows where areas, standards, prices and code lists lie.

Small public facts in two folders: `data/reference/*.csv` (their origin in `SOURCES.toml`) and
`kpis/codelists/*.toml`. Every file is checked when it is read, and all its faults are reported together
in one `ReferenceDataError`. Frames have exactly the columns given here, in this order.

Conventions: municipality codes are text of four digits ("0101"). `valid_from` is inclusive, `valid_to`
exclusive, null = open. Every function takes another folder, for tests and for users who keep their own.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from datetime import date
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TypeVar

import polars as pl
from pydantic import ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

FOLDER = Path(__file__).resolve().parents[1] / "data" / "reference"
CODELISTS = files("kpis") / "codelists"

CHRISTIANSO = "0411"
"""Christiansø: a place of its own under the Ministry of Defence. It occurs in population and patient files
but is not a municipality, belongs to no area and is left out of every figure, by name."""

Confidence = Literal["verified", "medium", "low", "unconfirmed"]
"""verified: read in an official source. medium, low: pieced together from public minutes and maps.
unconfirmed: general knowledge that nobody has confirmed; the method page says so."""


Parsed = TypeVar("Parsed")


class ReferenceDataError(ValueError):
    """A reference file is missing or wrong. The message names the file and every fault in it."""

    def __init__(self, file: str, faults: Iterable[str]):
        self.faults = tuple(faults)
        super().__init__(f"{file}: " + "; ".join(self.faults) + ". Correct the file and try again.")


class _Table(NamedTuple):
    """What a CSV file must look like: its columns, those that identify a row, those that may be empty."""

    schema: dict[str, pl.DataType | type[pl.DataType]]
    key: tuple[str, ...]
    may_be_empty: tuple[str, ...] = ()


_AREAS = _Table(
    {
        "level": pl.String,
        "area_code": pl.String,
        "slug": pl.String,
        "name": pl.String,
        "valid_from": pl.Date,
        "valid_to": pl.Date,
    },
    key=("level", "area_code", "valid_from"),
    may_be_empty=("valid_to",),
)
_MEMBERSHIPS = _Table(
    {
        "municipality_code": pl.String,
        "level": pl.String,
        "area_code": pl.String,
        "valid_from": pl.Date,
        "valid_to": pl.Date,
        "confidence": pl.Enum(["verified", "medium", "low"]),
    },
    key=("municipality_code", "level", "valid_from"),
    may_be_empty=("valid_to",),
)
_MUNICIPALITY_NAMES = _Table({"spelling": pl.String, "municipality_code": pl.String}, key=("spelling",))
_MUNICIPALITY_POPULATION = _Table(
    {"municipality_code": pl.String, "date": pl.Date, "persons": pl.Int32}, key=("municipality_code", "date")
)
_STANDARD_POPULATION = _Table(
    {"standard": pl.String, "sex": pl.Int8, "age_from": pl.Int16, "persons": pl.Int32},
    key=("standard", "sex", "age_from"),
)
_TILE_GRID = _Table(
    {"municipality_code": pl.String, "column": pl.Int16, "row": pl.Int16, "label": pl.String},
    key=("municipality_code",),
)
_SECTION_238_PRICES = _Table(
    {
        "price_year": pl.Int16,
        "recipient": pl.Enum(["region", "state"]),
        "first_day": pl.Int16,
        "last_day": pl.Int16,
        "kroner_per_day": pl.Int32,
        "source": pl.String,
    },
    key=("price_year", "recipient", "first_day"),
    may_be_empty=("last_day",),
)


def areas(folder: Path = FOLDER) -> pl.DataFrame:
    """All areas of all levels: one row per area × period of validity.

    Columns `level area_code slug name valid_from valid_to`. `area_code` is unique across levels; `slug`
    (ASCII, for addresses) is unique within a level only.
    """
    return _read_csv(folder / "areas.csv", _AREAS)


def memberships(folder: Path = FOLDER) -> pl.DataFrame:
    """Which municipality lies in which area: one row per municipality × level × period of validity.

    Columns `municipality_code level area_code valid_from valid_to confidence`. The levels municipality and
    country are left out: every municipality is itself, and lies in the country.
    """
    return _read_csv(folder / "memberships.csv", _MEMBERSHIPS).with_columns(pl.col("confidence").cast(pl.String))


def municipality_population(folder: Path = FOLDER) -> pl.DataFrame:
    """Persons per municipality and day (`municipality_code date persons`), to check populations against."""
    return _read_csv(folder / "municipality_population.csv", _MUNICIPALITY_POPULATION)


def standard_population(folder: Path = FOLDER) -> pl.DataFrame:
    """Weights for direct standardisation: one row per standard × sex × age band.

    Columns `standard sex age_from persons`. dk2014: the Danish population on 1 January 2014, sexes 1 and 2.
    esp2013: the European standard population, sex 0 = both. The age bands are those of `release.toml`.
    """
    return _read_csv(folder / "standard_population.csv", _STANDARD_POPULATION)


def tile_grid(folder: Path = FOLDER) -> pl.DataFrame:
    """Denmark as equal squares: one row per municipality, `municipality_code column row label`.

    Column 0 is farthest west, row 0 farthest north; no two municipalities share a cell or a label.
    """
    return _read_csv(folder / "tile_grid.csv", _TILE_GRID)


def section_238_prices(folder: Path = FOLDER) -> pl.DataFrame:
    """What a municipality pays for a day in hospital after the patient was ready for discharge.

    One row per price year × recipient × range of days: `price_year recipient first_day last_day
    kroner_per_day source`, in kroner of the price year (Sundhedsloven § 238). Days count from 1, both ends
    inclusive, `last_day` null = no end. What a day costs in all is the sum over the recipients.
    """
    return _read_csv(folder / "section_238_prices.csv", _SECTION_238_PRICES)


def outlines_path(folder: Path = FOLDER) -> Path:
    """Path of the GeoJSON with the 98 outlines: id = municipality code, outer rings clockwise as d3 wants.

    Longitude and latitude, for drawing only. Bornholm is drawn nearer than it lies (property `displaced`).
    """
    return folder / "municipality_outlines.geojson"


def normalise_municipality(text: str | int) -> str:
    """The key under which a municipality's name or code is looked up in `municipality_spellings`.

    A number becomes a code of four digits (860, "860", "0860" → "0860"). In a name, case, surrounding space
    and a closing "Kommune", "Regionskommune" or "Municipality" do not count; æ, ø, å are written ae, oe, aa
    however they are composed (so Århus is Aarhus); hyphens, dots and other signs are spaces (so Høje-Taastrup
    is Høje Taastrup).
    """
    folded = unicodedata.normalize("NFC", str(text)).casefold().strip()
    if folded.isdecimal():
        return folded.zfill(4)
    for letter, spelt in {"æ": "ae", "ø": "oe", "å": "aa"}.items():
        folded = folded.replace(letter, spelt)
    words = re.sub(r"[\W_]+", " ", folded).strip()
    return re.sub(r" (?:regions)?kommune$| municipality$", "", words)


@cache
def municipality_spellings(folder: Path = FOLDER) -> dict[str, str]:
    """Normalised spelling → municipality code, for codes, names of today and the variants met in files.

    Look up `normalise_municipality(text)`; an absent key is an unknown municipality. Christiansø is in it too
    (→ CHRISTIANSO), so that its rows can be named and left out instead of being called unknown.
    """
    municipalities = areas(folder).filter(pl.col("level") == "municipality")
    names = dict(municipalities.select("name", "area_code").rows())
    variants = dict(_read_csv(folder / "municipality_names.csv", _MUNICIPALITY_NAMES).rows())
    spellings: dict[str, str] = {}
    faults = []
    for spelling, code in [
        *((code, code) for code in names.values()),
        *names.items(),
        (CHRISTIANSO, CHRISTIANSO),
        ("Christiansø", CHRISTIANSO),
        *variants.items(),
    ]:
        key = normalise_municipality(spelling)
        if spellings.setdefault(key, code) != code:
            faults.append(f"{spelling!r} leads to both {spellings[key]} and {code}, a spelling leads to one")
    faults += [
        f"{spelling!r} leads to {code}, which is no municipality in areas.csv"
        for spelling, code in variants.items()
        if code not in names.values()
    ]
    if faults:
        raise ReferenceDataError("municipality_names.csv", faults)
    return spellings


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Source:
    """Where a file comes from. `valid_to` None = still valid; `confidence` is that of its weakest fact."""

    title: str
    publisher: str
    licence: str
    retrieved: date
    valid_from: date
    confidence: Confidence
    note: str
    valid_to: date | None = None


def sources(folder: Path = FOLDER) -> dict[str, Source]:
    """File name → where its facts come from."""
    path = folder / "SOURCES.toml"
    return _parse(path, dict[str, Source], _read_toml(path))


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DiagnosisGroup:
    """Diagnoses that count as one thing: SKS codes that begin with a prefix and with no excluded prefix."""

    codelist: str
    key: str
    name_da: str
    name_en: str
    prefixes: tuple[str, ...]
    confidence: Confidence
    excluded_prefixes: tuple[str, ...] = ()
    note: str = ""

    @property
    def group_id(self) -> str:
        """`list.group`, the name of the group in releases and indicators."""
        return f"{self.codelist}.{self.key}"

    @model_validator(mode="after")
    def _check_prefixes(self) -> Self:
        faults = [
            f"prefix {prefix!r} is not an SKS diagnosis (D, a letter, digits, as in DJ44)"
            for prefix in (*self.prefixes, *self.excluded_prefixes)
            if not re.fullmatch(r"D[A-Z]\d[0-9A-Z]*", prefix)
        ]
        faults += [
            f"excluded prefix {excluded!r} lies under no prefix of the group, so it excludes nothing"
            for excluded in self.excluded_prefixes
            if not excluded.startswith(self.prefixes)
        ]
        faults += [] if self.prefixes else ["no prefixes, so it can never be met"]
        if faults:
            raise ValueError("; ".join(faults))
        return self


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CodeList:
    """A named, versioned list of diagnosis groups. No diagnosis is in two of them: they can be added up."""

    id: str
    version: str
    name_da: str
    name_en: str
    source: str
    source_da: str
    confidence: Confidence
    note: str
    groups: tuple[DiagnosisGroup, ...]

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        faults = []
        for a, b in combinations(self.groups, 2):
            if a.key == b.key:
                faults.append(f"two groups are called {a.key!r}, a key stands once")
            if shared := shared_prefixes(a, b):
                faults.append(f"{a.key} and {b.key} share {', '.join(shared)}, groups must be disjoint")
        if faults:
            raise ValueError("; ".join(faults))
        return self


def shared_prefixes(a: DiagnosisGroup, b: DiagnosisGroup) -> tuple[str, ...]:
    """The prefixes whose diagnoses belong to both groups; empty when the groups are disjoint."""
    excluded = (*a.excluded_prefixes, *b.excluded_prefixes)
    narrower = {max(p, q, key=len) for p in a.prefixes for q in b.prefixes if p.startswith(q) or q.startswith(p)}
    return tuple(sorted(prefix for prefix in narrower if not prefix.startswith(excluded)))


def load_codelists(folder: Traversable = CODELISTS) -> tuple[CodeList, ...]:
    """All code lists, ordered by id, which is the file name.

    A group that states no confidence of its own has that of its list.
    """
    paths = sorted((p for p in folder.iterdir() if p.name.endswith(".toml")), key=lambda p: p.name)
    return tuple(_load_codelist(path) for path in paths)


def _load_codelist(path: Traversable) -> CodeList:
    content = _read_toml(path)
    groups = content.pop("group", [])
    if not isinstance(groups, list):
        raise ReferenceDataError(path.name, ["[group] found, each group begins with [[group]]"])
    inherited = {"codelist": content.get("id"), "confidence": content.get("confidence")}
    content["groups"] = [inherited | group for group in groups]
    codelist = _parse(path, CodeList, content)
    if path.name != f"{codelist.id}.toml":
        raise ReferenceDataError(path.name, [f"id is {codelist.id!r}, it must be the file name without .toml"])
    return codelist


def _read_csv(path: Path, table: _Table) -> pl.DataFrame:
    """Read a CSV as text first, so that each value that does not fit its column is named with its line."""
    if not path.is_file():
        raise ReferenceDataError(path.name, [f"no such file in {path.parent}"])
    text = pl.read_csv(path, infer_schema=False)
    if text.columns != list(table.schema):
        raise ReferenceDataError(
            path.name, [f"columns are {', '.join(text.columns)}, they must be {', '.join(table.schema)}"]
        )
    typed = text.select(
        pl.col(column).str.to_date("%Y-%m-%d", strict=False)
        if dtype == pl.Date
        else pl.col(column).cast(dtype, strict=False)
        for column, dtype in table.schema.items()
    )
    faults = []
    for column, dtype in table.schema.items():
        values = zip(text[column], typed[column].is_null(), strict=True)
        for line, (value, unread) in enumerate(values, start=2):
            if unread and (value is not None or column not in table.may_be_empty):
                faults.append(f"line {line}, {column}: {value or 'nothing'!r} found, {_describe(dtype)} wanted")
    repeated = typed.filter(pl.struct(table.key).is_duplicated()).select(table.key).unique(maintain_order=True)
    faults += [f"{', '.join(map(str, row))}: more than one row, one is allowed" for row in repeated.rows()]
    if faults:
        raise ReferenceDataError(path.name, faults)
    return typed.with_columns(pl.col(pl.Enum).cast(pl.String))


def _describe(dtype: pl.DataType | type[pl.DataType]) -> str:
    if isinstance(dtype, pl.Enum):
        return " or ".join(dtype.categories)
    if dtype == pl.Date:
        return "a date as 2027-01-01"
    return "a text" if dtype == pl.String else "a whole number"


def _read_toml(path: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReferenceDataError(path.name, ["no such file"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ReferenceDataError(path.name, [f"not TOML: {error}"]) from None


def _parse(path: Traversable, kind: type[Parsed], content: dict[str, Any]) -> Parsed:
    """`content` as `kind`, or one error with all its faults."""
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        faults = [
            ".".join(map(str, fault["loc"])) + ": " + fault["msg"].removeprefix("Value error, ")
            for fault in error.errors()
        ]
        raise ReferenceDataError(path.name, (fault.removeprefix(": ") for fault in faults)) from None

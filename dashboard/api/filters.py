"""What can be asked for, declared once: these models check the requests and write the OpenAPI document.

The keys are those of the pages (``dashboard.selection``): niveau=, omraade=, fra=, til= … What depends on the release,
such as which areas there are, is checked when a request meets it.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from dashboard.api.problem import Problem, not_allowed
from dashboard.readings import last_month
from dashboard.selection import BREAKDOWN_WORDS, LEVEL_WORDS, AreaRef, area_ref, catalogue
from kpis.area import MAPS, Area, Map, levels
from kpis.export import DIALECTS, Dialect
from kpis.indicator import LANGUAGES, Indicator, Language, load_indicators
from kpis.period import GRAINS, Grain, Period, periods_between
from kpis.query import By, QueryError
from kpis.release import (
    RELEASE_ID,
    NoSuchRelease,
    Release,
    ReleaseError,
    current_release,
    kept_release,
    kept_releases,
)
from kpis.retired import retired_area, retired_indicator
from kpis.slice import Slice

F = TypeVar("F", bound="Filters")

BY_WORDS: Mapping[By, str] = {"group": BREAKDOWN_WORDS["condition"], "age": BREAKDOWN_WORDS["age"], "sex": "koen"}
DIALECT_WORDS: Mapping[Dialect, str] = dict(zip(DIALECTS, ("dansk", "international"), strict=True))
CALCULATIONS = ("standardiseret", "raa")
MOST_PERIODS = 600
MOST_ROWS = 500_000
"""Rows of one slice that are made for one request; the counts behind them can be had whole."""

_LEVELS = {word: level for level, word in LEVEL_WORDS.items()}
_BYS = {word: by for by, word in BY_WORDS.items()}
_DIALECTS = {word: dialect for dialect, word in DIALECT_WORDS.items()}


def one_of(words: Iterable[str]) -> Any:
    """Return the type of a text that is one of these words; its JSON schema lists them."""
    allowed = list(words)

    def check(text: str) -> str:
        if text not in allowed:
            raise PydanticCustomError("not_allowed", "{found}", {"found": text, "allowed": allowed})
        return text

    return Annotated[str, AfterValidator(check), WithJsonSchema({"type": "string", "enum": allowed})]


def spelled(pattern: str, told: str, example: str) -> Any:
    """Return the type of a text that is spelled so; ``told`` says it in words."""

    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise PydanticCustomError("not_allowed", "{found}", {"found": text, "allowed": told})
        return text

    schema = {"type": "string", "pattern": f"^{pattern}$", "examples": [example]}
    return Annotated[str, AfterValidator(check), WithJsonSchema(schema)]


def _indicator(text: str) -> str:
    if text in load_indicators():
        return text
    if gone := retired_indicator(text):
        told = {"found": text, "successor": gone.successor, "since": gone.since.isoformat()}
        raise PydanticCustomError("retired", "{found}", told)
    raise PydanticCustomError("not_allowed", "{found}", {"found": text, "allowed": list(load_indicators())})


def _period(text: str) -> str:
    try:
        return Period.from_id(text).id
    except ValueError:
        allowed = "2024-01, 2024-Q1, 2024 or 12m-2024-05"
        raise PydanticCustomError("not_allowed", "{found}", {"found": text, "allowed": allowed}) from None


def _listed(given: Any) -> Any:
    """``a,b,a`` → a and b: as in an address, and each once."""
    return tuple(dict.fromkeys(given.split(","))) if isinstance(given, str) else given


IndicatorId = Annotated[
    str, AfterValidator(_indicator), WithJsonSchema({"type": "string", "enum": list(load_indicators())})
]
Indicators = Annotated[tuple[IndicatorId, ...], BeforeValidator(_listed)]
Level = one_of(LEVEL_WORDS.values())
AreaText = spelled(
    rf"(?:{'|'.join(LEVEL_WORDS.values())})(?:-[a-z0-9-]{{1,80}})?",
    "a level and a name, such as k-hjoerring",
    "k-hjoerring",
)
Month = spelled(r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])", "a month, such as 2024-01", "2024-01")
PeriodText = Annotated[str, AfterValidator(_period), WithJsonSchema({"type": "string", "examples": ["2024-Q1"]})]
ReleaseText = spelled(
    RELEASE_ID.pattern, "the id of a release, as in /api/v1/releases", "v20261122T031009-2b21fdfca79d"
)


class Filters(BaseModel):
    """What every request may say: the language of its words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sprog: one_of(LANGUAGES) = LANGUAGES[0]  # type: ignore[valid-type]

    @property
    def language(self) -> Language:
        """Return the language of names and words."""
        return "en" if self.sprog == "en" else "da"


class ReleaseFilters(Filters):
    """A request for what a release holds: the newest, or the one it is tied to."""

    udgave: ReleaseText | None = None  # type: ignore[valid-type]

    def release(self, data_dir: Path) -> Release:
        """Return the release that is asked for. Raises Problem: 410 for one that is not kept, 503 without any."""
        return kept(data_dir, self.udgave)


class MapFilters(ReleaseFilters):
    """A request about areas, which are drawn on a map."""

    kort: one_of(MAPS) = MAPS[0]  # type: ignore[valid-type]

    @property
    def map_id(self) -> Map:
        """Return the map that is asked for."""
        return "2027" if self.kort == "2027" else "2024"

    def area(self, release: Release, text: str | None, key: str = "omraade") -> Area | None:
        """Return the area that a text names. Raises Problem: 410 for one that is no longer there, else 400."""
        if text is None:
            return None
        word, _, slug = text.partition("-")
        ref = AreaRef(_LEVELS[word], slug)
        if found := catalogue(release).area(ref, self.map_id):
            return found
        if gone := retired_area(ref.level, ref.slug, self.map_id):
            successor = AreaRef(ref.level, gone.successor).text
            detail = f"{key}={text} is no longer there on the map of {self.kort}. Ask for {key}={successor}."
            raise Problem(410, detail, {"key": key, "found": text, "successor": successor, "since": str(gone.since)})
        raise not_allowed(key, text, f"areas of the map of {self.kort}, such as k-hjoerring; see /api/v1/areas")


class AreaFilters(MapFilters):
    """Which areas: of one level, of all levels of the map where none is named."""

    niveau: Level | None = None  # type: ignore[valid-type]

    def level(self) -> str | None:
        """Return the level, which must be on the map. Raises Problem."""
        if self.niveau is None:
            return None
        return level_on_map(self.niveau, self.map_id)


class ServiceFilters(MapFilters):
    """Whose services: of the municipalities in an area, or of all."""

    omraade: AreaText | None = None  # type: ignore[valid-type]


class PeriodFilters(ReleaseFilters):
    """Which periods: of a grain, wholly within the months from ``fra`` to ``til``."""

    fra: Month | None = None  # type: ignore[valid-type]
    til: Month | None = None  # type: ignore[valid-type]
    inddeling: one_of(GRAINS) = "quarter"  # type: ignore[valid-type]

    def periods(self, release: Release) -> tuple[Period, ...]:
        """Return the whole periods, of all months where none is named. Raises Problem where there is none."""
        first = _month(self.fra) or catalogue(release).first_month
        last = _month(self.til) or last_month(release)
        if first > last:
            raise Problem(400, f"fra={first:%Y-%m} lies after til={last:%Y-%m}. Turn them around.", {"key": "fra"})
        grain: Grain = next(grain for grain in GRAINS if grain == self.inddeling)
        found = periods_between(first, last, grain)
        if not found:
            detail = f"There is no whole {grain} from fra={first:%Y-%m} to til={last:%Y-%m}. Ask for more months."
            raise Problem(400, detail, {"key": "inddeling", "found": grain})
        if len(found) > MOST_PERIODS:
            raise Problem(
                400, f"{len(found)} periods are more than {MOST_PERIODS}. Ask for fewer months.", {"key": "fra"}
            )
        return found


class SliceFilters(PeriodFilters, MapFilters):
    """A slice of estimates: the choices of the page about data."""

    indikatorer: Indicators = Field(json_schema_extra={"minItems": 1})
    niveau: Level = "k"  # type: ignore[valid-type]
    omraade: AreaText | None = None  # type: ignore[valid-type]
    beregning: one_of(CALCULATIONS) = CALCULATIONS[0]  # type: ignore[valid-type]
    opdeling: one_of(BY_WORDS.values()) | None = None  # type: ignore[valid-type]

    def slice(self, release: Release) -> Slice:
        """Return the slice. Raises Problem where the release has no such area or period, or it is too long."""
        wanted = Slice(
            self.indikatorer,
            level_on_map(self.niveau, self.map_id),
            self.periods(release),
            standardised=self.beregning == CALCULATIONS[0],
            map=self.map_id,
            within=self.area(release, self.omraade),
            by=_BYS[self.opdeling] if self.opdeling else None,
        )
        try:
            rows = wanted.row_count(release)
        except QueryError as error:
            raise Problem(400, str(error)) from None
        if rows > MOST_ROWS:
            raise Problem(400, f"{rows} rows are more than {MOST_ROWS}. Ask for fewer indicators, areas or months.")
        return wanted


class FileFilters(SliceFilters):
    """A slice as a file."""

    csv: one_of(DIALECT_WORDS.values()) = "dansk"  # type: ignore[valid-type]

    @property
    def dialect(self) -> Dialect:
        """Return how CSV is to be written."""
        return _DIALECTS[self.csv]


class ChangeFilters(SliceFilters):
    """A slice on two releases: ``udgave`` (else the newest) and ``foer`` (else the one before it)."""

    foer: ReleaseText | None = None  # type: ignore[valid-type]


class CubeFilters(ReleaseFilters):
    """The counts behind the figures, of the months from ``fra`` to ``til``."""

    fra: Month | None = None  # type: ignore[valid-type]
    til: Month | None = None  # type: ignore[valid-type]

    def months(self, release: Release) -> tuple[date, date]:
        """Return the first and the last month that is asked for."""
        return _month(self.fra) or catalogue(release).first_month, _month(self.til) or last_month(release)


def indicator_named(text: str) -> Indicator:
    """Return the indicator of an id in an address. Raises Problem: 410 for one that is retired, else 404."""
    if found := load_indicators().get(text):
        return found
    if gone := retired_indicator(text):
        detail = f"{text} is no longer used. Ask for {gone.successor}."
        raise Problem(410, detail, {"found": text, "successor": gone.successor, "since": gone.since.isoformat()})
    problem = not_allowed("id", text, load_indicators())
    raise Problem(404, problem.detail, problem.told)


def kept(data_dir: Path, release_id: str | None, key: str = "udgave") -> Release:
    """Return a release by its id, the newest without one. Raises Problem."""
    try:
        return kept_release(data_dir, release_id) if release_id else current_release(data_dir)
    except NoSuchRelease:
        ids = kept_releases(data_dir)
        detail = f"{key}={release_id} is not kept. Kept are: {', '.join(ids)}. Without {key} the newest is taken."
        told = {"key": key, "found": release_id, "allowed": ids, "successor": ids[0]}
        raise Problem(410, detail, told) from None
    except ReleaseError:
        raise Problem(503, "There is no release to take figures from.") from None


def read_filters(model: type[F], given: Mapping[str, list[str]]) -> F:
    """Return what a query asks for. Raises Problem with every fault: key, what was found, what is allowed."""
    twice = [key for key, values in given.items() if len(values) > 1]
    if twice:
        raise Problem(400, f"{twice[0][:40]} is given more than once. Write it once.", {"key": twice[0][:40]})
    try:
        # an empty value says nothing, as on the pages and in forms
        return model.model_validate({key: values[0] for key, values in given.items() if values[0]})
    except ValidationError as error:
        problems = [_problem(model, dict(fault)) for fault in error.errors(include_url=False)]
    gone = [problem for problem in problems if problem.status == 410]
    if gone:
        raise gone[0]
    raise Problem(
        400,
        " ".join(problem.detail for problem in problems),
        {**problems[0].told, "errors": [problem.told for problem in problems]},
    )


def _problem(model: type[Filters], fault: Mapping[str, Any]) -> Problem:
    key, told = str(fault["loc"][0])[:40], fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            return _unknown_key(key, list(model.model_fields))
        case "missing":
            return Problem(400, f"{key} is missing. Write for example {key}={_example(key)}.", {"key": key})
        case "retired":
            detail = f"{told['found']} is no longer used. Ask for {told['successor']}."
            return Problem(410, detail, {"key": key, **told})
        case "not_allowed":
            return not_allowed(key, told["found"], told["allowed"])
        case _:
            return not_allowed(key, str(fault["input"]), fault["msg"])


def _unknown_key(key: str, allowed: list[str]) -> Problem:
    detail = f"{key} means nothing here. Allowed: {', '.join(allowed)}."
    return Problem(400, detail, {"key": key, "allowed": allowed})


def _example(key: str) -> str:
    return next(iter(load_indicators())) if key == "indikatorer" else "…"


def level_on_map(word: str, map_id: Map) -> str:
    """Return the level of a word. Raises Problem where it is not drawn on the map."""
    level = _LEVELS[word]
    if level not in levels(map_id):
        raise not_allowed("niveau", word, [LEVEL_WORDS[item] for item in levels(map_id)])
    return level


def _month(text: str | None) -> date | None:
    return Period.from_id(text).first if text else None


def slice_query(
    wanted: Slice, language: Language, release_id: str | None, dialect: Dialect = "danish"
) -> dict[str, str]:
    """Return the keys of an address that asks for a slice, without its indicators; defaults are left out."""
    chosen = {
        "sprog": language,
        "kort": wanted.map,
        "niveau": LEVEL_WORDS[wanted.level],
        "omraade": area_ref(wanted.within).text if wanted.within else None,
        "fra": f"{wanted.periods[0].first:%Y-%m}",
        "til": f"{wanted.periods[-1].last:%Y-%m}",
        "inddeling": wanted.periods[0].grain,
        "beregning": CALCULATIONS[0] if wanted.standardised else CALCULATIONS[1],
        "opdeling": BY_WORDS[wanted.by] if wanted.by else None,
        "csv": DIALECT_WORDS[dialect],
        "udgave": release_id,
    }
    defaults = {name: field.default for name, field in FileFilters.model_fields.items()}
    return {key: text for key, text in chosen.items() if text is not None and text != defaults[key]}

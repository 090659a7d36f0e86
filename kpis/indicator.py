"""Indicators: one definition file each, `indicators/<id>.toml`, read once into a frozen type.

A definition names counts of the release and never computes: no SQL, no division. What the words of a file
mean is said here, at the fields of `Indicator`; every fault of a file is reported at once, with the nearest
allowed word.
"""

import difflib
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kpis.reference import Confidence, load_codelists
from kpis.release import AGE_BANDS

Kind = Literal["rate", "proportion", "ratio", "median"]
Better = Literal["lower", "higher", "neither"]
CheckerRole = Literal["clinical_coding", "municipal_practice", "register_data"]
Language = Literal["da", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@dataclass(frozen=True)
class FocusArea:
    """One of the four areas that the follow-up looks at."""

    number: int
    da: str
    en: str


FOCUS_AREAS: Mapping[int, FocusArea] = MappingProxyType(
    {
        area.number: area
        for area in (
            FocusArea(
                1,
                "Specialiseret sygeplejeindsats og forebyggelse af indlæggelser",
                "Specialised nursing and prevention of admissions",
            ),
            FocusArea(2, "Indsatsen rettet mod kronisk syge", "The effort for people with chronic disease"),
            FocusArea(3, "Borgerrettet forebyggelse", "Citizen-directed prevention"),
            FocusArea(
                4,
                "Styring, opfølgning og kvalitetssikring af indsatsen",
                "Management, follow-up and quality assurance of the effort",
            ),
        )
    }
)


@dataclass(frozen=True)
class Statbank:
    """Where a figure stands in the table `welfare` of a release: which rows of which StatBank table.

    `measures` are added up, as far as a municipality has them. With `age_from` the age groups from there on are added
    up, which must fill the ages without a gap; without, the row over all ages is taken. A figure that is a mean of
    persons is multiplied by `weight`, the measure that counts them, so that means of several areas can be joined.
    """

    table: str
    measures: tuple[str, ...]
    age_from: int | None = None
    weight: str | None = None


@dataclass(frozen=True)
class Measure:
    """A count of the release that an indicator can name."""

    name: str
    table: str  # cube, municipality_month, population, welfare or goal
    deliveries: tuple[str, ...]  # kinds that must be delivered for the count to exist
    is_followed: bool = False  # complete only 30 days after the month has ended
    is_about_acute_places: bool = False  # has no meaning where a municipality has none
    is_decided: bool = False  # set by somebody, so that a process chart has nothing to say about it
    is_unknown_when_absent: bool = False  # a municipality without any is not known, where others are zero
    statbank: Statbank | None = None  # of `welfare`

    @property
    def is_yearly(self) -> bool:
        """Whether it is known for whole calendar years only."""
        return self.table == "welfare"


_WAITING = "care_home_waiting;unit=general_list"
_CARE_HOMES = ("plejehjem", "beskyttede_boliger", "plejehjem_og_beskyttede_boliger", "plejeboliger", "friplejeboliger")
_OF_STATBANK = {
    "n_home_visited": Statbank("AED10A", ("preventive_home_visits",)),
    "n_home_nursing_65": Statbank("HJEMSYG", ("home_nursing",), age_from=65),
    "home_nursing_days_65": Statbank("HJEMSYG2", ("home_nursing_days",), age_from=65),
    "n_home_help_65": Statbank("AED06", ("home_help",), age_from=65),
    "n_rehabilitation_65": Statbank("REHAB19", ("rehabilitation",), age_from=65),
    "n_care_home_places": Statbank("RESP01", tuple(f"elderly_care_places;service={kind}" for kind in _CARE_HOMES)),
    "n_care_home_waiting": Statbank("AED16", (_WAITING,)),
    "care_home_waiting_days": Statbank("AED16", ("care_home_waiting;unit=waiting_days",), weight=_WAITING),
}


def _measures() -> dict[str, Measure]:
    lpr, stays, capacity = "lpr_contacts", "acute_place_stays", "acute_place_capacity"
    listed = [
        *(Measure(name, "cube", (lpr,)) for name in ("n_stay", "n_admission", "n_acute", "n_short")),
        *(Measure(name, "cube", (lpr,), is_followed=True) for name in ("n_index", "n_readmission")),
        *(Measure(name, "municipality_month", (lpr,)) for name in ("n_contact", "n_contact_coded")),
        # A late report of the last month has not come yet, so that only timely ones are known. Deliveries without
        # time of report say nothing of it.
        Measure("n_contact_timely", "municipality_month", (lpr,), is_followed=True, is_unknown_when_absent=True),
        *(
            Measure(name, "municipality_month", (stays,), is_about_acute_places=True)
            for name in ("n_place_stay", "n_place_referral")
        ),
        *(
            Measure(name, "municipality_month", (stays, lpr), is_followed=True, is_about_acute_places=True)
            for name in ("n_place_followed", "n_place_admitted_7", "n_place_admitted_30")
        ),
        *(
            Measure(name, "municipality_month", (capacity,), is_about_acute_places=True, is_decided=True)
            for name in ("place_days_normed", "place_days_available")
        ),
        *(
            Measure(name, "municipality_month", (capacity,), is_about_acute_places=True)
            for name in (
                "place_days_occupied",
                "days_reported",
                "days_over_capacity",
                "n_refused_referral",
            )
        ),
        Measure("days_after_ready", "municipality_month", ("faerdigbehandlede",)),
        *(Measure(name, "welfare", (), statbank=rows) for name, rows in _OF_STATBANK.items()),
        # Counted by evaluating the goals' own indicators, whose deliveries decide whether a goal is assessed.
        *(Measure(name, "goal", ()) for name in ("n_goal", "n_goal_on_track")),
        Measure("person_years", "population", ()),
        Measure("person_days", "population", ()),
    ]
    return {measure.name: measure for measure in listed}


MEASURES: Mapping[str, Measure] = MappingProxyType(_measures())


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Count(_Part):
    """What is counted: a measure of the release, of some categories where the measure has them."""

    measure: str
    categories: tuple[str, ...] = ()  # none named = all

    @property
    def definition(self) -> Measure:
        """What the release says about the measure."""
        return MEASURES[self.measure]


class Population(_Part):
    """Who is counted, in numerator and denominator alike, as far as the measure carries age and sex."""

    age_from: int = 0
    age_to: int | None = None  # last age that is counted; none = no upper end
    sex: Literal[0, 1, 2] = 0  # 0 = both

    @property
    def bands(self) -> slice:
        """Positions in `release.AGE_BANDS` of the ages that are counted."""
        stop = len(AGE_BANDS) if self.age_to is None else AGE_BANDS.index(self.age_to + 1)
        return slice(AGE_BANDS.index(self.age_from), stop)

    @property
    def sexes(self) -> slice:
        """Positions of the sexes that are counted, men at 0 and women at 1."""
        return slice(self.sex - 1, self.sex) if self.sex else slice(0, 2)


class Diagnoses(_Part):
    """Which diagnosis groups are counted: of one code list, whose groups do not overlap."""

    codelist: str
    groups: tuple[str, ...]  # keys within the code list; written out, so that a new group needs a new version
    are_left_out: bool = False  # every diagnosis is counted but these
    # Many deliveries hold none of them at all: where a release has not a single one they were not delivered.
    may_be_missing: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the groups in the release, whether they are counted or left out."""
        return tuple(f"{self.codelist}.{group}" for group in self.groups)


class Disclosure(_Part):
    """A figure on few persons is hidden: it is shown only from `at_least` of `measure`."""

    measure: str
    at_least: int = Field(ge=1)


class Change(_Part):
    """Why a version of the definition was made, in words for readers."""

    version: int
    date: date
    da: str
    en: str


class Texts(_Part):
    """The words of an indicator in one language."""

    name: str
    short_name: str
    unit: str
    meaning: str
    why: str
    counted: str
    not_counted: str
    limits: str


class Indicator(_Part):
    """The definition of one figure. `id` is the name of its file.

    Kinds, all of them numerator ÷ denominator × `per`:
    - rate: events per person-years; Poisson interval; can be standardised where age and sex are known
    - proportion: a part of the whole; Wilson interval
    - ratio: capacity, occupancy, days, goals; no interval, because the counts are not independent events
    - median: of the categories of the numerator, lower ends of bands; the denominator is the same count
    """

    id: str
    version: int = Field(ge=1)
    focus_area: Literal[1, 2, 3, 4]
    kind: Kind
    headline: bool = False
    better: Better  # which way is good; neither = a matter of judgement
    per: int = Field(ge=1)
    standard: Literal["dk2014"] | None = None  # population that rates can be standardised to, by age and sex
    numerator: Count
    denominator: Count
    population: Population = Population()
    diagnoses: Diagnoses | None = None
    disclosure: Disclosure | None = None
    # In the unit of the indicator: what lies nearer to the reference, or to the own past, is no verdict however sure.
    # About a twentieth of the country's level: less than goals ask for, and than municipalities differ by anyway.
    smallest_difference: float = Field(default=0.0, ge=0.0)
    counterweights: tuple[str, ...] = ()  # indicators that would tell if this one improved at others' cost
    is_told_of_single_municipalities: bool = True  # False: of one municipality alone it is too uncertain, and refused
    confidence: Confidence  # of the definition: does an authority's text stand behind it?
    author: str
    checker_role: CheckerRole  # the knowledge a checker needs who is not the author
    checker: str | None = None  # who has checked it, a person or an office; none = nobody yet, and the page says so
    reviewed: date
    next_review: date
    change: tuple[Change, ...] = Field(min_length=1)  # newest first
    da: Texts
    en: Texts

    def texts(self, language: Language) -> Texts:
        """The words in `language`."""
        return self.da if language == "da" else self.en

    @property
    def group_ids(self) -> tuple[str, ...]:
        """Diagnosis groups of the cube that the numerator adds up; `all` when every diagnosis counts, or most do."""
        return self.diagnoses.ids if self.diagnoses and not self.diagnoses.are_left_out else ("all",)

    @property
    def left_out_ids(self) -> tuple[str, ...]:
        """Diagnosis groups that are taken away from every diagnosis."""
        return self.diagnoses.ids if self.diagnoses and self.diagnoses.are_left_out else ()

    @property
    def counted_groups(self) -> tuple[str, ...]:
        """What `kpis.counts.cube` is asked for: the groups that are added up, then those taken away, with a minus."""
        return (*self.group_ids, *(f"-{group}" for group in self.left_out_ids))

    @property
    def breakdowns(self) -> tuple[str, ...]:
        """The ways in which the figure can be split: of group, age, sex those that its counts carry."""
        if self.numerator.definition.table != "cube":
            return ()
        ways = ("group",) if len(self.group_ids) > 1 else ()
        return (*ways, "age", "sex") if self.population.sex == 0 else (*ways, "age")

    @property
    def can_be_standardised(self) -> bool:
        """Whether age and sex of the events are known and a standard is named."""
        return self.standard is not None

    @property
    def is_yearly(self) -> bool:
        """Whether the figure exists for whole calendar years only."""
        return any(measure.is_yearly for measure in self.measures)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What must be in the release for the figure to exist."""
        return (self.numerator.definition, self.denominator.definition)

    @model_validator(mode="after")
    def _holds_together(self) -> "Indicator":
        faults = [*_faults_of_counts(self), *_faults_of_people(self)]
        versions = [item.version for item in self.change]
        if versions != sorted(versions, reverse=True) or versions[0] != self.version:
            faults.append(f"change: versions are {versions}; expected newest first, beginning with {self.version}")
        if self.next_review <= self.reviewed:
            faults.append("next_review: lies before reviewed")
        if faults:
            raise ValueError("\n".join(faults))
        return self


def _faults_of_counts(indicator: Indicator) -> list[str]:
    faults: list[str] = []
    for place, name in (
        ("numerator.measure", indicator.numerator.measure),
        ("denominator.measure", indicator.denominator.measure),
        ("disclosure.measure", indicator.disclosure.measure if indicator.disclosure else None),
    ):
        if name is not None and name not in MEASURES:
            faults.append(f"{place}: {_unknown(name, MEASURES)}")
    if faults:
        return faults
    numerator, denominator = indicator.numerator.definition, indicator.denominator.definition
    expected: dict[Kind, bool] = {
        "rate": denominator.name == "person_years" and numerator.table != "population",
        "proportion": denominator.table == numerator.table != "population",
        "ratio": numerator.table in ("municipality_month", "welfare") or denominator.table == numerator.table == "goal",
        "median": indicator.numerator == indicator.denominator and numerator.name == "n_place_stay",
    }
    if not expected[indicator.kind]:
        faults.append(f"kind: {numerator.name} / {denominator.name} cannot make a {indicator.kind}")
    if indicator.kind == "median" and not all(item.isdecimal() for item in indicator.numerator.categories or "-"):
        faults.append("numerator.categories: a median needs the lower ends of all bands, such as '00', '01', '03'")
    if indicator.disclosure and MEASURES[indicator.disclosure.measure].table != "municipality_month":
        faults.append("disclosure.measure: must be a measure of municipality_month")
    if indicator.diagnoses and numerator.table != "cube":
        faults.append(f"diagnoses: {numerator.name} does not carry diagnoses")
    if indicator.diagnoses and indicator.diagnoses.are_left_out and indicator.kind != "proportion":
        faults.append("diagnoses.are_left_out: only a proportion can leave diagnoses out; name those that count")
    if numerator.statbank and numerator.statbank.age_from not in (None, indicator.population.age_from):
        faults.append(f"population.age_from: {numerator.name} counts from the age of {numerator.statbank.age_from}")
    if indicator.standard and not (indicator.kind == "rate" and numerator.table == "cube"):
        faults.append("standard: only rates of cube measures carry the age and sex that it needs")
    return faults


def _faults_of_people(indicator: Indicator) -> list[str]:
    faults: list[str] = []
    people = indicator.population
    bands = f"bands begin at {', '.join(map(str, AGE_BANDS))}"
    if people.age_from not in AGE_BANDS:
        faults.append(f"population.age_from: {people.age_from} does not begin an age band; {bands}")
    if people.age_to is not None and (people.age_to + 1 not in AGE_BANDS or people.age_to < people.age_from):
        faults.append(f"population.age_to: {people.age_to} does not end an age band; {bands}")
    return faults


class IndicatorError(Exception):
    """Definition files have faults; the text lists every one of them with its file and key."""


@functools.cache
def load_indicators() -> Mapping[str, Indicator]:
    """All indicators by id, in the order in which they are shown: focus area, headline first, then name.

    Raises IndicatorError with the faults of every file.
    """
    folder = resources.files("kpis").joinpath("indicators")
    return read_indicators([item for item in folder.iterdir() if item.name.endswith(".toml")])


def read_indicators(files: list[Traversable]) -> Mapping[str, Indicator]:
    """Indicators defined by `files`; see `load_indicators`."""
    read: list[Indicator] = []
    faults: list[str] = []
    for file in sorted(files, key=lambda item: item.name):
        try:
            read.append(_parse(file.name.removesuffix(".toml"), file.read_text("utf-8")))
        except (IndicatorError, tomllib.TOMLDecodeError) as error:
            faults.extend(f"{file.name}: {line}" for line in str(error).splitlines())
    known = {indicator.id for indicator in read} | {file.name.removesuffix(".toml") for file in files}
    for indicator in read:
        faults.extend(
            f"{indicator.id}.toml: counterweights: {_unknown(other, known)}"
            for other in indicator.counterweights
            if other not in known
        )
    group_ids = {f"{group.codelist}.{group.key}" for codelist in load_codelists() for group in codelist.groups}
    for indicator in read:
        faults.extend(
            f"{indicator.id}.toml: diagnoses: {_unknown(group, group_ids)}"
            for group in (indicator.diagnoses.ids if indicator.diagnoses else ())
            if group not in group_ids
        )
    if faults:
        raise IndicatorError("\n".join(faults))
    read.sort(key=lambda indicator: (indicator.focus_area, not indicator.headline, indicator.id))
    return MappingProxyType({indicator.id: indicator for indicator in read})


def find_indicator(text: str) -> Indicator:
    """The indicator with id `text`. Raises KeyError whose message names the nearest ids."""
    indicators = load_indicators()
    try:
        return indicators[text.strip().lower()]
    except KeyError:
        raise KeyError(f"indicator {_unknown(text, indicators)}") from None


def _parse(indicator_id: str, text: str) -> Indicator:
    content = tomllib.loads(text)
    try:
        return Indicator.model_validate({"id": indicator_id, **content})
    except ValidationError as error:
        raise IndicatorError("\n".join(_described(detail) for detail in error.errors())) from None


def _described(detail: Mapping[str, Any]) -> str:
    """One line per fault: key, what was found, what is allowed."""
    key = ".".join(str(part) for part in detail["loc"])
    parent, _, word = key.rpartition(".")
    match detail["type"]:
        case "extra_forbidden":
            return f"{parent or 'file'}: key {_unknown(word, _PARTS.get(parent, Indicator).model_fields)}"
        case "missing":
            return f"{key}: is missing"
        case "literal_error":
            allowed = re.findall(r"[\w-]+", detail["ctx"]["expected"].replace(" or ", " "))
            return f"{key}: {_unknown(str(detail['input']), allowed)}"
        case "value_error":
            return str(detail["ctx"]["error"])
        case _:
            return f"{key}: found {detail['input']!r}; {detail['msg']}"


_PARTS: Mapping[str, type[BaseModel]] = {
    "numerator": Count,
    "denominator": Count,
    "population": Population,
    "diagnoses": Diagnoses,
    "disclosure": Disclosure,
    "da": Texts,
    "en": Texts,
}


def _unknown(word: str, allowed: Iterable[str]) -> str:
    words = sorted(allowed)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}?" if near else f"Allowed: {', '.join(words)}."
    return f"{word!r} is not known. {hint}"

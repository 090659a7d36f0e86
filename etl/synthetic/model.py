"""The assumptions behind the synthetic country, read from `model.toml` and checked there."""

import tomllib
from collections.abc import Iterable
from dataclasses import field
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

AGES = 106
"""Single years of age that are told apart: 0 to 104, and 105 and over."""

# Every section refuses keys it does not know, so that a misspelt assumption cannot be left out in silence.
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class BySex:
    """One value for men, one for women."""

    men: float
    women: float


@dataclass(frozen=True, config=_STRICT)
class Lengths:
    """Lengths in days: lognormal, `sd` is that of the logarithm."""

    median: float
    sd: float


@dataclass(frozen=True, config=_STRICT)
class Population:
    """Where the age pyramid comes from and how it moves. Bands of five years; ages in whole years."""

    anchor_year: int
    men: list[int]
    women: list[int]
    christianso: int
    births_per_year: float
    net_immigration_per_year: float
    immigrant_age: tuple[int, int]
    death_rate_at_65: BySex
    death_rate_growth: BySex
    moving_ages: list[float]
    moving_shares: list[float]
    moves_within_region: float


@dataclass(frozen=True, config=_STRICT)
class Kind:
    """A kind of hospital contact that is drawn by itself."""

    level: float
    acute: bool
    frailty: float
    lpr2: float
    holidays: float
    weekdays: list[float]
    hours: list[float]


@dataclass(frozen=True, config=_STRICT)
class Condition:
    """A group of diagnoses with its rates, lengths and season; see the notes in `model.toml`."""

    name: str
    kind: str
    codes: dict[str, float]
    rates: list[float]
    women: float
    season: str
    department: str
    days: float = 0.0
    sd: float = 1.0
    short: float = 0.0
    again: float = 1.0


@dataclass(frozen=True, config=_STRICT)
class Stay:
    """How a stay is cut into contacts."""

    short_minutes: tuple[int, int]
    overnight: float
    outpatient_minutes: tuple[int, int]
    virtual_minutes: tuple[int, int]
    discharge_hours: list[float]
    emergency_first: float
    emergency_minutes: tuple[int, int]
    symptom_code: float
    overlapping: float
    transfer: float
    nested: float
    own_hospital: float
    other_region: float
    dies_in_hospital: float


@dataclass(frozen=True, config=_STRICT)
class Readmission:
    """Acute admissions that an earlier admission brings about."""

    share: float
    frailty: float
    same_condition: float
    mean_days: float
    generations: int


@dataclass(frozen=True, config=_STRICT)
class Reporting:
    """How late and how badly contacts are reported."""

    slow_share: float
    mean_days: dict[str, float]
    region_delay: dict[str, float]
    corrected: float
    duplicated: float
    cancelled: float
    uncoded: dict[str, float]
    bad: dict[str, float]


@dataclass(frozen=True, config=_STRICT)
class AcutePlaces:
    """Municipal acute places and other temporary places."""

    places: int
    municipalities_without: int
    spread: float
    places_per_unit: int
    occupancy: float
    overflow: float
    stay_days: Lengths
    closed_share: float
    from_hospital: float
    to_hospital: float
    admitted_later: float
    refused_when_full: float
    refused_else: float
    temporary_units: int
    temporary_places: tuple[int, int]
    temporary_stay_days: Lengths


@dataclass(frozen=True, config=_STRICT)
class Official:
    """How figures that others publish differ from ours, and what StatBank counts of home visits."""

    seen: float
    own_rule: dict[str, float]
    home_visited: float
    home_visited_spread: float
    visited_twice: float


@dataclass(frozen=True, config=_STRICT)
class Welfare:
    """What StatBank counts of municipal care: levels of the country, and how municipalities and years differ."""

    home_nursing: float
    home_nursing_days: Lengths
    home_help: float
    rehabilitation: float
    care_home_places: float
    other_places: float
    general_list: float
    waiting_days: Lengths
    by_age: dict[str, list[float]]
    spread: float
    year_spread: float
    yearly_change: dict[str, float]
    answers_need: float
    follows_relief: float


@dataclass(frozen=True, config=_STRICT)
class InterventionPlan:
    """An effort and its true effect: rate ratio `true_effect` on the conditions at ages from ≤ age ≤ to."""

    id: str
    name: str
    municipalities: list[str]
    start: float
    ages: tuple[int, int]
    conditions: list[str]
    true_effect: float
    expected_effect: float
    indicator: str
    what: str
    counterweight: str
    negative_control: str
    owner: str
    cost: float
    bed_day_price: float | None = None
    locked_start: int = 0  # months that the locked plan starts before the true start: what came later is a deviation
    opens_acute_places: bool = False


@dataclass(frozen=True, config=_STRICT)
class Frailty:
    """How much persons differ."""

    sd: float
    death: float


@dataclass(frozen=True, config=_STRICT)
class Differences:
    """How much municipalities differ: sd of the logarithm, and rate ratios of whole regions."""

    shared: float
    own: dict[str, float]
    region: dict[str, dict[str, float]]


@dataclass(frozen=True, config=_STRICT)
class ReadyForDischarge:
    """Hospital days after the patient was ready for discharge (færdigbehandlede dage)."""

    days_per_1000: float
    spread: float
    month_spread: float


@dataclass(frozen=True, config=_STRICT)
class MunicipalityKinds:
    """Age structure by kind of municipality, relative to the country; `exceptions`: kind → municipality codes."""

    ages: list[int]
    spread: float
    exceptions: dict[str, list[str]]
    profiles: dict[str, list[float]]


@dataclass(frozen=True, config=_STRICT)
class Model:
    """All assumptions. Dictionaries are keyed by names and codes that stand in `model.toml`."""

    population: Population
    municipality_kinds: MunicipalityKinds
    frailty: Frailty
    differences: Differences
    kinds: dict[str, Kind]
    seasons: dict[str, list[float]]
    stay: Stay
    readmission: Readmission
    reporting: Reporting
    acute_places: AcutePlaces
    ready_for_discharge: ReadyForDischarge
    official: Official
    interventions: list[InterventionPlan]
    hospitals: dict[str, list[str]]
    departments: dict[str, str]
    symptoms: dict[str, float]
    condition_ages: list[float]
    welfare: Welfare
    conditions: list[Condition] = field(default_factory=list)

    def condition(self, name: str) -> int:
        """The number of a condition: its place in `conditions`, by which events name it."""
        return next(number for number, condition in enumerate(self.conditions) if condition.name == name)

    def condition_numbers(self, names: Iterable[str]) -> list[int]:
        """The numbers of several conditions."""
        return [self.condition(name) for name in names]

    def rates(self, kind: str) -> np.ndarray:
        """Contacts per person-year of a kind: [sex (men, women), age, condition], 0 for other kinds' conditions."""
        table = np.zeros((2, AGES, len(self.conditions)))
        for number, condition in enumerate(self.conditions):
            if condition.kind == kind:
                by_age = np.interp(np.arange(AGES), self.condition_ages, condition.rates) / 1000
                women = 2 / (1 + 1 / condition.women)  # 2 where only women have it
                with_short = 1 + condition.short
                table[:, :, number] = np.outer([2 - women, women], by_age * with_short * self.kinds[kind].level)
        return table


@cache
def load_model() -> Model:
    """The model of `model.toml`. Raises pydantic.ValidationError that names the key where the file is wrong."""
    raw = _raw()
    return TypeAdapter(Model).validate_python({key: entry for key, entry in raw.items() if key != "psychiatry"})


@cache
def load_psychiatry() -> Model:
    """The same country with psychiatric hospitals and conditions in place of the somatic ones."""
    raw = _raw()
    own = raw.pop("psychiatry")
    own["conditions"] = _listed(own["conditions"])
    for part in ("stay", "readmission"):
        own[part] = raw[part] | own[part]
    return TypeAdapter(Model).validate_python(raw | own)


def _raw() -> dict[str, Any]:
    raw: dict[str, Any] = tomllib.loads((files("etl.synthetic") / "model.toml").read_text(encoding="utf-8"))
    kinds = raw["municipality_kinds"]
    fixed = {key: kinds.pop(key) for key in ("ages", "spread", "exceptions")}
    raw["municipality_kinds"] = fixed | {"profiles": kinds}
    raw["symptoms"] = raw["symptoms"]["codes"]
    raw["condition_ages"] = raw["conditions"].pop("ages")
    raw["conditions"] = _listed(raw["conditions"])
    return raw


def _listed(conditions: dict[str, dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Conditions by kind and name, one after the other."""
    return [{"name": name, "kind": kind} | entry for kind, group in conditions.items() for name, entry in group.items()]

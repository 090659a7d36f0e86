"""The stage: municipalities, how many persons of each age live there, and how they truly differ."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from scipy.interpolate import PchipInterpolator

from etl.synthetic.model import AGES, BySex, Model, Population
from etl.synthetic.rng import lognormal_one, stream
from kpis.area import MAP_DAY
from kpis.reference import areas, memberships, municipality_population

BREAK_DAY = date(2019, 2, 3)
"""LPR2 ended and LPR3 began."""


@dataclass(frozen=True)
class Country:
    """98 municipalities in the order of region and code; their place in that order is their number.

    Attributes:
        municipalities: `municipality_code name region kkr kkr_slug kkr_name kind persons`, one row per municipality.
        first_year: the persons below are those of 1 January of this year.
        persons: array [municipality, sex (men, women), age], not whole numbers.
        effects: kind of contact → true rate ratio of each municipality; also `readmission`.
    """

    municipalities: pl.DataFrame
    first_year: int
    persons: np.ndarray
    effects: dict[str, np.ndarray]

    @property
    def regions(self) -> list[str]:
        """Codes of the five regions, ascending."""
        return self.municipalities["region"].unique().sort().to_list()

    def numbers_in(self, region: str) -> np.ndarray:
        """Numbers of the municipalities of a region."""
        return np.flatnonzero((self.municipalities["region"] == region).to_numpy())

    def numbers_of(self, codes: list[str]) -> np.ndarray:
        """Numbers of the municipalities with these codes."""
        return np.flatnonzero(self.municipalities["municipality_code"].is_in(codes).to_numpy())


def build_country(model: Model, first_year: int, scale: float, seed: int) -> Country:
    """The country on 1 January of `first_year`, with `scale` times its persons."""
    municipalities = read_municipalities(model)
    persons = settle(model, municipalities, national_pyramid(model.population, first_year), seed) * scale
    return Country(municipalities, first_year, persons, true_differences(model, municipalities, persons, seed))


def read_municipalities(model: Model) -> pl.DataFrame:
    """`municipality_code name region kkr kkr_slug kkr_name kind persons` of the 98, on the map until 2026.

    `persons`: of the anchor year; `kind`: its kommunegruppe, or what the model says it is instead.
    """
    day = MAP_DAY["2024"]
    is_valid = (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day))
    valid_areas = areas().filter(is_valid)
    frame = (
        valid_areas.filter(level="municipality")
        .select(municipality_code="area_code", name="name")
        .join(
            municipality_population().filter(date=date(model.population.anchor_year, 1, 1)).drop("date"),
            on="municipality_code",
        )
    )
    for level, column in (("region", "region"), ("kkr", "kkr"), ("municipality_group", "kind")):
        members = memberships().filter(is_valid & (pl.col("level") == level))
        frame = frame.join(
            members.select("municipality_code", pl.col("area_code").alias(column)), on="municipality_code"
        )
    kkr_slugs = valid_areas.filter(level="kkr").select(kkr="area_code", kkr_slug="slug", kkr_name="name")
    exceptions = {code: kind for kind, codes in model.municipality_kinds.exceptions.items() for code in codes}
    return (
        frame.join(kkr_slugs, on="kkr")
        .with_columns(pl.col("municipality_code").replace_strict(exceptions, default=pl.col("kind")).alias("kind"))
        .sort("region", "municipality_code")
    )


def national_pyramid(population: Population, year: int) -> np.ndarray:
    """Persons of the country by [sex, age] on 1 January of a year.

    The anchor year's bands are spread over single years (monotone cubic through the running sums) and then moved
    year by year, forwards or backwards: everybody grows a year older, some die, some immigrate, children are born.
    """
    edges = np.append(np.arange(0, AGES - 5, 5), AGES)
    anchor = [
        np.diff(PchipInterpolator(edges, np.concatenate([[0], np.cumsum(bands)]))(np.arange(AGES + 1)))
        for bands in (population.men, population.women)
    ]
    persons = np.maximum(np.array(anchor), 0)
    survival = np.exp(-death_rates(population))
    ages = np.arange(AGES)
    youngest, oldest = population.immigrant_age
    newcomers = (
        population.net_immigration_per_year / 2 * ((ages >= youngest) & (ages <= oldest)) / (oldest - youngest + 1)
    )
    for _ in range(population.anchor_year, year):
        older = (persons + newcomers) * survival
        persons = np.concatenate([np.full((2, 1), population.births_per_year / 2), older[:, :-1]], axis=1)
        persons[:, -1] += older[:, -1]
    for _ in range(year, population.anchor_year):
        younger = persons[:, 1:] / survival[:, :-1] - newcomers[:-1]
        persons = np.concatenate([younger, persons[:, -1:]], axis=1)
    return persons


def death_rates(population: Population) -> np.ndarray:
    """Deaths per person-year by [sex, age]: Gompertz, at the middle of the year of age."""
    middle = np.arange(AGES) + 0.5 - 65
    by_sex: tuple[BySex, BySex] = (population.death_rate_at_65, population.death_rate_growth)
    level, growth = (np.array([[both.men], [both.women]]) for both in by_sex)
    return level * np.exp(growth * middle)


def settle(model: Model, municipalities: pl.DataFrame, pyramid: np.ndarray, seed: int) -> np.ndarray:
    """Spread the country's persons over the municipalities: [municipality, sex, age].

    Each kind of municipality has its age profile; iterative proportional fitting then meets both the size of each
    municipality (its share of the country in the anchor year) and the country's persons of each sex and age.
    """
    kinds, rng = model.municipality_kinds, stream(seed, "age structure")
    band = np.searchsorted(kinds.ages, np.arange(AGES), side="right") - 1
    profile = np.array([np.array(kinds.profiles[kind])[band] for kind in municipalities["kind"]])
    older = np.where(np.arange(AGES) >= 65, np.log(lognormal_one(rng, kinds.spread, len(profile)))[:, None], 0)
    persons = (profile * np.exp(older))[:, None, :] * pyramid[None, :, :]
    share = (municipalities["persons"] / municipalities["persons"].sum()).to_numpy()
    for _ in range(50):
        persons *= (share * pyramid.sum() / persons.sum(axis=(1, 2)))[:, None, None]
        persons *= np.divide(pyramid, persons.sum(axis=0), out=np.zeros_like(pyramid), where=pyramid > 0)
    return persons


def true_differences(
    model: Model, municipalities: pl.DataFrame, persons: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """True rate ratios of the municipalities, per kind of contact and for readmission.

    Within a region they average one (weighted with persons 65+), so that the region's own ratio is what it should be.
    """
    rng, differences = stream(seed, "differences"), model.differences
    shared = lognormal_one(rng, differences.shared, municipalities.height)
    older = persons[:, :, 65:].sum(axis=(1, 2))
    regions = municipalities["region"].to_numpy()
    effects = {}
    for kind, sd in differences.own.items():
        is_acute = kind == "readmission" or model.kinds[kind].acute
        effect = lognormal_one(rng, sd, municipalities.height) * (shared if is_acute else 1)
        for region in np.unique(regions):
            here = regions == region
            effect[here] /= np.average(effect[here], weights=older[here])
            effect[here] *= differences.region.get(kind, {}).get(str(region), 1.0)
        effects[kind] = effect
    return effects

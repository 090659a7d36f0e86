"""What StatBank tells of municipal care, as its API writes it: in Danish words, with totals and all areas in one table.

Care goes with the hospital side in two ways, both in `model.toml`: where more is avoidable more care is needed, and
where an effort avoids admissions home nursing has more to do. Everything is drawn from random numbers of its own.
"""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from etl.synthetic.country import Country
from etl.synthetic.model import Model
from etl.synthetic.plans import Intervention
from etl.synthetic.rng import lognormal_one, stream
from kpis.period import months_between

AGES = {
    "Under 65 år": (0, 65),
    "65-69 år": (65, 70),
    "70-74 år": (70, 75),
    "75-79 år": (75, 80),
    "80-84 år": (80, 85),
    "85-89 år": (85, 90),
    "90 år og derover": (90, None),
}
"""StatBank's age groups → ages, the upper end exclusive."""
UNDER_65 = 0.03  # of the rate of 65 and over
SEXES = {"Mænd": 0.93, "Kvinder": 1.07}  # relative to both
EVERY_AGE, BOTH_SEXES, COUNTRY = "Alder i alt", "Mænd og kvinder i alt", "Hele landet"
KINDS_OF_HELP = {
    "Modtagere der udelukkende modtager personlig pleje": 0.12,
    "Modtagere der udelukkende modtager praktisk hjælp": 0.46,
    "Modtagere af både personlig pleje og praktisk hjælp": 0.42,
}
PLACES = {"Plejehjem": 0.08, "Beskyttede boliger": 0.02, "Plejeboliger": 0.90}  # shares of care-home places


def write_welfare(
    folder: Path,
    january: dict[int, np.ndarray],
    country: Country,
    model: Model,
    interventions: list[Intervention],
    seed: int,
) -> None:
    """Write the deliveries HJEMSYG, HJEMSYG2, AED06, REHAB19, RESP01 and AED16 of whole calendar years.

    `january`: year → persons on 1 January, [municipality, sex, age].
    """
    recipients = {
        service: draw_recipients(service, january, country, model, interventions, seed)
        for service in ("home_nursing", "home_help", "rehabilitation")
    }
    nursing, help_ = recipients["home_nursing"], recipients["home_help"]
    tables = {
        "hjemsyg": _by_people(nursing, country),
        "hjemsyg2": days_table(nursing, country, model, seed),
        "aed06": help_table(help_, country, seed),
        "rehab19": _by_people(recipients["rehabilitation"], country),
        "resp01": places_table(january, country, model, seed),
        "aed16": waiting_table(january, country, model, seed),
    }
    for name, table in tables.items():
        table.write_csv(folder / f"{name}.csv", separator=";")


def draw_recipients(
    service: str,
    january: dict[int, np.ndarray],
    country: Country,
    model: Model,
    interventions: list[Intervention],
    seed: int,
) -> dict[int, np.ndarray]:
    """Year → recipients by [municipality, sex, age group]; a person counts once a year."""
    plan, size = model.welfare, country.municipalities.height
    level = lognormal_one(stream(seed, "welfare", service), plan.spread, size)
    level *= country.effects["avoidable"] ** plan.answers_need
    shares = np.array([UNDER_65, *plan.by_age[service]])
    national = getattr(plan, service) / 1000
    drawn, first = {}, min(january)
    for year, persons in january.items():
        rng = stream(seed, "welfare", service, year)
        this_year = level * lognormal_one(rng, plan.year_spread, size) * plan.yearly_change[service] ** (year - first)
        if service == "home_nursing":
            this_year *= 1 + plan.follows_relief * relieved(interventions, year, size)
        rates = np.multiply.outer(national * this_year, np.multiply.outer(list(SEXES.values()), shares))
        drawn[year] = rng.binomial(_by_age(persons), np.minimum(rates, 0.9))
    return drawn


def relieved(interventions: list[Intervention], year: int, size: int) -> np.ndarray:
    """Share of the acute admissions it aims at that an effort avoids in each municipality, averaged over the year."""
    share = np.zeros(size)
    for intervention in interventions:
        months = months_between(intervention.start, date(year + 1, 1, 1))
        running = min(max(months, 0), 12) / 12
        share[intervention.municipalities] += running * (1 - intervention.plan.true_effect)
    return share


def days_table(nursing: dict[int, np.ndarray], country: Country, model: Model, seed: int) -> pl.DataFrame:
    """The delivery HJEMSYG2: days of home nursing in all, and of a recipient on average, by age and sex."""
    plan = model.welfare.home_nursing_days
    usual = plan.median * lognormal_one(stream(seed, "welfare", "days"), plan.sd, country.municipalities.height)
    days = {year: np.rint(persons * usual[:, None, None]).astype(np.int64) for year, persons in nursing.items()}
    total, persons = _by_people(days, country), _by_people(nursing, country)
    mean = (pl.col("INDHOLD") / persons["INDHOLD"]).round().fill_nan(0).cast(pl.Int64)
    kinds = (
        total.with_columns(DAGE=pl.lit("Dage med hjemmesygepleje i alt")),
        total.with_columns(mean, DAGE=pl.lit("Dage med hjemmesygepleje pr. borger (gennemsnit)")),
    )
    return pl.concat(kinds).select("OMRÅDE", "ALDER1", "KOEN", "DAGE", "TID", "INDHOLD")


def help_table(recipients: dict[int, np.ndarray], country: Country, seed: int) -> pl.DataFrame:
    """The delivery AED06: recipients of home help by kind of help; of the hours a week the total only."""
    parts: dict[str, dict[int, np.ndarray]] = {kind: {} for kind in KINDS_OF_HELP}
    for year, persons in recipients.items():
        split = stream(seed, "welfare", "kinds of help", year).multinomial(persons, list(KINDS_OF_HELP.values()))
        for number, kind in enumerate(KINDS_OF_HELP):
            parts[kind][year] = split[..., number]
    kinds = {"Modtagere af hjemmehjælp i alt": recipients} | parts
    tables = [
        _by_people(counted, country, "ALDER").with_columns(YDELSESTYPE=pl.lit(kind)) for kind, counted in kinds.items()
    ]
    columns = ("OMRÅDE", "YDELSESTYPE", "TIMEUGE", "ALDER", "KOEN", "TID", "INDHOLD")
    return pl.concat(tables).with_columns(TIMEUGE=pl.lit("Omfang i alt")).select(columns)


def places_table(january: dict[int, np.ndarray], country: Country, model: Model, seed: int) -> pl.DataFrame:
    """The delivery RESP01: places for the elderly by kind; they are decided and hardly move from year to year."""
    plan, rng = model.welfare, stream(seed, "welfare", "places")
    oldest = january[min(january)][:, :, 80:].sum(axis=(1, 2)) / 1000
    care_homes = oldest * plan.care_home_places * lognormal_one(rng, plan.spread, len(oldest))
    built = {kind: np.ceil(care_homes * share) for kind, share in PLACES.items()}
    built["Almene ældreboliger"] = np.ceil(oldest * plan.other_places * lognormal_one(rng, plan.spread, len(oldest)))
    rows = []
    for year in january:
        more = rng.poisson(0.006 * built["Plejeboliger"]) if year > min(january) else 0
        built["Plejeboliger"] = built["Plejeboliger"] + more
        for kind, places in built.items():
            rows.append(_of_areas(places.astype(np.int64), country, {"FORANSTALTNINGSART": kind, "TID": str(year)}))
    table = pl.concat(rows).with_columns(PLADSTYPE=pl.lit("Antal pladser i alt"))
    return table.select("OMRÅDE", "FORANSTALTNINGSART", "PLADSTYPE", "TID", "INDHOLD")


def waiting_table(january: dict[int, np.ndarray], country: Country, model: Model, seed: int) -> pl.DataFrame:
    """The delivery AED16: who waits for a care home (persons, per cent) and for how long (days), under each other."""
    plan, size = model.welfare, country.municipalities.height
    usual = plan.waiting_days.median * lognormal_one(stream(seed, "welfare", "waiting"), plan.waiting_days.sd, size)
    rows = []
    for year, persons in january.items():
        rng = stream(seed, "welfare", "waiting", year)
        general = rng.poisson(persons[:, :, 80:].sum(axis=(1, 2)) / 1000 * plan.general_list) + 1
        free = rng.poisson(general * 1.2)
        days = np.rint(usual * lognormal_one(rng, 0.15, size)).astype(np.int64)
        units = {
            "Personer på venteliste i alt": general + free,
            "Personer visiteret til den generelle venteliste": general,
            "Personer der vælger frit valg": free,
            "Andel af personer i alt, der vælger frit valg": np.rint(100 * free / (general + free)).astype(np.int64),
            "Gennemsnitlig ventetid i dage til plejebolig for personer på generel venteliste": days,
        }
        for unit, figures in units.items():
            # The country's share and wait are no sums; the table has them of municipalities only.
            told = {"ENHED": unit, "TID": str(year)}
            rows.append(_of_areas(figures, country, told, has_country="Personer" in unit))
    return pl.concat(rows).select("ENHED", "OMRÅDE", "TID", "INDHOLD")


def _by_age(persons: np.ndarray) -> np.ndarray:
    """[municipality, sex, age group] of persons by single years of age."""
    return np.stack([persons[:, :, first:stop].sum(axis=2) for first, stop in AGES.values()], axis=2)


def _by_people(counted: dict[int, np.ndarray], country: Country, age: str = "ALDER1") -> pl.DataFrame:
    """Area × age × sex × year with every total; `counted`: year → [municipality, sex, age group]."""
    rows = []
    for year, cells in counted.items():
        with_ages = np.concatenate([cells.sum(axis=2, keepdims=True), cells], axis=2)
        with_sexes = np.concatenate([with_ages.sum(axis=1, keepdims=True), with_ages], axis=1)
        for sex_at, sex in enumerate((BOTH_SEXES, *SEXES)):
            for age_at, name in enumerate((EVERY_AGE, *AGES)):
                of_cell = with_sexes[:, sex_at, age_at]
                rows.append(_of_areas(of_cell, country, {age: name, "KOEN": sex, "TID": str(year)}))
    return pl.concat(rows).select("OMRÅDE", age, "KOEN", "TID", "INDHOLD")


def _of_areas(figures: np.ndarray, country: Country, told: dict[str, str], *, has_country: bool = True) -> pl.DataFrame:
    """One row per municipality, and before them the country; `told`: the other columns."""
    names, values = country.municipalities["name"].to_list(), figures.tolist()
    if has_country:
        names, values = [COUNTRY, *names], [sum(values), *values]
    return pl.DataFrame({"OMRÅDE": names, "INDHOLD": values}).with_columns(
        pl.lit(text).alias(column) for column, text in told.items()
    )

"""The persons: who lives where, from when, until when, how frail, under which (made-up) civil registration number."""

from datetime import date

import numpy as np
import polars as pl

from etl.parse import EPOCH
from etl.synthetic.country import Country
from etl.synthetic.model import AGES, Model
from etl.synthetic.rng import pick, stream

NEVER = np.int32(2**31 - 1)
"""A minute that never comes: no death, no move."""
DAY = 24 * 60
YEAR = 365.2425 * DAY
YEAR_ZERO = 1850
"""The first year of the table of years; nobody was born before it."""


def minute_of(day: date) -> int:
    """Minutes from 2000-01-01 00:00 to the beginning of a day."""
    return (day - EPOCH.date()).days * DAY


def count_cohorts(country: Country, model: Model, last_year: int, seed: int, scale: float) -> pl.DataFrame:
    """How many persons to make: one row per municipality × sex × birth year × entry.

    Columns `municipality` (number) `sex` (1, 2) `birth_year` `entry_year` (of immigrants; else null) `n`, and
    `serial` = persons of the same sex and birth year in earlier rows, so that every region can number its persons
    by itself. Whole numbers by rounding running sums, so that the country's total of every age stays right.
    """
    population, first = model.population, country.first_year
    parts = [_round_cohorts(country.persons, first - 1 - np.arange(AGES), None)]
    mothers = country.persons[:, 1, 20:40].sum(axis=1)
    births = np.broadcast_to((mothers / mothers.sum())[:, None, None], (len(mothers), 2, 1))
    youngest, oldest = population.immigrant_age
    ages = np.arange(youngest, oldest + 1)
    working = country.persons[:, :, ages].sum(axis=2)
    arrivals = np.broadcast_to((working / working.sum() / len(ages))[:, :, None], (*working.shape, len(ages)))
    for year in range(first, last_year + 1):
        parts.append(_round_cohorts(births * population.births_per_year / 2 * scale, np.array([year]), None))
        newcomers = arrivals * population.net_immigration_per_year * scale
        parts.append(_round_cohorts(newcomers, year - 1 - ages, year, shift=stream(seed, "arrivals", year).random()))
    frame = pl.concat(parts).filter(pl.col("n") > 0)
    return frame.with_columns((pl.col("n").cum_sum() - pl.col("n")).over("sex", "birth_year").alias("serial"))


def _round_cohorts(
    expected: np.ndarray, birth_years: np.ndarray, entry: int | None, shift: float = 0.5
) -> pl.DataFrame:
    running = np.floor(np.cumsum(expected, axis=0) + shift).astype(np.int64)
    n = np.diff(running, axis=0, prepend=0)
    municipality, sex, age = np.indices(expected.shape)
    return pl.DataFrame(
        {
            "municipality": municipality.ravel().astype(np.int16),
            "sex": (sex.ravel() + 1).astype(np.int8),
            "birth_year": birth_years[age.ravel()].astype(np.int16),
            "entry_year": pl.Series([entry], dtype=pl.Int16).new_from_index(0, n.size),
            "n": n.ravel(),
        }
    )


def make_people(
    country: Country, cohorts: pl.DataFrame, region: str, model: Model, seed: int, end: int
) -> pl.DataFrame:
    """The persons whose first home is in a region, one row each, ordered by municipality.

    Columns: `municipality` number of the first home, `moved` minute and `moved_to` the only later home, `sex` 1 men
    2 women, `birth_year`, `birth_day` of that year (0 = 1 January), `entry` minute from which the person is in the
    country, `death` minute, `frailty` standard normal, `cpr`. A minute is counted from 2000; NEVER = not before `end`.
    """
    cells = cohorts.filter(pl.col("municipality").is_in(country.numbers_in(region))).sort(
        "municipality", maintain_order=True
    )
    rng = stream(seed, "people", region)
    n = cells["n"].to_numpy()
    size = int(n.sum())
    columns = {name: np.repeat(cells[name].to_numpy(), n) for name in ("municipality", "sex", "birth_year")}
    serial = np.arange(size) + np.repeat(cells["serial"].to_numpy() - (np.cumsum(n) - n), n)
    birth_day, cpr = _register(columns["birth_year"], columns["sex"], serial)
    year_start = _year_starts()[columns["birth_year"] - YEAR_ZERO]
    birth = (year_start + birth_day) * DAY + rng.integers(0, DAY, size, dtype=np.int32)

    period_start = minute_of(date(country.first_year, 1, 1))
    entry = np.maximum(birth, period_start).astype(np.int32)
    arrived = np.repeat(cells["entry_year"].fill_null(0).to_numpy(), n)
    newcomers = np.flatnonzero(arrived)
    arrival_year = _year_starts()[arrived[newcomers] - YEAR_ZERO] * DAY
    entry[newcomers] = arrival_year + rng.integers(0, 365 * DAY, len(newcomers), dtype=np.int32)

    frailty = rng.standard_normal(size, dtype=np.float32)
    age = ((entry - birth) / YEAR).astype(np.float32)
    death = _deaths(model, rng, columns["sex"], age, frailty)
    death = _minutes_after(entry, death, end)
    moved, moved_to = _moves(country, model, rng, columns["municipality"], age, entry, end)
    return pl.DataFrame(
        columns
        | {
            "birth_day": birth_day.astype(np.int16),
            "entry": entry,
            "death": death,
            "moved": moved,
            "moved_to": moved_to,
        }
        | {"frailty": frailty, "cpr": cpr}
    )


def _year_starts() -> np.ndarray:
    """Days from 2000-01-01 to 1 January of each year from YEAR_ZERO."""
    years = np.arange(f"{YEAR_ZERO}-01", "2150-01", 12, dtype="datetime64[M]").astype("datetime64[D]")
    return (years - np.datetime64(EPOCH.date())).astype(np.int32)


def _register(birth_year: np.ndarray, sex: np.ndarray, serial: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Birthday (day of the year, from 0) and civil registration number of each person.

    A serial number within sex and birth year is dealt out over the days of the year, so that no two persons share a
    number and none has to be looked up. Test persons have 60 added to the day of birth, so that no real person can be
    meant; the seventh digit tells the century, the last one the sex (CPR-kontoret, "Personnummeret i CPR").
    """
    starts = _year_starts()
    days = np.diff(starts)[birth_year - YEAR_ZERO]
    day = (serial * 149) % days  # 149 is prime to 365 and 366: every day comes once before one comes again
    number_of_day = serial // days
    numbers = np.where(birth_year < 2000, 2000, 3000)  # of a sex: 0000-3999 before 2000, 4000-9999 from then on
    if number_of_day.size and (number_of_day >= numbers).any():
        raise ValueError("there are not enough civil registration numbers for so many persons: use a smaller scale")
    running = (number_of_day * 787 + day * 31) % numbers * 2 + np.where(birth_year < 2000, 0, 4000) + (sex == 1)
    birthday = np.datetime64(EPOCH.date()) + (starts[birth_year - YEAR_ZERO] + day)
    months = birthday.astype("datetime64[M]")
    month = months.astype(np.int64) % 12 + 1
    day_of_month = (birthday - months.astype("datetime64[D]")).astype(np.int64) + 1
    date_part = (day_of_month + 60) * 10_000 + month * 100 + birth_year % 100
    return day, date_part * 10_000 + running


def _deaths(
    model: Model, rng: np.random.Generator, sex: np.ndarray, age: np.ndarray, frailty: np.ndarray
) -> np.ndarray:
    """Years until death: the inverse of Gompertz' survival, with the risk raised for frail persons."""
    population = model.population
    at_65 = np.where(sex == 1, population.death_rate_at_65.men, population.death_rate_at_65.women).astype(np.float32)
    growth = np.where(sex == 1, population.death_rate_growth.men, population.death_rate_growth.women).astype(np.float32)
    sd = model.frailty.sd * model.frailty.death
    risk = at_65 * np.exp(growth * (age - 65) + sd * frailty - sd * sd / 2)
    return np.log1p(growth * rng.standard_exponential(len(age), dtype=np.float32) / risk) / growth


def _minutes_after(entry: np.ndarray, years: np.ndarray, end: int) -> np.ndarray:
    minute = entry + years.astype(np.float64) * YEAR
    return np.where(minute < end, minute, NEVER).astype(np.int32)


def _moves(
    country: Country,
    model: Model,
    rng: np.random.Generator,
    home: np.ndarray,
    age: np.ndarray,
    entry: np.ndarray,
    end: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The minute of a person's only move to another municipality, and where to."""
    population = model.population
    table = np.interp(np.arange(AGES), population.moving_ages, population.moving_shares).astype(np.float32)
    share = table[np.clip(age, 0, AGES - 1).astype(np.int64)]
    moved = _minutes_after(entry, rng.standard_exponential(len(age), dtype=np.float32) / share, end)
    movers = np.flatnonzero(moved != NEVER)
    size = country.persons.sum(axis=(1, 2))
    regions = country.municipalities["region"].to_numpy()
    near = size * (regions[:, None] == regions[None, :])
    near_share = population.moves_within_region
    weights = near_share * near / near.sum(axis=1, keepdims=True) + (1 - near_share) * size / size.sum()
    np.fill_diagonal(weights, 0)
    moved_to = home.copy()
    moved_to[movers] = pick(np.cumsum(weights, axis=1), rng.random(len(movers)), home[movers])
    return moved, moved_to


def count_population(people: pl.DataFrame, quarters: list[date], municipalities: int) -> np.ndarray:
    """Persons alive on the first day of each quarter: array [quarter, municipality, sex, age]."""
    arrays = {name: people[name].to_numpy() for name in people.columns}
    counts = np.zeros((len(quarters), municipalities, 2, AGES), dtype=np.int64)
    for number, quarter in enumerate(quarters):
        minute = minute_of(quarter)
        day = (quarter - date(quarter.year, 1, 1)).days
        home = np.where(arrays["moved"] <= minute, arrays["moved_to"], arrays["municipality"])
        age = quarter.year - arrays["birth_year"] - (arrays["birth_day"] > day)
        cell = (home.astype(np.int32) * 2 + arrays["sex"] - 1) * AGES + np.clip(age, 0, AGES - 1)
        present = (arrays["entry"] <= minute) & (arrays["death"] > minute)
        counts[number] = np.bincount(cell[present], minlength=counts[number].size).reshape(counts[number].shape)
    return counts

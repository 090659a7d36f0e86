"""A country in which municipalities differ only as far as they are told to, and nothing ever changes, as a release.

    release = build_alike(tmp_path, seed=1)                   # no true differences
    release = build_alike(tmp_path, seed=1, differing=0.1)    # true ratios with a standard deviation of ten per cent

98 municipalities with their real sizes and different ages, 36 months, the ten groups of preventable admissions of
persons 65 and over and all their discharges. Rates depend on age and on the season only, times the municipality's own
ratio. Citizens are admitted again, half of them in a later month. Counts are rounded by `etl.protect`, so that what
small municipalities publish is what they would publish.
"""

from pathlib import Path

import numpy as np
import polars as pl

from etl.protect import ROUNDED, UNPROTECTED, Protection, protect_cube
from etl.pseudonym import PseudonymKey
from kpis import reference
from kpis.period import add_months
from kpis.release import AGE_BANDS, Release
from tests import helpers

GROUPS = [name for name in helpers._ACUTE_65 if name.startswith("preventable_65plus.")]
PER_THOUSAND = {name: helpers._ACUTE_65[name] for name in GROUPS}
BANDS = np.array([age for age in AGE_BANDS if age >= 65])
BY_AGE = np.interp(BANDS, [65, 75, 90], [0.7, 1.1, 2.0])
MONTHS = [add_months(helpers.DATA_FROM, step) for step in range(36)]
SEASON = 1 + 0.15 * np.cos(2 * np.pi * np.arange(36) / 12)
COLUMNS = ("n_stay", "n_admission", "n_acute", "n_short", "n_index", "n_readmission")
READMITTED = 0.12
LATER = (0.5, 0.35, 0.15)
"""Shares of the further admissions that fall in the same month, the next one and the one after."""
CODES = reference.areas().filter(pl.col("level") == "municipality")["area_code"].sort().to_list()


def build_alike(
    folder: Path,
    seed: int,
    protection: Protection = ROUNDED,
    again: float = 0.15,
    differing: float = 0.0,
    course: np.ndarray | None = None,
) -> Release:
    """A release of that country.

    `again`: share of the admissions that the same citizen has once more. `differing`: standard deviation of the true
    ratios between municipalities (`true_ratios`). `course` [municipalities, months]: what these ratios are multiplied
    with as time goes on, where something is to change.
    """
    random = np.random.default_rng(seed)
    persons = _persons()
    ratios = true_ratios(seed, differing)[:, None]
    cube = _cube(random, persons, again, ratios if course is None else ratios * course)
    key = PseudonymKey(bytes([seed % 256]) * 32)
    tables = {
        "area": reference.areas(),
        "membership": helpers.memberships(),
        "standard_population": reference.standard_population(),
        "diagnosis_group": helpers.diagnosis_groups(),
        "population": _population(persons),
        "coverage": [("lpr_contacts", code, MONTHS[0], MONTHS[-1]) for code in CODES],
        "cube": protect_cube(cube, protection, key)[0],
    }
    return helpers.tiny_release(
        folder, f"v20260115T0300{seed:02d}Z-alike", {"protection": protection.manifest}, **tables
    )


def true_ratios(seed: int, differing: float) -> np.ndarray:
    """[municipalities]: by how much each one's admissions truly lie above or below what its ages make usual."""
    if differing == 0:
        return np.ones(len(CODES))
    return np.random.default_rng([seed, 1]).gamma(differing**-2, differing**2, len(CODES))


def true_values(first: int, last: int, members: list[list[str]], ratios: np.ndarray | None = None) -> np.ndarray:
    """Preventable admissions per 1,000 of areas without chance, of months counted from 0, both inclusive."""
    persons = _persons()
    rate = sum(PER_THOUSAND.values()) * BY_AGE * SEASON[first : last + 1].mean()
    own = np.ones(len(CODES)) if ratios is None else ratios
    events, people = (persons * rate).sum(axis=(1, 2)) * own, persons.sum(axis=(1, 2))
    at = [[CODES.index(code) for code in codes] for codes in members]
    return np.array([events[rows].sum() / people[rows].sum() for rows in at])


def true_standardised(first: int, last: int, release: Release) -> float:
    """The same standardised for age and sex to dk2014: one value for all who do not differ."""
    rows = release.sql("select age_from, persons from standard_population where standard = 'dk2014' and age_from >= 65")
    weight = np.array([rows.filter(pl.col("age_from") == age)["persons"].sum() for age in BANDS], dtype=float)
    return float((weight * BY_AGE).sum() / weight.sum() * sum(PER_THOUSAND.values()) * SEASON[first : last + 1].mean())


def _persons() -> np.ndarray:
    """[municipalities, sexes, age bands from 65]: the same in every country."""
    return helpers._persons(np.random.default_rng(1), pl.Series(CODES))[:, :, -len(BANDS) :]


def _population(persons: np.ndarray) -> pl.DataFrame:
    at = np.indices(persons.shape).reshape(3, -1)
    one = pl.DataFrame(
        {
            "municipality_code": pl.Series(CODES).gather(at[0]),
            "sex": at[1] + 1,
            "age_from": BANDS[at[2]],
            "persons": persons.reshape(-1),
        }
    )
    return pl.concat(one.with_columns(quarter=pl.lit(month)) for month in MONTHS[::3])


def _cube(random: np.random.Generator, persons: np.ndarray, again: float, ratios: np.ndarray) -> pl.DataFrame:
    at_risk = persons[:, None] / 12_000 * BY_AGE * SEASON[:, None, None]
    frames = []
    for name in GROUPS:
        first = random.poisson(at_risk * PER_THOUSAND[name] / (1 + again) * ratios[:, :, None, None])
        acute = first.copy()
        for later, share in enumerate(LATER):  # what would fall behind the last month falls in the first ones
            acute += np.roll(random.binomial(first, again * share), later, axis=1)
        frames.append(_rows(name, acute, np.zeros_like(acute), np.zeros_like(acute)))
    index = random.poisson(at_risk * 260)
    index[:, -1] = 0  # discharges of the last month cannot be followed yet
    frames.append(_rows("all", index, index, random.binomial(index, READMITTED)))
    return pl.concat(frames)


def _rows(name: str, acute: np.ndarray, index: np.ndarray, readmitted: np.ndarray) -> pl.DataFrame:
    at = np.nonzero(acute)
    counts = {"n_stay": acute, "n_admission": acute, "n_acute": acute, "n_short": acute * 0}
    counts |= {"n_index": index, "n_readmission": readmitted}
    keys = {
        "municipality_code": pl.Series(CODES).gather(at[0]),
        "month": pl.Series(MONTHS).gather(at[1]),
        "sex": at[2] + 1,
        "age_from": BANDS[at[3]],
        "group_id": [name] * at[0].size,
    }
    # One more admission of a citizen falls into a month of its own, so that persons are as many as events.
    return pl.DataFrame(keys | {column: counts[column][at] for column in COLUMNS} | {"n_person": acute[at]})


__all__ = ["ROUNDED", "UNPROTECTED", "build_alike", "true_ratios", "true_standardised", "true_values"]

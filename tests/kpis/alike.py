"""A country in which no municipality differs from any other and nothing ever changes, published as a release is.

    release = build_alike(tmp_path, seed=1)

98 municipalities with their real sizes and different ages, 36 months, the ten groups of preventable admissions of
persons 65 and over and all their discharges. Rates depend on age and on the season only. Counts are rounded by
`etl.protect`, so that what small municipalities publish is what they would publish.
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


def build_alike(folder: Path, seed: int, protection: Protection = ROUNDED, again: float = 0.15) -> Release:
    """A release of that country; `again`: share of the admissions that the same citizen has once more."""
    random = np.random.default_rng(seed)
    codes = reference.areas().filter(pl.col("level") == "municipality")["area_code"].sort()
    persons = helpers._persons(np.random.default_rng(1), codes)[:, :, -len(BANDS) :]
    cube = _cube(random, codes, persons, again)
    key = PseudonymKey(bytes([seed % 256]) * 32)
    tables = {
        "area": reference.areas(),
        "membership": helpers.memberships(),
        "standard_population": reference.standard_population(),
        "diagnosis_group": helpers.diagnosis_groups(),
        "population": _population(codes, persons),
        "coverage": [("lpr_contacts", code, MONTHS[0], MONTHS[-1]) for code in codes],
        "cube": protect_cube(cube, protection, key),
    }
    return helpers.tiny_release(
        folder, f"v20260115T0300{seed:02d}Z-alike", {"protection": protection.manifest}, **tables
    )


def true_value(release: Release, code: str, first: int, last: int) -> float:
    """Preventable admissions per 1,000 that a municipality would have without chance, months counted from 0."""
    codes = reference.areas().filter(pl.col("level") == "municipality")["area_code"].sort()
    persons = helpers._persons(np.random.default_rng(1), codes)[codes.to_list().index(code), :, -len(BANDS) :]
    rate = sum(PER_THOUSAND.values()) * BY_AGE * SEASON[first : last + 1].mean()
    return float((persons * rate).sum() / persons.sum())


def _population(codes: pl.Series, persons: np.ndarray) -> pl.DataFrame:
    at = np.indices(persons.shape).reshape(3, -1)
    one = pl.DataFrame(
        {
            "municipality_code": codes.gather(at[0]),
            "sex": at[1] + 1,
            "age_from": BANDS[at[2]],
            "persons": persons.reshape(-1),
        }
    )
    return pl.concat(one.with_columns(quarter=pl.lit(month)) for month in MONTHS[::3])


def _cube(random: np.random.Generator, codes: pl.Series, persons: np.ndarray, again: float) -> pl.DataFrame:
    at_risk = persons[:, None] / 12_000 * BY_AGE * SEASON[:, None, None]
    frames = []
    for name in GROUPS:
        first = random.poisson(at_risk * PER_THOUSAND[name] / (1 + again))
        acute = first + random.binomial(first, again)
        frames.append(_rows(name, codes, acute, np.zeros_like(acute), np.zeros_like(acute)))
    index = random.poisson(at_risk * 260)
    index[:, -1] = 0  # discharges of the last month cannot be followed yet
    frames.append(_rows("all", codes, index, index, random.binomial(index, READMITTED)))
    return pl.concat(frames)


def _rows(name: str, codes: pl.Series, acute: np.ndarray, index: np.ndarray, readmitted: np.ndarray) -> pl.DataFrame:
    at = np.nonzero(acute)
    counts = {"n_stay": acute, "n_admission": acute, "n_acute": acute, "n_short": acute * 0}
    counts |= {"n_index": index, "n_readmission": readmitted}
    keys = {
        "municipality_code": codes.gather(at[0]),
        "month": pl.Series(MONTHS).gather(at[1]),
        "sex": at[2] + 1,
        "age_from": BANDS[at[3]],
        "group_id": [name] * at[0].size,
    }
    return pl.DataFrame(keys | {column: counts[column][at] for column in COLUMNS})


__all__ = ["ROUNDED", "UNPROTECTED", "build_alike", "true_value"]

"""How many runs of rounding a count touches, by hand, and that the variance is what rounding really does."""

import numpy as np
import polars as pl
import pytest

from etl.protect import ROUNDED, protect_cube
from etl.pseudonym import PseudonymKey
from kpis.indicator import MEASURES
from kpis.period import Period
from kpis.protection import chain_variance, cube_runs, monthly_runs, rounding_variance
from kpis.release import AGE_BANDS
from tests.helpers import tiny_release
from tests.kpis.alike import BANDS, MONTHS, PER_THOUSAND

ACUTE, INDEX = MEASURES["n_acute"], MEASURES["n_index"]
EVERYBODY = range(len(AGE_BANDS))
ADULTS = [place for place, age in enumerate(AGE_BANDS) if age >= 18]
OLD = [place for place, age in enumerate(AGE_BANDS) if age >= 65]
ONE_BAND = OLD[:1]


@pytest.mark.parametrize(
    ("measure", "bands", "sexes", "period", "runs"),
    [
        (ACUTE, OLD, 2, "2024", 1),  # a whole class, both sexes, one year: one run
        (ACUTE, OLD, 2, "2024-02", 1),
        (ACUTE, OLD, 2, "12m-2024-06", 2),  # two calendar years
        (ACUTE, ADULTS, 2, "2024", 2),
        (ACUTE, EVERYBODY, 2, "2024", 3),
        (ACUTE, OLD, 1, "2024", 12),  # one sex: a run a month
        (ACUTE, ONE_BAND, 2, "2024-Q1", 6),  # a part of a class: a run a month and sex
        (INDEX, OLD, 2, "2024", 2),  # published as the sum of two that were rounded apart
    ],
)
def test_runs_of_the_cube(measure, bands, sexes, period, runs) -> None:
    assert cube_runs(measure, bands, sexes, Period.from_id(period)) == runs


def test_runs_of_monthly_counts_and_none_of_places_and_days() -> None:
    year = Period.from_id("12m-2024-06")
    assert monthly_runs(MEASURES["n_place_referral"], 2, year) == 4
    assert monthly_runs(MEASURES["days_reported"], 1, year) == 0


def test_no_more_runs_than_events_can_be_off(tmp_path) -> None:
    release = tiny_release(tmp_path, manifest={"protection": {"method": "x", "base": 5, "chain_variance": 4.0}})
    assert rounding_variance(release, 20, [0, 5, 100]).tolist() == [0, 20, 80]


def test_a_release_that_says_nothing_of_rounding_has_none(tmp_path) -> None:
    assert chain_variance(tiny_release(tmp_path)) == 0


@pytest.mark.parametrize("people", [150.0, 1500.0, 30_000.0])
def test_the_variance_is_what_rounding_does(people) -> None:
    """Twelve months across a new year, ten groups, persons 65+ of places as small as Læsø and as large as Aarhus."""
    rng = np.random.default_rng(1)
    errors, expected = [], []
    cells = [
        (name, month, sex, age) for name in PER_THOUSAND for month in MONTHS[6:18] for sex in (1, 2) for age in BANDS
    ]
    keys = pl.DataFrame(cells, schema=["group_id", "month", "sex", "age_from"], orient="row")
    rate = np.array([PER_THOUSAND[name] for name, *_ in cells]) / 1000 * people / 12 / (2 * len(BANDS))
    for secret in range(150):
        acute = rng.poisson(rate)
        cube = keys.with_columns(
            pl.lit("0101").alias("municipality_code"),
            *(pl.Series(name, acute).alias(name) for name in ("n_stay", "n_admission", "n_acute")),
            *(pl.lit(0).cast(pl.Int64).alias(name) for name in ("n_short", "n_index", "n_readmission")),
        )
        rounded = protect_cube(cube, ROUNDED, PseudonymKey(bytes([secret]) * 32))["n_acute"].sum()
        errors.append(rounded - acute.sum())
        expected.append(min(2 * len(PER_THOUSAND), rounded) * 4)
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(len(errors))
    assert np.var(errors) == pytest.approx(np.mean(expected), rel=0.4)

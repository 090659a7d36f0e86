"""How much the rounding of published counts adds to the uncertainty of what is worked out from them."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from etl.protect import ROUNDED, protect_cube
from etl.pseudonym import PseudonymKey
from kpis import rates
from kpis.indicator import MEASURES, load_indicators
from kpis.period import Period, add_months
from kpis.protection import chain_variance, cube_runs, monthly_runs, rounding_variance
from kpis.release import AGE_BANDS
from kpis.rounding import scope_runs
from kpis.scope import Scope, single_scope
from tests.helpers import tiny_release

EVERYBODY = range(len(AGE_BANDS))
ADULTS = [place for place, age in enumerate(AGE_BANDS) if age >= 18]
OLD = [place for place, age in enumerate(AGE_BANDS) if age >= 65]
ONE_BAND = OLD[:1]
TEN = load_indicators()["preventable_admissions_65plus"].group_ids
ALCOHOL = "prevention.alcohol"  # shares no diagnosis with the ten
GROUPS = [*TEN, ALCOHOL]


@pytest.mark.parametrize(
    ("bands", "sexes", "period", "groups", "runs"),
    [
        (OLD, 2, "2024", 1, 1),  # a whole class, both sexes, whole quarters: one run a year
        (OLD, 2, "2024", 10, 1),  # … and so are the groups of an indicator together
        (OLD, 2, "2024-02", 1, 1),
        (OLD, 2, "2024-02", 10, 2),  # single months of such a sum are balanced less
        (OLD, 2, "12m-2024-06", 1, 2),  # two calendar years
        (ADULTS, 2, "2024", 1, 2),
        (EVERYBODY, 2, "2024", 1, 3),
        (OLD, 1, "2024", 1, 3),
        (OLD, 1, "2024", 10, 8),
        (ONE_BAND, 2, "2024-Q1", 1, 3),
        (ONE_BAND, 2, "2024", 1, 5),
        (ONE_BAND, 2, "2024", 10, 16),
        (OLD[:-1], 2, "2024", 1, 10),  # a class less one band: the class, and the band
    ],
)
def test_runs_of_the_cube(bands, sexes, period, groups, runs) -> None:
    assert cube_runs(bands, sexes, Period.from_id(period), groups) == runs


def scope_of(*groups: str) -> Scope:
    """Acute admissions of both sexes aged 65 and over for some groups."""
    return Scope("n_acute", "person_years", tuple(groups if at in OLD else () for at in EVERYBODY), slice(0, 2))


def test_lists_that_an_indicator_adds_up_are_balanced_together_and_the_rest_by_itself() -> None:
    year = Period.from_id("2024")
    assert scope_runs(scope_of(*TEN), year) == 1
    assert scope_runs(scope_of(*TEN[:-1]), year) == 9  # one is missing: nobody balanced the sum of nine
    # Diabetes stands in two lists with the same codes: either of the two completes the ten.
    same = [group.replace("preventable_65plus.diabetes", "chronic.diabetes") for group in TEN]
    assert scope_runs(scope_of(*same, ALCOHOL), year) == 2


@pytest.mark.parametrize(
    "indicator",
    [one for one in load_indicators().values() if one.numerator.definition.table == "cube"],
    ids=lambda one: one.id,
)
def test_the_scope_of_an_indicator_is_worth_the_runs_of_its_estimates(indicator) -> None:
    period = Period.from_id("12m-2024-06")
    bands = range(len(AGE_BANDS))[indicator.population.bands]
    parts = (len(indicator.group_ids), len(indicator.left_out_ids))  # what is left out is rounded by itself
    assert scope_runs(single_scope(indicator), period) == sum(cube_runs(bands, 2, period, n) for n in parts if n)


def test_runs_of_monthly_counts_and_none_of_places_and_days() -> None:
    year = Period.from_id("12m-2024-06")
    assert monthly_runs(MEASURES["n_place_referral"], 2, year) == 4
    assert monthly_runs(MEASURES["days_reported"], 1, year) == 0


def test_hardly_more_runs_than_events_can_be_off(tmp_path) -> None:
    release = tiny_release(tmp_path, manifest={"protection": {"method": "x", "base": 5, "chain_variance": 4.0}})
    assert rounding_variance(release, 20, [0, 5, 100]).tolist() == [4, 24, 80]


def test_a_release_that_says_nothing_of_rounding_has_none(tmp_path) -> None:
    assert chain_variance(tiny_release(tmp_path)) == 0


# Persons 65+ of three places as small as Læsø, Samsø and Lolland in every region of a made-up country.
PEOPLE = (600, 1400, 12_000)
PLACES = [(f"{number:04d}", PEOPLE[number % 3]) for number in range(101, 281)]
MONTHS = [add_months(date(2023, 1, 1), step) for step in range(24)]
BANDS = [age for age in AGE_BANDS if age >= 65]
PER_CELL = 0.06 / 12 / 2 / len(BANDS) / len(TEN)  # sixty admissions a year per 1,000
KEYS = ["municipality_code", "month", "sex", "age_from", "group_id"]


@pytest.fixture(scope="module")
def rounded() -> pl.DataFrame:
    """True and published acute admissions of those places, a row a cell."""
    rng = np.random.default_rng(1)
    axes = {"municipality_code": [code for code, _ in PLACES], "month": MONTHS, "sex": [1, 2], "age_from": BANDS}
    cells = pl.DataFrame({"group_id": GROUPS})
    for name, values in axes.items():
        cells = cells.join(pl.DataFrame({name: values}), how="cross")
    cells = cells.with_columns(people=pl.col("municipality_code").replace_strict(dict(PLACES)))
    acute = rng.poisson(cells["people"].to_numpy() * PER_CELL)
    true = cells.with_columns(
        *(pl.Series(name, acute, dtype=pl.Int32) for name in ("n_stay", "n_admission", "n_acute", "n_person")),
        *(pl.lit(0, pl.Int32).alias(name) for name in ("n_short", "n_index", "n_readmission")),
    )
    cube, _ = protect_cube(true.filter(pl.col("n_acute") > 0), ROUNDED, PseudonymKey(b"k" * 32))
    both = true.select(*KEYS, "people", true="n_acute").join(
        cube.select(*KEYS, published="n_acute"), on=KEYS, how="left"
    )
    return both.with_columns(pl.col("true").cast(pl.Int64), pl.col("published").fill_null(0).cast(pl.Int64))


ONE_GROUP = pl.col("group_id") == TEN[0]
OF_TEN = pl.col("group_id").is_in(TEN)
SELECTIONS = {
    "year": (OF_TEN, "2023", OLD, 2, 10),
    "quarter": (OF_TEN, "2023-Q2", OLD, 2, 10),
    "month": (OF_TEN, "2023-05", OLD, 2, 10),
    "twelve months": (OF_TEN, "12m-2024-04", OLD, 2, 10),
    "one group": (ONE_GROUP, "2023", OLD, 2, 1),
    "one sex": (OF_TEN & (pl.col("sex") == 1), "2023", OLD, 1, 10),
    "one band": (OF_TEN & (pl.col("age_from") == 65), "2023", ONE_BAND, 2, 10),
    "one cell": (ONE_GROUP & (pl.col("age_from") == 80) & (pl.col("sex") == 1), "2023-05", ONE_BAND, 1, 1),
}


def summed(rounded: pl.DataFrame, name: str, period_id: str | None = None) -> pl.DataFrame:
    """True and published sums of a selection by place, and the error variance that intervals reckon with."""
    chosen, usual, bands, sexes, groups = SELECTIONS[name]
    period = Period.from_id(period_id or usual)
    cells = rounded.filter(chosen & pl.col("month").is_between(period.first, period.last))
    sums = cells.group_by("municipality_code", "people", maintain_order=True).agg(
        pl.col("true", "published").sum(), expected=pl.len() * pl.col("people").first() * PER_CELL
    )
    runs = cube_runs(bands, sexes, period, groups)
    touched = pl.min_horizontal(pl.lit(runs), pl.col("published") + 1)
    return sums.with_columns(variance=ROUNDED.manifest["chain_variance"] * touched)


@pytest.mark.parametrize("name", SELECTIONS)
def test_the_variance_is_what_rounding_does(rounded: pl.DataFrame, name: str) -> None:
    """Never much below, so that nobody is flagged for the rounding; not far above, so that differences are seen."""
    sums = summed(rounded, name)
    found = ((sums["published"] - sums["true"]) ** 2).mean()
    assert found / sums["variance"].mean() < 1.25
    assert found / sums["variance"].mean() > 0.3 or name == "one cell"  # of which a zero may hide more than it does
    assert abs((sums["published"] - sums["true"]).mean()) < 0.15 * np.sqrt(found) + 0.3


def test_the_variance_of_several_indicators_together_is_what_rounding_does(rounded: pl.DataFrame) -> None:
    """The ten groups are balanced as one, and alcohol by itself."""
    sums = (
        rounded.filter(pl.col("month").is_between(MONTHS[0], MONTHS[11]))
        .group_by("municipality_code")
        .agg(pl.col("true", "published").sum())
    )
    runs = scope_runs(scope_of(*GROUPS), Period.from_id("2023"))
    assert runs == 2
    found = ((sums["published"] - sums["true"]) ** 2).mean()
    touched = pl.min_horizontal(pl.lit(runs), pl.col("published") + 1)
    expected = ROUNDED.manifest["chain_variance"] * sums.select(touched).to_series().mean()
    assert 0.3 < found / expected < 1.25


QUARTERS = [f"{year}-Q{quarter}" for year in (2023, 2024) for quarter in (1, 2, 3, 4)]


@pytest.mark.parametrize("people", PEOPLE)
@pytest.mark.parametrize(
    ("name", "periods"),
    [("year", ["2023", "2024"]), ("quarter", QUARTERS), ("one group", ["2023", "2024"]), ("one sex", QUARTERS)],
)
def test_intervals_of_small_places_keep_their_promise(rounded: pl.DataFrame, name: str, periods, people: int) -> None:
    """95 % intervals from published counts hold the true rate about as often as those from true counts do.

    For the smallest counts (about ten) a little less: the interval of a low count is narrow on the side where the true
    one lies.
    """
    sums = pl.concat(summed(rounded, name, period) for period in periods).filter(pl.col("people") == people)
    exposed, expected = np.full(sums.height, 1000.0), sums["expected"].to_numpy()
    missed = {}
    for kind, extra in (("true", 0.0), ("published", sums["variance"].to_numpy())):
        interval = rates.crude_rate(sums[kind].to_numpy(), exposed, 1000.0, extra_variance=extra)
        missed[kind] = np.mean((interval.lower > expected) | (interval.upper < expected))
    chance = 2 * np.sqrt(0.05 * 0.95 / sums.height)
    assert missed["published"] <= 0.05 + chance + 0.03 * (expected.mean() < 25)
    assert missed["true"] <= 0.05 + 1.5 * chance  # or the test itself is wrong

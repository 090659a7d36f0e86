"""What rounding promises: unbiased, repeatable, near the truth in every sum that is read, and silent about persons."""

from datetime import date

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.protect import ROUNDED, UNPROTECTED, Protection, accuracy, protect_cube, protect_municipality_month, systematic
from etl.pseudonym import PseudonymKey
from kpis.release import CONTRACT

KEY = PseudonymKey(b"k" * 32)
CELLS = st.lists(st.integers(0, 23), min_size=1, max_size=60)


def chain_of(counts: list[int]) -> pl.DataFrame:
    return pl.DataFrame({"chain": ["a"] * len(counts), "n": counts}, schema={"chain": pl.String, "n": pl.Int32})


@given(CELLS, st.sampled_from([3, 5, 10]), st.binary(min_size=32, max_size=32))
def test_cells_are_neighbouring_multiples_and_zero_stays_zero(counts: list[int], base: int, secret: bytes) -> None:
    rounded = systematic(chain_of(counts), "n", ["chain"], Protection("x", base), PseudonymKey(secret)).to_numpy()
    true = np.array(counts)
    assert (rounded % base == 0).all()
    assert (abs(rounded - true) < base).all()
    assert (rounded[true == 0] == 0).all()


@given(CELLS, st.data(), st.binary(min_size=32, max_size=32))
def test_the_sum_of_any_run_of_neighbours_is_off_by_less_than_one_base(counts: list[int], data, secret: bytes) -> None:
    first = data.draw(st.integers(0, len(counts) - 1))
    last = data.draw(st.integers(first, len(counts) - 1))
    rounded = systematic(chain_of(counts), "n", ["chain"], ROUNDED, PseudonymKey(secret)).to_numpy()
    assert abs(rounded[first : last + 1].sum() - sum(counts[first : last + 1])) < ROUNDED.base


def test_rounding_is_unbiased_over_keys() -> None:
    counts = [1, 2, 3, 4, 1, 1, 7]
    keys = [PseudonymKey(bytes([n % 256, n // 256]) * 16) for n in range(2000)]
    means = np.mean([systematic(chain_of(counts), "n", ["chain"], ROUNDED, key).to_numpy() for key in keys], axis=0)
    # the standard error of a mean is at most 2.5 / sqrt(2000) = 0.056
    assert np.abs(means - counts).max() < 0.25


def test_the_same_key_gives_the_same_rounding_and_another_key_another() -> None:
    cells = pl.DataFrame({"chain": [str(n) for n in range(200)], "n": [2] * 200})
    one, same, other = (
        systematic(cells, "n", ["chain"], ROUNDED, PseudonymKey(secret)).to_list()
        for secret in (b"1" * 32, b"1" * 32, b"2" * 32)
    )
    assert one == same
    assert one != other


def random_cube(seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    n = 4000
    admission = rng.poisson(2.0, n)
    index = rng.binomial(admission, 0.8)
    return pl.DataFrame(
        {
            "municipality_code": rng.choice(["0101", "0825", "0860"], n),
            "month": [date(2024, int(m), 1) for m in rng.integers(1, 13, n)],
            "sex": rng.integers(1, 3, n),
            "age_from": rng.choice([0, 18, 60, 65, 80, 90], n),
            "group_id": rng.choice(["all", "chronic.copd"], n),
            "n_stay": admission + rng.poisson(1, n),
            "n_admission": admission,
            "n_acute": rng.binomial(admission, 0.8),
            "n_short": rng.poisson(1, n),
            "n_index": index,
            "n_readmission": rng.binomial(index, 0.12),
        }
    ).unique(subset=["municipality_code", "month", "sex", "age_from", "group_id"], maintain_order=True)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_a_protected_cube_keeps_parts_within_wholes_and_hides_every_small_count(seed: int) -> None:
    true = random_cube(seed)
    cube = protect_cube(true, ROUNDED, KEY)
    assert cube.columns == list(CONTRACT["tables"]["cube"]["columns"])
    counts = cube.select(pl.col("^n_.*$"))
    assert (counts.to_numpy() % 5 == 0).all()
    assert (cube["n_acute"] <= cube["n_admission"]).all()
    assert (cube["n_readmission"] <= cube["n_index"]).all()
    # a municipality's year of one age class is one run
    old = pl.col("age_from") >= 65
    by = ["municipality_code", "group_id"]
    sums = [f.filter(old).group_by(by).agg(pl.col("n_acute").sum()).sort(by)["n_acute"] for f in (true, cube)]
    assert (sums[0] - sums[1]).abs().max() < 5


def test_unprotected_means_untouched() -> None:
    true = random_cube(1).filter(pl.max_horizontal(pl.col("^n_.*$")) > 0)
    keys = ["group_id", "municipality_code", "month", "sex", "age_from"]
    assert protect_cube(true, UNPROTECTED, KEY).sort(keys).equals(true.sort(keys))


def test_coarse_counts_keep_operational_figures_and_parts_within_wholes() -> None:
    rows = [
        ("0825", date(2024, 1, 1), "n_contact", "", 3),
        ("0825", date(2024, 1, 1), "n_contact_timely", "", 3),
        ("0825", date(2024, 1, 1), "place_days_available", "", 62),
        ("0860", date(2024, 1, 1), "n_contact", "", 101),
        ("0860", date(2024, 1, 1), "n_contact_timely", "", 99),
    ]
    counts = pl.DataFrame(rows, schema=list(CONTRACT["tables"]["municipality_month"]["columns"]), orient="row")
    for secret in range(50):
        out = protect_municipality_month(counts, ROUNDED, PseudonymKey(bytes([secret]) * 32))
        found = {(m, measure): n for m, _, measure, _, n in out.iter_rows()}
        assert found["0825", "place_days_available"] == 62
        assert found.get(("0825", "n_contact_timely"), 0) <= found.get(("0825", "n_contact"), 0)
        assert found["0860", "n_contact_timely"] <= found["0860", "n_contact"]
        assert all(n % 5 == 0 for (_, measure), n in found.items() if measure.startswith("n_"))


def test_accuracy_is_measured_against_the_truth() -> None:
    true = random_cube(3)
    off = true.with_columns(
        pl.when(pl.col("municipality_code") == "0825").then(0).otherwise("n_acute").alias("n_acute")
    )
    lost = true.filter((pl.col("municipality_code") == "0825") & (pl.col("group_id") == "all"))["n_acute"].sum()
    found = accuracy(true, off)
    assert found["municipality_year_max_error"] == lost
    assert accuracy(true, true)["municipality_year_max_error"] == 0

"""A made-up land of four small municipalities whose contacts are reported late, month after month.

Every event is a row, so that counts, persons and what is part of what fit together as they do in a real cube.
"""

from datetime import date

import numpy as np
import polars as pl

from kpis.period import add_months

FIRST = date(2024, 1, 1)
SIZES = {"0825": 0.25, "0741": 0.5, "0563": 0.5, "0492": 1.0}  # Læsø, Samsø, Fanø, Ærø
AGES = (0, 18, 45, 65, 70, 80, 85, 90)
LEAVES = {
    "": 0.62,
    "chronic.copd": 0.1,
    "chronic.asthma": 0.05,
    "lungs": 0.08,
    "chronic.diabetes": 0.1,
    "prevention.hip_fracture": 0.05,
}
LUNGS = "preventable_65plus.lower_respiratory"
GROUPS_OF = {
    leaf: [
        "all",
        *([leaf] if "." in leaf else []),
        *([LUNGS] if leaf in ("chronic.copd", "chronic.asthma", "lungs") else []),
    ]
    for leaf in LEAVES
}
DISJOINT = {
    "all": [(LUNGS, "chronic.diabetes", "prevention.hip_fracture")],
    LUNGS: [("chronic.copd", "chronic.asthma")],
}
DISJOINT["all"].append(("chronic.copd", "chronic.asthma", "chronic.diabetes", "prevention.hip_fracture"))
KEYS = ["municipality_code", "month", "sex", "age_from", "group_id"]
COUNTS = ["n_stay", "n_admission", "n_acute", "n_short", "n_index", "n_readmission"]


def events(seed: int, months: int = 24, sizes: dict[str, float] | None = None) -> pl.DataFrame:
    """One row a stay: where, when, who, what, and the month in which it is reported first (0 = the first)."""
    rng = np.random.default_rng(seed)
    frames = []
    for code, size in (sizes or SIZES).items():
        n = rng.poisson(60 * size * months)
        month = rng.integers(0, months, n)
        is_acute = rng.random(n) < 0.6
        is_admission = rng.random(n) < np.where(is_acute, 0.7, 0.3)
        is_index = is_admission & (rng.random(n) < 0.8)
        frames.append(
            pl.DataFrame(
                {
                    "municipality_code": [code] * n,
                    "at": month,
                    "sex": rng.integers(1, 3, n),
                    "age_from": rng.choice(AGES, n),
                    "leaf": rng.choice(list(LEAVES), n, p=list(LEAVES.values())),
                    "person": rng.integers(0, max(1, int(0.7 * n)), n),
                    "n_stay": 1,
                    "n_admission": is_admission.astype(int),
                    "n_acute": (is_admission & is_acute).astype(int),
                    "n_short": (is_acute & (~is_admission | (rng.random(n) < 0.3))).astype(int),
                    "n_index": is_index.astype(int),
                    "n_readmission": (is_index & (rng.random(n) < 0.15)).astype(int),
                    "told": month + rng.choice([0, 1, 2, 3, 9], n, p=[0.75, 0.15, 0.06, 0.03, 0.01]),
                }
            )
        )
    return pl.concat(frames)


def cube(rows: pl.DataFrame, as_of: int) -> pl.DataFrame:
    """The true cube of what is reported by month `as_of` (exclusive), with persons."""
    known = rows.filter((pl.col("told") < as_of) & (pl.col("at") < as_of))
    in_groups = known.with_columns(group_id=pl.col("leaf").replace_strict(GROUPS_OF)).explode("group_id")
    months = pl.DataFrame({"at": range(as_of), "month": [add_months(FIRST, step) for step in range(as_of)]})
    return (
        in_groups.join(months, on="at")
        .group_by(KEYS, maintain_order=True)
        .agg(pl.col(COUNTS).sum().cast(pl.Int32), n_person=pl.col("person").n_unique().cast(pl.Int32))
    )


def side_by_side(true: pl.DataFrame, published: pl.DataFrame) -> pl.DataFrame:
    """True and published counts of every cell of the land that has either, and of all empty ones beside them."""
    axes = {name: true[name].unique().sort() for name in KEYS}
    grid = None
    for name, values in axes.items():
        one = pl.DataFrame({name: values})
        grid = one if grid is None else grid.join(one, how="cross")
    assert grid is not None
    both = grid.join(true, on=KEYS, how="left").join(published, on=KEYS, how="left", suffix="_published")
    return both.fill_null(0).sort(KEYS)

"""How far published counts lie from the true ones, measured on the secure side.

What is published of it is rounded up to a coarse ladder, so that the accuracy tells nothing that the counts do not.
"""

import math
from typing import NamedTuple

import polars as pl

from kpis.reference import memberships


class Accuracy(NamedTuple):
    """Errors of acute admissions of all diagnoses and ages; of whole years and quarters as far as they are in the data.

    Means are of absolute errors. Per cent: all absolute errors together, of all that was counted.
    """

    municipality_year_mean: float
    municipality_year_max: float
    municipality_quarter_mean: float
    region_quarter_per_cent: float
    country_year_per_cent: float


LADDER = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80)
"""What a figure is rounded up to before it is published: the next of these, times a power of ten."""


def measured(true: pl.DataFrame, published: pl.DataFrame, measure: str = "n_acute", group: str = "all") -> Accuracy:
    """The exact errors of one measure; both frames have the columns of the cube."""
    keys = ["municipality_code", "quarter"]
    cells = [
        cube.filter(pl.col("group_id") == group)
        .group_by("municipality_code", "month")
        .agg(pl.col(measure).sum().cast(pl.Int64).alias("n"))
        .group_by("municipality_code", pl.col("month").dt.truncate("1q").alias("quarter"))
        .agg(pl.col("n").sum())
        .with_columns(pl.col("municipality_code").cast(pl.String))
        for cube in (true, published)
    ]
    joined = cells[0].join(cells[1], on=keys, how="full", suffix="_published", coalesce=True).fill_null(0)
    region_of = memberships().filter((pl.col("level") == "region") & pl.col("valid_to").is_not_null())
    by_quarter = joined.with_columns(
        pl.col("quarter").dt.year().alias("year"),
        pl.col("municipality_code")
        .replace_strict(region_of["municipality_code"], region_of["area_code"], default="")
        .alias("region"),
        (pl.col("n_published") - pl.col("n")).alias("error"),
    )

    def errors(*by: str) -> pl.Series:
        return by_quarter.group_by(by).agg(pl.col("error").sum())["error"].abs()

    def per_cent(*by: str) -> float:
        return 100 * float(errors(*by).sum()) / max(1, int(by_quarter["n"].sum()))

    of_years = errors("municipality_code", "year")
    return Accuracy(
        _mean(of_years),
        float(of_years.max() or 0),  # type: ignore[arg-type]
        _mean(errors(*keys)),
        per_cent("region", "quarter"),
        per_cent("year"),
    )


def rounded_up(exact: Accuracy) -> Accuracy:
    """What may be published of it: no figure is smaller than the exact one, and none tells more than its size."""
    return Accuracy(*map(_next_on_ladder, exact))


def _next_on_ladder(value: float) -> float:
    if value <= 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return round(next(step * unit for step in LADDER if step * unit >= value * (1 - 1e-9)), 9)


def in_words(value: float, language: str) -> str:
    """A figure with the decimal mark of a language."""
    text = f"{value:g}"
    return text.replace(".", ",") if language == "da" else text


def _mean(values: pl.Series) -> float:
    return float(values.mean() or 0)  # type: ignore[arg-type]

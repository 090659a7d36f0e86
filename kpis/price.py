"""What days in hospital cost a municipality after the patient was ready for discharge (Sundhedsloven § 238)."""

import functools
from typing import NamedTuple

import polars as pl

from kpis.reference import section_238_prices


class Amount(NamedTuple):
    """Least and most in kroner of `price_year`: which it is depends on how the days divide, and that is not known."""

    least: float
    most: float
    price_year: int


def section_238_amount(days: float) -> Amount:
    """What so many days cost the municipality, region and state together, in kroner of the newest price year known.

    Least: as if all were the first days of a stay; most: as if all came after them. Source: `section_238_prices`.
    """
    one = _of_one_day()
    return Amount(days * one.least, days * one.most, one.price_year)


@functools.cache
def _of_one_day() -> Amount:
    prices = section_238_prices()
    year = int(prices["price_year"].max())  # type: ignore[arg-type]
    newest = prices.filter(pl.col("price_year") == year)
    by_day = [
        float(
            newest.filter((pl.col("first_day") <= day) & (pl.col("last_day").is_null() | (pl.col("last_day") >= day)))[
                "kroner_per_day"
            ].sum()
        )
        for day in sorted(set(newest["first_day"]))
    ]
    return Amount(min(by_day), max(by_day), year)

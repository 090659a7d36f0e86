"""Disclosure protection: every published count is a multiple of the base, decided once, before anything is published.

True counts are rounded down or up to the base by *systematic rounding*: within a chain of cells, ordered so that
what is read together lies together, the remainders are added up and a cell is rounded up each time the running sum
passes the next multiple of the base. So

* each cell is rounded up with probability remainder ÷ base: unbiased;
* the sum of any run of neighbouring cells is off by less than one base, however long the run;
* zero stays zero, and a cell's published value says nothing more than a range of 2 × base − 1 true values.

The start of each chain is a keyed number, so the same data and key give the same release and nobody without the key
can work it out. Shares keep their complement: a numerator and the rest of its denominator are rounded apart and the
denominator is their sum.

Source: systematic sampling (Madow 1949) used as controlled rounding (Cox 1987).
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import polars as pl

from etl.pseudonym import PseudonymKey

METHOD = "systematic rounding"
PROTECTED_DA = "Antal hændelser er afrundet til {base} efter en fast nøgle, så små tal ikke kan læses nøjagtigt."
PROTECTED_EN = "Counts of events are rounded to base {base} by a fixed key, so that small ones cannot be read exactly."
UNPROTECTED_DA = "Ubeskyttet: må ikke vises uden for den sikre side."
UNPROTECTED_EN = "Unprotected: not to be shown outside the secure side."


@dataclass(frozen=True)
class Protection:
    """How a release is protected. `base` 1 protects nothing and is for the secure side only."""

    method: str
    base: int

    @property
    def manifest(self) -> dict[str, object]:
        """What the release says of itself."""
        return {
            "method": self.method,
            "base": self.base,
            # what a sum of whole runs is off by: error variance of one run of one chain (a difference of two
            # uniform starts), and what makes a chain – so that intervals can take the rounding into account
            "chain": CUBE_CHAIN,
            "chain_variance": round((self.base**2 - 1) / 6, 3) if self.base > 1 else 0,
            "da": PROTECTED_DA.format(base=self.base) if self.base > 1 else UNPROTECTED_DA,
            "en": PROTECTED_EN.format(base=self.base) if self.base > 1 else UNPROTECTED_EN,
        }


ROUNDED = Protection(METHOD, 5)
UNPROTECTED = Protection("none", 1)

# What is rounded; n_admission and n_index are sums of these.
CUBE_PARTS = ("n_stay", "n_short", "n_acute", "n_planned", "n_readmission", "n_not_readmitted")
# Neighbours in a chain are read together: months of a year, the sexes and ages within 65+, within 18–64, under 18.
CUBE_CHAIN = ["group_id", "municipality_code", "age_class", "year"]
CUBE_ORDER = ["month", "sex", "age_from"]


def protect_cube(cube: pl.DataFrame, protection: Protection, key: PseudonymKey) -> pl.DataFrame:
    """The published cube of the true cube: same columns, rows without any count left out.

    n_acute ≤ n_admission and n_readmission ≤ n_index hold as in the true cube, because the larger one is the sum
    of parts that were rounded apart.
    """
    parts = cube.with_columns(
        (pl.col("n_admission") - pl.col("n_acute")).alias("n_planned"),
        (pl.col("n_index") - pl.col("n_readmission")).alias("n_not_readmitted"),
        pl.col("month").dt.year().alias("year"),
        pl.when(pl.col("age_from") >= 65)
        .then(2)
        .when(pl.col("age_from") >= 18)
        .then(1)
        .otherwise(0)
        .alias("age_class"),
    ).sort(*CUBE_CHAIN, *CUBE_ORDER)
    rounded = parts.with_columns(systematic(parts, name, CUBE_CHAIN, protection, key) for name in CUBE_PARTS)
    return (
        rounded.with_columns(
            (pl.col("n_acute") + pl.col("n_planned")).alias("n_admission"),
            (pl.col("n_readmission") + pl.col("n_not_readmitted")).alias("n_index"),
        )
        .filter(pl.max_horizontal("n_stay", "n_short", "n_admission", "n_index") > 0)
        .select(cube.columns)
    )


# Counts of persons' stays and contacts; the rest of municipality_month counts places and days of operation.
COMPLEMENTS = {
    "n_contact": ("n_contact_timely", "n_contact_coded"),
    "n_place_followed": ("n_place_admitted_7", "n_place_admitted_30"),
}
OPERATIONAL = ("place_days_normed", "place_days_available", "days_reported", "days_over_capacity")


def protect_municipality_month(counts: pl.DataFrame, protection: Protection, key: PseudonymKey) -> pl.DataFrame:
    """The published municipality × month × measure × category counts; operational figures stay exact.

    A part is never published larger than its whole.
    """
    chain = ["measure", "category", "municipality_code", "year"]
    ordered = counts.with_columns(pl.col("month").dt.year().alias("year")).sort(*chain, "month")
    rounded = ordered.with_columns(systematic(ordered, "n", chain, protection, key)).with_columns(
        pl.when(pl.col("measure").is_in(OPERATIONAL)).then(ordered["n"]).otherwise("n").alias("n")
    )
    for whole, parts in COMPLEMENTS.items():
        at = ["municipality_code", "month"]
        wholes = rounded.filter(pl.col("measure") == whole).select(*at, pl.col("n").alias("whole"))
        joined = rounded.join(wholes, on=at, how="left", maintain_order="left")
        within = pl.min_horizontal("n", pl.col("whole").fill_null(0))
        rounded = joined.with_columns(
            pl.when(pl.col("measure").is_in(parts)).then(within).otherwise("n").alias("n")
        ).drop("whole")
    return rounded.filter(pl.col("n") > 0).select(counts.columns)


def protect_length_of_stay(counts: pl.DataFrame, protection: Protection, key: PseudonymKey) -> pl.DataFrame:
    """Regional admissions and bed days, each cell a chain of its own."""
    cell = ["region_code", "year", "age_from", "group_id"]
    ordered = counts.sort(cell)
    return ordered.with_columns(systematic(ordered, name, cell, protection, key) for name in ("n_acute", "bed_days"))


def systematic(
    cells: pl.DataFrame, name: str, chain: list[str], protection: Protection, key: PseudonymKey
) -> pl.Series:
    """Round one column of cells that are sorted by `chain` and by the order within it.

    Returns the rounded column, same type and name.
    """
    base = protection.base
    if base == 1 or cells.is_empty():
        return cells[name]
    counts = cells[name].to_numpy().astype(np.int64)
    remainder = counts % base
    first = cells.select(pl.struct(chain).rle_id()).to_series().to_numpy()
    starts = np.flatnonzero(np.r_[True, first[1:] != first[:-1]])
    labels = cells[starts].select(pl.concat_str([pl.lit(name), *chain], separator="|")).to_series()
    start_of_chain = np.array([_keyed(label, base, key) for label in labels], dtype=np.int64)
    running = np.cumsum(remainder)
    before_chain = (running - remainder)[starts]
    length = np.diff(np.r_[starts, counts.size])
    # running sum within the chain, begun at a keyed number 0 … base − 1
    within = running - np.repeat(before_chain, length) + np.repeat(start_of_chain, length)
    rounds_up = within // base > (within - remainder) // base
    return pl.Series(name, counts - remainder + base * rounds_up, dtype=cells.schema[name])


def _keyed(label: str, base: int, key: PseudonymKey) -> int:
    digest = hashlib.blake2b(label.encode(), key=key.secret, digest_size=8, person=b"protection").digest()
    return int.from_bytes(digest, "little") % base


def accuracy(true: pl.DataFrame, published: pl.DataFrame, measure: str = "n_acute") -> dict[str, float]:
    """How far published sums lie from true ones, for the manifest; worked out on the secure side.

    Returns mean and largest absolute error of municipality × year, and mean relative error (per cent) of
    country × year, for one measure over all diagnoses (group all).
    """

    def sums(cube: pl.DataFrame, by: list[str]) -> pl.DataFrame:
        rows = cube.filter(pl.col("group_id") == "all").with_columns(pl.col("month").dt.year().alias("year"))
        return rows.group_by(by).agg(pl.col(measure).sum().cast(pl.Int64))

    def errors(by: list[str]) -> pl.DataFrame:
        joined = sums(true, by).join(sums(published, by), on=by, how="left", suffix="_published")
        return joined.select(
            (pl.col(f"{measure}_published").fill_null(0) - pl.col(measure)).abs().alias("error"),
            pl.col(measure).alias("true"),
        )

    municipality, country = errors(["municipality_code", "year"]), errors(["year"])
    off, all_of_them = float(country["error"].sum()), float(country["true"].sum())
    return {
        "municipality_year_mean_error": round(float(municipality["error"].mean() or 0), 2),  # type: ignore[arg-type]
        "municipality_year_max_error": float(municipality["error"].max() or 0),  # type: ignore[arg-type]
        "country_year_mean_error_per_cent": round(100 * off / max(all_of_them, 1.0), 4),
    }

"""What others publish of the country: official figures that differ from ours for known reasons, and StatBank's visits.

Official figures differ as real ones do: a definition of their own, data drawn before the late reports came, the
population of 1 January, rounding. Small counts are hidden.
"""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import xlsxwriter

from etl.synthetic.country import Country
from etl.synthetic.hospital import Span
from etl.synthetic.model import Model
from etl.synthetic.plans import READMISSIONS, counted_by
from etl.synthetic.rng import lognormal_one, stream
from kpis.area import MAP_DAY
from kpis.reference import areas

HIDDEN_BELOW = 5
"""Smaller counts than this are published as `-` or blank."""
VISIT_AGES = {"7579": (75, 80), "8084": (80, 85), "85OV": (85, None)}
"""Ids of StatBank's age groups → ages, the upper end exclusive."""
COUNTRY = "Hele landet"
PREVENTABLE = "preventable_admissions_65plus"


def whole_years(span: Span) -> list[int]:
    """Calendar years that lie within the period from their first day to their last."""
    return [year for year in span.years if date(year, 1, 1) >= span.since and date(year + 1, 1, 1) <= span.until]


def publish_counts(
    counts: pl.DataFrame, january: np.ndarray, country: Country, model: Model, year: int, seed: int
) -> pl.DataFrame:
    """A year's figures as others publish them: indicator × area (municipality, region, country).

    Args:
        counts: of `plans.count_indicators` for the year, every municipality once per indicator.
        january: persons on 1 January, [municipality, sex, age].
        country: its municipalities.
        model: how the publishers' figures differ.
        year: calendar year.
        seed: of the country.

    Returns `indicator area year numerator denominator value`; `area` is a code, or "Hele landet"; `value` per 1,000
    persons, or per cent for readmissions, with one decimal.
    """
    plan, rng = model.official, stream(seed, "official", year)
    share = counts["indicator"].replace_strict(plan.own_rule, return_dtype=pl.Float64).to_numpy() * plan.seen
    # A rule that counts more than ours adds events, one that counts fewer leaves some out.
    n = counts["numerator"].to_numpy()
    seen = np.where(share <= 1, rng.binomial(n, np.minimum(share, 1)), n + rng.poisson(n * np.maximum(share - 1, 0)))
    ages = {indicator: counted.age for indicator, counted in counted_by(model).items()}
    persons = np.array(
        [
            january[municipality, :, ages.get(indicator, 0) :].sum()
            for indicator, municipality in counts.select("indicator", "municipality").iter_rows()
        ]
    )
    followed = np.round(counts["index"].fill_null(0).to_numpy() * plan.seen)
    is_share = (counts["indicator"] == READMISSIONS).to_numpy()
    known = counts.select("indicator", "municipality").with_columns(
        numerator=pl.Series(seen), denominator=pl.Series(np.where(is_share, followed, persons))
    )
    placed = known.join(
        country.municipalities.select(
            "region", "municipality_code", municipality=pl.int_range(pl.len(), dtype=pl.Int64)
        ),
        on="municipality",
    )
    levels = [placed.with_columns(area=pl.col(code)) for code in ("municipality_code", "region")]
    levels.append(placed.with_columns(area=pl.lit(COUNTRY)))
    per = pl.when(pl.col("indicator") == READMISSIONS).then(100).otherwise(1000)
    return (
        pl.concat(levels)
        .group_by("indicator", "area")
        .agg(pl.col("numerator", "denominator").sum())
        .with_columns(value=(per * pl.col("numerator") / pl.col("denominator")).round(1), year=pl.lit(year))
        .sort("indicator", "area")
    )


def official_table(figures: pl.DataFrame) -> pl.DataFrame:
    """The delivery `officielle_tal.csv`, generic long: what eSundhed does not give; hidden figures are blank."""
    is_hidden = pl.col("numerator").is_between(1, HIDDEN_BELOW - 1)
    return (
        figures.filter(pl.col("indicator") != PREVENTABLE)
        .sort("indicator", "year", "area")
        .select(
            kommune="area",
            periode="year",
            indikator="indicator",
            taeller=pl.when(~is_hidden).then("numerator"),
            naevner=pl.col("denominator").round().cast(pl.Int64),
            vaerdi=pl.when(~is_hidden).then(pl.col("value").map_elements(_decimal, return_dtype=pl.String)),
        )
    )


def write_esundhed(path: Path, figures: pl.DataFrame) -> None:
    """The delivery `esundhed_forebyggelige.xlsx`: one sheet, merged titles, a row per area and a column per year."""
    is_named = pl.col("level").is_in(["municipality", "region"]) & (pl.col("valid_from") <= MAP_DAY["2024"])
    names = {COUNTRY: COUNTRY} | dict(areas().filter(is_named).select("area_code", "name").iter_rows())
    wanted = figures.filter(pl.col("indicator") == PREVENTABLE)
    years = wanted["year"].unique().sort().to_list()
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Eksport")
        last = len(years) + 1
        sheet.merge_range(0, 0, 0, last, "Syntetiske tal: forebyggelige indlæggelser, 65 år og derover")
        sheet.merge_range(1, 0, 1, last, "Pr. 1.000 borgere")
        sheet.write_row(3, 0, ["Indikator", "Område", *map(str, years)])
        for row, (area, name) in enumerate(names.items(), start=4):
            values = dict(wanted.filter(pl.col("area") == area).select("year", "value").iter_rows())
            sheet.write_row(row, 0, [PREVENTABLE, name, *(_decimal(values[year]) for year in years)])


def visits_table(january: dict[int, np.ndarray], country: Country, model: Model, seed: int) -> pl.DataFrame:
    """The delivery `aed10a.csv`: recipients of preventive home visits, area × visits × age × sex × year, with totals.

    `january`: year → persons on 1 January, [municipality, sex, age].
    """
    plan = model.official
    codes = country.municipalities["municipality_code"].str.slice(1)
    level = plan.home_visited * lognormal_one(stream(seed, "home visits"), plan.home_visited_spread, len(codes))
    frames = []
    for year, persons in january.items():
        rng = stream(seed, "home visits", year)
        for age, (first, stop) in VISIT_AGES.items():
            of_age = persons[:, :, first:stop].sum(axis=2)
            visited = rng.binomial(of_age, np.minimum(level, 0.9)[:, None])
            twice = rng.binomial(visited, plan.visited_twice)
            for visits, counted in (("380", visited), ("381", visited + twice)):  # persons, and visits made to them
                municipality, sex = np.indices(counted.shape)
                frames.append(
                    pl.DataFrame(
                        {
                            "OMRÅDE": codes.gather(municipality.ravel()),
                            "HJEMMEBESØG": visits,
                            "ALDER": age,
                            "KØN": pl.Series((sex + 1).ravel()).cast(pl.String),
                            "TID": year,
                            "INDHOLD": counted.ravel(),
                        }
                    )
                )
    cells = pl.concat(frames)
    for dimension in ("ALDER", "KØN"):
        rest = [column for column in cells.columns if column not in (dimension, "INDHOLD")]
        totals = cells.group_by(rest).agg(pl.col("INDHOLD").sum()).with_columns(pl.lit("TOT").alias(dimension))
        cells = pl.concat([cells, totals.select(cells.columns)])
    country_rows = cells.group_by("HJEMMEBESØG", "ALDER", "KØN", "TID").agg(pl.col("INDHOLD").sum())
    cells = pl.concat([cells, country_rows.with_columns(OMRÅDE=pl.lit("000")).select(cells.columns)])
    return cells.sort("OMRÅDE", "HJEMMEBESØG", "ALDER", "KØN", "TID")


def _decimal(value: float) -> str:
    return f"{value:.1f}".replace(".", ",")

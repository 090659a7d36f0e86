"""Audits: what stops a release whose numbers cannot be right, whatever the files said."""

from datetime import date, timedelta
from typing import Any

import polars as pl

from etl.publish import PublishProblem
from etl.words import Both, together, told
from kpis.area import MAP_DAY
from kpis.period import add_months
from kpis.release import Release

LARGEST_CHANGE = 0.10  # of stays in months that both releases hold as final: of all, of a month, of a municipality
FEWEST_TO_MISS = 50  # stays: fewer come and go with a correction in a small municipality
MOST_TOLD = 8  # changes; who gets more reads the first, and `etl diff`
OLDEST_POPULATION = 550  # days before the end of the data period
LARGEST_GROWTH = 0.03  # of the country's population from one quarter to the next that was delivered, within a year
LARGEST_GROWTH_OF_ONE = 0.10  # of a municipality's
A_YEAR = 366  # days
NEWEST_MONTHS = 3  # that are held against the year before them: what is missing is missing there
SMALLEST_SHARE = 0.5  # of a region's usual month
FEWEST_USUAL = 200  # stays in a region's usual month: fewer may halve by chance


def audit(
    tables: dict[str, pl.DataFrame],
    manifest: dict[str, Any],
    current: Release | None,
    accept_change: str | None,
) -> None:
    """Stop a publication whose numbers cannot be right. All problems are told together.

    Args:
        tables: of the new release, protected.
        manifest: its facts.
        current: the release that is current now, which figures are compared with.
        accept_change: why figures may change more than they usually do; None where nobody said so.

    Raises PublishProblem.
    """
    problems: list[Both] = []
    cube, population = tables["cube"], tables["population"]
    measures = [column for column in cube.columns if column.startswith("n_")]
    if cube.is_empty():
        problems.append(told("audit.no_stay"))
    elif cube.select(pl.min_horizontal(measures).min()).item() < 0:
        problems.append(told("audit.negative"))
    if (
        not cube.filter(pl.col("n_acute") > pl.col("n_admission")).is_empty()
        or not cube.filter(pl.col("n_readmission") > pl.col("n_index")).is_empty()
    ):
        problems.append(told("audit.part"))
    per_quarter = (
        population.group_by("quarter").agg(pl.col("municipality_code").n_unique().alias("n")).filter(pl.col("n") != 98)
    )
    if not per_quarter.is_empty():
        quarter, n = per_quarter.sort("quarter").row(0)
        problems.append(told("audit.population", quarter=quarter, n=n))
    on_a_map = tables["membership"].filter((pl.col("level") == "region") & pl.col("valid_to").is_null())
    if on_a_map["municipality_code"].n_unique() != 98:
        problems.append(told("audit.region"))
    newest = population["quarter"].max()
    oldest = date.fromisoformat(manifest["as_of"]) - timedelta(days=OLDEST_POPULATION)
    if isinstance(newest, date) and newest < oldest and not accept_change:
        problems.append(told("audit.population_old", quarter=newest, days=OLDEST_POPULATION))
    if not accept_change:
        unusual = [
            *_growth(population, _named(tables["area"]), current),
            *_thin_months(cube, tables["membership"], tables["area"], manifest, current),
        ]
        problems += [*unusual, told("audit.accept_unusual")] if unusual else []
    if current is not None and not accept_change and current.manifest["is_synthetic"] == manifest["is_synthetic"]:
        problems += _changes(cube, manifest, current, _named(tables["area"]))
    if problems:
        raise PublishProblem(told("stop.audit", problems=together(problems)))


def _named(area: pl.DataFrame) -> dict[str, str]:
    """Municipalities as a sentence calls them, by code."""
    municipalities = area.filter(pl.col("level") == "municipality")
    return dict(municipalities.select("area_code", pl.format("{} ({})", "name", "area_code")).iter_rows())


def _growth(population: pl.DataFrame, named: dict[str, str], current: Release | None) -> list[Both]:
    """Quarters whose population cannot follow the one before it: all rates would be wrong.

    What the current release holds has been asked about before.
    """
    cells = population.group_by("municipality_code", "quarter").agg(pl.col("persons").cast(pl.Int64).sum())
    known = cells.clear()
    if current is not None:
        known = current.sql(
            "select municipality_code, quarter, sum(persons)::bigint as persons from population group by all"
        )
    country, country_known = (table.group_by("quarter").agg(pl.col("persons").sum()) for table in (cells, known))
    found = [
        told("audit.growth", quarter=quarter, now=now, before=before)
        for quarter, now, before in _jumps(country, country_known, LARGEST_GROWTH)
        .select("quarter", "persons", "before")
        .iter_rows()
    ]
    if found:
        return found[:MOST_TOLD]
    return [
        told("audit.growth_of", municipality=named[code], quarter=quarter, now=now, before=before)
        for code, quarter, now, before in _jumps(cells, known, LARGEST_GROWTH_OF_ONE, "municipality_code")
        .select("municipality_code", "quarter", "persons", "before")
        .head(MOST_TOLD)
        .iter_rows()
    ]


def _jumps(persons: pl.DataFrame, known: pl.DataFrame, largest: float, *of: str) -> pl.DataFrame:
    """The rows that are not `known` and differ by more than a share from what was `before`, in the same area."""
    earlier = [pl.col(name).shift(1).over(of) if of else pl.col(name).shift(1) for name in ("persons", "quarter")]
    compared = persons.sort(*of, "quarter").with_columns(earlier[0].alias("before"), earlier[1].alias("since"))
    return compared.filter(
        ((pl.col("persons") / pl.col("before") - 1).abs() > largest)
        & (pl.col("quarter") - pl.col("since") <= timedelta(days=A_YEAR))
    ).join(known, on=[*of, "quarter", "persons"], how="anti", maintain_order="left")


def _thin_months(
    cube: pl.DataFrame,
    membership: pl.DataFrame,
    area: pl.DataFrame,
    manifest: dict[str, Any],
    current: Release | None,
) -> list[Both]:
    """Newest months of which a region has far fewer stays than usual: a missing file looks like few patients.

    What was as thin in the current release has been asked about before.
    """
    as_of = date.fromisoformat(manifest["as_of"])
    region_of = membership.filter((pl.col("level") == "region") & (pl.col("valid_from") <= MAP_DAY["2024"]))
    region_of = region_of.filter(pl.col("valid_to").is_null() | (pl.col("valid_to") > MAP_DAY["2024"]))
    name_of = dict(area.filter(pl.col("level") == "region").select("area_code", "name").iter_rows())
    stays = cube.filter(pl.col("group_id") == "all").select(
        pl.col("municipality_code").cast(pl.String), "month", pl.col("n_stay").cast(pl.Int64)
    )
    known, asked_until = stays.clear(), date.min
    if current is not None:
        asked_until = current.date("as_of")
        known = current.sql(
            "select municipality_code, month, n_stay::bigint as n_stay from cube where group_id = 'all'"
        )
    months, months_known = (
        table.join(region_of.select("municipality_code", "area_code"), on="municipality_code")
        .group_by("area_code", "month")
        .agg(pl.col("n_stay").sum().alias("n"))
        for table in (stays, known)
    )
    newest, first = add_months(as_of, -NEWEST_MONTHS), add_months(as_of, -NEWEST_MONTHS - 12)
    usual = (
        months.filter(pl.col("month").is_between(first, newest, closed="left"))
        .group_by("area_code")
        .agg(pl.col("n").median().alias("usual"))
        .filter(pl.col("usual") >= FEWEST_USUAL)
    )
    looked_at = pl.DataFrame({"month": [add_months(newest, number) for number in range(NEWEST_MONTHS)]})
    thin = (
        usual.join(looked_at, how="cross")
        .join(months, on=["area_code", "month"], how="left")
        .join(months_known, on=["area_code", "month"], how="left", suffix="_known")
        .with_columns(pl.col("n").fill_null(0))
        .filter(pl.col("n") < SMALLEST_SHARE * pl.col("usual"))
        .filter((pl.col("month") >= asked_until) | (pl.col("n_known").fill_null(0) >= SMALLEST_SHARE * pl.col("usual")))
        .sort("month", "area_code")
    )
    return [
        told("audit.thin", area=name_of[code], month=_month(month), now=n, usual=round(usual))
        for code, month, n, usual in thin.select("area_code", "month", "n", "usual").head(MOST_TOLD).iter_rows()
    ]


def _changes(cube: pl.DataFrame, manifest: dict[str, Any], current: Release, named: dict[str, str]) -> list[Both]:
    first = max(manifest["data_from"], current.manifest["data_from"])
    last = min(manifest["provisional_from"], current.manifest["provisional_from"])
    if first >= last:
        return []
    names = ("municipality_code", "month")
    now = (
        cube.filter(
            (pl.col("group_id") == "all")
            & pl.col("month").is_between(date.fromisoformat(first), date.fromisoformat(last), closed="left")
        )
        .group_by(pl.col("municipality_code").cast(pl.String), "month")
        .agg(pl.col("n_stay").sum().cast(pl.Int64).alias("now"))
    )
    before = current.sql(
        "select municipality_code, month, sum(n_stay)::bigint as before from cube "
        "where group_id = 'all' and month >= $first::date and month < $last::date group by all",
        first=first, last=last,
    )  # fmt: skip
    cells = now.join(before, on=names, how="full", coalesce=True).fill_null(0)
    whole = cells.select(pl.col("now", "before").sum())
    if whole["before"][0] and abs(whole["now"][0] / whole["before"][0] - 1) > LARGEST_CHANGE:  # however few they are
        change = {"first": first, "last": last, "before": whole["before"][0], "now": whole["now"][0]}
        return [told("audit.change", percent=round(100 * LARGEST_CHANGE), **change)]
    months, places = (
        cells.group_by(name).agg(pl.col("now", "before").sum()).sort(name) for name in ("month", names[0])
    )
    gone = cells.filter((pl.col("now") == 0) & (pl.col("before") >= FEWEST_TO_MISS)).sort(names)
    found = [
        *(told("audit.change_month", month=_month(month), now=n, before=old) for month, n, old in _moved(months)),
        *(
            told("audit.change_municipality", municipality=named[code], first=first, last=last, now=n, before=old)
            for code, n, old in _moved(places)
        ),
        *(
            told("audit.gone", municipality=named[code], month=_month(month), before=old)
            for code, month, old in gone.select(*names, "before").iter_rows()
        ),
    ]
    if not found:
        return []
    more = [told("audit.more", n=len(found) - MOST_TOLD)] if len(found) > MOST_TOLD else []
    return [*found[:MOST_TOLD], *more, told("audit.accept", percent=round(100 * LARGEST_CHANGE))]


def _has_moved(counts: pl.DataFrame) -> pl.Series:
    """Whether `now` is far from `before`, and by more than a few stays of a small place."""
    off = (counts["now"] - counts["before"]).abs()
    return (off > LARGEST_CHANGE * counts["before"]) & (off >= FEWEST_TO_MISS) & (counts["before"] > 0)


def _moved(counts: pl.DataFrame) -> list[tuple[Any, int, int]]:
    moved = counts.filter(_has_moved(counts))
    return list(moved.select(moved.columns[0], "now", "before").iter_rows())


def _month(day: date) -> str:
    return f"{day:%Y-%m}"

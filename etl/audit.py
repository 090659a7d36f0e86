"""Audits: what stops a release whose numbers cannot be right, whatever the files said."""

from datetime import date, timedelta
from typing import Any

import polars as pl

from etl.publish import PublishProblem
from etl.words import Both, together, told
from kpis.release import Release

LARGEST_CHANGE = 0.10  # of stays in months that both releases hold as final: of all, of a month, of a municipality
FEWEST_TO_MISS = 50  # stays: fewer come and go with a correction in a small municipality
MOST_TOLD = 8  # changes; who gets more reads the first, and `etl diff`
OLDEST_POPULATION = 550  # days before the end of the data period


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
    if current is not None and not accept_change and current.manifest["is_synthetic"] == manifest["is_synthetic"]:
        of_municipalities = tables["area"].filter(pl.col("level") == "municipality")
        named = dict(of_municipalities.select("area_code", pl.format("{} ({})", "name", "area_code")).iter_rows())
        problems += _changes(cube, manifest, current, named)
    if problems:
        raise PublishProblem(told("stop.audit", problems=together(problems)))


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

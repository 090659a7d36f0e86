"""Sundhed på tværs: what the page asks a release for, and the file of the same rows."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlencode

import polars as pl
from flask import Flask, Response, request

from dashboard.api.filters import AreaText, MapFilters, read_filters
from dashboard.api.problem import Problem
from dashboard.files import sent
from dashboard.guard.access import audit, needs
from dashboard.readings import Estimate, last_month
from dashboard.selection import COUNTRY, AreaRef
from kpis.area import MAPS, Area, Map, areas
from kpis.evaluate import Query, evaluate
from kpis.export import Format, export_rows
from kpis.indicator import LANGUAGES, Indicator, Language, find_indicator
from kpis.period import Period, periods_between
from kpis.release import Release, per_release
from kpis.relief import RELIEF, relief, whole_years

HOSPITAL = (
    "preventable_admissions_65plus",
    "acute_admissions_65plus",
    "readmissions_30d_65plus",
    "days_after_ready",
)
MUNICIPAL = (
    "home_nursing_65plus",
    "home_nursing_days_65plus",
    "home_help_65plus",
    "rehabilitation_65plus",
    "preventive_home_visits_75plus",
    "care_home_places_80plus",
    "care_home_waiting_days",
)
AVOIDED, CARE = "preventable_admissions_65plus", "home_nursing_65plus"
"""The two sides of the key figure."""
KINDS: tuple[Format, ...] = ("parquet", "csv")


@dataclass(frozen=True)
class Course:
    """One indicator of one area year by year, and the country's; parts are quarters, of monthly figures only."""

    indicator: Indicator
    years: tuple[Estimate, ...]
    country: tuple[Estimate, ...]
    parts: tuple[Estimate, ...]


def shown_years(release: Release) -> tuple[Period, ...]:
    """Return every calendar year that begins in the release, oldest first; the newest is mostly not over."""
    last = last_month(release)
    return periods_between(release.date("data_from"), date(last.year, 12, 1), "year")


@per_release
def course(release: Release, indicator_id: str, area: Area) -> Course:
    """Return the course of an indicator, standardised where it can be; provisional quarters are left out."""
    indicator = find_indicator(indicator_id)
    (country,) = areas(release, "country", area.map_id)
    years = shown_years(release)

    def estimates(wanted: tuple[Area, ...], periods: tuple[Period, ...]) -> tuple[Estimate, ...]:
        query = Query(indicator, wanted, periods, standardised=indicator.can_be_standardised)
        return tuple(evaluate(release, query).iter_rows(named=True))

    quarters = periods_between(release.date("data_from"), last_month(release), "quarter")
    parts = () if indicator.is_yearly else estimates((area,), quarters)
    firm = tuple(row for row in parts if not row["is_provisional"])
    return Course(indicator, estimates((area,), years), estimates((country,), years), firm)


@per_release
def area_relief(release: Release, indicator_id: str, area: Area, year: Period) -> Estimate:
    """Return the row of ``kpis.relief.RELIEF`` of one area."""
    rows = relief(release, find_indicator(indicator_id), areas(release, area.level, area.map_id), year)
    return rows.row(by_predicate=pl.col("area_code") == area.code, named=True)


def compared_years(release: Release) -> tuple[Period, ...]:
    """Return the years that can be held against the base year, oldest first; mostly one or two."""
    return whole_years(release)[1:]


def compared_indicators() -> tuple[str, ...]:
    """Return the indicators of the page that have an expected number, hospital side first."""
    return tuple(name for name in (*HOSPITAL, *MUNICIPAL) if find_indicator(name).kind == "rate")


def relief_rows(release: Release, area: Area) -> pl.DataFrame:
    """Return every figure against its expected one of an area, columns of ``kpis.relief.RELIEF``."""
    return pl.DataFrame(
        [area_relief(release, name, area, year) for name in compared_indicators() for year in compared_years(release)],
        schema=RELIEF,
    )


def address(release: Release, kind: Format, area: AreaRef, map_id: Map, lang: Language = LANGUAGES[0]) -> str:
    """Return the address of the file of :func:`relief_rows`, tied to the release."""
    query = {
        **({"sprog": lang} if lang != LANGUAGES[0] else {}),
        **({"kort": map_id} if map_id != MAPS[0] else {}),
        "omraade": area.text,
        "udgave": release.id,
    }
    return f"/fil/paa-tvaers.{kind}?{urlencode(query)}"


class ReliefFilters(MapFilters):
    """Both sides of one area against what was expected of them."""

    omraade: AreaText = COUNTRY.text


def register(server: Flask, data_dir: Path) -> None:
    """Add ``/fil/paa-tvaers.<parquet|csv>``; see :func:`address`."""

    @server.get("/fil/paa-tvaers.<kind>")
    def send_relief(kind: str) -> Response | tuple[str, int, dict[str, str]]:
        needs("analyst")
        try:
            if kind not in KINDS:
                raise Problem(400, f"{kind[:20]!r} is no kind of file here. Allowed: {', '.join(KINDS)}.")
            filters = read_filters(ReliefFilters, dict(request.args.lists()))
            release = filters.release(data_dir)
            area = filters.area(release, filters.omraade)
        except Problem as problem:
            return f"{problem}\n", problem.status, {"Content-Type": "text/plain; charset=utf-8"}
        assert area is not None, "one is always named"
        name = f"relief_{area.slug or area.level}"
        rows = relief_rows(release, area)
        file = export_rows(release, rows, name, "parquet" if kind == "parquet" else "csv", filters.language)
        audit("file", file=file.name, release=release.id)
        return sent(file)

"""Bed days of acute admissions: the regional lengths of stay of a release, laid on a municipality's own admissions.

Municipal bed days are not published (a single long stay would show), so a municipality is taken to have the lengths
of stay of its region for each diagnosis group and age class. Differences within a region are therefore differences of
case mix and number, never of length.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from kpis import counts
from kpis.area import Area, areas
from kpis.counts import FloatArray, IntArray
from kpis.period import Period, months_between
from kpis.protection import CLASSES
from kpis.release import AGE_BANDS, Release, per_release


def bed_days(
    release: Release, groups: Mapping[str, Sequence[int]], municipalities: Sequence[Area], period: Period
) -> tuple[FloatArray, FloatArray]:
    """Acute admissions and their bed days over the months of the period; two arrays (municipalities,).

    `groups`: diagnosis group → positions of the age bands in which it counts. Lengths are those of the years that the
    period touches; where a region's are not published (under ten persons), those of the country; admissions of a
    group and age class without either are left out of both arrays.
    """
    regional, national = _lengths(release, period.first.year, period.last.year)
    region_of = {code: region.code for region in areas(release, "region", "2024") for code in region.municipalities}
    rows = [counts.municipalities(release)[area.code] for area in municipalities]
    admissions, days = np.zeros(len(rows)), np.zeros(len(rows))
    for group, bands in groups.items():
        events = in_period(release, counts.cube(release, "n_acute", (group,)), period)[rows].sum(axis=1)
        for age, here in _by_class(bands).items():
            if (age, group) not in national:
                continue
            of_class = events[:, here].sum(axis=1).astype(float)
            usual = national[age, group]
            length = [regional.get((region_of.get(area.code, ""), age, group), usual) for area in municipalities]
            admissions += of_class
            days += of_class * np.array(length)
    return admissions, days


def in_period(release: Release, summed: IntArray, period: Period) -> IntArray:
    """[municipalities, …] of an array of `kpis.counts`, over the months of the period that lie in the release."""
    months = counts.months(release)
    start, stop = (min(max(months_between(months[0], day), 0), len(months)) for day in (period.first, period.end))
    return summed[stop] - summed[start]


@per_release
def _lengths(
    release: Release, first_year: int, last_year: int
) -> tuple[dict[tuple[str, int, str], float], dict[tuple[int, str], float]]:
    """Mean bed days per region × age class × group, and per age class × group of the country."""
    rows = release.sql(
        """
        select region_code, age_from, group_id, sum(n_acute)::double as admissions, sum(bed_days)::double as days
        from length_of_stay
        where year between $first and $last
        group by all
        having sum(n_acute) > 0
        """,
        first=first_year,
        last=last_year,
    )
    regional = {(region, age, group): days / n for region, age, group, n, days in rows.iter_rows()}
    country = rows.group_by("age_from", "group_id").agg(pl.col("admissions", "days").sum())
    national = {(age, group): days / n for age, group, n, days in country.iter_rows()}
    return regional, national


def _by_class(bands: Sequence[int]) -> dict[int, list[int]]:
    """Lower end of the age class → positions of the bands in it."""
    found: dict[int, list[int]] = {}
    for band in bands:
        age = max(start for start in CLASSES if start <= AGE_BANDS[band])
        found.setdefault(age, []).append(band)
    return found

"""What an indicator, or several together, count in the cube: which diagnosis groups in which age bands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kpis import counts
from kpis.area import Area
from kpis.counts import SEXES, FloatArray
from kpis.indicator import Indicator
from kpis.length_of_stay import in_period
from kpis.overlap import disjoint_groups
from kpis.period import Period
from kpis.reference import load_codelists
from kpis.release import AGE_BANDS, Release


@dataclass(frozen=True)
class Scope:
    """What is counted of the cube: groups per age band (none = the band does not count)."""

    measure: str
    denominator: str
    by_band: tuple[tuple[str, ...], ...]
    sexes: slice

    @property
    def groups(self) -> dict[str, list[int]]:
        """Group → positions of the age bands in which it counts."""
        found: dict[str, list[int]] = {}
        for band, groups in enumerate(self.by_band):
            for group in groups:
                found.setdefault(group, []).append(band)
        return found


def single_scope(indicator: Indicator) -> Scope:
    """What one indicator counts."""
    counted = range(len(AGE_BANDS))[indicator.population.bands]
    by_band = tuple(indicator.counted_groups if band in counted else () for band in range(len(AGE_BANDS)))
    return Scope(indicator.numerator.measure, indicator.denominator.measure, by_band, indicator.population.sexes)


def union_scope(release: Release, indicators: Sequence[Indicator], period: Period) -> tuple[Scope, tuple[str, ...]]:
    """What several indicators of acute admissions count together, no diagnosis twice.

    Of each age band the groups that any of them counts there, largest first. Also the ids of groups that were left out
    because they overlap with another in part.
    """
    known = {group.group_id: group for codelist in load_codelists() for group in codelist.groups}
    scopes = [single_scope(indicator) for indicator in indicators]
    wanted = {group for scope in scopes for group in scope.groups}
    size = {group: int(in_period(release, counts.cube(release, "n_acute", (group,)), period).sum()) for group in wanted}
    by_band: list[tuple[str, ...]] = []
    left_out: set[str] = set()
    for band in range(len(AGE_BANDS)):
        here = sorted({group for scope in scopes for group in scope.by_band[band]}, key=lambda g: (-size[g], g))
        disjoint = disjoint_groups([known[group] for group in here])
        by_band.append(disjoint.kept)
        left_out.update(disjoint.partly_covered)
    return Scope("n_acute", "person_years", tuple(by_band), slice(0, len(SEXES))), tuple(sorted(left_out))


def by_age_and_sex(
    release: Release, scope: Scope, measure: str, municipalities: Sequence[Area], period: Period
) -> FloatArray:
    """[municipalities, sexes × age bands] of a measure in the scope over the period; persons are person-years."""
    position = counts.municipalities(release)
    rows = [position[area.code] for area in municipalities]
    total = np.zeros((len(rows), len(SEXES), len(AGE_BANDS)))
    if measure == "person_years":
        counted = [i for i, groups in enumerate(scope.by_band) if groups]
        total[:, :, counted] = in_period(release, counts.population(release, measure), period)[rows][:, :, counted] / 12
    else:
        for groups in set(scope.by_band) - {()}:
            bands = [band for band, here in enumerate(scope.by_band) if here == groups]
            total[:, :, bands] = in_period(release, counts.cube(release, measure, groups), period)[rows][:, :, bands]
    return total[:, scope.sexes].reshape(len(rows), -1)

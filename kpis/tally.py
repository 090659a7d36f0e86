"""Adding up: the counts of a release in every cell of areas × periods, split into groups and strata."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kpis import counts
from kpis.counts import BoolArray, IntArray
from kpis.indicator import Count
from kpis.period import months_between
from kpis.query import Query
from kpis.release import Release


@dataclass(frozen=True)
class Grid:
    """Areas × periods of a query as positions in the arrays of `kpis.counts`."""

    members: IntArray  # municipalities of all areas, one area after the other
    area_starts: IntArray  # where each area begins in `members`
    starts: IntArray  # [periods] first month of the period
    stops: IntArray  # [periods] month after its last one; equal to `starts` where the period is outside
    is_outside: BoolArray  # [periods] reaches out of the months of the release

    @classmethod
    def of(cls, release: Release, query: Query) -> "Grid":
        """The grid of a query in a release."""
        position = counts.municipalities(release)
        months = counts.months(release)
        sizes = [len(area.municipalities) for area in query.areas]
        starts = np.array([months_between(months[0], period.first) for period in query.periods])
        stops = np.array([months_between(months[0], period.last) + 1 for period in query.periods])
        is_outside = (starts < 0) | (stops > len(months))
        return cls(
            members=np.array([position[code] for area in query.areas for code in area.municipalities]),
            area_starts=np.cumsum([0, *sizes[:-1]]),
            starts=np.where(is_outside, 0, starts),
            stops=np.where(is_outside, 0, stops),
            is_outside=is_outside,
        )

    def total(self, summed: IntArray) -> IntArray:
        """[areas, periods, …] of an array [months + 1, municipalities, …] that is summed up over months."""
        in_period = summed[self.stops] - summed[self.starts]
        in_area = np.add.reduceat(in_period[:, self.members], self.area_starts, axis=1, dtype=np.int64)
        return in_area.swapaxes(0, 1)


def tally(release: Release, query: Query, grid: Grid, count: Count) -> npt.NDArray[Any]:
    """[areas, periods, groups, strata]: a count in every cell, split into strata that add up to it.

    Strata are age and sex as far as they are not groups, or the categories of a monthly measure. The population has
    one group where diagnosis groups are asked for, because it is the same for all of them. Persons are person-years
    (or person-days). Goals are not counted but evaluated: see `kpis.evaluate`.
    """
    indicator, measure = query.indicator, count.definition
    match measure.table:
        case "municipality_month":
            monthly = [counts.monthly(release, measure.name, category) for category in count.categories or (None,)]
            return np.stack([grid.total(array) for array in monthly], axis=-1)[:, :, None, :]
        case "welfare":
            return grid.total(counts.yearly(release, measure))[:, :, None, None]
        case "population":
            dense = [counts.population(release, measure.name)]
        case _ if query.by == "group":
            dense = [counts.cube(release, measure.name, (group,)) for group in indicator.group_ids]
        case _:
            dense = [counts.cube(release, measure.name, indicator.counted_groups)]
    people = np.s_[:, :, indicator.population.sexes, indicator.population.bands]
    total = into_strata(query, np.stack([grid.total(array[people]) for array in dense], axis=2))
    if indicator.left_out_ids:  # rounded by itself, so that it may be more than the whole in the smallest cells
        total = np.where(total.sum(axis=-1, keepdims=True) < 0, 0, total)
    return total / 12 if measure.name == "person_years" else total  # a month of a person is a twelfth of a year


def into_strata(query: Query, by_people: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[…, groups, strata] of an array […, diagnosis groups, sexes, age bands]."""
    match query.by:
        case "age":
            return by_people[..., 0, :, :].swapaxes(-1, -2)
        case "sex":
            return by_people[..., 0, :, :]
        case _:
            return by_people.reshape(*by_people.shape[:-2], -1)

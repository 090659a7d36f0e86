"""What the rounding of published counts adds to the uncertainty of a query's estimates, or of a scope's counts.

Where the numbers come from stands in `kpis.protection`.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kpis import protection
from kpis.counts import SEXES, FloatArray
from kpis.indicator import Count, load_indicators
from kpis.period import Period
from kpis.query import Query
from kpis.reference import load_codelists
from kpis.release import AGE_BANDS, Release
from kpis.scope import Scope
from kpis.tally import Grid, tally


class Noise(NamedTuple):
    """Error variance of numerator and denominator by rounding, in events², [areas, periods, groups]."""

    numerator: FloatArray
    denominator: FloatArray


def rounding_noise(release: Release, query: Query) -> Noise:
    """How far the counts of a query's estimates may lie from the true ones."""
    grid = Grid.of(release, query)
    counted = (query.indicator.numerator, query.indicator.denominator)
    if any(count.definition.table == "goal" for count in counted):
        nothing = np.zeros((len(query.areas), len(query.periods), len(query.groups)))
        return Noise(nothing, nothing)
    return noise_of(release, query, *(tally(release, query, grid, count) for count in counted))


def noise_of(release: Release, query: Query, numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> Noise:
    """The same for counts [areas, periods, groups, strata] that are there already."""
    counted = (query.indicator.numerator, numerator), (query.indicator.denominator, denominator)
    return Noise(*(_error_variance(release, query, count, total.sum(axis=-1)) for count, total in counted))


def _error_variance(release: Release, query: Query, count: Count, total: npt.NDArray[Any]) -> FloatArray:
    if protection.chain_variance(release) == 0 or not protection.is_rounded(count.definition):
        return np.zeros(total.shape)
    municipalities = np.array([len(area.municipalities) for area in query.areas])
    runs = [_runs(query, count, period) for period in query.periods]
    return protection.rounding_variance(release, np.multiply.outer(municipalities, runs)[:, :, None], total)


def _runs(query: Query, count: Count, period: Period) -> int:
    """Runs of rounding that one municipality's count touches in a period."""
    indicator, measure = query.indicator, count.definition
    if measure.table == "municipality_month":
        return protection.monthly_runs(measure, len(count.categories) or 1, period)
    groups = 1 if query.by == "group" else len(indicator.group_ids)
    bands = range(len(AGE_BANDS))[indicator.population.bands]
    sexes = 1 if query.by == "sex" or indicator.population.sex else 2
    if query.by == "age":
        bands = bands[:1]  # a single band has the same runs whichever it is
    # What is left out is rounded by itself.
    return sum(protection.cube_runs(bands, sexes, period, n) for n in (groups, len(indicator.left_out_ids)) if n)


def scope_runs(scope: Scope, period: Period) -> int:
    """Runs of rounding that what a scope counts in one municipality touches in a period.

    The groups that an indicator adds up are balanced together where all of them are counted, the longest list first;
    what is left is balanced group by group. Groups with the same codes are one figure, whichever list they stand in.
    """
    codes = {
        group.group_id: (group.prefixes, group.excluded_prefixes)
        for codelist in load_codelists()
        for group in codelist.groups
    }
    left = [{codes.get(name, name) for name in groups} for groups in scope.by_band]
    known = load_indicators().values()
    added_up = {frozenset(codes.get(name, name) for name in one.group_ids) for one in known}
    added_up |= {frozenset(f"-{name}" for name in one.left_out_ids) for one in known if one.left_out_ids}
    singles = {frozenset([group]) for groups in left for group in groups}
    sexes = len(range(*scope.sexes.indices(len(SEXES))))
    runs = 0
    for together in sorted(added_up | singles, key=lambda groups: (-len(groups), sorted(map(str, groups)))):
        bands = [band for band, groups in enumerate(left) if together <= groups]
        runs += protection.cube_runs(bands, sexes, period, len(together))
        left = [groups - together if band in bands else groups for band, groups in enumerate(left)]
    return runs

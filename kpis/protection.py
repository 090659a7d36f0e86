"""How far published counts lie from the true ones: the error variance of the rounding, for intervals and limits.

Published counts are rounded so that the sums that are shown come out right (`etl.balance`). The error of such a sum –
a diagnosis group, or the groups of an indicator, in an age class of a municipality, over whole quarters or years – has
the variance `chain_variance` (events², manifest `protection`), about the same for a hundred events as for a thousand.
That is one *run*. Sums that are not balanced by themselves, such as one sex or one age band, err as much as several
runs; how many was measured on the demo country (tests/kpis/test_protection.py holds it). A cell that is truly empty
stays zero, so that hardly more runs than events can be off: the variance of a count O that is worth k runs is
chain_variance × min(k, O + 1). The one more is for what a published zero may hide.

Releases without protection, or without these words in the manifest, have variance 0.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike

from kpis.counts import FloatArray
from kpis.indicator import Measure
from kpis.period import Period
from kpis.release import AGE_BANDS, Release

CLASSES = (0, 18, 65)
"""Lower ends of the age classes of which sums are balanced, in years."""
EXACT = ("place_days_normed", "place_days_available", "days_reported", "days_over_capacity")
"""Counts of operation, which tell nothing of persons and are not rounded."""


def is_rounded(measure: Measure) -> bool:
    """Whether a measure's counts are rounded in a protected release: those that tell of persons."""
    return measure.table in ("cube", "municipality_month") and measure.name not in EXACT


def chain_variance(release: Release) -> float:
    """Error variance of one run, in events²; 0 in a release that is not protected."""
    return float(release.manifest["protection"].get("chain_variance", 0))


def rounding_variance(release: Release, runs: ArrayLike, count: ArrayLike) -> FloatArray:
    """Error variance of published counts that are worth `runs` runs; shapes broadcast, NaN counts stay NaN."""
    touched = np.minimum(np.asarray(runs, dtype=float), np.asarray(count, dtype=float) + 1)
    return chain_variance(release) * touched


def cube_runs(bands: Collection[int], sexes: int, period: Period, groups: int = 1) -> int:
    """Runs that the sum of diagnosis groups of one municipality is worth, for age bands (positions) and 1 or 2 sexes.

    `groups`: how many groups are added up that an indicator adds up as well, so that their sum is balanced; of what
    several indicators add up, see `kpis.rounding.scope_runs`.
    """
    months, years = _months(period), _years(period)
    is_of_quarters = period.first.month % 3 == 1 and months % 3 == 0
    runs = 0
    ends = (*CLASSES[1:], None)
    for start, end in zip(CLASSES, ends, strict=True):
        of_class = {position for position, age in enumerate(AGE_BANDS) if age >= start and (end is None or age < end)}
        chosen = len(of_class & set(bands))
        if chosen == len(of_class) and sexes == 2:
            runs += years if is_of_quarters else years + min(groups - 1, 1)
        elif chosen == len(of_class):
            runs += min(groups * min(months, 3 * years), 8 * years)
        elif chosen:
            of_band = min(groups * cell_runs(period), 16 * years)
            runs += of_band * min(chosen, len(of_class) - chosen + 1)
    return runs


def cell_runs(period: Period) -> int:
    """Runs that one diagnosis group in one age band of a municipality is worth, one sex or both."""
    return min(_months(period), 5 * _years(period))


def monthly_runs(measure: Measure, categories: int, period: Period) -> int:
    """Runs that a measure of municipality_month is worth for one municipality: one a year and category."""
    return categories * _years(period) if is_rounded(measure) else 0


def _years(period: Period) -> int:
    return period.last.year - period.first.year + 1


def _months(period: Period) -> int:
    return (period.last.year - period.first.year) * 12 + period.last.month - period.first.month + 1

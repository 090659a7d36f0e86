"""How far published counts lie from the true ones: the error variance of the rounding, for intervals and limits.

Published counts are rounded in chains (manifest `protection.chain`): within a diagnosis group, municipality, age
class and calendar year the cells are ordered by month, sex and age, and the sum of any run of neighbouring cells is
off by less than the base, with variance `chain_variance` (events²). What an estimate adds up is a number of such runs,
whose errors are independent of each other. A chain of true zeros stays zero, so that no more chains than events can
be off: the variance of a count O that touches k runs is chain_variance × min(k, O).

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
"""Lower ends of the age classes of a chain, in years."""
PARTS = {"n_admission": 2, "n_index": 2}
"""Counts that are published as the sum of two that were rounded apart."""
EXACT = ("place_days_normed", "place_days_available", "days_reported", "days_over_capacity")
"""Counts of operation, which tell nothing of persons and are not rounded."""


def chain_variance(release: Release) -> float:
    """Error variance of one run of a chain, in events²; 0 in a release that is not protected."""
    return float(release.manifest["protection"].get("chain_variance", 0))


def rounding_variance(release: Release, runs: ArrayLike, count: ArrayLike) -> FloatArray:
    """Error variance of published counts that touch `runs` runs of chains; shapes broadcast, NaN counts stay NaN."""
    touched = np.minimum(np.asarray(runs, dtype=float), np.asarray(count, dtype=float))
    return chain_variance(release) * touched


def cube_runs(measure: Measure, bands: Collection[int], sexes: int, period: Period) -> int:
    """Runs that one group of one municipality is cut into by a selection of age bands (positions) and 1 or 2 sexes.

    A whole age class of both sexes is one run a year; a whole class of one sex one run a month; a part of a class one
    run a month and sex.
    """
    runs = 0
    months = _months(period)
    ends = (*CLASSES[1:], None)
    for start, end in zip(CLASSES, ends, strict=True):
        of_class = {position for position, age in enumerate(AGE_BANDS) if age >= start and (end is None or age < end)}
        chosen = of_class & set(bands)
        if chosen == of_class:
            runs += _years(period) if sexes == 2 else months
        elif chosen:
            runs += months * sexes
    return runs * PARTS.get(measure.name, 1)


def monthly_runs(measure: Measure, categories: int, period: Period) -> int:
    """Runs that a measure of municipality_month is cut into for one municipality: one a year and category."""
    return 0 if measure.name in EXACT else categories * _years(period)


def _years(period: Period) -> int:
    return period.last.year - period.first.year + 1


def _months(period: Period) -> int:
    return (period.last.year - period.first.year) * 12 + period.last.month - period.first.month + 1

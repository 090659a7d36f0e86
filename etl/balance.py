"""Rounding by secret thresholds that are chosen so that sums come out right.

Every cell has one threshold d, a whole number from 0 to base − 1, and publishes each of its counts x as

    base · ⌊(x + d) ⁄ base⌋

so that zero stays zero, a count moves by less than the base, what is larger is never published smaller (a part never
exceeds its whole), and what does not change is published the same again. Over all thresholds the mean is x: unbiased.

A threshold need not be known to be used. What was published before leaves a range of thresholds (`lowest` to
`highest`) that all say the same of it; where they differ on what is to be published now, the cell is free. A free
cell's threshold is narrowed by looking at all the sums that the cell is part of (`Margins`) and at a keyed number of
its own: it takes the side that leaves the errors of those sums smallest, taken together and squared. The keyed number
can be as large as half the base, so that every side of every count is possible, alone as well as among others. So each
cell keeps one threshold for good, which is decided as late as possible.

Source: small-count rounding with controlled margins (Langsrud and Heldal 2018, Statistics Norway); the threshold is
what signal processing calls a dither (Schuchman 1964), here kept for good and chosen by coordinate descent.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from etl.remembered import Bytes, unpacked

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

TURNS = 2
"""How often each free cell is looked at: once in order, then again with the others in place."""
FEASIBLE = 3
"""True values that must stay possible for a count whose parts, or whose whole, are published beside it."""


class Cells(NamedTuple):
    """Cells of one table in the order of `segments`. n cells with k counts each, of which all share a threshold.

    `counted` is what is rounded and `true` what sums are to come near; they differ where few persons have many events.
    """

    true: Ints  # [n, k]
    counted: Ints  # [n, k], never above `true`
    month: Ints  # [n] positions
    municipality: Ints
    stratum: Ints
    chance: Floats  # [n] keyed numbers from −½ to ½, most of them near 0; of open cells
    segments: npt.NDArray[np.int64]  # ends: months × levels + 1 positions in the cells; a month may hold none


class Margins(NamedTuple):
    """F families of sums that have to come out right. A cell adds to one sum of each, or to none (position −1)."""

    area: Ints  # [F, municipalities] position of the area
    stratum: Ints  # [F, strata] position of what is added up (a group's age class …), or −1
    period: Ints  # [F, months] position of the period
    weight: Floats  # [F]
    worth: Floats  # [k] of each count beside the others


class Nesting(NamedTuple):
    """Which strata are parts of others at the same place, so that their counts bound each other.

    A stratum is a group at a place; `levels` puts parts before their wholes.
    """

    group: Ints  # [strata]
    place: Ints  # [strata]
    wholes: Ints  # [groups, at most] groups that contain it, filled up with −1
    levels: int


def balance(
    cells: Cells, margins: Margins, nesting: Nesting, lowest: Bytes, highest: Bytes, base: int
) -> tuple[Ints, Bytes, Bytes]:
    """Published counts [n, k], and the thresholds that are left to each cell [n], lowest and highest.

    `lowest` and `highest`: thresholds that what was published before has left.
    """
    margins = margins._replace(period=_renumbered(margins.period, cells.segments, nesting.levels))
    sizes = 1 + np.stack(
        [positions.max(axis=1) for positions in (margins.area, margins.stratum, margins.period)], axis=1
    )
    sizes = sizes.astype(np.int64)
    first = np.concatenate([[0], np.cumsum(sizes.prod(axis=1))])
    lowest, highest = lowest.copy(), highest.copy()
    published = _balance(cells, margins, nesting, sizes, first, lowest, highest, base)
    return published, lowest, highest


@njit(cache=True)
def counted_once(true: Ints, persons: Ints, threshold: int) -> Ints:
    """Counts [n, k] of `true` in which, of fewer persons [n] than `threshold`, each one counts at most once."""
    counted = np.empty_like(true)
    for row in range(len(true)):
        for j in range(true.shape[1]):
            counted[row, j] = _once(true[row, j], persons[row], threshold)
    return counted


def by_lowest(
    true: tuple[Ints, ...], persons: Ints, threshold: int, left: Bytes, at: tuple[Ints, Ints, Ints], base: int
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Counts [k, n] as each cell's lowest threshold publishes them, and [n] where the highest would not: free cells.

    One pass over millions of cells. `true`: k counts [n], which count as `counted_once` says; `left`: as in
    `etl.remembered.Thresholds`; `at`: each cell's positions [n] in it.
    """
    published = np.empty((len(true), len(persons)), np.int32)  # made here, where NumPy asks for large pages
    is_free = np.empty(len(persons), np.bool_)
    _by_lowest(true, persons, threshold, left, at, base, published, is_free)
    return published, is_free


@njit(cache=True)
def _by_lowest(true, persons, threshold, left, at, base, published, is_free):  # type: ignore[no-untyped-def]
    for row in range(len(persons)):
        low, high = unpacked(left[at[0][row], at[1][row], at[2][row]])
        differs = False
        for j in range(len(true)):
            count = _once(true[j][row], persons[row], threshold)
            rest = count % base if count >= base else count  # most counts are small, and dividing is slow
            published[j, row] = _rounded(count, rest, low, base)
            differs |= (rest + low >= base) != (rest + high >= base)
        is_free[row] = differs


def months_to_balance(month: npt.NDArray[np.integer], margins: Margins) -> npt.NDArray[np.bool_]:
    """Which months lie in a period with a free cell; `month` has the positions of those with one.

    Sums of all other months hold no free cell, so that there is nothing to choose.
    """
    found = np.zeros(margins.period.shape[1], bool)
    for periods in np.unique(margins.period, axis=0):
        found |= np.isin(periods, periods[month])
    return found


def _renumbered(period: Ints, segments: npt.NDArray[np.int64], levels: int) -> Ints:
    """Periods [F, months] numbered anew, only those of months that hold cells: of few months few sums lie together."""
    is_held = np.diff(segments).reshape(-1, levels).any(axis=1)
    found = np.zeros_like(period)
    for positions, of_family in zip(found, period, strict=True):
        positions[is_held] = np.unique(of_family[is_held], return_inverse=True)[1]
    return found


@njit(cache=True)
def _balance(cells, margins, nesting, sizes, first, lowest, highest, base):  # type: ignore[no-untyped-def]
    n, k = cells.true.shape
    levels = nesting.levels
    error = np.zeros((first[-1], k), np.int32)  # of each sum, published minus true
    n_places, n_groups = nesting.place.max() + 1, len(nesting.wholes)
    at_least = np.zeros((margins.area.shape[1] * n_places, n_groups, k), np.int32)  # what parts tell of their wholes
    published = np.zeros((n, k), np.int32)
    rest = cells.counted % base
    before_low, before_high = lowest.copy(), highest.copy()
    sums, moved, mean_error = np.empty(len(margins.weight), np.int64), np.empty(k, np.int32), np.empty(k)
    free = np.empty(np.diff(cells.segments).max() if len(cells.segments) > 1 else 0, np.int64)  # rows of a segment
    for turn in range(TURNS):
        for segment in range(len(cells.segments) - 1):
            start, stop = cells.segments[segment], cells.segments[segment + 1]
            month = segment // levels
            n_free = 0
            for are_free in (False, True):  # what is decided first, so that the others can make up for it
                for number in range(n_free if are_free else stop - start):
                    row = free[number] if are_free else start + number
                    low, high = int(before_low[row]), int(before_high[row])
                    stratum, municipality = cells.stratum[row], cells.municipality[row]
                    group = nesting.group[stratum]
                    place = municipality * n_places + nesting.place[stratum]
                    for j in range(k):  # a whole leaves room for what is known of its parts, which lie on lower levels
                        needed = at_least[place, group, j] + FEASIBLE - base
                        while low < base - 1 and _rounded(cells.counted[row, j], rest[row, j], low, base) < needed:
                            low += 1
                    high = max(low, high)
                    if not are_free and _differ(rest, row, low, high, base):
                        free[n_free] = row
                        n_free += 1
                        continue
                    if are_free:
                        _find_sums(margins, sizes, first, month, municipality, stratum, sums)
                        low, high = _narrowed(
                            cells, margins, row, rest, low, high, error, sums, mean_error, published, turn, base
                        )
                    lowest[row], highest[row] = low, high
                    is_moved = False
                    for j in range(k):
                        new = _rounded(cells.counted[row, j], rest[row, j], low, base)
                        moved[j] = new - (published[row, j] if turn > 0 else cells.true[row, j])
                        published[row, j] = new
                        is_moved |= moved[j] != 0
                    if is_moved:
                        if not are_free:
                            _find_sums(margins, sizes, first, month, municipality, stratum, sums)
                        for f in range(len(sums)):
                            if sums[f] >= 0:
                                for j in range(k):
                                    error[sums[f], j] += moved[j]
                    for j in range(k):
                        known = published[row, j] - base + 1
                        if known > 0:
                            for whole in nesting.wholes[group]:
                                if whole >= 0:
                                    at_least[municipality * n_places + nesting.place[stratum], whole, j] += known
            if (segment + 1) % levels == 0:
                at_least[:] = 0
    return published


@njit(cache=True, inline="always")
def _find_sums(margins, sizes, first, month, municipality, stratum, sums):  # type: ignore[no-untyped-def]
    """Positions among all errors of the sums that a cell is part of; −1 where a family does not count it."""
    for f in range(len(sums)):
        kind = margins.stratum[f, stratum]
        area = margins.period[f, month] * sizes[f, 0] + margins.area[f, municipality]
        sums[f] = first[f] + area * sizes[f, 1] + kind if kind >= 0 else -1


@njit(cache=True, inline="always")
def _narrowed(cells, margins, row, rest, low, high, error, sums, mean_error, published, turn, base):  # type: ignore[no-untyped-def]
    """The thresholds from `low` to `high` that leave the weighted squared errors of a cell's sums smallest.

    They all publish the same. From the second turn on the sums hold the cell's own error already.
    """
    k = cells.true.shape[1]
    mean_error[:] = 0
    weight = 0.0
    for f in range(len(sums)):
        if sums[f] >= 0:
            weight += margins.weight[f]
            for j in range(k):
                mean_error[j] += margins.weight[f] * error[sums[f], j]
    for j in range(k):
        mean_error[j] = mean_error[j] / weight + base * cells.chance[row]
        if turn > 0:
            mean_error[j] -= published[row, j] - cells.true[row, j]
    best, chosen = np.inf, low
    for d in range(low, high + 1):
        cost = 0.0
        for j in range(k):
            if cells.counted[row, j] > 0:
                off = _rounded(cells.counted[row, j], rest[row, j], d, base) - cells.true[row, j]
                cost += margins.worth[j] * off * (2 * mean_error[j] + off)
        if cost < best:
            best, chosen = cost, d
    for j in range(k):
        if rest[row, j] + chosen >= base:
            low = max(low, base - rest[row, j])
        else:
            high = min(high, base - 1 - rest[row, j])
    return low, high


@njit(cache=True, inline="always")
def _once(count, persons, threshold):  # type: ignore[no-untyped-def]
    return min(count, persons) if persons < threshold else count


@njit(cache=True, inline="always")
def _rounded(count, rest, threshold, base):  # type: ignore[no-untyped-def]
    """base · ⌊(count + threshold) ⁄ base⌋, without dividing again; `rest` is that of count ⁄ base."""
    return count - rest + (base if rest + threshold >= base else 0)


@njit(cache=True, inline="always")
def _differ(rest, row, low, high, base):  # type: ignore[no-untyped-def]
    """Whether thresholds `low` and `high` publish a cell differently; `rest` is what dividing its counts leaves."""
    found = False
    for j in range(rest.shape[1]):
        found |= (rest[row, j] + low >= base) != (rest[row, j] + high >= base)
    return found

"""Somebody who knows the method, the base and all that is published – and not the key.

What he knows becomes linear constraints on the true counts: an interval for every figure, what is part of what, totals
that others publish exactly, and how accurate the release says it is. A true count is *determined* when its least and its
largest feasible value are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import lsqr

SLACK = 1e-6


@dataclass
class Knowledge:
    """Linear constraints on `n` unknown counts."""

    n: int
    low: np.ndarray = field(init=False)
    high: np.ndarray = field(init=False)
    _rows: list[dict[int, float]] = field(default_factory=list)
    _at_most: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.low, self.high = np.zeros(self.n), np.full(self.n, np.inf)

    def cell(self, at: int, low: float, high: float) -> None:
        """One count lies in a range."""
        self.low[at], self.high[at] = max(self.low[at], low), min(self.high[at], high)

    def at_most(self, terms: dict[int, float], limit: float) -> None:
        """A sum of counts, each with its factor, is at most `limit`."""
        self._rows.append(terms)
        self._at_most.append(limit)

    def total(self, cells: Sequence[int], low: float, high: float) -> None:
        """A figure: the sum of some counts lies in a range."""
        self.at_most(dict.fromkeys(cells, 1.0), high)
        self.at_most(dict.fromkeys(cells, -1.0), -low)

    def feasible(self, at: int) -> tuple[int, int]:
        """Least and largest whole number that a count may be, by linear programming."""
        if not hasattr(self, "_matrix"):
            row = np.repeat(np.arange(len(self._rows)), [len(terms) for terms in self._rows])
            column = [at for terms in self._rows for at in terms]
            value = [factor for terms in self._rows for factor in terms.values()]
            self._matrix = csr_matrix((value, (row, column)), shape=(len(self._rows), self.n))
        wanted = np.zeros(self.n)
        ends = []
        for sign in (1, -1):
            wanted[at] = sign
            constraints = {"A_ub": self._matrix, "b_ub": np.array(self._at_most)} if self._rows else {}
            found = linprog(wanted, **constraints, bounds=np.stack([self.low, self.high], axis=1), method="highs")
            assert found.status == 0, found.message  # what he knows is true, so it can be met
            ends.append(sign * found.fun)
        return int(np.ceil(ends[0] - SLACK)), int(np.floor(ends[1] + SLACK))


def by_least_squares(filters: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Counts that fit the answers to many free filters best; filters [n, cells] of 0 and 1."""
    return lsqr(csr_matrix(filters), answers, atol=1e-10, btol=1e-10, iter_lim=4000)[0]


def feasible_over_releases(published: np.ndarray, base: int, added: np.ndarray | None = None) -> np.ndarray:
    """How many values the newest true count of each cell may have had, [cells]; `published` [releases, cells].

    He knows that contacts are only ever added, and that a figure moves only where its count does. With `added`
    [releases, cells] he even knows how many came to each cell since the first release.
    """
    low, high = np.maximum(published - base + 1, 0), published + base - 1
    if added is not None:
        low, high = (low - added).max(axis=0).clip(0), (high - added).min(axis=0)
        return high - low + 1
    moved = np.vstack([np.zeros_like(published[:1]), np.diff(published, axis=0) != 0])
    least = low[0]
    for step in range(1, len(published)):
        least = np.maximum(low[step], least + moved[step])
    return high[-1] - least + 1

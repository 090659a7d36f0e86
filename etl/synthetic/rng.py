"""Random numbers that depend on the seed and on what they are for, never on the order in which they are drawn."""

import zlib

import numpy as np


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """The generator of one purpose ("people", 1084): a change in one part of the country leaves the others alone."""
    return np.random.default_rng([seed, *(zlib.crc32(str(part).encode()) for part in purpose)])


def pick(cumulative: np.ndarray, uniform: np.ndarray, row: np.ndarray | None = None) -> np.ndarray:
    """Draw one column per uniform number, with weights that are summed up along the columns of `cumulative`.

    Args:
        cumulative: running sums of weights, one row per distribution, or a single row.
        uniform: numbers in [0, 1), one per draw.
        row: which distribution each draw comes from; None = the only one.

    One binary search in the flattened table serves all rows: row r occupies the values from r to r + 1.
    """
    table = np.atleast_2d(cumulative)
    total = np.maximum(table[:, -1:], np.finfo(float).tiny)
    flat = (table / total + np.arange(len(table))[:, None]).ravel()
    rows = np.zeros(len(uniform), dtype=np.int64) if row is None else row.astype(np.int64)
    # Rounding at the upper edge of a row must not lead into the next one.
    found = np.searchsorted(flat, rows + uniform, side="right") - rows * table.shape[1]
    return np.minimum(found, table.shape[1] - 1)


def lognormal_one(rng: np.random.Generator, sd: float, size: int) -> np.ndarray:
    """Lognormal factors with mean one; `sd` is that of the logarithm."""
    return np.exp(sd * rng.standard_normal(size) - sd * sd / 2)

"""Axes of the drawings: from values to places, and the round numbers to write along them."""

from dataclasses import dataclass
from math import ceil, floor, log10

_NOTHING = 1e-6  # a span that is only the noise of arithmetic


@dataclass(frozen=True)
class Scale:
    """Linear from the values ``low``–``high`` to the places ``start``–``stop``; ``low`` < ``high``."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Return the place of ``value``, held within the axis."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.stop - self.start)


def ticks(low: float, high: float, about: int = 5) -> tuple[list[float], int]:
    """Return round numbers that span ``low``–``high``, the first at or below and the last at or above it.

    With them the number of decimals that they need. A span of nothing is widened.
    """
    if high - low < _NOTHING:
        low, high = (low - 1.0, high + 1.0) if low else (0.0, 1.0)
    raw = (high - low) / max(about - 1, 1)
    size = 10.0 ** floor(log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    digits = next(places for places in range(9) if abs(step * 10**places - round(step * 10**places)) < 1e-6)
    return [round(number * step, 9) for number in range(first, last + 1)], digits

"""One area's months as a small line: limits, level, signals, and a tail that looks as provisional as it is."""

from collections.abc import Callable, Sequence
from datetime import date
from itertools import groupby
from typing import Any

import polars as pl

from dashboard.figures.svg import area, dot, drawing, line, ornament, path, text
from dashboard.words import Words
from kpis.period import breaks_within, months_between

_WIDTH, _HEIGHT = 200.0, 50.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 4.0, 196.0, 4.0, 34.0
_MARKS = {
    "improvement": "d-signal-good",
    "concern": "d-signal",
    "rise": "d-signal-neutral",
    "fall": "d-signal-neutral",
}
SIGNALS = tuple(_MARKS)

Month = dict[str, Any]


def sparkline(months: pl.DataFrame, label: str, words: Words) -> str:
    """Draw ``months`` (one row a month, oldest first; columns as of ``dashboard.readings.area_process``).

    A month without a value and a break in the data interrupt the line; two months at least have a value.
    ``label`` is what is read aloud.
    """
    rows = list(months.drop_nulls("adjusted").iter_rows(named=True))
    first, last = months["month"][0], months["month"][-1]
    span = months_between(first, last)
    edges = [row[name] for row in rows for name in ("adjusted", "lower_limit", "upper_limit") if row[name] is not None]
    low, high = min(edges), max(edges)

    def x(month: date) -> float:
        return _LEFT + months_between(first, month) / span * (_RIGHT - _LEFT)

    def y(value: float) -> float:
        return _BOTTOM - (value - low) / (high - low or 1) * (_BOTTOM - _TOP)

    def at(row: Month, name: str = "adjusted") -> tuple[float, float]:
        return x(row["month"]), y(row[name])

    parts = []
    for _, group in groupby((row for row in rows if row["centre"] is not None), lambda row: row["centre"]):
        phase = list(group)
        limited = [row for row in phase if row["upper_limit"] is not None]  # a month of few people has none
        upper, lower = ([at(row, name) for row in limited] for name in ("upper_limit", "lower_limit"))
        parts += [
            area(upper + lower[::-1], "d-limits"),
            path([at(phase[0], "centre"), at(phase[-1], "centre")], "d-mean"),
        ]
    parts += [line(x(item.month), _TOP, x(item.month), _BOTTOM, "d-break") for item in breaks_within(first, last)]
    parts += stretches(rows, first, at)
    parts += [dot(*at(row), 2.4, _MARKS[row["signal"]]) for row in rows if row["signal"] in _MARKS]
    parts += [dot(*at(row), 3, "d-last") for row in [row for row in rows if not row["is_provisional"]][-1:]]
    parts.append(text(_LEFT - 2, _HEIGHT - 3, words.short_month(first), "d-text"))
    parts.append(text(_RIGHT + 2, _HEIGHT - 3, words.short_month(last), "d-text", "end"))
    return drawing(_WIDTH, _HEIGHT, label, parts)


def sparkline_key(kind: str) -> str:
    """Draw one mark of the sparkline for the legend: limits, tail, or a signal (improvement, concern, rise, fall)."""
    if kind in _MARKS:
        return ornament(28, 20, [dot(14, 10, 4, _MARKS[kind])])
    marks = {
        "limits": [area([(0, 3), (28, 3), (28, 17), (0, 17)], "d-limits"), line(0, 10, 28, 10, "d-mean")],
        "tail": [path([(0, 10), (28, 10)], "d-tail")],
    }
    return ornament(28, 20, marks[kind])


def stretches(rows: Sequence[Month], first: date, at: Callable[[Month], tuple[float, float]]) -> list[str]:
    """Return the line through months, broken where :func:`unbroken` says, and dotted where they are provisional."""
    parts = []
    for _, run in groupby(enumerate(rows), lambda pair: unbroken(pair[0], pair[1], first)):
        stretch = [row for _, row in run]
        sure = [row for row in stretch if not row["is_provisional"]]
        tail = [row for row in stretch if row["is_provisional"]]
        parts.append(path([at(row) for row in sure], "d-line"))
        if tail:
            parts.append(path([at(row) for row in sure[-1:] + tail], "d-tail"))
    return parts


def unbroken(position: int, row: Month, first: date) -> tuple[int, int]:
    """Return a key: rows with the same one follow each other month by month on the same side of every break."""
    return months_between(first, row["month"]) - position, len(breaks_within(first, row["month"]))

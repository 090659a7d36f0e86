"""Areas by size with their intervals: many side by side as a caterpillar, few under each other with their names."""

from collections.abc import Collection
from math import ceil
from typing import Any

import numpy as np
import polars as pl

from dashboard.figures.scale import Scale, ticks
from dashboard.figures.svg import NARROW, WALL, WIDE, dot, drawing, line, marker, ornament, path, text
from dashboard.words import Words

NAMED_UP_TO, NAMED_ON_A_WALL = 30, 11
"""So many areas still get a line and a name each; more are drawn side by side."""
_STEPS = 6  # on the axis of many areas, about
_ROW = 30.0
_ROOM_FOR_A_NAME, _LETTER = 150.0, 7.4  # the second is the mean width of a letter
_HEIGHT = {WIDE: 350.0, NARROW: 330.0, WALL: 320.0}
_RADIUS = {"own": 6.5, "group": 4.5, "others": 3.4}

Row = dict[str, Any]


def caterpillar(
    estimates: pl.DataFrame,
    own: str | None,
    group: Collection[str],
    country: tuple[str, float] | None,
    axis_title: str,
    digits: int,
    label: str,
    words: Words,
    width: int = WIDE,
) -> str:
    """Draw ``estimates`` (rows of ESTIMATES, one an area; one at least has a value) by rising value.

    ``own`` and ``group`` are codes of the areas that stand out; ``country`` is name and value of the line across.
    Areas without a value are left out: the page names them. ``label`` is what is read aloud.
    """
    shown = list(estimates.drop_nulls("value").sort("value", "area_name").iter_rows(named=True))
    kinds = ["own" if r["area_code"] == own else "group" if r["area_code"] in group else "others" for r in shown]
    low, high = _span(shown, country)
    draw = _list if len(shown) <= (NAMED_ON_A_WALL if width == WALL else NAMED_UP_TO) else _side_by_side
    return draw(shown, kinds, low, high, country, axis_title, digits, label, words, width)


def has_cut_intervals(estimates: pl.DataFrame, country: tuple[str, float] | None) -> bool:
    """Return whether an interval goes on above the axis, which then ends in an arrow."""
    shown = list(estimates.drop_nulls("value").iter_rows(named=True))
    if len(shown) <= NAMED_UP_TO:
        return False
    highest = ticks(*_span(shown, country), _STEPS)[0][-1]
    return any(row["upper"] is not None and row["upper"] > highest for row in shown)


def mark_key(kind: str) -> str:
    """Draw one mark of the figure for the legend: own, group, others, country, or beyond for a cut interval."""
    if kind == "country":
        return ornament(28, 20, [line(0, 10, 28, 10, "d-across")])
    if kind == "beyond":
        return ornament(28, 20, [marker("triangle", 14, 10, 4, "d-beyond")])
    return ornament(28, 20, [line(2, 10, 26, 10, f"d-span-{kind}"), dot(14, 10, _RADIUS[kind], f"d-at-{kind}")])


def told(row: Row, digits: int, words: Words) -> str:
    """Return name, value and interval of a row, as they are read when a mark is pointed at."""
    value = words.number(row["value"], digits)
    if row["lower"] is None:
        return f"{row['area_name']}: {value}"
    return f"{row['area_name']}: {value} ({words.interval(row['lower'], row['upper'], digits)})"


def _side_by_side(
    shown: list[Row],
    kinds: list[str],
    low: float,
    high: float,
    country: tuple[str, float] | None,
    axis_title: str,
    digits: int,
    label: str,
    words: Words,
    width: int,
) -> str:
    is_wide, height = width != NARROW, _HEIGHT[width]
    steps, tick_digits = ticks(low, high, _STEPS)
    written = [words.number(step, tick_digits) for step in steps]
    left, right = 14 + 7.4 * max(map(len, written)), width - (110.0 if is_wide else 8.0)
    top, bottom = 44.0, height - (28.0 if width == WALL else 12.0)
    x = Scale(-1, len(shown), left, right)
    y = Scale(steps[0], steps[-1], bottom, top)
    parts = [text(0, 14, axis_title, "d-label")]
    for step, number in zip(steps, written, strict=True):
        parts += [line(left, y(step), right, y(step), "d-axis"), text(left - 8, y(step) + 4, number, "d-label", "end")]
    for kind in ("others", "group", "own"):  # what stands out lies on top
        for place, (row, its) in enumerate(zip(shown, kinds, strict=True)):
            if its != kind:
                continue
            if row["lower"] is not None:
                end = max(y(row["upper"]), y.stop)
                parts.append(line(x(place), y(row["lower"]), x(place), end, f"d-span-{kind}"))
                if row["upper"] > steps[-1]:  # it goes on: the axis ends before it
                    parts.append(marker("triangle", x(place), end - 4, 4, "d-beyond", told(row, digits, words)))
            radius = _RADIUS[kind] * (1.0 if is_wide else 0.7)
            parts.append(dot(x(place), y(row["value"]), radius, f"d-at-{kind}", told(row, digits, words)))
    if country:
        name, value = country
        parts.append(line(left, y(value), right, y(value), "d-across"))
        number = words.number(value, digits)
        parts += (
            [
                text(right + 8, y(value) - 2, name, "d-label-ink"),
                text(right + 8, y(value) + 14, number, "d-label-ink"),
            ]
            if is_wide
            else [text(right, y(value) - 5, f"{name} {number}", "d-label-ink", "end")]
        )
    if "own" in kinds:
        place = kinds.index("own")
        row, is_late = shown[place], place > len(shown) / 2
        start = max(y(row["upper"] if row["upper"] is not None else row["value"]), y.stop)
        parts += [
            path([(x(place), start - 2), (x(place), max(start - 14, top - 12))], "d-lead"),
            text(x(place), max(start - 19, top - 16), row["area_name"], "d-label-own", "end" if is_late else "start"),
        ]
    if width == WALL:  # who cannot point at a mark is told the ends
        parts += _named_ends(shown, kinds, x, y)
    return drawing(width, height, label, parts)


def _named_ends(shown: list[Row], kinds: list[str], x: Scale, y: Scale) -> list[str]:
    """Name the lowest and the highest area, each where there is nothing else; the own area has its name already."""
    first, last = shown[0], shown[-1]

    def beside(name: str, rows: list[Row], end: str) -> list[float]:
        """Return the ends of the intervals that a name lies across, its own first."""
        count = ceil(_LETTER * len(name) / (x(1) - x(0))) + 1
        return [row[end] if row[end] is not None else row["value"] for row in rows[:count]]

    low = min(beside(first["area_name"], shown, "lower"))
    high = max(beside(last["area_name"], shown[::-1], "upper"))
    parts = []
    if kinds[0] != "own":
        parts.append(text(x(0), y(low) + 18, first["area_name"], "d-label-ink"))
    own = x(kinds.index("own")) if "own" in kinds else x.start
    if x(len(shown) - 1) - own > _ROOM_FOR_A_NAME:
        parts.append(text(x(len(shown) - 1), max(y(high), y.stop) - 10, last["area_name"], "d-label-ink", "end"))
    return parts


def _list(
    shown: list[Row],
    kinds: list[str],
    low: float,
    high: float,
    country: tuple[str, float] | None,
    axis_title: str,
    digits: int,
    label: str,
    words: Words,
    width: int,
) -> str:
    is_wide = width != NARROW
    top = 26.0 if country else 6.0
    row_height = _ROW if is_wide else 44.0
    if width == WALL:
        row_height = min(row_height, (_HEIGHT[WALL] - top - 46) / len(shown))
    bottom = top + row_height * len(shown)
    steps, tick_digits = ticks(low, high, 7 if is_wide else 4)
    x = Scale(steps[0], steps[-1], *((250.0, width - 150.0) if is_wide else (10.0, width - 14.0)))
    parts = []
    for step in steps:
        parts += [
            line(x(step), top, x(step), bottom, "d-axis"),
            text(x(step), bottom + 17, words.number(step, tick_digits), "d-label", "middle"),
        ]
    parts.append(text(x.start, bottom + 38, axis_title, "d-label"))
    if country:
        name, value = country
        parts += [
            line(x(value), top, x(value), bottom, "d-across"),
            text(x(value), top - 8, f"{name} {words.number(value, digits)}", "d-label-ink", "middle"),
        ]
    for number, (row, kind) in enumerate(zip(shown, kinds, strict=True)):
        middle = top + row_height * number + (row_height / 2 if is_wide else 31.0)
        cls = "d-label-own" if kind == "own" else "d-label-ink"
        _, _, numbers = told(row, digits, words).partition(": ")
        if is_wide:
            parts += [
                text(238, middle + 4.5, row["area_name"], cls, "end"),
                text(x.stop + 14, middle + 4.5, numbers, "d-label"),
            ]
        else:
            parts += [
                text(0, middle - 13, row["area_name"], cls),
                text(width, middle - 13, numbers, "d-label", "end"),
            ]
        if row["lower"] is not None:
            parts.append(line(x(row["lower"]), middle, x(row["upper"]), middle, f"d-span-{kind}"))
        parts.append(dot(x(row["value"]), middle, _RADIUS[kind] + (kind == "others"), f"d-at-{kind}"))
    return drawing(width, bottom + 46, label, parts)


def _span(shown: list[Row], country: tuple[str, float] | None) -> tuple[float, float]:
    """Ends of the axis: every value, and the intervals of all but the few widest, which end in an arrow.

    One tiny municipality would otherwise squeeze all others into a third of the height.
    """
    values = [row["value"] for row in shown] + ([country[1]] if country else [])
    lower = [row["lower"] for row in shown if row["lower"] is not None]
    upper = [row["upper"] for row in shown if row["upper"] is not None]
    if lower:
        cut = 0.0 if len(shown) <= NAMED_UP_TO else 0.03  # a list has room for every line
        values += [float(np.quantile(lower, cut)), float(np.quantile(upper, 1 - cut))]
    return min(values), max(values)

"""One area's months in full: limits and level of each phase, signals, breaks, interventions and the path to a goal."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

import polars as pl

from dashboard.figures.scale import Scale, ticks
from dashboard.figures.sparkline import stretches
from dashboard.figures.svg import NARROW, WALL, WIDE, area, dot, drawing, line, marker, ornament, path, text
from dashboard.words import Words
from kpis.period import breaks_within, months_between

_HEIGHT = {WIDE: 330, NARROW: 300, WALL: 295}
_LANE, _LETTER = 18.0, 7.4  # height of a line of flags, and mean width of a letter of their names
_MARKS = {
    "improvement": ("diamond", "d-signal-good"),
    "concern": ("triangle", "d-signal"),
    "rise": ("square", "d-signal-neutral"),
    "fall": ("square", "d-signal-neutral"),
}

_DRAWN = ("adjusted", "lower_limit", "upper_limit")

Month = dict[str, Any]


class Flag(NamedTuple):
    """Something that happened: the first day of its month, and its name."""

    month: date
    name: str


class GoalPath(NamedTuple):
    """What a goal asks for in each month from its baseline on, and what to write at its end."""

    months: Sequence[tuple[date, float]]
    label: str


def process(
    months: pl.DataFrame,
    flags: Sequence[Flag],
    goal: GoalPath | None,
    digits: int,
    label: str,
    words: Words,
    width: int = WIDE,
    axis_title: str = "",
) -> str:
    """Draw ``months`` (columns as of ``dashboard.readings.Process``, oldest first; two at least have a value).

    No line, limit or level crosses a break or a month without a value; provisional months are dotted on hatched
    ground. ``label`` is what is read aloud; ``width`` (WIDE, NARROW or WALL) how much room there is.
    ``axis_title`` stands over the axis where there is room for it.
    """
    rows = list(months.iter_rows(named=True))
    drawn = [row for row in rows if row["adjusted"] is not None]
    first, last = rows[0]["month"], rows[-1]["month"]
    is_wide, height = width != NARROW, _HEIGHT[width]
    on_path = [(month, value) for month, value in goal.months if first <= month <= last] if goal else []
    edges = [max(row[name], 0.0) for row in drawn for name in _DRAWN if row[name] is not None]
    edges += [value for _, value in on_path]
    steps, tick_digits = ticks(min(edges), max(edges), 5 if width == WIDE else 4)
    tick_texts = [words.number(step, tick_digits) for step in steps]
    left = 12 + 7.4 * max(map(len, tick_texts))
    x = Scale(0, months_between(first, last) or 1, left, width - (124.0 if is_wide else 12.0))
    placed, lanes = _lanes(flags, first, x, width)
    has_title = is_wide and bool(axis_title)
    top, bottom = 18.0 + _LANE * (lanes + has_title), height - 30.0
    y = Scale(steps[0], steps[-1], bottom, top)

    def at(row: Month, name: str = "adjusted") -> tuple[float, float]:
        return x(months_between(first, row["month"])), y(max(row[name], 0.0))  # nothing that is counted lies below

    parts = [text(0, 13, axis_title, "d-label")] if has_title else []
    for step, written in zip(steps, tick_texts, strict=True):
        parts += [
            line(left, y(step), x.stop, y(step), "d-axis"),
            text(left - 8, y(step) + 4, written, "d-label", "end"),
        ]
    parts += calendar(first, last, x, bottom, width == WIDE, words)
    ground = provisional_ground(rows, x, first, top, bottom, words)
    parts += ground[:1]
    for _, group in groupby((row for row in drawn if row["centre"] is not None), lambda row: row["centre"]):
        phase = list(group)
        limited = [row for row in phase if row["upper_limit"] is not None]  # a month of few people has none
        upper, lower = ([at(row, name) for row in limited] for name in ("upper_limit", "lower_limit"))
        parts += [
            area(upper + lower[::-1], "d-limits-large"),
            path([at(phase[0], "centre"), at(phase[-1], "centre")], "d-centre"),
        ]
    if on_path:
        parts.append(path([(x(months_between(first, month)), y(value)) for month, value in on_path], "d-goal"))
    for item in breaks_within(first, last):
        place = x(months_between(first, item.month) - 0.5)
        parts.append(line(place, top - 6, place, bottom, "d-break-large"))
        parts.append(text(place + 4, top + 6, words(f"break.{item.id}"), "d-label"))
    for flag in placed:
        parts.append(line(flag.place, top - 14 - _LANE * flag.lane, flag.place, bottom, "d-flag"))
    for flag in placed:  # after all lines: a name keeps them off its letters
        over, beside = top - 14 - _LANE * flag.lane, 8 if flag.anchor == "start" else -8
        parts += [
            marker("flag", flag.place, over, 5, "d-flag-mark"),
            text(flag.place + beside, over + 4, flag.name, "d-flag-name", flag.anchor),
        ]
    parts += [*ground[1:], *stretches(drawn, first, at)]  # its word lies on the band
    for row in drawn:
        told = f"{words.month(row['month'])}: {words.number(row['adjusted'], digits)}"
        shape, cls = _MARKS.get(row["signal"], ("dot", "d-hollow" if row["is_provisional"] else "d-point"))
        parts.append(dot(*at(row), 2.6, cls, told) if shape == "dot" else marker(shape, *at(row), 5, cls, told))
    if is_wide:
        parts += _right_labels(drawn, on_path, goal, x.stop, y, digits, words)
    return drawing(width, height, label, parts)


def process_key(kind: str) -> str:
    """Draw one mark for the legend: limits, tail, goal, flag, or a signal (improvement, concern, rise)."""
    marks = {
        "limits": [area([(0, 3), (28, 3), (28, 17), (0, 17)], "d-limits-large"), line(0, 10, 28, 10, "d-centre")],
        "tail": [path([(0, 10), (28, 10)], "d-tail")],
        "goal": [path([(0, 10), (28, 10)], "d-goal")],
        "flag": [line(14, 0, 14, 20, "d-flag"), marker("flag", 14, 6, 5, "d-flag-mark")],
    }
    if kind in _MARKS:
        shape, cls = _MARKS[kind]
        return ornament(28, 20, [marker(shape, 14, 10, 6, cls)])
    return ornament(28, 20, marks[kind])


class _Named(NamedTuple):
    place: float
    lane: int
    name: str
    anchor: str


def _lanes(flags: Sequence[Flag], first: date, x: Scale, width: float) -> tuple[list[_Named], int]:
    """Give each flag its place and a lane where its name touches no other, and count the lanes.

    A name stands to the right where there is room for it, else to the left, else it is cut: the table has all of it.
    """
    placed: list[_Named] = []
    taken: list[list[tuple[float, float]]] = []
    for flag in flags:
        place = x(months_between(first, flag.month))
        right, left = width - place - 8, place - 8
        long = _LETTER * len(flag.name)
        anchor = "start" if long <= right or (long > left and right >= left) else "end"
        room = right if anchor == "start" else left
        name = flag.name if long <= room else flag.name[: int(room / _LETTER) - 1] + "…"
        long = min(long, room) + 16
        span = (place - 6, place + long) if anchor == "start" else (place - long, place + 6)
        lane = next(
            (at for at, spans in enumerate(taken) if all(span[1] < a or b < span[0] for a, b in spans)), len(taken)
        )
        taken += [[]] if lane == len(taken) else []
        taken[lane].append(span)
        placed.append(_Named(place, lane, name, anchor))
    return placed, len(taken)


def calendar(first: date, last: date, x: Scale, bottom: float, is_wide: bool, words: Words) -> list[str]:
    """Return the axis of months from ``first`` to ``last``: every January, and as many others as there is room for."""
    span = months_between(first, last)
    between = next(step for step in (1, 3, 6, 12) if span / step <= (14 if is_wide else 5))
    parts = [line(x.start, bottom, x.stop, bottom, "d-base")]
    for number in range(span + 1):
        index = first.month - 1 + number
        month = date(first.year + index // 12, index % 12 + 1, 1)
        if (month.month - 1) % between:
            continue
        place = x(number)
        written = words.short_month(month) if between < 12 else str(month.year)
        # On a phone there is no margin to write into.
        anchor = "middle" if is_wide else "start" if number == 0 else "end" if number == span else "middle"
        parts += [
            line(place, bottom, place, bottom + 5, "d-base"),
            text(place, bottom + 20, written, "d-label", anchor),
        ]
    return parts


def provisional_ground(rows: list[Month], x: Scale, first: date, top: float, bottom: float, words: Words) -> list[str]:
    """Return the ground under the provisional months of ``rows``, with its word; nothing without any."""
    months = [row["month"] for row in rows if row["is_provisional"]]
    if not months:
        return []
    start, stop = x(months_between(first, months[0]) - 0.5), x(months_between(first, months[-1]))
    told = text(stop, bottom - 6, words("depth.provisional_mark"), "d-label", "end")
    return [area([(start, top), (stop, top), (stop, bottom), (start, bottom)], "d-provisional"), told]


def _right_labels(
    drawn: list[Month],
    on_path: list[tuple[date, float]],
    goal: GoalPath | None,
    right: float,
    y: Scale,
    digits: int,
    words: Words,
) -> list[str]:
    """Name the lines at their ends, one under the other where they would touch."""
    known = [row for row in drawn if row["centre"] is not None]
    wanted = []
    if known:
        told = words("depth.mark_centre", value=words.number(known[-1]["centre"], digits))
        wanted.append((y(known[-1]["centre"]), told, "d-label"))
    if goal and on_path:
        wanted.append((y(on_path[-1][1]), goal.label, "d-label-strong"))
    parts, floor = [], float("-inf")
    for place, told, cls in sorted(wanted):
        floor = max(place, floor + 16)
        parts.append(text(right + 8, floor + 4, told, cls))
    return parts

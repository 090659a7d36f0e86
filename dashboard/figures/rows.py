"""A few named values under each other on one axis, each with its interval and what it is held against."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from dashboard.figures.scale import Scale, ticks
from dashboard.figures.svg import NARROW, WALL, WIDE, dot, drawing, line, ornament, text
from dashboard.words import Words

_ROWS_ON_A_WALL = 250.0  # height of all of them
_LETTERS_OVER_A_ROW = 52  # of a narrow drawing: name and value stand over each other where they are more
_SECOND_LINE = 16.0


class Mark(NamedTuple):
    """One row: its name, a value with limits (None = none), a reference, and the value in words.

    Where there is no value ``told`` says why. A strong row is a total, set apart from the others.
    """

    name: str
    value: float | None
    lower: float | None
    upper: float | None
    reference: float | None
    told: str
    is_strong: bool = False


def rows(
    marks: Sequence[Mark], axis_title: str, label: str, words: Words, width: int = WIDE, at_zero: bool = False
) -> str:
    """Draw ``marks`` from top to bottom; ``at_zero`` begins the axis at zero, or shows zero where values are below it.

    The name stands to the left and the value in words to the right, on a NARROW drawing both stand over the row.
    ``label`` is what is read aloud.
    """
    is_wide = width != NARROW
    row_height, top = (34.0, 8.0) if is_wide else (50.0, 4.0)
    if width == WALL:
        row_height = min(44.0, _ROWS_ON_A_WALL / max(len(marks), 1))
    # what a row is lower than the others where its value stands under its name
    drops = [
        0.0 if is_wide or len(mark.name) + len(mark.told) <= _LETTERS_OVER_A_ROW else _SECOND_LINE for mark in marks
    ]
    *tops, bottom = accumulate((row_height + drop for drop in drops), initial=top)
    height = bottom + 44.0
    edges = [
        edge for mark in marks for edge in (mark.value, mark.lower, mark.upper, mark.reference) if edge is not None
    ]
    edges += [0.0] if at_zero or not edges else []
    steps, digits = ticks(min(edges), max(edges), 6 if is_wide else 4)
    x = Scale(steps[0], steps[-1], *((300.0, width - 190.0) if is_wide else (10.0, width - 14.0)))
    parts = []
    # On a narrow drawing the names stand where lines from top to bottom would run.
    grounds = [(of_row + drop + 25.0, of_row + drop + row_height) for of_row, drop in zip(tops, drops, strict=True)]
    grounds = [(top, bottom)] if is_wide else grounds
    for step in steps:
        ground = "d-base" if at_zero and step == 0 else "d-axis"
        parts += [
            *(line(x(step), begin, x(step), end, ground) for begin, end in grounds),
            text(x(step), bottom + 16, words.number(step, digits), "d-label", "middle"),
        ]
    parts.append(text(x.start, bottom + 36, axis_title, "d-label"))
    for mark, of_row, drop in zip(marks, tops, drops, strict=True):
        middle = of_row + (row_height / 2 if is_wide else 34.0 + drop)
        cls = "d-label-strong" if mark.is_strong else "d-label-ink"
        told = "d-label-strong" if mark.value is not None else "d-label"
        if mark.is_strong and of_row > top:
            parts.append(line(0, of_row, width, of_row, "d-axis"))
        if is_wide:
            parts += [text(288, middle + 4, mark.name, cls, "end"), text(x.stop + 16, middle + 4, mark.told, told)]
        else:
            parts.append(text(0, middle - 14 - drop, mark.name, cls))
            parts.append(text(width, middle - 14, mark.told, told, "end"))
        if mark.reference is not None:
            parts.append(line(x(mark.reference), middle - 9, x(mark.reference), middle + 9, "d-country"))
        if mark.value is None:
            continue
        if mark.lower is not None and mark.upper is not None:
            parts.append(line(x(mark.lower), middle, x(mark.upper), middle, "d-own-interval"))
        parts.append(dot(x(mark.value), middle, 5.5, "d-own", f"{mark.name}: {mark.told}"))
    return drawing(width, height, label, parts)


def rows_key(kind: str) -> str:
    """Draw one mark for the legend: own or reference."""
    marks = {
        "own": [line(3, 10, 25, 10, "d-own-interval"), dot(14, 10, 5.5, "d-own")],
        "reference": [line(14, 1, 14, 19, "d-country")],
    }
    return ornament(28, 20, marks[kind])

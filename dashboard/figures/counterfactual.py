"""What was observed against what is believed to have come without an effort, month by month, from before its start."""

from datetime import date
from itertools import groupby

import polars as pl

from dashboard.figures.process import Month, calendar, provisional_ground
from dashboard.figures.scale import Scale, ticks
from dashboard.figures.sparkline import stretches, unbroken
from dashboard.figures.svg import NARROW, WALL, WIDE, area, dot, drawing, line, marker, ornament, path, text
from dashboard.words import Words
from kpis.period import breaks_within, months_between

_HEIGHT = {WIDE: 360, NARROW: 320, WALL: 290}


def counterfactual(months: pl.DataFrame, start: date, digits: int, label: str, words: Words, width: int = WIDE) -> str:
    """Draw ``months``: rows ``month observed expected lower upper is_provisional``, oldest first.

    ``expected`` is what would have come without the effort, null in months that are not judged; ``lower`` and ``upper``
    are null before ``start`` too, where ``expected`` is what the comparison was fitted to. No line crosses a break;
    provisional months are dotted on a ground of their own. ``label`` is what is read aloud.
    """
    rows = list(months.iter_rows(named=True))
    first, last = rows[0]["month"], rows[-1]["month"]
    is_wide, height = width != NARROW, _HEIGHT[width]
    edges = [row[name] for row in rows for name in ("observed", "expected", "lower", "upper") if row[name] is not None]
    steps, tick_digits = ticks(min(edges), max(edges), 5 if is_wide else 4)
    tick_texts = [words.number(step, tick_digits) for step in steps]
    left = 12 + 7.4 * max(map(len, tick_texts))
    x = Scale(0, months_between(first, last), left, width - (150.0 if is_wide else 12.0))
    top, bottom = 30.0, height - 30.0
    y = Scale(steps[0], steps[-1], bottom, top)

    def at(row: Month, name: str = "observed") -> tuple[float, float]:
        return x(months_between(first, row["month"])), y(row[name])

    parts = []
    for step, written in zip(steps, tick_texts, strict=True):
        parts += [
            line(left, y(step), x.stop, y(step), "d-axis"),
            text(left - 8, y(step) + 4, written, "d-label", "end"),
        ]
    parts += calendar(first, last, x, bottom, width == WIDE, words)
    parts += provisional_ground(rows, x, first, top, bottom, words)
    judged = [row for row in rows if row["expected"] is not None]
    for _, run in groupby(enumerate(judged), lambda pair: unbroken(pair[0], pair[1], first)):
        stretch = [row for _, row in run]
        after = [row for row in stretch if row["lower"] is not None]
        if after:
            band = [at(row, "upper") for row in after] + [at(row, "lower") for row in reversed(after)]
            parts.append(area(band, "d-expected-band"))
        parts.append(path([at(row, "expected") for row in stretch], "d-expected"))
    for item in breaks_within(first, last):
        place = x(months_between(first, item.month) - 0.5)
        parts.append(line(place, top, place, bottom, "d-break-large"))
        parts.append(text(place + 4, bottom - 6, words(f"break.{item.id}"), "d-label"))
    parts += _start(
        x(months_between(first, start) - 0.5), top, bottom, words("effect.mark_start", month=words.month(start)), x
    )
    parts += stretches(rows, first, at)
    for row in rows:
        told = f"{words.month(row['month'])}: {words.number(row['observed'], digits)}"
        if row["expected"] is not None:
            told = words("effect.mark_month", told=told, expected=words.number(row["expected"], digits))
        parts.append(dot(*at(row), 2.6, "d-hollow" if row["is_provisional"] else "d-point", told))
    if is_wide and judged:
        parts += _names(y(rows[-1]["observed"]), y(judged[-1]["expected"]), x.stop + 10, words)
    return drawing(width, height, label, parts)


def counterfactual_key(kind: str) -> str:
    """Draw one mark for the legend: observed, expected, band or tail."""
    marks = {
        "observed": [path([(0, 10), (28, 10)], "d-line"), dot(14, 10, 3, "d-point")],
        "expected": [path([(0, 10), (28, 10)], "d-expected")],
        "band": [area([(0, 3), (28, 3), (28, 17), (0, 17)], "d-expected-band")],
        "tail": [path([(0, 10), (28, 10)], "d-tail"), dot(14, 10, 3, "d-hollow")],
    }
    return ornament(28, 20, marks[kind])


def _start(place: float, top: float, bottom: float, told: str, x: Scale) -> list[str]:
    """Return the line where the effort starts, its name on the side that has more room."""
    is_late = place > (x.start + x.stop) / 2
    return [
        line(place, top - 12, place, bottom, "d-start"),
        marker("flag", place, top - 14, 5, "d-flag-mark"),
        text(place + (-9 if is_late else 9), top - 10, told, "d-flag-name", "end" if is_late else "start"),
    ]


def _names(observed: float, expected: float, left: float, words: Words) -> list[str]:
    """Return the names of the two lines at their ends, apart where they would touch."""
    middle = (observed + expected) / 2
    half = max(abs(observed - expected) / 2, 8.0)
    above = observed < expected
    return [
        text(left, middle + (-half if above else half) + 4, words("effect.line_observed"), "d-label-own"),
        text(left, middle + (half if above else -half) + 4, words("effect.line_expected"), "d-label-ink"),
    ]

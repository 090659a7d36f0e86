"""Small multiples: yearly figures of one area beside each other, all on one time axis and each on its own scale."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from textwrap import wrap

from dashboard.figures.scale import Scale, ticks
from dashboard.figures.svg import WALL, WIDE, area, dot, drawing, line, ornament, text
from dashboard.words import Words
from kpis.period import Period, breaks_within, months_between

_COLUMNS = 4  # on a screen; a phone has one
_HEIGHT, _PLOT = 204.0, 104.0  # of a panel, and of the ground its marks stand on
_GROUND = 64.0  # where that begins, under the name and two lines for the unit
_GAP = 18.0


@dataclass(frozen=True)
class Value:
    """A figure of one period; limits None where the kind has none. Where there is no value, ``told`` says why."""

    period: Period
    value: float | None
    lower: float | None
    upper: float | None
    told: str


@dataclass(frozen=True)
class Panel:
    """One indicator: its years, the country's, and parts of the years where they are known."""

    name: str
    unit: str
    years: Sequence[Value]
    country: Sequence[Value]
    parts: Sequence[Value] = ()


def multiples(
    groups: Sequence[tuple[str, Sequence[Panel]]], first: date, last: date, label: str, words: Words, width: int = WIDE
) -> str:
    """Draw ``groups`` (heading and panels) under each other over the months from ``first`` to ``last``.

    A year is a line as long as the year, with its interval as ground; a part of a year is a hollow dot. No line joins
    two years: what lies between them is not known. ``label`` is what is read aloud.
    """
    columns = _COLUMNS if width == WIDE else 1
    if width == WALL:  # it has room for the first of each group
        groups = [(" · ".join(heading for heading, _ in groups), [panels[0] for _, panels in groups if panels])]
        columns = len(groups[0][1])
    panel_width = (width - _GAP * (columns - 1)) / columns
    parts, top = [], 0.0
    for heading, panels in groups:
        parts += [text(0, top + 16, heading, "d-label-strong"), line(0, top + 24, width, top + 24, "d-axis")]
        top += 34.0
        for number, panel in enumerate(panels):
            left = number % columns * (panel_width + _GAP)
            parts += _panel(panel, left, top + number // columns * _HEIGHT, panel_width, first, last, words)
        top += -(-len(panels) // columns) * _HEIGHT + 8.0
    return drawing(width, top, label, parts)


def _panel(panel: Panel, left: float, top: float, width: float, first: date, last: date, words: Words) -> list[str]:
    shown = [value for value in (*panel.years, *panel.country, *panel.parts) if value.value is not None]
    edges = [edge for value in shown for edge in (value.value, value.lower, value.upper) if edge is not None]
    parts = [text(left, top + 14, panel.name, "d-label-ink")]
    unit = wrap(panel.unit, int(width / 6.2))
    parts += [text(left, top + 30 + 14 * row, told, "d-text") for row, told in enumerate(unit[:2])]
    ceiling, bottom = top + _GROUND, top + _GROUND + _PLOT
    steps, digits = ticks(min(edges), max(edges), 4) if edges else ([], 0)
    written = [words.number(step, digits) for step in steps]
    start = left + 8 + 7.4 * max(map(len, written), default=1)
    x = Scale(0, months_between(first, last) + 1, start, left + width)
    y = Scale(steps[0], steps[-1], bottom, ceiling) if steps else None
    for step, told in zip(steps, written, strict=True):
        assert y is not None, "there are steps, and so there is a scale"
        parts += [
            line(start, y(step), x.stop, y(step), "d-axis"),
            text(start - 6, y(step) + 4, told, "d-text", "end"),
        ]
    for item in breaks_within(first, last):
        at = x(months_between(first, item.month))
        parts.append(line(at, ceiling - 4, at, bottom, "d-break-large"))
    parts += _calendar(first, last, x, bottom)
    if y is None:
        return parts
    return parts + _marks(panel, lambda value: _span(value.period, first, x), y, words)


def _marks(panel: Panel, span: Callable[[Value], tuple[float, float]], y: Scale, words: Words) -> list[str]:
    """Return intervals, parts of years, the country and the years, each over the ones before it."""
    parts = []
    for value in panel.years:
        if value.lower is not None and value.upper is not None:
            begin, end = span(value)
            low, high = y(value.lower), y(value.upper)
            parts.append(area([(begin, high), (end, high), (end, low), (begin, low)], "d-limits-large"))
    for value in panel.parts:
        if value.value is not None:
            parts.append(dot(sum(span(value)) / 2, y(value.value), 2.6, "d-hollow", value.told))
    for value in panel.country:
        if value.value is not None:
            begin, end = span(value)
            parts.append(line(begin, y(value.value), end, y(value.value), "d-across"))
    known = ([y(value.value) for value in years if value.value is not None] for years in (panel.years, panel.country))
    newest = [lines[-1] for lines in known if lines]
    for value in panel.years:
        begin, end = span(value)
        if value.value is None:
            # Away from the lines beside it, which the words are wider than their year and reach into.
            places = (y.start - 6, y.stop + 12, (y.start + y.stop) / 2 + 4)
            at = max(places, key=lambda place: min((abs(place - 4 - line_at) for line_at in newest), default=0.0))
            parts.append(text(end, at, words("welfare.missing_mark"), "d-text", "end"))
        else:
            place = y(value.value)
            parts += [
                line(begin, place, end, place, "d-own-interval"),
                dot((begin + end) / 2, place, 4.5, "d-own", value.told),
            ]
    return parts


def _span(period: Period, first: date, x: Scale) -> tuple[float, float]:
    """Where a period begins and ends; a hair's breadth of it is left free, so that two years do not look like one."""
    begin, end = x(months_between(first, period.first)), x(months_between(first, period.last) + 1)
    return begin + 1.5, end - 1.5  # the scale ends with the data, and so does a year that is not over


def _calendar(first: date, last: date, x: Scale, bottom: float) -> list[str]:
    """Return the axis: a tick at every January, and each year in the middle of its months, if there is room for it."""
    parts = [line(x.start, bottom, x.stop, bottom, "d-base")]
    for year in range(first.year, last.year + 1):
        begin = max(months_between(first, date(year, 1, 1)), 0)
        end = min(months_between(first, date(year, 12, 1)), months_between(first, last)) + 1
        if date(year, 1, 1) > first:
            parts.append(line(x(begin), bottom, x(begin), bottom + 5, "d-base"))
        if x(end) - x(begin) >= 30:
            parts.append(text((x(begin) + x(end)) / 2, bottom + 18, str(year), "d-text", "middle"))
    return parts


def multiples_key(kind: str) -> str:
    """Draw one mark for the legend: year, country or part."""
    marks = {
        "year": [
            area([(0, 4), (28, 4), (28, 16), (0, 16)], "d-limits-large"),
            line(0, 10, 28, 10, "d-own-interval"),
            dot(14, 10, 4.5, "d-own"),
        ],
        "country": [line(0, 10, 28, 10, "d-across")],
        "part": [dot(14, 10, 2.6, "d-hollow")],
    }
    return ornament(28, 20, marks[kind])

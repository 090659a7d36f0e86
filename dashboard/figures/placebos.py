"""The effect that was found among those that the same method finds where nothing was done."""

from collections.abc import Sequence

from dashboard.figures.forest import signed
from dashboard.figures.scale import Scale, ticks
from dashboard.figures.svg import NARROW, WALL, WIDE, area, dot, drawing, line, marker, ornament, text
from dashboard.words import Words

_RADIUS = {WIDE: 5.0, NARROW: 3.4, WALL: 5.0}


def placebos(
    effects: Sequence[float],
    own: float,
    limits: tuple[float, float],
    axis_title: str,
    label: str,
    words: Words,
    width: int = WIDE,
) -> str:
    """Draw one dot for each of ``effects`` (changes in per cent where nothing was done), piled up where they are alike.

    ``own`` is what was found; between ``limits`` lie 95 of 100 of the others. ``label`` is what is read aloud.
    """
    radius = _RADIUS[width]
    edges = [*effects, own, *limits, 0.0]
    steps, digits = ticks(min(edges), max(edges), 8 if width == WIDE else 5)
    x = Scale(steps[0], steps[-1], 14.0, width - 14.0)
    piles = _piles([x(effect) for effect in effects], 2 * radius + 1)
    tallest = max((height for _, height in piles), default=0)
    top = 34.0
    bottom = top + max((tallest + 1) * (2 * radius + 1), 60.0)
    parts = [
        area(
            [(x(limits[0]), top), (x(limits[1]), top), (x(limits[1]), bottom), (x(limits[0]), bottom)],
            "d-expected-band",
        )
    ]
    for step in steps:
        parts += [
            line(x(step), bottom, x(step), bottom + 5, "d-base"),
            text(x(step), bottom + 20, signed(step, digits, words), "d-label", "middle"),
        ]
    parts += [
        line(x.start, bottom, x.stop, bottom, "d-base"),
        line(x(0.0), top, x(0.0), bottom, "d-axis"),
        text(x.start, bottom + 42, axis_title, "d-label"),
    ]
    for place, height in piles:
        parts.append(dot(place, bottom - radius - 1 - height * (2 * radius + 1), radius, "d-at-others"))
    anchor = "start" if x(own) < 130 else "end" if x(own) > width - 130 else "middle"
    parts += [
        line(x(own), top - 8, x(own), bottom, "d-span-own"),
        marker("flag", x(own), top - 10, 6, "d-own"),
        text(x(own), top - 20, words("effect.mark_own", change=signed(own, 1, words)), "d-label-own", anchor),
    ]
    return drawing(width, bottom + 50.0, label, parts)


def placebos_key(kind: str) -> str:
    """Draw one mark for the legend: other, own or spread."""
    marks = {
        "other": [dot(14, 10, 5, "d-at-others")],
        "own": [line(14, 1, 14, 19, "d-span-own")],
        "spread": [area([(0, 3), (28, 3), (28, 17), (0, 17)], "d-expected-band")],
    }
    return ornament(28, 20, marks[kind])


def _piles(places: Sequence[float], size: float) -> list[tuple[float, int]]:
    """Return the middle of the pile of each place and its height in it, from 0; piles are ``size`` wide."""
    taken: dict[int, int] = {}
    found = []
    for place in sorted(places):
        pile = round(place / size)
        height = taken.get(pile, 0)
        taken[pile] = height + 1
        found.append((pile * size, height))
    return found

"""One indicator, all areas of a level on one line: where the own area lies, without a rank."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.figures.scale import Scale
from dashboard.figures.svg import bar, dot, drawing, line, marker, ornament, text
from dashboard.words import Words
from kpis.indicator import Better

_WIDTH, _HEIGHT = 250.0, 46.0
_LEFT, _RIGHT, _MIDDLE = 6.0, 244.0, 18.0


@dataclass(frozen=True)
class Benchmarks:
    """What the areas are held against, in the unit of the strip; None = there is none."""

    country: float | None
    best_fifth: float | None = None  # the level that the best fifth of the municipalities reach
    goal: float | None = None


def strip(
    peers: Iterable[Mapping[str, Any]],
    own: str,
    group: Collection[str],
    against: Benchmarks,
    better: Better,
    digits: int,
    label: str,
    words: Words,
) -> str:
    """Draw the areas of ``peers`` (rows of ESTIMATES, one an area) as marks on a line.

    ``own`` is the code of the area with dot and interval, ``group`` the codes drawn taller. Areas without a value are
    left out, one at least has one; ``label`` is what is read aloud.
    """
    shown = [row for row in peers if row["value"] is not None]
    marks = [row["value"] for row in shown]
    marks += [mark for mark in (against.country, against.best_fifth, against.goal) if mark is not None]
    for row in shown:
        marks += [row["lower"], row["upper"]] if row["area_code"] == own and row["lower"] is not None else []
    low, high = min(marks), max(marks)
    scale = Scale(low, high if high > low else low + 1, _LEFT, _RIGHT)
    parts = [line(_LEFT, _MIDDLE, _RIGHT, _MIDDLE, "d-axis")]
    for row in sorted(shown, key=lambda row: row["area_code"] in group):  # those of the group lie on top
        is_in_group = row["area_code"] in group
        title = f"{row['area_name']}: {words.number(row['value'], digits)}"
        height, width, cls = (18.0, 2.4, "d-group") if is_in_group else (12.0, 1.8, "d-all")
        parts.append(bar(scale(row["value"]), _MIDDLE - height / 2, width, height, cls, title))
    if against.country is not None:
        parts.append(line(scale(against.country), _MIDDLE - 15, scale(against.country), _MIDDLE + 15, "d-country"))
    if against.best_fifth is not None:
        told = words("strip.best_fifth", value=words.number(against.best_fifth, digits))
        parts.append(marker("triangle", scale(against.best_fifth), _MIDDLE + 13, 4, "d-best", told))
    for row in [row for row in shown if row["area_code"] == own]:
        if row["lower"] is not None:
            parts.append(line(scale(row["lower"]), _MIDDLE, scale(row["upper"]), _MIDDLE, "d-own-interval"))
        parts.append(dot(scale(row["value"]), _MIDDLE, 5.5, "d-own", row["area_name"]))
    if against.goal is not None:
        told = words("strip.goal", value=words.number(against.goal, digits))
        parts.append(marker("flag", scale(against.goal), _MIDDLE - 13, 4.5, "d-goal-mark", told))
    ends = {"lower": ("strip.low_good", "strip.end"), "higher": ("strip.end", "strip.high_good")}
    low_end, high_end = ends.get(better, ("strip.end", "strip.end"))
    parts.append(text(_LEFT, _HEIGHT - 1, words(low_end, value=words.number(low, digits)), "d-text"))
    parts.append(text(_RIGHT, _HEIGHT - 1, words(high_end, value=words.number(high, digits)), "d-text", "end"))
    return drawing(_WIDTH, _HEIGHT, label, parts)


def strip_key(kind: str) -> str:
    """Draw one mark of the strip for the legend: all, group, own, country, best_fifth or goal."""
    marks = {
        "all": [bar(x, 4, 1.8, 12, "d-all") for x in (8, 14, 20)],
        "group": [bar(x, 1, 2.4, 18, "d-group") for x in (10, 17)],
        "own": [line(3, 10, 25, 10, "d-own-interval"), dot(14, 10, 5.5, "d-own")],
        "country": [line(14, 0, 14, 20, "d-country")],
        "best_fifth": [marker("triangle", 14, 10, 6, "d-best")],
        "goal": [marker("flag", 14, 10, 6, "d-goal-mark")],
    }
    return ornament(28, 20, marks[kind])

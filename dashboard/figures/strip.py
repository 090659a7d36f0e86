"""One indicator, all areas of a level on one line: where the own area lies, without a rank."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.figures.svg import bar, dot, drawing, line, ornament, text
from dashboard.words import Words
from kpis.indicator import Better

_WIDTH, _HEIGHT = 250.0, 46.0
_LEFT, _RIGHT, _MIDDLE = 6.0, 244.0, 18.0


@dataclass(frozen=True)
class Scale:
    """Linear from values to places on the line."""

    low: float
    high: float

    def __call__(self, value: float) -> float:
        """Return the place of ``value``, held within the line."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return _LEFT + min(max(share, 0.0), 1.0) * (_RIGHT - _LEFT)


def strip(
    peers: Iterable[Mapping[str, Any]],
    own: str,
    group: Collection[str],
    country: float | None,
    better: Better,
    digits: int,
    label: str,
    words: Words,
) -> str:
    """Draw the areas of ``peers`` (rows of ESTIMATES, one an area) as marks on a line.

    ``own`` is the code of the area with dot and interval, ``group`` the codes drawn taller, ``country`` the value of
    the upright line. Areas without a value are left out, one at least has one; ``label`` is what is read aloud.
    """
    shown = [row for row in peers if row["value"] is not None]
    low, high = min(row["value"] for row in shown), max(row["value"] for row in shown)
    scale = Scale(low, high)
    parts = [line(_LEFT, _MIDDLE, _RIGHT, _MIDDLE, "d-axis")]
    for row in shown:
        in_group = row["area_code"] in group
        title = f"{row['area_name']}: {words.number(row['value'], digits)}"
        height = 18.0 if in_group else 12.0
        mark = bar(
            scale(row["value"]),
            _MIDDLE - height / 2,
            2.4 if in_group else 1.8,
            height,
            "d-group" if in_group else "d-all",
            title,
        )
        parts.insert(len(parts) if in_group else 1, mark)
    if country is not None:
        parts.append(line(scale(country), _MIDDLE - 15, scale(country), _MIDDLE + 15, "d-country"))
    for row in [row for row in shown if row["area_code"] == own]:
        if row["lower"] is not None:
            parts.append(line(scale(row["lower"]), _MIDDLE, scale(row["upper"]), _MIDDLE, "d-own-interval"))
        parts.append(dot(scale(row["value"]), _MIDDLE, 5.5, "d-own", row["area_name"]))
    ends = {"lower": ("strip.low_good", "strip.end"), "higher": ("strip.end", "strip.high_good")}
    low_end, high_end = ends.get(better, ("strip.end", "strip.end"))
    parts.append(text(_LEFT, _HEIGHT - 1, words(low_end, value=words.number(low, digits)), "d-text"))
    parts.append(text(_RIGHT, _HEIGHT - 1, words(high_end, value=words.number(high, digits)), "d-text", "end"))
    return drawing(_WIDTH, _HEIGHT, label, parts)


def strip_key(kind: str) -> str:
    """Draw one mark of the strip for the legend: all, group, own or country."""
    marks = {
        "all": [bar(x, 4, 1.8, 12, "d-all") for x in (8, 14, 20)],
        "group": [bar(x, 1, 2.4, 18, "d-group") for x in (10, 17)],
        "own": [line(3, 10, 25, 10, "d-own-interval"), dot(14, 10, 5.5, "d-own")],
        "country": [line(14, 0, 14, 20, "d-country")],
    }
    return ornament(28, 20, marks[kind])

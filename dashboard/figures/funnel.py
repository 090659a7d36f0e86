"""Areas by size against the limits that like areas keep within: small ones may swing, large ones may not."""

from collections.abc import Collection
from math import ceil, floor, log10
from typing import Any

import polars as pl

from dashboard.figures.caterpillar import told
from dashboard.figures.scale import Scale, ticks
from dashboard.figures.svg import NARROW, WALL, WIDE, area, dot, drawing, line, ornament, path, text
from dashboard.words import Words

MOST_LABELS = {WIDE: 11, WALL: 8}  # beside the own area
_HEIGHT = {WIDE: 440.0, NARROW: 380.0, WALL: 320.0}
_RADIUS = {"own": 6.5, "group": 4.5, "others": 3.6}

Row = dict[str, Any]


def funnel(
    areas: pl.DataFrame,
    own: str | None,
    group: Collection[str],
    country: str,
    size_title: str,
    value_title: str,
    digits: int,
    label: str,
    words: Words,
    width: int = WIDE,
) -> str:
    """Draw ``areas`` (columns of ``kpis.funnel.FUNNEL``, one row at least); ``country`` names the middle line.

    The limits are those of each area, joined up by size: rounding and overdispersion are in them. Areas beyond the
    outer ones are named, the largest MOST_LABELS of them.
    """
    rows = list(areas.sort("size").iter_rows(named=True))
    is_wide, height = width != NARROW, _HEIGHT[width]
    edges = [row["value"] for row in rows]
    edges += [row[name] for row in rows[len(rows) // 20 :] for name in ("lower_998", "upper_998")]
    steps, tick_digits = ticks(max(min(edges), 0.0), max(edges), 6)
    written = [words.number(step, tick_digits) for step in steps]
    left, right = 14 + 7.4 * max(map(len, written)), width - (110.0 if is_wide else 10.0)
    top, bottom = 40.0, height - 52.0
    powers = range(floor(log10(rows[0]["size"])), ceil(log10(rows[-1]["size"])) + 1)
    x = Scale(log10(rows[0]["size"]) - 0.05, log10(rows[-1]["size"]) + 0.05, left, right)
    y = Scale(steps[0], steps[-1], bottom, top)

    def along(name: str) -> list[tuple[float, float]]:
        return [(x(log10(row["size"])), y(row[name])) for row in rows]

    parts = [
        area(along("upper_998") + along("lower_998")[::-1], "d-funnel-outer"),
        area(along("upper_95") + along("lower_95")[::-1], "d-funnel-inner"),
        *(path(along(name), "d-funnel-line") for name in ("upper_998", "lower_998")),
        text(0, 14, value_title, "d-label"),
        text(left, height - 8, size_title, "d-label"),
        line(left, bottom, right, bottom, "d-base"),
    ]
    for step, number in zip(steps, written, strict=True):
        parts += [line(left, y(step), right, y(step), "d-axis"), text(left - 8, y(step) + 4, number, "d-label", "end")]
    for size in (factor * 10.0**power for power in powers for factor in (1, 2, 5)):
        if x.low <= log10(size) <= x.high:
            place = x(log10(size))
            parts += [
                line(place, bottom, place, bottom + 5, "d-base"),
                text(place, bottom + 20, words.number(size, 0 if size >= 1 else 1), "d-label", "middle"),
            ]
    middle = rows[0]["reference"]
    parts.append(line(left, y(middle), right, y(middle), "d-across"))
    if is_wide:
        parts += [
            text(right + 8, y(middle) - 2, country, "d-label-ink"),
            text(right + 8, y(middle) + 14, words.number(middle, digits), "d-label-ink"),
        ]
    kinds = {
        row["area_code"]: "own" if row["area_code"] == own else "group" if row["area_code"] in group else "others"
        for row in rows
    }
    for kind in ("others", "group", "own"):
        for row in rows:
            if kinds[row["area_code"]] == kind:
                radius = _RADIUS[kind] * (1.0 if is_wide else 0.75)
                title = told(row | {"lower": None}, digits, words)
                parts.append(dot(x(log10(row["size"])), y(row["value"]), radius, f"d-at-{kind}", title))
    outside = [row for row in rows if not row["lower_998"] <= row["value"] <= row["upper_998"]]
    named = outside[-MOST_LABELS[width] :] if is_wide else []
    for row in [*named, *(row for row in rows if row["area_code"] == own and row not in named)]:
        place = x(log10(row["size"]))
        is_late = place > left + 0.8 * (right - left)
        cls = "d-label-own" if row["area_code"] == own else "d-label-ink"
        shift = -10 if is_late else 10
        parts.append(text(place + shift, y(row["value"]) + 4, row["area_name"], cls, "end" if is_late else "start"))
    return drawing(width, height, label, parts)


def funnel_key(kind: str) -> str:
    """Draw one mark for the legend: inner or outer limits."""
    return ornament(28, 20, [area([(0, 3), (28, 3), (28, 17), (0, 17)], f"d-funnel-{kind}")])

"""What several methods say of one effect, under each other on one axis; a naive one looks as naive as it is."""

from collections.abc import Sequence
from typing import NamedTuple

from dashboard.figures.scale import Scale, ticks
from dashboard.figures.svg import NARROW, WIDE, dot, drawing, line, marker, ornament, text
from dashboard.words import Words

_LEFT, _RIGHT = 250.0, 190.0  # room for names and for values in words, on a wide drawing


class Finding(NamedTuple):
    """What one method says: its name, a change in per cent with limits (None = it refuses), and the same in words.

    The one that the verdict rests on is strong; a naive one is drawn hollow and dashed, under a line of its own.
    """

    name: str
    value: float | None
    lower: float | None
    upper: float | None
    told: str
    is_strong: bool = False
    is_naive: bool = False


def forest(
    findings: Sequence[Finding],
    expected: float | None,
    axis_title: str,
    label: str,
    words: Words,
    width: int = WIDE,
) -> str:
    """Draw ``findings``, naive ones last, against no change; ``expected`` is the change in the locked plan.

    On a WIDE drawing the name stands to the left and the value in words to the right, on a NARROW one both stand
    over the row. ``label`` is what is read aloud.
    """
    is_wide = width != NARROW
    row_height, top = (38.0, 30.0) if is_wide else (52.0, 30.0)
    ordered = sorted(findings, key=lambda finding: finding.is_naive)
    bottom = top + row_height * len(ordered)
    edges = [edge for one in ordered for edge in (one.value, one.lower, one.upper) if edge is not None]
    edges += [0.0] if expected is None else [0.0, expected]
    beyond = (max(edges) - min(edges)) / 10  # so that no change is never the very edge of the drawing
    steps, digits = ticks(min([*edges, -beyond]), max([*edges, beyond]), 7 if is_wide else 5)
    x = Scale(steps[0], steps[-1], *((_LEFT, width - _RIGHT) if is_wide else (10.0, width - 14.0)))
    # On a narrow drawing texts stand over each row: no line runs through them.
    spans = [
        (top + row_height * number + (0.0 if is_wide else 22.0), top + row_height * (number + 1))
        for number in range(len(ordered))
    ]
    parts = []
    for step in steps:
        parts += [line(x(step), over, x(step), under, "d-base" if step == 0 else "d-axis") for over, under in spans]
        parts.append(text(x(step), bottom + 16, signed(step, digits, words), "d-label", _anchor(x(step), width)))
    parts += [
        text(x(0.0), top - 10, words("effect.axis_none"), "d-label", _anchor(x(0.0), width)),
        line(0, bottom, width, bottom, "d-axis"),
        text(x.start, bottom + 38, axis_title, "d-label"),
    ]
    if expected is not None:
        parts += [line(x(expected), over, x(expected), under, "d-across") for over, under in spans]
        if abs(x(expected) - x(0.0)) > 120:
            parts.append(
                text(x(expected), top - 10, words("effect.axis_plan"), "d-label-ink", _anchor(x(expected), width))
            )
    for number, one in enumerate(ordered):
        over = top + row_height * number
        middle = over + (row_height / 2 if is_wide else 36.0)
        if one.is_naive and number and not ordered[number - 1].is_naive:
            parts.append(line(0, over, width, over, "d-axis"))
        name_cls = "d-label-strong" if one.is_strong else "d-label" if one.is_naive else "d-label-ink"
        told_cls = (
            "d-label-strong" if one.is_strong else "d-label" if one.value is None or one.is_naive else "d-label-ink"
        )
        if is_wide:
            parts += [
                text(_LEFT - 14, middle + 4, one.name, name_cls, "end"),
                text(x.stop + 16, middle + 4, one.told, told_cls),
            ]
        else:
            parts += [text(0, middle - 16, one.name, name_cls), text(width, middle - 16, one.told, told_cls, "end")]
        if one.value is None:
            continue
        cls = "naive" if one.is_naive else "own" if one.is_strong else "other"
        if one.lower is not None and one.upper is not None:
            parts.append(line(x(one.lower), middle, x(one.upper), middle, f"d-finding-{cls}"))
        parts.append(_mark(cls, x(one.value), middle, f"{one.name}: {one.told}"))
    return drawing(width, bottom + 46.0, label, parts)


def forest_key(kind: str) -> str:
    """Draw one mark for the legend: own (what the verdict rests on), other, naive or plan."""
    if kind == "plan":
        return ornament(28, 20, [line(14, 1, 14, 19, "d-across")])
    return ornament(28, 20, [line(1, 10, 27, 10, f"d-finding-{kind}"), _mark(kind, 14, 10, "")])


def signed(value: float, digits: int, words: Words) -> str:
    """Return a change with its sign: *−8*, *0*, *+3*."""
    written = words.number(abs(value), digits)
    if round(value, digits) == 0:
        return written
    return f"{'−' if value < 0 else '+'}{written}"


def _mark(cls: str, x: float, y: float, title: str) -> str:
    if cls == "own":
        return marker("diamond", x, y, 7, "d-finding-own-mark", title)
    return dot(x, y, 4.5, f"d-finding-{cls}-mark", title)


def _anchor(place: float, width: float) -> str:
    return "start" if place < 40 else "end" if place > width - 40 else "middle"

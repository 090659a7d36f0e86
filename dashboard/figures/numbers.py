"""The numbers of a drawing, for those who draw it anew with other means: slides hold charts that can be edited.

They are rounded as the figure's table is, so that a chart that is edited tells no more than the screen did.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import polars as pl

from dashboard.figures.process import GoalPath
from dashboard.figures.rows import Mark

Kind = Literal["own", "group", "others"]


@dataclass(frozen=True)
class Entry:
    """One named value with its interval and what it alone is held against; None = there is none."""

    name: str
    value: float | None
    lower: float | None = None
    upper: float | None = None
    kind: Kind = "own"
    reference: float | None = None


@dataclass(frozen=True)
class Estimates:
    """Values with intervals in the order of the drawing; ``across`` is name and value of the line through all."""

    entries: tuple[Entry, ...]
    axis: str
    digits: int
    across: tuple[str, float] | None = None


@dataclass(frozen=True)
class MonthEntry:
    """One month of a process chart; None = nothing is drawn of it."""

    month: date
    value: float | None
    centre: float | None
    lower: float | None
    upper: float | None
    goal: float | None
    signal: str
    is_provisional: bool


@dataclass(frozen=True)
class Months:
    """Months one after the other, oldest first; ``goal`` names the path to the goal, empty where there is none."""

    entries: tuple[MonthEntry, ...]
    axis: str
    digits: int
    goal: str = ""


@dataclass(frozen=True)
class SizedEntry:
    """One area of a funnel: its size, its value, and the limits of areas of its size."""

    name: str
    size: float
    value: float
    lower_95: float
    upper_95: float
    lower_998: float
    upper_998: float
    kind: Kind


@dataclass(frozen=True)
class Funnel:
    """Areas by rising size; ``across`` is name and value of the middle line."""

    entries: tuple[SizedEntry, ...]
    size_axis: str
    axis: str
    digits: int
    across: tuple[str, float]


Role = Literal["own", "tail", "expected", "limit"]


@dataclass(frozen=True)
class Curve:
    """A line through months, each with a value or none; ``role`` says how it looks."""

    name: str
    values: tuple[float | None, ...]
    role: Role


@dataclass(frozen=True)
class Curves:
    """Lines through the same months, oldest first."""

    months: tuple[date, ...]
    curves: tuple[Curve, ...]
    digits: int


Numbers = Estimates | Months | Funnel | Curves


def of_estimates(
    estimates: pl.DataFrame,
    own: str | None,
    group: Collection[str],
    across: tuple[str, float] | None,
    axis: str,
    digits: int,
) -> Estimates:
    """Return the numbers of :func:`dashboard.figures.caterpillar.caterpillar`, which takes the same."""
    shown = estimates.drop_nulls("value").sort("value", "area_name").iter_rows(named=True)
    entries = [
        Entry(
            row["area_name"],
            _rounded(row["value"], digits),
            _rounded(row["lower"], digits),
            _rounded(row["upper"], digits),
            _kind(row["area_code"], own, group),
        )
        for row in shown
    ]
    return Estimates(tuple(entries), axis, digits, (across[0], round(across[1], digits)) if across else None)


def of_marks(marks: Iterable[Mark], axis: str, digits: int) -> Estimates:
    """Return the numbers of :func:`dashboard.figures.rows.rows`."""
    entries = [
        Entry(
            mark.name,
            _rounded(mark.value, digits),
            _rounded(mark.lower, digits),
            _rounded(mark.upper, digits),
            reference=_rounded(mark.reference, digits),
        )
        for mark in marks
    ]
    return Estimates(tuple(entries), axis, digits)


def of_months(months: Sequence[dict[str, Any]], goal: GoalPath | None, axis: str, digits: int) -> Months:
    """Return the numbers of :func:`dashboard.figures.process.process`; ``months`` are its rows."""
    path = dict(goal.months) if goal else {}
    entries = [
        MonthEntry(
            row["month"],
            _rounded(row["adjusted"], digits),
            _rounded(row["centre"], digits),
            _rounded(row["lower_limit"], digits),
            _rounded(row["upper_limit"], digits),
            _rounded(path.get(row["month"]), max(digits, 1)),
            row["signal"],
            row["is_provisional"],
        )
        for row in months
    ]
    is_drawn = any(entry.goal is not None for entry in entries)
    return Months(tuple(entries), axis, digits, goal.label if goal and is_drawn else "")


def of_funnel(
    areas: pl.DataFrame,
    own: str | None,
    group: Collection[str],
    country: str,
    size_axis: str,
    axis: str,
    digits: int,
) -> Funnel:
    """Return the numbers of :func:`dashboard.figures.funnel.funnel`, which takes the same."""
    rows = list(areas.sort("size").iter_rows(named=True))
    entries = [
        SizedEntry(
            row["area_name"],
            float(f"{row['size']:.3g}"),  # where on a logarithmic axis; no table tells it
            round(row["value"], digits),
            round(row["lower_95"], digits),
            round(row["upper_95"], digits),
            round(row["lower_998"], digits),
            round(row["upper_998"], digits),
            _kind(row["area_code"], own, group),
        )
        for row in rows
    ]
    return Funnel(tuple(entries), size_axis, axis, digits, (country, round(rows[0]["reference"], digits)))


def of_counterfactual(months: pl.DataFrame, digits: int, names: Mapping[str, str]) -> Curves:
    """Return the numbers of :func:`dashboard.figures.counterfactual.counterfactual`, which takes the same months.

    ``names`` are those of the lines that are drawn: observed, expected, tail, lower and upper.
    """
    rows = list(months.iter_rows(named=True))
    sure = [at for at, row in enumerate(rows) if not row["is_provisional"]]
    parts: dict[str, tuple[Role, list[float | None]]] = {
        "observed": ("own", [None if row["is_provisional"] else row["observed"] for row in rows]),
        "tail": ("tail", [row["observed"] if at >= (sure[-1] if sure else 0) else None for at, row in enumerate(rows)]),
        "expected": ("expected", [row["expected"] for row in rows]),
        "upper": ("limit", [row["upper"] for row in rows]),
        "lower": ("limit", [row["lower"] for row in rows]),
    }
    curves = [
        Curve(names[name], tuple(_rounded(value, digits) for value in values), role)
        for name, (role, values) in parts.items()
        if name in names
    ]
    return Curves(tuple(row["month"] for row in rows), tuple(curves), digits)


def _kind(code: str, own: str | None, group: Collection[str]) -> Kind:
    return "own" if code == own else "group" if code in group else "others"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)

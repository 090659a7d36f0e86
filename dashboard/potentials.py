"""Potentials of one area: what the page shows of them, and the file of the same rows."""

from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

from kpis.area import Area, Map
from kpis.goal import goal_area, goals
from kpis.indicator import Indicator, find_indicator, load_indicators
from kpis.period import Period
from kpis.potential import POTENTIALS, Reference, has_potential, potentials, union_potential
from kpis.release import Release, per_release

TOTALLED: tuple[Reference, ...] = ("best_fifth", "median")
"""References for which several indicators can be counted together."""


def admission_indicators() -> tuple[Indicator, ...]:
    """Return the indicators of acute admissions by diagnosis, whose potentials can be counted together."""
    return tuple(
        item
        for item in load_indicators().values()
        if item.numerator.measure == "n_acute" and item.diagnoses is not None and item.better == "lower"
    )


def beside_indicators() -> tuple[Indicator, ...]:
    """Return those with a potential of another kind, which stand beside the total and are not part of it."""
    return tuple(
        item
        for item in load_indicators().values()
        if item.better == "lower"
        and has_potential(item)
        and item.numerator.measure in ("n_readmission", "n_short", "days_after_ready")
        and item not in admission_indicators()
    )


def potential_rows(release: Release, area: Area, period: Period, reference: Reference, capture: float) -> pl.DataFrame:
    """Return every potential of an area, columns of ``kpis.potential.POTENTIALS``: admissions, total, and those beside.

    The total, whose ``indicator`` is that of all joined by +, is there where one can be had without double counting.
    """
    rows = [area_potential(release, item.id, area, period, reference, capture) for item in admission_indicators()]
    if reference in TOTALLED:
        found, _ = admissions_together(release, area.level, area.map_id, period, reference, capture)
        rows.append(found[area.code])
    rows += [area_potential(release, item.id, area, period, reference, capture) for item in beside_indicators()]
    return pl.DataFrame(rows, schema=POTENTIALS)


def area_potential(
    release: Release, indicator_id: str, area: Area, period: Period, reference: Reference, capture: float
) -> Mapping[str, Any]:
    """Return the potential of one area, a row of ``kpis.potential.POTENTIALS``."""
    return level_potentials(release, indicator_id, area.level, area.map_id, period, reference, capture)[area.code]


@per_release
def level_potentials(
    release: Release,
    indicator_id: str,
    level: str,
    map_id: Map,
    period: Period,
    reference: Reference,
    capture: float,
) -> dict[str, Mapping[str, Any]]:
    """Return rows of ``kpis.potential.POTENTIALS`` by area code; none for figures that have no potential."""
    indicator = find_indicator(indicator_id)
    if not has_potential(indicator):
        return {}
    aims = goal_targets(release, indicator_id, period) if reference == "goal" else None
    found = potentials(release, indicator, period, reference, level=level, map_id=map_id, goals=aims, capture=capture)
    return {row["area_code"]: row for row in found.iter_rows(named=True)}


@per_release
def admissions_together(
    release: Release, level: str, map_id: Map, period: Period, reference: Reference, capture: float
) -> tuple[dict[str, Mapping[str, Any]], tuple[str, ...]]:
    """Return the potential of all :func:`admission_indicators` by area code, every diagnosis counted once.

    With the ids of the diagnosis groups that had to be left out; see ``kpis.potential.union_potential``. The reference
    is one of TOTALLED.
    """
    within: Literal["best_fifth", "median"] = "median" if reference == "median" else "best_fifth"
    frame, left_out = union_potential(
        release, admission_indicators(), period, within, level=level, map_id=map_id, capture=capture
    )
    return {row["area_code"]: row for row in frame.iter_rows(named=True)}, left_out


def goal_targets(release: Release, indicator_id: str, period: Period) -> dict[str, float]:
    """Return municipality code → target: of its own goal, else of the goal it shares.

    Of several the first that falls due after the period, else the last that fell due.
    """
    found: dict[str, tuple[tuple[bool, bool, int], float]] = {}
    for one in goals(release):
        place = goal_area(release, one) if one.indicator == indicator_id else None
        for code in place.municipalities if place else ():
            days = (one.due_date - period.end).days
            order = (one.scope != "own", days < 0, abs(days))
            if code not in found or order < found[code][0]:
                found[code] = order, one.target_value
    return {code: target for code, (_, target) in found.items()}

"""The treated municipalities, and hundreds of placebo groups like them, against all controls."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kpis.area import areas, map_of
from kpis.effect_panel import Design, Panel, Refused, Span, design, panel, rounding_of
from kpis.effect_report import Range
from kpis.indicator import find_indicator
from kpis.intervention import Plan
from kpis.placebo import BoolArray, Calibration, Shifts, calibrate, draw_groups
from kpis.rates import FloatArray
from kpis.release import Release
from kpis.small_area import SEED

PLACEBOS = 300
FEWEST_CONTROLS = 10
FEWEST_APART = 8
"""Placebo groups that share no municipality; with fewer, nothing tells how much groups like the treated vary."""
OTHER_STARTS = (-9, -6, -3, 3, 6, 9)
"""Months by which the start is moved for placebos in time."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The treated (row 0) and the placebo groups (further rows) against the controls.

    `members` [rows, cohorts, municipalities] of 0 and 1. `events`, `path` [rows, months shown]: observed, and the
    controls' path at the row's own level before. `shifts`: of all rows, at the true start. `is_within_region`: each
    placebo group lies in one region. `n_apart`: how many groups there could be without a municipality in common.
    """

    panel: Panel
    design: Design
    members: FloatArray
    is_within_region: bool
    n_apart: int
    shifts: Shifts
    events: FloatArray
    path: FloatArray
    drift: float
    scores: FloatArray
    """[placebos, starts]: at the true start first, then at the others."""

    @property
    def groups(self) -> BoolArray:
        """[placebos, municipalities]."""
        is_member: BoolArray = self.members[1:].sum(axis=1) > 0
        return is_member

    @property
    def is_after(self) -> BoolArray:
        """[months shown]: from the first start on."""
        since = min(span.since for span in self.design.spans)
        shown = self.design.shown
        return np.greater_equal(np.arange(shown.start, shown.stop), since)

    @property
    def span(self) -> Span:
        """Months of the first start."""
        return self.design.spans[0]

    def calibration(self, confidence: float) -> Calibration:
        """What the placebos say of intervals of that confidence."""
        return calibrate(self.scores, self.groups, confidence)

    def limits(self, confidence: float) -> Range:
        """The treated's ratio within limits that hold `confidence` of the placebos."""
        return range_of(self.shifts, self.calibration(confidence), self.panel.clustering, self.drift)


def range_of(shifts: Shifts, calibration: Calibration, clustering: float, drift: float) -> Range:
    """Estimate and limits of row 0."""
    treated = shifts.row(0)
    lower, upper = treated.limits(calibration.quantile, clustering, drift)
    return Range(float(treated.estimate()[0]), float(lower[0]), float(upper[0]))


def compare(release: Release, plan: Plan, known: tuple[Plan, ...]) -> Comparison:
    """Treated and placebos against the controls. Raises Refused where that cannot be done."""
    found = panel(release, find_indicator(plan.indicator))
    chosen = design(found, plan, known, FEWEST_CONTROLS)
    region, n_apart = _region(release, found, chosen)
    members = _members(found, chosen, region)
    usual = usual_events(found, chosen, members)

    def shifted(spans: tuple[Span, ...], rows: slice) -> Shifts:
        control = np.full(len(members[rows]), control_chance(found, chosen, spans[0]))
        return shifts_of(release, found, members[rows], spans, usual[rows], control)

    shifts = shifted(chosen.spans, slice(None))
    placebos = shifts.row(slice(1, None))
    drift = placebos.drift(found.clustering)
    scores = [placebos.score(1.0, found.clustering, drift)]
    for by in OTHER_STARTS:
        spans = tuple(span.moved(by, *chosen.unbroken) for span in chosen.spans)
        if all(span.is_enough for span in spans):
            scores.append(shifted(spans, slice(1, None)).score(1.0, found.clustering, drift))
    events, path = paths_of(found, chosen, members, usual)
    is_within = region is not None
    return Comparison(
        found, chosen, members, is_within, n_apart, shifts, events, path, drift, np.stack(scores, axis=-1)
    )


def _region(release: Release, found: Panel, chosen: Design) -> tuple[npt.NDArray[np.int64] | None, int]:
    """The region of each municipality, where placebo groups have to lie within one, and how many groups lie apart.

    They have to where the treated do: neighbours share hospitals and what happens to them. Where that leaves too few
    groups they may lie anywhere. Raises Refused where even these are too few.
    """
    n, regions = len(chosen.treated), areas(release, "region", map_of(found.months[-1]))
    number = {code: at for at, area in enumerate(regions) for code in area.municipalities}
    region = np.array([number.get(area.code, len(regions)) for area in found.areas])
    within = int((np.bincount(region[chosen.is_control]) // n).sum())
    if n > 1 and len(set(region[list(chosen.treated)])) == 1 and within >= FEWEST_APART:
        return region, within
    anywhere = int(chosen.is_control.sum()) // n
    if anywhere < FEWEST_APART:
        raise Refused("too_few_placebos", found=anywhere, needed=FEWEST_APART)
    return None, anywhere


def _members(found: Panel, chosen: Design, region: npt.NDArray[np.int64] | None) -> FloatArray:
    """The treated and the placebo groups [rows, cohorts, municipalities]; a group's cohorts are as large as theirs."""
    size = found.usual[:, chosen.shown].sum(axis=1)
    rng = np.random.default_rng(SEED)
    target = float(size[list(chosen.treated)].sum())
    groups = draw_groups(rng, size * chosen.is_control, len(chosen.treated), target, region, PLACEBOS)
    members = np.zeros((len(groups) + 1, len(chosen.cohorts), len(found.areas)))
    for cohort, rows in enumerate(chosen.cohorts):
        members[0, cohort, list(rows)] = 1.0
    ends = np.cumsum([len(rows) for rows in chosen.cohorts])
    for row, group in enumerate(groups, start=1):
        for cohort, part in enumerate(np.split(rng.permutation(np.flatnonzero(group)), ends[:-1])):
            members[row, cohort, part] = 1.0
    return members


def usual_events(found: Panel, chosen: Design, members: FloatArray) -> FloatArray:
    """[rows, cohorts, months]: what each row would have as the controls fare, those in the row itself left out."""
    part = members.sum(axis=1) * chosen.is_control
    controls = chosen.is_control.astype(float)
    left, usual = ((controls - part) @ values for values in (found.events, found.usual))
    return (members @ found.usual) * (left / np.maximum(usual, 1e-12))[:, None, :]


def control_chance(found: Panel, chosen: Design, span: Span) -> float:
    """Variance of ln(usual after ÷ before) by the chance of all controls together."""
    of_controls = found.events[chosen.is_control].sum(axis=0)
    return found.clustering * sum(1.0 / max(float(of_controls[slice(*side)].sum()), 1.0) for side in span.sides)


def shifts_of(
    release: Release, found: Panel, members: FloatArray, spans: tuple[Span, ...], usual: FloatArray, control: FloatArray
) -> Shifts:
    """Events before and after of every row and cohort, and the usual ones [rows, cohorts, months] of a comparison."""
    events = members @ found.events
    sides = [[span.sides[side] for span in spans] for side in (0, 1)]

    def summed(values: FloatArray, stretches: list[tuple[int, int]]) -> FloatArray:
        return np.stack([values[:, at, slice(*stretch)].sum(axis=-1) for at, stretch in enumerate(stretches)], axis=-1)

    def rounded(stretches: list[tuple[int, int]]) -> FloatArray:
        noise = [members[:, at] @ rounding_of(release, found, *stretch) for at, stretch in enumerate(stretches)]
        return np.stack(noise, axis=-1)

    return Shifts(
        observed=(summed(events, sides[0]), summed(events, sides[1])),
        usual=(summed(usual, sides[0]), summed(usual, sides[1])),
        rounding=(rounded(sides[0]), rounded(sides[1])),
        control=control,
    )


def paths_of(found: Panel, chosen: Design, members: FloatArray, usual: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Observed events and the comparison's path at the row's own level before; both [rows, months shown]."""
    events = members @ found.events
    path = np.zeros(events.shape)
    for at, span in enumerate(chosen.spans):
        before = slice(*span.sides[0])
        level = events[:, at, before].sum(axis=-1) / np.maximum(usual[:, at, before].sum(axis=-1), 1e-12)
        path[:, at] = usual[:, at] * level[:, None]
    return events.sum(axis=1)[:, chosen.shown], path.sum(axis=1)[:, chosen.shown]

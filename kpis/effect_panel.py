"""The counts that an effect is looked for in: municipalities × months, observed and usual, and which months are used.

*Usual* are the events that each municipality would have with the country's rates of the same ages and sexes, so that a
population that grows or ages is no effect. For shares (readmissions) it is what the share is taken of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np

from kpis import counts
from kpis.area import Area, areas, map_of
from kpis.clustering import national_clustering
from kpis.effect import POINTS_EACH_SIDE
from kpis.effect_report import Refusal
from kpis.indicator import Indicator
from kpis.intervention import Plan
from kpis.period import BREAKS, Period, months_between
from kpis.placebo import BoolArray
from kpis.query import Query
from kpis.rates import FloatArray, expected_events
from kpis.release import Release, per_release
from kpis.rounding import rounding_noise
from kpis.tally import Grid, tally

LONGEST_SIDE = 36
"""Months used before and after a start: further away municipalities have drifted apart."""
FEWEST_EVENTS = 20
"""Of the treated, on each side of a start."""
MOST_STARTS = 4
"""Starting days of one intervention; with more, hardly anything is left of each cohort."""


class Refused(Exception):
    """A design that cannot be answered, with the reason."""

    def __init__(self, id: str, **facts: object):
        self.refusal = Refusal(id, tuple(facts.items()))
        super().__init__(f"{id} {facts}")


@dataclass(frozen=True, eq=False)
class Panel:
    """Firm months of one indicator; arrays [municipalities, months].

    `events` observed, `usual` proportional to what would be; `is_missing`: not delivered. `clustering`: variance of
    the events ÷ that of independent ones.
    """

    indicator: Indicator
    areas: tuple[Area, ...]
    months: tuple[date, ...]
    events: FloatArray
    usual: FloatArray
    is_missing: BoolArray
    clustering: float

    def position(self, code: str) -> int | None:
        """Row of a municipality; None where the release has none of that code."""
        return next((at for at, area in enumerate(self.areas) if area.code == code), None)


def why_unsuitable(indicator: Indicator) -> str | None:
    """The refusal of an indicator in which no effect can be looked for, whatever the plan; None where one can.

    It takes counts of events or days by month, and of single municipalities: each is a control of the others.
    """
    if indicator.kind == "median" or indicator.is_yearly or any(m.table == "goal" for m in indicator.measures):
        return "indicator_unsuitable"
    if indicator.numerator.definition.is_decided or indicator.denominator.definition.is_about_acute_places:
        return "indicator_unsuitable"
    return None if indicator.is_told_of_single_municipalities else "indicator_of_groups_only"


@per_release
def panel(release: Release, indicator: Indicator) -> Panel:
    """The panel of an indicator. Raises Refused where `why_unsuitable` says why."""
    if refusal := why_unsuitable(indicator):
        raise Refused(refusal, indicator=indicator.id)
    months = _firm_months(release, indicator)
    if not months:
        raise Refused("too_few_before", found=0, needed=POINTS_EACH_SIDE)
    municipalities = areas(release, "municipality", map_of(months[-1]))
    query = Query(indicator, municipalities, tuple(Period(month, month, "month") for month in months))
    grid = Grid.of(release, query)
    events, at_risk = (
        tally(release, query, grid, count)[:, :, 0].astype(float)
        for count in (indicator.numerator, indicator.denominator)
    )
    by_people = events.shape == at_risk.shape and indicator.kind == "rate"
    if not by_people:
        events, at_risk = events.sum(axis=-1, keepdims=True), at_risk.sum(axis=-1, keepdims=True)
    usual = expected_events(at_risk, events.sum(axis=(0, 1)), at_risk.sum(axis=(0, 1)))
    missing = np.diff(counts.missing(release, indicator.measures), axis=0)[: len(months)].T > 0
    rows = [counts.municipalities(release)[area.code] for area in municipalities]
    clustering = national_clustering(release, indicator)
    return Panel(indicator, municipalities, months, events.sum(axis=-1), usual, missing[rows], clustering)


def _firm_months(release: Release, indicator: Indicator) -> tuple[date, ...]:
    firm = months_between(release.date("data_from"), release.date("provisional_from"))
    if any(measure.is_followed for measure in indicator.measures):
        firm = min(firm, counts.followed_months(release))
    return counts.months(release)[:firm]


def rounding_of(release: Release, found: Panel, start: int, stop: int) -> FloatArray:
    """[municipalities]: error variance by rounding of the events of the months from `start` to before `stop`."""
    period = Period(found.months[start], found.months[stop - 1], "month")
    return rounding_noise(release, Query(found.indicator, found.areas, (period,))).numerator[:, 0, 0]


class Span(NamedTuple):
    """Positions of months: before is [first, until), after is [since, stop). What lies between is neither."""

    first: int
    until: int
    since: int
    stop: int

    @property
    def sides(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Before and after, each from and to before."""
        return (self.first, self.until), (self.since, self.stop)

    def moved(self, by: int, least: int, most: int) -> "Span":
        """The same with a start `by` months later, within the months from `least` to before `most`."""
        until, since = self.until + by, self.since + by
        return Span(max(least, until - LONGEST_SIDE), until, since, min(most, since + LONGEST_SIDE))

    @property
    def halved_before(self) -> "Span":
        """The months before alone, with a start in their middle."""
        middle = (self.first + self.until) // 2
        return Span(self.first, middle, middle, self.until)

    @property
    def is_enough(self) -> bool:
        """Whether there are 8 months on each side."""
        return self.until - self.first >= POINTS_EACH_SIDE and self.stop - self.since >= POINTS_EACH_SIDE


@dataclass(frozen=True)
class Design:
    """Who is compared with whom, when.

    `cohorts`: the treated by start, rows of the panel. `spans`: one per cohort. `unbroken`: first and last + 1 of the
    months that no break in the data parts from the starts. `is_control` (municipalities,).
    """

    cohorts: tuple[tuple[int, ...], ...]
    spans: tuple[Span, ...]
    unbroken: tuple[int, int]
    is_control: BoolArray
    notes: tuple[str, ...]

    @property
    def treated(self) -> tuple[int, ...]:
        """Rows of all treated municipalities."""
        return tuple(row for cohort in self.cohorts for row in cohort)

    @property
    def shown(self) -> slice:
        """The months of all spans together."""
        return slice(min(span.first for span in self.spans), max(span.stop for span in self.spans))


def design(found: Panel, plan: Plan, others: Sequence[Plan], fewest_controls: int) -> Design:
    """The design of a plan. Raises Refused where it cannot be answered."""
    rows = {code: found.position(code) for code in plan.municipalities}
    if unknown := [code for code, row in rows.items() if row is None]:
        raise Refused("unknown_municipality", codes=tuple(unknown))
    cohorts = plan.cohorts
    if len(cohorts) > MOST_STARTS:
        raise Refused("too_many_starts", found=len(cohorts), allowed=MOST_STARTS)
    lowest, highest, notes = _unbroken(found, cohorts[0][0], cohorts[-1][0])
    if plan.end is not None:
        highest = min(highest, max(months_between(found.months[0], plan.end), 0))
    spans = tuple(_span(found, day, lowest, highest) for day, _ in cohorts)
    used = slice(min(span.first for span in spans), max(span.stop for span in spans))
    treated = [row for row in rows.values() if row is not None]
    if lacking := [found.areas[row].code for row in treated if found.is_missing[row, used].any()]:
        raise Refused("not_received", codes=tuple(lacking))
    for side in (0, 1):
        happened = sum(found.events[treated, slice(*span.sides[side])].sum() for span in spans)
        if happened < FEWEST_EVENTS:
            raise Refused("too_few_events", found=int(happened), needed=FEWEST_EVENTS)
    is_control = ~found.is_missing[:, used].any(axis=1) & (found.usual[:, used].min(axis=1) > 0)
    is_control[treated] = False
    for other in others:
        if other.id != plan.id and _concerns(other, plan, found, used):
            is_control[[row for code in other.municipalities if (row := found.position(code)) is not None]] = False
    if is_control.sum() < fewest_controls:
        raise Refused("too_few_controls", found=int(is_control.sum()), needed=fewest_controls)
    of_cohorts = tuple(tuple(row for code in codes if (row := rows[code]) is not None) for _, codes in cohorts)
    return Design(of_cohorts, spans, (lowest, highest), is_control, notes)


def _concerns(other: Plan, plan: Plan, found: Panel, used: slice) -> bool:
    """Whether another plan acts on the same indicator in the months that are used."""
    first, last = found.months[used.start], found.months[used.stop - 1]
    return other.indicator == plan.indicator and other.start <= last and (other.end is None or other.end > first)


def same_aim(plan: Plan, others: Sequence[Plan], found: Panel, used: slice) -> tuple[str, ...]:
    """Ids of plans in the same municipalities that act on the same indicator in the months that are used."""
    own = set(plan.municipalities)
    return tuple(
        sorted(
            other.id
            for other in others
            if other.id != plan.id and own & set(other.municipalities) and _concerns(other, plan, found, used)
        )
    )


def _unbroken(found: Panel, first_start: date, last_start: date) -> tuple[int, int, tuple[str, ...]]:
    """Months around the starts that no break parts from them, and notes where one cut them short."""
    lowest, highest, notes = 0, len(found.months), []
    for data_break in BREAKS:
        at = months_between(found.months[0], data_break.month)
        if not 0 < at < len(found.months):
            continue
        before, after = (months_between(data_break.month, day) for day in (first_start, last_start))
        if before < 0 <= after:
            raise Refused("break_between_starts", break_id=data_break.id, month=data_break.month)
        if -POINTS_EACH_SIDE < after < 0:
            raise Refused("break_after", break_id=data_break.id, month=data_break.month)
        if 0 <= before < POINTS_EACH_SIDE:
            raise Refused("break_before", break_id=data_break.id, month=data_break.month)
        lowest, highest = (at, highest) if before > 0 else (lowest, min(highest, at))
        if -LONGEST_SIDE < after < LONGEST_SIDE:
            notes.append(f"cut_at_{data_break.id}")
    return lowest, highest, tuple(notes)


def _span(found: Panel, start: date, lowest: int, highest: int) -> Span:
    """The months of one start. The month in which it falls, where it is not the first day, is on neither side."""
    until = months_between(found.months[0], start)
    since = until if start.day == 1 else until + 1
    before, after = min(until, len(found.months)) - lowest, highest - since
    if before < POINTS_EACH_SIDE:
        raise Refused("too_few_before", found=max(before, 0), needed=POINTS_EACH_SIDE)
    if after < POINTS_EACH_SIDE:
        raise Refused("too_few_after", found=max(after, 0), needed=POINTS_EACH_SIDE)
    return Span(until, until, since, since).moved(0, lowest, highest)

"""What is new about an area since the release before: signals, revisions and new methods, never mixed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from dashboard.components.verdict import CHANGES
from dashboard.readings import area_change, latest_period, level_rows
from kpis.area import Area, Map, areas
from kpis.news import MethodChanges, method_changes
from kpis.period import Period
from kpis.release import Release, per_release, release_before


class Signal(NamedTuple):
    """A verdict on an indicator's newest months (id of ``kpis.verdict.VOCABULARY``) that was not there before."""

    indicator_id: str
    verdict: str


class Revision(NamedTuple):
    """A value of the same months that the two releases give differently, in the unit of the indicator."""

    indicator_id: str
    before: float
    after: float


@dataclass(frozen=True)
class News:
    """What a release says of an area that the one before it did not."""

    before: Release
    is_newer: bool  # it has months that the one before had not
    period: Period  # of the revisions: what the release before showed first
    signals: tuple[Signal, ...]
    revisions: tuple[Revision, ...]
    method: MethodChanges


def area_news(release: Release, area: Area, map_id: Map, indicator_ids: Iterable[str]) -> News | None:
    """Return the news about an area; None where there is no earlier release to compare with."""
    before = release_before(release)
    if before is None or all(known.code != area.code for known in areas(before, area.level, map_id)):
        return None
    period = latest_period(before)
    ids = tuple(indicator_ids)
    signals = []
    for indicator_id in ids:
        now, then = (area_change(one, indicator_id, area).verdict for one in (release, before))
        if now in CHANGES and now != then:
            signals.append(Signal(indicator_id, now))
    revisions = []
    for indicator_id in ids:
        old, new = (
            level_rows(one, indicator_id, area.level, map_id, period, True)[area.code]["value"]
            for one in (before, release)
        )
        if old is not None and new is not None and old != new:
            revisions.append(Revision(indicator_id, old, new))
    return News(
        before,
        release.date("as_of") > before.date("as_of"),
        period,
        tuple(signals),
        tuple(revisions),
        _method_changes(release),
    )


@per_release
def _method_changes(release: Release) -> MethodChanges:
    before = release_before(release)
    assert before is not None, "asked only where there is one"
    return method_changes(before, release)

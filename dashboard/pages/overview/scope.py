"""What all parts of an overview share, and what each of its rows is made from."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard import sentence
from dashboard.groups import group_of
from dashboard.pages.scope import Scope
from dashboard.readings import (
    NOT_ASSESSED,
    Estimate,
    Judged,
    Process,
    area_change,
    area_estimate,
    area_process,
    latest_period,
    level_rows,
    level_verdicts,
)
from dashboard.selection import COUNTRY, Catalogue, Selection
from dashboard.words import Words
from kpis.area import Area
from kpis.indicator import Indicator, Texts, load_indicators
from kpis.period import Period
from kpis.release import Release

MOST_ROWS = 6


@dataclass(frozen=True)
class Line:
    """One indicator of the overview: what its row, its sentence and its table are made from."""

    indicator: Indicator
    texts: Texts
    own: Estimate
    group: Estimate | None
    country: Estimate
    peers: Sequence[Estimate]  # every area of the level
    verdict: Judged  # against the country; of the country itself against its own past
    digits: int  # of the peers
    own_digits: int  # a larger area can bear more


@dataclass(frozen=True)
class OverviewScope(Scope):
    """What all rows of one overview share."""

    group: Area | None
    country: Area
    peer_level: str

    @property
    def peer_words(self) -> str:
        """The areas that the area is drawn among, in words."""
        return self.words(f"levels.{self.peer_level}")

    def period_of(self, indicator: Indicator) -> Period:
        """The period of the view, or the newest year of an indicator that is told for years only."""
        return latest_period(self.release, indicator.id)


def chosen_indicators() -> list[Indicator]:
    """Return the indicators on the first screen: the headlines and the next ones, in the order of the focus areas."""
    every = list(load_indicators().values())
    headlines = [item for item in every if item.headline][:MOST_ROWS]
    others = [item for item in every if not item.headline and item.can_be_standardised]
    chosen = headlines + others[: MOST_ROWS - len(headlines)]
    return [item for item in every if item in chosen]


def scope_of(selection: Selection, release: Release, known: Catalogue, words: Words) -> OverviewScope:
    """Return what all parts share; the country is drawn among the municipalities."""
    area = known.area(selection.area, selection.map) if selection.area else None
    country = known.area(COUNTRY, selection.map)
    assert area is not None and country is not None, "Selection.from_url gives areas of the map only"
    peer_level = "municipality" if area.level == "country" else area.level
    group = group_of(selection, known, words)
    return OverviewScope(selection, release, words, known, area, latest_period(release), group, country, peer_level)


def line_of(indicator: Indicator, scope: OverviewScope) -> Line:
    """Return what the row of an indicator is made from."""
    release, map_id, period = scope.release, scope.selection.map, scope.period_of(indicator)

    def estimate(area: Area) -> Estimate:
        return area_estimate(release, indicator.id, area, map_id, period, True)

    peers = tuple(level_rows(release, indicator.id, scope.peer_level, map_id, period, True).values())
    own, country, digits = estimate(scope.area), estimate(scope.country), sentence.digits_of(peers)
    return Line(
        indicator,
        indicator.texts(scope.words.lang),
        own,
        estimate(scope.group) if scope.group else None,
        country,
        peers,
        judged(indicator, scope),
        digits,
        max(digits, sentence.digits_of([own])),
    )


def judged(indicator: Indicator, scope: OverviewScope) -> Judged:
    """Return the verdict of an area against the country, and of the country against its own past."""
    if scope.is_country:
        return area_change(scope.release, indicator.id, scope.area)
    asked = (scope.peer_level, scope.selection.map, scope.period_of(indicator), True)
    verdicts = level_verdicts(scope.release, indicator.id, *asked)
    return verdicts.get(scope.area.code, NOT_ASSESSED)


def process_of(indicator: Indicator, scope: OverviewScope) -> Process:
    """Return the months of an indicator in the area, and what they say."""
    return area_process(scope.release, indicator.id, scope.area)

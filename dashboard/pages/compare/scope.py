"""What a comparison is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from dashboard import sentence
from dashboard.groups import group_of
from dashboard.pages.scope import period_text
from dashboard.readings import (
    Estimate,
    Judged,
    Place,
    area_estimate,
    latest_period,
    level_estimates,
    level_funnel,
    level_places,
    level_verdicts,
)
from dashboard.selection import COUNTRY, Catalogue, Selection, area_ref
from dashboard.words import Words
from kpis.area import Area, levels
from kpis.indicator import FOCUS_AREAS, Indicator, Texts, load_indicators
from kpis.period import Period
from kpis.release import Release


@dataclass(frozen=True)
class Comparison:
    """Everything that drawings, sentence and table of a comparison are made from."""

    release: Release
    indicator: Indicator
    texts: Texts
    period: Period
    is_standardised: bool
    peers: pl.DataFrame  # rows of ESTIMATES, all areas of the level or those of the group
    own_area: Area | None
    own: Estimate | None
    group_area: Area | None
    group: Estimate | None
    country: Estimate
    is_group_only: bool
    digits: int
    verdicts: Mapping[str, Judged]  # by area code, of all areas of the level; empty where nothing is judged
    places: Mapping[str, Place]  # by area code, among all areas of the level; empty where nothing is judged
    funnel: pl.DataFrame  # rows of FUNNEL, all areas of the level or those of the group
    members: Mapping[str, tuple[str, ...]]  # area code → codes of its municipalities, of all areas of the level

    @property
    def group_codes(self) -> tuple[str, ...]:
        """Codes of the areas that belong to the group: municipalities, since groups are made of them."""
        return self.group_area.municipalities if self.group_area else ()

    @property
    def own_code(self) -> str | None:
        """Code of the area that is highlighted."""
        return self.own_area.code if self.own_area else None


PALE = ("calm", "muted")


def told_of(selection: Selection, known: Catalogue) -> Selection:
    """Return the selection with the smallest areas there are, where the figure is too uncertain of municipalities.

    The one around a municipality is highlighted in its place.
    """
    indicator = load_indicators()[selection.indicator or known.indicators[0]]
    if indicator.is_told_of_single_municipalities or selection.level != "municipality":
        return selection
    level = "cluster" if "cluster" in levels(selection.map) else "health_council"
    own = known.area(selection.area, selection.map) if selection.area else None
    if own is None or own.level != "municipality":
        return replace(selection, level=level)
    around = (area for area in known.areas[selection.map, level] if own.code in area.municipalities)
    return replace(selection, level=level, area=next(map(area_ref, around), None))


def compared(selection: Selection, release: Release, known: Catalogue, words: Words) -> Comparison:
    """Return what is compared; areas that the selection does not name are not there."""
    indicator = load_indicators()[selection.indicator or known.indicators[0]]
    period = selection.period or latest_period(release, indicator.id)
    standardised = indicator.can_be_standardised and not selection.crude
    asked = (indicator.id, selection.level, selection.map, period, standardised)
    peers, among = level_estimates(release, *asked), level_funnel(release, *asked)
    own_area = known.area(selection.area, selection.map) if selection.area else None
    group_area = group_of(selection, known, words)

    def estimate(area: Area | None) -> Estimate | None:
        return area_estimate(release, indicator.id, area, selection.map, period, standardised) if area else None

    country = estimate(known.area(COUNTRY, selection.map))
    assert country is not None, "every release has the country"
    digits = sentence.digits_of(peers.iter_rows(named=True))
    is_group_only = selection.only_group and group_area is not None and selection.level == "municipality"
    if is_group_only and group_area:
        of_group = pl.col("area_code").is_in(list(group_area.municipalities))
        peers, among = peers.filter(of_group), among.filter(of_group)
    return Comparison(
        release,
        indicator,
        indicator.texts(selection.lang),
        period,
        standardised,
        peers,
        own_area,
        estimate(own_area),
        group_area,
        estimate(group_area),
        country,
        is_group_only,
        digits,
        level_verdicts(release, *asked),
        level_places(release, *asked),
        among,
        {area.code: area.municipalities for area in known.areas[selection.map, selection.level]},
    )


def scope_text(shown: Comparison, words: Words) -> str:
    """Return focus area, period and calculation in words."""
    calculation = "compare.standardised" if shown.is_standardised else "compare.crude"
    parts = [getattr(FOCUS_AREAS[shown.indicator.focus_area], words.lang), period_text(shown.period, words)]
    return " · ".join([*parts, words(calculation).lower()] if shown.indicator.can_be_standardised else parts)

"""What the parts of one view in depth share, and the links that stand under each of its figures."""

from dataclasses import dataclass
from typing import Any

from dash import html

from dashboard import files, sentence
from dashboard.components.figure import links_to_files
from dashboard.components.verdict import CHANGES, SILENT, reason_text, verdict_text
from dashboard.pages.scope import Scope
from dashboard.readings import (
    NOT_ASSESSED,
    Estimate,
    Judged,
    Process,
    area_estimate,
    area_process,
    latest_period,
    level_estimates,
    level_verdicts,
)
from dashboard.selection import COUNTRY, Selection, area_ref, catalogue
from dashboard.words import Words
from kpis.area import Area
from kpis.evaluate import By
from kpis.indicator import Indicator, Texts, load_indicators
from kpis.period import Period
from kpis.release import Release


@dataclass(frozen=True)
class DepthScope(Scope):
    """What all figures of one view share."""

    indicator: Indicator
    texts: Texts
    country: Area
    own: Estimate
    whole: Estimate
    digits: int
    judged: Judged  # against the country; of the country itself against its own past


def scope_of(selection: Selection, release: Release, words: Words) -> DepthScope:
    """Return what a selection stands for, with its figures and its verdict."""
    known = catalogue(release)
    indicator = load_indicators()[selection.indicator or known.indicators[0]]
    area = known.area(selection.area or COUNTRY, selection.map)
    country = known.area(COUNTRY, selection.map)
    assert area is not None and country is not None, "Selection.from_url gives areas of the map only"
    period = latest_period(release, indicator.id)
    own, whole = (area_estimate(release, indicator.id, item, selection.map, period, True) for item in (area, country))
    peers = level_estimates(release, indicator.id, area.level, selection.map, period, True)
    if area.level == "country":
        judged = area_process(release, indicator.id, area).judged
    else:
        verdicts = level_verdicts(release, indicator.id, area.level, selection.map, period, True)
        judged = verdicts.get(area.code, NOT_ASSESSED)
    digits = max(sentence.digits_of(peers.iter_rows(named=True)), sentence.digits_of([own]))
    texts = indicator.texts(words.lang)
    return DepthScope(
        selection, release, words, known, area, period, indicator, texts, country, own, whole, digits, judged
    )


def calculation(indicator: Indicator, words: Words) -> list[str]:
    """Say how the figure of the head is calculated, and how the months under it, which are another figure."""
    if not indicator.can_be_standardised:
        return []
    return [words("compare.standardised").lower() if indicator.is_yearly else words("depth.calculation")]


def change_told(shown: Process, words: Words) -> str:
    """Say whether the months have changed, in the words of the verdict."""
    verdict = shown.judged.verdict
    if verdict in CHANGES and shown.since:
        change = verdict_text(verdict, words)
        return words("depth.changed", change=words("verdict.since", change=change, month=words.month(shown.since)))
    if verdict in SILENT:
        return words("depth.not_judged", reason=reason_text(shown.judged.reason, words))
    had_signals = (shown.months["signal"] != "none").any()
    return words("depth.unchanged_now" if had_signals else "depth.unchanged", verdict=verdict_text(verdict, words))


def actions(scope: DepthScope, periods: tuple[Period, ...], by: By | None = None) -> list[Any]:
    """Return links to the file behind a figure in every kind, and to the definition."""
    words, selection = scope.words, scope.selection
    is_standardised = len(periods) == 1 and by is None and scope.indicator.can_be_standardised
    asked = (scope.area.level, periods, is_standardised, selection.map, words.lang, area_ref(scope.area), by)
    links = links_to_files(
        files.KINDS, lambda kind: files.address(scope.release, scope.indicator.id, kind, *asked), words
    )
    method = selection.on_page("method", scope.indicator.id)
    return [*links, html.A(words("figure.definition"), href=method.to_url())]

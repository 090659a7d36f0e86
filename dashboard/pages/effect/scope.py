"""What the parts of the page of an intervention share, and the links that stand under its figures."""

from dataclasses import dataclass
from typing import Any

from dash import html

from dashboard.components.figure import links_to_files
from dashboard.effect.files import effect_address
from dashboard.files import POTENTIAL_KINDS
from dashboard.selection import Selection
from dashboard.words import Words
from kpis.effect_report import EffectReport
from kpis.intervention import Plan
from kpis.release import Release


@dataclass(frozen=True)
class EffectScope:
    """What the parts of one view share."""

    selection: Selection
    release: Release
    words: Words
    report: EffectReport

    @property
    def plan(self) -> Plan:
        """The plan that the report is about."""
        return self.report.plan


def file_links(scope: EffectScope, part: str) -> list[Any]:
    """Return links to the file behind a figure (one of ``effect_files.PARTS``), and to the definition."""
    words = scope.words
    asked = (scope.release, scope.plan.id, part)
    links = links_to_files(POTENTIAL_KINDS, lambda kind: effect_address(*asked, kind, words.lang), words)
    method = scope.selection.on_page("method", scope.plan.indicator)
    return [*links, html.A(words("figure.definition"), href=method.to_url())]

"""What the parts of the page of an intervention share, and the links that stand under its figures."""

from dataclasses import dataclass
from typing import Any

from dash import html

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
    links = [
        html.A(
            words(f"figure.{kind}"),
            href=effect_address(scope.release, scope.plan.id, part, kind, words.lang),
            download="",
        )
        for kind in POTENTIAL_KINDS
    ]
    method = scope.selection.on_page("method", scope.plan.indicator)
    return [*links, html.A(words("figure.definition"), href=method.to_url())]

"""What the parts of one view of an area share."""

from dataclasses import dataclass

from dashboard import sentence
from dashboard.selection import Catalogue, Selection
from dashboard.words import Words
from kpis.area import Area
from kpis.period import Period
from kpis.release import Release


@dataclass(frozen=True)
class Scope:
    """The selection and what it stands for: an area, and the period that is shown."""

    selection: Selection
    release: Release
    words: Words
    known: Catalogue
    area: Area
    period: Period

    @property
    def name(self) -> str:
        """The area's name as it stands within a sentence."""
        return sentence.area_name(self.area, self.words)

    @property
    def is_country(self) -> bool:
        """Whether the area is the whole country, which has no peers."""
        return self.area.level == "country"


def period_text(period: Period, words: Words) -> str:
    """Return the period in words: *2024*, *1. kvartal 2024*, *oktober 2024 – september 2025*."""
    if period.grain == "quarter":
        return words("period.quarter", number=period.last.month // 3, year=period.last.year)
    return words.months(period.first, period.last)


def on_map(selection: Selection, words: Words) -> str:
    """Return what to add to a scope on another map than the usual one."""
    return f" · {words('shell.on_map_2027')}" if selection.map != Selection.map else ""

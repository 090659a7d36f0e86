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

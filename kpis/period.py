"""Periods of whole months, their ids, and the breaks in the data that no line may be drawn across.

| grain | id | means |
|---|---|---|
| month | 2024-01 | one calendar month |
| quarter | 2024-Q1 | January–March; the Danish spelling 2024K1 is read too |
| year | 2024 | January–December |
| rolling12 | 12m-2024-05 | the twelve months that end with May 2024 |
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal, Self, get_args

Grain = Literal["month", "quarter", "year", "rolling12"]
GRAINS: tuple[Grain, ...] = get_args(Grain)
_YEAR = r"(?:19|20)\d\d"  # so that no arithmetic on months leaves the calendar
MONTHS_IN: dict[Grain, int] = {"month": 1, "quarter": 3, "year": 12, "rolling12": 12}


@dataclass(frozen=True, order=True)
class Period:
    """Whole months from `first` to `last`, both inclusive, each given as the first day of its month."""

    first: date
    last: date
    grain: Grain

    @classmethod
    def starting(cls, first: date, grain: Grain) -> Self:
        """The period of `grain` whose first month is the month of `first`."""
        return cls(add_months(first, 0), add_months(first, MONTHS_IN[grain] - 1), grain)

    @classmethod
    def containing(cls, day: date, grain: Grain) -> Self:
        """The period of `grain` that `day` lies in; for rolling12 the one that ends with its month."""
        if grain == "rolling12":
            return cls.starting(add_months(day, -11), grain)
        length = MONTHS_IN[grain]
        return cls.starting(date(day.year, (day.month - 1) // length * length + 1, 1), grain)

    @classmethod
    def from_id(cls, text: str) -> Self:
        """The period that `text` names (see the table above). Raises ValueError that lists the spellings."""
        spelling = text.strip().upper()
        try:
            if match := re.fullmatch(rf"({_YEAR})-(\d{{2}})", spelling):
                return cls.containing(date(int(match[1]), int(match[2]), 1), "month")
            if match := re.fullmatch(rf"({_YEAR})-?[QK]([1-4])", spelling):
                return cls.containing(date(int(match[1]), int(match[2]) * 3, 1), "quarter")
            if match := re.fullmatch(_YEAR, spelling):
                return cls.containing(date(int(match[0]), 1, 1), "year")
            if match := re.fullmatch(rf"12M-({_YEAR})-(\d{{2}})", spelling):
                return cls.containing(date(int(match[1]), int(match[2]), 1), "rolling12")
        except ValueError:
            pass  # month 13
        raise ValueError(f"{text!r} is not a period. Write 2024-01, 2024-Q1, 2024 or 12m-2024-05.")

    @property
    def id(self) -> str:
        """The text that `from_id` reads back."""
        month = f"{self.last:%Y-%m}"
        match self.grain:
            case "month":
                return month
            case "quarter":
                return f"{self.last:%Y}-Q{self.last.month // 3}"
            case "year":
                return f"{self.last:%Y}"
            case "rolling12":
                return f"12m-{month}"

    @property
    def end(self) -> date:
        """The first day after the period."""
        return add_months(self.last, 1)

    def shifted(self, steps: int) -> Self:
        """The period `steps` later: one step is the period's own length, but one month for rolling12."""
        length = 1 if self.grain == "rolling12" else MONTHS_IN[self.grain]
        return self.starting(add_months(self.first, steps * length), self.grain)

    def year_before(self) -> Self:
        """The same months of the year before."""
        return self.starting(add_months(self.first, -12), self.grain)


def add_months(day: date, months: int) -> date:
    """First day of the month that lies `months` after the month of `day`."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def months_between(start: date, end: date) -> int:
    """How many months `end`'s month lies after `start`'s month; negative when it lies before."""
    return (end.year - start.year) * 12 + end.month - start.month


def periods_between(first: date, last: date, grain: Grain) -> tuple[Period, ...]:
    """Periods of `grain` wholly within the months of `first` and `last` (both inclusive), oldest first.

    Part-periods are left out: a "year" of seven months compares with nothing. A year holds one rolling12.
    """
    period = Period.containing(first if grain != "rolling12" else add_months(first, 11), grain)
    periods = []
    while period.last <= last:
        if period.first >= add_months(first, 0):
            periods.append(period)
        period = period.shifted(1)
    return tuple(periods)


@dataclass(frozen=True)
class Break:
    """The first month of a new way to count: figures before and after it do not compare."""

    id: str
    month: date
    da: str
    en: str


BREAKS = (
    Break(
        "lpr3",
        date(2019, 3, 1),
        "Landspatientregisteret skiftede fra LPR2 til LPR3. Niveauer før og efter kan ikke sammenlignes.",
        "The National Patient Register changed from LPR2 to LPR3. Levels before and after do not compare.",
    ),
    Break(
        "reform2027",
        date(2027, 1, 1),
        "Sundhedsreformen: Region Østdanmark, sundhedsråd, og akutsygepleje flyttet til regionerne.",
        "The health reform: Region Østdanmark, health councils, and acute nursing moved to the regions.",
    ),
)


def breaks_within(first: date, last: date) -> tuple[Break, ...]:
    """Breaks that separate the months `first` and `last` from each other."""
    return tuple(item for item in BREAKS if add_months(first, 0) < item.month <= last)

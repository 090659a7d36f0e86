"""A slice: what a page about data, a file, the API and the command line ask for in the same words.

Indicators × areas of one level × periods of one grain that follow each other, and below them the areas to compare with.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kpis.area import MAPS, Area, Map, areas, areas_within
from kpis.indicator import LANGUAGES, Language, load_indicators
from kpis.passport import passport_of
from kpis.period import Period
from kpis.query import By, Query, QueryError
from kpis.release import Release


@dataclass(frozen=True)
class Slice:
    """What is asked for. `indicators` are ids; `within` None = everywhere; `periods` are of one grain.

    Of several indicators those are standardised that can be.
    """

    indicators: tuple[str, ...]
    level: str
    periods: tuple[Period, ...]
    standardised: bool = False
    map: Map = MAPS[0]
    within: Area | None = None
    by: By | None = None

    def areas(self, release: Release) -> tuple[Area, ...]:
        """The areas that are asked for, in Danish alphabetical order. Raises QueryError where there are none."""
        if self.within is None:
            return areas(release, self.level, self.map)
        if not (found := areas_within(release, self.level, self.within)):
            raise QueryError(f"No {self.level} lies in {self.within.name}.")
        return found

    def comparators(self, release: Release) -> tuple[Area, ...]:
        """The areas that stand below to compare with: the one they lie in, and the country."""
        own = (self.within,) if self.within and self.within.level not in (self.level, "country") else ()
        return own if self.level == "country" else (*own, *areas(release, "country", self.map))

    def queries(self, release: Release) -> list[Query]:
        """One query an indicator, comparators last. Raises QueryError where the counts cannot answer one."""
        places = (*self.areas(release), *self.comparators(release))
        wanted = [load_indicators()[name] for name in self.indicators]
        return [
            Query(item, places, self.periods, self.by, self.standardised and item.can_be_standardised)
            for item in wanted
        ]

    def by_indicator(self) -> Iterator["Slice"]:
        """The same slice of one indicator at a time; their rows under each other are those of the whole."""
        return (replace(self, indicators=(name,)) for name in self.indicators)

    def row_count(self, release: Release) -> int:
        """How many rows the slice has, without evaluating it."""
        return sum(len(query.areas) * len(query.periods) * len(query.groups) for query in self.queries(release))

    @property
    def is_standardised(self) -> bool:
        """Whether anything in it is standardised."""
        return self.standardised and any(load_indicators()[name].can_be_standardised for name in self.indicators)

    @property
    def options(self) -> str:
        """The slice as arguments of `python -m kpis export`: the one spelling that its passport is made of."""
        first, last = self.periods[0], self.periods[-1]
        return " ".join(
            [
                *self.indicators,
                f"--level {self.level}",
                *([f"--area {self.within.code} --area-level {self.within.level}"] if self.within else []),
                f"--from {first.first:%Y-%m} --to {last.last:%Y-%m} --grain {first.grain} --map {self.map}",
                *(["--standardised"] if self.is_standardised else []),
                *([f"--by {self.by}"] if self.by else []),
            ]
        )

    def command(self, release: Release, format: str, language: Language, csv: str = "danish") -> str:
        """The command line that writes the file, on this release also when a newer one is there."""
        chosen = [
            f"--format {format}",
            *([f"--csv {csv}"] if format == "csv" and csv != "danish" else []),
            *([f"--lang {language}"] if language != LANGUAGES[0] else []),
            f"--release {release.id}",
        ]
        return " ".join(["python -m kpis export", self.options, *chosen])

    def passport(self, release: Release) -> str:
        """The id of the slice on a release, the same for its files of every kind and in every language."""
        return passport_of(self.options, release.id)

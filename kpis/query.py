"""What can be asked of a release: an indicator for areas × periods, whole or split, crude or standardised."""

from dataclasses import dataclass
from typing import Literal

from kpis import rates
from kpis.area import Area
from kpis.counts import SEXES
from kpis.indicator import Indicator
from kpis.period import Period
from kpis.release import AGE_BANDS

By = Literal["group", "age", "sex"]


class QueryError(ValueError):
    """A question that the counts cannot answer; the text says what can be asked instead."""


@dataclass(frozen=True)
class Query:
    """What to evaluate. Areas may mix levels and periods may mix grains; each area carries its map.

    `standardised` rates are standardised directly, for age and sex, to the standard population that the
    indicator names; with `by` the weights are those of the part in question. Raises QueryError when the
    counts of the indicator do not carry what is asked for.
    """

    indicator: Indicator
    areas: tuple[Area, ...]
    periods: tuple[Period, ...]
    by: By | None = None
    standardised: bool = False
    confidence: float = rates.LEVEL_95

    def __post_init__(self) -> None:
        indicator = self.indicator
        if self.by is not None and self.by not in indicator.breakdowns:
            possible = ", ".join(indicator.breakdowns) or "nothing"
            raise QueryError(f"{indicator.id} cannot be split by {self.by}; it can be split by: {possible}.")
        if self.standardised and not indicator.can_be_standardised:
            raise QueryError(f"{indicator.id} cannot be standardised; ask for it without.")

    @property
    def groups(self) -> tuple[str, ...]:
        """Values of the column `group`, in the order of the estimates."""
        match self.by:
            case None:
                return ("all",)
            case "group":
                return self.indicator.group_ids
            case "age":
                return tuple(str(age) for age in AGE_BANDS[self.indicator.population.bands])
            case "sex":
                return tuple(str(sex) for sex in SEXES)

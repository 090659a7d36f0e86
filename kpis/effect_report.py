"""What there is to say of one intervention's effect: the answer of `kpis.effect_assessment`, not its making."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

from kpis.indicator import Indicator
from kpis.intervention import Plan
from kpis.rates import FloatArray

Verdict = Literal["fall", "perhaps_fall", "cannot_tell", "rise"]
Method = Literal["controls", "synthetic", "series", "before_after"]
Moved = Literal["fell", "rose", "still", "unknown"]
METHODS: tuple[Method, ...] = ("controls", "synthetic", "series", "before_after")


@dataclass(frozen=True)
class Refusal:
    """Why something is not answered: a word, and the numbers and names that belong into its sentence."""

    id: str
    facts: tuple[tuple[str, Any], ...] = ()


class Range(NamedTuple):
    """A value with its limits, 95 % where nothing else is said."""

    value: float
    lower: float
    upper: float


class Cost(NamedTuple):
    """Kroner per event avoided; `upper` is None where it cannot be ruled out that none was avoided."""

    value: float
    lower: float
    upper: float | None


@dataclass(frozen=True)
class MethodResult:
    """What one method says: rate ratios.

    `ratio`: with the limits that placebos set; None where the method refuses, `refusal` says why. `coverage`: how often
    these limits held "no effect" on placebos judged by others; `textbook`: the method's own limits, and
    `textbook_coverage` how often those would have held. None where a method has none. `p_value` (synthetic control):
    share of the placebos whose fit grew as much worse after the start.
    """

    method: Method
    ratio: Range | None
    textbook: Range | None
    coverage: float | None
    textbook_coverage: float | None
    refusal: Refusal | None = None
    p_value: float | None = None


class Donor(NamedTuple):
    """A municipality that the treated are compared with, and its share in the comparison."""

    code: str
    name: str
    weight: float
    synthetic_weight: float


@dataclass(frozen=True)
class PreFit:
    """How alike treated and controls were before.

    `trend_per_year`: by what ratio the treated drifted from the controls, with plain 95 % limits. `error`: root mean
    square gap of the months in per cent; `usual_error`: its median among placebos. `is_poor`: drift or gaps beyond 99
    of 100 placebos.
    """

    trend_per_year: Range
    error: float
    usual_error: float
    is_poor: bool


@dataclass(frozen=True)
class PlaceboSpread:
    """What the method finds where nothing was done; arrays of rate ratios, for drawing.

    `ratios`: of groups like the treated at the true start, `limits` the middle 95 % of them; the treated stands at
    `rank` when all, itself included, are ordered from the greatest fall (1) on. `in_time`: month and ratio of the
    treated at a start before the true one, from the months before only; None where these are too few. `paths`:
    (≤ 60 placebos, months) observed ÷ comparison over the six months that end with each, 1 = as the comparison, NaN
    before the sixth; `path`: the same of the treated. `n_starts`: starting months, the true one included, at which
    each group was asked.
    """

    ratios: FloatArray
    limits: tuple[float, float]
    rank: int
    n: int
    n_apart: int
    is_within_region: bool
    in_time: tuple[date, Range] | None
    paths: FloatArray
    path: FloatArray
    n_starts: int = 1


@dataclass(frozen=True)
class Side:
    """Another indicator, asked the same way: negative control or counterweight.

    `moved`: "fell", "rose" or "still" by its calibrated 95 % interval; "unknown" where it is refused.
    """

    indicator: Indicator
    ratio: Range | None
    coverage: float | None
    moved: Moved
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Gain:
    """Effects over all months after, in what is counted; positive = fewer, with 95 % limits.

    `events`: of the indicator (admissions, or whatever it counts). `bed_days`: at the region's lengths of stay; None
    where the events have none. `kroner`: bed days at the plan's price. `cost`: of the same months, by the plan.
    `cost_per_event`: None without a cost, or where there are not fewer events than expected. `per_year`: of `events`.
    """

    events: Range
    bed_days: Range | None
    kroner: Range | None
    cost: float | None
    cost_per_event: Cost | None
    per_year: Range


@dataclass(frozen=True)
class Window:
    """Months from `first` to `last` (both included); before: to `last_before`, after: from `first_after`."""

    first: date
    last_before: date
    first_after: date
    last: date
    n_before: int
    n_after: int


@dataclass(frozen=True)
class EffectReport:
    """Everything that is to be said of one intervention on one release; see the text of this module.

    `reasons`: why the verdict is not stronger ("interval", "negative_control", "synthetic", "time"); () where it could
    not be. `refusals`: why there is no answer; then all that could not be computed is None or empty. `notes`:
    "cut_at_<break>" where a break in the data cut the months short.

    Series have one value per month of `months`; `counterfactual` is the path of the controls at the treated's own
    level, its limits those of the effect (equal to it before, and where the answer is refused). Months between
    `last_before` and `first_after` belong to neither side. `others`: ids of plans in the same municipalities that aim
    at the same indicator in these months: their effects cannot be told apart.
    """

    plan: Plan
    release_id: str
    indicator: Indicator
    verdict: Verdict
    reasons: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]
    others: tuple[str, ...] = ()
    ratio: Range | None = None
    ratio_likely: Range | None = None
    """With the 93 % limits that a possible fall is judged by."""
    coverage: float | None = None
    methods: tuple[MethodResult, ...] = ()
    window: Window | None = None
    months: tuple[date, ...] = ()
    observed: FloatArray | None = None
    counterfactual: FloatArray | None = None
    counterfactual_lower: FloatArray | None = None
    counterfactual_upper: FloatArray | None = None
    synthetic: FloatArray | None = None
    months_outside_own_limits: int | None = None
    """Of the months after: outside the treated's own process limits of the months before."""
    donors: tuple[Donor, ...] = ()
    pre_fit: PreFit | None = None
    placebos: PlaceboSpread | None = None
    negative_control: Side | None = None
    counterweight: Side | None = None
    gain: Gain | None = None

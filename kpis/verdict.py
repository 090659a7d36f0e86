"""Verdicts: the few words with which an estimate is judged, and the rules that choose among them.

The vocabulary is fixed. A verdict has one id, one icon, one colour role and one wording in each language
wherever it appears, so that chart, table, sentence and file cannot disagree. "As expected" is the normal
answer and is calm; a verdict raises its voice (`shouts`) only beyond limits that like areas pass twice in a
thousand, overdispersion counted in, or on a signal of a process chart. The 95 % limits shade, no more.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from kpis.compare import Better, category_of_z
from kpis.dispersion import Dispersion
from kpis.process import ProcessChart
from kpis.rates import LEVEL_95, StrArray

Colour = Literal["calm", "good", "good_strong", "bad", "bad_strong", "neutral", "neutral_strong", "muted"]

TELLING_FACTOR = 2.0
"""An area in which chance alone could hide a doubling or a halving is "cannot tell", not "as expected"."""


@dataclass(frozen=True)
class Verdict:
    """One entry of the vocabulary.

    `icon` says without colour what `colour` (a role of the palette) says; neutral roles are for indicators
    where neither direction is better. `shouts`: asks for attention; at most one verdict in twenty may by
    chance.
    """

    id: str
    icon: str
    colour: Colour
    shouts: bool
    da: str
    en: str


@dataclass(frozen=True)
class Reason:
    """Why there is no verdict."""

    id: str
    da: str
    en: str


VOCABULARY: tuple[Verdict, ...] = (
    # an area against its reference
    Verdict("as_expected", "○", "calm", False, "som ventet", "as expected"),
    Verdict("better", "+", "good", False, "bedre end ventet", "better than expected"),
    Verdict("much_better", "++", "good_strong", True, "klart bedre end ventet", "clearly better than expected"),
    Verdict("worse", "−", "bad", False, "dårligere end ventet", "worse than expected"),
    Verdict("much_worse", "−−", "bad_strong", True, "klart dårligere end ventet", "clearly worse than expected"),
    Verdict("higher", "▵", "neutral", False, "højere end ventet", "higher than expected"),
    Verdict("much_higher", "▲", "neutral_strong", True, "klart højere end ventet", "clearly higher than expected"),
    Verdict("lower", "▿", "neutral", False, "lavere end ventet", "lower than expected"),
    Verdict("much_lower", "▼", "neutral_strong", True, "klart lavere end ventet", "clearly lower than expected"),
    # an area against its own past
    Verdict("no_signal", "→", "calm", False, "ingen tegn på ændring", "no sign of change"),
    Verdict("improving", "+↗", "good_strong", True, "tegn på bedring", "signs of improvement"),
    Verdict("worsening", "−↘", "bad_strong", True, "tegn på forværring", "signs of worsening"),
    Verdict("rising", "↑", "neutral_strong", True, "tegn på stigning", "signs of a rise"),
    Verdict("falling", "↓", "neutral_strong", True, "tegn på fald", "signs of a fall"),
    # an area against its goal
    Verdict("goal_met", "✓", "good", False, "målet er nået", "goal met"),
    Verdict("goal_missed", "✗", "bad", False, "målet er ikke nået", "goal not met"),
    # an area on the way to its goal
    Verdict("on_track", "✓→", "good", False, "på vej mod målet", "on track"),
    Verdict("perhaps_behind", "(✗→)", "calm", False, "måske bagefter planen", "perhaps behind the plan"),
    Verdict("behind", "✗→", "bad", False, "bagefter planen", "behind the plan"),
    # an intervention (kpis.effect_assessment)
    Verdict("fall", "↘↘", "neutral_strong", True, "tydeligt fald", "clear fall"),
    Verdict("perhaps_fall", "(↘)", "neutral", False, "muligt fald", "possible fall"),
    Verdict("rise", "↗↗", "neutral_strong", True, "tydelig stigning", "clear rise"),
    # anything
    Verdict("cannot_tell", "?", "muted", False, "kan ikke afgøres", "cannot tell"),
    Verdict("not_assessed", "·", "muted", False, "ikke vurderet", "not assessed"),
)
REASONS: tuple[Reason, ...] = (
    Reason("too_few", "for få hændelser", "too few events"),
    Reason("undefined", "ingen værdi kan beregnes", "no value can be calculated"),
    Reason("no_reference", "der mangler tal at sammenligne med", "figures to compare with are missing"),
    Reason(
        "too_small",
        "området er for lille til at vise en forskel",
        "the area is too small to show a difference",
    ),
    Reason("no_data", "data er ikke modtaget endnu", "data have not been received yet"),
    Reason("few_points", "for få måneder siden sidste skift", "too few months since the last break"),
    Reason("no_interval", "der er ingen metode til at vurdere tallet", "there is no method to judge the figure by"),
    Reason(
        "decided", "tallet besluttes og svinger ikke af sig selv", "the figure is decided and does not vary by itself"
    ),
    Reason("across_break", "et databrud ligger imellem", "a break in the data lies between"),
    Reason("not_begun", "målet er ikke begyndt endnu", "the goal has not begun yet"),
    Reason("no_baseline", "målets udgangspunkt mangler", "the baseline of the goal is missing"),
    Reason("no_direction", "hverken højt eller lavt er godt i sig selv", "neither high nor low is good in itself"),
    Reason("unknown", "området eller indikatoren kendes ikke", "the area or the indicator is not known"),
)
BY_ID = {verdict.id: verdict for verdict in VOCABULARY}


@dataclass(frozen=True)
class Verdicts:
    """Ids of `VOCABULARY`, and of `REASONS` for "cannot_tell" and "not_assessed" (else ""); one shape."""

    id: StrArray
    reason: StrArray

    @property
    def shouts(self) -> np.ndarray:
        """Whether each verdict asks for attention."""
        return np.isin(self.id, [verdict.id for verdict in VOCABULARY if verdict.shouts])


def judge_level(
    dispersion: Dispersion,
    better: Better,
    status: StrArray | None = None,
    *,
    is_trifle: npt.ArrayLike = False,
) -> Verdicts:
    """Each area against the reference, by the funnel limits of a `dispersion.ratio_dispersion` or the like.

    Beyond the 99.8 % limits with overdispersion: "much_…"; beyond the 95 % limits: "better" or "worse"
    ("higher", "lower" where neither direction is better); else "as_expected", unless the area is so small
    that chance alone spans a doubling or a halving: "cannot_tell". `status` of the shown estimate
    (`Interval.status`): where it is not "ok", or there is no z, the verdict is "not_assessed" and the status
    is the reason. `is_trifle`: so near to the reference that nobody need hear of it, "as_expected" however sure.
    """
    category = category_of_z(dispersion.adjusted_z)
    if better == "neither":
        up, far_up, down, far_down = "higher", "much_higher", "lower", "much_lower"
    elif better == "higher":
        up, far_up, down, far_down = "better", "much_better", "worse", "much_worse"
    else:
        up, far_up, down, far_down = "worse", "much_worse", "better", "much_better"
    lower, upper = dispersion.limits(LEVEL_95, with_overdispersion=False)
    middle = dispersion.reference
    is_small = (upper >= TELLING_FACTOR * middle) | (lower <= middle / TELLING_FACTOR)
    known = np.full(category.shape, "ok") if status is None else np.broadcast_to(status, category.shape)
    is_missing = (known != "ok") | (category == "undefined")
    word = np.select(
        [
            is_missing,
            np.broadcast_to(is_trifle, category.shape),
            category == "high_998",
            category == "low_998",
            category == "high_95",
            category == "low_95",
            is_small,
        ],
        ["not_assessed", "as_expected", far_up, far_down, up, down, "cannot_tell"],
        "as_expected",
    )
    why_missing = np.where(known == "ok", "no_reference", known)
    return Verdicts(word, np.select([is_missing, word == "cannot_tell"], [why_missing, "too_small"], ""))


def judge_change(chart: ProcessChart, better: Better) -> Verdicts:
    """Each series against its own past: the signal of its newest month that is not provisional.

    The result has the leading shape. A signal is any rule of `ProcessChart`. "cannot_tell" while the phase
    has only trial limits (fewer than 13 months), "not_assessed" without a single month. By chance about 2 of 100
    unchanged series signal at a given month.
    """
    words = {"improvement": "improving", "concern": "worsening", "rise": "rising", "fall": "falling"}
    months = chart.value.shape[-1]
    newest = months - 1 - np.argmax(chart.is_judged[..., ::-1], axis=-1)[..., None]
    variation = np.take_along_axis(chart.variation(better), newest, axis=-1)[..., 0]
    is_trial = np.take_along_axis(chart.is_trial, newest, axis=-1)[..., 0]
    is_missing = ~chart.is_judged.any(axis=-1)
    word = np.select(
        [is_missing, is_trial, *(variation == v for v in words)],
        ["not_assessed", "cannot_tell", *words.values()],
        "no_signal",
    )
    return Verdicts(word, np.select([is_missing, is_trial], ["no_data", "few_points"], ""))


def judge_path(status: StrArray) -> Verdicts:
    """Each area on the way to its goal, from `goal.status`; "not_assessed" because of missing data."""
    words = {"met": "goal_met", "missed": "goal_missed"}
    known = ("on_track", "perhaps_behind", "behind", "not_assessed")
    word = np.select(
        [*(status == old for old in words), *(status == same for same in known)],
        [*words.values(), *known],
        "not_assessed",
    )
    return Verdicts(word, np.where(word == "not_assessed", "no_data", ""))

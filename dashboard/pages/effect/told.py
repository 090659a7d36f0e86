"""What is said of an intervention, in the same words on the list and on its own page."""

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeGuard

from dashboard.effect.plans import municipality_names
from dashboard.figures.forest import signed
from dashboard.sentence import amounts
from dashboard.words import Words
from kpis.effect_report import EffectReport, MethodResult, Range, Refusal
from kpis.indicator import find_indicator
from kpis.intervention import Plan

MOST_NAMES = 6
"""Municipalities that are named one by one; more are counted."""


def places(plan: Plan, words: Words) -> str:
    """Return where: the municipalities by name, or how many they are."""
    names = [municipality_names()[code] for code in plan.municipalities]
    if len(names) > MOST_NAMES:
        return words("effect.municipalities", count=len(names))
    return words.listing(names)


def facts(plan: Plan, words: Words) -> str:
    """Return since when, where, and which indicator it aims at, in one line."""
    key = "effect.facts_ended" if plan.end else "effect.facts"
    told: dict[str, Any] = {"end": words.month(plan.end)} if plan.end else {}
    indicator = name_of(plan.indicator, words)
    return words(key, start=words.month(plan.start), places=places(plan, words), indicator=indicator, **told)


def name_of(indicator_id: str, words: Words) -> str:
    """Return the short name of an indicator."""
    return find_indicator(indicator_id).texts(words.lang).short_name


def percent(ratio: float) -> float:
    """Return a rate ratio as a change in per cent: 0.9 is −10."""
    return round((ratio - 1.0) * 100.0, 6)


def change_digits(ratio: Range) -> int:
    """Return how many decimals a change in per cent can bear: none where chance moves it by whole ones."""
    return 0 if (ratio.upper - ratio.lower) * 100 >= 3 else 1


def change_text(ratio: Range | None, words: Words) -> str:
    """Return *−11 % (−16 til −5)*, or that there is none."""
    if ratio is None:
        return words("effect.no_value")
    digits = change_digits(ratio)
    value, lower, upper = (signed(percent(edge), digits, words) for edge in ratio)
    return words("effect.change", value=value, lower=lower, upper=upper)


def fewer_text(gain: Range, words: Words) -> str:
    """Return *120 færre (30–210)* of a gain, whose positive values are fewer; *40 færre (60 flere til 140 færre)*."""
    value, lower, upper = amounts(*gain, steps=100)
    if not (lower and upper):  # no side of what is possible is rounded away
        value, lower, upper = (float(round(edge)) for edge in gain)
    if gain.lower >= 0 or gain.upper <= 0:
        low, high = sorted((abs(lower), abs(upper)))
        return words("value.with_interval", value=_way(value or upper, words), interval=words.interval(low, high))
    return words("effect.amount_across", value=_way(value, words), low=_way(lower, words), high=_way(upper, words))


def _way(value: float, words: Words) -> str:
    if value == 0:
        return words("effect.no_difference")
    return words("effect.fewer" if value > 0 else "effect.more", amount=words.number(abs(value)))


def sentence_of(report: EffectReport, words: Words) -> str:
    """Return the one sentence of a report: what was found, or why nothing can be said."""
    indicator = report.indicator.texts(words.lang).short_name
    if report.refusals:
        return " ".join(refusal_text(one, words) for one in report.refusals)
    assert report.ratio is not None, "what is not refused has an estimate"
    digits = change_digits(report.ratio)
    change = words.number(abs(percent(report.ratio.value)), digits)
    side = words("effect.below" if report.ratio.value <= 1 else "effect.above")
    lower, upper = (signed(percent(edge), digits, words) for edge in report.ratio[1:])
    is_same = report.verdict == "cannot_tell" and round(percent(report.ratio.value), digits) == 0
    key = "effect.sentence_same" if is_same else f"effect.sentence_{report.verdict}"
    told = [words(key, indicator=indicator, change=change, side=side, lower=lower, upper=upper)]
    if report.verdict == "perhaps_fall":
        told += [words(f"effect.reason_{reason}") for reason in report.reasons if reason != "interval"]
    if report.verdict == "cannot_tell" and _is_excluded(report.plan.expected_effect, report.ratio):
        told.append(words("effect.plan_excluded", expected=signed(percent(report.plan.expected_effect), 0, words)))
    if report.verdict != "cannot_tell" and not do_methods_agree(report.methods):
        told.append(f"{methods_text(report.methods, words)}.")
    return " ".join(told)


def do_methods_agree(methods: Sequence[MethodResult]) -> bool:
    """Return whether all methods point the same way; the naive one is not asked."""
    return _below(methods) in (0, len(_judged(methods)))


def methods_text(methods: Sequence[MethodResult], words: Words) -> str:
    """Return whether the methods point the same way, and else how many see a fall."""
    count, below = len(_judged(methods)), _below(methods)
    key = "effect.methods_agree" if do_methods_agree(methods) else "effect.methods_differ"
    side = words("effect.below" if below else "effect.above")
    return words(key, count=words.count(count), below=words.count(below), side=side)


def _judged(methods: Sequence[MethodResult]) -> list[float]:
    return [one.ratio.value for one in methods if one.ratio is not None and one.method != "before_after"]


def _below(methods: Sequence[MethodResult]) -> int:
    return sum(ratio < 1 for ratio in _judged(methods))


def _is_excluded(expected: float | None, ratio: Range) -> TypeGuard[float]:
    """Return whether what the plan expected lies outside what is possible."""
    return expected is not None and not ratio.lower <= expected <= ratio.upper


def refusal_text(refusal: Refusal, words: Words) -> str:
    """Return why an effect is not answered, with its numbers and names as readers write them."""
    return words(f"effect.refusal_{refusal.id}", **_facts(refusal, words))


def method_refusal_text(refusal: Refusal, words: Words) -> str:
    """Return why one method gives no answer where others do."""
    return words(f"effect.method_refusal_{refusal.id}", **_facts(refusal, words))


def _facts(refusal: Refusal, words: Words) -> dict[str, str]:
    return {name: _fact(name, value, words) for name, value in refusal.facts}


def _fact(name: str, value: Any, words: Words) -> str:
    match value:
        case str() if name == "indicator":
            return name_of(value, words)
        case str() if name == "break_id":
            return words(f"break.{value}")
        case date():
            return words.month(value)
        case float():
            return words.number(value, 0 if value == round(value) or value >= 10 else 1)
        case int():
            return words.number(value)
        case tuple() | list():
            return words.listing([_fact(name, one, words) for one in value])
        case _:
            return municipality_names().get(str(value), str(value))

"""The plan of an intervention: what was written down beforehand, when it was locked, and what was changed since."""

from datetime import date
from typing import Any

from dash import html

from dashboard.components.table import Row, data_table
from dashboard.effect.plans import TYPED, municipality_names
from dashboard.figures.forest import signed
from dashboard.pages.effect.told import name_of, percent
from dashboard.words import Words
from kpis.intervention import Plan, deviations
from kpis.period import months_between

_INDICATORS = ("indicator", "counterweight", "negative_control")


def lock_line(plan: Plan, words: Words) -> str:
    """Return in one line whether the plan was locked before the start as it was then, and what was changed since."""
    if plan.locked_on is None:
        return words("effect.not_locked")
    start = (plan.locked or plan).start
    months = months_between(plan.locked_on.date(), start)
    if plan.locked_on.date() <= start:
        key = "effect.locked_before" if months > 0 else "effect.locked_just_before"
    else:
        key = "effect.locked_after"
    told = words(key, day=words.day(plan.locked_on), months=_months(abs(months), words))
    fields = words.listing([str(one.head).lower() for one in _deviations(plan, words)])
    return f"{told} {words('effect.is_changed', fields=fields)}" if fields else told


def plan_section(plan: Plan, words: Words) -> html.Section:
    """Return the plan as it was locked, the fingerprint, and every deviation from it."""
    shown = plan.locked or plan
    facts = [(words(f"plan.{name}"), value_text(shown, name, words)) for name in TYPED]
    facts += [(words("plan.registered_on"), words.day(plan.registered_on) if plan.registered_on else "")]
    items = [html.Div([html.Dt(name), html.Dd(text)]) for name, text in facts if text]
    changed = _deviations(plan, words)
    parts: list[Any] = [
        html.H2(words("effect.plan_locked" if plan.locked else "effect.plan")),
        html.P(_lock_text(plan, words)),
        html.Dl(items, className="plan"),
    ]
    if changed:
        columns = [words(f"effect.column_{name}") for name in ("field", "locked", "now")]
        table = data_table(words("effect.deviations_caption", name=plan.name), columns, changed)
        parts += [html.H3(words("effect.deviations")), html.P(words("effect.deviations_note")), table]
    elif plan.locked:
        parts.append(html.P(words("effect.no_deviations"), className="quiet"))
    return html.Section(parts, id="plan")


def value_text(plan: Plan, name: str, words: Words) -> str:
    """Return one field of a plan as readers write it; "" where nothing is said."""
    value = getattr(plan, name)
    if value in (None, "", ()):
        return ""
    match value:
        case date():
            return words.day(value)
        case _ if name in _INDICATORS:
            return name_of(value, words)
        case _ if name == "municipalities":
            return words.listing([municipality_names()[code] for code in value])
        case _ if name == "later_starts":
            return words.listing([f"{municipality_names()[code]} {words.day(day)}" for code, day in value])
        case float() if name == "expected_effect":
            change = percent(value)
            return words("effect.change_plain", value=signed(change, 0 if change == round(change) else 1, words))
        case float():
            return words("effect.kroner", value=words.number(value))
        case _:
            return str(value)


def _deviations(plan: Plan, words: Words) -> list[Row]:
    if plan.locked is None:
        return []
    none = words("words.none")
    return [
        Row(
            words(f"plan.{one.field}"),
            [value_text(plan.locked, one.field, words) or none, value_text(plan, one.field, words) or none],
        )
        for one in deviations(plan, plan.locked)
        if one.field in TYPED
    ]


def _lock_text(plan: Plan, words: Words) -> list[Any]:
    if plan.locked_on is None:
        return [words("effect.lock_none")]
    day = words.day(plan.locked_on)
    if plan.plan_hash is None:
        return [words("effect.lock_without_hash", day=day)]
    if not plan.is_intact:
        return [words("effect.lock_broken", day=day), " ", html.Code(plan.plan_hash)]
    return [words("effect.lock_intact", day=day, time=f"{plan.locked_on:%H:%M}"), " ", html.Code(plan.plan_hash)]


def _months(count: int, words: Words) -> str:
    return words("effect.one_month" if count == 1 else "effect.several_months", count=words.count(count))

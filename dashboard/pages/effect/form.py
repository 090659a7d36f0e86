"""The form in which an intervention is registered, and its plan locked before the result is known."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dash import html

from dashboard.components.fields import Field, choice_field, fault_summary, line_field, text_field
from dashboard.components.markup import Input
from dashboard.effect.plans import TYPED, Typed, find_plan, municipality_names, to_typed
from dashboard.guard.access import may
from dashboard.pages import Body
from dashboard.selection import Notice, Selection
from dashboard.words import Words, load_words
from kpis.effect_panel import why_unsuitable
from kpis.indicator import load_indicators
from kpis.intervention import Fault, Plan, write_plan
from kpis.release import Release

_REQUIRED = ("name", "municipalities", "start", "indicator")
_LONG = ("what", "later_starts")
_DATES = ("start", "end")
_INDICATORS = ("indicator", "counterweight", "negative_control")
_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("effort", ("name", "what", "municipalities", "start", "later_starts", "end")),
    ("aim", ("indicator", "expected_effect", "counterweight", "negative_control")),
    ("responsible", ("owner", "cost", "bed_day_price", "price_source")),
)

SEEN, ACTION, SAVE, LOCK = "set", "handling", "gem", "laas"
"""Names in the request: what the plan was when the form was opened, and what is to be done with it."""


@dataclass(frozen=True)
class Tried:
    """What was sent and could not be taken: the form as it was written, what is wrong with it, or what else went wrong.

    ``trouble`` is the key of a text.
    """

    typed: Typed
    faults: tuple[Fault, ...] = ()
    trouble: str = ""


def page(selection: Selection, release: Release) -> Body:
    """Return the empty form, or that of the plan in the address."""
    plan = find_plan(release, selection.intervention) if selection.intervention else None
    if selection.intervention and plan is None:
        notice = Notice("plan.unknown", {"value": selection.intervention[:60]})
        return form(replace(selection, intervention=None), None, None)._replace(notices=(notice,))
    return form(selection, plan, None)


def form(selection: Selection, plan: Plan | None, tried: Tried | None) -> Body:
    """Return the form of ``plan`` (None = a new one), after a try with what was wrong in it."""
    words = load_words(selection.lang)
    title = words("plan.title_change", name=plan.name) if plan else words("plan.title_new")
    head = html.Div(
        [
            html.P(html.A(words("effect.all"), href=replace(selection, page="effects").to_url()), className="eyebrow"),
            html.H1(title, tabIndex=-1),
            html.P(words("plan.lead_locked" if plan and plan.locked_on else "plan.lead"), className="conclusion"),
        ],
        className="page-head",
    )
    if not may("editor"):
        return Body(title, [head, html.P(words("plan.not_editor"), className="missing")])
    typed = tried.typed if tried else to_typed(plan, words) if plan else {}
    fields = {name: _field(name, typed, tried.faults if tried else (), words) for name in TYPED}
    parts: list[Any] = [
        head,
        *([html.P(words(tried.trouble), className="faults", role="alert")] if tried and tried.trouble else []),
        *fault_summary(list(fields.values()), words),
        html.Form(
            [
                Input(type="hidden", name=SEEN, value=fingerprint(plan)),
                *(
                    html.Fieldset(
                        [html.Legend(words(f"plan.group_{group}")), *(_drawn(fields[name], words) for name in names)]
                    )
                    for group, names in _GROUPS
                ),
                _buttons(plan, words),
            ],
            action=selection.to_url(),
            method="post",
            className="form",
        ),
    ]
    return Body(title, parts)


def fingerprint(plan: Plan | None) -> str:
    """Return a short text that differs for different plans, so that nobody writes over what he has not seen."""
    return hashlib.sha256(write_plan(plan).encode()).hexdigest()[:16] if plan else ""


def problem_text(fault: Fault, words: Words) -> str:
    """Return what is wrong, what was found and what is allowed, in words."""
    key = f"form.problem_{fault.problem}"
    if fault.problem == "unknown" and fault.field in ("municipalities", "later_starts"):
        key = "plan.unknown_municipality_near" if fault.allowed else "plan.unknown_municipality"
    if fault.field == "later_starts" and fault.found in municipality_names():
        return words("plan.not_among", found=municipality_names()[fault.found])
    return words(key, found=fault.found, allowed=fault.allowed)


def _field(name: str, typed: Typed, faults: Sequence[Fault], words: Words) -> Field:
    told = " ".join(problem_text(fault, words) for fault in faults if fault.field == name)
    return Field(
        name,
        words(f"plan.{name}"),
        typed.get(name, ""),
        words(f"plan.{name}_hint"),
        told,
        is_required=name in _REQUIRED,
    )


def _drawn(field: Field, words: Words) -> html.Div:
    if field.name in _INDICATORS:
        none = words("plan.choose" if field.is_required else "words.none")
        # One that a plan names already stays a choice, or saving the form would drop it.
        offered = [item for item in load_indicators().values() if not why_unsuitable(item) or item.id == field.value]
        options = [(item.id, item.texts(words.lang).name) for item in offered]
        return choice_field(field, [("", none), *options], words)
    if field.name in _LONG:
        return text_field(field, words, rows=4 if field.name == "what" else 2)
    return line_field(
        field,
        words,
        "date" if field.name in _DATES else "text",
        longest=1_200 if field.name == "municipalities" else 120,
    )


def _buttons(plan: Plan | None, words: Words) -> html.Div:
    if plan and plan.locked_on:
        button = html.Button(words("plan.save_locked"), type="submit", name=ACTION, value=SAVE, className="btn main")
        return html.Div([html.P(words("plan.locked_note", day=words.day(plan.locked_on))), button], className="buttons")
    return html.Div(
        [
            html.P(words("plan.lock_note")),
            html.Button(words("plan.save"), type="submit", name=ACTION, value=SAVE, className="btn"),
            html.Button(words("plan.save_and_lock"), type="submit", name=ACTION, value=LOCK, className="btn main"),
        ],
        className="buttons",
    )

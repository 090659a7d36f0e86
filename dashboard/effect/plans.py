"""Plans of interventions: which are known, and how what is written in the form becomes one."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from dashboard.own_folder import place_of
from dashboard.words import Words
from kpis.area import Area
from kpis.intervention import Fault, Plan, PlanProblem, plans, to_plan
from kpis.reference import areas as reference_areas
from kpis.reference import municipality_spellings, normalise_municipality
from kpis.release import Release

FOLDER = "interventions"
"""Folder of the web side that holds a file for each plan that was written here."""

RESERVED = ("ny",)
"""Stands in the address of the empty form, so that no plan may be called so."""

TYPED = (
    *("name", "what", "municipalities", "start", "later_starts", "end"),
    *("indicator", "expected_effect", "counterweight", "negative_control", "owner", "cost"),
    *("bed_day_price", "price_source"),
)
"""Fields of a plan that the form has, in its order; the names are those of the request."""

LEAST_CHANGE, MOST_CHANGE = -95, 400
"""Per cent that a plan may expect an indicator to change by."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d|\d\d-\d\d-\d{4}")
_THOUSANDS = re.compile(r"\d{1,3}(?:[\s.,]\d{3})*")

Typed = Mapping[str, str]
"""What stands in the form: field → text as it was written."""


def known_plans(release: Release) -> tuple[Plan, ...]:
    """Return the plans of a release and those written here since, the newest start first."""
    return plans(release, place_of(data_dir_of(release), FOLDER))


def find_plan(release: Release, plan_id: str) -> Plan | None:
    """Return the plan of that id, however its letters are cased; None without one."""
    return next((plan for plan in known_plans(release) if plan.id.casefold() == plan_id.casefold()), None)


def data_dir_of(release: Release) -> Path:
    """Return the data folder that a release lies in (``<data>/releases/<file>``)."""
    return release.path.parent.parent


def plans_for(release: Release, area: Area, indicator_id: str | None = None) -> list[Plan]:
    """Return the plans in an area or in municipalities of it, the oldest first; of those that aim at an indicator."""
    found = [
        plan
        for plan in known_plans(release)
        if set(plan.municipalities) & set(area.municipalities) and indicator_id in (None, plan.indicator)
    ]
    return sorted(found, key=lambda plan: (plan.start, plan.name))


# --- the form -----------------------------------------------------------------------------------------------


def to_typed(plan: Plan, words: Words) -> dict[str, str]:
    """Return a plan as it stands in the form."""
    change = "" if plan.expected_effect is None else _change_text(plan.expected_effect)
    return {
        "name": plan.name,
        "what": plan.what,
        "municipalities": ", ".join(municipality_names()[code] for code in plan.municipalities),
        "start": plan.start.isoformat(),
        "later_starts": "\n".join(
            f"{municipality_names()[code]}: {day.isoformat()}" for code, day in plan.later_starts
        ),
        "end": plan.end.isoformat() if plan.end else "",
        "indicator": plan.indicator,
        "expected_effect": change.replace(".", words("form.decimal_mark")),
        "counterweight": plan.counterweight or "",
        "negative_control": plan.negative_control or "",
        "owner": plan.owner,
        "cost": "" if plan.cost is None else words.number(plan.cost),
        "bed_day_price": "" if plan.bed_day_price is None else words.number(plan.bed_day_price),
        "price_source": plan.price_source,
    }


def from_typed(typed: Typed, before: Plan | None, taken: Collection[str], today: date) -> Plan:
    """Return the plan that is written in the form. Raises PlanProblem with every fault, each at its field.

    ``before`` is the plan that is changed: it keeps its id, and its lock if it has one. A new one gets an id made of
    its name that is not among ``taken``, and is registered ``today``.
    """
    faults: list[Fault] = []
    values = {
        **{name: typed.get(name, "") for name in TYPED},
        "id": before.id if before else _new_id(typed.get("name", ""), taken),
        "municipalities": _municipalities(typed.get("municipalities", ""), faults),
        "later_starts": _later_starts(typed.get("later_starts", ""), faults),
        "expected_effect": _ratio(typed.get("expected_effect", ""), faults),
        **{name: _kroner(typed.get(name, ""), name, faults) for name in ("cost", "bed_day_price")},
    }
    plan: Plan | None = None
    try:
        plan = to_plan(values)
    except PlanProblem as problem:
        told = {fault.field for fault in faults}  # of a name that is not known nothing else need be said
        faults += [fault for fault in problem.faults if fault.field not in told]
    if faults or plan is None:
        raise PlanProblem(tuple(sorted(faults, key=lambda fault: TYPED.index(fault.field))))
    if before is None:
        return replace(plan, registered_on=today)
    return replace(
        plan,
        registered_on=before.registered_on,
        locked_on=before.locked_on,
        plan_hash=before.plan_hash,
        # A plan that was locked elsewhere came without its copy: what was known when it is first changed here is it.
        locked=before.locked or (before if before.locked_on else None),
    )


@cache
def municipality_names() -> Mapping[str, str]:
    """Return the names of the municipalities by code."""
    table = reference_areas()
    return dict(table.filter(table["level"] == "municipality").select("area_code", "name").iter_rows())


def _change_text(ratio: float) -> str:
    return f"{(ratio - 1) * 100:.6g}"


def _new_id(name: str, taken: Collection[str]) -> str:
    slug = "-".join(re.findall(r"[a-z0-9]+", normalise_municipality(name)))[:36].strip("-") or "indsats"
    used = {*RESERVED, *(one.casefold() for one in taken)}
    return next(one for one in (slug, *(f"{slug}-{number}" for number in range(2, 1_000))) if one not in used)


def _code(name: str, field: str, faults: list[Fault]) -> str:
    """Return the code of a municipality by name or code; of one that is not known a fault with the nearest name."""
    known = {spelling: code for spelling, code in municipality_spellings().items() if code in municipality_names()}
    code = known.get(normalise_municipality(name))
    if code is None:
        near = get_close_matches(normalise_municipality(name), list(known), n=1)
        faults.append(Fault(field, "unknown", name[:80], municipality_names()[known[near[0]]] if near else ""))
    return code or ""


def _municipalities(text: str, faults: list[Fault]) -> list[str]:
    names = [part.strip() for part in re.split(r"[,;|\n]+", text) if part.strip()]
    return [code for name in names if (code := _code(name, "municipalities", faults))]


def _later_starts(text: str, faults: list[Fault]) -> dict[str, str]:
    """Read lines such as *Hjørring: 2025-03-01*."""
    found = {}
    for line in text.splitlines():
        name, _, day = (part.strip() for part in line.rpartition(":"))
        if not line.strip() or not (code := _code(name or day, "later_starts", faults)):
            continue
        if _DAY.fullmatch(day):
            found[code] = day
        else:
            faults.append(Fault("later_starts", "not_a_date", line.strip()[:80]))
    return found


def _ratio(text: str, faults: list[Fault]) -> float | None:
    """Read a change in per cent as a ratio: *−10 %* is 0.9."""
    written = re.sub(r"[\s%]|pct\.?", "", text).replace("−", "-").replace(",", ".")
    change = _number(written, float, "expected_effect", text, faults)
    if change is None:
        return None
    if not LEAST_CHANGE <= change <= MOST_CHANGE:
        allowed = f"−{-LEAST_CHANGE} … +{MOST_CHANGE}"
        faults.append(Fault("expected_effect", "out_of_range", text.strip()[:80], allowed))
        return None
    return round(1 + change / 100, 6)


def _kroner(text: str, field: str, faults: list[Fault]) -> float | None:
    """Read whole kroner; dots, commas and spaces part the thousands."""
    written = re.sub(r"\s*(?:kr\.?|kroner)\s*$", "", text.casefold().strip())
    digits = re.sub(r"\D", "", written) if _THOUSANDS.fullmatch(written) else written
    return _number(digits, int, field, text, faults)


def _number(written: str, kind: Callable[[str], float], field: str, text: str, faults: list[Fault]) -> float | None:
    if not written:
        return None
    try:
        return float(kind(written))
    except ValueError:
        faults.append(Fault(field, "not_a_number", text.strip()[:80]))
        return None

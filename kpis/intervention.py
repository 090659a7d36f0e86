"""Interventions (indsatser): the plan that is written down before the result, locked, and held against what was done.

One small TOML file per intervention. The form in the dashboard writes it, and a delivery to `etl` may be the same file
or a table with the same headers, so that there is one way to say what an intervention is:

    indsats_id = "IND-01"
    navn = "Akutteam døgnet rundt"
    kommuner = ["0860", "0813"]
    fra = 2024-12-01
    forventet_effekt = 0.9
    indikator = "preventable_admissions_65plus"
    …
    laast_den = 2024-10-01T09:30:00
    plan_hash = "5f0c…"

    [laast]            # the plan as it was when it was locked; what stands above may have been changed since
    navn = …

Locking copies the plan, with the time, into the table `laast` and keeps the SHA-256 of that text. Whoever changes the
plan later changes what stands above it, and `deviations` tells what; whoever changes the copy breaks the hash.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from kpis.indicator import load_indicators
from kpis.reference import areas
from kpis.release import Release, per_release

KEYS: Mapping[str, str] = {
    "id": "indsats_id",
    "name": "navn",
    "what": "hvad",
    "municipalities": "kommuner",
    "start": "fra",
    "later_starts": "senere_fra",
    "end": "til",
    "expected_effect": "forventet_effekt",
    "indicator": "indikator",
    "counterweight": "modvaegt",
    "negative_control": "negativ_kontrol",
    "owner": "ansvarlig",
    "cost": "pris_om_aaret",
    "bed_day_price": "pris_pr_sengedag",
    "price_source": "priskilde",
    "registered_on": "registreret_den",
    "locked_on": "laast_den",
    "plan_hash": "plan_hash",
    "locked": "laast",
}
"""Field of a plan → key in its file, which is also the header in a table of interventions."""
BINDING = tuple(name for name in KEYS if name not in ("registered_on", "locked_on", "plan_hash", "locked"))
"""Fields that a lock binds."""
_ID = re.compile(r"[A-Za-z0-9ÆØÅæøå][A-Za-z0-9ÆØÅæøå_-]{0,39}")
_TEXTS = {"name": 120, "what": 2000, "owner": 120, "price_source": 200}
LARGEST_FILE = 20_000
"""Characters; a plan has a few hundred."""

Problem = Literal[
    "missing", "not_text", "too_long", "not_an_id", "not_a_date", "not_a_number", "out_of_range", "unknown",
    "same_as_indicator", "before_start", "not_toml", "unknown_key",
]  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a plan: `field` of Plan (or key that is none), what is wrong, and what was found."""

    field: str
    problem: Problem
    found: str = ""
    allowed: str = ""


class PlanProblem(ValueError):
    """A text is no plan; `faults` holds all of them, for a form to show each beside its field."""

    def __init__(self, faults: tuple[Fault, ...]):
        self.faults = faults
        super().__init__("; ".join(_told(fault) for fault in faults))


@dataclass(frozen=True)
class Plan:
    """What a municipality does, and what it expects of it. Optional fields are empty or None where nothing is said."""

    id: str
    name: str
    municipalities: tuple[str, ...]
    """Codes in ascending order."""
    start: date
    """First day; where municipalities start apart, of the first of them."""
    indicator: str
    expected_effect: float | None = None
    """Rate ratio on the indicator, 0.9 = ten per cent fewer."""
    counterweight: str | None = None
    """Indicator that must not become worse."""
    negative_control: str | None = None
    """Indicator that the intervention cannot touch: where it moves as well, something else is going on."""
    owner: str = ""
    what: str = ""
    cost: float | None = None
    """Kroner a year, all municipalities together."""
    bed_day_price: float | None = None
    """Kroner that a bed day saved is taken to be worth: whoever plans decides, and names the source."""
    price_source: str = ""
    end: date | None = None
    """First day without it; None while it runs."""
    later_starts: tuple[tuple[str, date], ...] = ()
    """Municipality → its own start, for those that start after `start`."""
    registered_on: date | None = None
    locked_on: datetime | None = None
    """To the second; midnight where only a day was delivered."""
    plan_hash: str | None = None
    """SHA-256 of the locked plan's text; None where it is not locked, or was locked elsewhere without one."""
    locked: "Plan | None" = None
    """The plan as it was when it was locked."""

    @property
    def is_intact(self) -> bool:
        """Whether the locked plan is the one that was locked; False without a lock."""
        return self.locked is not None and self.plan_hash == _hash(self.locked)

    @property
    def cohorts(self) -> tuple[tuple[date, tuple[str, ...]], ...]:
        """Starting days in order, each with the municipalities that start then."""
        own = dict(self.later_starts)
        days = sorted({own.get(code, self.start) for code in self.municipalities})
        return tuple((day, tuple(c for c in self.municipalities if own.get(c, self.start) == day)) for day in days)


@dataclass(frozen=True)
class Deviation:
    """A field of the plan that is no longer what was locked; values as the file writes them, "" for none."""

    field: str
    locked: str
    now: str


def lock(plan: Plan, when: datetime) -> Plan:
    """The plan locked as it stands at `when` (local time). Raises ValueError for one that is locked already."""
    if plan.locked_on is not None:
        raise ValueError(f"{plan.id} was locked on {plan.locked_on:%Y-%m-%d}; a locked plan stays locked as it was.")
    locked = replace(plan, locked_on=when.replace(microsecond=0, tzinfo=None))
    return replace(locked, plan_hash=_hash(locked), locked=locked)


def deviations(plan: Plan, locked_plan: Plan) -> tuple[Deviation, ...]:
    """Where `plan` departs from what was locked, in the order of the file."""
    pairs = ((name, getattr(locked_plan, name), getattr(plan, name)) for name in BINDING)
    return tuple(Deviation(name, _spelled(was), _spelled(now)) for name, was, now in pairs if was != now)


def write_plan(plan: Plan) -> str:
    """The file of a plan; `read_plan` reads it back. Fields without a value are left out."""
    tables = [_lines(plan)]
    if plan.locked is not None:
        tables.append([f"\n[{KEYS['locked']}]", *_lines(plan.locked)])
    return "\n".join(line for table in tables for line in table) + "\n"


def read_plan(text: str) -> Plan:
    """The plan that a file says. Raises PlanProblem with everything that is wrong with it.

    Municipalities are those of the reference data, indicators those of `kpis.indicators`. A broken hash is no fault of
    the text: the plan is read, and `is_intact` is False.
    """
    if len(text) > LARGEST_FILE:
        raise PlanProblem((Fault("", "too_long", str(len(text)), str(LARGEST_FILE)),))
    try:
        content = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise PlanProblem((Fault("", "not_toml", str(error)),)) from None
    return to_plan({**_by_field(content), "locked": content.get(KEYS["locked"])})


def to_plan(values: Mapping[str, Any]) -> Plan:
    """A plan of values by field, typed as TOML types them or as text (a form). Raises PlanProblem.

    Texts may be blank for none; `municipalities` may be parted by | or commas, numbers may have a decimal comma.
    """
    reader = _Reader(values)
    locked = values.get("locked")
    plan = Plan(
        id=reader.id(),
        name=reader.text("name", needed=True),
        municipalities=reader.municipalities(),
        start=reader.day("start") or date.min,
        indicator=reader.indicator("indicator") or "",
        expected_effect=reader.number("expected_effect", 0.05, 5.0),
        counterweight=reader.indicator("counterweight"),
        negative_control=reader.indicator("negative_control"),
        owner=reader.text("owner"),
        what=reader.text("what"),
        cost=reader.number("cost", 0.0, 1e10),
        bed_day_price=reader.number("bed_day_price", 0.0, 1e6),
        price_source=reader.text("price_source"),
        end=reader.day("end"),
        later_starts=reader.later_starts(),
        registered_on=reader.day("registered_on"),
        locked_on=reader.moment("locked_on"),
        plan_hash=str(values.get("plan_hash") or "") or None,
        locked=to_plan(_by_field(locked)) if isinstance(locked, Mapping) else None,
    )
    reader.check(plan)
    return plan


def to_row(plan: Plan) -> dict[str, str]:
    """The plan as one row of a table: header → text, "" for none; the time of a lock stands in the locked plan."""
    row = {key: _spelled(getattr(plan, name)) for name, key in KEYS.items() if name != "locked"}
    row[KEYS["locked_on"]] = row[KEYS["locked_on"]][:10]
    return row | {KEYS["locked"]: write_plan(plan.locked) if plan.locked else ""}


# --- which there are ----------------------------------------------------------------------------------------


def plans(release: Release, folder: Path | None = None) -> tuple[Plan, ...]:
    """Interventions of a release and those registered in `folder` since, newest start first.

    Where both have an id, the folder's is newer and counts. A file that is no plan is left out: whoever keeps the
    folder says so (`read_plan` tells what is wrong).
    """
    found = {plan.id: plan for plan in released_plans(release)}
    for path in sorted(folder.glob("*.toml")) if folder is not None and folder.is_dir() else ():
        try:
            plan = read_plan(path.read_text("utf-8"))
        except (PlanProblem, OSError, UnicodeDecodeError):
            continue
        found[plan.id] = plan
    return tuple(sorted(found.values(), key=lambda plan: (-plan.start.toordinal(), plan.id)))


@per_release
def released_plans(release: Release) -> tuple[Plan, ...]:
    """Interventions in the table of a release; columns that an older release lacks are nothing said."""
    rows = release.sql("select * from intervention where level = 'municipality' order by intervention_id, area_code")
    by_id: dict[str, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        by_id.setdefault(row["intervention_id"], []).append(row)
    return tuple(_released(of_one) for of_one in by_id.values())


def _released(rows: list[dict[str, Any]]) -> Plan:
    first = rows[0]
    start = min(row["start_date"] for row in rows)
    locked = _locked(first.get("locked_plan"))
    day = first["locked_on"]
    return Plan(
        id=first["intervention_id"],
        name=first["name"],
        municipalities=tuple(row["area_code"] for row in rows),
        start=start,
        indicator=first["indicator"],
        expected_effect=first["expected_effect"],
        counterweight=first.get("counterweight"),
        negative_control=first.get("negative_control"),
        owner=first.get("owner") or "",
        what=first.get("what") or "",
        cost=first.get("cost"),
        bed_day_price=first.get("bed_day_price"),
        price_source=first.get("price_source") or "",
        end=first["end_date"],
        later_starts=tuple((row["area_code"], row["start_date"]) for row in rows if row["start_date"] > start),
        registered_on=first.get("registered_on"),
        locked_on=locked.locked_on if locked else datetime(day.year, day.month, day.day) if day else None,
        plan_hash=first.get("plan_hash"),
        locked=locked,
    )


def _locked(text: str | None) -> Plan | None:
    """The locked plan that a release holds as text; one that cannot be read is none, and the lock not intact."""
    try:
        return read_plan(text) if text else None
    except PlanProblem:
        return None


# --- spelling -----------------------------------------------------------------------------------------------


def _hash(plan: Plan) -> str:
    return hashlib.sha256(write_plan(plan).encode()).hexdigest()


def _lines(plan: Plan) -> list[str]:
    """The fields of one table. The locked plan holds no lock of its own."""
    named = ((name, getattr(plan, name)) for name in KEYS if name != "locked")
    return [f"{KEYS[name]} = {_toml(name, value)}" for name, value in named if value not in (None, "", ())]


def _toml(name: str, value: Any) -> str:
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "")
        case tuple() if name == "later_starts":
            return "{ " + ", ".join(f'"{code}" = {day.isoformat()}' for code, day in value) + " }"
        case tuple():
            return "[" + ", ".join(f'"{code}"' for code in value) + "]"
        case float():
            return repr(value)
        case _:
            return str(value.isoformat())


def _spelled(value: Any) -> str:
    """A value as one cell of a table."""
    match value:
        case None:
            return ""
        case tuple():
            return "|".join(part if isinstance(part, str) else f"{part[0]}={part[1].isoformat()}" for part in value)
        case float():
            return f"{value:.10g}"
        case date():
            return value.isoformat()
        case _:
            return str(value)


def _by_field(content: Mapping[str, Any]) -> dict[str, Any]:
    field_of = {key: name for name, key in KEYS.items()}
    if unknown := [key for key in content if key not in field_of]:
        allowed = ", ".join(field_of)
        raise PlanProblem(tuple(Fault(key, "unknown_key", key, allowed) for key in unknown))
    return {field_of[key]: value for key, value in content.items()}


class _Reader:
    """Values of one plan, read field by field; what is wrong is collected and told at the end."""

    def __init__(self, values: Mapping[str, Any]):
        self.values = values
        self.faults: list[Fault] = []

    def check(self, plan: Plan) -> None:
        """Raise what was found, with what one field says of another."""
        if not self.faults:
            if plan.end is not None and plan.end <= plan.start:
                self.fault("end", "before_start", plan.end.isoformat())
            for name in ("counterweight", "negative_control"):
                if getattr(plan, name) == plan.indicator:
                    self.fault(name, "same_as_indicator", plan.indicator)
            if plan.bed_day_price is not None and not plan.price_source:
                self.fault("price_source", "missing")
            for code, day in plan.later_starts:
                if code not in plan.municipalities:
                    self.fault("later_starts", "unknown", code, "|".join(plan.municipalities))
                elif day <= plan.start:
                    self.fault("later_starts", "before_start", day.isoformat())
        if self.faults:
            raise PlanProblem(tuple(self.faults))

    def fault(self, name: str, problem: Problem, found: str = "", allowed: str = "") -> None:
        self.faults.append(Fault(name, problem, found[:80], allowed))

    def id(self) -> str:
        found = self.text("id", needed=True, longest=40)
        if found and not _ID.fullmatch(found):
            self.fault("id", "not_an_id", found, "A–Å a–å 0–9 - _")
        return found

    def text(self, name: str, *, needed: bool = False, longest: int | None = None) -> str:
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            self.fault(name, "not_text", str(value))
            return ""
        # Line ends of a browser's form become those of a file; other control characters have no place in a plan.
        found = re.sub(r"[\x00-\x09\x0b-\x1f\x7f]", " ", (value or "").replace("\r\n", "\n")).strip()
        most = longest or _TEXTS[name]
        if needed and not found:
            self.fault(name, "missing")
        if len(found) > most:
            self.fault(name, "too_long", str(len(found)), str(most))
        return found

    def municipalities(self) -> tuple[str, ...]:
        value = self.values.get("municipalities") or ()
        given = re.split(r"[|,;\s]+", value.strip()) if isinstance(value, str) else value
        if not isinstance(given, list | tuple):
            given = (value,)
        codes = tuple(sorted({str(code).zfill(4) for code in given if str(code)}))
        if not codes:
            self.fault("municipalities", "missing")
        for code in codes:
            if code not in _municipalities():
                self.fault("municipalities", "unknown", code)
        return codes

    def later_starts(self) -> tuple[tuple[str, date], ...]:
        value = self.values.get("later_starts") or {}
        if not isinstance(value, str | Mapping):
            self.fault("later_starts", "not_a_date", str(value))
            return ()
        pairs = (
            [part.partition("=")[::2] for part in value.split("|") if part] if isinstance(value, str) else value.items()
        )
        read = [(str(code).strip().zfill(4), _day(day)) for code, day in pairs]
        for code, day in read:
            if day is None:
                self.fault("later_starts", "not_a_date", code)
        return tuple(sorted((code, day) for code, day in read if day is not None))

    def indicator(self, name: str) -> str | None:
        value = str(self.values.get(name) or "").strip()
        if value and value not in load_indicators():
            self.fault(name, "unknown", value)
        if not value and name == "indicator":
            self.fault(name, "missing")
        return value or None

    def number(self, name: str, least: float, most: float) -> float | None:
        value = self.values.get(name)
        if value is None or value == "":
            return None
        try:
            number = float(value.strip().replace(" ", "").replace(",", ".") if isinstance(value, str) else value)
        except (TypeError, ValueError):
            self.fault(name, "not_a_number", str(value))
            return None
        if not least <= number <= most:
            self.fault(name, "out_of_range", str(value), f"{least:g}–{most:g}")
        return number

    def day(self, name: str) -> date | None:
        value = self.values.get(name)
        if value is None or value == "":
            if name == "start":
                self.fault(name, "missing")
            return None
        found = _day(value)
        if found is None:
            self.fault(name, "not_a_date", str(value), "2026-12-01, 01-12-2026")
        return found

    def moment(self, name: str) -> datetime | None:
        value = self.values.get(name)
        if isinstance(value, str) and "T" in value:
            try:
                return datetime.fromisoformat(value).replace(tzinfo=None)
            except ValueError:
                self.fault(name, "not_a_date", value, "2026-12-01T09:30:00")
                return None
        if isinstance(value, datetime):
            return value.replace(tzinfo=None)
        found = self.day(name)
        return None if found is None else datetime(found.year, found.month, found.day)


def _day(value: Any) -> date | None:
    """A date of TOML, of a form (2026-12-01) or as Danes write it (01-12-2026); None where it is none."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    for form in ("%Y-%m-%d", "%d-%m-%Y"):
        try:
            return datetime.strptime(str(value).strip(), form).date()
        except ValueError:
            continue
    return None


@cache
def _municipalities() -> frozenset[str]:
    table = areas()
    return frozenset(table.filter(table["level"] == "municipality")["area_code"])


def _told(fault: Fault) -> str:
    where = KEYS.get(fault.field, fault.field) or "the file"
    found = f" (found {fault.found!r})" if fault.found else ""
    allowed = f"; allowed: {fault.allowed}" if fault.allowed else ""
    return f"{where}: {fault.problem.replace('_', ' ')}{found}{allowed}"

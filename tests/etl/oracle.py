"""Stays and readmissions written as plainly as possible, person by person: slow, obvious, independent of the SQL."""

from dataclasses import dataclass
from datetime import date

DAY = 1440


@dataclass(frozen=True)
class Stay:
    person: int
    start: int
    end: int
    n_contacts: int
    is_open: bool
    is_acute: bool
    diagnosis: str | None
    municipality: int
    age: int
    is_admission: bool
    is_readmitted: bool | None = None


def newest_reports(contacts: list[dict]) -> list[dict]:
    """C1: per contact id the newest report; a report time of None is older than any."""
    newest: dict[int, dict] = {}
    for contact in contacts:
        known = newest.get(contact["contact_id"])
        if known is None or _time(contact) > _time(known):
            newest[contact["contact_id"]] = contact
    return list(newest.values())


def _time(contact: dict) -> int:
    return -1 if contact["reported_minute"] is None else contact["reported_minute"]


def is_valid(contact: dict, as_of: int) -> bool:
    """C1, C2, C4."""
    if contact["is_cancelled"] or contact["rule"] is not None or not contact["is_physical"]:
        return False
    if contact["municipality"] is None or contact["start_minute"] >= as_of:
        return False
    return not (contact["end_minute"] is None and contact["start_minute"] < as_of - 90 * DAY)


def stays_of_person(contacts: list[dict], as_of: int) -> list[Stay]:
    """S1–S5 on the valid contacts of one person."""
    ordered = sorted(contacts, key=lambda c: (c["start_minute"], _end(c, as_of), c["contact_id"]))
    groups: list[list[dict]] = []
    reach = None
    for contact in ordered:
        if reach is None or contact["start_minute"] - reach > 240:
            groups.append([])
            reach = _end(contact, as_of)
        groups[-1].append(contact)
        reach = max(reach, _end(contact, as_of))
    return [_stay(group, as_of) for group in groups]


def _end(contact: dict, as_of: int) -> int:
    return as_of if contact["end_minute"] is None else contact["end_minute"]


def _stay(group: list[dict], as_of: int) -> Stay:
    first = group[0]
    end = max(_end(c, as_of) for c in group)
    minutes: dict[str, int] = {}
    began: dict[str, int] = {}
    for c in group:
        if c["diagnosis"] is not None:
            minutes[c["diagnosis"]] = minutes.get(c["diagnosis"], 0) + _end(c, as_of) - c["start_minute"]
            began[c["diagnosis"]] = min(began.get(c["diagnosis"], c["start_minute"]), c["start_minute"])
    dominant = min(minutes, key=lambda d: (-minutes[d], began[d], d)) if minutes else None
    return Stay(
        first["person"], first["start_minute"], end, len(group), any(c["end_minute"] is None for c in group),
        first["is_acute"], dominant, first["municipality"], first["age"], end - first["start_minute"] >= 720,
    )  # fmt: skip


def stays_and_readmissions(contacts: list[dict], as_of: int, death_days: dict[int, date]) -> list[Stay]:
    """Every stay, admissions with `is_readmitted` by R1–R2."""
    valid = [c for c in newest_reports(contacts) if is_valid(c, as_of)]
    result = []
    for person in sorted({c["person"] for c in valid}):
        stays = stays_of_person([c for c in valid if c["person"] == person], as_of)
        for number, stay in enumerate(stays):
            later = [s for s in stays[number + 1 :] if s.is_admission]
            result.append(_with_readmission(stay, later[0] if later else None, as_of, death_days.get(person)))
    return result


def _with_readmission(stay: Stay, following: Stay | None, as_of: int, death: date | None) -> Stay:
    if not stay.is_admission:
        return stay
    died = death is not None and (death - date(2000, 1, 1)).days * DAY <= stay.end
    is_index = not stay.is_open and not died and not _is_cancer(stay) and stay.end + 30 * DAY <= as_of
    readmitted = (
        following is not None
        and following.is_acute
        and not _is_cancer(following)
        and following.start <= stay.end + 30 * DAY
    )
    return Stay(**(vars(stay) | {"is_readmitted": readmitted if is_index else None}))


def _is_cancer(stay: Stay) -> bool:
    return stay.diagnosis is not None and "DC00" <= stay.diagnosis[:4] <= "DC97"

"""From contacts to hospital stays and readmissions (rules S1–S7, R1–R2), on arrays.

Nothing is done person by person. Contacts are sorted once; a running maximum whose numbers begin with the person's
place in the order is then the running maximum within each person, because a new person's numbers lie above all before.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from etl.contact import NOTHING, Columns, first_of_each, in_order_of_persons, is_among

_LOW = 32  # bits of the lower of two numbers that are packed into one: 2^32 minutes are 8,000 years
_LOW_BITS = (1 << _LOW) - 1


@dataclass(frozen=True)
class StayRules:
    """The values of the rules that make stays and readmissions, in minutes."""

    as_of: int
    gap_minutes: int
    gap_includes_limit: bool
    admission_minutes: int
    short_stay_minutes: int
    follow_up_days: int


def stays_of(contacts: Columns, rules: StayRules) -> Columns:
    """Hospital stays of valid physical contacts, sorted by person, start.

    Args:
        contacts: arrays, one entry a contact: person, contact_id, start_minute, end_minute (NOTHING = open), is_acute,
            municipality, age, sex, diagnosis (its alphabetical place). All contacts of each person.
        rules: see StayRules.

    Returns: arrays, one entry a stay: person, place_of_person (from 0, in order), start_minute, end_minute, n_contact,
        is_open, is_acute, municipality, age, sex, diagnosis, is_admission, is_short.
    """
    is_open = contacts["end_minute"] == NOTHING
    end = np.where(is_open, rules.as_of, contacts["end_minute"]).astype(np.int64)  # rule C3
    order, place = in_order(contacts["person"], contacts["start_minute"], end, contacts["contact_id"])
    start, end, is_open = contacts["start_minute"][order].astype(np.int64), end[order], is_open[order]

    # rule S1: a contact joins the stay when it starts at most the gap after the latest end so far
    reach = np.maximum.accumulate((place << _LOW) + end)
    wait = (place[1:] << _LOW) + start[1:] - reach[:-1]
    begins = wait > rules.gap_minutes if rules.gap_includes_limit else wait >= rules.gap_minutes
    first = np.flatnonzero(np.r_[np.ones(min(len(order), 1), dtype=bool), begins])
    last = np.r_[first[1:], len(order)] - 1

    first_contact = order[first]  # rule S3
    stay_end = (reach[last] & _LOW_BITS) if first.size else np.empty(0, np.int64)  # rule S2
    n_contact = last - first + 1
    minutes = stay_end - start[first]
    is_acute = contacts["is_acute"][first_contact]
    return {
        "person": contacts["person"][first_contact],
        "place_of_person": place[first],
        "start_minute": start[first],
        "end_minute": stay_end,
        "n_contact": n_contact,
        "is_open": np.logical_or.reduceat(is_open, first) if first.size else is_open,
        "is_acute": is_acute,
        "municipality": contacts["municipality"][first_contact],
        "age": contacts["age"][first_contact],
        "sex": contacts["sex"][first_contact],
        "diagnosis": _longest_diagnosis(contacts["diagnosis"][order], start, end, first, n_contact),
        "is_admission": minutes >= rules.admission_minutes,  # rule S5
        "is_short": is_acute & (minutes < rules.short_stay_minutes),  # rule S7
    }


def in_order(
    person: NDArray[np.uint64], start: NDArray[Any], end: NDArray[np.int64], contact_id: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order by person, start, end, id; and the place of each one's person (from 0), in that order."""
    order = in_order_of_persons(person)
    _order_each_person(order, person, start, end, contact_id)
    persons = person[order]
    place = np.zeros(len(order), dtype=np.int64)
    np.cumsum(persons[1:] != persons[:-1], out=place[1:])
    return order, place


@njit(cache=True)
def _order_each_person(order, person, start, end, contact_id):  # type: ignore[no-untyped-def]
    """Within each person by insertion: they are few, and nearly in order, because deliveries come in that of time."""
    for at in range(1, len(order)):
        row = order[at]
        to = at
        while to > 0:
            before = order[to - 1]
            if person[before] != person[row] or start[before] < start[row]:
                break
            if start[before] == start[row] and (
                end[before] < end[row] or (end[before] == end[row] and contact_id[before] <= contact_id[row])
            ):
                break
            order[to] = before
            to -= 1
        order[to] = row


def _longest_diagnosis(
    diagnosis: NDArray[np.int32],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    first: NDArray[np.int64],
    n_contact: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Rule S4: each stay's diagnosis with most time; ties: the earlier start, then the code.

    `diagnosis`, `start` and `end` are those of sorted contacts; stays are told by their first contact and number.
    """
    chosen = diagnosis[first]
    joined = np.flatnonzero(n_contact > 1)
    chosen[joined] = NOTHING
    number = n_contact[joined]
    before = np.cumsum(number) - number
    contact = np.repeat(first[joined] - before, number) + np.arange(number.sum())
    stay = np.repeat(np.arange(joined.size), number)
    has_diagnosis = diagnosis[contact] != NOTHING
    contact, stay = contact[has_diagnosis], stay[has_diagnosis]

    key = (stay << _LOW) + diagnosis[contact]
    order = np.argsort(key, kind="stable")
    key, contact, stay = key[order], contact[order], stay[order]
    begins = first_of_each(key)
    if not begins.size:
        return chosen
    minutes = np.add.reduceat(end[contact] - start[contact], begins)
    stay, contact = stay[begins], contact[begins]
    of_stay = np.flatnonzero(np.r_[True, stay[1:] != stay[:-1]])
    longest = np.repeat(np.maximum.reduceat(minutes, of_stay), np.diff(np.r_[of_stay, stay.size]))
    # start and code in one number, the smallest of which wins; those that are not the longest lie above all
    tie_break = np.where(minutes == longest, (start[contact] << _LOW) + diagnosis[contact], np.iinfo(np.int64).max)
    chosen[joined[stay[of_stay]]] = np.minimum.reduceat(tie_break, of_stay) & _LOW_BITS
    return chosen


def readmissions_of(
    stays: Columns,
    excluded: NDArray[np.bool_],
    deaths: tuple[NDArray[np.uint64], NDArray[np.int64]],
    rules: StayRules,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which stays are index admissions (rule R1), and which of those were followed by a readmission (rule R2).

    Rule R2 looks at the next admission only, so that a planned one in between ends the watch; shorter stays are
    skipped.

    Args:
        stays: as `stays_of` gives them.
        excluded: by place of diagnosis, whether rule R1 keeps it out of index and readmission.
        deaths: persons with a known date of death, sorted, and the minute at which that day begins.
        rules: see StayRules.

    Returns: is_index and is_readmitted, one entry a stay; is_readmitted is false where is_index is.
    """
    admission = np.flatnonzero(stays["is_admission"])
    place, start, end = (stays[name][admission] for name in ("place_of_person", "start_minute", "end_minute"))
    diagnosis = stays["diagnosis"][admission]
    is_excluded = (diagnosis != NOTHING) & np.r_[excluded, False][diagnosis]
    watched_until = end + rules.follow_up_days * 1440
    persons, death_minute = deaths
    dead = is_among(stays["person"][admission], persons)
    death = np.searchsorted(persons, stays["person"][admission][dead])
    dead[dead] = death_minute[death] <= end[dead]
    index = ~stays["is_open"][admission] & ~is_excluded & ~dead & (watched_until <= rules.as_of)
    readmitted = np.zeros(len(admission), dtype=bool)
    readmitted[:-1] = (
        index[:-1]
        & (place[1:] == place[:-1])
        & stays["is_acute"][admission][1:]
        & ~is_excluded[1:]
        & (start[1:] <= watched_until[:-1])
    )
    is_index, is_readmitted = np.zeros((2, len(stays["person"])), dtype=bool)
    is_index[admission], is_readmitted[admission] = index, readmitted
    return is_index, is_readmitted

"""Adapters that run etl's own code: contacts to stays, stays to readmissions, codes to groups of diagnoses.

The outside rules differ from ours (CMS counts whole days, England reads secondary diagnoses), so an adapter
translates: it places dates within the day, and applies England's rules about positions to the groups that were found.
"""

import csv
import re
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl

from etl.counting import diagnosis_groups
from kpis import rates
from kpis.reference import CodeList, DiagnosisGroup
from tests.etl.warehouse_of import contact, minute, stays_in, warehouse_of

FIRST_PERSON = 1000
Inputs = dict[str, Any]
Result = dict[str, Any]


def stays(i: Inputs) -> Result:
    """Rule S1 and S5; the case's gap and length are ours, which the adapter asserts."""
    assert (i["merge_if_gap_minutes_at_most"], i["admission_if_duration_hours_at_least"]) == (240, 12)
    found = _stays(
        [
            contact(k + 1, person, minute(start), minute(end))
            for k, (person, start, end) in enumerate(zip(i["patient"], i["start"], i["end"], strict=True))
        ]
    )
    return {
        "patient": found["person"].to_list(),
        "stay_start": [_written(m) for m in found["start_minute"]],
        "stay_end": [_written(m) for m in found["end_minute"]],
        "contacts": found["n_contact"].to_list(),
        "duration_minutes": (found["end_minute"] - found["start_minute"]).to_list(),
        "is_admission": found["is_admission"].to_list(),
    }


def date_overlap_groups(i: Inputs) -> Result:
    """Intervals that touch on a day touch at its midnight; the next day's midnight is more than four hours off."""
    contacts = [
        contact(k + 1, person, minute(start), minute(end))
        for k, (person, start, end) in enumerate(zip(i["id"], i["start"], i["end"], strict=True))
    ]
    found = _stay_of_each(contacts, _stays(contacts))
    return {
        "group_start": [_written(m)[:10] for m in found["start_minute"]],
        "group_end": [_written(m)[:10] for m in found["end_minute"]],
    }


def readmission_dates(i: Inputs) -> Result:
    """Days become admissions from 8 to 20 o'clock, so that 30 days are in and 31 are out in either rule.

    Rule R1 makes no difference between discharges that are no index and says nothing more about them; CMS's
    days to the next stay and planned readmissions are no figures of ours.
    """
    assert i["window_days"] == 30
    persons = {name: FIRST_PERSON + k for k, name in enumerate(sorted(set(i["patient"])))}
    rows = list(zip(i["patient"], i["admit_date"], i["discharge_date"], i["planned"], i["discharge_code"], strict=True))
    contacts = [
        contact(k + 1, persons[who], minute(f"{admitted} 08:00"), minute(f"{left} 20:00"), is_acute=not planned)
        for k, (who, admitted, left, planned, _) in enumerate(rows)
    ]
    deaths = {persons[who]: date.fromisoformat(left) for who, _, left, _, code in rows if code == "20"}
    as_of = date.fromisoformat(max(i["discharge_date"])) + timedelta(days=1)
    found = _stay_of_each(contacts, _stays(contacts, as_of, deaths)).filter("is_admission")
    readmitted = found["is_readmitted"]
    n_index, n_readmitted = int(readmitted.is_not_null().sum()), int(readmitted.sum() or 0)
    return {
        "encounter_id": [i["encounter_id"][k - 1] for k in found["contact_id"]],
        "index_eligible": [int(r is not None) for r in readmitted],
        "index_admissions": n_index,
        "unplanned_readmissions": n_readmitted,
        "proportion": rates.proportion(n_readmitted, n_index, 1.0).value,
    }


def acsc_nhs19(i: Inputs, definition: Path) -> Result:
    """England's conditions as prefixes of four characters, matched by the code that matches our own code lists."""
    conditions = list(csv.DictReader(definition.open(encoding="utf-8")))
    secondary = {"COPD": "J4[12347]", "sickle cell": "D57"}  # what England's extra rules ask of secondary diagnoses
    regexes = {c["condition"]: c["icd10_regex_anchored_at_start"] for c in conditions} | {
        f"secondary {name}": regex for name, regex in secondary.items()
    }
    coded = [[_padded(code) for code in a["diagnoses_primary_first"]] for a in i["admissions"]]
    matches = _matched({code for codes in coded for code in codes}, regexes)

    def holds(condition: dict[str, str], codes: list[str]) -> bool:
        name, rule = condition["condition"], condition["extra_rule"]
        others = {group for code in codes[1:] for group in matches[code]}
        if "and a secondary diagnosis J4" in rule and "secondary COPD" not in others:
            return False
        if "not if a secondary diagnosis is D57" in rule and "secondary sickle cell" in others:
            return False
        read = codes[:1] if condition["diagnosis_position"] == "primary" else codes
        return any(name in matches[code] for code in read)

    groups = [
        sorted({c["group"] for c in conditions if admission["acute"] and holds(c, codes)})
        for admission, codes in zip(i["admissions"], coded, strict=True)
    ]
    return {"groups": groups}


def _stays(
    contacts: list[dict[str, Any]], as_of: date = date(2024, 7, 1), deaths: dict[int, date] | None = None
) -> pl.DataFrame:
    with (
        tempfile.TemporaryDirectory() as folder,
        warehouse_of(Path(folder), contacts, as_of, deaths) as warehouse,
    ):
        return stays_in(warehouse)


def _stay_of_each(contacts: list[dict[str, Any]], stays: pl.DataFrame) -> pl.DataFrame:
    """Contacts in the order of their ids, each with its stay: the person's last one that begins no later."""
    asked = pl.DataFrame(contacts).select(
        "contact_id", pl.col("person").cast(stays.schema["person"]), at=pl.col("start_minute").cast(pl.Int64)
    )
    begun = stays.with_columns(at=pl.col("start_minute").cast(pl.Int64)).sort("at")
    return asked.sort("at").join_asof(begun, on="at", by="person", check_sortedness=False).sort("contact_id")


def _written(minutes: int) -> str:
    start = pl.Series([minutes], dtype=pl.Int64) - minute("1970-01-01 00:00")
    return str((start * 60_000_000).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M")[0])


def _padded(code: str) -> str:
    """SKS writing of an ICD-10 code, with the X that England's list puts after three characters."""
    return "D" + code.replace(".", "").ljust(4, "X")


def _matched(codes: set[str], regexes: dict[str, str]) -> dict[str, set[str]]:
    letters, ends = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789X"
    every = [f"{a}{k:02}{end}" for a in letters for k in range(100) for end in ends]
    lists = tuple(_list(name, tuple("D" + c for c in every if re.match(regex, c))) for name, regex in regexes.items())
    asked = sorted(codes)
    with patch("etl.counting.load_codelists", lambda: lists):
        found = diagnosis_groups(asked)
    names = {codelist.groups[0].group_id: codelist.id for codelist in lists}
    return {code: {names[group] for group, is_in in found.items() if is_in[at]} for at, code in enumerate(asked)}


def _list(name: str, prefixes: tuple[str, ...]) -> CodeList:
    """A code list of one condition: England's conditions overlap, groups of one list must not."""
    group = DiagnosisGroup(name, "condition", name, name, prefixes, "unconfirmed")
    return CodeList(name, "1", name, name, "NHS", "NHS", "unconfirmed", "", (group,))

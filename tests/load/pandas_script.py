"""The usual analyst's script: the true cube of LPR_A contacts in pandas, for the benchmark to be measured against.

It counts what `etl.counting` counts (and its test holds it to that), the way such scripts are written: whole columns,
`groupby`, one step after the other. What the product does beside – explaining every bad value, pseudonyms, other
shapes, protection, publication – it does not do.
"""

from datetime import date
from pathlib import Path

import pandas as pd

from kpis.reference import load_codelists, memberships
from kpis.release import AGE_BANDS

COLUMNS = [
    "dw_ek_kontakt", "pnr", "kont_starttidspunkt", "kont_sluttidspunkt", "kont_type", "prioritet", "adiag",
    "borger_bo_kom", "borger_alder_aar_ind", "borger_koen", "borger_doedsdato", "indberettet_dato", "annulleret",
]  # fmt: skip
NAMES = ["id", "person", "start", "end", "type", "priority", "diagnosis", "municipality", "age", "sex", "death",
         "reported", "cancelled"]  # fmt: skip
CELL = ["municipality", "month", "sex", "band"]
HOUR, DAY = pd.Timedelta(hours=1), pd.Timedelta(days=1)


def cube(deliveries: Path, as_of: date) -> pd.DataFrame:
    """Events by group, municipality, month, sex and age band, with the distinct persons behind them."""
    contacts = read(deliveries)
    until = pd.Timestamp(as_of)
    deaths = contacts.groupby("person")["death"].min().dropna()
    contacts = contacts.sort_values("reported").drop_duplicates("id", keep="last")
    contacts["sex"] = contacts["sex"].map({"M": 1, "K": 2})
    contacts["is_open"] = contacts["end"].isna()
    contacts = contacts[
        (contacts["cancelled"] != "Ja")
        & contacts["person"].str.fullmatch(r"\d{10}")
        & contacts["sex"].notna()
        & contacts["age"].between(0, 125)
        & contacts["municipality"].isin(set(memberships()["municipality_code"]))
        & ~(contacts["end"] < contacts["start"])
        & (contacts["start"] < until)
        & ~(contacts["is_open"] & (contacts["start"] < until - 90 * DAY))
        & (contacts["type"] == "ALCA00")
    ].copy()
    contacts["end"] = contacts["end"].fillna(until)
    contacts = contacts.sort_values(["person", "start", "end", "id"])
    reach = contacts.groupby("person")["end"].cummax()
    before = reach.groupby(contacts["person"]).shift()
    contacts["stay"] = (before.isna() | (contacts["start"] - before > 4 * HOUR)).cumsum()
    stays = contacts.groupby("stay").agg(
        person=("person", "first"), start=("start", "first"), end=("end", "max"), is_open=("is_open", "any"),
        priority=("priority", "first"), municipality=("municipality", "first"), age=("age", "first"),
        sex=("sex", "first"),
    )  # fmt: skip
    stays["diagnosis"] = longest_diagnosis(contacts)
    events = pd.concat([begun(stays), ended(stays, deaths, until)])
    events["band"] = pd.cut(events["age"], [*AGE_BANDS, 200], right=False, labels=list(AGE_BANDS)).astype(int)
    events = events[(events["month"] < pd.Period(until, "M"))]
    groups = {"all": pd.Series(True, events.index)}
    for codelist in load_codelists():
        for group in codelist.groups:
            if group.group_id != "exclusion.cancer":
                groups[group.group_id] = has_code(events["diagnosis"], group)
    counted = []
    for group, is_in in groups.items():
        cells = events[is_in.to_numpy()].groupby(CELL)
        counts = cells[[name for name in events.columns if name.startswith("n_")]].sum()
        counts["n_person"] = cells["person"].nunique()
        counted.append(counts.assign(group_id=group).reset_index())
    return pd.concat(counted, ignore_index=True)


def read(deliveries: Path) -> pd.DataFrame:
    """The contacts of all files."""
    frames = []
    for path in sorted(deliveries.rglob("lpr_a_kontakt/**/*.parquet")):
        frame = pd.read_parquet(path)
        frame.columns = frame.columns.str.lower()
        frames.append(frame[COLUMNS].set_axis(NAMES, axis=1))
    contacts = pd.concat(frames, ignore_index=True)
    for name in ("start", "end"):
        contacts[name] = contacts[name].dt.floor("min")
    code = contacts["diagnosis"].str.upper().str.replace(".", "", regex=False)
    contacts["diagnosis"] = code.where(code.isna() | code.str.startswith("D"), "D" + code)
    return contacts


def longest_diagnosis(contacts: pd.DataFrame) -> pd.Series:
    """Of each stay the diagnosis with most time; ties: the earlier start, then the code."""
    told = contacts.assign(time=contacts["end"] - contacts["start"]).dropna(subset="diagnosis")
    of_code = told.groupby(["stay", "diagnosis"]).agg(time=("time", "sum"), start=("start", "min")).reset_index()
    ordered = of_code.sort_values(["stay", "time", "start", "diagnosis"], ascending=[True, False, True, True])
    return ordered.drop_duplicates("stay").set_index("stay")["diagnosis"]


def begun(stays: pd.DataFrame) -> pd.DataFrame:
    """Stays as events of the month in which they begin."""
    length, is_acute = stays["end"] - stays["start"], stays["priority"] == "ATA1"
    is_admission = length >= 12 * HOUR
    return stays.assign(
        month=stays["start"].dt.to_period("M"),
        n_stay=1,
        n_admission=is_admission.astype(int),
        n_acute=(is_admission & is_acute).astype(int),
        n_short=(is_acute & (length < DAY)).astype(int),
        n_index=0,
        n_readmission=0,
    )


def ended(stays: pd.DataFrame, deaths: pd.Series, until: pd.Timestamp) -> pd.DataFrame:
    """Index admissions as events of the month in which they end, and whether a readmission followed."""
    [cancer] = [
        group for codelist in load_codelists() for group in codelist.groups if group.group_id == "exclusion.cancer"
    ]
    admissions = stays[stays["end"] - stays["start"] >= 12 * HOUR].sort_values(["person", "start"])
    is_excluded = has_code(admissions["diagnosis"], cancer)
    following = admissions.groupby("person")["start"].shift(-1)
    is_due = (admissions["priority"] == "ATA1") & ~is_excluded
    next_is_due = is_due.groupby(admissions["person"]).shift(-1, fill_value=False)
    died = pd.to_datetime(admissions["person"].map(deaths))
    is_index = (
        ~admissions["is_open"] & ~is_excluded & ~(died <= admissions["end"]) & (admissions["end"] + 30 * DAY <= until)
    )
    is_readmitted = is_index & next_is_due & (following <= admissions["end"] + 30 * DAY)
    return admissions[is_index].assign(
        month=admissions["end"].dt.to_period("M"),
        n_stay=0, n_admission=0, n_acute=0, n_short=0, n_index=1,
        n_readmission=is_readmitted[is_index].astype(int),
    )  # fmt: skip


def has_code(diagnosis: pd.Series, group: object) -> pd.Series:
    """Whether a code belongs to a group of a code list."""
    is_in = diagnosis.str.startswith(tuple(group.prefixes)).fillna(False).astype(bool)  # type: ignore[attr-defined]
    if group.excluded_prefixes:  # type: ignore[attr-defined]
        is_in &= ~diagnosis.str.startswith(tuple(group.excluded_prefixes)).fillna(False).astype(bool)  # type: ignore[attr-defined]
    return is_in

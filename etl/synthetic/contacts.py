"""From stays to the contacts that hospitals report: departments, transfers, examinations, the split of 2019."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from etl.parse import EPOCH
from etl.synthetic.country import Country
from etl.synthetic.hospital import homes
from etl.synthetic.model import Model
from etl.synthetic.rng import pick, stream

SPLIT = int((datetime(2019, 2, 3, 1, 0) - EPOCH).total_seconds()) // 60
"""The minute at which Region Midtjylland closed and reopened the contact of every inpatient (rule S6)."""
SPLIT_REGION = "1082"


@dataclass(frozen=True)
class Register:
    """The code tables behind the numbers in contacts.

    Attributes:
        codes: diagnosis codes, the conditions' own and then the symptoms.
        code_weights: running sums [condition, code]; the last row draws a symptom.
        units: names of hospital departments; unit = hospital × departments + department.
        regions: region of each hospital.
        first_hospital: number of the first hospital of each region, and one past the last.
        home_hospital: hospital of each municipality.
        department: department of each condition; department 0 is the emergency department.
    """

    codes: list[str]
    code_weights: np.ndarray
    units: list[str]
    regions: list[str]
    first_hospital: np.ndarray
    home_hospital: np.ndarray
    department: np.ndarray


def build_register(country: Country, model: Model) -> Register:
    """The code tables for a country."""
    weights = [condition.codes for condition in model.conditions] + [model.symptoms]
    codes = list(dict.fromkeys(code for entry in weights for code in entry))
    table = np.array([[entry.get(code, 0.0) for code in codes] for entry in weights])
    departments = list(model.departments)
    hospitals = [(region, name) for region in country.regions for name in model.hospitals[region]]
    sizes = [len(model.hospitals[region]) for region in country.regions]
    first = np.concatenate([[0], np.cumsum(sizes)])
    home = np.concatenate(
        [first[n] + np.arange(len(country.numbers_in(region))) % sizes[n] for n, region in enumerate(country.regions)]
    )
    return Register(
        codes=codes,
        code_weights=np.cumsum(table, axis=1),
        units=[f"{name}, {model.departments[department]}" for _, name in hospitals for department in departments],
        regions=[region for region, _ in hospitals],
        first_hospital=first,
        home_hospital=home,
        department=np.array([departments.index(condition.department) for condition in model.conditions]),
    )


def cut_into_contacts(
    stays: pl.DataFrame, people: pl.DataFrame, model: Model, register: Register, region: str, seed: int
) -> pl.DataFrame:
    """One row per contact, all years of a region.

    Columns: `person`, `stay` (row of `stays`: what truly belongs together), `start`, `end` (minutes), `code`,
    `hospital`, `department` (numbers), `municipality` (home at the start), `is_acute`, `is_virtual`.
    """
    plan, rng = model.stay, stream(seed, "contacts", region)
    size = stays.height
    person, condition, start, end = (stays[name].to_numpy() for name in ("person", "condition", "start", "end"))
    kinds = list(model.kinds)
    kind = np.array([kinds.index(entry.kind) for entry in model.conditions])[condition]
    is_acute = np.array([model.kinds[name].acute for name in kinds])[kind]
    is_admission = stays["is_admission"].to_numpy()
    hospital = _hospitals(homes(people, person, start), model, register, region, rng)
    department = np.where(is_acute & ~is_admission, 0, register.department[condition])
    columns = {
        "person": person,
        "stay": np.arange(size, dtype=np.int32),
        "start": start,
        "end": end,
        "condition": condition,
        "hospital": hospital,
        "department": department.astype(np.int16),
        "is_acute": is_acute,
        "is_virtual": np.array([name == "virtual" for name in kinds])[kind],
    }
    main = pl.DataFrame(columns)
    chosen = rng.random((3, size), dtype=np.float32)
    length = end - start

    # An emergency department first: its contact ends where the ward's begins, or a little later.
    first = np.flatnonzero(is_acute & is_admission & (chosen[0] < plan.emergency_first))
    low, high = plan.emergency_minutes
    cut = start[first] + np.minimum(rng.integers(low, high, len(first), dtype=np.int32), length[first] // 2)
    overlap = np.where(rng.random(len(first)) < plan.overlapping, rng.integers(10, 90, len(first)), 0)
    symptom = np.where(rng.random(len(first)) < plan.symptom_code, len(model.conditions), condition[first])
    emergency = main[first].with_columns(
        end=np.minimum(cut + overlap, end[first]).astype(np.int32),
        condition=symptom.astype(np.int16),
        department=pl.lit(0, pl.Int16),
    )
    start = _replaced(start, first, cut)

    # A transfer: the stay goes on at another hospital at most four hours later.
    moved = np.flatnonzero(is_admission & (chosen[1] < plan.transfer))
    left = end[moved] - start[moved]
    leaves = start[moved] + (left * rng.uniform(0.2, 0.8, len(moved))).astype(np.int32)
    arrives = leaves + np.minimum(rng.integers(0, 241, len(moved), dtype=np.int32), (end[moved] - leaves) // 2)
    other = _other_hospital(hospital[moved], register, rng)
    transferred = main[moved].with_columns(start=arrives, hospital=pl.Series(other, dtype=pl.Int16))
    main = main.with_columns(start=start, end=_replaced(end, moved, leaves))

    # An examination inside the stay, at another department.
    nested = np.flatnonzero(is_admission & (chosen[2] < plan.nested))
    begins = columns["start"][nested] + (length[nested] * rng.uniform(0.05, 0.7, len(nested))).astype(np.int32)
    takes = np.minimum(rng.integers(20, 180, len(nested), dtype=np.int32), end[nested] - begins)
    examined = pl.DataFrame(columns)[nested].with_columns(
        start=begins,
        end=begins + takes,
        department=rng.integers(1, len(model.departments), len(nested), dtype=np.int16),
    )
    contacts = _split_2019(pl.concat([main, emergency, transferred, examined]), register)
    code = pick(register.code_weights, rng.random(contacts.height), contacts["condition"].to_numpy())
    home = homes(people, contacts["person"].to_numpy(), contacts["start"].to_numpy())
    return contacts.drop("condition").with_columns(
        code=pl.Series(code, dtype=pl.Int16), municipality=pl.Series(home, dtype=pl.Int16)
    )


def _replaced(values: np.ndarray, at: np.ndarray, new: np.ndarray) -> np.ndarray:
    copy = values.copy()
    copy[at] = new
    return copy


def _hospitals(home: np.ndarray, model: Model, register: Register, region: str, rng: np.random.Generator) -> np.ndarray:
    """Where a citizen is treated: mostly the municipality's own hospital, seldom that of another region."""
    draw = rng.random(len(home), dtype=np.float32)
    own = register.home_hospital.astype(np.int16)[home]
    elsewhere = rng.choice(register.first_hospital[:-1], len(home)).astype(np.int16)
    hospital = np.where(draw < model.stay.other_region, elsewhere, own)
    near = draw > model.stay.other_region + model.stay.own_hospital
    return np.where(near, _other_hospital(own, register, rng), hospital)


def _other_hospital(hospital: np.ndarray, register: Register, rng: np.random.Generator) -> np.ndarray:
    """Another hospital of the same region."""
    region = np.searchsorted(register.first_hospital, hospital, side="right") - 1
    first, size = register.first_hospital[region], np.diff(register.first_hospital)[region]
    step = 1 + (rng.random(len(hospital)) * (size - 1)).astype(np.int64)
    return (first + (hospital - first + step) % size).astype(np.int16)


def _split_2019(contacts: pl.DataFrame, register: Register) -> pl.DataFrame:
    """Every contact of an inpatient of Region Midtjylland on 3 February 2019 01:00 is cut in two at that minute."""
    there = [number for number, region in enumerate(register.regions) if region == SPLIT_REGION]
    crosses = (pl.col("start") < SPLIT) & (pl.col("end") > SPLIT) & pl.col("hospital").is_in(there)
    before, after = pl.lit(SPLIT, pl.Int32).alias("end"), pl.lit(SPLIT, pl.Int32).alias("start")
    # The second half got a stay key of its own: it is no longer known that the two belong together.
    new_stay = (-1 - pl.col("stay")).cast(pl.Int32).alias("stay")
    cut = contacts.filter(crosses)
    return pl.concat([contacts.filter(~crosses), cut.with_columns(before), cut.with_columns(after, new_stay)])

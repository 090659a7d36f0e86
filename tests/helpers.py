"""Releases to test with.

    release = build_release(tmp_path)                      # the whole country, three years, random but seeded
    release = build_release(tmp_path, goal=[("g1", ...)])  # the same with one table replaced
    release = tiny_release(tmp_path, cube=[("0101", JANUARY, 1, 65, "all", 5, 5, 5, 0, 5, 0)])  # only this

Tables are given as Polars frames or as lists of tuples in the order of `kpis/release.toml`. Both functions
write `<data_dir>/releases/<name>.duckdb`, point `CURRENT` to it as a publication does, and open the result.
The big release takes about two seconds: use the session fixtures `country` (a Release) and `country_data`
(its data folder) of `tests/conftest.py` where a test only reads.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from kpis import reference
from kpis.period import add_months, months_between
from kpis.release import AGE_BANDS, CONTRACT, Release, open_release

DATA_FROM, AS_OF, PROVISIONAL_FROM = date(2023, 1, 1), date(2026, 1, 1), date(2025, 10, 1)
BASE = 5  # counts of the random country are rounded to it, as a protected release is

Rows = pl.DataFrame | Sequence[tuple[Any, ...]]

_TYPES = {
    "VARCHAR": pl.String,
    "VARCHAR[]": pl.List(pl.String),
    "DATE": pl.Date,
    "TINYINT": pl.Int8,
    "SMALLINT": pl.Int16,
    "INTEGER": pl.Int32,
    "DOUBLE": pl.Float64,
}


def build_release(data_dir: Path, name: str = "v20260115T030000Z-test", seed: int = 1, **tables: Rows) -> Release:
    """A believable country: 98 municipalities, 2023-01 to 2025-12, every measure; `tables` replace some."""
    manifest = {
        "release_id": name,
        "created": "2026-01-15T03:00:00+00:00",
        "data_from": DATA_FROM.isoformat(),
        "as_of": AS_OF.isoformat(),
        "provisional_from": PROVISIONAL_FROM.isoformat(),
        "is_synthetic": True,
        "protection": {"method": "rounding", "base": BASE, "threshold": 5},
        "attrition": [],
        "deliveries": [],
        "rules": [],
        "code_version": "test",
        "change_reason": None,
    }
    return tiny_release(data_dir, name, manifest, **{**_country(seed), **tables})


def tiny_release(
    data_dir: Path,
    name: str = "v20260115T030000Z-tiny",
    manifest: Mapping[str, Any] | None = None,
    **tables: Rows,
) -> Release:
    """A release with the given tables, the others empty; `manifest` adds to what every release must say."""
    facts = {
        "release_id": name,
        "created": "2026-01-15T03:00:00+00:00",
        "data_from": DATA_FROM.isoformat(),
        "as_of": AS_OF.isoformat(),
        "provisional_from": PROVISIONAL_FROM.isoformat(),
        "is_synthetic": True,
        "protection": {"method": "none"},
        **(manifest or {}),
    }
    written = {"manifest": [(key, json.dumps(value)) for key, value in facts.items()], **tables}
    folder = data_dir / "releases"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        for table, definition in CONTRACT["tables"].items():
            columns = ", ".join(f"{column} {kind}" for column, kind in definition["columns"].items())
            connection.execute(f"create table {table} ({columns})")
            connection.register("given", to_frame(table, written.pop(table, [])).to_arrow())
            connection.execute(f"insert into {table} select * from given")
    assert not written, f"not in the contract: {sorted(written)}"
    (folder / "CURRENT").write_text(path.name + "\n", "utf-8")
    return open_release(data_dir)


def to_frame(table: str, rows: Rows) -> pl.DataFrame:
    """`rows` with the columns and types of the contract; only columns that came later may be left out at the end."""
    schema = {column: _TYPES[kind] for column, kind in CONTRACT["tables"][table]["columns"].items()}
    if isinstance(rows, pl.DataFrame):
        return rows.select(pl.col(column).cast(kind) for column, kind in schema.items())
    added = CONTRACT["tables"][table].get("added", ())
    rows = [row if len(row) == len(schema) else (*row, *[None] * len(added)) for row in rows]
    return pl.DataFrame(rows, schema=schema, orient="row")


def memberships() -> pl.DataFrame:
    """Memberships as a release holds them: with every municipality in itself and in the country."""
    municipalities = reference.areas().filter(pl.col("level") == "municipality")
    own = municipalities.select(
        pl.col("area_code").alias("municipality_code"),
        "level",
        "area_code",
        "valid_from",
        "valid_to",
        pl.lit("verified").alias("confidence"),
    )
    country = own.with_columns(level=pl.lit("country"), area_code=pl.lit("DK"))
    return pl.concat(to_frame("membership", frame) for frame in (own, country, reference.memberships()))


@cache
def diagnosis_groups() -> pl.DataFrame:
    """Every group of kpis/codelists and the group `all`, as a release holds them."""
    rows: list[tuple[Any, ...]] = [("all", "", "1", "Alle diagnoser", "All diagnoses", [], [])]
    for codelist in reference.load_codelists():
        rows += [
            (
                f"{codelist.id}.{group.key}",
                codelist.id,
                codelist.version,
                group.name_da,
                group.name_en,
                list(group.prefixes),
                list(group.excluded_prefixes),
            )
            for group in codelist.groups
        ]
    return to_frame("diagnosis_group", rows)


# Acute admissions a year per 1,000 persons of 65 and over; younger people have a share of it by age.
_ACUTE_65 = {
    "all": 260.0,
    "preventable_65plus.dehydration": 4.0,
    "preventable_65plus.constipation": 2.0,
    "preventable_65plus.lower_respiratory": 24.0,
    "preventable_65plus.cystitis": 3.0,
    "preventable_65plus.gastroenteritis": 4.0,
    "preventable_65plus.fracture": 15.0,
    "preventable_65plus.nutritional_anaemia": 2.0,
    "preventable_65plus.diabetes": 2.0,
    "chronic.copd": 9.0,
    "chronic.asthma": 1.0,
    "chronic.heart_failure": 5.0,
    "chronic.diabetes": 2.0,
    "chronic.hypertension": 2.0,
    "prevention.hip_fracture": 6.0,
    "prevention.alcohol": 2.0,
    "prevention.vaccine_preventable": 1.5,
}


# Drawn apart, so that the others are the same with and without them.
_PSYCHIATRIC_65 = {
    "psychiatry.organic": 2.0,
    "psychiatry.substance": 4.0,
    "psychiatry.psychosis": 6.0,
    "psychiatry.mood": 5.0,
    "psychiatry.anxiety_stress": 4.0,
    "psychiatry.other": 3.0,
}


@cache
def _country(seed: int) -> dict[str, pl.DataFrame]:
    random = np.random.default_rng(seed)
    codes = reference.areas().filter(pl.col("level") == "municipality")["area_code"].sort()
    months = [add_months(DATA_FROM, step) for step in range(months_between(DATA_FROM, AS_OF))]
    persons = _persons(random, codes)
    population = pl.concat(_cells(codes, [quarter], persons[:, None], "quarter", "persons") for quarter in months[::3])
    has_places = random.random(len(codes)) < 0.65
    return {
        "area": reference.areas(),
        "membership": memberships(),
        "population": population,
        "standard_population": reference.standard_population(),
        "diagnosis_group": diagnosis_groups(),
        "cube": pl.concat(
            [
                _cube(random, codes, months, persons, _ACUTE_65),
                _cube(np.random.default_rng(seed + 1), codes, months, persons, _PSYCHIATRIC_65),
            ]
        ),
        "municipality_month": _municipality_month(random, codes, months, persons, has_places),
        "coverage": _coverage(codes, has_places),
        "goal": to_frame(
            "goal",
            [
                (
                    "g1",
                    "preventable_admissions_65plus",
                    "kkr",
                    reference.areas().filter(pl.col("level") == "kkr")["area_code"][0],
                    "common",
                    "long",
                    60.0,
                    "2023",
                    54.0,
                    date(2026, 12, 31),
                )
            ],
        ),
        "intervention": to_frame(
            "intervention",
            [
                (
                    "IND-01",
                    "Akutteam i Hjørring",
                    "municipality",
                    "0860",
                    date(2024, 4, 1),
                    None,
                    0.9,
                    "preventable_admissions_65plus",
                    date(2024, 2, 1),
                )
            ],
        ),
        "service": _services(codes, has_places),
        "length_of_stay": _length_of_stay(),
        "welfare": _welfare(codes, persons),
        "official_figure": to_frame(
            "official_figure",
            [("preventable_admissions_65plus", "region", "1084", "2023", None, None, 71.0, "Region Hovedstaden")],
        ),
    }


def _persons(random: np.random.Generator, codes: pl.Series) -> np.ndarray:
    """Persons by municipality, sex and age band, with the real totals and an age structure that varies."""
    totals = reference.municipality_population().sort("date")
    size_of = dict(totals.select("municipality_code", "persons").iter_rows())
    standard = reference.standard_population().filter(pl.col("standard") == "dk2014")
    weight = np.zeros((2, len(AGE_BANDS)))
    for sex, age, count in standard.select("sex", "age_from", "persons").iter_rows():
        weight[sex - 1, AGE_BANDS.index(age)] = count
    older = np.exp(random.normal(0, 0.2, len(codes))[:, None, None] * (np.array(AGE_BANDS) >= 65))
    shares = weight * older
    shares /= shares.sum(axis=(1, 2), keepdims=True)
    return np.rint(shares * np.array([size_of[code] for code in codes])[:, None, None]).astype(np.int64)


def _cells(codes: pl.Series, months: list[date], counts: np.ndarray, time: str, name: str) -> pl.DataFrame:
    """Rows of a dense array [municipality, time, sex, age band]."""
    at = np.indices(counts.shape).reshape(4, -1)
    return pl.DataFrame(
        {
            "municipality_code": codes.gather(at[0]),
            time: pl.Series(months).gather(at[1]),
            "sex": at[2] + 1,
            "age_from": np.array(AGE_BANDS)[at[3]],
            name: counts.reshape(-1),
        }
    )


def _rounded(random: np.random.Generator, counts: np.ndarray) -> np.ndarray:
    """To a multiple of BASE, up or down at random so that sums stay right on average."""
    return (np.floor(counts / BASE + random.random(counts.shape)) * BASE).astype(np.int64)


def _cube(
    random: np.random.Generator, codes: pl.Series, months: list[date], persons: np.ndarray, rates: Mapping[str, float]
) -> pl.DataFrame:
    by_age = np.interp(np.array(AGE_BANDS), [0, 18, 40, 65, 75, 90], [0.3, 0.2, 0.3, 0.7, 1.1, 2.0])
    level = np.exp(random.normal(0, 0.15, len(codes)))[:, None, None, None]
    season = 1 + 0.1 * np.cos(2 * np.pi * (np.arange(len(months)) % 12) / 12)[:, None, None]
    at_risk = persons[:, None] / 12_000 * by_age * level * season
    last_followed = sum(add_months(month, 1) + timedelta(days=30) <= AS_OF for month in months)
    frames = []
    for group, per_thousand in rates.items():
        acute = random.poisson(at_risk * per_thousand)
        planned = random.poisson(acute * 0.2)
        short = random.binomial(acute, 0.35)
        index = random.binomial(acute + planned, 0.97)
        index[:, last_followed:] = 0
        counts = {
            "n_stay": acute + planned + random.poisson(acute * 0.5),
            "n_admission": acute + planned,
            "n_acute": acute,
            "n_short": short,
            "n_index": index,
            "n_readmission": random.binomial(index, 0.115),
        }
        columns = [
            _cells(codes, months, _rounded(random, array), "month", name).select(name) for name, array in counts.items()
        ]
        keys = _cells(codes, months, acute, "month", "n").select("municipality_code", "month", "sex", "age_from")
        frame = pl.concat([keys.with_columns(group_id=pl.lit(group)), *columns], how="horizontal")
        frames.append(frame.filter(pl.sum_horizontal(*counts) > 0))
    cube = pl.concat(frames)
    return cube.with_columns(pl.min_horizontal("n_readmission", "n_index").alias("n_readmission"))


def _municipality_month(
    random: np.random.Generator,
    codes: pl.Series,
    months: list[date],
    persons: np.ndarray,
    has_places: np.ndarray,
) -> pl.DataFrame:
    rows: list[tuple[Any, ...]] = []
    bands = ("00", "01", "02", "03", "05", "07", "10", "14", "21", "28")
    band_shares = (0.04, 0.08, 0.09, 0.17, 0.16, 0.16, 0.13, 0.1, 0.05, 0.02)
    for index, code in enumerate(codes):
        people, people_80 = persons[index].sum(), persons[index][:, AGE_BANDS.index(80) :].sum()
        places = max(2, round(people_80 * 0.004))
        for month in months:
            contacts = random.poisson(people * 0.15)
            rows += [
                (code, month, "n_contact", "", contacts),
                (code, month, "n_contact_timely", "", random.binomial(contacts, 0.93)),
                (code, month, "n_contact_coded", "", random.binomial(contacts, 0.985)),
                (code, month, "days_after_ready", "", random.poisson(people * 0.007 / 12)),
            ]
            if not has_places[index]:
                continue
            days = (add_months(month, 1) - month).days
            available = places * days
            occupied = random.binomial(available, 0.8)
            stays = max(10, round(occupied / 8))
            followed = 0 if add_months(month, 1) + timedelta(days=30) > AS_OF else round(stays * 0.95)
            admitted_30 = random.binomial(followed, 0.22)
            rows += [
                *(
                    (code, month, "n_place_stay", *item)
                    for item in zip(bands, random.multinomial(stays, band_shares), strict=True)
                ),
                *(
                    (code, month, "n_place_referral", *item)
                    for item in zip(
                        ("home", "gp", "hospital", "other", "unknown"),
                        random.multinomial(stays, (0.3, 0.2, 0.4, 0.07, 0.03)),
                        strict=True,
                    )
                ),
                (code, month, "n_place_followed", "", followed),
                (code, month, "n_place_admitted_7", "", random.binomial(admitted_30, 0.45)),
                (code, month, "n_place_admitted_30", "", admitted_30),
                (code, month, "place_days_normed", "", (places + 1) * days),
                (code, month, "place_days_available", "", available),
                (code, month, "place_days_occupied", "", occupied),
                (code, month, "days_reported", "", days),
                (code, month, "days_over_capacity", "", random.binomial(days, 0.05)),
                (code, month, "n_refused_referral", "", random.poisson(1)),
            ]
    return to_frame("municipality_month", rows)


def _coverage(codes: pl.Series, has_places: np.ndarray) -> pl.DataFrame:
    last = add_months(AS_OF, -1)
    everywhere = ("lpr_contacts", "faerdigbehandlede", "population", "services_template")
    rows = [(kind, code, DATA_FROM, last) for kind in everywhere for code in codes]
    for kind in ("acute_place_stays", "acute_place_capacity"):
        rows += [(kind, code, DATA_FROM, last) for code, has in zip(codes, has_places, strict=True) if has]
    return to_frame("coverage", rows)


def _length_of_stay() -> pl.DataFrame:
    """A stay takes two days under 18, four under 65 and six from there, in every region and group."""
    rows = [
        (region, year, age_from, group, 1000, 1000 * days)
        for region in ("1081", "1082", "1083", "1084", "1085")
        for year in range(DATA_FROM.year, AS_OF.year)
        for age_from, days in ((0, 2), (18, 4), (65, 6))
        for group in (*_ACUTE_65, *_PSYCHIATRIC_65)
    ]
    return to_frame("length_of_stay", rows)


def _welfare(codes: pl.Series, persons: np.ndarray) -> pl.DataFrame:
    """The same shares of the citizens every year: one in five of 75 and over was visited, one in ten of 65 and over …"""
    told = (
        ("AED10A", "preventive_home_visits", 75, 0.2),
        ("HJEMSYG", "home_nursing;age=65-69", 65, 0.02),
        ("HJEMSYG", "home_nursing;age=70-125", 65, 0.08),
        ("HJEMSYG2", "home_nursing_days;age=65-125", 65, 9.0),
        ("AED06", "home_help;age=65-66", 65, 0.01),
        ("AED06", "home_help;age=67-125", 65, 0.1),
        ("REHAB19", "rehabilitation;age=65-125", 65, 0.02),
        ("RESP01", "elderly_care_places;service=plejeboliger", 80, 0.14),
        ("RESP01", "elderly_care_places;service=almene_aeldreboliger", 80, 0.1),
        ("AED16", "care_home_waiting;unit=general_list", 80, 0.01),
    )
    years = range(DATA_FROM.year, AS_OF.year)
    rows: list[tuple[Any, ...]] = [
        (code, str(year), table, measure, float(round(number * share)))
        for table, measure, age, share in told
        for code, number in zip(codes, persons[:, :, AGE_BANDS.index(age) :].sum(axis=(1, 2)), strict=True)
        for year in years
    ]
    rows += [
        (code, str(year), "AED16", "care_home_waiting;unit=waiting_days", 30.0) for code in codes for year in years
    ]
    return to_frame("welfare", rows)


def _services(codes: pl.Series, has_places: np.ndarray) -> pl.DataFrame:
    rows = []
    for code, has in zip(codes, has_places, strict=True):
        since = date(2023, 1, 1)
        rows.append(
            (
                code, "akutteam", "Akutteam", "Engvej 1", "12345678", "hele døgnet", "læge, sygehus",
                ["iv-behandling", "blodprøver"], None, 60, "kommune", since, None,
            )
        )  # fmt: skip
        if has:
            rows.append(
                (
                    code, "akutplads", "Akutpladser", "Engvej 2", "87654321", "hele døgnet", "læge, sygehus",
                    ["iv-behandling", "observation"], 4, None, "kommune", since, None,
                )
            )  # fmt: skip
    return to_frame("service", rows)

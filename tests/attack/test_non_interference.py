"""Nothing but the protected counts reaches a reader: other contacts with the same protected counts give the same bytes."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from attack import land

from dashboard.app import create_app
from etl.accuracy import measured, rounded_up
from etl.protect import ROUNDED, protect_cube
from etl.pseudonym import PseudonymKey
from etl.remembered import Memory, unpacked
from kpis import reference
from tests import helpers

KEY = PseudonymKey(b"k" * 32)
PAIRS = 20 if os.environ.get("NAERBLIK_ATTACK") == "full" else 2
FILE = "/fil/acute_admissions_65plus,preventable_admissions_65plus.{}?niveau={}&fra=2024-01&til=2024-06&inddeling=month&opdeling={}"
ADDRESSES = [
    "/ready",
    *(
        FILE.format(kind, level, by)
        for kind in ("csv", "parquet", "xlsx")
        for level in ("k", "region")
        for by in ("", "alder")
    ),
    *(f"/api/v1/cube.{kind}?til=2024-02" for kind in ("json", "csv", "parquet", "arrow")),
    "/api/v1/values?indikatorer=acute_admissions_65plus&til=2024-06&inddeling=month",
    "/api/v1/indicators/acute_admissions_65plus",
    "/fil/acute_admissions_65plus.json?niveau=region&til=2024-06",
    "/datapackage.json",
    "/katalog.jsonld",
    "/feed/region-nordjylland.atom",
]


@pytest.fixture(scope="module")
def first() -> tuple[pl.DataFrame, pl.DataFrame, Memory]:
    """True counts, the protected ones, and what is remembered of them."""
    true = land.cube(land.events(3, 8), 20).sort(land.KEYS)
    return true, *protect_cube(true, ROUNDED, KEY)


def another(true: pl.DataFrame, memory: Memory, seed: int) -> pl.DataFrame:
    """Other true counts on the same side of every threshold: in each place one stay less here is one more there."""
    thresholds = memory.families["stays"]
    month = [date.year * 12 + date.month - 1 for date in true["month"]]
    at = [
        (
            thresholds.months.index(m),
            thresholds.municipalities.index(code),
            thresholds.strata.index(f"{group}|{sex}|{age}"),
        )
        for m, code, sex, age, group in zip(month, *true.select(land.KEYS[0], *land.KEYS[2:]), strict=True)
    ]
    lowest, highest = (ends.astype(int) for ends in unpacked(thresholds.left[tuple(np.array(at).T)]))
    rng, stays = np.random.default_rng(seed), true["n_stay"].to_numpy().copy()
    moved = np.zeros(true.height, int)
    for code in true["municipality_code"].unique(maintain_order=True):
        room = {}
        for step in (1, -1):
            same = [(stays + step + ends) // 5 == (stays + ends) // 5 for ends in (lowest, highest)]
            is_many = (true["n_person"] >= 5).to_numpy() & (stays > true["n_admission"].to_numpy() + 1)
            here = (true["municipality_code"] == code).to_numpy() & (true["group_id"] == "all").to_numpy()
            room[step] = np.flatnonzero(same[0] & same[1] & here & is_many & (stays > true["n_short"].to_numpy() + 1))
        if min(map(len, room.values())) > 0:
            for step, rows in room.items():
                moved[rng.choice(rows)] += step
    return true.with_columns(pl.Series("n_stay", stays + moved, dtype=pl.Int32))


def release_of(folder: Path, true: pl.DataFrame, cube: pl.DataFrame) -> Path:
    """A data folder with a release of these counts, as a load would describe it."""
    tables = {
        "area": reference.areas(),
        "membership": helpers.memberships(),
        "standard_population": reference.standard_population(),
        "diagnosis_group": helpers.diagnosis_groups(),
        "coverage": [
            ("lpr_contacts", code, true["month"].min(), true["month"].max())
            for code in helpers.memberships()["municipality_code"].unique().sort()
        ],
    }
    manifest = {
        "protection": ROUNDED.told(rounded_up(measured(true, cube))),
        "data_from": "2024-01-01",
        "as_of": "2024-09-01",
        "provisional_from": "2024-06-01",
    }
    helpers.tiny_release(folder, "v20260115T030000Z-same", manifest, cube=cube.sort(land.KEYS), **tables)
    return folder


def answers(data: Path) -> dict[str, bytes]:
    client = create_app(data).server.test_client()
    found = {}
    for address in ADDRESSES:
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.text[:200])
        found[address] = answer.data
    for page in ("/land", "/sammenlign", "/metode"):
        asked = {
            "output": "..view.children...arrived.data...retry.disabled..",
            "outputs": [{"id": "view", "property": "children"}, {"id": "arrived", "property": "data"}, {"id": "retry", "property": "disabled"}],
            "inputs": [
                {"id": "address", "property": "pathname", "value": page},
                {"id": "address", "property": "search", "value": ""},
                {"id": "retry", "property": "n_intervals", "value": 0},
            ],
            "changedPropIds": ["address.pathname"],
        }  # fmt: skip
        answer = client.post("/_dash-update-component", json=asked)
        assert answer.status_code == 200
        found[f"view {page}"] = answer.data
    return found


def test_other_countries_with_the_same_protected_counts_answer_the_same(tmp_path, first) -> None:
    true, cube, memory = first
    shown = answers(release_of(tmp_path / "first", true, cube))
    assert any(b"preventable" in content for content in shown.values())
    for seed in range(PAIRS):
        other = another(true, memory, seed)
        assert (other["n_stay"] != true["n_stay"]).sum() >= 2
        protected, _ = protect_cube(other, ROUNDED, KEY, memory)
        assert protected.sort(land.KEYS).equals(cube.sort(land.KEYS))
        assert answers(release_of(tmp_path / str(seed), other, protected)) == shown


def test_one_protected_count_more_is_seen(tmp_path, first) -> None:
    """Else the comparison would compare nothing."""
    true, cube, _ = first
    more = cube.sort(land.KEYS).with_columns(
        pl.when((pl.int_range(pl.len()) == 0) | (pl.col("age_from") == 80))
        .then(pl.col("n_acute") + 5)
        .otherwise("n_acute")
        .alias("n_acute")
    )
    assert answers(release_of(tmp_path / "a", true, more)) != answers(release_of(tmp_path / "b", true, cube))

"""From contacts to stays and readmissions: worked cases, and random contacts against the plain oracle."""

import json
import tempfile
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import stays_and_readmissions
from warehouse_of import contact, minute, stays_in, warehouse_of, write_history

import etl.counting
from etl.delivery import open_delivery
from etl.file import DeliveredFile
from etl.land import empty_history, land
from etl.parse import EPOCH
from etl.pseudonym import PseudonymKey
from etl.warehouse import build, open_warehouse

CASES = Path(__file__).parents[3] / "shared" / "cases" / "stays.json"
DAY = 1440


def _worked_cases() -> list:
    if not CASES.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="the worked cases are not beside this checkout"))]
    cases = json.loads(CASES.read_text(encoding="utf-8"))
    return [pytest.param((case, cases["as_of"]), id=case["name"]) for case in cases["cases"]]


@pytest.mark.parametrize("worked", _worked_cases())
def test_worked_case(worked: tuple[dict, str], tmp_path: Path) -> None:
    """Delivered as CSV, read by the real reader, built by the real code."""
    case, as_of = worked
    header = "dw_ek_kontakt;pnr;kont_starttidspunkt;kont_sluttidspunkt;kont_type;prioritet;adiag;bo_kom;alder;koen;doedsdato;indberettet_dato"
    person = "0101501234" if case["person_known"] else ""
    good = "z;0202601234;2020-01-01 10:00;2020-01-01 11:00;ALCA00;ATA1;DJ449;0101;70;M;;2021-06-01 00:00"
    lines = [
        f"{c['contact_id']};{person};{c['start']};{c['end'] or ''};{c['contact_type']};{c['priority']};{c['diagnosis']};"
        f"{c['municipality']};{c['age']};{c['sex']};{case['death'] or ''};2021-06-01 00:0{c['version']}"
        for c in case["contacts"]
    ]
    file = tmp_path / "kontakter.csv"
    file.write_text("\n".join([header, good, *lines]), encoding="utf-8")
    history = tmp_path / "history"
    land(open_delivery(DeliveredFile(file)), history, PseudonymKey(b"k" * 32))
    empty_history(history)
    with open_warehouse(history, as_of=date.fromisoformat(as_of)) as warehouse:
        found = stays_in(warehouse).filter(pl.col("start_minute") != minute("2020-01-01 10:00"))
    expected = [
        {
            "start_minute": minute(e["start"]),
            "end_minute": minute(e["end"]),
            "n_contact": e["n_contacts"],
            "is_open": e["is_open"],
            "is_acute": e["is_acute"],
            "diagnosis": e["diagnosis"] if e["diagnosis"].startswith("D") else "D" + e["diagnosis"],
            "municipality": int(e["municipality"]),
            "age": e["age"],
            "is_admission": e["is_admission"],
            "is_readmitted": e["is_readmitted"],
        }
        for e in case["expected"]
    ]
    assert found.drop("person").to_dicts() == expected


AS_OF = date(2024, 7, 1)
AS_OF_MINUTE = minute("2024-07-01 00:00")
FIRST_MINUTE = AS_OF_MINUTE - 120 * DAY
POPULATION = {
    "municipality": "0101", "quarter": date(2024, 4, 1), "sex": 1, "age_first": 70, "age_last": 70, "age_from": 70,
    "persons": 1, "row": 1, "rule": None,
}  # fmt: skip

# Few persons and few distinct times, so that contacts nest, touch, overlap and lie exactly on the limits.
times = st.one_of(
    st.integers(FIRST_MINUTE, AS_OF_MINUTE + 60),
    st.sampled_from(
        [
            FIRST_MINUTE + step
            for step in (0, 240, 241, 480, 719, 720, 721, 960, 30 * DAY, 30 * DAY + 720, 30 * DAY + 721)
        ]
    ),
)
lengths = st.sampled_from([0, 1, 60, 239, 240, 241, 719, 720, 1440, 5000])


@st.composite
def contacts(draw: st.DrawFn) -> list[dict]:
    rows = []
    for number in range(draw(st.integers(1, 14))):
        start = draw(times)
        is_open = draw(st.integers(0, 9)) == 0
        rows.append(
            contact(
                number if draw(st.integers(0, 7)) else max(number - 1, 0),
                draw(st.integers(1, 3)),
                start,
                None if is_open else start + draw(lengths),
                reported=AS_OF_MINUTE + number,
                municipality=draw(st.sampled_from([101, 860, None])),
                age=draw(st.sampled_from([40, 70])),
                is_physical=draw(st.integers(0, 5)) > 0,
                is_acute=draw(st.booleans()),
                diagnosis=draw(st.sampled_from(["DJ449", "DS720", "DC349", None])),
                is_cancelled=draw(st.integers(0, 9)) == 0,
                rule=draw(st.sampled_from([None, None, None, None, "C2-sex"])),
            )
        )
    return rows


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    contacts(),
    st.dictionaries(st.integers(1, 3), st.dates(date(2024, 3, 1), date(2024, 7, 10)), max_size=2),
    st.randoms(),
)
def test_any_contacts_in_any_order_give_what_the_oracle_gives(
    rows: list[dict], deaths: dict[int, date], random
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    with (
        tempfile.TemporaryDirectory() as folder,
        warehouse_of(Path(folder), shuffled, AS_OF, deaths) as warehouse,
    ):
        found = stays_in(warehouse).rows()
    expected = [tuple(vars(stay).values()) for stay in stays_and_readmissions(rows, AS_OF_MINUTE, deaths)]
    assert found == sorted(expected, key=lambda stay: (stay[0], stay[1]))


def test_parts_of_persons_add_up_to_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built in many parts or in one, every count is the same; so is a second contact of a person in the same cell."""
    people = [n * (2**64 // 40) + 17 for n in range(40)]  # spread over the whole range of person numbers
    rows = [
        contact(k * 100 + n, person, FIRST_MINUTE + k * 9 * DAY, FIRST_MINUTE + k * 9 * DAY + 800 * (n % 4))
        for n, person in enumerate(people)
        for k in range(5)
    ]
    write_history(tmp_path, "lpr_contacts", rows)
    write_history(tmp_path, "population", [POPULATION], name="b" * 64)
    empty_history(tmp_path)
    cubes = []
    for size in (1000, 67, 10):
        monkeypatch.setattr(etl.counting, "REPORTS_A_PART", size)
        with open_warehouse(tmp_path, as_of=AS_OF) as warehouse:
            build(warehouse)
            cubes.append(warehouse.true_cube.sort(pl.all()))
    assert cubes[0].equals(cubes[1])
    assert cubes[0].equals(cubes[2])
    of_all = cubes[0].filter(pl.col("group_id") == "all")
    assert of_all["n_stay"].sum() == 200
    persons = {(n, (FIRST_MINUTE + k * 9 * DAY) // DAY) for n in range(40) for k in range(5)}
    months = {(n, (EPOCH.date() + timedelta(days=day)).strftime("%Y-%m")) for n, day in persons}
    assert of_all["n_person"].sum() == len(months)


def test_a_thousand_persons_with_long_gaps_stay_apart(tmp_path: Path) -> None:
    """The running maximum is packed by person: a long stay of one person must not swallow the next person's."""
    rows = [
        contact(p * 2 + k, p, FIRST_MINUTE + k * 5 * DAY, FIRST_MINUTE + k * 5 * DAY + 3000)
        for p in range(1000)
        for k in range(2)
    ]
    with warehouse_of(tmp_path, rows, AS_OF) as warehouse:
        stays = stays_in(warehouse)
    assert stays.height == 2000
    assert stays["is_readmitted"].sum() == 1000

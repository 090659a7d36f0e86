"""The plan of an intervention: its file, its lock, and what was done otherwise."""

from dataclasses import fields, replace
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.source import recognise
from kpis import intervention
from kpis.intervention import Plan, PlanProblem, deviations, lock, plans, read_plan, to_plan, to_row, write_plan
from tests import helpers

PREVENTABLE, HIPS = "preventable_admissions_65plus", "hip_fractures_65plus"
PLAN = Plan(
    id="IND-01",
    name="Akutteam døgnet rundt",
    municipalities=("0813", "0860"),
    start=date(2024, 12, 1),
    indicator=PREVENTABLE,
    expected_effect=0.9,
    counterweight="readmissions_30d",
    negative_control=HIPS,
    owner="Sundhedschefen",
    what='Sygeplejersker "i vagt".\nHele døgnet.',
    cost=6_400_000.0,
    bed_day_price=4_321.5,
    price_source="Budget 2024",
    end=date(2026, 1, 1),
    later_starts=(("0860", date(2025, 2, 1)),),
    registered_on=date(2024, 9, 1),
)
WHEN = datetime(2024, 10, 1, 9, 30, 5)


def problems(text: str) -> set[tuple[str, str]]:
    with pytest.raises(PlanProblem) as raised:
        read_plan(text)
    return {(fault.field, fault.problem) for fault in raised.value.faults}


def test_every_field_has_a_key() -> None:
    assert set(intervention.KEYS) == {field.name for field in fields(Plan)}


def test_what_is_written_is_read_back() -> None:
    assert read_plan(write_plan(PLAN)) == PLAN
    least = Plan("a", "b", ("0101",), date(2024, 1, 1), PREVENTABLE)
    assert read_plan(write_plan(least)) == least


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60).map(str.strip)


@given(TEXT.filter(bool), TEXT, st.floats(0.05, 5.0), st.floats(0, 1e10))
def test_any_text_and_number_is_read_back_and_keeps_its_hash(name: str, what: str, effect: float, cost: float) -> None:
    plan = lock(replace(PLAN, name=name, what=what, expected_effect=effect, cost=cost), WHEN)
    again = read_plan(write_plan(plan))
    assert again == plan
    assert again.is_intact


def test_a_lock_keeps_the_plan_as_it_was_with_time_and_hash() -> None:
    locked = lock(PLAN, WHEN)
    assert (locked.locked_on, len(locked.plan_hash or "")) == (WHEN, 64)
    assert locked.is_intact and deviations(locked, locked.locked) == ()
    later = replace(locked, start=date(2025, 1, 1), cost=None)
    assert later.is_intact, "a change of the plan is a deviation, not a broken lock"
    assert [(d.field, d.locked, d.now) for d in deviations(later, later.locked)] == [
        ("start", "2024-12-01", "2025-01-01"),
        ("cost", "6400000", ""),
    ]
    with pytest.raises(ValueError, match="locked on 2024-10-01"):
        lock(later, WHEN)


def test_changing_what_was_locked_breaks_the_hash() -> None:
    head, mark, tail = write_plan(lock(PLAN, WHEN)).partition("[laast]")
    softened = read_plan(head + mark + tail.replace("forventet_effekt = 0.9", "forventet_effekt = 0.99"))
    backdated = read_plan(head + mark + tail.replace("2024-10-01T09:30:05", "2024-09-01T09:30:05"))
    assert not softened.is_intact and not backdated.is_intact
    assert not PLAN.is_intact, "without a lock there is none to be intact"


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = (
        'indsats_id = "../x"\nkommuner = ["0999", "0860"]\nfra = "i går"\nindikator = "preventible"\npris_om_aaret = -1'
    )
    assert problems(text) == {
        ("id", "not_an_id"),
        ("name", "missing"),
        ("municipalities", "unknown"),
        ("start", "not_a_date"),
        ("indicator", "unknown"),
        ("cost", "out_of_range"),
    }


@pytest.mark.parametrize(
    ("old", "new", "field", "problem"),
    [
        ("fra = 2024-12-01", "", "start", "missing"),
        ('navn = "Akut', 'navn = 5 # "', "name", "not_text"),
        ('kommuner = ["0813", "0860"]', "kommuner = 5", "municipalities", "unknown"),
        ("til = 2026-01-01", "til = 2024-01-01", "end", "before_start"),
        ("forventet_effekt = 0.9", 'forventet_effekt = "meget"', "expected_effect", "not_a_number"),
        ("forventet_effekt = 0.9", "forventet_effekt = nan", "expected_effect", "out_of_range"),
        (f'negativ_kontrol = "{HIPS}"', f'negativ_kontrol = "{PREVENTABLE}"', "negative_control", "same_as_indicator"),
        ('priskilde = "Budget 2024"', "", "price_source", "missing"),
        ('"0860" = 2025-02-01', '"0101" = 2025-02-01', "later_starts", "unknown"),
        ('"0860" = 2025-02-01', '"0860" = 2024-02-01', "later_starts", "before_start"),
        ("ansvarlig =", "ansvarligt =", "ansvarligt", "unknown_key"),
        ("ansvarlig =", "ansvarlig ", "", "not_toml"),
    ],
)
def test_a_fault_is_named_with_its_field(old: str, new: str, field: str, problem: str) -> None:
    text = write_plan(PLAN)
    assert old in text
    assert problems(text.replace(old, new)) == {(field, problem)}


def test_a_file_out_of_all_proportion_is_not_read() -> None:
    assert problems("#" * 30_000) == {("", "too_long")}


def test_a_form_gives_the_same_plan_in_danish_habits() -> None:
    form = {
        "id": " IND-01 ", "name": PLAN.name, "municipalities": "813, 0860", "start": "01-12-2024", "indicator": PREVENTABLE,
        "expected_effect": "0,9", "counterweight": "readmissions_30d", "negative_control": HIPS, "owner": PLAN.owner,
        "what": PLAN.what.replace("\n", "\r\n"), "cost": "6 400 000", "bed_day_price": "4321,5",
        "price_source": "Budget 2024", "end": "2026-01-01", "later_starts": "0860=2025-02-01",
        "registered_on": "2024-09-01", "locked_on": "",
    }  # fmt: skip
    assert to_plan(form) == PLAN


def test_the_row_of_a_table_has_the_headers_that_a_delivery_is_recognised_by() -> None:
    row = to_row(lock(PLAN, WHEN))
    fit = recognise(list(row))
    assert fit.source.kind == "interventions"
    assert fit.unused == ()
    assert {column.name for column in fit.source.columns} == set(fit.header_of)


def test_municipalities_that_start_apart_are_cohorts() -> None:
    assert PLAN.cohorts == ((date(2024, 12, 1), ("0813",)), (date(2025, 2, 1), ("0860",)))


def test_plans_are_those_of_the_release_and_those_registered_since(tmp_path: Path) -> None:
    locked = lock(PLAN, WHEN)
    row = (
        "IND-01", PLAN.name, "municipality", "{}", None, PLAN.end, 0.9, PREVENTABLE, WHEN.date(), PLAN.what,
        PLAN.counterweight, HIPS, PLAN.owner, PLAN.cost, PLAN.bed_day_price, PLAN.price_source, PLAN.registered_on,
        locked.plan_hash, write_plan(locked.locked),
    )  # fmt: skip
    starts = (("0813", PLAN.start), ("0860", date(2025, 2, 1)))
    rows = [(*row[:3], code, start, *row[5:]) for code, start in starts]
    release = helpers.tiny_release(tmp_path, intervention=rows)
    assert plans(release) == (locked,)
    folder = tmp_path / "web"
    folder.mkdir()
    new = Plan("ny", "Ny", ("0101",), date(2025, 6, 1), HIPS)
    (folder / "ny.toml").write_text(write_plan(new), encoding="utf-8")
    (folder / "IND-01.toml").write_text(write_plan(replace(locked, owner="En anden")), encoding="utf-8")
    (folder / "skrald.toml").write_text("hvad er dette", encoding="utf-8")
    assert [(plan.id, plan.owner) for plan in plans(release, folder)] == [("ny", ""), ("IND-01", "En anden")]
    assert plans(release, tmp_path / "missing") == (locked,)


def test_a_release_made_before_the_newer_columns_is_read(tmp_path: Path) -> None:
    import duckdb

    from kpis.release import CONTRACT, open_file

    start = date(2024, 12, 1)
    row = ("IND-01", "Akutteam", "municipality", "0860", start, None, 0.9, PREVENTABLE, date(2024, 10, 1))
    release = helpers.tiny_release(tmp_path, intervention=[row])
    old = release.path.with_name("v20250101-old.duckdb")
    old.write_bytes(release.path.read_bytes())
    with duckdb.connect(str(old)) as connection:
        for column in CONTRACT["tables"]["intervention"]["added"]:
            connection.execute(f"alter table intervention drop column {column}")
    (plan,) = plans(open_file(old))
    assert (plan.start, plan.cost, plan.locked_on, plan.locked) == (start, None, datetime(2024, 10, 1), None)

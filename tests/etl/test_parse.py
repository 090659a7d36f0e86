"""How delivered text becomes values: Danish habits in, typed values or a named fault out."""

from datetime import date

import polars as pl
import pytest
from warehouse_of import minute

from etl.parse import READERS, to_text
from etl.pseudonym import PseudonymKey, birth_date, is_cpr, normalise_persons, pseudonymise, some_are_test_persons
from etl.source import Column, load_sources


def read(type_: str, *values: str | None, codes: dict[str, str] | None = None) -> list:
    column = Column("c", type_, ("c",), codes=codes or {})
    return READERS[type_](to_text(pl.Series(values, dtype=pl.String)), column).to_list()


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("timestamp", "2024-01-31 14:05", minute("2024-01-31 14:05")),
        ("timestamp", "2024-01-31T14:05:59", minute("2024-01-31 14:05")),
        ("timestamp", "31-01-2024 14:05", minute("2024-01-31 14:05")),
        ("timestamp", "31.01.2024 14.05", minute("2024-01-31 14:05")),
        ("timestamp", "2024-01-31", minute("2024-01-31 00:00")),
        ("timestamp", "01JAN2024:10:00:00", minute("2024-01-01 10:00")),
        ("timestamp", "01-31-2024 14:05", None),  # month before day is no Danish habit
        ("timestamp", "2023-02-29 10:00", None),
        ("date", "31-12-2024", date(2024, 12, 31)),
        ("date", "2024-12-31 00:00:00", date(2024, 12, 31)),
        ("integer", "1.234.567", 1234567),
        ("integer", "1 234", 1234),
        ("integer", "12,0", 12),
        ("integer", "1.23", None),
        ("decimal", "1.234,5", 1234.5),
        ("decimal", "0,9", 0.9),
        ("decimal", "0.9", 0.9),
        ("age", "75", 75),
        ("age", "75,9", 75),
        ("age", "-1", None),
        ("age", "175", None),
        ("age_group", "0 years", "0-0"),
        ("age_group", "80-84 år", "80-84"),
        ("age_group", "65+", "65-125"),
        ("age_group", "105 år og derover", "105-125"),
        ("age_group", "I alt", "total"),
        ("age_group", "ung", None),
        ("quarter", "2024K1", date(2024, 1, 1)),
        ("quarter", "2021Q2", date(2021, 4, 1)),
        ("quarter", "2024K5", None),
        ("month", "2024M02", date(2024, 2, 1)),
        ("sex", "Kvinde", 2),
        ("sex", "M", 1),
        ("sex", "3", None),
        ("sex_or_total", "TOT", 0),
        ("municipality", "860", "0860"),
        ("municipality", "Københavns Kommune", "0101"),
        ("municipality", "Christiansø", "0411"),
        ("municipality", "0999", None),
        ("municipality", "0860 Hjørring", "0860"),
        ("municipality", "0860 Aalborg", None),  # code and name do not agree
        ("municipality", "860,0", "0860"),
        ("municipalities", "860|Aalborg", "0860|0851"),
        ("municipalities", "860|411", None),
        ("end_of_day", "31-12-2018", minute("2018-12-31 23:59")),
        ("lpr2_id", "17", -(10**18) - 17),
        ("age_group", "Under 65 år", "0-64"),
        ("age_or_id", "65-69 år", "65-69"),
        ("age_or_id", "6569", "6569"),
        ("age_or_id", "I alt", "total"),
        ("dimension", "Første besøg, 75-årige", "foerste_besoeg_75_aarige"),
        ("dimension", "Antal pladser i alt", "total"),
        ("decimal", "1.234", None),  # a thousand, or one and a bit: nothing tells
        ("decimal", "0.123", 0.123),
        ("decimal", "1.234.567", 1234567.0),
        ("decimal", "12,5 %", 12.5),
        ("diagnosis", "DJ44.9 KOL uden specifikation", "DJ449"),
        ("yes_no", "x", None),  # as a cell of its own column it is a yes, see the template's tests
        ("area", "000", "total"),
        ("area", "Region Nordjylland", "total"),
        ("area", "081", "total"),
        ("area", "101", "0101"),
        ("area", "Århus", "0751"),
        ("diagnosis", "dj44.9", "DJ449"),
        ("diagnosis", "J449", "DJ449"),
        ("diagnosis", "D649", "DD649"),
        ("diagnosis", "DUMMY", None),
        ("phone", "98765432", "98 76 54 32"),
        ("phone", "+45 98 76 54 32", "98 76 54 32"),
        ("phone", "1234", None),
        ("yes_no", "Ja", True),
        ("yes_no", "nej", False),
        ("yes_no", "måske", None),
        ("id", "100000000000000001", 100000000000000001),
    ],
)  # fmt: skip
def test_reading(type_: str, text: str, value: object) -> None:
    assert read(type_, text) == [value]


@pytest.mark.parametrize("blank", ["", " ", ".", "..", "-", "\u00a0", "NULL"])
def test_blanks_are_null_in_every_type(blank: str) -> None:
    for type_ in READERS:
        assert read(type_, blank, None) == [None, None], type_


def test_ids_that_are_no_numbers_get_a_stable_number_of_their_own() -> None:
    first, second, padded = read("id", "032-0", "032-1", "0001")
    assert first != second and first < 0 and padded < 0
    assert read("id", "032-0") == [first]


def test_every_column_type_of_every_source_can_be_read() -> None:
    types = {column.type for source in load_sources() for column in source.columns}
    assert types <= {*READERS, "person"}


def person(text: str) -> str | None:
    return normalise_persons(pl.Series([text])).item()


def test_one_spelling_per_person() -> None:
    assert (
        person("010150-1234") == person("0101501234") == person(" 010150 1234") == person("101501234") == "0101501234"
    )
    assert person("991501234") == "991501234"  # no such date: nothing is put before it
    assert person("0000000000") is None
    assert person("123456789012") == "123456789012"


def facts(number: str) -> tuple:
    one = pl.lit(number)
    is_test = some_are_test_persons(pl.Series([number, "0101501234", "AB12-X", None]))
    return pl.select(is_cpr(one).alias("cpr"), pl.lit(is_test).alias("test"), birth_date(one).alias("born")).row(0)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0101501234", (True, False, date(1950, 1, 1))),
        ("0101504234", (True, False, date(1950, 1, 1))),
        ("0101104234", (True, False, date(2010, 1, 1))),
        ("0101505234", (True, False, date(2050, 1, 1))),
        ("0101605234", (True, False, date(1860, 1, 1))),
        ("6101501234", (True, True, date(1950, 1, 1))),
        ("3113501234", (False, False, None)),
    ],
)
def test_what_a_person_number_holds(number: str, expected: tuple) -> None:
    assert facts(number) == expected


def test_the_last_day_of_any_month_is_a_person_number_too() -> None:
    for day in range(1, 32):
        assert facts(f"{day:02d}01501234")[:2] == (True, False), day
        assert facts(f"{day + 60:02d}01501234")[:2] == (True, True), day


def test_pseudonyms_depend_on_the_key_and_on_nothing_else() -> None:
    persons = pl.Series(["0101501234", "0101501235", "AB12-X", None, "123456789012"])
    one, other = PseudonymKey(b"1" * 32), PseudonymKey(b"2" * 32)
    assert pseudonymise(persons, one).to_list() == pseudonymise(persons, one).to_list()
    assert set(pseudonymise(persons, one)) & set(pseudonymise(persons, other)) == {None}
    assert pseudonymise(persons, one).n_unique() == 5
    assert repr(one) == f"PseudonymKey({one.key_id})" and b"1" * 4 not in repr(one).encode()

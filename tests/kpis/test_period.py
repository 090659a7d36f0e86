from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.period import GRAINS, Period, add_months, breaks_within, months_between, periods_between

days = st.dates(date(1950, 1, 1), date(2090, 12, 31))


@pytest.mark.parametrize(
    ("text", "first", "last", "grain", "canonical"),
    [
        ("2024-02", date(2024, 2, 1), date(2024, 2, 1), "month", "2024-02"),
        ("2024-Q1", date(2024, 1, 1), date(2024, 3, 1), "quarter", "2024-Q1"),
        ("2024K4", date(2024, 10, 1), date(2024, 12, 1), "quarter", "2024-Q4"),
        ("2024q2", date(2024, 4, 1), date(2024, 6, 1), "quarter", "2024-Q2"),
        (" 2024 ", date(2024, 1, 1), date(2024, 12, 1), "year", "2024"),
        ("12m-2024-05", date(2023, 6, 1), date(2024, 5, 1), "rolling12", "12m-2024-05"),
    ],
)
def test_an_id_names_a_period(text, first, last, grain, canonical):
    period = Period.from_id(text)
    assert (period.first, period.last, period.grain, period.id) == (first, last, grain, canonical)


@pytest.mark.parametrize("text", ["", "2024-13", "2024-Q5", "24-01", "2024-1", "2024-01-01", "9999-12", "0001-01"])
def test_anything_else_is_an_error_that_shows_the_spellings(text):
    with pytest.raises(ValueError, match="2024-Q1"):
        Period.from_id(text)


@given(days, st.sampled_from(GRAINS))
def test_an_id_leads_back_to_its_period(day, grain):
    period = Period.containing(day, grain)
    assert Period.from_id(period.id) == period
    assert period.first <= day < period.end


def test_steps_are_of_the_own_length_but_of_a_month_when_rolling():
    assert Period.from_id("2024-Q4").shifted(1).id == "2025-Q1"
    assert Period.from_id("2024").shifted(-2).id == "2022"
    assert Period.from_id("12m-2024-12").shifted(1).id == "12m-2025-01"
    assert Period.from_id("12m-2024-05").year_before().id == "12m-2023-05"
    assert Period.from_id("2024-Q1").year_before().id == "2023-Q1"


def test_only_whole_periods_lie_between_two_months():
    def ids(first, last, grain):
        return [period.id for period in periods_between(first, last, grain)]

    assert ids(date(2024, 2, 1), date(2024, 12, 1), "quarter") == ["2024-Q2", "2024-Q3", "2024-Q4"]
    assert ids(date(2024, 1, 1), date(2024, 11, 1), "year") == []
    assert ids(date(2024, 1, 1), date(2024, 12, 31), "year") == ["2024"]
    assert ids(date(2024, 1, 1), date(2025, 1, 1), "rolling12") == ["12m-2024-12", "12m-2025-01"]
    assert ids(date(2024, 11, 1), date(2025, 2, 1), "month") == ["2024-11", "2024-12", "2025-01", "2025-02"]


@given(days, st.integers(0, 40))
def test_months_can_be_added_and_counted(day, months):
    assert months_between(day, add_months(day, months)) == months
    assert len(periods_between(day, add_months(day, months), "month")) == months + 1


def test_a_break_separates_the_month_before_it_from_its_own():
    assert [item.id for item in breaks_within(date(2019, 2, 1), date(2019, 3, 1))] == ["lpr3"]
    assert breaks_within(date(2019, 3, 1), date(2026, 12, 1)) == ()
    assert [item.id for item in breaks_within(date(2018, 1, 1), date(2027, 1, 1))] == ["lpr3", "reform2027"]

"""What pages ask for: the newest period that can be trusted, verdicts, and months against their own past."""

from datetime import date

import polars as pl
import pytest

from dashboard import readings
from dashboard.selection import COUNTRY, AreaRef, catalogue
from kpis.area import find_area
from kpis.indicator import load_indicators
from kpis.period import Period
from kpis.verdict import BY_ID
from tests.helpers import tiny_release

ID = "preventable_admissions_65plus"
HEADLINES = [item.id for item in load_indicators().values() if item.headline]


@pytest.mark.parametrize(
    ("data_from", "provisional_from", "as_of", "expected"),
    [
        ("2023-01-01", "2025-10-01", "2026-01-01", "12m-2025-09"),
        ("2024-10-01", "2025-10-01", "2026-01-01", "12m-2025-09"),
        ("2025-01-01", "2025-10-01", "2026-01-01", "2025-Q3"),  # nine sure months are no year
        ("2025-09-01", "2025-10-01", "2026-01-01", "2025-09"),
        ("2025-10-01", "2025-10-01", "2026-01-01", "2025-Q4"),  # nothing is sure: the page says provisional
    ],
)
def test_the_newest_period_is_the_longest_that_is_sure(tmp_path, data_from, provisional_from, as_of, expected) -> None:
    manifest = {"data_from": data_from, "provisional_from": provisional_from, "as_of": as_of}
    release = tiny_release(tmp_path, manifest=manifest)
    assert readings.latest_period(release) == Period.from_id(expected)


def test_an_area_has_the_same_row_alone_and_among_its_peers(country) -> None:
    area, period = find_area(country, "Hjørring", "2024"), readings.latest_period(country)
    frame = readings.level_estimates(country, ID, "municipality", "2024", period, True)
    own = readings.area_estimate(country, ID, area, "2024", period, True)
    assert own == frame.row(by_predicate=pl.col("area_name") == "Hjørring", named=True)


@pytest.mark.parametrize("indicator", HEADLINES)
@pytest.mark.parametrize("level", ["municipality", "region"])
def test_every_area_has_a_verdict_and_few_shout(country, indicator: str, level: str) -> None:
    period = readings.latest_period(country)
    verdicts = readings.level_verdicts(country, indicator, level, "2024", period, True)
    assert verdicts.keys() == readings.level_rows(country, indicator, level, "2024", period, True).keys()
    shouting = [judged for judged in verdicts.values() if BY_ID[judged.verdict].shouts]
    assert len(shouting) <= len(verdicts) / 3, "if more than a third shout, the rule is wrong"


def test_an_area_far_above_the_country_is_judged_by_its_direction(country) -> None:
    period = readings.latest_period(country)
    rows = readings.level_rows(country, ID, "municipality", "2024", period, True)
    verdicts = readings.level_verdicts(country, ID, "municipality", "2024", period, True)
    known = [code for code, row in rows.items() if row["value"] is not None]
    highest, lowest = (pick(known, key=lambda code: rows[code]["lower"]) for pick in (max, min))
    assert verdicts[highest].verdict in ("worse", "much_worse"), "lower is better"
    assert verdicts[lowest].verdict not in ("worse", "much_worse")


@pytest.mark.parametrize("indicator", HEADLINES)
def test_a_verdict_does_not_contradict_the_interval_beside_it(country, indicator: str) -> None:
    period = readings.latest_period(country)
    (whole,) = readings.level_rows(country, indicator, "country", "2024", period, True).values()
    rows = readings.level_rows(country, indicator, "municipality", "2024", period, True)
    verdicts = readings.level_verdicts(country, indicator, "municipality", "2024", period, True)
    for code, judged in verdicts.items():
        if judged.verdict in ("much_better", "much_worse"):
            assert not rows[code]["lower"] <= whole["value"] <= rows[code]["upper"], rows[code]["area_name"]


def test_a_figure_without_interval_is_not_judged(country) -> None:
    period = readings.latest_period(country)
    verdicts = readings.level_verdicts(country, "acute_place_occupancy", "region", "2024", period, True)
    assert set(verdicts.values()) == {readings.Judged("not_assessed", "no_interval")}


def test_months_are_freed_of_the_season_of_the_country(country) -> None:
    # The random country has a tenth more admissions every January than in July.
    area = catalogue(country).area(COUNTRY, "2024")
    months = readings.area_process(country, "acute_admissions_65plus", area).months
    sure = months.filter(~pl.col("is_provisional"))
    winter, summer = (
        sure.filter(pl.col("month").dt.month().is_in(calendar))["adjusted"].mean()
        for calendar in ([12, 1, 2], [6, 7, 8])
    )
    assert winter == pytest.approx(summer, rel=0.02)
    assert months["month"].to_list() == [period.first for period in readings.process_months(country)]
    assert months["month"][-1] == date(2025, 12, 1)


def test_a_process_of_few_events_is_neither_bounded_nor_judged(country) -> None:
    known = catalogue(country)
    process = readings.area_process(country, ID, known.area(AreaRef("municipality", "laesoe"), "2024"))
    assert process.judged == readings.Judged("cannot_tell", "too_few")
    assert process.since is None
    assert process.months["centre"].null_count() == process.months.height
    assert set(process.months["signal"]) == {"none"}


def test_a_figure_that_is_decided_has_no_limits_and_no_signals(country) -> None:
    area = catalogue(country).area(COUNTRY, "2024")
    process = readings.area_process(country, "acute_place_capacity", area)
    assert process.judged == readings.Judged("not_assessed", "decided")
    assert process.months["centre"].null_count() == process.months.height
    assert set(process.months["signal"]) == {"none"}


def test_the_newest_months_are_the_same_asked_for_by_name(country) -> None:
    area, last = find_area(country, "Hjørring", "2024"), readings.last_month(country)
    named = readings.area_process(country, ID, area, last, readings.SPARK_MONTHS)
    assert named.months.equals(readings.area_process(country, ID, area).months)

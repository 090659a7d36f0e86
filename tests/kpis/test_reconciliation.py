"""Official figures beside ours."""

import re

import pytest

from kpis import reconciliation
from kpis.area import areas
from kpis.evaluate import Query, evaluate
from kpis.indicator import load_indicators
from kpis.period import Period
from kpis.reconciliation import RECONCILED, reasons, reconcile
from tests.helpers import build_release

INDICATORS = load_indicators()
NAME = "preventable_admissions_65plus"


def figure(indicator=NAME, level="country", code="DK", period="2024", value=60.0, numerator=None, denominator=None):
    return (indicator, level, code, period, numerator, denominator, value, "eSundhed")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return build_release(
        tmp_path_factory.mktemp("official"),
        official_figure=[
            figure(value=70.0),
            figure(value=None, numerator=600.0, denominator=10_000.0, period="2023"),
            figure(value=None, period="2024-Q1"),
            figure("days_after_ready", value=7.0),
            figure("FLIS 12.3"),
            figure(code="9999", level="municipality"),
            figure(period="in spring"),
            figure(period="2030"),
        ],
    )


def only(release, **where):
    (row,) = reconcile(release).filter(**where).iter_rows(named=True)
    return row


def test_every_figure_has_a_row_whatever_is_wrong_with_it(release) -> None:
    found = reconcile(release)
    assert found.schema == RECONCILED
    assert sorted(found["comparison"]) == [
        "beside", "differs", "differs", "no_area", "no_figure", "no_official", "no_period", "not_ours",
    ]  # fmt: skip


def test_the_difference_is_ours_minus_theirs(release) -> None:
    row = only(release, indicator=NAME, period="2024", level="country")
    (ours,) = evaluate(
        release, Query(INDICATORS[NAME], areas(release, "country", "2024"), (Period.from_id("2024"),))
    ).iter_rows(named=True)
    assert row["ours"] == ours["value"]
    assert row["difference"] == pytest.approx(ours["value"] - 70)
    assert row["difference_per_cent"] == pytest.approx((ours["value"] - 70) / 0.7)


def test_numerator_and_denominator_make_a_value_in_our_unit(release) -> None:
    assert only(release, indicator=NAME, period="2023")["official"] == pytest.approx(60.0)


def test_only_reasons_that_can_play_a_part_are_given(release) -> None:
    rate = only(release, indicator=NAME, period="2024", level="country")["reasons"].split(";")
    assert {"synthetic", "rounding", "code_list", "stay_rule", "denominator"} <= set(rate)
    assert not {"readmission_rule", "residence", "lpr3", "late_reports", "place_definition"} & set(rate)
    days = only(release, indicator="days_after_ready")["reasons"].split(";")
    assert not {"code_list", "stay_rule"} & set(days)


def test_within_our_interval_and_its_own_decimals_a_figure_is_alike(tmp_path, release) -> None:
    ours = only(release, indicator=NAME, period="2024", level="country")["ours"]
    alike = build_release(tmp_path, official_figure=[figure(value=round(ours, 1))])
    assert reconcile(alike)["comparison"].to_list() == ["alike"]


def test_only_the_indicators_asked_for(release) -> None:
    assert set(reconcile(release, ["days_after_ready"])["indicator"]) == {"days_after_ready"}
    assert reconcile(release, []).is_empty()


def test_every_reason_has_words_in_both_languages_and_conditions_that_exist() -> None:
    kinds = {indicator.kind for indicator in INDICATORS.values()}
    for reason in reasons():
        assert reason.text("da") != reason.text("en")
        assert re.match(r"[A-ZÆØÅ].*\.$", reason.da) and re.match(r"[A-Z].*\.$", reason.en)
        assert set(reason.conditions.get("kinds", kinds)) <= kinds
        assert set(reason.conditions.get("indicators", INDICATORS)) <= set(INDICATORS)
    assert len({reason.id for reason in reasons()}) == len(reasons())


def test_an_unknown_condition_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(reconciliation, "_CONDITIONS", ("tables",))
    reconciliation.reasons.cache_clear()
    with pytest.raises(ValueError, match="synthetic found; allowed: tables"):
        reasons()
    monkeypatch.undo()
    reconciliation.reasons.cache_clear()

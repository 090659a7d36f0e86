"""Goals in a release: judged, forecast, shared out, and counted by the indicator of the fourth focus area."""

from datetime import date

import pytest

from kpis.area import areas
from kpis.evaluate import Query, evaluate, newest_period
from kpis.goal import goals
from kpis.indicator import load_indicators
from kpis.period import Period
from kpis.progress import CONTRIBUTIONS, PROGRESS, goal_contributions, progress
from kpis.verdict import BY_ID, REASONS
from tests.helpers import build_release

INDICATORS = load_indicators()
SHARE = INDICATORS["common_goals_on_track"]
NORTH, SOUTH = "kkr-nordjylland", "kkr-syddanmark"


def row(
    name, area_code, target, *, scope="common", level="kkr", indicator="preventable_admissions_65plus", base="2023"
):
    return (name, indicator, level, area_code, scope, "long", 60.0, base, target, date(2026, 12, 31))


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The random country with an easy goal, an impossible one, and some that cannot be judged."""
    goals = [
        row("easy", NORTH, 500.0),
        row("hard", NORTH, 1.0),
        row("hard south", SOUTH, 1.0),
        row("late", SOUTH, 50.0, base="2030"),
        row("no direction", SOUTH, 50.0, indicator="acute_admissions_65plus"),
        row("own", "0860", 500.0, scope="own", level="municipality"),
        row("unknown", "kkr-atlantis", 50.0),
        row("unknown indicator", NORTH, 50.0, indicator="happiness"),
        row("no baseline", NORTH, 50.0, base=None),
    ]
    return build_release(tmp_path_factory.mktemp("goals"), goal=goals)


def found(release, name):
    (one,) = progress(release).filter(goal_id=name).iter_rows(named=True)
    return one


def test_every_goal_has_a_row_with_the_columns_promised(release) -> None:
    frame = progress(release)
    assert frame.schema == PROGRESS
    assert frame.height == len(goals(release)) == 9


def test_an_easy_goal_is_met_and_an_impossible_one_is_behind(release) -> None:
    easy, hard = found(release, "easy"), found(release, "hard")
    assert (easy["status"], easy["verdict"]) == ("met", "goal_met")
    assert (hard["status"], hard["verdict"]) == ("behind", "behind")
    assert easy["odds"] > 0.99 and hard["odds"] < 0.01
    assert (easy["assurance"], hard["assurance"]) == ("passes", "fails")
    assert easy["forecast_lower"] < easy["forecast"] < easy["forecast_upper"]
    assert found(release, "own")["verdict"] == "goal_met"


def test_the_value_is_that_of_the_newest_firm_twelve_months(release) -> None:
    period = newest_period(release)
    (area,) = (area for area in areas(release, "kkr", "2024") if area.code == NORTH)
    (row_,) = evaluate(release, Query(INDICATORS["preventable_admissions_65plus"], (area,), (period,))).iter_rows(
        named=True
    )
    easy = found(release, "easy")
    assert (easy["period"], easy["value"], easy["lower"]) == (period.id, row_["value"], row_["lower"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("late", "not_begun"),
        ("no direction", "no_direction"),
        ("unknown", "unknown"),
        ("unknown indicator", "unknown"),
        ("no baseline", "no_baseline"),
    ],
)
def test_what_cannot_be_judged_says_why(release, name, reason) -> None:
    one = found(release, name)
    assert (one["verdict"], one["reason"]) == ("not_assessed", reason)


def test_every_verdict_and_reason_has_words(release) -> None:
    frame = progress(release)
    assert set(frame["verdict"]) <= set(BY_ID)
    assert set(frame["reason"]) - {""} <= {reason.id for reason in REASONS}


def test_no_path_crosses_a_break(tmp_path) -> None:
    one = build_release(tmp_path, goal=[row("old", NORTH, 50.0, base="2018")])
    (judged,) = progress(one).iter_rows(named=True)
    assert (judged["verdict"], judged["reason"]) == ("not_assessed", "across_break")


def test_odds_beyond_the_reform_say_that_a_break_lies_between(tmp_path) -> None:
    far = (*row("far", NORTH, 50.0)[:-1], date(2030, 12, 31))
    judged = progress(build_release(tmp_path, goal=[far, row("near", NORTH, 50.0)]))
    notes = dict(judged.select("goal_id", "outlook_note").iter_rows())
    assert notes == {"far": "across_break", "near": ""}
    assert judged["odds"].null_count() == 0


def test_the_municipalities_share_the_distance_of_their_area(release) -> None:
    (hard,) = (one for one in goals(release) if one.goal_id == "hard")
    parts = goal_contributions(release, hard)
    (area,) = (area for area in areas(release, "kkr", "2024") if area.code == NORTH)
    whole = evaluate(
        release, Query(INDICATORS["preventable_admissions_65plus"], (area,), (newest_period(release),))
    ).row(0, named=True)
    assert parts.schema == CONTRIBUTIONS
    assert parts["area_code"].to_list() != [] and set(parts["area_code"]) == set(area.municipalities)
    assert parts["distance"].sum() == pytest.approx(whole["numerator"] - whole["denominator"] / 1000)


def test_goals_on_track_are_counted_for_their_area_and_all_around_it(release) -> None:
    """North: easy on track, hard not. South: hard not; what cannot be judged does not count."""
    period = newest_period(release)

    def shown(level):
        estimates = evaluate(release, Query(SHARE, areas(release, level, "2024"), (period,)))
        return {one["area_code"]: one for one in estimates.iter_rows(named=True)}

    kkr, country, municipality = shown("kkr"), shown("country")["DK"], shown("municipality")["0860"]
    assert (kkr[NORTH]["numerator"], kkr[NORTH]["denominator"], kkr[NORTH]["value"]) == (1, 2, 50.0)
    assert (kkr[SOUTH]["numerator"], kkr[SOUTH]["denominator"], kkr[SOUTH]["value"]) == (0, 1, 0.0)
    assert (country["numerator"], country["denominator"]) == (1, 3)
    assert country["lower"] is None
    assert kkr["kkr-midtjylland"]["status"] == municipality["status"] == "not_relevant"


def test_before_a_goal_has_begun_there_is_nothing_to_divide_by(release) -> None:
    early = evaluate(release, Query(SHARE, areas(release, "country", "2024"), (Period.from_id("2023"),)))
    assert early["status"].to_list() == ["undefined"]

"""Effects that are there, that are not, and that cannot be told: one made-up country each, and every reason to refuse."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from kpis.effect_assessment import _verdict, assess_effect
from kpis.effect_panel import LONGEST_SIDE, Panel, Refused, design
from kpis.effect_report import PlaceboSpread, Range, Side
from kpis.indicator import load_indicators
from kpis.intervention import Plan
from kpis.period import add_months
from kpis.placebo import Shifts, calibrate, draw_groups
from kpis.rates import proportion
from tests.kpis import alike

INDICATOR = "preventable_admissions_65plus"
HJOERRING, FREDERIKSHAVN, BROENDERSLEV, JAMMERBUGT = "0860", "0813", "0810", "0849"
GROUP = (BROENDERSLEV, FREDERIKSHAVN, JAMMERBUGT, HJOERRING)
START = alike.MONTHS[16]
PLAN = Plan("i1", "Akutteam", GROUP, START, INDICATOR, expected_effect=0.8, cost=1_200_000.0)


def country(tmp_path_factory, seed: int, *changes: tuple[tuple[str, ...], date, float], everybody: float = 1.0):
    """A country in which rates are multiplied from a month on; `everybody`: those of all, from START."""
    course = np.ones((len(alike.CODES), len(alike.MONTHS)))
    course[:, alike.MONTHS.index(START) :] *= everybody
    for codes, start, ratio in changes:
        course[[alike.CODES.index(code) for code in codes], alike.MONTHS.index(start) :] *= ratio
    return alike.build_alike(tmp_path_factory.mktemp("country"), seed, course=course, differing=0.1)


@pytest.fixture(scope="module")
def helped(tmp_path_factory):
    return country(tmp_path_factory, 1, (GROUP, START, 0.75))


@pytest.fixture(scope="module")
def falling(tmp_path_factory):
    """Everywhere a tenth fewer from START; nothing was done anywhere."""
    return country(tmp_path_factory, 8, everybody=0.9)


# --- three answers ------------------------------------------------------------------------------------------


def test_an_effect_that_is_there_is_found(helped) -> None:
    report = assess_effect(helped, PLAN)
    assert (report.verdict, report.reasons, report.refusals) == ("fall", (), ())
    assert report.ratio.lower <= 0.75 <= report.ratio.upper
    assert [result.method for result in report.methods] == ["controls", "synthetic", "series", "before_after"]
    assert report.methods[0].ratio == report.ratio
    assert report.ratio.lower <= report.ratio_likely.lower and report.ratio_likely.upper <= report.ratio.upper
    assert report.coverage >= 0.9
    assert report.methods[1].p_value <= 0.05
    assert (report.window.first_after, report.window.n_before, report.window.n_after) == (START, 16, 17)


def test_without_an_effect_nothing_is_claimed_though_the_naive_comparison_does(falling) -> None:
    report = assess_effect(falling, PLAN)
    assert report.verdict == "cannot_tell"
    assert report.reasons[0] == "interval"
    assert report.methods[1].p_value > 0.05
    assert report.ratio.lower <= 1 <= report.ratio.upper
    naive = report.methods[-1]
    assert naive.textbook.upper < 1, "all fell, and so did the treated"
    assert naive.textbook_coverage < 0.7, "and placebos show that this means nothing"
    assert naive.ratio.upper > naive.textbook.upper
    assert naive.coverage >= 0.85


def test_a_small_effect_in_one_small_municipality_cannot_be_told(tmp_path_factory) -> None:
    release = country(tmp_path_factory, 4, (("0825",), START, 0.95))
    report = assess_effect(release, replace(PLAN, municipalities=("0825",)))
    assert report.verdict == "cannot_tell"
    if report.ratio is not None:
        assert report.ratio.upper / report.ratio.lower > 1.5


def test_a_rise_is_called_a_rise(tmp_path_factory) -> None:
    release = country(tmp_path_factory, 5, (GROUP, START, 1.3))
    report = assess_effect(release, PLAN)
    assert report.verdict == "rise"
    assert report.gain.events.value < 0
    assert report.gain.cost_per_event is None


def test_the_same_question_is_answered_once(helped) -> None:
    assert assess_effect(helped, PLAN) is assess_effect(helped, PLAN)


# --- what it amounts to, and what it rests on ---------------------------------------------------------------


def test_events_avoided_follow_from_the_ratio_and_cost_from_the_plan(helped) -> None:
    report = assess_effect(helped, PLAN)
    after = [month >= START for month in report.months]
    observed = report.observed[after].sum()
    gain = report.gain
    assert gain.events.value == pytest.approx(observed / report.ratio.value - observed)
    assert gain.events.lower == pytest.approx(observed / report.ratio.upper - observed)
    assert gain.events.value == pytest.approx((report.counterfactual - report.observed)[after].sum(), rel=1e-6)
    assert gain.per_year.value == pytest.approx(gain.events.value * 12 / 17)
    assert gain.cost == pytest.approx(1_200_000 * 17 / 12)
    assert gain.cost_per_event.value == pytest.approx(gain.cost / gain.events.value)
    assert gain.cost_per_event.upper == pytest.approx(gain.cost / gain.events.lower)
    assert gain.bed_days is None, "the country publishes no lengths of stay"


def test_the_counterfactual_meets_the_treated_before_and_has_limits_after(helped) -> None:
    report = assess_effect(helped, PLAN)
    before = np.array([month < START for month in report.months])
    assert report.counterfactual[before].sum() == pytest.approx(report.observed[before].sum())
    assert (report.counterfactual_lower[before] == report.counterfactual_upper[before]).all()
    assert (report.counterfactual_lower[~before] < report.counterfactual_upper[~before]).all()
    assert report.counterfactual_lower[~before].sum() > report.observed[~before].sum(), "the fall is clear"


def test_controls_are_all_that_did_nothing(helped) -> None:
    elsewhere = Plan("i2", "Andet sted", ("0101",), START, INDICATOR)
    later = Plan("i3", "Bagefter", ("0147",), add_months(START, 40), INDICATOR)
    otherwise = Plan("i4", "Andet mål", ("0155",), START, "readmissions_30d_65plus")
    report = assess_effect(helped, PLAN, (elsewhere, later, otherwise))
    donors = {donor.code for donor in report.donors}
    assert donors == set(alike.CODES) - {*GROUP, "0101"}
    assert sum(donor.weight for donor in report.donors) == pytest.approx(1)
    assert sum(donor.synthetic_weight for donor in report.donors) == pytest.approx(1)
    weights = [donor.synthetic_weight for donor in report.donors]
    assert weights[0] == max(weights)


def test_another_plan_in_the_same_place_is_named(helped) -> None:
    same = Plan("i2", "Også her", (HJOERRING,), START, INDICATOR)
    assert assess_effect(helped, PLAN, (same,)).others == ("i2",)
    assert assess_effect(helped, PLAN).others == ()


def test_other_indicators_are_asked_the_same_question(helped) -> None:
    plan = replace(PLAN, negative_control="readmissions_30d_65plus", counterweight="hip_fractures_65plus")
    report = assess_effect(helped, plan)
    assert report.negative_control.moved == "still"
    assert report.negative_control.ratio.lower <= 1 <= report.negative_control.ratio.upper
    assert report.counterweight.moved == "unknown"
    assert report.counterweight.refusal.id == "too_few_events", "this country counts no hips"


def test_the_placebos_are_like_the_treated(helped) -> None:
    spread = assess_effect(helped, PLAN).placebos
    assert spread.is_within_region, "the treated are neighbours"
    assert spread.rank == 1
    assert spread.limits[0] <= np.median(spread.ratios) <= spread.limits[1]
    assert spread.n == len(spread.ratios) >= 100
    assert np.isnan(spread.path[:5]).all() and spread.path[-1] < 0.85
    month, ratio = spread.in_time
    assert month < START and ratio.lower <= 1 <= ratio.upper


def test_one_municipality_has_every_other_as_placebo_and_no_clustered_regression(helped) -> None:
    report = assess_effect(helped, replace(PLAN, municipalities=(HJOERRING,)))
    assert report.placebos.n == len(alike.CODES) - 1
    assert report.methods[0].textbook is None


# --- several starts -----------------------------------------------------------------------------------------


def test_municipalities_that_start_apart_are_followed_by_cohort(tmp_path_factory) -> None:
    later = alike.MONTHS[21]
    early, late = GROUP[:2], GROUP[2:]
    release = country(tmp_path_factory, 6, (early, START, 0.75), (late, later, 0.75))
    plan = replace(PLAN, later_starts=tuple((code, later) for code in late))
    report = assess_effect(release, plan)
    assert report.ratio.lower <= 0.75 <= report.ratio.upper and report.verdict == "fall"
    assert [result.refusal and result.refusal.id for result in report.methods] == [None, None, "staggered", "staggered"]
    assert report.methods[0].textbook is None, "plain two-way effects would compare treated with already treated"
    blurred = assess_effect(release, PLAN)
    assert blurred.ratio.value > report.ratio.value, "one start for all takes months of nothing for months of effect"


def test_a_series_of_less_than_a_year_has_no_season(helped) -> None:
    report = assess_effect(helped, replace(PLAN, start=alike.MONTHS[10]))
    assert report.methods[2].refusal.id == "under_a_year"
    assert report.methods[0].ratio is not None


# --- refusals -----------------------------------------------------------------------------------------------


def refusal(report) -> str:
    assert (report.verdict, report.ratio, report.gain) == ("cannot_tell", None, None)
    return report.refusals[0].id


@pytest.mark.parametrize(
    ("change", "id"),
    [
        ({"start": alike.MONTHS[7]}, "too_few_before"),
        ({"start": alike.MONTHS[26]}, "too_few_after"),
        ({"start": date(2030, 1, 1)}, "too_few_after"),
        ({"end": add_months(START, 7)}, "too_few_after"),
        ({"municipalities": tuple(alike.CODES[:90])}, "too_few_controls"),
        ({"municipalities": tuple(alike.CODES[:20])}, "too_few_placebos"),
        ({"municipalities": ("0999",)}, "unknown_municipality"),
        ({"indicator": "hip_fractures_65plus"}, "too_few_events"),
        ({"indicator": "acute_place_occupancy"}, "indicator_unsuitable"),
        ({"indicator": "preventive_home_visits_75plus"}, "indicator_unsuitable"),
        ({"indicator": "psychiatric_admissions_18plus"}, "indicator_of_groups_only"),
        (
            {"later_starts": tuple((code, add_months(START, n)) for n, code in enumerate(alike.CODES[:4], start=1)),
             "municipalities": tuple(alike.CODES[:6])},
            "too_many_starts",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_with_a_reason(helped, change: dict, id: str) -> None:
    assert refusal(assess_effect(helped, replace(PLAN, **change))) == id


def test_treated_that_drift_before_the_start_are_refused(tmp_path_factory) -> None:
    ramp = [(GROUP, month, 0.975) for month in alike.MONTHS[2:16]]
    report = assess_effect(country(tmp_path_factory, 7, *ramp), PLAN)
    assert refusal(report) == "poor_fit"
    assert report.pre_fit.is_poor and report.pre_fit.trend_per_year.upper < 1
    assert len(report.observed) == len(report.months) == len(report.counterfactual), "to be seen, not to be believed"


def flat_panel(first: date, n: int) -> Panel:
    """Ten events a month everywhere."""
    indicator = load_indicators()[INDICATOR]
    areas = tuple(_area(code) for code in alike.CODES)
    months = tuple(add_months(first, step) for step in range(n))
    shape = (len(areas), n)
    return Panel(indicator, areas, months, np.full(shape, 10.0), np.full(shape, 10.0), np.zeros(shape, bool), 1.0)


def _area(code: str):
    from kpis.area import Area

    return Area(code, "municipality", code, code, (code,), "2024")


@pytest.mark.parametrize(
    ("start", "id"),
    [
        (date(2019, 3, 1), "break_before"),
        (date(2019, 9, 1), "break_before"),
        (date(2018, 9, 1), "break_after"),
        (date(2026, 7, 1), "break_after"),
        (date(2027, 5, 1), "break_before"),
    ],
)
def test_a_break_or_a_reform_near_the_start_is_a_reason_to_refuse(start: date, id: str) -> None:
    with pytest.raises(Refused) as refused:
        design(flat_panel(date(2015, 1, 1), 180), replace(PLAN, start=start), (), 10)
    assert refused.value.refusal.id == id


def test_a_break_farther_away_cuts_the_months_short() -> None:
    found = flat_panel(date(2015, 1, 1), 180)
    cut = design(found, replace(PLAN, start=date(2020, 3, 1)), (), 10)
    (span,) = cut.spans
    assert (found.months[span.first], cut.notes) == (date(2019, 3, 1), ("cut_at_lpr3",))
    free = design(found, replace(PLAN, start=date(2023, 1, 1)), (), 10)
    assert (free.spans[0].until - free.spans[0].first, free.notes) == (LONGEST_SIDE, ())
    with pytest.raises(Refused, match="break_between_starts"):
        plan = replace(PLAN, start=date(2018, 1, 1), later_starts=((HJOERRING, date(2020, 1, 1)),))
        design(found, plan, (), 10)


def test_the_month_of_a_start_within_it_is_on_neither_side() -> None:
    found = flat_panel(date(2021, 1, 1), 48)
    (span,) = design(found, replace(PLAN, start=date(2022, 6, 15)), (), 10).spans
    assert (found.months[span.until - 1], found.months[span.since]) == (date(2022, 5, 1), date(2022, 7, 1))


def test_treated_with_missing_months_are_refused_and_such_controls_left_out() -> None:
    found = flat_panel(date(2021, 1, 1), 48)
    lacking = found.is_missing.copy()
    lacking[0, 20] = True
    missing = replace(found, is_missing=lacking)
    assert not design(missing, PLAN, (), 10).is_control[0]
    with pytest.raises(Refused, match="not_received"):
        design(missing, replace(PLAN, municipalities=(alike.CODES[0],)), (), 10)


# --- the verdict's rules ------------------------------------------------------------------------------------

NOTHING = PlaceboSpread(np.ones(1), (0.9, 1.1), 1, 1, 1, False, None, np.ones((1, 1)), np.ones(1))
FELL = Side(load_indicators()[INDICATOR], Range(0.8, 0.7, 0.9), 0.95, "fell")
SURE, LIKELY, OPEN, UP = Range(0.8, 0.7, 0.9), Range(0.9, 0.8, 1.02), Range(0.95, 0.8, 1.1), Range(1.2, 1.1, 1.3)
NARROW = {SURE: Range(0.8, 0.72, 0.88), LIKELY: Range(0.9, 0.82, 0.99), OPEN: Range(0.95, 0.82, 1.08), UP: UP}


@pytest.mark.parametrize(
    ("wide", "synthetic", "negative", "in_time", "verdict", "reasons"),
    [
        (SURE, SURE, None, None, "fall", ()),
        (SURE, None, None, None, "fall", ()),
        (SURE, UP, None, None, "perhaps_fall", ("synthetic",)),
        (SURE, SURE, FELL, None, "perhaps_fall", ("negative_control",)),
        (SURE, SURE, None, SURE, "perhaps_fall", ("time",)),
        (LIKELY, SURE, None, None, "perhaps_fall", ("interval",)),
        (LIKELY, UP, None, None, "cannot_tell", ("interval", "synthetic")),
        (OPEN, SURE, None, None, "cannot_tell", ("interval",)),
        (UP, UP, None, None, "rise", ()),
    ],
)
def test_the_rules_of_the_verdict(wide, synthetic, negative, in_time, verdict: str, reasons: tuple[str, ...]) -> None:
    spread = replace(NOTHING, in_time=None if in_time is None else (START, in_time))
    assert _verdict(wide, NARROW[wide], synthetic, negative, spread) == (verdict, reasons)


# --- scores, drift, placebos --------------------------------------------------------------------------------


def shifts(before, after, usual_before=1.0, usual_after=1.0, rounding=0.0, control=0.0) -> Shifts:
    o = tuple(np.atleast_2d(np.asarray(side, dtype=float)).T for side in (before, after))
    usual = tuple(np.full(o[0].shape, side) for side in (usual_before, usual_after))
    noise = (np.full(o[0].shape, rounding),) * 2
    return Shifts(o, usual, noise, np.full(len(o[0]), control))


def test_limits_of_independent_events_are_wilsons() -> None:
    found = shifts(40, 25, usual_before=3.0, usual_after=2.0)
    z = 1.959963984540054
    low, high = (float(limit[0]) for limit in found.limits(z, 1.0, 0.0))
    share = proportion(25, 65, per=1)
    odds = (share.lower / (1 - share.lower), share.upper / (1 - share.upper))
    assert (low, high) == pytest.approx(tuple(1.5 * odd for odd in odds), rel=1e-6)
    assert float(found.estimate()[0]) == pytest.approx((25 / 2) / (40 / 3))


def test_clustering_rounding_and_drift_widen_the_limits() -> None:
    plain, rounded = shifts(400, 300), shifts(400, 300, rounding=40.0)
    widths = [
        float(np.log(np.divide(*found.limits(1.96, clustering, drift)[::-1]))[0])
        for found, clustering, drift in ((plain, 1, 0), (plain, 1.3, 0), (rounded, 1, 0), (plain, 1, 0.01))
    ]
    assert widths[0] == min(widths)
    assert widths[1] == pytest.approx(widths[0] * np.sqrt(1.3), rel=0.01)
    assert min(widths[2:]) > widths[0] * 1.05


def test_nothing_before_or_after_still_has_a_limit_on_the_other_side() -> None:
    low, high = shifts(20, 0).limits(1.96, 1.0, 0.0)
    assert low[0] < 0.02 and 0.1 < high[0] < 0.3


def test_drift_beyond_chance_is_measured() -> None:
    rng = np.random.default_rng(5)
    moved = np.exp(rng.normal(0, 0.1, 4_000))
    before, after = rng.poisson(500, 4_000), rng.poisson(500 * moved)
    assert shifts(before, after).drift(1.0) == pytest.approx(0.01, rel=0.1)
    assert shifts(before, rng.poisson(500, 4_000)).drift(1.0) == pytest.approx(0, abs=3e-4)


def test_the_quantile_of_few_placebos_is_their_largest_and_hardly_below_the_normal_one() -> None:
    groups = np.eye(19, dtype=bool)
    scores = np.linspace(-3, 3, 19)[:, None]
    assert calibrate(scores, groups, 0.95).quantile == 3.0
    assert calibrate(scores / 10, groups, 0.95).quantile == pytest.approx(0.9 * 1.959964)
    assert calibrate(scores / 10, groups, 0.95).coverage == 1.0


def test_the_coverage_of_a_placebo_is_judged_by_those_that_share_nothing_with_it() -> None:
    groups = np.zeros((40, 41), dtype=bool)
    groups[np.arange(40), np.arange(40)] = True
    groups[:2, 40] = True  # two wild ones that share a municipality
    scores = np.full((40, 1), 0.1)
    scores[:2] = 9.0
    found = calibrate(scores, groups, 0.95)
    assert found.quantile == 9.0
    assert found.coverage == pytest.approx(38 / 40), "neither vouches for the other"


def test_groups_are_of_one_block_and_as_large_as_wanted() -> None:
    rng = np.random.default_rng(1)
    size = np.exp(rng.normal(4, 1, 90))
    size[:3] = 0
    block = np.arange(90) % 5
    groups = draw_groups(rng, size, 4, 400.0, block, 200)
    assert len(groups) == 200 and (groups.sum(axis=1) == 4).all() and not groups[:, :3].any()
    assert all(len(set(block[group])) == 1 for group in groups)
    assert np.median(np.abs(np.log(groups @ size / 400.0))) < 0.4
    assert len(np.unique(groups, axis=0)) == 200
    assert len(draw_groups(rng, size, 1, 400.0, None, 200)) == 87
    assert len(draw_groups(rng, size, 30, 400.0, block, 200)) == 0

"""Potential: by hand, by simulation where nothing differs, and on a release."""

from datetime import date

import numpy as np
import pytest

from kpis import gain, potential, reference
from kpis.area import areas
from kpis.evaluate import Query, QueryError, evaluate, newest_period
from kpis.indicator import load_indicators
from kpis.overlap import disjoint_groups
from kpis.reference import DiagnosisGroup
from tests.helpers import memberships, tiny_release

INDICATORS = load_indicators()
PREVENTABLE = INDICATORS["preventable_admissions_65plus"]
AREAS = 98
SIZES = np.exp(np.random.default_rng(5).normal(np.log(550), 0.8, AREAS))
"""Preventable admissions a year that municipalities of real sizes would have."""


# --- the statistic ------------------------------------------------------------------------------------------


def test_potential_is_the_distance_from_the_shrunken_ratio_to_the_target() -> None:
    """Two large areas at 0.8 and 1.2: chance explains next to nothing, so that hardly anything is shrunken."""
    found = gain.potential_to_target([80_000, 120_000], [100_000, 100_000], [90_000, 90_000], "lower")
    assert found.value == pytest.approx([0, 30_000], abs=15)
    assert found.lower[1] < 30_000 < found.upper[1] and found.upper[0] == 0


def test_where_higher_is_better_the_potential_is_what_is_missing() -> None:
    found = gain.potential_to_target([80_000, 120_000], [100_000, 100_000], [90_000, 90_000], "higher")
    assert found.value == pytest.approx([10_000, 0], abs=15)


def test_the_best_fifth_is_read_off_the_shrunken_ratios() -> None:
    ratio = np.linspace(0.8, 1.2, 11)
    found = gain.potential_to_target(ratio * 1e6, 1e6, None, "lower")
    assert found.target == pytest.approx(np.full(11, 0.88e6), rel=1e-3)
    median = gain.potential_to_target(ratio * 1e6, 1e6, None, "lower", place=0.5)
    assert median.target == pytest.approx(np.full(11, 1.0e6), rel=1e-3)


def test_a_count_with_more_variance_is_believed_less() -> None:
    observed, expected = SIZES * np.random.default_rng(1).uniform(0.8, 1.2, AREAS), SIZES
    plain = gain.potential_to_target(observed, expected, None, "lower")
    clustered = gain.potential_to_target(observed, expected, None, "lower", variance=expected * 4)
    assert 0 < clustered.value.sum() < plain.value.sum()


def test_areas_without_a_figure_stay_without() -> None:
    found = gain.potential_to_target([500.0, np.nan, 700.0], [600.0, 600.0, 600.0], None, "lower")
    assert np.isnan(found.value).tolist() == [False, True, False]
    assert found.total([0, 1, 2])[0] == pytest.approx(np.nansum(found.value))
    assert np.isnan(found.total([1])).all()


def test_a_direction_is_needed() -> None:
    with pytest.raises(ValueError, match="direction"):
        gain.potential_to_target([1.0], [1.0], None, "neither")


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.02])
def test_chance_is_not_sold_as_potential(scale: float) -> None:
    """No true differences: under two per cent of the events, and nothing in most countries; the raw rates
    promise between four and thirty."""
    rng = np.random.default_rng(1)
    shares, raw = [], []
    for _ in range(200):
        observed = rng.poisson(SIZES * scale).astype(float)
        expected = SIZES * observed.sum() / SIZES.sum()
        shares.append(gain.potential_to_target(observed, expected, None, "lower").value.sum() / observed.sum())
        ratio = observed / expected
        raw.append((np.maximum(ratio - np.quantile(ratio, 0.2), 0) * expected).sum() / observed.sum())
    assert np.median(shares) < 0.001
    assert np.mean(shares) < 0.02
    assert np.mean(shares) < np.mean(raw) / 15


@pytest.mark.parametrize("deviation", [0.1, 0.2])
def test_true_potential_is_found_without_bias_and_its_limits_cover(deviation: float) -> None:
    rng = np.random.default_rng(2)
    covered, totals, bias = [], [], []
    for _ in range(200):
        truth = rng.gamma(1 / deviation**2, deviation**2, AREAS)
        observed = rng.poisson(SIZES * truth).astype(float)
        expected = SIZES * observed.sum() / SIZES.sum()
        found = gain.potential_to_target(observed, expected, None, "lower")
        true = np.maximum(truth * SIZES - found.target, 0)
        covered.append(((found.lower <= true + 1e-9) & (true <= found.upper + 1e-9)).mean())
        bias.append((found.value.sum() - true.sum()) / observed.sum())
        _, low, high = found.total(range(AREAS))
        totals.append(low <= (truth * SIZES - found.target)[found.value > 0].sum() <= high)
    assert 0.93 < np.mean(covered) < 0.98
    assert abs(np.mean(bias)) < 0.004
    assert 0.92 < np.mean(totals) < 0.98


def test_the_luckiest_year_of_an_unchanging_area_is_no_target() -> None:
    rng = np.random.default_rng(3)
    expected = np.repeat(SIZES[:, None], 5, axis=1)
    shares = [
        gain.potential_to_own_best(rng.poisson(expected), expected, "lower").value.sum() / SIZES.sum()
        for _ in range(100)
    ]
    assert np.mean(shares) < 0.003


def test_an_area_that_got_worse_has_its_own_best_to_go_back_to() -> None:
    expected = np.full((20, 3), 1000.0)
    observed = expected.copy()
    observed[::2] = [800, 1000, 1200]
    found = gain.potential_to_own_best(observed, expected, "lower")
    assert 350 < found.value[0] < 400 and found.lower[0] < found.value[0] < found.upper[0]
    assert found.value[1] < 1


# --- diagnoses of several indicators ------------------------------------------------------------------------


def group(key: str, *prefixes: str, without: tuple[str, ...] = ()) -> DiagnosisGroup:
    return DiagnosisGroup("list", key, key, key, prefixes, "unconfirmed", without)


def test_a_group_inside_another_is_counted_with_it() -> None:
    found = disjoint_groups([group("copd", "DJ44"), group("lower", "DJ1", "DJ4"), group("hip", "DS72")])
    assert found == (("list.lower", "list.hip"), ())


def test_the_same_group_twice_is_counted_once() -> None:
    found = disjoint_groups([group("a", "DE10", "DE11"), group("b", "DE11", "DE10")])
    assert found == (("list.a",), ())


def test_of_groups_that_overlap_in_part_the_later_is_left_out_and_named() -> None:
    found = disjoint_groups([group("lower", "DJ13", "DJ44"), group("vaccine", "DJ10", "DJ13")])
    assert found == (("list.lower",), ("list.vaccine",))


def test_what_the_wider_group_leaves_out_is_not_inside_it() -> None:
    wide = group("cystitis", "DN30", without=("DN303",))
    assert disjoint_groups([wide, group("narrow", "DN303")]).kept == ("list.cystitis", "list.narrow")
    assert disjoint_groups([wide, group("narrow", "DN301")]).kept == ("list.cystitis",)


# --- from a release -----------------------------------------------------------------------------------------

CODES = reference.areas().filter(level="municipality")["area_code"].sort().to_list()
MONTHS = [date(2024, month, 1) for month in range(1, 13)]


def country_of_two_kinds(folder, data_from=MONTHS[0], **tables):
    """All 98 municipalities with 12,000 persons of 65–69: half have 60 admissions a month of each group, half 90."""
    cube = []
    for place, code in enumerate(CODES):
        n = 60 if place % 2 else 90
        for month in MONTHS:
            for name in ("preventable_65plus.lower_respiratory", "chronic.copd"):
                cube.append((code, month, 1, 65, name, n, n, n, 0, 0, 0))
    defaults = {
        "area": reference.areas(),
        "membership": memberships(),
        "population": [(code, MONTHS[0], sex, 65, 6000) for code in CODES for sex in (1, 2)],
        "cube": cube,
        "coverage": [
            (kind, code, MONTHS[0], MONTHS[-1]) for kind in ("lpr_contacts", "faerdigbehandlede") for code in CODES
        ],
        "length_of_stay": [
            (region, 2024, 65, name, 100, 500)
            for region in ("1081", "1082", "1083", "1084", "1085")
            for name in ("preventable_65plus.lower_respiratory", "chronic.copd")
        ],
    }
    manifest = {"data_from": str(data_from), "as_of": "2025-01-01", "provisional_from": "2025-01-01"}
    return tiny_release(folder, manifest=manifest, **{**defaults, **tables})


def test_half_the_country_could_avoid_a_third_of_its_admissions(tmp_path) -> None:
    release = country_of_two_kinds(tmp_path)
    found = potential.potentials(release, PREVENTABLE, newest_period(release))
    row = found.filter(area_code=CODES[0]).row(0, named=True)
    assert row["observed"] == 1080
    assert row["target"] == pytest.approx(720, rel=0.02)
    assert row["potential"] == pytest.approx(360, rel=0.05)
    assert row["bed_days"] == pytest.approx(5 * row["potential"])
    assert row["kroner_from"] is None and row["reason"] == "no_price"
    better = found.filter(area_code=CODES[1]).row(0, named=True)
    assert better["potential"] < 15


def test_the_country_is_the_sum_of_its_municipalities_and_capture_is_a_share_of_it(tmp_path) -> None:
    release = country_of_two_kinds(tmp_path)
    period = newest_period(release)
    parts = potential.potentials(release, PREVENTABLE, period)
    whole = potential.potentials(release, PREVENTABLE, period, level="country").row(0, named=True)
    assert whole["potential"] == pytest.approx(parts["potential"].sum())
    assert whole["lower"] < whole["potential"] < whole["upper"]
    third = potential.potentials(release, PREVENTABLE, period, level="country", capture=1 / 3).row(0, named=True)
    for amount in ("potential", "lower", "upper", "bed_days"):
        assert third[amount] == pytest.approx(whole[amount] / 3)


def test_a_diagnosis_in_two_indicators_is_counted_once(tmp_path) -> None:
    """COPD lies in lower respiratory disease: at 65 and over it must not come on top of it."""
    release = country_of_two_kinds(tmp_path)
    period = newest_period(release)
    alone = potential.potentials(release, PREVENTABLE, period, level="country")
    both, left_out = potential.union_potential(
        release, [PREVENTABLE, INDICATORS["copd_admissions_18plus"]], period, level="country"
    )
    assert both["indicator"][0] == "preventable_admissions_65plus+copd_admissions_18plus"
    for amount in ("observed", "potential", "bed_days"):
        assert both[amount][0] == pytest.approx(alone[amount][0])
    assert left_out == ()


def test_below_65_the_other_indicator_counts_alone(tmp_path) -> None:
    cube = [
        (code, MONTHS[0], 1, age, "chronic.copd", n, n, n, 0, 0, 0) for code in CODES for age, n in ((60, 40), (65, 60))
    ]
    cube += [(code, MONTHS[0], 1, 65, "preventable_65plus.lower_respiratory", 90, 90, 90, 0, 0, 0) for code in CODES]
    people = [(code, MONTHS[0], sex, age, 6000) for code in CODES for sex in (1, 2) for age in (60, 65)]
    release = country_of_two_kinds(tmp_path, cube=cube, population=people)
    both, _ = potential.union_potential(
        release, [PREVENTABLE, INDICATORS["copd_admissions_18plus"]], newest_period(release), level="country"
    )
    assert both["observed"][0] == AREAS * (40 + 90)


def test_days_after_ready_are_worth_what_the_law_says(tmp_path) -> None:
    days = [
        (code, month, "days_after_ready", "", 40 + 40 * (place % 2))
        for place, code in enumerate(CODES)
        for month in MONTHS
    ]
    release = country_of_two_kinds(tmp_path, municipality_month=days)
    found = potential.potentials(release, INDICATORS["days_after_ready"], newest_period(release))
    row = found.filter(area_code=CODES[1]).row(0, named=True)
    assert row["potential"] == row["bed_days"] == pytest.approx(480, rel=0.05)
    assert row["kroner_from"] == pytest.approx(row["potential"] * 3952)
    assert row["kroner_to"] == pytest.approx(row["potential"] * 5928)
    assert row["price_year"] == 2016


def test_towards_a_goal_the_target_is_its_rate_times_the_people(tmp_path) -> None:
    """45 per 1,000 of 12,000 people are 540 admissions; the area has 1,080."""
    release = country_of_two_kinds(tmp_path)
    found = potential.potentials(release, PREVENTABLE, newest_period(release), "goal", goals={CODES[0]: 45.0})
    row = found.filter(area_code=CODES[0]).row(0, named=True)
    assert row["target"] == pytest.approx(540)
    assert row["potential"] == pytest.approx(540, rel=0.05)
    assert set(found.filter(found["area_code"] != CODES[0])["reason"]) == {"no_goal"}


def test_one_year_is_too_short_for_the_own_best(tmp_path) -> None:
    release = country_of_two_kinds(tmp_path)
    found = potential.potentials(release, PREVENTABLE, newest_period(release), "own_best")
    assert set(found["reason"]) == {"too_short"} and found["potential"].is_null().all()


def test_a_municipality_without_the_year_before_has_no_own_best(tmp_path) -> None:
    """Two years of data; one municipality delivered the second only."""
    two_years = [date(2023 + step // 12, step % 12 + 1, 1) for step in range(24)]
    name = "preventable_65plus.fracture"
    cube = [
        (code, month, 1, 65, name, 60 + step, 60 + step, 60 + step, 0, 0, 0)
        for code in CODES
        for step, month in enumerate(two_years)
    ]
    told = [("lpr_contacts", code, two_years[0 if place else 12], two_years[-1]) for place, code in enumerate(CODES)]
    people = [(code, two_years[0], sex, 65, 6000) for code in CODES for sex in (1, 2)]
    release = country_of_two_kinds(tmp_path, two_years[0], cube=cube, coverage=told, population=people)
    found = potential.potentials(release, PREVENTABLE, newest_period(release), "own_best")
    status = dict(found.select("area_code", "status").iter_rows())
    assert status[CODES[0]] == "not_assessed" and status[CODES[1]] == "ok"
    assert found.filter(area_code=CODES[0])["reason"].to_list() == ["too_short"]
    assert found.filter(area_code=CODES[1])["potential"][0] > 0


def test_an_area_with_an_unknown_municipality_has_no_total(tmp_path) -> None:
    told = [("lpr_contacts", code, MONTHS[0], MONTHS[-1]) for code in CODES[1:]]
    release = country_of_two_kinds(tmp_path, coverage=told)
    found = potential.potentials(release, PREVENTABLE, newest_period(release), level="country").row(0, named=True)
    assert (found["status"], found["reason"], found["potential"]) == ("not_assessed", "no_estimate", None)


def test_the_counts_are_those_of_evaluate(country) -> None:
    period = newest_period(country)
    for name in ("preventable_admissions_65plus", "readmissions_30d", "acute_place_admitted_30"):
        found = potential.potentials(country, INDICATORS[name], period).filter(status="ok")
        shown = evaluate(country, Query(INDICATORS[name], areas(country, "municipality", "2024"), (period,)))
        numerators = dict(shown.select("area_code", "numerator").iter_rows())
        assert found.height > 50
        assert all(numerators[code] == seen for code, seen in found.select("area_code", "observed").iter_rows())


@pytest.mark.parametrize("name", ["acute_admissions_65plus", "acute_place_occupancy", "acute_place_median_stay"])
def test_without_a_direction_or_events_there_is_no_potential(country, name) -> None:
    with pytest.raises(QueryError, match="direction"):
        potential.potentials(country, INDICATORS[name], newest_period(country))


def test_readmissions_are_never_part_of_a_total(country) -> None:
    with pytest.raises(QueryError, match="counted once"):
        potential.union_potential(country, [PREVENTABLE, INDICATORS["readmissions_30d"]], newest_period(country))


def test_every_reference_and_reason_has_words(country) -> None:
    for reference_name in potential.REFERENCES:
        assert potential.words("reference", reference_name, "da") != potential.words("reference", reference_name, "en")
    for reason in (
        "no_price",
        "no_length_of_stay",
        "too_short",
        "no_goal",
        "no_estimate",
        "not_relevant",
        "across_break",
    ):
        assert potential.words("reason", reason, "da") != potential.words("reason", reason, "en")
    assert set(potential.money_words(INDICATORS["days_after_ready"], "da")) == {"pays", "gains", "note"}

"""Estimates by hand on a country of three municipalities, and against slow SQL on a random country."""

import random
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from statsmodels.stats.proportion import proportion_confint

from kpis import rates
from kpis.area import areas, levels
from kpis.counts import carried_quarters
from kpis.evaluate import ESTIMATES, NOTES, STATUSES, Query, QueryError, evaluate, newest_period
from kpis.indicator import load_indicators
from kpis.period import Period, add_months, periods_between
from kpis.release import AGE_BANDS
from tests.helpers import tiny_release

INDICATORS = load_indicators()
PREVENTABLE = INDICATORS["preventable_admissions_65plus"]

# Three municipalities: until 2026 the first two make a region, from 2027 the last two.
EAST, MIDDLE, WEST = "0101", "0151", "0860"
REFORM = date(2027, 1, 1)
FIRST = date(2024, 1, 1)  # the data hold January to June 2024
MANIFEST = {"data_from": "2024-01-01", "as_of": "2024-07-01", "provisional_from": "2024-05-01"}
HALF_YEAR = Period(FIRST, date(2024, 6, 1), "month")  # the grain is only a label here


def month(number):
    return date(2024, number, 1)


def country_of_three(data_dir, **tables):
    """Everything delivered for January to June; 1,200 men and 1,200 women of 65–69 in each municipality."""
    regions = {EAST: ("1084", "1090"), MIDDLE: ("1084", "1091"), WEST: ("1081", "1091")}
    area = [("municipality", code, f"m{code}", f"Kommune {code}", None, None) for code in regions]
    area += [("region", code, f"r{code}", f"Region {code}", None, REFORM) for code in ("1084", "1081")]
    area += [("region", code, f"r{code}", f"Region {code}", REFORM, None) for code in ("1090", "1091")]
    area += [("country", "DK", "", "Hele landet", None, None)]
    membership = []
    for code, (before, after) in regions.items():
        membership += [
            (code, "municipality", code, None, None, "verified"),
            (code, "country", "DK", None, None, "verified"),
            (code, "region", before, None, REFORM, "verified"),
            (code, "region", after, REFORM, None, "verified"),
        ]
    kinds = ("lpr_contacts", "acute_place_stays", "acute_place_capacity", "faerdigbehandlede", "services_template")
    defaults = {
        "area": area,
        "membership": membership,
        "population": [
            (code, quarter, sex, 65, 1200) for code in regions for quarter in (month(1), month(4)) for sex in (1, 2)
        ],
        "standard_population": [("dk2014", sex, age, 1000) for sex in (1, 2) for age in AGE_BANDS],
        "coverage": [(kind, code, month(1), month(6)) for kind in kinds for code in regions],
        "service": [(code, "akutplads", "", "", "", "", "", [], 4, None, "", FIRST, None) for code in (EAST, MIDDLE)],
    }
    return tiny_release(data_dir, **{"manifest": MANIFEST, **defaults, **tables})


def acute(code, when, sex, age, group, n):
    """A row of the cube with n acute admissions."""
    return (code, when, sex, age, group, n, n, n, 0, 0, 0)


def only(frame):
    """The one row of a frame."""
    (row,) = frame.iter_rows(named=True)
    return row


def of_municipality(release, code, indicator=PREVENTABLE, period=HALF_YEAR, **how):
    (area,) = (area for area in areas(release, "municipality", "2024") if area.code == code)
    return only(evaluate(release, Query(indicator, (area,), (period,), **how)))


def of_level(release, level, indicator=PREVENTABLE, period=HALF_YEAR, map_id="2024", **how):
    frame = evaluate(release, Query(indicator, areas(release, level, map_id), (period,), **how))
    return {row["area_code"]: row for row in frame.iter_rows(named=True)}


# --- Rates ----------------------------------------------------------------------------------------------------


def test_a_crude_rate_is_events_per_thousand_person_years(tmp_path):
    release = country_of_three(
        tmp_path,
        cube=[
            acute(EAST, month(1), 1, 65, "preventable_65plus.fracture", 20),
            acute(EAST, month(6), 2, 65, "preventable_65plus.cystitis", 40),
        ],
    )
    row = of_municipality(release, EAST)
    # 2,400 citizens for half a year are 1,200 person-years; 60 ÷ 1,200 × 1,000 = 50
    assert (row["numerator"], row["denominator"], row["value"]) == (60, 1200.0, 50.0)
    lower, upper = rates.byar_limits(60)
    assert row["lower"] == pytest.approx(lower / 1.2)
    assert row["upper"] == pytest.approx(upper / 1.2)
    assert (row["status"], row["method"], row["note"]) == ("ok", "byar", "")


def test_only_the_groups_ages_and_months_of_the_question_count(tmp_path):
    release = country_of_three(
        tmp_path,
        cube=[
            acute(EAST, month(1), 1, 65, "preventable_65plus.fracture", 5),
            acute(EAST, month(1), 1, 60, "preventable_65plus.fracture", 100),  # too young
            acute(EAST, month(1), 1, 65, "chronic.copd", 100),  # another list
            acute(EAST, month(1), 1, 65, "all", 100),
            acute(EAST, month(2), 1, 65, "preventable_65plus.fracture", 100),  # another month
            acute(WEST, month(1), 1, 65, "preventable_65plus.fracture", 100),  # another municipality
        ],
    )
    assert of_municipality(release, EAST, period=Period.from_id("2024-01"))["numerator"] == 5
    assert of_municipality(release, EAST, INDICATORS["acute_admissions_65plus"])["numerator"] == 100


def test_nothing_counted_where_all_was_delivered_is_zero_and_not_missing(tmp_path):
    row = of_municipality(country_of_three(tmp_path), EAST)
    assert (row["numerator"], row["value"], row["lower"], row["status"]) == (0, 0.0, 0.0, "ok")
    assert row["upper"] == pytest.approx(3.6889 / 1.2, rel=1e-4)  # exact Poisson limit of no events


def test_what_was_not_delivered_is_not_received_for_the_municipality_and_every_area_above_it(tmp_path):
    coverage = [("lpr_contacts", EAST, month(1), month(6)), ("lpr_contacts", WEST, month(1), month(6))]
    coverage += [("lpr_contacts", MIDDLE, month(1), month(5))]
    release = country_of_three(tmp_path, coverage=coverage)
    row = of_municipality(release, MIDDLE)
    assert (row["status"], row["note"]) == ("not_received", "outside_coverage")
    assert (row["numerator"], row["denominator"], row["value"], row["lower"]) == (None, None, None, None)
    assert {code: row["status"] for code, row in of_level(release, "region").items()} == {
        "1084": "not_received",
        "1081": "ok",
    }
    to_may = Period(FIRST, month(5), "month")
    assert of_municipality(release, MIDDLE, period=to_may)["status"] == "ok"
    assert of_level(release, "country", period=to_may)["DK"]["status"] == "ok"


def test_months_outside_the_release_are_not_received(tmp_path):
    release = country_of_three(tmp_path)
    for period_id in ("2023-12", "2024-07", "2024", "1999", "2090-Q1"):
        row = of_municipality(release, EAST, period=Period.from_id(period_id))
        assert (row["status"], row["note"]) == ("not_received", "outside_coverage"), period_id


def test_a_municipality_without_population_is_not_received(tmp_path):
    release = country_of_three(tmp_path, population=[(EAST, month(1), 1, 65, 1200)])
    assert of_municipality(release, EAST)["status"] == "ok"
    assert of_municipality(release, WEST)["status"] == "not_received"
    assert of_level(release, "country")["DK"]["status"] == "not_received"


def test_without_any_population_no_rate_is_received_but_shares_are(tmp_path):
    contacts = [(code, month(1), "n_contact", "", 10) for code in (EAST, MIDDLE, WEST)]
    coded = [(code, month(1), "n_contact_coded", "", 9) for code in (EAST, MIDDLE, WEST)]
    release = country_of_three(tmp_path, population=[], municipality_month=contacts + coded)
    assert of_municipality(release, EAST)["status"] == "not_received"
    assert of_municipality(release, EAST, INDICATORS["data_completeness"])["value"] == 90.0


def test_nobody_of_that_age_is_undefined(tmp_path):
    release = country_of_three(tmp_path, population=[(EAST, month(1), 1, 30, 100)])
    assert of_municipality(release, EAST)["status"] == "undefined"


def test_a_quarter_that_is_not_delivered_is_carried_and_said(tmp_path):
    population = [(EAST, month(4), 1, 65, 1200)]
    release = country_of_three(tmp_path, population=population)
    # January to March precede the first quarter and use it; April to June have their own.
    assert carried_quarters(release) == {month(number): month(4) for number in (1, 2, 3)}
    row = of_municipality(release, EAST)
    assert (row["denominator"], row["note"]) == (600.0, "population_carried")
    assert of_municipality(release, EAST, period=Period.from_id("2024-Q2"))["note"] == ""


def test_months_after_the_last_quarter_keep_its_population(tmp_path):
    population = [(EAST, date(2023, 10, 1), 1, 65, 7), (EAST, month(1), 1, 65, 1200)]
    release = country_of_three(tmp_path, population=population)
    assert carried_quarters(release) == {month(number): month(1) for number in (4, 5, 6)}
    assert of_municipality(release, EAST)["denominator"] == 600.0


def test_person_years_follow_the_quarter_of_each_month(tmp_path):
    population = [(EAST, month(1), 1, 65, 1200), (EAST, month(4), 1, 65, 2400)]
    release = country_of_three(tmp_path, population=population)
    assert of_municipality(release, EAST)["denominator"] == 3 * 100 + 3 * 200


def test_a_period_with_a_provisional_month_is_provisional(tmp_path):
    release = country_of_three(tmp_path)
    provisional = {
        period_id: of_municipality(release, EAST, period=Period.from_id(period_id))["is_provisional"]
        for period_id in ("2024-04", "2024-05", "2024-Q1", "2024-Q2")
    }
    assert provisional == {"2024-04": False, "2024-05": True, "2024-Q1": False, "2024-Q2": True}


# --- Standardised rates ---------------------------------------------------------------------------------------


def two_bands(data_dir, older_men):
    """1,200 of each sex at 65 and at 70, but other numbers of men of 70–74; 30 events at 65, 10 at 70, men."""
    population = [(EAST, month(1), sex, age, 1200) for sex in (1, 2) for age in AGE_BANDS if age >= 65]
    population = [row for row in population if row[2:4] != (1, 70)] + [(EAST, month(1), 1, 70, older_men)]
    cube = [
        acute(EAST, month(1), 1, 65, "preventable_65plus.fracture", 30),
        acute(EAST, month(1), 1, 70, "preventable_65plus.fracture", 10),
    ]
    weights = {(1, 65): 3000, (1, 70): 1000}
    standard = [("dk2014", sex, age, weights.get((sex, age), 500)) for sex in (1, 2) for age in AGE_BANDS]
    return country_of_three(data_dir, population=population, cube=cube, standard_population=standard)


def test_a_standardised_rate_weighs_the_rate_of_each_age_and_sex(tmp_path):
    row = of_municipality(two_bands(tmp_path, older_men=240), EAST, standardised=True)
    # Ages 65, 70, 75, 80, 85, 90 of both sexes: weights 3,000 and 1,000 for the two with events, ten of 500.
    # Half a year: 30 ÷ 600 = 0.05 and 10 ÷ 120 = 1/12; (3,000 × 0.05 + 1,000 ÷ 12) ÷ 9,000 × 1,000
    assert row["value"] == pytest.approx((150 + 1000 / 12) / 9000 * 1000)
    variance = (3000**2 * 30 / 600**2 + 1000**2 * 10 / 120**2) / 9000**2
    lower, upper = rates.byar_limits(40)
    assert row["lower"] == pytest.approx(row["value"] + (variance / 40) ** 0.5 * (lower - 40) * 1000)
    assert row["upper"] == pytest.approx(row["value"] + (variance / 40) ** 0.5 * (upper - 40) * 1000)
    assert (row["numerator"], row["method"], row["note"]) == (40, "dobson-byar", "population_carried")


def test_an_age_band_without_inhabitants_is_joined_with_the_younger_one(tmp_path):
    row = of_municipality(two_bands(tmp_path, older_men=0), EAST, standardised=True)
    # 40 events ÷ 600 person-years stand for 65–74 with the weight of both bands, 4,000.
    assert row["value"] == pytest.approx(4000 * 40 / 600 / 9000 * 1000)
    assert row["note"] == "population_carried;age_bands_merged"


def test_empty_bands_before_the_first_with_inhabitants_are_joined_with_that_one(tmp_path):
    population = [(EAST, month(1), 2, 70, 1200)]
    cube = [acute(EAST, month(1), 2, 70, "preventable_65plus.fracture", 30)]
    row = of_municipality(country_of_three(tmp_path, population=population, cube=cube), EAST, standardised=True)
    assert row["value"] == pytest.approx(30 / 600 * 1000)  # the only people there are stand for all
    assert "age_bands_merged" in row["note"]


def test_under_ten_events_a_standardised_rate_is_too_few_but_the_crude_one_stands(tmp_path):
    release = country_of_three(tmp_path, cube=[acute(EAST, month(1), 1, 65, "preventable_65plus.diabetes", 9)])
    row = of_municipality(release, EAST, standardised=True)
    assert (row["status"], row["numerator"], row["value"]) == ("too_few", 9, None)
    assert of_municipality(release, EAST)["status"] == "ok"


def test_a_standardised_split_by_sex_has_the_weights_of_that_sex(tmp_path):
    release = two_bands(tmp_path, older_men=240)
    (area,) = (area for area in areas(release, "municipality", "2024") if area.code == EAST)
    frame = evaluate(release, Query(PREVENTABLE, (area,), (HALF_YEAR,), by="sex", standardised=True))
    men = frame.row(by_predicate=pl.col("group") == "1", named=True)
    assert men["value"] == pytest.approx((150 + 1000 / 12) / (4000 + 4 * 500) * 1000)


# --- Shares and follow-up -------------------------------------------------------------------------------------


def test_readmissions_are_a_share_of_discharges_with_wilsons_interval(tmp_path):
    cube = [(EAST, month(1), 1, 30, "all", 0, 0, 0, 0, 150, 20), (EAST, month(2), 2, 70, "all", 0, 0, 0, 0, 50, 5)]
    row = of_municipality(
        country_of_three(tmp_path, cube=cube),
        EAST,
        INDICATORS["readmissions_30d"],
        Period.from_id("2024-Q1"),
    )
    lower, upper = proportion_confint(25, 200, method="wilson")
    assert (row["numerator"], row["denominator"], row["value"], row["method"]) == (25, 200.0, 12.5, "wilson")
    assert (row["lower"], row["upper"]) == (pytest.approx(lower * 100), pytest.approx(upper * 100))


def test_a_month_is_followed_when_thirty_days_have_passed_since_its_end(tmp_path):
    release = country_of_three(tmp_path)  # the data end with June
    readmissions = INDICATORS["readmissions_30d"]
    april, may = (of_municipality(release, EAST, readmissions, Period.from_id(f"2024-0{n}")) for n in (4, 5))
    assert april["status"] == "undefined"  # followed, but nobody was discharged
    # 31 May + 30 days = 1 July at midnight, the moment where the data end: just followed. June is not.
    assert may["status"] == "undefined"
    june = of_municipality(release, EAST, readmissions, Period.from_id("2024-06"))
    assert (june["status"], june["note"]) == ("not_received", "follow_up_incomplete")
    assert of_municipality(release, EAST, readmissions, Period.from_id("2024-Q2"))["status"] == "not_received"


def test_timeliness_is_unknown_where_no_time_of_report_was_delivered(tmp_path):
    rows = [(code, month(1), "n_contact", "", 100) for code in (EAST, WEST)]
    rows += [(EAST, month(1), "n_contact_timely", "", 93)]
    release = country_of_three(tmp_path, municipality_month=rows)
    timeliness, january = INDICATORS["data_timeliness"], Period.from_id("2024-01")
    assert of_municipality(release, EAST, timeliness, january)["value"] == 93.0
    assert of_municipality(release, WEST, timeliness, january)["status"] == "not_received"


# --- Acute places ---------------------------------------------------------------------------------------------

STAYS = [(EAST, month(1), "n_place_stay", "03", 30), (MIDDLE, month(1), "n_place_stay", "03", 9)]


def capacity(code, days=31, available=4, occupied=3):
    counts = {"place_days_available": available * days, "place_days_occupied": occupied * days, "days_reported": days}
    return [(code, month(1), measure, "", n) for measure, n in counts.items()]


JANUARY = Period.from_id("2024-01")


def test_a_municipality_without_acute_places_is_not_relevant_but_its_citizens_count_in_the_country(tmp_path):
    population = [(code, month(1), 1, 80, 1000) for code in (EAST, MIDDLE, WEST)]
    release = country_of_three(
        tmp_path, population=population, municipality_month=capacity(EAST) + capacity(MIDDLE, available=8)
    )
    places = INDICATORS["acute_place_capacity"]
    west = of_municipality(release, WEST, places, JANUARY)
    assert (west["status"], west["note"], west["value"], west["numerator"]) == ("not_relevant", "", None, None)
    assert of_municipality(release, EAST, places, JANUARY)["value"] == pytest.approx(4.0)
    country = of_level(release, "country", places, JANUARY)["DK"]
    assert country["value"] == pytest.approx(12 / 3)  # twelve places for three thousand citizens of 80 and over
    assert (country["lower"], country["upper"], country["method"]) == (None, None, "none")


def test_days_without_a_report_are_not_days_without_places(tmp_path):
    population = [(EAST, month(1), 1, 80, 1000)]
    release = country_of_three(tmp_path, population=population, municipality_month=capacity(EAST, days=20))
    assert of_municipality(release, EAST, INDICATORS["acute_place_capacity"], JANUARY)["value"] == pytest.approx(4.0)


def test_a_municipality_nobody_heard_of_acute_places_from_is_not_received(tmp_path):
    coverage = [("lpr_contacts", code, month(1), month(6)) for code in (EAST, MIDDLE, WEST)]
    release = country_of_three(tmp_path, coverage=coverage)
    for code in (EAST, WEST):
        row = of_municipality(release, code, INDICATORS["acute_place_median_stay"], JANUARY)
        assert (row["status"], row["note"]) == ("not_received", "outside_coverage")


def test_occupancy_can_exceed_all_places_and_has_no_interval(tmp_path):
    release = country_of_three(tmp_path, municipality_month=STAYS + capacity(EAST, occupied=5))
    row = of_municipality(release, EAST, INDICATORS["acute_place_occupancy"], JANUARY)
    assert (row["value"], row["lower"], row["status"], row["method"]) == (125.0, None, "ok", "none")


def test_a_figure_on_fewer_than_ten_stays_is_hidden(tmp_path):
    release = country_of_three(tmp_path, municipality_month=STAYS + capacity(EAST) + capacity(MIDDLE))
    for name in ("acute_place_occupancy", "acute_place_median_stay"):
        row = of_municipality(release, MIDDLE, INDICATORS[name], JANUARY)
        assert (row["status"], row["numerator"], row["denominator"], row["value"]) == ("hidden", None, None, None)
        assert of_municipality(release, EAST, INDICATORS[name], JANUARY)["status"] == "ok"


def test_ten_stays_are_enough_to_be_shown(tmp_path):
    rows = [(EAST, month(1), "n_place_stay", "03", 10)]
    row = of_municipality(
        country_of_three(tmp_path, municipality_month=rows), EAST, INDICATORS["acute_place_median_stay"], JANUARY
    )
    assert (row["status"], row["value"]) == ("ok", 4.0)


def test_the_median_stay_is_read_off_within_its_band(tmp_path):
    bands = {"00": 10, "01": 10, "03": 40, "05": 20, "28": 20}
    rows = [(EAST, month(1), "n_place_stay", band, n) for band, n in bands.items()]
    row = of_municipality(
        country_of_three(tmp_path, municipality_month=rows), EAST, INDICATORS["acute_place_median_stay"], JANUARY
    )
    # Rank 50 of 100: 20 stays lie below 3 days, 60 below 5; 3 + 2 × 30 ÷ 40 = 4.5
    assert row["value"] == pytest.approx(4.5)
    # Ranks 50 ± 1.96 × 5 = 40.2 and 59.8
    assert row["lower"] == pytest.approx(3 + 2 * 20.2 / 40, abs=1e-3)
    assert row["upper"] == pytest.approx(3 + 2 * 39.8 / 40, abs=1e-3)


def test_a_median_between_two_bands_is_where_the_lower_one_ends(tmp_path):
    rows = [(EAST, month(1), "n_place_stay", band, 10) for band in ("00", "10")]
    release = country_of_three(tmp_path, municipality_month=rows)
    assert of_municipality(release, EAST, INDICATORS["acute_place_median_stay"], JANUARY)["value"] == 1.0


def test_a_median_in_the_open_band_is_its_lower_end(tmp_path):
    rows = [(EAST, month(1), "n_place_stay", "28", 20)]
    release = country_of_three(tmp_path, municipality_month=rows)
    row = of_municipality(release, EAST, INDICATORS["acute_place_median_stay"], JANUARY)
    assert (row["value"], row["lower"], row["upper"]) == (28.0, 28.0, 28.0)


def test_unknown_referrers_are_left_out_of_the_share(tmp_path):
    referrals = {"home": 30, "gp": 10, "hospital": 50, "other": 10, "unknown": 500}
    rows = [(EAST, month(1), "n_place_referral", category, n) for category, n in referrals.items()]
    release = country_of_three(tmp_path, municipality_month=rows)
    row = of_municipality(release, EAST, INDICATORS["acute_place_referred_home_gp"], JANUARY)
    assert (row["numerator"], row["denominator"], row["value"]) == (40, 100.0, 40.0)


def test_days_after_ready_are_per_thousand_person_years(tmp_path):
    release = country_of_three(tmp_path, municipality_month=[(EAST, month(1), "days_after_ready", "", 6)])
    row = of_municipality(release, EAST, INDICATORS["days_after_ready"])
    assert (row["value"], row["denominator"]) == (pytest.approx(5.0), 1200.0)


# --- Figures by the year --------------------------------------------------------------------------------------

VISITS = INDICATORS["preventive_home_visits_75plus"]


def country_of_two_years(data_dir, **tables):
    """The three municipalities over 2024 and 2025; 50 men and 50 women of 75–79 in each."""
    months = {"data_from": "2024-01-01", "as_of": "2026-01-01", "provisional_from": "2025-11-01"}
    people = [(code, month(1), sex, 75, 50) for code in (EAST, MIDDLE, WEST) for sex in (1, 2)]
    return country_of_three(data_dir, manifest=months, population=people, **tables)


def visits(code, year, n, measure="preventive_home_visits"):
    return (code, str(year), "AED10A", measure, n)


def test_home_visits_are_recipients_per_hundred_citizens_in_a_calendar_year(tmp_path):
    parts = [visits(EAST, 2024, 9.0, "preventive_home_visits;sex=1"), ("0101", "2024", "HJEMSYG", "home_nursing", 99.0)]
    release = country_of_two_years(tmp_path, welfare=[visits(EAST, 2024, 20.0), visits(EAST, 2025, 30.0), *parts])
    row = of_municipality(release, EAST, VISITS, Period.from_id("2024"))
    assert (row["numerator"], row["denominator"], row["value"], row["status"]) == (20, 100, 20.0, "ok")
    chance = rates.crude_rate(20, 100, 100)
    assert (row["lower"], row["upper"]) == pytest.approx((float(chance.lower), float(chance.upper)))
    assert newest_period(release, VISITS) == Period.from_id("2025")
    assert newest_period(release).grain == "rolling12"


@pytest.mark.parametrize("period", ["2024-Q1", "2024-06", "12m-2025-06"])
def test_a_part_of_a_year_has_no_home_visits(tmp_path, period):
    release = country_of_two_years(tmp_path, welfare=[visits(EAST, year, 20.0) for year in (2024, 2025)])
    row = of_municipality(release, EAST, VISITS, Period.from_id(period))
    assert (row["status"], row["value"]) == ("not_received", None)
    assert row["note"].endswith("whole_years_only")


def test_a_year_that_statbank_does_not_give_is_not_received_and_zero_is_zero(tmp_path):
    welfare = [visits(EAST, 2024, 0.0), visits(MIDDLE, 2024, None), visits(EAST, 2025, 20.0)]
    release = country_of_two_years(tmp_path, welfare=welfare)
    year = Period.from_id("2024")
    assert of_municipality(release, EAST, VISITS, year)["value"] == 0.0
    for code in (MIDDLE, WEST):
        assert of_municipality(release, code, VISITS, year)["note"] == "outside_coverage"
    assert of_level(release, "country", VISITS, year)["DK"]["status"] == "not_received"


# --- Care, and psychiatry -------------------------------------------------------------------------------------

NURSING, WAITING = INDICATORS["home_nursing_65plus"], INDICATORS["care_home_waiting_days"]
PSYCHIATRY, AGAIN = INDICATORS["psychiatric_admissions_18plus"], INDICATORS["psychiatric_readmissions_30d"]


def nursed(ages, n, code=EAST):
    return (code, "2024", "HJEMSYG", f"home_nursing{ages}", n)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        # 65–69, 70–74 … are added up; under 65 and the total over all ages are not
        ([(";age=0-64", 50.0), ("", 90.0), (";age=65-69", 4.0), (";age=70-74", 6.0), (";age=75-125", 10.0)], 20),
        # 67 and over repeats its parts: counted once
        ([(";age=65-66", 4.0), (";age=67-125", 16.0), (";age=67-69", 6.0), (";age=70-125", 10.0)], 20),
        # an age that is not told leaves the year without a figure
        ([(";age=65-69", 4.0), (";age=75-125", 10.0)], None),
        ([(";age=65-69", None), (";age=70-125", 10.0)], None),
        # one sex is not everybody
        ([(";age=65-125;sex=1", 4.0)], None),
    ],
)
def test_recipients_of_an_age_are_its_groups_together(tmp_path, rows, told):
    release = country_of_two_years(tmp_path, welfare=[nursed(ages, n) for ages, n in rows])
    row = of_municipality(release, EAST, NURSING, Period.from_id("2024"))
    assert row["numerator"] == told
    assert row["status"] == ("ok" if told else "not_received")
    assert row["value"] == (200.0 if told else None)  # of 100 citizens, per 1,000


def test_the_wait_of_two_municipalities_is_weighted_by_those_who_wait(tmp_path):
    waits = [
        (code, "2024", "AED16", f"care_home_waiting;unit={unit}", n)
        for code, persons, days in ((EAST, 10.0, 20.0), (MIDDLE, 30.0, 40.0), (WEST, 0.0, 0.0))
        for unit, n in (("general_list", persons), ("waiting_days", days))
    ]
    release = country_of_two_years(tmp_path, welfare=waits)
    year = Period.from_id("2024")
    assert of_municipality(release, MIDDLE, WAITING, year)["value"] == 40.0
    assert of_level(release, "region", WAITING, year)["1084"]["value"] == 35.0  # (10·20 + 30·40) ÷ 40
    assert of_municipality(release, WEST, WAITING, year)["status"] == "undefined"  # nobody waits


def psychiatric(code, n, readmitted=0):
    return (code, month(1), 1, 65, "psychiatry.mood", n, n, n, 0, n, readmitted)


def test_psychiatry_is_refused_of_a_municipality_and_told_of_a_region(tmp_path):
    release = country_of_three(tmp_path, cube=[psychiatric(EAST, 20, 6), psychiatric(MIDDLE, 40, 9)])
    for indicator, value in ((PSYCHIATRY, 25.0), (AGAIN, 25.0)):  # 60 ÷ 2,400 × 1,000; 15 ÷ 60 in per cent
        alone = of_municipality(release, EAST, indicator, Period(FIRST, date(2024, 5, 1), "month"))
        assert (alone["status"], alone["value"], alone["numerator"]) == ("too_uncertain", None, None)
        assert (alone["denominator"], alone["note"]) == (None, "")
        period = HALF_YEAR if indicator is PSYCHIATRY else Period(FIRST, date(2024, 5, 1), "month")
        regions = of_level(release, "region", indicator, period)
        assert (regions["1084"]["status"], regions["1084"]["value"]) == ("ok", value)
        assert regions["1081"]["status"] == "too_uncertain"  # a region that is one municipality


def test_a_release_without_any_psychiatry_did_not_receive_it(tmp_path):
    release = country_of_three(tmp_path, cube=[acute(EAST, month(1), 1, 65, "all", 20)])
    row = of_level(release, "region", PSYCHIATRY)["1084"]
    assert (row["status"], row["numerator"], row["note"]) == ("not_received", None, "outside_coverage")


def test_readmissions_are_those_after_somatic_admissions(tmp_path):
    everything = (EAST, month(1), 1, 65, "all", 100, 100, 100, 0, 100, 15)
    release = country_of_three(tmp_path, cube=[everything, psychiatric(EAST, 20, 7)])
    row = of_municipality(release, EAST, INDICATORS["readmissions_30d"], Period(FIRST, date(2024, 5, 1), "month"))
    assert (row["numerator"], row["denominator"], row["value"]) == (8, 80.0, 10.0)


# --- Areas, breakdowns, the frame -----------------------------------------------------------------------------


def test_the_same_months_on_both_maps_add_up_to_the_same_country(country):
    period = Period.from_id("2024")
    measured = (
        item for item in INDICATORS.values() if item.kind != "median" and item.numerator.measure != "n_goal_on_track"
    )
    for indicator in measured:
        if any(measure.is_about_acute_places for measure in indicator.measures):
            continue  # not every municipality has them, and areas without have no figure
        if not indicator.is_told_of_single_municipalities:
            continue  # Bornholm is a cluster, and a figure too uncertain, by itself
        sums = set()
        for map_id in ("2024", "2027"):
            for level in levels(map_id):
                rows = of_level(country, level, indicator, period, map_id).values()
                denominator = round(sum(row["denominator"] for row in rows), 4)
                sums.add((sum(row["numerator"] for row in rows), denominator))
        assert len(sums) == 1


def test_the_past_is_shown_on_the_new_regions(tmp_path):
    cube = [
        acute(code, month(1), 1, 65, "preventable_65plus.fracture", n)
        for code, n in ((EAST, 10), (MIDDLE, 20), (WEST, 40))
    ]
    release = country_of_three(tmp_path, cube=cube)
    before = {code: row["numerator"] for code, row in of_level(release, "region", map_id="2024").items()}
    after = {code: row["numerator"] for code, row in of_level(release, "region", map_id="2027").items()}
    assert before == {"1084": 30, "1081": 40}
    assert after == {"1090": 10, "1091": 60}


@pytest.mark.parametrize("by", ["group", "age", "sex"])
def test_the_parts_of_a_breakdown_add_up_to_the_whole(country, by):
    area, period = areas(country, "region", "2024")[:1], (Period.from_id("2024"),)
    whole = only(evaluate(country, Query(PREVENTABLE, area, period)))
    query = Query(PREVENTABLE, area, period, by=by)
    parts = evaluate(country, query)
    assert tuple(parts["group"]) == query.groups
    assert parts["numerator"].sum() == whole["numerator"]
    people = parts["denominator"].mean() if by == "group" else parts["denominator"].sum()
    assert people == pytest.approx(whole["denominator"])


def test_groups_are_named_by_diagnosis_group_age_band_and_sex():
    assert Query(PREVENTABLE, (), (), by="age").groups == ("65", "70", "75", "80", "85", "90")
    assert Query(PREVENTABLE, (), (), by="sex").groups == ("1", "2")
    assert Query(PREVENTABLE, (), (), by="group").groups[0] == "preventable_65plus.dehydration"


def test_a_question_the_counts_cannot_answer_is_refused_with_what_they_can():
    with pytest.raises(QueryError, match="can be split by: age, sex"):
        Query(INDICATORS["short_stays_65plus"], (), (), by="group")
    with pytest.raises(QueryError, match="can be split by: nothing"):
        Query(INDICATORS["days_after_ready"], (), (), by="age")
    with pytest.raises(QueryError, match="cannot be standardised"):
        Query(INDICATORS["readmissions_30d"], (), (), standardised=True)


@pytest.mark.parametrize("indicator", INDICATORS.values(), ids=INDICATORS)
def test_every_indicator_fills_the_whole_grid_with_words_of_the_vocabulary(country, indicator):
    place = areas(country, "municipality", "2024") + areas(country, "country", "2024")
    grain = "year" if indicator.is_yearly else "quarter"
    periods = periods_between(date(2022, 1, 1), date(2026, 12, 1), grain)
    frame = evaluate(country, Query(indicator, place, periods, standardised=indicator.can_be_standardised))
    assert frame.schema == ESTIMATES
    assert frame.height == 99 * len(periods)
    assert frame.select("area_code", "period").is_unique().all()
    assert set(frame["status"]) <= set(STATUSES)
    assert {note for text in set(frame["note"]) for note in text.split(";") if note} <= set(NOTES)
    assert (frame["value"].is_not_null() == (frame["status"] == "ok")).all()
    assert not frame.select(pl.col("value", "lower", "upper").is_nan().any()).row(0).count(True)
    shown = frame.filter(pl.col("lower").is_not_null())
    assert (shown["lower"] <= shown["value"]).all()
    assert (shown["value"] <= shown["upper"]).all()
    in_country = frame.filter((pl.col("level") == "country") & (pl.col("period_last") == date(2024, 12, 1)))
    assert only(in_country)["status"] == "ok"


def test_the_rows_stand_in_the_order_of_the_question(country):
    place = areas(country, "region", "2024")[::-1]
    periods = periods_between(date(2024, 1, 1), date(2024, 3, 1), "month")
    frame = evaluate(country, Query(PREVENTABLE, place, periods, by="sex"))
    expected = [(area.code, period.id, sex) for area in place for period in periods for sex in ("1", "2")]
    assert frame.select("area_code", "period", "group").rows() == expected


def test_no_areas_or_no_periods_give_an_empty_frame(country):
    assert evaluate(country, Query(PREVENTABLE, (), ())).schema == ESTIMATES
    assert evaluate(country, Query(PREVENTABLE, areas(country, "region", "2024"), ())).is_empty()


@pytest.mark.parametrize(
    ("data_from", "provisional_from", "expected"),
    [
        ("2023-01-01", "2024-05-01", "12m-2024-04"),
        ("2023-07-01", "2024-05-01", "2024-Q1"),  # twelve months in all, two of them provisional
        ("2023-07-01", "2023-09-01", "2023-08"),  # no quarter before September, and firm goes before long
        ("2024-03-01", "2024-05-01", "2024-04"),  # no quarter before May
        ("2024-05-01", "2024-05-01", "2024-06"),
    ],
)
def test_the_first_period_to_show_is_firm_where_the_data_allow(tmp_path, data_from, provisional_from, expected):
    manifest = {"data_from": data_from, "as_of": "2024-07-01", "provisional_from": provisional_from}
    assert newest_period(tiny_release(tmp_path, manifest=manifest)).id == expected


def test_levels_and_grains_can_be_mixed(country):
    place = areas(country, "country", "2024") + areas(country, "region", "2027")
    periods = (Period.from_id("2024"), Period.from_id("2024-Q1"), Period.from_id("12m-2024-05"))
    mixed = evaluate(country, Query(PREVENTABLE, place, periods))
    one_by_one = pl.concat(evaluate(country, Query(PREVENTABLE, (area,), (p,))) for area in place for p in periods)
    assert_frame_equal(mixed, one_by_one)


# --- Against slow SQL on the random country -------------------------------------------------------------------


def slow_counts(release, indicator, area, period, where="true"):
    """Events and person-months by sex and age, month by month in plain SQL. Independent of kpis.counts."""
    people = f"age_from >= {indicator.population.age_from} and ({where})"
    groups, left_out = (
        ", ".join(f"'{group}'" for group in ids) for ids in (indicator.group_ids, indicator.left_out_ids or ("",))
    )
    sign = f"if(group_id in ({left_out}), -1, 1)"
    codes = ", ".join(f"'{code}'" for code in area.municipalities)
    events = release.sql(
        f"""
        select sex, age_from, sum({sign} * {indicator.numerator.measure})::bigint as n,
            {f"sum({sign} * n_index)::bigint" if indicator.kind == "proportion" else "0::bigint"} as whole
        from cube
        where municipality_code in ({codes}) and group_id in ({groups}, {left_out}) and {people}
          and month between '{period.first}' and '{period.last}'
        group by all
        """
    )
    months = release.sql(
        f"""
        select sex, age_from, sum(persons)::bigint as months
        from range('{period.first}'::date, '{add_months(period.last, 1)}'::date, interval 1 month) as m (month)
        join population on quarter = date_trunc('quarter', m.month)::date
        where municipality_code in ({codes}) and {people}
        group by all
        """
    )
    return events, months


CUBE_INDICATORS = [item for item in INDICATORS.values() if item.numerator.definition.table == "cube"]


@pytest.mark.parametrize("indicator", CUBE_INDICATORS, ids=[item.id for item in CUBE_INDICATORS])
def test_counts_and_values_equal_slow_sql(country, indicator):
    choose = random.Random(indicator.id)
    everywhere = [area for level in levels("2024") for area in areas(country, level, "2024")]
    whenever = [
        period
        for grain in ("month", "quarter", "year", "rolling12")
        for period in periods_between(date(2023, 1, 1), date(2025, 10, 1), grain)
    ]
    place, periods = tuple(choose.sample(everywhere, 4)), tuple(choose.sample(whenever, 3))
    standardised = indicator.can_be_standardised
    crude = evaluate(country, Query(indicator, place, periods)).iter_rows(named=True)
    weighted = evaluate(country, Query(indicator, place, periods, standardised=standardised)).iter_rows(named=True)
    weights = {
        (sex, age): persons
        for standard, sex, age, persons in country.sql("select * from standard_population").iter_rows()
        if standard == "dk2014" and age >= indicator.population.age_from
    }
    for area in place:
        for period in periods:
            row, by_weight = next(crude), next(weighted)
            events, months = slow_counts(country, indicator, area, period)
            assert (row["area_code"], row["period"]) == (area.code, period.id)
            if not indicator.is_told_of_single_municipalities and len(area.municipalities) == 1:
                assert (row["status"], row["numerator"], row["value"]) == ("too_uncertain", None, None)
                continue
            assert row["numerator"] == (events["n"].sum() or 0)
            below = events["whole"].sum() if indicator.kind == "proportion" else months["months"].sum() / 12
            assert row["denominator"] == pytest.approx(below)
            if not below:
                assert row["status"] == "undefined"
                continue
            assert row["value"] == pytest.approx(row["numerator"] / below * indicator.per)
            if standardised and by_weight["status"] == "ok" and not by_weight["note"]:
                rate_of = {(sex, age): n for sex, age, n, _ in events.iter_rows()}
                people_of = {(sex, age): n / 12 for sex, age, n in months.iter_rows()}
                total = sum(weight * rate_of.get(key, 0) / people_of[key] for key, weight in weights.items())
                assert by_weight["value"] == pytest.approx(total / sum(weights.values()) * 1000)


def test_a_split_equals_slow_sql_for_each_part(country):
    area, period = areas(country, "kkr", "2024")[0], Period.from_id("2024-Q2")
    frame = evaluate(country, Query(PREVENTABLE, (area,), (period,), by="age"))
    for row in frame.iter_rows(named=True):
        events, months = slow_counts(country, PREVENTABLE, area, period, f"age_from = {row['group']}")
        assert row["numerator"] == events["n"].sum()
        assert row["denominator"] == pytest.approx(months["months"].sum() / 12)

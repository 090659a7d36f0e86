import shutil
from pathlib import Path

import pytest

from kpis.explanation import checked_by, measure_words
from kpis.indicator import (
    FOCUS_AREAS,
    LANGUAGES,
    MEASURES,
    IndicatorError,
    find_indicator,
    load_indicators,
    read_indicators,
)
from kpis.reference import load_codelists
from kpis.release import CONTRACT

INDICATORS = load_indicators()
FOLDER = Path(__file__).resolve().parents[2] / "kpis/indicators"


def test_each_focus_area_has_its_headline():
    headlines = {item.focus_area: item.id for item in INDICATORS.values() if item.headline}
    assert headlines == {
        1: "preventable_admissions_65plus",
        2: "chronic_admissions_18plus",
        3: "hip_fractures_65plus",
        4: "readmissions_30d",
    }


def test_the_focus_areas_keep_their_names():
    assert [area.da for area in FOCUS_AREAS.values()] == [
        "Specialiseret sygeplejeindsats og forebyggelse af indlæggelser",
        "Indsatsen rettet mod kronisk syge",
        "Borgerrettet forebyggelse",
        "Styring, opfølgning og kvalitetssikring af indsatsen",
    ]


def test_indicators_stand_in_the_order_of_focus_areas_with_the_headline_first():
    order = [(item.focus_area, not item.headline) for item in INDICATORS.values()]
    assert order == sorted(order)


def test_every_measure_of_the_contract_is_known_and_no_other():
    cube = {name for name in CONTRACT["tables"]["cube"]["columns"] if name.startswith("n_")}
    of_statbank = {name for name, measure in MEASURES.items() if measure.statbank}
    derived = {"person_years", "person_days", "n_goal", "n_goal_on_track"}
    assert set(MEASURES) == cube | set(CONTRACT["measures"]) | derived | of_statbank
    assert {name for name, measure in MEASURES.items() if measure.table == "cube"} == cube


def test_preventable_admissions_are_all_ten_groups_of_their_list():
    (codelist,) = (item for item in load_codelists() if item.id == "preventable_65plus")
    assert len(codelist.groups) == 10
    assert set(INDICATORS["preventable_admissions_65plus"].diagnoses.groups) == {group.key for group in codelist.groups}


@pytest.mark.parametrize("indicator", INDICATORS.values(), ids=INDICATORS)
def test_words_are_there_in_both_languages_and_differ(indicator):
    for key in type(indicator.da).model_fields:
        words = [getattr(indicator.texts(language), key).strip() for language in LANGUAGES]
        assert all(words), key
        assert words[0] != words[1], key
    for language in LANGUAGES:
        assert len(indicator.texts(language).short_name) <= 42


@pytest.mark.parametrize("indicator", INDICATORS.values(), ids=INDICATORS)
def test_a_definition_on_an_unconfirmed_code_list_says_so_itself(indicator):
    if indicator.diagnoses:
        assert indicator.confidence == "unconfirmed"
        assert "ikke bekræftet" in indicator.da.limits or "almen viden" in indicator.da.limits
        assert "not confirmed" in indicator.en.limits or "general knowledge" in indicator.en.limits


@pytest.mark.parametrize("indicator", INDICATORS.values(), ids=INDICATORS)
def test_no_indicator_is_its_own_counterweight(indicator):
    assert indicator.counterweights
    assert indicator.id not in indicator.counterweights


def test_everything_that_the_focus_areas_ask_for_is_there():
    """One line per focus area, after the follow-up's own list."""
    wanted = {
        1: "preventable_admissions_65plus short_stays_65plus acute_admissions_65plus acute_place_capacity "
        "acute_place_occupancy acute_place_days_over_capacity acute_place_median_stay acute_place_referred_home_gp "
        "acute_place_admitted_7 acute_place_admitted_30 acute_place_refused "
        "home_nursing_65plus home_nursing_days_65plus",
        2: "chronic_admissions_18plus copd_admissions_18plus diabetes_admissions_18plus "
        "heart_failure_admissions_18plus asthma_admissions_18plus hypertension_admissions_18plus readmission_copd "
        "psychiatric_admissions_18plus",
        3: "hip_fractures_65plus alcohol_admissions_18plus vaccine_preventable_65plus preventive_home_visits_75plus "
        "rehabilitation_65plus",
        4: "readmissions_30d readmissions_30d_65plus days_after_ready data_completeness data_timeliness "
        "common_goals_on_track psychiatric_readmissions_30d home_help_65plus care_home_places_80plus "
        "care_home_waiting_days",
    }
    found = {number: {i.id for i in INDICATORS.values() if i.focus_area == number} for number in wanted}
    assert found == {number: set(names.split()) for number, names in wanted.items()}


@pytest.mark.parametrize("indicator", INDICATORS.values(), ids=INDICATORS)
def test_who_checks_is_a_role_until_somebody_has(indicator):
    for language in LANGUAGES:
        told = checked_by(indicator, language)
        assert "{" not in told
        assert ("ikke kontrolleret" in told or "not checked yet" in told) == (indicator.checker is None)
    assert checked_by(indicator.model_copy(update={"checker": "NN, Hjørring"}), "da") == "NN, Hjørring"


def test_every_measure_that_counts_has_words():
    named = {count.measure for item in INDICATORS.values() for count in (item.numerator, item.denominator)}
    for language in LANGUAGES:
        assert named <= set(measure_words(language))
    assert set(measure_words("da")) == set(MEASURES)


def test_breakdowns_are_those_that_the_counts_carry():
    assert INDICATORS["preventable_admissions_65plus"].breakdowns == ("group", "age", "sex")
    assert INDICATORS["copd_admissions_18plus"].breakdowns == ("age", "sex")
    assert INDICATORS["days_after_ready"].breakdowns == ()


def test_an_unknown_id_brings_the_nearest():
    with pytest.raises(KeyError, match="Did you mean 'hip_fractures_65plus'"):
        find_indicator("hip_fracture_65plus")


def changed(tmp_path, name, *replacements):
    """The folder of definitions with some words of one file replaced."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / name).read_text("utf-8")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / name).write_text(text, "utf-8")
    return list(tmp_path.iterdir())


def test_every_fault_of_a_file_is_told_at_once_with_the_nearest_word(tmp_path):
    files = changed(
        tmp_path,
        "short_stays_65plus.toml",
        ('kind = "rate"', 'kind = "rates"'),
        ('better = "lower"', 'beter = "lower"'),
        ("age_from = 65", "age_frm = 65"),
        ("focus_area = 1", "focus_area = 5"),
        ('short_name = "Akutte korttidsophold 65+"', ""),
    )
    with pytest.raises(IndicatorError) as error:
        read_indicators(files)
    assert set(str(error.value).splitlines()) == {
        "short_stays_65plus.toml: kind: 'rates' is not known. Did you mean 'rate'?",
        "short_stays_65plus.toml: better: is missing",
        "short_stays_65plus.toml: file: key 'beter' is not known. Did you mean 'better'?",
        "short_stays_65plus.toml: population: key 'age_frm' is not known. Did you mean 'age_from'?",
        "short_stays_65plus.toml: focus_area: '5' is not known. Allowed: 1, 2, 3, 4.",
        "short_stays_65plus.toml: da.short_name: is missing",
    }


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("short_stays_65plus", '"n_short"', '"n_shorts"', "numerator.measure: 'n_shorts' is not known. Did you mean"),
        ("short_stays_65plus", "age_from = 65", "age_from = 66", "66 does not begin an age band"),
        ("short_stays_65plus", "age_from = 65", "age_from = 65\nage_to = 81", "81 does not end an age band"),
        ("short_stays_65plus", '"acute_admissions_65plus"', '"acute_admission"', "counterweights: 'acute_admission'"),
        ("copd_admissions_18plus", '"copd"', '"cop"', "'chronic.cop' is not known. Did you mean 'chronic.copd'?"),
        ("short_stays_65plus", 'kind = "rate"', 'kind = "median"', "cannot make a median"),
        ("readmissions_30d", 'kind = "proportion"', 'kind = "rate"', "n_readmission / n_index cannot make a rate"),
        ("data_timeliness", "per = 100", 'per = 100\nstandard = "dk2014"', "standard: only rates of cube measures"),
        ("short_stays_65plus", "version = 1\nfocus", "version = 2\nfocus", "versions are [1]; expected newest first"),
        ("short_stays_65plus", "next_review = 2027", "next_review = 2020", "next_review: lies before reviewed"),
        ("acute_place_median_stay", '"00", "01"', '"none", "01"', "a median needs the lower ends of all bands"),
        ("short_stays_65plus", "version = 1\nfocus", "version = \nfocus", "Invalid value"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(tmp_path, name, old, new, message):
    with pytest.raises(IndicatorError) as error:
        read_indicators(changed(tmp_path, f"{name}.toml", (old, new)))
    assert message in str(error.value)
    assert f"{name}.toml: " in str(error.value)

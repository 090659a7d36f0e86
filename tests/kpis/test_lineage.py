"""The SQL and the rules that a method page shows are those behind its indicator, and no others."""

from kpis.indicator import load_indicators
from kpis.lineage import code_behind, rules_behind, statements_behind

INDICATORS = load_indicators()
SQL = {
    "10_contact": "-- rule C1; the word stay stands here in a comment only\ncreate table contact as select * from raw;\n",
    "20_stay": ("create table stay as select * from contact -- S1\n;\ncreate table unused as select * from stay;\n"),
    "30_places": "create table capacity as select * from report;\n",
    "70_cube": "create table true_cube as select * from stay;\n",
    "74_month": "create table true_municipality_month as select * from capacity;\n",
    "80_public": "create table out_population as select 1;\ncreate table out_goal as select 2;\n",
}
RULES = {name: {"da": name, "en": name} for name in ("C1", "C2", "S1", "R1", "T1", "V1", "D9")}


def test_statements_are_found_from_the_end_and_keep_their_order():
    found = statements_behind(SQL, INDICATORS["preventable_admissions_65plus"])
    assert list(found) == ["10_contact", "20_stay", "70_cube", "80_public"]
    assert "unused" not in found["20_stay"]
    assert "out_goal" not in found["80_public"]


def test_a_comment_makes_no_table_needed():
    found = statements_behind(SQL, INDICATORS["acute_place_occupancy"])
    assert list(found) == ["30_places", "74_month"]


def test_rules_are_those_of_the_families_that_the_statements_cite():
    def rules(name: str) -> list[str]:
        indicator = INDICATORS[name]
        return list(rules_behind(RULES, {"x": "-- C1 S1 R1"}, indicator))

    assert rules("preventable_admissions_65plus") == ["C1", "C2", "S1", "V1", "D9"]
    assert rules("readmissions_30d") == ["C1", "C2", "S1", "R1", "V1", "D9"]
    assert rules("acute_place_occupancy") == ["V1", "D9"]
    assert rules("data_timeliness") == ["C1", "C2", "S1", "T1", "V1", "D9"]


def test_code_counts_contacts_and_nothing_else():
    code = {"contact.py": "# rule C1", "stay.py": "# rule S1"}
    assert code_behind(code, INDICATORS["readmissions_30d"]) == code
    assert code_behind(code, INDICATORS["acute_place_occupancy"]) == {}
    assert code_behind({}, INDICATORS["readmissions_30d"]) == {}


def test_a_release_that_keeps_no_sql_shows_none():
    assert statements_behind({}, INDICATORS["readmissions_30d"]) == {}

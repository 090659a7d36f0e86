"""What the loader says: every sentence is there in both languages, is used, and fills in the same facts."""

import ast
import string
from pathlib import Path
from typing import get_args

import pytest

from etl.finding import Finding, Refused
from etl.source import load_sources
from etl.words import together, told, words
from kpis.indicator import LANGUAGES
from kpis.intervention import Problem

ETL = Path(__file__).parents[2] / "etl"
SAY = {"told", "Refused", "of", "leave_out"}  # the functions whose first, or second, argument is a sentence's key


def constants() -> set[str]:
    trees = [ast.parse(path.read_text("utf-8")) for path in ETL.rglob("*.py")]
    return {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def keys_asked_for() -> set[str]:
    found = set()
    for path in ETL.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in SAY:
                found |= {a.value for a in node.args[:2] if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return found


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_every_sentence_that_the_code_asks_for_is_there() -> None:
    assert len(keys_asked_for()) > 40  # the search sees them
    assert keys_asked_for() <= set(words()["told"])


def test_no_sentence_is_kept_that_nobody_says() -> None:
    made = {f"{rule}.later" for rule in ("C2-municipality", "C2-future", "C2-open")} | {"sex.1", "sex.2"}
    made |= {f"disk.{state}{do}" for state in ("full", "broken") for do in ("", "_do")}
    made |= {f"I1-plan.{problem}" for problem in get_args(Problem)}
    rules = {source_column.rule for source in load_sources() for source_column in source.columns}
    assert not set(words()["told"]) - constants() - made - rules


@pytest.mark.parametrize("key", words()["told"])
def test_both_languages_fill_in_the_same_facts(key: str) -> None:
    sentence = words()["told"][key]
    assert placeholders(sentence["da"]) == placeholders(sentence["en"])
    assert sentence["da"] != sentence["en"]


def test_sources_say_in_both_languages_what_they_are_and_what_they_allow() -> None:
    for source in load_sources():
        for said in [source.title, *(column.allowed for column in source.columns if column.allowed)]:
            assert set(said) == set(LANGUAGES) and all(said.values()), (source.id, said)
        assert all(column.allowed for column in source.columns if column.rule), source.id


def test_numbers_are_written_as_each_language_does_and_words_within_words_follow_it() -> None:
    said = told("P4-ages.band", municipality="0860", quarter="2024-01-01", sex=told("sex.2"))
    assert said["da"].startswith("Kommune 0860, 2024-01-01, kvinder") and "women" in said["en"]
    assert "1.234" in told("C1.duplicate", n=1234)["da"] and "1,234" in told("C1.duplicate", n=1234)["en"]
    assert together([told("value.blank"), told("value.held_back")])["da"] == "Feltet er tomt. Rækken er holdt tilbage."


def test_the_rule_of_a_finding_is_what_stands_before_the_dot() -> None:
    assert Finding.of("D5-cut.line", 7).rule == Refused("D5-cut.letter").findings[0].rule == "D5-cut"

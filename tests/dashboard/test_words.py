"""Both languages say the same things, and numbers look as their readers write them."""

import re
import tomllib
from datetime import date
from pathlib import Path
from string import Formatter

import pytest

import dashboard
from dashboard.selection import LEVEL_WORDS
from dashboard.words import load_words
from kpis.indicator import LANGUAGES

FOLDER = Path(dashboard.__file__).parent
DA, EN = load_words("da"), load_words("en")


def placeholders(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text)} - {None}


def test_both_languages_have_the_same_keys_in_the_same_order() -> None:
    assert list(DA.texts) == list(EN.texts)


@pytest.mark.parametrize("key", DA.texts)
def test_both_languages_have_the_same_placeholders(key: str) -> None:
    assert placeholders(DA.texts[key]) == placeholders(EN.texts[key])


def test_every_text_is_used() -> None:
    code = "\n".join(path.read_text("utf-8") for path in FOLDER.rglob("*.py"))
    written = set(re.findall(r"""["']([a-z_]+\.[a-z_0-9]+)["']""", code))
    made = {
        *(f"level.{level}" for level in LEVEL_WORDS),
        *(f"levels.{level}" for level in LEVEL_WORDS),
        *(key for key in DA.texts if key.startswith("count.")),
    }
    patterns = [
        re.compile(re.sub(r"\\\{[^}]*\\\}", r"[a-z_0-9]*", re.escape(text)))
        for text in re.findall(r'f"([a-z_]+\.[^"]*\{[^"]*)"', code)
    ]
    unused = [
        key for key in DA.texts if key not in written | made and not any(pattern.fullmatch(key) for pattern in patterns)
    ]
    assert unused == []


def test_the_files_hold_nothing_but_texts() -> None:
    for lang in LANGUAGES:
        for table in tomllib.loads((FOLDER / "words" / f"{lang}.toml").read_text("utf-8")).values():
            assert all(isinstance(text, str) and text.strip() for text in table.values())


@pytest.mark.parametrize(
    ("value", "digits", "danish", "english"),
    [
        (1234.5, 1, "1.234,5", "1,234.5"),
        (0, 0, "0", "0"),
        (57.96, 1, "58,0", "58.0"),
        (-3.25, 2, "-3,25", "-3.25"),
        (26_714, 0, "26.714", "26,714"),
    ],
)
def test_numbers(value: float, digits: int, danish: str, english: str) -> None:
    assert (DA.number(value, digits), EN.number(value, digits)) == (danish, english)


def test_months_are_named_once_where_once_is_enough() -> None:
    assert DA.months(date(2024, 10, 1), date(2025, 9, 1)) == "oktober 2024 – september 2025"
    assert DA.months(date(2025, 10, 1), date(2025, 12, 1)) == "oktober – december 2025"
    assert DA.months(date(2025, 10, 1), date(2025, 10, 1)) == "oktober 2025"
    assert EN.months(date(2025, 1, 1), date(2025, 12, 1)) == "2025"


def test_lists_and_small_numbers_are_words() -> None:
    assert DA.listing(["a", "b", "c"]) == "a, b og c"
    assert EN.listing(["a"]) == "a"
    assert (DA.count(4), EN.count(4), DA.count(98)) == ("fire", "four", "98")


def test_one_is_on_an_island_in_danish_and_in_a_municipality_elsewhere() -> None:
    danish, english = load_words("da"), load_words("en")
    for words, area, told in (
        (danish, "Samsø", "på Samsø"),
        (danish, "Hjørring", "i Hjørring"),
        (english, "Samsø", "in Samsø"),
    ):
        assert words("overview.more", count=36, area=area).endswith(told)

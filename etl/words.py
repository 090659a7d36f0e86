"""The loader's sentences in Danish and English, read from `words.toml`; no translated text is ever used as a key."""

import functools
import tomllib
from pathlib import Path
from typing import Any

from babel.numbers import format_decimal

from kpis.indicator import LANGUAGES, Language

Both = dict[Language, str]  # the same said in each language


class Problem(Exception):
    """Something that stops the work and that a person can mend: `said` in both languages, `str()` in English."""

    def __init__(self, said: Both):
        super().__init__(said["en"])
        self.said = said


@functools.cache
def words() -> dict[str, Any]:
    """The texts of `words.toml`."""
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


def told(text: str, **values: Any) -> Both:
    """A sentence of `[told]` in both languages.

    Args:
        text: its key.
        values: what fills its {placeholders}: text as it is, whole numbers (written as each language does), or a
            `Both` where the value itself is words. Raises KeyError for a sentence or value that is not there.
    """
    sentence = words()["told"][text]
    return {
        lang: sentence[lang].format(**{name: _said(value, lang) for name, value in values.items()})
        for lang in LANGUAGES
    }


def together(parts: list[Both], by: str = " ") -> Both:
    """Several sentences as one text."""
    return {lang: by.join(part[lang] for part in parts) for lang in LANGUAGES}


def _said(value: Any, language: Language) -> Any:
    match value:
        case dict():
            return value[language]
        case bool() | str():
            return value
        case int():
            return format_decimal(value, "#,##0", locale=language)
        case _:
            return str(value)

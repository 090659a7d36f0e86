"""Words, numbers and dates in the reader's language.

The texts stand in ``words/da.toml`` and ``words/en.toml``: the same keys, the same placeholders. A text is
addressed by its dotted key, ``words("compare.title", name="…")``. No translated text is ever used as a key.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from importlib import resources

from babel.dates import format_date
from babel.numbers import format_decimal

from kpis.indicator import LANGUAGES, Language

DEFAULT_LANGUAGE: Language = LANGUAGES[0]

_LOCALES: dict[Language, str] = {"da": "da_DK", "en": "en_GB"}


@dataclass(frozen=True)
class Words:
    """All texts and formats of one language. Get it with :func:`load_words`."""

    lang: Language
    texts: Mapping[str, str]

    def __call__(self, key: str, /, **values: object) -> str:
        """Return the text of ``key`` with its placeholders filled; an unknown key is a programming error (KeyError)."""
        told = self.texts[key].format(**values) if values else self.texts[key]
        return _on_islands(told) if self.lang == "da" else told

    def number(self, value: float, digits: int = 0) -> str:
        """Return ``value`` with exactly ``digits`` decimals and the language's separators: 1.234,5."""
        return _number(self.lang, round(value, digits), digits)

    def count(self, number: int) -> str:
        """Return a small number as a word, as sentences want it: *fire*; from thirteen in figures."""
        return self.texts.get(f"count.{number}") or self.number(number)

    def interval(self, lower: float, upper: float, digits: int = 0) -> str:
        """Return ``lower–upper``, both ends with the same number of decimals."""
        return f"{self.number(lower, digits)}–{self.number(upper, digits)}"

    def month(self, month: date) -> str:
        """Return the month with its year: *august 2026*."""
        return _date(self.lang, month, "MMMM y")

    def short_month(self, month: date) -> str:
        """Return the month for axes and tables: *aug. 2026*."""
        return _date(self.lang, month, "MMM y")

    def day(self, day: date) -> str:
        """Return the day in full: *1. august 2026*."""
        return _date(self.lang, day, "d. MMMM y" if self.lang == "da" else "d MMMM y")

    def months(self, first: date, last: date) -> str:
        """Return a period of whole months, both ends included; a year is named only once where one is enough."""
        if (first.year, first.month) == (last.year, last.month):
            return self.month(first)
        if first.month == 1 and last.month == 12 and first.year == last.year:
            return str(first.year)
        start = _date(self.lang, first, "MMMM") if first.year == last.year else self.month(first)
        return f"{start} – {self.month(last)}"

    def listing(self, items: list[str]) -> str:
        """Return *a, b og c*."""
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {self('words.and')} {items[-1]}"


_IN_AN_ISLAND = re.compile(r"\bi (?=(?:Bornholm|Fanø|Langeland|Læsø|Samsø|Ærø)\b)")


def _on_islands(told: str) -> str:
    """Say *på Samsø* where a text says *i* of any municipality."""
    return _IN_AN_ISLAND.sub("på ", told)


@cache
def load_words(lang: Language) -> Words:
    """Read the texts of ``lang`` from the package."""
    text = resources.files("dashboard").joinpath("words", f"{lang}.toml").read_text(encoding="utf-8")
    return Words(lang, dict(_flatten(tomllib.loads(text))))


def _flatten(table: dict, prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in table.items():
        pairs += _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]
    return pairs


# Babel takes about 0.1 ms a number, and a page shows the same few hundred again and again.
@lru_cache(maxsize=65_536)
def _number(lang: Language, value: float, digits: int) -> str:
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return format_decimal(value, format=pattern, locale=_LOCALES[lang])


@lru_cache(maxsize=4_096)
def _date(lang: Language, day: date, pattern: str) -> str:
    return format_date(day, format=pattern, locale=_LOCALES[lang])

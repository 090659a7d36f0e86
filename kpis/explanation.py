"""Words for what estimates and indicators are: column meanings, statistics, and a page that describes an indicator.

The texts stand in `explanations.toml`; what an indicator itself says stands in its own file.
"""

import functools
import textwrap
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import polars as pl

from kpis.indicator import Indicator, Language, load_indicators
from kpis.reference import CodeList, load_codelists

WIDTH = 100  # columns of a printed page


@functools.cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(resources.files("kpis").joinpath("explanations.toml").read_text("utf-8"))


def column_headings(language: Language) -> dict[str, str]:
    """Column of a file → its heading for readers, in the order of the file."""
    return {column: texts[language] for column, texts in _texts()["column"].items()}


def column_meanings(language: Language) -> dict[str, str]:
    """Column of a file → what stands in it."""
    return {column: texts[f"{language}_meaning"] for column, texts in _texts()["column"].items()}


def status_words(language: Language) -> dict[str, str]:
    """Status of an estimate → what it says, in a few words."""
    return {status: texts[language] for status, texts in _texts()["status"].items()}


def note_words(language: Language) -> dict[str, str]:
    """Note on an estimate → what it says, in a few words."""
    return {note: texts[language] for note, texts in _texts()["note"].items()}


def statistics(indicator: Indicator, language: Language) -> str:
    """How values and limits of the indicator are found, with sources, in a few sentences."""
    keys = [indicator.kind, *(["standardised"] if indicator.can_be_standardised else [])]
    if indicator.numerator.definition.table != "goal":  # goals are counted, not rounded
        keys.append("protection")
    sentences = [_texts()["statistics"][key][language] for key in keys]
    return " ".join(sentences).replace("{per}", _number(indicator.per, 0, language))


def codelist(indicator: Indicator) -> CodeList | None:
    """The code list that the indicator counts by; None when it counts every diagnosis or none."""
    if indicator.diagnoses is None:
        return None
    return next(item for item in load_codelists() if item.id == indicator.diagnoses.codelist)


def describe(indicator: Indicator, language: Language, current: str) -> str:
    """The page about an indicator as text. `current` is a line on its newest value, see `current_value`."""
    return "\n".join(_page(indicator, language, current)) + "\n"


def current_value(estimates: pl.DataFrame, indicator: Indicator, language: Language) -> str:
    """One estimate (a frame of one row) as a line: value, unit, interval, period."""
    (row,) = estimates.iter_rows(named=True)
    if row["value"] is None:
        return f"{row['period']}: {status_words(language)[row['status']]}"
    decimals = _decimals(row["lower"], row["upper"])
    value = f"{_number(row['value'], decimals, language)} {indicator.texts(language).unit}"
    if row["lower"] is None:
        return f"{row['period']}: {value}"
    lower, upper = (_number(row[limit], decimals, language) for limit in ("lower", "upper"))
    return f"{row['period']}: {value} ({_word('interval', language).format(lower=lower, upper=upper)})"


def _decimals(lower: float | None, upper: float | None) -> int:
    """One decimal; of a narrow interval so many, at most three, that its limits read as different."""
    if lower is None or upper is None:
        return 1
    return next((places for places in (1, 2) if round(lower, places) != round(upper, places)), 3)


def page_word(key: str, language: Language) -> str:
    """A heading or word of the page that describes an indicator."""
    return _word(key, language)


def _page(indicator: Indicator, language: Language, current: str) -> Iterator[str]:
    texts = indicator.texts(language)
    headline = f", {_word('headline', language)}" if indicator.headline else ""
    yield texts.name
    yield "=" * len(texts.name)
    yield f"{indicator.id}, {_word('version', language)} {indicator.version}{headline}"
    yield f"{_word('focus_area', language)} {indicator.focus_area}"
    sections = {
        "meaning": [texts.meaning, f"{_word(f'better_{indicator.better}', language)}."],
        "why": [texts.why],
        "current": [current],
        "calculation": _calculation(indicator, language),
        "counted": [texts.counted],
        "not_counted": [texts.not_counted],
        "codes": list(_codes(indicator, language)),
        "statistics": [statistics(indicator, language)],
        "limits": [texts.limits],
        "counterweights": [
            f"- {load_indicators()[other].texts(language).short_name} ({other})" for other in indicator.counterweights
        ],
        "responsible": _responsible(indicator, language),
        "changes": [
            f"- {_word('version', language)} {item.version}, {item.date}: {item.da if language == 'da' else item.en}"
            for item in indicator.change
        ],
    }
    for key, paragraphs in sections.items():
        if paragraphs:
            yield f"\n{_word(key, language)}"
        for paragraph in paragraphs:
            yield textwrap.fill(paragraph, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _calculation(indicator: Indicator, language: Language) -> list[str]:
    def count(part: str) -> str:
        counted = indicator.numerator if part == "numerator" else indicator.denominator
        categories = f" ({', '.join(counted.categories)})" if counted.categories else ""
        return f"{_word(part, language)}: {counted.measure}{categories}"

    people = indicator.population
    if people.age_to is not None:
        ages = _word("age_between", language).format(age=people.age_from, age_to=people.age_to)
    elif people.age_from:
        ages = _word("age_from", language).format(age=people.age_from)
    else:
        ages = _word("everybody", language)
    sex = f", {_word(f'sex_{people.sex}', language)}" if people.sex else ""
    parts = [count("numerator"), count("denominator"), f"× {_number(indicator.per, 0, language)}"]
    if indicator.numerator.definition.table != "goal":
        parts.append(f"{ages}{sex}")
    return [" · ".join(parts)]


def _codes(indicator: Indicator, language: Language) -> Iterator[str]:
    codes = codelist(indicator)
    if codes is None or indicator.diagnoses is None:
        in_cube = indicator.numerator.definition.table == "cube"
        yield _word("all_diagnoses" if in_cube else "without_diagnoses", language)
        return
    confidence = _word(f"confidence_{codes.confidence}", language)
    yield f"{_word('codelist', language)}: {codes.id}, {_word('version', language)} {codes.version}, {confidence}."
    yield f"{_word('source', language)}: {codes.source}."
    for group in codes.groups:
        if group.key in indicator.diagnoses.groups:
            name = group.name_da if language == "da" else group.name_en
            excluded = f" {_word('except', language)} {' '.join(group.excluded_prefixes)}"
            yield f"- {name}: {' '.join(group.prefixes)}{excluded if group.excluded_prefixes else ''}"


def _responsible(indicator: Indicator, language: Language) -> list[str]:
    checker = indicator.checker or _word("unchecked", language)
    next_review = f"{_word('next_review', language)} {indicator.next_review}"
    return [
        f"{_word('confidence', language)}: {_word(f'confidence_{indicator.confidence}', language)}.",
        f"{_word('author', language)}: {indicator.author} · {_word('checker', language)}: {checker}.",
        f"{_word('reviewed', language)}: {indicator.reviewed}, {next_review}.",
    ]


def _word(key: str, language: Language) -> str:
    text: str = _texts()["page"][key][language]
    return text


def _number(value: float, decimals: int, language: Language) -> str:
    text = f"{value:,.{decimals}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "da" else text

"""Words for what estimates and indicators are: column meanings, statistics, and a page that describes an indicator.

The texts stand in `explanations.toml`; what an indicator itself says stands in its own file.
"""

import functools
import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import pairwise
from typing import Any

import polars as pl
from babel.dates import format_date

from kpis.indicator import FOCUS_AREAS, Indicator, Language, load_indicators
from kpis.period import Period
from kpis.protection import is_rounded
from kpis.query import Query
from kpis.reference import CodeList, load_codelists
from kpis.release import AGE_BANDS, CONTRACT, Release

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


def measure_words(language: Language) -> dict[str, str]:
    """Measure of a release → what is counted, in a few words."""
    return {measure: texts[language] for measure, texts in _texts()["measure"].items()}


def source_words(language: Language) -> dict[str, str]:
    """Source of an official figure → who published it."""
    return {source: texts[language] for source, texts in _texts()["source"].items()}


def level_words(language: Language) -> dict[str, str]:
    """Level of areas → its name."""
    return {level: texts[language] for level, texts in CONTRACT["levels"].items()}


def group_words(release: Release, query: Query, language: Language) -> dict[str, str]:
    """Value of the column `group` in the estimates of a query → what it stands for, in a few words."""
    texts = _texts()["group"]
    match query.by:
        case None:
            return {"all": texts["all"][language]}
        case "group":
            return dict(release.sql(f"select group_id, name_{language} from diagnosis_group").iter_rows())
        case "sex":
            return {sex: texts[f"sex_{sex}"][language] for sex in query.groups}
        case "age":
            ends = dict(pairwise((*AGE_BANDS, None)))
            return {
                age: texts["age_last" if ends[int(age)] is None else "age"][language].format(
                    age=age, to=(ends[int(age)] or 0) - 1
                )
                for age in query.groups
            }


def protection_words(release: Release, language: Language) -> str:
    """How the counts of a release are protected, in a few words for every row of a file."""
    told = release.manifest["protection"]
    method = told.get("method", "none")
    known = _texts()["protection"].get(method)
    return known[language].format(base=told.get("base", "")) if known else str(method)


def period_words(period: Period, language: Language) -> str:
    """A period as people say it: juni 2026, 2. kvartal 2026, 2026, juli 2025 – juni 2026."""
    first, last = (format_date(day, "MMMM y", locale=language) for day in (period.first, period.last))
    match period.grain:
        case "month":
            return first
        case "quarter":
            return format_date(period.last, "QQQQ y", locale=language)
        case "year":
            return str(period.last.year)
        case "rolling12":
            return f"{first} – {last}"


def checked_by(indicator: Indicator, language: Language) -> str:
    """Who has checked the definition; until somebody has, that nobody has and what they must know who shall."""
    role = _word(f"role_{indicator.checker_role}", language)
    return indicator.checker or _word("unchecked", language).format(role=role)


def statistics(indicator: Indicator, language: Language) -> str:
    """How values and limits of the indicator are found, with sources, in a few sentences."""
    is_of_release = indicator.numerator.definition.table in ("cube", "municipality_month")
    keys: list[str] = [indicator.kind]
    if is_of_release and indicator.kind in ("rate", "proportion"):
        keys.append("clustering")
    if indicator.can_be_standardised:
        keys.append("standardised")
    if any(is_rounded(measure) for measure in indicator.measures):
        keys.append("protection_without_interval" if indicator.kind == "ratio" else "protection")
    elif is_of_release:
        keys.append("no_protection")
    sentences = [_texts()["statistics"][key][language] for key in keys]
    return " ".join(sentences).replace("{per}", number(indicator.per, 0, language))


def codelist(indicator: Indicator) -> CodeList | None:
    """The code list that the indicator counts by; None when it counts every diagnosis, all but some, or none."""
    if indicator.diagnoses is None or indicator.diagnoses.are_left_out:
        return None
    return next(item for item in load_codelists() if item.id == indicator.diagnoses.codelist)


def left_out(indicator: Indicator) -> CodeList | None:
    """The code list of diagnoses that rule R1 keeps out of a readmission indicator; None for the others."""
    if indicator.numerator.measure != "n_readmission":
        return None
    return next(item for item in load_codelists() if item.id == "exclusion")


def describe(indicator: Indicator, language: Language, current: Sequence[str], official: Sequence[str] = ()) -> str:
    """The page about an indicator as text.

    `current`: lines on its newest value, see `current_value`; `official`: lines on figures of others beside ours.
    """
    return "\n".join(_page(indicator, language, current, official)) + "\n"


def current_value(estimates: pl.DataFrame, indicator: Indicator, language: Language) -> str:
    """One estimate (a frame of one row) as a line: period, value, unit, interval."""
    (row,) = estimates.iter_rows(named=True)
    period = period_words(Period.from_id(row["period"]), language)
    if row["value"] is None:
        notes = [note_words(language)[note] for note in row["note"].split(";") if note]
        return f"{period}: {'; '.join([status_words(language)[row['status']], *notes])}"
    decimals = _decimals(row["value"], row["lower"], row["upper"])
    value = f"{number(row['value'], decimals, language)} {indicator.texts(language).unit}"
    if row["lower"] is None:
        return f"{period}: {value}"
    lower, upper = (number(row[limit], decimals, language) for limit in ("lower", "upper"))
    return f"{period}: {value} ({_word('interval', language).format(lower=lower, upper=upper)})"


def _decimals(value: float, lower: float | None, upper: float | None) -> int:
    """One decimal, two below 1; of a narrow interval so many, at most three, that its limits read as different."""
    if lower is None or upper is None:
        return 1 if abs(value) >= 1 else 2
    return next((places for places in (1, 2) if round(lower, places) != round(upper, places)), 3)


def page_word(key: str, language: Language) -> str:
    """A heading or word of the page that describes an indicator."""
    return _word(key, language)


def trifle(indicator: Indicator, language: Language) -> str:
    """That small differences are not judged; empty where every one is."""
    if not indicator.smallest_difference:
        return ""
    least = indicator.smallest_difference
    value = number(least, next((places for places in (0, 1, 2) if round(least, places) == least), 3), language)
    unit = _word("percentage_points", language) if indicator.per == 100 else indicator.texts(language).unit
    return _word("smallest_difference", language).format(value=value, unit=unit)


def _page(indicator: Indicator, language: Language, current: Sequence[str], official: Sequence[str]) -> Iterator[str]:
    texts = indicator.texts(language)
    headline = f", {_word('headline', language)}" if indicator.headline else ""
    yield texts.name
    yield "=" * len(texts.name)
    yield f"{indicator.id}, {_word('version', language)} {indicator.version}{headline}"
    area = FOCUS_AREAS[indicator.focus_area]
    yield f"{_word('focus_area', language)} {area.number}: {area.da if language == 'da' else area.en}"
    sections = {
        "meaning": [texts.meaning, f"{_word(f'better_{indicator.better}', language)}."],
        "why": [texts.why],
        "current": current,
        "official": official,
        "calculation": _calculation(indicator, language),
        "counted": [texts.counted],
        "not_counted": [texts.not_counted],
        "codes": list(_codes(indicator, language)),
        "statistics": [text for text in (statistics(indicator, language), trifle(indicator, language)) if text],
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
        known = _texts()["category"]
        named = [known[category][language] for category in counted.categories if category in known]
        if part == "numerator" and indicator.diagnoses:
            named.append(_word("but_codelist" if indicator.left_out_ids else "of_codelist", language))
        told = f" ({', '.join(named)})" if named else ""
        return f"{_word(part, language)}: {measure_words(language)[counted.measure]}{told}"

    people = indicator.population
    if people.age_to is not None:
        ages = _word("age_between", language).format(age=people.age_from, age_to=people.age_to)
    elif people.age_from:
        ages = _word("age_from", language).format(age=people.age_from)
    else:
        ages = _word("everybody", language)
    sex = f", {_word(f'sex_{people.sex}', language)}" if people.sex else ""
    parts = [count("numerator"), count("denominator"), f"× {number(indicator.per, 0, language)}"]
    if indicator.kind == "median":
        parts = [f"{_word('median_of', language)} {measure_words(language)[indicator.numerator.measure]}"]
    if any(measure.table in ("cube", "population") for measure in indicator.measures):  # others carry no age
        parts.append(f"{ages}{sex}")
    return [" · ".join(parts)]


def _codes(indicator: Indicator, language: Language) -> Iterator[str]:
    if indicator.numerator.definition.table != "cube":
        yield _word("without_diagnoses", language)
        return
    codes = codelist(indicator)
    if codes is None or indicator.diagnoses is None:
        yield _word("all_diagnoses", language)
    else:
        yield from _groups(codes, indicator.diagnoses.groups, language)
    if indicator.diagnoses and indicator.diagnoses.are_left_out:
        yield _word("left_out_as_index", language)
        named = next(item for item in load_codelists() if item.id == indicator.diagnoses.codelist)
        yield from _groups(named, indicator.diagnoses.groups, language)
    if excluded := left_out(indicator):
        yield _word("left_out", language)
        yield from _groups(excluded, [group.key for group in excluded.groups], language)


def _groups(codes: CodeList, keys: Sequence[str], language: Language) -> Iterator[str]:
    confidence = _word(f"confidence_{codes.confidence}", language)
    yield f"{_word('codelist', language)}: {codes.id}, {_word('version', language)} {codes.version}, {confidence}."
    yield f"{_word('source', language)}: {codes.source_da if language == 'da' else codes.source}."
    for group in codes.groups:
        if group.key in keys:
            name = group.name_da if language == "da" else group.name_en
            excluded = f" {_word('except', language)} {' '.join(group.excluded_prefixes)}"
            yield f"- {name}: {' '.join(group.prefixes)}{excluded if group.excluded_prefixes else ''}"


def _responsible(indicator: Indicator, language: Language) -> list[str]:
    checked = f"{_word('checker', language)}: {checked_by(indicator, language)}"
    next_review = f"{_word('next_review', language)} {indicator.next_review}"
    return [
        f"{_word('confidence', language)}: {_word(f'confidence_{indicator.confidence}', language)}.",
        f"{_word('author', language)}: {indicator.author} · {checked}.",
        f"{_word('reviewed', language)}: {indicator.reviewed}, {next_review}.",
    ]


def _word(key: str, language: Language) -> str:
    text: str = _texts()["page"][key][language]
    return text


def number(value: float, decimals: int, language: Language) -> str:
    """A number as the language writes it: 1.234,5 in Danish, 1,234.5 in English; never −0,0."""
    text = f"{round(value, decimals) + 0.0:,.{decimals}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "da" else text

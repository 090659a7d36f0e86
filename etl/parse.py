"""From text as delivered to typed values: one small reader per column type, nothing guessed, nothing lost.

Each reader takes a Polars expression of text and gives the typed value, null where it is blank or unreadable.
Whether a null is a fault is the column's business (`rule`, `may_be_blank`), decided once in `etl.typed`.
"""

import hashlib
import re
import tomllib
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from etl.pseudonym import BIRTH_IN_ID
from etl.source import Column
from kpis.indicator import load_indicators
from kpis.period import Period
from kpis.reference import CHRISTIANSO, areas, municipality_spellings, normalise_municipality
from kpis.release import CONTRACT

EPOCH = datetime(2000, 1, 1)  # minutes are counted from here
OPEN_END = date(2100, 1, 1)  # from here on a date means “for ever”, as registers write 31-12-9999
BLANK = ["", ".", "..", "-", "x", "null", "na", "n/a"]  # StatBank's and others' ways to leave a cell empty
LONGEST_BLANK = max(map(len, BLANK))

DATE_FORMATS = ("%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%Y", "%Y%m%d", "%d%b%Y")
CLOCK_FORMATS = ("%H:%M", "%H:%M:%S", "%H:%M:%S%.f", "%H.%M")
TIMESTAMP_FORMATS = [f"{day} {clock}" for clock in CLOCK_FORMATS for day in DATE_FORMATS] + [
    *DATE_FORMATS,
    "%d%b%Y:%H:%M:%S",
]
PERSON_IN_TEXT = rf"\b{BIRTH_IN_ID}[- ]\d{{4}}\b"  # with its hyphen: ten digits alone may be another number
SAMPLE = 1_000  # texts that tell how a column writes its dates

# Codes that stand in the municipality column of real files without being one of the 98. They are counted apart.
OUTSIDE_MUNICIPALITIES = {CHRISTIANSO: "Christiansø"} | {f"{code:04d}": "Grønland" for code in range(900, 970)}

# the smallest number of each length; none is long enough to begin the nineteenth
FIRST_OF_LENGTH = np.array([*(10**digits for digits in range(18)), np.iinfo(np.int64).max])
LPR2_IDS_END = -(10**18)  # ids of LPR2 lie below, so that none can be taken for one of LPR3
END_OF_DAY = 24 * 60 - 1
TOTALS = {"tot", "i alt", "ialt", "total", "alle", "all", "total, total", "alder i alt", "age, total"}

Reader = Callable[[pl.Series, Column], pl.Series]


@cache
def former_municipalities() -> dict[str, str]:
    """Code → name of the municipalities that were merged away in 2007 (Bornholm: 2003)."""
    path = Path(__file__).with_name("former_municipalities.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))["former"]


# Types of columns in which the same few texts stand again and again: where they are delivered or read as codes, each
# text is understood once.
REPEATING = ("age_group", "area", "code", "diagnosis", "municipality", "quarter", "sex", "sex_or_total", "yes_no")


def trimmed(values: pl.Series) -> pl.Series:
    """Any delivered series as text without the blanks around it."""
    text = values if values.dtype == pl.String else values.cast(pl.String)
    return text.str.strip_chars(" \t\r\n\u00a0\u200b\ufeff")


def to_text(values: pl.Series) -> pl.Series:
    """Any delivered series as trimmed text, blanks as null."""
    text = trimmed(values)
    if not (text.str.len_bytes() <= LONGEST_BLANK).any():
        return text
    return by_distinct(text, lambda distinct: distinct.set(distinct.str.to_lowercase().is_in(BLANK), None))


def by_distinct(values: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Read each distinct value once where values repeat much; else all of them."""
    if len(values) < 10_000 or values.head(10_000).n_unique() > 3_000:
        return read(values)
    distinct = values.unique()
    found = read(distinct)
    return values.replace_strict(distinct, found, default=None, return_dtype=found.dtype)


def _each(read: Callable[[str], object], dtype: pl.DataType | type[pl.DataType]) -> Reader:
    """A reader that asks a Python function once per distinct value."""

    def reader(values: pl.Series, _: Column) -> pl.Series:
        distinct = values.drop_nulls().unique()
        found = pl.Series([read(value) for value in distinct], dtype=dtype)
        return values.replace_strict(distinct, found, default=None, return_dtype=dtype)

    return reader


def read_text(values: pl.Series, _: Column) -> pl.Series:
    """Text as it stands, unless a person's number stands in it: what is free text may be shown to everybody."""
    return values.set(values.str.contains(PERSON_IN_TEXT).fill_null(False), None)


SPOILED_NUMBER = r"^\d+([.,]\d+[eE]\+?|[eE]\+)\d+$"


def read_id(values: pl.Series, _: Column) -> pl.Series:
    """An id as Int64: the number it is, or a stable hash below zero where it is no number under 2^63.

    Null where a spreadsheet has written it as 1,00E+17: others have become the same.
    """
    values = values.set(values.str.contains(SPOILED_NUMBER).fill_null(False), None)
    numbers = values.cast(pl.Int64, strict=False)
    is_plain = _is_plain_number(values, numbers)
    if (is_plain | values.is_null()).all():
        return numbers

    def hashed(value: str) -> int:
        return -1 - (int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big") >> 1)

    return pl.select(
        pl.when(is_plain).then(numbers).otherwise(values.map_elements(hashed, return_dtype=pl.Int64))
    ).to_series()


def read_plain_ids(values: pl.Series) -> pl.Series | None:
    """Ids as `read_id` gives them where every one is a plain number, as most registers have them; else None."""
    if values.dtype.is_integer():
        return values.cast(pl.Int64) if values.is_between(0, FIRST_OF_LENGTH[-2] * 10 - 1).all() else None
    if values.dtype != pl.String:
        return None
    numbers = values.cast(pl.Int64, strict=False)
    return numbers if (_is_plain_number(values, numbers) | values.is_null()).all() else None


def read_lpr2_id(values: pl.Series, column: Column) -> pl.Series:
    """An id of LPR2 as Int64, in a namespace of its own: the two registers count from the same numbers."""
    numbers = values.cast(pl.Int64, strict=False)
    is_plain = _is_plain_number(values, numbers)
    if (is_plain | values.is_null()).all():
        return LPR2_IDS_END - numbers
    return (LPR2_IDS_END - numbers).zip_with(is_plain | values.is_null(), read_id("lpr2:" + values, column))


def _is_plain_number(values: pl.Series, numbers: pl.Series) -> pl.Series:
    """Whether each text is its number as numbers are written: no sign, no leading zero, at most 18 digits."""
    length = values.str.len_bytes().fill_null(1).clip(1, 19).to_numpy()
    return (numbers >= pl.Series(FIRST_OF_LENGTH[length - 1])).fill_null(False)


def read_minute(values: pl.Series) -> pl.Series:
    """Minutes since 2000-01-01 00:00 of text timestamps (seconds cut off); the day alone means midnight.

    Day before month where the year comes last, as Danes write. A clock time is optional.
    """
    return pl.select(to_minute(_read_timestamp(values))).to_series()


def to_minute(stamps: pl.Series | pl.Expr) -> pl.Expr:
    """Points in time as Int32 minutes since 2000; null for “for ever”."""
    stamps = pl.lit(stamps) if isinstance(stamps, pl.Series) else stamps
    seconds = stamps.dt.epoch("s") - int((EPOCH - datetime(1970, 1, 1)).total_seconds())
    last = (OPEN_END - EPOCH.date()).days * 86_400
    return pl.when(seconds < last).then(seconds // 60).cast(pl.Int32)


def _read_timestamp(values: pl.Series) -> pl.Series:
    text = values.str.replace("T", " ", literal=True)
    found = pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, len(text))
    left = text
    for format_ in _likely_first(text):
        if left.null_count() == len(left):
            break
        read = _read_format(left, format_)
        found = found.zip_with(read.is_null(), read)
        left = left.set(read.is_not_null(), None)
    return found


def _likely_first(text: pl.Series) -> list[str]:
    """All formats, those that read one of the first texts before the others; no text can be read by two of them."""
    sample = text.head(SAMPLE).drop_nulls().unique()
    return sorted(TIMESTAMP_FORMATS, key=lambda format_: _read_format(sample, format_).null_count() == len(sample))


def _read_format(text: pl.Series, format_: str) -> pl.Series:
    return text.str.to_datetime(format_, strict=False, time_unit="us", exact=True)


def read_timestamp(values: pl.Series, _: Column) -> pl.Series:
    """A date and time as Int32 minutes since 2000."""
    return read_minute(values)


def read_end_of_day(values: pl.Series, _: Column) -> pl.Series:
    """The last minute of a day, as Int32 minutes since 2000: an end that is told without a time of day."""
    return pl.select(to_minute(_read_timestamp(values).dt.truncate("1d")) + END_OF_DAY).to_series()


def read_date(values: pl.Series, _: Column) -> pl.Series:
    """A date (a clock time behind it is dropped)."""
    return by_distinct(values, lambda distinct: _read_timestamp(distinct).cast(pl.Date))


def read_integer(values: pl.Series, _: Column) -> pl.Series:
    """A whole number; a dot parts thousands, and a decimal part of zeros only is dropped."""
    plain = values.str.replace_all(r"[\s\u00a0]", "").str.replace(r"[,.]0+$", "")
    plain = pl.select(
        pl.when(plain.str.contains(r"^-?\d{1,3}(\.\d{3})+$"))
        .then(plain.str.replace_all(".", "", literal=True))
        .otherwise(plain)
    ).to_series()
    return plain.cast(pl.Int64, strict=False)


def read_decimal(values: pl.Series, _: Column) -> pl.Series:
    """A number with decimal comma or dot; where both stand, the last one parts the decimals.

    1.234 may be a thousand or one and a bit: where another number of the column has a decimal comma it is the thousand,
    where another has a decimal dot it is the bit, and where nothing tells it is not read.
    """
    bare = values.str.replace_all(r"[\s\u00a0%]", "")
    has_comma = bare.str.contains(",", literal=True)
    is_danish = has_comma & bare.str.contains(r"^-?(\d+|\d{1,3}(\.\d{3})+),\d*$")
    is_english = has_comma & bare.str.contains(r"^-?\d{1,3}(,\d{3})+\.\d+$")
    has_thousands = bare.str.contains(r"^-?[1-9]\d{0,2}(\.\d{3})+$")
    has_many_thousands = bare.str.contains(r"^-?[1-9]\d{0,2}(\.\d{3}){2,}$")
    has_decimal_dot = bare.str.contains(r"^-?\d*\.\d+$") & ~has_thousands
    dot_parts_thousands = bool(is_danish.any()) or bool(has_many_thousands.any())
    dot_parts_decimals = bool(has_decimal_dot.any()) and not dot_parts_thousands
    without_dots = bare.str.replace_all(".", "", literal=True)
    plain = (
        pl.when(is_danish)
        .then(without_dots.str.replace(",", ".", literal=True))
        .when(is_english)
        .then(bare.str.replace_all(",", "", literal=True))
        .when(has_comma)
        .then(None)
        .when(has_thousands)
        .then(without_dots if dot_parts_thousands else bare if dot_parts_decimals else pl.lit(None, dtype=pl.String))
        .otherwise(bare)
    )
    return pl.select(plain.str.replace(r"^$", "x").cast(pl.Float64, strict=False)).to_series()


def read_code(values: pl.Series, column: Column) -> pl.Series:
    """The canonical word of a code, a text, or both together ("ATA1 - Akut").

    In a list that ends in a star every word of that beginning is meant. A word in no list is `other`; where the
    source lists what is other, or the column has a rule, it is unreadable.
    """
    beginnings = {said.removesuffix("*"): meant for said, meant in column.codes.items() if said.endswith("*")}
    unlisted = None if column.rule or "other" in column.codes.values() else "other"

    def meaning(value: str) -> str | None:
        said = value.casefold()
        code = re.split(r"[\s:;,(]", said, maxsplit=1)[0]
        by_beginning = (meant for beginning, meant in beginnings.items() if said.startswith(beginning))
        return column.codes.get(said) or column.codes.get(code) or next(by_beginning, unlisted)

    return _each(meaning, pl.String)(values, column)


def read_dimension(values: pl.Series, _: Column) -> pl.Series:
    """What a StatBank table is broken down by, as a word of small letters and digits; `total` for all together."""
    letters = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa"})

    def word(value: str) -> str:
        folded = value.casefold()
        plain = re.sub(r"[^0-9a-z+<>]+", "_", folded.translate(letters)).strip("_")
        return "total" if folded in TOTALS or folded.endswith(" i alt") else plain or "other"

    return _each(word, pl.String)(values, Column("dimension", "dimension", ()))


def read_yes_no(values: pl.Series, column: Column) -> pl.Series:
    """True for Ja/1/x, False for Nej/0/blank."""
    words = {"✓": True, "sand": True, "falsk": False, "ja": True, "j": True,
             "1": True, "true": True, "x": True, "yes": True, "y": True,
             "nej": False, "n": False, "0": False, "false": False, "no": False}  # fmt: skip
    return _each(lambda value: words.get(value.casefold()), pl.Boolean)(values, column)


def read_sex(values: pl.Series, column: Column) -> pl.Series:
    """1 = men, 2 = women."""
    words = {"1": 1, "m": 1, "mand": 1, "mænd": 1, "men": 1, "male": 1, "2": 2, "k": 2, "f": 2, "kvinde": 2,
             "kvinder": 2, "women": 2, "female": 2}  # fmt: skip
    return _each(lambda value: words.get(value.casefold()), pl.Int8)(values, column)


def read_sex_or_total(values: pl.Series, column: Column) -> pl.Series:
    """As `read_sex`, with 0 for both together."""
    sexes = read_sex(values, column)
    is_total = values.str.to_lowercase().is_in([*TOTALS, "0", "køn i alt", "mænd og kvinder", "men and women"])
    return pl.select(pl.when(is_total).then(0).otherwise(sexes).cast(pl.Int8)).to_series()


def read_age(values: pl.Series, _: Column) -> pl.Series:
    """Whole years 0–125 (a decimal part is cut off); anything else is unreadable."""
    years = values.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    return pl.select(pl.when((years >= 0) & (years < 126)).then(years.floor()).cast(pl.Int16)).to_series()


def _age_group(value: str) -> str | None:
    text = value.casefold().replace("år", "").replace("years", "").replace("year", "").strip()
    text = text.replace("og derover", "+").replace("and over", "+").replace(" ", "").replace("–", "-")
    text = re.sub(r"^under(\d+)$", lambda match: f"0-{int(match[1]) - 1}", text)
    if text in ("tot", "ialt", "total", "alderialt", "age,total"):
        return "total"
    if re.fullmatch(r"\d{1,3}", text):
        return f"{int(text)}-{int(text)}"
    if match := re.fullmatch(r"(\d{1,3})(?:-(\d{1,3})|(\+))", text):
        return f"{int(match[1])}-{int(match[2]) if match[2] else 125}"
    return None


def read_age_group(values: pl.Series, column: Column) -> pl.Series:
    """Ages as "first-last" (a single year has both alike, "65+" ends at 125), or `total`."""
    return _each(_age_group, pl.String)(values, column)


def read_age_or_id(values: pl.Series, column: Column) -> pl.Series:
    """As `read_age_group`; the id of a group that does not tell its ages stays what it is."""
    return read_age_group(values, column).zip_with(
        _each(lambda value: _age_group(value) is not None, pl.Boolean)(values, column).fill_null(False),
        read_dimension(values, column),
    )


def _quarter(value: str) -> str | None:
    match = re.fullmatch(r"(\d{4})[KkQq]([1-4])", value)
    return f"{match[1]}-{int(match[2]) * 3 - 2:02d}-01" if match else None


def _month(value: str) -> str | None:
    match = re.fullmatch(r"(\d{4})[-Mm]?(0[1-9]|1[0-2])(?:-01(?: 00:00(?::00)?)?)?", value)
    return f"{match[1]}-{match[2]}-01" if match else None


def read_quarter(values: pl.Series, column: Column) -> pl.Series:
    """The first day of a quarter written 2024K1 or 2024Q1."""
    return _each(_quarter, pl.String)(values, column).str.to_date("%Y-%m-%d")


def read_month(values: pl.Series, column: Column) -> pl.Series:
    """The first day of a month written 2024-01, 2024M01, 202401 or 2024-01-01 (what spreadsheets make of the first)."""
    return _each(_month, pl.String)(values, column).str.to_date("%Y-%m-%d")


def read_municipality(values: pl.Series, column: Column) -> pl.Series:
    """The 4-digit code of a municipality, or of a known place that is none (Christiansø, Greenland …).

    Code, name, or both together ("0860 Hjørring"), where they agree.
    """
    spellings = municipality_spellings()

    def one(value: str) -> str | None:
        normal = normalise_municipality(value)
        return spellings.get(normal) or (normal if normal in OUTSIDE_MUNICIPALITIES else None)

    def code(value: str) -> str | None:
        if both := re.fullmatch(r"(\d{3,4})[\s:–-]+(\D+)", value):
            return one(both[1]) if one(both[1]) == one(both[2]) else None
        return one(re.sub(r"^(\d+)[.,]0+$", r"\1", value))

    return _each(code, pl.String)(values, column)


def read_municipalities(values: pl.Series, column: Column) -> pl.Series:
    """Codes of several municipalities, parted by |; unreadable where any of them is unknown."""

    def codes(value: str) -> str | None:
        told = pl.Series([part.strip() for part in re.split(r"[|,;]", value) if part.strip()], dtype=pl.String)
        found = read_municipality(told, column)
        return None if found.is_null().any() or found.is_in(list(OUTSIDE_MUNICIPALITIES)).any() else "|".join(found)

    return _each(codes, pl.String)(values, column)


def read_area(values: pl.Series, column: Column) -> pl.Series:
    """A municipality's code as `read_municipality`; `total` for the country, regions and landsdele."""
    totals = re.compile(
        r"^(0?(00|8[1-5]|0[1-9]|1[01])|0|8[1-5]|hele landet|all denmark|.*region .*|landsdel .*|province .*)$"
    )
    municipality = read_municipality(values, column)
    total = _each(lambda value: "total" if totals.match(value.casefold()) else None, pl.String)(values, column)
    return total.zip_with(total.is_not_null(), municipality)


def read_named_area(values: pl.Series, column: Column) -> pl.Series:
    """An area as "level:code": a municipality, a region by name or code, or the whole country."""
    regions = {
        spelling.casefold(): f"region:{code}"
        for code, name in areas().filter(pl.col("level") == "region").select("area_code", "name").iter_rows()
        for spelling in (code, name)
    }
    larger = ("kkr", "cluster", "health_council", "municipality_group")
    named = areas().filter(pl.col("level").is_in(larger)).select("name", "level", "area_code").iter_rows()
    regions |= {name.casefold(): f"{level}:{code}" for name, level, code in named if name.casefold() not in regions}
    country = dict.fromkeys(("hele landet", "danmark", "all denmark", "000", "dk"), "country:DK")
    spellings = municipality_spellings()

    def area(value: str) -> str | None:
        code = spellings.get(normalise_municipality(value))
        known = country.get(value.casefold()) or regions.get(value.casefold())
        return known or (f"municipality:{code}" if code and code not in OUTSIDE_MUNICIPALITIES else None)

    return _each(area, pl.String)(values, column)


def read_period(values: pl.Series, column: Column) -> pl.Series:
    """The id of a year, quarter or month, as `kpis.period` writes it."""

    def period(value: str) -> str | None:
        try:
            return Period.from_id(
                value.upper().replace("M", "-") if re.fullmatch(r"\d{4}[mM]\d\d", value) else value
            ).id
        except ValueError:
            return None

    return _each(period, pl.String)(values, column)


def read_diagnosis(values: pl.Series, _: Column) -> pl.Series:
    """Rule C5: an SKS diagnosis (D, letter, two digits …) in upper case without dot; ICD-10 without the D gets it."""

    def normalise(distinct: pl.Series) -> pl.Series:
        code = distinct.str.replace(r"^(\(?[A-Za-z]{1,2}\d[0-9A-Za-z.]*)\)?[\s:,–-]+\S.*$", "$1")
        bare = code.str.to_uppercase().str.replace_all(r"[.\s()]", "")
        return pl.select(
            pl.when(bare.str.contains(r"^D[A-Z]\d{2}[0-9A-Z]{0,6}$"))
            .then(bare)
            .when(bare.str.contains(r"^[A-Z]\d{2}[0-9A-Z]{0,6}$"))
            .then("D" + bare)
        ).to_series()

    return by_distinct(values, normalise)


def read_phone(values: pl.Series, _: Column) -> pl.Series:
    """Eight digits, with or without +45 and blanks; written in pairs."""
    digits = values.str.replace_all(r"[\s\u00a0.-]", "").str.replace(r"^(\+|00)45", "").str.replace(r"\.0$", "")
    return pl.select(
        pl.when(digits.str.contains(r"^\d{8}$")).then(digits.str.replace(r"^(\d\d)(\d\d)(\d\d)(\d\d)$", "$1 $2 $3 $4"))
    ).to_series()


def read_indicator(values: pl.Series, column: Column) -> pl.Series:
    """The id of an indicator that exists."""
    known = load_indicators()
    return _each(lambda value: value if value in known else None, pl.String)(values, column)


def read_level(values: pl.Series, column: Column) -> pl.Series:
    """An area level, as its id or its Danish name."""
    words = {name: level for level, entry in CONTRACT["levels"].items() for name in (level, entry["da"].casefold())}
    return _each(lambda value: words.get(value.casefold()), pl.String)(values, column)


READERS: dict[str, Reader] = {
    "age": read_age,
    "age_group": read_age_group,
    "age_or_id": read_age_or_id,
    "area": read_area,
    "code": read_code,
    "date": read_date,
    "decimal": read_decimal,
    "diagnosis": read_diagnosis,
    "dimension": read_dimension,
    "end_of_day": read_end_of_day,
    "id": read_id,
    "indicator": read_indicator,
    "integer": read_integer,
    "level": read_level,
    "lpr2_id": read_lpr2_id,
    "month": read_month,
    "municipalities": read_municipalities,
    "municipality": read_municipality,
    "named_area": read_named_area,
    "period": read_period,
    "phone": read_phone,
    "quarter": read_quarter,
    "sex": read_sex,
    "sex_or_total": read_sex_or_total,
    "text": read_text,
    "timestamp": read_timestamp,
    "yes_no": read_yes_no,
}

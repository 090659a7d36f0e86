"""Slices of estimates as files for other tools. Command line, dashboard and API call `export`: the same bytes.

A file says itself what it is: columns with its scope, and in Parquet, Arrow and XLSX also the definition, the code
list, the SQL, the protection, the terms and a dictionary of its columns, to be read by
`select * from parquet_kv_metadata('file.parquet')` or on the sheets behind the figures. CSV has no place for that:
`description` is the file that belongs beside it. Parquet, Arrow and the international CSV have the names of columns
that programs use; what people open in a Danish Excel has headings in the reader's language, and the Danish CSV has
semicolons, decimal comma and a byte-order mark.
"""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, get_args

import polars as pl
import pyarrow as pa
import xlsxwriter

from kpis.area import MAPS
from kpis.catalogue import fingerprint, licence, table_schema, to_json
from kpis.evaluate import ESTIMATES, Query, QueryError, evaluate
from kpis.explanation import (
    codelist,
    column_headings,
    column_meanings,
    group_words,
    left_out,
    level_words,
    page_word,
    protection_words,
    status_words,
)
from kpis.indicator import Indicator, Language, load_indicators
from kpis.lineage import code_behind, statements_behind
from kpis.reference import CodeList
from kpis.release import Release
from kpis.slice import Slice

Format = Literal["parquet", "csv", "xlsx", "arrow"]
FORMATS: tuple[Format, ...] = get_args(Format)
Dialect = Literal["danish", "international"]
"""How CSV is written: for a Danish spreadsheet, or with commas, decimal points and the names that programs use."""
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
MEDIA_TYPES: Mapping[Format, str] = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "arrow": "application/vnd.apache.arrow.file",
}
MOST_SHEET_ROWS = 20_000
"""A workbook with more takes too long to write and to open; the other formats have no limit."""

_SCOPE: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("indicator_name", "unit", "level_name", "role", "group_name", "status_name"), pl.String),
    **dict.fromkeys(("map", "release", "protection"), pl.String),
    **dict.fromkeys(("is_standardised", "is_synthetic"), pl.Boolean),
    "indicator_version": pl.Int32,
}
COLUMNS = pl.Schema({name: ESTIMATES.get(name) or _SCOPE[name] for name in column_headings("da")})
"""The columns of every file of estimates, in their order; what each means stands in explanations.toml."""

# Decimals kept: more than any interval supports, fewer than could differ between processors.
_DECIMALS = 6
_LONGEST_CELL = 32_767  # that Excel opens


class File(NamedTuple):
    """A file ready to be stored or sent."""

    name: str
    media_type: str
    content: bytes


def export(
    release: Release, wanted: Slice, format: Format, language: Language = "da", dialect: Dialect = "danish"
) -> File:
    """The estimates of a slice as a file.

    The same release, slice, format, language and dialect (of CSV) give the same bytes. Raises QueryError for a
    workbook of more than 20,000 rows, and for what the counts cannot answer.
    """
    if format == "xlsx" and (n_rows := wanted.row_count(release)) > MOST_SHEET_ROWS:
        raise QueryError(
            f"{n_rows} rows are too many for a workbook, which may have {MOST_SHEET_ROWS}. "
            "Take Parquet or CSV, or fewer periods or areas."
        )
    table = export_table(release, wanted, language)
    content = write(table, format, language, export_metadata(release, wanted, language), dialect)
    return File(file_name(release, wanted, format), MEDIA_TYPES[format], content)


def description(
    release: Release,
    wanted: Slice,
    language: Language = "da",
    dialect: Dialect = "danish",
    name: str | None = None,
) -> File:
    """What belongs beside the CSV file of a slice: a data package (Frictionless) with its columns, checksum and facts.

    Programs that know the format read the CSV by it, people read it as text. The same request gives the same bytes.
    `name`: of the CSV file, where somebody gave it another.
    """
    file = export(release, wanted, "csv", language, dialect)
    file = file._replace(name=name or file.name)
    facts = _facts(release, wanted, language)
    headings = column_headings(language) if dialect == "danish" else {name: name for name in COLUMNS}
    schema = table_schema(
        {headings[name]: kind for name, kind in COLUMNS.items()},
        {headings[name]: title for name, title in column_headings(language).items()},
        {headings[name]: meaning for name, meaning in column_meanings(language).items()},
    )
    if dialect == "danish":
        schema["fields"] = [
            {**field, "decimalChar": ","} if field["type"] == "number" else field for field in schema["fields"]
        ]
    package = {
        "profile": "tabular-data-package",
        "name": file.name.removesuffix(".csv").lower().replace("+", "."),
        "id": facts["passport"],
        "title": facts["title"],
        "created": facts["release_created"],
        "licenses": [facts["licence"]],
        "resources": [
            {
                "profile": "tabular-data-resource",
                "name": "estimates",
                "path": file.name,
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "bytes": len(file.content),
                "hash": f"sha256:{fingerprint(file.content)}",
                "dialect": {"delimiter": ";" if dialect == "danish" else ","},
                "schema": schema,
            }
        ],
        "naerblik": {key: value for key, value in facts.items() if key != "columns"},
    }
    content = to_json(package, indent=1).encode() + b"\n"
    return File(file.name.removesuffix(".csv") + ".json", "application/json", content)


def export_rows(release: Release, rows: pl.DataFrame, name: str, format: Format, language: Language = "da") -> File:
    """Rows that are no estimates, such as potentials, as Parquet or CSV under the names of their columns."""
    table = rows.with_columns(
        pl.selectors.float().round(_DECIMALS),
        release=pl.lit(release.id),
        is_synthetic=pl.lit(bool(release.manifest["is_synthetic"])),
        protection=pl.lit(protection_words(release, language)),
    )
    facts = {
        "producer": "Nærblik",
        "release": release.id,
        "protection": to_json(release.manifest["protection"]),
        "licence": to_json(licence(language)),
    }
    if format == "csv":
        buffer = io.BytesIO()
        _write_csv(buffer, table, "danish")
        return File(f"{name}_{release.id}.csv", MEDIA_TYPES["csv"], buffer.getvalue())
    return File(f"{name}_{release.id}.{format}", MEDIA_TYPES[format], write(table, format, language, facts))


def export_table(release: Release, wanted: Slice, language: Language = "da") -> pl.DataFrame:
    """Estimates with their scope: the columns of explanations.toml, indicator by indicator, comparators last."""
    return pl.concat([_table(release, wanted, query, language) for query in wanted.queries(release)])


def _table(release: Release, wanted: Slice, query: Query, language: Language) -> pl.DataFrame:
    texts = query.indicator.texts(language)
    is_wanted = (pl.col("level") == wanted.level).alias("is_wanted")
    return (
        evaluate(release, query)
        .with_columns(
            pl.selectors.float().round(_DECIMALS),
            indicator_name=pl.lit(texts.short_name),
            unit=pl.lit(texts.unit),
            level_name=pl.col("level").replace_strict(level_words(language), return_dtype=pl.String),
            role=pl.when(is_wanted).then(pl.lit("area")).otherwise(pl.lit("comparator")),
            group_name=pl.col("group").replace(group_words(release, query, language)),
            status_name=pl.col("status").replace_strict(status_words(language), return_dtype=pl.String),
            is_standardised=pl.lit(query.standardised),
            map=pl.lit(wanted.map),
            indicator_version=pl.lit(query.indicator.version, dtype=pl.Int32),
            release=pl.lit(release.id),
            is_synthetic=pl.lit(bool(release.manifest["is_synthetic"])),
            protection=pl.lit(protection_words(release, language)),
        )
        .select(COLUMNS.names())
    )


def export_metadata(release: Release, wanted: Slice, language: Language = "da") -> dict[str, str]:
    """What a file says about itself; values that are not plain text are JSON.

    Of several indicators, what differs between them is a JSON object by indicator.
    """
    facts = _facts(release, wanted, language)
    return {key: value if isinstance(value, str) else to_json(value) for key, value in facts.items()}


def _facts(release: Release, wanted: Slice, language: Language) -> dict[str, Any]:
    indicators = [load_indicators()[name] for name in wanted.indicators]
    queries = wanted.queries(release)
    return {
        "title": "; ".join(item.texts(language).name for item in indicators),
        "producer": "Nærblik",
        "passport": wanted.passport(release),
        "slice": wanted.options,
        **about_release(release, language),
        "map": wanted.map,
        "indicator": "; ".join(wanted.indicators),
        **_told_once(indicators, [about_indicator(item) for item in indicators]),
        **_told_once(
            indicators,
            [
                {"is_standardised": one.standardised, "standard": one.indicator.standard if one.standardised else None}
                for one in queries
            ],
        ),
        "by": wanted.by,
        "confidence_level": queries[0].confidence,
        **about_counting(release, indicators),
        "columns": column_meanings(language),
    }


def _told_once(indicators: Sequence[Indicator], facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is the same for all indicators as it is, what differs as an object by indicator."""
    told = {}
    for key in facts[0]:
        values = [one[key] for one in facts]
        alike = all(value == values[0] for value in values)
        told[key] = values[0] if alike else {item.id: value for item, value in zip(indicators, values, strict=True)}
    return told


def about_release(release: Release, language: Language) -> dict[str, Any]:
    """What a release says of itself: its months, its protection, its terms, and a hash of what stands in its tables."""
    manifest = release.manifest
    return {
        "release": release.id,
        "release_created": str(manifest["created"]),
        "release_content": f"sha256:{fingerprint(to_json(manifest.get('content')).encode())}",
        "data_from": str(manifest["data_from"]),
        "as_of": str(manifest["as_of"]),
        "provisional_from": str(manifest["provisional_from"]),
        "is_synthetic": bool(manifest["is_synthetic"]),
        "protection": manifest["protection"],
        "licence": licence(language),
    }


def about_indicator(indicator: Indicator) -> dict[str, Any]:
    """The definition of an indicator with its version and codes."""
    counted = indicator.diagnoses.groups if indicator.diagnoses else ()
    return {
        "indicator_version": indicator.version,
        "definition": indicator.model_dump(mode="json"),
        "codelist": _codes(codelist(indicator), counted),
        "left_out": _codes(left_out(indicator)),
    }


def about_counting(release: Release, indicators: Sequence[Indicator]) -> dict[str, Any]:
    """The SQL and the hashes of the code that counted for indicators in a release."""
    manifest = release.manifest
    code = code_behind(manifest.get("code") or {}, *indicators)
    return {
        "sql": statements_behind(manifest.get("sql") or {}, *indicators),
        "code": {name: f"sha256:{fingerprint(text.encode())}" for name, text in code.items()},
        "code_version": str(manifest.get("code_version", "")),
    }


def _codes(codes: CodeList | None, keys: tuple[str, ...] | None = None) -> dict[str, Any] | None:
    """A code list with its groups of these keys, or all of them."""
    if codes is None:
        return None
    return {
        "id": codes.id,
        "version": codes.version,
        "source": codes.source,
        "confidence": codes.confidence,
        "groups": {
            group.key: {"prefixes": group.prefixes, "excluded_prefixes": group.excluded_prefixes}
            for group in codes.groups
            if keys is None or group.key in keys
        },
    }


def write(
    table: pl.DataFrame,
    format: Format,
    language: Language,
    metadata: Mapping[str, str],
    dialect: Dialect = "danish",
) -> bytes:
    """`table` as the bytes of a file; `metadata` goes into all but CSV, which has no place for it."""
    buffer = io.BytesIO()
    match format:
        case "parquet":
            table.write_parquet(buffer, metadata=dict(metadata))
        case "arrow":
            described = to_arrow(table).replace_schema_metadata(metadata)
            with pa.ipc.new_file(buffer, described.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as file:
                file.write_table(described)
        case "csv":
            headed = table.rename(column_headings(language)) if dialect == "danish" else table
            _write_csv(buffer, headed, dialect)
        case "xlsx":
            _write_workbook(buffer, table, language, metadata)
    return buffer.getvalue()


def to_arrow(table: pl.DataFrame) -> pa.Table:
    """A frame as an Arrow table of types that every reader knows."""
    return table.to_arrow(compat_level=pl.CompatLevel.oldest())


def _write_csv(buffer: io.BytesIO, table: pl.DataFrame, dialect: Dialect) -> None:
    is_danish = dialect == "danish"
    table.with_columns(as_plain_text()).write_csv(
        buffer,
        include_bom=is_danish,
        separator=";" if is_danish else ",",
        decimal_comma=is_danish,
        float_scientific=False,
    )


def _write_workbook(buffer: io.BytesIO, table: pl.DataFrame, language: Language, metadata: Mapping[str, str]) -> None:
    """Typed cells under a frozen head; then what each column means, and what the file is."""
    headings, meanings = column_headings(language), column_meanings(language)
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        # The time of the release and not of the download: the same request gives the same bytes.
        created = datetime.fromisoformat(metadata["release_created"]).astimezone(UTC).replace(tzinfo=None)
        book.set_properties({"title": metadata["title"], "author": metadata["producer"], "created": created})
        bold, wrapped = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        formats: dict[Any, xlsxwriter.format.Format] = {
            pl.Date: day,
            pl.Float64: book.add_format({"num_format": "#,##0.00"}),
        }
        figures = book.add_worksheet(page_word("sheet_figures", language))
        figures.freeze_panes(1, 0)
        figures.autofilter(0, 0, max(table.height, 1), table.width - 1)
        for place, (column, kind) in enumerate(table.schema.items()):
            longest = table.select(pl.col(column).cast(pl.String).str.len_chars().max()).item() or 0
            figures.set_column(place, place, min(max(len(headings[column]), longest) + 2, 40), formats.get(kind))
            figures.write_string(0, place, headings[column], bold)
            for row, value in enumerate(table[column], start=1):
                if value is not None and value != "":
                    figures.write(row, place, value)
        dictionary = [(headings[key], meanings[key]) for key in table.columns]
        for name, head, pairs in (
            ("sheet_columns", ("column", "meaning_of_column"), dictionary),
            ("sheet_about", ("fact", "content"), list(metadata.items())),
        ):
            sheet = book.add_worksheet(page_word(name, language))
            sheet.set_column(0, 0, 24)
            sheet.set_column(1, 1, 100, wrapped)
            # What is too long for a cell goes on in the next row.
            cells = [(key, part) for key, text in pairs for part in _in_parts(text, _LONGEST_CELL)]
            for row, pair in enumerate(((page_word(head[0], language), page_word(head[1], language)), *cells)):
                for place, text in enumerate(pair):
                    sheet.write_string(row, place, text, bold if row == 0 else None)


def _in_parts(text: str, longest: int) -> list[str]:
    return [text[start : start + longest] for start in range(0, max(len(text), 1), longest)]


def file_name(release: Release, wanted: Slice, format: Format) -> str:
    """indicator_level_period_release.format, with only what is safe in any file system."""
    ids, periods = wanted.indicators, [period.id for period in wanted.periods]
    within = wanted.within
    place = wanted.level if within is None else f"{wanted.level}-{within.slug or within.level}"
    variants = [
        *([f"by-{wanted.by}"] if wanted.by else []),
        *(["standardised"] if wanted.is_standardised else []),
        *([f"map-{wanted.map}"] if wanted.map != MAPS[0] else []),
    ]
    parts = [
        "+".join(ids) if len(ids) < 3 else f"{len(ids)}-indicators",
        place,
        periods[0] if len(periods) == 1 else f"{periods[0]}--{periods[-1]}",
        *variants,
        release.id,
    ]
    return "_".join(parts) + f".{format}"


def as_plain_text() -> pl.Expr:
    """Text as a spreadsheet should take it: an apostrophe before what looks like a formula, empty as empty."""
    return pl.selectors.string().str.replace(r"^([=+\-@\t\r])", "'$1").replace("", None)

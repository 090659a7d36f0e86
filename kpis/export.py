"""Estimates as files for other tools. Command line and dashboard call `export`, so their files are the same bytes.

A file says itself what it is: columns with its scope, and in Parquet and XLSX also the definition, the code list,
the protection and a dictionary of its columns (`select * from parquet_kv_metadata('file.parquet')`, the sheets behind
the figures). Parquet keeps the column names of `ESTIMATES`; CSV and XLSX, which people open in a Danish Excel, have
headings in the reader's language, and CSV semicolons, decimal comma and a byte-order mark.
"""

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, get_args

import polars as pl
import xlsxwriter

from kpis.area import MAPS
from kpis.evaluate import Query, QueryError, evaluate
from kpis.explanation import codelist, column_headings, column_meanings, left_out, page_word
from kpis.indicator import Language
from kpis.protection import in_short
from kpis.reference import CodeList
from kpis.release import Release

Format = Literal["parquet", "csv", "xlsx"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: Mapping[Format, str] = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MOST_SHEET_ROWS = 20_000
"""A workbook with more takes too long to write and to open; Parquet and CSV have no limit."""

# Decimals kept: more than any interval supports, fewer than could differ between processors.
_DECIMALS = 6
_LONGEST_CELL = 32_767  # that Excel opens


class File(NamedTuple):
    """A file ready to be stored or sent."""

    name: str
    media_type: str
    content: bytes


def export(release: Release, query: Query | Sequence[Query], format: Format, language: Language = "da") -> File:
    """The estimates of one query, or of several under each other, as a file.

    The same release, queries, format and language give the same bytes. Raises QueryError for a workbook of more than
    20,000 rows.
    """
    queries = _listed(query)
    if format == "xlsx" and (n_rows := row_count(queries)) > MOST_SHEET_ROWS:
        raise QueryError(
            f"{n_rows} rows are too many for a workbook, which may have {MOST_SHEET_ROWS}. "
            "Take Parquet or CSV, or fewer periods or areas."
        )
    table = export_table(release, queries, language)
    content = write(table, format, language, export_metadata(release, queries, language))
    return File(file_name(release, queries, format), MEDIA_TYPES[format], content)


def export_rows(release: Release, rows: pl.DataFrame, name: str, format: Format) -> File:
    """Rows that are no estimates, such as potentials, as Parquet or CSV under the names of their columns."""
    table = rows.with_columns(
        pl.selectors.float().round(_DECIMALS),
        release=pl.lit(release.id),
        is_synthetic=pl.lit(bool(release.manifest["is_synthetic"])),
        protection=pl.lit(in_short(release)),
    )
    buffer = io.BytesIO()
    if format == "parquet":
        facts = {"producer": "Nærblik", "release": release.id, "protection": _json(release.manifest["protection"])}
        table.write_parquet(buffer, metadata=facts)
    else:
        plain = table.with_columns(_as_plain_text())
        plain.write_csv(buffer, include_bom=True, separator=";", decimal_comma=True, float_scientific=False)
    return File(f"{name}_{release.id}.{format}", MEDIA_TYPES[format], buffer.getvalue())


def row_count(query: Query | Sequence[Query]) -> int:
    """How many rows the file of the queries has, without evaluating them."""
    return sum(len(item.areas) * len(item.periods) * len(item.groups) for item in _listed(query))


def export_table(release: Release, query: Query | Sequence[Query], language: Language = "da") -> pl.DataFrame:
    """Estimates with their scope: the columns of explanations.toml, rows in the order of the queries."""
    return pl.concat([_table(release, item, language) for item in _listed(query)])


def _listed(query: Query | Sequence[Query]) -> Sequence[Query]:
    return [query] if isinstance(query, Query) else query


def _table(release: Release, query: Query, language: Language) -> pl.DataFrame:
    texts = query.indicator.texts(language)
    maps = {(area.level, area.code): area.map_id for area in query.areas}
    estimates = evaluate(release, query)
    return estimates.with_columns(
        pl.selectors.float().round(_DECIMALS),
        indicator_name=pl.lit(texts.short_name),
        unit=pl.lit(texts.unit),
        is_standardised=pl.lit(query.standardised),
        map=pl.Series([maps[key] for key in estimates.select("level", "area_code").iter_rows()], dtype=pl.String),
        indicator_version=pl.lit(query.indicator.version, dtype=pl.Int32),
        release=pl.lit(release.id),
        is_synthetic=pl.lit(bool(release.manifest["is_synthetic"])),
        protection=pl.lit(in_short(release)),
    ).select(list(column_headings(language)))


def export_metadata(release: Release, query: Query | Sequence[Query], language: Language = "da") -> dict[str, str]:
    """What a file says about itself; values that are not plain text are JSON.

    Of several queries, what differs between them is a JSON object by indicator.
    """
    queries = _listed(query)
    ids = [item.indicator.id for item in queries]
    facts = [_facts(release, item, language) for item in queries]
    together = {key: [item[key] for item in facts] for key in facts[0]}
    together |= {key: ["; ".join(together[key])] for key in ("title", "indicator")}
    told = {
        key: values[0] if all(value == values[0] for value in values) else dict(zip(ids, values, strict=True))
        for key, values in together.items()
    }
    return {key: value if isinstance(value, str) else _json(value) for key, value in told.items()}


def _facts(release: Release, query: Query, language: Language) -> dict[str, Any]:
    indicator, manifest = query.indicator, release.manifest
    counted = indicator.diagnoses.groups if indicator.diagnoses else ()
    return {
        "title": indicator.texts(language).name,
        "producer": "Nærblik",
        "release": release.id,
        "release_created": str(manifest["created"]),
        "data_from": str(manifest["data_from"]),
        "as_of": str(manifest["as_of"]),
        "provisional_from": str(manifest["provisional_from"]),
        "is_synthetic": bool(manifest["is_synthetic"]),
        "protection": manifest["protection"],
        "map": sorted({area.map_id for area in query.areas}),
        "indicator": indicator.id,
        "indicator_version": indicator.version,
        "definition": indicator.model_dump(mode="json"),
        "codelist": _codes(codelist(indicator), counted),
        "left_out": _codes(left_out(indicator)),
        "by": query.by,
        "is_standardised": query.standardised,
        "standard": indicator.standard if query.standardised else None,
        "confidence_level": query.confidence,
        "columns": column_meanings(language),
    }


def _codes(codes: CodeList | None, keys: Sequence[str] | None = None) -> dict[str, Any] | None:
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


def write(table: pl.DataFrame, format: Format, language: Language, metadata: Mapping[str, str]) -> bytes:
    """`table` as the bytes of a file; `metadata` goes into Parquet and XLSX, for CSV has no place for it."""
    buffer = io.BytesIO()
    match format:
        case "parquet":
            table.write_parquet(buffer, metadata=dict(metadata))
        case "csv":
            headed = table.with_columns(_as_plain_text()).rename(column_headings(language))
            headed.write_csv(buffer, include_bom=True, separator=";", decimal_comma=True, float_scientific=False)
        case "xlsx":
            _write_workbook(buffer, table, language, metadata)
    return buffer.getvalue()


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


def file_name(release: Release, query: Query | Sequence[Query], format: Format) -> str:
    """indicator_area_period_release.format, with only what is safe in any file system."""
    queries = _listed(query)
    first = queries[0]
    ids = [item.indicator.id for item in queries]
    indicators = "+".join(ids) if len(ids) < 3 else f"{len(ids)}-indicators"
    levels = list(dict.fromkeys(area.level for area in first.areas))
    area = first.areas[0].slug if len(first.areas) == 1 else "-".join(levels)
    periods = [period.id for period in first.periods]
    period = periods[0] if len(periods) == 1 else f"{periods[0]}--{periods[-1]}"
    variants = [
        *([f"by-{first.by}"] if first.by else []),
        *(["standardised"] if any(item.standardised for item in queries) else []),
        *([f"map-{first.areas[0].map_id}"] if first.areas[0].map_id != MAPS[0] else []),
    ]
    return "_".join([indicators, area or levels[0], period, *variants, release.id]) + f".{format}"


def _as_plain_text() -> pl.Expr:
    """Text as a spreadsheet should take it: an apostrophe before what looks like a formula, empty as empty."""
    return pl.selectors.string().str.replace(r"^([=+\-@\t\r])", "'$1").replace("", None)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)

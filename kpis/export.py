"""Estimates as files for other tools. Command line and dashboard call `export`, so their files are the same bytes.

A file says itself what it is: columns with its scope, and in Parquet also the definition, the code list, the
protection and a dictionary of its columns as metadata (`select * from parquet_kv_metadata('file.parquet')`).
Parquet keeps the column names of `ESTIMATES`; CSV, which people open in a Danish Excel, has headings in the
reader's language, semicolons, decimal comma and a byte-order mark.
"""

import io
import json
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import polars as pl

from kpis.area import MAPS
from kpis.evaluate import Query, evaluate
from kpis.explanation import codelist, column_headings, column_meanings
from kpis.indicator import Language
from kpis.release import Release

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: Mapping[Format, str] = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv; charset=utf-8"}

# Decimals kept: more than any interval supports, fewer than could differ between processors.
_DECIMALS = 6


class File(NamedTuple):
    """A file ready to be stored or sent."""

    name: str
    media_type: str
    content: bytes


def export(release: Release, query: Query, format: Format, language: Language = "da") -> File:
    """The estimates of `query` as a file. The same release, query, format and language give the same bytes."""
    content = write(export_table(release, query, language), format, language, export_metadata(release, query, language))
    return File(file_name(release, query, format), MEDIA_TYPES[format], content)


def export_table(release: Release, query: Query, language: Language = "da") -> pl.DataFrame:
    """Estimates with their scope: the columns of explanations.toml, rows in the order of the query."""
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
    ).select(list(column_headings(language)))


def export_metadata(release: Release, query: Query, language: Language = "da") -> dict[str, str]:
    """What a file says about itself; values that are not plain text are JSON."""
    codes = codelist(query.indicator)
    manifest = release.manifest
    return {
        "title": query.indicator.texts(language).name,
        "producer": "Nærblik",
        "release": release.id,
        "release_created": str(manifest["created"]),
        "data_from": str(manifest["data_from"]),
        "as_of": str(manifest["as_of"]),
        "provisional_from": str(manifest["provisional_from"]),
        "is_synthetic": json.dumps(manifest["is_synthetic"]),
        "protection": _json(manifest["protection"]),
        "map": _json(sorted({area.map_id for area in query.areas})),
        "indicator": query.indicator.id,
        "indicator_version": str(query.indicator.version),
        "definition": query.indicator.model_dump_json(),
        "codelist": _json(
            {
                "id": codes.id,
                "version": codes.version,
                "source": codes.source,
                "confidence": codes.confidence,
                "groups": {
                    group.key: {"prefixes": group.prefixes, "excluded_prefixes": group.excluded_prefixes}
                    for group in codes.groups
                    if query.indicator.diagnoses and group.key in query.indicator.diagnoses.groups
                },
            }
            if codes
            else None
        ),
        "by": _json(query.by),
        "is_standardised": json.dumps(query.standardised),
        "standard": _json(query.indicator.standard if query.standardised else None),
        "confidence_level": str(query.confidence),
        "columns": _json(column_meanings(language)),
    }


def write(table: pl.DataFrame, format: Format, language: Language, metadata: Mapping[str, str]) -> bytes:
    """`table` as the bytes of a file; `metadata` goes into Parquet only, for CSV has no place for it."""
    buffer = io.BytesIO()
    if format == "parquet":
        table.write_parquet(buffer, metadata=dict(metadata))
    else:
        headed = table.with_columns(_as_plain_text()).rename(column_headings(language))
        headed.write_csv(buffer, include_bom=True, separator=";", decimal_comma=True, float_scientific=False)
    return buffer.getvalue()


def file_name(release: Release, query: Query, format: Format) -> str:
    """indicator_area_period_release.format, with only what is safe in any file system."""
    levels = list(dict.fromkeys(area.level for area in query.areas))
    area = query.areas[0].slug if len(query.areas) == 1 else "-".join(levels)
    periods = [period.id for period in query.periods]
    period = periods[0] if len(periods) == 1 else f"{periods[0]}--{periods[-1]}"
    variants = [
        *([f"by-{query.by}"] if query.by else []),
        *(["standardised"] if query.standardised else []),
        *([f"map-{query.areas[0].map_id}"] if query.areas[0].map_id != MAPS[0] else []),
    ]
    return "_".join([query.indicator.id, area or levels[0], period, *variants, release.id]) + f".{format}"


def _as_plain_text() -> pl.Expr:
    """Text as a spreadsheet should take it: an apostrophe before what looks like a formula, empty as empty."""
    return pl.selectors.string().str.replace(r"^([=+\-@\t\r])", "'$1").replace("", None)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)

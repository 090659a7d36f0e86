"""Lines that are no rows of the table, in text and on sheets: blank ones, totals, and notes under the table."""

import re

import polars as pl

from etl.delivery.opened import ROW_BITS, Delivery
from etl.source import fold
from kpis.reference import municipality_spellings, normalise_municipality

TOTAL_WORDS = ["i alt", "ialt", "total", "totalt", "sum", "samlet", "hovedtotal"]
LONGEST_TOTAL_WORD = 16  # with the blanks around it
HAVE_TOTALS = ("population", "statbank", "esundhed", "generic_long", "baseline")  # where a total is a row like others


def numbered(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    """The rows with their numbers, from `first` on, as column `row`."""
    return frame.with_columns(pl.int_range(first, first + frame.height, dtype=pl.Int64).alias("row"))


def without_blank_lines(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows without those in which nothing stands."""
    starts_blank = rows[rows.columns[0]].cast(pl.String).str.strip_chars() == ""
    if not starts_blank.any():
        return rows
    return rows.filter(~pl.all_horizontal(pl.exclude("row").cast(pl.String).str.strip_chars() == ""))


def without_totals_and_notes(rows: pl.DataFrame, delivery: Delivery) -> pl.DataFrame:
    """The rows without those that people write under a table; each is named in the findings."""
    first, *others = (name for name in rows.columns if name != "row")

    def text(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.String).fill_null("")

    has_totals = delivery.fit.source.kind in HAVE_TOTALS
    is_suspect = pl.lit(False) if has_totals else text(first).str.len_bytes() <= LONGEST_TOTAL_WORD
    if len(others) > 1:
        is_suspect = is_suspect | pl.all_horizontal(text(name) == "" for name in others[:2])
    suspects = rows.filter(is_suspect)
    is_total = text(first).str.strip_chars().str.to_lowercase().is_in([] if has_totals else TOTAL_WORDS)
    is_lonely = pl.all_horizontal(text(name).str.strip_chars() == "" for name in others)
    suspects = suspects.filter(is_total | is_lonely) if len(others) > 1 else suspects.filter(is_total)
    left_out = []
    for row in suspects.iter_rows(named=True):
        word = (row[first] or "").strip()
        if not has_totals and fold(word) in TOTAL_WORDS:
            delivery.leave_out(row["row"] % (1 << ROW_BITS), "D4-fields.total", word=word)
        elif is_note(word):
            delivery.leave_out(row["row"] % (1 << ROW_BITS), "D4-fields.note")
        else:
            continue
        left_out.append(row["row"])
    return rows.filter(~pl.col("row").is_in(left_out)) if left_out else rows


def is_note(text: str) -> bool:
    """Whether a lonely cell is words, not a broken row or an id."""
    return bool(re.search(r"[^\W\d_]{3}", text)) and normalise_municipality(text) not in municipality_spellings()

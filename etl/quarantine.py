"""Rows that were held back, one by one: for whoever has to mend them, without showing a person."""

import re

import polars as pl

from etl.delivery.opened import ROW_BITS
from etl.finding import Finding
from etl.land import Landed
from etl.typed import HIDDEN_NUMBER
from etl.warehouse import VIEWS, Warehouse

# One row for each row that was held back. `column` and `value` are null where the rule is about the whole row, and
# beyond the number of findings that a file's report keeps. `value` is as delivered, with persons masked.
QUARANTINE = pl.Schema({"file": pl.String, "row": pl.Int64, "column": pl.String, "rule": pl.String, "value": pl.String})
PERSON_NUMBER = re.compile(r"(?<!\d)\d{6}[- ]?\d{4}(?!\d)")


def mask(text: str) -> str:
    """The text with everything that looks like a person number hidden; longer numbers (contact ids) stay."""
    return PERSON_NUMBER.sub(HIDDEN_NUMBER, text)


def quarantined(warehouse: Warehouse) -> pl.DataFrame:
    """sha256, row and rule of everything held back in the history; needs `judge_reports` or `build` to have run.

    Contacts are judged on their newest report, so that a bad row that was corrected since is not among them.
    """
    others = [view for kind, view in VIEWS.items() if kind not in ("lpr_contacts", "deaths_of_contacts")]
    selects = [f'select delivery, "row", rule from {view} where rule is not null' for view in others]
    of_others = warehouse.query(
        f'select sha256, "row"::bigint as "row", rule from ({" union all ".join(selects)}) '
        "inner join delivery using (delivery)"
    )
    return pl.concat([warehouse.held_back.drop("n"), of_others]).with_columns(pl.col("row") % (1 << ROW_BITS))


def held_back(rows: pl.DataFrame, landed: list[Landed]) -> pl.DataFrame:
    """The rows of `quarantined` that belong to these files, with the columns of QUARANTINE, in order."""
    frames = [pl.DataFrame(schema=QUARANTINE)]
    for file in landed:
        of_file = rows.filter(pl.col("sha256") == file.sha256)
        told = pl.DataFrame(
            [(f.row, f.column, f.rule, _found(f)) for f in file.findings if f.row is not None],
            schema={"row": pl.Int64, "column": pl.String, "rule": pl.String, "value": pl.String},
            orient="row",
        )
        lines = told.filter(pl.col("rule") == "D4-fields")  # never became rows, so that only the finding knows them
        first_told = told.unique(["row", "rule"], keep="first", maintain_order=True)
        known = of_file.join(first_told, on=["row", "rule"], how="left").select("row", "column", "rule", "value")
        frames.append(pl.concat([known, lines]).select(pl.lit(mask(file.file)).alias("file"), pl.all()))
    return pl.concat(frames).sort("file", "row", "rule", nulls_last=True)


def _found(finding: Finding) -> str | None:
    """The value that a finding's sentence quotes."""
    quoted = re.search(r"“(.*?)”", finding.en)
    return mask(quoted[1]) if quoted else None

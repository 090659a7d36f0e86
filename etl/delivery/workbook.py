"""Tables on the sheets of Excel workbooks."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from etl.delivery.excel import Sheet, read_workbook
from etl.delivery.headers import ROWS_LOOKED_AT, refusal, refuse_header_twice
from etl.delivery.lines import numbered, without_totals_and_notes
from etl.delivery.opened import COLUMN_BITS, ROW_BITS, Delivery
from etl.file import DeliveredFile, shown
from etl.finding import Finding, Refused
from etl.source import Recognised, Unknown, recognise
from etl.words import together, told

DECIMAL_DOT = r"^(-?[1-9]\d{0,2}(?:\.\d{3})+)$"


def open_excel(file: DeliveredFile) -> Delivery:
    """All visible sheets whose headers are recognised, which must be of one kind; hidden sheets are never read."""
    sheets = read_workbook(file.read())
    tables, missed = [], []
    for sheet in sheets:
        found = _find_table(sheet, file.names) if sheet.is_visible else None
        tables += [found] if isinstance(found, _Table) else []
        missed += [found] if isinstance(found, _Missed) else []
    if not tables:
        nearest = min(missed, key=lambda miss: miss.fit.distance, default=None)
        refused = refusal(nearest.fit, nearest.header_row + 1) if nearest else Refused("D2-unknown.sheets")
        refused.findings += [_hidden(sheet) for sheet in sheets if not sheet.is_visible]
        raise refused
    if len({table.fit.source.id for table in tables}) > 1:
        kinds = [told("D8-sheets.one", title=t.fit.source.title, sheet=shown(t.sheet.name)) for t in tables]
        raise Refused("D8-sheets", kinds=together(kinds, ", "))
    for table in tables:
        refuse_header_twice(table.headers, table.header_row + 1)
        _refuse_empty_formulas(table.sheet)
    source = tables[0].fit.source
    read_names = {table.sheet.name for table in tables}
    findings = [_hidden(sheet) for sheet in sheets if not sheet.is_visible] + [
        Finding.of("D8-sheet", sheet=shown(sheet.name))
        for sheet in sheets
        if sheet.is_visible and sheet.name not in read_names and not sheet.cells.is_empty()
    ]
    delivery = _excel_delivery(file, tables, findings)
    if all(_body(table).is_empty() for table in tables):
        if source.kind == "services_template":
            raise Refused("T0-blank", sheet=shown(tables[0].sheet.name))
        raise Refused("D1-empty.rows")
    return delivery


class _Table(NamedTuple):
    """A table on a sheet: where its header is, and what the headers are."""

    sheet: Sheet
    header_row: int  # from 0
    headers: list[str]
    fit: Recognised


class _Missed(NamedTuple):
    """The row of a sheet that comes nearest to headers."""

    header_row: int  # from 0
    fit: Unknown


def _hidden(sheet: Sheet) -> Finding:
    return Finding.of("D8-hidden", sheet=shown(sheet.name))


def _find_table(sheet: Sheet, name: str) -> _Table | _Missed | None:
    """The first row that is the header of something known; else the row that comes nearest to one."""
    nearest: _Missed | None = None
    for header_row in range(min(ROWS_LOOKED_AT, sheet.cells.height)):
        headers = [str(cell).strip() if cell is not None else "" for cell in sheet.cells.row(header_row)]
        if sum(bool(header) for header in headers) < 2:
            continue
        fit = recognise(headers, name)
        if isinstance(fit, Recognised):
            return _Table(sheet, header_row, headers, fit)
        if nearest is None or fit.distance < nearest.fit.distance:
            nearest = _Missed(header_row, fit)
    return nearest


def _refuse_empty_formulas(sheet: Sheet) -> None:
    if sheet.formulas_without_value:
        first, n = sheet.formulas_without_value[0], len(sheet.formulas_without_value)
        raise Refused("D8-formula", column=first, cell=first, sheet=shown(sheet.name), n=n)


def _body(table: _Table) -> pl.DataFrame:
    """The cells under the header as text, without blank rows; columns are the headers, and `row`."""
    body = table.sheet.cells.slice(table.header_row + 1)
    columns = [body.to_series(at).cast(pl.String).alias(header) for at, header in enumerate(table.headers) if header]
    frame = numbered(pl.DataFrame(columns), table.header_row + 2)
    return frame.filter(~pl.all_horizontal(pl.exclude("row").fill_null("").str.strip_chars() == ""))


def _excel_delivery(file: DeliveredFile, tables: list[_Table], findings: list[Finding]) -> Delivery:
    fit = tables[0].fit
    is_untitled = bool(fit.years) and "indicator" not in fit.header_of
    if is_untitled:
        fit = replace(fit, header_of=fit.header_of | {"indicator": "indicator"})
    decimals = [column.name for column in fit.source.columns if column.type == "decimal"]

    def read(delivery: Delivery) -> Iterator[pl.DataFrame]:
        for number, table in enumerate(tables):
            here = table.fit
            body = without_totals_and_notes(_body(table), delivery)
            if is_untitled:
                body = body.with_columns(pl.lit(_title(table)).alias("indicator"))
                here = replace(here, header_of=here.header_of | {"indicator": "indicator"})
            # the same column may stand under another spelling, or not at all, on another sheet
            stands_as = {header: here.header_of.get(name) for name, header in fit.header_of.items()}
            stands_as |= {header: here.clock_of.get(name) for name, header in fit.clock_of.items()}
            stands_as |= {year: year for year in fit.years}
            wanted = [
                (pl.col(there) if there in body.columns else pl.lit(None, dtype=pl.String)).alias(header)
                for header, there in stands_as.items()
                if not (fit.years and header in ("period", "value"))
            ]
            frame = body.select(*wanted, pl.col("row") + (number << (ROW_BITS + COLUMN_BITS)))
            # a number in a cell is written with a decimal dot here, never with dots between thousands
            numbers = {fit.header_of[name] for name in decimals if name in fit.header_of} | set(fit.years)
            yield frame.with_columns(
                pl.col(name).str.replace(DECIMAL_DOT, "${1}0") for name in numbers & set(frame.columns)
            )

    names = tuple(table.sheet.name for table in tables)
    return Delivery(file, file.sha256(), fit, read, findings, sheets=names, letters=tuple(map(_letters_of, tables)))


def _letters_of(table: _Table) -> dict[str, str]:
    """Canonical column or year → the letters of its column on the sheet."""
    stands = {
        name: table.headers.index(header) for name, header in table.fit.header_of.items() if header in table.headers
    }
    stands |= {year: table.headers.index(year) for year in table.fit.years}
    return {name: _letters(at) for name, at in stands.items()}


def _title(table: _Table) -> str:
    """What stands above the table: the first words on the sheet, else the sheet's name."""
    above = (cell for row in table.sheet.cells.head(table.header_row).iter_rows() for cell in row if cell)
    return next((str(cell).strip() for cell in above), table.sheet.name)


def _letters(at: int) -> str:
    """The letters of a column, counted from 0: A … Z, AA …"""
    return (_letters(at // 26 - 1) if at >= 26 else "") + chr(ord("A") + at % 26)

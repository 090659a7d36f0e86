"""The twins of an overview's drawings: every indicator as a table with its files, and month by month."""

from typing import Any

from dash import html

from dashboard import files, sentence
from dashboard.components.attributes import aria
from dashboard.components.markup import Tag
from dashboard.components.table import Row, data_table
from dashboard.components.verdict import verdict_text
from dashboard.pages.overview.scope import Line, OverviewScope, process_of
from dashboard.pages.scope import period_text
from dashboard.readings import latest_period, process_months
from dashboard.words import Words, load_words
from kpis.area import Map
from kpis.export import Format
from kpis.indicator import Language, find_indicator
from kpis.period import Period
from kpis.release import Release, per_release


def numbers(lines: list[Line], scope: OverviewScope) -> html.Details:
    """Return every indicator of the area as a table with its files: the twin of the drawings, and more."""
    return html.Details(
        [
            html.Summary(scope.words("overview.more", count=len(lines), area=scope.name)),
            numbers_table(lines, scope, has_files=True),
        ],
        open=scope.selection.view == "table",
        className="numbers",
    )


def numbers_table(lines: list[Line], scope: OverviewScope, has_files: bool = False) -> html.Div:
    """Return indicators of the area as a table, with their files where they are asked for."""
    words, files_of = scope.words, (scope.peer_level, scope.selection.map, scope.words.lang)
    rows = [
        Row(
            [
                html.A(line.texts.short_name, href=scope.selection.on_page("compare", line.indicator.id).to_url()),
                html.Span(_unit_and_year(line, scope), className="unit"),
            ],
            [
                sentence.value_text(line.own, line.own_digits, words),
                sentence.interval_text(line.own, line.own_digits, words),
                *([sentence.value_text(line.group, line.digits, words)] if line.group else []),
                sentence.value_text(line.country, line.digits, words),
                verdict_text(line.verdict.verdict, words),
                *([_files(scope.release, line.indicator.id, *files_of)] if has_files else []),
            ],
        )
        for line in lines
    ]
    columns = [
        words("overview.column_indicator"),
        words("overview.col_value"),
        words("overview.col_interval"),
        *([scope.group.name] if scope.group else []),
        words("overview.col_country"),
        words("overview.col_verdict"),
        *([words("overview.col_files")] if has_files else []),
    ]
    caption = words("overview.table_caption", area=scope.name, period=period_text(scope.period, words))
    return data_table(caption, columns, rows, numeric=(0, 1, 2, 3) if scope.group else (0, 1, 2))


def _unit_and_year(line: Line, scope: OverviewScope) -> str:
    """Return the unit, and the period where it is not that of the whole table."""
    period = scope.period_of(line.indicator)
    return line.texts.unit if period == scope.period else f"{line.texts.unit} · {period_text(period, scope.words)}"


def months(lines: list[Line], scope: OverviewScope) -> html.Details:
    """Return the table behind the month by month drawings: newest month first, one column an indicator."""
    words = scope.words
    shown = [list(process_of(line.indicator, scope).months.iter_rows(named=True))[::-1] for line in lines]
    rows = [
        Row(
            words.month(of_lines[0]["month"])
            + (f" ({words('overview.provisional')})" if of_lines[0]["is_provisional"] else ""),
            [_month_text(month, line, words) for line, month in zip(lines, of_lines, strict=True)],
        )
        for of_lines in zip(*shown, strict=True)
    ]
    columns = [words("overview.column_month"), *(line.texts.short_name for line in lines)]
    caption = words("overview.months_caption", area=scope.name)
    table = data_table(caption, columns, rows, numeric=range(len(lines)))
    note = html.P(words("overview.months_note"), className="quiet small")
    return html.Details([html.Summary(caption), note, table])


def _month_text(month: dict[str, Any], line: Line, words: Words) -> str:
    """Return the value as counted, and behind it the seasonally adjusted one that is drawn, where they differ."""
    counted = sentence.value_text(month, line.own_digits, words)
    if month["value"] is None or month["adjusted"] is None or line.indicator.kind != "rate":
        return counted
    return f"{counted} ({words.number(month['adjusted'], line.own_digits)})"


@per_release
def _files(release: Release, indicator_id: str, level: str, map_id: Map, lang: Language) -> Tag:
    """Return links to what a row and its drawings show: the period in both formats, and the months."""
    words, indicator, months = load_words(lang), find_indicator(indicator_id), process_months(release)
    period = latest_period(release, indicator_id)
    offered: list[tuple[str, Format, tuple[Period, ...], bool]] = [
        *((name, kind, (period,), indicator.can_be_standardised) for kind, name in files.KINDS.items()),
        (words("overview.months", count=len(months)), "parquet", months, False),
    ]
    links: list[Any] = []
    for name, kind, periods, standardised in offered:
        href = files.address(release, indicator_id, kind, level, periods, standardised, map_id, lang)
        label = words("figure.files_of", name=indicator.texts(lang).short_name, format=name)
        links += [" ", Tag("a", name, href=href, download="", **aria(label=label))]
    return Tag("span", links[1:])

"""Data: put a slice together, see its first rows, take it as a file, and keep the recipe that makes it again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl
from dash import html

from dashboard import sentence
from dashboard.components.attributes import aria
from dashboard.components.controls import Option, segments, select
from dashboard.components.table import Row, data_table
from dashboard.files import DESCRIPTION, slice_address
from dashboard.pages import Body
from dashboard.readings import last_month, slice_changes
from dashboard.selection import Catalogue, Selection, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import MAPS, levels
from kpis.catalogue import fingerprint
from kpis.explanation import column_headings, column_meanings
from kpis.export import MOST_SHEET_ROWS, Dialect, Format, export, export_table, file_name
from kpis.indicator import FOCUS_AREAS, Language, load_indicators
from kpis.news import method_changes
from kpis.period import GRAINS, Grain, add_months, months_between, periods_between
from kpis.query import Query, QueryError
from kpis.release import Release, per_release
from kpis.slice import Slice

KINDS: dict[Format, str] = {"parquet": "Parquet", "csv": "CSV", "xlsx": "Excel", "arrow": "Arrow"}
PREVIEW_ROWS = 8
MOST_SUMMED = 40_000
"""Rows up to which a page works out the checksum; of larger files it stands in the answer itself (ETag)."""
MOST_COMPARED = 4_000
MOST_CHANGES = 8
_PREVIEW = (
    "indicator",
    "area_code",
    "area_name",
    "role",
    "period",
    "numerator",
    "denominator",
    "value",
    "lower",
    "upper",
    "status",
)
_GROUP_LEVELS = ("region", "kkr", "health_council", "cluster", "municipality_group", "municipality")
_DEFAULT_GRAIN: Grain = "quarter"


@dataclass(frozen=True)
class _Scope:
    """What all parts of one view share."""

    selection: Selection
    release: Release
    words: Words
    known: Catalogue
    slice: Slice
    queries: Sequence[Query]
    since: date
    until: date
    grain: Grain

    @property
    def n_rows(self) -> int:
        return self.slice.row_count(self.release)

    def address(self, kind: str, release_id: str | None, dialect: Dialect = "danish") -> str:
        return slice_address(self.slice, kind, self.words.lang, release_id, dialect)


def page(selection: Selection, release: Release) -> Body:
    """Return the slice that is selected: its choices, size, first rows, files, recipe and words."""
    words = load_words(selection.lang)
    scope = _scope(selection, release, words)
    return Body(
        words("data.title"),
        [
            html.Div(
                [
                    html.H1(words("data.heading"), tabIndex=-1),
                    html.P(words("data.lead"), className="quiet"),
                ],
                className="page-head",
            ),
            html.Div([_choices(scope), _result(scope)], className="builder"),
            *_preview(scope),
            *_recipe(scope),
            _dictionary(words),
            *_changes(scope),
            _for_programs(scope),
        ],
    )


def _scope(selection: Selection, release: Release, words: Words) -> _Scope:
    known = catalogue(release)
    until = selection.until or last_month(release)
    since = selection.since or known.first_month
    grain = selection.grain or _DEFAULT_GRAIN
    headline = next(item.id for item in load_indicators().values() if item.headline)
    wanted = Slice(
        selection.indicators or (headline,),
        selection.level,
        periods_between(since, until, grain),
        standardised=not selection.crude,
        map=selection.map,
        within=known.area(selection.area, selection.map) if selection.area else None,
    )
    try:
        queries: Sequence[Query] = wanted.queries(release) if wanted.periods else []
    except QueryError:
        queries = []
    return _Scope(selection, release, words, known, wanted, queries, since, until, grain)


# --- Choices ------------------------------------------------------------------------------------------------


def _choices(scope: _Scope) -> html.Div:
    words, selection, known = scope.words, scope.selection, scope.known

    def to(**changes: Any) -> str:
        return replace(selection, **changes).to_url()

    offered = [level for level in levels(selection.map) if level != "country"]
    level_options = [
        Option(sentence.capitalised(words(f"levels.{level}")), to(level=level), level == selection.level)
        for level in offered
    ]
    area_options = [Option(words("area.country"), to(area=None), selection.area is None)]
    for level in _GROUP_LEVELS:
        if level in offered:
            area_options += [
                Option(area.name, to(area=area_ref(area)), area_ref(area) == selection.area)
                for area in known.areas[selection.map, level]
            ]
    grains = [Option(words(f"data.grain_{grain}"), to(grain=grain), grain == scope.grain) for grain in GRAINS]
    months = [
        add_months(known.first_month, step) for step in range(months_between(known.first_month, known.last_month) + 1)
    ]
    first_months = [
        Option(words.short_month(month), to(since=month if month != known.first_month else None), month == scope.since)
        for month in months
        if month <= scope.until
    ]
    last_months = [
        Option(words.short_month(month), to(until=month if month != known.last_month else None), month == scope.until)
        for month in reversed(months)
        if month >= scope.since
    ]
    calculations = [
        Option(words("compare.standardised"), to(crude=False), not selection.crude),
        Option(words("compare.crude"), to(crude=True), selection.crude),
    ]
    maps = [
        Option(
            words(f"data.map_{item}"),
            replace(selection, map=item, area=None, level="municipality").to_url(),
            item == selection.map,
        )
        for item in MAPS
    ]
    return html.Div(
        [
            html.Div(
                [
                    select("niveau", words("data.level"), level_options),
                    select("omraade", words("data.within"), area_options),
                    select("inddeling", words("data.grain"), grains),
                    select("fra", words("data.since"), first_months),
                    select("til", words("data.until"), last_months),
                    segments("beregning", words("data.calculation"), calculations),
                    segments("kort", words("data.map"), maps),
                ],
                className="choices",
            ),
            _indicators(scope),
        ]
    )


def _indicators(scope: _Scope) -> html.Details:
    """Return every indicator as a link that takes it in or out."""
    words, selection = scope.words, scope.selection
    chosen = scope.slice.indicators
    groups = []
    for number, focus in sorted(FOCUS_AREAS.items()):
        items = []
        for item in load_indicators().values():
            if item.focus_area != number:
                continue
            is_in = item.id in chosen
            wanted = tuple(name for name in scope.known.indicators if (name in chosen) != (name == item.id))
            link = html.A(
                [
                    html.Span("✓" if is_in else "+", className="tick", **aria(hidden="true")),
                    html.Span(words("data.take_out" if is_in else "data.take_in"), className="visually-hidden"),
                    item.texts(words.lang).short_name,
                ],
                href=replace(selection, indicators=wanted).to_url(),
                id=f"tag-{item.id}",
                className="taken" if is_in else "",
            )
            items.append(html.Li(link))
        groups.append(html.Div([html.P(name := getattr(focus, words.lang)), html.Ul(items, **aria(label=name))]))
    names = words.listing([load_indicators()[name].texts(words.lang).short_name for name in chosen[:3]])
    more = words("data.and_more", count=words.number(len(chosen) - 3)) if len(chosen) > 3 else ""
    summary = html.Summary([html.Span(words("data.indicators"), className="label"), " ", html.Strong(names + more)])
    return html.Details([summary, html.Div(groups, className="picker")], open=True)


# --- The files ----------------------------------------------------------------------------------------------


def _result(scope: _Scope) -> html.Section:
    words = scope.words
    if not scope.queries:
        text = "data.no_period" if not scope.slice.periods else "data.no_area"
        return html.Section([html.P(words(text), className="missing")], className="slice")
    links: list[Any] = []
    for kind, name in KINDS.items():
        is_too_long = kind == "xlsx" and scope.n_rows > MOST_SHEET_ROWS
        links.append(
            html.Li(words("data.too_long", kind=name, most=words.number(MOST_SHEET_ROWS)), className="missing")
            if is_too_long
            else html.Li(_download(scope, kind, name))
        )
    return html.Section(
        [
            html.P(
                [html.Strong(words.number(scope.n_rows)), " ", words("data.rows")],
                className="rows",
                role="status",
            ),
            html.P(_size(scope), className="quiet small"),
            html.Ul(links, className="downloads"),
            html.P(words("data.parquet_first"), className="quiet small"),
        ],
        className="slice",
        **aria(label=words("data.file")),
    )


def _size(scope: _Scope) -> str:
    words = scope.words
    beside = len(scope.slice.comparators(scope.release))
    count = words.number(len(scope.queries[0].areas) - beside)
    parts = [
        words("data.count_indicators", count=words.number(len(scope.queries))),
        words("data.count_compared", count=count, beside=words.number(beside))
        if beside
        else words("data.count_areas", count=count),
        words("data.count_periods", count=words.number(len(scope.slice.periods))),
    ]
    return " × ".join(parts)


def _download(scope: _Scope, kind: Format, name: str) -> list[Any]:
    words = scope.words
    parts: list[Any] = [
        html.A(words("data.take", kind=name), href=scope.address(kind, scope.release.id), download="", className="btn"),
        html.Span(file_name(scope.release, scope.slice, kind), className="file-name"),
    ]
    if kind == "csv":
        also = {
            "data.csv_international": scope.address(kind, scope.release.id, "international"),
            "data.csv_description": scope.address(DESCRIPTION, scope.release.id),
        }
        beside = [html.A(words(text), href=href, download="") for text, href in also.items()]
        parts.append(html.Span([beside[0], " · ", beside[1]], className="small"))
    if scope.n_rows <= (MOST_SUMMED if kind != "xlsx" else PREVIEW_ROWS * 100):
        size, digest = _fingerprint(scope.release, scope.slice, kind, words.lang)
        told = words("data.checksum", size=_bytes(size, words))
        parts.append(html.Span([told, " ", html.Code(digest)], className="quiet small"))
    return parts


@per_release
def _fingerprint(release: Release, wanted: Slice, kind: Format, lang: Language) -> tuple[int, str]:
    """Return how many bytes the file has and its SHA-256. The bytes themselves are not kept."""
    file = export(release, wanted, kind, lang)
    return len(file.content), fingerprint(file.content)


def _bytes(size: int, words: Words) -> str:
    return f"{words.number(size / 1_000, 0 if size >= 10_000 else 1)} kB"


# --- What stands in it --------------------------------------------------------------------------------------


def _preview(scope: _Scope) -> list[Any]:
    if not scope.queries:
        return []
    words, wanted = scope.words, replace(scope.slice, indicators=scope.slice.indicators[:1])
    if len(wanted.periods) >= PREVIEW_ROWS:  # all of them are of the first area
        wanted = replace(wanted, within=scope.queries[0].areas[0], periods=wanted.periods[:PREVIEW_ROWS])
    table = export_table(scope.release, wanted, words.lang).head(PREVIEW_ROWS)
    rows = [
        Row(str(line[0]), [_cell(value, column, words) for column, value in zip(_PREVIEW[1:], line[1:], strict=True)])
        for line in table.select(_PREVIEW).iter_rows()
    ]
    caption = words("data.preview_caption", count=words.number(len(rows)))
    shown = data_table(caption, list(_PREVIEW), rows, numeric=(4, 5, 6, 7, 8))
    more = words("data.preview_more", count=words.number(len(table.columns)))
    return [html.Section([html.H2(words("data.preview")), html.P(more, className="quiet small"), shown])]


def _cell(value: object, column: str, words: Words) -> str:
    """Return a value as it stands in the file; null is an empty cell there, and its status says why."""
    if value is None:
        return words("data.null")
    return (
        words.number(value, 3)
        if isinstance(value, float) and column != "denominator"
        else (words.number(value, 1) if isinstance(value, float) else str(value))
    )


def _recipe(scope: _Scope) -> list[Any]:
    """Return how to have the same bytes again: by address, by command, and the first lines in other tools."""
    if not scope.queries:
        return []
    words = scope.words
    address = scope.address("parquet", scope.release.id)
    told = {
        "command": scope.slice.command(scope.release, "parquet", words.lang),
        "curl": f'NAERBLIK={words("data.host")}\ncurl -OJ "$NAERBLIK{address}"',
        **snippets(
            file_name(scope.release, scope.slice, "parquet"),
            words("data.host") + scope.address("csv", None, "international"),
        ),
    }
    blocks = [
        html.Details([html.Summary(words(f"data.with_{tool}")), html.Pre(text, tabIndex=0)], open=tool == "command")
        for tool, text in told.items()
    ]
    link = html.A(address, href=address, download="", className="recipe")
    return [
        html.Section(
            [html.H2(words("data.recipe")), html.P(words("data.recipe_note")), html.P(link), *blocks],
            className="recipes",
        )
    ]


def snippets(name: str, renewed: str) -> dict[str, str]:
    """Return the first lines in other tools: with the Parquet file of that name, or an address that is read anew."""
    return {
        "duckdb": (
            "select area_name, period, value, lower, upper\n"
            f"from '{name}'\nwhere role = 'area' and status = 'ok';\n\n"
            f"select decode(key), decode(value) from parquet_kv_metadata('{name}');"
        ),
        "polars": (
            f'import polars as pl\n\nframe = pl.read_parquet("{name}").filter(pl.col("role") == "area")\n'
            f'about = pl.read_parquet_metadata("{name}")'
        ),
        "r": f'library(arrow)\n\nframe <- subset(read_parquet("{name}"), role == "area")',
        "powerbi": (
            "let\n"
            f'    Fil = Web.Contents("{renewed}"),\n'
            '    Tabel = Csv.Document(Fil, [Delimiter = ",", Encoding = 65001, QuoteStyle = QuoteStyle.Csv]),\n'
            "    Hoved = Table.PromoteHeaders(Tabel, [PromoteAllScalars = true]),\n"
            '    Tal = {"numerator", "denominator", "value", "lower", "upper"},\n'
            '    Typer = Table.TransformColumnTypes(Hoved, List.Transform(Tal, each {_, type number}), "en-US")\n'
            "in\n    Typer"
        ),
    }


def _for_programs(scope: _Scope) -> html.Section:
    words = scope.words
    ways = {
        "api": scope.selection.on_page("api").to_url(),
        "package": "/datapackage.json",
        "catalogue": "/katalog.jsonld",
        "feed": "/feed/udgivelser.atom",
    }
    links: list[Any] = []
    for name, href in ways.items():
        links += [" · ", html.A(words(f"data.way_{name}"), href=href)]
    return html.Section([html.H2(words("data.programs")), html.P(words("data.programs_note")), html.P(links[1:])])


def _dictionary(words: Words) -> html.Section:
    headings, meanings = column_headings(words.lang), column_meanings(words.lang)
    rows = [Row(html.Code(column), [headings[column], meanings[column]]) for column in headings]
    columns = [words(f"data.column_{name}") for name in ("name", "heading", "meaning")]
    table = data_table(words("data.dictionary"), columns, rows)
    details = html.Details([html.Summary(words("data.dictionary_open", count=words.number(len(rows)))), table])
    return html.Section([html.H2(words("data.dictionary")), html.P(words("data.dictionary_note")), details])


# --- What changed -------------------------------------------------------------------------------------------


def _changes(scope: _Scope) -> list[Any]:
    """Tell what the release before said of the same rows: revisions, and separately what is counted otherwise."""
    words = scope.words
    heading = html.H2(words("data.changes"))
    if not scope.queries:
        return []
    if scope.n_rows > MOST_COMPARED:
        return [html.Section([heading, html.P(words("data.changes_many", most=words.number(MOST_COMPARED)))])]
    found = slice_changes(scope.release, scope.queries)
    if found is None:
        return [html.Section([heading, html.P(words("data.changes_none"), className="quiet")])]
    text = words(
        "data.changed",
        changed=words.number(found.changed.height),
        common=words.number(found.n_common),
        new=words.number(found.n_new),
        before=found.before.id,
    )
    parts: list[Any] = [heading, html.P(text)]
    if found.changed.height:
        parts.append(_changed_table(scope, found.changed.head(MOST_CHANGES)))
    method = method_changes(found.before, scope.release)
    told = [*method.indicators, *method.rules, *method.groups]
    parts.append(html.P(words("data.method_changed", names=words.listing(told)) if told else words("data.method_same")))
    return [html.Section(parts)]


def _changed_table(scope: _Scope, changed: pl.DataFrame) -> html.Div:
    words = scope.words
    names = {item.id: item.texts(words.lang).short_name for item in load_indicators().values()}
    rows = [
        Row(
            row["area_name"],
            [
                names[row["indicator"]],
                row["period"],
                words.number(row["before"], 2),
                words.number(row["after"], 2),
            ],
        )
        for row in changed.iter_rows(named=True)
    ]
    columns = [words(f"data.column_{name}") for name in ("area", "indicator", "period", "before", "after")]
    return data_table(words("data.changes_caption"), columns, rows, numeric=(2, 3))

"""Sundhed på tværs: the hospital side and the municipal side of one area beside each other, year by year.

Whether relief of the hospitals came together with load on the municipality is what is shown; that one was the cause of
the other is nowhere said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dash import html

from dashboard import across, sentence
from dashboard.across import Course
from dashboard.components.controls import Option, select
from dashboard.components.drawing import drawing_block
from dashboard.components.figure import links_to_files
from dashboard.components.table import Row, data_table
from dashboard.figures.multiples import Panel, Value, multiples, multiples_key
from dashboard.pages import Body
from dashboard.pages.scope import Scope, on_map
from dashboard.readings import Estimate, last_month, latest_period
from dashboard.selection import COUNTRY, Selection, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import levels
from kpis.explanation import note_words, status_words
from kpis.indicator import find_indicator
from kpis.period import Period
from kpis.release import Release

_AREA_LEVELS = ("municipality", "kkr", "region", "health_council", "cluster")
_SIDES: Mapping[str, Sequence[str]] = {"hospital": across.HOSPITAL, "municipal": across.MUNICIPAL}


@dataclass(frozen=True)
class _Scope(Scope):
    """What all parts of one view share; ``years`` of the figures, and those with something to be held against."""

    years: tuple[Period, ...]
    compared: tuple[Period, ...]

    @property
    def heading(self) -> str:
        return sentence.capitalised(self.name)


def page(selection: Selection, release: Release) -> Body:
    """Return both sides of the selected area; of the country where none is selected."""
    words = load_words(selection.lang)
    known = catalogue(release)
    area = known.area(selection.area or COUNTRY, selection.map)
    assert area is not None, "Selection.from_url gives areas of the map only"
    years, compared = across.shown_years(release), across.compared_years(release)
    scope = _Scope(selection, release, words, known, area, latest_period(release), years, compared)
    title = words("welfare.title", area=scope.name)
    courses = {side: [across.course(release, name, area) for name in names] for side, names in _SIDES.items()}
    return Body(
        title,
        [
            html.Div(
                [
                    html.P([words("welfare.eyebrow"), on_map(selection, words)], className="eyebrow"),
                    html.H1(title, tabIndex=-1),
                    html.P(_conclusion(scope), className="conclusion"),
                    html.Div(select("omraade", words("welfare.area"), _areas(scope)), className="choices"),
                ],
                className="page-head",
            ),
            _figure(scope, courses),
            _key_figure(scope),
            html.Section(
                [html.H2(words("welfare.reading"))]
                + [
                    html.P(words(f"welfare.reading_{name}"))
                    for name in ("cause", "expected", "mean", "together", "persons")
                ],
                className="prose",
            ),
        ],
    )


def _areas(scope: _Scope) -> list[Option]:
    selection, words = scope.selection, scope.words
    offered = [Option(words("area.country"), replace(selection, area=None).to_url(), scope.is_country)]
    for level in _AREA_LEVELS:
        if level in levels(selection.map):
            offered += [
                Option(area.name, replace(selection, area=area_ref(area)).to_url(), area == scope.area)
                for area in scope.known.areas[selection.map, level]
            ]
    return offered


# --- The key figure in words ----------------------------------------------------------------------------------------


def direction(row: Estimate) -> str:
    """Return whether observed is sure to be fewer or more than expected, else same; or unknown."""
    if row["status"] != "ok":
        return "unknown"
    if row["upper"] < 0:
        return "fewer"
    return "more" if row["lower"] > 0 else "same"


def _conclusion(scope: _Scope) -> str:
    """Say of the newest year how both sides lie to what was expected, and that nothing follows from it."""
    words = scope.words
    if not scope.compared:
        return words("welfare.no_base", area=scope.heading)
    year = scope.compared[-1]
    avoided, care = (
        across.area_relief(scope.release, name, scope.area, year) for name in (across.AVOIDED, across.CARE)
    )
    told = [
        words(
            f"welfare.{side}_{direction(row)}",
            area=scope.heading,
            year=year.id,
            amount=difference_text(row, words) if row["status"] == "ok" else status_words(words.lang)[row["status"]],
        )
        for side, row in (("avoided", avoided), ("care", care))
    ]
    is_moved = [direction(row) in ("fewer", "more") for row in (avoided, care)]
    told.append(words("welfare.both" if all(is_moved) else "welfare.not_both"))
    return " ".join(told)


def difference_text(row: Estimate, words: Words) -> str:
    """Return the difference with its interval, *108 færre (25–190)* or *18 flere (70 færre til 110 flere)*.

    To the unit, as observed and expected stand beside it; the ends of the interval are as coarse as they are uncertain.
    """
    _, lower, upper = sentence.amounts(row["difference"], row["lower"], row["upper"], steps=100)
    value = _way(row["difference"], words)
    if direction(row) == "same":
        return words("welfare.amount", value=value, lower=_way(lower, words), upper=_way(upper, words))
    low, high = sorted((abs(lower), abs(upper)))
    return words("value.with_interval", value=value, interval=words.interval(low, high))


def _way(difference: float, words: Words) -> str:
    number = round(difference)
    if number == 0:
        return words("welfare.none")
    return words("welfare.fewer" if number < 0 else "welfare.more", amount=words.number(abs(number)))


def _key_figure(scope: _Scope) -> html.Section:
    words = scope.words
    heading = html.H2(words("welfare.key"))
    if not scope.compared:
        return html.Section([heading, html.P(words("welfare.no_base", area=scope.heading), className="missing")])
    year, base = scope.compared[-1], scope.years[0]
    cards = []
    for name, side in ((across.AVOIDED, "avoided"), (across.CARE, "care")):
        row = across.area_relief(scope.release, name, scope.area, year)
        is_known = row["status"] == "ok"
        number = difference_text(row, words) if is_known else status_words(words.lang)[row["status"]]
        cards.append(
            html.Li(
                [
                    html.H3(words(f"welfare.card_{side}")),
                    html.P(number, className="key-number" if is_known else "missing"),
                    html.P(words(f"welfare.card_{side}_note", year=year.id, base=row["base"]), className="quiet small"),
                ]
            )
        )
    asked = (area_ref(scope.area), scope.selection.map, words.lang)
    files = links_to_files(across.KINDS, lambda kind: across.address(scope.release, kind, *asked), words)
    formula = html.P(words("welfare.formula_country" if scope.is_country else "welfare.formula", base=base.id))
    return html.Section(
        [
            heading,
            html.Ul(cards, className="cards key-cards"),
            formula,
            _against_expected(scope),
            html.Div(files, className="actions"),
        ],
        className="figure-section welfare-key",
    )


def _against_expected(scope: _Scope) -> html.Div:
    """Return the table of every figure that has an expected number, year by year."""
    words = scope.words
    table_rows = []
    for name in across.compared_indicators():
        texts = find_indicator(name).texts(words.lang)
        for year in scope.compared:
            row = across.area_relief(scope.release, name, scope.area, year)
            if row["status"] == "ok":
                cells = [difference_text(row, words), words.number(row["observed"]), words.number(row["expected"])]
            else:
                cells = [status_words(words.lang)[row["status"]], "", ""]
            cells = [words(f"welfare.word_{direction(row)}"), *cells]
            link = html.A(texts.short_name, href=scope.selection.on_page("method", name).to_url())
            table_rows.append(Row([link, f" {year.id}"], cells, "own" if name in (across.AVOIDED, across.CARE) else ""))
    columns = [words(f"welfare.column_{name}") for name in ("figure", "word", "difference", "observed", "expected")]
    return data_table(words("welfare.caption", area=scope.heading), columns, table_rows, numeric=(2, 3))


# --- Small multiples ------------------------------------------------------------------------------------------------


def _figure(scope: _Scope, courses: Mapping[str, Sequence[Course]]) -> html.Figure:
    words = scope.words
    groups = [
        (words(f"welfare.side_{side}"), [_panel(course, scope) for course in of_side])
        for side, of_side in courses.items()
    ]
    text = words("welfare.figure", area=scope.name)
    label = words("welfare.label", area=scope.heading, sentence=_conclusion(scope))
    first, last = scope.release.date("data_from"), last_month(scope.release)
    legend = [(multiples_key("year"), scope.heading)]
    if not scope.is_country:
        legend.append((multiples_key("country"), words("area.country")))
    legend.append((multiples_key("part"), words("welfare.legend_part")))
    return drawing_block(
        "paa-tvaers",
        text,
        lambda width: multiples(groups, first, last, label, words, width),
        legend,
        _table(scope, courses),
        [html.A(words("figure.definition"), href=scope.selection.on_page("method", across.AVOIDED).to_url())],
        scope.selection,
        words,
    )


def _panel(course: Course, scope: _Scope) -> Panel:
    texts = course.indicator.texts(scope.words.lang)
    digits = sentence.digits_of([*course.years, *course.country])
    return Panel(
        texts.short_name,
        texts.unit,
        [_value(row, digits, scope.words) for row in course.years if _is_shown(course, row)],
        [] if scope.is_country else [_value(row, digits, scope.words) for row in course.country],
        [_value(row, digits, scope.words) for row in course.parts],
    )


def _is_shown(course: Course, row: Estimate) -> bool:
    """A year without a figure is missing where figures come by the year; else its quarters say what there is."""
    return row["value"] is not None or course.indicator.is_yearly


def _value(row: Estimate, digits: int, words: Words) -> Value:
    period = Period.from_id(row["period"])
    told = f"{_period_text(period, words)}: {sentence.with_interval(row, digits, words)}"
    return Value(period, row["value"], row["lower"], row["upper"], told)


def _period_text(period: Period, words: Words) -> str:
    return words.months(period.first, period.last)


def _table(scope: _Scope, courses: Mapping[str, Sequence[Course]]) -> html.Div:
    """Return the twin of the drawing: a row an indicator, its years and the country's beside each other."""
    words = scope.words
    table_rows: list[Any] = []
    for course in (course for of_side in courses.values() for course in of_side):
        texts = course.indicator.texts(words.lang)
        digits = sentence.digits_of([*course.years, *course.country])
        cells = [_cell(row, digits, words) for row in course.years]
        if not scope.is_country:
            cells += [sentence.value_text(row, digits, words) for row in course.country]
        table_rows.append(Row(f"{texts.short_name}, {texts.unit}", cells))
    columns = [words("welfare.column_figure"), *(f"{scope.heading} {year.id}" for year in scope.years)]
    if not scope.is_country:
        columns += [words("welfare.country_year", year=year.id) for year in scope.years]
    caption = words("welfare.table_caption", area=scope.heading)
    return data_table(caption, columns, table_rows, numeric=range(len(columns) - 1))


def _cell(row: Estimate, digits: int, words: Words) -> str:
    """Return the value with its interval; where there is none, the face of missing and what more is known of it."""
    if row["value"] is not None:
        return sentence.with_interval(row, digits, words)
    notes = [note_words(words.lang)[note] for note in row["note"].split(";") if note]
    return "; ".join([status_words(words.lang)[row["status"]], *notes])

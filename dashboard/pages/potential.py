"""Potentiale: what an area would avoid if it did as well as others, itself or its goal – and who pays, who gains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dash import html

from dashboard import files, sentence
from dashboard.components.controls import Option, segments, select
from dashboard.components.drawing import drawing_block
from dashboard.components.figure import links_to_files
from dashboard.components.table import Row, data_table
from dashboard.figures.numbers import of_marks
from dashboard.figures.rows import Mark, rows
from dashboard.pages import Body
from dashboard.pages.scope import Scope, on_map, period_text
from dashboard.potentials import (
    TOTALLED,
    admission_indicators,
    admissions_together,
    area_potential,
    beside_indicators,
)
from dashboard.readings import Estimate, group_names, latest_period
from dashboard.selection import CAPTURES, COUNTRY, Selection, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import levels
from kpis.indicator import Indicator
from kpis.potential import REFERENCES, money_words
from kpis.potential import words as potential_words
from kpis.release import Release

_MOST_NAMED = 3  # in the conclusion
_AREA_LEVELS = ("municipality", "kkr", "region", "health_council", "cluster", "country")


@dataclass(frozen=True)
class _Scope(Scope):
    """What all parts of one view share."""

    @property
    def name(self) -> str:
        return sentence.capitalised(sentence.area_name(self.area, self.words))

    @property
    def capture(self) -> float:
        return self.selection.capture / 100

    @property
    def reference(self) -> str:
        """The reference as it stands in a sentence: *som den bedste femtedel af kommunerne*."""
        return potential_words("reference", self.selection.reference, self.words.lang)


@dataclass(frozen=True)
class _Line:
    """One indicator and its potential, a row of ``kpis.potential.POTENTIALS``."""

    name: str
    row: Estimate
    indicator: Indicator | None = None  # None = the total


def page(selection: Selection, release: Release) -> Body:
    """Return the potential of the selected area; of the country where none is selected."""
    words = load_words(selection.lang)
    known = catalogue(release)
    area = known.area(selection.area or COUNTRY, selection.map)
    assert area is not None, "Selection.from_url gives areas of the map only"
    scope = _Scope(selection, release, words, known, area, selection.period or latest_period(release))
    admissions, beside = _lines(scope)
    total, left_out = _total(scope)
    title = words("potential.title", area=sentence.area_name(area, words))
    return Body(
        title,
        [
            html.Div(
                [
                    html.P([period_text(scope.period, words), on_map(selection, words)], className="eyebrow"),
                    html.H1(title, tabIndex=-1),
                    html.P(_conclusion(scope, total, admissions, beside), className="conclusion"),
                    _controls(scope),
                ],
                className="page-head",
            ),
            _admissions(scope, admissions, total, left_out),
            _beside(scope, beside),
            *_municipalities(scope),
            _money(scope),
            html.Section(
                [html.H2(words("potential.reading"))]
                + [html.P(words(f"potential.reading_{name}")) for name in ("chance", "overlap", "capture", "limits")],
                className="prose",
            ),
        ],
    )


def _lines(scope: _Scope) -> tuple[list[_Line], list[_Line]]:
    def line(indicator: Indicator) -> _Line:
        row = area_potential(
            scope.release, indicator.id, scope.area, scope.period, scope.selection.reference, scope.capture
        )
        return _Line(indicator.texts(scope.words.lang).short_name, row, indicator)

    return [line(item) for item in admission_indicators()], [line(item) for item in beside_indicators()]


def _totals(scope: _Scope, level: str) -> tuple[Mapping[str, Estimate], tuple[str, ...]]:
    reference = scope.selection.reference
    return admissions_together(scope.release, level, scope.area.map_id, scope.period, reference, scope.capture)


def _total(scope: _Scope) -> tuple[_Line | None, tuple[str, ...]]:
    """Return the total where one can be had without double counting, and the groups it had to leave out."""
    if scope.selection.reference not in TOTALLED:
        return None, ()
    found, left_out = _totals(scope, scope.area.level)
    return _Line(scope.words("potential.total"), found[scope.area.code]), left_out


def _controls(scope: _Scope) -> html.Div:
    words, selection = scope.words, scope.selection
    offered = [
        area
        for level in ("country", *_AREA_LEVELS[:-1])
        if level in levels(selection.map)
        for area in scope.known.areas[selection.map, level]
    ]
    areas = [
        Option(
            sentence.capitalised(sentence.area_name(area, words)),
            replace(selection, area=None if area.level == "country" else area_ref(area)).to_url(),
            area == scope.area,
        )
        for area in offered
    ]
    references = [
        Option(
            words(f"potential.as_{reference}"),
            replace(selection, reference=reference).to_url(),
            reference == selection.reference,
        )
        for reference in REFERENCES
    ]
    captures = [
        Option(
            words("potential.per_cent", share=share),
            replace(selection, capture=share).to_url(),
            share == selection.capture,
        )
        for share in CAPTURES
    ]
    return html.Div(
        [
            select("omraade", words("potential.area"), areas),
            segments("maalestok", words("potential.reference"), references),
            segments("andel", words("potential.capture"), captures),
        ],
        className="choices",
    )


def _conclusion(scope: _Scope, total: _Line | None, admissions: Sequence[_Line], beside: Sequence[_Line]) -> str:
    words = scope.words
    line = total or next((item for item in admissions if item.indicator and item.indicator.headline), admissions[0])
    if line.row["status"] != "ok":
        reasons = [potential_words("reason", reason, words.lang) for reason in line.row["reason"].split(";")]
        return " ".join(dict.fromkeys(reasons))
    if line.row["potential"] < 0.5:
        if line is total and _with_potential([*admissions, *beside]):
            area, alone = sentence.area_name(scope.area, words), _alone([*admissions, *beside], words)
            return words("potential.none_together", area=area, reference=scope.reference, alone=alone)
        return words("potential.none", area=scope.name, reference=scope.reference, what=_what(line, words))
    told = words(
        "potential.some",
        area=sentence.area_name(scope.area, words),
        reference=scope.reference,
        what=_what(line, words),
        events=_amount(line.row, words),
    )
    if line.row["bed_days"] is not None:
        told = f"{told} {words('potential.days', days=_days(line.row, words))}"
    if scope.selection.capture < 100:
        told = f"{words('potential.captured', share=scope.selection.capture)} {told}"
    return told


def _alone(lines: Sequence[_Line], words: Words) -> str:
    """Tell which indicators have a potential of their own that is not chance alone, the largest first."""
    sure = [line for line in _with_potential(lines) if sentence.amounts(*_limits(line.row))[1] > 0]
    if not sure:
        return words("potential.alone_none")
    largest_first = sorted(sure, key=lambda line: -line.row["potential"])
    amounts = [
        words("potential.alone_amount", name=line.name, amount=_amount(line.row, words)) for line in largest_first
    ]
    return words("potential.alone", names=words.listing(amounts[:_MOST_NAMED]))


def _limits(row: Estimate) -> tuple[float, float, float]:
    return row["potential"], row["lower"], row["upper"]


def _with_potential(lines: Sequence[_Line]) -> list[_Line]:
    return [line for line in lines if line.row["status"] == "ok" and line.row["potential"] >= 0.5]


def _largest(lines: Sequence[_Line]) -> _Line:
    return max(lines, key=lambda line: line.row["potential"])


def _what(line: _Line, words: Words) -> str:
    """Name what would be fewer: all that can be prevented together, or one indicator."""
    return words("potential.what_all") if line.indicator is None else words("potential.what_one", name=line.name)


def _amount(row: Estimate, words: Words, column: str = "potential", low: str = "lower", high: str = "upper") -> str:
    """Return *30 (0–95)*, or the word for why there is none."""
    if row["status"] != "ok":
        return words("potential.not_assessed")
    if row[column] is None:
        return words("potential.no_days")
    value, lower, upper = sentence.amounts(row[column], row[low], row[high])
    if not upper:
        return words("overview.potential_none")
    return words("value.with_interval", value=words.number(value), interval=words.interval(lower, upper))


def _days(row: Estimate, words: Words) -> str:
    return _amount(row, words, "bed_days", "bed_days_lower", "bed_days_upper")


# --- Acute admissions ---------------------------------------------------------------------------------------


def _admissions(scope: _Scope, lines: Sequence[_Line], total: _Line | None, left_out: Sequence[str]) -> html.Section:
    words = scope.words
    shown = [*lines, *([total] if total else [])]
    found = _with_potential(lines)
    if found:
        largest = _largest(found)
        is_sure = sentence.amounts(*_limits(largest.row))[1] > 0
        key = "potential.largest" if is_sure else "potential.largest_unsure"
        text = words(key, name=largest.name, amount=_amount(largest.row, words))
    else:
        text = words("potential.no_line", area=scope.name, reference=scope.reference)
    marks = [
        Mark(
            line.name,
            line.row["potential"],
            line.row["lower"],
            line.row["upper"],
            None,
            _amount(line.row, words),
            is_strong=line.indicator is None,
        )
        for line in shown
    ]
    label = words("potential.label", area=scope.name, reference=scope.reference, sentence=text)
    figure = drawing_block(
        "potentiale",
        text,
        lambda width: rows(marks, words("potential.axis"), label, words, width, at_zero=True),
        [],
        _table(scope, shown),
        _actions(scope),
        scope.selection,
        words,
        numbers=of_marks(map(_rounded, marks), words("potential.axis"), 0),
    )
    notes = [words("potential.no_sum")]
    if total is None:
        notes.append(words("potential.no_total"))
    elif found and total.row["status"] == "ok" and total.row["potential"] < _largest(found).row["potential"]:
        notes.append(words("potential.less_together"))
    if left_out:
        names = group_names(scope.release, words.lang)
        listed = words.listing([names.get(group, group).lower() for group in left_out])
        notes.append(words("potential.left_out", names=listed))
    note = html.P(" ".join(notes), className="quiet small")
    return html.Section([figure, *_reasons(shown, words), note], className="figure-section")


def _rounded(mark: Mark) -> Mark:
    """Return the mark with its numbers as coarse as they are told."""
    if mark.value is None or mark.lower is None or mark.upper is None:
        return mark
    value, lower, upper = sentence.amounts(mark.value, mark.lower, mark.upper)
    return mark._replace(value=value, lower=lower, upper=upper)


def _table(scope: _Scope, lines: Sequence[_Line]) -> html.Div:
    words = scope.words
    is_sum = len(scope.area.municipalities) > 1  # of municipalities with a target each
    table_rows = [
        Row(
            line.name,
            [
                _observed(line.row, words),
                *([] if is_sum else [_target(line.row, words)]),
                _amount(line.row, words),
                _days(line.row, words),
            ],
            "own" if line.indicator is None else "",
        )
        for line in lines
    ]
    columns = ["indicator", "observed", *([] if is_sum else ["target"]), "potential", "days"]
    caption = words("potential.caption", area=scope.name, reference=scope.reference)
    return data_table(caption, [words(f"potential.column_{name}") for name in columns], table_rows, numeric=range(4))


def _target(row: Estimate, words: Words) -> str:
    return words.number(row["target"]) if row["target"] is not None else words("potential.not_assessed")


def _observed(row: Estimate, words: Words) -> str:
    return words.number(row["observed"]) if row["observed"] is not None else words("potential.not_assessed")


def _reasons(lines: Sequence[_Line], words: Words) -> list[Any]:
    """Say of every indicator that is not assessed why."""
    told: dict[str, list[str]] = {}
    for line in lines:
        if line.row["status"] != "ok":
            reasons = [potential_words("reason", reason, words.lang) for reason in line.row["reason"].split(";")]
            told.setdefault(" ".join(reasons), []).append(line.name)
    texts = [
        words("potential.why_missing", names=words.listing(names), reason=reason) for reason, names in told.items()
    ]
    return [html.P(" ".join(texts), className="quiet small")] if texts else []


# --- What stands beside the total ---------------------------------------------------------------------------


def _beside(scope: _Scope, lines: Sequence[_Line]) -> html.Section:
    words = scope.words
    table_rows = [
        Row(
            line.name,
            [
                _observed(line.row, words),
                _amount(line.row, words),
                html.Span(_kroner(line.row, words), className="wraps"),
            ],
        )
        for line in lines
    ]
    columns = ("indicator", "observed", "potential", "kroner")
    caption = words("potential.beside_caption", area=scope.name)
    table = data_table(caption, [words(f"potential.column_{name}") for name in columns], table_rows, numeric=range(3))
    return html.Section(
        [html.H2(words("potential.beside")), html.P(words("potential.beside_note")), table, *_reasons(lines, words)]
    )


def _kroner(row: Estimate, words: Words) -> str:
    """Return the amount with its price year, or that there is no price."""
    if row["kroner_from"] is None:
        return words("potential.no_price" if row["status"] == "ok" else "potential.not_assessed")
    if row["kroner_to"] < 500:
        return words("potential.kroner_none")
    is_large = row["kroner_to"] >= 1_000_000
    low, high = (
        words.number(row[name] / (1_000_000 if is_large else 1_000), int(is_large))
        for name in ("kroner_from", "kroner_to")
    )
    key = "potential.million_kroner" if is_large else "potential.thousand_kroner"
    return words(key, low=low, high=high, year=row["price_year"])


# --- Municipality by municipality ---------------------------------------------------------------------------


def _municipalities(scope: _Scope) -> list[Any]:
    """Show the parts of a sum: the municipalities of a larger area, in alphabetical order."""
    words = scope.words
    if len(scope.area.municipalities) == 1 or scope.selection.reference not in TOTALLED:
        return []
    found, _ = _totals(scope, "municipality")
    members = [
        area
        for area in scope.known.areas[scope.selection.map, "municipality"]
        if area.code in scope.area.municipalities
    ]
    table_rows = [
        Row(
            html.A(area.name, href=replace(scope.selection, area=area_ref(area)).to_url()),
            [
                _observed(found[area.code], words),
                _amount(found[area.code], words),
                _days(found[area.code], words),
            ],
        )
        for area in members
    ]
    columns = ("municipality", "observed", "potential", "days")
    caption = words("potential.municipalities_caption", area=scope.name)
    table = data_table(caption, [words(f"potential.column_{name}") for name in columns], table_rows, numeric=range(3))
    with_some = sum(found[area.code]["status"] == "ok" and found[area.code]["potential"] >= 0.5 for area in members)
    text = words("potential.spread", number=words.number(with_some), count=words.number(len(members)))
    details = html.Details(
        [html.Summary(words("potential.municipalities_open", count=len(members))), table],
        open=len(members) <= 20 or scope.selection.view == "table",
    )
    heading = html.H2(words("potential.municipalities"))
    return [html.Section([heading, html.P([text, " ", words("potential.sum_note")]), details])]


# --- Money --------------------------------------------------------------------------------------------------


def _money(scope: _Scope) -> html.Section:
    """Say who pays today and who gains by a fall, of admissions and of days after being ready."""
    words = scope.words
    by_measure = {item.numerator.measure: item for item in (*admission_indicators(), *beside_indicators())}
    cards = [
        html.Li(
            [
                html.H3(words(f"potential.money_{measure}")),
                html.Dl(
                    [
                        html.Div(
                            [html.Dt(words(f"potential.column_{name}")), html.Dd(sentence.capitalised(text) + ".")]
                        )
                        for name, text in told.items()
                        if name != "note"
                    ]
                ),
                html.P(told["note"], className="quiet small"),
            ]
        )
        for measure, indicator in by_measure.items()
        if (told := money_words(indicator, words.lang))
    ]
    reason = html.P(potential_words("reason", "no_price", words.lang), className="quiet small")
    return html.Section([html.H2(words("potential.money")), html.Ul(cards, className="cards"), reason])


def _actions(scope: _Scope) -> list[Any]:
    words, selection = scope.words, scope.selection
    links = []
    if scope.area.level == "municipality":
        text = words("compare.to_overview", area=scope.area.name)
        links.append(html.A(text, href=selection.on_page("area").to_url()))
    of_area = (area_ref(scope.area), selection.map, scope.period)
    asked = (*of_area, selection.reference, selection.capture, words.lang)
    return [
        *links_to_files(
            files.POTENTIAL_KINDS, lambda kind: files.potential_address(scope.release, kind, *asked), words
        ),
        html.A(words("figure.definition"), href=selection.on_page("method").to_url() + "#potentiale"),
        *links,
    ]

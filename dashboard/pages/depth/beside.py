"""What stands beside the figure: what was to be expected, and the counterweights."""

from dataclasses import replace
from typing import Any

from dash import html

from dashboard import sentence
from dashboard.components.drawing import drawing_block
from dashboard.components.table import Row, data_table
from dashboard.components.verdict import CHANGES, SILENT, reason_text, verdict_mark
from dashboard.figures.numbers import of_marks
from dashboard.figures.rows import Mark, rows, rows_key
from dashboard.pages.depth.scope import DepthScope, actions, scope_of
from dashboard.pages.scope import period_text
from dashboard.readings import (
    area_expectations,
    area_process,
)
from kpis.explanation import status_words
from kpis.indicator import load_indicators

_GROUPS_BESIDE = ("cluster", "health_council", "kkr", "region")


def expected(scope: DepthScope) -> list[Any]:
    """Hold the area, and the groups that it is part of, against what the country's rates would give them."""
    if scope.is_country or not scope.indicator.can_be_standardised:
        return []
    words, known, map_id = scope.words, scope.known, scope.selection.map
    groups = [
        area
        for level in _GROUPS_BESIDE
        for area in known.areas.get((map_id, level), ())
        if level != scope.area.level and set(scope.area.municipalities) < set(area.municipalities)
    ]
    found = area_expectations(scope.release, scope.indicator.id, (scope.area, *groups), scope.period)
    own = found[0]
    if own["value"] is None:
        return []
    digits = max(sentence.digits_of(found), 0)
    text = words(
        "depth.expected_sentence",
        area=sentence.capitalised(scope.name),
        observed=words.number(own["observed"]),
        expected=words.number(own["expected"]),
        ratio=words.number(own["value"], digits),
        interval=sentence.interval_text(own, digits, words),
        relation=sentence.relation(own, {"value": 100.0}, words),
    )
    marks = [
        Mark(
            row["area_name"],
            row["value"],
            row["lower"],
            row["upper"],
            100.0,
            sentence.with_interval(row, digits, words),
            is_strong=row is own,
        )
        for row in found
    ]
    label = words("depth.expected_label", name=scope.texts.name, sentence=text)
    table_rows = [
        Row(
            row["area_name"],
            [
                words.number(row["observed"])
                if row["observed"] is not None
                else status_words(words.lang)[row["status"]],
                words.number(row["expected"], 0) if row["expected"] is not None else words("depth.no_limit"),
                words.number(row["value"], digits) if row["value"] is not None else words("depth.no_limit"),
                sentence.interval_text(row, digits, words),
            ],
            "own" if row is own else "",
        )
        for row in found
    ]
    columns = ("area", "observed", "expected", "ratio", "interval")
    caption = words("depth.expected_caption", name=scope.texts.name, period=period_text(scope.period, words))
    twin = data_table(caption, [words(f"depth.column_{name}") for name in columns], table_rows, numeric=range(4))
    figure = drawing_block(
        "forventet",
        text,
        lambda width: rows(marks, words("depth.expected_axis"), label, words, width),
        [(rows_key("reference"), words("overview.legend_country"))],
        twin,
        actions(scope, (scope.period,)),
        scope.selection,
        words,
        html.H3,
        of_marks(marks, words("depth.expected_axis"), digits),
    )
    note = html.P(words("depth.expected_note"), className="quiet small")
    return [html.Section([html.H2(words("depth.expected")), figure, note], className="figure-section")]


# --- Counterweights -----------------------------------------------------------------------------------------


def counterweights(scope: DepthScope) -> list[Any]:
    """Show the indicators that would tell if this one improved at others' cost."""
    words, selection = scope.words, scope.selection
    if not scope.indicator.counterweights:
        return []
    table_rows, alarms, judged = [], [], 0
    for other in (load_indicators()[name] for name in scope.indicator.counterweights):
        shown = scope_of(replace(selection, indicator=other.id), scope.release, words)
        change = area_process(scope.release, other.id, scope.area).judged
        name = shown.texts.short_name
        if shown.judged.verdict in ("worse", "much_worse", "worsening") or change.verdict == "worsening":
            alarms.append(name)
        judged += shown.judged.verdict not in SILENT or change.verdict in CHANGES
        marks = [verdict_mark(shown.judged.verdict, words)] + (
            [verdict_mark(change.verdict, words)] if change.verdict in CHANGES and not scope.is_country else []
        )
        reason = shown.judged.reason
        notes = [html.Span(reason_text(reason, words), className="verdict-note")] if reason else []
        table_rows.append(
            Row(
                [
                    html.A(name, href=replace(selection, indicator=other.id).to_url()),
                    html.Span(shown.texts.unit, className="unit"),
                ],
                [
                    sentence.with_interval(shown.own, shown.digits, words),
                    *([] if scope.is_country else [sentence.value_text(shown.whole, shown.digits, words)]),
                    html.Div([*marks, *notes], className="marks"),
                ],
            )
        )
    text = sentence.counterweights(alarms, judged, len(table_rows), words)
    columns = ["indicator", "value_interval", *([] if scope.is_country else ["country"]), "verdict"]
    numeric = (0,) if scope.is_country else (0, 1)
    caption = words("depth.counterweights_caption", name=scope.texts.short_name, area=scope.name)
    table = data_table(caption, [words(f"depth.column_{name}") for name in columns], table_rows, numeric)
    told = [
        html.P(text, className="section-sentence"),
        table,
        html.P(words("depth.counterweights_note"), className="quiet small"),
    ]
    return [html.Section([html.H2(words("depth.counterweights")), *told], id="modvaegte")]

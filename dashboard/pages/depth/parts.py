"""Where the difference lies: by condition, age, sex or length of stay."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dash import html

from dashboard import sentence
from dashboard.components.controls import Option, segments
from dashboard.components.drawing import drawing_block
from dashboard.components.table import Row, data_table
from dashboard.figures.numbers import of_marks
from dashboard.figures.rows import Mark, rows, rows_key
from dashboard.pages.depth.scope import DepthScope, actions
from dashboard.pages.scope import period_text
from dashboard.readings import (
    Estimate,
    area_parts,
    area_split,
    group_names,
)
from dashboard.selection import Breakdown
from kpis.area import Area, Map
from kpis.evaluate import By
from kpis.period import Period
from kpis.release import Release

_BY: dict[Breakdown, By] = {"condition": "group", "age": "age", "sex": "sex"}
MOST_NAMED = 3


def _offered(scope: DepthScope) -> list[Breakdown]:
    indicator = scope.indicator
    offered: list[Breakdown] = [name for name, by in _BY.items() if by in indicator.breakdowns]
    if indicator.kind == "rate" and indicator.numerator.measure == "n_acute" and not scope.is_country:
        offered.append("length")
    return offered


def breakdown(scope: DepthScope) -> list[Any]:
    """Return the difference from the country by the chosen breakdown; nothing where there is none to tell."""
    words, selection, offered = scope.words, scope.selection, _offered(scope)
    if not offered or scope.own["value"] is None:
        return []
    chosen = selection.breakdown if selection.breakdown in offered else offered[0]
    options = [
        Option(words(f"depth.by_{name}"), replace(selection, breakdown=name).to_url(), name == chosen)
        for name in offered
    ]
    figure = _by_length(scope) if chosen == "length" else _by_part(scope, chosen)
    return [
        html.Section(
            [
                html.H2(words("depth.breakdown")),
                segments("opdeling", words("depth.breakdown_by"), options),
                figure,
                html.P(
                    words("depth.length_note" if chosen == "length" else "depth.breakdown_note"),
                    className="quiet small",
                ),
            ],
            className="figure-section",
        )
    ]


def _cell(scope: DepthScope) -> tuple[Release, str, Area, Map, Period]:
    return scope.release, scope.indicator.id, scope.area, scope.selection.map, scope.period


def _by_part(scope: DepthScope, breakdown: Breakdown) -> html.Figure | html.P:
    words, by = scope.words, _BY[breakdown]
    own, whole = area_split(scope.release, scope.indicator.id, scope.area, scope.selection.map, scope.period, by)
    names = [_part_name(scope, breakdown, row["group"], at, own) for at, row in enumerate(own)]
    # One number of decimals for all rows: the large ones bear one, and rows all below two need a second.
    largest = max((row["value"] for row in own if row["value"] is not None), default=0.0)
    digits = 1 if largest >= 2 else 2
    marks = [
        Mark(
            name,
            row["value"],
            row["lower"],
            row["upper"],
            None if scope.is_country else other["value"],
            sentence.with_interval(row, digits, words),
        )
        for name, row, other in zip(names, own, whole, strict=True)
    ]
    parts = (
        []
        if scope.is_country
        else area_parts(scope.release, scope.indicator.id, scope.area, scope.selection.map, scope.period)
        if scope.indicator.kind == "rate"
        else []
    )
    of_dimension = {row["part"]: row for row in parts if row["dimension"] == by}
    text = _part_sentence(scope, breakdown, names, own, whole, of_dimension, digits)
    unit = _unit(scope, breakdown)
    label = words("depth.breakdown_label", name=scope.texts.name, area=scope.name, sentence=text)
    legend = [(rows_key("own"), sentence.capitalised(scope.name))]
    if not scope.is_country:
        legend.append((rows_key("reference"), words("overview.legend_country")))
    return drawing_block(
        "opdeling-figur",
        text,
        lambda width: rows(marks, unit, label, words, width, at_zero=True),
        legend,
        _part_table(scope, breakdown, names, own, whole, of_dimension, digits),
        actions(scope, (scope.period,), by),
        scope.selection,
        words,
        html.H3,
        of_marks(marks, unit, digits),
    )


def _unit(scope: DepthScope, breakdown: Breakdown) -> str:
    """Return the unit of the parts: the rate of an age group is one of its own citizens."""
    if breakdown == "age" and scope.indicator.kind == "rate":
        return scope.words("depth.age_unit", per=scope.words.number(scope.indicator.per))
    return scope.texts.unit


def _part_name(scope: DepthScope, breakdown: Breakdown, group: str, at: int, parts: Sequence[Estimate]) -> str:
    if breakdown == "condition":
        return sentence.capitalised(group_names(scope.release, scope.words.lang)[group])
    if breakdown == "sex":
        return scope.words(f"depth.sex_{group}")
    if at + 1 < len(parts):
        return scope.words("depth.ages", first=group, last=int(parts[at + 1]["group"]) - 1)
    end = scope.indicator.population.age_to
    return scope.words("depth.ages", first=group, last=end) if end else scope.words("depth.ages_open", first=group)


def _part_sentence(
    scope: DepthScope,
    breakdown: Breakdown,
    names: Sequence[str],
    own: Sequence[Estimate],
    whole: Sequence[Estimate],
    parts: dict[str, Estimate],
    digits: int,
) -> str:
    """Say which parts differ from the country's, and what each makes of the whole difference where that is sure."""
    words = scope.words
    told = list(zip(names, own, whole, strict=True))
    if scope.is_country:
        known = [item for item in told if item[1]["value"] is not None]
        if not known:
            return words("compare.nothing", period=period_text(scope.period, words))
        name, row, _ = max(known, key=lambda item: item[1]["value"])
        return words("depth.largest", name=name, value=words.number(row["value"], digits), unit=_unit(scope, breakdown))
    found: dict[str, list[str]] = {}
    for name, row, other in told:
        side = sentence.side(row, other)
        if side and side != "same":
            share = parts.get(row["group"], {}).get("share")
            of_whole = words("depth.share", share=words.number(100 * share)) if share is not None else ""
            relation = words(f"compare.relation_{side}")
            found.setdefault(relation, []).append(f"{name.lower() if breakdown == 'condition' else name}{of_whole}")
    sentences = [
        words("depth.differ", relation=sentence.capitalised(relation), names=words.listing(items[:MOST_NAMED]))
        + (words("depth.and_more", count=words.count(len(items) - MOST_NAMED)) if len(items) > MOST_NAMED else "")
        + "."
        for relation, items in found.items()
    ]
    if not sentences:
        sentences = [words(f"depth.alike_{breakdown}")]
    structure = parts.get("structure", {}).get("difference")
    if structure is not None:
        value = words.number(abs(structure), digits)
        sentences.append(words("depth.structure_more" if structure > 0 else "depth.structure_less", value=value))
    return " ".join(sentences)


def _part_table(
    scope: DepthScope,
    breakdown: Breakdown,
    names: Sequence[str],
    own: Sequence[Estimate],
    whole: Sequence[Estimate],
    parts: dict[str, Estimate],
    digits: int,
) -> html.Div:
    words = scope.words

    def number(value: float | None, places: int = digits) -> str:
        return words.number(value, places) if value is not None else ""

    table_rows = []
    for name, row, other in zip(names, own, whole, strict=True):
        cells = [
            sentence.value_text(row, digits, words),
            number(row["lower"]),
            number(row["upper"]),
            number(row["numerator"], 0),
        ]
        if not scope.is_country:
            cells += [
                sentence.value_text(other, digits, words),
                sentence.side_text(row, other, words),
            ]
        if parts:
            part = parts.get(row["group"], {})
            share = part.get("share")
            told = f"{words.number(100 * share)} %" if share is not None else words("depth.no_share")
            cells += [number(part.get("difference")), told]
        table_rows.append(Row(name, cells))
    columns = ["part", "value", "low", "high", "numerator"]
    columns += [] if scope.is_country else ["country", "against"]
    columns += ["difference", "share"] if parts else []
    caption = words(
        "depth.breakdown_caption", name=scope.texts.name, area=scope.name, by=words(f"depth.by_{breakdown}")
    )
    return data_table(
        caption, [words(f"depth.column_{name}") for name in columns], table_rows, numeric=(0, 1, 2, 3, 4, 6, 7)
    )


def _by_length(scope: DepthScope) -> html.Figure | html.P:
    """Take the difference of bed days apart into more or fewer admissions and longer or shorter ones."""
    words = scope.words
    parts = {
        row["part"]: row for row in area_parts(*_cell(scope)) if row["dimension"] in ("length_of_stay", "short_stay")
    }
    if "admissions" not in parts:
        return html.P(words("depth.no_length"), className="missing")
    admissions, length = (parts[name]["difference"] for name in ("admissions", "length_of_stay"))
    total = admissions + length
    digits = 0 if abs(total) >= 20 else 1

    def signed(value: float, places: int = digits) -> str:
        return f"{'+' if value > 0 else '−' if value < 0 else ''}{words.number(abs(value), places)}"

    names = [words(f"depth.part_{name}") for name in ("admissions", "length", "total")]
    values = [admissions, length, total]
    marks = [
        Mark(name, value, None, None, 0.0, signed(value), is_strong=at == 2)
        for at, (name, value) in enumerate(zip(names, values, strict=True))
    ]
    short = parts["short"]
    direction = "more" if total > 0 else "fewer"
    text = words(
        f"depth.bed_days_{direction}",
        area=sentence.capitalised(scope.name),
        total=words.number(abs(total), digits),
        admissions=signed(admissions),
        length=signed(length),
    )
    is_alike = short["lower"] is not None and short["lower"] <= 0 <= short["upper"]
    short_key = "depth.short_alike" if is_alike else "depth.short_differ"
    text = f"{text} {words(short_key, difference=signed(short['difference'], scope.digits))}"
    label = words("depth.breakdown_label", name=scope.texts.name, area=scope.name, sentence=text)
    caption = words("depth.breakdown_caption", name=scope.texts.name, area=scope.name, by=words("depth.by_length"))
    table_rows = [Row(name, [signed(value)]) for name, value in zip(names, values, strict=True)]
    table_rows.append(Row(words("depth.part_short"), [signed(short["difference"], scope.digits)]))
    twin = data_table(caption, [words("depth.column_part"), words("depth.column_difference")], table_rows, numeric=(0,))
    return drawing_block(
        "opdeling-figur",
        text,
        lambda width: rows(marks, words("depth.bed_days_axis"), label, words, width, at_zero=True),
        [],
        twin,
        actions(scope, (scope.period,)),
        scope.selection,
        words,
        html.H3,
        of_marks(marks, words("depth.bed_days_axis"), digits),
    )

"""The table of an overview: a row an indicator, with its strip, its months, its verdict and its potential."""

from typing import Any

from dash import html

from dashboard import sentence
from dashboard.components.attributes import aria
from dashboard.components.svg import Svg
from dashboard.components.verdict import BEHIND, CHANGES, reason_text, verdict_mark, verdict_text
from dashboard.figures.sparkline import SIGNALS, sparkline, sparkline_key
from dashboard.figures.strip import Benchmarks, strip, strip_key
from dashboard.pages.overview.scope import Line, OverviewScope, process_of
from dashboard.potentials import level_potentials
from dashboard.readings import best_fifth, goal_level, goal_progress, goals_of
from kpis.indicator import FOCUS_AREAS
from kpis.potential import words as potential_words


def indicator_table(lines: list[Line], scope: OverviewScope) -> html.Table:
    """Return the table with a row an indicator; each focus area is named at its first."""
    words = scope.words
    count = len(lines[0].peers)
    judged_by = words("overview.judged_by_past" if scope.is_country else "overview.judged_by", levels=scope.peer_words)
    names: list[Any] = [
        words("overview.column_indicator"),
        words("overview.column_value"),
        words("overview.column_strip", count=count, levels=scope.peer_words),
        words("overview.column_spark"),
        [words("overview.column_verdict"), html.Span(judged_by, className="unit")],
        words("overview.column_potential"),
    ]
    caption = words("overview.caption", area=scope.name, count=count, levels=scope.peer_words)
    rows, focus_area = [], 0
    for line in lines:
        rows.append(_row(line, scope, is_first=line.indicator.focus_area != focus_area))
        focus_area = line.indicator.focus_area
    # The roles are repeated because on a phone the rows are laid out as cards, and that takes them away.
    return html.Table(
        [
            html.Caption(caption, className="visually-hidden"),
            html.Thead(
                html.Tr([html.Th(name, scope="col", role="columnheader") for name in names], role="row"),
                role="rowgroup",
            ),
            html.Tbody(rows, role="rowgroup"),
        ],
        className="overview",
        role="table",
    )


def _row(line: Line, scope: OverviewScope, is_first: bool) -> html.Tr:
    words = scope.words
    focus = FOCUS_AREAS[line.indicator.focus_area]
    eyebrow = [html.Span(f"{focus.number}. {getattr(focus, words.lang)}", className="focus-area")] if is_first else []
    name = html.A(
        line.texts.short_name,
        href=scope.selection.on_page("depth", line.indicator.id).to_url(),
        id=f"row-{line.indicator.id}",
    )
    interval = sentence.interval_text(line.own, line.own_digits, words)
    value: list[Any] = [html.Span(sentence.value_text(line.own, line.own_digits, words), className="missing")]
    if line.own["value"] is not None:
        value = [
            html.Strong(sentence.value_text(line.own, line.own_digits, words)),
            f" ({interval})" if interval else "",
        ]
    # the sentence above counts these only
    is_counted = words("overview.is_headline", unit=line.texts.unit) if line.indicator.headline else line.texts.unit
    unit = html.Span(is_counted, className="unit")
    return html.Tr(
        [
            html.Th([*eyebrow, name, unit], scope="row", role="rowheader"),
            html.Td([*value, html.Span(_benchmarks(line, scope), className="unit")], className="value", role="cell"),
            html.Td(_strip(line, scope), className="strip", role="cell"),
            html.Td(_spark(line, scope), className="spark", role="cell"),
            html.Td(_verdict(line, scope), className="verdict", role="cell"),
            html.Td(
                [html.Span(words("overview.column_potential"), className="on-phone"), *_potential(line, scope)],
                className="potential",
                role="cell",
            ),
        ],
        role="row",
    )


def _benchmarks(line: Line, scope: OverviewScope) -> str:
    """Return the figures of the group and the country that the value is compared with."""
    beside = [(scope.group.name, line.group)] if scope.group else []
    beside += [] if scope.is_country else [(scope.words("overview.the_country"), line.country)]
    return " · ".join(
        f"{name} {scope.words.number(row['value'], line.own_digits)}"
        for name, row in beside
        if row is not None and row["value"] is not None
    )


def _strip(line: Line, scope: OverviewScope) -> Any:
    words, values = scope.words, [row["value"] for row in line.peers if row["value"] is not None]
    if not values:
        return html.Span(words("strip.empty"), className="missing small")
    label = words(
        "strip.label_no_own" if scope.is_country else "strip.label",
        name=line.texts.short_name,
        area=scope.name,
        value=sentence.with_interval(line.own, line.own_digits, words),
        count=len(values),
        levels=scope.peer_words,
        low=words.number(min(values), line.digits),
        high=words.number(max(values), line.digits),
        country=sentence.value_text(line.country, line.digits, words),
    )
    drawn = strip(
        line.peers,
        scope.area.code,
        scope.group.municipalities if scope.group else (),
        _against(line, scope),
        line.indicator.better,
        line.digits,
        label,
        words,
    )
    compare = scope.selection.on_page("compare", line.indicator.id)
    return html.A(Svg(drawn, className="svg"), href=compare.to_url(), title=words("overview.compare_link"))


def _against(line: Line, scope: OverviewScope) -> Benchmarks:
    """Return what the areas of a drawn row are held against."""
    asked = (scope.release, line.indicator.id)
    return Benchmarks(
        line.country["value"],
        best_fifth(*asked, scope.selection.map, scope.period),
        goal_level(*asked, scope.area, scope.period),
    )


def _spark(line: Line, scope: OverviewScope) -> Any:
    words = scope.words
    months = process_of(line.indicator, scope).months
    if months["adjusted"].count() < 2:
        return html.Span(words("spark.empty"), className="missing small")
    signals = [month for month, signal in months.select("month", "signal").iter_rows() if signal != "none"]
    told = (
        words("spark.signals", count=len(signals), last=words.month(signals[-1]))
        if len(signals)
        else words("spark.no_signals")
    )
    label = words(
        "spark.label",
        name=line.texts.short_name,
        area=scope.name,
        first=words.month(months["month"][0]),
        last=words.month(months["month"][-1]),
        signals=told,
    )
    depth = scope.selection.on_page("depth", line.indicator.id)
    return html.A(Svg(sparkline(months, label, words), className="svg"), href=depth.to_url(), tabIndex=-1)


def _verdict(line: Line, scope: OverviewScope) -> list[Any]:
    words, process = scope.words, process_of(line.indicator, scope)
    parts: list[Any] = [verdict_mark(line.verdict.verdict, words)]
    if line.verdict.reason:
        parts.append(html.Span(reason_text(line.verdict.reason, words), className="verdict-note"))
    if process.since and not scope.is_country and process.judged.verdict in CHANGES:
        month = words.short_month(process.since)
        told = words("verdict.since", change=verdict_text(process.judged.verdict, words), month=month)
        parts.append(html.Span(told, className="verdict-note"))
    for goal in goals_of(scope.release, line.indicator.id, scope.area)[:1]:  # the nearest
        standing = goal_progress(scope.release)[goal.goal_id]["verdict"]
        if standing in BEHIND:
            told = words("verdict.goal", standing=verdict_text(standing, words))
            parts.append(html.Span(told, className="verdict-note"))
    return parts


def _potential(line: Line, scope: OverviewScope) -> list[Any]:
    """Return what doing as well as the best fifth would mean, with its interval; or why nothing is said of it."""
    words, selection = scope.words, scope.selection
    of_level = (scope.area.level, selection.map, scope.period)
    found = level_potentials(scope.release, line.indicator.id, *of_level, "best_fifth", 1.0).get(scope.area.code)
    if found is None:
        return [html.Span(words("overview.no_potential"), className="quiet small")]
    if found["potential"] is None:
        reason = found["reason"].split(";")[0]
        return [html.Span(potential_words("reason", reason, words.lang), className="missing small")]
    if not found["upper"]:
        return [html.Span(words("overview.potential_none"), className="quiet")]
    direction = "fewer" if line.indicator.better == "lower" else "more"
    value, lower, upper = sentence.amounts(found["potential"], found["lower"], found["upper"])
    if not lower and (line.verdict.verdict == "not_assessed" or _is_at_best_fifth(line, scope)):
        return [html.Span(words("overview.potential_unseen"), className="quiet")]
    if not value:
        return [html.Span(words(f"overview.up_to_{direction}", amount=words.number(upper)), className="quiet")]
    told = words(f"overview.{direction}_of", amount=words.number(value))
    return [html.Strong(told), html.Span(words.interval(lower, upper), className="unit")]


def _is_at_best_fifth(line: Line, scope: OverviewScope) -> bool:
    """Whether a municipality's own value lies where the best fifth begins, or beyond."""
    mark, own = _against(line, scope).best_fifth, line.own["value"]
    if scope.area.level != "municipality" or mark is None or own is None:
        return False
    return bool(own <= mark if line.indicator.better == "lower" else own >= mark)


def legend(lines: list[Line], scope: OverviewScope) -> html.Ul:
    """Return what the marks of the drawings mean, as far as they are drawn."""
    words = scope.words
    entries = [
        (strip_key("own"), sentence.capitalised(scope.name)),
        *([(strip_key("group"), scope.group.name)] if scope.group else []),
        (strip_key("all"), words("overview.legend_all", levels=scope.peer_words)),
        (strip_key("country"), words("overview.legend_country")),
        (strip_key("best_fifth"), words("overview.legend_best_fifth")),
        *(
            [(strip_key("goal"), words("overview.legend_goal"))]
            if any(_against(line, scope).goal is not None for line in lines)
            else []
        ),
    ]
    if not scope.selection.meeting:  # months are not drawn on a wall
        entries += [(sparkline_key(kind), words(f"overview.legend_{kind}")) for kind in ("limits", "tail")]
        seen = {signal for line in lines for signal in process_of(line.indicator, scope).months["signal"]}
        entries += [(sparkline_key(kind), words(f"depth.signal_{kind}")) for kind in SIGNALS if kind in seen]
    if scope.is_country:
        entries = entries[1:]
    items = [html.Li([Svg(mark), text]) for mark, text in entries]
    return html.Ul(items, className="legend", **aria(label=words("overview.legend")))

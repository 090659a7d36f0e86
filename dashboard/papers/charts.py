"""Charts that can be edited in the slide: the numbers of a drawing as a native chart with its own sheet of numbers.

python-pptx makes the chart; intervals, scales and legend entries it has no words for are written into its XML, and the
sheet behind a chart is written anew, so that the intervals stand in it and follow when they are edited.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import ceil, floor, inf, log10
from typing import Any

import xlsxwriter
from lxml import etree
from pptx.chart.chart import Chart
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import XL_CHART_TYPE, XL_LEGEND_POSITION, XL_MARKER_STYLE, XL_TICK_LABEL_POSITION
from pptx.enum.dml import MSO_LINE
from pptx.oxml.ns import qn
from pptx.util import Pt

from dashboard.figures.caterpillar import NAMED_UP_TO
from dashboard.figures.numbers import Curves, Entry, Estimates, Funnel, Kind, MonthEntry, Months, Numbers, Role
from dashboard.figures.scale import ticks
from dashboard.words import Words
from kpis.period import breaks_within

INK, QUIET, RULE = RGBColor(0x16, 0x20, 0x2A), RGBColor(0x55, 0x62, 0x6F), RGBColor(0xDD, 0xE3, 0xE8)
_COLOURS: dict[str, RGBColor] = {
    "own": RGBColor(0x1A, 0x5F, 0xA8),
    "group": RGBColor(0x6F, 0xA3, 0xD8),
    "others": RGBColor(0x9A, 0xA5, 0xB0),
    "country": INK,
}
_KINDS: tuple[Kind, ...] = ("others", "group", "own")  # what stands out lies on top
_SIGNALS = {
    "improvement": (XL_MARKER_STYLE.DIAMOND, RGBColor(0x0B, 0x6E, 0x62)),
    "concern": (XL_MARKER_STYLE.TRIANGLE, RGBColor(0xA3, 0x4A, 0x06)),
    "rise": (XL_MARKER_STYLE.SQUARE, _COLOURS["own"]),
    "fall": (XL_MARKER_STYLE.SQUARE, _COLOURS["own"]),
}
_TYPE = Pt(14)
_MOST_LABELS = 11

Add = Callable[[Any, Any], Chart]
"""Puts a chart of a type with its data onto a slide."""


@dataclass(frozen=True)
class _Line:
    """One series over the categories of a chart, and its colour; intervals stand in columns of their own."""

    name: str
    values: Sequence[float | None]
    colour: RGBColor
    down: Sequence[float | None] = ()  # from the value to the lower end of its interval
    up: Sequence[float | None] = ()
    points: float = 1.5
    dash: Any = None


def add_chart(numbers: Numbers, names: dict[str, str], words: Words, add: Add) -> Chart:
    """Draw ``numbers`` by ``add``. ``names`` are those of own area and group, by kind, where they have one."""
    names = {kind: names.get(kind) or words(f"papers.series_{kind}") for kind in (*_KINDS, "country")}
    match numbers:
        case Estimates() if len(numbers.entries) > NAMED_UP_TO:
            chart = _side_by_side(numbers, names, words, add)
        case Estimates():
            chart = _bars(numbers, names, words, add)
        case Months():
            chart = _months(numbers, words, add)
        case Curves():
            chart = _curves(numbers, words, add)
        case Funnel():
            chart = _funnel(numbers, names, words, add)
    chart.has_title = False
    chart.font.size, chart.font.color.rgb = _TYPE, INK
    return chart


# Estimates --------------------------------------------------------------------------------------------------------


def _side_by_side(numbers: Estimates, names: dict[str, str], words: Words, add: Add) -> Chart:
    """Draw many areas by rising value as dots with intervals, and the country as a line across."""
    entries = numbers.entries
    lines = [_of_kind(entries, kind, names) for kind in _KINDS if any(entry.kind == kind for entry in entries)]
    if numbers.across:
        name, value = numbers.across
        lines.append(_Line(name, [value] * len(entries), _COLOURS["country"]))
    chart = _drawn(XL_CHART_TYPE.LINE_MARKERS, [entry.name for entry in entries], lines, numbers, words, add)
    chart.category_axis.tick_label_position = XL_TICK_LABEL_POSITION.NONE
    for series, line in zip(chart.plots[0].series, lines, strict=True):
        if line.up:
            series.format.line.fill.background()
            _mark(series.marker, XL_MARKER_STYLE.CIRCLE, 9 if line.name == names["own"] else 6, line.colour)
        else:
            _mark(series.marker, XL_MARKER_STYLE.NONE, 5, line.colour)
            _stroke(series, line.colour, 1.5, MSO_LINE.DASH)
    _name_own(chart, [series.name for series in chart.plots[0].series], names["own"], entries)
    return chart


def _bars(numbers: Estimates, names: dict[str, str], words: Words, add: Add) -> Chart:
    """Draw few values under each other as bars with intervals; the country is one of them, or a bar beside each."""
    entries = list(numbers.entries)
    kinds: list[str] = [kind for kind in _KINDS if any(entry.kind == kind for entry in entries)]
    lines = [_of_kind(entries, kind, names) for kind in kinds]
    if numbers.across:
        name, value = numbers.across
        place = sum(entry.value is not None and entry.value <= value for entry in entries)
        entries.insert(place, Entry(name, value))
        lines = [_with_gap(line, place) for line in lines]
        alone = [value if at == place else None for at in range(len(entries))]
        lines.append(_Line(name, alone, _COLOURS["country"]))
    elif any(entry.reference is not None for entry in entries):
        references = [entry.reference for entry in entries]
        lines.append(_Line(names["country"], references, _COLOURS["others"]))
    written = [_told(entry, numbers.digits, words) for entry in entries]
    chart = _drawn(XL_CHART_TYPE.BAR_CLUSTERED, written, lines, numbers, words, add)
    plot = chart.plots[0]
    plot.gap_width, plot.overlap = 60, 100 if numbers.across or len(lines) == 1 else 0
    chart.category_axis.reverse_order = True
    chart.value_axis.tick_label_position = XL_TICK_LABEL_POSITION.HIGH  # which is below, as the order is reversed
    _label_every(chart, 1)
    chart.category_axis.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    chart.category_axis.tick_labels.font.size = _TYPE if len(entries) <= 8 else Pt(10) if len(entries) <= 14 else Pt(8)
    for series, line in zip(plot.series, lines, strict=True):
        series.format.fill.solid()
        series.format.fill.fore_color.rgb = line.colour
        series.invert_if_negative = False
    return chart


def _of_kind(entries: Sequence[Entry], kind: str, names: dict[str, str]) -> _Line:
    """Return the values of one kind, with nothing in the places of the others."""

    def of_kind(pick: Callable[[Entry], float | None]) -> list[float | None]:
        return [pick(entry) if entry.kind == kind and entry.value is not None else None for entry in entries]

    return _Line(
        names[kind],
        of_kind(lambda entry: entry.value),
        _COLOURS[kind],
        of_kind(lambda entry: _distance(entry.lower, entry.value)),
        of_kind(lambda entry: _distance(entry.value, entry.upper)),
    )


def _distance(low: float | None, high: float | None) -> float | None:
    return None if low is None or high is None else round(high - low, 6)


def _with_gap(line: _Line, place: int) -> _Line:
    def gap(values: Sequence[float | None]) -> list[float | None]:
        return [*values[:place], None, *values[place:]]

    return replace(line, values=gap(line.values), down=gap(line.down), up=gap(line.up))


def _told(entry: Entry, digits: int, words: Words) -> str:
    """Return the name with value and interval, as the drawing tells them."""
    if entry.value is None:
        return entry.name
    value = words.number(entry.value, digits)
    if entry.lower is None or entry.upper is None:
        return f"{entry.name}  {value}"
    interval = words.interval(entry.lower, entry.upper, digits)
    return f"{entry.name}  {words('value.with_interval', value=value, interval=interval)}"


def _name_own(chart: Chart, drawn: Sequence[str], own: str, entries: Sequence[Entry]) -> None:
    """Write its name beside the own area."""
    place = next((at for at, entry in enumerate(entries) if entry.kind == "own"), None)
    if place is not None:
        point = chart.plots[0].series[drawn.index(own)].points[place]
        _label(point, entries[place].name)


# Months -----------------------------------------------------------------------------------------------------------


def _months(numbers: Months, words: Words, add: Add) -> Chart:
    """Draw a process chart: months, the provisional ones dotted, level and limits of each phase, the path to the goal.

    Where there is a break an empty place stands between the months: no line is drawn across it.
    """
    months = _with_breaks([entry.month for entry in numbers.entries])
    known = {entry.month: entry for entry in numbers.entries}
    entries = [known[month] if month else None for month in months]
    own, limit = _COLOURS["own"], _COLOURS["others"]
    sure = [entry.value if entry and not entry.is_provisional else None for entry in entries]
    lines = [_Line(words("papers.series_months"), sure, own, points=2.5)]
    if any(entry and entry.is_provisional for entry in entries):
        lines.append(_Line(words("papers.series_provisional"), _tail(entries), own, points=2, dash=MSO_LINE.ROUND_DOT))
    phases = _phases(entries)
    for name, dash in (("centre", None), ("upper", MSO_LINE.SQUARE_DOT), ("lower", MSO_LINE.SQUARE_DOT)):
        for phase in phases:
            values = [getattr(entry, name) if entry and at in phase else None for at, entry in enumerate(entries)]
            lines.append(_Line(words(f"papers.series_{name}"), values, limit, dash=dash))
    if numbers.goal:
        path = [entry.goal if entry else None for entry in entries]
        lines.append(_Line(numbers.goal, path, INK, points=1.75, dash=MSO_LINE.DASH))
    signals = [kind for kind in _SIGNALS if any(entry and entry.signal == kind for entry in entries)]
    for kind in signals:  # a series each, so that the legend tells what its marks mean
        values = [entry.value if entry and entry.signal == kind else None for entry in entries]
        lines.append(_Line(words(f"depth.signal_{kind}"), values, _SIGNALS[kind][1]))
    chart = _through_months(months, lines, numbers, words, add)
    for series, kind in zip(list(chart.plots[0].series)[len(lines) - len(signals) :], signals, strict=True):
        series.format.line.fill.background()
        shape, colour = _SIGNALS[kind]
        _mark(series.marker, shape, 11, colour)
    return chart


_LOOKS: dict[Role, tuple[RGBColor, float, Any]] = {
    "own": (_COLOURS["own"], 2.5, None),
    "tail": (_COLOURS["own"], 2, MSO_LINE.ROUND_DOT),
    "expected": (INK, 1.75, MSO_LINE.DASH),
    "limit": (_COLOURS["others"], 1.5, MSO_LINE.SQUARE_DOT),
}


def _curves(numbers: Curves, words: Words, add: Add) -> Chart:
    """Draw lines through months, none across a break."""
    months, lines = _with_breaks(numbers.months), []
    for curve in numbers.curves:
        colour, points, dash = _LOOKS[curve.role]
        known = dict(zip(numbers.months, curve.values, strict=True))
        values = [known[month] if month else None for month in months]
        lines.append(_Line(curve.name, values, colour, points=points, dash=dash))
    return _through_months(months, lines, numbers, words, add)


def _through_months(
    months: Sequence[date | None], lines: Sequence[_Line], numbers: Months | Curves, words: Words, add: Add
) -> Chart:
    """Draw lines over ``months``, where None is a break; a name that comes again is in the legend once."""
    labels = [words.short_month(month) if month else "" for month in months]
    chart = _drawn(XL_CHART_TYPE.LINE_MARKERS, labels, lines, numbers, words, add)
    for series, line in zip(chart.plots[0].series, lines, strict=True):
        _mark(series.marker, XL_MARKER_STYLE.NONE, 5, line.colour)
        _stroke(series, line.colour, line.points, line.dash)
    _leave_out_of_legend(chart, [at for at, line in enumerate(lines) if line.name in {it.name for it in lines[:at]}])
    _label_every(chart, ceil(len(months) / 9))
    return chart


def _label_every(chart: Chart, number: int) -> None:
    """Write each so-and-so-many-th category along its axis."""
    after = chart.category_axis._element.find(qn("c:noMultiLvlLbl"))
    after.addprevious(etree.Element(qn("c:tickLblSkip"), val=str(number)))


def _with_breaks(months: Sequence[date]) -> list[date | None]:
    """Return the months with an empty place before each that follows a break."""
    found = {item.month for item in breaks_within(months[0], months[-1])}
    return [place for month in months for place in ([None, month] if month in found else [month])]


def _tail(entries: Sequence[MonthEntry | None]) -> list[float | None]:
    """Return the provisional months and the last sure one, from which their line goes out."""
    sure = [at for at, entry in enumerate(entries) if entry and not entry.is_provisional and entry.value is not None]
    start = sure[-1] if sure else -1
    return [entry.value if entry and at >= start else None for at, entry in enumerate(entries)]


def _phases(entries: Sequence[MonthEntry | None]) -> list[range]:
    """Return the places of the months that have one level in common."""
    phases: list[range] = []
    for at, entry in enumerate(entries):
        if entry is None or entry.centre is None:
            continue
        before = entries[at - 1] if at else None
        if phases and before is not None and before.centre == entry.centre and phases[-1].stop == at:
            phases[-1] = range(phases[-1].start, at + 1)
        else:
            phases.append(range(at, at + 1))
    return phases


# Funnel -----------------------------------------------------------------------------------------------------------


def _funnel(numbers: Funnel, names: dict[str, str], words: Words, add: Add) -> Chart:
    """Draw areas by size, as dots among the limits of areas of their size."""
    entries = numbers.entries
    kinds = [kind for kind in _KINDS if any(entry.kind == kind for entry in entries)]
    name, middle = numbers.across
    lines = [
        _Line(names[kind], [entry.value if entry.kind == kind else None for entry in entries], _COLOURS[kind])
        for kind in kinds
    ]
    lines += [
        _Line(words(f"papers.series_{limit}"), [getattr(entry, limit) for entry in entries], _COLOURS["others"])
        for limit in ("upper_998", "upper_95", "lower_95", "lower_998")
    ]
    lines.append(_Line(name, [middle] * len(entries), INK))
    data = XyChartData(number_format=_format(numbers.digits))
    for line in lines:
        series = data.add_series(line.name)
        for entry, value in zip(entries, line.values, strict=True):
            series.add_data_point(entry.size, value)
    chart = add(XL_CHART_TYPE.XY_SCATTER, data)
    drawn = list(chart.plots[0].series)
    for column, (series, line) in enumerate(zip(drawn, lines, strict=True), start=1):
        _refer(series, column, len(entries))
        if column <= len(kinds):
            series.format.line.fill.background()
            _mark(series.marker, XL_MARKER_STYLE.CIRCLE, 9 if line.name == names["own"] else 6, line.colour)
        else:
            _mark(series.marker, XL_MARKER_STYLE.NONE, 5, line.colour)
            _stroke(series, line.colour, 1.25, MSO_LINE.DASH if line.colour is INK else None)
    columns: list[tuple[str, Sequence[float | str | None]]] = [(line.name, line.values) for line in lines]
    columns.append((words("compare.column_area"), [entry.name for entry in entries]))
    sizes = [entry.size for entry in entries]
    _write_sheet(chart, sizes, columns, numbers.digits)
    outside = [entry for entry in entries if not entry.lower_998 <= entry.value <= entry.upper_998]
    named = [*outside[-_MOST_LABELS:], *(entry for entry in entries if entry.kind == "own")]
    for at, entry in enumerate(entries):
        if entry in named:
            _label(drawn[kinds.index(entry.kind)].points[at], entry.name)
    _axes(chart, numbers.axis, numbers.digits)
    _span(chart, [max(number, 0.0) for line in lines for number in line.values if number is not None])
    size = chart.category_axis
    size.has_title = True
    _title(size, numbers.size_axis)
    scaling = size._element.find(qn("c:scaling"))
    scaling.insert(0, etree.Element(qn("c:logBase"), val="10"))
    size.minimum_scale = 10.0 ** floor(log10(entries[0].size))
    size.maximum_scale = 10.0 ** ceil(log10(entries[-1].size))
    _legend(chart)
    return chart


# What charts have in common ---------------------------------------------------------------------------------------


def _drawn(
    kind: Any,
    names: Sequence[str],
    lines: Sequence[_Line],
    numbers: Estimates | Months | Curves,
    words: Words,
    add: Add,
) -> Chart:
    """Add a chart of series over categories, with axes, intervals and legend, and write its sheet."""
    data = CategoryChartData(number_format=_format(numbers.digits))
    data.categories = names
    for line in lines:
        data.add_series(line.name, line.values)
    chart = add(kind, data)
    columns: list[tuple[str, Sequence[float | str | None]]] = [(line.name, line.values) for line in lines]
    for series, line in zip(chart.plots[0].series, lines, strict=True):
        if not any(value is not None for value in line.up):
            continue
        places = {}
        for name, values in (("minus", line.down), ("plus", line.up)):
            columns.append((f"{line.name}: {words(f'papers.interval_{name}')}", values))
            places[name] = _reference(len(columns), values)
        _add_intervals(series, places, kind == XL_CHART_TYPE.LINE_MARKERS)
    _write_sheet(chart, names, columns, numbers.digits)
    _axes(chart, "" if isinstance(numbers, Curves) else numbers.axis, numbers.digits)
    is_upright = kind == XL_CHART_TYPE.LINE_MARKERS
    lowest = 0.0 if isinstance(numbers, Months) else -inf  # limits below zero limit nothing
    _span(chart, [*(max(end, lowest) for end in _ends(lines)), *([] if is_upright else [0.0])])
    _legend(chart)
    return chart


def _write_sheet(
    chart: Chart,
    first: Sequence[float | str],
    columns: Sequence[tuple[str, Sequence[float | str | None]]],
    digits: int,
) -> None:
    """Write the workbook behind a chart: a column for the categories or sizes, one for each series. No formulas."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet, number = book.add_worksheet(), book.add_format({"num_format": _format(digits)})
        for column, (head, values) in enumerate([("", first), *columns]):
            sheet.write_string(0, column, head)
            for at, value in enumerate(values, start=1):
                if isinstance(value, str):
                    sheet.write_string(at, column, value)
                elif value is not None:
                    sheet.write_number(at, column, value, number)
    part: Any = chart.part
    part.chart_workbook.update_from_xlsx_blob(file.getvalue())


def _cells(column: int, count: int) -> str:
    """Return how a chart refers to the numbers of a column of its sheet."""
    letter = xlsxwriter.utility.xl_col_to_name(column)
    return f"Sheet1!${letter}$2:${letter}${count + 1}"


def _refer(series: Any, column: int, count: int) -> None:
    """Let a series of a scatter chart refer to a column; python-pptx writes a sheet of several tables."""
    letter = xlsxwriter.utility.xl_col_to_name(column)
    for place, cells in (("tx", f"Sheet1!${letter}$1"), ("xVal", _cells(0, count)), ("yVal", _cells(column, count))):
        series._element.find(f"{qn(f'c:{place}')}//{qn('c:f')}").text = cells


def _reference(column: int, values: Sequence[float | None]) -> etree._Element:
    """Return the cells of a column of the sheet as a chart refers to them, with the numbers in them."""
    reference = etree.Element(qn("c:numRef"))
    etree.SubElement(reference, qn("c:f")).text = _cells(column, len(values))
    cache = etree.SubElement(reference, qn("c:numCache"))
    etree.SubElement(cache, qn("c:formatCode")).text = "General"
    etree.SubElement(cache, qn("c:ptCount"), val=str(len(values)))
    for at, value in enumerate(values):
        if value is not None:
            point = etree.SubElement(cache, qn("c:pt"), idx=str(at))
            etree.SubElement(point, qn("c:v")).text = repr(value)
    return reference


def _add_intervals(series: Any, places: dict[str, etree._Element], is_upright: bool) -> None:
    """Add error bars of lengths of their own; ``is_upright`` where values rise upwards."""
    bars = etree.Element(qn("c:errBars"))
    if is_upright:
        etree.SubElement(bars, qn("c:errDir"), val="y")
    etree.SubElement(bars, qn("c:errBarType"), val="both")
    etree.SubElement(bars, qn("c:errValType"), val="cust")
    etree.SubElement(bars, qn("c:noEndCap"), val="1")
    for name in ("plus", "minus"):
        etree.SubElement(bars, qn(f"c:{name}")).append(places[name])
    look = etree.SubElement(etree.SubElement(bars, qn("c:spPr")), qn("a:ln"), w="15875")
    etree.SubElement(etree.SubElement(look, qn("a:solidFill")), qn("a:srgbClr"), val=str(QUIET))
    series._element.find(qn("c:cat")).addprevious(bars)


def _axes(chart: Chart, axis: str, digits: int) -> None:
    values, others = chart.value_axis, chart.category_axis
    values.has_major_gridlines, others.has_major_gridlines = True, False
    values.major_gridlines.format.line.color.rgb = RULE
    values.format.line.fill.background()
    others.format.line.color.rgb = QUIET
    values.tick_labels.number_format, values.tick_labels.number_format_is_linked = _format(digits), False
    if axis:
        values.has_title = True
        _title(values, axis)


def _ends(lines: Sequence[_Line]) -> Iterator[float]:
    """Yield every value with the ends of its interval."""
    for line in lines:
        for at, value in enumerate(line.values):
            if value is not None:
                down, up = (ends[at] if ends else None for ends in (line.down, line.up))
                yield from (value - (down or 0.0), value + (up or 0.0))


def _span(chart: Chart, numbers: Sequence[float]) -> None:
    """Let the axis of values hold all numbers, with round ends."""
    steps, _ = ticks(min(numbers), max(numbers), 6)
    chart.value_axis.minimum_scale, chart.value_axis.maximum_scale = steps[0], steps[-1]
    chart.value_axis.major_unit = steps[1] - steps[0]


def _title(axis: Any, text: str) -> None:
    frame = axis.axis_title.text_frame
    frame.text = text
    font = frame.paragraphs[0].runs[0].font
    font.size, font.bold, font.color.rgb = _TYPE, False, QUIET


def _legend(chart: Chart) -> None:
    chart.has_legend = len(list(chart.plots[0].series)) > 1
    if chart.has_legend:
        chart.legend.position, chart.legend.include_in_layout = XL_LEGEND_POSITION.BOTTOM, False
        chart.legend.font.size = _TYPE


def _leave_out_of_legend(chart: Chart, places: Sequence[int]) -> None:
    position = chart.legend._element.find(qn("c:legendPos"))
    for place in reversed(places):
        entry = etree.Element(qn("c:legendEntry"))
        etree.SubElement(entry, qn("c:idx"), val=str(place))
        etree.SubElement(entry, qn("c:delete"), val="1")
        position.addnext(entry)


def _label(point: Any, text: str) -> None:
    frame = point.data_label.text_frame
    frame.text = text
    font = frame.paragraphs[0].runs[0].font
    font.size, font.bold, font.color.rgb = _TYPE, True, INK


def _mark(marker: Any, style: Any, size: int, colour: RGBColor) -> None:
    marker.style, marker.size = style, size
    marker.format.fill.solid()
    marker.format.fill.fore_color.rgb = colour
    marker.format.line.fill.background()


def _stroke(series: Any, colour: RGBColor, points: float, dash: Any = None) -> None:
    series.smooth = False
    line = series.format.line
    line.color.rgb, line.width = colour, Pt(points)
    if dash is not None:
        line.dash_style = dash


def _format(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "")

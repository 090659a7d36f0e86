"""Overblik: one area, one sentence, the headlines of the four focus areas; everything else is one click away."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from dash import html

from dashboard import files, sentence
from dashboard.components.attributes import aria
from dashboard.components.controls import Option, segments, select
from dashboard.components.markup import Tag
from dashboard.components.svg import Svg
from dashboard.components.table import Row, data_table
from dashboard.components.verdict import CALM, CHANGES, SILENT, reason_text, verdict_mark, verdict_text
from dashboard.effect.plans import plans_for
from dashboard.figures.sparkline import sparkline, sparkline_key
from dashboard.figures.strip import Benchmarks, strip, strip_key
from dashboard.groups import group_of, group_options
from dashboard.news import News, area_news
from dashboard.pages import Body, Wall
from dashboard.pages.compare import on_map, period_text
from dashboard.pages.scope import Scope
from dashboard.papers.addresses import overview_address
from dashboard.potentials import level_potentials
from dashboard.readings import (
    NOT_ASSESSED,
    Estimate,
    Judged,
    Process,
    area_change,
    area_estimate,
    area_process,
    best_fifth,
    goal_level,
    latest_period,
    level_rows,
    level_verdicts,
    process_months,
)
from dashboard.selection import COUNTRY, Catalogue, Page, Selection, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import Area, Map, levels
from kpis.export import Format
from kpis.indicator import FOCUS_AREAS, Indicator, Language, Texts, find_indicator, load_indicators
from kpis.period import Period
from kpis.potential import words as potential_words
from kpis.release import Release, per_release
from kpis.verdict import BY_ID

MOST_ROWS = 6
MOST_NEWS = 3  # of one kind; the rest is counted


@dataclass(frozen=True)
class Line:
    """One indicator of the overview: what its row, its sentence and its table are made from."""

    indicator: Indicator
    texts: Texts
    own: Estimate
    group: Estimate | None
    country: Estimate
    peers: Sequence[Estimate]  # every area of the level
    verdict: Judged  # against the country; of the country itself against its own past
    digits: int  # of the peers
    own_digits: int  # a larger area can bear more


@dataclass(frozen=True)
class _Scope(Scope):
    """What all rows of one overview share."""

    group: Area | None
    country: Area
    peer_level: str

    @property
    def peer_words(self) -> str:
        return self.words(f"levels.{self.peer_level}")

    def period_of(self, indicator: Indicator) -> Period:
        """The period of the view, or the newest year of an indicator that is told for years only."""
        return latest_period(self.release, indicator.id)


def page(selection: Selection, release: Release) -> Body:
    """Return the overview of the selected area."""
    words = load_words(selection.lang)
    known = catalogue(release)
    scope = _scope(selection, release, known, words)
    lines = [_line(indicator, scope) for indicator in chosen_indicators()]
    headlines = [line for line in lines if line.indicator.headline]
    period = period_text(scope.period, words)
    newest = words(f"period.newest_{scope.period.grain}")
    heading = sentence.capitalised(scope.name)
    conclusion, told_scope = _conclusion(headlines, scope), words("overview.scope", period=period, newest=newest)
    table = _table(lines, scope)
    return Body(
        words("overview.title", area=heading),
        [
            html.Div(
                [
                    html.Div(
                        [
                            html.P(_memberships(scope, known), className="eyebrow"),
                            html.H1(heading, tabIndex=-1),
                            html.P(conclusion, className="conclusion"),
                            html.P(
                                [told_scope, on_map(selection, words), " · ", _paper(selection, words)],
                                className="quiet small",
                            ),
                        ]
                    ),
                    _controls(scope, known),
                ],
                className="page-head with-choice",
            ),
            table,
            _besides(lines, scope),
            *_interventions(scope),
            _news(scope),
            _legend(lines, scope),
            _numbers([_line(indicator, scope) for indicator in load_indicators().values()], scope),
            _months(lines, scope),
            *_members(scope, known),
        ],
        wall=Wall(told_scope + on_map(selection, words), conclusion, table, _numbers_table(lines, scope))
        if selection.meeting
        else None,
    )


def chosen_indicators() -> list[Indicator]:
    """Return the indicators on the first screen: the headlines and the next ones, in the order of the focus areas."""
    every = list(load_indicators().values())
    headlines = [item for item in every if item.headline][:MOST_ROWS]
    others = [item for item in every if not item.headline and item.can_be_standardised]
    chosen = headlines + others[: MOST_ROWS - len(headlines)]
    return [item for item in every if item in chosen]


def _scope(selection: Selection, release: Release, known: Catalogue, words: Words) -> _Scope:
    area = known.area(selection.area, selection.map) if selection.area else None
    country = known.area(COUNTRY, selection.map)
    assert area is not None and country is not None, "Selection.from_url gives areas of the map only"
    peer_level = "municipality" if area.level == "country" else area.level
    group = group_of(selection, known, words)
    return _Scope(selection, release, words, known, area, latest_period(release), group, country, peer_level)


def _line(indicator: Indicator, scope: _Scope) -> Line:
    release, map_id, period = scope.release, scope.selection.map, scope.period_of(indicator)

    def estimate(area: Area) -> Estimate:
        return area_estimate(release, indicator.id, area, map_id, period, True)

    peers = tuple(level_rows(release, indicator.id, scope.peer_level, map_id, period, True).values())
    own, country, digits = estimate(scope.area), estimate(scope.country), sentence.digits_of(peers)
    return Line(
        indicator,
        indicator.texts(scope.words.lang),
        own,
        estimate(scope.group) if scope.group else None,
        country,
        peers,
        _judged(indicator, scope),
        digits,
        max(digits, sentence.digits_of([own])),
    )


def _against(line: Line, scope: _Scope) -> Benchmarks:
    """Return what the areas of a drawn row are held against."""
    asked = (scope.release, line.indicator.id)
    return Benchmarks(
        line.country["value"],
        best_fifth(*asked, scope.selection.map, scope.period),
        goal_level(*asked, scope.area, scope.period),
    )


def _judged(indicator: Indicator, scope: _Scope) -> Judged:
    """Return the verdict of an area against the country, and of the country against its own past."""
    if scope.is_country:
        return area_change(scope.release, indicator.id, scope.area)
    asked = (scope.peer_level, scope.selection.map, scope.period_of(indicator), True)
    verdicts = level_verdicts(scope.release, indicator.id, *asked)
    return verdicts.get(scope.area.code, NOT_ASSESSED)


def _process(indicator: Indicator, scope: _Scope) -> Process:
    return area_process(scope.release, indicator.id, scope.area)


def _conclusion(headlines: list[Line], scope: _Scope) -> str:
    judged = [line for line in headlines if line.verdict.verdict not in SILENT]
    findings: dict[str, list[str]] = {}
    for line in judged:
        if line.verdict.verdict not in CALM:
            findings.setdefault(verdict_text(line.verdict.verdict, scope.words), []).append(line.texts.short_name)
    period = period_text(scope.period, scope.words)
    return sentence.overview(scope.name, findings, len(judged), len(headlines), period, scope.is_country, scope.words)


def _memberships(scope: _Scope, known: Catalogue) -> list[Any]:
    """Return the level of the area and links to the areas that it is part of."""
    parts: list[Any] = [scope.words(f"level.{scope.area.level}")]
    if scope.area.level == "municipality":
        for level in levels(scope.selection.map):
            if level in ("municipality", "country"):
                continue
            for area in known.areas[scope.selection.map, level]:
                if scope.area.code in area.municipalities:
                    href = scope.selection.of_area(area_ref(area)).to_url()
                    parts += [" · ", html.A(area.name, href=href)]
    if scope.area.level != "country":
        href = scope.selection.of_area(COUNTRY).to_url()
        parts += [" · ", html.A(scope.words("area.country"), href=href)]
    return parts


def _paper(selection: Selection, words: Words) -> html.A:
    return html.A(words("overview.pdf"), href=overview_address(selection), download="")


def _controls(scope: _Scope, known: Catalogue) -> html.Div:
    """Return with whom a municipality is compared, and of a group the way to the carpet of its municipalities."""
    words = scope.words
    if scope.area.level == "municipality":
        options = group_options(scope.selection, known, words)
        return html.Div(select("gruppe", words("overview.compared_with"), options), className="choices")
    return html.Div(area_views(scope.selection, words), className="choices")


def area_views(selection: Selection, words: Words) -> html.Div:
    """Return the two views of a group side by side: itself as one area, and its municipalities."""
    pages: tuple[Page, ...] = ("area", "carpet")
    views = [
        Option(words(f"overview.view_{page}"), selection.on_page(page).to_url(), page == selection.page)
        for page in pages
    ]
    return segments("visning", words("compare.view"), views)


def _table(lines: list[Line], scope: _Scope) -> html.Table:
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


def _row(line: Line, scope: _Scope, is_first: bool) -> html.Tr:
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
    unit = html.Span(line.texts.unit, className="unit")
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


def _benchmarks(line: Line, scope: _Scope) -> str:
    """Return the figures of the group and the country that the value is compared with."""
    beside = [(scope.group.name, line.group)] if scope.group else []
    beside += [] if scope.is_country else [(scope.words("overview.the_country"), line.country)]
    return " · ".join(
        f"{name} {scope.words.number(row['value'], line.own_digits)}"
        for name, row in beside
        if row is not None and row["value"] is not None
    )


def _strip(line: Line, scope: _Scope) -> Any:
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


def _spark(line: Line, scope: _Scope) -> Any:
    words = scope.words
    months = _process(line.indicator, scope).months
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


def _verdict(line: Line, scope: _Scope) -> list[Any]:
    words, process = scope.words, _process(line.indicator, scope)
    parts: list[Any] = [verdict_mark(line.verdict.verdict, words)]
    if line.verdict.reason:
        parts.append(html.Span(reason_text(line.verdict.reason, words), className="verdict-note"))
    if process.since and not scope.is_country and process.judged.verdict in CHANGES:
        month = words.short_month(process.since)
        told = words("verdict.since", change=verdict_text(process.judged.verdict, words), month=month)
        parts.append(html.Span(told, className="verdict-note"))
    return parts


def _potential(line: Line, scope: _Scope) -> list[Any]:
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
    if not value:
        return [html.Span(words(f"overview.up_to_{direction}", amount=words.number(upper)), className="quiet")]
    told = words(f"overview.{direction}_of", amount=words.number(value))
    return [html.Strong(told), html.Span(words.interval(lower, upper), className="unit")]


def _besides(lines: list[Line], scope: _Scope) -> html.P:
    """Name the other indicators that stand out, against the country or against the area's own past."""
    words, shown = scope.words, {line.indicator.id for line in lines}
    found: dict[str, list[Any]] = {}
    for indicator in load_indicators().values():
        if indicator.id in shown:
            continue
        process = area_change(scope.release, indicator.id, scope.area).verdict
        loud = [verdict for verdict in (_judged(indicator, scope).verdict, process) if BY_ID[verdict].shouts]
        if loud:
            link = html.A(
                indicator.texts(words.lang).short_name,
                href=scope.selection.on_page("depth", indicator.id).to_url(),
            )
            found.setdefault(verdict_text(loud[0], words), []).append(link)
    if not found:
        return html.P(
            [html.Strong(words("overview.besides")), " ", words("overview.besides_none")], className="besides"
        )
    told: list[Any] = []
    for verdict, links in found.items():
        told += ["; " if told else " ", f"{verdict}: "]
        for number, link in enumerate(links):
            told += [", " if number else "", link]
    return html.P([html.Strong(words("overview.besides")), *told, "."], className="besides")


def _interventions(scope: _Scope) -> list[html.P]:
    """Link to the interventions in the area, where there are any."""
    count = len(plans_for(scope.release, scope.area))
    if not count:
        return []
    text = scope.words("effect.from_overview", count=scope.words.number(count))
    return [html.P(html.A(text, href=scope.selection.on_page("effects").to_url()), className="besides")]


def _news(scope: _Scope) -> html.Section:
    """Say what is new since the release before: a signal, a revision and a new method are three different things."""
    words = scope.words
    news = area_news(scope.release, scope.area, scope.selection.map, load_indicators())
    heading = html.H2(words("news.heading"))
    if news is None:
        return html.Section([heading, html.P(words("news.first"), className="quiet")], className="news")
    day = words.day(date.fromisoformat(str(news.before.manifest["created"])[:10]))
    lines = [
        ("signal", _told_signals(news, words)),
        ("revision", _told_revisions(news, scope)),
        ("method", _told_method(news, words)),
    ]
    entries = [html.Div([html.Dt(words(f"news.{name}")), html.Dd(told)]) for name, told in lines]
    since = html.P(words("news.since", day=day, release=news.before.id), className="quiet small")
    return html.Section([heading, html.Dl(entries), since], className="news")


def _told_signals(news: News, words: Words) -> str:
    if not news.signals:
        return words("news.no_signal" if news.is_newer else "news.no_new_months")
    indicators = load_indicators()
    told = [
        f"{indicators[one.indicator_id].texts(words.lang).short_name}: {verdict_text(one.verdict, words)}"
        for one in news.signals[:MOST_NEWS]
    ]
    return _and_more(told, len(news.signals), words)


def _told_revisions(news: News, scope: _Scope) -> str:
    """Tell the figures of the same months that moved so far that it shows, those that moved most first."""
    words, indicators = scope.words, load_indicators()
    told: list[tuple[float, str]] = []
    for one in news.revisions:
        peers = level_rows(scope.release, one.indicator_id, scope.peer_level, scope.selection.map, news.period, True)
        digits = sentence.digits_of(peers.values())
        before, after = words.number(one.before, digits), words.number(one.after, digits)
        if before != after:
            name = indicators[one.indicator_id].texts(words.lang).short_name
            share = abs(one.after - one.before) / (abs(one.before) or 1.0)
            told.append((-share, words("news.moved", name=name, before=before, after=after)))
    period = period_text(news.period, words)
    if not told:
        return words("news.no_revision", period=period)
    listed = [text for _, text in sorted(told)]
    return words("news.revised", period=period, told=_and_more(listed[:MOST_NEWS], len(listed), words))


def _told_method(news: News, words: Words) -> str:
    indicators = load_indicators()
    told = [indicators[item].texts(words.lang).short_name for item in news.method.indicators if item in indicators]
    told += [words("news.rule", id=rule) for rule in news.method.rules]
    told += [words("news.group", id=group) for group in news.method.groups]
    return _and_more(told[:MOST_NEWS], len(told), words) if told else words("news.no_method")


def _and_more(told: list[str], count: int, words: Words) -> str:
    rest = words("news.more", count=count - len(told)) if count > len(told) else ""
    return "; ".join(told) + (f"; {rest}" if rest else "") + "."


def _legend(lines: list[Line], scope: _Scope) -> html.Ul:
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
        (sparkline_key("limits"), words("overview.legend_limits")),
        (sparkline_key("tail"), words("overview.legend_tail")),
    ]
    if scope.is_country:
        entries = entries[1:]
    items = [html.Li([Svg(mark), text]) for mark, text in entries]
    return html.Ul(items, className="legend", **aria(label=words("overview.legend")))


def _numbers(lines: list[Line], scope: _Scope) -> html.Details:
    """Return every indicator of the area as a table with its files: the twin of the drawings, and more."""
    return html.Details(
        [
            html.Summary(scope.words("overview.more", count=len(lines), area=scope.name)),
            _numbers_table(lines, scope, has_files=True),
        ],
        open=scope.selection.view == "table",
        className="numbers",
    )


def _numbers_table(lines: list[Line], scope: _Scope, has_files: bool = False) -> html.Div:
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


def _unit_and_year(line: Line, scope: _Scope) -> str:
    """Return the unit, and the period where it is not that of the whole table."""
    period = scope.period_of(line.indicator)
    return line.texts.unit if period == scope.period else f"{line.texts.unit} · {period_text(period, scope.words)}"


def _months(lines: list[Line], scope: _Scope) -> html.Details:
    """Return the table behind the month by month drawings: newest month first, one column an indicator."""
    words = scope.words
    shown = [list(_process(line.indicator, scope).months.iter_rows(named=True))[::-1] for line in lines]
    rows = [
        Row(
            words.month(months[0]["month"])
            + (f" ({words('overview.provisional')})" if months[0]["is_provisional"] else ""),
            [_month_text(month, line, words) for line, month in zip(lines, months, strict=True)],
        )
        for months in zip(*shown, strict=True)
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


def _members(scope: _Scope, known: Catalogue) -> list[Any]:
    if scope.area.level in ("municipality", "country"):
        return []
    links = [
        html.Li(html.A(area.name, href=scope.selection.of_area(area_ref(area)).to_url()))
        for area in known.areas[scope.selection.map, "municipality"]
        if area.code in scope.area.municipalities
    ]
    compare = replace(scope.selection, page="compare", area=None, group=area_ref(scope.area), only_group=True)
    words = scope.words
    return [
        html.Section(
            [
                html.H2(words("overview.other_areas", area=scope.name)),
                html.Ul(links, className="columns"),
                html.P(html.A(words("overview.compare_members", area=scope.name), href=compare.to_url())),
            ],
            className="members",
        )
    ]

"""Tæppe: the municipalities of a group against the headline indicators; on top how far the common goals have come."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dash import html

from dashboard import sentence
from dashboard.components.attributes import aria
from dashboard.components.controls import Option, select
from dashboard.components.markup import Tag
from dashboard.components.verdict import CALM, SILENT, verdict_mark, verdict_text
from dashboard.pages import Body, Wall
from dashboard.pages.overview.head import area_views
from dashboard.pages.overview.scope import chosen_indicators
from dashboard.pages.scope import on_map, period_text
from dashboard.readings import (
    NOT_ASSESSED,
    Estimate,
    Judged,
    area_estimate,
    complete_periods,
    goal_progress,
    goals_of,
    latest_period,
    level_rows,
    level_verdicts,
)
from dashboard.selection import COUNTRY, Catalogue, Selection, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import Area
from kpis.explanation import status_words
from kpis.goal import Goal
from kpis.indicator import FOCUS_AREAS, Indicator
from kpis.period import Period
from kpis.release import Release
from kpis.verdict import BY_ID, VOCABULARY

MOST_ON_WALL = 11
MOST_OTHERS = 12  # that are named under the table
MOST_NAMED = 3  # figures that clearly stand out; of more the table is quicker to read
_PALE = ("calm", "muted")


@dataclass(frozen=True)
class _Column:
    """One indicator of the carpet: what its cells are made from."""

    indicator: Indicator
    name: str
    unit: str
    rows: Mapping[str, Estimate]  # of the municipalities, by code
    verdicts: Mapping[str, Judged]  # by code
    group: Estimate
    country: Estimate
    digits: int


def page(selection: Selection, release: Release) -> Body:
    """Return the carpet of the selected group."""
    words, known = load_words(selection.lang), catalogue(release)
    area = known.area(selection.area, selection.map) if selection.area else None
    assert area is not None, "Selection.from_url gives areas of the map only"
    period = selection.period or latest_period(release)
    columns = [_column(indicator, area, selection, release, known, period) for indicator in chosen_indicators()]
    members = [item for item in known.areas[selection.map, "municipality"] if item.code in area.municipalities]
    heading = sentence.capitalised(sentence.area_name(area, words))
    conclusion = _conclusion(columns, members, heading, words)
    parts = [
        html.Div(
            [
                html.Div(
                    [
                        html.P([words(f"level.{area.level}"), on_map(selection, words)], className="eyebrow"),
                        html.H1(heading, tabIndex=-1),
                        html.P(conclusion, className="conclusion"),
                        html.P(words("carpet.scope", period=period_text(period, words)), className="quiet small"),
                    ]
                ),
                _controls(selection, release, period, words),
            ],
            className="page-head with-choice",
        ),
        *_goals(release, area, words),
        _matrix(columns, members, area, selection, words),
        _legend(columns, members, words),
        html.Div(_actions(selection, area, words), className="actions"),
    ]
    wall = None
    if selection.meeting:
        scope = words("carpet.scope", period=period_text(period, words)) + on_map(selection, words)
        wall = Wall(scope, conclusion, *_on_wall(columns, members, area, selection, words))
    return Body(words("carpet.title", area=heading), parts, wall=wall)


def _on_wall(
    columns: Sequence[_Column], members: Sequence[Area], area: Area, selection: Selection, words: Words
) -> tuple[list[Any], Any]:
    """Return the carpet of those that a wall has room for, and as its table the whole, where that is more."""
    named = named_on_wall(columns, members)
    short = _matrix(columns, named, area, selection, words)
    if len(named) == len(members):
        return [short, _legend(columns, named, words)], None
    others = _others_text(columns, [member for member in members if member not in named], words)
    whole = _matrix(columns, members, area, selection, words)
    return [short, html.P(others, className="quiet"), _legend(columns, named, words)], whole


def named_on_wall(columns: Sequence[_Column], members: Sequence[Area]) -> list[Area]:
    """Return the municipalities that a wall has room for, in alphabetical order: those with most that stands out."""
    if len(members) <= MOST_ON_WALL:
        return list(members)

    # sorting keeps the order of the alphabet
    first = sorted(members, key=lambda member: _standing_out(columns, member), reverse=True)[:MOST_ON_WALL]
    return [member for member in members if member in first and _standing_out(columns, member)]


def _standing_out(columns: Sequence[_Column], member: Area) -> int:
    """Return how much stands out of a municipality; what is clear counts most."""
    verdicts = [BY_ID[column.verdicts.get(member.code, NOT_ASSESSED).verdict] for column in columns]
    return sum(2 * entry.shouts + (entry.colour not in _PALE) for entry in verdicts)


def _others_text(columns: Sequence[_Column], others: Sequence[Area], words: Words) -> str:
    """Tell of the municipalities that a wall leaves out: by name where they are few and nothing of them stands out."""
    count = words.number(len(others))
    if any(_standing_out(columns, member) for member in others):
        return words("carpet.others", count=count)
    if len(others) > MOST_OTHERS:
        return words("carpet.others_calm", count=count)
    return words("carpet.others_named", names=words.listing([member.name for member in others]))


def _column(
    indicator: Indicator, area: Area, selection: Selection, release: Release, known: Catalogue, period: Period
) -> _Column:
    country = known.area(COUNTRY, selection.map)
    assert country is not None, "every release has the country"
    asked = (indicator.id, "municipality", selection.map, period, True)
    texts = indicator.texts(selection.lang)
    rows = level_rows(release, *asked)
    group, whole = (area_estimate(release, indicator.id, one, selection.map, period, True) for one in (area, country))
    return _Column(
        indicator,
        texts.short_name,
        texts.unit,
        rows,
        level_verdicts(release, *asked),
        group,
        whole,
        sentence.digits_of(rows.values()),
    )


def _conclusion(columns: Sequence[_Column], members: Sequence[Area], heading: str, words: Words) -> str:
    """Say how many of the assessed figures clearly stand out, and how many only somewhat; the rule is as expected.

    What clearly stands out is named where it is little.
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for column in columns:
        for member in members:
            verdict = column.verdicts.get(member.code, NOT_ASSESSED).verdict
            if verdict not in SILENT:
                found[verdict].append(words("carpet.figure", area=member.name, indicator=column.name))
    clear, somewhat = (
        [entry.id for entry in VOCABULARY if entry.id in found and entry.shouts == shouts and entry.id not in CALM]
        for shouts in (True, False)
    )
    are_few = sum(len(found[verdict]) for verdict in clear) <= MOST_NAMED
    told_clear = words.listing([_counted(verdict, found[verdict], words, are_named=are_few) for verdict in clear])
    total = words.number(sum(map(len, found.values())))
    told = [words("carpet.some" if clear else "carpet.calm", area=heading, total=total, told=told_clear)]
    if somewhat:
        counted = [_counted(verdict, found[verdict], words) for verdict in somewhat]
        told.append(words("carpet.somewhat", told=words.listing(counted)))
    return " ".join(told)


def _counted(verdict: str, figures: list[str], words: Words, *, are_named: bool = False) -> str:
    count = words("carpet.one") if len(figures) == 1 else words.count(len(figures))
    told = words("carpet.count", count=count, verdict=verdict_text(verdict, words))
    return words("carpet.named", told=told, names=words.listing(figures)) if are_named else told


def _controls(selection: Selection, release: Release, period: Period, words: Words) -> html.Div:
    latest = latest_period(release)
    offered = [
        Option(
            words("compare.latest", period=period_text(latest, words)),
            replace(selection, period=None).to_url(),
            selection.period is None,
        )
    ]
    others = complete_periods(release)
    if selection.period and selection.period not in others:
        others = (selection.period, *others)
    offered += [
        Option(period_text(item, words), replace(selection, period=item).to_url(), item == selection.period)
        for item in others
    ]
    return html.Div(
        [area_views(selection, words), select("periode", words("compare.period"), offered)],
        className="choices",
    )


# Goals ------------------------------------------------------------------------------------------------------------


def _goals(release: Release, area: Area, words: Words) -> list[Any]:
    """Return the common goals, one card an indicator: where it stands, and what is asked for by when."""
    cards = []
    for indicator in chosen_indicators():
        found = goals_of(release, indicator.id, area)
        if not found:
            continue
        texts = indicator.texts(words.lang)
        standing = goal_progress(release)[found[0].goal_id]
        digits = sentence.digits_of([standing])
        value = (
            sentence.value_text(standing, digits, words) if standing["value"] is not None else words("carpet.no_value")
        )
        is_met = [_is_met(indicator, standing, one) for one in found]
        targets = [
            words(
                "carpet.target_met" if met else "carpet.target",
                value=words.number(one.target_value, max(digits, _decimals(one.target_value))),
                year=one.due_date.year,
            )
            for one, met in zip(found, is_met, strict=True)
        ]
        outlook = "carpet.odds_kept" if is_met[0] else "carpet.odds"
        odds = standing["odds"]
        chance = [html.Span(words(outlook, odds=sentence.odds(odds)), className="unit")] if odds is not None else []
        cards.append(
            html.Li(
                [
                    html.Span(texts.short_name, className="goal-name"),
                    html.Span([html.Strong(value), f" → {words.listing(targets)}"], className="goal-value"),
                    verdict_mark(standing["verdict"], words),
                    *chance,
                ]
            )
        )
    if not cards:
        return []
    return [
        html.Section(
            [
                html.H2(words("carpet.goals")),
                html.Ul(cards, className="goal-cards"),
                html.P(words("carpet.goals_note"), className="quiet small"),
            ],
            className="goal-strip",
        )
    ]


def _is_met(indicator: Indicator, standing: Mapping[str, Any], goal: Goal) -> bool:
    """Whether the newest figure is where the goal wants it, ahead of its day."""
    value = standing["value"]
    if value is None or indicator.better == "neither":
        return False
    return bool(value >= goal.target_value if indicator.better == "higher" else value <= goal.target_value)


def _decimals(value: float) -> int:
    return 0 if float(value).is_integer() else 1


# The carpet -------------------------------------------------------------------------------------------------------


def _matrix(
    columns: Sequence[_Column], members: Sequence[Area], area: Area, selection: Selection, words: Words
) -> html.Div:
    caption = words("carpet.caption", area=sentence.area_name(area, words), count=len(members))
    compared = replace(selection, page="compare", area=None, group=area_ref(area), only_group=area.level != "country")
    focus_areas = [column.indicator.focus_area for column in columns]
    over = [html.Td()] + [
        html.Th(
            f"{number}. {getattr(FOCUS_AREAS[number], words.lang)}", scope="colgroup", colSpan=focus_areas.count(number)
        )
        for number in dict.fromkeys(focus_areas)
    ]
    head = [html.Th(words("carpet.municipality"), scope="col")]
    for column in columns:
        href = replace(compared, indicator=column.indicator.id, view="chart").to_url()
        link = html.A(column.name, href=href, id=f"column-{column.indicator.id}")
        head.append(html.Th([link, html.Span(column.unit, className="unit")], scope="col"))
    references = [
        (sentence.capitalised(sentence.area_name(area, words)), [column.group for column in columns]),
        *([(words("area.country"), [column.country for column in columns])] if area.level != "country" else []),
    ]
    above = [
        html.Tr(
            [
                html.Th(name, scope="row"),
                *(
                    html.Td(html.Span(_value(row, column, words), className="number"))
                    for row, column in zip(rows, columns, strict=True)
                ),
            ],
            className="reference",
        )
        for name, rows in references
    ]
    body: list[Any] = [
        Tag(
            "tr",
            [
                Tag("th", Tag("a", member.name, href=selection.of_area(area_ref(member)).to_url()), scope="row"),
                *(_cell(column, member, words) for column in columns),
            ],
        )
        for member in members
    ]
    table = html.Table(
        [
            html.Caption(caption, className="visually-hidden"),
            html.Thead([html.Tr(over, className="over"), html.Tr(head)]),
            html.Tbody([*above, *body]),
        ],
        className="carpet",
    )
    return html.Div(table, className="scroll", tabIndex=0, role="region", **aria(label=caption))


def _cell(column: _Column, member: Area, words: Words) -> Tag:
    """Return the value with the icon of its verdict; only what can be told from the country is shaded."""
    row, verdict = column.rows[member.code], column.verdicts.get(member.code, NOT_ASSESSED).verdict
    if row["value"] is None:
        return Tag("td", Tag("span", status_words(words.lang)[row["status"]], **{"class": "missing"}))
    entry, told = BY_ID[verdict], verdict_text(verdict, words)
    value = words("carpet.cell", area=member.name, value=sentence.with_interval(row, column.digits, words))
    shade = {} if entry.colour in _PALE else {"class": f"shade-{entry.colour}"}
    icon = entry.icon if row["lower"] is not None else ""
    return Tag(
        "td",
        [
            Tag("span", _value(row, column, words), **{"class": "number"}),
            Tag("span", icon, **{"class": "icon"}, **aria(hidden="true")),
            Tag("span", told, **{"class": "visually-hidden"}),
        ],
        title=f"{value}, {told}",
        **shade,
    )


def _value(row: Estimate, column: _Column, words: Words) -> str:
    return sentence.value_text(row, column.digits, words)


def _legend(columns: Sequence[_Column], members: Sequence[Area], words: Words) -> html.Ul:
    """Explain the icons that stand in the cells of these municipalities."""
    found = {
        column.verdicts.get(member.code, NOT_ASSESSED).verdict
        for column in columns
        for member in members
        if column.rows[member.code]["lower"] is not None
    }
    return html.Ul(
        [html.Li(verdict_mark(entry.id, words)) for entry in VOCABULARY if entry.id in found],
        className="legend",
        **aria(label=words("overview.legend")),
    )


def _actions(selection: Selection, area: Area, words: Words) -> list[Any]:
    ids = tuple(indicator.id for indicator in chosen_indicators())
    data = replace(selection, page="data", indicators=ids, level="municipality", period=None)
    overview = words("compare.to_overview", area=sentence.area_name(area, words))
    return [
        html.A(overview, href=selection.on_page("area").to_url()),
        html.A(words("carpet.to_data"), href=data.to_url()),
    ]

"""Sammenlign: one indicator, all areas of a level among each other, own area and group in front of the country."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
from dash import html

from dashboard import files, sentence
from dashboard.components.attributes import aria
from dashboard.components.controls import Option, segments, select
from dashboard.components.drawing import drawing_block
from dashboard.components.figure import drawn_parts
from dashboard.components.markup import Tag
from dashboard.components.table import Row, data_table
from dashboard.components.verdict import SILENT, reason_text, verdict_text
from dashboard.figures.caterpillar import caterpillar, mark_key
from dashboard.figures.denmark import Shade, outline_map, shade_key, tile_map
from dashboard.figures.funnel import funnel, funnel_key
from dashboard.figures.numbers import Numbers, of_estimates, of_funnel
from dashboard.groups import group_of, group_options
from dashboard.pages import Body, Wall
from dashboard.readings import (
    NOT_ASSESSED,
    Estimate,
    Judged,
    Place,
    area_estimate,
    complete_periods,
    latest_period,
    level_estimates,
    level_funnel,
    level_places,
    level_verdicts,
)
from dashboard.selection import COUNTRY, VIEW_WORDS, Catalogue, Notice, Selection, View, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import Area, levels
from kpis.explanation import status_words
from kpis.indicator import FOCUS_AREAS, Indicator, Texts, load_indicators
from kpis.period import Period
from kpis.release import Release
from kpis.verdict import BY_ID, VOCABULARY

MOST_NAMES = 12
_VIEWS: tuple[View, ...] = ("chart", "funnel", "table", "map", "tiles")  # words before charts, map last


@dataclass(frozen=True)
class Comparison:
    """Everything that drawings, sentence and table of a comparison are made from."""

    release: Release
    indicator: Indicator
    texts: Texts
    period: Period
    is_standardised: bool
    peers: pl.DataFrame  # rows of ESTIMATES, all areas of the level or those of the group
    own_area: Area | None
    own: Estimate | None
    group_area: Area | None
    group: Estimate | None
    country: Estimate
    is_group_only: bool
    digits: int
    verdicts: Mapping[str, Judged]  # by area code, of all areas of the level; empty where nothing is judged
    places: Mapping[str, Place]  # by area code, among all areas of the level; empty where nothing is judged
    funnel: pl.DataFrame  # rows of FUNNEL, all areas of the level or those of the group
    members: Mapping[str, tuple[str, ...]]  # area code → codes of its municipalities, of all areas of the level

    @property
    def group_codes(self) -> tuple[str, ...]:
        """Codes of the areas that belong to the group: municipalities, since groups are made of them."""
        return self.group_area.municipalities if self.group_area else ()

    @property
    def own_code(self) -> str | None:
        """Code of the area that is highlighted."""
        return self.own_area.code if self.own_area else None


def page(selection: Selection, release: Release) -> Body:
    """Return the comparison that is selected."""
    words = load_words(selection.lang)
    known = catalogue(release)
    asked, selection = selection, _told_of(selection, known)
    shown = _compared(selection, release, known, words)
    notices = []
    if selection.level != asked.level:
        notices.append(Notice("notice.too_uncertain", {"shown": words(f"levels.{selection.level}")}))
    if selection.crude and not shown.indicator.can_be_standardised:
        notices.append(Notice("notice.not_standardised", {"name": shown.texts.name}))
    scope, figure, apart = _scope(shown, words) + on_map(selection, words), _figure(shown, selection, words), []
    if selection.view in ("funnel", "map", "tiles"):
        apart = _apart(shown, words)
    provisional = [words("compare.provisional")] if shown.peers["is_provisional"].any() else []
    parts: list[Any] = [
        html.Div(
            [
                html.P(scope, className="eyebrow"),
                html.H1(shown.texts.short_name, tabIndex=-1),
                _controls(selection, release, known, shown, words),
            ],
            className="page-head",
        ),
        *(html.P(text, className="quiet") for text in provisional),
        figure,
        *apart,
        *_without(shown, selection, words),
        *_note(shown, selection, words),
    ]
    drawn, twin = drawn_parts(figure)
    drawn = [*drawn, *_without(shown, selection, words)]
    on_wall = html.Div([html.Div(drawn), *apart], className="wall-map") if selection.view in ("map", "tiles") else drawn
    wall = Wall(" · ".join([scope, *provisional]), _sentence(shown, selection, words), on_wall, twin)
    return Body(words("compare.title", name=shown.texts.short_name), parts, tuple(notices), wall)


def _told_of(selection: Selection, known: Catalogue) -> Selection:
    """Return the selection with the smallest areas there are, where the figure is too uncertain of municipalities.

    The one around a municipality is highlighted in its place.
    """
    indicator = load_indicators()[selection.indicator or known.indicators[0]]
    if indicator.is_told_of_single_municipalities or selection.level != "municipality":
        return selection
    level = "cluster" if "cluster" in levels(selection.map) else "health_council"
    own = known.area(selection.area, selection.map) if selection.area else None
    if own is None or own.level != "municipality":
        return replace(selection, level=level)
    around = (area for area in known.areas[selection.map, level] if own.code in area.municipalities)
    return replace(selection, level=level, area=next(map(area_ref, around), None))


def _scope(shown: Comparison, words: Words) -> str:
    calculation = "compare.standardised" if shown.is_standardised else "compare.crude"
    parts = [getattr(FOCUS_AREAS[shown.indicator.focus_area], words.lang), period_text(shown.period, words)]
    return " · ".join([*parts, words(calculation).lower()] if shown.indicator.can_be_standardised else parts)


def _compared(selection: Selection, release: Release, known: Catalogue, words: Words) -> Comparison:
    indicator = load_indicators()[selection.indicator or known.indicators[0]]
    period = selection.period or latest_period(release, indicator.id)
    standardised = indicator.can_be_standardised and not selection.crude
    asked = (indicator.id, selection.level, selection.map, period, standardised)
    peers, among = level_estimates(release, *asked), level_funnel(release, *asked)
    own_area = known.area(selection.area, selection.map) if selection.area else None
    group_area = group_of(selection, known, words)

    def estimate(area: Area | None) -> Estimate | None:
        return area_estimate(release, indicator.id, area, selection.map, period, standardised) if area else None

    country = estimate(known.area(COUNTRY, selection.map))
    assert country is not None, "every release has the country"
    digits = sentence.digits_of(peers.iter_rows(named=True))
    is_group_only = selection.only_group and group_area is not None and selection.level == "municipality"
    if is_group_only and group_area:
        of_group = pl.col("area_code").is_in(list(group_area.municipalities))
        peers, among = peers.filter(of_group), among.filter(of_group)
    return Comparison(
        release,
        indicator,
        indicator.texts(selection.lang),
        period,
        standardised,
        peers,
        own_area,
        estimate(own_area),
        group_area,
        estimate(group_area),
        country,
        is_group_only,
        digits,
        level_verdicts(release, *asked),
        level_places(release, *asked),
        among,
        {area.code: area.municipalities for area in known.areas[selection.map, selection.level]},
    )


# Words ------------------------------------------------------------------------------------------------------------


def _sentence(shown: Comparison, selection: Selection, words: Words) -> str:
    """Say how the areas lie, and of the own area its place and the same verdict that its overview gives."""
    told = [_position(shown, selection, words)]
    place = shown.places.get(shown.own_code or "")
    if place:
        told.append(words("compare.place", place=place_text(place, words), best=_best(shown, words)))
    judged = shown.verdicts.get(shown.own_code or "", NOT_ASSESSED)
    if judged.verdict not in SILENT:
        levels_of = words(f"levels.{selection.level}")
        told.append(words("compare.judged", verdict=verdict_text(judged.verdict, words), levels=levels_of))
    return " ".join(told)


def place_text(place: Place, words: Words) -> str:
    """Return *34 (18–61 af 98)*: a rank is never told without its interval."""
    interval = words.interval(place.lower, place.upper)
    return words("compare.rank", rank=words.number(place.rank), interval=interval, count=words.number(place.of))


def _best(shown: Comparison, words: Words) -> str:
    return words(f"compare.best_{shown.indicator.better}")


def _position(shown: Comparison, selection: Selection, words: Words) -> str:
    return sentence.comparison(
        shown.own,
        sentence.capitalised(sentence.area_name(shown.own_area, words)) if shown.own_area else "",
        shown.group,
        sentence.area_name(shown.group_area, words) if shown.group_area else "",
        shown.country,
        shown.peers.iter_rows(named=True),
        _peers_text(shown, selection, words),
        period_text(shown.period, words),
        shown.texts.unit,
        shown.digits,
        words,
    )


def _peers_text(shown: Comparison, selection: Selection, words: Words) -> str:
    if shown.is_group_only and shown.group_area:
        return words("compare.members", area=shown.group_area.name)
    return words(f"levels.{selection.level}")


def _apart(shown: Comparison, words: Words) -> list[Any]:
    """Name the areas that can be told from the rest, for those who cannot or need not read a map or a funnel."""
    if not shown.verdicts:
        return []
    told: list[Any] = []
    judged = [
        (name, shown.verdicts[code].verdict) for name, code in shown.peers.select("area_name", "area_code").iter_rows()
    ]
    for entry in VOCABULARY:
        names = [name for name, verdict in judged if entry.colour not in _PALE and verdict == entry.id]
        if names:
            listed = words.listing(names[:MOST_NAMES]) + (
                words("compare.and_more", count=len(names) - MOST_NAMES) if len(names) > MOST_NAMES else ""
            )
            verdict = sentence.capitalised(verdict_text(entry.id, words))
            told.append(html.Li([html.Strong(f"{verdict}: "), listed]))
    heading = html.H2(words("compare.apart" if told else "compare.none_apart"))
    return [html.Section([heading, html.Ul(told, className="apart")] if told else [heading], className="apart-from")]


def _without(shown: Comparison, selection: Selection, words: Words) -> list[Any]:
    """Name the areas that a figure leaves out and why; of many only how many, the table names them."""
    missing = shown.peers.filter(pl.col("value").is_null())
    if missing.is_empty():
        return []
    told = [
        f"{status_words(words.lang)[status]}: {words.listing(names)}"
        if len(names) <= MOST_NAMES
        else words(
            "compare.without_many",
            status=status_words(words.lang)[status],
            count=len(names),
            levels=words(f"levels.{selection.level}"),
        )
        for status, names in missing.group_by("status", maintain_order=True).agg("area_name").iter_rows()
    ]
    return [html.P(words("compare.without", told="; ".join(told)), className="quiet small")]


def _note(shown: Comparison, selection: Selection, words: Words) -> list[Any]:
    if not shown.peers["lower"].count():
        return []
    key = {"chart": "compare.note", "funnel": "compare.note_funnel", "table": "compare.note_table"}
    return [html.P(words(key.get(selection.view, "compare.note_map")), className="quiet small")]


# Drawings ---------------------------------------------------------------------------------------------------------


def _figure(shown: Comparison, selection: Selection, words: Words) -> Any:
    """Return what the view shows, with its sentence, table and files; a view that cannot be drawn says why."""
    text, twin = _sentence(shown, selection, words), _table(shown, selection, words)
    draw, legend, numbers = _DRAWN.get(selection.view, _estimates)(shown, selection, text, words)
    if draw is None:
        missing = html.P(_why_not(shown, words), className="missing")
        return html.Figure([html.Figcaption(html.H2(text)), missing, twin])
    name = VIEW_WORDS[selection.view]
    actions = _actions(shown, selection, words)
    return drawing_block(name, text, draw, legend, twin, actions, selection, words, numbers=numbers)


def _why_not(shown: Comparison, words: Words) -> str:
    if not shown.peers["value"].count():
        return words("compare.elsewhere")
    reasons = {judged.reason for judged in shown.verdicts.values()}
    reason = next((reason for reason in ("across_break", "no_interval") if reason in reasons), "no_reference")
    return words("compare.not_drawn", reason=reason_text(reason, words))


Drawn = tuple[Callable[[int], str] | None, list[tuple[str, str]], Numbers | None]
"""A function from width to drawing, None where there is nothing to draw; the marks of the legend; and the numbers."""


def _estimates(shown: Comparison, selection: Selection, text: str, words: Words) -> Drawn:
    if not shown.peers["value"].count():
        return None, [], None
    country = shown.country["value"]
    across = (words("area.country"), country) if country is not None else None
    asked = (shown.peers, shown.own_code, shown.group_codes, across, _axis_title(shown, words), shown.digits)
    label = _label("compare.label", shown, selection, text, words)

    def draw(width: int) -> str:
        return caterpillar(*asked, label, words, width)

    return draw, _marks(shown, selection, words), of_estimates(*asked)


def _funnel(shown: Comparison, selection: Selection, text: str, words: Words) -> Drawn:
    if shown.funnel.is_empty():
        return None, [], None
    label = _label("compare.label_funnel", shown, selection, text, words)
    size = words("compare.size_rate" if shown.indicator.kind == "rate" else "compare.size_share")
    country, axis = words("area.country"), _axis_title(shown, words)
    asked = (shown.funnel, shown.own_code, shown.group_codes, country, size, axis, shown.digits)

    def draw(width: int) -> str:
        return funnel(*asked, label, words, width)

    limits = [(funnel_key(kind), words(f"compare.limits_{kind}")) for kind in ("inner", "outer")]
    return draw, [*_marks(shown, selection, words), *limits], of_funnel(*asked)


_PALE = ("calm", "muted")


def _map(shown: Comparison, selection: Selection, text: str, words: Words) -> Drawn:
    shades = _shades(shown, words)
    if shown.funnel.is_empty():
        return None, [], None
    label = _label("compare.label_map", shown, selection, text, words)
    picture = outline_map if selection.view == "map" else tile_map
    roles = {shade.role for shade in shades.values()}
    icons = {entry.colour: entry for entry in VOCABULARY[:9]}
    legend = [
        (shade_key(entry.colour), f"{entry.icon} {verdict_text(entry.id, words)}")
        for entry in icons.values()
        if entry.colour in roles
    ]
    legend += [(shade_key(role), words(f"compare.shade_{role}")) for role in ("hatched", "blank") if role in roles]
    return lambda width: picture(shades, label, width), legend, None


def _shades(shown: Comparison, words: Words) -> dict[str, Shade]:
    """Return the look of every municipality: that of the area it is part of."""
    shades: dict[str, Shade] = {}
    for row in shown.peers.iter_rows(named=True):
        judged = shown.verdicts.get(row["area_code"], NOT_ASSESSED)
        entry = BY_ID[judged.verdict]
        value = sentence.with_interval(row, shown.digits, words)
        told = f"{row['area_name']}: {value}, {verdict_text(judged.verdict, words)}"
        is_own = row["area_code"] == shown.own_code
        if judged.verdict == "not_assessed":
            shade = Shade("blank", "", told, is_own)
        elif entry.colour in _PALE:
            shade = Shade("hatched", "", told, is_own)
        else:
            shade = Shade(entry.colour, entry.icon, told, is_own)
        shades |= dict.fromkeys(shown.members[row["area_code"]], shade)
    return shades


_DRAWN: Mapping[View, Callable[[Comparison, Selection, str, Words], Drawn]] = {
    "funnel": _funnel,
    "map": _map,
    "tiles": _map,
}


def _axis_title(shown: Comparison, words: Words) -> str:
    title = {"lower": "compare.axis_lower", "higher": "compare.axis_higher", "neither": "compare.axis"}
    return words(title[shown.indicator.better], unit=shown.texts.unit)


def _label(key: str, shown: Comparison, selection: Selection, text: str, words: Words) -> str:
    return words(
        key,
        name=shown.texts.name,
        period=period_text(shown.period, words),
        count=shown.peers["value"].count(),
        levels=words(f"levels.{selection.level}"),
        sentence=text,
    )


def _marks(shown: Comparison, selection: Selection, words: Words) -> list[tuple[str, str]]:
    entries = [("own", shown.own_area.name)] if shown.own_area and shown.own_area.level == selection.level else []
    if shown.group_area and selection.level == "municipality":
        entries.append(("group", shown.group_area.name))
    if entries and not shown.is_group_only:
        entries.append(("others", words("compare.marks_others")))
    return [(mark_key(kind), text) for kind, text in entries]


# Table ------------------------------------------------------------------------------------------------------------


def _table(shown: Comparison, selection: Selection, words: Words) -> html.Div:
    ordered = shown.peers.sort("value", "area_name", nulls_last=True).iter_rows(named=True)
    rows = [_table_row(shown.country, "country", shown, words, sentence.capitalised(words("area.in_country")))]
    if shown.group and shown.group_area:
        rows.append(_table_row(shown.group, "", shown, words, shown.group_area.name))
    rows += [
        _table_row(
            row,
            "own" if row["area_code"] == shown.own_code else "group" if row["area_code"] in shown.group_codes else "",
            shown,
            words,
        )
        for row in ordered
    ]
    columns = ["area", "value", "lower", "upper", "numerator", "denominator", "against", "verdict"]
    columns += ["place"] if shown.places else []
    caption = words("compare.table_caption", name=shown.texts.name, period=period_text(shown.period, words))
    return data_table(caption, [words(f"compare.column_{name}") for name in columns], rows, numeric=(0, 1, 2, 3, 4))


def _table_row(row: Estimate, kind: str, shown: Comparison, words: Words, name: str = "") -> Row:
    def number(column: str, digits: int) -> str:
        return words.number(row[column], digits) if row[column] is not None else ""

    judged = shown.verdicts.get(row["area_code"])
    place = shown.places.get(row["area_code"])
    cells = [
        sentence.value_text(row, shown.digits, words),
        number("lower", shown.digits),
        number("upper", shown.digits),
        number("numerator", 0),
        number("denominator", 0),
        sentence.side_text(row, shown.country, words) if kind != "country" else "",
        verdict_text(judged.verdict, words) if judged else "",
        *([words.interval(place.lower, place.upper) if place else ""] if shown.places else []),
    ]
    return Row(name or row["area_name"], cells, kind)


# Controls ---------------------------------------------------------------------------------------------------------


def _controls(selection: Selection, release: Release, known: Catalogue, shown: Comparison, words: Words) -> html.Div:
    def to(**changes: Any) -> str:
        return selection.but(**changes).to_url()

    indicators = [
        Option(item.texts(selection.lang).short_name, to(indicator=item.id), item.id == shown.indicator.id)
        for item in load_indicators().values()
    ]
    areas = [Option(words("compare.no_area"), to(area=None), selection.area is None)]
    areas += [
        Option(area.name, to(area=area_ref(area), group=None), area == shown.own_area)
        for area in known.areas[selection.map, selection.level]
    ]
    views = [Option(words(f"compare.view_{view}"), to(view=view), view == selection.view) for view in _VIEWS]
    is_of_municipalities = selection.level == "municipality"
    groups = group_options(selection, known, words)
    first = [
        select("indikator", words("compare.indicator"), indicators),
        select("omraade", words("compare.area"), areas),
        *([select("gruppe", words("compare.group"), groups)] if is_of_municipalities else []),
        segments("visning", words("compare.view"), views),
    ]
    folded = html.Details(
        [
            html.Summary(words("compare.more")),
            html.Div(_more_choices(selection, release, shown, words), className="choices"),
            *([_own_list(selection, known, shown, words)] if is_of_municipalities else []),
        ],
        open=bool(
            not is_of_municipalities or selection.period or selection.crude or selection.only_group or selection.members
        ),
        className="more",
    )
    return html.Div([html.Div(first, className="choices"), folded])


def _more_choices(selection: Selection, release: Release, shown: Comparison, words: Words) -> list[Any]:
    def to(**changes: Any) -> str:
        return selection.but(**changes).to_url()

    level_options = [
        Option(
            sentence.capitalised(words(f"levels.{level}")),
            to(level=level, area=None, group=None, members=(), only_group=False),
            level == selection.level,
        )
        for level in levels(selection.map)
        if level != "country"
    ]
    latest = latest_period(release, shown.indicator.id)
    periods = [
        Option(words("compare.latest", period=period_text(latest, words)), to(period=None), selection.period is None)
    ]
    offered_periods: Sequence[Period] = complete_periods(release)
    if selection.period and selection.period not in offered_periods:
        offered_periods = (selection.period, *offered_periods)
    periods += [
        Option(period_text(period, words), to(period=period), period == selection.period) for period in offered_periods
    ]
    more = [
        select("niveau", words("compare.level"), level_options),
        select("periode", words("compare.period"), periods),
    ]
    if selection.level == "municipality" and shown.group_area:
        cut = [
            Option(words("compare.cut_all"), to(only_group=False), not selection.only_group),
            Option(words("compare.cut_group"), to(only_group=True), selection.only_group),
        ]
        more.append(segments("udsnit", words("compare.cut"), cut))
    if shown.indicator.can_be_standardised:
        calculations = [
            Option(words("compare.standardised"), to(crude=False), not selection.crude),
            Option(words("compare.crude"), to(crude=True), selection.crude),
        ]
        more.append(segments("beregning", words("compare.calculation"), calculations))
    return more


def _own_list(selection: Selection, known: Catalogue, shown: Comparison, words: Words) -> html.Details:
    """Return every municipality as a link that puts it into the reader's own group, or takes it out again."""

    def to(members: set[str]) -> str:
        return selection.but(members=tuple(sorted(members)), group=None).to_url()

    chosen, municipalities = set(selection.members), known.areas[selection.map, "municipality"]
    links: list[Any] = [
        Tag(
            "li",
            Tag(
                "a",
                area.name,
                href=to(chosen ^ {area.slug}),
                id=f"kommune-{area.code}",
                role="switch",
                **aria(checked="true" if area.slug in chosen else "false"),
            ),
        )
        for area in municipalities
    ]
    first = []
    if shown.group_area and not chosen:
        start = {area.slug for area in municipalities if area.code in shown.group_area.municipalities}
        first.append(html.P(html.A(words("compare.own_list_start", group=shown.group_area.name), href=to(start))))
    elif chosen:
        names = words.listing([area.name for area in municipalities if area.slug in chosen])
        first.append(html.P([names, " · ", html.A(words("compare.own_list_clear"), href=to(set()))]))
    return html.Details(
        [html.Summary(words("compare.own_list_pick")), *first, html.Ul(links, className="columns picks")],
        open=bool(chosen),
    )


def _actions(shown: Comparison, selection: Selection, words: Words) -> list[Any]:
    links = [
        html.A(
            words(f"figure.{kind}"),
            href=files.address(
                shown.release,
                shown.indicator.id,
                kind,
                selection.level,
                (shown.period,),
                shown.is_standardised,
                selection.map,
                selection.lang,
            ),
            download="",
        )
        for kind in files.KINDS
    ]
    method = selection.on_page("method", shown.indicator.id)
    links.append(html.A(words("figure.definition"), href=method.to_url()))
    if shown.own_area:
        text = words("compare.to_overview", area=sentence.area_name(shown.own_area, words))
        links.append(html.A(text, href=selection.on_page("area").to_url()))
    return links


def period_text(period: Period, words: Words) -> str:
    """Return the period in words: *2024*, *1. kvartal 2024*, *oktober 2024 – september 2025*."""
    if period.grain == "quarter":
        return words("period.quarter", number=period.last.month // 3, year=period.last.year)
    return words.months(period.first, period.last)


def on_map(selection: Selection, words: Words) -> str:
    """Return what to add to a scope on another map than the usual one."""
    return f" · {words('shell.on_map_2027')}" if selection.map != Selection.map else ""

"""What can be chosen of a comparison: a few choices at hand, the others folded away."""

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard import sentence
from dashboard.components.attributes import aria
from dashboard.components.controls import Option, segments, select
from dashboard.components.markup import Tag
from dashboard.groups import group_options
from dashboard.pages.compare.scope import Comparison
from dashboard.pages.scope import period_text
from dashboard.readings import complete_periods, latest_period
from dashboard.selection import Catalogue, Selection, View, area_ref
from dashboard.words import Words
from kpis.area import levels
from kpis.indicator import load_indicators
from kpis.period import Period
from kpis.release import Release

_VIEWS: tuple[View, ...] = ("chart", "funnel", "table", "map", "tiles")  # words before charts, map last


def controls(selection: Selection, release: Release, known: Catalogue, shown: Comparison, words: Words) -> html.Div:
    """Return the choices; those that are folded away stand open where one of them is in use."""

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

"""What stands around every page: how to get about, whether the figures are real, and where they come from."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dash import html

from dashboard.agenda.kept import Place
from dashboard.components.attributes import aria, data
from dashboard.components.svg import Svg
from dashboard.feeds import feed_of
from dashboard.figures.svg import bar, dot, ornament, path
from dashboard.passport import PREFIX
from dashboard.selection import Notice, Page, Selection, catalogue
from dashboard.words import Words
from kpis.area import MAPS, Map
from kpis.indicator import LANGUAGES
from kpis.period import add_months
from kpis.release import Release


def page(
    selection: Selection,
    words: Words,
    parts: Sequence[Any],
    notices: Sequence[Notice] = (),
    release: Release | None = None,
    problem: bool = False,
    place: Place | None = None,
    short: str = "",
) -> list[Any]:
    """Return a whole view. Without a release there is no foot with its facts; ``place`` is the item that is shown.

    ``short`` is where the same figures are found again.
    """
    banner = _banner(release, words) if release else None
    return [
        html.A(words("shell.skip"), href="#main", className="skip visually-hidden-focusable"),
        *([banner] if banner else []),
        _header(selection, words, place),
        *([_agenda_strip(place, words)] if place else []),
        html.Main([*_notices(told(notices, problem, words), words), *parts], id="main", className="wrap", tabIndex=-1),
        _footer(selection, words, release, short),
    ]


def told(notices: Sequence[Notice], problem: bool, words: Words) -> list[str]:
    """Return what the reader must know, in words."""
    texts = [words(notice.key, **notice.values) for notice in notices]
    return [words("shell.problem"), *texts] if problem else texts


def _agenda_strip(place: Place, words: Words) -> html.Nav:
    """Return where on an agenda the reader stands, what is proposed there, and the way to the other items."""
    around = [("previous", place.at(place.number - 1)), ("next", place.at(place.number + 1))]
    links = [
        html.A(words(f"meeting.key_{name}"), href=found.selection.to_url(), id=f"agenda-{name}")
        for name, found in around
        if found
    ]
    whole = replace(place.selection, item=0, view="chart")
    number = words("meeting.item_of", number=place.number, count=len(place.agenda.items))
    item: list[Any] = [html.Strong(f"{number}: {place.item.title}")]
    if place.item.recommendation:
        item += [html.Br(), f"{words('meeting.recommendation')} {place.item.recommendation}"]
    ways = html.Div([*links, html.A(place.agenda.title, href=whole.to_url(), id="agenda-whole")], className="ways")
    return html.Nav(
        html.Div([html.P(item), ways], className="wrap"),
        className="agenda-strip",
        **aria(label=words("meeting.agenda")),
    )


def _meeting_tools(selection: Selection, words: Words, place: Place | None) -> list[html.A]:
    """Return the ways to the wall and to an agenda; beside the pages they are marks, for there is little room."""
    here = place.selection if place else selection
    target = (
        replace(place.selection, item=0, view="chart")
        if place
        else Selection(page="meeting", lang=selection.lang)
        if selection.page == "meeting"
        else Selection(page="meeting", lang=selection.lang, adding=replace(selection, meeting=False).to_url())
    )
    wall = replace(here, meeting=True, item=here.item or int(bool(here.agenda)))  # of an agenda it shows an item
    marks = [
        ("meeting", wall, _SCREEN),
        ("agenda", target, _LIST),
    ]
    return [
        html.A(
            Svg(ornament(24, 24, [path(points, "i-line") for points in mark]), className="svg"),
            href=to.to_url(),
            id=f"to-{name}",
            title=words(f"shell.to_{name}"),
            className="plain-button mark",
            **aria(label=words(f"shell.to_{name}")),
            **data(key=name),
        )
        for name, to, mark in marks
    ]


_SCREEN = (((3, 4), (21, 4), (21, 16), (3, 16), (3, 4)), ((12, 16), (12, 20)), ((8, 20), (16, 20)))
_LIST = (((3, 5), (17, 5)), ((3, 11), (17, 11)), ((3, 17), (10, 17)), ((18, 13), (18, 21)), ((14, 17), (22, 17)))


def _header(selection: Selection, words: Words, place: Place | None) -> html.Header:
    pages: list[tuple[Page, Selection]] = [("front", Selection(lang=selection.lang, map=selection.map))]
    if selection.area:
        pages.append(("area", selection.of_area(selection.area)))
    named: tuple[Page, ...] = ("compare", "potential", "acute_places", "welfare", "effects", "data", "method")
    pages += [(name, selection.on_page(name)) for name in named]
    within: dict[Page, Page] = {"carpet": "area", "depth": "area", "effect": "effects", "effect_form": "effects"}
    here = within.get(selection.page, selection.page)
    links = [(name, f"shell.nav_{name}", target, here == name) for name, target in pages]
    nav = html.Nav(
        [
            html.A(
                words(text),
                href=target.to_url(),
                id=f"nav-{name}",
                **(aria(current="page") if current else {}),
            )
            for name, text, target, current in links
        ],
        **aria(label=words("shell.nav")),
    )
    other = next(lang for lang in LANGUAGES if lang != selection.lang)
    tools = html.Div(
        [
            *_meeting_tools(selection, words, place),
            html.A(
                words("shell.other_language"),
                href=replace(selection, lang=other).to_url(),
                lang=other,
                hrefLang=other,
                id="language",
                className="plain-button",
            ),
            html.Button(words("shell.theme"), id="theme", type="button", className="plain-button"),
        ]
    )
    logo = [
        *(bar(x, 12 - height / 2, 2.2, height, "d-group") for x, height in ((3, 8), (7.5, 14), (21, 10))),
        dot(14.5, 12, 4.6, "d-last"),
    ]
    brand = html.A(
        [Svg(ornament(24, 24, logo), className="svg"), "Nærblik"],
        href=Selection(lang=selection.lang).to_url(),
        className="brand",
        id="brand",
    )
    return html.Header(html.Div([brand, nav, tools], className="wrap"), className="topbar")


def _banner(release: Release, words: Words) -> html.Div | None:
    told = caveats(release, words)
    return html.Div(html.Div(told, className="wrap"), className="synthetic", role="note") if told else None


def caveats(release: Release, words: Words) -> str:
    """Return what must stand beside every figure of a release: that it is made up, or not protected. Mostly nothing."""
    told = []
    if release.manifest["is_synthetic"]:
        told.append(words("shell.synthetic"))
    if _protection_method(release) == "none":
        told.append(words("shell.unprotected"))
    return " ".join(told)


def _notices(told: Sequence[str], words: Words) -> list[Any]:
    if not told:
        return []
    items = [html.Li(text) for text in told]
    return [html.Div(html.Ul(items, className="notices", **aria(label=words("notice.list"))), role="status")]


_FOOT: tuple[tuple[Page, str], ...] = (
    ("about", "shell.about"),
    ("accessibility", "shell.accessibility"),
    ("method", "shell.nav_method"),
    ("meeting", "shell.agendas"),
)


def _footer(selection: Selection, words: Words, release: Release | None, short: str) -> html.Footer:
    links = html.Nav(
        [
            *_newest(selection, words),
            *_other_map(selection, words, release),
            *(html.A(words(text), href=selection.on_page(name).to_url(), id=f"foot-{name}") for name, text in _FOOT),
            html.A(words("feed.follow"), href=feed_of(selection), id="foot-feed"),
        ],
        **aria(label=words("shell.footer_nav")),
    )
    told: list[tuple[str, Any]] = [*release_facts(release, words)] if release else []
    if short:
        text = short if short.startswith(PREFIX) else words("passport.pinned")
        told.append((words("passport.short"), html.A(text, href=short, id="foot-passport")))
    facts = [html.Dl([html.Div([html.Dt(f"{name}:"), html.Dd(value)]) for name, value in told])] if told else []
    return html.Footer(html.Div([*facts, links], className="wrap"))


def _newest(selection: Selection, words: Words) -> list[html.A]:
    """Return the way from an address that is tied to a release to the newest figures."""
    if selection.release is None:
        return []
    return [html.A(words("shell.newest"), href=replace(selection, release=None).to_url(), id="foot-newest")]


def _other_map(selection: Selection, words: Words, release: Release | None) -> list[html.A]:
    """Return a link to the same view on the other map, where it can be drawn there."""
    other: Map = next(item for item in MAPS if item != selection.map)
    turned = replace(selection, map=other)
    if release is None or Selection.from_url(*turned.to_url().partition("?")[::2], catalogue(release)) != (turned, []):
        return []
    return [html.A(words(f"shell.map_{other}"), href=turned.to_url(), id="foot-map")]


def release_facts(release: Release, words: Words) -> list[tuple[str, str]]:
    """Return name and text of what every page says about the release it shows."""
    last = add_months(release.date("as_of"), -1)
    provisional_from = release.date("provisional_from")
    return [
        (words("shell.release"), release.id),
        (words("shell.data_through"), words.month(last)),
        (
            words("shell.provisional"),
            words.months(provisional_from, last) if provisional_from <= last else words("words.none"),
        ),
        (words("shell.protection"), _protection_text(release, words)),
    ]


def _protection_method(release: Release) -> str:
    return str(release.manifest["protection"]["method"])


def _protection_text(release: Release, words: Words) -> str:
    """Return what the release says of itself in the reader's language; it knows how it was protected."""
    method = _protection_method(release)
    if method == "none":
        return words("protection.none")
    return str(release.manifest["protection"].get(words.lang, method))

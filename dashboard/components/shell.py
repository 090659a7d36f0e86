"""What stands around every page: how to get about, whether the figures are real, and where they come from."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dash import html

from dashboard.components.attributes import aria
from dashboard.components.svg import Svg
from dashboard.figures.svg import bar, dot, ornament
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
) -> list[Any]:
    """Return a whole view. Without a release there is no foot with its facts."""
    told = [words(notice.key, **notice.values) for notice in notices]
    if problem:
        told.insert(0, words("shell.problem"))
    banner = _banner(release, words) if release else None
    return [
        html.A(words("shell.skip"), href="#main", className="skip visually-hidden-focusable"),
        *([banner] if banner else []),
        _header(selection, words),
        html.Main([*_notices(told, words), *parts], id="main", className="wrap", tabIndex=-1),
        _footer(selection, words, release),
    ]


def _header(selection: Selection, words: Words) -> html.Header:
    pages: list[tuple[Page, Selection]] = [("front", Selection(lang=selection.lang, map=selection.map))]
    if selection.area:
        pages.append(("area", selection.of_area(selection.area)))
    named: tuple[Page, ...] = ("compare", "potential", "acute_places", "data", "method")
    pages += [(name, selection.on_page(name)) for name in named]
    here = "area" if selection.page in ("carpet", "depth") else selection.page
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
    told = []
    if release.manifest["is_synthetic"]:
        told.append(words("shell.synthetic"))
    if _protection_method(release) == "none":
        told.append(words("shell.unprotected"))
    if not told:
        return None
    return html.Div(html.Div(" ".join(told), className="wrap"), className="synthetic", role="note")


def _notices(told: Sequence[str], words: Words) -> list[Any]:
    if not told:
        return []
    items = [html.Li(text) for text in told]
    return [html.Div(html.Ul(items, className="notices", **aria(label=words("notice.list"))), role="status")]


_FOOT: tuple[tuple[Page, str], ...] = (
    ("about", "shell.about"),
    ("accessibility", "shell.accessibility"),
    ("method", "shell.nav_method"),
)


def _footer(selection: Selection, words: Words, release: Release | None) -> html.Footer:
    links = html.Nav(
        [
            *_other_map(selection, words, release),
            *(html.A(words(text), href=selection.on_page(name).to_url(), id=f"foot-{name}") for name, text in _FOOT),
        ],
        **aria(label=words("shell.footer_nav")),
    )
    facts = (
        [html.Dl([html.Div([html.Dt(f"{name}:"), html.Dd(value)]) for name, value in release_facts(release, words)])]
        if release
        else []
    )
    return html.Footer(html.Div([*facts, links], className="wrap"))


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

"""What a passport says: which request on which release a figure or file is, down to versions, codes, SQL and hashes."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, unquote

from dash import html

from dashboard.api.filters import FileFilters, read_filters
from dashboard.components.table import Row, data_table
from dashboard.files import slice_address
from dashboard.pages import Body
from dashboard.pages.acute_places import place_indicators
from dashboard.pages.data import KINDS
from dashboard.pages.overview.scope import chosen_indicators
from dashboard.passport import Passport, short_address
from dashboard.potentials import admission_indicators, beside_indicators
from dashboard.selection import Selection, catalogue
from dashboard.words import Words, load_words
from kpis.catalogue import fingerprint, to_json
from kpis.explanation import protection_words
from kpis.export import about_counting, about_indicator, about_release
from kpis.indicator import Indicator, Language, load_indicators
from kpis.release import Release
from kpis.slice import Slice


def slice_of(passport: Passport, release: Release) -> Slice | None:
    """Return the slice that the passport of a file stands for; None for that of a view."""
    path, _, query = passport.address.partition("?")
    if not path.startswith("/fil/"):
        return None
    names = unquote(path.removeprefix("/fil/").rpartition(".")[0])
    return read_filters(FileFilters, {**parse_qs(query), "indikatorer": [names]}).slice(release)


def shown_indicators(selection: Selection) -> tuple[Indicator, ...]:
    """Return the indicators that stand on a view; none on a page without figures."""
    known = load_indicators()
    if named := selection.indicators or ((selection.indicator,) if selection.indicator else ()):
        return tuple(known[name] for name in named if name in known)
    match selection.page:
        case "area" | "carpet":
            return tuple(chosen_indicators())
        case "data":
            return tuple(item for item in known.values() if item.headline)[:1]
        case "potential":
            return (*admission_indicators(), *beside_indicators())
        case "acute_places":
            return place_indicators()
        case _:
            return ()


def facts(passport: Passport, release: Release, lang: Language) -> dict[str, Any]:
    """Return all that a passport says, for programs: definitions, codes, SQL, protection, hashes."""
    if wanted := slice_of(passport, release):
        indicators, map_id = tuple(load_indicators()[name] for name in wanted.indicators), wanted.map
    else:
        selection, _ = Selection.from_url(*passport.address.partition("?")[::2], catalogue(release))
        indicators, map_id = shown_indicators(selection), selection.map
    return {
        "passport": passport.id,
        "address": passport.pinned,
        **about_release(release, lang),
        "map": map_id,
        "indicators": {item.id: about_indicator(item) for item in indicators},
        **about_counting(release, indicators),
    }


def section(
    passport: Passport, selection: Selection, release: Release, indicators: tuple[Indicator, ...], words: Words
) -> html.Section:
    """Return what a passport says in short, below the view that it opens."""
    told = about_release(release, words.lang)
    lines: list[tuple[str, Any]] = [
        ("id", html.Code(passport.id)),
        ("address", html.A(passport.pinned, href=passport.pinned)),
        ("release", html.Code(release.id)),
        ("content", html.Code(told["release_content"])),
        ("map", words(f"data.map_{selection.map}")),
        ("protection", protection_words(release, words.lang)),
        ("licence", ". ".join(told["licence"][key] for key in ("title", "note") if key in told["licence"])),
        ("code_version", html.Code(str(release.manifest.get("code_version", "")))),
    ]
    listed = html.Dl([part for key, value in lines for part in (html.Dt(words(f"passport.{key}")), html.Dd(value))])
    rows = [_row(item, selection, release, words) for item in indicators]
    columns = [words(f"passport.column_{name}") for name in ("indicator", "version", "codes", "sql")]
    table = [data_table(words("passport.indicators"), columns, rows)] if rows else []
    whole = html.A(words("passport.json"), href=f"{short_address(passport.id)}.json")
    return html.Section(
        [html.H2(words("passport.heading")), html.P(words("passport.lead")), listed, *table, html.P(whole)],
        className="prose",
        id="talpas",
    )


def _row(indicator: Indicator, selection: Selection, release: Release, words: Words) -> Row:
    codes = about_indicator(indicator)["codelist"]
    counting = about_counting(release, [indicator])
    method = replace(selection.on_page("method", indicator.id), release=release.id)
    return Row(
        html.A(indicator.texts(words.lang).short_name, href=method.to_url()),
        [
            str(indicator.version),
            words("passport.codelist", id=codes["id"], version=codes["version"])
            if codes
            else words("passport.no_codes"),
            html.Code(fingerprint(to_json([counting["sql"], counting["code"]]).encode())[:16]),
        ],
    )


def file_page(passport: Passport, wanted: Slice, selection: Selection, release: Release) -> Body:
    """Return the page that the passport of a file opens: its files of every kind, and what they are."""
    words = load_words(selection.lang)
    indicators = tuple(load_indicators()[name] for name in wanted.indicators)
    names = words.listing([item.texts(words.lang).short_name for item in indicators])
    files = [
        html.Li(
            html.A(
                words("data.take", kind=name),
                href=slice_address(wanted, kind, words.lang, release.id),
                download="",
                className="btn",
            )
        )
        for kind, name in KINDS.items()
    ]
    first, last = wanted.periods[0], wanted.periods[-1]
    told = words(
        "passport.slice",
        level=words(f"levels.{wanted.level}"),
        first=first.id,
        last=last.id,
        rows=words.number(wanted.row_count(release)),
    )
    head = html.Div(
        [html.H1(words("passport.file", names=names), tabIndex=-1), html.P(told, className="conclusion")],
        className="page-head",
    )
    builder = html.P(html.A(words("passport.builder"), href=selection.to_url()))
    parts = [head, html.Ul(files, className="downloads"), builder]
    return Body(words("passport.file", names=names), [*parts, section(passport, selection, release, indicators, words)])

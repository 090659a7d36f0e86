"""Atom feeds: what is new since the release before, for whoever would rather be told than look.

    /feed/udgivelser.atom                                  new releases
    /feed/k-hjoerring.atom                                 and of an area: signals, revisions, new methods
    /feed/indikator/preventable_admissions_65plus.atom     and of an indicator, over all municipalities

A feed says what Overblik says under "siden sidst": a signal, a revision and a new method are three different things.
Every entry leads to the figures on the release it tells of.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import date
from html import escape
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from flask import Flask, Response, request

from dashboard.api.filters import MapFilters, indicator_named, read_filters
from dashboard.api.problem import Problem
from dashboard.api.resources import shown_releases
from dashboard.components.verdict import CHANGES, verdict_text
from dashboard.news import area_news
from dashboard.readings import area_change, latest_period
from dashboard.selection import COUNTRY, LEVEL_WORDS, AreaRef, Selection, area_ref
from dashboard.words import Words, load_words
from kpis.area import MAPS, Area, Map, areas
from kpis.indicator import LANGUAGES, Language, load_indicators
from kpis.news import method_changes, revisions
from kpis.period import add_months
from kpis.release import Release, per_release, release_before

RELEASES = "/feed/udgivelser.atom"
MEDIA_TYPE = "application/atom+xml"
_ATOM = "http://www.w3.org/2005/Atom"
_NAMESPACE = uuid.UUID("5a4b0c7e-6f3d-5c9a-9d53-2f6f3d1c8b17")  # of the ids of entries; made once, by chance
_XML = "{http://www.w3.org/XML/1998/namespace}"


class Entry(NamedTuple):
    """Something that is new; ``key`` is its own within the release, ``address`` leads to the figures."""

    key: str
    release: Release
    title: str
    told: str
    address: str


def area_feed(area: AreaRef, map_id: Map = MAPS[0], lang: Language = LANGUAGES[0]) -> str:
    """Return the address of the feed of an area."""
    return f"/feed/{area.text}.atom{_query(map_id, lang)}"


def indicator_feed(indicator_id: str, lang: Language = LANGUAGES[0]) -> str:
    """Return the address of the feed of an indicator."""
    return f"/feed/indikator/{indicator_id}.atom{_query(MAPS[0], lang)}"


def feed_of(selection: Selection) -> str:
    """Return the feed that is about what a page shows: its area, else its indicator, else the releases."""
    if selection.area and selection.area != COUNTRY:
        return area_feed(selection.area, selection.map, selection.lang)
    if selection.indicator:
        return indicator_feed(selection.indicator, selection.lang)
    return RELEASES + _query(MAPS[0], selection.lang)


def head_links(path: str) -> str:
    """Return what the head of a document says of feeds, so that a reader of feeds finds them: by the path alone."""
    found = [RELEASES]
    match [part for part in path.split("/") if part]:
        case ["sammenlign" | "metode", name] if name in load_indicators():
            found.append(indicator_feed(name))
        case [word, slug, *_] if word.isascii() and slug.replace("-", "").isalnum() and slug.isascii():
            found.append(f"/feed/{word}-{slug}.atom")
    return "".join(
        f'<link rel="alternate" type="{MEDIA_TYPE}" title="Nærblik" href="{escape(href)}">' for href in found
    )


def register(server: Flask, data_dir: Path) -> None:
    """Add the feeds; ``sprog=en`` gives English, ``kort=2027`` the areas of that map."""

    @server.get("/feed/<name>.atom")
    def send_feed(name: str) -> Response:
        try:
            filters = read_filters(MapFilters, dict(request.args.lists()))
            words = load_words(filters.language)
            newest = filters.release(data_dir)
            entries = _new_releases(data_dir, words)
            if f"/feed/{name}.atom" == RELEASES:
                return _feed(words("feed.releases"), "/data", entries, words, newest)
            area = filters.area(newest, _area_text(name))
            assert area is not None, "one is named"
            page = Selection(lang=words.lang, map=filters.map_id).of_area(area_ref(area)).to_url()
            told = _area_entries(newest, area, filters.map_id, words.lang)
            return _feed(words("feed.area", name=area.name), page, [*told, *entries], words, newest)
        except Problem as problem:
            return problem.response()

    @server.get("/feed/indikator/<name>.atom")
    def send_indicator_feed(name: str) -> Response:
        try:
            filters = read_filters(MapFilters, dict(request.args.lists()))
            words = load_words(filters.language)
            indicator = indicator_named(name)
            newest = filters.release(data_dir)
            page = Selection(page="compare", indicator=indicator.id, lang=words.lang).to_url()
            told = _indicator_entries(newest, indicator.id, words.lang)
            title = words("feed.indicator", name=indicator.texts(words.lang).short_name)
            return _feed(title, page, [*told, *_new_releases(data_dir, words)], words, newest)
        except Problem as problem:
            return problem.response()


def _area_text(name: str) -> str:
    """Return the name of an area as a filter has it. Raises Problem where it cannot be one."""
    word = name.partition("-")[0]
    if word not in LEVEL_WORDS.values():
        detail = f"There is no feed {name[:60]!r}. Write /feed/k-hjoerring.atom, or see {RELEASES}."
        raise Problem(404, detail, {"found": name[:60]})
    return name


def _query(map_id: Map, lang: Language) -> str:
    chosen = [f"sprog={lang}"] * (lang != LANGUAGES[0]) + [f"kort={map_id}"] * (map_id != MAPS[0])
    return f"?{'&'.join(chosen)}" if chosen else ""


# --- What is new --------------------------------------------------------------------------------------------


def _new_releases(data_dir: Path, words: Words) -> list[Entry]:
    """Return an entry for each release that is kept, the newest first."""
    return [
        Entry(
            "release",
            release,
            words("feed.release", month=words.month(add_months(release.date("as_of"), -1))),
            words("feed.release_told", release=release.id, reason=release.manifest.get("change_reason") or "").strip(),
            Selection(page="data", lang=words.lang, release=release.id).to_url(),
        )
        for release in shown_releases(data_dir)
    ]


@per_release
def _area_entries(release: Release, area: Area, map_id: Map, lang: Language) -> tuple[Entry, ...]:
    words, indicators = load_words(lang), load_indicators()
    news = area_news(release, area, map_id, indicators)
    if news is None:
        return ()
    here = Selection(lang=lang, map=map_id, release=release.id).of_area(area_ref(area))
    entries = []
    for signal in news.signals:
        name = indicators[signal.indicator_id].texts(lang).short_name
        title = words("feed.signal", area=area.name, name=name, verdict=verdict_text(signal.verdict, words))
        address = here.on_page("depth", signal.indicator_id).to_url()
        entries.append(Entry(f"signal {signal.indicator_id}", release, title, words("feed.signal_told"), address))
    if news.revisions:
        names = [indicators[one.indicator_id].texts(lang).short_name for one in news.revisions]
        title = words("feed.revision", area=area.name, count=words.number(len(names)))
        told = words("feed.revision_told", period=news.period.id, names=words.listing(names))
        entries.append(Entry("revision", release, title, told, here.to_url()))
    return (*entries, *_method_entries(release, lang))


@per_release
def _indicator_entries(release: Release, indicator_id: str, lang: Language) -> tuple[Entry, ...]:
    words, indicator = load_words(lang), load_indicators()[indicator_id]
    before = release_before(release)
    if before is None:
        return ()
    name = indicator.texts(lang).short_name
    compare = Selection(page="compare", indicator=indicator_id, lang=lang, release=release.id).to_url()
    entries = []
    changed = [
        f"{place.name} ({verdict_text(now, words)})" for place, now in _new_signals(before, release, indicator_id)
    ]
    if changed:
        title = words("feed.signals", name=name, count=words.number(len(changed)))
        entries.append(Entry("signals", release, title, words.listing(changed), compare))
    period = latest_period(before, indicator_id)
    both = revisions(before, release, indicator, "municipality", MAPS[0], period)
    moved = both.filter(both["before"].is_not_null() & (both["before"] != both["after"])).height
    if moved:
        title = words("feed.revisions", name=name, count=words.number(moved))
        told = words("feed.revision_told", period=period.id, names=name)
        entries.append(Entry("revision", release, title, told, compare))
    return (*entries, *_method_entries(release, lang, indicator_id))


def _new_signals(before: Release, release: Release, indicator_id: str) -> Iterator[tuple[Area, str]]:
    known = {area.code for area in areas(before, "municipality", MAPS[0])}
    for place in areas(release, "municipality", MAPS[0]):
        if place.code in known:
            now, then = (area_change(one, indicator_id, place).verdict for one in (release, before))
            if now in CHANGES and now != then:
                yield place, now


def _method_entries(release: Release, lang: Language, indicator_id: str | None = None) -> Iterator[Entry]:
    """Yield what is counted otherwise: of all indicators, or of one, whose rules and groups may concern it."""
    before, words = release_before(release), load_words(lang)
    assert before is not None, "asked only where there is one"
    method = method_changes(before, release)
    changed = [name for name in method.indicators if indicator_id in (None, name)]
    told = [*changed, *(words("news.rule", id=rule) for rule in method.rules)]
    told += [words("news.group", id=group) for group in method.groups]
    if told:
        address = Selection(page="method", indicator=indicator_id, lang=lang, release=release.id).to_url()
        yield Entry("method", release, words("feed.method"), words.listing(told), address)


# --- Atom (RFC 4287) ----------------------------------------------------------------------------------------


def _feed(title: str, page: str, entries: Sequence[Entry], words: Words, newest: Release) -> Response:
    host = request.host_url.rstrip("/")
    itself = request.full_path.removesuffix("?")
    feed = ElementTree.Element("feed", {"xmlns": _ATOM, f"{_XML}lang": words.lang})
    _text(feed, "id", _urn(itself))
    _text(feed, "title", title)
    _text(feed, "updated", _moment(newest))
    ElementTree.SubElement(feed, "link", rel="self", type=MEDIA_TYPE, href=host + itself)
    ElementTree.SubElement(feed, "link", rel="alternate", type="text/html", href=host + page)
    _text(ElementTree.SubElement(feed, "author"), "name", "Nærblik")
    if newest.manifest["is_synthetic"]:
        _text(feed, "subtitle", words("shell.synthetic"))
    for entry in entries:
        part = ElementTree.SubElement(feed, "entry")
        _text(part, "id", _urn(f"{itself} {entry.release.id} {entry.key}"))
        _text(part, "title", entry.title)
        _text(part, "updated", _moment(entry.release))
        ElementTree.SubElement(part, "link", rel="alternate", type="text/html", href=host + entry.address)
        _text(part, "summary", entry.told)
    text = ElementTree.tostring(feed, encoding="unicode")
    answer = Response(f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n', mimetype=MEDIA_TYPE)
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = text


def _urn(text: str) -> str:
    return uuid.uuid5(_NAMESPACE, text).urn


def _moment(release: Release) -> str:
    """Return when a release was made, as Atom wants it: with a time of day."""
    created = str(release.manifest["created"])
    return created if "T" in created else f"{date.fromisoformat(created)}T00:00:00+00:00"

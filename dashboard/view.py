"""From an address to everything that is shown for it."""

import json
import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from dash import html

from dashboard.agenda import kept as agendas
from dashboard.agenda.kept import place_on_agenda
from dashboard.components import shell
from dashboard.components.markup import to_markup
from dashboard.components.wall import wall_page
from dashboard.effect import plans
from dashboard.guard.access import current_user
from dashboard.memory import Memory
from dashboard.own_folder import last_kept
from dashboard.pages import (
    Body,
    PageFunction,
    about,
    accessibility,
    acute_places,
    api,
    carpet,
    data,
    front,
    meeting,
    method,
    potential,
    welfare,
)
from dashboard.pages.compare import head as compare
from dashboard.pages.depth import head as depth
from dashboard.pages.effect import form as effect_form
from dashboard.pages.effect import listing as effects
from dashboard.pages.effect import report as effect
from dashboard.pages.overview import head as overview
from dashboard.pages.passport import file_page, shown_indicators, slice_of
from dashboard.pages.passport import section as passport_section
from dashboard.passport import PREFIX, Passport, find, issue, pinned, short_address
from dashboard.running.metrics import count_failed_view
from dashboard.selection import Notice, Page, Selection, catalogue
from dashboard.shelf import shelf_of
from dashboard.words import DEFAULT_LANGUAGE, Words, load_words
from kpis.release import (
    NoRelease,
    NoSuchRelease,
    QueryTooSlow,
    Release,
    ReleaseError,
    current_release,
    kept_release,
    per_release,
    release_problem,
)

_log = logging.getLogger(__name__)

PAGE_FUNCTIONS: Mapping[Page, PageFunction] = {
    "front": front.page,
    "area": overview.page,
    "carpet": carpet.page,
    "depth": depth.page,
    "compare": compare.page,
    "potential": potential.page,
    "acute_places": acute_places.page,
    "welfare": welfare.page,
    "effects": effects.page,
    "effect": effect.page,
    "effect_form": effect_form.page,
    "data": data.page,
    "api": api.page,
    "method": method.page,
    "meeting": meeting.page,
    "about": about.page,
    "accessibility": accessibility.page,
}


_WITHOUT_FIGURES: frozenset[Page] = frozenset(("front", "about", "accessibility", "api", "meeting", "effect_form"))

MOST_VIEWS = 500
"""Drawn views that a process keeps at hand, of 5–30 KB each; many more lie on the shelf that workers share."""


@dataclass(frozen=True)
class View:
    """A view to draw. One that is not final is asked for again by itself: there was no release yet."""

    title: str
    lang: str
    content: list[Any]
    address: str = ""  # of what is shown, in its one spelling; empty where nothing could be
    is_final: bool = True
    selection: Selection | None = None  # and the release: what is shown, None where nothing could be
    release: Release | None = None


@dataclass(frozen=True)
class Drawn:
    """A view as the browser gets it; fields as of :class:`View`, the content as HTML."""

    title: str
    lang: str
    packed: bytes
    address: str
    is_final: bool

    @property
    def markup(self) -> str:
        """Return the content as HTML."""
        return zlib.decompress(self.packed).decode()

    def to_bytes(self) -> bytes:
        """Return a final view as another worker reads it back with :meth:`from_bytes`."""
        return json.dumps([self.title, self.lang, self.address]).encode() + b"\n" + self.packed

    @classmethod
    def from_bytes(cls, text: bytes) -> "Drawn":
        """Return what :meth:`to_bytes` wrote."""
        told, _, packed = text.partition(b"\n")
        title, lang, address = json.loads(told)
        return cls(title, lang, packed, address, is_final=True)


@per_release
def _drawn(_: Release) -> Memory[Drawn]:
    return Memory(MOST_VIEWS)


_shelf = per_release(shelf_of)


def draw(data_dir: Path, path: str, query: str) -> Drawn:
    """Return :func:`show` as HTML; of the views that were asked for last, without drawing them again."""
    try:
        place = place_on_agenda(data_dir, path, query)
        release = release_shown(data_dir, place.asked[1] if place else query)[0]
        shelf = _shelf(release) if release is current_release(data_dir) else None
    except ReleaseError:
        return _as_markup(show(data_dir, path, query))
    known = _drawn(release)
    question = (
        *(path, query, release_problem(data_dir), last_kept(data_dir, agendas.FOLDER, plans.FOLDER)),
        tuple(sorted(current_user().roles)),  # what somebody may not do is not offered
    )

    def find() -> Drawn:
        if shelf and (kept := shelf.find(question)):
            return Drawn.from_bytes(kept)
        drawn = _as_markup(show(data_dir, path, query))
        if shelf and _is_lasting(drawn):
            shelf.keep(question, drawn.to_bytes())
        return drawn

    drawn = known.recall(question, find)
    if not _is_lasting(drawn):
        known.forget(question)
    return drawn


def _is_lasting(drawn: Drawn) -> bool:
    """Return whether it may be shown again: trouble passes."""
    return drawn.is_final and bool(drawn.address)


def _as_markup(view: View) -> Drawn:
    packed = zlib.compress(to_markup(view.content).encode(), level=1)
    return Drawn(view.title, view.lang, packed, view.address, view.is_final)


def release_shown(data_dir: Path, query: str) -> tuple[Release, list[Notice]]:
    """Return the release that an address is tied to by ``udgave=``, else the current one; and what must be said of it.

    One that is no longer kept gives the current one and a notice. Raises NoRelease or ReleaseError where there is none.
    """
    current, wanted = current_release(data_dir), dict(parse_qsl(query.removeprefix("?"))).get("udgave")
    if wanted is None or wanted == current.id:
        return current, []
    try:
        return kept_release(data_dir, wanted), [Notice("notice.release_earlier", {"newest": current.id})]
    except NoSuchRelease:
        return current, [Notice("notice.release_gone", {"value": wanted[:60]})]


def show(data_dir: Path, path: str, query: str) -> View:
    """Return the view of an address over the release it asks for. Never raises: trouble is a page of its own.

    An item of an agenda is the view that it names, on the agenda's release and map.
    Why a release cannot be shown stands in the log of ``kpis.release``, once and not for every waiting reader.
    """
    place, passport = place_on_agenda(data_dir, path, query), None
    if place:
        path, query = place.asked
    elif path.startswith(PREFIX):
        passport = find(data_dir, path.removeprefix(PREFIX))
        if passport is None:
            return _trouble(query, "passport.unknown", "passport.unknown_title", is_final=True)
        path, _, query = passport.view.partition("?")
    try:
        release, about_release = release_shown(data_dir, query)
    except ReleaseError as error:
        return _trouble(query, "trouble.no_release" if isinstance(error, NoRelease) else "trouble.unreadable")
    try:
        selection, notices = Selection.from_url(path, query, catalogue(release))
        if selection.release not in (None, release.id):
            selection = replace(selection, release=None)
        words = load_words(selection.lang)
        body = _body(selection, release, passport, words)
        notices = [*about_release, *notices, *body.notices]
        has_problem = release_problem(data_dir) is not None
        short = short_address(passport.id) if passport else _found_again(data_dir, selection, release)
        if selection.meeting:
            told = shell.told(notices, has_problem, words)
            content = wall_page(selection, words, body, told, release, short, place)
        else:
            content = shell.page(selection, words, body.parts, notices, release, has_problem, place, short)
        return View(
            words("shell.title", page=place.item.title if place else body.title),
            selection.lang,
            content,
            short if passport else (place.selection if place else selection).to_url(),
            body.is_final,
            selection=selection,
            release=release,
        )
    except QueryTooSlow as error:
        _log.warning("no view for %s in time: %s", path, error)
        count_failed_view("slow")
        return _trouble(query, "trouble.slow")
    except Exception:
        _log.exception("no view for %s %s", path, query)
        count_failed_view("error")
        return _trouble(query, "trouble.error", "trouble.error_title", is_final=True)


def _body(selection: Selection, release: Release, passport: Passport | None, words: Words) -> Body:
    """Return the page, below it what its passport says; that of a file where the passport is one of a file."""
    if passport is None or passport.release != release.id:
        return PAGE_FUNCTIONS[selection.page](selection, release)
    if wanted := slice_of(passport, release):
        return file_page(passport, wanted, selection, release)
    body = PAGE_FUNCTIONS[selection.page](selection, release)
    told = passport_section(passport, selection, release, shown_indicators(selection), words)
    return body._replace(parts=[*body.parts, told])


def _found_again(data_dir: Path, selection: Selection, release: Release) -> str:
    """Return where the same figures are found again: a short address, or the whole where none can be kept.

    Nothing for a page that has no figures.
    """
    if selection.page in _WITHOUT_FIGURES and not selection.meeting:
        return ""
    address = replace(selection, meeting=False, release=None).to_url()
    passport = issue(data_dir, address, release.id) if not selection.search else None
    return short_address(passport) if passport else pinned(address, release.id)


def _trouble(query: str, text: str, title: str = "trouble.title", is_final: bool = False) -> View:
    words = load_words("en" if "sprog=en" in query else DEFAULT_LANGUAGE)
    parts = [
        html.Div(
            [html.H1(words(title), tabIndex=-1), html.P(words(text), className="conclusion"), _way_out(words)],
            className="hero",
        )
    ]
    content = shell.page(Selection(lang=words.lang), words, parts)
    return View(words("shell.title", page=words(title)), words.lang, content, is_final=is_final)


def _way_out(words: Words) -> html.P:
    return html.P(html.A(words("trouble.front"), href=Selection(lang=words.lang).to_url()))

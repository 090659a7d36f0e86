"""From an address to everything that is shown for it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dash import html

from dashboard.components import shell
from dashboard.components.markup import to_markup
from dashboard.memory import Memory
from dashboard.pages import (
    PageFunction,
    about,
    accessibility,
    acute_places,
    carpet,
    compare,
    data,
    front,
    method,
    overview,
    potential,
)
from dashboard.pages.depth import head as depth
from dashboard.selection import Page, Selection, catalogue
from dashboard.words import DEFAULT_LANGUAGE, Words, load_words
from kpis.release import NoRelease, Release, ReleaseError, current_release, per_release, release_problem

_log = logging.getLogger(__name__)

PAGE_FUNCTIONS: Mapping[Page, PageFunction] = {
    "front": front.page,
    "area": overview.page,
    "carpet": carpet.page,
    "depth": depth.page,
    "compare": compare.page,
    "potential": potential.page,
    "acute_places": acute_places.page,
    "data": data.page,
    "method": method.page,
    "about": about.page,
    "accessibility": accessibility.page,
}


MOST_VIEWS = 300
"""Drawn views that a process keeps, of 50–300 KB each."""


@dataclass(frozen=True)
class View:
    """A view to draw. One that is not final is asked for again by itself: there was no release yet."""

    title: str
    lang: str
    content: list[Any]
    address: str = ""  # of what is shown, in its one spelling; empty where nothing could be
    is_final: bool = True


@dataclass(frozen=True)
class Drawn:
    """A view as the browser gets it; fields as of :class:`View`, the content as HTML."""

    title: str
    lang: str
    markup: str
    address: str
    is_final: bool


@per_release
def _drawn(_: Release) -> Memory[Drawn]:
    return Memory(MOST_VIEWS)


def draw(data_dir: Path, path: str, query: str) -> Drawn:
    """Return :func:`show` as HTML; of the views that were asked for last, without drawing them again."""
    try:
        known = _drawn(current_release(data_dir))
    except ReleaseError:
        return _as_markup(show(data_dir, path, query))
    question = path, query, release_problem(data_dir)
    drawn = known.recall(question, lambda: _as_markup(show(data_dir, path, query)))
    if not drawn.is_final or not drawn.address:
        known.forget(question)  # trouble passes
    return drawn


def _as_markup(view: View) -> Drawn:
    return Drawn(view.title, view.lang, to_markup(view.content), view.address, view.is_final)


def show(data_dir: Path, path: str, query: str) -> View:
    """Return the view of an address over the current release. Never raises: trouble is a page of its own.

    Why a release cannot be shown stands in the log of ``kpis.release``, once and not for every waiting reader.
    """
    try:
        release = current_release(data_dir)
    except ReleaseError as error:
        return _trouble(query, "trouble.no_release" if isinstance(error, NoRelease) else "trouble.unreadable")
    try:
        selection, notices = Selection.from_url(path, query, catalogue(release))
        words = load_words(selection.lang)
        body = PAGE_FUNCTIONS[selection.page](selection, release)
        content = shell.page(
            selection,
            words,
            body.parts,
            [*notices, *body.notices],
            release,
            problem=release_problem(data_dir) is not None,
        )
        return View(words("shell.title", page=body.title), selection.lang, content, selection.to_url())
    except Exception:
        _log.exception("no view for %s %s", path, query)
        return _trouble(query, "trouble.error", "trouble.error_title", is_final=True)


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

"""From an address to everything that is shown for it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dash import html

from dashboard.components import shell
from dashboard.pages import PageFunction, about, accessibility, compare, front, method, overview
from dashboard.selection import Page, Selection, catalogue
from dashboard.words import DEFAULT_LANGUAGE, Words, load_words
from kpis.release import NoRelease, ReleaseError, current_release, release_problem

_log = logging.getLogger(__name__)

PAGE_FUNCTIONS: Mapping[Page, PageFunction] = {
    "front": front.page,
    "area": overview.page,
    "compare": compare.page,
    "method": method.page,
    "about": about.page,
    "accessibility": accessibility.page,
}


@dataclass(frozen=True)
class View:
    """A view to draw. One that is not final is asked for again by itself: there was no release yet."""

    title: str
    lang: str
    content: list[Any]
    is_final: bool = True


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
        return View(words("shell.title", page=body.title), selection.lang, content)
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
    return View(words("shell.title", page=words(title)), words.lang, content, is_final)


def _way_out(words: Words) -> html.P:
    return html.P(html.A(words("trouble.front"), href=Selection(lang=words.lang).to_url()))

"""Who may do what, from where a change may come, and what is remembered of it.

A page reads (`may`), a route that gives or changes something asks first (`needs`) and tells afterwards (`audit`):

    @server.post("/moede")
    def save_agenda() -> Response:
        needs("editor")
        …
        audit("agenda.saved", agenda=name, release=release.id)

Changes are ordinary forms. None comes from another site: see :func:`register`.
"""

import json
import logging
import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, has_request_context, make_response, request

from dashboard.guard.loopback import leads_to_loopback
from dashboard.guard.secure_side import is_of_this_machine
from dashboard.guard.settings import Role
from dashboard.own_folder import own_folder
from dashboard.running.logs import masked, request_id
from dashboard.words import load_words
from kpis.indicator import LANGUAGES

ROLES: tuple[Role, ...] = get_args(Role)

PLAIN = {"Content-Type": "text/plain; charset=utf-8"}

_READING = ("GET", "HEAD", "OPTIONS")
_ANYBODYS_POSTS = ("/_dash-update-component", "/log-ud", "/moede")
"""An agenda in a link is its holder's own; what is kept asks for the role by itself (``dashboard.agenda.forms``)."""
_FILES = ("/fil/", "/api/")
_DATA_DIR = "NAERBLIK_DATA_DIR"
_LONGEST_ADDRESS = 2_000
_TOLD_AGAIN_SECONDS = 3_600.0
_log = logging.getLogger(__name__)
_told_at = -math.inf


@dataclass(frozen=True)
class User:
    """Somebody who was let in; ``name`` as the log-in gives it, for the audit log."""

    name: str
    roles: frozenset[Role]


LOCAL = User("lokal", frozenset(ROLES))
"""Whoever sits at this machine, where there is no log-in: may everything."""

NOBODY = User("", frozenset())


def roles_up_to(highest: Iterable[Role]) -> frozenset[Role]:
    """Return the roles given and those that each of them includes."""
    return frozenset(role for given in highest for role in ROLES[: ROLES.index(given) + 1])


def current_user() -> User:
    """Return who asks. Outside of a request the process asks for itself, and may what whoever started it may."""
    return g.get("user", NOBODY) if has_request_context() else LOCAL


def may(role: Role) -> bool:
    """Return whether who asks has the role; for what a page offers, never instead of :func:`needs`."""
    return role in current_user().roles


def needs(role: Role) -> None:
    """End the request with 403 and a plain sentence, unless who asks has the role."""
    if not may(role):
        audit("refused", needed=role)
        abort(make_response(said(f"access.needs_{role}"), 403, PLAIN))


def audit(action: str, **facts: str | int | None) -> None:
    """Remember that somebody did something: one line of JSON in ``DATA/web/audit/<year>-<month>.jsonl``.

    A line holds time, user, action, address (that is the filter, of a very long one its beginning), request id, and
    ``facts``: ``release``, ``rows``, names of what was saved. Never a value of the data. The line goes to the log as
    well, which is all there is where the folder cannot be written; an error says so.
    """
    now = datetime.now(tz=UTC)
    line = {
        "time": now.isoformat(timespec="milliseconds"),
        "user": current_user().name,
        "action": action,
        "address": request.full_path.removesuffix("?")[:_LONGEST_ADDRESS],
        "request_id": request_id(),
        **facts,
    }
    text = masked(json.dumps(line, ensure_ascii=False))
    _log.info("audit %s", text)
    folder = own_folder(current_app.config[_DATA_DIR], "audit")
    if folder is None:
        _tell_unwritable("the folder cannot be made or written to")
        return
    try:  # O_APPEND: lines of several workers stay whole and follow each other
        handle = os.open(folder / f"{now:%Y-%m}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(handle, text.encode() + b"\n")
        finally:
            os.close(handle)
    except OSError as error:
        _tell_unwritable(error)


def _tell_unwritable(reason: object) -> None:
    """Say it once an hour: the audited lines themselves must not drown in it."""
    global _told_at
    if time.monotonic() - _told_at >= _TOLD_AGAIN_SECONDS:
        _told_at = time.monotonic()
        _log.error("DATA/web/audit cannot be written, audited lines stand in this log alone: %s", reason)


def register(server: Flask, data_dir: Path, public_host: str | None = None, has_login: bool = False) -> None:
    """Know who asks, and from where.

    A change that a page of another site asks for is refused with 403. A browser says by itself where a form was sent
    from (Sec-Fetch-Site, or Origin where the connection is not encrypted), so that no form needs a token. What says
    neither is no browser, and carries nobody's cookie by accident.

    A name of this server that is not its own is refused with 400, else another site could call itself by our address
    and read what it gets. Without a log-in whoever is not of this machine is refused with 403: nobody would be known.
    """
    server.config[_DATA_DIR] = data_dir

    @server.before_request
    def refuse_strangers() -> tuple[str, int, dict[str, str]] | None:
        is_own_name = request.host == public_host or leads_to_loopback(f"//{request.host}")
        if not is_own_name and request.path != "/live":
            return said("access.other_name"), 400, PLAIN
        if request.method not in _READING and not _comes_from_here(public_host):
            _log.warning("refused a change asked for by another site: %s", request.path)
            return said("access.other_site"), 403, PLAIN
        if has_login or request.path == "/live":
            return None
        if not is_of_this_machine():
            return said("access.no_login"), 403, PLAIN
        g.user = LOCAL
        return None

    @server.before_request
    def ask_for_roles() -> None:
        """The rooms that need a role, whatever their routes ask for themselves."""
        if request.method not in _READING and not request.path.startswith(_ANYBODYS_POSTS):
            needs("editor")
        elif request.path.startswith(_FILES):
            needs("analyst")


def _comes_from_here(public_host: str | None) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")  # none: the reader's own doing, as typing an address
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc in (request.host, public_host)


def said(text: str) -> str:
    """Return a text in both languages, for an answer that is not a page."""
    return "".join(f"{load_words(lang)(text)}\n" for lang in LANGUAGES)

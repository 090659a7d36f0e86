"""Passports: ``/p/<id>`` opens exactly the view or the slice that an id was given to, on exactly its release.

The id is worked out from address and release (``kpis.passport``), and what it stands for is kept in a small table,
``DATA/web/passports/passports.sqlite``, when the view is drawn or the file taken. Where nothing can be kept the ids are
the same, but no ``/p/`` address opens: :func:`issue` says so by None, and pages show the long address instead.
"""

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from dashboard.own_folder import own_folder, place_of
from kpis.passport import passport_of, read_passport
from kpis.release import kept_releases

MOST_PASSPORTS = 500_000
"""Kept at most, about 100 MB; whoever asks for addresses without end does not fill the disk.

When there are as many, those of releases that are no longer kept go: they would open another release's figures.
"""

PREFIX = "/p/"
_FOLDER, _FILE = "passports", "passports.sqlite"
_NOT_OF_A_VIEW = {"m", "udgave"}
_log = logging.getLogger(__name__)


class Passport(NamedTuple):
    """What an id stands for: an address (path and query, without release and meeting mode) and a release."""

    id: str
    address: str
    release: str

    @property
    def pinned(self) -> str:
        """Return the address tied to the release."""
        return pinned(self.address, self.release)

    @property
    def view(self) -> str:
        """Return the address of the view that it opens; of a file that of the page where its slice is chosen."""
        path, _, query = self.pinned.partition("?")
        if not path.startswith("/fil/"):
            return self.pinned
        return f"/data?indikatorer={path.removeprefix('/fil/').rpartition('.')[0]}&{query}"


def passport_id(address: str, release_id: str) -> str:
    """Return the id of an address on a release; meeting mode and a release in the address make no difference."""
    return passport_of(plain_address(address), release_id)


def plain_address(address: str) -> str:
    """Return an address without meeting mode and release, its keys in the order they stand in."""
    path, _, query = address.partition("?")
    kept = [(key, text) for key, text in parse_qsl(query) if key not in _NOT_OF_A_VIEW]
    return path + (f"?{urlencode(kept, safe=',')}" if kept else "")


def pinned(address: str, release_id: str) -> str:
    """Return an address tied to a release."""
    plain = plain_address(address)
    return f"{plain}{'&' if '?' in plain else '?'}{urlencode({'udgave': release_id})}"


def short_address(passport: str) -> str:
    """Return ``/p/<id>``."""
    return PREFIX + passport


def issue(data_dir: Path, address: str, release_id: str, request: str | None = None) -> str | None:
    """Keep what an id stands for and return it; None where it cannot be kept, and ``/p/<id>`` would open nothing.

    ``request`` is what the id is made of where that is not the address: a file has the id of its slice, whatever its
    kind. Issued twice it is kept once.
    """
    address = plain_address(address)
    found = passport_of(request, release_id) if request else passport_id(address, release_id)
    folder = own_folder(data_dir, _FOLDER)
    if folder is None:
        return None
    try:
        with closing(sqlite3.connect(folder / _FILE, timeout=2)) as store, store:
            store.execute(
                "create table if not exists passport (id text primary key, address text not null, "
                "release text not null) strict"
            )
            known = store.execute("select address, release from passport where id = ?", [found]).fetchone()
            if known is not None:
                return found if known == (address, release_id) else None
            if not _has_room(store, data_dir):
                _log.warning("no more passports are kept: there are %s", MOST_PASSPORTS)
                return None
            store.execute("insert or ignore into passport values (?, ?, ?)", [found, address, release_id])
        return found
    except sqlite3.Error as error:
        _log.warning("a passport cannot be kept: %s", error)
        return None


def _has_room(store: sqlite3.Connection, data_dir: Path) -> bool:
    """Return whether one more may be kept; where there are too many, those of releases that are gone make room.

    Only the ends are looked at, for a page waits: the oldest row tells whether such a release is among them.
    """
    oldest = store.execute("select rowid, release from passport order by rowid limit 1").fetchone()
    newest = store.execute("select max(rowid) from passport").fetchone()
    if oldest is None or newest[0] - oldest[0] + 1 < MOST_PASSPORTS:
        return True
    kept = kept_releases(data_dir)
    if oldest[1] in kept:
        return False
    store.execute("delete from passport where release not in (select value from json_each(?))", [json.dumps(kept)])
    return _has_room(store, data_dir)


def find(data_dir: Path, text: str) -> Passport | None:
    """Return what an id stands for, as somebody typed it; None where it is not known here."""
    wanted = read_passport(text)
    path = place_of(data_dir, _FOLDER) / _FILE
    if wanted is None or not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2)) as store:
            row = store.execute("select id, address, release from passport where id = ?", [wanted]).fetchone()
    except sqlite3.Error as error:
        _log.warning("passports cannot be read: %s", error)
        return None
    return Passport(*row) if row else None

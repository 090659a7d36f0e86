"""The agendas that are kept in ``DATA/web/agendas``, and where on an agenda an address stands."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode

from dashboard.agenda import (
    LINK_KEY,
    Agenda,
    AgendaItem,
    AgendaProblem,
    from_link,
    read_agenda,
    view_address,
    write_agenda,
)
from dashboard.own_folder import own_folder, place_of, write_file
from dashboard.selection import VIEW_WORDS, Notice, Selection
from kpis.indicator import LANGUAGES, Language

FOLDER = "agendas"


class Kept(NamedTuple):
    """An agenda as it lies in its file. Who changes it names the ``version`` that the change was made to."""

    agenda: Agenda
    version: str
    saved: datetime  # local time


class OverwrittenError(Exception):
    """Somebody else has saved the agenda since it was opened."""


def kept_agendas(data_dir: Path) -> tuple[list[Kept], list[tuple[str, AgendaProblem]]]:
    """Return the agendas that are kept, the latest meeting first, and the files that cannot be read with why."""
    found, broken = [], []
    folder = place_of(data_dir, FOLDER)
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        try:
            found.append(_read(path))
        except AgendaProblem as problem:
            broken.append((path.name, problem))
    return sorted(found, key=lambda kept: (kept.agenda.day or kept.saved.date(), kept.saved), reverse=True), broken


def kept_agenda(data_dir: Path, name: str) -> Kept:
    """Return the agenda that is kept under a name. Raises AgendaProblem where there is none, or it cannot be read."""
    path = _path(place_of(data_dir, FOLDER), name)
    if not path.is_file():
        raise AgendaProblem([Notice("meeting.unknown", {"value": name[:60]})])
    return _read(path)


def can_keep(data_dir: Path) -> bool:
    """Return whether agendas can be saved in this data folder."""
    return own_folder(data_dir, FOLDER) is not None


def keep_agenda(data_dir: Path, agenda: Agenda, version: str | None) -> None:
    """Save an agenda over the ``version`` that is replaced; None makes a new one, under a name of its own.

    Raises OverwrittenError where another version lies there, and OSError where nothing can be written.
    """
    folder = own_folder(data_dir, FOLDER)
    if folder is None:
        raise OSError(f"{place_of(data_dir, FOLDER)} cannot be written to")
    path = _path(folder, agenda.name)
    found = _version(path.read_text(encoding="utf-8")) if path.exists() else None
    if found != version:
        raise OverwrittenError(agenda.name)
    write_file(path, write_agenda(agenda))


def forget_agenda(data_dir: Path, name: str) -> None:
    """Delete a kept agenda; one that is not there is no problem."""
    _path(place_of(data_dir, FOLDER), name).unlink(missing_ok=True)


def free_name(data_dir: Path, name: str) -> str:
    """Return the name, or the first of ``name-2``, ``name-3`` … that no kept agenda has."""
    folder, number, free = place_of(data_dir, FOLDER), 1, name
    while (folder / f"{free}.toml").exists():
        number += 1
        free = f"{name[: 57 - len(str(number))]}-{number}"
    return free


@dataclass(frozen=True)
class Place:
    """An address on an agenda: which item is shown (from 1), and how. ``packed`` where a link holds the agenda."""

    agenda: Agenda
    number: int
    lang: Language
    packed: str = ""
    as_table: bool = False
    is_meeting: bool = False

    @property
    def item(self) -> AgendaItem:
        """The item that is shown."""
        return self.agenda.items[self.number - 1]

    @property
    def asked(self) -> tuple[str, str]:
        """Path and query of the view that the item shows."""
        path, _, query = view_address(self.agenda, self.item, self.lang).partition("?")
        shown = [("visning", VIEW_WORDS["table"])] * self.as_table + [("m", "1")] * self.is_meeting
        return path, query + ("&" + urlencode(shown) if shown else "")

    @property
    def selection(self) -> Selection:
        """The address on the agenda."""
        return Selection(
            page="meeting",
            lang=self.lang,
            agenda=self.agenda.name,
            item=self.number,
            packed=self.packed,
            view="table" if self.as_table else "chart",
            meeting=self.is_meeting,
        )

    def at(self, number: int) -> "Place | None":
        """Return the same of another item; None where there is none of that number."""
        is_there = 1 <= number <= len(self.agenda.items)
        return replace(self, number=number, as_table=False) if is_there else None


def place_on_agenda(data_dir: Path, path: str, query: str) -> Place | None:
    """Return the item that an address names: ``/moede/<name>?punkt=<number>``; None where it names none that is there.

    The page of the agenda then says what is wrong.
    """
    parts = [part for part in unquote(path).split("/") if part]
    choices = dict(parse_qsl(query.removeprefix("?")))
    number = choices.get("punkt", "")
    if len(parts) != 2 or parts[0] != "moede" or not number.isdecimal() or len(number) > 3:
        return None
    try:
        agenda = asked_agenda(data_dir, parts[1], choices.get(LINK_KEY, ""))
    except AgendaProblem:
        return None
    lang = next((lang for lang in LANGUAGES if lang == choices.get("sprog")), LANGUAGES[0])
    as_table, is_meeting = choices.get("visning") == VIEW_WORDS["table"], choices.get("m") == "1"
    if not 1 <= int(number) <= len(agenda.items):
        return None
    return Place(agenda, int(number), lang, choices.get(LINK_KEY, ""), as_table, is_meeting)


def asked_agenda(data_dir: Path, name: str, packed: str) -> Agenda:
    """Return the agenda of an address: the one that the link holds, or else the one kept under the name.

    Raises AgendaProblem.
    """
    return from_link(urlencode({LINK_KEY: packed})) if packed else kept_agenda(data_dir, name).agenda


def _read(path: Path) -> Kept:
    """Read a file; its name is the agenda's name, whatever is written in it."""
    try:
        text = path.read_text(encoding="utf-8")
        saved = datetime.fromtimestamp(path.stat().st_mtime)
    except (OSError, UnicodeDecodeError):
        raise AgendaProblem([Notice("meeting.unreadable", {"value": path.name[:60]})]) from None
    agenda = read_agenda(text)
    return Kept(replace(agenda, name=path.stem), _version(text), saved)


def _path(folder: Path, name: str) -> Path:
    """Return the file of an agenda; a name that is a way to somewhere else is none."""
    if name != Path(name).name or not name or name.startswith("."):
        raise AgendaProblem([Notice("meeting.unknown", {"value": name[:60]})])
    return folder / f"{name}.toml"


def _version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

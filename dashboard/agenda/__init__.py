"""Agendas: an ordered list of views for a meeting, with what is proposed on each, on one release and one map.

An agenda is kept as a small TOML file, ``DATA/web/agendas/<name>.toml``, and can stand whole in a link, for those who
may not keep files here or want to mail it. Both are the same text: :func:`write_agenda`.

    name = "kkr-nordjylland-november"
    title = "Sundhed i KKR Nordjylland"
    meeting = "KKR-møde"
    day = 2026-11-24
    release = "v20261122T031009099120-2b21fdfca79d"
    map = "2024"
    lang = "da"

    [[item]]
    title = "Hvordan går det i kommunerne?"
    address = "/kkr/nordjylland"
    recommendation = "at KKR tager status til efterretning"
    notes = ""
"""

import base64
import binascii
import re
import tomllib
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, TypeVar
from urllib.parse import parse_qs, parse_qsl, urlencode

import tomli_w

from dashboard.selection import Notice
from dashboard.words import load_words
from kpis.area import MAPS, Map
from kpis.indicator import LANGUAGES, Language
from kpis.release import RELEASE_ID

T = TypeVar("T")

LINK_KEY = "indhold"
LONGEST_LINK = 6_000
"""Characters of a link that every server and browser on the way still carries."""

MOST_ITEMS = 30
LONGEST = {"title": 160, "meeting": 160, "address": 800, "recommendation": 1_000, "notes": 4_000}
"""Characters of a text of an agenda or an item."""

_LONGEST_TEXT = 200_000  # of a whole agenda; what a link unpacks to is read no further
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME = 60
# A view's address in an agenda says nothing of how it is shown: that is the meeting's, and the agenda pins the rest.
_NOT_OF_AN_ITEM = {"m", "udgave", "kort", "sprog"}
_SPELLED = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", "ö": "oe", "ä": "ae", "ü": "ue"})


class AgendaProblem(ValueError):
    """An agenda cannot be read or is not allowed; ``notices`` tell every fault in the words of ``meeting.``."""

    def __init__(self, notices: Sequence[Notice]) -> None:
        self.notices = tuple(notices)
        words = load_words("en")
        super().__init__(" ".join(words(notice.key, **notice.values) for notice in self.notices))


@dataclass(frozen=True)
class AgendaItem:
    """One item: the address of a view (path and query, see :func:`item_address`) and what the meeting is asked."""

    title: str
    address: str
    recommendation: str = ""
    notes: str = ""


@dataclass(frozen=True)
class Agenda:
    """An agenda; ``name`` is its file and the last part of its address, ``release`` and ``map`` hold for all items.

    Raises AgendaProblem with every fault. ``meeting`` says whose meeting it is; ``lang`` is that of its papers.
    """

    name: str
    title: str
    meeting: str
    day: date | None
    release: str
    map: Map
    lang: Language
    items: tuple[AgendaItem, ...]

    def __post_init__(self) -> None:
        if faults := list(_faults(self)):
            raise AgendaProblem(faults)

    def to_link(self) -> str:
        """Return the query that holds the whole agenda; :func:`from_link` reads it."""
        packed = zlib.compress(write_agenda(self).encode(), level=9)
        return urlencode({LINK_KEY: base64.urlsafe_b64encode(packed).decode().rstrip("=")})


def write_agenda(agenda: Agenda) -> str:
    """Return the agenda as TOML; texts of several lines stand as such."""
    table: dict[str, Any] = {
        field.name: value for field in fields(agenda) if (value := getattr(agenda, field.name)) is not None
    }
    del table["items"]
    table["item"] = [{field.name: getattr(item, field.name) for field in fields(item)} for item in agenda.items]
    return tomli_w.dumps(table)


def read_agenda(text: str) -> Agenda:
    """Return the agenda that a TOML text holds. Raises AgendaProblem with every fault that can be seen at once."""
    if len(text) > _LONGEST_TEXT:
        raise AgendaProblem([Notice("meeting.too_long_text", {"most": str(_LONGEST_TEXT)})])
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise AgendaProblem([Notice("meeting.not_toml", {"found": str(error)[:120]})]) from None
    reader = _Reader(table, "agenda")
    listed = reader.take("item", list, [])
    items = [_Reader(entry, f"item {number}") for number, entry in enumerate(listed, start=1)]
    read_items = tuple(
        AgendaItem(entry.text("title"), entry.text("address"), entry.text("recommendation"), entry.text("notes"))
        for entry in items
    )
    known = {
        "name": reader.text("name"),
        "title": reader.text("title"),
        "meeting": reader.text("meeting"),
        "day": reader.take("day", date, None),
        "release": reader.text("release"),
        "map": reader.text("map"),
        "lang": reader.text("lang"),
    }
    faults = [fault for entry in (reader, *items) for fault in entry.all_faults()]
    if faults:
        raise AgendaProblem(faults)
    return Agenda(items=read_items, **known)


def from_link(query: str) -> Agenda:
    """Return the agenda that a query holds; it may begin with a question mark. Raises AgendaProblem."""
    packed = parse_qs(query.removeprefix("?")).get(LINK_KEY, [""])[0]
    try:
        padded = packed + "=" * (-len(packed) % 4)
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(base64.urlsafe_b64decode(padded.encode("ascii")), _LONGEST_TEXT)
        if not unpacker.eof:
            raise AgendaProblem([Notice("meeting.broken_link")])
        text = content.decode()
    except (zlib.error, binascii.Error, UnicodeError):
        raise AgendaProblem([Notice("meeting.broken_link")]) from None
    return read_agenda(text)


def item_address(address: str) -> str:
    """Return the address of a view as an item holds it: without release, map, language and meeting mode."""
    path, _, query = address.partition("?")
    kept = [(key, text) for key, text in parse_qsl(query) if key not in _NOT_OF_AN_ITEM]
    return path + (f"?{urlencode(kept, safe=',')}" if kept else "")


def view_address(agenda: Agenda, item: AgendaItem, lang: Language) -> str:
    """Return the address where the item's view is shown: on the agenda's release and map, in the reader's language."""
    path, _, query = item_address(item.address).partition("?")
    pinned = [("kort", agenda.map), ("sprog", lang), *parse_qsl(query), ("udgave", agenda.release)]
    return f"{path}?{urlencode(pinned, safe=',')}"


def agenda_name(title: str) -> str:
    """Return a name made of a title: *Møde i KKR Nordjylland* → ``moede-i-kkr-nordjylland``."""
    spelled = unicodedata.normalize("NFKD", title.casefold().translate(_SPELLED)).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", spelled))[:_LONGEST_NAME].strip("-") or "dagsorden"


def plain(text: str) -> str:
    """Return a text as an agenda holds it: line ends as ``\\n``, no control characters, no space around it."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(char for char in lines if char == "\n" or unicodedata.category(char)[0] != "C").strip()


def moved(agenda: Agenda, number: int, steps: int) -> Agenda:
    """Return the agenda with the item ``number`` (from 1) moved up (negative) or down, no further than the end."""
    items = list(agenda.items)
    item = items.pop(number - 1)
    items.insert(max(0, number - 1 + steps), item)
    return replace(agenda, items=tuple(items))


def _faults(agenda: Agenda) -> Iterator[Notice]:
    """Yield what an agenda may not be."""
    if not _NAME.fullmatch(agenda.name) or len(agenda.name) > _LONGEST_NAME:
        yield Notice("meeting.bad_name", {"found": agenda.name[:60]})
    if not agenda.title:
        yield Notice("meeting.no_title")
    if not RELEASE_ID.fullmatch(agenda.release):
        yield Notice("meeting.bad_release", {"found": agenda.release[:60]})
    if agenda.map not in MAPS:
        yield Notice("meeting.bad_value", {"key": "map", "found": str(agenda.map)[:60], "allowed": ", ".join(MAPS)})
    if agenda.lang not in LANGUAGES:
        found, allowed = str(agenda.lang)[:60], ", ".join(LANGUAGES)
        yield Notice("meeting.bad_value", {"key": "lang", "found": found, "allowed": allowed})
    if len(agenda.items) > MOST_ITEMS:
        yield Notice("meeting.too_many", {"found": str(len(agenda.items)), "most": str(MOST_ITEMS)})
    for key in ("title", "meeting"):
        yield from _too_long("0", key, getattr(agenda, key))
    for number, item in enumerate(agenda.items, start=1):
        where = str(number)
        if not item.title:
            yield Notice("meeting.no_item_title", {"number": where})
        if not item.address.startswith("/") or item.address.startswith("//") or "\\" in item.address:
            yield Notice("meeting.bad_address", {"number": where, "found": item.address[:80]})
        for field in fields(item):
            yield from _too_long(where, field.name, getattr(item, field.name))


def _too_long(where: str, key: str, text: str) -> Iterator[Notice]:
    if len(text) > LONGEST[key]:
        values = {"number": where, "key": key, "found": str(len(text)), "most": str(LONGEST[key])}
        yield Notice("meeting.too_long" if where == "0" else "meeting.too_long_item", values)


class _Reader:
    """Takes values out of one table of the file; collects what is of the wrong kind or not known."""

    def __init__(self, table: Any, where: str) -> None:
        self.where, self.faults = where, list[Notice]()
        self.table: Mapping[str, Any] = table if isinstance(table, dict) else {}
        self.left = set(self.table)
        if not isinstance(table, dict):
            self.fault("", "…")

    def fault(self, key: str, found: object) -> None:
        self.faults.append(Notice("meeting.bad_entry", {"where": self.where, "key": key, "found": str(found)[:60]}))

    def take(self, key: str, kind: type[T], default: Any) -> Any:
        self.left.discard(key)
        value = self.table.get(key, default)
        if value is default or type(value) is kind:  # a moment in time is a date to isinstance
            return value
        self.fault(key, value)
        return default

    def text(self, key: str) -> str:
        return plain(self.take(key, str, ""))

    def all_faults(self) -> list[Notice]:
        for key in sorted(self.left):
            self.fault(key, self.table[key])
        self.left.clear()
        return self.faults

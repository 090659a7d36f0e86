"""What the pages about meetings send: an agenda is made, changed, kept or deleted.

    POST /moede          a new agenda, or an item for one
    POST /moede/<name>   changes to the agenda of that address, be it kept or held by the link

The answer is 303 to the agenda as it is then. Where agendas cannot be kept, or who asks may not, it is the agenda in a
link, which asks nobody's permission: the link belongs to who holds it. Not taken: 400 with what is wrong; a reader who
goes back finds in the browser what was written.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from flask import Flask, Response, redirect, request

from dashboard.agenda import (
    LINK_KEY,
    LONGEST_LINK,
    Agenda,
    AgendaItem,
    AgendaProblem,
    agenda_name,
    from_link,
    item_address,
    moved,
    plain,
)
from dashboard.agenda.drafts import load_drafts
from dashboard.agenda.kept import (
    OverwrittenError,
    can_keep,
    forget_agenda,
    free_name,
    keep_agenda,
    kept_agenda,
)
from dashboard.guard.access import PLAIN, audit, may, needs
from dashboard.selection import DEFAULT_MAP, Catalogue, Notice, Selection, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import MAPS, Area
from kpis.release import RELEASE_ID, Release, ReleaseError, current_release

DO, VERSION, DRAFT, AREA, VIEW, INTO, LINK = "goer", "set", "skabelon", "omraade", "visning", "dagsorden", "link"
"""Names in the request beside those of :data:`TYPED`."""
SAVE, ADD, UP, DOWN, REMOVE, RENEW = "gem", "tilfoej", "op", "ned", "fjern", "nyeste"
COPY, KEEP, DELETE = "kopi", "behold", "slet"
"""What is to be done; those about an item end in its number: ``op-3``."""
TYPED = {"title": "titel", "meeting": "moede", "map": "kort", "lang": "papirsprog"}
TYPED_OF_ITEM = {"title": "titel", "recommendation": "indstilling", "notes": "noter"}
"""Field of an agenda and of an item → name in the request; of an item its number goes before: ``punkt-3-titel``."""
DAY = "dag"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Asked:
    """One request: who sends what from which address, over which release."""

    data_dir: Path
    release: Release
    selection: Selection
    words: Words
    form: Mapping[str, str]

    @property
    def known(self) -> Catalogue:
        return catalogue(self.release)

    @property
    def keeps(self) -> bool:
        """Whether agendas can be kept here, and by who asks."""
        return may("editor") and can_keep(self.data_dir)


def register(server: Flask, data_dir: Path) -> None:
    """Add the two addresses that the forms are sent to."""

    @server.post("/moede")
    def make_agenda() -> Response:
        return _answered(data_dir, _made)

    @server.post("/moede/<name>")
    def change_agenda(name: str) -> Response:
        return _answered(data_dir, _changed)


def _answered(data_dir: Path, act: Callable[[_Asked], str]) -> Response:
    try:
        release = current_release(data_dir)
    except ReleaseError:
        return Response("There is no release to make agendas of.\n", 503, PLAIN)
    selection, _ = Selection.from_url(request.path, request.query_string.decode(), catalogue(release))
    words = load_words(selection.lang)
    try:
        there = act(_Asked(data_dir, release, selection, words, request.form))
    except AgendaProblem as problem:
        told = [words(notice.key, **notice.values) for notice in problem.notices]
        return Response("\n".join([*told, words("meeting.go_back")]) + "\n", 400, PLAIN)
    except OverwrittenError:
        return Response(words("meeting.overwritten") + "\n", 409, PLAIN)
    return redirect(there, 303)  # type: ignore[return-value]  # werkzeug's response is Flask's here


# A new one ----------------------------------------------------------------------------------------------------------


def _made(asked: _Asked) -> str:
    """Make an agenda from a draft, or add a view to one; return where it is then."""
    if asked.form.get(DO) == ADD:
        return _with_view(asked)
    agenda = _drafted(asked)
    return _kept_as_new(asked, agenda) if asked.keeps else _held_by_link(asked, agenda)


def _drafted(asked: _Asked) -> Agenda:
    form, lang = asked.form, asked.selection.lang
    area, day = _area(asked), _day(form.get(DAY, ""))
    draft = next((draft for draft in load_drafts() if draft.id == form.get(DRAFT)), None)
    if draft and area:
        return draft.agenda(area, day, asked.release.id, lang)
    title = plain(form.get(TYPED["title"], "")) or asked.words("meeting.untitled")
    return Agenda(agenda_name(title), title, "", day, asked.release.id, DEFAULT_MAP, lang, ())


def _area(asked: _Asked) -> Area | None:
    """Return the area that the request names with its map: ``2024:kkr-nordjylland``."""
    map_text, _, ref = asked.form.get(AREA, "").partition(":")
    for (map_id, _), areas in asked.known.areas.items():
        for area in areas if map_id == map_text else ():
            if area_ref(area).text == ref:
                return area
    return None


def _with_view(asked: _Asked) -> str:
    address, link, into = asked.form.get(VIEW, ""), asked.form.get(LINK, "").strip(), asked.form.get(INTO, "")
    title = plain(asked.form.get(TYPED["title"], "")) or asked.words("meeting.untitled_item")
    item = AgendaItem(title, item_address(address))
    if into:
        needs("editor")
        kept = kept_agenda(asked.data_dir, into)
        return _kept(asked, _longer(kept.agenda, item), kept.version)
    if link:
        return _held_by_link(asked, _longer(from_link(urlsplit(link).query), item))
    choices = dict(parse_qsl(address.partition("?")[2]))
    name, lang = asked.words("meeting.untitled"), asked.selection.lang
    release_id = choices.get("udgave", "")
    agenda = Agenda(
        agenda_name(name),
        name,
        "",
        None,
        release_id if RELEASE_ID.fullmatch(release_id) else asked.release.id,
        next((map_id for map_id in MAPS if map_id == choices.get("kort")), DEFAULT_MAP),
        lang,
        (item,),
    )
    return _kept_as_new(asked, agenda) if asked.keeps else _held_by_link(asked, agenda)


def _longer(agenda: Agenda, item: AgendaItem) -> Agenda:
    return replace(agenda, items=(*agenda.items, item))


# Changes ------------------------------------------------------------------------------------------------------------


def _changed(asked: _Asked) -> str:
    """Do what a button of an agenda's page says, after taking over what was written; return where it is then."""
    do, _, number = asked.form.get(DO, SAVE).partition("-")
    packed = asked.selection.packed
    if packed:
        agenda, version = from_link(f"{LINK_KEY}={packed}"), ""
    else:
        kept = kept_agenda(asked.data_dir, asked.selection.agenda)
        agenda, version = kept.agenda, asked.form.get(VERSION, "")
        if do == COPY:
            return _held_by_link(asked, agenda)
        needs("editor")
        if do == DELETE:
            forget_agenda(asked.data_dir, agenda.name)
            audit("agenda.deleted", agenda=agenda.name)
            return Selection(page="meeting", lang=asked.selection.lang).to_url()
    changed, shown = _done(asked, typed_into(agenda, asked.form), do, number)
    if do == KEEP:
        needs("editor")
        return _kept_as_new(asked, changed)
    return _held_by_link(asked, changed, shown) if packed else _kept(asked, changed, version, shown)


def typed_into(agenda: Agenda, form: Mapping[str, str]) -> Agenda:
    """Return the agenda with what was written in the form; what the form does not hold stays. Raises AgendaProblem."""
    whole = {field: plain(form[name]) for field, name in TYPED.items() if name in form}
    items = tuple(
        replace(
            item,
            **{
                field: plain(form[f"punkt-{number}-{name}"])
                for field, name in TYPED_OF_ITEM.items()
                if f"punkt-{number}-{name}" in form
            },
        )
        for number, item in enumerate(agenda.items, start=1)
    )
    day = _day(form[DAY]) if DAY in form else agenda.day
    return replace(agenda, items=items, day=day, **whole)  # type: ignore[arg-type]  # map and lang are checked there


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise AgendaProblem([Notice("meeting.bad_day", {"found": text[:40]})]) from None


def _done(asked: _Asked, agenda: Agenda, do: str, text: str) -> tuple[Agenda, int]:
    """Return the agenda after what is to be done, and the number of the item that the reader should meet (0 = none)."""
    number = int(text) if text.isdecimal() and len(text) < 4 and 1 <= int(text) <= len(agenda.items) else 0
    match do:
        case "op" | "ned" if number:
            steps = -1 if do == UP else 1
            return moved(agenda, number, steps), min(max(number + steps, 1), len(agenda.items))
        case "fjern" if number:
            rest = agenda.items[: number - 1] + agenda.items[number:]
            return replace(agenda, items=rest), min(number, len(rest))
        case "tilfoej" if address := asked.form.get(VIEW, "").strip():
            parts = urlsplit(address)  # pasted from the browser it comes with the name of the server
            view = item_address(f"{parts.path}?{parts.query}" if parts.query else parts.path)
            return _longer(agenda, AgendaItem(asked.words("meeting.untitled_item"), view)), len(agenda.items) + 1
        case "nyeste":
            return replace(agenda, release=asked.release.id), 0
    return agenda, 0


# Where it is then ---------------------------------------------------------------------------------------------------


def _kept_as_new(asked: _Asked, agenda: Agenda) -> str:
    return _kept(asked, replace(agenda, name=free_name(asked.data_dir, agenda.name)), None)


def _kept(asked: _Asked, agenda: Agenda, version: str | None, item: int = 0) -> str:
    """Keep the agenda and return its address; where the disk refuses, that of the link that holds it."""
    try:
        keep_agenda(asked.data_dir, agenda, version)
    except OSError as error:
        _log.warning("the agenda %s is not kept: %s", agenda.name, error)
        return _held_by_link(asked, agenda, item)
    audit("agenda.saved", agenda=agenda.name, release=agenda.release)
    return _address(asked, agenda, "", item)


def _held_by_link(asked: _Asked, agenda: Agenda, item: int = 0) -> str:
    packed = agenda.to_link().removeprefix(f"{LINK_KEY}=")
    if len(packed) > LONGEST_LINK:
        raise AgendaProblem([Notice("meeting.long_link", {"found": str(len(packed)), "most": str(LONGEST_LINK)})])
    return _address(asked, agenda, packed, item)


def _address(asked: _Asked, agenda: Agenda, packed: str, item: int) -> str:
    there = Selection(page="meeting", lang=asked.selection.lang, agenda=agenda.name, packed=packed).to_url()
    return there + (f"#punkt-{item}" if item else "")

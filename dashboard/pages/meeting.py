"""Møde: the agendas, and one of them: its items in order, what is proposed on each, and the ways to wall and paper."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from dash import html

from dashboard import sentence
from dashboard.agenda import LINK_KEY, LONGEST, Agenda, AgendaItem, AgendaProblem
from dashboard.agenda.drafts import DRAFT_LEVELS, load_drafts
from dashboard.agenda.forms import (
    ADD,
    AREA,
    COPY,
    DAY,
    DELETE,
    DO,
    DOWN,
    DRAFT,
    INTO,
    KEEP,
    LINK,
    REMOVE,
    RENEW,
    SAVE,
    TYPED,
    TYPED_OF_ITEM,
    UP,
    VERSION,
    VIEW,
)
from dashboard.agenda.kept import Kept, asked_agenda, can_keep, kept_agenda, kept_agendas
from dashboard.components.attributes import aria
from dashboard.components.fields import Field, choice_field, line_field, text_field
from dashboard.components.markup import Input, Tag
from dashboard.effect.plans import data_dir_of
from dashboard.guard.access import may
from dashboard.pages import Body
from dashboard.selection import Notice, Selection, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import MAPS, levels
from kpis.indicator import LANGUAGES, load_indicators
from kpis.release import Release


def page(selection: Selection, release: Release) -> Body:
    """Return the list of agendas, or the one that the address names."""
    if not selection.agenda:
        return _listing(selection, release, ())
    try:
        agenda = asked_agenda(data_dir_of(release), selection.agenda, selection.packed)
    except AgendaProblem as problem:
        return _listing(replace(selection, agenda="", packed="", item=0), release, problem.notices)
    if agenda.items and selection.item:
        count = str(len(agenda.items))
        missing = [Notice("meeting.no_item", {"number": str(selection.item), "count": count})]
    else:
        missing = []
    return _agenda(replace(selection, agenda=agenda.name, item=0), agenda, release, missing)


# All of them --------------------------------------------------------------------------------------------------------


def _listing(selection: Selection, release: Release, notices: Sequence[Notice]) -> Body:
    words, data_dir = load_words(selection.lang), data_dir_of(release)
    kept, broken = kept_agendas(data_dir)
    keeps = may("editor") and can_keep(data_dir)
    told = [notice for _, problem in broken for notice in problem.notices]
    lead = words("meeting.lead") if keeps else words("meeting.lead_link")
    head = html.Div(
        [html.H1(words("meeting.title"), tabIndex=-1), html.P(lead, className="conclusion")], className="page-head"
    )
    parts = [
        head,
        *(_adding(selection, release, kept if keeps else [], words) if selection.adding else []),
        _kept_ones(kept, words),
        _new(selection, release, words),
    ]
    return Body(words("meeting.title"), parts, (*notices, *told))


def _adding(selection: Selection, release: Release, kept: Sequence[Kept], words: Words) -> list[Any]:
    """Offer the agendas that the view one came from can be put on: those kept, a new one, and one held by a link."""
    title = _suggested_title(selection.adding, release, words)
    hidden = [
        Input(type="hidden", name=VIEW, value=selection.adding),
        Input(type="hidden", name=TYPED["title"], value=title),
        Input(type="hidden", name=DO, value=ADD),
    ]
    action = Selection(page="meeting", lang=selection.lang).to_url()
    buttons = [
        *(_button(one.agenda.title, INTO, one.agenda.name, "") for one in kept),
        _button(words("meeting.new_with_view"), INTO, "", " outline" if kept else ""),
    ]
    pasted = Field(LINK, words("meeting.into_link"), hint=words("meeting.into_link_hint"))
    return [
        html.Section(
            [
                html.H2(words("meeting.add_view")),
                html.P(
                    [html.Strong(title), " · ", html.A(words("meeting.back_to_view"), href=_inside(selection.adding))]
                ),
                html.Form([*hidden, html.Div(buttons, className="act-buttons")], action=action, method="post"),
                html.Details(
                    [
                        html.Summary(words("meeting.into_link")),
                        html.Form(
                            [
                                *hidden,
                                line_field(pasted, words, longest=8_000),
                                _button(words("meeting.add"), INTO, "", " outline"),
                            ],
                            action=action,
                            method="post",
                            className="form",
                        ),
                    ]
                ),
            ],
            className="add-view",
        )
    ]


def _inside(address: str) -> str:
    """Return the address where it is one of ours, else the front page."""
    is_ours = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if is_ours else "/"


def _suggested_title(address: str, release: Release, words: Words) -> str:
    """Return what a view is about, as the title of its item: *Forebyggelige indlæggelser 65+: Hjørring*."""
    known = catalogue(release)
    view, _ = Selection.from_url(*address.partition("?")[::2], known)
    named = view.area or view.group
    place = known.area(named, view.map) if named else None
    name = sentence.capitalised(sentence.area_name(place, words)) if place else ""
    if view.indicator:
        about = load_indicators()[view.indicator].texts(words.lang).short_name
    else:
        about = words(f"meeting.about_{view.page}") if f"meeting.about_{view.page}" in words.texts else ""
    return ": ".join(part for part in (about, name) if part) or words("meeting.untitled_item")


def _kept_ones(kept: Sequence[Kept], words: Words) -> html.Section:
    heading = html.H2(words("meeting.kept"))
    if not kept:
        return html.Section([heading, html.P(words("meeting.none_kept"), className="quiet")])
    entries = []
    for agenda in (one.agenda for one in kept):
        there = Selection(page="meeting", lang=words.lang, agenda=agenda.name)
        facts = [agenda.meeting, words.day(agenda.day) if agenda.day else "", _count(agenda, words)]
        link = html.A(agenda.title, href=there.to_url(), id=f"agenda-{agenda.name}")
        wall = html.A(words("meeting.to_wall"), href=replace(there, item=1, meeting=True).to_url())
        entries.append(
            html.Li(
                [
                    html.H3(link),
                    html.P(" · ".join(fact for fact in facts if fact), className="quiet small"),
                    html.P(wall) if agenda.items else None,
                ]
            )
        )
    return html.Section([heading, html.Ul(entries, className="agendas")])


def _count(agenda: Agenda, words: Words) -> str:
    number = len(agenda.items)
    return words("meeting.one_item") if number == 1 else words("meeting.count_items", count=words.count(number))


def _new(selection: Selection, release: Release, words: Words) -> html.Section:
    """Return the form that makes an agenda: of a draft of the chain for a group of municipalities, or empty."""
    known = catalogue(release)
    drafts = [(draft.id, draft.texts[words.lang]["name"]) for draft in load_drafts()]
    areas = [
        (
            f"{map_id}:{area_ref(area).text}",
            area.name + (f" ({words('shell.on_map_2027')})" if map_id != MAPS[0] else ""),
        )
        for map_id in MAPS
        for level in DRAFT_LEVELS
        if level in levels(map_id)
        for area in known.areas[map_id, level]
    ]
    fields = [
        choice_field(
            Field(DRAFT, words("meeting.draft"), drafts[-1][0], is_required=True),
            [*drafts, ("", words("meeting.draft_empty"))],
            words,
        ),
        choice_field(Field(AREA, words("meeting.area"), is_required=True), areas, words),
        line_field(Field(DAY, words("meeting.day")), words, "date"),
    ]
    form = html.Form(
        [html.Div(fields, className="fields"), _button(words("meeting.make"), DO, "ny", "")],
        action=replace(selection, adding="").to_url(),
        method="post",
        className="form",
    )
    return html.Section([html.H2(words("meeting.new")), html.P(words("meeting.new_lead"), className="quiet"), form])


# One ----------------------------------------------------------------------------------------------------------------


def _agenda(selection: Selection, agenda: Agenda, release: Release, notices: Sequence[Notice]) -> Body:
    words, data_dir = load_words(selection.lang), data_dir_of(release)
    keeps = may("editor") and can_keep(data_dir)
    kept = None if selection.packed else kept_agenda(data_dir, agenda.name)
    can_change = keeps or kept is None
    facts = [agenda.meeting, words.day(agenda.day) if agenda.day else "", words(f"front.map_{agenda.map}")]
    listed = replace(selection, agenda="", packed="")
    eyebrow: list[Any] = [html.A(words("meeting.all"), href=listed.to_url()), *(f" · {fact}" for fact in facts if fact)]
    head = html.Div(
        [
            html.P(eyebrow, className="eyebrow"),
            html.H1(agenda.title, tabIndex=-1),
            html.P(_pinned(agenda, release, words), className="conclusion"),
            html.Div(_ways(selection, agenda, words), className="actions"),
        ],
        className="page-head",
    )
    how = words("meeting.held_by_link" if kept is None else "meeting.is_kept" if can_change else "meeting.read_only")
    saved = words("meeting.saved", when=f"{words.day(kept.saved.date())} {kept.saved:%H:%M}") if kept and keeps else ""
    about = html.P(f"{how} {saved}".strip(), className="quiet small")
    items = [
        _changing(selection, item, number, len(agenda.items), words)
        if can_change
        else _reading(selection, item, number, words)
        for number, item in enumerate(agenda.items, start=1)
    ]
    listing = (
        html.Ol(items, className="agenda-items") if items else html.P(words("meeting.no_items"), className="quiet")
    )
    version = [Input(type="hidden", name=VERSION, value=kept.version)] if kept else []
    if not can_change:
        copy = [_button(words("meeting.do_copy"), DO, COPY, " outline")]
        parts: list[Any] = [listing, html.Div(copy, className="act-buttons")]
    else:
        # The first button is the one that Enter presses.
        parts = [
            html.Div([_button(words("meeting.do_save"), DO, SAVE, ""), about], className="act-buttons"),
            _whole(agenda, words),
            html.H2(words("meeting.items")),
            listing,
            _further(kept is not None, keeps, agenda.release == release.id, words),
        ]
    form = html.Form([*version, *parts], action=selection.to_url(), method="post", className="form agenda")
    return Body(agenda.title, [head, *([] if can_change else [about]), form], tuple(notices))


def _pinned(agenda: Agenda, release: Release, words: Words) -> str:
    key = "meeting.pinned_newest" if agenda.release == release.id else "meeting.pinned"
    return words(key, release=agenda.release, newest=release.id)


def _ways(selection: Selection, agenda: Agenda, words: Words) -> list[Any]:
    if not agenda.items:
        return []
    wall = html.A(
        words("meeting.to_wall"), href=replace(selection, item=1, meeting=True).to_url(), id="wall", className="btn"
    )
    link = f"/moede/{agenda.name}?{agenda.to_link()}"
    return [wall, *_papers(selection, agenda, words), html.A(words("meeting.as_link"), href=link, id="as-link")]


def _papers(selection: Selection, agenda: Agenda, words: Words) -> list[html.A]:
    """Return the agenda as files (``dashboard.papers``); they are made of what the address holds, not of the form."""
    query = f"?{urlencode({LINK_KEY: selection.packed})}" if selection.packed else ""
    return [
        html.A(words(f"meeting.{kind}"), href=f"/moede/{agenda.name}.{kind}{query}", download="", id=kind)
        for kind in ("pdf", "pptx")
    ]


def _whole(agenda: Agenda, words: Words) -> html.Div:
    fields = [
        line_field(
            Field(TYPED["title"], words("meeting.field_title"), agenda.title, is_required=True),
            words,
            longest=LONGEST["title"],
        ),
        line_field(
            Field(TYPED["meeting"], words("meeting.field_meeting"), agenda.meeting), words, longest=LONGEST["meeting"]
        ),
        line_field(Field(DAY, words("meeting.day"), agenda.day.isoformat() if agenda.day else ""), words, "date"),
        choice_field(
            Field(TYPED["map"], words("meeting.field_map"), agenda.map, is_required=True),
            [(map_id, words(f"front.map_{map_id}")) for map_id in MAPS],
            words,
        ),
        choice_field(
            Field(TYPED["lang"], words("meeting.field_lang"), agenda.lang, is_required=True),
            [(lang, words(f"meeting.lang_{lang}")) for lang in LANGUAGES],
            words,
        ),
    ]
    return html.Div(fields, className="fields")


def _changing(selection: Selection, item: AgendaItem, number: int, count: int, words: Words) -> html.Li:
    def field(name: str, rows: int = 0, is_required: bool = False) -> html.Div:
        label = words(f"meeting.field_item_{name}")
        what = Field(f"punkt-{number}-{TYPED_OF_ITEM[name]}", label, getattr(item, name), is_required=is_required)
        longest = LONGEST[name]
        return text_field(what, words, longest, rows) if rows else line_field(what, words, longest=longest)

    moves = [
        _button("↑", DO, f"{UP}-{number}", " outline", words("meeting.do_up", number=number)) if number > 1 else None,
        _button("↓", DO, f"{DOWN}-{number}", " outline", words("meeting.do_down", number=number))
        if number < count
        else None,
        _button(
            words("meeting.remove"), DO, f"{REMOVE}-{number}", " outline", words("meeting.do_remove", number=number)
        ),
    ]
    top = html.Div([_item_heading(selection, item, number, words), html.Div(moves, className="moves")], className="top")
    return html.Li([top, field("title", is_required=True), field("recommendation", 2), field("notes", 2)])


def _reading(selection: Selection, item: AgendaItem, number: int, words: Words) -> html.Li:
    asked: list[Any] = [html.Strong(words("meeting.recommendation")), " ", item.recommendation]
    return html.Li(
        [
            _item_heading(selection, item, number, words),
            html.P(item.title, className="item-title"),
            *([html.P(asked)] if item.recommendation else []),
            *([html.P(item.notes, className="quiet")] if item.notes else []),
        ]
    )


def _item_heading(selection: Selection, item: AgendaItem, number: int, words: Words) -> html.H3:
    """Return number and view of an item; the heading takes focus after the item was moved."""
    href, text = replace(selection, item=number).to_url(), words("meeting.show_item")
    link = html.A(text, href=href, title=item.address, **aria(label=f"{text}: {item.title}"))
    return html.H3([f"{words('meeting.item', number=number)} ", link], id=f"punkt-{number}", tabIndex=-1)


def _further(is_kept: bool, keeps: bool, is_newest: bool, words: Words) -> html.Div:
    """Return what else can be done: an item from a pasted address, the newest figures, keeping, a link, deleting."""
    pasted = Field(VIEW, words("meeting.field_address"), hint=words("meeting.field_address_hint"))
    renew = None if is_newest else _button(words("meeting.do_renew"), DO, RENEW, " outline")
    keep = _button(words("meeting.do_keep"), DO, KEEP, " outline") if keeps and not is_kept else None
    delete = html.Details(
        [
            html.Summary(words("meeting.delete")),
            html.P(words("meeting.delete_sure")),
            _button(words("meeting.do_delete"), DO, DELETE, " outline"),
        ]
    )
    return html.Div(
        [
            html.Div(
                [line_field(pasted, words, longest=2_000), _button(words("meeting.add"), DO, ADD, " outline")],
                className="paste",
            ),
            html.Div([renew, keep], className="act-buttons"),
            *([delete] if is_kept else []),
        ],
        className="further-agenda",
    )


def _button(text: str, name: str, value: str, look: str, label: str = "") -> Any:
    said = aria(label=label) if label else {}
    return Tag("button", text, type="submit", name=name, value=value, **{"class": f"btn act{look}"}, **said)

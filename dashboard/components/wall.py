"""Mødevisning: a view in the frame for a wall: one conclusion and one chart, large, with where the figures come from.

The page is the one that is read on a screen, drawn by the same function of the same selection; the frame takes from it
what twenty people can read at five metres. Its keys are links and buttons (``data-key``), which the script
``assets/2_own/meeting.js`` presses, so that a mouse, a finger and a screen reader find the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from dash import html

from dashboard.agenda.kept import Place
from dashboard.components.attributes import aria, data
from dashboard.components.controls import letters_button
from dashboard.components.figure import drawn_parts
from dashboard.components.markup import Tag
from dashboard.components.shell import caveats
from dashboard.components.tree import first_of_class, text_of, walk
from dashboard.pages import Body, Wall
from dashboard.selection import USED_ON, Selection
from dashboard.words import Words
from kpis.indicator import load_indicators
from kpis.period import add_months
from kpis.release import Release

LONG_CONCLUSION = 190
"""From so many letters a conclusion is set smaller, still larger than all else but the title."""
MOST_PROSE = 1_000
"""Letters of running text on one wall."""


def wall_page(
    selection: Selection,
    words: Words,
    body: Body,
    told: Sequence[str],
    release: Release,
    address: str,
    place: Place | None = None,
) -> list[Any]:
    """Return the whole view. ``told`` is what the reader must know, ``address`` where the same is found again.

    ``place`` is the item of an agenda that is shown. The conclusion is the page's own word for word, and the chart is
    drawn from what the page draws it from.
    """
    wall = body.wall or _picked(body)
    is_table = selection.view == "table" and wall.twin is not None
    title = _title(body)
    heading = place.item.title if place else title
    context = [part for part in (title if place and title != heading else "", wall.context) if part]
    size = " long" if len(wall.conclusion) > LONG_CONCLUSION else ""
    asked: list[Any] = [html.Strong(words("meeting.recommendation")), " ", place.item.recommendation] if place else []
    main = [
        *([html.Ul([html.Li(text) for text in told], className="notices", role="status")] if told else []),
        *([html.P(" · ".join(context), className="context")] if context else []),
        html.H1(heading, tabIndex=-1),
        *([html.P(wall.conclusion, className=f"conclusion{size}")] if wall.conclusion else []),
        *([html.P(asked, className="recommendation")] if place and place.item.recommendation else []),
        html.Div(wall.twin if is_table else wall.chart, className="wall-chart"),
    ]
    parts: list[Any] = [
        _head(selection, words, wall, release, place, is_table),
        html.Main(main, id="main", tabIndex=-1),
        _foot(words, release, address),
        _help(words),
        _blank(words),
    ]
    return [html.Div(parts, className="wall")]


def neighbours(selection: Selection) -> tuple[Selection | None, Selection | None]:
    """Return the views before and after one that is on no agenda: by indicator, and from an area to its first one."""
    ids = tuple(load_indicators())
    if selection.page in ("area", "carpet"):
        return None, selection.on_page("depth", ids[0])
    if selection.page not in ("depth", "compare", "method") or selection.indicator not in ids:
        return None, None
    at = ids.index(selection.indicator)
    first = selection.of_area(selection.area) if selection.page == "depth" and selection.area else None
    before = replace(selection, indicator=ids[at - 1]) if at else first
    return before, replace(selection, indicator=ids[at + 1]) if at + 1 < len(ids) else None


def _picked(body: Body) -> Wall:
    """Return the page's conclusion and first figure; of a page without one its first words, or its first table."""
    eyebrow, conclusion = (first_of_class(body.parts, name) for name in ("eyebrow", "conclusion"))
    figure = next((part for part in walk(body.parts) if isinstance(part, html.Figure)), None)
    if figure is not None:
        caption = next(part for part in walk(figure) if isinstance(part, html.Figcaption))
        return Wall(text_of(eyebrow), text_of(conclusion or caption), *drawn_parts(figure))
    told, sections = text_of(conclusion), list(_first_sections(body))
    if sections:
        return Wall(text_of(eyebrow), told, sections)
    if table := first_of_class(body.parts, "scroll"):
        return Wall(text_of(eyebrow), told, table)
    return Wall(text_of(eyebrow), told, body.parts[1:])


def _first_sections(body: Body) -> Iterator[Any]:
    """Yield the first sections of a page of prose, as many as a wall holds."""
    room = MOST_PROSE
    for section in (part for part in walk(first_of_class(body.parts, "prose")) if isinstance(part, html.Section)):
        room -= len(text_of(section))
        if room < 0:
            return
        yield section


def _title(body: Body) -> str:
    heading = next((part for part in walk(body.parts) if isinstance(part, html.H1)), None)
    return text_of(heading) or body.title


# Frame --------------------------------------------------------------------------------------------------------------


def _head(
    selection: Selection, words: Words, wall: Wall, release: Release, place: Place | None, is_table: bool
) -> html.Header:
    told: list[Any] = [_agenda_text(place, words)] if place else []
    caveat = caveats(release, words)
    told += [html.Span(caveat, className="caveat", role="note")] if caveat else []
    return html.Header([html.P(told), _tools(selection, words, wall, place, is_table)], className="wall-head")


def _agenda_text(place: Place, words: Words) -> html.Span:
    number = words("meeting.item_of", number=place.number, count=len(place.agenda.items))
    return html.Span(f"{number} · {place.agenda.meeting or place.agenda.title}")


def _tools(selection: Selection, words: Words, wall: Wall, place: Place | None, is_table: bool) -> html.Nav:
    if place:
        before, after = (
            found.selection if found else None for found in (place.at(place.number - 1), place.at(place.number + 1))
        )
        here = place.selection
    else:
        before, after = neighbours(selection)
        here = selection
    turned = replace(here, view="chart" if is_table else "table")
    has_table = wall.twin is not None and (place is not None or "view" in USED_ON[selection.page])
    links = [
        _link("previous", "←", before, words),
        _link("next", "→", after, words),
        _link("table", words("meeting.chart" if is_table else "meeting.table"), turned if has_table else None, words),
    ]
    help_button = html.Button("?", type="button", **data(key="help"), **aria(label=words("meeting.key_help")))
    out = _link("out", "✕", replace(here, meeting=False), words)
    buttons = [
        html.Button(type="button", hidden=True, **data(key=name)) for name in ("full", "blank")
    ]  # their keys alone are enough on a wall
    return html.Nav([*links, help_button, *buttons, out], **aria(label=words("meeting.tools")))


def _link(key: str, text: str, target: Selection | None, words: Words) -> Any:
    """Return a link that its key presses; nothing where it leads nowhere."""
    if target is None:
        return None
    label = words(f"meeting.key_{key}")
    return html.A(text, href=target.to_url(), title=label, **data(key=key), **aria(label=label))


def _foot(words: Words, release: Release, address: str) -> html.Footer:
    """Return source, release and address; the script writes before it where this browser found the server."""
    last = words.month(add_months(release.date("as_of"), -1))
    source = words("meeting.source", release=release.id, last=last)
    where = html.P([html.Span(**data(host="")), html.A(address, href=address)], className="address")
    return html.Footer([html.P(source), where], className="wall-foot")


_KEYS = ("next", "previous", "table", "full", "blank", "out", "help")


def _help(words: Words) -> Tag:
    entries = [
        html.Div([html.Dt(html.Kbd(words(f"meeting.press_{key}"))), html.Dd(words(f"meeting.key_{key}"))])
        for key in _KEYS
    ]
    close = html.Form(html.Button(words("meeting.close"), className="btn"), method="dialog")
    note = html.P(words("meeting.help_note"))
    parts = [html.H2(words("meeting.help")), html.Dl(entries), note, letters_button(words), close]
    return Tag("dialog", parts, id="wall-help", **{"class": "wall-help"}, **aria(label=words("meeting.help")))


def _blank(words: Words) -> Tag:
    """Return the dark screen; who does not see it hears that it is there."""
    told = html.P(words("meeting.blank"), className="visually-hidden")
    return Tag("dialog", told, id="wall-blank", **{"class": "wall-blank"}, **aria(label=words("meeting.blank")))

"""PDFs: the annex of an agenda, and an overview on one page. The templates beside this file say how they look."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dashboard.agenda import Agenda, view_address
from dashboard.components.shell import release_facts
from dashboard.papers.content import Cell, Content, Drawing, Figure, NoContent, Table, content, fits_across
from dashboard.papers.ink import for_print
from dashboard.papers.typesetting import to_pdf
from dashboard.words import Words, load_words
from kpis.release import Release

_MOST_ROWS_LYING = 25  # a longer table is printed on pages that stand
_POINTS = 0.58  # of a unit of a drawing within a cell, so that a strip of 250 units fills its column
_WORDS = (
    "tables",
    "recommendation",
    "source",
    "definitions",
    "counted",
    "not_counted",
    "limits",
    "page",
    "of",
)


def overview_pdf(shown: Content, origin: str) -> bytes:
    """Return an overview as one page; ``origin`` is what the server is called, ``https://host``, before every link.

    Raises NoContent where the view is not an overview.
    """
    found = next((figure for figure in shown.figures if figure.name == "overblik"), None)
    if found is None or found.table is None:
        raise NoContent(shown.words("papers.no_overview"))
    words = shown.words
    data = {
        **_sheet(shown.title, words, shown.release),
        "heading": shown.title,
        "filter": shown.filter_line,
        "conclusion": shown.conclusion,
        "notices": shown.notices,
        "table": _table(found.table),
        "legend": _legend(found),
        "notes": _notes(shown),
        "source": shown.release_line,
        "link": origin + shown.link,
    }
    return to_pdf("overview.typ", data, made(shown.release))


def agenda_pdf(agenda: Agenda, data_dir: Path, origin: str) -> bytes:
    """Return the annex of an agenda: its items a page each, their tables, and how they are counted.

    It is in the agenda's language and on its release; where that is no longer kept every page says which one it shows.
    """
    words = load_words(agenda.lang)
    shown = [content(data_dir, view_address(agenda, item, agenda.lang)) for item in agenda.items]
    if not shown:
        raise NoContent(words("papers.no_items"))
    release = shown[0].release
    titles = [f"{number}. {item.title}" for number, item in enumerate(agenda.items, start=1)]
    items = [
        _item(one, title, item.recommendation, origin)
        for one, title, item in zip(shown, titles, agenda.items, strict=True)
    ]
    definitions = {one.address: one for view in shown for one in view.definitions}.values()
    facts = release_facts(release, words)
    *about, (_, protection) = facts
    data = {
        **_sheet(agenda.title, words, release),
        "meeting": " · ".join([text for text in (agenda.meeting, words.day(agenda.day) if agenda.day else "") if text]),
        "facts": [*about, (words("papers.map"), words(f"papers.map_{agenda.map}"))],
        "notices": list(dict.fromkeys(notice for one in shown for notice in one.notices)),
        "items": items,
        "tables": _tables(shown, words),
        "definitions": [
            {
                "name": one.name,
                "unit": one.unit,
                "meaning": one.meaning,
                "counted": one.counted,
                "not_counted": one.not_counted,
                "limits": one.limits,
                "link": origin + one.address,
            }
            for one in definitions
        ],
        "protection": protection,
    }
    return to_pdf("annex.typ", data, made(release))


def _tables(shown: Sequence[Content], words: Words) -> list[dict[str, Any]]:
    """Return the tables behind the drawings; one that stands behind several items is printed once."""
    found: dict[Table, list[int]] = {}
    for number, one in enumerate(shown, start=1):
        if one.main and one.main.drawing and one.main.table:
            found.setdefault(one.main.table, []).append(number)
    return [
        {
            **_table(table),
            "title": words("papers.table", items=words.listing([str(number) for number in numbers])),
            "filter": shown[numbers[0] - 1].filter_line,
            "caption": table.caption,
        }
        for table, numbers in found.items()
    ]


def _sheet(title: str, words: Words, release: Release) -> dict[str, Any]:
    """Return what stands on every page."""
    synthetic = words("shell.synthetic") if release.manifest["is_synthetic"] else ""
    foot = [words("papers.foot", release=release.id), *([words("papers.synthetic")] if synthetic else [])]
    return {
        "title": title,
        "lang": words.lang,
        "foot": " · ".join(foot),
        "synthetic": synthetic,
        "words": {name: words(f"papers.{name}") for name in _WORDS} | {"protection": words("shell.protection")},
    }


def _item(shown: Content, title: str, recommendation: str, origin: str) -> dict[str, Any]:
    figure = shown.main
    drawing = figure.drawing if figure else None
    table = figure.table if figure and drawing is None else None
    return {
        "title": title,
        "recommendation": recommendation,
        "conclusion": shown.conclusion,
        "sentence": figure.sentence if figure and figure.sentence != shown.conclusion else "",
        "notices": shown.notices,
        "filter": shown.filter_line,
        "lies": fits_across(drawing) if drawing else table is None or len(table.rows) <= _MOST_ROWS_LYING,
        "figure": _drawing(drawing) if drawing else None,
        "table": _table(table) if table else None,
        "legend": _legend(figure) if figure else [],
        "notes": _notes(shown),
        "source": shown.release_line,
        "link": origin + shown.link,
    }


def _drawing(drawing: Drawing) -> dict[str, Any]:
    width, height = drawing.size
    svg = for_print(drawing)
    return {"svg": svg, "alt": drawing.label, "width": width, "height": height, "points": width * _POINTS}


def _table(table: Table) -> dict[str, Any]:
    return {
        "columns": table.columns,
        "numeric": sorted(table.numeric),
        "drawn": any(cell.drawing for row in table.rows for cell in row.cells),
        "rows": [{"kind": row.kind, "cells": [_cell(cell) for cell in row.cells]} for row in table.rows],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "lines": [{"text": text, "style": style} for text, style in cell.lines],
        "drawing": _drawing(cell.drawing) if cell.drawing else None,
        "shade": cell.shade,
    }


def _legend(figure: Figure) -> Sequence[dict[str, Any]]:
    return [{"svg": for_print(mark) if mark else None, "text": text} for mark, text in figure.legend]


def _notes(shown: Content) -> Sequence[dict[str, str]]:
    return [{"heading": heading, "text": text} for heading, text in shown.notes]


def made(release: Release) -> datetime:
    """Return when the release was made: the one date that the paper of a release can have again."""
    moment = datetime.fromisoformat(str(release.manifest["created"]))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""What a view says, read from the components that the browser gets: the one source of paper, slides and pictures."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import unescape
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlencode

from dash import html
from dash.development.base_component import Component

from dashboard import sentence
from dashboard.components.drawing import FOR_SCREEN
from dashboard.components.markup import Tag
from dashboard.components.shell import release_facts
from dashboard.components.svg import Svg
from dashboard.components.tree import classes, text_of, walk
from dashboard.figures.numbers import Numbers
from dashboard.figures.svg import WIDE
from dashboard.groups import group_of
from dashboard.pages.depth.scope import calculation
from dashboard.pages.passport import shown_indicators
from dashboard.pages.scope import period_text
from dashboard.passport import issue, pinned, short_address
from dashboard.readings import SPARK_MONTHS, last_month, latest_period
from dashboard.selection import COUNTRY, Page, Selection, catalogue
from dashboard.view import View, show
from dashboard.words import Words, load_words
from kpis.indicator import Indicator, load_indicators
from kpis.period import add_months
from kpis.release import Release

Style = Literal["", "strong", "small", "missing"]
"""Of a line of a cell."""


_MOST_TRIES = 15
"""How often a view is asked for again that is not final: nothing half counted is put on paper."""


class NoContent(ValueError):
    """The address shows no view: there is no release, or the page could not be made."""


@dataclass(frozen=True)
class Drawing:
    """A drawing as it stands in the page: SVG whose classes the style sheet colours, and what is read aloud."""

    markup: str
    label: str

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in the drawing's own units."""
        found = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', self.markup)
        assert found, "dashboard.figures.svg writes a viewBox"
        return float(found[1]), float(found[2])


@dataclass(frozen=True)
class Cell:
    """A cell: lines of text, each with its style; a drawing in their place; and the role of the colour under them."""

    lines: tuple[tuple[str, Style], ...]
    drawing: Drawing | None = None
    shade: str = ""  # of kpis.verdict, as "bad_strong"

    @property
    def text(self) -> str:
        """All of it as one line."""
        return " ".join(text for text, _ in self.lines)


@dataclass(frozen=True)
class Row:
    """A row: its head is the first cell. ``kind`` is "", "own", "group", "country" or "reference"."""

    cells: tuple[Cell, ...]
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table; ``columns`` name the head of the row first, ``numeric`` are places of columns set flush right."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Figure:
    """One figure of a view: its sentence, and a drawing with legend and table, or a table alone.

    ``numbers`` are those of the drawing, None where it can only be shown as a picture.
    """

    name: str
    sentence: str
    drawing: Drawing | None
    legend: tuple[tuple[Drawing | None, str], ...]
    table: Table | None
    numbers: Numbers | None


@dataclass(frozen=True)
class Definition:
    """What an indicator means: what is counted and what is not, and where all of it is told."""

    name: str
    unit: str
    meaning: str
    counted: str
    not_counted: str
    limits: str
    address: str


@dataclass(frozen=True)
class Content:
    """What a view says. ``figures`` has the most important first; addresses are paths of this server."""

    title: str
    conclusion: str
    filter_line: str
    release_line: str
    is_synthetic: bool
    notices: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]  # texts beside the figures, each with its heading or ""
    figures: tuple[Figure, ...]
    definitions: tuple[Definition, ...]
    address: str
    link: str  # path that opens this view on this release again, short where there is one
    selection: Selection
    release: Release

    @property
    def main(self) -> Figure | None:
        """The figure that stands for the view where there is room for one."""
        return next(iter(self.figures), None)

    @property
    def words(self) -> Words:
        """The words of the reader's language."""
        return load_words(self.selection.lang)


def content(data_dir: Path, address: str) -> Content:
    """Return what the view of an address (path and query) says, outside of a meeting. Raises NoContent."""
    path, _, query = address.partition("?")
    plain = urlencode([(key, text) for key, text in parse_qsl(query) if key != "m"])
    view = show(data_dir, path, plain)
    for _ in range(_MOST_TRIES):
        if view.is_final or view.selection is None:
            break
        view = show(data_dir, path, plain)  # it waits a while by itself for what is being counted
    if view.selection is None or view.release is None:
        raise NoContent(text_of(view.content)[:300])
    issued = issue(data_dir, view.address, view.release.id)
    link = short_address(issued) if issued else pinned(view.address, view.release.id)
    return _content(view, view.selection, view.release, link)


def _content(view: View, selection: Selection, release: Release, link: str) -> Content:
    words = load_words(selection.lang)
    main = next(part for part in walk(view.content) if isinstance(part, html.Main))
    parts = list(walk(main))
    figures = tuple(_figures(parts)) or tuple(_tables(parts))
    conclusions = [text_of(part) for part in parts if isinstance(part, html.P) and "conclusion" in classes(part)]
    first = [figure.sentence for figure in figures if figure.sentence]
    return Content(
        title=view.title.removesuffix(" – Nærblik"),
        conclusion=next(iter([*conclusions, *first]), ""),
        filter_line=filter_line(selection, release, words),
        release_line=release_line(release, words),
        is_synthetic=bool(release.manifest["is_synthetic"]),
        notices=tuple(text_of(item) for part in parts if "notices" in classes(part) for item in part.children),
        notes=tuple(_notes(main)),
        figures=figures,
        definitions=tuple(_definition(item, selection) for item in shown_indicators(selection)),
        address=view.address,
        link=link,
        selection=selection,
        release=release,
    )


# What was chosen --------------------------------------------------------------------------------------------------


def filter_line(selection: Selection, release: Release, words: Words) -> str:
    """Return all that decides which figures are shown, in words, on one line."""
    known = catalogue(release)
    indicator = load_indicators().get(selection.indicator or "")
    told = [indicator.texts(words.lang).short_name] if indicator else []
    area = known.area(selection.area or COUNTRY, selection.map)
    if area and (selection.area or selection.page != "compare"):
        told.append(sentence.capitalised(sentence.area_name(area, words)))
    if selection.page == "compare":
        told.append(sentence.capitalised(words(f"levels.{selection.level}")))
    group = group_of(selection, known, words) if selection.page in ("area", "compare") else None
    if group:
        key = "papers.only_group" if selection.only_group else "papers.group"
        told.append(words(key, name=group.name))
    told += [text for text in (_period(selection, indicator, release, words),) if text]
    if indicator and selection.page == "depth":
        told += calculation(indicator, words)
    elif indicator and indicator.can_be_standardised:
        told.append(words("compare.crude" if selection.crude else "compare.standardised").lower())
    if selection.page == "potential":
        told += [
            words(f"potential.as_{selection.reference}").lower(),
            words("potential.per_cent", share=selection.capture),
        ]
    told.append(words(f"papers.map_{selection.map}"))
    return " · ".join(told)


def _period(selection: Selection, indicator: Indicator | None, release: Release, words: Words) -> str:
    if selection.page in _WITHOUT_PERIOD:
        return ""
    if selection.page == "depth" and indicator and not indicator.is_yearly:
        until = selection.until or last_month(release)
        since = selection.since or max(add_months(until, 1 - SPARK_MONTHS), catalogue(release).first_month)
        return words.months(since, until)
    return period_text(selection.period or latest_period(release, indicator.id if indicator else None), words)


_WITHOUT_PERIOD: tuple[Page, ...] = ("front", "effects", "effect", "effect_form", "method", "about", "accessibility")


def release_line(release: Release, words: Words) -> str:
    """Return the release and what every page says about it, on one line."""
    *facts, _ = release_facts(release, words)  # how small numbers are protected is told once, and at length
    return " · ".join(f"{name}: {value}" for name, value in facts)


def _definition(indicator: Indicator, selection: Selection) -> Definition:
    texts = indicator.texts(selection.lang)
    method = replace(selection.on_page("method", indicator.id), area=None)
    return Definition(
        texts.name,
        texts.unit,
        texts.meaning,
        texts.counted,
        texts.not_counted,
        texts.limits,
        method.to_url(),
    )


# What is shown ----------------------------------------------------------------------------------------------------


def _figures(parts: Sequence[Any]) -> Iterator[Figure]:
    """Yield the figures of a page: its large tables and its drawings, in the order of the page."""
    for part in parts:
        if isinstance(part, html.Table) and (found := _TABLES.keys() & classes(part)):
            legend = next((part for part in parts if isinstance(part, html.Ul) and "legend" in classes(part)), None)
            yield Figure(_TABLES[found.pop()], "", None, tuple(_legend(legend)), table(part), None)
        elif isinstance(part, html.Figure):
            yield figure(part)


def _tables(parts: Sequence[Any]) -> Iterator[Figure]:
    """Yield the tables of a page that has neither."""
    for number, part in enumerate((part for part in parts if _is_table(part)), start=1):
        yield Figure(f"tabel-{number}", "", None, (), table(part), None)


_TABLES = {"overview": "overblik", "carpet": "taeppe"}


def figure(block: html.Figure) -> Figure:
    """Return what a figure of :mod:`dashboard.components.figure` says."""
    parts = list(walk(block))
    shown = next(
        (part for part in parts if isinstance(part, Svg) and getattr(part, "className", "") == FOR_SCREEN), None
    )
    legend = next((part for part in parts if isinstance(part, html.Ul) and "legend" in classes(part)), None)
    twin = next((part for part in parts if _is_table(part)), None)
    return Figure(
        name=getattr(block, "id", ""),
        sentence=text_of(next(part for part in parts if isinstance(part, html.Figcaption))),
        drawing=_drawing(shown) if shown is not None else None,
        legend=tuple(_legend(legend)),
        table=table(twin) if twin is not None else None,
        numbers=getattr(shown, "numbers", None),
    )


def _legend(legend: html.Ul | None) -> Iterator[tuple[Drawing | None, str]]:
    for item in walk(legend):
        if isinstance(item, html.Li):
            mark = next((part for part in walk(item) if isinstance(part, Svg)), None)
            yield _drawing(mark) if mark is not None else None, " ".join(text for text, _ in _lines(item))


def _drawing(part: Any) -> Drawing:
    markup = str(part.markup)
    label = re.search(r'aria-label="([^"]*)"', markup)
    return Drawing(markup, unescape(label[1]) if label else "")


def _is_table(part: Any) -> bool:
    return isinstance(part, html.Table) or (isinstance(part, Tag) and part.name == "table")


def table(part: Any) -> Table:
    """Return what a table says, whether it is made of components or of tags."""
    caption = next((text_of(child) for child in walk(part) if _name(child) == "caption"), "")
    body = next(child for child in walk(part) if _name(child) == "tbody")
    head = next(child for child in walk(part) if _name(child) == "thead")
    rows = [child for child in walk(body) if _name(child) == "tr"]
    columns = [child for child in walk([child for child in walk(head) if _name(child) == "tr"][-1]) if _is_cell(child)]
    return Table(
        caption,
        tuple(" ".join(text for text, _ in _lines(child)) for child in columns),
        tuple(Row(tuple(_cell(child) for child in walk(row) if _is_cell(child)), _kind(row)) for row in rows),
        frozenset(at for at, child in enumerate(columns) if "n" in classes(child)),
    )


def _is_cell(part: Any) -> bool:
    return _name(part) in ("th", "td")


def _kind(row: Any) -> str:
    return next(iter(sorted(classes(row))), "")


def _cell(part: Any) -> Cell:
    drawing = next((child for child in walk(part) if isinstance(child, Svg)), None)
    shade = next((name.removeprefix("shade-") for name in classes(part) if name.startswith("shade-")), "")
    return Cell(tuple(_lines(part)), _drawing(drawing) if drawing is not None else None, shade)


def _lines(part: Any) -> Iterator[tuple[str, Style]]:
    """Yield the texts of a cell line by line, each with its style."""
    for is_apart, group in groupby(_pieces(part, ""), lambda piece: piece.is_apart):
        pieces = list(group)
        for line in [[piece] for piece in pieces] if is_apart else [pieces]:
            text = " ".join("".join(piece.text for piece in line).split())
            if text:
                yield text, line[0].style


class _Piece(NamedTuple):
    text: str
    style: Style
    is_apart: bool  # on a line of its own


def _pieces(part: Any, style: Style) -> Iterator[_Piece]:
    """Yield the texts in a part; what only a phone or a screen reader gets is left out."""
    if isinstance(part, list | tuple):
        for child in part:
            yield from _pieces(child, style)
    elif isinstance(part, Component | Tag):
        names = classes(part)
        if _NOT_ON_PAPER.intersection(names):
            return
        its = next((_STYLES[name] for name in (*names, _name(part)) if name in _STYLES), style)
        if _OWN_LINE.intersection(names):
            yield _Piece(text_of(part), its, True)
        elif "icon" in names:
            yield _Piece(f" {text_of(part)} ", its, False)
        else:
            yield from _pieces(getattr(part, "children", None), its)
    elif part is not None:
        yield _Piece(str(part), style, False)


_NOT_ON_PAPER = {"on-phone", "visually-hidden"}
_OWN_LINE = {"focus-area", "unit", "verdict-note"}
_STYLES: Mapping[str, Style] = {
    "focus-area": "small",
    "unit": "small",
    "verdict-note": "small",
    "small": "small",
    "missing": "missing",
    "strong": "strong",
    "a": "strong",
}
"""Of what stands in an element or class within a cell."""


def _notes(main: html.Main) -> Iterator[tuple[str, str]]:
    """Yield the texts that stand beside the most important figure: what is new, what is missing, how to read it."""
    for part in _beside_figure(main):
        names = set(classes(part))
        if "news" in names:
            heading = ""
            for entry in walk(part):
                if isinstance(entry, html.Dt):
                    heading = text_of(entry)
                elif isinstance(entry, html.Dd):
                    yield heading, text_of(entry)
        elif "goal-strip" in names:
            yield from ((text_of(found), "") for found in walk(part) if isinstance(found, html.H2))
            cards = [item.children for item in walk(part) if isinstance(item, html.Li)]
            for name, *told in cards:
                yield text_of(name), " · ".join(text for one in told for text, _ in _lines(one))
        elif "besides" in names:
            heading = next((text_of(found) for found in walk(part) if isinstance(found, html.Strong)), "")
            if heading:  # else it is but a way to another page
                yield heading, text_of(part).removeprefix(heading).strip()
        elif "efforts" in names:
            for item in part.children:
                mark, about = item.children
                heading, *told = about.children
                yield text_of(heading), f"{' '.join(text for text, _ in _lines(mark))}. {' '.join(map(text_of, told))}"
        elif isinstance(part, html.P) and names & {"quiet", "missing"}:
            yield "", text_of(part)


def _beside_figure(main: html.Main) -> Iterator[Any]:
    """Yield the parts of a page, and in the place of the section with its first figure the parts of that section."""
    found = next((part for part in walk(main) if isinstance(part, html.Figure)), None)
    for part in main.children:
        if isinstance(part, html.Section) and found is not None and found in list(walk(part)):
            yield from part.children
        else:
            yield part


# Components -------------------------------------------------------------------------------------------------------


def _name(part: Any) -> str:
    """Return the name of an element in HTML."""
    return part.name if isinstance(part, Tag) else part._type.lower() if isinstance(part, Component) else ""


def fits_across(drawing: Drawing) -> bool:
    """Whether a drawing is wide rather than high, so that it is read best on a page that lies."""
    width, height = drawing.size
    return width >= WIDE and height <= 0.62 * width

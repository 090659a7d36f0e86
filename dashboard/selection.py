"""What a reader has chosen: a page and its choices, and the address that says the same.

A page is a pure function of its selection and the release, and a selection is the same thing as its address:
nouns stand in the path, choices in the query, defaults are left out, and the order of the keys is fixed.

    /k/hjoerring                                     overview of a municipality
    /sammenlign/preventable_admissions_65?omraade=k-hjoerring&gruppe=kkr-nordjylland
    /metode/preventable_admissions_65?sprog=en

An address that names something unknown gives the nearest valid selection and a notice, never an error.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Literal, NamedTuple, TypeVar, get_args
from urllib.parse import parse_qsl, quote, unquote, urlencode

from dashboard.words import DEFAULT_LANGUAGE
from kpis.area import MAPS, Area, Map, areas, levels
from kpis.indicator import LANGUAGES, Language, load_indicators
from kpis.period import Period
from kpis.release import Release, per_release

T = TypeVar("T", bound=str)
Page = Literal["front", "area", "compare", "method", "about", "accessibility"]
PAGES: tuple[Page, ...] = get_args(Page)
DEFAULT_MAP: Map = MAPS[0]

# How a level is written in an address: the first part of a path, and before the slug in omraade= and gruppe=.
LEVEL_WORDS = {
    "municipality": "k",
    "cluster": "klynge",
    "health_council": "sundhedsraad",
    "kkr": "kkr",
    "region": "region",
    "municipality_group": "kommunegruppe",
    "country": "land",
}
_WORD_LEVELS = {word: level for level, word in LEVEL_WORDS.items()}
_PAGE_WORDS: dict[str, Page] = {
    "sammenlign": "compare",
    "metode": "method",
    "om": "about",
    "tilgaengelighed": "accessibility",
}
_WORDS_OF_PAGES = {page: word for word, page in _PAGE_WORDS.items()}


class AreaRef(NamedTuple):
    """One area as an address names it; the slug of the country is empty."""

    level: str
    slug: str

    @property
    def text(self) -> str:
        """Return ``kkr-nordjylland``, the spelling in omraade= and gruppe=."""
        return f"{LEVEL_WORDS[self.level]}-{self.slug}" if self.slug else LEVEL_WORDS[self.level]


COUNTRY = AreaRef("country", "")


class Notice(NamedTuple):
    """Something the reader must know about the address: key of a text in ``words`` and its placeholders."""

    key: str
    values: Mapping[str, str] = {}


@dataclass(frozen=True)
class Catalogue:
    """All that can be chosen in one release. Areas by (map, level), in Danish alphabetical order."""

    areas: Mapping[tuple[Map, str], tuple[Area, ...]]
    indicators: tuple[str, ...]
    first_month: date
    last_month: date  # the last delivered month, inclusive

    def area(self, ref: AreaRef, map_id: Map) -> Area | None:
        """Return the area, or None when the map has no such area."""
        for area in self.areas.get((map_id, ref.level), ()):
            if ref.level == "country" or area.slug == ref.slug:
                return area
        return None


def area_ref(area: Area) -> AreaRef:
    """Return how an address names ``area``."""
    return AreaRef(area.level, "" if area.level == "country" else area.slug)


@per_release
def catalogue(release: Release) -> Catalogue:
    """Return what the release and the indicator definitions together offer."""
    return Catalogue(
        areas={(map_id, level): areas(release, level, map_id) for map_id in MAPS for level in levels(map_id)},
        indicators=tuple(load_indicators()),
        first_month=release.date("data_from"),
        last_month=Period.containing(release.date("as_of"), "month").shifted(-1).first,
    )


@dataclass(frozen=True)
class Selection:
    """A page and its choices. None means: not chosen, the page takes its default.

    ``area`` is the area of an area page, elsewhere the one that is highlighted; ``level`` says what the rows of a
    comparison are; ``group`` is who they are compared with; ``only_group`` leaves the others out.
    """

    page: Page = "front"
    area: AreaRef | None = None
    indicator: str | None = None
    lang: Language = DEFAULT_LANGUAGE
    map: Map = DEFAULT_MAP
    level: str = "municipality"
    group: AreaRef | None = None
    only_group: bool = False
    period: Period | None = None
    crude: bool = False
    table: bool = False
    search: str = ""

    def to_url(self) -> str:
        """Return the address, with the keys that mean something on the page and differ from their default."""
        query = [
            (key, text)
            for key, field in _KEYS.items()
            if field in _USED_ON[self.page]
            and getattr(self, field) != _DEFAULTS[field]
            and (text := _written(field, getattr(self, field)))
        ]
        return self._path() + ("?" + urlencode(query) if query else "")

    def on_page(self, page: Page, indicator: str | None = None) -> "Selection":
        """Return the same reader's choices on another page.

        A comparison that is come to from an area compares areas of its level; the country has none to compare with.
        """
        moved = replace(self, page=page, indicator=indicator or self.indicator, search="")
        if page != "compare" or self.page != "area" or self.area is None:
            return moved
        if self.area.level == "country":
            return replace(moved, area=None)
        return replace(moved, level=self.area.level)

    def _path(self) -> str:
        if self.page == "front":
            return "/"
        if self.page == "area" and self.area:
            return "/" + quote("/".join(part for part in (LEVEL_WORDS[self.area.level], self.area.slug) if part))
        noun = self.indicator if self.page in ("compare", "method") else None
        return "/" + quote("/".join(part for part in (_WORDS_OF_PAGES[self.page], noun) if part))

    @classmethod
    def from_url(cls, path: str, query: str, known: Catalogue) -> "tuple[Selection, list[Notice]]":
        """Return the selection that an address means, and what had to be changed to make it valid.

        ``query`` may begin with a question mark. Nothing raises: what is unknown becomes the nearest known thing,
        or the default, and a notice.
        """
        return _Reader(known, dict(parse_qsl(query.removeprefix("?")))).read(path)


_DEFAULTS = {field.name: field.default for field in fields(Selection)}

# Query key → field, in the order of the address.
_KEYS = {
    "sprog": "lang",
    "kort": "map",
    "niveau": "level",
    "omraade": "area",
    "gruppe": "group",
    "udsnit": "only_group",
    "periode": "period",
    "beregning": "crude",
    "visning": "table",
    "soeg": "search",
}
_USED_ON: dict[Page, set[str]] = {
    "front": {"lang", "map", "search"},
    "area": {"lang", "map", "group", "table"},
    "compare": {"lang", "map", "level", "area", "group", "only_group", "period", "crude", "table"},
    "method": {"lang", "map", "area"},
    "about": {"lang", "map", "area"},
    "accessibility": {"lang", "map", "area"},
}
_FLAGS = {"only_group": "gruppe", "crude": "raa", "table": "tabel"}


def _written(field: str, value: object) -> str:
    match value:
        case True:
            return _FLAGS[field]
        case AreaRef():
            return value.text
        case Period():
            return value.id
        case str() if field == "level":
            return LEVEL_WORDS[value]
        case _:
            return str(value or "")


class _Reader:
    """Reads one address; collects notices on the way."""

    def __init__(self, known: Catalogue, query: Mapping[str, str]) -> None:
        self.known, self.query = known, query
        self.notices: list[Notice] = []

    def read(self, path: str) -> tuple[Selection, list[Notice]]:
        for key in self.query.keys() - _KEYS.keys():
            self.notice("notice.key", value=key)
        lang: Language = self.one_of("sprog", LANGUAGES, DEFAULT_LANGUAGE)
        map_id: Map = self.one_of("kort", MAPS, DEFAULT_MAP)
        match [part for part in unquote(path).split("/") if part]:
            case []:
                return self.finish(page="front", lang=lang, map=map_id, search=self.query.get("soeg", "")[:80])
            case [("land" | "country")]:
                return self.area_page(COUNTRY, lang, map_id)
            case [word, text] if word in _WORD_LEVELS:
                return self.area_page(AreaRef(_WORD_LEVELS[word], text), lang, map_id)
            case [word] if word in _PAGE_WORDS and word != "sammenlign":
                return self.text_page(_PAGE_WORDS[word], None, lang, map_id)
            case ["metode", text]:
                return self.text_page("method", self.indicator(text), lang, map_id)
            case ["sammenlign"]:
                return self.compare_page(None, lang, map_id)
            case ["sammenlign", text]:
                return self.compare_page(self.indicator(text), lang, map_id)
        self.notice("notice.page", value=path)
        return self.finish(page="front", lang=lang, map=map_id)

    def area_page(self, wanted: AreaRef, lang: Language, map_id: Map) -> tuple[Selection, list[Notice]]:
        found, map_id = self.area(wanted, map_id)
        if not found:
            return self.finish(page="front", lang=lang, map=map_id, search=wanted.slug[:80])
        return self.finish(
            page="area",
            lang=lang,
            map=map_id,
            area=found,
            group=self.area_key("gruppe", map_id),
            table=self.flag("visning", "tabel"),
        )

    def compare_page(self, indicator: str | None, lang: Language, map_id: Map) -> tuple[Selection, list[Notice]]:
        level = self.level(map_id)
        return self.finish(
            page="compare",
            lang=lang,
            map=map_id,
            indicator=indicator,
            level=level,
            area=self.area_key("omraade", map_id),
            group=self.area_key("gruppe", map_id),
            only_group=self.flag("udsnit", "gruppe"),
            period=self.period(),
            crude=self.flag("beregning", "raa"),
            table=self.flag("visning", "tabel"),
        )

    def text_page(
        self, page: Page, indicator: str | None, lang: Language, map_id: Map
    ) -> tuple[Selection, list[Notice]]:
        """Read a page without figures: it only keeps the area that the reader came from."""
        area = self.area_key("omraade", map_id)
        return self.finish(page=page, indicator=indicator, lang=lang, map=map_id, area=area)

    def finish(self, **chosen: object) -> tuple[Selection, list[Notice]]:
        return Selection(**chosen), self.notices  # type: ignore[arg-type]

    # One value each -------------------------------------------------------------------------------------------

    def notice(self, text: str, /, **values: str) -> None:
        self.notices.append(Notice(text, {name: value[:60] for name, value in values.items()}))

    def one_of(self, key: str, allowed: tuple[T, ...], default: T) -> T:
        text = self.query.get(key, default)
        for value in allowed:
            if value == text:
                return value
        self.notice("notice.value", key=key, value=text, allowed=", ".join(allowed))
        return default

    def flag(self, key: str, on: str) -> bool:
        text = self.query.get(key)
        if text not in (None, on):
            self.notice("notice.value", key=key, value=text or "", allowed=on)
        return text == on

    def level(self, map_id: Map) -> str:
        text = self.query.get("niveau", LEVEL_WORDS["municipality"])
        offered = [LEVEL_WORDS[level] for level in levels(map_id) if level != "country"]
        if text in offered:
            return _WORD_LEVELS[text]
        self.notice("notice.value", key="niveau", value=text, allowed=", ".join(offered))
        return "municipality"

    def indicator(self, text: str) -> str:
        if text in self.known.indicators:
            return text
        near = _nearest(text, self.known.indicators)
        shown = near[0] if near else self.known.indicators[0]
        self.notice("notice.indicator", value=text, shown=shown)
        return shown

    def period(self) -> Period | None:
        text = self.query.get("periode")
        if text is None:
            return None
        try:
            period = Period.from_id(text)
        except ValueError:
            self.notice("notice.period", value=text)
            return None
        if period.first < self.known.first_month or period.last > self.known.last_month:
            self.notice("notice.period_outside", value=period.id)
            return None
        return period

    def area_key(self, key: str, map_id: Map) -> AreaRef | None:
        text = self.query.get(key)
        if text is None:
            return None
        word, _, slug = text.partition("-")
        level = _WORD_LEVELS.get(word)
        # written by hand, a municipality comes without the word of its level: hjoerring, 0860, Hjørring
        named = [AreaRef(level, slug)] if level else []
        for ref in (*named, AreaRef("municipality", text)):
            for area in self.known.areas.get((map_id, ref.level), ()):
                if area.level == "country" or ref.slug.casefold() in _spellings(area):
                    return area_ref(area)
        self.notice("notice.area", value=text)
        return None

    def area(self, wanted: AreaRef, map_id: Map) -> tuple[AreaRef | None, Map]:
        """Find by slug, code or name; else on the other map; else the nearest spelling of the level."""
        other: Map = next(item for item in MAPS if item != map_id)
        for searched in (map_id, other):
            for area in self.known.areas.get((searched, wanted.level), ()):
                if wanted.level == "country" or wanted.slug.casefold() in _spellings(area):
                    if searched != map_id:
                        self.notice("notice.map", value=area.name, map=searched)
                    return area_ref(area), searched
        for searched in (map_id, other):
            spelled = {
                spelling: area
                for area in self.known.areas.get((searched, wanted.level), ())
                for spelling in _spellings(area)
            }
            if near := _nearest(wanted.slug.casefold(), spelled):
                area = spelled[near[0]]
                self.notice("notice.area_near", value=wanted.slug, shown=area.name)
                return area_ref(area), searched
        self.notice("notice.area", value=wanted.slug)
        return None, map_id


def _spellings(area: Area) -> tuple[str, ...]:
    return area.slug.casefold(), area.name.casefold(), area.code.casefold(), area.code.lstrip("0").casefold()


def _nearest(text: str, candidates: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(text, list(candidates), n=1)

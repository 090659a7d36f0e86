"""What a reader has chosen: a page and its choices, and the address that says the same.

A page is a pure function of its selection and the release, and a selection is the same thing as its address:
nouns stand in the path, choices in the query, defaults are left out, and the order of the keys is fixed.

    /k/hjoerring                                     overview of a municipality
    /k/hjoerring/preventable_admissions_65plus       one indicator of it in depth
    /kkr/nordjylland                                 carpet of the municipalities of a group
    /kkr/nordjylland/overblik                        overview of the group as one area
    /land/taeppe                                     carpet of the whole country
    /sammenlign/preventable_admissions_65plus?omraade=k-hjoerring&gruppe=kkr-nordjylland
    /metode/preventable_admissions_65plus?sprog=en
    /effekt/akutteam                                 an intervention, and what it did
    /effekt/akutteam/ret                             the form with its plan; /effekt/ny is an empty one
    /k/hjoerring?udgave=v20261122T031009099120-2b21fdfca79d
    /kkr/nordjylland?m=1                             the same figures for a wall
    /moede/kkr-nordjylland-november?punkt=3&m=1      the third item of an agenda, likewise

Carpet and overview of a group answer different questions (who differs? how are we doing?), so each is a noun of its
own in the path, and the choices of the query mean the same on both.

An address that names something unknown gives the nearest valid selection and a notice, never an error.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeVar, get_args
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from dashboard.words import DEFAULT_LANGUAGE
from kpis.area import MAPS, Area, Map, areas, levels
from kpis.indicator import LANGUAGES, Language, load_indicators
from kpis.period import GRAINS, Grain, Period
from kpis.potential import Reference
from kpis.reference import normalise_municipality
from kpis.release import RELEASE_ID, Release, per_release

T = TypeVar("T")
Page = Literal[
    "front",
    "area",
    "carpet",
    "depth",
    "compare",
    "potential",
    "acute_places",
    "welfare",
    "effects",
    "effect",
    "effect_form",
    "data",
    "api",
    "method",
    "meeting",
    "about",
    "accessibility",
]
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
# Behind an area that opens on the other of the two; an indicator may stand in the same place, and none is called so.
_AREA_PAGES: dict[str, Page] = {"overblik": "area", "taeppe": "carpet"}
_PAGE_WORDS: dict[str, Page] = {
    "sammenlign": "compare",
    "potentiale": "potential",
    "akutpladser": "acute_places",
    "paa-tvaers": "welfare",
    "effekt": "effects",
    "data": "data",
    "api": "api",
    "metode": "method",
    "moede": "meeting",
    "om": "about",
    "tilgaengelighed": "accessibility",
}
_WORDS_OF_PAGES = {page: word for word, page in _PAGE_WORDS.items()}
_ABOUT_AN_INDICATOR: tuple[Page, ...] = ("compare", "method")
_NEW_WORD, _FORM_WORD = "ny", "ret"  # behind /effekt; no intervention has the first as its id

View = Literal["chart", "funnel", "map", "tiles", "table"]
Breakdown = Literal["condition", "age", "sex", "length"]
VIEW_WORDS: Mapping[View, str] = {
    "chart": "figur",
    "funnel": "tragt",
    "map": "kort",
    "tiles": "felter",
    "table": "tabel",
}
BREAKDOWN_WORDS: Mapping[Breakdown, str] = {
    "condition": "tilstand",
    "age": "alder",
    "sex": "koen",
    "length": "laengde",
}
REFERENCE_WORDS: Mapping[Reference, str] = {
    "best_fifth": "bedste-femtedel",
    "median": "median",
    "own_best": "egen-bedste",
    "goal": "maal",
}

CAPTURES = (25, 50, 100)


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
    comparison or a file are; ``group`` is who they are compared with, ``members`` (slugs of municipalities, sorted)
    a group that the reader put together and that goes before ``group``; ``only_group`` leaves the others out.
    ``since`` and ``until`` are the first days of the first and the last month, both inclusive. An address that is tied
    to a ``release`` goes on showing it when a newer one is published; links from such a page are tied to it too.
    """

    page: Page = "front"
    area: AreaRef | None = None
    indicator: str | None = None
    intervention: str | None = None  # id; whether there is such a one, the page tells
    lang: Language = DEFAULT_LANGUAGE
    map: Map = DEFAULT_MAP
    indicators: tuple[str, ...] = ()  # of a file
    level: str = "municipality"
    group: AreaRef | None = None
    members: tuple[str, ...] = ()
    only_group: bool = False
    period: Period | None = None
    since: date | None = None
    until: date | None = None
    grain: Grain | None = None
    crude: bool = False
    breakdown: Breakdown = "condition"
    reference: Reference = "best_fifth"
    capture: int = 100  # per cent of the distance to the reference that is assumed to be won
    view: View = "chart"
    search: str = ""
    agenda: str = ""  # name of the agenda of the page about meetings; empty = all of them
    adding: str = ""  # address of a view that is to become an item
    item: int = 0  # of the agenda, from 1; 0 = the agenda itself
    packed: str = ""  # the whole agenda, see dashboard.agenda; it goes before one that is kept under the name
    release: str | None = None  # id of the release that the address is tied to; None = the newest
    meeting: bool = False  # the same view in the frame for a wall

    def to_url(self) -> str:
        """Return the address, with the keys that mean something on the page and differ from their default."""
        query = [
            f"{key}={_quoted(text)}"
            for key, field, default in _KEYS_ON[self.page]
            if (value := getattr(self, field)) != default and (text := _written(field, value))
        ]
        return self._path() + ("?" + "&".join(query) if query else "")

    def but(self, **changes: Any) -> "Selection":
        """Return the selection with other values of some fields: ``dataclasses.replace`` where a list has hundreds."""
        changed = object.__new__(Selection)
        changed.__dict__.update(self.__dict__, **changes)
        return changed

    def of_area(self, area: AreaRef) -> "Selection":
        """Return the page that opens on an area: the carpet of a group's municipalities, else the overview."""
        page: Page = "area" if area.level in ("municipality", "country") else "carpet"
        return self.but(page=page, area=area, group=None, members=(), view="chart", search="")

    def on_page(self, page: Page, indicator: str | None = None) -> "Selection":
        """Return the same reader's choices on another page.

        A comparison that is come to from an area compares areas of its level, one that is come to from a carpet the
        municipalities of the carpet; the country has none to compare with. A page about an area takes the country
        where none is chosen.
        """
        moved = self.but(page=page, indicator=indicator or self.indicator, search="", agenda="", packed="", item=0)
        if page != self.page:
            moved = moved.but(view="chart")
        if page in ("area", "depth") and self.area is None:
            return moved.but(area=COUNTRY)
        if page != "compare" or self.page not in ("area", "carpet", "depth") or self.area is None:
            return moved
        if self.area.level == "country":
            return moved.but(area=None)
        if self.page == "carpet":
            return moved.but(area=None, group=self.area, only_group=True)
        return moved.but(level=self.area.level)

    def _path(self) -> str:
        match self.page:
            case "front":
                parts: list[str | None] = []
            case "area" | "carpet" | "depth":
                area = self.area or COUNTRY
                named = {page: word for word, page in _AREA_PAGES.items() if page != self.of_area(area).page}
                behind = self.indicator if self.page == "depth" else named.get(self.page)
                parts = [LEVEL_WORDS[area.level], area.slug, behind]
            case "effect" | "effect_form":
                behind = _FORM_WORD if self.page == "effect_form" and self.intervention else None
                parts = [_WORDS_OF_PAGES["effects"], self.intervention or _NEW_WORD, behind]
            case "meeting":
                parts = [_WORDS_OF_PAGES["meeting"], self.agenda]
            case page:
                parts = [_WORDS_OF_PAGES[page], self.indicator if page in _ABOUT_AN_INDICATOR else None]
        return "/" + quote("/".join(part for part in parts if part))

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
    "indikatorer": "indicators",
    "niveau": "level",
    "omraade": "area",
    "gruppe": "group",
    "kommuner": "members",
    "udsnit": "only_group",
    "periode": "period",
    "fra": "since",
    "til": "until",
    "inddeling": "grain",
    "beregning": "crude",
    "opdeling": "breakdown",
    "maalestok": "reference",
    "andel": "capture",
    "visning": "view",
    "soeg": "search",
    "tilfoej": "adding",
    "punkt": "item",
    "indhold": "packed",
    "udgave": "release",
    "m": "meeting",
}
USED_ON: Mapping[Page, set[str]] = {
    "front": {"lang", "map", "search"},
    "area": {"lang", "map", "group", "members", "view"},
    "carpet": {"lang", "map", "period", "view"},
    "depth": {"lang", "map", "since", "until", "breakdown", "view"},
    "compare": {"lang", "map", "level", "area", "group", "members", "only_group", "period", "crude", "view"},
    "potential": {"lang", "map", "area", "period", "reference", "capture", "view"},
    "acute_places": {"lang", "map", "area", "view", "search"},
    "welfare": {"lang", "map", "area", "view"},
    "effects": {"lang", "map", "area"},
    "effect": {"lang", "map", "area", "view"},
    "effect_form": {"lang", "map", "area"},
    "data": {"lang", "map", "area", "indicators", "level", "since", "until", "grain", "crude"},
    "api": {"lang", "map", "area"},
    "method": {"lang", "map", "area"},
    "meeting": {"lang", "map", "view", "adding", "item", "packed"},
    "about": {"lang", "map", "area"},
    "accessibility": {"lang", "map", "area"},
}
_EVERYWHERE = {"release", "meeting"}
_KEYS_ON: Mapping[Page, tuple[tuple[str, str, Any], ...]] = {
    page: tuple((key, field, _DEFAULTS[field]) for key, field in _KEYS.items() if field in used | _EVERYWHERE)
    for page, used in USED_ON.items()
}
_VIEWS_ON: Mapping[Page, tuple[View, ...]] = {"compare": get_args(View)}
_CHART_OR_TABLE: tuple[View, ...] = ("chart", "table")


@lru_cache(maxsize=4_096)
def _quoted(text: str) -> str:
    return quote_plus(text, safe=",")


def _written(field: str, value: object) -> str:
    match value:
        case True:
            return _FLAGS[field]
        case AreaRef():
            return value.text
        case Period():
            return value.id
        case date():
            return f"{value:%Y-%m}"
        case tuple():
            return ",".join(value)
        case str() if field in _WORDS:
            return _WORDS[field][value]
        case _:
            return str(value or "")


_FLAGS = {"only_group": "gruppe", "crude": "raa", "meeting": "1"}
_WORDS: Mapping[str, Mapping[Any, str]] = {
    "level": LEVEL_WORDS,
    "breakdown": BREAKDOWN_WORDS,
    "reference": REFERENCE_WORDS,
    "view": VIEW_WORDS,
}


class _Reader:
    """Reads one address; collects notices on the way."""

    def __init__(self, known: Catalogue, query: Mapping[str, str]) -> None:
        self.known, self.query = known, query
        self.notices: list[Notice] = []

    def read(self, path: str) -> tuple[Selection, list[Notice]]:
        for key in self.query.keys() - _KEYS.keys():
            self.notice("notice.key", value=key)
        lang: Language = self.one_of("sprog", {word: word for word in LANGUAGES}, DEFAULT_LANGUAGE)
        map_id: Map = self.one_of("kort", {word: word for word in MAPS}, DEFAULT_MAP)
        release = self.release()
        found = self.nouns([part for part in unquote(path).split("/") if part], lang, map_id)
        if found is None:
            self.notice("notice.page", value=path)
            found = Selection(lang=lang, map=map_id)
        else:
            found = self.with_choices(found)
        return replace(found, release=release, meeting=self.flag("m", "meeting")), self.notices

    def nouns(self, parts: list[str], lang: Language, map_id: Map) -> Selection | None:
        """Return the page and what stands in its path; None when there is no such page."""
        start = Selection(lang=lang, map=map_id)
        match parts:
            case []:
                return self.search_page(start)
            case [("land" | "country"), *behind] if len(behind) < 2:
                return self.area_page(COUNTRY, behind, start)
            case [word, text, *behind] if word in _WORD_LEVELS and len(behind) < 2:
                return self.area_page(AreaRef(_WORD_LEVELS[word], text), behind, start)
            case ["moede", name]:
                return replace(start, page="meeting", agenda=name[:80])
            case ["effekt", text]:
                is_new = text == _NEW_WORD
                return replace(start, page="effect_form" if is_new else "effect", intervention=None if is_new else text)
            case ["effekt", text, "ret"] if text != _NEW_WORD:
                return replace(start, page="effect_form", intervention=text)
            case [word] if word in _PAGE_WORDS:
                return replace(start, page=_PAGE_WORDS[word])
            case [word, text] if _PAGE_WORDS.get(word) in _ABOUT_AN_INDICATOR:
                return replace(start, page=_PAGE_WORDS[word], indicator=self.indicator(text))
        return None

    def search_page(self, start: Selection) -> Selection:
        """Return the front page, or where a search by the full name, slug or code of an area leads straight away."""
        text = self.query.get("soeg", "")[:80].strip()
        found = exact_area(text, start.map, self.known) if text else None
        return replace(start, map=found.map_id).of_area(area_ref(found)) if found else start

    def area_page(self, wanted: AreaRef, behind: list[str], start: Selection) -> Selection:
        found, map_id = self.area(wanted, start.map)
        start = replace(start, map=map_id)
        if not found:
            return replace(start, search=wanted.slug[:80])
        if not behind:
            return start.of_area(found)
        if behind[0] in _AREA_PAGES:
            has_carpet = found.level != "municipality"  # there is but one row in it
            return replace(start, page=_AREA_PAGES[behind[0]] if has_carpet else "area", area=found)
        return replace(start, page="depth", area=found, indicator=self.indicator(behind[0]))

    def with_choices(self, found: Selection) -> Selection:
        """Return the selection with the choices of the query that mean something on its page."""
        readers: dict[str, Callable[[], object]] = {
            "indicators": self.indicators,
            "level": lambda: self.level(found.map),
            "area": lambda: self.area_key("omraade", found.map),
            "group": lambda: self.area_key("gruppe", found.map),
            "members": lambda: self.members(found.map),
            "only_group": lambda: self.flag("udsnit", "only_group"),
            "period": self.period,
            "since": lambda: self.month("fra"),
            "until": lambda: self.month("til"),
            "grain": lambda: self.one_of("inddeling", {word: word for word in GRAINS}, None),
            "crude": lambda: self.flag("beregning", "crude"),
            "breakdown": lambda: self.one_of("opdeling", _by_word(BREAKDOWN_WORDS), found.breakdown),
            "reference": lambda: self.one_of("maalestok", _by_word(REFERENCE_WORDS), found.reference),
            "capture": lambda: self.one_of("andel", {str(share): share for share in CAPTURES}, found.capture),
            "view": lambda: self.view(found.page),
            "search": lambda: found.search or self.query.get("soeg", "")[:80],
            "adding": lambda: self.query.get("tilfoej", ""),
            "item": self.item,
            "packed": lambda: self.query.get("indhold", ""),
        }
        chosen = {field: read() for field, read in readers.items() if field in USED_ON[found.page]}
        if chosen.get("members"):
            chosen["group"] = None
        since, until = chosen.get("since"), chosen.get("until")
        if isinstance(since, date) and isinstance(until, date) and since > until:
            self.notice("notice.backwards", first=f"{since:%Y-%m}", last=f"{until:%Y-%m}")
            chosen |= {"since": None, "until": None}
        return replace(found, **chosen)  # type: ignore[arg-type]

    # One value each -------------------------------------------------------------------------------------------

    def release(self) -> str | None:
        """Return the id in ``udgave``. Whoever opens that release tells where it is not kept, or no id at all."""
        text = self.query.get("udgave", "")
        return text if RELEASE_ID.fullmatch(text) else None

    def item(self) -> int:
        text = self.query.get("punkt", "0")
        if text.isdecimal() and len(text) < 4:
            return int(text)
        self.notice("notice.item", value=text)
        return 0

    def notice(self, text: str, /, **values: str) -> None:
        self.notices.append(Notice(text, {name: value[:60] for name, value in values.items()}))

    def one_of(self, key: str, allowed: Mapping[str, T], default: T) -> T:
        """Return what the word of ``key`` stands for."""
        text = self.query.get(key)
        if text is None:
            return default
        if text not in allowed:
            self.notice("notice.value", key=key, value=text, allowed=", ".join(allowed))
        return allowed.get(text, default)

    def flag(self, key: str, field: str) -> bool:
        return self.one_of(key, {_FLAGS[field]: True}, False)

    def view(self, page: Page) -> View:
        offered = _VIEWS_ON.get(page, _CHART_OR_TABLE)
        return self.one_of("visning", {VIEW_WORDS[view]: view for view in offered}, "chart")

    def level(self, map_id: Map) -> str:
        offered = {LEVEL_WORDS[level]: level for level in levels(map_id) if level != "country"}
        return self.one_of("niveau", offered, "municipality")

    def indicator(self, text: str) -> str:
        if text in self.known.indicators:
            return text
        near = _nearest(text, self.known.indicators)
        shown = near[0] if near else self.known.indicators[0]
        self.notice("notice.indicator", value=text, shown=shown)
        return shown

    def indicators(self) -> tuple[str, ...]:
        """Return the indicators of a file in the order of the definitions; one that is not known is left out."""
        wanted = {text for text in self.query.get("indikatorer", "").split(",") if text}
        for text in sorted(wanted - set(self.known.indicators)):
            self.notice("notice.left_out", value=text)
        return tuple(item for item in self.known.indicators if item in wanted)

    def members(self, map_id: Map) -> tuple[str, ...]:
        found = set()
        for text in sorted({text for text in self.query.get("kommuner", "").split(",") if text}):
            areas_of_map = self.known.areas.get((map_id, "municipality"), ())
            area = next((area for area in areas_of_map if text.casefold() in _spellings(area)), None)
            if area is None:
                self.notice("notice.left_out", value=text)
            else:
                found.add(area.slug)
        return tuple(sorted(found))

    def period(self) -> Period | None:
        text = self.query.get("periode")
        if text is None:
            return None
        try:
            period = Period.from_id(text)
        except ValueError:
            self.notice("notice.period", value=text)
            return None
        return period if self.is_known(period) else None

    def month(self, key: str) -> date | None:
        text = self.query.get(key)
        if text is None:
            return None
        try:
            period = Period.from_id(text)
        except ValueError:
            period = None
        if period is None or period.grain != "month":
            self.notice("notice.month", key=key, value=text)
            return None
        return period.first if self.is_known(period) else None

    def is_known(self, period: Period) -> bool:
        """Return whether there are data for all of the period, and notice when there are not."""
        is_inside = period.first >= self.known.first_month and period.last <= self.known.last_month
        if not is_inside:
            self.notice("notice.period_outside", value=period.id)
        return is_inside

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
                        self.notice("notice.map", value=area.name)
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


def exact_area(text: str, map_id: Map, known: Catalogue) -> Area | None:
    """Return the one area that is called so, on this map or else on the other; municipalities go first.

    Spellings such as Århus are understood. None when no area or several of other levels are called so.
    """
    wanted = text.casefold(), normalise_municipality(text)
    other: Map = next(item for item in MAPS if item != map_id)
    for searched in (map_id, other):
        found = [
            area
            for (its_map, _), areas_of_level in known.areas.items()
            if its_map == searched
            for area in areas_of_level
            if wanted[0] in _spellings(area) or wanted[1] == normalise_municipality(area.name)
        ]
        named = [area for area in found if area.level == "municipality"] or found
        if len(named) == 1:
            return named[0]
    return None


def _by_word(words: Mapping[T, str]) -> dict[str, T]:
    return {word: value for value, word in words.items()}


def _spellings(area: Area) -> tuple[str, ...]:
    return area.slug.casefold(), area.name.casefold(), area.code.casefold(), area.code.lstrip("0").casefold()


def _nearest(text: str, candidates: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(text, list(candidates), n=1)

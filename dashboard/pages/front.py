"""Forside: find an area by typing its name, or on a list."""

from typing import Any

from dash import html

from dashboard.components.attributes import aria, data
from dashboard.components.controls import search_form
from dashboard.pages import Body, Wall
from dashboard.selection import COUNTRY, Catalogue, Selection, area_ref, catalogue
from dashboard.words import Words, load_words
from kpis.area import MAPS, Area, Map, levels
from kpis.indicator import FOCUS_AREAS
from kpis.reference import normalise_municipality, tile_grid
from kpis.release import Release


def page(selection: Selection, release: Release) -> Body:
    """Return the front page: a search, what can be found, and every area as a link."""
    words = load_words(selection.lang)
    known = catalogue(release)
    return Body(
        words("front.title"),
        [
            html.Div(
                [
                    html.Div(
                        [
                            html.H1(words("front.heading"), tabIndex=-1),
                            html.P(words("front.lead"), className="lead"),
                            _search(selection, known, words),
                            *_results(selection, known, words),
                            html.P(words("front.honest"), className="quiet small"),
                        ],
                        className="hero",
                    ),
                    _tiles(selection, known),
                ],
                className="beside",
            ),
            _focus_areas(words),
            _by_region(selection, known, words),
            _other_levels(selection, known, words),
        ],
        wall=Wall("", words("front.lead"), _focus_areas(words)),
    )


def _search(selection: Selection, known: Catalogue, words: Words) -> html.Form:
    options = [
        html.Option(value=area.name, **data(href=_address(selection, area)))
        for area in _everywhere(selection.map, known)
        if area.level != "country"
    ]
    hint, button = words("front.search_hint"), words("front.search_button")
    action = Selection(lang=selection.lang, map=selection.map).to_url()
    return search_form(words("front.search_label"), hint, button, selection.search, options, "areas", action)


def _results(selection: Selection, known: Catalogue, words: Words) -> list[Any]:
    if not selection.search.strip():
        return []
    found = find(selection.search, selection.map, known)
    if not found:
        return [html.P(words("front.no_results", text=selection.search), role="status")]
    links = []
    for area in found:
        elsewhere = words(f"front.map_{area.map_id}") if area.map_id != selection.map else ""
        link = html.A(area.name, href=_address(selection, area))
        links.append(html.Li([link, f" ({elsewhere})"] if elsewhere else link))
    heading = html.P(words("front.results", text=selection.search), role="status")
    return [html.Div([heading, html.Ul(links, className="columns")])]


def find(text: str, map_id: Map, known: Catalogue) -> list[Area]:
    """Return the areas of both maps of whose name a word begins with the text, or else those that contain it.

    Names that begin with it come first, then the given map. Spellings such as Århus are understood.
    """
    wanted = normalise_municipality(text).lstrip("0")
    named = [(normalise_municipality(area.name), area) for area in _everywhere(map_id, known)]
    begins = [area for name, area in named if name.startswith(wanted) or area.code.lstrip("0") == wanted]
    within = [area for name, area in named if f" {wanted}" in name and area not in begins]  # KKR Nordjylland
    return (begins + within or [area for name, area in named if wanted in name])[:24]


def _everywhere(map_id: Map, known: Catalogue) -> list[Area]:
    """Return the areas of a map, and those that only the other one has."""
    other: Map = next(item for item in MAPS if item != map_id)
    here = [area for level in levels(map_id) for area in known.areas[map_id, level]]
    seen = {(area.level, area.slug) for area in here}
    there = [area for level in levels(other) for area in known.areas[other, level]]
    return [*here, *(area for area in there if (area.level, area.slug) not in seen)]


def _tiles(selection: Selection, known: Catalogue) -> html.Div:
    """Return Denmark as equal squares, a shortcut for the mouse: the lists below hold the same links for everybody."""
    municipalities = {area.code: area for area in known.areas[selection.map, "municipality"]}
    tiles = [
        html.A(
            tile["label"],
            href=_address(selection, municipalities[tile["municipality_code"]]),
            title=municipalities[tile["municipality_code"]].name,
            tabIndex=-1,
            style={"gridColumn": tile["column"] + 1, "gridRow": tile["row"] + 1},
        )
        for tile in tile_grid().iter_rows(named=True)
        if tile["municipality_code"] in municipalities
    ]
    return html.Div(tiles, className="tile-map", **aria(hidden="true"))


def _focus_areas(words: Words) -> html.Section:
    items = [html.Li(getattr(FOCUS_AREAS[number], words.lang)) for number in sorted(FOCUS_AREAS)]
    return html.Section([html.H2(words("front.focus")), html.Ol(items)])


def _by_region(selection: Selection, known: Catalogue, words: Words) -> html.Section:
    municipalities = {area.code: area for area in known.areas[selection.map, "municipality"]}
    order = {code: place for place, code in enumerate(municipalities)}
    regions = [
        html.Details(
            [
                html.Summary(region.name),
                html.P(html.A(region.name, href=_address(selection, region))),
                html.Ul(
                    [
                        html.Li(html.A(municipalities[code].name, href=_address(selection, municipalities[code])))
                        for code in sorted(region.municipalities, key=order.__getitem__)
                    ],
                    className="columns",
                ),
            ]
        )
        for region in known.areas[selection.map, "region"]
    ]
    return html.Section([html.H2(words("front.by_region")), *regions])


def _other_levels(selection: Selection, known: Catalogue, words: Words) -> html.Section:
    groups = [
        html.Details(
            [
                html.Summary(words(f"level.{level}")),
                html.Ul(
                    [
                        html.Li(html.A(area.name, href=_address(selection, area)))
                        for area in known.areas[selection.map, level]
                    ],
                    className="columns",
                ),
            ]
        )
        for level in levels(selection.map)
        if level not in ("municipality", "region", "country")
    ]
    country = Selection(page="area", area=COUNTRY, lang=selection.lang, map=selection.map)
    return html.Section(
        [
            html.H2(words("front.other_levels")),
            *groups,
            html.P(html.A(words("front.country"), href=country.to_url())),
        ]
    )


def _address(selection: Selection, area: Area) -> str:
    return Selection(lang=selection.lang, map=area.map_id).of_area(area_ref(area)).to_url()

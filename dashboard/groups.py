"""Who an area is compared with: an area that it is part of, or municipalities that the reader put together."""

from dashboard.components.controls import Option
from dashboard.selection import Catalogue, Selection, area_ref
from dashboard.words import Words
from kpis.area import Area, levels

OWN_LIST = "own_list"
"""Level of a group that the reader put together; no release has such areas."""
GROUP_LEVELS = ("kkr", "region", "health_council", "cluster", "municipality_group")


def group_of(selection: Selection, known: Catalogue, words: Words) -> Area | None:
    """Return the chosen group, or else the KKR (on the new map the region) of the highlighted municipality."""
    if selection.members:
        codes = [area.code for area in known.areas[selection.map, "municipality"] if area.slug in selection.members]
        return Area(OWN_LIST, OWN_LIST, "", words("compare.own_list"), tuple(sorted(codes)), selection.map)
    if selection.group:
        return known.area(selection.group, selection.map)
    if not selection.area or selection.area.level != "municipality":
        return None
    own = known.area(selection.area, selection.map)
    level = "kkr" if "kkr" in levels(selection.map) else "region"
    return next((area for area in known.areas[selection.map, level] if own and own.code in area.municipalities), None)


def group_options(selection: Selection, known: Catalogue, words: Words) -> list[Option]:
    """Return the groups to compare with: those the own area is part of, else all of the map, and the own list."""
    own = known.area(selection.area, selection.map) if selection.area else None
    code = own.code if own and own.level == "municipality" else None
    chosen = group_of(selection, known, words)
    offered = [
        area
        for level in GROUP_LEVELS
        for area in known.areas.get((selection.map, level), ())
        if code is None or code in area.municipalities or area == chosen
    ]
    options = [
        Option(area.name, selection.but(group=area_ref(area), members=()).to_url(), area == chosen) for area in offered
    ]
    if code is None:
        nobody = selection.but(group=None, members=(), only_group=False)
        options.insert(0, Option(words("compare.no_group"), nobody.to_url(), chosen is None))
    if chosen is not None and chosen.level == OWN_LIST:
        options.append(Option(chosen.name, selection.to_url(), True))
    return options

"""Areas: municipalities and what they are added up to, on the map of 2024 or of 2027.

Every area is a set of municipalities, so that any period can be shown on either map: the past on the new
regions and the present on the old ones. Levels and the maps they are drawn on stand in `release.toml`.
"""

import difflib
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from kpis.release import CONTRACT, Release, per_release

Map = Literal["2024", "2027"]
MAPS: tuple[Map, ...] = get_args(Map)
# The day whose memberships make the map; the map of 2024 is the last state before the reform.
MAP_DAY: dict[Map, date] = {"2024": date(2026, 12, 31), "2027": date(2027, 1, 1)}
LEVELS: tuple[str, ...] = tuple(CONTRACT["levels"])


@dataclass(frozen=True)
class Area:
    """One area as it is on one map. `municipalities` are codes in ascending order; each one holds itself."""

    code: str
    level: str
    slug: str
    name: str
    municipalities: tuple[str, ...]
    map_id: Map


class UnknownAreaError(ValueError):
    """No area, or more than one, answers to the text; the message names the nearest ones."""


def levels(map_id: Map) -> tuple[str, ...]:
    """Levels drawn on the map, from small to large."""
    return tuple(level for level in LEVELS if map_id in CONTRACT["levels"][level]["maps"])


def map_of(month: date) -> Map:
    """The map that was valid in `month`."""
    return "2027" if month >= MAP_DAY["2027"] else "2024"


@per_release
def areas(release: Release, level: str, map_id: Map) -> tuple[Area, ...]:
    """The areas of a level on a map, in Danish alphabetical order (Æ Ø Å last, Aa as Å).

    Raises ValueError for a level that is not drawn on that map.
    """
    if level not in levels(map_id):
        raise ValueError(f"Level {level!r} is not on the map of {map_id}. Levels there: {', '.join(levels(map_id))}.")
    rows = release.sql(
        """
        select a.area_code, a.slug, a.name,
            list(m.municipality_code order by m.municipality_code) as municipalities
        from area a
        join membership m on m.level = a.level and m.area_code = a.area_code
        where a.level = $level
          and (a.valid_from is null or a.valid_from <= $day) and (a.valid_to is null or a.valid_to > $day)
          and (m.valid_from is null or m.valid_from <= $day) and (m.valid_to is null or m.valid_to > $day)
        group by a.area_code, a.slug, a.name
        order by a.name collate da, a.area_code
        """,
        level=level,
        day=MAP_DAY[map_id],
    )
    return tuple(
        Area(code, level, slug, name, tuple(municipalities), map_id)
        for code, slug, name, municipalities in rows.iter_rows()
    )


def areas_within(release: Release, level: str, area: Area) -> tuple[Area, ...]:
    """The areas of a level that lie wholly in `area`, on its map; the area itself where it is of that level."""
    if level == area.level:
        return (area,)
    inside = set(area.municipalities)
    return tuple(item for item in areas(release, level, area.map_id) if inside.issuperset(item.municipalities))


def find_area(release: Release, text: str, map_id: Map, level: str | None = None) -> Area:
    """The area whose code, slug or name is `text`, in this order of preference; capitals do not matter.

    Without `level` all levels of the map are searched, and the text must fit one area only.
    Raises UnknownAreaError with the nearest names, or with the levels to choose from.
    """
    searched = (level,) if level else levels(map_id)
    candidates = [area for one_level in searched for area in areas(release, one_level, map_id)]
    wanted = text.strip().casefold()
    for key in ("code", "slug", "name"):
        hits = [area for area in candidates if getattr(area, key).casefold() == wanted]
        if len(hits) == 1:
            return hits[0]
        if hits:
            found = ", ".join(f"{area.name} ({area.level})" for area in hits)
            raise UnknownAreaError(f"{text!r} can be {found}. Say which level is meant.")
    spellings = {spelling.casefold(): area.name for area in candidates for spelling in (area.slug, area.name)}
    near = dict.fromkeys(spellings[key] for key in difflib.get_close_matches(wanted, spellings, n=5))
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    raise UnknownAreaError(f"{text!r} is no {level or 'area'} on the map of {map_id}.{hint}")

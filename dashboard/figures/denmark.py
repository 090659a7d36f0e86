"""Denmark by municipality: as outlines, and as equal squares in which a small municipality is seen as well as a large.

A municipality is coloured only where it can be told from the rest, with the icon of its verdict on it; where it
cannot, it is hatched, and where there is no figure it is left blank.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import cos, radians

from dashboard.figures.svg import NARROW, WALL, WIDE, drawing, ornament, shape, square, text
from kpis.reference import outlines_path, tile_grid

_UNITS = 1000  # of longitude's whole extent; a unit is 300 metres
_MARGIN = 8.0
_SIDE, _STEP = 46.0, 50.0


@dataclass(frozen=True)
class Shade:
    """What a municipality looks like: the role of its colour, the icon on it, and what is told when it is pointed at.

    ``role`` is a colour of ``kpis.verdict``, "hatched" for what cannot be told apart, or "blank" without a figure.
    """

    role: str
    icon: str
    told: str
    is_own: bool = False


def outline_map(shades: Mapping[str, Shade], label: str, width: int = WIDE) -> str:
    """Draw the outlines; ``shades`` by municipality code, one that is not among them is left out."""
    shapes = _outlines()
    size = 1.0 if width == WIDE else 2.0  # on a phone and from afar the same map is small, and icons must be seen
    order = sorted(shades, key=lambda code: (shades[code].is_own, shades[code].icon != ""))
    parts = [_hatching(f"outlines-{width}")]
    for code in order:
        if code in shapes:
            parts.append(shape(shapes[code].path, *_look(shades[code], f"outlines-{width}")))
    for code in order:
        if code in shapes and shades[code].icon:
            x, y = shapes[code].middle
            parts.append(text(x, y + 9 * size, shades[code].icon, _ICON[width], "middle"))
    height = max(found.bottom for found in shapes.values()) + _MARGIN
    return drawing(_UNITS + 2 * _MARGIN, height, label, parts)


def tile_map(shades: Mapping[str, Shade], label: str, width: int = WIDE) -> str:
    """Draw the squares with the short name of each municipality and the icon of its verdict; on a wall the icon."""
    tiles = list(tile_grid().iter_rows(named=True))
    parts = [_hatching(f"tiles-{width}")]
    for tile in sorted(tiles, key=lambda tile: getattr(shades.get(tile["municipality_code"]), "is_own", False)):
        shade = shades.get(tile["municipality_code"])
        if shade is None:
            continue
        x, y = 2 + tile["column"] * _STEP, 2 + tile["row"] * _STEP
        parts.append(square(x, y, _SIDE, *_look(shade, f"tiles-{width}")))
        if width == WALL:
            parts.append(text(x + _SIDE / 2, y + 34, shade.icon, f"d-tile-icon-large d-on-{shade.role}", "middle"))
            continue
        name_at = 20 if shade.icon else 28
        parts.append(text(x + _SIDE / 2, y + name_at, tile["label"], f"d-tile-name d-on-{shade.role}", "middle"))
        if shade.icon:
            parts.append(text(x + _SIDE / 2, y + 39, shade.icon, f"d-tile-icon d-on-{shade.role}", "middle"))
    columns, rows = (max(tile[name] for tile in tiles) + 1 for name in ("column", "row"))
    return drawing(columns * _STEP, rows * _STEP, label, parts)


def shade_key(role: str, is_own: bool = False) -> str:
    """Draw one mark for the legend."""
    look = _look(Shade(role, "", "", is_own), f"key-{role}")
    return ornament(28, 20, [_hatching(f"key-{role}"), square(5, 1, 18, *look)])


_ICON = {WIDE: "d-map-icon", NARROW: "d-map-icon-large", WALL: "d-map-icon-large"}


def _hatching(name: str) -> str:
    """Return the pattern of what cannot be told apart; each drawing has its own, for one that is hidden lends none."""
    return (
        f'<defs><pattern id="{name}" width="9" height="9" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect class="d-map-paper" width="9" height="9"/>'
        '<line class="d-map-hatch" x1="0" y1="0" x2="0" y2="9"/></pattern></defs>'
    )


def _look(shade: Shade, hatching: str) -> tuple[str, str, str]:
    """Return classes, title and fill of a municipality."""
    classes = f"d-map-{shade.role}" + (" d-map-own" if shade.is_own else "")
    return classes, shade.told, f"url(#{hatching})" if shade.role == "hatched" else ""


@dataclass(frozen=True)
class _Outline:
    path: str
    middle: tuple[float, float]  # of its largest part
    bottom: float


@cache
def _outlines() -> dict[str, _Outline]:
    """Return the outlines by municipality code as SVG paths, in whole units and relative steps to keep them short."""
    features = json.loads(outlines_path().read_text(encoding="utf-8"))["features"]
    points = [point for feature in features for ring in _rings(feature) for point in ring]
    west, east = (edge(point[0] for point in points) for edge in (min, max))
    north = max(point[1] for point in points)
    south = min(point[1] for point in points)
    unit = (east - west) / _UNITS
    squeeze = cos(radians((north + south) / 2))  # a degree of longitude is so much shorter than one of latitude

    def place(point: tuple[float, float]) -> tuple[int, int]:
        return round((point[0] - west) / unit + _MARGIN), round((north - point[1]) / unit / squeeze + _MARGIN)

    found = {}
    for feature in features:
        rings = [[place(point) for point in ring] for ring in _rings(feature)]
        largest = max(rings, key=lambda ring: abs(_area(ring)))
        found[feature["id"]] = _Outline(
            "".join(map(_path, rings)), _centre(largest), max(y for ring in rings for _, y in ring)
        )
    return found


def _rings(feature: dict) -> list[list[tuple[float, float]]]:
    shapes = feature["geometry"]["coordinates"]
    polygons = shapes if feature["geometry"]["type"] == "MultiPolygon" else [shapes]
    return [ring for polygon in polygons for ring in polygon]


def _path(ring: list[tuple[int, int]]) -> str:
    steps = [(x - before[0], y - before[1]) for before, (x, y) in pairwise(ring)]
    return f"M{ring[0][0]} {ring[0][1]}l" + " ".join(f"{dx} {dy}" for dx, dy in steps if (dx, dy) != (0, 0)) + "z"


def _area(ring: list[tuple[int, int]]) -> float:
    """Twice the signed area of a closed ring."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring))


def _centre(ring: list[tuple[int, int]]) -> tuple[float, float]:
    """Centre of gravity of a closed ring."""
    twice = _area(ring)
    if not twice:
        return float(ring[0][0]), float(ring[0][1])
    pairs = list(pairwise(ring))
    x = sum((x0 + x1) * (x0 * y1 - x1 * y0) for (x0, y0), (x1, y1) in pairs) / (3 * twice)
    y = sum((y0 + y1) * (x0 * y1 - x1 * y0) for (x0, y0), (x1, y1) in pairs) / (3 * twice)
    return x, y

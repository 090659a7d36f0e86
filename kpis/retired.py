"""Ids of indicators and areas that are no longer used, and their successors; the list stands in `retired.toml`."""

import functools
import tomllib
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any

from kpis.area import Map


@dataclass(frozen=True)
class Retired:
    """Something that is no longer there: what stands in its place, since which day."""

    successor: str
    since: date


def retired_indicator(indicator_id: str) -> Retired | None:
    """What became of an indicator id; None where it was never retired."""
    return _as_retired(_list().get("indicator", {}).get(indicator_id))


def retired_area(level: str, slug: str, map_id: Map) -> Retired | None:
    """What became of an area, whose successor is a slug of the same level; None where it was not retired on the map."""
    told = _list().get("area", {}).get(level, {}).get(slug)
    return _as_retired(told) if told and told["map"] == map_id else None


@functools.cache
def _list() -> dict[str, Any]:
    return tomllib.loads(resources.files("kpis").joinpath("retired.toml").read_text("utf-8"))


def _as_retired(told: dict[str, Any] | None) -> Retired | None:
    return Retired(told["successor"], told["since"]) if told else None

"""Official figures beside ours: the difference, whether chance covers it, and the known reasons why they may differ.

Official figures are delivered in a generic long format and stand in the release table `official_figure`. The reasons
stand in `reconciliation.toml` as data: each with the conditions under which it can play a part. They are possible
reasons, not shares of the difference: how much each makes is not known.
"""

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any

import numpy as np
import polars as pl

from kpis.area import Area, Map, areas, levels, map_of
from kpis.evaluate import Query, evaluate
from kpis.indicator import Indicator, Language, load_indicators
from kpis.period import Period
from kpis.release import Release, per_release

RECONCILED = pl.Schema(
    {
        "indicator": pl.String,  # our id; the delivered name where it is none of ours
        "level": pl.String,
        "area_code": pl.String,
        "area_name": pl.String,
        "period": pl.String,
        "source": pl.String,
        "official": pl.Float64,  # as published, in the unit of our indicator
        "ours": pl.Float64,  # crude, with 95 % limits where the kind has them
        "lower": pl.Float64,
        "upper": pl.Float64,
        "difference": pl.Float64,  # ours minus official
        "difference_per_cent": pl.Float64,  # of the official figure
        # alike: our interval covers the official figure. differs: it does not. beside: no interval to judge by.
        # not_ours: no indicator of that name. no_area, no_period: unknown here. no_figure: ours is missing
        # (`status` says why). no_official: neither value nor numerator and denominator were delivered.
        "comparison": pl.String,
        "status": pl.String,  # of our estimate
        "reasons": pl.String,  # ids of reasons that can play a part, separated by semicolons
    }
)

COMPARED = ("alike", "differs", "beside")
"""Comparisons in which both figures are there."""


@dataclass(frozen=True)
class Reason:
    """A known reason; `conditions` are those of the file, empty = it always applies."""

    id: str
    da: str
    en: str
    conditions: Mapping[str, Any]

    def text(self, language: Language) -> str:
        """The words in `language`."""
        return self.da if language == "da" else self.en


@functools.cache
def reasons() -> tuple[Reason, ...]:
    """All known reasons in the order in which they are shown. Raises ValueError for an unknown condition."""
    content = tomllib.loads(resources.files("kpis").joinpath("reconciliation.toml").read_text("utf-8"))
    found = []
    for entry in content["reason"]:
        conditions = {key: value for key, value in entry.items() if key not in ("id", "da", "en")}
        if unknown := set(conditions) - set(_CONDITIONS):
            raise ValueError(
                f"reconciliation.toml: {entry['id']}: {', '.join(sorted(unknown))} found; "
                f"allowed: {', '.join(_CONDITIONS)}"
            )
        found.append(Reason(entry["id"], entry["da"], entry["en"], conditions))
    return tuple(found)


_CONDITIONS = (
    "tables",
    "kinds",
    "codelists",
    "indicators",
    "levels",
    "grains",
    "protected",
    "synthetic",
    "provisional",
    "carried",
    "before",
)


def reconcile(release: Release, indicator_ids: Sequence[str] | None = None) -> pl.DataFrame:
    """Every official figure of the release beside our estimate of the same, with the columns of RECONCILED.

    `indicator_ids`: only these; None = all, those that are none of ours included. An official figure without a value
    is worked out from its numerator and denominator. Ours is on the map that was valid in the period.
    """
    rows = release.sql("select * from official_figure order by indicator, level, area_code, period, source")
    found = [
        _reconciled(release, row)
        for row in rows.iter_rows(named=True)
        if indicator_ids is None or row["indicator"] in indicator_ids
    ]
    return pl.DataFrame(found, schema=RECONCILED)


def _reconciled(release: Release, row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: row[key] for key in ("indicator", "level", "area_code", "period", "source")}
    indicator = load_indicators().get(row["indicator"])
    if indicator is None:
        return shown | {"official": row["value"], "comparison": "not_ours", "reasons": ""}
    official = _official(row, indicator)
    period = _period(row["period"])
    if period is None:
        return shown | {"official": official, "comparison": "no_period", "reasons": ""}
    area = _area(release, row["level"], row["area_code"], period)
    if area is None:
        return shown | {"official": official, "comparison": "no_area", "reasons": ""}
    ours = _estimates(release, indicator.id, area.level, area.map_id, period)[area.code]
    comparison = _comparison(official, ours)
    is_compared = comparison in COMPARED
    difference = ours["value"] - official if is_compared else None
    return shown | {
        "area_name": area.name,
        "official": official,
        "ours": ours["value"],
        "lower": ours["lower"],
        "upper": ours["upper"],
        "difference": difference,
        "difference_per_cent": 100 * difference / official if difference is not None and official else None,
        "comparison": comparison,
        "status": ours["status"],
        "reasons": ";".join(
            item.id for item in reasons() if is_compared and _applies(item, release, indicator, area, period, ours)
        ),
    }


@per_release
def _estimates(
    release: Release, indicator_id: str, level: str, map_id: Map, period: Period
) -> dict[str, Mapping[str, Any]]:
    """Rows of `evaluate.ESTIMATES` by area code: an official table has every area of a level."""
    found = evaluate(release, Query(load_indicators()[indicator_id], areas(release, level, map_id), (period,)))
    return {row["area_code"]: row for row in found.iter_rows(named=True)}


def _official(row: Mapping[str, Any], indicator: Indicator) -> float | None:
    if row["value"] is not None:
        return float(row["value"])
    if row["numerator"] is None or not row["denominator"]:
        return None
    return float(row["numerator"] / row["denominator"] * indicator.per)


def _period(text: str) -> Period | None:
    try:
        return Period.from_id(text)
    except ValueError:
        return None


def _area(release: Release, level: str, code: str, period: Period) -> Area | None:
    map_id = map_of(period.last)
    if level not in levels(map_id):
        return None
    return next((area for area in areas(release, level, map_id) if area.code == code), None)


def _comparison(official: float | None, ours: Mapping[str, Any]) -> str:
    if official is None:
        return "no_official"
    if ours["value"] is None:
        return "no_figure"
    if ours["lower"] is None:
        return "beside"
    # An official figure is published with so many decimals; half of its last one is no difference.
    slack = 0.5 * 10.0 ** -len(np.format_float_positional(official, trim="-").partition(".")[2])
    return "alike" if ours["lower"] - slack <= official <= ours["upper"] + slack else "differs"


def _applies(
    reason: Reason, release: Release, indicator: Indicator, area: Area, period: Period, ours: Mapping[str, Any]
) -> bool:
    facts: dict[str, Any] = {
        "tables": indicator.numerator.definition.table,
        "kinds": indicator.kind,
        "codelists": indicator.diagnoses.codelist if indicator.diagnoses else None,
        "indicators": indicator.id,
        "levels": area.level,
        "grains": period.grain,
        "protected": release.manifest["protection"].get("base", 1) > 1,
        "synthetic": release.manifest["is_synthetic"],
        "provisional": ours["is_provisional"],
        "carried": "population_carried" in ours["note"],
    }
    for condition, wanted in reason.conditions.items():
        if condition == "before":
            if period.first >= date.fromisoformat(f"{wanted}-01"):
                return False
        elif facts[condition] not in (wanted if isinstance(wanted, list) else [wanted]):
            return False
    return True

"""What a release says otherwise than the one before it: figures of the same months, and the way they are counted.

A figure that moved because reports came late is a revision, not a change of the health service; one that moved
because it is counted otherwise is neither. Readers must meet the three apart.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from kpis.area import Map, areas
from kpis.evaluate import Query, evaluate
from kpis.indicator import Indicator
from kpis.period import Period
from kpis.release import Release

REVISIONS = pl.Schema(
    {
        "area_code": pl.String,
        "before": pl.Float64,  # value of the period as the earlier release had it; null where it had none
        "after": pl.Float64,
        "before_status": pl.String,  # of `evaluate.STATUSES`
        "after_status": pl.String,
    }
)


def revisions(
    before: Release,
    after: Release,
    indicator: Indicator,
    level: str,
    map_id: Map,
    period: Period,
    *,
    standardised: bool = False,
) -> pl.DataFrame:
    """Return the value of every area of a level in one and the same period, by both releases; columns of REVISIONS."""
    query = Query(indicator, areas(after, level, map_id), (period,), standardised=standardised)
    old, new = (evaluate(release, query) for release in (before, after))
    return pl.DataFrame(
        {
            "area_code": new["area_code"],
            "before": old["value"],
            "after": new["value"],
            "before_status": old["status"],
            "after_status": new["status"],
        },
        schema=REVISIONS,
    )


CHANGES = pl.Schema(
    {
        "indicator": pl.String,
        "level": pl.String,
        "area_code": pl.String,
        "area_name": pl.String,
        "period": pl.String,
        "group": pl.String,
        "before": pl.Float64,  # value as the earlier release had it; null where it had none
        "after": pl.Float64,
        "before_status": pl.String,  # of `evaluate.STATUSES`
        "after_status": pl.String,
    }
)


def changes(before: Release, after: Release, queries: Sequence[Query]) -> pl.DataFrame:
    """Return every row of queries by both releases, the columns of CHANGES, in the order of the queries."""
    key = ["indicator", "level", "area_code", "period", "group"]
    now = pl.concat([evaluate(after, query) for query in queries])
    then = pl.concat([evaluate(before, query) for query in queries])
    found = now.select(*key, "area_name", after="value", after_status="status").join(
        then.select(*key, before="value", before_status="status"), on=key, maintain_order="left"
    )
    return found.select(CHANGES.names())


_WORDING = ("da", "en", "source")


@dataclass(frozen=True)
class MethodChanges:
    """What is counted otherwise: ids of indicators with another version, of rules, and of diagnosis groups."""

    indicators: tuple[str, ...]
    rules: tuple[str, ...]
    groups: tuple[str, ...]


def method_changes(before: Release, after: Release) -> MethodChanges:
    """Return what two releases say of themselves that differs; only where both say it."""
    return MethodChanges(
        indicators=changed_facts(before, after, "indicators"),
        rules=changed_rules(before, after),
        groups=changed_groups(before, after),
    )


def changed_facts(
    before: Release, after: Release, fact: str, of: Callable[[Any], Any] = lambda value: value
) -> tuple[str, ...]:
    """Return the names under a fact of the manifest whose content differs; none where a release does not say it."""
    old, new = before.manifest.get(fact), after.manifest.get(fact)
    if not isinstance(old, dict) or not isinstance(new, dict):
        return ()
    told = [{name: json.dumps(of(value)) for name, value in facts.items()} for facts in (old, new)]
    return tuple(sorted(name for name in old.keys() | new.keys() if told[0].get(name) != told[1].get(name)))


def changed_rules(before: Release, after: Release) -> tuple[str, ...]:
    """Return the ids of the rules that set something else; another wording moves no figure."""
    return changed_facts(
        before, after, "rules", lambda rule: {name: rule[name] for name in sorted(rule) if name not in _WORDING}
    )


def changed_groups(before: Release, after: Release) -> tuple[str, ...]:
    """Return the diagnosis groups that hold other codes, or are only in one of the releases."""
    query = "select group_id, prefixes, excluded_prefixes from diagnosis_group"
    old, new = ({row[0]: row[1:] for row in release.sql(query).iter_rows()} for release in (before, after))
    return tuple(sorted(group for group in old.keys() | new.keys() if old.get(group) != new.get(group)))

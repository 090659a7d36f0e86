"""The register of acute and subacute services, and who refers to the acute places."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.readings import Estimate
from kpis.area import Area, Map, areas
from kpis.evaluate import Query, evaluate
from kpis.indicator import Count, find_indicator
from kpis.period import Period
from kpis.release import Release, per_release

SERVICE_TYPES = ("akutplads", "akutteam", "midlertidig_plads", "hjemmesygepleje")
"""Types of the table ``service``, in the order in which they are shown."""


@per_release
def services(release: Release) -> list[Mapping[str, Any]]:
    """Return the acute and subacute services valid when the data end, rows of the table ``service``.

    In the order of municipality, type and name.
    """
    rows = release.sql(
        """
        select * from service
        where valid_to is null or valid_to > $day
        order by municipality_code, array_position($types, service_type) nulls last, name
        """,
        day=release.date("as_of"),
        types=list(SERVICE_TYPES),
    )
    return list(rows.iter_rows(named=True))


@per_release
def services_delivered(release: Release) -> frozenset[str]:
    """Return the codes of the municipalities whose template of services was delivered."""
    codes = release.sql("select distinct municipality_code from coverage where kind = 'services_template'")
    return frozenset(codes.to_series())


@per_release
def referral_shares(
    release: Release, area: Area, map_id: Map, period: Period
) -> Sequence[tuple[str, Estimate, Estimate]]:
    """Return who referred to the acute places: category with its share in the area and in the country, per cent.

    Of the stays whose referrer is known, as in the indicator of those from home and general practice.
    """
    (country,) = areas(release, "country", map_id)
    template = find_indicator("acute_place_referred_home_gp")
    found = []
    for category in template.denominator.categories:
        part = template.model_copy(
            update={"numerator": Count(measure=template.numerator.measure, categories=(category,))}
        )
        own, whole = evaluate(release, Query(part, (area, country), (period,))).iter_rows(named=True)
        found.append((category, own, whole))
    return found

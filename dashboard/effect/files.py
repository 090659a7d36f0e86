"""The files behind the figures of an effect: ``/fil/effekt.<parquet|csv>?indsats=…&indhold=…``."""

from pathlib import Path
from urllib.parse import urlencode

from flask import Flask, Response, request

from dashboard.api.filters import ReleaseFilters, one_of, read_filters
from dashboard.api.problem import Problem
from dashboard.effect.plans import find_plan, known_plans
from dashboard.effect.reports import effect_of, method_rows, month_rows
from dashboard.files import POTENTIAL_KINDS, sent
from dashboard.guard.access import PLAIN, audit, needs
from kpis.export import Format, export_rows
from kpis.indicator import LANGUAGES, Language
from kpis.release import Release

PARTS = ("maaneder", "metoder")
"""What a file holds: the months (``dashboard.effect.reports.MONTHS``), or the methods (``METHODS``)."""


class EffectFilters(ReleaseFilters):
    """One part of what came of one intervention."""

    indsats: str
    indhold: one_of(PARTS) = PARTS[0]  # type: ignore[valid-type]


def effect_address(release: Release, plan_id: str, part: str, kind: Format, lang: Language) -> str:
    """Return the address of a part of PARTS as a file of a kind of ``POTENTIAL_KINDS``, tied to the release."""
    query = {
        **({"sprog": lang} if lang != LANGUAGES[0] else {}),
        "indsats": plan_id,
        **({"indhold": part} if part != PARTS[0] else {}),
        "udgave": release.id,
    }
    return f"/fil/effekt.{kind}?{urlencode(query)}"


def register(server: Flask, data_dir: Path) -> None:
    """Add the address that :func:`effect_address` writes."""

    @server.get("/fil/effekt.<kind>")
    def send_effect(kind: str) -> Response | tuple[str, int, dict[str, str]]:
        needs("analyst")
        try:
            if kind not in POTENTIAL_KINDS:
                allowed = ", ".join(POTENTIAL_KINDS)
                raise Problem(400, f"{kind[:20]!r} is no kind of file here. Allowed: {allowed}.")
            filters = read_filters(EffectFilters, dict(request.args.lists()))
            release = filters.release(data_dir)
            plan = find_plan(release, filters.indsats)
            if plan is None:
                known = ", ".join(one.id for one in known_plans(release)) or "none yet"
                raise Problem(404, f"indsats={filters.indsats[:40]} is not known. There are: {known}.")
            report = effect_of(release, plan)
        except Problem as problem:
            return f"{problem}\n", problem.status, PLAIN
        rows = month_rows(release, report) if filters.indhold == PARTS[0] else method_rows(report)
        name = f"effekt_{plan.id}_{filters.indhold}"
        file = export_rows(release, rows, name, "parquet" if kind == "parquet" else "csv", filters.language)
        audit("file", file=file.name, release=release.id, rows=rows.height)
        return sent(file)

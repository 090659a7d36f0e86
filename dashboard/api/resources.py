"""What the API gives: each resource with its address, its filters, its columns, and where its rows come from.

Routes, OpenAPI document and the page about the API are made from ``RESOURCES``; nothing about a resource stands twice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from dashboard.agenda import AgendaProblem
from dashboard.agenda.kept import kept_agenda, kept_agendas
from dashboard.api.encoding import Kind
from dashboard.api.filters import (
    AreaFilters,
    ChangeFilters,
    CubeFilters,
    Filters,
    PeriodFilters,
    ReleaseFilters,
    ServiceFilters,
    SliceFilters,
    indicator_named,
    kept,
)
from dashboard.api.problem import Problem, not_allowed
from dashboard.effect.plans import find_plan, known_plans
from dashboard.effect.reports import METHODS, MONTHS, effect_of, method_rows, month_rows
from dashboard.register import services
from dashboard.selection import area_ref, catalogue
from kpis.area import Area, levels
from kpis.catalogue import licence
from kpis.effect_report import EffectReport
from kpis.explanation import column_meanings, level_words, protection_words
from kpis.export import COLUMNS, File, about_counting, about_indicator, export, export_table
from kpis.indicator import Indicator, load_indicators
from kpis.news import CHANGES, changes, method_changes
from kpis.period import add_months
from kpis.release import CONTRACT, NoSuchRelease, Release, kept_release, kept_releases, release_before
from kpis.slice import Slice


@dataclass(frozen=True)
class Asked:
    """A request that was understood. ``id``: of the one thing that is asked for, where the address names one."""

    data_dir: Path
    filters: Any  # of the type that the resource declares
    id: str = ""


@dataclass(frozen=True)
class Answer:
    """The rows of an answer, and what is said about them. ``n_rows`` counts against the client's quota.

    ``slice``: where the rows are a slice, whose files are made as everywhere else. ``etag``: what the bytes follow
    from, where they are sent while they are made; else their own hash is taken.
    """

    frames: Iterable[pl.DataFrame]
    n_rows: int
    about: Mapping[str, Any] = field(default_factory=dict)
    release: Release | None = None
    slice: Slice | None = None
    etag: str = ""

    def file(self, kind: Kind, asked: Asked) -> File | None:
        """Return the answer as the file that page and command line give; None where there is none such."""
        if self.slice is None or self.release is None or kind == "json":
            return None
        return export(self.release, self.slice, kind, asked.filters.language, "international")


@dataclass(frozen=True)
class Resource:
    """One address of the API. ``path`` may end in ``{id}``; ``columns`` are those of every answer."""

    path: str
    filters: type[Filters]
    columns: pl.Schema
    answer: Callable[[Asked], Answer]
    example: str = ""  # a query that shows something
    example_id: str = ""

    @property
    def name(self) -> str:
        """Return the name under which words and document know it."""
        return self.path.replace("/{id}", "_one")

    @property
    def has_id(self) -> bool:
        """Return whether the address names one thing."""
        return self.path.endswith("{id}")

    def meanings(self, language: str, words: Callable[[str], str]) -> dict[str, str]:
        """Return what each column means, in a language."""
        if self.columns is COLUMNS:
            return column_meanings("en" if language == "en" else "da")
        return {name: words(f"api.column_{name}") for name in self.columns}


def _columns(given: Mapping[str, pl.DataType | type[pl.DataType]]) -> pl.Schema:
    return pl.Schema(given)


def _about(release: Release, asked: Asked) -> dict[str, Any]:
    language = asked.filters.language
    return {
        "release": release.id,
        "is_synthetic": bool(release.manifest["is_synthetic"]),
        "protection": protection_words(release, language),
        "licence": licence(language)["name"],
    }


def _answer(rows: Iterable[Mapping[str, Any]], columns: pl.Schema, release: Release, asked: Asked) -> Answer:
    frame = pl.DataFrame(list(rows), schema=columns)
    return Answer([frame], frame.height, _about(release, asked), release)


# --- What there is ------------------------------------------------------------------------------------------

INDICATORS = _columns(
    {
        "indicator": pl.String,
        "indicator_version": pl.Int64,
        "focus_area": pl.Int64,
        "is_headline": pl.Boolean,
        "indicator_name": pl.String,
        "unit": pl.String,
        "kind": pl.String,
        "better": pl.String,
        "can_be_standardised": pl.Boolean,
        "breakdowns": pl.List(pl.String),
        "is_yearly": pl.Boolean,
        "confidence": pl.String,
        "meaning": pl.String,
    }
)


def _indicator_row(indicator: Indicator, asked: Asked) -> dict[str, Any]:
    texts = indicator.texts(asked.filters.language)
    return {
        "indicator": indicator.id,
        "indicator_version": indicator.version,
        "focus_area": indicator.focus_area,
        "is_headline": indicator.headline,
        "indicator_name": texts.short_name,
        "unit": texts.unit,
        "kind": indicator.kind,
        "better": indicator.better,
        "can_be_standardised": indicator.can_be_standardised,
        "breakdowns": list(indicator.breakdowns),
        "is_yearly": indicator.is_yearly,
        "confidence": indicator.confidence,
        "meaning": texts.meaning,
    }


def _indicators(asked: Asked) -> Answer:
    release = asked.filters.release(asked.data_dir)
    rows = [_indicator_row(item, asked) for item in load_indicators().values()]
    return _answer(rows, INDICATORS, release, asked)


def _indicator(asked: Asked) -> Answer:
    indicator = indicator_named(asked.id)
    release = asked.filters.release(asked.data_dir)
    found = _answer([_indicator_row(indicator, asked)], INDICATORS, release, asked)
    about = {**found.about, **about_indicator(indicator), **about_counting(release, [indicator])}
    return Answer(found.frames, 1, about, release)


AREAS = _columns(
    {
        "map": pl.String,
        "level": pl.String,
        "level_name": pl.String,
        "area_code": pl.String,
        "area_name": pl.String,
        "omraade": pl.String,
        "municipalities": pl.List(pl.String),
    }
)


def _areas(asked: Asked) -> Answer:
    filters: AreaFilters = asked.filters
    release = filters.release(asked.data_dir)
    chosen = filters.level()
    names = level_words(filters.language)
    rows = [
        {
            "map": area.map_id,
            "level": area.level,
            "level_name": names[area.level],
            "area_code": area.code,
            "area_name": area.name,
            "omraade": area_ref(area).text,
            "municipalities": list(area.municipalities),
        }
        for level in ([chosen] if chosen else levels(filters.map_id))
        for area in catalogue(release).areas[filters.map_id, level]
    ]
    return _answer(rows, AREAS, release, asked)


PERIODS = _columns(
    {
        "period": pl.String,
        "grain": pl.String,
        "period_first": pl.Date,
        "period_last": pl.Date,
        "is_provisional": pl.Boolean,
    }
)


def _periods(asked: Asked) -> Answer:
    release = asked.filters.release(asked.data_dir)
    rows = [
        {
            "period": period.id,
            "grain": period.grain,
            "period_first": period.first,
            "period_last": period.last,
            "is_provisional": period.last >= release.date("provisional_from"),
        }
        for period in asked.filters.periods(release)
    ]
    return _answer(rows, PERIODS, release, asked)


# --- Figures ------------------------------------------------------------------------------------------------


def _values(asked: Asked) -> Answer:
    release = asked.filters.release(asked.data_dir)
    wanted = asked.filters.slice(release)
    about = {**_about(release, asked), "passport": wanted.passport(release), "slice": wanted.options}
    return Answer(
        (export_table(release, one, asked.filters.language) for one in wanted.by_indicator()),
        wanted.row_count(release),
        about,
        release,
        wanted,
    )


CUBE = _columns(
    {
        "municipality_code": pl.String,
        "month": pl.Date,
        "sex": pl.Int8,
        "age_from": pl.Int16,
        "group_id": pl.String,
        **{name: pl.Int32 for name in CONTRACT["tables"]["cube"]["columns"] if name.startswith("n_")},
    }
)


def _cube(asked: Asked) -> Answer:
    """Return the counts month by month, so that no more than a month is held at a time."""
    release = asked.filters.release(asked.data_dir)
    first, last = asked.filters.months(release)
    if first > last:
        raise Problem(400, f"fra={first:%Y-%m} lies after til={last:%Y-%m}. Turn them around.", {"key": "fra"})
    count = release.sql(
        "select count(*)::bigint from cube where month between $first and $last", first=first, last=last
    )
    etag = f"cube {release.id} {release.manifest.get('content')} {first} {last}"
    return Answer(_months(release, first, last), count.item(), _about(release, asked), release, etag=etag)


def _months(release: Release, first: date, last: date) -> Iterator[pl.DataFrame]:
    names = ", ".join(CUBE)
    month = first
    while month <= last:
        rows = release.sql(
            f"select {names} from cube where month = $month order by municipality_code, sex, age_from, group_id",
            month=month,
        )
        yield rows.cast(CUBE)
        month = add_months(month, 1)


# --- Releases and what changed ------------------------------------------------------------------------------

RELEASES = _columns(
    {
        "release": pl.String,
        "is_newest": pl.Boolean,
        "created": pl.String,
        "data_from": pl.Date,
        "as_of": pl.Date,
        "provisional_from": pl.Date,
        "is_synthetic": pl.Boolean,
        "protection": pl.String,
        "change_reason": pl.String,
    }
)


def _releases(asked: Asked) -> Answer:
    newest = kept(asked.data_dir, None)
    rows = [
        {
            "release": release.id,
            "is_newest": release is newest,
            "created": str(release.manifest["created"]),
            **{name: release.date(name) for name in ("data_from", "as_of", "provisional_from")},
            "is_synthetic": bool(release.manifest["is_synthetic"]),
            "protection": protection_words(release, asked.filters.language),
            "change_reason": release.manifest.get("change_reason"),
        }
        for release in shown_releases(asked.data_dir)
    ]
    return _answer(rows, RELEASES, newest, asked)


def shown_releases(data_dir: Path) -> Iterator[Release]:
    """Yield the releases that can be asked for, the newest first."""
    for release_id in kept_releases(data_dir):
        try:
            yield kept_release(data_dir, release_id)
        except NoSuchRelease:
            continue


def _changes(asked: Asked) -> Answer:
    filters: ChangeFilters = asked.filters
    after = filters.release(asked.data_dir)
    before = kept(asked.data_dir, filters.foer, "foer") if filters.foer else release_before(after)
    if before is None:
        raise Problem(404, f"There is no earlier release than {after.id} to compare with.", {"key": "foer"})
    wanted = filters.slice(after)
    both = changes(before, after, wanted.queries(after))
    differs = pl.col("before").ne_missing(pl.col("after")) | (pl.col("before_status") != pl.col("after_status"))
    method = method_changes(before, after)
    about = {
        **_about(after, asked),
        "before": before.id,
        "compared": both.height,
        "counted_otherwise": {
            "indicators": list(method.indicators),
            "rules": list(method.rules),
            "diagnosis_groups": list(method.groups),
        },
    }
    changed = both.filter(differs).with_columns(pl.selectors.float().round(6))
    return Answer([changed], both.height, about, after)


# --- Services and meetings ----------------------------------------------------------------------------------

SERVICES = _columns(
    {
        "municipality_code": pl.String,
        "area_name": pl.String,
        "service_type": pl.String,
        "name": pl.String,
        "address": pl.String,
        "phone": pl.String,
        "hours": pl.String,
        "referrers": pl.String,
        "competences": pl.List(pl.String),
        "n_places": pl.Int32,
        "response_minutes": pl.Int32,
        "operator": pl.String,
        "valid_from": pl.Date,
        "valid_to": pl.Date,
    }
)


def _services(asked: Asked) -> Answer:
    filters: ServiceFilters = asked.filters
    release = filters.release(asked.data_dir)
    places = {area.code: area for area in catalogue(release).areas[filters.map_id, "municipality"]}
    inside = filters.area(release, filters.omraade)
    codes = set(inside.municipalities) if inside else set(places)
    rows = [
        {**service, "area_name": _name(places.get(service["municipality_code"]))}
        for service in services(release)
        if service["municipality_code"] in codes
    ]
    return _answer(rows, SERVICES, release, asked)


def _name(area: Area | None) -> str | None:
    return area.name if area else None


AGENDAS = _columns(
    {
        "agenda": pl.String,
        "title": pl.String,
        "meeting": pl.String,
        "day": pl.Date,
        "release": pl.String,
        "map": pl.String,
        "language": pl.String,
        "n_items": pl.Int64,
    }
)
ITEMS = _columns(
    {
        "number": pl.Int64,
        "title": pl.String,
        "address": pl.String,
        "recommendation": pl.String,
        "notes": pl.String,
    }
)


def _agendas(asked: Asked) -> Answer:
    rows = [
        {
            "agenda": found.agenda.name,
            "title": found.agenda.title,
            "meeting": found.agenda.meeting,
            "day": found.agenda.day,
            "release": found.agenda.release,
            "map": found.agenda.map,
            "language": found.agenda.lang,
            "n_items": len(found.agenda.items),
        }
        for found in kept_agendas(asked.data_dir)[0]
    ]
    return Answer([pl.DataFrame(rows, schema=AGENDAS)], len(rows))


def _agenda(asked: Asked) -> Answer:
    try:
        agenda = kept_agenda(asked.data_dir, asked.id).agenda
    except AgendaProblem:
        known = [found.agenda.name for found in kept_agendas(asked.data_dir)[0]]
        detail = f"There is no agenda {asked.id[:60]!r}. There are: {', '.join(known) or 'none'}."
        raise Problem(404, detail, {"found": asked.id[:60], "allowed": known}) from None
    rows = [
        {
            "number": number,
            "title": item.title,
            "address": item.address,
            "recommendation": item.recommendation,
            "notes": item.notes,
        }
        for number, item in enumerate(agenda.items, start=1)
    ]
    about = {"agenda": agenda.name, "title": agenda.title, "release": agenda.release, "map": agenda.map}
    return Answer([pl.DataFrame(rows, schema=ITEMS)], len(rows), about)


# --- Interventions ------------------------------------------------------------------------------------------

INTERVENTIONS = _columns(
    {
        "intervention_id": pl.String,
        "intervention": pl.String,
        "indicator": pl.String,
        "municipality_codes": pl.String,
        "start_date": pl.Date,
        "end_date": pl.Date,
        "expected_effect": pl.Float64,
        "locked_on": pl.Datetime("us"),
        "plan_hash": pl.String,
        "is_intact": pl.Boolean,
    }
)


def _interventions(asked: Asked) -> Answer:
    release = asked.filters.release(asked.data_dir)
    rows = [
        {
            "intervention_id": plan.id,
            "intervention": plan.name,
            "indicator": plan.indicator,
            "municipality_codes": "+".join(plan.municipalities),
            "start_date": plan.start,
            "end_date": plan.end,
            "expected_effect": plan.expected_effect,
            "locked_on": plan.locked_on,
            "plan_hash": plan.plan_hash,
            "is_intact": plan.is_intact if plan.plan_hash else None,
        }
        for plan in known_plans(release)
    ]
    return _answer(rows, INTERVENTIONS, release, asked)


def _report(asked: Asked) -> tuple[Release, EffectReport, dict[str, Any]]:
    """Return what came of the intervention in the address, and what stands beside its rows. Raises Problem."""
    release = asked.filters.release(asked.data_dir)
    plan = find_plan(release, asked.id)
    if plan is None:
        known = [found.id for found in known_plans(release)]
        detail = f"There is no intervention {asked.id[:60]!r}. There are: {', '.join(known) or 'none'}."
        raise Problem(404, detail, {"found": asked.id[:60], "allowed": known})
    report = effect_of(release, plan)
    judged = {
        "verdict": report.verdict,
        "reasons": list(report.reasons),
        "refusals": [one.id for one in report.refusals],
    }
    return release, report, {**_about(release, asked), **judged}


def _effect(asked: Asked) -> Answer:
    release, report, about = _report(asked)
    rows = method_rows(report)
    return Answer([rows], rows.height, about, release)


def _effect_months(asked: Asked) -> Answer:
    release, report, about = _report(asked)
    rows = month_rows(release, report)
    return Answer([rows], rows.height, about, release)


_ID = next(iter(load_indicators()))
RESOURCES: tuple[Resource, ...] = (
    Resource("values", SliceFilters, COLUMNS, _values, f"indikatorer={_ID}&niveau=region&inddeling=year"),
    Resource("indicators", ReleaseFilters, INDICATORS, _indicators),
    Resource("indicators/{id}", ReleaseFilters, INDICATORS, _indicator, example_id=_ID),
    Resource("areas", AreaFilters, AREAS, _areas, "niveau=kkr"),
    Resource("periods", PeriodFilters, PERIODS, _periods, "inddeling=year"),
    Resource("releases", Filters, RELEASES, _releases),
    Resource("changes", ChangeFilters, CHANGES, _changes, f"indikatorer={_ID}&niveau=region&inddeling=year"),
    Resource("services", ServiceFilters, SERVICES, _services, "omraade=kkr-nordjylland"),
    Resource("agendas", Filters, AGENDAS, _agendas),
    Resource("agendas/{id}", Filters, ITEMS, _agenda, example_id="kkr-nordjylland"),
    Resource("interventions", ReleaseFilters, INTERVENTIONS, _interventions),
    Resource("effects/{id}", ReleaseFilters, _columns(METHODS), _effect, example_id="IND-01"),
    Resource("effect_months/{id}", ReleaseFilters, _columns(MONTHS), _effect_months, example_id="IND-01"),
    Resource("cube", CubeFilters, CUBE, _cube, "fra=2025-01&til=2025-01"),
)


def resource_named(name: str) -> Resource:
    """Return the resource of a name. Raises Problem where there is none."""
    for resource in RESOURCES:
        if resource.name == name:
            return resource
    raise not_allowed("resource", name, [resource.path for resource in RESOURCES])

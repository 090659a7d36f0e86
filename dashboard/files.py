"""The files behind the figures: one address per slice, the bytes made by ``kpis.export`` as on the command line.

Addresses that pages give are tied to the release they show, so that the same file is got again for as long as that
release is kept. Without ``udgave=`` an address gives the newest figures each time, as a report that is renewed wants.
"""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlencode

from flask import Flask, Response, request

from dashboard.api.filters import AreaText, FileFilters, MapFilters, PeriodText, one_of, read_filters, slice_query
from dashboard.api.problem import Problem
from dashboard.api.quota import charge
from dashboard.guard.access import audit, needs
from dashboard.passport import issue, short_address
from dashboard.potentials import potential_rows
from dashboard.readings import latest_period
from dashboard.selection import CAPTURES, COUNTRY, REFERENCE_WORDS, AreaRef, catalogue
from kpis.area import MAPS, Map
from kpis.catalogue import fingerprint
from kpis.export import FORMATS, Dialect, File, Format, description, export, export_rows
from kpis.indicator import LANGUAGES, Language
from kpis.period import Period
from kpis.potential import Reference
from kpis.query import By, QueryError
from kpis.release import Release
from kpis.slice import Slice

KINDS: dict[Format, str] = {"parquet": "Parquet", "csv": "CSV", "xlsx": "Excel"}
"""Kinds that stand below figures, with their names; the page about data has all of ``kpis.export.FORMATS``."""
POTENTIAL_KINDS: tuple[Format, ...] = ("parquet", "csv")
DESCRIPTION = "json"
"""The ending of the file that belongs beside a CSV file."""


def slice_address(
    wanted: Slice, kind: str, lang: Language, release_id: str | None = None, dialect: Dialect = "danish"
) -> str:
    """Return the address of a slice as a file; ``release_id`` None = of the newest release, whichever it is."""
    query = urlencode(slice_query(wanted, lang, release_id, dialect))
    return f"/fil/{quote(','.join(wanted.indicators), safe=',')}.{kind}" + (f"?{query}" if query else "")


def address(
    release: Release,
    indicator: str,
    kind: str,
    level: str,
    periods: Sequence[Period],
    standardised: bool,
    map_id: Map,
    lang: Language,
    within: AreaRef | None = None,
    by: By | None = None,
) -> str:
    """Return the address of the estimates of one indicator as a file, tied to the release; see :class:`Slice`."""
    place = catalogue(release).area(within, map_id) if within else None
    wanted = Slice((indicator,), level, tuple(periods), standardised, map_id, place, by)
    return slice_address(wanted, kind, lang, release.id)


def potential_address(
    release: Release,
    kind: Format,
    area: AreaRef,
    map_id: Map,
    period: Period,
    reference: Reference,
    capture: int,
    lang: Language = LANGUAGES[0],
) -> str:
    """Return the address of the potentials of one area, tied to the release; ``capture`` in per cent."""
    query = {
        **({"sprog": lang} if lang != LANGUAGES[0] else {}),
        **({"kort": map_id} if map_id != MAPS[0] else {}),
        "omraade": area.text,
        "periode": period.id,
        "maalestok": REFERENCE_WORDS[reference],
        **({"andel": capture} if capture != 100 else {}),
        "udgave": release.id,
    }
    return f"/fil/potentiale.{kind}?{urlencode(query)}"


class PotentialFilters(MapFilters):
    """The potentials of one area."""

    omraade: AreaText = COUNTRY.text
    periode: PeriodText | None = None
    maalestok: one_of(REFERENCE_WORDS.values()) = next(iter(REFERENCE_WORDS.values()))  # type: ignore[valid-type]
    andel: one_of(str(share) for share in sorted(CAPTURES, reverse=True)) = "100"  # type: ignore[valid-type]


def register(server: Flask, data_dir: Path) -> None:
    """Add ``/fil/<indicators>.<parquet|csv|xlsx|arrow|json>``; its choices are those of :class:`FileFilters`.

    The file in JSON belongs beside the CSV file. Also ``/fil/potentiale.<parquet|csv>``, see
    :func:`potential_address`. Each answer tells the SHA-256 of its bytes as its ETag.
    """

    @server.get("/fil/<indicators>.<kind>")
    def send_file(indicators: str, kind: str) -> Response | tuple[str, int, dict[str, str]]:
        needs("analyst")
        try:
            _check_kind(kind, (*FORMATS, DESCRIPTION))
            filters = read_filters(FileFilters, {**dict(request.args.lists()), "indikatorer": [indicators]})
            release = filters.release(data_dir)
            wanted = filters.slice(release)
            charge(wanted.row_count(release))
            file = slice_file(release, wanted, kind, filters.language, filters.dialect)
        except Problem as problem:
            return _refused(problem)
        except QueryError as error:
            return _refused(Problem(400, str(error)))
        passport = issue_slice(data_dir, wanted, release)
        audit("file", file=file.name, release=release.id, rows=wanted.row_count(release))
        return sent(file, passport)

    @server.get("/fil/potentiale.<kind>")
    def send_potential(kind: str) -> Response | tuple[str, int, dict[str, str]]:
        needs("analyst")
        try:
            _check_kind(kind, POTENTIAL_KINDS)
            filters = read_filters(PotentialFilters, dict(request.args.lists()))
            release = filters.release(data_dir)
            file = _potential(release, filters, kind)
        except Problem as problem:
            return _refused(problem)
        audit("file", file=file.name, release=release.id)
        return sent(file)


def slice_file(release: Release, wanted: Slice, kind: str, lang: Language, dialect: Dialect = "danish") -> File:
    """Return a slice as a file of a kind of ``FORMATS``, or what belongs beside it as CSV. Raises QueryError."""
    for known in FORMATS:
        if kind == known:
            return export(release, wanted, known, lang, dialect)
    return description(release, wanted, lang, dialect)


def issue_slice(data_dir: Path, wanted: Slice, release: Release) -> str | None:
    """Keep the passport of a slice, whatever its kind and language, and return its id; None where it cannot be kept."""
    return issue(data_dir, slice_address(wanted, "parquet", LANGUAGES[0]), release.id, wanted.options)


def sent(file: File, passport: str | None = None) -> Response:
    """Return the answer that gives a file, with its SHA-256 as ETag, or 304 to whoever has it already."""
    answer = Response(file.content, mimetype=file.media_type)
    answer.headers.set("Content-Disposition", "attachment", filename=file.name)
    if passport:
        answer.headers.set("Link", f'<{short_address(passport)}>; rel="describedby"')
    answer.set_etag(fingerprint(file.content))
    answer.make_conditional(request)
    return answer


def _potential(release: Release, filters: PotentialFilters, kind: str) -> File:
    area = filters.area(release, filters.omraade)
    assert area is not None, "one is always named"
    period = Period.from_id(filters.periode) if filters.periode else latest_period(release)
    reference = next(name for name, word in REFERENCE_WORDS.items() if word == filters.maalestok)
    rows = potential_rows(release, area, period, reference, int(filters.andel) / 100)
    name = f"potential_{area.slug or area.level}_{reference}-{filters.andel}_{period.id}"
    return export_rows(release, rows, name, "parquet" if kind == "parquet" else "csv", filters.language)


def _check_kind(kind: str, allowed: Sequence[str]) -> None:
    if kind not in allowed:
        raise Problem(400, f"{kind[:20]!r} is no kind of file here. Allowed: {', '.join(allowed)}.")


def _refused(problem: Problem) -> tuple[str, int, dict[str, str]]:
    return f"{problem}\n", problem.status, {"Content-Type": "text/plain; charset=utf-8"}

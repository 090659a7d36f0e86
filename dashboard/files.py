"""The files behind the figures: one address per slice, the bytes made by ``kpis.export`` as on the command line."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode

from flask import Flask, Response, request

from dashboard.potentials import potential_rows
from dashboard.readings import latest_period
from dashboard.selection import (
    CAPTURES,
    COUNTRY,
    LEVEL_WORDS,
    REFERENCE_WORDS,
    AreaRef,
    Catalogue,
    area_ref,
    catalogue,
)
from kpis.area import MAPS, Area, Map, areas, areas_within, levels
from kpis.evaluate import By, Query, QueryError
from kpis.export import FORMATS, File, Format, export, export_rows
from kpis.indicator import LANGUAGES, Language, load_indicators
from kpis.period import GRAINS, Grain, Period, periods_between
from kpis.potential import Reference
from kpis.release import Release, ReleaseError, current_release

KINDS: dict[Format, str] = {"parquet": "Parquet", "csv": "CSV", "xlsx": "Excel"}
POTENTIAL_KINDS: tuple[Format, ...] = ("parquet", "csv")
NO_RELEASE = "There is no release to take figures from."
BY_WORDS: dict[By, str] = {"group": "tilstand", "age": "alder", "sex": "koen"}
T = TypeVar("T", bound=str)

_LEVELS = {word: level for level, word in LEVEL_WORDS.items()}
_BYS = {word: by for by, word in BY_WORDS.items()}


class _BadAddress(ValueError):
    """The address of a file is wrong; the text says what was found and what is allowed."""


@dataclass(frozen=True)
class Slice:
    """What a file holds. ``periods`` follow each other and are of one grain; ``within`` None = everywhere."""

    indicators: tuple[str, ...]
    level: str
    periods: tuple[Period, ...]
    standardised: bool = False  # where an indicator can be
    map: Map = MAPS[0]
    within: AreaRef | None = None
    by: By | None = None

    def queries(self, release: Release) -> list[Query]:
        """Return the queries of the file, one an indicator. Raises QueryError where the counts cannot answer them."""
        known = catalogue(release)
        place = known.area(self.within, self.map) if self.within else None
        chosen = areas_within(release, self.level, place) if place else areas(release, self.level, self.map)
        if not chosen:
            raise QueryError(f"No {self.level} lies in {self.within.text if self.within else 'it'}.")
        wanted = [load_indicators()[name] for name in self.indicators]
        return [
            Query(item, chosen, self.periods, self.by, self.standardised and item.can_be_standardised)
            for item in wanted
        ]

    def address(self, kind: Format, lang: Language) -> str:
        """Return the address of the file; the period is named by its first and its last month."""
        query = {
            "niveau": LEVEL_WORDS[self.level],
            **({"omraade": self.within.text} if self.within else {}),
            "fra": f"{self.periods[0].first:%Y-%m}",
            "til": f"{self.periods[-1].last:%Y-%m}",
            "inddeling": self.periods[0].grain,
            **({"beregning": "standardiseret"} if self.standardised else {}),
            **({"opdeling": BY_WORDS[self.by]} if self.by else {}),
            **({"kort": self.map} if self.map != MAPS[0] else {}),
            **({"sprog": lang} if lang != LANGUAGES[0] else {}),
        }
        return f"/fil/{quote(','.join(self.indicators), safe=',')}.{kind}?{urlencode(query)}"

    def command(self, kind: Format, release: Release, lang: Language) -> str:
        """Return the command line that writes the same bytes."""
        place = catalogue(release).area(self.within, self.map) if self.within else None
        parts = [
            "python -m kpis export",
            *self.indicators,
            f"--level {self.level}",
            *([f"--area {place.code} --area-level {place.level}"] if place else []),
            f"--from {self.periods[0].first:%Y-%m} --to {self.periods[-1].last:%Y-%m}",
            f"--grain {self.periods[0].grain} --map {self.map} --format {kind}",
            *(["--standardised"] if self.standardised else []),
            *([f"--by {self.by}"] if self.by else []),
            *([f"--lang {lang}"] if lang != LANGUAGES[0] else []),
        ]
        return " ".join(parts)


def address(
    indicator: str,
    kind: Format,
    level: str,
    periods: Sequence[Period],
    standardised: bool,
    map_id: Map,
    lang: Language,
    within: AreaRef | None = None,
    by: By | None = None,
) -> str:
    """Return the address of the estimates of one indicator as a file; see :class:`Slice`."""
    return Slice((indicator,), level, tuple(periods), standardised, map_id, within, by).address(kind, lang)


def potential_address(
    kind: Format, area: AreaRef, map_id: Map, period: Period, reference: Reference, capture: int
) -> str:
    """Return the address of the potentials of one area; ``capture`` in per cent."""
    query = {
        "omraade": area.text,
        "periode": period.id,
        "maalestok": REFERENCE_WORDS[reference],
        **({"andel": capture} if capture != 100 else {}),
        **({"kort": map_id} if map_id != MAPS[0] else {}),
    }
    return f"/fil/potentiale.{kind}?{urlencode(query)}"


def register(server: Flask, data_dir: Path) -> None:
    """Add ``/fil/<indicators>.<parquet|csv|xlsx>``; its choices are those that :class:`Slice` writes.

    Also ``/fil/potentiale.<parquet|csv>``, see :func:`potential_address`.

    Each answer tells the SHA-256 of its bytes as its ETag.
    """

    @server.get("/fil/<indicators>.<kind>")
    def send_file(indicators: str, kind: str) -> Response | tuple[str, int, dict[str, str]]:
        try:
            release = current_release(data_dir)
            file_format = _format(kind)
            queries = _slice(catalogue(release), indicators).queries(release)
            file = export(release, queries, file_format, _one_of("sprog", LANGUAGES))
        except ReleaseError:
            return _refused(NO_RELEASE, 503)
        except (_BadAddress, QueryError) as error:
            return _refused(str(error), 400)
        return _sent(file)

    @server.get("/fil/potentiale.<kind>")
    def send_potential(kind: str) -> Response | tuple[str, int, dict[str, str]]:
        try:
            release = current_release(data_dir)
            file = _potential(release, kind)
        except ReleaseError:
            return _refused(NO_RELEASE, 503)
        except _BadAddress as error:
            return _refused(str(error), 400)
        return _sent(file)


def _sent(file: File) -> Response:
    answer = Response(file.content, mimetype=file.media_type)
    answer.headers.set("Content-Disposition", "attachment", filename=file.name)
    answer.set_etag(checksum(file))
    answer.make_conditional(request)
    return answer


def _potential(release: Release, kind: str) -> File:
    if kind not in POTENTIAL_KINDS:
        raise _BadAddress(f"{kind[:20]!r} is no kind of this file. Allowed: {', '.join(POTENTIAL_KINDS)}.")
    map_id: Map = _one_of("kort", MAPS)
    known = catalogue(release)
    area = known.area(_within(known, map_id) or COUNTRY, map_id)
    text = request.args.get("periode", latest_period(release).id)
    try:
        period = Period.from_id(text)
    except ValueError as error:
        raise _BadAddress(str(error)) from None
    references = {word: reference for reference, word in REFERENCE_WORDS.items()}
    reference = references[_one_of("maalestok", tuple(references))]
    capture = int(_one_of("andel", tuple(str(share) for share in sorted(CAPTURES, reverse=True))))
    assert area is not None, "every release has the country"
    rows = potential_rows(release, area, period, reference, capture / 100)
    name = f"potential_{area.slug or area.level}_{reference}-{capture}_{period.id}"
    return export_rows(release, rows, name, _format(kind))


def checksum(file: File) -> str:
    """Return the SHA-256 of the bytes of a file in hexadecimal."""
    return hashlib.sha256(file.content).hexdigest()


def _format(kind: str) -> Format:
    for known in FORMATS:
        if kind == known:
            return known
    raise _BadAddress(f"{kind[:20]!r} is no kind of file here. Allowed: {', '.join(FORMATS)}.")


def _slice(known: Catalogue, indicators: str) -> Slice:
    wanted = tuple(dict.fromkeys(indicators.split(",")))
    for name in wanted:
        if name not in known.indicators:
            raise _BadAddress(f"{name[:60]!r} is no indicator. Allowed: {', '.join(known.indicators)}.")
    map_id: Map = _one_of("kort", MAPS)
    grain: Grain = _one_of("inddeling", GRAINS)
    periods = periods_between(_month("fra").first, _month("til").last, grain)
    if not periods:
        raise _BadAddress(f"There is no whole {grain} from fra={request.args['fra']} to til={request.args['til']}.")
    calculation = _one_of("beregning", ("raa", "standardiseret"))
    split = _one_of("opdeling", ("", *_BYS))
    return Slice(
        wanted,
        _LEVELS[_one_of("niveau", tuple(LEVEL_WORDS[level] for level in levels(map_id)))],
        periods,
        standardised=calculation == "standardiseret" and _asked_to_standardise(wanted),
        map=map_id,
        within=_within(known, map_id),
        by=_BYS.get(split),
    )


def _asked_to_standardise(wanted: Sequence[str]) -> bool:
    """Of several indicators those are standardised that can be; of a single one it must be possible."""
    if len(wanted) == 1 and not load_indicators()[wanted[0]].can_be_standardised:
        raise _BadAddress(f"{wanted[0]} cannot be standardised; ask for it without beregning=standardiseret.")
    return True


def _within(known: Catalogue, map_id: Map) -> AreaRef | None:
    text = request.args.get("omraade")
    if text is None:
        return None
    found: Area | None = None
    word, _, slug = text.partition("-")
    if word in _LEVELS:
        found = known.area(AreaRef(_LEVELS[word], slug), map_id)
    if found is None:
        raise _BadAddress(f"omraade={text[:60]} is not known on the map of {map_id}. Write for example k-hjoerring.")
    return area_ref(found)


def _one_of(key: str, allowed: tuple[T, ...]) -> T:
    """Return the value of ``key``, the first allowed one when it is not given."""
    text = request.args.get(key, allowed[0])
    for value in allowed:
        if value == text:
            return value
    raise _BadAddress(f"{key}={text[:40]} is not known. Allowed: {', '.join(allowed)}.")


def _month(key: str) -> Period:
    text = request.args.get(key, "")
    try:
        period: Period | None = Period.from_id(text)
    except ValueError:
        period = None
    if period is None or period.grain != "month":
        raise _BadAddress(f"{key}={text[:40]} is not a month. Write for example {key}=2024-01.")
    return period


def _refused(text: str, status: int) -> tuple[str, int, dict[str, str]]:
    return text + "\n", status, {"Content-Type": "text/plain; charset=utf-8"}

"""The files behind the figures: one address per slice, the bytes made by ``kpis.export`` as on the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from flask import Flask, Response, request

from dashboard.selection import LEVEL_WORDS
from kpis.area import MAPS, Map, areas, levels
from kpis.evaluate import Query, QueryError
from kpis.export import FORMATS, Format, export
from kpis.indicator import LANGUAGES, Language, load_indicators
from kpis.period import GRAINS, Grain, Period, periods_between
from kpis.release import Release, ReleaseError, current_release

KINDS: dict[Format, str] = {"parquet": "Parquet", "csv": "CSV"}
T = TypeVar("T", bound=str)

_LEVELS = {word: level for level, word in LEVEL_WORDS.items()}


class _BadAddress(ValueError):
    """The address of a file is wrong; the text says what was found and what is allowed."""


def address(
    indicator: str, kind: Format, level: str, periods: Sequence[Period], standardised: bool, map_id: Map, lang: Language
) -> str:
    """Return the address of the estimates of all areas of a level as a file.

    ``periods`` follow each other and are of one grain; the address names the first and the last month.
    """
    query = {
        "niveau": LEVEL_WORDS[level],
        "fra": f"{periods[0].first:%Y-%m}",
        "til": f"{periods[-1].last:%Y-%m}",
        "inddeling": periods[0].grain,
        **({"beregning": "standardiseret"} if standardised else {}),
        **({"kort": map_id} if map_id != MAPS[0] else {}),
        **({"sprog": lang} if lang != LANGUAGES[0] else {}),
    }
    return f"/fil/{indicator}.{kind}?{urlencode(query)}"


def register(server: Flask, data_dir: Path) -> None:
    """Add ``/fil/<indicator>.<parquet|csv>`` with niveau, fra, til, inddeling, beregning and kort as choices."""

    @server.get("/fil/<indicator>.<kind>")
    def send_file(indicator: str, kind: str) -> Response | tuple[str, int, dict[str, str]]:
        try:
            release = current_release(data_dir)
            file_format = _format(kind)
            query = _query(release, indicator)
            language: Language = _one_of("sprog", LANGUAGES)
        except ReleaseError:
            return _refused("There is no release to take figures from.", 503)
        except (_BadAddress, QueryError) as error:
            return _refused(str(error), 400)
        file = export(release, query, file_format, language)
        answer = Response(file.content, mimetype=file.media_type)
        answer.headers.set("Content-Disposition", "attachment", filename=file.name)
        return answer


def _format(kind: str) -> Format:
    for known in FORMATS:
        if kind == known:
            return known
    raise _BadAddress(f"{kind[:20]!r} is no kind of file here. Allowed: {', '.join(FORMATS)}.")


def _query(release: Release, indicator_id: str) -> Query:
    indicators = load_indicators()
    if indicator_id not in indicators:
        raise _BadAddress(f"{indicator_id!r} is no indicator. Allowed: {', '.join(indicators)}.")
    map_id: Map = _one_of("kort", MAPS)
    level = _LEVELS[_one_of("niveau", tuple(LEVEL_WORDS[level] for level in levels(map_id)))]
    grain: Grain = _one_of("inddeling", GRAINS)
    periods = periods_between(_month("fra").first, _month("til").last, grain)
    if not periods:
        raise _BadAddress(f"There is no whole {grain} from fra={request.args['fra']} to til={request.args['til']}.")
    calculation = _one_of("beregning", ("raa", "standardiseret"))
    return Query(
        indicators[indicator_id],
        areas(release, level, map_id),
        periods,
        standardised=calculation == "standardiseret",
    )


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

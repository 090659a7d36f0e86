"""What is asked of the headers of every form of file, and what a file is told whose headers fit nothing."""

import re
from collections.abc import Sequence

from etl.file import shown
from etl.finding import Refused
from etl.parse import REPEATING
from etl.source import Recognised, Unknown

MOST_HEADERS_NAMED = 15
ROWS_LOOKED_AT = 20  # titles and notes may stand above the headers of text and of sheets


def recognised(fit: Recognised | Unknown, row: int | None = None) -> Recognised:
    """What the headers, which stand in `row`, were recognised as. Raises Refused where they were not."""
    if isinstance(fit, Unknown):
        raise refusal(fit, row)
    return fit


def refusal(fit: Unknown, row: int | None = None) -> Refused:
    """In words: what was read as headers, what the file might be, and which columns differ."""
    # a file without headers has data in their place: what holds a digit is not repeated
    strange = [header for header in fit.unused if re.fullmatch(r"(?:[^\W\d]|[ ./_-]){1,40}", header)]
    named = ", ".join(strange[:8])
    if fit.n_found == 0:
        return Refused("D2-unknown.none", row, strange=named) if strange else Refused("D2-unknown.headless", row)
    title, missing = fit.nearest.title, ", ".join(fit.missing)
    if not strange:
        return Refused("D2-unknown.nearest", row, title=title, missing=missing)
    return Refused("D2-unknown.strange", row, title=title, missing=missing, strange=named)


def refuse_header_twice(headers: list[str], row: int) -> None:
    """Raise Refused where a header stands twice; `row` is where the headers are."""
    twice = sorted({shown(h) for h in headers if h and headers.count(h) > 1})
    if twice:
        raise Refused("D3-header", row=row, names=", ".join(twice))


def refuse_untitled(fit: Recognised) -> None:
    """Raise Refused where years stand side by side and nothing says what the figures are."""
    if fit.years and "indicator" not in fit.header_of:
        raise Refused("D2-unknown.untitled", title=fit.source.title)


def wanted_headers(fit: Recognised) -> list[str]:
    """Headers of the columns that are read, each once."""
    headers = [*fit.header_of.values(), *fit.clock_of.values(), *fit.years]
    return [name for name in dict.fromkeys(headers) if not (fit.years and name in ("period", "value"))]


def coded(fit: Recognised) -> set[str]:
    """Headers of columns whose texts are read as codes, because the same few stand again and again."""
    return {fit.header_of[c.name] for c in fit.source.columns if c.type in REPEATING and c.name in fit.header_of}


def headers_shown(headers: Sequence[str]) -> str:
    """Some headers for a message. In a file without headers data stand in their place: long numbers are left out."""
    some = [shown(re.sub(r"\d{5,}", "…", header)) for header in headers[:MOST_HEADERS_NAMED]]
    return ", ".join(some) + (f" … ({len(headers)})" if len(headers) > MOST_HEADERS_NAMED else "")

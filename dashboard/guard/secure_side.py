"""True counts stay on the machine they were made on: an unprotected release is shown to this machine only.

The command that serves listens on loopback alone. This is the second lock, in the code that answers, for whoever serves
the application in another way or puts a proxy before it.
"""

from pathlib import Path

from flask import Flask, request

from dashboard.guard.loopback import is_loopback, leads_to_loopback
from kpis.release import ReleaseError, current_release

_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
_TEXT = (
    "Denne udgivelse er ubeskyttet (--protection none) og vises kun på den maskine, den er lavet på, uden mellemled. "
    "Udgiv en beskyttet: python -m etl build\n"
    "This release is unprotected (--protection none) and is shown only on the machine it was made on, with nothing in "
    "between. Publish a protected one: python -m etl build\n"
)


def register(server: Flask, data_dir: Path) -> None:
    """Answer every request for an unprotected release with 403, unless both ends of the connection are loopback."""

    @server.before_request
    def refuse_others() -> tuple[str, int, dict[str, str]] | None:
        if is_of_this_machine() or not _is_unprotected(data_dir):
            return None
        return _TEXT, 403, {"Content-Type": "text/plain; charset=utf-8"}


def is_of_this_machine() -> bool:
    """Whether the request came to a loopback address, under the name of one, from one, and through nobody else's hands.

    A proxy that tells nothing of itself is known by what it passes on or is too old for: the page that a browser says
    it asks from, and HTTP/1.0, which nginx speaks when told nothing else and no browser does.
    """
    ends = (request.environ.get("SERVER_NAME"), request.environ.get("REMOTE_ADDR"))
    return (
        all(map(is_loopback, ends))
        and leads_to_loopback(f"//{request.host}")
        and leads_to_loopback(request.headers.get("Origin", "//localhost"))
        and request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
        and not any(name in request.headers for name in _FORWARDED)
    )


def _is_unprotected(data_dir: Path) -> bool:
    try:
        return current_release(data_dir).manifest["protection"].get("method", "none") == "none"
    except ReleaseError:
        return False  # there is nothing to show

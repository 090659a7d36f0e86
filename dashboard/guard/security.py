"""What every answer carries so that a browser asks nobody else and runs nothing foreign; how errors look; limits."""

import logging
from collections.abc import Sequence

from flask import Flask, Response, request
from flask_limiter import Limiter
from werkzeug.exceptions import HTTPException

from dashboard.guard.access import PLAIN, current_user, said
from dashboard.guard.loopback import is_loopback
from dashboard.guard.settings import Settings
from kpis.release import QUERY_SECONDS

LARGEST_BODY = 64 * 1024
"""Bytes of the largest request: an address, or a form with a few texts."""

SLOWEST_QUERY = 5.0
"""Seconds after which a query that a request asked for is broken off."""

ANSWERS_A_MINUTE = 1_200
"""What one reader may ask a worker for, where there is a log-in; a file counts as twenty pages."""

_FILE_COST = 20
_FILES = ("/fil/", "/api/", "/billede/")
_PAPERS = (".pdf", ".pptx")
_STATIC = ("/assets/", "/_dash-component-suites/", "/live", "/ready", "/metrics")
_log = logging.getLogger(__name__)
_YEAR = 31_536_000


def limit(server: Flask, settings: Settings) -> None:
    """Bound what one request, one query and one reader may ask of ``server``; before routes exist, after the log-in.

    Before :mod:`dashboard.guard.access`, which remembers whom it refuses: refusals are limited too.
    """
    server.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY

    @server.before_request
    def bound_queries() -> None:
        QUERY_SECONDS.set(SLOWEST_QUERY)

    @server.teardown_request
    def unbound_queries(_: BaseException | None) -> None:
        QUERY_SECONDS.set(None)  # the thread may do other work next

    if settings.has_login:
        Limiter(
            _reader,
            app=server,
            application_limits=[f"{ANSWERS_A_MINUTE}/minute"],
            application_limits_cost=_cost,
            application_limits_exempt_when=lambda: request.path.startswith(_STATIC),
            on_breach=lambda _: Response(said("access.too_many"), 429, PLAIN),
            storage_uri="memory://",
            strategy="moving-window",
            request_identifier=lambda: request.endpoint or "none",  # what leads nowhere is counted as well
        )


def _cost() -> int:
    return _FILE_COST if request.path.startswith(_FILES) or request.path.endswith(_PAPERS) else 1


def _reader() -> str:
    """Who is counted: a person who was let in, else an address – as a proxy on this machine tells it."""
    peer = request.environ.get("REMOTE_ADDR", "")
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return current_user().name or (told if told and (peer == "" or is_loopback(peer)) else peer)


def register(server: Flask, script_hashes: Sequence[str], settings: Settings) -> None:
    """Add security and cache headers to every answer of ``server``, and let no error tell what is inside.

    ``script_hashes`` are those of Dash's own inline scripts, asked for after all callbacks exist. Styles need
    'unsafe-inline': drawings carry style attributes.
    """
    policy = "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {' '.join(script_hashes)}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            f"form-action 'self' {settings.login_origin or ''}".rstrip(),  # logging out leads there
            "frame-ancestors 'none'",
        )
    )

    @server.after_request
    def add_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        if settings.is_https:
            response.headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
        if request.path.startswith("/assets/") and "m" in request.args and response.status_code == 200:
            response.headers["Cache-Control"] = f"public, immutable, max-age={_YEAR}"
        elif "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "private, no-cache"
        return response

    @server.errorhandler(Exception)
    def answer_error(error: Exception) -> tuple[str, int, dict[str, str]] | HTTPException:
        """Nothing internal leaves in an answer; a body that is no callback of ours is the sender's fault."""
        if isinstance(error, HTTPException):
            return error
        forged = request.path.startswith("/_dash-")
        if forged:
            _log.warning("refused a request to %s: %s", request.path, type(error).__name__, exc_info=error)
        else:
            _log.exception("no answer to %s", request.path)
        status, text = (400, "bad request\n") if forged else (500, "internal error\n")
        return text, status, {"Content-Type": "text/plain; charset=utf-8"}

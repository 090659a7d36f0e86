"""What every answer carries so that a browser asks nobody else and runs nothing foreign, and how errors look."""

import logging
from collections.abc import Sequence

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

_log = logging.getLogger(__name__)
_YEAR = 31_536_000


def register(server: Flask, script_hashes: Sequence[str]) -> None:
    """Add security and cache headers to every answer of ``server``.

    ``script_hashes`` are those of Dash's own inline scripts, asked for after all callbacks exist. Styles need
    'unsafe-inline': Plotly writes style attributes.
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
            "form-action 'self'",
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
        if request.path.startswith("/assets/") and "m" in request.args and response.status_code == 200:
            response.headers["Cache-Control"] = f"public, immutable, max-age={_YEAR}"
        elif "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-cache"
        return response

    @server.errorhandler(Exception)
    def answer_error(error: Exception) -> tuple[str, int, dict[str, str]] | HTTPException:
        """Nothing internal leaves in an answer; a body that is no callback of ours is the sender's fault."""
        if isinstance(error, HTTPException):
            return error
        forged = request.path.startswith("/_dash-")
        if forged:
            _log.warning("refused a request to %s: %s", request.path, type(error).__name__)
        else:
            _log.exception("no answer to %s", request.path)
        status, text = (400, "bad request\n") if forged else (500, "internal error\n")
        return text, status, {"Content-Type": "text/plain; charset=utf-8"}

"""What the server writes down: one line of JSON for each event, with the request that it belongs to, without persons.

A request id that a proxy gives (X-Request-ID) is kept, else one is made; it stands in every line, in the audit log and
in the answer, so that what a reader saw can be found again.
"""

import json
import logging
import re
import secrets
import sys
import time
from datetime import UTC, datetime

from flask import Flask, Response, g, has_request_context, request

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LETTERS = str.maketrans("0123456789", "ghijklmnop")  # an id without digits never looks like a person
_CPR = re.compile(  # as written and as an address has it, after an encoded letter (%20) too
    r"(?:(?<!\d)|(?<=%[0-9a-f]{2}))\d{6}(?:[-–+\s]|%(?:20|2b|2d|c2%a0|e2%80%93))?\d{4}(?!\d)", re.IGNORECASE
)
_QUIET = ("/assets/", "/_dash-component-suites/", "/live", "/ready", "/metrics")  # asked for often, and telling nothing
_log = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """A line of JSON: time, level, logger, message, request id; the traceback, if any, in the same line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of ``record``, numbers that look like a CPR number masked."""
        line = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return masked(json.dumps({key: value for key, value in line.items() if value is not None}, ensure_ascii=False))


def start() -> None:
    """Let everything that this process logs, libraries included, be lines of JSON on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def masked(text: str) -> str:
    """Return ``text`` with everything that has the form of a CPR number made unreadable."""
    return _CPR.sub("<cpr>", text)


def request_id() -> str | None:
    """Return the id of the request that is being answered; None outside of one."""
    return g.get("request_id") if has_request_context() else None


def register(server: Flask) -> None:
    """Give each request its id and a line in the log: method, path, status, milliseconds, user. No query, no body."""

    @server.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-ID", "")
        is_fit = _GIVEN_ID.fullmatch(given) and masked(given) == given
        g.request_id = given if is_fit else secrets.token_hex(16).translate(_LETTERS)
        g.began = time.perf_counter()

    @server.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        if not request.path.startswith(_QUIET):
            user = g.get("user")
            facts = {
                "method": request.method,
                "path": request.path[:200],
                "status": response.status_code,
                "milliseconds": round(1000 * (time.perf_counter() - g.began), 1),
                "user": user.name if user else None,
            }
            _log.info("answered", extra={"facts": facts})
        return response

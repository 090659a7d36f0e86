"""What is answered where a request cannot be: a status, what was found, what is allowed, and what to do."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from flask import Response

from kpis.catalogue import to_json

MEDIA_TYPE = "application/problem+json"
_MOST_LISTED = 12  # in a sentence; the answer has them all

TITLES = {
    400: "The request names something that is not known or not possible.",
    404: "There is nothing at this address.",
    406: "None of the kinds that were asked for can be given.",
    410: "What was asked for is no longer there.",
    429: "Too many rows were asked for in a short time.",
    503: "There is no release to take figures from.",
}
"""Status → title; the detail says which."""


@dataclass
class Problem(Exception):
    """A request that is refused. ``told`` is added to the answer: ``key``, ``found``, ``allowed``, ``successor`` …"""

    status: int
    detail: str
    told: dict[str, Any] = field(default_factory=dict)
    retry_after: int | None = None  # seconds

    def __str__(self) -> str:
        return self.detail

    def body(self) -> dict[str, Any]:
        """Return the problem as RFC 9457 has it."""
        return {
            "type": "about:blank",
            "title": TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
            **self.told,
        }

    def response(self) -> Response:
        """Return the answer for a program."""
        answer = Response(to_json(self.body()) + "\n", self.status, mimetype=MEDIA_TYPE)
        if self.retry_after is not None:
            answer.headers["Retry-After"] = str(self.retry_after)
        return answer


def not_allowed(key: str, found: str, allowed: Iterable[str] | str) -> Problem:
    """Return the problem of a value that is not one of those allowed: a list of them, or what they are in words."""
    told: dict[str, Any] = {"key": key, "found": found[:60]}
    if isinstance(allowed, str):
        words = f"Allowed: {allowed}."
        told["allowed"] = allowed
    else:
        told["allowed"] = listed = list(allowed)
        near = difflib.get_close_matches(found[:60], listed, n=1)
        words = f"Did you mean {near[0]}? " if near else ""
        words += f"Allowed: {', '.join(listed[:_MOST_LISTED])}{' …' if len(listed) > _MOST_LISTED else ''}."
    return Problem(400, f"{key}={found[:60]} is not known. {words}", told)

"""Requests as an attacker would write them: what a browser sends, bent in every place, and things no browser sends."""

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tests.server import callback

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, -0.0, 10**30, "", " ", "\x00", "\ud800", "é" * 500, "A" * 5_000, "%00", "%s%n{0}",
    "{self}", "../../../../etc/passwd", "..\\..\\x", "/", "//evil.example", "'; drop table cube; --", "' or '1'='1",
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "${7*7}", "{{7*7}}", "__proto__",
    "__class__", "constructor", "9" * 400, "-9" * 50, "2024-99", "0000-00", "12m-9999-13", "k-", "k-<b>", "DK", "nan",
    "\u202e\u0000\ufeff", "a\r\nSet-Cookie: x=y", [], {}, [[]], {"a": {"b": []}}, ["x"] * 50,
)  # fmt: skip
TEXTS = tuple(value for value in NASTY if isinstance(value, str) and "\ud800" not in value)
PLACES = (
    "/", "/k/hjoerring", "/kkr/nordjylland", "/land", "/land/taeppe", "/k/hjoerring/preventable_admissions_65plus",
    "/sammenlign/preventable_admissions_65plus", "/potentiale", "/akutpladser", "/data", "/metode", "/om",
    "/tilgaengelighed", "/effekt", "/paa-tvaers", "/moede", "/api", "/p/0000000", "/k/Århus", "/findes-ikke",
)  # fmt: skip
ROUTES = (
    "/fil/preventable_admissions_65plus.csv", "/fil/preventable_admissions_65plus.parquet", "/fil/potentiale.csv",
    "/fil/effekt.csv", "/fil/paa-tvaers.csv", "/billede/strip.svg", "/billede/strip.png", "/k/hjoerring.pdf", "/land.pdf",
    "/moede/x.pdf", "/moede/x.pptx", "/moede/x", "/effekt/ny", "/effekt/x/ret", "/feed/udgivelser.atom",
    "/feed/indikator/x.atom", "/api/v1/", "/api/v1/openapi.json", "/api/v1/indicators", "/api/v1/x.json", "/live", "/ready",
    "/metrics", "/_dash-layout", "/_dash-dependencies", "/_mcp", "/_dash-component-suites/dash/x.js", "/assets/../app.py",
    "/_favicon.ico", "/_reload-hash", "/.git/config", "/robots.txt", "/log-ind", "/log-ind/retur", "/log-ud", "/p/0000",
)  # fmt: skip
KEYS = (
    "omraade", "periode", "kort", "sprog", "visning", "beregning", "udgave", "m", "soeg", "niveau", "fra", "til",
    "inddeling", "opdeling", "adresse", "andel", "maalestok", "gruppe", "x", "",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")


@dataclass(frozen=True)
class Forged:
    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def forged(count: int, seed: int = 7) -> Iterator[Forged]:
    """`count` requests; the same seed gives the same ones."""
    chance = random.Random(seed)
    makers = (bent_callback, bent_callback, nonsense_body, forged_address, forged_route)
    for number in range(count):
        yield makers[number % len(makers)](chance)


def bent_callback(chance: random.Random) -> Forged:
    """The body of the one callback with one to three of its parts replaced, taken away or added to."""
    body = json.loads(callback(chance.choice(PLACES), _query(chance)))
    for _ in range(chance.randint(1, 3)):
        holder, key = chance.choice(list(_places(body)))
        match chance.randrange(4):
            case 0 if isinstance(holder, dict):
                holder.pop(key, None)
            case 1 if isinstance(holder, dict):
                holder[str(chance.choice(TEXTS))[:40]] = chance.choice(NASTY)
            case _:
                holder[key] = copy.deepcopy(chance.choice(NASTY))
    return _posted(json.dumps(body).encode())


def nonsense_body(chance: random.Random) -> Forged:
    """A body that is no callback: cut off, repeated, deep, of another type, or bytes."""
    whole = callback("/k/hjoerring")
    match chance.randrange(6):
        case 0:
            body = whole[: chance.randrange(len(whole))]
        case 1:
            body = chance.choice((b"[", b'{"a":', b'{"output":')) * chance.randrange(1, 9_000)
        case 2:
            body = chance.randbytes(chance.randrange(300))
        case 3:
            body = json.dumps(chance.choice(NASTY)).encode()
        case 4:
            at = chance.randrange(len(whole))
            body = whole[:at] + chance.randbytes(3) + whole[at + 3 :]
        case _:
            body = whole + whole
    kind = chance.choice(
        ("application/json", "text/plain", "multipart/form-data; boundary=x", "", "application/json; charset=\x01")
    )
    return _posted(body, kind)


def forged_address(chance: random.Random) -> Forged:
    """A page at an address that nobody offers, by way of the callback."""
    path = chance.choice(PLACES)
    if chance.random() < 0.5:
        path += "/" + quote(chance.choice(TEXTS)[:200])
    return _posted(callback(path, _query(chance)))


def forged_route(chance: random.Random) -> Forged:
    """Any route with any method and any query, and headers that a browser does not send."""
    path = chance.choice(ROUTES + PLACES)
    if chance.random() < 0.3:
        path += "/" + quote(chance.choice(TEXTS)[:200])
    headers = {}
    if chance.random() < 0.4:
        name = chance.choice(("X-Request-ID", "Accept", "Accept-Encoding", "Cookie", "Range", "If-None-Match", "Origin",
                              "Content-Type", "X-Forwarded-For", "Accept-Language", "If-Modified-Since"))  # fmt: skip
        headers[name] = "".join(letter for letter in chance.choice(TEXTS)[:200] if 31 < ord(letter) < 256)
    query = _query(chance)
    body = chance.randbytes(20) if chance.random() < 0.2 else b""
    return Forged(chance.choice(METHODS), path + (f"?{query}" if query else ""), body, headers)


def _query(chance: random.Random) -> str:
    chosen = chance.sample(KEYS, chance.randrange(4))
    return urlencode([(key, chance.choice(TEXTS)[:1_000]) for key in chosen], errors="replace")


def _posted(body: bytes, kind: str = "application/json") -> Forged:
    return Forged("POST", "/_dash-update-component", body, {"Content-Type": kind} if kind else {})


def _places(body: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder and key of a JSON value."""
    pairs = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in list(pairs):
        yield body, key
        yield from _places(value)

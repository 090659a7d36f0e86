"""Open tables of StatBank Denmark, fetched through its public API as the CSV files that `etl load` reads.

Two requests, as the API's documentation describes (Danmarks Statistik, "API til Statistikbanken"):

    POST <base>/tableinfo  {"table": "FOLK1A", "lang": "da", "format": "JSON"}    what the table is broken down by
    POST <base>/data       {"table": "FOLK1A", "lang": "da", "format": "BULK", "variables": [...]}    all its cells

A variable that may be left out (`elimination`) and that no column of the delivery needs is not asked for: StatBank then
gives the total over it, so that FOLK1A comes without marital status.
"""

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from etl.source import Source, fold, load_sources
from etl.words import Both, Problem, told

BASE = "https://api.statbank.dk/v1"
SECONDS = 120  # without a byte
BLOCK = 1 << 20
LARGEST = 8 << 30


class StatbankProblem(Problem):
    """A table could not be fetched; the text says why and what to do. Nothing was written."""


def fetch_table(
    table: str,
    folder: Path,
    *,
    base: str = BASE,
    since: int | None = None,
    progress: Callable[[int], None] = lambda n_bytes: None,
) -> Path:
    """Fetch a whole table into `folder`/<TABLE>.csv and return the path.

    Args:
        table: StatBank's name of it, such as FOLK1A; case does not matter.
        folder: is made where it is missing. An older file of the table is replaced when the new one is complete.
        base: address of the API, up to its version.
        since: the first year to fetch; all years by default.
        progress: told the bytes of each block received.

    Raises StatbankProblem.
    """
    table = table.upper()
    if not re.fullmatch(r"[A-Z0-9]{2,20}", table):
        raise StatbankProblem(told("statbank.name"))
    about = _ask(f"{base}/tableinfo", {"table": table, "lang": "da", "format": "JSON"})
    try:
        variables = _variables(json.loads(about.read(BLOCK << 5))["variables"], _source(table), since)
    except (ValueError, KeyError, TypeError, OSError, HTTPException) as error:
        raise StatbankProblem(told("statbank.no_table", address=f"{base}/tableinfo", table=table)) from error
    finally:
        about.close()
    if since is not None and not all(variable["values"] for variable in variables):
        raise StatbankProblem(told("statbank.since", table=table, since=str(since)))
    query = {"table": table, "lang": "da", "format": "BULK", "valuePresentation": "Value", "variables": variables}
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{table}.csv"
    part = target.with_suffix(".part")
    try:
        with _ask(f"{base}/data", query) as answer:
            _save(answer, part, table, progress)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def known_tables() -> dict[str, Both]:
    """The StatBank tables that `etl load` can read: name → what it is, in both languages."""
    return {source.table: source.title for source in load_sources() if source.table}


def _source(table: str) -> Source | None:
    return next((source for source in load_sources() if source.table == table), None)


def _variables(about: list[dict[str, Any]], source: Source | None, since: int | None) -> list[dict[str, Any]]:
    """The variables to ask for, each with all its values, or those of the years asked for."""
    needed = (
        {header for column in source.columns if column.is_required for header in column.headers} if source else None
    )
    wanted = []
    for variable in about:
        is_needed = needed is None or bool({fold(variable["id"]), fold(variable.get("text", ""))} & needed)
        if is_needed or not variable.get("elimination", False):
            values = ["*"]
            if since is not None and variable.get("time", False):
                values = [value["id"] for value in variable["values"] if value["id"][:4] >= str(since)]
            wanted.append({"code": variable["id"], "values": values})
    return wanted


def _ask(address: str, query: dict[str, Any]) -> HTTPResponse:
    if not address.startswith(("https://", "http://")):
        raise StatbankProblem(told("statbank.address", address=address))
    request = urllib.request.Request(
        address, json.dumps(query, ensure_ascii=False).encode(), {"Content-Type": "application/json; charset=utf-8"}
    )
    try:
        return urllib.request.urlopen(request, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        raise StatbankProblem(
            told("statbank.refused", address=address, code=str(error.code), reason=_reason(error))
        ) from error
    except (OSError, HTTPException, ValueError) as error:
        reason = str(getattr(error, "reason", error))
        raise StatbankProblem(told("statbank.unreached", address=address, reason=reason)) from error


def _reason(error: urllib.error.HTTPError) -> str:
    """What the API says is wrong, in one line."""
    text = error.read(4096).decode("utf-8", "replace")
    try:
        text = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        text = error.reason
    return " ".join(text.split())[:300]


def _save(answer: HTTPResponse, part: Path, table: str, progress: Callable[[int], None]) -> None:
    """Write the answer to `part`, through to the disk. Raises StatbankProblem where it is no whole table."""
    received, head, tail = 0, b"", b""
    try:
        with part.open("wb") as file:
            while block := answer.read(BLOCK):
                head, tail = head or block, block
                received += len(block)
                if received > LARGEST:
                    raise StatbankProblem(told("statbank.large", table=table, gigabytes=LARGEST >> 30))
                file.write(block)
                progress(len(block))
            file.flush()
            os.fsync(file.fileno())
    except HTTPException as error:
        raise StatbankProblem(told("statbank.broke_off", table=table, received=received)) from error
    except OSError as error:
        raise StatbankProblem(
            told("statbank.failed", table=table, reason=str(error.strerror or error), received=received)
        ) from error
    announced, is_chunked = answer.headers.get("Content-Length"), "Transfer-Encoding" in answer.headers
    ends_open = announced is None and not is_chunked and tail[-1:] != b"\n"  # nothing else would tell of a cut
    if ends_open or (announced is not None and received < int(announced)):
        raise StatbankProblem(told("statbank.broke_off", table=table, received=received))
    header = head.split(b"\n", 1)[0].decode("utf-8", "replace").lstrip("\ufeff").strip()
    if ";" not in header or not header.endswith("INDHOLD"):
        raise StatbankProblem(told("statbank.header", table=table))

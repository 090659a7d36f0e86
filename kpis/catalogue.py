"""Figures described for machines: column types, licence and checksum, as Frictionless Data asks for it.

https://specs.frictionlessdata.io: a *table schema* describes columns, a *data package* files and their terms.
"""

import functools
import hashlib
import json
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import polars as pl

from kpis.indicator import Language


@functools.cache
def catalogue() -> dict[str, Any]:
    """What stands in `catalogue.toml`: `dataset` and `licence`."""
    return tomllib.loads(resources.files("kpis").joinpath("catalogue.toml").read_text("utf-8"))


def licence(language: Language) -> dict[str, str]:
    """The terms of the figures: name, title, path, and whether the publisher has confirmed them."""
    told = catalogue()["licence"]
    note = {} if told["confidence"] == "verified" else {"note": told[language]}
    return {"name": told["name"], "title": told["title"], "path": told["path"], **note}


def table_schema(
    columns: Mapping[str, pl.DataType], titles: Mapping[str, str], meanings: Mapping[str, str]
) -> dict[str, Any]:
    """A table schema: columns of a file with type, heading and meaning. What is empty is missing."""
    fields = [
        {
            "name": name,
            "type": _type(kind),
            **({"title": titles[name]} if name in titles else {}),
            **({"description": meanings[name]} if name in meanings else {}),
        }
        for name, kind in columns.items()
    ]
    return {"fields": fields, "missingValues": [""]}


def _type(kind: pl.DataType) -> str:
    if kind.is_integer():
        return "integer"
    if kind.is_float():
        return "number"
    names: dict[Any, str] = {pl.Boolean: "boolean", pl.Date: "date", pl.Datetime: "datetime", pl.List: "array"}
    return names.get(kind.base_type(), "string")


def fingerprint(content: bytes) -> str:
    """The SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def to_json(value: object, *, indent: int | None = None) -> str:
    """JSON as files hold it: readable letters, and in the order in which it was put together."""
    return json.dumps(value, ensure_ascii=False, indent=indent)

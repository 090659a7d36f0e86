"""The API described for programs: OpenAPI 3.1, made from the declarations that check the requests."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import polars as pl

from dashboard.api.encoding import KINDS, MEDIA_TYPE
from dashboard.api.filters import Filters
from dashboard.api.problem import MEDIA_TYPE as PROBLEM_TYPE
from dashboard.api.problem import TITLES
from dashboard.api.resources import RESOURCES, Resource
from dashboard.words import Words, load_words
from kpis.catalogue import catalogue, licence
from kpis.indicator import Language

VERSION = "1.0.0"
"""Of the API: the first number changes when an address, a key or a column goes or means something else."""


@cache
def openapi(language: Language) -> dict[str, Any]:
    """Return the whole document, its texts in a language."""
    words = load_words(language)
    terms = licence(language)
    paths: dict[str, Any] = {}
    for resource in RESOURCES:
        plain, with_kind = _operations(resource, words)
        paths[f"/api/v1/{resource.path}"] = {"get": plain}
        paths[f"/api/v1/{resource.path}.{{kind}}"] = {"get": with_kind}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": catalogue()["dataset"][language],
            "version": VERSION,
            "description": words("api.lead"),
            "license": {"name": terms["title"], "url": terms["path"]},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": {"problem": _PROBLEM, **{r.name: _row(r, words) for r in RESOURCES}}},
    }


def parameters(filters: type[Filters], words: Words) -> list[dict[str, Any]]:
    """Return the keys of a query as OpenAPI has them."""
    schema = filters.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": words(f"api.filter_{name}"),
            "schema": _without_null(property_),
            **({"style": "form", "explode": False} if property_.get("type") == "array" else {}),
        }
        for name, property_ in schema["properties"].items()
    ]


def _operations(resource: Resource, words: Words) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the operation without and with the ending that says the kind."""
    query = parameters(resource.filters, words)
    one = [{"name": "id", "in": "path", "required": True, "schema": _ID, "description": words("api.filter_id")}]
    ending = {
        "name": "kind",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": list(KINDS)},
        "description": words("api.filter_kind"),
    }
    asked = [*(one if resource.has_id else []), *query]
    told = {
        "summary": words(f"api.resource_{resource.name}"),
        "responses": {
            "200": {"description": words("api.answer_200"), "headers": _HEADERS, "content": _content(resource)},
            "304": {"description": words("api.answer_304")},
            **{
                str(status): {
                    "description": words(f"api.answer_{status}"),
                    "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/problem"}}},
                }
                for status in TITLES
            },
        },
    }
    return (
        {"operationId": resource.name, "parameters": asked, **told},
        {"operationId": f"{resource.name}_as", "parameters": [*asked, ending], **told},
    )


_ID = {"type": "string", "minLength": 1, "maxLength": 80, "pattern": "^[a-z0-9][a-z0-9_-]*$"}
_HEADERS = {"ETag": {"schema": {"type": "string"}}}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer", "enum": list(TITLES)},
        "detail": {"type": "string"},
        "key": {"type": "string"},
        "found": {"type": "string"},
        "allowed": {"type": ["array", "string"], "items": {"type": "string"}},
        "successor": {"type": "string"},
    },
}


def _content(resource: Resource) -> dict[str, Any]:
    rows = {"type": "array", "items": {"$ref": f"#/components/schemas/{resource.name}"}}
    whole = {"type": "object", "required": ["rows"], "properties": {"release": {"type": "string"}, "rows": rows}}
    return {
        media_type.partition(";")[0]: {"schema": whole} if kind == "json" else {}
        for kind, media_type in MEDIA_TYPE.items()
    }


def _row(resource: Resource, words: Words) -> dict[str, Any]:
    meanings = resource.meanings(words.lang, words)
    return {
        "type": "object",
        "description": words(f"api.resource_{resource.name}"),
        "required": list(resource.columns),
        "additionalProperties": False,
        "properties": {
            name: {**_json_type(kind), "description": meanings[name]} for name, kind in resource.columns.items()
        },
    }


def _json_type(kind: pl.DataType) -> dict[str, Any]:
    if isinstance(kind, pl.List):
        return {"type": ["array", "null"], "items": {"type": "string"}}
    if kind == pl.Date:
        return {"type": ["string", "null"], "format": "date"}
    names: Mapping[Any, str] = {pl.Boolean: "boolean", pl.String: "string", pl.Datetime: "string"}
    name = names.get(kind.base_type()) or ("integer" if kind.is_integer() else "number")
    return {"type": [name, "null"]}


def _without_null(property_: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a query key, which is left out or has a value, and is never null."""
    told = {key: value for key, value in property_.items() if key not in ("title", "default", "anyOf")}
    if property_.get("default") is not None:
        told["default"] = property_["default"]
    for choice in property_.get("anyOf", ()):
        if choice.get("type") != "null":
            told |= choice
    return told

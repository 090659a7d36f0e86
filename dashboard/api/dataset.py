"""The whole dataset described for portals of open data: a data package (Frictionless) and DCAT-AP as JSON-LD."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from dashboard.api.encoding import MEDIA_TYPE
from dashboard.api.filters import ReleaseFilters, read_filters
from dashboard.api.problem import Problem
from dashboard.api.resources import RESOURCES, Resource
from dashboard.words import load_words
from kpis.catalogue import catalogue, licence, table_schema, to_json
from kpis.indicator import LANGUAGES, Language, load_indicators
from kpis.release import Release

PACKAGE, CATALOGUE = "/datapackage.json", "/katalog.jsonld"
_OF_THE_DATASET = ("indicators", "areas", "periods", "services", "cube")
"""Resources that are part of the dataset, beside the values of each indicator."""


def register(server: Flask, data_dir: Path) -> None:
    """Add ``/datapackage.json`` and ``/katalog.jsonld``: the newest release described, or the one in ``udgave=``."""

    @server.get(PACKAGE)
    def send_package() -> Response:
        return _described(data_dir, datapackage, "application/json")

    @server.get(CATALOGUE)
    def send_catalogue() -> Response:
        return _described(data_dir, dcat, "application/ld+json")


def _described(data_dir: Path, describe: Any, media_type: str) -> Response:
    try:
        filters = read_filters(ReleaseFilters, dict(request.args.lists()))
        release = filters.release(data_dir)
    except Problem as problem:
        return problem.response()
    text = to_json(describe(release, request.host_url.rstrip("/"), filters.language), indent=1) + "\n"
    answer = Response(text, mimetype=media_type)
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def datapackage(release: Release, host: str, language: Language) -> dict[str, Any]:
    """Return the data package of a release: a Parquet file for each indicator, and the tables around them.

    Addresses are tied to the release, so that the package goes on describing what it points to.
    """
    told, words = catalogue()["dataset"], load_words(language)
    values, *_ = RESOURCES
    files = [
        {
            "name": indicator.id.replace("_", "-"),
            "title": indicator.texts(language).name,
            "description": indicator.texts(language).meaning,
            "path": _values_address(host, indicator.id, release, language),
            **_format(values, language),
        }
        for indicator in load_indicators().values()
    ]
    tables = [
        {
            "name": resource.name,
            "title": words(f"api.resource_{resource.name}"),
            "path": f"{host}/api/v1/{resource.path}.parquet?udgave={release.id}",
            **_format(resource, language),
        }
        for resource in RESOURCES
        if resource.name in _OF_THE_DATASET
    ]
    return {
        "profile": "data-package",
        "name": told["name"],
        "id": f"{told['name']}-{release.id}",
        "title": told[language],
        "description": told[f"{language}_description"],
        "homepage": f"{host}/data",
        "version": release.id,
        "created": str(release.manifest["created"]),
        "licenses": [licence(language)],
        "contributors": [{"title": told["publisher"], "role": "publisher"}],
        "keywords": told[f"{language}_keywords"],
        "naerblik": {
            "is_synthetic": bool(release.manifest["is_synthetic"]),
            "protection": release.manifest["protection"],
            "data_from": str(release.manifest["data_from"]),
            "as_of": str(release.manifest["as_of"]),
        },
        "resources": [*files, *tables],
    }


def _values_address(host: str, indicator_id: str, release: Release, language: Language, kind: str = "parquet") -> str:
    lang = f"&sprog={language}" if language != LANGUAGES[0] else ""
    return f"{host}/api/v1/values.{kind}?indikatorer={indicator_id}{lang}&udgave={release.id}"


def _format(resource: Resource, language: Language) -> dict[str, Any]:
    words = load_words(language)
    meanings = resource.meanings(language, words)
    schema = table_schema(resource.columns, {}, meanings)
    return {"format": "parquet", "mediatype": MEDIA_TYPE["parquet"], "schema": schema}


def dcat(release: Release, host: str, language: Language) -> dict[str, Any]:
    """Return the dataset as DCAT-AP 3: its texts in both languages, and how it can be had."""
    told, terms = catalogue()["dataset"], licence(language)
    kinds = {"parquet": "PARQUET", "csv": "CSV", "json": "JSON"}
    distributions = [
        {
            "@id": f"{host}{PACKAGE}#{indicator.id}-{kind}",
            "@type": "dcat:Distribution",
            "dct:title": _texts({lang: indicator.texts(lang).name for lang in LANGUAGES}),
            "dcat:accessURL": {"@id": f"{host}/api/v1/values.{kind}?indikatorer={indicator.id}"},
            "dcat:mediaType": {"@id": f"{_MEDIA_TYPES}{MEDIA_TYPE[kind].partition(';')[0]}"},  # type: ignore[index]
            "dct:format": {"@id": f"{_FILE_TYPES}{name}"},
            "dct:license": {"@id": terms["path"]},
        }
        for indicator in load_indicators().values()
        for kind, name in kinds.items()
    ]
    return {
        "@context": {
            "dcat": "http://www.w3.org/ns/dcat#",
            "dct": "http://purl.org/dc/terms/",
            "foaf": "http://xmlns.com/foaf/0.1/",
            "xsd": "http://www.w3.org/2001/XMLSchema#",
        },
        "@id": f"{host}{CATALOGUE}#dataset",
        "@type": "dcat:Dataset",
        "dct:identifier": told["name"],
        "dct:title": _texts({lang: told[lang] for lang in LANGUAGES}),
        "dct:description": _texts({lang: told[f"{lang}_description"] for lang in LANGUAGES}),
        "dcat:keyword": [
            {"@value": keyword, "@language": lang} for lang in LANGUAGES for keyword in told[f"{lang}_keywords"]
        ],
        "dcat:theme": {"@id": f"http://publications.europa.eu/resource/authority/data-theme/{told['theme']}"},
        "dct:publisher": {"@type": "foaf:Agent", "foaf:name": told["publisher"]},
        "dct:language": [{"@id": f"{_LANGUAGES}{name}"} for name in ("DAN", "ENG")],
        "dct:spatial": {"@id": "http://publications.europa.eu/resource/authority/country/DNK"},
        "dct:temporal": {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": {"@value": release.date("data_from").isoformat(), "@type": "xsd:date"},
            "dcat:endDate": {"@value": (release.date("as_of") - timedelta(days=1)).isoformat(), "@type": "xsd:date"},
        },
        "dct:accrualPeriodicity": {"@id": "http://publications.europa.eu/resource/authority/frequency/MONTHLY"},
        "dct:issued": {"@value": str(release.manifest["created"]), "@type": "xsd:dateTime"},
        "dcat:version": release.id,
        "dcat:landingPage": {"@id": f"{host}/data"},
        "dcat:distribution": distributions,
        "dcat:service": {
            "@type": "dcat:DataService",
            "dct:title": _texts({lang: load_words(lang)("api.heading") for lang in LANGUAGES}),
            "dcat:endpointURL": {"@id": f"{host}/api/v1/"},
            "dcat:endpointDescription": {"@id": f"{host}/api/v1/openapi.json"},
        },
    }


_MEDIA_TYPES = "http://www.iana.org/assignments/media-types/"
_FILE_TYPES = "http://publications.europa.eu/resource/authority/file-type/"
_LANGUAGES = "http://publications.europa.eu/resource/authority/language/"


def _texts(by_language: dict[Language, str]) -> list[dict[str, str]]:
    return [{"@value": text, "@language": lang} for lang, text in by_language.items()]

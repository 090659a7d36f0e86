"""``/api/v1/…``: a request is checked by the filters of its resource and answered in the kind it wants."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, request
from werkzeug.datastructures import MIMEAccept

from dashboard.api.document import openapi
from dashboard.api.encoding import KINDS, MEDIA_TYPE, Kind, encode
from dashboard.api.filters import Filters, kept, read_filters
from dashboard.api.problem import Problem
from dashboard.api.quota import Quota, charge
from dashboard.api.resources import RESOURCES, Answer, Asked, Resource
from dashboard.files import issue_slice
from dashboard.guard.access import audit, needs
from dashboard.pages.passport import facts
from dashboard.passport import PREFIX, find, short_address
from kpis.catalogue import to_json
from kpis.query import QueryError
from kpis.release import ReleaseError

BASE = "/api/v1"
_FILE_TYPES = {media_type.partition(";")[0]: kind for kind, media_type in MEDIA_TYPE.items()}


def register(server: Flask, data_dir: Path, quota: Quota | None = None) -> None:
    """Add the routes of ``RESOURCES``, with and without the ending that says the kind, and their document."""
    server.extensions[Quota.NAME] = quota or Quota()
    for resource in RESOURCES:
        path = f"{BASE}/{resource.path.replace('{id}', '<id>')}"
        answer = _view(resource, data_dir)
        server.add_url_rule(path, f"api-{resource.name}", answer, methods=["GET"])
        if not resource.has_id:
            server.add_url_rule(f"{path}.<kind>", f"api-{resource.name}-kind", answer, methods=["GET"])

    @server.get(f"{PREFIX}<id>.json")
    def send_passport(id: str) -> Response:
        needs("viewer")
        try:
            filters = read_filters(Filters, dict(request.args.lists()))
            passport = find(data_dir, id)
            if passport is None:
                raise Problem(404, f"There is no passport {id[:20]!r} here.", {"found": id[:20]})
            release = kept(data_dir, passport.release)
            told = facts(passport, release, filters.language)
        except Problem as problem:
            return problem.response()
        return _conditional(Response(to_json(told, indent=1) + "\n", mimetype="application/json"))

    @server.get(f"{BASE}/openapi.json")
    def send_document() -> Response:
        try:
            filters = read_filters(Filters, dict(request.args.lists()))
        except Problem as problem:
            return problem.response()
        answer = Response(to_json(openapi(filters.language), indent=1) + "\n", mimetype="application/json")
        return _conditional(answer)

    @server.get(f"{BASE}/")
    @server.get(f"{BASE}/<path:rest>")
    def nothing_here(rest: str = "") -> Response:
        paths = [f"{BASE}/{resource.path}" for resource in RESOURCES]
        detail = f"There is no {BASE}/{rest[:60]}. There are: {', '.join(paths)}. See /api."
        return Problem(404, detail, {"found": rest[:60], "allowed": paths}).response()


def _view(resource: Resource, data_dir: Path) -> Callable[..., Response]:
    def view(id: str = "", kind: str | None = None) -> Response:
        needs("analyst")
        try:
            if resource.has_id and id.rpartition(".")[2] in KINDS:
                id, _, kind = id.rpartition(".")
            wanted = _kind(kind)
            filters = read_filters(resource.filters, dict(request.args.lists()))
            asked = Asked(data_dir, filters, id)
            found = resource.answer(asked)
            charge(found.n_rows)
            return _sent(resource, asked, found, wanted)
        except Problem as problem:
            return problem.response()
        except QueryError as error:
            return Problem(400, str(error)).response()
        except ReleaseError:
            return Problem(503, "There is no release to take figures from.").response()

    return view


def _kind(ending: str | None) -> Kind:
    """Return the kind of the answer: by the ending of the address, else by what the client accepts, else JSON."""
    if ending is not None:
        for kind in KINDS:
            if ending == kind:
                return kind
        raise Problem(
            404, f"There is no answer in {ending[:20]!r}. There is: {', '.join(KINDS)}.", {"allowed": list(KINDS)}
        )
    # charset and the like make no difference here
    accepted = MIMEAccept([(value.partition(";")[0], quality) for value, quality in request.accept_mimetypes])
    if not accepted:
        return "json"
    best = accepted.best_match(list(_FILE_TYPES))
    if best is None:
        detail = f"Accept: {request.headers.get('Accept', '')[:80]} fits none of {', '.join(_FILE_TYPES)}."
        raise Problem(406, detail, {"allowed": list(_FILE_TYPES)})
    return _FILE_TYPES[best]


def _sent(resource: Resource, asked: Asked, found: Answer, kind: Kind) -> Response:
    file = found.file(kind, asked)
    if found.etag:  # sent while it is made: what the bytes follow from stands for them
        answer = Response(encode(kind, found.frames, found.about), mimetype=MEDIA_TYPE[kind])
        answer.automatically_set_content_length = False  # to know the length, all of it would have to be held
        answer.set_etag(hashlib.sha256(f"{found.etag} {kind}".encode()).hexdigest(), weak=True)
    else:
        content = file.content if file else b"".join(encode(kind, found.frames, found.about))
        answer = Response(content, mimetype=MEDIA_TYPE[kind])
    if kind != "json":
        release = f"_{found.release.id}" if found.release else ""
        name = file.name if file else f"{resource.path.partition('/')[0]}{release}.{kind}"
        answer.headers.set("Content-Disposition", "attachment", filename=name)
    if found.slice and found.release and (passport := issue_slice(asked.data_dir, found.slice, found.release)):
        answer.headers.set("Link", f'<{short_address(passport)}>; rel="describedby"')
    answer.headers.set("Vary", "Accept")
    answer.headers.set("Content-Language", asked.filters.language)
    audit("api", resource=resource.name, rows=found.n_rows, release=found.release.id if found.release else None)
    return _conditional(answer)


def _conditional(answer: Response) -> Response:
    """Return the answer with an ETag, or 304 to whoever has it already."""
    if "ETag" not in answer.headers:
        answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest())
    answer.make_conditional(request)
    return answer

"""What the form of an intervention sends: a plan is kept, or locked, or the form comes back with what is wrong.

    POST /effekt/ny          a new plan
    POST /effekt/<id>/ret    changes to a plan

Taken: 303 to the page of the intervention, whose file is then ``DATA/web/interventions/<id>.toml``. Not taken: 422 and
the form as it was written. That answer is a document of its own, which needs no script: the texts that were written
are in nobody's address, and a reader who goes back finds them in the browser.
"""

import logging
from dataclasses import replace
from datetime import datetime
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path

from flask import Flask, Response, redirect, request

from dashboard.components import shell
from dashboard.components.markup import to_markup
from dashboard.effect.plans import FOLDER, TYPED, find_plan, from_typed, known_plans
from dashboard.guard.access import audit, needs
from dashboard.own_folder import own_folder, write_file
from dashboard.pages.effect.form import ACTION, LOCK, SEEN, Tried, fingerprint, form
from dashboard.selection import Selection, catalogue
from dashboard.words import load_words
from kpis.intervention import Plan, PlanProblem, lock, write_plan
from kpis.release import Release, ReleaseError, current_release

_log = logging.getLogger(__name__)


def register(server: Flask, data_dir: Path) -> None:
    """Add the two addresses that the form is sent to."""

    @server.post("/effekt/ny")
    def add_plan() -> Response:
        return _taken(data_dir, None)

    @server.post("/effekt/<plan_id>/ret")
    def change_plan(plan_id: str) -> Response:
        return _taken(data_dir, plan_id)


def _taken(data_dir: Path, plan_id: str | None) -> Response:
    needs("editor")
    try:
        release = current_release(data_dir)
    except ReleaseError:
        return Response("There is no release to register interventions beside.\n", 503, mimetype="text/plain")
    selection, _ = Selection.from_url(request.path, request.query_string.decode(), catalogue(release))
    before = find_plan(release, plan_id) if plan_id else None
    if plan_id and before is None:
        words = load_words(selection.lang)
        return Response(words("plan.unknown", value=plan_id[:60]) + "\n", 404, mimetype="text/plain")
    typed = {name: request.form.get(name, "") for name in TYPED}
    now = datetime.now().astimezone()
    try:
        plan = from_typed(typed, before, [one.id for one in known_plans(release)], now.date())
    except PlanProblem as problem:
        return _asked_again(selection, release, before, Tried(typed, problem.faults))
    if request.form.get(SEEN, "") != fingerprint(before):
        return _asked_again(selection, release, before, Tried(typed, trouble="plan.changed_meanwhile"))
    is_locking = request.form.get(ACTION) == LOCK and plan.locked_on is None
    if not _keep(data_dir, lock(plan, now) if is_locking else plan):
        return _asked_again(selection, release, before, Tried(typed, trouble="plan.not_kept"))
    audit("plan.locked" if is_locking else "plan.saved", intervention=plan.id, release=release.id)
    there = replace(selection, page="effect", intervention=plan.id)
    return redirect(there.to_url(), 303)  # type: ignore[return-value]  # werkzeug's response is Flask's here


def _keep(data_dir: Path, plan: Plan) -> bool:
    """Write the plan, and return whether that could be done."""
    folder = own_folder(data_dir, FOLDER)
    if folder is None:
        return False
    try:
        write_file(folder / f"{plan.id}.toml", write_plan(plan))
    except OSError as error:
        _log.error("the plan %s is not kept: %s", plan.id, error)
        return False
    return True


def _asked_again(selection: Selection, release: Release, before: Plan | None, tried: Tried) -> Response:
    body, words = form(selection, before, tried), load_words(selection.lang)
    content = to_markup(shell.page(selection, words, body.parts, body.notices, release))
    title = escape(words("shell.title", page=words("plan.title_fault", title=body.title)))
    styles = "".join(f'<link rel="stylesheet" href="/assets/{name}">' for name in _style_sheets())
    document = (
        f'<!DOCTYPE html><html lang="{selection.lang}"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f'{styles}<script src="/assets/2_own/theme.js"></script></head><body>{content}</body></html>'
    )
    return Response(document, 422, mimetype="text/html")


@cache
def _style_sheets() -> tuple[str, ...]:
    """Return the style sheets of all pages in the order in which Dash takes them."""
    assets = resources.files("dashboard").joinpath("assets")
    found = [
        f"{folder.name}/{sheet.name}" for folder in assets.iterdir() if folder.is_dir() for sheet in folder.iterdir()
    ]
    return tuple(sorted(name for name in found if name.endswith(".css")))

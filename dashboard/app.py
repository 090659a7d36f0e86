"""The web application: one address in, one view out.

There is a single callback. It hears of a new address and answers with the page that the address means; controls
are links and lists of links, so that nothing else has to be kept in step.
"""

import logging
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("DASH_DISABLE_VERSION_CHECK", "true")  # the check would ask a foreign host

from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from flask import Flask, has_request_context, request
from flask_compress import Compress

from dashboard import across, feeds, files
from dashboard.agenda import forms as agenda_forms
from dashboard.api import dataset, routes
from dashboard.components.markup import Markup
from dashboard.effect import files as effect_files
from dashboard.effect import forms as plan_forms
from dashboard.guard import access, login, secure_side, security
from dashboard.guard.access import LOCAL, current_user
from dashboard.guard.settings import Settings
from dashboard.papers import routes as papers
from dashboard.running import logs, metrics, probes, readers
from dashboard.view import draw
from dashboard.words import DEFAULT_LANGUAGE, load_words
from kpis.indicator import LANGUAGES

_RETRY_MILLISECONDS = 4_000
_log = logging.getLogger(__name__)

_LANG = f'<html lang="{DEFAULT_LANGUAGE}"'
_INDEX = f"""<!DOCTYPE html>
{_LANG}>
<head>
{{%metas%}}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{%title%}}</title>
<link rel="icon" href="data:,">
{{%css%}}
</head>
<body>
{{%app_entry%}}
<noscript>{load_words("da")("shell.noscript")} {load_words("en")("shell.noscript")}</noscript>
{{%config%}}{{%scripts%}}{{%renderer%}}
</body>
</html>"""


class _App(Dash):
    """Dash with the language of the address in its first document."""

    def interpolate_index(self, *args: Any, **kwargs: Any) -> str:
        lang = request.args.get("sprog") if has_request_context() else None
        document: str = super().interpolate_index(*args, **kwargs)
        if has_request_context():
            document = document.replace("</head>", f"{feeds.head_links(request.path)}</head>", 1)
        return document.replace(_LANG, f'<html lang="{lang}"', 1) if lang in LANGUAGES else document


def create_app(data_dir: Path, settings: Settings = Settings()) -> Dash:  # noqa: B008 – it is frozen
    """Return the application over the releases of ``data_dir``; call it once per process.

    Nothing is read until the first request, and a release that is published later is picked up by itself.
    """
    server = Flask("dashboard")
    logs.register(server)
    metrics.register(server, data_dir)
    login.register(server, settings)
    security.limit(server, settings)
    access.register(server, data_dir, settings.public_host, settings.has_login)
    server.config.update(
        COMPRESS_ALGORITHM=["zstd", "br", "gzip"],
        COMPRESS_REGISTER=True,
    )
    Compress(server)
    app = _App(
        "dashboard",
        server=server,  # type: ignore[arg-type]  # Dash takes a Flask, its types do not say so
        title="Nærblik",
        update_title=None,  # type: ignore[arg-type]  # a flickering title is read aloud again and again
        suppress_callback_exceptions=True,
        index_string=_INDEX,
    )
    app.layout = _shell

    @app.callback(
        Output("view", "children"),
        Output("arrived", "data"),
        Output("retry", "disabled"),
        Input("address", "pathname"),
        Input("address", "search"),
        Input("retry", "n_intervals"),
    )
    def follow(pathname: str | None, search: str | None, _: int | None) -> tuple[Any, dict[str, str], bool]:
        view = draw(data_dir, str(pathname or "/"), str(search or ""))
        arrived = {"title": view.title, "lang": view.lang, "address": view.address}
        return Markup(view.markup), arrived, view.is_final

    app.clientside_callback(
        ClientsideFunction("naerblik", "arrive"),
        Output("arrived", "clear_data"),
        Input("arrived", "data"),
    )
    secure_side.register(server, data_dir)
    files.register(server, data_dir)
    routes.register(server, data_dir)
    dataset.register(server, data_dir)
    feeds.register(server, data_dir)
    across.register(server, data_dir)
    effect_files.register(server, data_dir)
    papers.register(server, data_dir, settings.public_address)
    plan_forms.register(server, data_dir)
    agenda_forms.register(server, data_dir)
    probes.register(server, data_dir)
    security.register(server, app.csp_hashes(), settings)
    readers.register(server)
    return app


def _shell() -> list[Any]:
    return [
        dcc.Location(id="address", refresh=False),
        dcc.Store(id="arrived"),
        dcc.Interval(id="retry", interval=_RETRY_MILLISECONDS, disabled=True),
        html.Div(html.P("Nærblik …", className="wrap starting quiet"), id="view"),
        *_account(),
    ]


def _account() -> list[Any]:
    """Who is logged in, and the way out; beside the view, which is drawn once for many."""
    user = current_user()
    if user == LOCAL or not has_request_context():
        return []
    words = load_words("en" if "sprog=en" in (request.referrer or "") else DEFAULT_LANGUAGE)
    button = html.Button(words("login.button"), type="submit", className="btn btn-link")
    parts = [html.Span(user.name, className="quiet"), button]
    return [html.Form(parts, method="post", action=login.LOGOUT, id="account", className="wrap account")]

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dash import html
from dash.development.base_component import Component
from flask.testing import FlaskClient

from dashboard.app import create_app
from dashboard.components.markup import Tag
from dashboard.view import View, show
from dashboard.words import load_words
from kpis.indicator import LANGUAGES


@pytest.fixture(scope="session")
def client(country_data) -> FlaskClient:
    """Flask's test client on the app over the random country."""
    return create_app(country_data).server.test_client()


@pytest.fixture(scope="session")
def ask(client) -> Callable[..., Any]:
    """Ask the app's one callback for the view of an address, as a browser does; returns the answer of Flask."""

    def asked(path: str, query: str = "") -> Any:
        outputs = [
            {"id": "view", "property": "children"},
            {"id": "arrived", "property": "data"},
            {"id": "retry", "property": "disabled"},
        ]
        return client.post(
            "/_dash-update-component",
            json={
                "output": "..view.children...arrived.data...retry.disabled..",
                "outputs": outputs,
                "inputs": [
                    {"id": "address", "property": "pathname", "value": path},
                    {"id": "address", "property": "search", "value": query and f"?{query}"},
                    {"id": "retry", "property": "n_intervals", "value": 0},
                ],
                "changedPropIds": ["address.pathname"],
            },
        )

    return asked


def walk(part: Any) -> list[Component]:
    """Every component of a layout, from the top; light tags as the components that they stand for."""
    part = as_component(part)
    if isinstance(part, list | tuple):
        return [found for child in part for found in walk(child)]
    if not isinstance(part, Component):
        return []
    return [part, *walk(getattr(part, "children", None))]


_PATIENCE = 120.0  # seconds until a page must be worked out


def as_component(part: Any) -> Any:
    """A light tag, and the tags in it, as Dash's own component; anything else as it is."""
    if isinstance(part, list | tuple):
        return [as_component(child) for child in part]
    if not isinstance(part, Tag):
        return part
    named = {"class": "className", "maxlength": "maxLength"}
    attributes = {named.get(name, name): value for name, value in part.attributes.items()}
    return getattr(html, part.name.capitalize())(as_component(part.children), **attributes)


def text_of(part: Any) -> str:
    """All text of a layout, as it is read."""
    part = as_component(part)
    if isinstance(part, list | tuple):
        return "".join(text_of(child) for child in part)
    if isinstance(part, Component):
        return text_of(getattr(part, "children", None))
    return "" if part is None else str(part)


def shown(data: Path, url: str) -> View:
    """The view of an address, when all of it is worked out. A page that says that something went wrong is a failure."""
    view, until = show(data, *url.partition("?")[::2]), time.monotonic() + _PATIENCE
    while view.address and not view.is_final:
        assert time.monotonic() < until, f"{url} is not worked out after {_PATIENCE:g} s"
        time.sleep(0.1)
        view = show(data, *url.partition("?")[::2])
    trouble = {load_words(lang)("trouble.error") for lang in LANGUAGES}
    assert not trouble & {text_of(part) for part in walk(view.content)}, f"{url} could not be shown"
    return view


def table_rows(part: Any, caption: str = "") -> dict[str, list[str]]:
    """Head → texts of the cells, of the first table whose caption holds the text."""
    tables = [found for found in walk(part) if isinstance(found, html.Table)]
    table = next(found for found in tables if caption in text_of(found.children[0]))
    return {
        text_of(row.children[0]): [text_of(cell) for cell in row.children[1:]]
        for row in walk(table)
        if isinstance(row, html.Tr) and isinstance(row.children[1], html.Td)
    }


def figure(part: Any, name: str) -> html.Figure:
    """The figure of a view with that name."""
    return next(found for found in walk(part) if isinstance(found, html.Figure) and getattr(found, "id", "") == name)

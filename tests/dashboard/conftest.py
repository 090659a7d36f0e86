from collections.abc import Callable
from typing import Any

import pytest
from dash.development.base_component import Component
from flask.testing import FlaskClient

from dashboard.app import create_app


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
    """Every component of a layout, from the top."""
    if isinstance(part, list | tuple):
        return [found for child in part for found in walk(child)]
    if not isinstance(part, Component):
        return []
    return [part, *walk(getattr(part, "children", None))]


def text_of(part: Any) -> str:
    """All text of a layout, as it is read."""
    if isinstance(part, list | tuple):
        return "".join(text_of(child) for child in part)
    if isinstance(part, Component):
        return text_of(getattr(part, "children", None))
    return "" if part is None else str(part)

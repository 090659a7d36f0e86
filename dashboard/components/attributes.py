"""Attributes whose names are no Python names."""

from typing import Any


def aria(**values: str) -> dict[str, Any]:
    """Return ``aria-…`` attributes: ``html.Nav(…, **aria(label="Sider"))``."""
    return {f"aria-{name}": value for name, value in values.items()}


def data(**values: str) -> dict[str, Any]:
    """Return ``data-…`` attributes, which the scripts in ``assets/2_own`` read."""
    return {f"data-{name}": value for name, value in values.items()}

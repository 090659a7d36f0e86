"""Controls. Each is a link or a list of links: a choice is made by going to another address."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from dash import html

from dashboard.components.attributes import aria, data
from dashboard.components.markup import Tag


class Option(NamedTuple):
    """One thing that can be chosen, and the address of the view where it is chosen."""

    label: str
    href: str
    is_chosen: bool = False


def select(name: str, label: str, options: Sequence[Option]) -> html.Div:
    """Return a native select whose options carry addresses; ``assets/2_own/navigate.js`` goes there."""
    addresses: list[Any] = [
        Tag("option", option.label, value=option.href, selected=option.is_chosen) for option in options
    ]
    control = html.Select(
        addresses,
        id=name,
        className="form-select form-select-sm",
        **data(choice=name),
    )
    return html.Div([html.Label(label, htmlFor=name), control], className="choice")


def segments(name: str, label: str, options: Sequence[Option]) -> html.Div:
    """Return a few links side by side, one of them current."""
    links = [
        html.A(
            option.label,
            href=option.href,
            id=f"{name}-{number}",
            **(aria(current="true") if option.is_chosen else {}),
        )
        for number, option in enumerate(options)
    ]
    return html.Div(
        [
            html.Span(label, className="label", id=f"{name}-label"),
            html.Div(links, className="segments", role="group", **aria(labelledby=f"{name}-label")),
        ],
        className="choice",
    )

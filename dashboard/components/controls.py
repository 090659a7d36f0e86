"""Controls. Each is a link or a list of links: a choice is made by going to another address."""

from collections.abc import Sequence
from typing import NamedTuple

from dash import html

from dashboard.components.attributes import aria, data


class Option(NamedTuple):
    """One thing that can be chosen, and the address of the view where it is chosen."""

    label: str
    href: str
    is_chosen: bool = False


def select(name: str, label: str, options: Sequence[Option]) -> html.Div:
    """Return a native select whose options carry addresses; ``assets/2_own/navigate.js`` goes there."""
    control = html.Select(
        # React remembers which option was chosen first: a new key per choice shows the one of this view.
        [
            html.Option(option.label, value=option.href, selected="selected" if option.is_chosen else None)
            for option in options
        ],
        id=name,
        key="|".join(option.href for option in options if option.is_chosen),
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

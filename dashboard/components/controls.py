"""Controls. Each is a link or a list of links: a choice is made by going to another address."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from dash import html

from dashboard.components.attributes import aria, data
from dashboard.components.markup import Input, Tag
from dashboard.words import Words

LONGEST_SEARCH = 80


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


def search_form(
    label: str, hint: str, button: str, value: str, options: Sequence[html.Option], list_id: str, action: str
) -> html.Form:
    """Return a search field with suggestions that asks ``action`` for ``soeg=``; it works without scripts."""
    field = Input(
        id="soeg",
        name="soeg",
        type="search",
        list=list_id,
        autocomplete="off",
        placeholder=hint,
        value=value,
        maxlength=LONGEST_SEARCH,
    )
    return html.Form(
        [
            html.Label(label, htmlFor="soeg"),
            html.Div([field, html.Button(button, type="submit", className="btn")], className="line"),
            html.Datalist(list(options), id=list_id),
        ],
        action=action,
        method="get",
        role="search",
        className="find",
    )


def letters_button(words: Words) -> html.P:
    """Return the switch for keys that are letters; ``assets/2_own/meeting.js`` shows and remembers how it stands."""
    text = words("meeting.shortcuts")
    return html.P(html.Button(text, type="button", className="btn letters", **data(key="letters")))

"""A page as one piece of HTML. Pages are built of Dash's components, but none of them needs to live in the browser.

A view holds a thousand elements and more. Sent as components each would be described in JSON and drawn by React; as
HTML the browser draws them all at once, several times as fast, and half as much goes over the wire.
"""

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from dash.development.base_component import Component

from dashboard.components.svg import Svg

_CAPITAL = re.compile("[A-Z]")
_VOID = {"input", "br", "hr", "img"}
_NAMES = {"className": "class", "htmlFor": "for"}
# What Dash notes of a component beside what was given to it; and what means something to React only.
_SKIPPED = {
    *("_prop_names", "_valid_wildcard_attributes", "available_properties", "available_wildcard_properties"),
    *("children", "key"),
}


class Tag:
    """An element of which a page has hundreds: cells of a table, options of a list.

    A component of Dash checks what it is given and costs twenty times as much; see :func:`to_markup` for the rest.
    Attributes have their names in HTML.
    """

    __slots__ = ("attributes", "children", "name")

    def __init__(self, name: str, children: Any = None, /, **attributes: str | bool | None) -> None:
        self.name, self.children, self.attributes = name, children, attributes


class Markup(Component):
    """HTML made on the server; the browser half is ``assets/2_own/markup.js``.

    ``markup`` is put into the page as it is: it must come from :func:`to_markup`, which escapes every text.
    """

    _namespace = "naerblik"
    _type = "Markup"
    _prop_names = ["markup"]  # noqa: RUF012 – the name and type Dash reads
    _valid_wildcard_attributes: list[str] = []  # noqa: RUF012
    available_properties = _prop_names
    available_wildcard_properties: list[str] = []  # noqa: RUF012

    def __init__(self, markup: str) -> None:
        self.markup = markup  # as in components.svg: every answer has one


class Input(Component):
    """A field of a form; Dash's own HTML components have none that is not bound to a callback."""

    _namespace = "naerblik"
    _type = "Input"
    _prop_names = [  # noqa: RUF012
        *("id", "name", "type", "list", "autocomplete", "placeholder", "value", "maxlength", "checked", "className")
    ]
    _valid_wildcard_attributes = ["aria-", "data-"]  # noqa: RUF012
    available_properties = _prop_names
    available_wildcard_properties = _valid_wildcard_attributes

    def __init__(self, className: str = "form-control", **kwargs: Any) -> None:  # noqa: N803
        super().__init__(className=className, **kwargs)


def to_markup(part: Any) -> str:
    """Return components, tags, texts, numbers and lists of them as HTML."""
    pieces: list[str] = []
    _write(part, pieces)
    return "".join(pieces)


def _write(part: Any, pieces: list[str]) -> None:
    if part is None:
        return
    if isinstance(part, list | tuple):
        for child in part:
            _write(child, pieces)
    elif isinstance(part, Tag):
        pieces.append(f"<{part.name}{_attributes(part.attributes)}>")
        _write(part.children, pieces)
        pieces.append(f"</{part.name}>")
    elif isinstance(part, str):
        pieces.append(escape(part, quote=False))
    elif isinstance(part, Svg):
        cls = f' class="{escape(part.className)}"' if part.className else ""
        pieces.append(f"<span{cls}>{part.markup}</span>")
    elif isinstance(part, Component):
        tag = part._type.lower()
        pieces.append(f"<{tag}{_attributes(vars(part))}>")
        if tag not in _VOID:
            _write(getattr(part, "children", None), pieces)
            pieces.append(f"</{tag}>")
    else:
        pieces.append(escape(str(part), quote=False))


def _attributes(given: Mapping[str, Any]) -> str:
    written = []
    for name, value in sorted(given.items()):  # components hold them in an order of chance: every worker writes alike
        if name in _SKIPPED or value is None or value is False:
            continue
        if value is True:
            written.append(f" {name}")
        else:
            text = _style(value) if isinstance(value, dict) else str(value)
            written.append(f' {_NAMES.get(name, name)}="{escape(text)}"')
    return "".join(written)


def _style(style: dict[str, Any]) -> str:
    return ";".join(f"{_CAPITAL.sub(_hyphened, name)}:{value}" for name, value in style.items())


def _hyphened(capital: re.Match[str]) -> str:
    return f"-{capital[0].lower()}"

"""Fields of a form that changes something: label, hint, and, after a try, what was wrong with what was written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dash import html

from dashboard.components.attributes import aria
from dashboard.components.markup import Input, Tag
from dashboard.words import Words


@dataclass(frozen=True)
class Field:
    """What all fields have. ``name`` is the field's id and its name in the request; ``fault`` "" = nothing wrong."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    fault: str = ""
    is_required: bool = False


def line_field(field: Field, words: Words, kind: str = "text", longest: int = 200) -> html.Div:
    """Return a field of one line; ``kind`` is the type of the input: text, date."""
    return _framed(
        field,
        Input(
            id=field.name,
            name=field.name,
            type=kind,
            value=field.value,
            maxlength=str(longest),
            autocomplete="off",
            **_described(field),
        ),
        words,
    )


def text_field(field: Field, words: Words, longest: int = 2_000, rows: int = 4) -> html.Div:
    """Return a field of several lines."""
    box = Tag(
        "textarea",
        field.value,
        id=field.name,
        name=field.name,
        rows=str(rows),
        maxlength=str(longest),
        **{"class": "form-control"},
        **_described(field),
    )
    return _framed(field, box, words)


def choice_field(field: Field, options: Sequence[tuple[str, str]], words: Words) -> html.Div:
    """Return a list to choose from; ``options`` are value and text of each."""
    items = [Tag("option", text, value=value, selected=value == field.value) for value, text in options]
    box = Tag("select", items, id=field.name, name=field.name, **{"class": "form-select"}, **_described(field))
    return _framed(field, box, words)


def fault_summary(fields: Sequence[Field], words: Words) -> list[Any]:
    """Return what is wrong in all, each with a link to its field; nothing where nothing is."""
    wrong = [field for field in fields if field.fault]
    if not wrong:
        return []
    items = [html.Li([html.A(field.label, href=f"#{field.name}"), f": {field.fault}"]) for field in wrong]
    heading = html.H2(words("form.faults", count=words.count(len(wrong))) if len(wrong) > 1 else words("form.fault"))
    attributes = {"class": "faults", "role": "alert", "tabindex": "-1", "id": "fejl"}
    return [Tag("div", [heading, html.Ul(items)], autofocus=True, **attributes)]  # read aloud before the form


def _described(field: Field) -> dict[str, Any]:
    parts = [f"{field.name}-hint"] * bool(field.hint) + [f"{field.name}-fault"] * bool(field.fault)
    told = {"describedby": " ".join(parts)} if parts else {}
    told |= {"invalid": "true"} if field.fault else {}
    told |= {"required": "true"} if field.is_required else {}
    return aria(**told)


def _framed(field: Field, box: Any, words: Words) -> html.Div:
    optional = [] if field.is_required else [html.Span(f" ({words('form.optional')})", className="quiet")]
    return html.Div(
        [
            html.Label([field.label, *optional], htmlFor=field.name),
            *([html.P(field.hint, id=f"{field.name}-hint", className="hint")] if field.hint else []),
            *([html.P(field.fault, id=f"{field.name}-fault", className="fault")] if field.fault else []),
            box,
        ],
        className="field wrong" if field.fault else "field",
    )

"""Finding one's way in what a page is made of: components, light tags and texts in each other."""

from collections.abc import Iterator, Sequence
from typing import Any

from dash.development.base_component import Component

from dashboard.components.markup import Tag


def walk(part: Any) -> Iterator[Component | Tag]:
    """Yield every element from the top, each before those in it."""
    if isinstance(part, list | tuple):
        for child in part:
            yield from walk(child)
    elif isinstance(part, Component | Tag):
        yield part
        yield from walk(getattr(part, "children", None))


def text_of(part: Any) -> str:
    """Return all text in it, as it is read."""
    if isinstance(part, Sequence) and not isinstance(part, str):
        return "".join(text_of(child) for child in part)
    if isinstance(part, Component | Tag):
        return text_of(getattr(part, "children", None))
    return "" if part is None else str(part)


def classes(part: Component | Tag) -> list[str]:
    """Return the classes that the style sheet knows the element by."""
    given = part.attributes.get("class") if isinstance(part, Tag) else getattr(part, "className", None)
    return str(given or "").split()


def first_of_class(parts: Any, name: str) -> Component | Tag | None:
    """Return the first element of a class."""
    return next((part for part in walk(parts) if name in classes(part)), None)

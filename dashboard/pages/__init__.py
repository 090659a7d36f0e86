"""Pages: pure functions of a selection and a release. A page asks, words and arranges; it never computes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from dashboard.selection import Notice, Selection
from kpis.release import Release


class Body(NamedTuple):
    """What a page puts between head and foot: its title, its parts, and what the reader must know."""

    title: str
    parts: list[Any]
    notices: tuple[Notice, ...] = ()


PageFunction = Callable[[Selection, Release], Body]

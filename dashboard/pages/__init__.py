"""Pages: pure functions of a selection and a release. A page asks, words and arranges; it never computes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from dashboard.selection import Notice, Selection
from kpis.release import Release


class Wall(NamedTuple):
    """What of a page stands on a wall: what it is about, its conclusion, and one chart with the table behind it."""

    context: str
    conclusion: str
    chart: Any
    twin: Any = None


class Body(NamedTuple):
    """What a page puts between head and foot: its title, its parts, and what the reader must know.

    ``wall`` is for a meeting, where that is not the page's conclusion over its first figure. A page that is not final
    is still working something out, and is asked for again by itself.
    """

    title: str
    parts: list[Any]
    notices: tuple[Notice, ...] = ()
    wall: Wall | None = None
    is_final: bool = True


PageFunction = Callable[[Selection, Release], Body]

"""Draft agendas for the chain of meetings: ``agenda_templates/*.toml``, for any area that is made of municipalities."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from dashboard.agenda import Agenda, AgendaItem, agenda_name, item_address
from dashboard.selection import LEVEL_WORDS, area_ref
from kpis.area import Area
from kpis.indicator import Language

DRAFT_LEVELS = ("kkr", "region", "health_council", "cluster")


@dataclass(frozen=True)
class Draft:
    """What an agenda of one kind of meeting begins as; texts by language, ``{area}`` in them is the area's name."""

    id: str
    texts: Mapping[Language, Mapping[str, str]]
    items: tuple[Mapping[str, Any], ...]

    def agenda(self, area: Area, day: date | None, release_id: str, lang: Language) -> Agenda:
        """Return the agenda for an area, on the map that the area is on."""
        texts = {key: text.format(area=area.name) for key, text in self.texts[lang].items()}
        path = "/".join(part for part in (LEVEL_WORDS[area.level], area.slug) if part)
        items = tuple(
            AgendaItem(
                item[lang]["title"].format(area=area.name),
                item_address(item["address"].format(path=path, ref=area_ref(area).text)),
                item[lang]["recommendation"].format(area=area.name),
            )
            for item in self.items
        )
        name = agenda_name(texts["title"])
        return Agenda(name, texts["title"], texts["meeting"], day, release_id, area.map_id, lang, items)


@cache
def load_drafts() -> tuple[Draft, ...]:
    """Read the drafts from the package, in the order of the chain: from the cluster to KKR."""
    folder = resources.files("dashboard.agenda") / "templates"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return tuple(_read(file.name.removesuffix(".toml"), file.read_text(encoding="utf-8")) for file in files)


def _read(name: str, text: str) -> Draft:
    table = tomllib.loads(text)
    return Draft(name.partition("_")[2], {"da": table["da"], "en": table["en"]}, tuple(table["item"]))

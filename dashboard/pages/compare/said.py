"""What is said of a comparison in words: its conclusion, who stands apart, who is left out and why."""

from typing import Any

import polars as pl
from dash import html

from dashboard import sentence
from dashboard.components.verdict import SILENT, reason_text, verdict_text
from dashboard.pages.compare.scope import PALE, Comparison
from dashboard.pages.scope import period_text
from dashboard.readings import NOT_ASSESSED, Place
from dashboard.selection import Selection
from dashboard.words import Words
from kpis.explanation import status_words
from kpis.verdict import VOCABULARY

MOST_NAMES = 12


def conclusion(shown: Comparison, selection: Selection, words: Words) -> str:
    """Say how the areas lie, and of the own area its place and the same verdict that its overview gives."""
    told = [_position(shown, selection, words)]
    place = shown.places.get(shown.own_code or "")
    if place:
        told.append(words("compare.place", place=_place_text(place, words), best=_best(shown, words)))
    judged = shown.verdicts.get(shown.own_code or "", NOT_ASSESSED)
    if judged.verdict not in SILENT:
        levels_of = words(f"levels.{selection.level}")
        told.append(words("compare.judged", verdict=verdict_text(judged.verdict, words), levels=levels_of))
    return " ".join(told)


def _place_text(place: Place, words: Words) -> str:
    """Return *34 (18–61 af 98)*: a rank is never told without its interval."""
    interval = words.interval(place.lower, place.upper)
    return words("compare.rank", rank=words.number(place.rank), interval=interval, count=words.number(place.of))


def _best(shown: Comparison, words: Words) -> str:
    return words(f"compare.best_{shown.indicator.better}")


def _position(shown: Comparison, selection: Selection, words: Words) -> str:
    return sentence.comparison(
        shown.own,
        sentence.capitalised(sentence.area_name(shown.own_area, words)) if shown.own_area else "",
        shown.group,
        sentence.area_name(shown.group_area, words) if shown.group_area else "",
        shown.country,
        shown.peers.iter_rows(named=True),
        _peers_text(shown, selection, words),
        period_text(shown.period, words),
        shown.texts.unit,
        shown.digits,
        words,
    )


def _peers_text(shown: Comparison, selection: Selection, words: Words) -> str:
    if shown.is_group_only and shown.group_area:
        return words("compare.members", area=shown.group_area.name)
    return words(f"levels.{selection.level}")


def apart_from(shown: Comparison, words: Words) -> list[Any]:
    """Name the areas that can be told from the rest, for those who cannot or need not read a map or a funnel."""
    if not shown.verdicts:
        return []
    told: list[Any] = []
    judged = [
        (name, shown.verdicts[code].verdict) for name, code in shown.peers.select("area_name", "area_code").iter_rows()
    ]
    for entry in VOCABULARY:
        names = [name for name, verdict in judged if entry.colour not in PALE and verdict == entry.id]
        if names:
            listed = words.listing(names[:MOST_NAMES]) + (
                words("compare.and_more", count=len(names) - MOST_NAMES) if len(names) > MOST_NAMES else ""
            )
            verdict = sentence.capitalised(verdict_text(entry.id, words))
            told.append(html.Li([html.Strong(f"{verdict}: "), listed]))
    heading = html.H2(words("compare.apart" if told else "compare.none_apart"))
    return [html.Section([heading, html.Ul(told, className="apart")] if told else [heading], className="apart-from")]


def without(shown: Comparison, selection: Selection, words: Words) -> list[Any]:
    """Name the areas that a figure leaves out and why; of many only how many, the table names them."""
    missing = shown.peers.filter(pl.col("value").is_null())
    if missing.is_empty():
        return []
    told = [
        f"{status_words(words.lang)[status]}: {words.listing(names)}"
        if len(names) <= MOST_NAMES
        else words(
            "compare.without_many",
            status=status_words(words.lang)[status],
            count=len(names),
            levels=words(f"levels.{selection.level}"),
        )
        for status, names in missing.group_by("status", maintain_order=True).agg("area_name").iter_rows()
    ]
    return [html.P(words("compare.without", told="; ".join(told)), className="quiet small")]


def notes(shown: Comparison, selection: Selection, words: Words) -> list[Any]:
    """Say how the figure is read."""
    if not shown.peers["lower"].count():
        return []
    key = {"chart": "compare.note", "funnel": "compare.note_funnel", "table": "compare.note_table"}
    return [html.P(words(key.get(selection.view, "compare.note_map")), className="quiet small")]


def why_not(shown: Comparison, words: Words) -> str:
    """Say why there is nothing to draw."""
    if not shown.peers["value"].count():
        return words("compare.elsewhere")
    reasons = {judged.reason for judged in shown.verdicts.values()}
    reason = next((reason for reason in ("across_break", "no_interval") if reason in reasons), "no_reference")
    return words("compare.not_drawn", reason=reason_text(reason, words))

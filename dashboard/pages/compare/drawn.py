"""The drawings of a comparison, each with its sentence, its table and its files."""

from collections.abc import Callable, Mapping
from typing import Any

from dash import html

from dashboard import files, sentence
from dashboard.components.drawing import drawing_block
from dashboard.components.figure import links_to_files
from dashboard.components.verdict import verdict_text
from dashboard.figures.caterpillar import caterpillar, has_cut_intervals, mark_key
from dashboard.figures.denmark import Shade, outline_map, shade_key, tile_map
from dashboard.figures.funnel import funnel, funnel_key
from dashboard.figures.numbers import Numbers, of_estimates, of_funnel
from dashboard.pages.compare.said import conclusion, why_not
from dashboard.pages.compare.scope import PALE, Comparison
from dashboard.pages.compare.table import table
from dashboard.pages.scope import period_text
from dashboard.readings import NOT_ASSESSED
from dashboard.selection import VIEW_WORDS, Selection, View
from dashboard.words import Words
from kpis.verdict import BY_ID, VOCABULARY

Drawn = tuple[Callable[[int], str] | None, list[tuple[str, str]], Numbers | None]
"""A function from width to drawing, None where there is nothing to draw; the marks of the legend; and the numbers."""


def figure(shown: Comparison, selection: Selection, words: Words) -> Any:
    """Return what the view shows, with its sentence, table and files; a view that cannot be drawn says why."""
    text, twin = conclusion(shown, selection, words), table(shown, selection, words)
    draw, legend, numbers = _DRAWN.get(selection.view, _estimates)(shown, selection, text, words)
    if draw is None:
        missing = html.P(why_not(shown, words), className="missing")
        return html.Figure([html.Figcaption(html.H2(text)), missing, twin])
    name = VIEW_WORDS[selection.view]
    actions = _actions(shown, selection, words)
    return drawing_block(name, text, draw, legend, twin, actions, selection, words, numbers=numbers)


def _estimates(shown: Comparison, selection: Selection, text: str, words: Words) -> Drawn:
    if not shown.peers["value"].count():
        return None, [], None
    country = shown.country["value"]
    across = (words("area.country"), country) if country is not None else None
    asked = (shown.peers, shown.own_code, shown.group_codes, across, _axis_title(shown, words), shown.digits)
    label = _label("compare.label", shown, selection, text, words)

    def draw(width: int) -> str:
        return caterpillar(*asked, label, words, width)

    marks = _marks(shown, selection, words)
    if has_cut_intervals(shown.peers, across):
        marks.append((mark_key("beyond"), words("compare.marks_beyond")))
    return draw, marks, of_estimates(*asked)


def _funnel(shown: Comparison, selection: Selection, text: str, words: Words) -> Drawn:
    if shown.funnel.is_empty():
        return None, [], None
    label = _label("compare.label_funnel", shown, selection, text, words)
    size = words("compare.size_rate" if shown.indicator.kind == "rate" else "compare.size_share")
    country, axis = words("area.country"), _axis_title(shown, words)
    asked = (shown.funnel, shown.own_code, shown.group_codes, country, size, axis, shown.digits)

    def draw(width: int) -> str:
        return funnel(*asked, label, words, width)

    limits = [(funnel_key(kind), words(f"compare.limits_{kind}")) for kind in ("inner", "outer")]
    return draw, [*_marks(shown, selection, words), *limits], of_funnel(*asked)


def _map(shown: Comparison, selection: Selection, text: str, words: Words) -> Drawn:
    shades = _shades(shown, words)
    if shown.funnel.is_empty():
        return None, [], None
    label = _label("compare.label_map", shown, selection, text, words)
    picture = outline_map if selection.view == "map" else tile_map
    roles = {shade.role for shade in shades.values()}
    icons = {entry.colour: entry for entry in VOCABULARY[:9]}
    legend = [
        (shade_key(entry.colour), f"{entry.icon} {verdict_text(entry.id, words)}")
        for entry in icons.values()
        if entry.colour in roles
    ]
    legend += [(shade_key(role), words(f"compare.shade_{role}")) for role in ("hatched", "blank") if role in roles]
    if shown.own_area:
        legend.append((shade_key("paper", is_own=True), words("compare.shade_own", area=shown.own_area.name)))
    return lambda width: picture(shades, label, width), legend, None


def _shades(shown: Comparison, words: Words) -> dict[str, Shade]:
    """Return the look of every municipality: that of the area it is part of."""
    shades: dict[str, Shade] = {}
    for row in shown.peers.iter_rows(named=True):
        judged = shown.verdicts.get(row["area_code"], NOT_ASSESSED)
        entry = BY_ID[judged.verdict]
        value = sentence.with_interval(row, shown.digits, words)
        told = f"{row['area_name']}: {value}, {verdict_text(judged.verdict, words)}"
        is_own = row["area_code"] == shown.own_code
        if judged.verdict == "not_assessed":
            shade = Shade("blank", "", told, is_own)
        elif entry.colour in PALE:
            shade = Shade("hatched", "", told, is_own)
        else:
            shade = Shade(entry.colour, entry.icon, told, is_own)
        shades |= dict.fromkeys(shown.members[row["area_code"]], shade)
    return shades


_DRAWN: Mapping[View, Callable[[Comparison, Selection, str, Words], Drawn]] = {
    "funnel": _funnel,
    "map": _map,
    "tiles": _map,
}


def _axis_title(shown: Comparison, words: Words) -> str:
    title = {"lower": "compare.axis_lower", "higher": "compare.axis_higher", "neither": "compare.axis"}
    return words(title[shown.indicator.better], unit=shown.texts.unit)


def _label(key: str, shown: Comparison, selection: Selection, text: str, words: Words) -> str:
    return words(
        key,
        name=shown.texts.name,
        period=period_text(shown.period, words),
        count=shown.peers["value"].count(),
        levels=words(f"levels.{selection.level}"),
        sentence=text,
    )


def _marks(shown: Comparison, selection: Selection, words: Words) -> list[tuple[str, str]]:
    entries = [("own", shown.own_area.name)] if shown.own_area and shown.own_area.level == selection.level else []
    if shown.group_area and selection.level == "municipality":
        entries.append(("group", shown.group_area.name))
    if entries and not shown.is_group_only:
        entries.append(("others", words("compare.marks_others")))
    return [(mark_key(kind), text) for kind, text in entries]


def _actions(shown: Comparison, selection: Selection, words: Words) -> list[Any]:
    asked = (selection.level, (shown.period,), shown.is_standardised, selection.map, selection.lang)
    links = links_to_files(
        files.KINDS, lambda kind: files.address(shown.release, shown.indicator.id, kind, *asked), words
    )
    method = selection.on_page("method", shown.indicator.id)
    links.append(html.A(words("figure.definition"), href=method.to_url()))
    if shown.own_area:
        text = words("compare.to_overview", area=sentence.area_name(shown.own_area, words))
        links.append(html.A(text, href=selection.on_page("area").to_url()))
    return links

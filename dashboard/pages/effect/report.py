"""One intervention: its verdict, what was observed against what would have come without it, and why to believe it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl
from dash import html

from dashboard.components.attributes import aria
from dashboard.components.drawing import drawing_block
from dashboard.components.table import Row, data_table
from dashboard.components.verdict import verdict_text
from dashboard.effect.plans import find_plan
from dashboard.effect.reports import effect_of, month_rows
from dashboard.figures.counterfactual import counterfactual, counterfactual_key
from dashboard.figures.numbers import of_counterfactual
from dashboard.guard.access import may
from dashboard.pages import Body
from dashboard.pages.effect import listing
from dashboard.pages.effect.plan import lock_line
from dashboard.pages.effect.scope import EffectScope, file_links
from dashboard.pages.effect.told import fewer_text, name_of, places, sentence_of
from dashboard.pages.effect.trust import trust
from dashboard.selection import AreaRef, Notice, Selection, catalogue
from dashboard.sentence import capitalised
from dashboard.words import Words, load_words
from kpis.effect_report import Range
from kpis.potential import words as potential_words
from kpis.release import Release
from kpis.verdict import BY_ID


def page(selection: Selection, release: Release) -> Body:
    """Return what came of the intervention in the address; the list of all where there is no such one."""
    plan = find_plan(release, selection.intervention or "")
    if plan is None:
        notice = Notice("plan.unknown", {"value": (selection.intervention or "")[:60]})
        return listing.page(replace(selection, page="effects"), release)._replace(notices=(notice,))
    scope = EffectScope(selection, release, load_words(selection.lang), effect_of(release, plan))
    words = scope.words
    return Body(
        words("effect.title_of", name=plan.name),
        [
            html.Div(
                [
                    html.P(_eyebrow(scope), className="eyebrow"),
                    html.H1(plan.name, tabIndex=-1),
                    html.P(_conclusion(scope), className="conclusion"),
                    html.P(lock_line(plan, words), className="lock"),
                ],
                className="page-head",
            ),
            _figure(scope),
            *_amounts(scope),
            trust(scope),
            _further(scope),
        ],
    )


def _conclusion(scope: EffectScope) -> list[Any]:
    """Begin the sentence with the verdict, so that walls and papers, which take the conclusion, have it too."""
    entry = BY_ID[scope.report.verdict]
    icon = html.Span(entry.icon, className="icon", **aria(hidden="true"))
    verdict = capitalised(verdict_text(entry.id, scope.words))
    mark = html.Span([icon, " ", f"{verdict}."], className=f"verdict-mark v-{entry.colour}")
    return [mark, " ", sentence_of(scope.report, scope.words)]


def _eyebrow(scope: EffectScope) -> list[Any]:
    words, plan = scope.words, scope.plan
    every = html.A(words("effect.all"), href=replace(scope.selection, page="effects", intervention=None).to_url())
    since = words("effect.since", start=words.month(plan.start), places=places(plan, words))
    return [every, " · ", since, " · ", name_of(plan.indicator, words)]


# --- observed against what would have come -------------------------------------------------------------------


def _figure(scope: EffectScope) -> html.Figure | html.P:
    words, report = scope.words, scope.report
    months = month_rows(scope.release, report).drop_nulls("observed")
    if months.height < 2:
        return html.P(words("effect.no_months"), className="missing")
    text = _figure_sentence(scope, months)
    is_after = (pl.col("side") == "after") & (report.ratio is not None)
    drawn = months.select(
        "month",
        "observed",
        expected="counterfactual",
        lower=pl.when(is_after).then("counterfactual_lower"),
        upper=pl.when(is_after).then("counterfactual_upper"),
        is_provisional=pl.col("side") == "provisional",
    )
    label = words("effect.months_label", name=scope.plan.name, sentence=text)
    kinds = ["observed"]
    kinds += ["expected"] if drawn["expected"].count() else []
    kinds += ["band"] if drawn["lower"].count() else []
    kinds += ["tail"] if drawn["is_provisional"].any() else []
    return drawing_block(
        "modfaktisk",
        text,
        lambda width: counterfactual(drawn, scope.plan.start, 0, label, words, width),
        [(counterfactual_key(kind), words(f"effect.legend_{kind}")) for kind in kinds],
        _month_table(scope, months),
        file_links(scope, "maaneder"),
        scope.selection,
        words,
        numbers=of_counterfactual(drawn, 0, _names(kinds, words)),
    )


def _names(kinds: Sequence[str], words: Words) -> dict[str, str]:
    """Return the names of the lines that are drawn, for a chart that is drawn anew."""
    names = {kind: words(f"effect.legend_{kind}") for kind in kinds if kind != "band"}
    ends = {end: words(f"papers.series_{end}_expected") for end in ("upper", "lower")}
    return names | (ends if "band" in kinds else {})


def _figure_sentence(scope: EffectScope, months: pl.DataFrame) -> str:
    words = scope.words
    name = name_of(scope.plan.indicator, words)
    if scope.report.ratio is None:
        return words("effect.months_observed_only", name=name)
    after = months.filter(pl.col("side") == "after")
    below = after.filter(pl.col("observed") < pl.col("counterfactual")).height
    return words("effect.months_sentence", name=name, below=words.number(below), count=words.number(after.height))


def _month_table(scope: EffectScope, months: pl.DataFrame) -> html.Div:
    words = scope.words

    def number(value: float | None) -> str:
        return words("effect.not_stated") if value is None else words.number(value)

    rows = [
        Row(
            words.month(row["month"]),
            [
                words(f"effect.side_{row['side']}"),
                number(row["observed"]),
                number(row["counterfactual"]),
                number(row["counterfactual_lower"]) if row["side"] == "after" else words("depth.no_limit"),
                number(row["counterfactual_upper"]) if row["side"] == "after" else words("depth.no_limit"),
            ],
        )
        for row in reversed(list(months.iter_rows(named=True)))
    ]
    columns = ("month", "side", "observed", "expected", "lower", "upper")
    caption = words("effect.months_caption", name=scope.plan.name, indicator=name_of(scope.plan.indicator, words))
    return data_table(caption, [words(f"effect.column_{name}") for name in columns], rows, numeric=(1, 2, 3, 4))


# --- what it amounts to --------------------------------------------------------------------------------------


def _amounts(scope: EffectScope) -> list[Any]:
    """Return the effect in events, bed days and kroner, and the cost; nothing where nothing could be estimated."""
    words, gain, window = scope.words, scope.report.gain, scope.report.window
    if gain is None or window is None:
        return []
    events = name_of(scope.plan.indicator, words)
    days_note = (
        words("effect.days_note") if gain.bed_days else potential_words("reason", "no_length_of_stay", words.lang)
    )
    kroner_note = (
        words("effect.kroner_note", source=scope.plan.price_source) if gain.kroner else words("effect.kroner_unknown")
    )
    cards = [
        (events, fewer_text(gain.events, words), words("effect.per_year", amount=fewer_text(gain.per_year, words))),
        (words("effect.amount_days"), fewer_text(gain.bed_days, words) if gain.bed_days else None, days_note),
        (words("effect.amount_kroner"), _kroner(gain.kroner, words) if gain.kroner else None, kroner_note),
        (words("effect.amount_cost"), None if gain.cost is None else _cost(gain.cost, words), _cost_note(scope)),
    ]
    items = [
        html.Div(
            [
                html.Dt(name),
                html.Dd(value or words("effect.not_stated"), className="number" if value else "number without"),
                html.Dd(note, className="quiet small"),
            ]
        )
        for name, value, note in cards
    ]
    heading = html.H2(words("effect.amounts", months=words.months(window.first_after, window.last)))
    lead = [] if scope.report.verdict == "fall" else [html.P(words("effect.amounts_unsure"), className="quiet")]
    return [html.Section([heading, *lead, html.Dl(items, className="amounts")])]


def _kroner(kroner: Range, words: Words) -> str:
    value, lower, upper = (words.number(amount / 1e6, 1).replace("-", "−") for amount in kroner)
    return words("effect.million_range", value=value, lower=lower, upper=upper)


def _cost(cost: float, words: Words) -> str:
    return words("effect.million", value=words.number(cost / 1e6, 1))


def _cost_note(scope: EffectScope) -> str:
    words, gain = scope.words, scope.report.gain
    if gain is None or gain.cost is None:
        return words("effect.cost_unknown")
    if gain.cost_per_event is None:
        return words("effect.cost_none_avoided")
    each = gain.cost_per_event
    step = 1_000 if each.value >= 10_000 else 100

    def kroner(value: float) -> str:
        return words.number(step * round(value / step))

    lower = kroner(each.lower)
    if each.upper is None:
        return words("effect.cost_each_open", value=kroner(each.value), lower=lower)
    return words("effect.cost_each", value=kroner(each.value), lower=lower, upper=kroner(each.upper))


# --- ways on -------------------------------------------------------------------------------------------------


def _further(scope: EffectScope) -> html.Nav:
    words, selection, plan = scope.words, scope.selection, scope.plan
    known = catalogue(scope.release)
    links = []
    for area in known.areas[selection.map, "municipality"]:
        if area.code in plan.municipalities:
            there = replace(selection, area=AreaRef("municipality", area.slug), view="chart")
            href = there.on_page("depth", plan.indicator).to_url()
            links.append(html.A(words("effect.to_depth", area=area.name), href=href))
    if may("editor"):
        text = words("effect.change_plan")
        links.append(html.A(text, href=replace(selection, page="effect_form", view="chart").to_url(), id="ret-plan"))
    return html.Nav(links, className="further", **aria(label=words("effect.further")))

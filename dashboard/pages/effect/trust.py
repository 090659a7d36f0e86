"""“Kan vi stole på det?”: what stands behind a verdict, for whoever wants to know before believing it."""

from typing import Any

from dash import html

from dashboard.components.drawing import drawing_block
from dashboard.components.table import Row, data_table
from dashboard.effect.plans import find_plan
from dashboard.figures.forest import Finding, forest, forest_key, signed
from dashboard.figures.placebos import placebos, placebos_key
from dashboard.pages.effect.plan import plan_section
from dashboard.pages.effect.scope import EffectScope, file_links
from dashboard.pages.effect.told import (
    change_digits,
    change_text,
    method_refusal_text,
    methods_text,
    percent,
    refusal_text,
)
from dashboard.sentence import capitalised
from dashboard.words import Words
from kpis.effect_report import Donor, MethodResult, Side
from kpis.rates import LEVEL_95

MOST_DONORS = 10


def trust(scope: EffectScope) -> html.Details:
    """Return what can be opened under a report: chance, comparison, methods, other indicators, coverage, the plan."""
    words = scope.words
    parts = [
        *_placebos(scope),
        *_comparison(scope),
        *_methods(scope),
        *_sides(scope),
        *_notes(scope),
        plan_section(scope.plan, words),
    ]
    return html.Details(
        [html.Summary(words("effect.trust")), *parts],
        className="trust",
        open=bool(scope.report.refusals) or scope.selection.view == "table",
        id="tillid",
    )


def _placebos(scope: EffectScope) -> list[Any]:
    """Return how often chance alone gives as much."""
    words, spread, ratio = scope.words, scope.report.placebos, scope.report.ratio
    if spread is None or ratio is None:
        return []
    digits = change_digits(ratio)
    own, limits = percent(ratio.value), tuple(percent(limit) for limit in spread.limits)
    effects = [percent(float(one)) for one in spread.ratios]
    text = words(
        "effect.placebos_sentence",
        n=words.number(spread.n),
        more=words.number(spread.rank - 1) if spread.rank > 1 else words("effect.placebos_none"),
        low=signed(limits[0], digits, words),
        high=signed(limits[1], digits, words),
    )
    label = words("effect.placebos_label", sentence=text)
    rows = [
        Row(words("effect.placebos_own"), [_percent(own, digits, words)], "own"),
        *(
            Row(words("effect.placebos_share", share=share), [_percent(edge, digits, words)])
            for share, edge in zip(("2,5", "97,5") if words.lang == "da" else ("2.5", "97.5"), limits, strict=True)
        ),
    ]
    twin = data_table(
        words("effect.placebos_caption"), [words("effect.column_what"), words("effect.column_change")], rows, (0,)
    )
    figure = drawing_block(
        "placeboer",
        text,
        lambda width: placebos(effects, own, (limits[0], limits[1]), words("effect.axis_change"), label, words, width),
        [(placebos_key(kind), words(f"effect.legend_{kind}")) for kind in ("other", "own", "spread")],
        twin,
        file_links(scope, "metoder"),
        scope.selection,
        words,
        html.H3,
    )
    told = [words("effect.placebos_region" if spread.is_within_region else "effect.placebos_country")]
    if spread.in_time:
        month, moved = spread.in_time
        told.append(words("effect.in_time", month=words.month(month), change=change_text(moved, words)))
    note = html.P(" ".join(told), className="quiet small")
    return [html.Section([html.H2(words("effect.chance")), figure, note], className="figure-section")]


def _percent(value: float, digits: int, words: Words) -> str:
    return words("effect.change_plain", value=signed(value, digits, words))


def _comparison(scope: EffectScope) -> list[Any]:
    """Return who is compared with, and how alike they were before."""
    words, fit, donors = scope.words, scope.report.pre_fit, scope.report.donors
    parts: list[Any] = []
    if fit is not None:
        parts.append(
            html.P(
                words(
                    "effect.fit_poor" if fit.is_poor else "effect.fit_good",
                    error=_points(fit.error, words),
                    usual=_points(fit.usual_error, words),
                    trend=change_text(fit.trend_per_year, words),
                )
            )
        )
    if donors:
        parts += [html.P(words("effect.donors_note", count=words.number(len(donors)))), _donor_table(donors, words)]
    return [html.Section([html.H2(words("effect.comparison")), *parts])] if parts else []


def _points(value: float, words: Words) -> str:
    """Return per cent without decimals from ten on."""
    return words.number(value, 0 if value >= 10 else 1)


def _donor_table(donors: tuple[Donor, ...], words: Words) -> html.Div:
    largest = sorted(donors, key=lambda donor: (-donor.synthetic_weight, -donor.weight, donor.name))[:MOST_DONORS]
    rows = [
        Row(donor.name, [words.number(100 * weight, 1) for weight in (donor.weight, donor.synthetic_weight)])
        for donor in largest
    ]
    columns = [words(f"effect.column_{name}") for name in ("donor", "weight", "synthetic_weight")]
    return data_table(words("effect.donors_caption", count=len(rows)), columns, rows, numeric=(0, 1))


def _methods(scope: EffectScope) -> list[Any]:
    """Return what each method says, the naive one as what it is."""
    words, plan, methods = scope.words, scope.plan, scope.report.methods
    if not any(one.ratio for one in methods):
        return []
    findings = [_finding(one, words) for one in methods]
    expected = None if plan.expected_effect is None else percent(plan.expected_effect)
    text = capitalised(methods_text(methods, words))
    label = words("effect.methods_label", sentence=text)
    legend = [("own", "effect.legend_main"), ("other", "effect.legend_second"), ("naive", "effect.legend_naive")]
    legend += [("plan", "effect.legend_plan")] if expected is not None else []
    figure = drawing_block(
        "metoder",
        text,
        lambda width: forest(findings, expected, words("effect.axis_change"), label, words, width),
        [(forest_key(kind), words(key)) for kind, key in legend],
        _method_table(methods, words),
        file_links(scope, "metoder"),
        scope.selection,
        words,
        html.H3,
    )
    told = [words("effect.methods_note")]
    outside, window = scope.report.months_outside_own_limits, scope.report.window
    if outside is not None and window is not None:
        told.append(words("effect.naive_note", outside=words.number(outside), count=words.number(window.n_after)))
    coverage = _coverage(methods, words)
    notes = [html.P(" ".join(told), className="quiet small"), *coverage]
    return [html.Section([html.H2(words("effect.same")), figure, *notes], className="figure-section")]


def _finding(one: MethodResult, words: Words) -> Finding:
    is_naive = one.method == "before_after"
    name = words(f"effect.method_{one.method}")
    if one.ratio is None:
        return Finding(name, None, None, None, words("effect.refused"), is_naive=is_naive)
    value, lower, upper = (percent(edge) for edge in one.ratio)
    return Finding(name, value, lower, upper, change_text(one.ratio, words), one.method == "controls", is_naive)


def _method_table(methods: tuple[MethodResult, ...], words: Words) -> html.Div:
    def share(value: float | None) -> str:
        return words("depth.no_limit") if value is None else words("effect.per_cent", value=words.number(100 * value))

    rows = [
        Row(
            words(f"effect.method_{one.method}"),
            [
                change_text(one.ratio, words) if one.ratio else _why(one, words),
                share(one.coverage),
                change_text(one.textbook, words) if one.textbook else words("depth.no_limit"),
                share(one.textbook_coverage),
            ],
            "own" if one.method == "controls" else "",
        )
        for one in methods
    ]
    names = ("method", "calibrated", "coverage", "textbook", "textbook_coverage")
    return data_table(
        words("effect.methods_caption"), [words(f"effect.column_{name}") for name in names], rows, numeric=(1, 3)
    )


def _why(one: MethodResult, words: Words) -> str:
    return method_refusal_text(one.refusal, words) if one.refusal else words("effect.no_value")


def _coverage(methods: tuple[MethodResult, ...], words: Words) -> list[Any]:
    """Return how often intervals like these held the truth where it is known: where nothing was done."""
    main = next((one for one in methods if one.coverage is not None and one.method == "controls"), None)
    if main is None or main.coverage is None:
        return []
    told = [words("effect.coverage", share=words.number(100 * main.coverage))]
    if main.textbook_coverage is not None:
        key = (
            "effect.coverage_textbook" if main.textbook_coverage < LEVEL_95 - 0.005 else "effect.coverage_textbook_held"
        )
        told.append(words(key, share=words.number(100 * main.textbook_coverage)))
    return [html.H3(words("effect.coverage_heading")), html.P(" ".join(told), id="daekning")]


def _sides(scope: EffectScope) -> list[Any]:
    """Return negative control and counterweight, asked the same way; also that none was named."""
    words = scope.words
    if scope.report.ratio is None:
        return []
    parts: list[Any] = [html.H2(words("effect.elsewhere"))]
    for name in ("negative_control", "counterweight"):
        side: Side | None = getattr(scope.report, name)
        parts.append(html.H3(words(f"effect.{name}")))
        if side is None:
            parts.append(html.P(words(f"effect.{name}_missing"), className="quiet"))
            continue
        if side.refusal is not None:
            told = words("effect.side_refused", reason=refusal_text(side.refusal, words))
        else:
            told = words(f"effect.{name}_{side.moved}", change=change_text(side.ratio, words))
        indicator = side.indicator.texts(words.lang).short_name
        parts.append(html.P([html.Strong(f"{indicator}: "), told]))
    return [html.Section(parts)]


def _notes(scope: EffectScope) -> list[Any]:
    """Return what else the reader must know: months that were cut off, and other interventions in the same place."""
    words, report = scope.words, scope.report
    told = [words(f"effect.note_{note}") for note in report.notes]
    if report.others:
        found = [find_plan(scope.release, other) for other in report.others]
        told.append(words("effect.others", names=words.listing([plan.name for plan in found if plan])))
    return [html.Section([html.H2(words("effect.notes")), html.Ul([html.Li(text) for text in told])])] if told else []

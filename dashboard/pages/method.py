"""Metode: what a figure means, counts and leaves out, down to codes, rules and SQL; read from what the code runs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl
from dash import html

from dashboard import sentence
from dashboard.components.table import Row, data_table
from dashboard.pages import Body, Wall
from dashboard.selection import Selection
from dashboard.words import Words, load_words
from kpis.explanation import checked_by, codelist, page_word, statistics, status_words
from kpis.indicator import FOCUS_AREAS, Count, Indicator, load_indicators
from kpis.lineage import code_behind, rules_behind, statements_behind
from kpis.reconciliation import reasons, reconcile
from kpis.release import Release

_COMMON = ("stays", "intervals", "missing", "newest")
_RULE_WORDS = ("da", "en", "source")


def page(selection: Selection, release: Release) -> Body:
    """Return the method of one indicator, or what is common to all of them with a list."""
    words = load_words(selection.lang)
    if selection.indicator:
        return _of_indicator(load_indicators()[selection.indicator], selection, release, words)
    return _of_all(selection, release, words)


def _of_all(selection: Selection, release: Release, words: Words) -> Body:
    focus_areas = []
    for number, focus in sorted(FOCUS_AREAS.items()):
        links = [
            html.Li(
                html.A(
                    indicator.texts(words.lang).short_name,
                    href=replace(selection, indicator=indicator.id).to_url(),
                )
            )
            for indicator in load_indicators().values()
            if indicator.focus_area == number
        ]
        focus_areas.append(html.Li([html.H3(getattr(focus, words.lang)), html.Ul(links)]))
    common = [html.P(words(f"method.{name}")) for name in _COMMON]
    rules = _rules(release.manifest.get("rules") or {}, words)
    sql = _sql((release.manifest.get("code") or {}) | (release.manifest.get("sql") or {}), words)
    return Body(
        words("method.title"),
        [
            html.Div(
                [html.H1(words("method.title"), tabIndex=-1), html.P(words("method.lead"), className="conclusion")],
                className="page-head",
            ),
            html.Section([html.H2(words("method.indicators")), html.Ul(focus_areas, className="tiles")]),
            html.Section([html.H2(words("method.common")), *common], className="prose"),
            html.Section(
                [html.H2(words("method.verdicts_title")), html.P(words("method.verdicts"))],
                className="prose",
                id="vurdering",
            ),
            html.Section(
                [html.H2(words("method.potential_title")), html.P(words("method.potential"))],
                className="prose",
                id="potentiale",
            ),
            *rules,
            *sql,
        ],
    )


def _of_indicator(indicator: Indicator, selection: Selection, release: Release, words: Words) -> Body:
    texts = indicator.texts(words.lang)
    compare = selection.on_page("compare")
    sections: dict[str, Any] = {
        "meaning": [texts.meaning, word(f"better_{indicator.better}", words) + "."],
        "why": texts.why,
        "counted": texts.counted,
        "not_counted": texts.not_counted,
        "limits": texts.limits,
        "calculation": _calculation(indicator, words),
        "statistics": statistics(indicator, words.lang),
        "confidence": sentence.capitalised(word(f"confidence_{indicator.confidence}", words)) + ".",
        "counterweights": _counterweights(indicator, selection, words),
    }
    told = {
        key: html.Section([html.H2(word(key, words)), *_paragraphs(content)])
        for key, content in sections.items()
        if content
    }
    focus = FOCUS_AREAS[indicator.focus_area]
    statements = code_behind(release.manifest.get("code") or {}, indicator)
    statements |= statements_behind(release.manifest.get("sql") or {}, indicator)
    return Body(
        words("method.name_title", name=texts.short_name),
        [
            html.Div(
                [
                    html.P(getattr(focus, words.lang), className="eyebrow"),
                    html.H1(words("method.name_title", name=texts.name), tabIndex=-1),
                    html.P(html.A(words("overview.compare_link"), href=compare.to_url())),
                ],
                className="page-head",
            ),
            html.Div(list(told.values()), className="prose"),
            *_codes(indicator, release, words),
            _formulas(indicator, words),
            *_rules(rules_behind(release.manifest.get("rules") or {}, statements, indicator), words),
            *_sql(statements, words),
            *_reconciliation(indicator, release, words),
            _changes(indicator, words),
            _responsible(indicator, words),
        ],
        wall=Wall(
            getattr(focus, words.lang),
            texts.meaning,
            [told[key] for key in ("counted", "not_counted", "limits") if key in told],
        ),
    )


def word(key: str, words: Words) -> str:
    """Return a heading or word of the page that describes an indicator; ``python -m kpis show`` prints the same."""
    return page_word(key, words.lang)


def _paragraphs(content: str | list[Any]) -> list[Any]:
    parts = content if isinstance(content, list) else [content]
    return [html.P(part) if isinstance(part, str) else part for part in parts]


def _calculation(indicator: Indicator, words: Words) -> str:
    def counted(part: str, count: Count) -> str:
        categories = f" ({', '.join(count.categories)})" if count.categories else ""
        return f"{word(part, words)}: {count.measure}{categories}"

    people = indicator.population
    if people.age_to is not None:
        ages = word("age_between", words).format(age=people.age_from, age_to=people.age_to)
    else:
        ages = word("age_from", words).format(age=people.age_from) if people.age_from else word("everybody", words)
    parts = [
        counted("numerator", indicator.numerator),
        counted("denominator", indicator.denominator),
        f"× {words.number(indicator.per)}",
        ages,
        *([word(f"sex_{people.sex}", words)] if people.sex else []),
    ]
    return " · ".join(parts)


def _counterweights(indicator: Indicator, selection: Selection, words: Words) -> list[Any]:
    links = [
        html.Li(
            html.A(
                load_indicators()[other].texts(words.lang).name,
                href=replace(selection, indicator=other).to_url(),
            )
        )
        for other in indicator.counterweights
    ]
    return [html.Ul(links)] if links else []


def _codes(indicator: Indicator, release: Release, words: Words) -> list[Any]:
    """Return the groups as this release counted them, which need not be those of today's code list."""
    codes = codelist(indicator)
    if codes is None:
        return []
    groups = release.sql("select * from diagnosis_group order by group_id").filter(
        pl.col("group_id").is_in(list(indicator.group_ids))
    )
    rows = [
        Row(
            group[f"name_{words.lang}"],
            [html.Code(" ".join(group["prefixes"])), html.Code(" ".join(group["excluded_prefixes"] or []))],
        )
        for group in groups.iter_rows(named=True)
    ]
    version = groups["codelist_version"][0] if rows else codes.version
    source = codes.source_da if words.lang == "da" else codes.source
    told = (
        f"{word('codelist', words)}: {codes.id}, {word('version', words)} {version}, "
        f"{word(f'confidence_{codes.confidence}', words)}. {word('source', words)}: {source}."
    )
    columns = [words("method.group"), words("method.prefixes"), sentence.capitalised(word("except", words))]
    table = data_table(word("codes", words), columns, rows)
    return [html.Section([html.H2(word("codes", words)), html.P(told), table])]


def _rules(rules: Mapping[str, Mapping[str, Any]], words: Words) -> list[Any]:
    """Return the rules that the release was built by, as its manifest tells them: id → texts, source and values."""
    if not rules:
        return []
    rows = [
        Row(
            rule_id,
            [
                rule[words.lang],
                ", ".join(f"{name} = {value}" for name, value in rule.items() if name not in _RULE_WORDS),
                rule.get("source", ""),
            ],
        )
        for rule_id, rule in rules.items()
    ]
    columns = [words(f"method.rule{part}") for part in ("", "_text", "_value", "_source")]
    table = data_table(words("method.rules"), columns, rows)
    details = html.Details([html.Summary(words("method.rules_all", count=len(rows))), table])
    return [html.Section([html.H2(words("method.rules")), details], className="rules")]


def _sql(statements: Mapping[str, str], words: Words) -> list[Any]:
    if not statements:
        return []
    shown = [html.Details([html.Summary(name), html.Pre(text, tabIndex=0)]) for name, text in statements.items()]
    return [html.Section([html.H2(words("method.sql")), html.P(words("method.sql_note"), className="small"), *shown])]


# Formula and source of each figure; the words stand under `method.formula_…`. O events, n person-years or trials,
# w persons of the standard population, z the normal quantile, φ the clustering of the indicator.
_FORMULAS: Mapping[str, tuple[str, str]] = {
    "rate": ("O/n × {per}; L, U = φ·Byar(O/φ)/n × {per}", "Breslow & Day 1987; PHE fingertips"),
    "proportion": ("x/n × {per}; L, U = Wilson(x/φ, n/φ) × {per}", "Wilson 1927; Newcombe 1998"),
    "ratio": ("ΣO / Σn × {per}", "Nærblik"),
    "median": ("x(n/2); L, U = x(n/2 ± z·√n/2)", "Conover 1999"),
    "standardised": ("Σ wᵢOᵢ/nᵢ / Σ wᵢ × {per}; L, U = DSR + √(Var/ΣO)·(Byar(ΣO) − ΣO)", "Dobson et al. 1991"),
    "expected": ("100 × O / Σ nᵢ·(O′ᵢ/n′ᵢ)", "Breslow & Day 1987; PHE calculate_ISRatio"),
    "rounding": ("b = √(b₀² + z²·v)", "Zou & Donner 2008 (MOVER)"),
    "verdict": ("z = (y − y₀)/√(s² + τ²); 95 %, {wide} %", "Spiegelhalter 2005"),
    "process": ("ū ± 3·σ_z·√(ū/n), σ_z = mean|Δz|/{d2}", "Laney 2002; NHS Making Data Count"),
    "potential": ("max(0, s·E − m)", "Marshall 1991; gamma–Poisson"),
}


def _formulas(indicator: Indicator, words: Words) -> html.Section:
    """Return the statistics of the indicator as formulas with their sources."""
    has_interval = indicator.kind in ("rate", "proportion", "median")
    wanted = [
        indicator.kind,
        *(["standardised", "expected"] if indicator.can_be_standardised else []),
        *(["rounding"] if has_interval else []),
        *(["verdict"] if indicator.kind in ("rate", "proportion") else []),
        "process",
        *(["potential"] if indicator.kind in ("rate", "proportion") and indicator.better != "neither" else []),
    ]
    numbers = {"per": words.number(indicator.per), "wide": words.number(99.8, 1), "d2": words.number(1.128, 3)}
    rows = [
        Row(
            words(f"method.formula_{name}"),
            [html.Code(_FORMULAS[name][0].format(**numbers)), _FORMULAS[name][1]],
        )
        for name in wanted
    ]
    columns = [words(f"method.column_{name}") for name in ("what", "formula", "source")]
    table = data_table(words("method.formulas"), columns, rows)
    return html.Section([html.H2(words("method.formulas")), html.P(words("method.symbols"), className="small"), table])


def _reconciliation(indicator: Indicator, release: Release, words: Words) -> list[Any]:
    """Set figures that others have published beside ours, with the known reasons why they may differ."""
    heading = html.H2(words("method.reconciliation"), id="afstemning")
    found = reconcile(release, [indicator.id])
    if found.is_empty():
        return [html.Section([heading, html.P(words("method.no_official"), className="quiet")], className="prose")]
    rows = [_reconciled(row, words) for row in found.iter_rows(named=True)]
    columns = ("area", "period", "published", "ours", "gap", "comparison", "source")
    table = data_table(
        words("method.reconciliation"), [words(f"method.column_{name}") for name in columns], rows, numeric=(1, 2, 3)
    )
    named = {name for row in found["reasons"] for name in row.split(";")}
    told = html.Ul([html.Li(reason.text(words.lang)) for reason in reasons() if reason.id in named])
    why = [html.H3(words("method.reasons")), html.P(words("method.reasons_note")), told] if named - {""} else []
    return [html.Section([heading, html.P(words("method.reconciliation_note")), table, *why])]


def _reconciled(row: Mapping[str, Any], words: Words) -> Row:
    def number(value: float | None, digits: int = 1) -> str:
        return words.number(value, digits) if value is not None else ""

    ours = number(row["ours"])
    if row["lower"] is not None and row["ours"] is not None:
        ours = words("value.with_interval", value=ours, interval=words.interval(row["lower"], row["upper"], 1))
    if not ours and row["status"]:
        ours = status_words(words.lang)[row["status"]]
    gap = row["difference_per_cent"]
    return Row(
        row["area_name"] or row["area_code"],
        [
            row["period"],
            number(row["official"]),
            ours,
            f"{'+' if gap > 0 else '−' if gap < 0 else ''}{words.number(abs(gap), 1)} %" if gap is not None else "",
            words(f"method.compared_{row['comparison']}"),
            row["source"],
        ],
    )


def _changes(indicator: Indicator, words: Words) -> html.Section:
    items = [
        html.Li(
            words(
                "method.change",
                version=change.version,
                date=words.day(change.date),
                text=getattr(change, words.lang),
            )
        )
        for change in indicator.change
    ]
    return html.Section([html.H2(word("changes", words)), html.Ul(items)], className="prose")


def _responsible(indicator: Indicator, words: Words) -> html.Section:
    facts = {
        "author": indicator.author,
        "checker": checked_by(indicator, words.lang),
        "reviewed": words.day(indicator.reviewed),
        "next_review": words.day(indicator.next_review),
    }
    listed = html.Dl(
        [
            part
            for key, value in facts.items()
            for part in (html.Dt(sentence.capitalised(word(key, words))), html.Dd(value))
        ]
    )
    return html.Section([html.H2(word("responsible", words)), listed], className="prose")

"""Akutpladser: whom a doctor on call can ring to, first on the page; and how the acute places are used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from dash import html

from dashboard import files, sentence
from dashboard.components.attributes import aria, data
from dashboard.components.controls import Option, search_form, select
from dashboard.components.drawing import drawing_block
from dashboard.components.figure import links_to_files
from dashboard.components.svg import Svg
from dashboard.components.table import Row, data_table
from dashboard.components.verdict import CHANGES, SILENT, reason_text, verdict_mark
from dashboard.figures.numbers import of_marks
from dashboard.figures.rows import Mark, rows, rows_key
from dashboard.figures.sparkline import sparkline
from dashboard.pages import Body
from dashboard.pages.scope import Scope, on_map, period_text
from dashboard.readings import (
    NOT_ASSESSED,
    Estimate,
    area_estimate,
    area_process,
    latest_period,
    level_estimates,
    level_verdicts,
)
from dashboard.register import SERVICE_TYPES, referral_shares, services, services_delivered
from dashboard.selection import COUNTRY, Selection, area_ref, catalogue
from dashboard.words import load_words
from kpis.area import Area, levels
from kpis.indicator import Indicator, load_indicators
from kpis.reference import normalise_municipality
from kpis.release import Release
from kpis.slice import Slice

Service = Mapping[str, Any]
"""A row of the table ``service``."""

MOST_SERVICES = 60
OUTSIDE_HOSPITAL = "acute_place_referred_home_gp"
_MEASURES = (
    "place_days_available",
    "place_days_occupied",
    "days_over_capacity",
    "n_place_referral",
    "n_refused_referral",
    "n_place_stay",
    "n_place_admitted_7",
    "n_place_admitted_30",
)
_AREA_LEVELS = ("kkr", "region", "health_council", "cluster", "municipality")


def page(selection: Selection, release: Release) -> Body:
    """Return the register of services with its search, and the figures of the selected area or the country."""
    words = load_words(selection.lang)
    known = catalogue(release)
    area = known.area(selection.area or COUNTRY, selection.map)
    assert area is not None, "Selection.from_url gives areas of the map only"
    scope = Scope(selection, release, words, known, area, latest_period(release))
    return Body(
        words("acute_places.title"),
        [
            html.Div(
                [
                    html.H1(words("acute_places.heading"), tabIndex=-1),
                    html.P(words("acute_places.lead"), className="quiet"),
                    _search(scope),
                ],
                className="page-head",
            ),
            *_register(scope),
            _figures(scope),
            *_referrals(scope),
        ],
    )


# --- The register -------------------------------------------------------------------------------------------


def _search(scope: Scope) -> html.Form:
    words, selection = scope.words, scope.selection
    empty = replace(selection, area=None, search="", view="chart")
    municipalities = scope.known.areas[selection.map, "municipality"]
    options = [
        html.Option(value=area.name, **data(href=replace(empty, area=area_ref(area)).to_url()))
        for area in municipalities
    ]
    options += [html.Option(value=name) for name in sorted({service["name"] for service in services(scope.release)})]
    shown = selection.search or ("" if scope.is_country else scope.area.name)
    hint, button = words("acute_places.search_hint"), words("acute_places.search_button")
    action = empty.to_url()
    return search_form(words("acute_places.search_label"), hint, button, shown, options, "services", action)


def find(text: str, municipalities: Sequence[Area], known_services: Sequence[Service]) -> list[Service]:
    """Return the services of the municipalities that the text begins the name of; else those that have it in theirs.

    Else those with it in the name of their municipality, or among their competences. Spellings such as Århus are
    understood.
    """
    wanted = normalise_municipality(text).lstrip("0")
    names = {area.code: normalise_municipality(area.name) for area in municipalities}
    if not wanted:
        return []
    begins = {code for code, name in names.items() if name.startswith(wanted) or code.lstrip("0") == wanted}
    contains = {code for code, name in names.items() if wanted in name}
    lowered = text.strip().casefold()
    tests = (
        lambda service: service["municipality_code"] in begins,
        lambda service: lowered in service["name"].casefold(),
        lambda service: service["municipality_code"] in contains,
        lambda service: any(lowered in item.casefold() for item in service["competences"] or ()),
    )
    for test in tests:
        if found := [service for service in known_services if test(service)]:
            return found
    return []


def _register(scope: Scope) -> list[Any]:
    """Show the services that are asked for: by a search, or of the selected area; nothing of the whole country."""
    words, selection = scope.words, scope.selection
    municipalities = scope.known.areas[selection.map, "municipality"]
    every = services(scope.release)
    if not every and not services_delivered(scope.release):
        return [html.P(words("acute_places.register_missing"), className="missing")]
    if selection.search.strip():
        found = find(selection.search, municipalities, every)
        asked = [area for area in municipalities if _begins(area, selection.search)]
        told = words("acute_places.found", count=words.number(len(found)), text=selection.search)
        if not found and not asked:
            return [html.P(words("acute_places.not_found", text=selection.search), role="status")]
    elif scope.is_country:
        return []
    else:
        asked = [area for area in municipalities if area.code in scope.area.municipalities]
        found = [service for service in every if service["municipality_code"] in scope.area.municipalities]
        told = words("acute_places.found_in", count=words.number(len(found)), area=scope.name)
    if found and selection.lang != "da":
        told = f"{told} · {words('acute_places.as_delivered')}"
    shown = _by_municipality(found[:MOST_SERVICES], municipalities)
    parts: list[Any] = [html.P(told, role="status", className="quiet small")]
    parts += [_place(scope, area, list(group)) for area, group in shown]
    parts += [_place(scope, area, []) for area in asked if area.code not in {item.code for item, _ in shown}][:12]
    if len(found) > MOST_SERVICES:
        parts.append(html.P(words("acute_places.more", count=words.number(len(found) - MOST_SERVICES))))
    return [html.Section(parts, className="register", **aria(label=words("acute_places.register")))]


def _begins(area: Area, text: str) -> bool:
    wanted = normalise_municipality(text).lstrip("0")
    return bool(wanted) and (normalise_municipality(area.name).startswith(wanted) or area.code.lstrip("0") == wanted)


def _by_municipality(found: Iterable[Service], municipalities: Sequence[Area]) -> list[tuple[Area, list[Service]]]:
    """Return services by municipality, in alphabetical order; those of an unknown one are left out."""
    order = {area.code: place for place, area in enumerate(municipalities)}
    known = sorted(
        (service for service in found if service["municipality_code"] in order),
        key=lambda service: order[service["municipality_code"]],
    )
    return [
        (municipalities[order[code]], list(group))
        for code, group in groupby(known, lambda service: str(service["municipality_code"]))
    ]


def _place(scope: Scope, area: Area, found: Sequence[Service]) -> html.Section:
    """Return the services of one municipality, and which face of missing an empty register has."""
    words = scope.words
    parts: list[Any] = [html.H2(area.name)]
    if not found:
        is_delivered = area.code in services_delivered(scope.release)
        text = "acute_places.none_reported" if is_delivered else "acute_places.not_received"
        parts.append(html.P(words(text, area=area.name), className="missing"))
    elif not any(service["service_type"] == "akutplads" and service["n_places"] != 0 for service in found):
        parts.append(html.P(words("acute_places.no_places", area=area.name), className="missing"))
    parts.append(html.Ul([_card(scope, service) for service in found], className="cards"))
    return html.Section(parts, className="municipality")


def _card(scope: Scope, service: Service) -> html.Li:
    words = scope.words
    kind = service["service_type"]
    told = words(f"acute_places.type_{kind}") if kind in SERVICE_TYPES else kind
    if service["n_places"] is not None:
        told = words("acute_places.with_places", type=told, count=words.number(service["n_places"]))
    phone = service["phone"]
    # The call is what one comes for, so the number is the largest thing on the card.
    call: Any = html.Span(words("acute_places.no_phone"), className="missing")
    if phone:
        number = "".join(letter for letter in phone if letter.isdigit() or letter == "+")
        pairs = (
            " ".join(number[at : at + 2] for at in range(0, 8, 2)) if number.isdigit() and len(number) == 8 else phone
        )
        label = words("acute_places.call", name=service["name"], phone=pairs)
        call = html.A(pairs, href=f"tel:{number}", className="phone", **aria(label=label))
    facts = {
        "hours": service["hours"],
        "referrers": service["referrers"],
        "response": words("acute_places.minutes", count=words.number(service["response_minutes"]))
        if service["response_minutes"] is not None
        else None,
        "competences": ", ".join(service["competences"] or ()) or None,
        "address": service["address"],
        "operator": service["operator"],
    }
    # What the municipality wrote is in Danish, also on the English page.
    listed = [
        html.Div([html.Dt(words(f"acute_places.{name}")), html.Dd(text, lang=None if name == "response" else "da")])
        for name, text in facts.items()
        if text
    ]
    missing = [words(f"acute_places.{name}").lower() for name in ("hours", "referrers") if not facts[name]]
    if missing:
        listed.append(
            html.Div([html.Dt(words("acute_places.not_told")), html.Dd(words.listing(missing), className="missing")])
        )
    return html.Li([html.H3(service["name"], lang="da"), html.P(told, className="quiet small"), call, html.Dl(listed)])


# --- Figures ------------------------------------------------------------------------------------------------


def place_indicators() -> tuple[Indicator, ...]:
    """Return the indicators about acute places: how many there are, how full, who comes, and how it ends."""
    found = [item for item in load_indicators().values() if item.numerator.definition.is_about_acute_places]
    return tuple(sorted(found, key=lambda item: _MEASURES.index(item.numerator.measure)))


def _figures(scope: Scope) -> html.Section:
    words, selection = scope.words, scope.selection
    offered = [Option(words("area.country"), replace(selection, area=None, search="").to_url(), scope.is_country)]
    for level in _AREA_LEVELS:
        if level in levels(selection.map):
            offered += [
                Option(area.name, replace(selection, area=area_ref(area), search="").to_url(), area == scope.area)
                for area in scope.known.areas[selection.map, level]
            ]
    return html.Section(
        [
            html.Div(
                [
                    html.Div(
                        [
                            html.H2(words("acute_places.figures", area=scope.name)),
                            html.P(
                                [period_text(scope.period, words), on_map(selection, words)],
                                className="quiet small",
                            ),
                        ]
                    ),
                    html.Div(select("omraade", words("acute_places.area"), offered), className="choices"),
                ],
                className="page-head with-choice",
            ),
            html.P(_sentence(scope), className="section-sentence"),
            *_table(scope),
        ],
        className="figure-section places",
    )


def _table(scope: Scope) -> list[Any]:
    """One line an indicator; nothing where an area has no acute places, which the sentence says."""
    words = scope.words
    lines = [line for indicator in place_indicators() if (line := _line(scope, indicator)) is not None]
    if not lines:
        return []
    caption = words("acute_places.caption", area=scope.name, period=period_text(scope.period, words))
    columns = ["indicator", "value", *([] if scope.is_country else ["country"]), "verdict", "months"]
    numeric = (0,) if scope.is_country else (0, 1)
    table = data_table(caption, [words(f"acute_places.column_{name}") for name in columns], lines, numeric)
    return [table, html.P(words("acute_places.figures_note"), className="quiet small")]


def _sentence(scope: Scope) -> str:
    """Say capacity, occupancy and what follows, as far as there are figures."""
    words = scope.words
    found = {}
    for name in ("acute_place_capacity", "acute_place_occupancy", "acute_place_admitted_30"):
        indicator = load_indicators()[name]
        row = area_estimate(scope.release, name, scope.area, scope.selection.map, scope.period, True)
        if row["status"] == "not_relevant":
            return words("acute_places.none", area=sentence.capitalised(scope.name))
        if row["value"] is None:
            status = sentence.value_text(row, 0, words)
            return words("acute_places.no_figures", area=sentence.capitalised(scope.name), status=status)
        found[name] = words.number(row["value"], 1 if indicator.kind == "ratio" and row["value"] < 20 else 0)
    return words(
        "acute_places.sentence",
        area=sentence.capitalised(scope.name),
        capacity=found["acute_place_capacity"],
        occupancy=found["acute_place_occupancy"],
        admitted=found["acute_place_admitted_30"],
    )


def _line(scope: Scope, indicator: Indicator) -> Row | None:
    """The indicator's line; None where it is not relevant to the area."""
    words, selection, release = scope.words, scope.selection, scope.release
    texts = indicator.texts(words.lang)
    country = scope.known.area(COUNTRY, selection.map)
    assert country is not None, "every release has the country"
    own, whole = (
        area_estimate(release, indicator.id, area, selection.map, scope.period, True) for area in (scope.area, country)
    )
    if own["status"] == "not_relevant":
        return None
    peers = level_estimates(release, indicator.id, scope.area.level, selection.map, scope.period, True)
    digits = sentence.digits_of(peers.iter_rows(named=True))
    judged = change = area_process(release, indicator.id, scope.area).judged
    if not scope.is_country:
        verdicts = level_verdicts(release, indicator.id, scope.area.level, selection.map, scope.period, True)
        against = verdicts.get(scope.area.code, NOT_ASSESSED)
        # Where nothing can be said against others, the own past may still say something.
        judged = judged if against.verdict in SILENT and judged.verdict not in SILENT else against
    depth = selection.on_page("depth", indicator.id)
    cells: list[Any] = [sentence.with_interval(own, digits, words)]
    if not scope.is_country:
        cells.append(sentence.value_text(whole, digits, words))
    says_why = judged.reason and own["value"] is not None  # else the value's own words say it
    reason = html.Span(reason_text(judged.reason, words), className="verdict-note") if says_why else None
    is_changing = change.verdict in CHANGES and change is not judged
    marks = [verdict_mark(judged.verdict, words), *([verdict_mark(change.verdict, words)] if is_changing else [])]
    cells += [html.Div([*marks, reason], className="marks"), _spark(scope, indicator)]
    return Row([html.A(texts.short_name, href=depth.to_url()), html.Span(texts.unit, className="unit")], cells)


def _spark(scope: Scope, indicator: Indicator) -> Any:
    words = scope.words
    months = area_process(scope.release, indicator.id, scope.area).months
    if months.drop_nulls("adjusted").height < 2:
        return html.Span(words("spark.empty"), className="missing small")
    label = words(
        "spark.label",
        name=indicator.texts(words.lang).short_name,
        area=scope.name,
        first=words.month(months["month"][0]),
        last=words.month(months["month"][-1]),
        signals=words("acute_places.see_depth"),
    )
    return Svg(sparkline(months, label, words), className="svg spark-cell")


def _referrals(scope: Scope) -> list[Any]:
    words, selection = scope.words, scope.selection
    found = referral_shares(scope.release, scope.area, selection.map, scope.period)
    if all(own["value"] is None for _, own, _ in found):
        return []
    names = [words(f"acute_places.from_{category}") for category, _, _ in found]
    told = [sentence.with_interval(own, 0, words) for _, own, _ in found]
    marks = [
        Mark(name, own["value"], own["lower"], own["upper"], None if scope.is_country else whole["value"], text)
        for name, text, (_, own, whole) in zip(names, told, found, strict=True)
    ]
    text = _referrals_sentence(scope, {category: own for category, own, _ in found}["hospital"])
    label = words("acute_places.referrals_label", area=scope.name, sentence=text)
    table_rows = [
        Row(
            name,
            [
                words.number(own["numerator"]) if own["numerator"] is not None else "",
                value,
                *([] if scope.is_country else [sentence.value_text(whole, 0, words)]),
            ],
        )
        for name, value, (_, own, whole) in zip(names, told, found, strict=True)
    ]
    columns = ["source", "stays", "share", *([] if scope.is_country else ["country"])]
    caption = words("acute_places.referrals_caption", area=scope.name, period=period_text(scope.period, words))
    twin = data_table(caption, [words(f"acute_places.column_{name}") for name in columns], table_rows, (0, 1, 2))
    legend = [(rows_key("own"), sentence.capitalised(scope.name))]
    if not scope.is_country:
        legend.append((rows_key("reference"), words("overview.legend_country")))
    figure = drawing_block(
        "henvisere",
        text,
        lambda width: rows(marks, words("acute_places.referrals_axis"), label, words, width, at_zero=True),
        legend,
        twin,
        _actions(scope),
        selection,
        words,
        html.H3,
        of_marks(marks, words("acute_places.referrals_axis"), 0),
    )
    counted = words("acute_places.referrals_scope", period=period_text(scope.period, words)) + on_map(selection, words)
    head = [html.H2(words("acute_places.referrals")), html.P(counted, className="eyebrow quiet small")]
    return [html.Section([*head, figure], className="figure-section")]


def _referrals_sentence(scope: Scope, hospital: Estimate) -> str:
    """Hold those from hospital against those without it; where either is not told, the sentence says why."""
    words = scope.words
    outside = area_estimate(scope.release, OUTSIDE_HOSPITAL, scope.area, scope.selection.map, scope.period, True)
    area = sentence.capitalised(scope.name)
    missing = next((row for row in (hospital, outside) if row["value"] is None), None)
    if missing is not None:
        return words("acute_places.no_figures", area=area, status=sentence.value_text(missing, 0, words))
    return words(
        "acute_places.referrals_sentence",
        area=area,
        hospital=words.number(hospital["value"]),
        outside=words.number(outside["value"]),
    )


def _actions(scope: Scope) -> list[Any]:
    words, selection = scope.words, scope.selection
    wanted = Slice(
        tuple(item.id for item in place_indicators()),
        scope.area.level,
        (scope.period,),
        map=selection.map,
        within=scope.area,
    )
    links = links_to_files(
        files.KINDS, lambda kind: files.slice_address(wanted, kind, words.lang, scope.release.id), words
    )
    method = selection.on_page("method", OUTSIDE_HOSPITAL)
    return [*links, html.A(words("figure.definition"), href=method.to_url())]

"""Sentences, made from the same estimates as the figure that they stand over. Estimates are rows of ESTIMATES."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Literal

from dashboard.readings import Estimate
from dashboard.words import Words
from kpis.area import Area
from kpis.explanation import status_words


def digits_of(estimates: Iterable[Estimate]) -> int:
    """Return how many decimals the values can bear: as many as half of a usual interval still moves.

    Without intervals it is what keeps three figures. Estimates that stand together share one number of decimals.
    """
    shown = [row for row in estimates if row["value"] is not None]
    if not shown:
        return 0
    size = median(abs(row["value"]) for row in shown)
    half = median((row["upper"] - row["lower"]) / 2 if row["lower"] is not None else 0.0 for row in shown)
    if half > 0:
        if half >= 1.5:
            return 0 if size >= 10 or half >= 5 else 1  # 5 instead of 4,6 would hide what the interval does not
        return 1 if half >= 0.15 or size >= 10 else 2
    return 0 if size >= 100 else 1 if size >= 10 else 2


def value_text(estimate: Estimate, digits: int, words: Words) -> str:
    """Return the value, or the word for why there is none."""
    if estimate["value"] is None:
        return status_words(words.lang)[estimate["status"]]
    return words.number(estimate["value"], digits)


def interval_text(estimate: Estimate, digits: int, words: Words) -> str:
    """Return the 95 % interval, or nothing where the kind of figure has none."""
    if estimate["lower"] is None or estimate["upper"] is None:
        return ""
    return words.interval(estimate["lower"], estimate["upper"], digits)


def with_interval(estimate: Estimate, digits: int, words: Words) -> str:
    """Return *61 (58–65)*, the value alone, or the word for why there is none."""
    interval, value = interval_text(estimate, digits, words), value_text(estimate, digits, words)
    return words("value.with_interval", value=value, interval=interval) if interval else value


def amounts(*numbers: float, steps: int = 20) -> tuple[float, ...]:
    """Return a number of events with the ends of its interval, rounded as coarsely as the interval asks for.

    ``steps`` of the rounding go into the interval; more are for numbers that readers divide and multiply.
    """
    width = max(numbers) - min(numbers)
    step = next((step for step in (1, 5, 10, 50, 100, 500, 1_000) if width <= steps * step), 5_000)
    return tuple(float(step * round(number / step)) for number in numbers)


def odds(probability: float) -> int:
    """Return a probability in steps of five per cent; no forecast is so sure that it may say 0 or 100."""
    return 5 * round(20 * min(max(probability, 0.05), 0.95))


def area_name(area: Area, words: Words) -> str:
    """Return the name as it stands in a sentence: *Hjørring*, *KKR Nordjylland*, *hele landet*."""
    return words("area.in_country") if area.level == "country" else area.name


Side = Literal["higher", "lower", "same"]


def side(estimate: Estimate, benchmark: Estimate) -> Side | None:
    """Return how the estimate lies to a benchmark: *same* cannot be told from it; None when it cannot be said.

    An area differs from a benchmark that lies outside the area's interval, as in ``kpis.compare.side_of``.
    """
    if benchmark["value"] is None or estimate["lower"] is None or estimate["upper"] is None:
        return None
    if estimate["lower"] > benchmark["value"]:
        return "higher"
    return "lower" if estimate["upper"] < benchmark["value"] else "same"


def relation(estimate: Estimate, benchmark: Estimate, words: Words) -> str | None:
    """Return the side as it stands before the name of the benchmark: *er højere end*."""
    found = side(estimate, benchmark)
    return words(f"compare.relation_{found}") if found else None


def side_text(estimate: Estimate, benchmark: Estimate, words: Words) -> str:
    """Return the side as it stands alone in a cell, *ingen klar forskel*; nothing when it cannot be said."""
    found = side(estimate, benchmark)
    return words(f"compare.side_{found}") if found else ""


def comparison(
    own: Estimate | None,
    own_name: str,
    group: Estimate | None,
    group_name: str,
    country: Estimate,
    peers: Iterable[Estimate],
    levels: str,
    period: str,
    unit: str,
    digits: int,
    words: Words,
) -> str:
    """Return the conclusion of a comparison: the own area against group and country, or how the areas lie."""
    if own is not None and own["value"] is None:
        return words("compare.own_missing", area=own_name, missing=value_text(own, digits, words))
    if own is not None:
        return _own_sentence(own, own_name, group, group_name, country, unit, digits, words)
    values = [row["value"] for row in peers if row["value"] is not None]
    if not values:
        return words("compare.nothing", period=period)
    return words(
        "compare.overall_group" if group else "compare.overall",
        group=group_name,
        group_value=value_text(group, digits, words) if group else "",
        levels=capitalised(levels),
        low=words.number(min(values), digits),
        high=words.number(max(values), digits),
        country=value_text(country, digits, words),
        unit=unit,
    )


def _own_sentence(
    own: Estimate,
    own_name: str,
    group: Estimate | None,
    group_name: str,
    country: Estimate,
    unit: str,
    digits: int,
    words: Words,
) -> str:
    value, interval = value_text(own, digits, words), interval_text(own, digits, words)
    told = words(
        "compare.own" if interval else "compare.own_plain", area=own_name, value=value, unit=unit, interval=interval
    )
    against = {
        "country": value_text(country, digits, words),
        "country_relation": relation(own, country, words),
        "group": group_name,
        "group_value": value_text(group, digits, words) if group else None,
        "group_relation": relation(own, group, words) if group else None,
    }
    if not against["country_relation"]:
        key = "compare.beside_both" if group else "compare.beside_country"
    elif not against["group_relation"]:
        key = "compare.against_country"
    else:
        alike = against["group_relation"] == against["country_relation"]
        key = "compare.against_both_alike" if alike else "compare.against_both"
    return f"{told} {words(key, **against)}"


def overview(
    area: str,
    findings: Mapping[str, Sequence[str]],
    judged: int,
    total: int,
    period: str,
    is_country: bool,
    words: Words,
) -> str:
    """Return the sentence of an overview from what stands out: names of headlines by the wording of their verdict.

    ``judged`` of the ``total`` headlines have a verdict. Areas are held against the country, the country against its
    own past.
    """
    if not judged:
        return words("overview.none_known", area=area, period=period)
    count, of = words.count(judged), words.count(total)
    if not findings:
        if judged < total:
            key = "overview.calm_country_some" if is_country else "overview.calm_some"
        else:
            key = "overview.calm_country" if is_country else "overview.calm"
        return words(key, area=capitalised(area), count=count, total=of)
    number = sum(len(names) for names in findings.values())
    key = f"overview.{'one' if number == 1 else 'several'}{'_country' if is_country else ''}"
    named, counted = (
        (capitalised(area), words.count(number)) if is_country else (area, capitalised(words.count(number)))
    )
    first = words(key, area=named, number=counted, count=of)
    told = [
        words("overview.finding", verdict=capitalised(verdict), names=words.listing(list(names)))
        for verdict, names in findings.items()
    ]
    only = [words("overview.only_some", judged=count, count=of)] if judged < total else []
    return " ".join([first, *told, *only])


def counterweights(alarms: Sequence[str], judged: int, total: int, words: Words) -> str:
    """Return what counterweights tell: names of those that got worse, else how far it is known that none did."""
    if alarms:
        return words("depth.alarms", names=words.listing(list(alarms)))
    if not judged:
        return words("depth.no_alarms_known")
    if judged < total:
        return words("depth.no_alarms_some", judged=words.count(judged), count=words.count(total))
    return words("depth.no_alarms")


def capitalised(text: str) -> str:
    """Return the text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]

"""What the page of an indicator says of a release: its newest figures, and those of others beside them."""

import polars as pl

from kpis.area import areas, map_of
from kpis.clustering import national_clustering
from kpis.evaluate import Query, evaluate, newest_period
from kpis.explanation import current_value, number, page_word, period_words, source_words
from kpis.indicator import Indicator, Language
from kpis.period import Period
from kpis.price import section_238_amount
from kpis.reconciliation import COMPARED, reasons, reconcile
from kpis.release import CONTRACT, Release

COUNTRY = CONTRACT["levels"]["country"]
OFFICIAL_ROWS = 6
"""Figures of others on a page: the largest areas of the newest period; all of them are on the reconciliation's own."""


def newest_lines(release: Release, indicator: Indicator, language: Language) -> list[str]:
    """The newest value of the country; by how much its events go together; what days after ready cost."""
    period = newest_period(release, indicator)
    estimates = evaluate(release, Query(indicator, areas(release, "country", map_of(period.last)), (period,)))
    synthetic = f", {page_word('synthetic', language)}" if release.manifest["is_synthetic"] else ""
    lines = [f"{current_value(estimates, indicator, language)} [{release.id}{synthetic}]"]
    clustered = national_clustering(release, indicator)
    if clustered > 1.0 and estimates["lower"][0] is not None:
        lines.append(page_word("clustering", language).format(value=number(clustered, 1, language)))
    days = estimates["numerator"][0]
    if indicator.numerator.measure == "days_after_ready" and days:
        amount = section_238_amount(days)
        least, most = (number(kroner / 1e6, 0, language) for kroner in (amount.least, amount.most))
        lines.append(page_word("price", language).format(least=least, most=most, year=amount.price_year))
    return lines


def official_lines(release: Release, indicator: Indicator, language: Language) -> list[str]:
    """Official figures of the newest period beside ours, the country and regions first, and the known reasons."""
    found = reconcile(release, [indicator.id]).filter(pl.col("comparison").is_in(COMPARED))
    if found.is_empty():
        return []
    levels = {level: place for place, level in enumerate(("country", "region", "kkr"))}
    newest = found.filter(pl.col("period") == found["period"].max())
    order = newest["level"].replace_strict(levels, default=len(levels))
    shown = newest.with_columns(order=order).sort("order", "area_code", "source").head(OFFICIAL_ROWS)
    lines = []
    for row in shown.iter_rows(named=True):
        values = {key: number(row[key], 1, language) for key in ("ours", "official", "difference")}
        per_cent = "–" if row["difference_per_cent"] is None else number(row["difference_per_cent"], 1, language)
        lines.append(
            "- "
            + page_word("official_row", language).format(
                area=row["area_name"] if row["level"] != "country" else COUNTRY[language].capitalize(),
                period=period_words(Period.from_id(row["period"]), language),
                source=source_words(language).get(row["source"], row["source"]),
                per_cent=per_cent,
                judged=page_word(f"official_{row['comparison']}", language),
                **values,
            )
        )
    named = dict.fromkeys(word for text in shown["reasons"] for word in text.split(";") if word)
    known = {reason.id: reason.text(language) for reason in reasons()}
    lines.append(page_word("official_reasons", language))
    return lines + [f"- {known[word]}" for word in named]

"""Below the table of an overview: what else stands out, what was done in the area, and what is new."""

from datetime import date
from typing import Any

from dash import html

from dashboard import sentence
from dashboard.components.verdict import verdict_text
from dashboard.effect.plans import plans_for
from dashboard.news import News, area_news
from dashboard.pages.overview.scope import Line, OverviewScope, judged
from dashboard.pages.scope import period_text
from dashboard.readings import area_change, level_rows
from dashboard.words import Words
from kpis.indicator import load_indicators
from kpis.verdict import BY_ID

MOST_NEWS = 3  # of one kind; the rest is counted


def besides(lines: list[Line], scope: OverviewScope) -> html.P:
    """Name the other indicators that stand out, against the country or against the area's own past."""
    words, shown = scope.words, {line.indicator.id for line in lines}
    found: dict[str, list[Any]] = {}
    for indicator in load_indicators().values():
        if indicator.id in shown:
            continue
        process = area_change(scope.release, indicator.id, scope.area).verdict
        loud = [verdict for verdict in (judged(indicator, scope).verdict, process) if BY_ID[verdict].shouts]
        if loud:
            link = html.A(
                indicator.texts(words.lang).short_name,
                href=scope.selection.on_page("depth", indicator.id).to_url(),
            )
            found.setdefault(verdict_text(loud[0], words), []).append(link)
    if not found:
        return html.P(
            [html.Strong(words("overview.besides")), " ", words("overview.besides_none")], className="besides"
        )
    told: list[Any] = []
    for verdict, links in found.items():
        told += ["; " if told else " ", f"{verdict}: "]
        for number, link in enumerate(links):
            told += [", " if number else "", link]
    return html.P([html.Strong(words("overview.besides")), *told, "."], className="besides")


def interventions(scope: OverviewScope) -> list[html.P]:
    """Link to the interventions in the area, where there are any."""
    count = len(plans_for(scope.release, scope.area))
    if not count:
        return []
    text = scope.words("effect.from_overview", count=scope.words.number(count))
    return [html.P(html.A(text, href=scope.selection.on_page("effects").to_url()), className="besides")]


def news(scope: OverviewScope) -> html.Section:
    """Say what is new since the release before: a signal, a revision and a new method are three different things."""
    words = scope.words
    found = area_news(scope.release, scope.area, scope.selection.map, load_indicators())
    heading = html.H2(words("news.heading"))
    if found is None:
        return html.Section([heading, html.P(words("news.first"), className="quiet")], className="news")
    day = words.day(date.fromisoformat(str(found.before.manifest["created"])[:10]))
    lines = [
        ("signal", _told_signals(found, words)),
        ("revision", _told_revisions(found, scope)),
        ("method", _told_method(found, words)),
    ]
    entries = [html.Div([html.Dt(words(f"news.{name}")), html.Dd(told)]) for name, told in lines]
    since = html.P(words("news.since", day=day, release=found.before.id), className="quiet small")
    return html.Section([heading, html.Dl(entries), since], className="news")


def _told_signals(news: News, words: Words) -> str:
    if not news.signals:
        return words("news.no_signal" if news.is_newer else "news.no_new_months")
    indicators = load_indicators()
    told = [
        f"{indicators[one.indicator_id].texts(words.lang).short_name}: {verdict_text(one.verdict, words)}"
        for one in news.signals[:MOST_NEWS]
    ]
    return _and_more(told, len(news.signals), words)


def _told_revisions(news: News, scope: OverviewScope) -> str:
    """Tell the figures of the same months that moved so far that it shows, those that moved most first."""
    words, indicators = scope.words, load_indicators()
    told: list[tuple[float, str]] = []
    for one in news.revisions:
        peers = level_rows(scope.release, one.indicator_id, scope.peer_level, scope.selection.map, news.period, True)
        digits = sentence.digits_of(peers.values())
        before, after = words.number(one.before, digits), words.number(one.after, digits)
        if before != after:
            name = indicators[one.indicator_id].texts(words.lang).short_name
            share = abs(one.after - one.before) / (abs(one.before) or 1.0)
            told.append((-share, words("news.moved", name=name, before=before, after=after)))
    period = period_text(news.period, words)
    if not told:
        return words("news.no_revision", period=period)
    listed = [text for _, text in sorted(told)]
    return words("news.revised", period=period, told=_and_more(listed[:MOST_NEWS], len(listed), words))


def _told_method(news: News, words: Words) -> str:
    indicators = load_indicators()
    told = [indicators[item].texts(words.lang).short_name for item in news.method.indicators if item in indicators]
    told += [words("news.rule", id=rule) for rule in news.method.rules]
    told += [words("news.group", id=group) for group in news.method.groups]
    return _and_more(told[:MOST_NEWS], len(told), words) if told else words("news.no_method")


def _and_more(told: list[str], count: int, words: Words) -> str:
    rest = words("news.more", count=count - len(told)) if count > len(told) else ""
    return "; ".join(told) + (f"; {rest}" if rest else "") + "."

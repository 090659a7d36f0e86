"""Every page in both languages, and the one estimate behind figure, table, sentence and file."""

import io
import re
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from dash import html

from dashboard import sentence
from dashboard.components.drawing import FOR_SCREEN
from dashboard.pages import front
from dashboard.readings import area_estimate, area_process, latest_period, level_estimates, level_rows
from dashboard.selection import COUNTRY, LEVEL_WORDS, AreaRef, Selection, catalogue
from dashboard.view import draw, show
from dashboard.words import load_words
from kpis.area import levels
from kpis.indicator import LANGUAGES, load_indicators
from tests.dashboard.conftest import text_of, walk

WORDS = load_words("da")

INDICATORS = tuple(load_indicators())
HEADLINE = next(item.id for item in load_indicators().values() if item.headline)
TROUBLE = {load_words(lang)("trouble.error") for lang in LANGUAGES}


def content(data, url: str):
    path, _, query = url.partition("?")
    view = show(data, path, query)
    assert not TROUBLE & {text_of(part) for part in walk(view.content)}, f"{url} could not be shown"
    return view


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("level", levels("2024"))
@pytest.mark.parametrize("indicator", INDICATORS)
def test_every_comparison_can_be_shown(country, country_data, indicator: str, level: str, lang) -> None:
    shown_level = "municipality" if level == "country" else level
    url = Selection(page="compare", indicator=indicator, level=shown_level, lang=lang).to_url()
    view = content(country_data, url)
    if shown_level == "municipality" and not load_indicators()[indicator].is_told_of_single_municipalities:
        shown_level = "cluster"
    period = latest_period(country, indicator)
    estimates = level_estimates(country, indicator, shown_level, "2024", period, True)
    is_drawn = any(getattr(part, "id", None) == "figur" for part in walk(view.content))
    assert is_drawn == estimates["value"].is_not_null().any(), "a chart where there is something to draw"
    assert len([part for part in walk(view.content) if isinstance(part, html.Table)]) == 1
    assert view.lang == lang


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("map_id", "level"), [(m, level) for m in ("2024", "2027") for level in levels(m)])
def test_every_level_has_an_overview(country, country_data, map_id, level: str, lang) -> None:
    area = catalogue(country).areas[map_id, level][0]
    ref = AreaRef(level, "" if level == "country" else area.slug)
    view = content(country_data, Selection(page="area", area=ref, map=map_id, lang=lang).to_url())
    rows = [part for part in walk(view.content) if isinstance(part, html.Table) and part.className == "overview"]
    assert len([part for part in walk(rows) if isinstance(part, html.Tr)]) == 1 + 6


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("indicator", INDICATORS)
def test_every_indicator_has_its_method(country_data, indicator: str, lang) -> None:
    view = content(country_data, Selection(page="method", indicator=indicator, lang=lang).to_url())
    text, texts = text_of(view.content), load_indicators()[indicator].texts(lang)
    for told in (texts.meaning, texts.counted, texts.not_counted, texts.limits):
        assert told in text


@pytest.mark.parametrize(
    "url", ["/", "/?soeg=hj", "/?soeg=zzz", "/metode", "/om", "/tilgaengelighed", "/land", "/?kort=2027"]
)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_other_pages(country_data, url: str, lang) -> None:
    view = content(country_data, url + ("&" if "?" in url else "?") + f"sprog={lang}")
    headings = [part for part in walk(view.content) if isinstance(part, html.H1)]
    assert len(headings) == 1
    assert view.lang == lang


_NO_VIEWS = ("/fil/", "/billede/", "/feed/", "/api/", "/p/")
"""Addresses of files, and those that lead on to another."""


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/k/hjoerring",
        "/land",
        "/kkr/nordjylland",
        "/kkr/nordjylland/overblik",
        "/sundhedsraad/nordjylland?kort=2027",
        f"/sammenlign/{HEADLINE}?omraade=k-hjoerring",
        f"/sammenlign/{HEADLINE}?kommuner=aalborg,hjoerring&udsnit=gruppe&visning=kort",
        f"/metode/{HEADLINE}",
        "/om",
    ],
)
def test_every_link_leads_to_a_valid_selection(country, country_data, url: str) -> None:
    known = catalogue(country)
    parts = walk(content(country_data, url).content)
    targets = [part.href for part in parts if isinstance(part, html.A)]
    targets += [part.value for part in parts if isinstance(part, html.Option) and str(part.value).startswith("/")]
    for target in targets:
        path, _, query = target.partition("?")
        if target.startswith("#") or path.startswith(_NO_VIEWS) or path.endswith(".pdf"):
            continue
        selection, notices = Selection.from_url(path, query, known)
        assert notices == [], target
        assert selection.to_url() == target, "a link is written as its own address"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "url",
    [
        "/k/hjoring?x=",
        "/k/hjoerring?kort=1999",
        "/kkr/nordjylland?kort=2027",
        "/sammenlign/readmission_30d?x=",
        "/sammenlign/readmissions_30d?niveau=sogn",
        "/sammenlign/readmissions_30d?periode=hest",
        "/sammenlign/readmissions_30d?periode=1999",
        "/sammenlign/readmissions_30d?gruppe=kkr-x",
        "/sammenlign/readmissions_30d?key=1&values=2&self=3",
        "/nowhere/at/all?x=",
    ],
)
def test_a_wrong_address_shows_the_nearest_view_and_a_notice(country_data, url: str, lang) -> None:
    view = content(country_data, f"{url}&sprog={lang}")
    assert any(getattr(part, "className", None) == "notices" for part in walk(view.content))


def test_the_app_answers_through_its_callback(ask) -> None:
    answer = ask("/k/hjoerring", "sprog=en")
    assert answer.status_code == 200
    assert answer.json["response"]["arrived"]["data"] == {
        "title": "Hjørring: overview – Nærblik",
        "lang": "en",
        "address": "/k/hjoerring?sprog=en",
    }
    assert answer.json["response"]["retry"]["disabled"] is True


def test_figure_table_sentence_and_file_say_the_same(country, country_data, client) -> None:
    url = f"/sammenlign/{HEADLINE}?omraade=k-hjoerring&gruppe=kkr-nordjylland"
    view = content(country_data, url)
    words, known = load_words("da"), catalogue(country)
    period = latest_period(country)
    estimates = level_estimates(country, HEADLINE, "municipality", "2024", period, True)
    digits = sentence.digits_of(estimates.iter_rows(named=True))
    hjoerring = estimates.row(by_predicate=pl.col("area_name") == "Hjørring", named=True)
    kkr = area_estimate(country, HEADLINE, known.area(AreaRef("kkr", "nordjylland"), "2024"), "2024", period, True)
    whole = area_estimate(country, HEADLINE, known.area(COUNTRY, "2024"), "2024", period, True)

    parts = walk(view.content)
    drawing = next(part.markup for part in parts if getattr(part, "className", "") == FOR_SCREEN)
    drawn = re.findall(r'class="d-at-[^>]*><title>([^:]*): ([^<]*)</title>', drawing)
    assert [(name, text.split(" ")[0]) for name, text in sorted(drawn)] == sorted(
        (name, words.number(value, digits))
        for name, value in estimates.drop_nulls("value").select("area_name", "value").iter_rows()
    )

    table = next(part for part in parts if isinstance(part, html.Table) and part.className == "data-table")
    cells = {
        text_of(row.children[0]): [text_of(cell) for cell in row.children[1:4]]
        for row in walk(table)
        if isinstance(row, html.Tr) and isinstance(row.children[1], html.Td)
    }
    for name, value, lower, upper in (
        estimates.drop_nulls("value").select("area_name", "value", "lower", "upper").iter_rows()
    ):
        assert cells[name] == [words.number(number, digits) for number in (value, lower, upper)]

    told = text_of(next(part for part in parts if isinstance(part, html.Figcaption)))
    for row in (hjoerring, kkr, whole):
        assert words.number(row["value"], digits) in told
    assert words.interval(hjoerring["lower"], hjoerring["upper"], digits) in told

    address = next(part.href for part in parts if isinstance(part, html.A) and "parquet" in part.href)
    file = pl.read_parquet(io.BytesIO(client.get(address).data)).filter(pl.col("role") == "area")
    scope = ["area_code", "period", "numerator", "denominator", "status"]
    assert file.select(scope).equals(estimates.select(scope))
    assert (file["value"] - estimates["value"]).abs().max() < 1e-6


def test_the_overview_and_its_table_show_the_same_estimates(country, country_data) -> None:
    view = content(country_data, "/k/hjoerring")
    words, area = load_words("da"), catalogue(country).area(AreaRef("municipality", "hjoerring"), "2024")
    for item in load_indicators().values():
        if not item.headline:
            continue
        own = area_estimate(country, item.id, area, "2024", latest_period(country), True)
        rows = [
            row.children
            for row in walk(view.content)
            if isinstance(row, html.Tr)
            and item.da.short_name in (head := text_of(row.children[0]))
            and item.da.unit in head
        ]
        assert len(rows) == 2, "one row of drawings, one of numbers"
        for row in rows:
            shown = text_of(row[1]).split(" (")[0]
            digits = len(shown.partition(",")[2])
            assert shown == words.number(own["value"], digits)


def test_the_months_that_are_drawn_stand_in_a_table(country, country_data) -> None:
    words, known = load_words("da"), catalogue(country)
    area = known.area(AreaRef("municipality", "hjoerring"), "2024")
    months = area_process(country, HEADLINE, area).months
    tables = [part for part in walk(content(country_data, "/k/hjoerring").content) if isinstance(part, html.Table)]
    table = next(part for part in tables if "Måned for måned" in text_of(part.children[0]))
    rows = [row for row in walk(table) if isinstance(row, html.Tr)][1:]
    assert [text_of(row.children[0]).removesuffix(" (foreløbig)") for row in rows] == [
        words.month(month) for month in months["month"].reverse()
    ]
    assert [text_of(row.children[0]).endswith(" (foreløbig)") for row in rows] == months[
        "is_provisional"
    ].reverse().to_list()
    cells = [text_of(row.children[1]).replace(".", "").replace(",", ".").rstrip(")").split(" (") for row in rows]
    counted, drawn = ([float(cell[place]) for cell in cells] for place in (0, 1))
    assert counted == pytest.approx(months["value"].reverse().to_list(), abs=0.5)
    assert drawn == pytest.approx(months["adjusted"].reverse().to_list(), abs=0.5)


def test_every_drawing_has_a_text(country_data) -> None:
    views = ("", "?visning=tragt", "?visning=kort", "?visning=felter")
    for url in (
        "/k/hjoerring",
        "/land",
        "/kkr/nordjylland/overblik",
        *(f"/sammenlign/{HEADLINE}{view}" for view in views),
    ):
        for part in walk(content(country_data, url).content):
            if type(part).__name__ == "Svg":
                assert re.search(r'aria-label="[^"]{20,}"|aria-hidden="true"', part.markup)


def test_files_come_with_their_scope_in_the_address(country, country_data) -> None:
    view = content(country_data, f"/sammenlign/{HEADLINE}?niveau=region&periode=2024&beregning=raa")
    address = next(part.href for part in walk(view.content) if isinstance(part, html.A) and ".csv" in str(part.href))
    query = parse_qs(urlsplit(address).query)
    assert query == {
        "niveau": ["region"],
        "fra": ["2024-01"],
        "til": ["2024-12"],
        "inddeling": ["year"],
        "beregning": ["raa"],
        "udgave": [country.id],
    }
    assert LEVEL_WORDS["region"] == "region"


def test_a_figure_of_years_stands_in_the_overview_with_its_year(country, country_data) -> None:
    period = latest_period(country, "preventive_home_visits_75plus")
    (row,) = [
        row
        for row in level_rows(country, "preventive_home_visits_75plus", "municipality", "2024", period, True).values()
        if row["area_name"] == "Hjørring"
    ]
    assert row["value"] is not None and period.grain == "year"
    markup = draw(country_data, "/k/hjoerring", "?visning=tabel").markup
    told = re.sub(r"<[^>]+>", "|", markup[markup.index("Forebyggende hjemmebesøg</a>") :])
    assert f"· {period.id}|" in told[:200]
    assert f"|{WORDS.number(row['value'], 1)}|" in told[:400]


def test_a_figure_of_years_has_no_months_and_says_so(country_data) -> None:
    told = draw(country_data, "/k/hjoerring/preventive_home_visits_75plus", "").markup
    assert WORDS("depth.only_years") in told
    assert "ikke modtaget" not in told


def test_a_group_is_found_by_the_words_of_its_name(country) -> None:
    names = [area.name for area in front.find("nordj", "2024", catalogue(country))]
    assert {"KKR Nordjylland", "Region Nordjylland"} <= set(names)

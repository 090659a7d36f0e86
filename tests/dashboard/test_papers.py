"""Papers read back: what a PDF, a slide and a picture show is what the screen shows, and nothing written is obeyed."""

import io
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from html import unescape
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import polars as pl
import pytest
from PIL import Image
from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.oxml.ns import qn
from pypdf import PdfReader

from dashboard.agenda import Agenda, AgendaItem, view_address
from dashboard.figures.numbers import Entry, Estimates, MonthEntry, Months, of_counterfactual
from dashboard.papers import content as contents
from dashboard.papers import ink, typesetting
from dashboard.papers.annex import agenda_pdf, overview_pdf
from dashboard.papers.charts import add_chart
from dashboard.papers.content import Content, NoContent, content
from dashboard.papers.slides import agenda_pptx
from dashboard.papers.typesetting import to_pdf
from dashboard.view import draw
from dashboard.words import load_words
from kpis.indicator import LANGUAGES, load_indicators
from kpis.period import BREAKS, add_months
from tests.dashboard.conftest import shown, table_rows, text_of

ORIGIN = "https://example.test"
HEADLINE = next(item.id for item in load_indicators().values() if item.headline)
VIEWS = {
    "carpet": "/kkr/nordjylland",
    "areas": f"/sammenlign/{HEADLINE}?omraade=k-hjoerring",
    "group": f"/sammenlign/{HEADLINE}?omraade=k-hjoerring&udsnit=gruppe",
    "funnel": f"/sammenlign/{HEADLINE}?omraade=k-hjoerring&visning=tragt",
    "map": f"/sammenlign/{HEADLINE}?visning=kort",
    "months": f"/k/hjoerring/{HEADLINE}",
    "potential": "/potentiale?omraade=kkr-nordjylland",
    "referrals": "/akutpladser",
    "overview": "/k/hjoerring",
}
HOSTILE = "=1+1 <script>alert(1)</script> *b* #panic(\"x\") $x$ [[a]] \\ & 'q' @SUM(A1) |x"


def agenda(release: str, lang: str = "da", **changes: Any) -> Agenda:
    """An item of each view."""
    items = [AgendaItem(f"Emne {name}", address, f"at mødet drøfter {name}") for name, address in VIEWS.items()]
    fields = {"name": "prove", "title": "Sundhed i nord", "meeting": "KKR-møde", "day": date(2026, 11, 24)}
    return Agenda(**{**fields, "release": release, "map": "2024", "lang": lang, "items": tuple(items), **changes})


def of_items(data, made: Agenda) -> list[Content]:
    return [content(data, view_address(made, item, made.lang)) for item in made.items]


@pytest.fixture(scope="session", params=LANGUAGES)
def papers(request, country, country_data) -> dict[str, Any]:
    """The papers of one agenda in one language, and what its items say."""
    made = agenda(country.id, request.param)
    return {
        "agenda": made,
        "words": load_words(made.lang),
        "items": of_items(country_data, made),
        "pdf": agenda_pdf(made, country_data, ORIGIN),
        "pptx": agenda_pptx(made, country_data, ORIGIN),
    }


@cache
def pages_of(pdf: bytes) -> list[str]:
    return [squeezed(page.extract_text()) for page in PdfReader(io.BytesIO(pdf)).pages]


def squeezed(text: str) -> str:
    """Text without its spaces and line ends, which a page sets as it likes, and without soft hyphens."""
    return re.sub(r"[\s\u00ad\u200b]+", "", text)


# --- What a view says ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("view", VIEWS)
def test_content_is_what_the_screen_shows(country_data, view: str, lang: str) -> None:
    address = f"{VIEWS[view]}{'&' if '?' in VIEWS[view] else '?'}sprog={lang}"
    said, screen = content(country_data, address), shown(country_data, address)
    page = squeezed(text_of(screen.content))
    assert said.main is not None and said.conclusion
    for text in (said.conclusion, said.main.sentence, *(text for _, text in said.main.legend)):
        assert squeezed(text) in page
    assert said.main.table is not None
    on_screen = table_rows(screen.content, said.main.table.caption)
    rows = [[squeezed(cell.text) for cell in row.cells] for row in said.main.table.rows]
    if view in ("carpet", "overview"):  # cells there hold icons, and texts for those who do not see them
        for row in rows:
            assert all(piece in page for piece in row if piece and not piece.startswith("○"))
    else:
        assert rows == [[squeezed(text) for text in (head, *cells)] for head, cells in on_screen.items()]


def test_an_unknown_address_has_no_content_and_says_why(tmp_path) -> None:
    with pytest.raises(NoContent, match=load_words("da")("trouble.title")):
        content(tmp_path, "/k/hjoerring")


# --- PDF ----------------------------------------------------------------------------------------------------


def test_an_annex_has_an_item_a_page_with_title_recommendation_conclusion_and_source(papers) -> None:
    pages, words = pages_of(papers["pdf"]), papers["words"]
    for number, (item, said) in enumerate(zip(papers["agenda"].items, papers["items"], strict=True), start=1):
        page = pages[number]
        for text in (
            f"{number}. {item.title}",
            f"{words('papers.recommendation')}: {item.recommendation}",
            said.conclusion,
            said.main.sentence,
            said.filter_line,
            said.release_line,
            ORIGIN + said.link,
        ):
            assert squeezed(text) in page, (number, text)


def test_every_page_says_its_number_its_release_and_that_the_figures_are_made_up(papers) -> None:
    pages, words = pages_of(papers["pdf"]), papers["words"]
    for number, page in enumerate(pages, start=1):
        assert squeezed(f"{words('papers.page')} {number} {words('papers.of')} {len(pages)}") in page
        assert papers["agenda"].release in page
        assert squeezed(words("papers.synthetic")) in page
    assert squeezed(words("shell.synthetic")) in pages[0]


def test_every_page_of_an_item_or_its_table_says_what_was_chosen(papers) -> None:
    pages, words = pages_of(papers["pdf"]), papers["words"]
    last = next(at for at, page in enumerate(pages) if at and squeezed(words("papers.definitions")) in page)
    lines = [squeezed(said.filter_line) for said in papers["items"]]
    for page in pages[1:last]:
        assert any(line in page for line in lines)


def test_every_number_of_every_table_and_drawing_stands_in_the_annex(papers) -> None:
    pages = pages_of(papers["pdf"])
    whole = "".join(pages)
    for number, said in enumerate(papers["items"], start=1):
        where = whole if said.main.drawing else pages[number]
        for row in said.main.table.rows:
            assert "".join(squeezed(cell.text) for cell in row.cells if not cell.drawing)[:400] in where or all(
                squeezed(text) in where for cell in row.cells for text, _ in cell.lines
            )
        drawn = said.main.drawing.markup if said.main.drawing else ""
        for text in re.findall(r"<text[^>]*>([^<]+)</text>", drawn):
            assert squeezed(unescape(text)) in pages[number], text


def test_every_indicator_of_the_annex_is_defined_in_it(papers) -> None:
    whole = "".join(pages_of(papers["pdf"]))
    for said in papers["items"]:
        for one in said.definitions:
            for text in (one.name, one.meaning, one.counted, one.not_counted, one.limits, ORIGIN + one.address):
                assert squeezed(text) in whole


def tags(element: Any) -> Iterator[Any]:
    """Every element of the tree that a screen reader walks through."""
    element = element.get_object()
    if isinstance(element, list):
        for child in element:
            yield from tags(child)
    elif isinstance(element, dict):
        if "/S" in element:
            yield element
        if "/K" in element:
            yield from tags(element["/K"])


def test_a_pdf_is_tagged_for_those_who_listen_to_it(papers) -> None:
    reader = PdfReader(io.BytesIO(papers["pdf"]))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] and root["/Lang"].startswith(papers["agenda"].lang)
    assert "pdfuaid:part" in root["/Metadata"].get_object().get_data().decode()
    assert reader.metadata.title == papers["agenda"].title
    found = list(tags(root["/StructTreeRoot"]))
    names = [str(element["/S"]) for element in found]
    figures = [element for element in found if element["/S"] == "/Figure"]
    labels = {squeezed(str(element.get("/Alt", ""))) for element in figures}
    assert "" not in labels, "every drawing is told in words"
    drawn = [said.main.drawing for said in papers["items"] if said.main.drawing]
    assert {squeezed(drawing.label) for drawing in drawn} <= labels
    assert names.count("/Table") >= len(drawn) and {"/TH", "/TD", "/TOCI", "/Link"} <= set(names)
    assert names.count("/H1") >= len(papers["items"])


def test_an_overview_is_one_page(country_data) -> None:
    for address in (
        "/k/hjoerring",
        "/kkr/nordjylland/overblik",
        "/land/overblik",
        "/sundhedsraad/nordjylland/overblik",
    ):
        for lang in LANGUAGES:
            said = content(country_data, f"{address}?sprog={lang}&kort={'2027' if 'raad' in address else '2024'}")
            (page,) = pages_of(overview_pdf(said, ORIGIN))
            assert squeezed(said.conclusion) in page and said.release.id in page
            for row in said.main.table.rows:
                for text in (text for cell in row.cells for text, _ in cell.lines):
                    assert squeezed(text) in page, text
            for heading, text in said.notes:
                assert squeezed(heading + text) in page


def test_only_an_overview_has_an_overview_page(country_data) -> None:
    with pytest.raises(NoContent):
        overview_pdf(content(country_data, "/om"), ORIGIN)


def test_letters_without_a_glyph_leave_a_sign(country, country_data) -> None:
    odd = agenda(country.id, title="日本 😀 Møde \u202e", items=(AgendaItem("ﷺ Ψ ✓", "/k/hjoerring", "\u0001"),))
    first, second, *_ = pages_of(agenda_pdf(odd, country_data, ORIGIN))
    assert "��" in first and "Møde" in first and "Ψ✓" in second


def test_every_letter_that_is_let_through_can_be_printed() -> None:
    ranges = re.findall(r"(.)-(.)", typesetting._UNPRINTABLE.pattern, flags=re.DOTALL)
    letters = "".join(chr(code) for low, high in ranges for code in range(ord(low), ord(high) + 1))
    data = {
        "title": "x",
        "lang": "da",
        "foot": letters,
        "filter": "",
        "heading": "x",
        "conclusion": "",
        "synthetic": "",
    }
    words = {"page": "", "of": "", "source": ""}
    table = {"columns": ["a"], "rows": [], "numeric": [], "drawn": False}
    more = {"notices": [], "table": table, "legend": [], "notes": [], "source": "", "link": ORIGIN, "words": words}
    assert to_pdf(
        "overview.typ", data | more, datetime(2026, 1, 1, tzinfo=UTC)
    )  # PDF/UA refuses a letter that no font has


def test_black_and_white_tells_own_group_and_others_apart(country_data) -> None:
    drawing = content(country_data, VIEWS["areas"]).main.drawing
    assert drawing is not None
    rules = ink.for_print(drawing)
    greys = [grey_of(re.search(rf"\.d-at-{kind}{{ fill: (#\w+)", rules)[1]) for kind in ("own", "group", "others")]
    assert all(b - a > 40 for a, b in pairwise(greys)), greys


def grey_of(colour: str) -> float:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


# --- Slides -------------------------------------------------------------------------------------------------


def slides_of(papers) -> list[Any]:
    return list(Presentation(io.BytesIO(papers["pptx"])).slides)


def item_slides(papers) -> list[tuple[Content, Any]]:
    """What each item says, and its first slide."""
    slides = slides_of(papers)
    titles = [f"{number}. {item.title}" for number, item in enumerate(papers["agenda"].items, start=1)]
    return [
        (said, next(slide for slide in slides if slide.shapes.title.text_frame.text == title))
        for said, title in zip(papers["items"], titles, strict=True)
    ]


def sheet_of(chart: Any) -> pl.DataFrame:
    """The sheet behind a chart, with its first column as ``name``."""
    blob = chart.part.chart_workbook.xlsx_part.blob
    assert b"<f>" not in zipfile.ZipFile(io.BytesIO(blob)).read("xl/worksheets/sheet1.xml"), "no formulas"
    frame = pl.read_excel(blob, has_header=False)
    head = ["name", *map(str, frame.row(0)[1:])]
    return frame.slice(1).rename(dict(zip(frame.columns, head, strict=True)))


def test_a_slide_has_conclusion_recommendation_foot_and_number(papers) -> None:
    words = papers["words"]
    for item, (said, slide) in zip(papers["agenda"].items, item_slides(papers), strict=True):
        texts = [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
        assert said.conclusion in texts
        assert f"{words('papers.recommendation')}: {item.recommendation}" in texts
        foot = next(shape for shape in slide.placeholders if shape.placeholder_format.type == PP_PLACEHOLDER.FOOTER)
        for text in (said.filter_line, said.release.id, words("papers.synthetic")):
            assert text in foot.text_frame.text
        assert any(shape.placeholder_format.type == PP_PLACEHOLDER.SLIDE_NUMBER for shape in slide.placeholders)


def test_notes_hold_remarks_definition_link_and_filter(papers, country, country_data) -> None:
    for said, slide in item_slides(papers):
        notes = slide.notes_slide.notes_text_frame.text
        for text in (said.filter_line, said.release_line, ORIGIN + said.link):
            assert text in notes
        for one in said.definitions:
            assert one.meaning in notes and one.counted in notes and ORIGIN + one.address in notes


def test_every_chart_picture_and_table_is_told_in_words(papers) -> None:
    for slide in slides_of(papers):
        for shape in slide.shapes:
            if shape.has_chart or shape.has_table or shape.shape_type == 13:
                assert shape._element.xpath(".//p:cNvPr")[0].get("descr")


def test_drawings_are_native_charts_and_only_maps_are_pictures(papers) -> None:
    for said, slide in item_slides(papers):
        charts = sum(shape.has_chart for shape in slide.shapes)
        pictures = sum(shape.shape_type == 13 for shape in slide.shapes)
        tables = sum(shape.has_table for shape in slide.shapes)
        if said.main.drawing is None:
            assert (charts, pictures, tables) == (0, 0, 1)
        elif "kort" in said.address.replace("kort=2024", ""):
            assert (charts, pictures, tables) == (0, 1, 0)
        else:
            assert (charts, pictures, tables) == (1, 0, 0)


@pytest.mark.parametrize("view", ["areas", "group"])
def test_a_chart_of_areas_holds_the_values_and_intervals_of_the_table_on_the_screen(papers, view: str) -> None:
    said, slide = item_slides(papers)[list(VIEWS).index(view)]
    words, chart = papers["words"], next(shape.chart for shape in slide.shapes if shape.has_chart)
    on_screen = {row.cells[0].text: [cell.text for cell in row.cells[1:4]] for row in said.main.table.rows}
    digits = said.main.numbers.digits
    sheet = sheet_of(chart)
    told = {}
    for row in sheet.iter_rows(named=True):
        name = re.split(r"  ", row["name"])[0]
        series = [s.name for s in chart.plots[0].series]
        for kind in series:
            if row[kind] is not None and f"{kind}: {words('papers.interval_minus')}" in row:
                value = float(row[kind])
                down, up = (row[f"{kind}: {words(f'papers.interval_{end}')}"] for end in ("minus", "plus"))
                ends = ["", ""] if down is None else [value - float(down), value + float(up)]
                told[name] = [end if end == "" else words.number(end, digits) for end in (value, *ends)]
    expected = {entry.name: on_screen[entry.name] for entry in said.main.numbers.entries}
    assert told == expected and len(told) >= 11


@pytest.mark.parametrize("view", ["areas", "group", "months", "potential", "referrals"])
def test_the_sheet_behind_a_chart_is_what_the_chart_draws(papers, view: str) -> None:
    _, slide = item_slides(papers)[list(VIEWS).index(view)]
    chart = next(shape.chart for shape in slide.shapes if shape.has_chart)
    sheet = sheet_of(chart)
    for series in chart.plots[0].series:
        column = [name for name in sheet.columns if name.partition("_duplicated")[0] == series.name]
        drawn = [value for value in series.values if value is not None]
        written = [[float(value) for value in sheet[name] if value is not None] for name in column]
        assert drawn in written
        for bars in series._element.findall(qn("c:errBars")):
            for end in ("c:plus", "c:minus"):
                cells = bars.find(f"{qn(end)}//{qn('c:f')}").text
                place = ord(re.match(r"Sheet1!\$([A-Z])\$2", cells)[1]) - ord("A")
                cached = [float(value.text) for value in bars.findall(f"{qn(end)}//{qn('c:v')}")]
                assert cached == [float(value) for value in sheet[sheet.columns[place]] if value is not None]


def test_a_chart_of_months_holds_the_months_of_the_table_and_draws_no_line_across_a_break(papers) -> None:
    said, slide = item_slides(papers)[list(VIEWS).index("months")]
    words, chart = papers["words"], next(shape.chart for shape in slide.shapes if shape.has_chart)
    on_screen = {row.cells[0].text.partition(" (")[0]: row.cells[2].text for row in said.main.table.rows}
    series = {one.name: one.values for one in chart.plots[0].series}
    sure, tail = series[words("papers.series_months")], series[words("papers.series_provisional")]
    entries = said.main.numbers.entries
    assert len(sure) == len(entries)  # no break in the newest months
    for at, entry in enumerate(entries):
        drawn = tail[at] if entry.is_provisional else sure[at]
        assert words.number(drawn, said.main.numbers.digits) == on_screen[words.month(entry.month)]
        assert (sure[at] is None) == entry.is_provisional


def test_a_funnel_holds_every_area_of_the_table(papers) -> None:
    said, slide = item_slides(papers)[list(VIEWS).index("funnel")]
    words, chart = papers["words"], next(shape.chart for shape in slide.shapes if shape.has_chart)
    on_screen = {row.cells[0].text: row.cells[1].text for row in said.main.table.rows}
    sheet = sheet_of(chart)
    names, kinds = sheet[words("compare.column_area")], [one.name for one in chart.plots[0].series][:3]
    values = [next(value for value in row if value is not None) for row in sheet.select(kinds).iter_rows()]
    digits = said.main.numbers.digits
    told = {name: words.number(float(value), digits) for name, value in zip(names, values, strict=True)}
    assert told == {name: on_screen[name] for name in told} and len(told) == 98


def test_a_table_on_slides_is_the_table_on_the_screen(papers) -> None:
    slides = slides_of(papers)
    for view in ("carpet", "overview"):
        number = list(VIEWS).index(view) + 1
        said = papers["items"][number - 1]
        titled = [slide for slide in slides if slide.shapes.title.text_frame.text.startswith(f"{number}. ")]
        rows = [row for slide in titled for row in next(s for s in slide.shapes if s.has_table).table.rows]
        texts = [squeezed(cell.text_frame.text) for row in rows for cell in row.cells]
        for row in said.main.table.rows:
            for at, cell in enumerate(row.cells):
                if cell.drawing:
                    continue
                told = [text for text, style in cell.lines if style != "small" or at]
                assert squeezed("".join(told)) in texts


# --- Both ---------------------------------------------------------------------------------------------------


def test_the_same_agenda_gives_the_same_bytes(papers, country, country_data) -> None:
    made = papers["agenda"]
    assert agenda_pdf(made, country_data, ORIGIN) == papers["pdf"]
    assert agenda_pptx(made, country_data, ORIGIN) == papers["pptx"]
    dates, moments = set(), set()
    for archive in archives(papers["pptx"]):
        dates |= {info.date_time for info in archive.infolist()}
        moments |= set(re.findall(rb">(\d{4}-\d\d-\d\dT[^<]+)<", archive.read("docProps/core.xml")))
    assert len(dates) == 1 and len(moments) == 1, "no clock in them"
    assert moments.pop().decode()[:10] == str(country.manifest["created"])[:10]


def archives(file: bytes) -> Iterator[zipfile.ZipFile]:
    archive = zipfile.ZipFile(io.BytesIO(file))
    yield archive
    for name in archive.namelist():
        if name.endswith(".xlsx"):
            yield from archives(archive.read(name))


def test_what_is_written_is_text_and_nothing_else(country, country_data) -> None:
    item = AgendaItem(HOSTILE, VIEWS["areas"], HOSTILE, f"{HOSTILE}\n{HOSTILE}")
    made = agenda(country.id, title=HOSTILE, meeting=HOSTILE, items=(item,))
    first, second, *_ = pages_of(agenda_pdf(made, country_data, ORIGIN))
    assert squeezed(HOSTILE) in first
    assert second.count(squeezed(HOSTILE)) >= 2
    reader = PdfReader(io.BytesIO(agenda_pdf(made, country_data, ORIGIN)))
    assert "/OpenAction" not in reader.trailer["/Root"] and "/JavaScript" not in str(reader.trailer["/Root"])
    deck = Presentation(io.BytesIO(agenda_pptx(made, country_data, ORIGIN)))
    front, slide = deck.slides
    assert front.shapes.title.text_frame.text == HOSTILE
    assert slide.shapes.title.text_frame.text == f"1. {HOSTILE}"
    assert slide.notes_slide.notes_text_frame.text.startswith(f"{HOSTILE}\n{HOSTILE}\n")
    assert not [one for one in slide.part.rels.values() if one.is_external], "nothing is fetched"


def test_papers_have_their_words_in_both_languages(country, country_data) -> None:
    english = "".join(pages_of(agenda_pdf(agenda(country.id, "en"), country_data, ORIGIN)))
    assert squeezed("Recommendation: at mødet") in english and squeezed("How it is counted") in english
    assert "Indstilling" not in english


def test_an_agenda_without_items_says_so(country, country_data) -> None:
    empty = agenda(country.id, items=())
    for make in (agenda_pdf, agenda_pptx):
        with pytest.raises(NoContent, match="ingen punkter"):
            make(empty, country_data, ORIGIN)


@pytest.mark.slow
def test_libreoffice_opens_the_slides(papers, tmp_path) -> None:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice (soffice) is not installed")
    (tmp_path / "prove.pptx").write_bytes(papers["pptx"])
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = [office, profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path), "prove.pptx"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=180, capture_output=True)
    pages = pages_of((tmp_path / "prove.pdf").read_bytes())
    assert len(pages) == len(slides_of(papers))
    for page, slide in zip(pages, slides_of(papers), strict=True):
        assert squeezed(slide.shapes.title.text_frame.text) in page


# --- Addresses ----------------------------------------------------------------------------------------------


def test_a_picture_in_pixels_shows_the_drawing(client) -> None:
    for name, view in (("figur", VIEWS["areas"]), ("kort", VIEWS["map"]), ("maaneder", VIEWS["months"])):
        answer = client.get(f"/billede/{name}.png?{urlencode({'adresse': view})}")
        assert answer.status_code == 200 and answer.mimetype == "image/png"
        image = Image.open(io.BytesIO(answer.data)).convert("RGB")
        assert image.width == 2 * (1000 + 2 * 28)
        colours = {colour for _, colour in image.getcolors(1 << 24)}
        assert (255, 255, 255) in colours and (0x16, 0x20, 0x2A) in colours and len(colours) > 50


@pytest.mark.parametrize(
    ("address", "mimetype"),
    [
        ("/k/hjoerring.pdf", "application/pdf"),
        ("/k/hjoerring.pdf?sprog=en", "application/pdf"),
        ("/kkr/nordjylland.pdf", "application/pdf"),
        ("/land.pdf", "application/pdf"),
    ],
)
def test_an_overview_is_had_by_its_address(client, address: str, mimetype: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200 and answer.mimetype == mimetype
    again = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert len(PdfReader(io.BytesIO(answer.data)).pages) == 1


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("/land.pdf", {"action": "paper", "kind": "pdf"}),
        (f"/billede/figur.svg?adresse=/sammenlign/{HEADLINE}", {"action": "picture", "figure": "figur", "kind": "svg"}),
    ],
)
def test_what_is_taken_is_remembered(client, country, caplog, address: str, told: dict[str, str]) -> None:
    with caplog.at_level("INFO"):
        assert client.get(address).status_code == 200
    (line,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("audit ")]
    assert {**told, "release": country.id, "address": address}.items() <= json.loads(
        line.removeprefix("audit ")
    ).items()


@pytest.mark.parametrize("kind", ["pdf", "pptx"])
def test_an_agenda_in_a_link_is_had_as_paper(client, country, country_data, kind: str) -> None:
    made = agenda(country.id, items=(AgendaItem("Emne", VIEWS["months"]),))
    answer = client.get(f"/moede/{made.name}.{kind}?{made.to_link()}")
    assert answer.status_code == 200
    english = client.get(f"/moede/{made.name}.{kind}?{made.to_link()}&sprog=en")
    assert english.status_code == 200 and english.data != answer.data


@pytest.mark.parametrize(
    "address",
    ["/moede/findes-ikke.pdf", "/moede/x.pptx?indhold=abc", "/moede/x.doc", "/billede/figur.gif", "/billede/x.png"],
)
def test_what_is_not_there_is_said_plainly(client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code in (200, 404)
    assert answer.mimetype in ("text/plain", "text/html")


def test_an_overview_links_to_its_page(client, country_data) -> None:
    for view in ("/k/hjoerring", "/kkr/nordjylland/overblik?sprog=en", "/land/overblik"):
        page = client.get(
            re.search(r'href="([^"]+\.pdf[^"]*)"', draw(country_data, *view.partition("?")[::2]).markup)[1].replace(
                "&amp;", "&"
            )
        )
        assert page.mimetype == "application/pdf"


# --- Charts from numbers ------------------------------------------------------------------------------------


def drawn(numbers: Any, lang: str = "da") -> Any:
    """The native chart of numbers, read back from a file."""
    file = Presentation()
    slide = file.slides.add_slide(file.slide_layouts[6])
    add_chart(
        numbers,
        {},
        load_words(lang),
        lambda kind, data: slide.shapes.add_chart(kind, 0, 0, 9_144_000, 5_000_000, data).chart,
    )
    written = io.BytesIO()
    file.save(written)
    return next(shape.chart for shape in Presentation(written).slides[0].shapes if shape.has_chart)


def months_of(first: date, count: int) -> list[date]:
    return [add_months(first, number) for number in range(count)]


def test_no_line_of_a_chart_crosses_the_break_of_2019() -> None:
    months = months_of(date(2018, 12, 1), 6)
    entries = [MonthEntry(month, 10.0 + at, 11.0, 9.0, 13.0, None, "none", False) for at, month in enumerate(months)]
    chart = drawn(Months(tuple(entries), "pr. 1.000", 0))
    place = next(at for at, month in enumerate(months) if month in {item.month for item in BREAKS})
    for series in chart.plots[0].series:
        assert series.values[place] is None, "an empty place between the months"
    values = list(chart.plots[0].series[0].values)
    assert values[:place] + values[place + 1 :] == [entry.value for entry in entries]


def test_each_phase_of_a_process_is_a_line_of_its_own_and_in_the_legend_once() -> None:
    months = months_of(date(2024, 1, 1), 6)
    levels = [10.0, 10.0, 10.0, 20.0, 20.0, 20.0]
    entries = [
        MonthEntry(m, 15.0, level, level - 5, level + 5, None, "none", False)
        for m, level in zip(months, levels, strict=True)
    ]
    chart = drawn(Months(tuple(entries), "", 0))
    centre = [
        series.values for series in chart.plots[0].series if series.name == load_words("da")("papers.series_centre")
    ]
    assert centre == [(10.0, 10.0, 10.0, None, None, None), (None, None, None, 20.0, 20.0, 20.0)]
    left_out = chart.legend._element.findall(qn("c:legendEntry"))
    assert len(left_out) == 3  # the second phase of level and both limits


def test_a_process_whose_limits_reach_below_zero_begins_at_zero() -> None:
    months = months_of(date(2024, 1, 1), 6)
    entries = [MonthEntry(month, 1.0 + at, 3.0, -4.0, 10.0, None, "none", False) for at, month in enumerate(months)]
    axis = drawn(Months(tuple(entries), "", 1)).value_axis
    assert (axis.minimum_scale, axis.maximum_scale) == (0.0, 10.0)


def test_signals_and_provisional_months_look_like_it() -> None:
    months = months_of(date(2024, 1, 1), 4)
    signals = ["none", "improvement", "none", "none"]
    entries = [
        MonthEntry(month, 1.0 + at, None, None, None, None, signals[at], at == 3) for at, month in enumerate(months)
    ]
    chart = drawn(Months(tuple(entries), "", 1))
    sure, tail, signal = chart.plots[0].series
    assert sure.values == (1.0, 2.0, 3.0, None) and tail.values == (None, None, 3.0, 4.0)
    assert (
        signal.values == (None, 2.0, None, None)
        and signal._element.find(f".//{qn('c:symbol')}").get("val") == "diamond"
    )
    assert chart.has_legend and signal.name == load_words("da")("depth.signal_improvement")


def test_what_was_expected_without_an_effort_is_a_chart_too() -> None:
    months = pl.DataFrame(
        {
            "month": months_of(date(2025, 1, 1), 4),
            "observed": [10.4, 12.0, 8.0, 7.0],
            "expected": [10.0, 11.6, None, None],
            "lower": [None, 9.0, None, None],
            "upper": [None, 14.0, None, None],
            "is_provisional": [False, False, False, True],
        }
    )
    names = {"observed": "observeret", "tail": "foreløbig", "expected": "ventet", "upper": "øvre", "lower": "nedre"}
    told = {series.name: series.values for series in drawn(of_counterfactual(months, 0, names)).plots[0].series}
    assert told == {
        "observeret": (10.0, 12.0, 8.0, None),
        "foreløbig": (None, None, 8.0, 7.0),
        "ventet": (10.0, 12.0, None, None),
        "øvre": (None, 14.0, None, None),
        "nedre": (None, 9.0, None, None),
    }


def test_a_value_that_is_missing_is_no_bar_and_no_zero() -> None:
    entries = (Entry("=SUM(A1)", None), Entry("b", 2.0, 1.0, 4.0, "own", 3.0))
    own, country = drawn(Estimates(entries, "andel", 0)).plots[0].series
    assert own.values == (None, 2.0) and country.values == (None, 3.0)
    plus = own._element.find(f"{qn('c:errBars')}/{qn('c:plus')}")
    assert [value.text for value in plus.findall(f".//{qn('c:v')}")] == ["2.0"]


def test_a_paper_waits_for_what_is_being_counted(country_data, monkeypatch) -> None:
    final = contents.show(country_data, "/k/hjoerring", "")
    answers = [replace(final, is_final=False), replace(final, is_final=False), final]
    monkeypatch.setattr(contents, "show", lambda *_: answers.pop(0))
    assert content(country_data, "/k/hjoerring").title and not answers

"""Every text that a delivery can carry is an attack: through a real load, onto every page, drawing and file.

None becomes a tag, none runs, and no cell of a file is a formula. The page's own policy (CSP) would stop a script that
came so far; that it has nothing to stop is the claim here: the console of the browser stays silent.
"""

import csv
import io
import re
import threading
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import requests
from deliveries import contact_line, write_contacts, write_folder
from playwright.sync_api import expect
from werkzeug.serving import make_server

from dashboard.agenda import Agenda, AgendaItem
from dashboard.app import create_app
from dashboard.words import load_words
from etl.load import load
from etl.protect import UNPROTECTED
from etl.template import EXAMPLE, write_template
from tests.browser.accessible import PAGES
from tests.browser.conftest import open_page

TAG = "xss-tag"
PAYLOAD = f'"\'><{TAG}></{TAG}><img src=x onerror="window.xss=1"><script>window.xss=1</script>{{{{7*7}}}}'
IN_ATTRIBUTE = 'x" onmouseover="window.xss=1" autofocus onfocus="window.xss=1" a="'
LINK = "javascript:window.xss=1"
FORMULA = '=HYPERLINK("http://evil.example","x")'
ID = "preventable_admissions_65plus"


def hostile_folder(folder: Path) -> Path:
    """A month's folder in which every free text is hostile, the names of the files too."""
    write_folder(folder)
    (folder / "kontakter.csv").rename(folder / "kontakter\"'><img src=x onerror=window.xss=1>.csv")
    row = replace(EXAMPLE, kommune="Hjørring", aabningstid=IN_ATTRIBUTE, henvisere=PAYLOAD)
    write_template(
        folder / "tilbud.xlsx",
        [
            replace(row, navn=PAYLOAD, adresse=PAYLOAD, kompetencer=f"{PAYLOAD}, {LINK}"),
            replace(row, navn=IN_ATTRIBUTE, adresse=LINK, telefon=IN_ATTRIBUTE),
            replace(row, navn=FORMULA, adresse=FORMULA, kompetencer=FORMULA, henvisere=FORMULA, type="akutteam"),
        ],
    )
    written(
        folder / "maal.csv",
        "maal_id;indikator;omraade_niveau;omraade_kode;faelles_eller_egen;frist_type;baseline;baseline_periode;maal;frist",
        [PAYLOAD, ID, "kommune", "0860", "egen", "kort", "60", PAYLOAD, "54", "31-12-2027"],
        [FORMULA, ID, "kommune", "0851", "egen", "lang", "60", FORMULA, "54", "31-12-2030"],
    )
    written(
        folder / "indsatser.csv",
        "indsats_id;navn;kommuner;fra;til;forventet_effekt;indikator;laast_den",
        [PAYLOAD, PAYLOAD, "0860", "01-03-2024", "", "0,9", ID, "01-02-2024"],
        ["IND-2", IN_ATTRIBUTE, "0860|0851", "01-04-2024", "", "0,9", ID, "01-02-2024"],
        ["IND-3", FORMULA, "0851", "01-04-2024", "", "0,9", ID, "01-02-2024"],
    )
    written(
        folder / "baseline.csv",
        "spørgsmål;kommune;periode;svar;enhed",
        [PAYLOAD, "0860", "2024", "12,5", PAYLOAD],
        [FORMULA, "0851", "2024", "12,5", IN_ATTRIBUTE],
    )
    return folder


def written(path: Path, header: str, *rows: list[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(header + "\n")
        csv.writer(file, delimiter=";").writerows(rows)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Iterator[str]:
    """Where the hostile release is served."""
    folder = tmp_path_factory.mktemp("hostile")
    report = load([hostile_folder(folder / "in")], folder / "data", protection=UNPROTECTED)
    assert report.published is not None, report
    assert {file.status for file in report.files} <= {"accepted", "accepted_with_warnings"}
    more = folder / "more.csv"
    write_contacts(more, [contact_line(1, "7101500001", "2024-03-05 10:00", "2024-03-07 10:00")])
    load([more], folder / "data", protection=UNPROTECTED, accept_change=PAYLOAD)
    server = make_server("127.0.0.1", 0, create_app(folder / "data").server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    urllib.request.urlopen(address + "/live").read()
    yield address
    server.shutdown()
    thread.join()


def test_nothing_runs_on_any_page(browser, hostile) -> None:
    page, witness = open_page(browser, hostile)
    seen: set[str] = set()
    for url in (*PAGES.values(), "/akutpladser?soeg=<img src=x onerror=window.xss=1>", f"/?soeg={PAYLOAD}"):
        page.goto(url)
        expect(page.locator("h1")).to_be_visible()
        page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
        assert page.locator(TAG).count() == 0, url
        assert page.locator("[onerror], [onmouseover], [onfocus], [onload], a[href^='javascript:']").count() == 0, url
        assert page.evaluate("window.xss") is None, url
        text = page.locator("body").inner_text()
        assert load_words("da")("trouble.error") not in text, url
        seen |= {
            name
            for name, part in {"payload": TAG, "attribute": "onmouseover", "formula": "HYPERLINK"}.items()
            if part in text
        }
    page.context.close()
    assert witness.complaints == []
    assert seen == {"payload", "attribute", "formula"}, "the hostile texts are not shown, so the test shows nothing"


def test_nothing_is_a_tag_in_a_drawing(browser, hostile) -> None:
    page, _ = open_page(browser, hostile)
    page.goto(f"/k/hjoerring/{ID}")
    expect(page.locator("h1")).to_be_visible()
    drawings = page.evaluate("[...document.querySelectorAll('a[href*=\"/billede/\"]')].map(a => a.href)")
    assert drawings
    for address in (drawing for drawing in drawings if ".svg" in drawing):
        found = page.evaluate(
            """async address => {
                const drawing = new DOMParser().parseFromString(await (await fetch(address)).text(), "image/svg+xml");
                return [...drawing.querySelectorAll("parsererror, xss-tag, script, img, foreignObject, [onerror], [onload]")]
                    .map(node => node.nodeName);
            }""",
            address,
        )
        assert found == [], address
    page.context.close()


def test_no_cell_of_a_file_is_a_formula(browser, hostile) -> None:
    page, _ = open_page(browser, hostile)
    page.goto(f"/k/hjoerring/{ID}")
    expect(page.locator("h1")).to_be_visible()
    page.goto("/data")
    expect(page.locator("h1")).to_be_visible()
    files = set(page.evaluate("[...document.querySelectorAll('a[href*=\"/fil/\"], a[download]')].map(a => a.href)"))
    files |= {f"{hostile}/fil/{ID}.{kind}?fra=2024-01&til=2024-06" for kind in ("csv", "xlsx")}
    page.context.close()
    for address in files:
        with urllib.request.urlopen(address) as answer:
            content = answer.read()
        if ".csv" in address:
            rows = csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=";")
            assert [cell for row in rows for cell in row if cell[:1] in {"=", "+", "@", "\t", "\r"}] == [], address
        elif ".xlsx" in address:
            assert not any(b"<f>" in sheet or b"<hyperlink" in sheet for sheet in sheets(content)), address


def sheets(content: bytes) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        yield from (book.read(name) for name in book.namelist() if name.startswith("xl/worksheets/"))


def test_nothing_runs_in_a_paper(hostile) -> None:
    """An agenda whose every text is hostile, and the overview of the hostile release, as PDF and as slides."""
    items = tuple(
        AgendaItem(text, f"/k/hjoerring/{ID}", recommendation=text, notes=f'{text}\n#read("/etc/passwd")')
        for text in (PAYLOAD, IN_ATTRIBUTE, FORMULA)
    )
    release = urllib.request.urlopen(f"{hostile}/ready").read().decode().strip()
    agenda = Agenda("board", PAYLOAD, IN_ATTRIBUTE, None, release, "2024", "da", items)
    for path in ("/k/hjoerring.pdf?", f"/moede/board.pdf?{agenda.to_link()}", f"/moede/board.pptx?{agenda.to_link()}"):
        answer = requests.get(hostile + path)
        assert answer.ok, f"{path}: {answer.text}"
        paper = answer.content
        parts = pptx_parts(paper) if paper[:2] == b"PK" else pdf_parts(paper)
        assert len(parts) > 5, path
        for part in parts:
            for active in (b"/JavaScript", b"/JS(", b"/Launch", b"javascript:", b"vbscript:", b"oleObj", b"macro"):
                assert active not in part, (path, active)
            for target in re.findall(rb'/URI ?\((.*?)\)|Target="(https?:.*?)"', part):
                assert b"".join(target).startswith(hostile.encode()), (path, target)


def pptx_parts(paper: bytes) -> list[bytes]:
    """The XML parts of a set of slides; each must be well formed."""
    with zipfile.ZipFile(io.BytesIO(paper)) as slides:
        parts = [slides.read(name) for name in slides.namelist() if name.endswith((".xml", ".rels"))]
    for part in parts:
        ElementTree.fromstring(part)
    return parts


def pdf_parts(paper: bytes) -> list[bytes]:
    """The objects of a PDF, unpacked."""
    packed = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", paper, re.DOTALL)
    return [paper, *(zlib.decompressobj().decompress(part) for part in packed if part[:1] == b"x")]

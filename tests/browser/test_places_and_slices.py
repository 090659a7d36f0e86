"""The doctor on call, the director who asks why, and the analyst, each with their own device."""

import hashlib
import re
from pathlib import Path
from time import perf_counter
from xml.etree import ElementTree

import duckdb
import polars as pl
import pytest
from playwright.sync_api import Page, expect

from kpis.indicator import load_indicators

HEADLINE = next(item for item in load_indicators().values() if item.headline)
DEPTH = f"/k/hjoerring/{HEADLINE.id}"
PHONE = {"width": 390, "height": 844}


def arrive(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("h1")).to_be_visible()


# --- The doctor ---------------------------------------------------------------------------------------------


def test_a_doctor_finds_a_number_to_call_within_ten_seconds(page: Page) -> None:
    page.set_viewport_size(PHONE)
    arrive(page, "/akutpladser")
    start = perf_counter()
    page.get_by_label("Kommune eller tilbud").fill("hjør")
    page.keyboard.press("Enter")
    number = page.locator("a.phone").first
    expect(number).to_be_visible()
    assert perf_counter() - start < 10
    assert re.fullmatch(r"tel:\+?\d{8,}", number.get_attribute("href") or "")
    box = number.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < PHONE["height"], "seen without scrolling"
    assert box["height"] >= 32, "large enough for a thumb"
    assert float(number.evaluate("element => parseFloat(getComputedStyle(element).fontSize)")) >= 24
    card = page.locator(".cards > li").first
    for told in ("Åbent", "Kan henvise", "Kan"):
        expect(card).to_contain_text(told)


def test_a_suggestion_leads_straight_to_the_municipality(page: Page) -> None:
    arrive(page, "/akutpladser")
    page.get_by_label("Kommune eller tilbud").fill("Aalborg")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.locator(".municipality h2")).to_have_text("Aalborg")
    assert page.url.endswith("/akutpladser?omraade=k-aalborg")
    page.go_back()
    expect(page.locator(".municipality")).to_have_count(0)


# --- The director -------------------------------------------------------------------------------------------


def test_a_director_reads_level_change_goal_and_price_of_one_indicator(page: Page) -> None:
    arrive(page, DEPTH)
    conclusion = page.locator(".conclusion")
    expect(conclusion).to_contain_text(re.compile(r"^Hjørring: \d+ pr\. 1\.000 .* \(\d+–\d+\)"))  # how much, how sure
    expect(conclusion).to_contain_text("hele landet (")  # compared with whom
    expect(conclusion).to_contain_text("Måned for måned:")  # since when
    expect(page.locator(".goals")).to_contain_text("Potentiale")  # what it is worth
    drawing = page.locator("#maaneder .for-screen svg")
    expect(drawing).to_be_visible()
    assert "Hjørring" in (drawing.get_attribute("aria-label") or "")
    expect(page.locator("#modvaegte")).to_contain_text("Akutte genindlæggelser")


def test_a_breakdown_is_chosen_by_keyboard_and_stays_in_the_address(page: Page) -> None:
    arrive(page, DEPTH)
    expect(page.locator("#opdeling-figur")).to_contain_text("Nedre luftvejssygdom")
    page.get_by_role("link", name="Alder", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#opdeling-figur .for-screen")).to_contain_text("90 år og derover")
    assert page.url.endswith("opdeling=alder")
    expect(page.get_by_role("link", name="Alder", exact=True)).to_be_focused()
    page.go_back()
    expect(page.locator("#opdeling-figur .for-screen")).to_contain_text("Nedre luftvejssygdom")


def test_figure_and_table_change_places_without_changing_a_number(page: Page) -> None:
    arrive(page, DEPTH)
    sentence = page.locator("#maaneder figcaption").inner_text()
    page.get_by_role("link", name="Tabel", exact=True).click()
    expect(page.locator("#maaneder svg")).to_have_count(0)
    expect(page.locator("#maaneder table")).to_be_visible()
    assert page.locator("#maaneder figcaption").inner_text() == sentence


def test_a_potential_follows_area_reference_and_share(page: Page) -> None:
    arrive(page, "/potentiale?omraade=kkr-nordjylland")
    whole = page.locator(".conclusion").inner_text()
    page.get_by_role("link", name="50 %").click()
    expect(page.locator(".conclusion")).to_contain_text("50\u00a0% af afstanden")
    page.get_by_role("link", name="Midten").click()
    expect(page.locator(".conclusion")).to_contain_text("midterste kommune")
    page.get_by_label("Område").select_option(label="Hele landet")
    expect(page.locator("h1")).to_have_text("Potentiale: hele landet")
    assert "maalestok=median" in page.url and "andel=50" in page.url
    page.go_back(), page.go_back(), page.go_back()
    expect(page.locator(".conclusion")).to_have_text(whole)


def test_a_picture_is_a_drawing_that_another_program_opens(page: Page) -> None:
    arrive(page, DEPTH)
    with page.expect_download() as waiting:
        page.locator("#maaneder").get_by_role("link", name="Hent billede (SVG)").click()
    content = Path(waiting.value.path()).read_text("utf-8")
    assert waiting.value.suggested_filename.startswith("naerblik_maaneder_")
    ElementTree.fromstring(content)
    assert "Forebyggelige indlæggelser 65+ i Hjørring" in content


# --- The analyst --------------------------------------------------------------------------------------------


def test_an_analyst_builds_a_slice_and_opens_its_files_elsewhere(page: Page, tmp_path: Path) -> None:
    arrive(page, "/data")
    page.get_by_label("Rækker for hver").select_option(label="Regioner")
    expect(page.locator(".rows")).to_have_text(re.compile(r"^\d+ rækker$"))
    page.get_by_label("Pr.", exact=True).select_option(label="år")
    page.locator("#tag-days_after_ready").click()
    expect(page.locator("#tag-days_after_ready")).to_have_class("taken")
    expect(page.locator("#tag-days_after_ready")).to_be_focused()
    rows = int(page.locator(".rows strong").inner_text())
    files = {}
    for kind in ("Parquet", "CSV", "Excel"):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=f"Hent {kind}").click()
        files[kind] = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(files[kind])
    ((count, indicators),) = duckdb.sql(
        f"select count(*), count(distinct indicator) from '{files['Parquet']}'"
    ).fetchall()
    assert (count, indicators) == (rows, 2)
    digest = hashlib.sha256(files["Parquet"].read_bytes()).hexdigest()
    expect(page.locator(".downloads")).to_contain_text(digest)
    values = duckdb.sql(f"select value from '{files['Parquet']}'").pl()["value"].to_list()
    sheet = pl.read_excel(files["Excel"], sheet_name="Tal")
    assert sheet["Værdi"].to_list() == pytest.approx(values)
    lines = files["CSV"].read_text("utf-8-sig").splitlines()
    assert len(lines) == 1 + rows and ";" in lines[0]
    # the recipe fetches the same bytes again
    with page.expect_download() as waiting:
        page.locator("a.recipe").click()
    assert Path(waiting.value.path()).read_bytes() == files["Parquet"].read_bytes()


# --- Everywhere ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize(
    "url",
    [
        DEPTH,
        f"{DEPTH}?opdeling=laengde&sprog=en",
        "/potentiale?omraade=kkr-nordjylland",
        "/akutpladser?soeg=hj",
        "/data",
    ],
)
def test_a_phone_needs_no_sideways_scrolling(page: Page, url: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    arrive(page, url)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if page.locator(".for-phone").count():
        expect(page.locator(".for-phone").first).to_be_visible()
        expect(page.locator(".for-screen").first).to_be_hidden()


@pytest.mark.parametrize("url", [DEPTH, "/potentiale", "/akutpladser?omraade=k-hjoerring", "/data"])
def test_one_switch_changes_the_language_and_no_number(page: Page, url: str) -> None:
    arrive(page, url)
    before = digits_in_tables(page)
    assert before
    page.locator("#language").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert digits_in_tables(page) == before


def digits_in_tables(page: Page) -> list[str]:
    """The digits of every cell, whatever separates thousands and decimals."""
    cells = page.locator("main td").all_text_contents()
    return [found for cell in cells if (found := "".join(re.findall(r"\d", cell)))]

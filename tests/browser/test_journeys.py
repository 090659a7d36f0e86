"""What people come for, done as they do it: by reading, clicking, typing and going back."""

import re
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Page, expect

from kpis.indicator import FOCUS_AREAS, load_indicators

HEADLINES = [item for item in load_indicators().values() if item.headline]


def arrive(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("h1")).to_be_visible()


def until(page: Page, condition: str) -> None:
    """Wait for a condition on the page. Playwright's own wait needs eval, which the page's policy forbids."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never came true: {condition}")


def test_a_director_finds_the_four_focus_areas_and_compares_them(page: Page) -> None:
    arrive(page, "/")
    page.locator("#soeg").fill("hjørring")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Hjørring")
    assert page.url.endswith("/k/hjoerring")
    overview = page.get_by_role("table").first
    for focus in FOCUS_AREAS.values():
        expect(overview).to_contain_text(focus.da)
    for indicator in HEADLINES:
        expect(overview.get_by_role("rowheader", name=indicator.da.short_name).first).to_be_visible()

    expect(page.locator(".conclusion")).to_contain_text("Hjørring")
    expect(overview.get_by_role("columnheader", name="Som bedste femtedel")).to_be_visible()
    for told in ("Siden sidst", "Desuden"):
        expect(page.locator("main")).to_contain_text(told)

    overview.get_by_role("link", name=re.compile(f"^{re.escape(HEADLINES[0].da.short_name)}: Hjørring")).click()
    expect(page.locator("figcaption")).to_contain_text(re.compile(r"^Hjørring: .*KKR Nordjylland.*hele landet"))
    expect(page.locator("figcaption")).to_contain_text(re.compile(r"Placering \d+ \(\d+–\d+ af 98\)"))
    marks = page.locator(".for-screen circle")
    expect(marks).to_have_count(98)
    page.get_by_text("Flere valg").click()
    page.get_by_role("link", name="Kun gruppen").click()
    expect(marks).to_have_count(11)
    expect(page.locator(".for-screen")).to_contain_text("Frederikshavn")
    expect(page.locator(".for-screen")).to_contain_text("Hele landet")


def test_a_kkr_meeting_sees_its_municipalities_and_compares_them(page: Page) -> None:
    arrive(page, "/")
    page.locator("#soeg").fill("KKR Nordjylland")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("KKR Nordjylland")
    carpet = page.locator(".carpet")
    expect(carpet.get_by_role("row")).to_have_count(2 + 2 + 11)
    page.get_by_role("link", name="Som ét område").click()
    expect(page.locator(".overview")).to_be_visible()
    assert page.url.endswith("/kkr/nordjylland/overblik")
    page.get_by_role("link", name="Kommunerne", exact=True).click()
    carpet.get_by_role("link", name=HEADLINES[0].da.short_name, exact=True).click()
    expect(page.locator("h1")).to_have_text(HEADLINES[0].da.short_name)
    expect(page.locator(".for-screen circle")).to_have_count(11)
    for view, drawn in (("Tragt", "#tragt circle"), ("Kort", "#kort path"), ("Felter", "#felter rect")):
        page.get_by_role("link", name=view, exact=True).click()
        expect(page.locator(drawn).first).to_be_attached()
    page.get_by_role("link", name="Tabel", exact=True).click()
    expect(page.get_by_role("columnheader", name="Placering (95 %)")).to_be_visible()
    page.go_back()
    expect(page.locator("#felter")).to_be_visible()


def test_a_reader_puts_a_group_together_and_the_address_holds_it(page: Page) -> None:
    arrive(page, f"/sammenlign/{HEADLINES[0].id}?omraade=k-hjoerring")
    page.get_by_text("Flere valg").click()
    page.get_by_text("Sæt din egen gruppe sammen").click()
    page.get_by_role("switch", name="Aalborg").click()
    expect(page.get_by_role("switch", name="Aalborg")).to_be_checked()
    expect(page.get_by_role("switch", name="Aalborg")).to_be_focused()
    page.get_by_role("switch", name="Thisted").click()
    expect(page.locator(".legend")).to_contain_text("egen liste")
    assert page.url.endswith("kommuner=aalborg,thisted")
    page.reload()
    expect(page.locator(".for-screen circle.d-at-group")).to_have_count(2)


def test_a_town_can_be_found_by_its_first_letters_and_by_an_old_spelling(page: Page) -> None:
    arrive(page, "/")
    page.locator("#soeg").fill("Århus")
    page.get_by_role("button", name="Vis overblik").click()
    expect(page.locator("h1")).to_have_text("Aarhus")
    until(page, "location.pathname === '/k/aarhus'")
    arrive(page, "/")
    page.locator("#soeg").fill("aarh")
    page.get_by_role("button", name="Vis overblik").click()
    page.get_by_role("link", name="Aarhus", exact=True).click()
    expect(page.locator("h1")).to_have_text("Aarhus")


def test_back_goes_back_one_view_at_a_time_and_a_link_can_be_mailed(page: Page) -> None:
    arrive(page, "/k/hjoerring")
    page.get_by_label("Sammenlign med").select_option(label="Region Nordjylland")
    expect(page.locator(".legend")).to_contain_text("Region Nordjylland")
    mailed = page.url
    page.locator("#nav-method").click()
    expect(page.locator("h1")).to_have_text("Metode")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Hjørring")
    expect(page.locator(".legend")).to_contain_text("Region Nordjylland")
    expect(page.get_by_label("Sammenlign med").locator("option:checked")).to_have_text("Region Nordjylland")
    page.go_back()
    expect(page.locator(".legend")).to_contain_text("KKR Nordjylland")
    expect(page.get_by_label("Sammenlign med").locator("option:checked")).to_have_text("KKR Nordjylland")
    page.goto(mailed)
    expect(page.locator(".legend")).to_contain_text("Region Nordjylland")


def test_back_returns_to_the_place_on_the_page(page: Page) -> None:
    arrive(page, "/k/hjoerring?visning=tabel")
    link = page.get_by_role("link", name="Rettidig indberetning", exact=True)
    link.scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    assert place > 300
    link.click()
    expect(page.locator("figcaption").first).to_be_visible()
    until(page, "scrollY === 0")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Hjørring")
    until(page, f"Math.abs(scrollY - {place}) < 2")


def test_one_switch_changes_the_language_and_nothing_else(page: Page) -> None:
    arrive(page, f"/sammenlign/{HEADLINES[0].id}?omraade=k-hjoerring&niveau=k")
    expect(page.locator("html")).to_have_attribute("lang", "da")
    danish = page.locator("figcaption").inner_text()
    page.locator("#language").click()
    expect(page.locator("h1")).to_have_text(HEADLINES[0].en.short_name)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert "sprog=en" in page.url and "omraade=k-hjoerring" in page.url
    assert re.findall(r"\d+", page.locator("figcaption").inner_text())[:1] == re.findall(r"\d+", danish)[:1]
    page.locator("#language").click()
    expect(page.locator("figcaption")).to_have_text(danish)


def test_an_analyst_opens_the_downloaded_slice_in_duckdb(page: Page, tmp_path: Path) -> None:
    arrive(page, f"/sammenlign/{HEADLINES[0].id}?omraade=k-hjoerring")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Hent Parquet").click()
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    assert file.name.startswith(HEADLINES[0].id)
    ((value,),) = duckdb.sql(f"select value from '{file}' where area_name = 'Hjørring'").fetchall()
    told = page.locator("figcaption").inner_text()
    assert told.startswith(f"Hjørring: {round(value)} ") or f"{value:.1f}".replace(".", ",") in told
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Hent CSV").click()
    lines = Path(waiting.value.path()).read_text("utf-8-sig").splitlines()
    own = [line for line in lines if ";area;" in line]
    assert len(own) == 98 and ";Hjørring;" in "\n".join(own)


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    arrive(page, "/")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Gå til indholdet")
    expect(skip).to_be_focused()
    expect(skip).to_be_visible()
    while not page.evaluate("document.activeElement.id === 'soeg'"):
        page.keyboard.press("Tab")
    page.keyboard.type("Hjørring")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Hjørring")
    expect(page.locator("h1")).to_be_focused()  # read aloud, and the next Tab goes on from here
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == f"row-{HEADLINES[0].id}":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "focus must be seen"
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(HEADLINES[0].da.short_name)


def test_a_choice_keeps_the_focus(page: Page) -> None:
    arrive(page, f"/sammenlign/{HEADLINES[0].id}?omraade=k-hjoerring")
    choice = page.get_by_label("Gruppe")
    choice.focus()
    choice.select_option(label="Landkommuner")
    expect(page.locator("figcaption")).to_contain_text("Landkommuner")
    expect(page.get_by_label("Gruppe")).to_be_focused()
    page.get_by_label("Indikator").focus()
    page.get_by_label("Indikator").select_option(label=HEADLINES[1].da.short_name)
    expect(page.locator("h1")).to_have_text(HEADLINES[1].da.short_name)
    expect(page.get_by_label("Indikator")).to_be_focused()
    page.get_by_text("Flere valg").click()
    page.get_by_role("link", name="Kun gruppen").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Kun gruppen")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("link", name="Kun gruppen")).to_be_focused()


@pytest.mark.parametrize(
    ("url", "heading", "notice"),
    [
        ("/k/hjorring", "Hjørring", "Området hjorring findes ikke"),
        ("/sammenlign/readmission_30d", "Akutte genindlæggelser inden for 30 dage", "Den nærmeste vises"),
        (
            "/sammenlign/readmissions_30d?periode=2019",
            "Akutte genindlæggelser inden for 30 dage",
            "ikke data for hele perioden",
        ),
        ("/findes/ikke", "Det nære sundhedsvæsen, kommune for kommune", "findes ikke"),
    ],
)
def test_a_bad_address_gives_the_nearest_view_and_says_so(page: Page, url: str, heading: str, notice: str) -> None:
    arrive(page, url)
    expect(page.locator("h1")).to_have_text(heading)
    expect(page.get_by_role("status").filter(has_text=notice)).to_be_visible()


def test_the_theme_follows_the_system_until_the_reader_chooses(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    arrive(page, "/om")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.locator("#theme").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/k/hjoerring",
        "/kkr/nordjylland",
        "/land/taeppe",
        "/region/nordjylland/overblik",
        f"/sammenlign/{HEADLINES[0].id}?omraade=k-hjoerring",
        f"/sammenlign/{HEADLINES[0].id}?omraade=k-hjoerring&visning=felter&kommuner=aalborg,thisted",
        "/metode/readmissions_30d",
    ],
)
def test_a_phone_needs_no_sideways_scrolling(page: Page, url: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    arrive(page, url)
    assert page.evaluate("document.documentElement.scrollWidth") <= width

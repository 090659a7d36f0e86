"""A meeting at the wall, as it is held: projected at 1920 × 1080, steered by keys, read from the back of the room."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import open_page
from tests.browser.test_journeys import until

INDICATOR = "preventable_admissions_65plus"
WALLS = (
    "/k/hjoerring",
    "/kkr/nordjylland",
    "/kkr/hovedstaden",
    f"/k/hjoerring/{INDICATOR}",
    f"/sammenlign/{INDICATOR}?omraade=k-hjoerring",
    f"/sammenlign/{INDICATOR}?gruppe=kkr-nordjylland&udsnit=gruppe",
    f"/sammenlign/{INDICATOR}?omraade=k-hjoerring&visning=tragt",
    f"/sammenlign/{INDICATOR}?omraade=k-hjoerring&visning=kort",
    f"/sammenlign/{INDICATOR}?omraade=k-hjoerring&visning=felter",
    "/potentiale?omraade=kkr-nordjylland",
    "/akutpladser?omraade=kkr-nordjylland",
    f"/metode/{INDICATOR}",
    "/om",
)

SMALLEST = """() => {
  const sizes = [];
  const walker = document.createTreeWalker(document.querySelector(".wall"), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement, text = node.textContent.trim();
    if (!text || element.closest(".visually-hidden, dialog, title, desc, style, defs")) continue;
    if (!element.getClientRects().length) continue;
    const scale = element.ownerSVGElement ? element.getScreenCTM().d : 1;
    sizes.push([Math.round(10 * scale * parseFloat(getComputedStyle(element).fontSize)) / 10, text.slice(0, 40)]);
  }
  return sizes.sort((a, b) => a[0] - b[0])[0];
}"""

NAMES = """() => [...document.querySelectorAll(
  ".wall-chart .for-screen :is(.d-label-ink, .d-label-own, .d-label-strong, .d-flag-name, .d-tile-name)"
)].filter(text => text.getClientRects().length && /^[A-Za-zÆØÅæøå]/.test(text.textContent)).length"""


@pytest.fixture
def wall(browser, address) -> Iterator[Page]:
    """A projector: 1920 × 1080."""
    page, witness = open_page(browser, address)
    page.set_viewport_size({"width": 1920, "height": 1080})
    yield page
    page.context.close()
    assert witness.complaints == []


def on_wall(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}m=1"


def here(page: Page) -> str:
    return re.sub(r"^https?://[^/]+", "", page.url)


@pytest.mark.parametrize("url", WALLS)
def test_everything_can_be_read_from_the_back_and_fits(wall: Page, url: str) -> None:
    wall.goto(on_wall(url))
    expect(wall.locator(".wall h1")).to_be_visible()
    size, text = wall.evaluate(SMALLEST)
    assert size >= 24, f"{text!r} is {size} px"
    assert wall.evaluate(NAMES) <= 12
    assert wall.evaluate("document.documentElement.scrollWidth") <= 1920
    assert wall.evaluate("document.documentElement.scrollHeight") <= 1080, "it fits without scrolling"
    assert wall.locator(".wall h1").count() == 1 and wall.locator(".wall-chart .for-screen").count() <= 1
    expect(wall.locator(".wall-foot")).to_contain_text("udgivelse v2026")


def test_m_enters_and_escape_leaves_the_same_address(page: Page) -> None:
    for url in (
        f"/k/hjoerring/{INDICATOR}?opdeling=alder",
        f"/sammenlign/{INDICATOR}?omraade=k-hjoerring&visning=tragt",
    ):
        page.goto(url)
        expect(page.locator("h1")).to_be_visible()
        before, told = here(page), page.locator("main").inner_text()
        page.keyboard.press("m")
        expect(page.locator(".wall h1")).to_be_visible()
        assert here(page) == on_wall(before)
        page.keyboard.press("Escape")
        expect(page.locator(".topbar")).to_be_visible()
        assert here(page) == before and page.locator("main").inner_text() == told


def test_keys_of_the_wall(wall: Page) -> None:
    wall.goto(f"/k/hjoerring/{INDICATOR}?m=1")
    expect(wall.locator(".wall .for-screen svg")).to_be_visible()
    wall.keyboard.press("t")
    expect(wall.locator(".wall .data-table")).to_be_visible()
    wall.keyboard.press("t")
    expect(wall.locator(".wall .for-screen svg")).to_be_visible()

    wall.keyboard.press("b")
    expect(wall.locator("#wall-blank")).to_be_visible()
    wall.keyboard.press("ArrowRight")  # nobody walks on in the dark
    wall.keyboard.press("b")
    expect(wall.locator("#wall-blank")).to_be_hidden()
    wall.keyboard.press("?")
    expect(wall.locator("#wall-help")).to_contain_text("Fuld skærm")
    wall.keyboard.press("Escape")
    expect(wall.locator("#wall-help")).to_be_hidden()
    assert here(wall) == f"/k/hjoerring/{INDICATOR}?m=1", "Escape closed the help and nothing else"

    wall.keyboard.press("f")
    until(wall, "document.fullscreenElement !== null")
    wall.keyboard.press("ArrowRight")
    expect(wall.locator("h1")).to_contain_text("Akutte indlæggelser 65+")
    until(wall, "document.fullscreenElement !== null")
    wall.keyboard.press("PageUp")
    expect(wall.locator("h1")).to_contain_text("Forebyggelige indlæggelser 65+")
    wall.keyboard.press("f")
    until(wall, "document.fullscreenElement === null")


LATE_FRAMES = "window.requestAnimationFrame = frame => setTimeout(() => frame(performance.now()), 500);"


@pytest.mark.parametrize("frames", ["", LATE_FRAMES], ids=["frames at once", "late frames"])
def test_quick_presses_of_the_arrows_all_count(wall: Page, frames: str) -> None:
    wall.add_init_script(frames)  # a view is there a frame before it has arrived; on a busy machine for long
    wall.goto(f"/k/hjoerring/{INDICATOR}?m=1")
    expect(wall.locator(".wall .for-screen svg")).to_be_visible()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        wall.keyboard.press(key)
    expect(wall.locator("h1")).to_contain_text("Akutte indlæggelser 65+")
    wall.wait_for_url("**/k/hjoerring/acute_admissions_65plus?m=1")


def test_letters_can_be_switched_off(page: Page) -> None:
    page.goto("/tilgaengelighed")
    switch = page.get_by_role("button", name="Genveje med bogstaver")
    expect(switch).to_have_attribute("aria-pressed", "true")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("m")
    page.goto("/k/hjoerring")
    expect(page.locator("h1")).to_be_visible()
    page.keyboard.press("m")
    page.wait_for_timeout(300)
    assert here(page) == "/k/hjoerring"


def test_a_letter_in_a_field_is_a_letter(page: Page) -> None:
    page.goto("/")
    page.locator("#soeg").fill("")
    page.locator("#soeg").press_sequentially("mbt")
    assert page.locator("#soeg").input_value() == "mbt" and here(page) == "/"


def test_an_agenda_is_made_by_keyboard_and_projected(page: Page) -> None:
    page.goto(f"/k/hjoerring/{INDICATOR}")
    expect(page.locator("h1")).to_be_visible()
    page.locator("#to-agenda").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Ny dagsorden med visningen").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#punkt-1")).to_be_visible()
    page.locator("#titel").fill("KKR Nordjylland i november")
    page.locator("#punkt-1-indstilling").fill("At KKR drøfter udviklingen.")
    page.locator("#titel").press("Enter")
    expect(page.locator("h1")).to_have_text("KKR Nordjylland i november")
    there = here(page)

    page.goto("/kkr/nordjylland")
    expect(page.locator("h1")).to_be_visible()
    page.locator("#to-agenda").click()
    page.get_by_role("button", name="KKR Nordjylland i november").click()
    expect(page.locator("#punkt-2")).to_be_visible()
    page.get_by_role("button", name="Flyt punkt 2 op").click()
    expect(page.locator("#punkt-1-titel")).to_have_value("Status: KKR Nordjylland")
    until(page, "document.activeElement.id === 'punkt-1'")

    page.locator("#wall").click()
    expect(page.locator(".wall h1")).to_have_text("Status: KKR Nordjylland")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".wall")).to_contain_text("At KKR drøfter udviklingen.")
    expect(page.locator(".wall-head")).to_contain_text("Punkt 2 af 2")
    page.keyboard.press("Escape")
    expect(page.locator(".agenda-strip")).to_contain_text("Punkt 2 af 2")
    assert here(page) == f"{there}?punkt=2"
    page.locator("#agenda-whole").click()
    page.locator("#as-link").click()
    expect(page.locator("main")).to_contain_text("Dagsordenen ligger i sidens adresse")
    page.locator("#wall").click()
    expect(page.locator(".wall h1")).to_have_text("Status: KKR Nordjylland")


def test_a_phone_shows_wall_and_agenda_without_sideways_scrolling(browser, address) -> None:
    page, witness = open_page(browser, address)
    page.set_viewport_size({"width": 390, "height": 844})
    for url in ("/moede", on_wall(f"/k/hjoerring/{INDICATOR}"), on_wall("/k/hjoerring")):
        page.goto(url)
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, url
    page.context.close()
    assert witness.complaints == []

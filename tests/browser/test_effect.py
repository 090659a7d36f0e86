"""An intervention is registered with the keyboard alone, and what came of it is read and opened by everybody."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessible import serious_faults
from tests.browser.conftest import open_page, serving

KNOWN = "/effekt/IND-01"
"""The intervention of the random country, in Hjørring from April 2024 on."""


@pytest.fixture(scope="module")
def effects(country_data, tmp_path_factory) -> Iterator[str]:
    """Where the app answers over the random country, with a folder of its own to write plans in."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "releases").symlink_to(country_data / "releases")
    with serving(folder) as host:
        yield host


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there; a keyboard has no other way."""
    for _ in range(60):
        if page.locator(selector).evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached with Tab")


def type_in(page: Page, field: str, text: str) -> None:
    tab_to(page, f"#{field}")
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def press(page: Page, selector: str) -> None:
    tab_to(page, selector)
    page.keyboard.press("Enter")


def test_a_plan_is_registered_mended_and_locked_by_keyboard(browser: Browser, effects: str) -> None:
    page, witness = open_page(browser, effects)
    page.goto("/effekt")
    expect(page.locator("h1")).to_have_text("Effekt")
    press(page, ".start-here")
    expect(page.locator("h1")).to_have_text("Registrér en indsats")
    type_in(page, "name", "Akutteam i Thy")
    type_in(page, "municipalities", "Thisted, Mors")
    press(page, "button.main")

    expect(page.locator("#fejl")).to_be_focused()
    expect(page.locator("#fejl li")).to_have_count(3)  # the second municipality, the first day, the indicator
    expect(page.locator("#name")).to_have_value("Akutteam i Thy")
    press(page, "#fejl a[href='#municipalities']")
    expect(page.locator("#municipalities-fault")).to_have_text("Mors er ikke en kommune. Mente du Morsø?")
    type_in(page, "municipalities", "Thisted, Morsø")
    tab_to(page, "#start")
    page.locator("#start").fill("2025-06-01")  # how a date is typed is the browser's own
    tab_to(page, "#indicator")
    page.keyboard.type("Forebyggelige")
    type_in(page, "expected_effect", "-10")
    press(page, "button.main")

    expect(page.locator("h1")).to_have_text("Akutteam i Thy")
    expect(page.locator(".conclusion")).to_contain_text("Kan ikke afgøres.")
    expect(page.locator("#plan")).to_contain_text("Fingeraftrykket passer")
    expect(page.locator("#plan")).to_contain_text("Morsø og Thisted")
    page.context.close()
    # A browser itself tells of an answer that refuses a form.
    assert [told for told in witness.complaints if "status of 422" not in told] == []


def test_what_stands_behind_a_verdict_is_opened_by_keyboard(browser: Browser, effects: str) -> None:
    page, witness = open_page(browser, effects)
    page.goto(KNOWN)
    expect(page.locator("#modfaktisk .for-screen svg")).to_be_visible()
    expect(page.locator("#metoder")).to_be_hidden()
    press(page, "#tillid > summary")
    for figure in ("#placeboer", "#metoder"):
        expect(page.locator(f"{figure} .for-screen svg")).to_be_visible()
    expect(page.locator("#daekning")).to_contain_text(re.compile(r"holdt \d+ af 100 intervaller sandheden"))
    page.context.close()
    assert witness.complaints == []


def test_depth_leads_to_the_effect_and_back(browser: Browser, effects: str) -> None:
    page, witness = open_page(browser, effects)
    page.goto("/k/hjoerring/preventable_admissions_65plus")
    page.get_by_role("link", name="Virkede det? Akutteam i Hjørring").click()
    expect(page.locator("h1")).to_have_text("Akutteam i Hjørring")
    page.get_by_role("link", name="Hjørring i dybden").click()
    expect(page.locator("h1")).to_have_text("Forebyggelige indlæggelser 65+ i Hjørring")
    page.context.close()
    assert witness.complaints == []


@pytest.mark.parametrize("lang", ["da", "en"])
@pytest.mark.parametrize(("width", "theme"), [(320, "light"), (1280, "dark")])
def test_nothing_serious(browser: Browser, effects: str, lang: str, width: int, theme: str) -> None:
    page, _ = open_page(browser, effects, bypass_csp=True, color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    found = []
    for url in ("/effekt", KNOWN, f"{KNOWN}?visning=tabel", f"{KNOWN}?m=1", "/effekt/ny", f"{KNOWN}/ret", "faults"):
        if url == "faults":
            page.goto(f"/effekt/ny?sprog={lang}")
            page.locator("button.main").click()
            expect(page.locator("#fejl")).to_be_visible()
        else:
            page.goto(f"{url}{'&' if '?' in url else '?'}sprog={lang}")
        found += serious_faults(page, url)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{url} is wider than the screen"
    page.context.close()
    assert found == [], "\n" + "\n".join(found)

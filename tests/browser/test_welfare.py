"""Sundhed på tværs as it is used: an area is chosen, the table opened, the file fetched; and on a phone it fits."""

from playwright.sync_api import Page, expect


def test_an_area_is_chosen_its_table_read_and_its_file_fetched(page: Page) -> None:
    page.goto("/paa-tvaers")
    expect(page.locator("h1")).to_have_text("Sundhed på tværs: hele landet")
    page.locator("#omraade").select_option(label="Hjørring")
    expect(page.locator("h1")).to_have_text("Sundhed på tværs: Hjørring")
    assert page.url.endswith("/paa-tvaers?omraade=k-hjoerring")
    page.locator("#paa-tvaers summary").click()
    expect(page.get_by_role("rowheader", name="Hjemmesygepleje 65+, modtagere")).to_be_visible()
    with page.expect_download() as download:
        page.locator(".welfare-key .actions a", has_text="CSV").click()
    assert download.value.suggested_filename.startswith("relief_hjoerring_")


def test_it_fits_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/paa-tvaers?omraade=k-hjoerring")
    expect(page.locator("h1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_too_uncertain_a_figure_leads_on_to_a_larger_area(page: Page) -> None:
    page.goto("/k/hjoerring/psychiatric_admissions_18plus")
    expect(page.locator(".conclusion")).to_contain_text("for usikkert for en enkelt kommune")
    page.get_by_role("link", name="Region Nordjylland").click()
    expect(page.locator("h1")).to_contain_text("Region Nordjylland")
    expect(page.locator(".conclusion")).to_contain_text("pr. 1.000 borgere")

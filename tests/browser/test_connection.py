"""What the reader does not notice: a worker that is replaced while it answers; and a log-in that has ended."""

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import open_page

CALLBACK = "**/_dash-update-component?*"


@pytest.mark.parametrize("how", ["cut off", 502, 503])
def test_a_view_that_did_not_come_is_asked_for_again(browser, address, how) -> None:
    page, _ = open_page(browser, address)
    asked: list[int] = []

    def fail_once(route: Route) -> None:
        asked.append(1)
        if len(asked) > 1:
            route.continue_()
        elif how == "cut off":
            route.abort("connectionreset")
        else:
            route.fulfill(status=int(how), body="nobody there")

    page.route(CALLBACK, fail_once)
    page.goto("/k/hjoerring")
    expect(page.locator("h1")).to_contain_text("Hjørring")
    assert len(asked) >= 2
    page.context.close()


def test_a_log_in_that_has_ended_loads_the_page_anew(browser, address) -> None:
    page, _ = open_page(browser, address)
    page.goto("/")
    expect(page.locator("h1")).to_be_visible()
    asked: list[str] = []
    page.route(CALLBACK, lambda route: route.fulfill(status=401, body="log in") if not asked else route.continue_())
    page.on("request", lambda request: asked.append(request.url) if request.is_navigation_request() else None)
    page.locator("a[href='/data']").first.click()
    expect(page).to_have_title("Data – Nærblik")
    assert asked == [f"{address}/data"]
    page.context.close()

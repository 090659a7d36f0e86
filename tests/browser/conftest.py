"""The real app on the random country, in a real Chromium."""

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from dashboard.app import create_app

CHROMIUM = Path("/usr/bin/chromium")

expect.set_options(timeout=30_000)  # a busy machine draws slowly; the default of 5 s is for idle ones


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM.exists():
                item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is not installed"))


@contextmanager
def serving(data: Path) -> Iterator[str]:
    """The app over a data folder; gives where it answers."""
    server = make_server("127.0.0.1", 0, create_app(data).server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    host = f"http://127.0.0.1:{server.server_port}"
    # Dash registers its callbacks on the first request; parallel first requests would meet none.
    urllib.request.urlopen(host + "/_dash-layout").read()
    yield host
    server.shutdown()
    thread.join()


@pytest.fixture(scope="session")
def address(country_data) -> Iterator[str]:
    """Where the app answers, for as long as the tests last."""
    with serving(country_data) as host:
        yield host


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


class Witness:
    """What a page said and asked for while it was used; nothing of it may be there at the end."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.complaints: list[str] = []
        allowed = (address, "data:", "blob:")
        context.on("console", lambda message: self.complaints.append(f"console {message.type}: {message.text}"))
        context.on("weberror", lambda error: self.complaints.append(f"error: {error.error}"))
        context.on(
            "request",
            lambda request: request.url.startswith(allowed) or self.complaints.append(f"asked {request.url}"),
        )


def open_page(browser: Browser, address: str, **options) -> tuple[Page, Witness]:
    context = browser.new_context(viewport={"width": 1366, "height": 768}, base_url=address, locale="da-DK", **options)
    context.set_default_timeout(30_000)
    return context.new_page(), Witness(context, address)


@pytest.fixture
def page(browser, address) -> Iterator[Page]:
    """A fresh reader at 1366 × 768. The test fails if the console speaks or another host is asked."""
    page, witness = open_page(browser, address)
    yield page
    page.context.close()
    assert witness.complaints == []

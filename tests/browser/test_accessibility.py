"""axe-core finds nothing serious or critical on any page, in either language: narrow and light."""

import pytest

from dashboard.selection import Selection, catalogue
from dashboard.view import PAGE_FUNCTIONS
from tests.browser.accessible import PAGES, serious_faults_of_all


def test_every_page_is_tried(country) -> None:
    """A page that is added later must not be forgotten here."""
    tried = {Selection.from_url(*url.partition("?")[::2], catalogue(country))[0].page for url in PAGES.values()}
    assert tried == set(PAGE_FUNCTIONS)


@pytest.mark.parametrize("lang", ["da", "en"])
def test_nothing_serious_when_narrow_and_light(browser, address, lang: str) -> None:
    assert serious_faults_of_all(browser, address, lang, 320, "light") == ""

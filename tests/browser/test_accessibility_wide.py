"""axe-core finds nothing serious or critical on any page, in either language: wide and dark.

A file of its own, so that two processes can share the work.
"""

import pytest

from tests.browser.accessible import serious_faults_of_all


@pytest.mark.parametrize("lang", ["da", "en"])
def test_nothing_serious_when_wide_and_dark(browser, address, lang: str) -> None:
    assert serious_faults_of_all(browser, address, lang, 1280, "dark") == ""

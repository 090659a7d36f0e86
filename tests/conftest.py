import pytest
from hypothesis import settings

from kpis.release import Release, open_release
from tests.helpers import build_release

settings.register_profile("steady", deadline=None)  # a busy machine is no failed property
settings.load_profile("steady")


@pytest.fixture(scope="session")
def country_data(tmp_path_factory):
    """Data folder of the random country, for what takes a path (CLI, app). Read only."""
    folder = tmp_path_factory.mktemp("country")
    build_release(folder)
    return folder


@pytest.fixture(scope="session")
def country(country_data) -> Release:
    """The random country, opened once for all tests that only read."""
    return open_release(country_data)

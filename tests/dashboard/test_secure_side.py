"""An unprotected release is shown to the machine it lies on, and to nobody else, let in or not."""

import pytest

from dashboard.app import create_app
from dashboard.guard.loopback import is_loopback
from dashboard.guard.settings import Proxy, Settings
from tests.helpers import tiny_release

PATHS = ("/", "/_dash-layout", "/fil/preventable_admissions_65plus.csv?fra=2024-01&til=2024-12", "/ready", "/live")
PROTECTED = {"method": "balanced rounding", "base": 5}
READER = {"X-User": "anna", "X-Groups": "all"}
LET_IN = Settings("https://naerblik.example", proxy=Proxy("X-User", "X-Groups", {"all": "analyst"}))
ELSEWHERE = (
    {"environ_overrides": {"SERVER_NAME": "0.0.0.0"}},
    {"environ_overrides": {"SERVER_NAME": "192.168.1.4"}},
    {"environ_overrides": {"SERVER_PROTOCOL": "HTTP/1.0"}},
    {"headers": READER | {"X-Forwarded-For": "10.0.0.7"}},
    {"headers": READER | {"Forwarded": "for=10.0.0.7"}},
    {"headers": READER | {"Host": "naerblik.example"}},
)


@pytest.mark.parametrize("request_from", ELSEWHERE, ids=str)
def test_an_unprotected_release_is_refused_to_everybody_else(tmp_path, request_from) -> None:
    tiny_release(tmp_path, manifest={"protection": {"method": "none"}})
    client = create_app(tmp_path, LET_IN).server.test_client()
    for path in PATHS:
        answer = client.get(path, **{"headers": READER, **request_from})
        assert answer.status_code == 403
        assert "--protection none" in answer.text
    posted = client.post("/_dash-update-component", json={}, **{"headers": READER, **request_from})
    assert posted.status_code == 403


def test_it_is_shown_on_the_machine_itself(tmp_path) -> None:
    tiny_release(tmp_path, manifest={"protection": {"method": "none"}})
    client = create_app(tmp_path).server.test_client()
    for path in ("/", "/_dash-layout", "/ready"):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("request_from", ELSEWHERE, ids=str)
def test_a_protected_release_is_shown_to_everybody_who_is_let_in(tmp_path, request_from) -> None:
    tiny_release(tmp_path, manifest={"protection": PROTECTED})
    client = create_app(tmp_path, LET_IN).server.test_client()
    assert client.get("/_dash-layout", **{"headers": READER, **request_from}).status_code == 200


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", True), ("::1", True), ("localhost", True),
                                                ("127.9.9.9", True), ("0.0.0.0", False), ("", False), (None, False),
                                                ("localhost.example.org", False)])  # fmt: skip
def test_what_is_loopback(host, expected) -> None:
    assert is_loopback(host) is expected

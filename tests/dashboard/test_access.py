"""Who is let in, what each role may, from where a change may come, and what is remembered of it."""

import json
import math
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from dashboard.__main__ import main
from dashboard.app import create_app
from dashboard.guard import access, login
from dashboard.guard.security import ANSWERS_A_MINUTE
from dashboard.guard.settings import Proxy, Settings, SettingsProblem, read_settings
from dashboard.running import logs

OVER_PROXY = Settings(
    public_address="https://naerblik.example",
    proxy=Proxy("X-Remote-User", "X-Remote-Groups", {"seers": "viewer", "readers": "analyst", "writers": "editor"}),
)
FILE = "/fil/preventable_admissions_65plus.csv?fra=2024-01&til=2024-12"
OIDC = """
    public_address = "https://naerblik.example"
    [oidc]
    issuer = "https://login.example"
    client_id = "naerblik"
    client_secret_file = "secret"
    cookie_key_file = "key"
    roles = { all = "viewer" }
"""


@pytest.fixture
def small(tmp_path) -> Flask:
    """A server with one page, one file and one form, over the parts that let in."""
    server = Flask("small")
    logs.register(server)
    access.register(server, tmp_path)
    server.get("/", endpoint="page")(lambda: "page")
    server.post("/save", endpoint="save")(lambda: access.audit("saved", release="v1", rows=2) or "saved")
    return server


@pytest.fixture(scope="module")
def proxied(country_data):
    return create_app(country_data, OVER_PROXY).server.test_client()


def asked(client, path: str, user: str = "", groups: str = "", peer: str = "127.0.0.1", method: str = "GET"):
    headers = {"X-Remote-User": user, "X-Remote-Groups": groups, "X-Forwarded-For": "10.1.2.3"}
    return client.open(
        path,
        method=method,
        headers=headers,
        environ_overrides={"REMOTE_ADDR": peer},
        base_url="https://naerblik.example",
    )


@pytest.mark.parametrize("path", ["/", "/_dash-layout", "/_dash-dependencies", "/ready", "/metrics", FILE, "/nowhere"])
def test_a_proxy_that_names_nobody_lets_nobody_in(proxied, path: str) -> None:
    assert asked(proxied, path).status_code == 401
    assert asked(proxied, path, "anna", "").status_code == 403
    assert asked(proxied, path, "anna", "seers", peer="10.0.0.8").status_code == 401  # not from this machine


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", ""])
def test_a_proxy_on_this_machine_is_believed(proxied, peer: str) -> None:
    assert asked(proxied, "/_dash-layout", "anna", "others, seers", peer).status_code == 200


@pytest.mark.parametrize(
    ("group", "file", "change"), [("seers", 403, 403), ("readers", 200, 403), ("writers", 200, 405)]
)
def test_each_role_may_also_what_those_before_it_may(proxied, group: str, file: int, change: int) -> None:
    assert asked(proxied, FILE, "anna", group).status_code == file
    assert asked(proxied, "/findes-ikke", "anna", group, method="POST").status_code == change


def test_what_a_role_lacks_is_said_plainly(proxied) -> None:
    answer = asked(proxied, FILE, "anna", "seers")
    assert "analytiker" in answer.text and "analyst" in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"}, 403),
    ],
)
def test_no_other_site_changes_anything(small, headers, status: int) -> None:
    assert small.test_client().post("/save", headers=headers).status_code == status
    followed = {name: text for name, text in headers.items() if name != "Origin"}  # as a browser follows a link
    assert small.test_client().get("/", headers=followed).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("127.0.0.1:8050", 200), ("[::1]:8050", 200), ("evil.example", 400), ("10.0.0.8", 400)],
)
def test_a_name_that_is_not_ours_is_refused(small, host: str, status: int) -> None:
    assert small.test_client().get("/", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    "elsewhere",
    [
        *({"headers": {name: "10.1.2.3"}} for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")),
        {"headers": {"Origin": "https://naerblik.example", "Sec-Fetch-Site": "same-origin"}},
        {"environ_overrides": {"SERVER_PROTOCOL": "HTTP/1.0"}},
        {"environ_overrides": {"REMOTE_ADDR": "10.1.2.3"}},
        {"environ_overrides": {"SERVER_NAME": "0.0.0.0"}},
    ],
    ids=str,
)
def test_without_a_log_in_nobody_else_is_served(country_data, elsewhere) -> None:
    """Whatever a proxy calls this server: as nginx, which calls it by its own address when told nothing else."""
    client = create_app(country_data, Settings(public_address="http://localhost:8050")).server.test_client()
    for path in ("/", "/ready", "/metrics", "/_dash-layout", FILE):
        assert client.get(path, base_url="http://127.0.0.1:8050").status_code == 200
        answer = client.get(path, base_url="http://127.0.0.1:8050", **elsewhere)
        assert answer.status_code == 403
        assert "Uden log-in" in answer.text and "Without a log-in" in answer.text
    for path in ("/_dash-update-component", "/moede", "/findes-ikke"):
        assert client.post(path, json={}, base_url="http://127.0.0.1:8050", **elsewhere).status_code == 403
    assert client.get("/live", base_url="http://127.0.0.1:8050", **elsewhere).status_code == 200


@pytest.mark.parametrize("address", ["https://naerblik.example", "https://10.0.0.8", "https://localhost.example"])
def test_a_public_address_needs_a_log_in(tmp_path, address: str) -> None:
    path = tmp_path / "naerblik.toml"
    path.write_text(f'public_address = "{address}"')
    with pytest.raises(SettingsProblem, match=r"\[oidc\] or \[proxy\] is missing"):
        read_settings(path)
    path.write_text('public_address = "http://127.0.0.1:8050"')
    assert read_settings(path).public_host == "127.0.0.1:8050"


@pytest.mark.parametrize(("path", "method", "cost"), [("/findes-ikke", "POST", 1), (FILE, "GET", 20)])
def test_who_is_refused_again_and_again_does_not_fill_the_disk(tmp_path, path: str, method: str, cost: int) -> None:
    client, most = create_app(tmp_path, OVER_PROXY).server.test_client(), ANSWERS_A_MINUTE // cost
    answers = [asked(client, path, "vera", "seers", method=method).status_code for _ in range(most + 5)]
    assert answers == [403] * most + [429] * 5
    (file,) = (tmp_path / "web" / "audit").iterdir()
    assert len(file.read_text("utf-8").splitlines()) == most


def test_what_was_done_is_remembered(small, tmp_path) -> None:
    client = small.test_client()
    client.post("/save?filter=a", headers={"X-Request-ID": "from-the-proxy"})
    client.post("/save?cpr=010190-1234")
    (file,) = (tmp_path / "web" / "audit").glob("????-??.jsonl")
    first, second = (json.loads(line) for line in file.read_text("utf-8").splitlines())
    assert {key: first[key] for key in first if key != "time"} == {
        "user": "lokal", "action": "saved", "address": "/save?filter=a", "request_id": "from-the-proxy",
        "release": "v1", "rows": 2,
    }  # fmt: skip
    assert "010190" not in str(second) and "<cpr>" in second["address"]
    assert file.stat().st_mode & 0o007 == 0


def test_a_line_is_short_whatever_was_asked_for(small, tmp_path) -> None:
    small.test_client().post("/save?" + "a" * 7_000)
    (file,) = (tmp_path / "web" / "audit").iterdir()
    line = json.loads(file.read_text("utf-8"))
    assert line["address"] == "/save?" + "a" * (2_000 - len("/save?"))


def test_where_nothing_can_be_remembered_nothing_fails_and_an_error_says_so(
    small, tmp_path, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(access, "_told_at", -math.inf)
    (tmp_path / "web").write_text("a file in the way")
    with caplog.at_level("INFO"):
        for _ in range(3):
            assert small.test_client().post("/save").status_code == 200
    said = [(record.levelname, record.getMessage()) for record in caplog.records if "audit" in record.getMessage()]
    assert [level for level, _ in said] == ["INFO", "ERROR", "INFO", "INFO"]
    monkeypatch.setattr(access, "_told_at", time.monotonic() - 3_601)
    small.test_client().post("/save")
    assert caplog.records[-1].levelname == "ERROR" and "DATA/web/audit cannot be written" in caplog.text


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "010190-1234", "a\tb"])
def test_an_id_that_is_none_is_not_taken_over(small, given: str) -> None:
    made = small.test_client().get("/", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert made != given and len(made) == 32


def test_a_log_line_is_json_without_persons() -> None:
    import logging

    record = logging.LogRecord("etl", logging.WARNING, "", 0, "row of %s and %s", ("010190-1234", "0101901234"), None)
    line = json.loads(logs.JsonLines().format(record))
    assert line["level"] == "warning" and line["message"] == "row of <cpr> and <cpr>"


@pytest.mark.parametrize(
    "between", ["", "-", "–", " ", "+", "%20", "%2D", "%2d", "%2B", "%E2%80%93", "%e2%80%93", "\u00a0", "%C2%A0"]
)
def test_a_person_is_masked_however_it_is_written(between: str) -> None:
    assert logs.masked(f"/?soeg=010203{between}1234&a=b") == "/?soeg=<cpr>&a=b"
    assert logs.masked(f"/?soeg=%20010203{between}1234%20x") == "/?soeg=%20<cpr>%20x"


@pytest.mark.parametrize("text", ["v20260115T030000Z", "20260115 12345", "010203x1234", "12345678901", "%2001020"])
def test_other_numbers_are_left(text: str) -> None:
    assert logs.masked(text) == text


def test_a_proxy_elsewhere_is_not_believed(tmp_path) -> None:
    (tmp_path / "s.toml").write_text(
        'public_address = "https://n.example"\n[proxy]\nuser_header = "U"\ngroups_header = "G"\nroles = {}'
    )
    result = CliRunner().invoke(main, ["--host", "0.0.0.0", "--settings", str(tmp_path / "s.toml")])
    assert result.exit_code == 1 and "from this machine only" in result.output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("https://naerblik", "http://naerblik"), "must begin with https://"),
        (('"viewer"', '"king"'), "roles.all"),
        (("[oidc]", "[oidc]\nbanana = 1"), "banana"),
        (('client_id = "naerblik"', ""), "client_id"),
        (('public_address = "https://naerblik.example"', ""), "public_address is missing"),
        (('"secret"', '"nothing"'), "cannot be read"),
        (('"key"', '"short"'), "at least 32"),
        (('"key"', '"open"'), "chmod o-rwx"),
        (("[oidc]", "[oidc"), "is not TOML"),
    ],
)
def test_settings_that_are_wrong_say_what_and_where(tmp_path: Path, change, told: str) -> None:
    for name, text, mode in (
        ("secret", "s", 0o600),
        ("key", "k" * 32, 0o400),
        ("short", "k", 0o600),
        ("open", "k" * 32, 0o644),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    path = tmp_path / "naerblik.toml"
    path.write_text(OIDC)
    assert read_settings(path).is_https
    path.write_text(OIDC.replace(*change))
    with pytest.raises(SettingsProblem, match=r"naerblik.toml|/") as problem:
        read_settings(path)
    assert told in str(problem.value)


def test_encrypted_answers_stay_encrypted(proxied, country_data) -> None:
    assert "max-age" in asked(proxied, "/", "anna", "seers").headers["Strict-Transport-Security"]
    assert "Strict-Transport-Security" not in create_app(country_data).server.test_client().get("/").headers


@pytest.mark.parametrize("path", ["/", "/a?b=c", "//evil.example", "/\\evil.example", "https://evil.example", "evil"])
def test_the_way_back_stays_here(path: str) -> None:
    assert login._own_path(path) == (path if path in ("/", "/a?b=c") else "/")


def test_the_starting_process_loads_no_threads_that_a_fork_would_break() -> None:
    import subprocess
    import sys

    code = "import sys, dashboard.__main__, dashboard.guard.settings; print({'polars', 'duckdb', 'pyarrow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"

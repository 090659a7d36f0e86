"""Logging in at a real, certified OpenID Connect provider that runs beside the real server."""

import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from string import ascii_letters, digits
from urllib.parse import urljoin

import pytest
import requests

from tests.server import HOST, ROOT, Server, callback, free_port, serving, wait_for

FOLDER = Path(__file__).parent
PATHS = (
    "/", "/k/hjoerring", "/_dash-layout", "/_dash-dependencies", "/ready?x", "/metrics?x", "/data", "/findes-ikke",
    "/fil/preventable_admissions_65plus.csv?fra=2024-01&til=2024-12", "/billede/strip.svg?adresse=/", "/_reload-hash",
)  # fmt: skip


@pytest.fixture(scope="module")
def provider_folder(tmp_path_factory) -> Path:
    if shutil.which("npm") is None:
        pytest.skip("npm is missing, and with it the identity provider to log in at")
    folder = tmp_path_factory.mktemp("provider")
    for name in ("package.json", "package-lock.json", "provider.mjs"):
        shutil.copy(FOLDER / name, folder)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def server(provider_folder, country_data, tmp_path_factory) -> Iterator[Server]:
    port, own_port = free_port(), free_port()
    folder = tmp_path_factory.mktemp("settings")
    for name, secret in (("client-secret", "a secret of the test"), ("cookie-key", "k" * 32)):
        (folder / name).write_text(secret)
        (folder / name).chmod(0o600)
    settings = folder / "naerblik.toml"
    settings.write_text(f"""
        public_address = "http://{HOST}:{own_port}"
        [oidc]
        issuer = "http://{HOST}:{port}"
        client_id = "naerblik"
        client_secret_file = "client-secret"
        cookie_key_file = "cookie-key"
        roles = {{ nb-viewer = "viewer", nb-analyst = "analyst", nb-editor = "editor" }}
    """)
    data = folder / "data"
    shutil.copytree(country_data / "releases", data / "releases")
    address = f"http://{HOST}:{own_port}"
    provider = subprocess.Popen(
        ["node", "provider.mjs", str(port), address], cwd=provider_folder, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(lambda: requests.get(f"http://{HOST}:{port}/.well-known/openid-configuration", timeout=5).ok, provider)
        with serving(data, "--settings", str(settings), port=own_port) as server:
            yield server
    finally:
        provider.kill()
        provider.wait()


def log_in(server: Server, name: str, path: str = "/") -> tuple[requests.Session, requests.Response]:
    """Open a page and do what the provider's pages ask for, as a browser would."""
    browser = requests.Session()
    answer = browser.get(server.address + path, headers={"Accept": "text/html"})
    for _ in range(3):
        form = re.search(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', answer.text, re.DOTALL)
        if answer.url.startswith(server.address) or form is None:
            break
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[2]))
        answer = browser.post(
            urljoin(answer.url, unescape(form[1])), data={**fields, "login": name, "password": "any"},
            headers={"Accept": "text/html"},
        )  # fmt: skip
    return browser, answer


@pytest.mark.parametrize("path", PATHS)
def test_without_log_in_nothing_is_given(server, path: str) -> None:
    answer = server.get(path, X_Forwarded_For="10.0.0.9")
    assert answer.status == 401
    assert "Log ind" in answer.text
    assert server.get(path, X_Forwarded_For="10.0.0.9", Accept="text/html").status == 302
    posted = server.ask("POST", path, b"{}", Content_Type="application/json", X_Forwarded_For="10.0.0.9")
    assert posted.status == 401


def test_without_log_in_the_callback_gives_nothing(server) -> None:
    assert server.view("/k/hjoerring").status == 401


def test_who_logs_in_comes_to_the_page_that_was_asked_for(server) -> None:
    browser, answer = log_in(server, "vera", "/k/hjoerring?beregning=standardiseret")
    assert answer.url == f"{server.address}/k/hjoerring?beregning=standardiseret"
    assert answer.status_code == 200
    view = browser.post(
        f"{server.address}/_dash-update-component",
        callback("/k/hjoerring"),
        headers={"Content-Type": "application/json"},
    )
    assert view.json()["response"]["arrived"]["data"]["title"].startswith("Hjørring")
    assert "vera" in browser.get(f"{server.address}/_dash-layout").text


@pytest.mark.parametrize("length", [2_000, 2_001, 6_000])
def test_no_page_is_too_long_to_log_in_from(server, length: int) -> None:
    """A browser drops a cookie of more than 4,093 bytes; letters by chance, for a cookie is packed."""
    start, chance = "/k/hjoerring?x=", random.Random(5)
    path = start + "".join(chance.choices(ascii_letters + digits, k=length - len(start)))
    _, answer = log_in(server, "vera", path)
    assert answer.url == server.address + (path if length <= 2_000 else "/")
    cookies = [text for step in answer.history for text in step.raw.headers.getlist("Set-Cookie")]
    assert cookies and max(map(len, cookies)) <= 4_093


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(server) -> None:
    browser, _ = log_in(server, "vera")
    (cookie,) = [cookie for cookie in browser.cookies if cookie.name == "naerblik"]
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "Lax"
    forged = requests.get(f"{server.address}/_dash-layout", cookies={"naerblik": (cookie.value or "")[:-4] + "AAAA"})
    assert forged.status_code == 401


@pytest.mark.parametrize(("name", "status"), [("vera", 403), ("anna", 200), ("emil", 200)])
def test_files_are_for_analysts(server, name: str, status: int) -> None:
    browser, _ = log_in(server, name)
    address = f"{server.address}/fil/preventable_admissions_65plus.csv?fra=2024-01&til=2024-12"
    assert browser.get(address).status_code == status


@pytest.mark.parametrize(("name", "is_let_in"), [("vera", False), ("anna", False), ("emil", True)])
def test_changes_are_for_editors(server, name: str, is_let_in: bool) -> None:
    browser, _ = log_in(server, name)
    answer = browser.post(f"{server.address}/an/address/that/nobody/has", data={"a": "b"})
    assert (answer.status_code != 403) is is_let_in
    assert browser.post(f"{server.address}/moede", headers={"Origin": "https://evil.example"}).status_code == 403


def test_who_has_no_role_is_told_so(server) -> None:
    browser, answer = log_in(server, "nobody-we-know")
    assert answer.status_code == 403 and "ingen rolle" in answer.text
    assert browser.get(f"{server.address}/_dash-layout").status_code == 403


def test_log_out_ends_the_log_in(server) -> None:
    browser, _ = log_in(server, "vera")
    assert browser.get(f"{server.address}/_dash-layout").status_code == 200
    out = browser.post(f"{server.address}/log-ud", allow_redirects=False)
    assert out.status_code == 302 and "/session/end" in out.headers["Location"]
    assert browser.get(f"{server.address}/_dash-layout").status_code == 401


def test_a_return_that_nobody_asked_for_lets_nobody_in(server) -> None:
    for query in ("", "?code=x&state=y", "?error=access_denied"):
        answer = server.get(f"/log-ind/retur{query}")
        assert answer.status == 401
        assert "Traceback" not in answer.text


def test_no_log_in_leads_to_another_host(server) -> None:
    browser = requests.Session()
    browser.get(f"{server.address}//evil.example/x", headers={"Accept": "text/html"}, allow_redirects=False)
    again, answer = log_in(server, "vera", "//evil.example/x")
    assert answer.url.startswith(server.address)
    assert again.get(f"{server.address}/_dash-layout").status_code == 200


def test_log_ins_and_files_stand_in_the_audit_log(server, tmp_path) -> None:
    log_in(server, "anna")
    found = [line for line in server.lines() if line["message"].startswith("audit ")]
    assert any('"action": "logged_in"' in line["message"] and '"user": "anna"' in line["message"] for line in found)
    assert not any("code=" in line["message"] for line in server.lines())


def test_a_person_may_ask_so_much_and_no_more(server) -> None:
    browser, _ = log_in(server, "emil")
    address = f"{server.address}/fil/nothing.csv"
    asked = [browser.get(address).status_code for _ in range(2 * 4 * 60 + 1)]
    assert 429 in asked and set(asked) == {400, 429}


def test_the_example_of_the_docs_is_allowed(tmp_path) -> None:
    from dashboard.guard.settings import read_settings

    text = (ROOT / "docs" / "drift.md").read_text("utf-8")
    example = re.search(r"```toml\n(public_address.*?)```", text, re.DOTALL)[1]
    for name in ("client-secret", "cookie-key"):
        (tmp_path / name).write_text("x" * 64)
        (tmp_path / name).chmod(0o400)
    (tmp_path / "naerblik.toml").write_text(example, "utf-8")
    assert read_settings(tmp_path / "naerblik.toml").oidc is not None

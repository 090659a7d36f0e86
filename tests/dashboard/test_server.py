"""The rim of the web application: files, probes, headers, trouble, and the command that starts it."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import polars as pl
import pytest
from click.testing import CliRunner
from polars.testing import assert_frame_equal

from dashboard import view
from dashboard.__main__ import main
from dashboard.app import create_app
from dashboard.files import address
from dashboard.view import show
from kpis.export import export
from kpis.period import Period, periods_between
from kpis.release import QueryTooSlow
from kpis.slice import Slice
from tests.helpers import build_release
from tests.server import callback

ID = "preventable_admissions_65plus"


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("lang", ["da", "en"])
def test_a_file_has_the_bytes_of_the_export(client, country, kind, lang) -> None:
    period = Period.from_id("12m-2025-06")
    answer = client.get(address(country, ID, kind, "kkr", (period,), True, "2024", lang))
    file = export(country, Slice((ID,), "kkr", (period,), standardised=True), kind, lang)
    assert answer.status_code == 200
    assert answer.data == file.content
    assert file.name in answer.headers["Content-Disposition"]


def test_a_file_can_hold_many_periods(client, country) -> None:
    answer = client.get(f"/fil/{ID}.parquet?niveau=region&fra=2024-01&til=2024-12&beregning=raa")
    found = pl.read_parquet(io.BytesIO(answer.data))
    periods = periods_between(Period.from_id("2024-01").first, Period.from_id("2024-12").last, "quarter")
    file = export(country, Slice((ID,), "region", periods), "parquet")
    assert_frame_equal(found, pl.read_parquet(io.BytesIO(file.content)))
    assert found.height == (5 + 1) * 4


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("/fil/nothing.csv?fra=2024-01&til=2024-12", "indikatorer=nothing is not known"),
        (f"/fil/{ID}.ods?fra=2024-01&til=2024-12", "parquet, csv, xlsx"),
        (f"/fil/{ID}.csv?til=2024-12&hest=1", "hest means nothing here. Allowed: sprog, udgave"),
        (f"/fil/{ID}.csv?til=2024-12&til=2024-11", "til is given more than once"),
        (f"/fil/{ID}.csv?fra=2024-01&til=2024-Q4", "til=2024-Q4 is not known. Allowed: a month, such as 2024-01"),
        (f"/fil/{ID}.csv?fra=2024-02&til=2024-11&inddeling=year", "no whole year"),
        (f"/fil/{ID}.csv?fra=2024-01&til=2024-12&niveau=sogn", "niveau=sogn is not known. Allowed: k,"),
        (f"/fil/{ID}.csv?fra=2024-01&til=2024-12&kort=1970", "kort=1970 is not known. Allowed: 2024, 2027"),
    ],
)
def test_a_wrong_address_of_a_file_is_told_what_is_allowed(client, url: str, told: str) -> None:
    answer = client.get(url)
    assert answer.status_code == 400
    assert told in answer.text


@pytest.mark.parametrize("path", ["/", "/k/hjoerring", "/live", "/assets/2_own/naerblik.css?m=1", f"/fil/{ID}.csv"])
def test_every_answer_forbids_other_hosts(client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe" not in scripts
    assert "sha256-" in scripts
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_first_document_has_the_language_of_its_address(client) -> None:
    assert '<html lang="da">' in client.get("/k/hjoerring").text
    assert '<html lang="en">' in client.get("/k/hjoerring?sprog=en").text
    assert '<html lang="da">' in client.get("/k/hjoerring?sprog=<script>").text


def test_assets_with_a_version_are_kept_by_the_browser(client) -> None:
    kept = client.get("/assets/2_own/naerblik.css?m=1").headers["Cache-Control"]
    assert "immutable" in kept
    assert client.get("/").headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"output": "x.y"}',
        b'{"output": "..view.children..", "inputs": 3}',
        b"\xff\xfe",
        b"[" * 30_000,
    ],
)
def test_a_forged_callback_is_refused_and_learns_nothing(client, body: bytes) -> None:
    answer = client.post("/_dash-update-component", data=body, content_type="application/json")
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text
    assert "/site-packages/" not in answer.text


def test_a_fault_of_ours_in_a_callback_is_logged_and_not_told(client, monkeypatch, caplog) -> None:
    monkeypatch.setattr("dashboard.app.draw", lambda *_: 1 / 0)
    answer = client.post("/_dash-update-component", data=callback("/om"), content_type="application/json")
    assert (answer.status_code, answer.text) == (400, "bad request\n")
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize(("error", "reason"), [(KeyError("x"), "error"), (QueryTooSlow("x"), "slow")])
def test_a_page_that_fails_is_counted(client, country_data, monkeypatch, error: Exception, reason: str) -> None:
    def counted() -> float:
        (found,) = re.findall(rf'^naerblik_failed_views_total{{reason="{reason}"}} (.*)$', metrics(), re.MULTILINE)
        return float(found)

    def metrics() -> str:
        return client.get("/metrics").text

    def fail(*_: object) -> None:
        raise error

    before = counted()
    monkeypatch.setitem(view.PAGE_FUNCTIONS, "about", fail)
    view.show(country_data, "/om", "")
    assert counted() == before + 1


def test_a_body_over_the_limit_is_refused(client) -> None:
    answer = client.post("/_dash-update-component", data=b" " * 70_000, content_type="application/json")
    assert answer.status_code == 413


def test_without_a_release_the_page_says_what_to_do_and_picks_it_up_later(tmp_path, monkeypatch) -> None:
    from kpis import release

    monkeypatch.setattr(release, "_RECHECK_SECONDS", 0.0)
    client = create_app(tmp_path).server.test_client()
    assert client.get("/live").status_code == 200
    assert client.get("/ready").status_code == 503
    waiting = show(tmp_path, "/k/hjoerring", "")
    assert "make run" in str(waiting.content)
    assert not waiting.is_final
    build_release(tmp_path)
    assert client.get("/ready").status_code == 200
    assert show(tmp_path, "/k/hjoerring", "").title == "Hjørring: overblik – Nærblik"


def test_a_damaged_release_gives_a_page_and_not_an_error(tmp_path) -> None:
    folder = tmp_path / "releases"
    folder.mkdir()
    (folder / "v1.duckdb").write_bytes(b"not a database")
    (folder / "CURRENT").write_text("v1.duckdb\n")
    view = show(tmp_path, "/", "sprog=en")
    assert view.lang == "en"
    assert "could not be read" in str(view.content)
    assert create_app(tmp_path).server.test_client().get("/ready").status_code == 503


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "::", "example.org"])
def test_only_this_machine_is_served_without_a_log_in(host: str) -> None:
    result = CliRunner().invoke(main, ["--host", host])
    assert result.exit_code == 1
    assert "only this machine may be served" in result.output


def test_the_command_serves_and_says_where(country_data) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dashboard", "--data", str(country_data), "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as served:
        try:
            assert served.stdout.readline() == f"Nærblik is at http://127.0.0.1:{port} – stop it with Ctrl-C.\n"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=60) as answer:
                assert answer.status == 200
        finally:
            served.send_signal(signal.SIGINT)
        assert served.wait(timeout=30) == 0


def test_a_port_in_use_is_told_before_the_server_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(main, ["--port", str(taken.getsockname()[1])])
    assert result.exit_code == 1
    assert "choose another port" in result.output

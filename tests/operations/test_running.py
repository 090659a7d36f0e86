"""The real server in every state a machine may leave it in: it starts, says plainly what is wrong, and mends itself."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import duckdb
import pytest

from tests.helpers import build_release, tiny_release
from tests.server import Server, callback, serving, wait_for

PAGES = (("/", ""), ("/k/hjoerring", ""), ("/data", ""))
PROTECTED = {"method": "rounding", "base": 5, "threshold": 5}
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


@pytest.fixture(scope="module")
def country(country_data, tmp_path_factory) -> Path:
    """A copy of the random country that a test may write to."""
    data = tmp_path_factory.mktemp("own") / "data"
    shutil.copytree(country_data / "releases", data / "releases")
    return data


def check_plain(server: Server, text: str) -> None:
    """Every page is there and says the text; nothing internal leaves, and the log is lines of JSON."""
    for path, query in PAGES:
        assert server.get(path).status == 200
        answer = server.view(path, query)
        assert answer.status == 200
        assert text in answer.markup
        for inside in ("Traceback", "duckdb", str(server.log.parent)):
            assert inside not in answer.text
    assert not [line for line in server.lines() if "traceback" in line]


def test_no_release_yet(tmp_path) -> None:
    with serving(tmp_path / "nothing-here") as server:
        check_plain(server, "make run")
        assert server.get("/ready").status == 503
        build_release(tmp_path / "nothing-here")
        wait_for(lambda: server.get("/ready").status == 200, server.process)
        assert "Hjørring" in server.view("/k/hjoerring").markup


@pytest.mark.parametrize("pointer", [b"\xff\xfe\x00", b"v99999999T000000000000-000000000000.duckdb\n"])
def test_a_damaged_pointer_shows_the_newest_sound_release(tmp_path, pointer: bytes) -> None:
    release = build_release(tmp_path)
    (tmp_path / "releases" / "CURRENT").write_bytes(pointer)
    with serving(tmp_path) as server:
        for path, query in PAGES:
            assert server.view(path, query).status == 200
        ready = server.get("/ready")
        assert ready.status == 503
        assert release.path.exists() and str(tmp_path) not in ready.text
        (tmp_path / "releases" / "CURRENT").write_text(release.path.name + "\n")
        wait_for(lambda: server.get("/ready").status == 200, server.process)


def test_all_releases_damaged(tmp_path) -> None:
    for name in ("v20260115T030000Z-a", "v20260215T030000Z-b"):
        release = tiny_release(tmp_path, name, {"protection": PROTECTED})
        release.path.write_bytes(release.path.read_bytes()[:5_000])
    with serving(tmp_path) as server:
        assert server.get("/ready").status == 503
        check_plain(server, "kunne ikke læses")


def test_a_disk_that_cannot_be_written(country) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a folder read-only for a test")
    with serving(country, before=("unshare", "-rm", "sh", "-c", READ_ONLY, str(country))) as server:
        for path, query in PAGES:
            assert server.view(path, query).status == 200
        assert server.get("/fil/preventable_admissions_65plus.csv?fra=2024-01&til=2024-12").status == 200
        assert not [line for line in server.lines() if "traceback" in line]
    assert not (country / "web").exists()


@pytest.mark.parametrize("created", ["1970-01-01T00:00:00+00:00", "2099-12-31T23:59:59+00:00"])
def test_a_clock_that_is_wrong(tmp_path, created: str) -> None:
    """A release that by the machine's clock is from another age: the same to the server as a clock that stands wrong."""
    made = build_release(tmp_path / "made").path
    data = tmp_path / "data"
    shutil.copytree(made.parent, data / "releases")
    with duckdb.connect(str(data / "releases" / made.name)) as connection:
        connection.execute("update manifest set value = $1 where key = 'created'", [json.dumps(created)])
    with serving(data) as server:
        assert server.get("/ready").status == 200
        for path, query in PAGES:
            assert server.view(path, query).status == 200
        assert "naerblik_release_age_seconds" in server.get("/metrics").text
        assert not [line for line in server.lines() if "traceback" in line]


def test_a_worker_that_is_killed_fails_nobody(country) -> None:
    """Eight readers ask without a pause, each once again after a second where nothing came back, as the browser does."""
    failed: list[str] = []
    answered: list[int] = []
    stop = threading.Event()

    def read(number: int, server: Server) -> None:
        while not stop.is_set():
            for attempt in (1, 2):
                try:
                    answer = server.view(("/k/hjoerring", "/k/aarhus", "/land", "/data")[number % 4])
                    answered.append(answer.status)
                    break
                except (OSError, http.client.HTTPException) as error:
                    if attempt == 2:
                        failed.append(repr(error))
                    time.sleep(1)

    with serving(country, "--workers", "2") as server:
        first = set(server.workers())
        readers = [threading.Thread(target=read, args=(number, server)) for number in range(8)]
        for reader in readers:
            reader.start()
        time.sleep(2)
        os.kill(min(first), signal.SIGKILL)
        wait_for(lambda: len(set(server.workers()) - {min(first)}) == 2)
        time.sleep(4)
        stop.set()
        for reader in readers:
            reader.join()
    assert failed == []
    assert set(answered) == {200} and len(answered) > 20


def test_a_hang_up_signal_reloads_without_a_failure(country, tmp_path) -> None:
    """Settings are read anew; what is being answered is answered."""
    settings, encrypted = tmp_path / "naerblik.toml", "Strict-Transport-Security"
    settings.write_text('public_address = "http://localhost"')
    with serving(country, "--settings", str(settings), "--workers", "2") as server:
        old = set(server.workers())
        assert encrypted not in server.get("/data").headers
        settings.write_text('public_address = "https://localhost"')
        server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 90
        while old & set(server.workers()) and time.monotonic() < until:
            assert server.view("/data").status == 200
        assert not old & set(server.workers())
        assert encrypted in server.get("/data").headers


def test_workers_share_what_is_drawn_until_a_reload_or_the_end(country, tmp_path) -> None:
    """New workers may draw otherwise; nothing is left behind."""

    def shared() -> set[str]:
        return {str(file.relative_to(tmp_path)) for file in tmp_path.glob("naerblik-views-*/*/*")}

    with serving(country, "--workers", "2", environment={"TMPDIR": str(tmp_path)}) as server:
        old = set(server.workers())
        for _ in range(8):
            server.view("/k/hjoerring")
        first = shared()
        assert first
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: not old & set(server.workers()), server.process)
        server.view("/k/hjoerring")
        wait_for(shared, server.process)
        assert not first & shared()
        (folder,) = tmp_path.glob("naerblik-views-*")
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.glob("naerblik-*/")) == []


def test_settings_that_went_wrong_do_not_stop_a_running_server(country, tmp_path) -> None:
    settings = tmp_path / "naerblik.toml"
    settings.write_text('public_address = "http://localhost"')
    with serving(country, "--settings", str(settings), "--workers", "1") as server:
        settings.write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        time.sleep(3)
        assert server.view("/data").status == 200
        assert any("is not TOML" in line["message"] for line in server.lines())


def test_metrics_add_up_over_the_workers(country) -> None:
    with serving(country, "--workers", "2") as server:
        for _ in range(20):
            server.view("/data")
        text = server.get("/metrics").text
        counted = [
            line for line in text.splitlines() if line.startswith("naerblik_requests_total{") and "_dash-update" in line
        ]
        assert sum(float(line.rpartition(" ")[2]) for line in counted) == 20
        wait_for(lambda: server.get("/metrics").text.count("naerblik_worker_resident_bytes{") == 2, server.process)
        assert "naerblik_release_is_newest 1.0" in text
        for reason in ("error", "slow"):
            assert f'naerblik_failed_views_total{{reason="{reason}"}} 0.0' in text


def test_a_request_is_found_again_by_its_id(country) -> None:
    with serving(country) as server:
        answer = server.ask("POST", "/_dash-update-component", callback("/data"), Content_Type="application/json",
                            X_Request_ID="reader-7")  # fmt: skip
        assert answer.headers["X-Request-ID"] == "reader-7"
        wait_for(lambda: any(line.get("request_id") == "reader-7" for line in server.lines()))
        (line,) = [line for line in server.lines() if line.get("request_id") == "reader-7"]
        assert (line["status"], line["path"], line["user"]) == (200, "/_dash-update-component", "lokal")

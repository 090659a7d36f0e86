"""R1: however a load is killed, the release is the old one or the new one, whole, and the next run needs no hand work."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.faults.runs import IS_FULL, KILLED, ROOT, STAYS, Country, leftovers, nursery, stays

pytestmark = pytest.mark.faults
RANDOM_MOMENTS = 200 if IS_FULL else 4
LONGEST = 1.5  # seconds; a run takes about one


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    with nursery() as process:
        yield Country(tmp_path_factory.mktemp("country"), process)


JOINING = "joining.json.tmp"  # the first call that concerns more than landing


def changing_calls(country: Country, since: str) -> list[str]:
    """The calls of one whole load, in order."""
    log = country.folder / "calls.txt"
    before = country.loaded
    assert country.load(country.next_delivery(), fault={"since": since}, log=str(log)).code == 0
    assert country.loaded == before + 1
    return log.read_text("utf-8").splitlines()


@pytest.mark.parametrize("since", ["", JOINING] if IS_FULL else [JOINING])
@pytest.mark.parametrize("kind", ["kill", "killed"] if IS_FULL else ["kill"])
def test_killed_at_any_changing_call_a_load_is_whole_or_has_not_been(country: Country, kind: str, since: str) -> None:
    calls = changing_calls(country, since)
    assert any(call == "replace CURRENT.tmp" for call in calls)
    places = [at for at, call in enumerate(calls, 1) if IS_FULL or not call.startswith("mkdir")]
    ends = []
    for at in places:
        before = country.loaded
        ended = country.load(country.next_delivery(), fault={"at": at, "kind": kind, "since": since})
        country.check_whole(before)
        ends.append((ended.code, country.loaded - before))
    print(f"{sum(code == KILLED for code, _ in ends)} of {len(ends)} runs killed: {ends}")
    if since:
        assert {(KILLED, 0), (KILLED, 1)} <= set(ends), "kills must fall before and after the pointer moves"
    country.check_next_run()


def test_killed_at_random_moments_a_load_is_whole_or_has_not_been(country: Country) -> None:
    moments = random.Random(1)
    codes = []
    for _ in range(RANDOM_MOMENTS):
        before = country.loaded
        codes.append(country.load(country.next_delivery(), kill_after=moments.uniform(0.01, LONGEST)).code)
        country.check_whole(before)
    print(f"{codes.count(KILLED)} of {len(codes)} runs killed")
    assert KILLED in codes
    country.check_next_run()


@pytest.mark.parametrize("line", range(1, 13) if IS_FULL else (10,))  # a month tells of twelve
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_asked_to_stop_a_real_command_puts_its_things_away_and_says_so(
    country: Country, sign: signal.Signals, line: int
) -> None:
    """Asked when it has told of so many stages: within Python, or within a query of DuckDB."""
    before = country.loaded
    command = [sys.executable, "-m", "etl", "load", str(country.next_delivery()), "--data", str(country.data)]
    with subprocess.Popen(
        [*command, "--protection", "none", "--lang", "en"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        for _ in range(line):
            run.stderr.readline()
        run.send_signal(sign)
        said = run.stderr.read()
    assert run.returncode == 1, said
    assert "Stopped." in said and "Traceback" not in said
    assert stays(country.data) == STAYS + before
    assert not leftovers(country.data)


def test_a_second_writer_is_told_and_does_not_wait(country: Country) -> None:
    delivery = country.next_delivery()
    command = [sys.executable, "-m", "etl", "load", str(delivery), "--data", str(country.data), "--protection", "none"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        next(line for line in first.stderr if "læser" in line)
        first.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        second = country.load(delivery)
        first.send_signal(signal.SIGCONT)
        first.stderr.read()
    assert second.code == 1 and "another load is running" in second.output and "Traceback" not in second.output
    assert time.monotonic() - began < 30
    assert first.returncode == 0

"""R2: with a full or failing disk the old release stays, the text names disk and remedy, and the next run just works."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.runs import IS_FULL, ROOT, Country, Ended, nursery

pytestmark = pytest.mark.faults
RUNS = 50 if IS_FULL else 3
IN_A_MOUNT = ["unshare", "--map-root-user", "--mount"]


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Country]:
    with nursery() as process:
        yield Country(tmp_path_factory.mktemp("country"), process)


def check_said(ended: Ended, country: Country, before: int, problem: str) -> None:
    """A run that ends badly says what the disk did and what has become of the release."""
    country.check_whole(before)
    if ended.code == 0:  # the call was one that may fail, such as taking away an old release
        assert country.loaded == before + 1
        return
    assert ended.code == 1, ended
    assert "Traceback" not in ended.output, ended.output
    assert problem in ended.output and "run it again" in ended.output, ended.output
    is_out = country.loaded == before + 1
    assert ("was published whole" if is_out else "the release before stays") in ended.output, ended.output


@pytest.mark.parametrize(("kind", "problem"), [("eio", "the disk cannot be used"), ("enospc", "the disk is full")])
def test_any_call_may_fail(country: Country, kind: str, problem: str) -> None:
    since = "joining.json.tmp"
    log = country.folder / "calls.txt"
    assert country.load(country.next_delivery(), fault={"since": since}, log=str(log)).code == 0
    calls = log.read_text("utf-8").splitlines()
    places = range(1, len(calls) + 1) if IS_FULL else [at for at, call in enumerate(calls, 1) if "CURRENT" in call]
    assert places
    failed = 0
    for at in places:
        before = country.loaded
        ended = country.load(country.next_delivery(), fault={"at": at, "kind": kind, "since": since})
        check_said(ended, country, before, problem)
        failed += ended.code
    assert failed
    country.check_next_run()


@pytest.mark.parametrize("largest", [5_000, 300_000, 2_000_000])
def test_a_write_that_does_not_fit_leaves_the_old_release(country: Country, largest: int) -> None:
    before = country.loaded
    ended = country.load(country.next_delivery(), largest_file=largest)
    assert ended.code == 1 and country.loaded == before
    check_said(ended, country, before, "the disk is full")
    country.check_next_run()


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*IN_A_MOUNT, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0


def test_on_a_small_file_system(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("no file system may be mounted here; limits on file size stand in for it")
    script = f'mount -t tmpfs -o size=32m tmpfs "$1" && exec "{sys.executable}" -m tests.faults.small_disk "$1" {RUNS}'
    run = subprocess.run(
        [*IN_A_MOUNT, "sh", "-c", script, "sh", str(tmp_path)],
        cwd=ROOT, env={"PYTHONPATH": f"{ROOT}:{ROOT}/tests:{ROOT}/tests/etl", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(run.stdout)
    assert run.returncode == 0, run.stderr

"""P1: no person number in anything written – releases, history, spill, logs, reports, exports – however a run ends."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from deliveries import contact_line, month_of_contacts, write_contacts, write_folder, write_population

import etl.warehouse
from etl.__main__ import main
from etl.contact import landed_reports
from etl.load import Silent, check, load
from kpis.__main__ import main as export_main
from tests.faults.runs import IS_FULL, nursery

pytestmark = pytest.mark.faults
# Every person of these deliveries: day of birth + 60, January 1950; with and without dash, or as UTF-16
PERSON = re.compile(
    rb"(?:6[1-9]|[78]\d|9[01])0150-?\d{4}|(?:6\0[1-9]|[78]\0\d|9\0[01])\x000\x001\x005\x000\0(?:-\0)?\d\0\d"
)


def persons_in(*folders: Path) -> dict[str, list[bytes]]:
    """File → person numbers in its raw bytes, of all files under the folders, hidden and temporary ones too."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                if path.is_file() and (hits := PERSON.findall(path.read_bytes())):
                    found[str(path)] = hits[:3]
            except FileNotFoundError:
                pass  # a file that a run puts away while we look
    return found


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of this process, and of what it starts."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class Searching(Silent):
    """Searches everything written so far, spill files too, each time a stage begins."""

    def __init__(self, *folders: Path):
        self._folders = folders
        self.found: dict[str, list[bytes]] = {}

    def stage(self, name: str, total: int | None = None) -> None:
        self.found |= persons_in(*self._folders)


def test_the_search_finds_persons_where_they_are(tmp_path: Path) -> None:
    write_folder(tmp_path / "in")
    assert persons_in(tmp_path / "in").keys() == {str(tmp_path / "in" / "kontakter.csv")}
    (tmp_path / "dash").write_text("x 610150-0000 y")
    (tmp_path / "wide").write_bytes("6101500000".encode("utf-16-le"))
    assert {Path(name).name for name in persons_in(tmp_path)} == {"kontakter.csv", "dash", "wide"}


def test_after_success_with_little_memory(tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etl.warehouse, "MEMORY_LIMIT", "40MB")
    (tmp_path / "in").mkdir()
    write_population(tmp_path / "in" / "folk1a.csv")
    lines = [
        contact_line(
            n, f"{61 + n % 28:02d}0150-{n % 9000:04d}", f"2024-0{n % 6 + 1}-05 10:00", f"2024-0{n % 6 + 1}-07 10:00"
        )
        for n in range(400_000 if IS_FULL else 150_000)
    ]
    lines[3] = lines[3].replace(";0860;", ";610150-0003;")  # a person in the wrong column
    write_contacts(tmp_path / "in" / "kontakter.csv", lines)
    watch = Searching(tmp_path / "data", scratch)
    report = load([tmp_path / "in"], tmp_path / "data", progress=watch)
    assert report.is_loadable, report
    assert not watch.found
    run = CliRunner().invoke(main, ["check", str(tmp_path / "in"), "--data", str(tmp_path / "data")])
    exported = tmp_path / "data" / "export.parquet"
    CliRunner().invoke(
        export_main,
        [
            "export",
            "acute_admissions_65plus",
            "--grain",
            "month",
            "--data",
            str(tmp_path / "data"),
            "-o",
            str(exported),
        ],
    )
    assert exported.exists()
    assert not PERSON.search(run.output.encode())
    assert not persons_in(tmp_path / "data", scratch)


def test_after_failure(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "in").mkdir()
    lines = month_of_contacts()
    write_contacts(tmp_path / "in" / "no population 6101500001.csv", lines)
    data = str(tmp_path / "data")
    stopped = CliRunner().invoke(main, ["load", str(tmp_path / "in"), "--data", data])
    write_contacts(tmp_path / "in" / "bad.csv", [line.replace(";ATA1;", f";{line.split(';')[1]};") for line in lines])
    refused = CliRunner().invoke(main, ["load", str(tmp_path / "in"), "--data", data])
    (tmp_path / "in" / "cut.csv").write_bytes((tmp_path / "in" / "bad.csv").read_bytes() + b"\xff\xfe6101500001")
    CliRunner().invoke(main, ["check", str(tmp_path / "in"), "--data", data])
    assert stopped.exit_code == refused.exit_code == 1
    assert not PERSON.search((stopped.output + refused.output).encode())
    assert not persons_in(tmp_path / "data", scratch)


@pytest.fixture
def process(scratch: Path) -> Iterator[subprocess.Popen]:
    with nursery(TMPDIR=str(scratch)) as process:
        yield process


def test_after_kill(tmp_path: Path, scratch: Path, process: subprocess.Popen) -> None:
    from tests.faults.runs import KILLED, Country

    country = Country(tmp_path, process)
    ends = []
    for n in range(40 if IS_FULL else 6):
        for command in (("load", "--protection", "none"), ("check",)):
            name, *options = command
            ended = country.run(name, str(tmp_path / "first"), *options, kill_after=0.1 + 0.9 * n / 6)
            ends.append(ended.code)
            assert not PERSON.search(ended.output.encode())
            assert not persons_in(country.data, scratch)
    assert KILLED in ends


def test_what_a_killed_check_leaves_cannot_be_turned_back(tmp_path: Path, scratch: Path) -> None:
    """Person keys of a check are made by a key of its own that is nowhere written: two checks share no number."""
    write_folder(tmp_path / "in")
    seen: list[set[int]] = []

    class Looking(Silent):
        def stage(self, name: str, total: int | None = None) -> None:
            for path in scratch.rglob("lpr_contacts/*.arrow"):
                for run in landed_reports([(path, 0)]).runs:
                    seen[-1].update(run.get("person").tolist())

    for _ in range(2):
        seen.append(set())
        check([tmp_path / "in"], progress=Looking())
    assert seen[0] and seen[1] and not seen[0] & seen[1]

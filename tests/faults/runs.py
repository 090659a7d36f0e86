"""A country that grows by one contact with each delivery, loaded by processes that are made to fail.

The release says how many deliveries it holds: there are STAYS stays and one more for each further delivery. So a bad,
mixed or lost release shows in one number, and so does a delivery that counts without having been published.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deliveries import contact_line, write_contacts, write_folder

from etl.publish import KEPT_RELEASES, published
from kpis.release import open_release

ROOT = Path(__file__).parents[2]
IS_FULL = os.environ.get("NAERBLIK_FAULTS") == "full"
STAYS = 360  # of the first folder
KILLED = -9


@dataclass
class Ended:
    """How a run ended: its exit code (−9: killed) and what it printed."""

    code: int
    output: str


class Country:
    """A data folder with one release, and the deliveries that come after."""

    def __init__(self, folder: Path, nursery: subprocess.Popen):
        self.folder, self.data, self._nursery = folder, folder / "data", nursery
        self._output = folder.with_name(f"{folder.name}-output.txt")  # beside, where there is room
        write_folder(folder / "first")
        assert self.load(folder / "first").code == 0

    @property
    def loaded(self) -> int:
        """Further deliveries that the release holds."""
        return stays(self.data) - STAYS

    def next_delivery(self) -> Path:
        """One contact more than the release has."""
        number = self.loaded
        path = self.folder / f"more{number}.csv"
        write_contacts(
            path, [contact_line(900_000 + number, f"710150{number:04d}", "2024-03-05 10:00", "2024-03-07 10:00")]
        )
        return path

    def load(self, path: Path, *args: str, **job: object) -> Ended:
        """`python -m etl load`, with what is to go wrong; true counts, so that one contact shows."""
        return self.run("load", str(path), "--protection", "none", "--lang", "en", *args, **job)

    def run(self, *args: str, **job: object) -> Ended:
        """Any command on the data folder."""
        asked = {"args": [*args, "--data", str(self.data)], "output": str(self._output), "under": str(self.data), **job}
        assert self._nursery.stdin is not None and self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps(asked) + "\n")
        self._nursery.stdin.flush()
        code = json.loads(self._nursery.stdout.readline())["code"]
        return Ended(code, self._output.read_text("utf-8", errors="replace"))

    def check_whole(self, before: int) -> None:
        """What must hold after any end of a run that began with `before` further deliveries.

        The release is readable and holds all or nothing of the delivery.
        """
        assert self.loaded in (before, before + 1)

    def check_next_run(self) -> None:
        """The next run needs no hand work: it publishes, tidies up, and counts nothing that was not published."""
        before = self.loaded
        ended = self.load(self.next_delivery())
        assert ended.code == 0, ended.output
        assert self.loaded == before + 1
        assert not leftovers(self.data)
        assert len(published(self.data)) <= KEPT_RELEASES
        assert self.run("build", "--protection", "none").code == 0
        assert self.loaded == before + 1


def stays(data: Path) -> int:
    """Stays in the current release, by the way the dashboard reads it."""
    return open_release(data).sql("select sum(n_stay)::bigint as n from cube where group_id = 'all'").item()


def leftovers(data: Path) -> list[str]:
    """What a run may not leave behind when it ends by itself."""
    names = [
        *(data / "releases").glob(".build-*"),
        *(data / "releases").glob("*.tmp"),
        *(data / "releases").glob(".publishing"),
        *(data / "build").glob("joining*"),
        *(data / "build/history").rglob("*.part"),
        *(data / "build/history").glob(".spill-*"),
    ]
    return [str(name) for name in names]


@contextmanager
def nursery(**environment: str) -> Iterator[subprocess.Popen]:
    """The process that starts runs, with variables added to their environment."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "etl")])
    command = [sys.executable, "-m", "tests.faults.nursery"]
    variables = {**os.environ, "PYTHONPATH": path, **environment}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=variables
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()

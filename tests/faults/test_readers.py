"""R4: readers of a folder that is published to again and again see no error, no mixture, and the new one in time."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from deliveries import contact_line, write_contacts, write_folder

from etl.load import load
from etl.protect import UNPROTECTED
from etl.publish import published
from kpis.release import current_release
from tests.faults.runs import IS_FULL, ROOT, STAYS

pytestmark = pytest.mark.faults
PUBLICATIONS = 20 if IS_FULL else 3
READERS = 4 if IS_FULL else 2
PAUSE = 0.0 if IS_FULL else 0.02  # seconds between two questions of a reader
SEEN_WITHIN = 5.0  # seconds

# One release per round, asked twice: generation = stays in the cube − 360, and the contacts of the same months.
READER = """
import json, pathlib, sys, time
from kpis.release import current_release
data, seen, rounds, errors = pathlib.Path(sys.argv[1]), {}, 0, []
stop = data / "stop"
while not stop.exists():
    try:
        release = current_release(data)
        stays = release.sql("select sum(n_stay)::bigint as n from cube where group_id = 'all'").item()
        contacts = release.sql("select sum(n)::bigint as n from municipality_month where measure = 'n_contact'").item()
        promised = sum(step["rows"] for step in release.manifest["attrition"] if step["step"] == "stays")
        if not stays == contacts == promised:
            errors.append(f"mixed: {release.id} {stays} {contacts} {promised}")
        seen.setdefault(stays, time.time())
        rounds += 1
    except Exception as error:
        errors.append(repr(error))
    time.sleep(float(sys.argv[2]))
print(json.dumps({"seen": seen, "queries": 2 * rounds, "errors": errors[:5]}))
"""


def test_readers_see_every_publication_whole_and_in_time(tmp_path: Path) -> None:
    data = tmp_path / "data"
    load([write_folder(tmp_path / "in")], data, protection=UNPROTECTED)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(data), str(PAUSE)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(READERS)
    ]
    out: dict[int, float] = {}
    asked, stop = Asked(data), threading.Event()
    page = threading.Thread(target=asked.until, args=(stop,))
    page.start()
    try:
        for number in range(PUBLICATIONS):
            write_contacts(
                tmp_path / "more.csv",
                [contact_line(900_000 + number, f"710150{number:04d}", "2024-03-05 10:00", "2024-03-07 10:00")],
            )
            load([tmp_path / "more.csv"], data, protection=UNPROTECTED)
            out[STAYS + number + 1] = time.time()
        time.sleep(SEEN_WITHIN)
    finally:
        stop.set()
        (data / "stop").touch()
        told = [json.loads(reader.communicate()[0]) for reader in readers]
        page.join()
    assert len(published(data)) == min(5, PUBLICATIONS + 1)
    queries = sum(reader["queries"] for reader in told)
    delays = [reader["seen"][str(newest)] - out[newest] for reader in told for newest in [max(out)]]
    print(f"{PUBLICATIONS} publications, {queries} queries, newest seen after {max(delays):.1f} s at most")
    assert not asked.errors and not any(reader["errors"] for reader in told), (asked.errors, told)
    assert max(delays) <= SEEN_WITHIN
    assert asked.newest == max(out)
    assert queries > (30_000 if IS_FULL else 200)


class Asked:
    """What a server does: many threads, each request asks for the current release and queries it."""

    def __init__(self, data: Path):
        self._data = data
        self.newest = 0
        self.errors: list[str] = []

    def until(self, stop: threading.Event) -> None:
        while not stop.wait(0.02):
            try:
                release = current_release(self._data)
                self.newest = release.sql("select sum(n_stay)::bigint as n from cube where group_id = 'all'").item()
            except Exception as error:
                self.errors.append(repr(error))

"""R3: a damaged release is refused and an earlier one shown; never are other numbers given in silence."""

import random
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from deliveries import contact_line, write_contacts, write_folder

from etl.load import load
from etl.protect import UNPROTECTED
from etl.publish import PublishProblem, published, rollback
from kpis.release import CONTRACT, ReleaseError, current_release, release_problem
from tests.faults.runs import IS_FULL, ROOT

pytestmark = pytest.mark.faults
DAMAGES = 900 if IS_FULL else 60

# Read as the dashboard does, then hash every row of every table: in a process of its own, for a reader that
# crashes must count, too.
READER = """
import hashlib, pathlib, sys
from kpis.release import CONTRACT, ReleaseError, open_release
for line in sys.stdin:
    try:
        release = open_release(pathlib.Path(line.strip()))
        digest = hashlib.sha256()
        for table, entry in CONTRACT["tables"].items():
            columns = list(entry["columns"])
            digest.update(release.sql(f"select * from {table}").sort(columns).write_json().encode())
        print("read", digest.hexdigest(), flush=True)
    except ReleaseError:
        print("refused", flush=True)
"""


class Reader:
    """Says what a process makes of a data folder: read and with which content, refused, or crashed."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", READER], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def read(self, data: Path) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{data}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if not answer:
            self._process.wait()
            self._start()
        return answer or "crashed"

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def damaged(content: bytes, number: int, random: random.Random) -> bytes:
    """The file cut off, with a bit flipped, a block of zeros or of another place, or bytes of nonsense."""
    at = random.randrange(len(content))
    match number % 6:
        case 0:
            return content[:at]
        case 1 | 2:
            return content[:at] + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1 :]
        case 3:
            block = at // 4096 * 4096
            return content[:block] + bytes(4096) + content[block + 4096 :]
        case 4:
            block, other = at // 4096 * 4096, random.randrange(len(content) // 4096) * 4096
            return content[:block] + content[other : other + 4096] + content[block + 4096 :]
        case _:
            nonsense = random.randbytes(min(200, len(content) - at))
            return content[:at] + nonsense + content[at + len(nonsense) :]


@pytest.fixture(scope="module")
def two_releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    load([write_folder(folder / "in")], folder / "data", protection=UNPROTECTED)
    write_contacts(folder / "more.csv", [contact_line(1, "7101500001", "2024-03-05 10:00", "2024-03-07 10:00")])
    load([folder / "more.csv"], folder / "data", protection=UNPROTECTED)
    return folder / "data"


def test_no_damage_gives_other_numbers(two_releases: Path, tmp_path: Path) -> None:
    served = published(two_releases)[-1]
    content = served.read_bytes()
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "CURRENT").write_text(served.name + "\n", "utf-8")
    copy = tmp_path / "releases" / served.name
    reader, chance, ends = Reader(), random.Random(3), Counter()
    try:
        copy.write_bytes(content)
        whole = reader.read(tmp_path)
        assert whole.startswith("read ")
        for number in range(DAMAGES):
            broken = content
            while broken == content:  # zeros over zeros are no damage
                broken = damaged(content, number, chance)
            copy.write_bytes(broken)
            answer = reader.read(tmp_path)
            # A place that no table uses may be broken unseen; the numbers are what counts.
            ends["read, same numbers" if answer == whole else answer] += 1
    finally:
        reader.close()
    print(dict(ends))
    assert set(ends) <= {"refused", "read, same numbers"}
    assert ends["refused"] >= DAMAGES / 2


def test_the_reader_reads_every_block_that_holds_rows(two_releases: Path, tmp_path: Path) -> None:
    """Each block that is used, spoilt in turn: the release is refused when it is opened, not when it is asked."""
    import duckdb

    served = published(two_releases)[-1]
    with duckdb.connect(str(served), read_only=True) as connection:
        used = {
            block
            for table in CONTRACT["tables"]
            for (block,) in connection.execute(
                f"select distinct block_id from pragma_storage_info('{table}') where block_id >= 0"
            ).fetchall()
        }
        (size,) = connection.execute("select block_size from pragma_database_size()").fetchone() or (0,)
    assert used
    content = served.read_bytes()
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "CURRENT").write_text(served.name + "\n", "utf-8")
    reader = Reader()
    try:
        for block in sorted(used):
            at = 3 * 4096 + block * size + 64  # three headers stand before the blocks
            (tmp_path / "releases" / served.name).write_bytes(
                content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
            )
            assert reader.read(tmp_path) == "refused", f"block {block}"
    finally:
        reader.close()


def test_a_damaged_newest_release_falls_back_to_the_one_before_and_says_so(tmp_path: Path) -> None:
    load([write_folder(tmp_path / "in")], tmp_path)
    load([tmp_path / "in"], tmp_path, as_of=date(2024, 6, 1), accept_change="a month less")
    before, served = published(tmp_path)
    served.chmod(0o644)
    served.write_bytes(served.read_bytes()[:100_000])
    assert current_release(tmp_path).path.name == before.name
    assert "damaged" in str(release_problem(tmp_path))


def test_a_damaged_newest_release_does_not_bring_back_an_unprotected_one(two_releases: Path, tmp_path: Path) -> None:
    before, served = published(two_releases)[-2:]
    (tmp_path / "releases").mkdir()
    for path in (before, served):
        (tmp_path / "releases" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "releases" / "CURRENT").write_text(served.name + "\n", "utf-8")
    newest = tmp_path / "releases" / served.name
    newest.write_bytes(newest.read_bytes()[:100_000])
    with pytest.raises(ReleaseError, match="damaged"):  # was the damaged one protected? then this must stay away
        current_release(tmp_path)
    with pytest.raises(PublishProblem, match="unprotected"):
        rollback(tmp_path)

"""Many viewers of the real server, for as long as you like, and publications under them.

    python tests/load/viewers.py DATA --minutes 30                      # 200 viewers, each a view every 8 seconds
    python tests/load/viewers.py DATA --minutes 60 --publications 10    # a soak: ten publications meanwhile
    python tests/load/viewers.py DATA --opens 200                       # 200 first visits in ten seconds

A publication here is what readers see of one: a sound copy of the release under a new name, and the pointer moved to
it. (What a load does beside it is the ETL's own benchmark.) DATA is copied first; nothing is written to it.

Printed: views, errors, median and 95th percentile in milliseconds, memory of each worker. Memory goes up and down by a
tenth as views are drawn, so it is looked at every ten seconds, and medians are compared: of the first and of the last
third of the time since it settled. Settled means: warmed up, and the first publication followed, from when on earlier
releases are held beside the current one. It runs beside the server and shares its processors, so the figures are on the
careful side. Exit code 1 where an aim is missed: p95 ≤ 500 ms, no errors, growth ≤ 5 %; of first visits p95 ≤ 3 s. A
first visit is all that a browser without a cache asks for: the page, what it names, Dash's own addresses, and the view.
"""

import argparse
import http.client
import json
import random
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

import duckdb  # noqa: E402

from kpis.area import areas  # noqa: E402
from kpis.indicator import load_indicators  # noqa: E402
from kpis.release import Release, open_release  # noqa: E402
from tests.server import HOST, Server, callback, serving, wait_for  # noqa: E402

_FETCHED = re.compile(r'(?:src|stylesheet" href)="(/[^"]+)"')  # of what a page names, not the feeds
P95_AIM, GROWTH_AIM, OPEN_AIM = 0.5, 0.05, 3.0
KEPT = 5


@dataclass
class Seen:
    """What viewers met: seconds of each view, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    releases: set[str] = field(default_factory=set)

    def quantile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


@dataclass(frozen=True)
class Outcome:
    seen: Seen
    before: dict[int, float]  # worker → bytes, median of the first third of the settled time
    after: dict[int, float]  # … of the last third

    @property
    def growth(self) -> float:
        """Of the worker that grew most, as a share."""
        return max((self.after[pid] / self.before[pid] - 1 for pid in self.before if pid in self.after), default=0.0)

    def in_words(self) -> str:
        seen = self.seen
        return (
            f"{len(seen.seconds)} views, {len(seen.errors)} errors, {len(seen.releases)} releases seen; median "
            f"{1000 * median(seen.seconds):.0f} ms, p95 {1000 * seen.quantile(0.95):.0f} ms, p99 "
            f"{1000 * seen.quantile(0.99):.0f} ms; memory of workers "
            + ", ".join(f"{self.before[pid] / 1e6:.0f} → {self.after.get(pid, 0) / 1e6:.0f} MB" for pid in self.before)
            + f" (growth {100 * self.growth:.1f} %)"
            + "".join(f"\n  {error}" for error in seen.errors[:5])
        )


@contextmanager
def _served(data: Path) -> Iterator[tuple[Server, Release]]:
    """A warm server over a copy of a data folder's current release."""
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "data"
        current = (data / "releases" / "CURRENT").read_text("utf-8").strip()
        (own / "releases").mkdir(parents=True)
        shutil.copy(data / "releases" / current, own / "releases" / current)
        (own / "releases" / "CURRENT").write_text(current + "\n", "utf-8")
        with serving(own, "--workers", "2") as server:
            wait_for(lambda: server.get("/ready").status == 200, server.process)
            wait_until_warm(server)
            yield server, open_release(own)


def opened(data: Path, *, visitors: int = 200, seconds: float = 10.0) -> Seen:
    """Let visitors open the dashboard for the first time, evenly over some seconds."""
    seen = Seen()
    with _served(data) as (server, release):
        slugs = [area.slug for area in areas(release, "municipality", "2024")]

        def visit(number: int) -> None:
            time.sleep(number * seconds / visitors)
            begun, path = time.perf_counter(), f"/k/{slugs[number % len(slugs)]}"
            connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
            try:
                page = _asked(connection, "GET", path, encoding="identity").decode()
                for address in (*_FETCHED.findall(page), "/_dash-layout", "/_dash-dependencies"):
                    _asked(connection, "GET", address)
                _asked(connection, "POST", "/_dash-update-component", callback(path))
                seen.seconds.append(time.perf_counter() - begun)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                seen.errors.append(f"{path}: {error!r}"[:200])
            finally:
                connection.close()

        visits = [threading.Thread(target=visit, args=(number,)) for number in range(visitors)]
        for one in visits:
            one.start()
        for one in visits:
            one.join()
    return seen


def watched(
    data: Path, *, minutes: float, viewers: int = 200, every: float = 8.0, publications: int = 0, settle: float = 60.0
) -> Outcome:
    """Let viewers watch a copy of a data folder; memory counts from when `settle` seconds have passed."""
    with _served(data) as (server, release):
        return _watch(server, release, minutes * 60, viewers, every, publications, settle)


def wait_until_warm(server: Server) -> None:
    """Until the overviews come quickly: a release is counted ahead beside the visitors, in each worker."""
    for _ in range(90):
        start = time.perf_counter()
        for number in range(4):
            server.view("/land/overblik", f"kort=2027&x={time.time()}{number}")
        if time.perf_counter() - start < 1.2:
            return
        time.sleep(2)


def _watch(
    server: Server, release: Release, seconds: float, viewers: int, every: float, publications: int, settle: float
) -> Outcome:
    slugs = [area.slug for area in areas(release, "municipality", "2024")]
    headlines = [indicator.id for indicator in load_indicators().values() if indicator.headline]
    seen, start = Seen(), time.monotonic()
    until = start + seconds

    def view(number: int) -> None:
        chance = random.Random(number)
        connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
        time.sleep(chance.uniform(0, min(every, seconds / 2)))
        while time.monotonic() < until:
            begun = time.perf_counter()
            slug, indicator = chance.choice(slugs), chance.choice(headlines)
            path, query = chance.choice(
                [
                    (f"/k/{slug}", ""),
                    (f"/k/{slug}/{indicator}", ""),
                    (f"/sammenlign/{indicator}", f"omraade=k-{slug}"),
                    (f"/sammenlign/{indicator}", f"omraade=k-{slug}&visning=tragt"),
                ]
            )
            try:
                text = _asked(connection, "POST", "/_dash-update-component", callback(path, query), "identity").decode()
                seen.seconds.append(time.perf_counter() - begun)
                if path.removeprefix("/").split("/")[-1] not in text:
                    seen.errors.append(f"{path}: not the view that was asked for")
            except (OSError, http.client.HTTPException, AssertionError) as error:
                seen.errors.append(f"{path}: {error!r}"[:200])
                connection.close()
            time.sleep(max(0.0, every - (time.perf_counter() - begun)))

    readers = [threading.Thread(target=view, args=(number,)) for number in range(viewers)]
    for reader in readers:
        reader.start()
    threading.Thread(target=_tell, args=(server, seen, until), daemon=True).start()
    time.sleep(min(settle, seconds / 2))
    room = _Room(server)
    for number in range(publications):
        time.sleep(max(0.0, until - time.monotonic()) / (publications - number + 1))
        published = publish(release.path.parent, number)
        wait_for(lambda published=published: server.get("/ready").text.strip() == published, server.process, 30)
        seen.releases.add(published)
        if number == 0:
            room.looks.clear()
    for reader in readers:
        reader.join()
    return Outcome(seen, *room.thirds())


def _tell(server: Server, seen: Seen, until: float) -> None:
    """Say every minute how it goes."""
    told = 0
    while time.monotonic() + 60 < until:
        time.sleep(60)
        latest = Seen(seen.seconds[told:])
        told += len(latest.seconds)
        if latest.seconds:
            print(
                f"{(until - time.monotonic()) / 60:4.0f} min left: {told} views, {len(seen.errors)} errors, last minute's "
                f"median {1000 * median(latest.seconds):.0f} ms, p95 {1000 * latest.quantile(0.95):.0f} ms; "
                f"workers {', '.join(f'{size / 1e6:.0f}' for size in _memory(server).values())} MB",
                file=sys.stderr,
            )


def _asked(
    connection: http.client.HTTPConnection,
    method: str,
    address: str,
    body: bytes | None = None,
    encoding: str = "gzip, deflate, br, zstd",
) -> bytes:
    """What is sent for an address, packed as it comes: to unpack it is the visitor's own work."""
    headers = {"Accept-Encoding": encoding} | ({"Content-Type": "application/json"} if body else {})
    connection.request(method, address, body, headers)
    answer = connection.getresponse()
    sent = answer.read()
    assert answer.status == 200, f"{address}: status {answer.status}"
    return sent


def publish(folder: Path, number: int) -> str:
    """Put a copy of the current release under a later name and point to it; the oldest go, as when a load publishes."""
    name = f"v2099{number:04d}T000000000000-{number:012x}"
    part = folder / f".build-{number}.duckdb"
    shutil.copy(folder / (folder / "CURRENT").read_text("utf-8").strip(), part)
    with duckdb.connect(str(part)) as connection:
        connection.execute("update manifest set value = $1 where key = 'release_id'", [json.dumps(name)])
    part.rename(folder / f"{name}.duckdb")
    pointer = folder / "CURRENT.tmp"
    pointer.write_text(f"{name}.duckdb\n", "utf-8")
    pointer.replace(folder / "CURRENT")
    for old in sorted(folder.glob("v*.duckdb"))[:-KEPT]:
        old.unlink()
    return name


class _Room:
    """Looks at the memory of the workers every ten seconds, from when it is made."""

    def __init__(self, server: Server) -> None:
        self.looks: list[dict[int, int]] = []
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(10 if self.looks else 0.1):
            self.looks.append(_memory(self._server))

    def thirds(self) -> tuple[dict[int, float], dict[int, float]]:
        """End it; medians of the first and of the last third, of the workers that were there."""
        self._ended.set()
        self._thread.join()
        third = -(-len(self.looks) // 3)
        return _medians(self.looks[:third]), _medians(self.looks[-third:])


def _medians(looks: list[dict[int, int]]) -> dict[int, float]:
    return {pid: median(look[pid] for look in looks) for pid in set.intersection(*map(set, looks))}


def _memory(server: Server) -> dict[int, int]:
    def resident(pid: int) -> int:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

    return {pid: resident(pid) for pid in server.workers()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--every", type=float, default=8.0, metavar="SECONDS")
    parser.add_argument("--publications", type=int, default=0)
    parser.add_argument("--settle", type=float, default=300.0, metavar="SECONDS", help="until memory counts")
    parser.add_argument("--opens", type=int, metavar="VISITORS", help="first visits in ten seconds, and nothing else")
    asked = parser.parse_args()
    if asked.opens:
        seen = opened(asked.data, visitors=asked.opens)
        print(
            f"{asked.opens} first visits in 10 s: {len(seen.errors)} errors, median {median(seen.seconds):.2f} s, "
            f"p95 {seen.quantile(0.95):.2f} s" + "".join(f"\n  {error}" for error in seen.errors[:5])
        )
        return 1 if seen.quantile(0.95) > OPEN_AIM or seen.errors else 0
    outcome = watched(
        asked.data,
        minutes=asked.minutes,
        viewers=asked.viewers,
        every=asked.every,
        publications=asked.publications,
        settle=asked.settle,
    )
    print(f"{asked.viewers} viewers for {asked.minutes:g} min, {asked.publications} publications: {outcome.in_words()}")
    has_missed = outcome.seen.quantile(0.95) > P95_AIM or outcome.seen.errors or outcome.growth > GROWTH_AIM
    return 1 if has_missed else 0


if __name__ == "__main__":
    sys.exit(main())

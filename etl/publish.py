"""Publishing a release so that it cannot half-happen: build to the side, verify, rename, move the pointer.

    releases/.build-<uuid>.duckdb → v<UTC to the microsecond>-<hash12>.duckdb → CURRENT

Readers follow CURRENT. A file that was published is never written again.
"""

import fcntl
import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from etl.warehouse import content_hash, write_release
from kpis.release import Release, ReleaseError, open_release

KEPT_RELEASES = 5
NAME = re.compile(r"v(\d{8}T\d{12})-[0-9a-f]{12}\.duckdb")
STAMP = "%Y%m%dT%H%M%S%f"


class PublishProblem(Exception):
    """The release was not published and the one before stays; the text says why and what to do."""


@dataclass(frozen=True)
class Published:
    """A release that is now the current one; `is_new` is False where it held the same content already."""

    path: Path
    is_new: bool


@contextmanager
def one_writer(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for writing; a second writer gets a clear text instead of a wait."""
    build = data_dir / "build"
    build.mkdir(parents=True, exist_ok=True)
    with (build / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PublishProblem(f"{data_dir}: another load is running here. Wait until it has ended.") from None
        yield


def publish(tables: dict[str, pl.DataFrame], manifest: dict[str, Any], releases: Path) -> Published:
    """Write, verify and point to a new release.

    Args:
        tables: every table of the contract but `manifest`.
        manifest: facts about the release; `release_id`, `created` and `content` are added here.
        releases: the folder that the dashboard reads.

    Raises PublishProblem where what was written cannot be read back; then nothing has changed for readers.
    """
    releases.mkdir(parents=True, exist_ok=True)
    _clean(releases)
    build = releases / f".build-{uuid.uuid4().hex}.duckdb"
    try:
        created = _later_than_all(releases)
        write_release(tables | {"manifest": _manifest_table({})}, build)
        content = {table: digest for table, digest in content_hash(build).items() if table != "manifest"}
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
        current = current_or_none(releases.parent)
        if current is not None and current.manifest.get("content") == content:
            return Published(current.path, is_new=False)
        release_id = f"v{created:{STAMP}}-{digest}"
        build.unlink()
        facts = {
            "release_id": release_id,
            "created": created.isoformat(timespec="seconds"),
            "content": content,
        } | manifest
        write_release(tables | {"manifest": _manifest_table(facts)}, build)
        _verify(build, content)
        _sync(build)
        target = releases / f"{release_id}.duckdb"
        build.rename(target)
        _sync(releases)
        point_to(target)
        _keep_newest(releases, target)
        return Published(target, is_new=True)
    finally:
        build.unlink(missing_ok=True)


def _later_than_all(releases: Path) -> datetime:
    """Now, or just after the newest release where the clock stands before it: names must keep their order."""
    now = datetime.now(tz=UTC)
    stamps = [match[1] for path in releases.glob("v*.duckdb") if (match := NAME.fullmatch(path.name))]
    newest = max((datetime.strptime(stamp, STAMP).replace(tzinfo=UTC) for stamp in stamps), default=now)
    return max(now, newest + timedelta(microseconds=1)) if stamps else now


def point_to(release: Path) -> None:
    """Make `release` the current one, in one atomic step."""
    part = release.parent / "CURRENT.tmp"
    part.write_text(release.name + "\n", encoding="utf-8")
    _sync(part)
    part.replace(release.parent / "CURRENT")
    _sync(release.parent)


def current_or_none(data_dir: Path) -> Release | None:
    """The current release; None where there is none yet, or none that this version can read."""
    try:
        return open_release(data_dir)
    except ReleaseError:
        return None


def published(data_dir: Path) -> list[Path]:
    """Releases that are kept, oldest first."""
    return sorted(p for p in (data_dir / "releases").glob("v*.duckdb") if NAME.fullmatch(p.name))


def rollback(data_dir: Path) -> Path:
    """Point to the release before the current one; return it.

    Raises PublishProblem where there is none, or where it is protected in another way.
    """
    releases = published(data_dir)
    current = open_release(data_dir)
    earlier = [path for path in releases if path.name < current.path.name]
    if not earlier:
        raise PublishProblem(
            f"{data_dir}: {current.path.stem} is the oldest release kept; there is none to go back to."
        )
    target = earlier[-1]
    point_to(target)
    previous = open_release(data_dir)
    if previous.manifest["protection"]["method"] != current.manifest["protection"]["method"]:
        point_to(current.path)
        raise PublishProblem(
            f"{target.stem} is protected in another way ({previous.manifest['protection']['method']}); not rolled back."
        )
    return target


def _manifest_table(facts: dict[str, Any]) -> pl.DataFrame:
    rows = {
        "key": list(facts),
        "value": [json.dumps(value, ensure_ascii=False, default=str) for value in facts.values()],
    }
    return pl.DataFrame(rows, schema={"key": pl.String, "value": pl.String})


def _verify(build: Path, content: dict[str, str]) -> None:
    if build.with_name(build.name + ".wal").exists():
        raise PublishProblem(f"{build.name}: the file was not closed cleanly. Load again.")
    read_back = content_hash(build)
    differing = [table for table, digest in content.items() if read_back[table] != digest]
    if differing:
        raise PublishProblem(
            f"What was written does not read back ({', '.join(differing)}). Check the disk and load again."
        )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _clean(releases: Path) -> None:
    for left in (*releases.glob(".build-*"), releases / "CURRENT.tmp"):
        left.unlink(missing_ok=True)


def _keep_newest(releases: Path, current: Path) -> None:
    kept = [path for path in published(releases.parent) if path != current]
    for path in kept[: max(0, len(kept) - (KEPT_RELEASES - 1))]:
        path.unlink()

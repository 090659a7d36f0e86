"""Publishing a release so that it cannot half-happen: build to the side, verify, rename, move the pointer.

    releases/.build-<uuid>.duckdb → v<UTC to the microsecond>-<hash12>.duckdb → CURRENT

Readers follow CURRENT. A file that was published is never written again.
"""

import fcntl
import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from etl.disk import forget_cached, replace_text, sync
from etl.history import leave, settle
from etl.warehouse import ReleaseFile
from etl.words import Both, Problem, together, told
from kpis.release import CONTRACT, Release, ReleaseError, open_file, open_release

KEPT_RELEASES = 5
PUBLISHING = ".publishing"  # names the release that is between its rename and the move of the pointer
NAME = re.compile(r"v(\d{8}T\d{12})-[0-9a-f]{12}\.duckdb")
STAMP = "%Y%m%dT%H%M%S%f"
# Facts that readers see beside the figures: where one of them differs, equal figures are still another release.
FACTS_SHOWN = ("contract_version", "data_from", "as_of", "provisional_from", "is_synthetic", "protection", "rules")

# Two releases that differ in one of these round the same count in two ways, and shown one after the other tell more.
PROTECTION_FACTS = ("method", "base", "threshold", "key_id")


class PublishProblem(Problem):
    """The release was not published and the one before stays; the text says why and what to do."""


@dataclass(frozen=True)
class Published:
    """A release that is now the current one; `is_new` is False where it held the same content already."""

    path: Path
    is_new: bool


@contextmanager
def one_writer(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for writing, in order; a second writer gets a clear text instead of a wait.

    What an interrupted run left behind is settled first. The lock is the system's own: it ends with its process,
    however that ended.
    """
    build = data_dir / "build"
    build.mkdir(mode=0o700, parents=True, exist_ok=True)  # history and keys are nobody else's
    with (build / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PublishProblem(told("stop.busy", folder=data_dir)) from None
        settle(data_dir)
        _clean(data_dir / "releases")
        yield


def publish(
    tables: dict[str, pl.DataFrame], manifest: dict[str, Any], releases: Path, current: Release | None
) -> Published:
    """Write, verify and point to a new release.

    Args:
        tables: every table of the contract but `manifest`.
        manifest: facts about the release; `release_id`, `created` and `content` are added here.
        releases: the folder that the dashboard reads.
        current: the release that is current now; where the new one would say the same, it stays.

    Raises PublishProblem where what was written cannot be read back; then nothing has changed for readers.
    """
    releases.mkdir(parents=True, exist_ok=True)
    build = releases / f".build-{uuid.uuid4().hex}.duckdb"
    try:
        created = _later_than_all(releases)
        with ReleaseFile(build) as file:
            content = {name: file.add(name, tables[name]) for name in CONTRACT["tables"] if name != "manifest"}
            if current is not None and _says_the_same(current, content, manifest):
                return Published(current.path, is_new=False)
            digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
            release_id = f"v{created:{STAMP}}-{digest}"
            facts = {
                "release_id": release_id,
                "created": created.isoformat(timespec="seconds"),
                "content": content,
            } | manifest
            file.add("manifest", _manifest_table(facts))
            file.finish()
        _verify(build, content, facts)
        target = releases / f"{release_id}.duckdb"
        replace_text(releases / PUBLISHING, target.name)
        build.rename(target)
        sync(releases)
        point_to(target)
    finally:
        _clean(releases)
    _keep_newest(releases, target)
    return Published(target, is_new=True)


def _later_than_all(releases: Path) -> datetime:
    """Now, or just after the newest release where the clock stands before it: names must keep their order."""
    now = datetime.now(tz=UTC)
    newest = max((published_at(path) for path in published(releases.parent)), default=None)
    return max(now, newest + timedelta(microseconds=1)) if newest else now


def point_to(release: Path) -> None:
    """Make `release` the current one, in one atomic step."""
    replace_text(release.parent / "CURRENT", release.name + "\n")


def current_or_none(data_dir: Path) -> Release | None:
    """The current release; None where there is none yet, or none that this version can read."""
    try:
        return open_release(data_dir)
    except ReleaseError:
        return None


def published(data_dir: Path) -> list[Path]:
    """Releases that are kept, oldest first."""
    return sorted(p for p in (data_dir / "releases").glob("v*.duckdb") if NAME.fullmatch(p.name))


def published_at(release: Path) -> datetime:
    """When a release was published, as its name tells."""
    stamp = NAME.fullmatch(release.name)
    assert stamp is not None, release
    return datetime.strptime(stamp[1], STAMP).replace(tzinfo=UTC)


def published_as(release_id: str, data_dir: Path) -> Path:
    """The file of a release that is kept. Raises PublishProblem where there is none of that id."""
    kept = {path.stem: path for path in published(data_dir)}
    if release_id not in kept:
        raise PublishProblem(told("publish.none_such", release=release_id, kept=", ".join(kept) or "–"))
    return kept[release_id]


def pointed_to(data_dir: Path) -> Path | None:
    """The file that CURRENT names, sound or not; None where there is none or it names nothing that was a release."""
    pointer = data_dir / "releases" / "CURRENT"
    try:
        name = pointer.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    is_name = bool(name) and Path(name).name == name
    return pointer.with_name(name) if is_name and (NAME.fullmatch(name) or pointer.with_name(name).exists()) else None


def _pointed_to(data_dir: Path) -> Path:
    """The same. Raises PublishProblem where there is none."""
    current, kept = pointed_to(data_dir), published(data_dir)
    if current is None and kept:
        names = ", ".join(path.stem for path in kept)
        raise PublishProblem(told("publish.no_pointer", folder=data_dir / "releases", kept=names))
    if current is None:
        raise PublishProblem(told("publish.nothing", folder=data_dir))
    return current


def open_published(data_dir: Path, before: str | None = None, after: str | None = None) -> tuple[Release, Release]:
    """Two kept releases by their ids; by default the two newest. Raises PublishProblem where there are none such."""
    kept = {path.stem: path for path in published(data_dir)}
    ids = [before, after] if before and after else list(kept)[-2:]
    unknown = [release_id for release_id in ids if release_id not in kept]
    if unknown or len(ids) < 2 or (before and not after):
        what = told("publish.unknown", ids=", ".join(map(str, unknown))) if unknown else told("publish.name_two")
        raise PublishProblem(told("publish.two_needed", folder=data_dir, what=what, kept=", ".join(kept) or "–"))
    first, second = (open_file(kept[str(release_id)]) for release_id in ids)
    return first, second


def rollback(data_dir: Path) -> Path:
    """Point to the newest sound release before the current one; return it. The current one may be damaged.

    Raises PublishProblem where there is none, or where it is protected in another way.
    """
    current = _pointed_to(data_dir)
    faults: list[Both] = []
    for path in reversed([path for path in published(data_dir) if path.name < current.name]):
        try:
            return go_to(path, data_dir)
        except ReleaseError as error:
            faults.append({**error.said})
    raise PublishProblem(told("publish.oldest", folder=data_dir, release=current.stem, faults=together(faults)))


@dataclass(frozen=True)
class Withdrawn:
    """What became of a release that was wrong: which one is current now, and the deliveries that it brought first."""

    current: Path
    deliveries: list[dict[str, Any]]  # as in the manifest


def withdraw(release_id: str, data_dir: Path, *, with_deliveries: bool = False) -> Withdrawn:
    """Take a release away, so that nobody can open it, compare with it or go back to it.

    Where it is current, the newest sound one before it becomes current (see `rollback`). Its deliveries stay in the
    history, so that a corrected one takes their place, or leave it `with_deliveries`: the next build is without them.

    Raises PublishProblem where there is no such release, none to go back to, or nothing that says what it brought.
    """
    wrong, current = published_as(release_id, data_dir), _pointed_to(data_dir)
    known = {delivery["sha256"] for path in published(data_dir) if path < wrong for delivery in _deliveries(path)}
    # where no earlier release can be read, nothing says which deliveries are new
    brought = [delivery for delivery in _deliveries(wrong) if delivery["sha256"] not in known] if known else []
    if with_deliveries and not (known and _deliveries(wrong)):
        raise PublishProblem(told("publish.cannot_tell", release=release_id))
    current = rollback(data_dir) if current == wrong else current
    if with_deliveries and brought:
        leave([delivery["sha256"] for delivery in brought], data_dir)
    wrong.unlink()
    sync(wrong.parent)
    return Withdrawn(current, brought)


def _deliveries(release: Path) -> list[dict[str, Any]]:
    try:
        return list(open_file(release).manifest["deliveries"])
    except ReleaseError:  # a damaged one tells nothing
        return []


def go_to(release: Path, data_dir: Path) -> Path:
    """Point to a release that was published before, after reading all of it; return it.

    Raises ReleaseError where it is damaged, PublishProblem where it is protected in another way than the current
    one (a damaged current one is taken to have been protected).
    """
    current = current_or_none(data_dir)
    there = open_file(release).manifest["protection"]
    if current is None and there["method"] == "none":
        raise PublishProblem(told("publish.unprotected", release=release.stem))
    if current is not None:
        here = current.manifest["protection"]
        differing = [fact for fact in PROTECTION_FACTS if here.get(fact) != there.get(fact)]
        if differing:
            how = ", ".join(f"{fact} {there.get(fact)} ≠ {here.get(fact)}" for fact in differing)
            raise PublishProblem(told("publish.protection", release=release.stem, method=how))
    point_to(release)
    return release


def _manifest_table(facts: dict[str, Any]) -> pl.DataFrame:
    rows = {"key": list(facts), "value": [_json(value) for value in facts.values()]}
    return pl.DataFrame(rows, schema={"key": pl.String, "value": pl.String})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _says_the_same(current: Release, content: dict[str, str], manifest: dict[str, Any]) -> bool:
    return current.manifest.get("content") == content and all(
        current.manifest.get(fact) == json.loads(_json(manifest.get(fact))) for fact in FACTS_SHOWN
    )


def _verify(build: Path, content: dict[str, str], facts: dict[str, Any]) -> None:
    """Read the finished file from the disk, every block of it and by the road that readers take.

    The content was hashed in memory, which is the truth here: a file that holds anything else was not written whole.
    DuckDB files of equal content differ in bytes, so content is what is compared.
    """
    if build.with_name(build.name + ".wal").exists():
        raise PublishProblem(told("publish.not_closed", file=build.name))
    sync(build)
    forget_cached(build)
    try:
        read_back = open_file(build)
    except ReleaseError as error:
        raise PublishProblem(told("publish.not_read_back", tables={**error.said})) from error
    differing = [table for table, digest in content.items() if read_back.content[table] != digest]
    if not differing and dict(read_back.manifest) != json.loads(_json(facts)):
        differing = ["manifest"]
    if differing:
        raise PublishProblem(told("publish.not_read_back", tables=", ".join(differing)))


def _clean(releases: Path) -> None:
    """Take away what a publication left that did not come to its end, or its last notes where it did.

    A file with a release's name that the pointer never reached was never published: a rollback must not find it.
    """
    note = releases / PUBLISHING
    if note.exists():
        name = note.read_text(encoding="utf-8")
        if NAME.fullmatch(name) and pointed_to(releases.parent) != releases / name:
            (releases / name).unlink(missing_ok=True)
        note.unlink()
    for left in (*releases.glob(".build-*"), *releases.glob("*.tmp")):
        left.unlink(missing_ok=True)


def _keep_newest(releases: Path, current: Path) -> None:
    kept = [path for path in published(releases.parent) if path != current]
    for path in kept[: max(0, len(kept) - (KEPT_RELEASES - 1))]:
        with suppress(OSError):  # the new release is out; an old one that cannot be deleted now is tried next time
            path.unlink()

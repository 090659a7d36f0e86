"""A copy of a data folder in one file, and the way back: the same release is served, and the next month loads.

    releases/  what is shown       build/  pseudonymised history, and the keys       web/  what readers saved

Deliveries (`raw/`) are not copied: they hold persons, and whoever sent them has them. A copy that holds the keys beside
the history must be guarded as the deliveries are; `keys_to` puts the keys into a file of their own.
"""

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from etl.disk import disk_problems_named, sync
from etl.land import landed_files, refuse_damaged
from etl.publish import one_writer, pointed_to
from etl.words import Problem, told
from kpis.release import ReleaseError, read_whole

FOLDERS = ("build", "web", "releases")  # in the order of their return: CURRENT comes last, so that nobody reads a half
KEYS = "build/keys"
MANIFEST = "manifest.json"  # the last member: name → bytes and SHA-256 of each before it
FORMAT = 1
_PASSED_OVER = ("build/.lock", "build/incoming/")


class BackupProblem(Problem):
    """Nothing was copied, or nothing put back; the text says why and what to do."""


@dataclass(frozen=True)
class Copied:
    """What a copy holds."""

    files: int
    bytes: int
    has_keys: bool


def backup(data_dir: Path, target: Path, keys_to: Path | None = None) -> Copied:
    """Copy a data folder into the file `target`, whole or not at all; no load can run meanwhile.

    Args:
        data_dir: the data folder; what is served stays served.
        target: a new file, readable by its owner alone. An existing one is refused.
        keys_to: another new file, for the keys; they are then not in `target`.

    Raises BackupProblem or DiskProblem.
    """
    for path in filter(None, (target, keys_to)):
        if path.exists():
            raise BackupProblem(told("backup.exists", file=path))
    if not (data_dir / "releases" / "CURRENT").exists():
        raise BackupProblem(told("backup.nothing", folder=data_dir))
    with disk_problems_named(data_dir), one_writer(data_dir):
        history = data_dir / "build" / "history"
        refuse_damaged(landed_files(history), history)  # a copy of damage would take the place of a good one
        _refuse_damaged_release(pointed_to(data_dir))
        names = list(_names(data_dir))
        keys = [name for name in names if name.startswith(KEYS)]
        if keys_to is not None:
            _write(data_dir, keys, keys_to)
            names = [name for name in names if name not in keys]
        return _write(data_dir, names, target)


def restore(source: Path, data_dir: Path, keys_from: Path | None = None) -> Copied:
    """Put a copy back into a data folder that holds nothing yet. Every byte is checked before anything is in its place.

    Raises BackupProblem where the folder is in use, the copy damaged, or its keys are neither in it nor given.
    """
    if any(_names(data_dir)):
        raise BackupProblem(told("backup.in_use", folder=data_dir))
    data_dir.mkdir(parents=True, exist_ok=True)
    with disk_problems_named(data_dir), one_writer(data_dir):
        for left in data_dir.glob(".restoring-*"):  # of a run that was killed, with keys in it
            shutil.rmtree(left)
        new = Path(tempfile.mkdtemp(prefix=".restoring-", dir=data_dir))  # open to nobody else
        try:
            copied = _read(source, new)
            if keys_from is not None and not copied.has_keys:
                _read(keys_from, new / ".keys-from")  # a whole copy with keys in it will do, too
                if (new / ".keys-from" / KEYS).exists():
                    (new / ".keys-from" / KEYS).rename(new / KEYS)
            has_keys = any((new / KEYS).glob("*"))
            if not has_keys:
                raise BackupProblem(told("backup.no_keys", file=keys_from or source))
            _put_in_place(new, data_dir)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return Copied(copied.files, copied.bytes, has_keys)


def _refuse_damaged_release(release: Path | None) -> None:
    """Read all of the current release, of whatever version. Raises BackupProblem."""
    if release is None:
        return
    try:
        read_whole(release)
    except ReleaseError as error:
        raise BackupProblem(told("backup.release", file=release)) from error


def _names(data_dir: Path) -> Iterator[str]:
    """Every file of the data folder that belongs in a copy, by its path below it; hidden ones are nobody's for long."""
    for folder in FOLDERS:
        for path in sorted((data_dir / folder).rglob("*")):
            name = path.relative_to(data_dir).as_posix()
            is_passing = name.startswith(_PASSED_OVER) or path.name.startswith(".") or path.suffix == ".tmp"
            if path.is_file() and not path.is_symlink() and not is_passing:
                yield name


class _Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest, self.size = file, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        part = self._file.read(size)
        self.digest.update(part)
        self.size += len(part)
        return part


def _write(data_dir: Path, names: list[str], target: Path) -> Copied:
    contents: dict[str, tuple[int, str]] = {}
    with _new_file(target) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            with (data_dir / name).open("rb") as content:
                entry = archive.gettarinfo(arcname=name, fileobj=content)
                entry.uid = entry.gid = 0
                entry.uname = entry.gname = ""
                hashed = _Hashed(content)
                archive.addfile(entry, hashed)
            contents[name] = (hashed.size, hashed.digest.hexdigest())
        text = json.dumps({"format": FORMAT, "files": contents}, indent=0).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return _copied(contents)


@contextmanager
def _new_file(target: Path) -> Iterator[IO[bytes]]:
    """A file that is there under its name only when it is whole, readable by its owner alone."""
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
        sync(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _read(source: Path, folder: Path) -> Copied:
    """Unpack a copy below `folder` and compare all of it with its manifest."""
    found: dict[str, tuple[int, str]] = {}
    manifest: dict[str, tuple[int, str]] | None = None
    try:
        with tarfile.open(source, "r:") as archive:
            for entry in archive:
                content = archive.extractfile(entry)
                if content is None or entry.name in found or not _is_ours(entry.name):
                    raise BackupProblem(told("backup.foreign", file=source, name=entry.name[:80]))
                if entry.name == MANIFEST:
                    manifest = _manifest(content.read(), source)
                    continue
                path = folder / entry.name
                path.parent.mkdir(parents=True, exist_ok=True)
                hashed = _Hashed(content)
                with path.open("xb") as file:
                    shutil.copyfileobj(hashed, file)
                    file.flush()
                    os.fsync(file.fileno())
                path.chmod(entry.mode & 0o755)
                os.utime(path, (entry.mtime, entry.mtime))
                found[entry.name] = (hashed.size, hashed.digest.hexdigest())
    except (tarfile.TarError, EOFError):
        raise BackupProblem(told("backup.damaged", file=source)) from None
    except FileNotFoundError:
        raise BackupProblem(told("backup.missing", file=source)) from None
    if manifest is None or found != manifest:
        raise BackupProblem(told("backup.damaged", file=source))
    return _copied(found)


def _is_ours(name: str) -> bool:
    path = PurePosixPath(name)
    is_below = path.as_posix() == name and not path.is_absolute() and ".." not in path.parts
    return name == MANIFEST or (is_below and len(path.parts) > 1 and path.parts[0] in FOLDERS)


def _manifest(text: bytes, source: Path) -> dict[str, tuple[int, str]]:
    try:
        content = json.loads(text)
        if content["format"] == FORMAT:
            return {name: (size, digest) for name, (size, digest) in content["files"].items()}
    except (ValueError, KeyError, TypeError):
        raise BackupProblem(told("backup.damaged", file=source)) from None
    raise BackupProblem(told("backup.newer", file=source))


def _put_in_place(new: Path, data_dir: Path) -> None:
    for folder in FOLDERS:
        (data_dir / folder).mkdir(mode=0o700 if folder == "build" else 0o755, exist_ok=True)
        for path in sorted((new / folder).glob("*"), key=lambda path: path.name == "CURRENT"):
            path.rename(data_dir / folder / path.name)
        sync(data_dir / folder)
    sync(data_dir)


def _copied(contents: dict[str, tuple[int, str]]) -> Copied:
    return Copied(
        len(contents), sum(size for size, _ in contents.values()), any(name.startswith(KEYS) for name in contents)
    )

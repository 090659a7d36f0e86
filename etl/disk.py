"""Writing so that it lasts, and saying plainly when the disk does not let us."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etl.words import Problem, together, told

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
BROKEN = {errno.EIO, errno.EROFS}


class DiskProblem(Problem):
    """The disk is full or fails; the text says which disk, what has become of the release, and what to do."""


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk and not only on its way."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def forget_cached(path: Path) -> None:
    """Let the next reading of a synced file come from the disk instead of from memory, as far as the system obeys."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def replace_text(path: Path, text: str) -> None:
    """Write a small text file in one step: a reader, or a crash, meets the old text or the new one, whole."""
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, content: bytes) -> None:
    """The same for any content."""
    part = path.with_name(path.name + ".tmp")
    part.write_bytes(content)
    sync(part)
    part.replace(path)
    sync(path.parent)


@contextmanager
def disk_problems_named(data_dir: Path) -> Iterator[None]:
    """Turn every way of saying “disk full” or “disk broken” into one DiskProblem.

    Libraries wrap the system's error in exceptions of their own, so their text is looked at too.
    """
    pointer = data_dir / "releases" / "CURRENT"
    before = _text_or_none(pointer)
    try:
        yield
    except Exception as error:
        code = _disk_error(error)
        if code is None:
            raise
        of_file = getattr(error, "filename", None)
        where = Path(os.fsdecode(of_file)) if isinstance(of_file, str | bytes) else data_dir
        is_unchanged = _text_or_none(pointer) == before
        what = "full" if code in NO_ROOM else "broken"
        facts = {"where": where, "reason": os.strerror(code), "megabytes": _megabytes_free(data_dir)}
        state = told("disk.unchanged" if is_unchanged else "disk.published")
        raise DiskProblem(together([told(f"disk.{what}", **facts), state, told(f"disk.{what}_do")])) from error


def _disk_error(error: BaseException) -> int | None:
    """The system's error number behind an exception, where it is one of the disk's."""
    if isinstance(error, OSError) and error.errno in NO_ROOM | BROKEN:
        return error.errno
    text = str(error).lower()
    if "max_temp_directory_size" in text:  # DuckDB's own limit for what it spills, set by the room there was
        return errno.ENOSPC
    return next((code for code in sorted(NO_ROOM | BROKEN) if os.strerror(code).lower() in text), None)


def _megabytes_free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free // 1_000_000


def _text_or_none(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None

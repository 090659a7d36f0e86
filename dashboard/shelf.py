"""Drawn views that the workers of one server share: each is drawn once, not once a worker.

They lie as small files in a private folder that the starting process makes and removes (dashboard/__main__.py): one
folder in it a release, one file a question. A file is written beside its place and then renamed, so that a reader meets
it whole or not at all. Whatever is missing, damaged or cannot be written is simply drawn again.
"""

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from kpis.release import Release

SHARED_FOLDER = "NAERBLIK_SHARED_VIEWS"
"""Environment variable with the folder; without it nothing is shared."""
MOST_FILES, MOST_BYTES = 3_000, 100_000_000
"""On a shelf: two pages of every municipality, and more. What was kept first goes first."""
_LOOK_EVERY = 100  # files kept, until it is looked how much there is; as much may lie there too much meanwhile
_DIGEST = hashlib.sha256().digest_size


class Shelf:
    """What was drawn of one release; its questions are tuples of what JSON can tell apart. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._kept = folder, 0

    def find(self, question: tuple[Any, ...]) -> bytes | None:
        """Return what was kept under the question, by any worker; None where there is nothing sound."""
        try:
            found = self._place(question).read_bytes()
        except OSError:
            return None
        digest, content = found[:_DIGEST], found[_DIGEST:]
        return content if digest == hashlib.sha256(content).digest() else None

    def keep(self, question: tuple[Any, ...], content: bytes) -> None:
        """Keep it for all workers, where that can be done."""
        with suppress(OSError):  # a full disk, or a folder that is gone with its server
            self._folder.mkdir(mode=0o700, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".")
            part = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(hashlib.sha256(content).digest() + content)
                part.replace(self._place(question))
            except OSError:
                part.unlink()
                raise
            self._kept += 1
            if self._kept % _LOOK_EVERY == 0:
                self._make_room()

    def _place(self, question: tuple[Any, ...]) -> Path:
        return self._folder / hashlib.sha256(json.dumps(question).encode()).hexdigest()

    def _make_room(self) -> None:
        files, size = [], 0
        for entry in os.scandir(self._folder):
            with suppress(FileNotFoundError):  # another worker makes room too
                files.append((entry.stat().st_mtime_ns, entry.stat().st_size, entry.path))
        for number, (_, bytes_of_file, path) in enumerate(sorted(files, reverse=True), start=1):
            size += bytes_of_file
            if number > MOST_FILES or size > MOST_BYTES:
                Path(path).unlink(missing_ok=True)


def shelf_of(release: Release) -> Shelf | None:
    """Return the shelf of the current release, and throw away those of all others; None where nothing is shared.

    A file that is put in the place of another is another release, whatever its name. A worker that has not seen the
    newest one yet may make its shelf anew; the next publication throws it away.
    """
    root = os.environ.get(SHARED_FOLDER)
    if root is None:
        return None
    try:
        file = release.path.stat()
        told = f"{release.path} {file.st_ino} {file.st_mtime_ns} {file.st_size}"
        own = Path(root) / hashlib.sha256(told.encode()).hexdigest()
        for other in Path(root).iterdir():
            if other != own:
                shutil.rmtree(other, ignore_errors=True)
    except OSError:
        return None
    return Shelf(own)

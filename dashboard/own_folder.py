"""What the web side itself keeps: ``DATA/web/<name>``, the only place under the data folder that it writes to.

Everything else there belongs to the loading. The folder may be missing or read-only, as on a server that only shows:
then nothing is kept, and each feature says so plainly and does what it can without.
"""

import os
import tempfile
from pathlib import Path


def place_of(data_dir: Path, name: str) -> Path:
    """Return where the folder ``name`` of the web side lies. It may not exist, and what is in it may not be ours."""
    return data_dir / "web" / name


def own_folder(data_dir: Path, name: str) -> Path | None:
    """Make and return the folder ``name`` of the web side; None where nothing can be written to it."""
    folder = place_of(data_dir, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Asking the file system beats asking for permissions: a disk may be mounted read-only for everybody.
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


def last_kept(data_dir: Path, *names: str) -> int:
    """Return when a file of the folders ``names`` was last kept, changed or removed, in nanoseconds; 0 = never.

    Views that show what is kept there are drawn anew after it.
    """
    newest = 0
    for folder in (place_of(data_dir, name) for name in names):
        try:
            times = [folder.stat().st_mtime_ns, *(entry.stat().st_mtime_ns for entry in os.scandir(folder))]
        except OSError:  # there is none yet, or a file has gone while we looked: its folder has changed then
            continue
        newest = max(newest, *times)
    return newest


def write_file(path: Path, text: str) -> None:
    """Write a small file in one step: a reader, a second writer or a crash meets the old text or the new one, whole.

    Raises OSError, and then the old text still stands.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else the new name may be lost with the power
    finally:
        os.close(folder)

"""Delivered files on disk: which there are, what is inside archives, and how much of them may be unpacked.

A member of a .zip and the content of a .gz are files like any other. Nothing is ever unpacked to disk, because a
delivery names persons.
"""

import gzip
import hashlib
import io
import re
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from etl.finding import Refused
from etl.pseudonym import BIRTH_IN_ID
from etl.words import Problem, told

UNKNOWN_PACKING = NotImplementedError  # what zipfile raises for a way of packing that it does not know
SUFFIXES = (".csv", ".txt", ".tsv", ".parquet", ".xlsx", ".xlsm", ".sas7bdat", ".toml")
REFUSED = {  # what is plainly meant as data, and the sentence that says what to send instead
    ".xls": "D2-format.excel",
    ".xlsb": "D2-format.excel",
    ".ods": "D2-format.excel",
    ".sav": "D2-format.table",
    ".dta": "D2-format.table",
    ".7z": "D2-format.archive",
    ".rar": "D2-format.archive",
    ".tar": "D2-format.archive",
    ".tgz": "D2-format.archive",
    ".zip": "D2-format.nested",
}
LARGEST_RATIO = 100  # unpacked to packed; text shrinks to a tenth, a bomb to a thousandth
LARGEST_UNPACKED = 64 << 30
LARGEST_IN_MEMORY = 2 << 30  # of a packed file that must be read whole (Parquet, Excel)
MOST_MEMBERS = 200
LONGEST_NAME = 160
PERSON_IN_NAME = re.compile(rf"(?<!\d){BIRTH_IN_ID}[- ]?\d{{4}}(?!\d)")


class NoSuchPath(Problem):
    """What was to be loaded is not there."""


@dataclass(frozen=True)
class DeliveredFile:
    """A file, or a member of an archive. `name` is what a person would call it: folder/archive.zip/member.csv."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """Path and member, fit to be shown."""
        return shown(f"{self.path}/{self.member}" if self.member else str(self.path))

    @property
    def names(self) -> str:
        """The file's and the member's own names as they are, which may tell what is inside."""
        return f"{self.path.name}/{self.member or ''}"

    @property
    def is_hostile(self) -> bool:
        """Whether the archive's member would, unpacked, lie outside the archive's folder."""
        member = (self.member or "").replace("\\", "/")
        return member.startswith("/") or ".." in PurePosixPath(member).parts or bool(re.match(r"[A-Za-z]:", member))

    @property
    def suffix(self) -> str:
        """The ending that tells the format, without that of a compression."""
        name = PurePosixPath(self.member or self.path.name)
        return (PurePosixPath(name.stem) if name.suffix.lower() == ".gz" else name).suffix.lower()

    @property
    def is_packed(self) -> bool:
        """Whether it must be unpacked to be read."""
        return self.member is not None or self.path.suffix.lower() == ".gz"

    def open(self) -> io.BufferedReader:
        """The content as a stream of bytes that stops with Refused where it grows beyond what is reasonable."""
        packed = self.path.stat().st_size
        if self.member is not None:
            stream, packed = self._open_member(self.member)
            return _limited(gzip.GzipFile(fileobj=stream) if self.member.lower().endswith(".gz") else stream, packed)
        if self.path.suffix.lower() == ".gz":
            return _limited(gzip.GzipFile(self.path), packed)
        return self.path.open("rb")

    def _open_member(self, member: str) -> tuple[IO[bytes], int]:
        """A member as a stream, and how large it is packed. Raises BadZipFile where the archive is damaged."""
        try:
            archive = zipfile.ZipFile(self.path)
            about = archive.getinfo(member)
            if about.flag_bits & 1:
                raise Refused("D11-archive.locked")
            return archive.open(member), about.compress_size
        except (OSError, KeyError, ValueError, UNKNOWN_PACKING, struct.error) as error:
            raise zipfile.BadZipFile(f"{self.name}: the member cannot be found where the archive says it is") from error

    def read(self) -> bytes:
        """The whole content; Refused where a packed file is too large to be held in memory."""
        with self.open() as stream:
            content = stream.read(LARGEST_IN_MEMORY + 1)
        if len(content) > LARGEST_IN_MEMORY:
            raise Refused("D11-size.memory")
        return content

    def modified(self) -> str:
        """When the content was written, as far as its file system or archive tells; never in the future. ISO 8601."""
        written = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
        if self.member is not None:
            with suppress(OSError, KeyError, ValueError, zipfile.BadZipFile), zipfile.ZipFile(self.path) as archive:
                written = datetime(*archive.getinfo(self.member).date_time, tzinfo=UTC)
        return min(written, datetime.now(UTC)).isoformat(timespec="seconds")

    def sha256(self) -> str:
        """The hash of the content, unpacked: the same data are the same delivery however they were packed."""
        with self.open() as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def _limited(stream: IO[bytes] | gzip.GzipFile, packed: int) -> io.BufferedReader:
    return io.BufferedReader(_Limited(stream, packed), 1 << 20)


class _Limited(io.RawIOBase):
    """A stream that refuses to unpack far more than was packed."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, packed: int):
        self._stream = stream
        self._left = min(LARGEST_UNPACKED, max(packed * LARGEST_RATIO, 1 << 20))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As a file's readinto."""
        block = self._stream.read(len(buffer))
        self._left -= len(block)
        if self._left < 0:
            raise Refused("D11-size.bomb")
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()
        super().close()


def shown(name: str) -> str:
    """A name as a report may show it: no control characters, no person number, not endless."""
    plain = "".join(sign if sign.isprintable() else "�" for sign in name.encode("utf-8", "replace").decode())
    plain = PERSON_IN_NAME.sub("xxxxxx-xxxx", plain)
    return plain if len(plain) <= LONGEST_NAME else f"{plain[: LONGEST_NAME // 2]}…{plain[-LONGEST_NAME // 2 :]}"


def find_files(paths: list[Path], tell: Callable[[str], None] = lambda name: None) -> list[DeliveredFile]:
    """All data files under the given files and folders, in a fixed order; archives are looked into.

    Names that begin with a dot or underscore are not deliveries (editors' and systems' own files). Files with another
    ending are told to `tell`, so that nothing is passed over in silence. Raises NoSuchPath.
    """
    found: set[DeliveredFile] = set()
    for path in paths:
        if not path.exists():
            raise NoSuchPath(told("stop.no_path", path=path))
        inside = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file() and not _is_own(p, path)]
        for file in inside:
            members = _members(file)
            if not members:
                tell(shown(str(file)))
            found.update(members)
    return sorted(found, key=lambda file: (str(file.path), file.member or ""))


def _is_own(file: Path, folder: Path) -> bool:
    return any(part.startswith((".", "_", "~$")) for part in file.relative_to(folder).parts)


def names_in(archive: Path) -> list[str]:
    """The names of an archive's files. Raises BadZipFile where it is damaged."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return [info.filename for info in opened.infolist() if not info.is_dir()]
    except (UNKNOWN_PACKING, ValueError, struct.error) as error:
        raise zipfile.BadZipFile(archive.name) from error


def _members(path: Path) -> list[DeliveredFile]:
    if path.suffix.lower() != ".zip":
        file = DeliveredFile(path)
        return [file] if file.suffix in SUFFIXES or file.suffix in REFUSED else []
    try:
        names = names_in(path)
    except zipfile.BadZipFile:
        names = []
    if not 0 < len(names) <= MOST_MEMBERS:
        return [DeliveredFile(path)]  # is refused when it is opened, with a reason
    files = [DeliveredFile(path, name) for name in names]
    return [
        file
        for file in files
        if (file.suffix in SUFFIXES or file.suffix in REFUSED)
        and not PurePosixPath(file.member or "").name.startswith((".", "~$"))
    ]

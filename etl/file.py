"""Delivered files on disk: which there are, what is inside archives, and how much of them may be unpacked.

A member of a .zip and the content of a .gz are files like any other. Nothing is ever unpacked to disk, because a
delivery names persons.
"""

import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from etl.finding import Refused

SUFFIXES = (".csv", ".txt", ".tsv", ".parquet", ".xlsx", ".sas7bdat")
ARCHIVES = (".gz", ".zip")
LARGEST_RATIO = 100  # unpacked to packed; text shrinks to a tenth, a bomb to a thousandth
LARGEST_UNPACKED = 64 << 30
LARGEST_IN_MEMORY = 2 << 30  # of a packed file that must be read whole (Parquet, Excel)
MOST_MEMBERS = 200


@dataclass(frozen=True)
class DeliveredFile:
    """A file, or a member of an archive. `name` is what a person would call it: folder/archive.zip/member.csv."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """Path and member, for reports."""
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def suffix(self) -> str:
        """The ending that tells the format, without that of a compression."""
        name = PurePosixPath(self.member or self.path.name)
        return (PurePosixPath(name.stem) if name.suffix.lower() == ".gz" else name).suffix.lower()

    @property
    def is_packed(self) -> bool:
        """Whether it must be unpacked to be read."""
        return self.member is not None or self.path.suffix.lower() == ".gz"

    def open(self) -> BinaryIO:
        """The content as a stream of bytes that stops with Refused where it grows beyond what is reasonable."""
        packed = self.path.stat().st_size
        if self.member is not None:
            archive = zipfile.ZipFile(self.path)
            packed = archive.getinfo(self.member).compress_size
            stream = archive.open(self.member)
            return _limited(gzip.GzipFile(fileobj=stream) if self.member.lower().endswith(".gz") else stream, packed)
        if self.path.suffix.lower() == ".gz":
            return _limited(gzip.GzipFile(self.path), packed)
        return self.path.open("rb")

    def read(self) -> bytes:
        """The whole content; Refused where a packed file is too large to be held in memory."""
        with self.open() as stream:
            content = stream.read(LARGEST_IN_MEMORY + 1)
        if len(content) > LARGEST_IN_MEMORY:
            raise Refused("D11-size", "The file is too large to be read from an archive. Deliver it unpacked.")
        return content

    def sha256(self) -> str:
        """The hash of the content, unpacked: the same data are the same delivery however they were packed."""
        digest = hashlib.sha256()
        with self.open() as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
        return digest.hexdigest()


def _limited(stream: IO[bytes] | gzip.GzipFile, packed: int) -> BinaryIO:
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
            raise Refused("D11-size", "The archive unpacks to more than a hundred times its size. It was not read.")
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()
        super().close()


def find_files(paths: list[Path], tell: Callable[[str], None] = lambda name: None) -> list[DeliveredFile]:
    """All data files under the given files and folders, in a fixed order; archives are looked into.

    Names that begin with a dot or underscore are not deliveries (editors' and systems' own files). Files with another
    ending are told to `tell`, so that nothing is passed over in silence. Raises FileNotFoundError.
    """
    found: set[DeliveredFile] = set()
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: there is no such file or folder.")
        base = path if path.is_dir() else path.parent
        inside = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        for file in sorted(inside):
            if any(part.startswith((".", "_", "~$")) for part in file.relative_to(base).parts):
                continue
            members = _members(file)
            if not members:
                tell(str(file))
            found.update(members)
    return sorted(found, key=lambda file: file.name)


def _members(path: Path) -> list[DeliveredFile]:
    if path.suffix.lower() != ".zip":
        file = DeliveredFile(path)
        return [file] if file.suffix in SUFFIXES else []
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile:
        return [DeliveredFile(path)]  # is refused when it is opened, with a reason
    files = [DeliveredFile(path, name) for name in names[: MOST_MEMBERS + 1]]
    return [
        file for file in files if file.suffix in SUFFIXES and not PurePosixPath(file.member or "").name.startswith(".")
    ]

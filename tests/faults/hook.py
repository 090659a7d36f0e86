"""Counts the calls by which this process changes files, and makes one of them go wrong.

Calls of Python itself: open for writing, rename, unlink, fsync … What DuckDB, Polars and Arrow write by calls of
their own is met by kills at random moments, by limits on file size, and by a small file system (see the tests).
"""

import errno
import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHANGES = ("rename", "replace", "unlink", "remove", "rmdir", "mkdir", "fsync", "chmod")
CODES = {"eio": errno.EIO, "enospc": errno.ENOSPC}


class Hook:
    """`kind`: kill (just before the `at`-th call, as kill -9), killed (just after it), eio, enospc, or none.

    Counting begins with the first call on a file named `since`: how much there is to put away before that differs.
    """

    def __init__(self, under: Path, at: int = 0, kind: str = "none", since: str = "", log: Path | None = None):
        self.under, self.at, self.kind, self.since = str(under), at, kind, since
        self.count = 0
        self.log = log.open("w", encoding="utf-8") if log else None

    def install(self) -> None:
        """From here on calls are counted."""
        for name in CHANGES:
            setattr(os, name, self._around(name, getattr(os, name), lambda *_: True))
        io.open = self._around("open", io.open, lambda mode="r", *_: bool(set(mode) & set("wax+")))

    def _around(self, name: str, real: Callable[..., Any], changes: Callable[..., bool]) -> Callable[..., Any]:
        def call(target: Any, *args: Any, **kwargs: Any) -> Any:
            if not (changes(*args) and self._is_meant(target)):
                return real(target, *args, **kwargs)
            if self.count == 0 and self.since not in self._path(target):
                return real(target, *args, **kwargs)
            self.count += 1
            is_it = self.count == self.at
            if self.log:
                self.log.write(f"{name} {Path(self._path(target)).name}\n")
                self.log.flush()
            if is_it and self.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if is_it and self.kind in CODES:
                code = CODES[self.kind]
                raise OSError(code, os.strerror(code), self._path(target))
            result = real(target, *args, **kwargs)
            if is_it and self.kind == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    def _is_meant(self, target: Any) -> bool:
        return self._path(target).startswith(self.under)

    @staticmethod
    def _path(target: Any) -> str:
        return str(Path(f"/proc/self/fd/{target}").readlink() if isinstance(target, int) else Path(target).absolute())

"""Progress on long work: a line per stage, with rows and rate, on terminals; plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm


class Bar:
    """Shows stages one after the other on standard error. Used as a context manager."""

    def __init__(self, is_shown: bool):
        self._is_shown = is_shown
        self._bar: tqdm | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def stage(self, name: str, total: int | None = None) -> None:
        """A new stage begins; the one before is done."""
        self._close()
        if self._is_shown:
            if sys.stderr.isatty():
                self._bar = tqdm(desc=name, total=total, unit=" rows", unit_scale=True, leave=False)
            else:
                print(f"[{time.monotonic() - self._began:5.0f} s] {name}", file=sys.stderr, flush=True)

    def step(self, n: int) -> None:
        """`n` more rows of the stage are done."""
        if self._bar is not None:
            self._bar.update(n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

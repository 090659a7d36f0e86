"""Progress on long work: a line per stage, with rows and rate, on terminals; plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

from etl.words import Both, told
from kpis.indicator import Language


class Bar:
    """Shows stages one after the other on standard error. Used as a context manager."""

    def __init__(self, is_shown: bool, language: Language = "da"):
        self._is_shown = is_shown
        self._language = language
        self._bar: tqdm | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def stage(self, what: Both | str, total: int | None = None) -> None:
        """A new stage begins; the one before is done."""
        name = what if isinstance(what, str) else what[self._language]
        self._close()
        if self._is_shown:
            if sys.stderr.isatty():
                self._bar = tqdm(
                    desc=name, total=total, unit=f" {told('stage.rows')[self._language]}", unit_scale=True, leave=False
                )
            else:
                print(f"[{time.monotonic() - self._began:5.0f} s] {name}", file=sys.stderr, flush=True)

    def share(self, done: float, name: str) -> None:
        """Work whose size is known as a share: `done` goes from 0 to 1, `name` says what is going on."""
        if not self._is_shown:
            return
        if not sys.stderr.isatty():
            self.stage(f"{done:4.0%} {name}")
            return
        if self._bar is None or self._bar.total != 100:
            self._close()
            self._bar = tqdm(
                total=100, unit=" %", leave=False, bar_format="{desc}: {percentage:3.0f}%|{bar}| {remaining}"
            )
        self._bar.set_description(name, refresh=False)
        self._bar.update(100 * done - self._bar.n)

    def expect(self, total: int | None) -> None:
        """How many rows the stage has: from then on the remaining time is shown."""
        if self._bar is not None and total:
            self._bar.total = total
            self._bar.refresh()

    def step(self, n: int) -> None:
        """`n` more rows of the stage are done."""
        if self._bar is not None:
            self._bar.update(n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

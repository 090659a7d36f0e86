"""So many rows a second for each client: who takes the whole cube in a loop does not slow a meeting down.

A token bucket: a client begins with ``BURST`` rows and gets ``ROWS_A_SECOND`` back. What is asked for is given whole
and may leave a debt; then the next answer waits until it is paid. Each process counts for itself.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from flask import current_app, request

from dashboard.api.problem import Problem
from dashboard.guard.access import LOCAL, current_user

ROWS_A_SECOND = 20_000
BURST = 2_000_000
MOST_CLIENTS = 10_000


class Quota:
    """The buckets of a process. ``clock`` gives seconds that never go back."""

    NAME = "naerblik-quota"
    """Under which the server knows it."""

    def __init__(
        self, rate: float = ROWS_A_SECOND, burst: float = BURST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate, self.burst, self._clock = rate, burst, clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client → rows left, and when that was so

    def take(self, client: str, rows: int) -> int:
        """Take so many rows for a client; return 0, or in how many whole seconds there will be some again."""
        with self._lock:
            now = self._clock()
            left, since = self._left.pop(client, (self.burst, now))
            left = min(self.burst, left + (now - since) * self.rate)
            is_given = left > 0
            self._left[client] = (left - rows if is_given else left, now)
            while len(self._left) > MOST_CLIENTS:  # whoever was not heard of longest begins anew
                self._left.popitem(last=False)
        return 0 if is_given else max(1, ceil(-left / self.rate))


def charge(rows: int) -> None:
    """Count rows against the quota of whoever asks. Raises Problem with 429 where it is used up."""
    quota: Quota = current_app.extensions[Quota.NAME]
    user = current_user()
    client = user.name if user != LOCAL else str(request.remote_addr)
    if wait := quota.take(client, rows):
        detail = f"More than {quota.rate:.0f} rows a second were asked for. Ask again in {wait} s."
        raise Problem(429, detail, {"rows_a_second": quota.rate}, retry_after=wait)

"""Who is being answered right now, so that work ahead can stand back for them.

Threads of one process share one interpreter: what is counted ahead takes as much of it as a reader who waits. A lower
priority of the thread was not taken: it may hold the interpreter while the system lets others past, and then its own
readers wait for those as well.
"""

import threading
import time
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask

_LOOK_SECONDS = 0.005
_lock = threading.Lock()
_answered = 0


def register(server: Flask) -> None:
    """Count who is being answered by ``server``."""
    server.wsgi_app = _counted(server.wsgi_app)  # type: ignore[assignment, method-assign]  # Flask's own way to wrap it


def _counted(app: WSGIApplication) -> WSGIApplication:
    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        _change(1)
        try:
            return app(environ, start)
        finally:
            _change(-1)

    return answer


def _change(by: int) -> None:
    global _answered
    with _lock:
        _answered += by


def let_readers_first(seconds: float) -> None:
    """Wait until nobody is being answered by this process, but no longer than so many seconds."""
    until = time.monotonic() + seconds
    while _answered and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)

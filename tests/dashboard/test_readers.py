"""Work ahead stands back while somebody is answered, but not for ever."""

import threading
import time

import pytest
from flask import Flask

from dashboard.running import readers


@pytest.fixture
def slow() -> Flask:
    """A server that answers when it is allowed to, or fails."""
    server = Flask("slow")
    server.allowed, server.asked = threading.Event(), threading.Event()  # type: ignore[attr-defined]

    @server.get("/")
    def answer() -> str:
        server.asked.set()  # type: ignore[attr-defined]
        assert server.allowed.wait(20)  # type: ignore[attr-defined]
        return "there"

    @server.get("/trouble")
    def trouble() -> str:
        raise ZeroDivisionError

    readers.register(server)
    return server


def test_work_ahead_waits_until_readers_are_answered(slow) -> None:
    reader = threading.Thread(target=lambda: slow.test_client().get("/"))
    reader.start()
    assert slow.asked.wait(20)
    ahead = threading.Thread(target=lambda: readers.let_readers_first(60))
    ahead.start()
    ahead.join(0.1)
    assert ahead.is_alive()
    slow.allowed.set()
    reader.join(20)
    ahead.join(20)
    assert not ahead.is_alive()


def test_work_ahead_does_not_wait_longer_than_it_said(slow) -> None:
    reader = threading.Thread(target=lambda: slow.test_client().get("/"))
    reader.start()
    assert slow.asked.wait(20)
    begun = time.monotonic()
    readers.let_readers_first(0.05)
    assert time.monotonic() - begun >= 0.05
    assert reader.is_alive()
    slow.allowed.set()
    reader.join(20)


def test_an_answer_that_fails_is_over(slow) -> None:
    assert slow.test_client().get("/trouble").status_code == 500
    begun = time.monotonic()
    readers.let_readers_first(20)
    assert time.monotonic() - begun < 10

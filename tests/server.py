"""The real server in a process of its own, to ask things of.

with serving(data) as server:
    server.get("/ready").status
    server.view("/k/hjoerring")        # what the browser gets for an address
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # the last one where a name occurs twice
    text: str

    @property
    def markup(self) -> str:
        """The view, where the answer is that of the callback."""
        return str(json.loads(self.text)["response"]["view"]["children"]["props"]["markup"])


@dataclass(frozen=True)
class Server:
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Names of headers are written with _ for -."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode("utf-8", "replace"))
        finally:
            connection.close()

    def view(self, path: str, query: str = "", **headers: str) -> Answer:
        """What the browser gets for an address."""
        headers = {"Content_Type": "application/json", **headers}
        return self.ask("POST", "/_dash-update-component", callback(path, query), **headers)

    def lines(self) -> list[dict[str, Any]]:
        """What the server has logged so far; every line must be JSON."""
        return [
            json.loads(line) for line in self.log.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")
        ]

    def workers(self) -> list[int]:
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True)
        return [int(pid) for pid in found.stdout.split()]


def callback(path: str, query: str = "") -> bytes:
    """What a browser sends when its address has changed."""
    inputs = [("address", "pathname", path), ("address", "search", query and f"?{query}"), ("retry", "n_intervals", 0)]
    outputs = [("view", "children"), ("arrived", "data"), ("retry", "disabled")]
    return json.dumps(
        {
            "output": "..view.children...arrived.data...retry.disabled..",
            "outputs": [{"id": name, "property": part} for name, part in outputs],
            "inputs": [{"id": name, "property": part, "value": value} for name, part, value in inputs],
            "changedPropIds": ["address.pathname"],
        }
    ).encode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    data: Path,
    *options: str,
    port: int | None = None,
    user: int | None = None,
    before: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Serve a data folder until the end of the block; the server answers when it begins.

    ``before`` are words that stand before the command, as of faketime; ``user`` is whom it runs as.
    """
    port = port or free_port()
    command = [*before, sys.executable, "-m", "dashboard", "--data", str(data), "--port", str(port), *options]
    with tempfile.NamedTemporaryFile("wb", prefix="naerblik-", suffix=".log") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=log,
            user=user,
            env=os.environ | dict(environment or {}),
        )
        server = Server(port, process, Path(log.name))
        try:
            try:
                wait_for(lambda: server.get("/live").status == 200, process)
            except AssertionError as error:
                raise AssertionError(f"{error}: {server.log.read_text('utf-8')[-2_000:]}") from None
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(is_there: Any, process: subprocess.Popen[bytes] | None = None, seconds: float = 90.0) -> None:
    """Ask until it is there. A refused connection is a no; a process that ended is a failure."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if is_there():
                return
        except (OSError, http.client.HTTPException):
            pass
        assert process is None or process.poll() is None, "the server has ended"
        time.sleep(0.1)
    raise AssertionError(f"not there after {seconds:g} s")

"""``python -m dashboard``: serve the releases of a data folder on this machine."""

import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from gunicorn.app.base import BaseApplication

from dashboard.secure_side import is_loopback

_THREADS = 8


@click.command()
@click.option(
    "--data",
    "data_dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    show_default=True,
    help="The data folder; releases are read from its sub-folder `releases`.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; loopback only.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8050, show_default=True)
def main(data_dir: Path, host: str, port: int) -> None:
    """Serve the dashboard until it is stopped with Ctrl-C."""
    if not is_loopback(host):
        raise click.ClickException(
            f"--host {host}: only this machine may be served (127.0.0.1, ::1 or localhost), because there is no log-in "
            "yet. Put a proxy with log-in in front of it to serve others."
        )
    _refuse_taken(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    _Server(data_dir.resolve(), host, port, f"Nærblik is at {address} – stop it with Ctrl-C.").run()


def _refuse_taken(host: str, port: int) -> None:
    """Ask before gunicorn does: it would try five times and end in a stack of log lines."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise click.ClickException(
                f"--port {port}: cannot be used on {host} ({error.strerror}). "
                "Stop what runs there, or choose another port."
            ) from None


class _Server(BaseApplication):
    """gunicorn with threads. Workers make their own app: Polars' threads do not survive a fork, so never preload."""

    def __init__(self, data_dir: Path, host: str, port: int, greeting: str) -> None:
        self._data_dir, self._greeting = data_dir, greeting
        self._bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        for name, value in {
            "bind": self._bind,
            "worker_class": "gthread",
            "workers": max(1, min(4, os.cpu_count() or 1)),
            "threads": _THREADS,
            "timeout": 60,
            "control_socket_disable": True,
            "loglevel": "warning",
            "when_ready": self._greet,
            "post_worker_init": self._warm_up,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        from dashboard.app import create_app

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        return create_app(self._data_dir).server

    def _greet(self, _: Any) -> None:
        click.echo(self._greeting)

    def _warm_up(self, worker: Any) -> None:
        """Make the first request here: Dash registers its callbacks then, and parallel first visitors would meet none.

        Then count ahead, beside the visitors.
        """
        from dashboard.warmth import keep_warm

        worker.app.wsgi().test_client().get("/_dash-layout")
        keep_warm(self._data_dir)


if __name__ == "__main__":
    main()

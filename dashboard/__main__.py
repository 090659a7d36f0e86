"""``python -m dashboard``: serve the releases of a data folder, to this machine or to those who log in."""

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from dashboard.guard.loopback import is_loopback
from dashboard.guard.settings import Settings, SettingsProblem, read_settings
from dashboard.running.allocator import give_memory_back
from dashboard.running.logs import JsonLines

_THREADS = 8
_SHARED_COUNTS = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client when it is imported, so named here
_SHARED_VIEWS = "NAERBLIK_SHARED_VIEWS"  # dashboard.shelf, which the starting process does not import


@click.command()
@click.option(
    "--data",
    "data_dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    show_default=True,
    help="The data folder; releases are read from its sub-folder `releases`.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8050, show_default=True)
@click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="NAERBLIK_SETTINGS",
    help="TOML file with log-in and public address; needed to serve others than this machine.",
)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes; as many as processors, at most 4, by default.")
def main(data_dir: Path, host: str, port: int, settings_file: Path | None, workers: int | None) -> None:
    """Serve the dashboard until it is stopped with Ctrl-C.

    A hang-up signal (SIGHUP) reads the settings anew in new workers, while the old ones finish what they answer.
    """
    settings_file = settings_file and settings_file.resolve()
    try:
        settings = read_settings(settings_file) if settings_file else Settings()
    except SettingsProblem as problem:
        raise click.ClickException(str(problem)) from None
    _refuse_open(host, settings)
    _refuse_taken(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    greeting = f"Nærblik is at {address} – stop it with Ctrl-C."
    give_memory_back()
    _Server(data_dir.resolve(), host, port, greeting, settings_file, workers).run()


def _refuse_open(host: str, settings: Settings) -> None:
    """Let nobody be served by accident: other addresses need a log-in, and a proxy is believed on this machine only."""
    if is_loopback(host):
        return
    if not settings.has_login:
        raise click.ClickException(
            f"--host {host}: without a log-in only this machine may be served (127.0.0.1, ::1 or localhost). "
            "Set one up in a settings file (--settings FILE, see docs/drift.md)."
        )
    if settings.proxy:
        raise click.ClickException(
            f"--host {host}: a proxy's word about who logged in is believed from this machine only. "
            "Listen on 127.0.0.1 and let the proxy run here, or log in with [oidc]."
        )


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


class _Log(Logger):
    """What gunicorn itself has to say, in lines like all others."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonLines())


class _Server(BaseApplication):
    """gunicorn with threads. Workers make their own app: Polars' threads do not survive a fork, so never preload."""

    def __init__(
        self,
        data_dir: Path,
        host: str,
        port: int,
        greeting: str,
        settings_file: Path | None = None,
        workers: int | None = None,
    ) -> None:
        self._data_dir, self._greeting, self._settings_file = data_dir, greeting, settings_file
        self._bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._workers = workers or max(1, min(4, os.cpu_count() or 1))
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn up, at the start and at each hang-up signal; the settings are read anew then."""
        self._read_settings()
        for name, value in {
            "bind": self._bind,
            "worker_class": "gthread",
            "workers": self._workers,
            "threads": _THREADS,
            "timeout": 60,  # a worker that does not breathe for so long is replaced
            "graceful_timeout": 30,  # what is being answered may finish at a stop or a reload
            "keepalive": 15,
            "limit_request_line": 8190,  # an agenda travels in its link
            "limit_request_fields": 60,
            "control_socket_disable": True,
            "forwarded_allow_ips": "",  # who came, and how, is told by the settings and by nobody's header
            "loglevel": "warning",
            "logger_class": _Log,
            "on_starting": self._share,
            "on_reload": self._share_views_anew,
            "when_ready": self._greet,
            "post_worker_init": self._warm_up,
            "worker_exit": self._leave,
            "child_exit": self._forget_worker,
            "on_exit": self._stop_sharing,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        from dashboard.app import create_app
        from dashboard.running import logs

        logs.start()
        return create_app(self._data_dir, self._settings).server

    def _read_settings(self) -> None:
        """Settings that went wrong while the server runs do not stop it: it goes on with those it has."""
        try:
            self._settings = read_settings(self._settings_file) if self._settings_file else Settings()
        except SettingsProblem as problem:
            click.echo(JsonLines().format(logging.makeLogRecord({"msg": str(problem), "levelname": "ERROR"})), err=True)

    def _greet(self, _: Any) -> None:
        click.echo(self._greeting)

    def _share(self, _: Any) -> None:
        """Give the workers folders for what they count and what they draw (dashboard/running/metrics.py, shelf.py)."""
        os.environ[_SHARED_COUNTS] = tempfile.mkdtemp(prefix="naerblik-counts-")
        os.environ[_SHARED_VIEWS] = tempfile.mkdtemp(prefix="naerblik-views-")

    def _share_views_anew(self, _: Any) -> None:
        """New workers may have new code, which draws otherwise."""
        shutil.rmtree(os.environ[_SHARED_VIEWS], ignore_errors=True)
        os.environ[_SHARED_VIEWS] = tempfile.mkdtemp(prefix="naerblik-views-")

    def _stop_sharing(self, _: Any) -> None:
        for folder in (_SHARED_COUNTS, _SHARED_VIEWS):
            shutil.rmtree(os.environ[folder], ignore_errors=True)

    def _leave(self, _: Any, worker: Any) -> None:
        """End a worker that has answered all it was asked without taking Python apart: threads still count ahead."""
        if worker.booted:
            os._exit(0)

    def _forget_worker(self, _: Any, worker: Any) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)

    def _warm_up(self, worker: Any) -> None:
        """Make the first request here: Dash registers its callbacks then, and parallel first visitors would meet none.

        (One that needs no log-in.) Then count ahead, beside the visitors.
        """
        from dashboard.running.warmth import keep_warm

        worker.app.wsgi().test_client().get("/live")
        keep_warm(self._data_dir)


if __name__ == "__main__":
    main()

"""Whether the process lives, and whether it can show the newest release."""

from pathlib import Path

from flask import Flask

from kpis.release import ReleaseError, current_release, release_problem


def register(server: Flask, data_dir: Path) -> None:
    """Add ``/live`` (always 200) and ``/ready`` (200 with the release id, 503 with what is wrong)."""

    @server.get("/live")
    def live() -> tuple[str, int, dict[str, str]]:
        return "live\n", 200, _PLAIN

    @server.get("/ready")
    def ready() -> tuple[str, int, dict[str, str]]:
        try:
            release = current_release(data_dir)
        except ReleaseError:
            return "no release to show\n", 503, _PLAIN
        if release_problem(data_dir):
            return f"showing {release.id}, the newest release cannot be read\n", 503, _PLAIN
        return f"{release.id}\n", 200, _PLAIN


_PLAIN = {"Content-Type": "text/plain; charset=utf-8"}

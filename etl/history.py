"""The history of landed files: a delivery joins it whole, and only together with a release that was published.

    build/incoming/      landed and pseudonymised, not part of anything yet
    build/joining.json   which files are joining, and what CURRENT said before
    build/history/       what releases are built from; a file in it is never changed

A delivery whose release is stopped by an audit, a full disk or a kill leaves the history again: else the next build
would count it unasked. The journal `joining.json` is what a later run decides by: where CURRENT has moved on, the
release was published and the files stay; where it has not, they go.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from etl.disk import replace_text, sync
from etl.land import DEATHS, Landed, suffix_of


@contextmanager
def joined(landed: list[Landed], data_dir: Path) -> Iterator[None]:
    """The landed files are part of the history for as long as the block lasts, and for good when it succeeds."""
    build = data_dir / "build"
    incoming, history = build / "incoming", build / "history"
    all_names = dict.fromkeys(name for file in landed for name in _names(file))  # a file may be delivered as two copies
    names = [name for name in all_names if _is_new(name, incoming, history)]
    for name in names:
        sync(incoming / name)
    replace_text(build / "joining.json", json.dumps({"names": names, "current_before": _pointer(data_dir)}))
    try:
        for name in names:
            (history / name).parent.mkdir(parents=True, exist_ok=True)
            (incoming / name).replace(history / name)
        for folder in {(history / name).parent for name in names} | {history}:
            if folder.exists():
                sync(folder)
        yield
    except BaseException:
        settle(data_dir)
        raise
    (build / "joining.json").unlink()


def leave(sha256s: Iterable[str], data_dir: Path) -> None:
    """Take deliveries out of the history, by their hashes; the next build is without them, and from the beginning.

    Call it only as the one writer of the folder.
    """
    build = data_dir / "build"
    shutil.rmtree(build / "standing", ignore_errors=True)  # it counts them
    for sha256 in sha256s:
        for left in (build / "history").glob(f"*/{sha256}.*"):
            left.unlink()


def settle(data_dir: Path) -> None:
    """Bring the data folder into order after a run that was interrupted; nothing to do after one that was not.

    Call it only as the one writer of the folder.
    """
    build = data_dir / "build"
    journal = build / "joining.json"
    if journal.exists():
        told = json.loads(journal.read_text(encoding="utf-8"))
        if told["current_before"] == _pointer(data_dir):
            for name in told["names"]:
                (build / "history" / name).unlink(missing_ok=True)
        journal.unlink()
    shutil.rmtree(build / "incoming", ignore_errors=True)
    for left in (*(build / "history").glob(".spill-*"), *build.glob(".standing-*")):
        shutil.rmtree(left, ignore_errors=True)


def _names(file: Landed) -> tuple[str, ...]:
    rows = f"{file.path_name}{suffix_of(file.kind)}"
    return (f"{DEATHS}/{file.sha256}.parquet", rows, f"{file.path_name}.json")


def _is_new(name: str, incoming: Path, history: Path) -> bool:
    return (incoming / name).exists() and not (history / name).exists()


def _pointer(data_dir: Path) -> str | None:
    path = data_dir / "releases" / "CURRENT"
    return path.read_text(encoding="utf-8") if path.exists() else None

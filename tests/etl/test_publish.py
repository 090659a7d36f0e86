"""The publication itself: verified against what is in memory, in order on the disk, five kept, back only to what may be."""

import json
import os
from pathlib import Path

import polars as pl
import pytest

import etl.publish
from etl.disk import DiskProblem, disk_problems_named
from etl.history import settle
from etl.publish import (
    KEPT_RELEASES,
    PublishProblem,
    current_or_none,
    go_to,
    one_writer,
    point_to,
    pointed_to,
    publish,
    published,
    rollback,
)
from etl.warehouse import ReleaseFile
from kpis.release import CONTRACT, ReleaseError, open_release
from tests.helpers import DATA_FROM, to_frame

PROTECTED = {"method": "rounding", "base": 5}


def tables(goals: int) -> dict[str, pl.DataFrame]:
    """A release's tables, all empty but `goal` with so many rows."""
    empty = {name: to_frame(name, []) for name in CONTRACT["tables"] if name != "manifest"}
    rows = [(f"g{n}", "x", "country", "DK", "common", "long", 1.0, "2024", 2.0, DATA_FROM) for n in range(goals)]
    return empty | {"goal": to_frame("goal", rows)}


def facts(**others: object) -> dict[str, object]:
    return {
        "data_from": "2024-01-01", "as_of": "2024-07-01", "provisional_from": "2024-04-01", "is_synthetic": True,
        "protection": PROTECTED,
    } | others  # fmt: skip


def publish_goals(data: Path, goals: int, **others: object) -> Path:
    with one_writer(data):
        return publish(tables(goals), facts(**others), data / "releases", current_or_none(data)).path


def test_a_release_is_new_when_figures_or_shown_facts_differ_and_only_then(tmp_path: Path) -> None:
    first = publish_goals(tmp_path, 1)
    assert publish_goals(tmp_path, 1, code_version="other code, same figures") == first
    second = publish_goals(tmp_path, 1, provisional_from="2024-05-01")
    assert second != first and open_release(tmp_path).manifest["provisional_from"] == "2024-05-01"
    assert publish_goals(tmp_path, 2) not in (first, second)


def test_five_are_kept_and_names_keep_their_order_when_the_clock_goes_back(tmp_path: Path, monkeypatch) -> None:
    for goals in range(KEPT_RELEASES + 2):
        publish_goals(tmp_path, goals)
    kept = published(tmp_path)
    assert len(kept) == KEPT_RELEASES and kept[-1] == pointed_to(tmp_path)

    class Yesterday(etl.publish.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) - etl.publish.timedelta(days=1)

    monkeypatch.setattr(etl.publish, "datetime", Yesterday)
    assert publish_goals(tmp_path, 99).name > kept[-1].name


class LosingRows(ReleaseFile):
    """A file that loses rows on the way to the disk, as a library with a fault would."""

    def finish(self) -> None:
        self._connection.execute("delete from goal where goal_id = (select max(goal_id) from goal)")
        super().finish()


def test_rows_that_do_not_reach_the_disk_stop_the_publication(tmp_path: Path, monkeypatch) -> None:
    publish_goals(tmp_path, 1)
    monkeypatch.setattr(etl.publish, "ReleaseFile", LosingRows)
    with pytest.raises(PublishProblem, match=r"does not read back.*goal"):
        publish_goals(tmp_path, 3)
    assert len(published(tmp_path)) == 1 and open_release(tmp_path).sql("from goal").height == 1


def test_everything_is_on_the_disk_before_the_pointer_moves(tmp_path: Path, monkeypatch) -> None:
    """The order of syncs and renames: file, its name, the pointer's new text, the pointer, its name."""
    done: list[str] = []

    def name_of(target) -> str:
        path = str(Path(f"/proc/self/fd/{target}").readlink()) if isinstance(target, int) else str(target)
        name = Path(path).name
        return ".build" if name.startswith(".build") else "folder" if Path(path).is_dir() else name

    for call in ("fsync", "rename", "replace"):
        real = getattr(os, call)
        monkeypatch.setattr(
            os,
            call,
            lambda target, *rest, call=call, real=real: (done.append(f"{call} {name_of(target)}"), real(target, *rest)),
        )
    publish_goals(tmp_path, 1)
    assert done == [
        "fsync .build",
        "fsync .publishing.tmp", "replace .publishing.tmp", "fsync folder",
        "rename .build", "fsync folder",
        "fsync CURRENT.tmp", "replace CURRENT.tmp", "fsync folder",
    ]  # fmt: skip


def test_a_file_that_the_pointer_never_reached_is_no_release_to_go_back_to(tmp_path: Path) -> None:
    first, second = publish_goals(tmp_path, 1), publish_goals(tmp_path, 2)
    releases = tmp_path / "releases"
    cut_off = releases / second.name.replace("v20", "v30")
    cut_off.write_bytes(second.read_bytes())
    (releases / ".publishing").write_text(cut_off.name)
    (releases / ".build-1.duckdb").touch()
    (releases / ".build-1.duckdb.wal").touch()
    (releases / "CURRENT.tmp").write_text("half")
    with one_writer(tmp_path):
        pass
    assert sorted(path.name for path in releases.iterdir()) == sorted(["CURRENT", first.name, second.name])


def test_what_was_published_stays_though_its_last_note_stayed_behind(tmp_path: Path) -> None:
    release = publish_goals(tmp_path, 1)
    (tmp_path / "releases" / ".publishing").write_text(release.name)
    with one_writer(tmp_path):
        pass
    assert published(tmp_path) == [release]


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with one_writer(tmp_path), pytest.raises(PublishProblem, match="another load is running"), one_writer(tmp_path):
        pass
    with one_writer(tmp_path):
        pass


def test_rollback_goes_to_the_newest_sound_release_before(tmp_path: Path) -> None:
    first, second, third = (publish_goals(tmp_path, goals) for goals in (1, 2, 3))
    second.write_bytes(second.read_bytes()[:5000])
    assert rollback(tmp_path) == first == open_release(tmp_path).path
    with pytest.raises(PublishProblem, match="oldest release kept"):
        rollback(tmp_path)
    with pytest.raises(ReleaseError, match="damaged"):
        go_to(second, tmp_path)
    assert go_to(third, tmp_path) == open_release(tmp_path).path


def test_a_damaged_current_release_is_no_obstacle_to_go_back(tmp_path: Path) -> None:
    first, second = publish_goals(tmp_path, 1), publish_goals(tmp_path, 2)
    second.write_bytes(second.read_bytes()[:5000])
    assert current_or_none(tmp_path) is None
    assert rollback(tmp_path) == first == open_release(tmp_path).path


@pytest.mark.parametrize("is_current_sound", [True, False])
def test_nobody_goes_back_to_a_release_with_another_protection(tmp_path: Path, is_current_sound: bool) -> None:
    bare = publish_goals(tmp_path, 1, protection={"method": "none", "base": 1})
    current = publish_goals(tmp_path, 2)
    if not is_current_sound:
        current.write_bytes(current.read_bytes()[:5000])
    seen = []
    real, etl.publish.point_to = point_to, lambda release: seen.append(release)
    try:
        for way in (lambda: rollback(tmp_path), lambda: go_to(bare, tmp_path)):
            with pytest.raises(PublishProblem, match="protect"):
                way()
    finally:
        etl.publish.point_to = real
    assert not seen and pointed_to(tmp_path) == current  # not even for a moment


def test_nothing_published_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(PublishProblem, match="nothing was published"):
        rollback(tmp_path)


def joining(data: Path, current_before: str | None) -> Path:
    """A data folder whose load was cut off while a file joined the history; returns the file."""
    landed = data / "build" / "history" / "lpr_contacts" / "abc.arrow"
    landed.parent.mkdir(parents=True)
    landed.touch()
    told = {"names": ["lpr_contacts/abc.arrow"], "current_before": current_before}
    (data / "build" / "joining.json").write_text(json.dumps(told))
    return landed


def test_a_delivery_whose_release_was_not_published_leaves_the_history(tmp_path: Path) -> None:
    release = publish_goals(tmp_path, 1)
    landed = joining(tmp_path, release.name + "\n")
    settle(tmp_path)
    assert not landed.exists() and not (tmp_path / "build" / "joining.json").exists()


def test_a_delivery_whose_release_was_published_stays(tmp_path: Path) -> None:
    publish_goals(tmp_path, 1)
    landed = joining(tmp_path, None)
    settle(tmp_path)
    assert landed.exists() and not (tmp_path / "build" / "joining.json").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "/data/x"), "/data/x: the disk is full"),
        (OSError(5, "Input/output error"), "the disk cannot be used"),
        (RuntimeError("IO Error: Could not write file: No space left on device"), "the disk is full"),
        (RuntimeError("could not offload 1 GiB: max_temp_directory_size was reached"), "the disk is full"),
    ],
)
def test_disk_problems_are_named_with_remedy_and_what_became_of_the_release(
    error: Exception, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DiskProblem) as problem, disk_problems_named(tmp_path):
        raise error
    assert said in str(problem.value) and "the release before stays" in str(problem.value)
    assert "run it again" in str(problem.value)


def test_other_errors_are_no_disk_problems(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing of the disk"), disk_problems_named(tmp_path):
        raise ValueError("nothing of the disk")


def test_after_the_pointer_moved_a_disk_problem_says_that_the_release_is_out(tmp_path: Path) -> None:
    with pytest.raises(DiskProblem, match="was published whole"), disk_problems_named(tmp_path):
        publish_goals(tmp_path, 1)
        raise OSError(5, "Input/output error")

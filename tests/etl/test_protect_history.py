"""What a data folder remembers of its releases: kept on the secure side, used by the next load, never needed for one."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from deliveries import contact_line, write_contacts, write_folder

from etl.load import Silent, load, rebuild
from etl.protect import ROUNDED, UNPROTECTED, Protection
from etl.publish import PublishProblem, go_to, published, rollback
from etl.remembered import FILE
from kpis.release import open_release

AS_OF = date(2024, 7, 1)


def load_late(data: Path, first: int, n: int) -> pl.DataFrame:
    """Load `n` contacts more of 0860 in March; the cube that is published then."""
    lines = [
        contact_line(first + number, f"71015{first + number:05d}", "2024-03-05 10:00", "2024-03-07 10:00")
        for number in range(n)
    ]
    write_contacts(data.parent / f"late{first}.csv", lines)
    load([data.parent / f"late{first}.csv"], data, as_of=AS_OF, accept_change="test")
    return cube_of(data)


def cube_of(data: Path) -> pl.DataFrame:
    return open_release(data).sql("select * from cube order by all")


def first_load(tmp_path: Path, name: str = "data") -> Path:
    folder = tmp_path / "in" if (tmp_path / "in").exists() else write_folder(tmp_path / "in")
    load([folder], tmp_path / name, as_of=AS_OF)
    return tmp_path / name


def copy_keys(source: Path, target: Path) -> None:
    (target / "build" / "keys").mkdir(parents=True)
    for name in ("pseudonym.key", "protection.key"):
        (target / "build" / "keys" / name).write_bytes((source / "build" / "keys" / name).read_bytes())
        (target / "build" / "keys" / name).chmod(0o400)


def test_late_contacts_move_their_own_month_and_nothing_else(tmp_path: Path) -> None:
    data = first_load(tmp_path)
    before = cube_of(data)
    after = load_late(data, 100, 4)
    march = (pl.col("month") == date(2024, 3, 1)) & (pl.col("municipality_code") == "0860")
    # readmissions of those discharged the month before may change as well
    near = pl.col("month").is_between(date(2024, 2, 1), date(2024, 3, 1)) & (pl.col("municipality_code") == "0860")
    assert after.filter(~near).equals(before.filter(~near))
    assert after.filter(march)["n_stay"].sum() >= before.filter(march)["n_stay"].sum()


def test_the_memory_lies_on_the_secure_side_and_in_no_release(tmp_path: Path) -> None:
    data = first_load(tmp_path)
    assert (data / FILE).is_file() and FILE.parts[0] == "build"
    assert {path.suffix for path in (data / "releases").iterdir()} <= {".duckdb", ""}


def test_losing_the_memory_stops_a_build_until_somebody_says_that_it_is_lost(tmp_path: Path) -> None:
    data = first_load(tmp_path)
    (data / FILE).unlink()
    with pytest.raises(PublishProblem, match="together tell more than they may"):
        rebuild(data, as_of=AS_OF, protection=ROUNDED, accept_change=None, progress=Silent())
    assert load_late(data, 100, 3).height
    (data / FILE).write_bytes(b"damaged")
    assert load_late(data, 200, 3).height
    assert (data / FILE).stat().st_size > 1000


def test_the_same_history_of_publications_gives_the_same_counts_through_a_rollback(tmp_path: Path) -> None:
    one, other = first_load(tmp_path, "one"), tmp_path / "other"
    copy_keys(one, other)
    first_load(tmp_path, "other")
    found = []
    for data in (one, other):
        load_late(data, 100, 7)
        rollback(data)
        again = load_late(data, 300, 2)  # builds on all that was landed; what was seen before the rollback is kept
        found.append(again)
    assert found[0].equals(found[1])


def test_after_a_rollback_the_same_counts_are_published_as_before_it(tmp_path: Path) -> None:
    data = first_load(tmp_path)
    newest = load_late(data, 100, 7)
    rollback(data)
    assert not cube_of(data).equals(newest)
    rebuild(data, as_of=AS_OF, protection=ROUNDED, accept_change="test", progress=Silent())
    assert cube_of(data).equals(newest)


def test_another_base_is_another_protection_and_nothing_is_rolled_back_to_it(tmp_path: Path) -> None:
    data = first_load(tmp_path)
    coarse = Protection(ROUNDED.method, 10, 5)
    rebuild(data, as_of=AS_OF, protection=coarse, accept_change="test", progress=Silent())
    assert (cube_of(data)["n_acute"] % 10 == 0).all()
    for way in (lambda: rollback(data), lambda: go_to(published(data)[0], data)):
        with pytest.raises(PublishProblem, match="base"):
            way()


def test_an_unprotected_release_leaves_no_memory(tmp_path: Path) -> None:
    load([write_folder(tmp_path / "in")], tmp_path / "data", as_of=AS_OF, protection=UNPROTECTED)
    assert not (tmp_path / "data" / FILE).exists()

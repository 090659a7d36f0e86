"""Data folders that earlier versions made: the next month loads with this one, and nothing that was loaded is lost.

`earlier/` holds such folders, each of a first load of tests/etl/deliveries.py (360 stays), one for each change of what
lies on the disk. A version that changes the sidecars of the history, the tables of a release, or anything else that
outlives a process adds one more.

| folder | what it has that later ones have not |
|---|---|
| 1 | a release without the tables welfare and baseline; findings in one language (`message`) |
| 2 | the tables of today; findings in one language |
| 3 | findings in both languages, the rounding's memory (`build/protection`), what is standing between loads |
| 4 | the tables of today; contacts landed as Parquet, as in all before it |
"""

import tarfile
from pathlib import Path

import pytest
from deliveries import contact_line, write_contacts

from dashboard.view import show
from etl.backup import backup, restore
from etl.load import load
from etl.protect import UNPROTECTED
from kpis.release import ReleaseError, open_release

EARLIER = sorted((Path(__file__).parent / "earlier").glob("*.tar.xz"))
STAYS = "select sum(n_stay)::bigint as n from cube where group_id = 'all'"


@pytest.fixture(params=EARLIER, ids=lambda path: path.name.partition(".")[0])
def data(request, tmp_path) -> Path:
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path / "data", filter="data")
    return tmp_path / "data"


def test_the_next_month_joins_what_was_loaded(data, tmp_path) -> None:
    write_contacts(tmp_path / "more.csv", [contact_line(900_001, "7101500001", "2024-03-05 10:00", "2024-03-07 10:00")])
    report = load([tmp_path / "more.csv"], data, protection=UNPROTECTED)
    assert report.published is not None
    assert open_release(data).sql(STAYS).item() == 361


def test_what_was_published_is_shown_or_said_to_be_of_another_version(data) -> None:
    try:
        open_release(data)
    except ReleaseError as problem:
        assert "made by another version" in str(problem)
    assert show(data, "/", "").title  # a page in either case


def test_a_copy_of_it_can_be_made_and_put_back(data, tmp_path) -> None:
    backup(data, tmp_path / "copy.tar")
    assert restore(tmp_path / "copy.tar", tmp_path / "new").has_keys


def test_there_are_folders_to_upgrade() -> None:
    assert len(EARLIER) >= 3

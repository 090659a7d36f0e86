"""The drill: a data folder is copied, lost, put back – the same release is served, and the next month loads."""

import io
import os
import shutil
import stat
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from deliveries import contact_line, write_contacts, write_folder

import etl.backup
from etl.__main__ import main
from etl.backup import BackupProblem, backup, restore
from etl.load import load
from etl.protect import UNPROTECTED
from etl.pseudonym import KeyProblem
from etl.words import Problem
from kpis.release import open_release

STAYS = "select sum(n_stay)::bigint as n from cube where group_id = 'all'"


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory) -> Path:
    """A data folder with a release, and with something that a reader saved."""
    folder = tmp_path_factory.mktemp("lived-in")
    load([write_folder(folder / "in")], folder / "data", protection=UNPROTECTED)
    (folder / "data" / "web" / "agendas").mkdir(parents=True)
    (folder / "data" / "web" / "agendas" / "board.toml").write_text('title = "Møde"', "utf-8")
    return folder / "data"


def next_month(tmp_path: Path) -> Path:
    path = tmp_path / "more.csv"
    write_contacts(path, [contact_line(900_001, "7101500001", "2024-03-05 10:00", "2024-03-07 10:00")])
    return path


def contents(data: Path) -> dict[str, bytes]:
    files = (path for path in data.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(data).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("is_apart", [False, True], ids=["keys in the copy", "keys apart"])
def test_the_drill(lived_in, tmp_path, is_apart: bool) -> None:
    data = tmp_path / "data"
    shutil.copytree(lived_in, data)
    keys = tmp_path / "keys.tar" if is_apart else None
    before = contents(data)
    assert backup(data, tmp_path / "copy.tar", keys).has_keys is not is_apart
    shutil.rmtree(data)
    assert restore(tmp_path / "copy.tar", data, keys).has_keys
    assert contents(data) == before
    stays = open_release(data).sql(STAYS).item()
    load([next_month(tmp_path)], data, protection=UNPROTECTED)
    assert open_release(data).sql(STAYS).item() == stays + 1


def test_copies_are_their_owners_alone(lived_in, tmp_path) -> None:
    backup(lived_in, tmp_path / "copy.tar", tmp_path / "keys.tar")
    for name in ("copy.tar", "keys.tar"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    keys = {path.read_bytes() for path in (lived_in / "build" / "keys").iterdir()}
    copy = (tmp_path / "copy.tar").read_bytes()
    assert keys and not any(key in copy for key in keys)


def test_a_copy_without_keys_says_what_is_missing(lived_in, tmp_path) -> None:
    backup(lived_in, tmp_path / "copy.tar", tmp_path / "keys.tar")
    with pytest.raises(BackupProblem, match="--keys-from"):
        restore(tmp_path / "copy.tar", tmp_path / "new")
    assert contents(tmp_path / "new") == {}
    shutil.copytree(lived_in, tmp_path / "lost")
    shutil.rmtree(tmp_path / "lost" / "build" / "keys")
    with pytest.raises(KeyProblem):
        load([next_month(tmp_path)], tmp_path / "lost", protection=UNPROTECTED)


def test_keys_are_also_taken_from_a_whole_copy(lived_in, tmp_path) -> None:
    backup(lived_in, tmp_path / "copy.tar", tmp_path / "keys.tar")
    backup(lived_in, tmp_path / "whole.tar")
    assert restore(tmp_path / "copy.tar", tmp_path / "new", tmp_path / "whole.tar").has_keys
    assert contents(tmp_path / "new") == contents(lived_in)
    with pytest.raises(BackupProblem, match=r"copy\.tar: the keys are not in the copy"):
        restore(tmp_path / "copy.tar", tmp_path / "other", tmp_path / "copy.tar")
    assert contents(tmp_path / "other") == {}


def test_nothing_is_overwritten(lived_in, tmp_path) -> None:
    (tmp_path / "copy.tar").write_text("a file of somebody")
    with pytest.raises(BackupProblem, match="not overwritten"):
        backup(lived_in, tmp_path / "copy.tar")
    backup(lived_in, tmp_path / "other.tar")
    before = contents(lived_in)
    with pytest.raises(BackupProblem, match="in use"):
        restore(tmp_path / "other.tar", lived_in)
    assert contents(lived_in) == before


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("how", ["cut", "flipped"])
def test_a_damaged_copy_changes_nothing(lived_in, tmp_path, share: float, how: str) -> None:
    backup(lived_in, tmp_path / "copy.tar")
    with tarfile.open(tmp_path / "copy.tar") as archive:
        entries = [entry for entry in archive if entry.size]
    entry = entries[int(share * len(entries))]
    at = entry.offset_data + entry.size // 2
    whole = (tmp_path / "copy.tar").read_bytes()
    broken = whole[:at] if how == "cut" else whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    (tmp_path / "broken.tar").write_bytes(broken)
    with pytest.raises(BackupProblem):
        restore(tmp_path / "broken.tar", tmp_path / "new")
    assert contents(tmp_path / "new") == {}


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "releases/../../evil", "raw/evil", "releases"])
def test_a_foreign_archive_writes_nowhere(tmp_path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = 4
    with tarfile.open(tmp_path / "copy.tar", "w") as archive:
        archive.addfile(entry, io.BytesIO(b"evil"))
    with pytest.raises(BackupProblem):
        restore(tmp_path / "copy.tar", tmp_path / "new")
    assert contents(tmp_path / "new") == {}


def test_the_commands_say_what_they_did(lived_in, tmp_path) -> None:
    made = CliRunner().invoke(main, ["backup", str(tmp_path / "copy.tar"), "--data", str(lived_in)])
    assert made.exit_code == 0 and "med nøglerne" in made.output
    back = CliRunner().invoke(
        main, ["restore", str(tmp_path / "copy.tar"), "--data", str(tmp_path / "new"), "--lang", "en"]
    )
    assert back.exit_code == 0 and f"{open_release(lived_in).id} is shown" in back.output
    again = CliRunner().invoke(main, ["restore", str(tmp_path / "copy.tar"), "--data", str(tmp_path / "new")])
    assert again.exit_code == 1 and "Traceback" not in again.output


def test_what_comes_back_is_open_to_nobody_else_not_even_meanwhile(lived_in, tmp_path, monkeypatch) -> None:
    backup(lived_in, tmp_path / "copy.tar")
    left = tmp_path / "new" / ".restoring-of-a-killed-run"
    left.mkdir(parents=True)
    (left / "key").touch()
    modes = []
    read = etl.backup._read

    def looking(source, folder):
        modes.append(folder.stat().st_mode & 0o777)
        return read(source, folder)

    monkeypatch.setattr(etl.backup, "_read", looking)
    before = os.umask(0o022)
    try:
        restore(tmp_path / "copy.tar", tmp_path / "new")
    finally:
        os.umask(before)
    assert modes == [0o700] and (tmp_path / "new" / "build").stat().st_mode & 0o777 == 0o700
    assert not left.exists()


@pytest.mark.parametrize("name", ["build/history/lpr_contacts/*.arrow", "releases/*.duckdb"])
def test_damage_is_not_copied(lived_in, tmp_path, name: str) -> None:
    data = tmp_path / "data"
    shutil.copytree(lived_in, data)
    [file] = data.glob(name)
    content = bytearray(file.read_bytes())
    content[len(content) // 3 :: 512] = b"\x55" * len(content[len(content) // 3 :: 512])
    file.write_bytes(content)
    with pytest.raises(Problem, match=file.name):
        backup(data, tmp_path / "copy.tar")
    assert not (tmp_path / "copy.tar").exists()

"""Views that workers share: drawn once, drawn again where what is kept is not sound, and never another role's."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard import shelf, view
from dashboard.guard import access
from dashboard.guard.access import User, roles_up_to
from dashboard.memory import Memory
from dashboard.shelf import SHARED_FOLDER, Shelf, shelf_of
from kpis.release import current_release, open_release
from tests.helpers import build_release


@pytest.fixture
def shared(tmp_path, monkeypatch) -> Path:
    """The folder that workers share."""
    folder = tmp_path / "shared"
    folder.mkdir()
    monkeypatch.setenv(SHARED_FOLDER, str(folder))
    return folder


@pytest.fixture
def another_worker(monkeypatch) -> Callable[[], None]:
    """Go on as a worker that has drawn nothing yet."""

    def begin() -> None:
        memory: Memory[view.Drawn] = Memory(view.MOST_VIEWS)
        monkeypatch.setattr(view, "_drawn", lambda _: memory)
        monkeypatch.setattr(view, "_shelf", shelf_of)

    return begin


@pytest.fixture
def drawn(monkeypatch) -> list[str]:
    """The paths of the views that are drawn, in turn."""
    paths: list[str] = []
    show = view.show
    monkeypatch.setattr(view, "show", lambda data, path, query: paths.append(path) or show(data, path, query))
    return paths


def test_a_view_is_drawn_once_for_all_workers(country_data, shared, another_worker, drawn) -> None:
    another_worker()
    first = view.draw(country_data, "/k/morsoe", "sprog=en")
    another_worker()
    second = view.draw(country_data, "/k/morsoe", "sprog=en")
    assert drawn == ["/k/morsoe"]
    assert second == first and second is not first
    assert view.draw(country_data, "/k/morsoe", "") != first and len(drawn) == 2


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "gone", "folder gone"])
def test_what_is_not_sound_is_drawn_again(country_data, shared, another_worker, drawn, damage: str) -> None:
    another_worker()
    first = view.draw(country_data, "/om", "omraade=k-morsoe")
    (file,) = shared.glob("*/*")
    content = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(content[:-1])
        case "changed":
            file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "empty":
            file.write_bytes(b"")
        case "gone":
            file.unlink()
        case "folder gone":
            shutil.rmtree(shared)
    another_worker()
    assert view.draw(country_data, "/om", "omraade=k-morsoe") == first
    assert drawn == ["/om", "/om"]
    assert damage == "folder gone" or file.read_bytes() == content


def test_what_a_role_may_see_is_its_own(country_data, shared, another_worker, drawn, monkeypatch) -> None:
    known: dict[str, view.Drawn] = {}
    for role in ("viewer", "editor", "viewer", "editor"):
        user = User(role, roles_up_to([role]))
        for place in (view, access):
            monkeypatch.setattr(place, "current_user", lambda user=user: user)
        another_worker()
        found = view.draw(country_data, "/effekt/ny", "")
        assert found == known.setdefault(role, found)
    assert drawn == ["/effekt/ny"] * 2, "once for each role"
    assert "<form" in known["editor"].markup and "<form" not in known["viewer"].markup


def test_trouble_is_not_shared(country_data, shared, another_worker, drawn, monkeypatch) -> None:
    monkeypatch.setitem(view.PAGE_FUNCTIONS, "about", lambda *_: 1 // 0)
    for _ in range(2):
        another_worker()
        assert view.draw(country_data, "/om", "omraade=k-morsoe").address == ""
    assert drawn == ["/om", "/om"] and not list(shared.glob("*/*"))


def test_the_shelf_of_a_release_goes_when_another_is_current(tmp_path, country, shared) -> None:
    old = shelf_of(country)
    old.keep(("a",), b"old")
    build_release(tmp_path / "data")
    new = shelf_of(open_release(tmp_path / "data"))
    assert old.find(("a",)) is None and list(shared.iterdir()) == []
    new.keep(("a",), b"new")
    assert new.find(("a",)) == b"new" and old.find(("a",)) is None


def test_a_view_of_an_earlier_release_is_not_shared(country_data, shared, another_worker, monkeypatch) -> None:
    another_worker()
    current = current_release(country_data)
    earlier = open_release(country_data)
    monkeypatch.setattr(view, "release_shown", lambda *_: (earlier, []))
    assert earlier is not current
    view.draw(country_data, "/om", "")
    assert list(shared.iterdir()) == []


@pytest.mark.parametrize(("files", "size"), [(3, 10**9), (10**9, 3 * (32 + 4))])
def test_a_shelf_holds_so_many_files_and_bytes(tmp_path, monkeypatch, files: int, size: int) -> None:
    for name, value in {"MOST_FILES": files, "MOST_BYTES": size, "_LOOK_EVERY": 5}.items():
        monkeypatch.setattr(shelf, name, value)
    kept = Shelf(tmp_path / "shelf")
    for number in range(10):
        kept.keep((number,), f"{number:04}".encode())
    found = [kept.find((number,)) for number in range(10)]
    assert found == [None] * 7 + [b"0007", b"0008", b"0009"]


def test_without_a_folder_nothing_is_shared(country, monkeypatch) -> None:
    monkeypatch.delenv(SHARED_FOLDER, raising=False)
    assert shelf_of(country) is None

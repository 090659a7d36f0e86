import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import kpis.release
from kpis.period import add_months
from kpis.release import (
    CONTRACT,
    NoRelease,
    NoSuchRelease,
    ReleaseError,
    current_release,
    kept_release,
    kept_releases,
    open_release,
    per_release,
    release_before,
    release_problem,
)
from tests.helpers import AS_OF, tiny_release


@pytest.fixture
def without_waiting(monkeypatch):
    """Look at CURRENT at every call instead of every other second."""
    monkeypatch.setattr(kpis.release, "_RECHECK_SECONDS", 0.0)


def damage(release):
    """Overwrite the middle of the file, where the tables are."""
    content = bytearray(release.path.read_bytes())
    for position in range(12288, len(content), 512):
        content[position] ^= 0xFF
    release.path.write_bytes(content)


def test_a_query_with_parameters_gives_a_frame(tmp_path):
    release = tiny_release(tmp_path, population=[("0101", AS_OF, 1, 65, 7), ("0147", AS_OF, 1, 65, 9)])
    found = release.sql("select persons from population where municipality_code = $code", code="0147")
    assert found.rows() == [(9,)]


def test_the_manifest_is_parsed_from_json(tmp_path):
    release = tiny_release(tmp_path, manifest={"protection": {"base": 5}, "is_synthetic": False})
    assert release.manifest["protection"] == {"base": 5}
    assert release.manifest["is_synthetic"] is False
    assert release.date("as_of") == AS_OF


def test_a_release_cannot_be_written_and_reaches_nothing_else(tmp_path):
    release = tiny_release(tmp_path)
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    frame_of_this_process = release.sql("select 1 as a")  # noqa: F841
    for query in (
        "insert into goal (goal_id) values ('x')",
        f"select * from read_csv('{secret}')",
        f"copy (select 1) to '{tmp_path / 'out.csv'}'",
        "select * from frame_of_this_process",
        "set enable_external_access = true",
        "install httpfs",
        f"attach '{tmp_path / 'other.duckdb'}'",
    ):
        with pytest.raises(Exception, match=r"(?i)error"):
            release.sql(query)


def test_without_a_release_the_error_says_what_to_do(tmp_path):
    with pytest.raises(NoRelease, match="make run"):
        open_release(tmp_path)
    with pytest.raises(NoRelease, match="python -m etl load"):
        current_release(tmp_path)


def test_a_pointer_cannot_leave_its_folder(tmp_path):
    tiny_release(tmp_path)
    (tmp_path / "releases/CURRENT").write_text("../../etc/passwd")
    with pytest.raises(ReleaseError, match="expected the name of a file in the same folder"):
        open_release(tmp_path)


def test_another_shape_than_the_contract_is_named_table_by_table(tmp_path, monkeypatch):
    tiny_release(tmp_path)
    tables = {**CONTRACT["tables"], "weather": {"columns": {"day": "DATE"}}}
    tables["goal"] = {"columns": {"goal_id": "INTEGER"}}
    monkeypatch.setattr(kpis.release, "CONTRACT", {**CONTRACT, "tables": tables})
    with pytest.raises(ReleaseError) as error:
        open_release(tmp_path)
    assert "table weather is missing" in str(error.value)
    assert "table goal has (goal_id VARCHAR, indicator VARCHAR" in str(error.value)
    assert "expected (goal_id INTEGER)" in str(error.value)


def test_a_manifest_that_lacks_a_fact_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(kpis.release, "REQUIRED_MANIFEST_KEYS", ("release_id", "colour"))
    with pytest.raises(ReleaseError, match="the manifest lacks colour"):
        tiny_release(tmp_path)


def test_a_damaged_file_is_refused_with_its_name(tmp_path):
    release = tiny_release(tmp_path, population=[("0101", add_months(AS_OF, -i), 1, 0, i) for i in range(5000)])
    damage(release)
    with pytest.raises(ReleaseError, match=release.path.name):
        open_release(tmp_path)


def test_a_process_takes_a_new_release(tmp_path, without_waiting):
    tiny_release(tmp_path, name="v1")
    first = current_release(tmp_path)
    assert current_release(tmp_path) is first
    tiny_release(tmp_path, name="v2")
    assert current_release(tmp_path).id == "v2"
    assert first.sql("select 1 as one").rows() == [(1,)]  # whoever still reads the old one is not disturbed


def test_looking_again_is_soon_enough():
    assert kpis.release._RECHECK_SECONDS <= 5


def test_between_two_looks_the_release_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(kpis.release, "_RECHECK_SECONDS", 3600.0)
    tiny_release(tmp_path, name="v1")
    first = current_release(tmp_path)
    tiny_release(tmp_path, name="v2")
    assert current_release(tmp_path) is first


def test_with_nothing_to_show_every_look_is_a_new_one(tmp_path, monkeypatch):
    monkeypatch.setattr(kpis.release, "_RECHECK_SECONDS", 3600.0)
    with pytest.raises(NoRelease):
        current_release(tmp_path)
    tiny_release(tmp_path, name="v1")
    assert current_release(tmp_path).id == "v1"


def test_a_process_keeps_its_release_when_the_newest_is_damaged_and_says_so(tmp_path, without_waiting):
    tiny_release(tmp_path, name="v1")
    assert current_release(tmp_path).id == "v1"
    assert release_problem(tmp_path) is None
    second = tiny_release(tmp_path, name="v2", population=[("0101", AS_OF, 1, 0, 1)])
    sound = second.path.read_bytes()
    damage(second)
    assert current_release(tmp_path).id == "v1"
    assert "v2.duckdb" in release_problem(tmp_path)
    second.path.write_bytes(sound)
    assert current_release(tmp_path).id == "v2"
    assert release_problem(tmp_path) is None


def test_a_process_that_starts_on_a_damaged_release_takes_the_newest_older_one(tmp_path, without_waiting):
    rounded = {"protection": {"method": "rounding", "base": 5}}
    for name in ("v1", "v2", "v4"):  # v4 was rolled back: CURRENT points to v3
        tiny_release(tmp_path, name=name, manifest=rounded)
    tiny_release(tmp_path, name="v2-unprotected")  # newer than v2, but nobody pointed to it
    damage(tiny_release(tmp_path, name="v3"))
    assert current_release(tmp_path).id == "v2"
    assert "v3.duckdb" in release_problem(tmp_path)


def test_a_lost_pointer_leaves_the_release_in_use(tmp_path, without_waiting):
    tiny_release(tmp_path, name="v1")
    current_release(tmp_path)
    pointer = tmp_path / "releases/CURRENT"
    shutil.move(pointer, tmp_path / "CURRENT")
    assert current_release(tmp_path).id == "v1"
    assert "no published release" in release_problem(tmp_path)
    shutil.move(tmp_path / "CURRENT", pointer)
    assert current_release(tmp_path).id == "v1"
    assert release_problem(tmp_path) is None


def test_answers_are_remembered_for_each_release_by_itself(tmp_path):
    calls = []

    @per_release
    def asked(release, word):
        calls.append((release.id, word))
        return word

    first, second = tiny_release(tmp_path / "a", name="v1"), tiny_release(tmp_path / "b", name="v2")
    for release in (first, first, second):
        asked(release, "x")
    asked(first, "y")
    assert calls == [("v1", "x"), ("v2", "x"), ("v1", "y")]


def test_many_threads_can_ask_one_release(country):
    def ask(_):
        return country.sql("select sum(n_acute)::bigint from cube").item()

    start = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(32)))) == 1
    assert time.perf_counter() - start < 60


def test_who_asks_while_another_works_it_out_waits_for_the_answer(tmp_path):
    release, begun, go_on, calls = tiny_release(tmp_path), threading.Event(), threading.Event(), []

    @per_release
    def slow(_):
        calls.append(threading.get_ident())
        begun.set()
        assert go_on.wait(10)
        return len(calls)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(slow, release)
        assert begun.wait(10)
        second = pool.submit(slow, release)
        go_on.set()
        assert (first.result(10), second.result(10)) == (1, 1)
    assert len(calls) == 1


# --- Releases by name -----------------------------------------------------------------------------------------


JANUARY_, FEBRUARY_, MARCH_ = "v20260115T030000Z-a", "v20260215T030000Z-b", "v20260315T030000Z-c"
PROTECTED = {"protection": {"method": "rounding"}}


@pytest.fixture
def three(tmp_path, without_waiting):
    """Three published releases, the last one current."""
    for name in (JANUARY_, FEBRUARY_, MARCH_):
        tiny_release(tmp_path, name, manifest=PROTECTED)
    return tmp_path


def test_an_earlier_release_is_opened_by_its_id_and_only_once(three):
    found = kept_release(three, JANUARY_)
    assert found.id == JANUARY_
    assert kept_release(three, JANUARY_) is found
    assert kept_release(three, MARCH_) is current_release(three)
    assert kept_releases(three) == [MARCH_, FEBRUARY_, JANUARY_]
    assert release_before(current_release(three)) is kept_release(three, FEBRUARY_)  # the same file is open once


def test_a_release_that_was_rolled_back_is_not_shown_by_its_id(three):
    (three / "releases/CURRENT").write_text(f"{FEBRUARY_}.duckdb\n")
    with pytest.raises(NoSuchRelease, match=f"Kept are: {FEBRUARY_}, {JANUARY_}"):
        kept_release(three, MARCH_)


def test_an_unprotected_release_is_not_shown_beside_a_protected_one(three):
    tiny_release(three, "v20260115T030000Z-bare")
    (three / "releases/CURRENT").write_text(f"{MARCH_}.duckdb\n")
    with pytest.raises(NoSuchRelease, match="unprotected"):
        kept_release(three, "v20260115T030000Z-bare")


def test_a_damaged_earlier_release_is_not_there(three):
    damage(open_release(three))
    (three / "releases" / f"{JANUARY_}.duckdb").write_bytes(b"no release")
    with pytest.raises(NoSuchRelease, match="damaged"):
        kept_release(three, JANUARY_)


@pytest.mark.parametrize("name", ["", "v1", "../CURRENT", "v20260115T030000Z-a/../x", "v" * 500, "CURRENT", "v\0"])
def test_no_other_file_is_reached_by_the_id_of_a_release(three, name):
    with pytest.raises(NoSuchRelease, match="is not kept"):
        kept_release(three, name)


def test_few_earlier_releases_are_open_at_a_time(three, monkeypatch):
    monkeypatch.setattr(kpis.release, "_MOST_EARLIER", 1)
    january = kept_release(three, JANUARY_)
    kept_release(three, FEBRUARY_)
    assert kept_release(three, JANUARY_) is not january

"""A release: one immutable DuckDB file of protected counts, and the only place where such a file is read.

    <data>/releases/CURRENT                 one line: the name of the file that is valid now
    <data>/releases/v20260701T0200-….duckdb one release, never changed after it was published

The contract of the tables stands in `release.toml`. How to use it:

    release = current_release(data_dir)     # in a server: cheap, call it once per request
    release = open_release(data_dir)        # in a script: always reads CURRENT anew
    release.manifest["as_of"]
    release.sql("select n_acute from cube where municipality_code = $code", code="0101")
"""

import functools
import json
import logging
import re
import threading
import time
import tomllib
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import duckdb
import polars as pl

P = ParamSpec("P")
T = TypeVar("T")

CONTRACT: Mapping[str, Any] = tomllib.loads(resources.files("kpis").joinpath("release.toml").read_text("utf-8"))
AGE_BANDS: tuple[int, ...] = tuple(CONTRACT["age_bands"])

# What code relies on. The manifest may hold more (deliveries, attrition, rules …).
REQUIRED_MANIFEST_KEYS = (
    "release_id",
    "created",
    "data_from",
    "as_of",
    "provisional_from",
    "is_synthetic",
    "protection",
)

RELEASE_ID = re.compile(r"v[0-9A-Za-z-]{1,60}")
"""What an id looks like; it is the name of the file without its ending."""

_RECHECK_SECONDS = 2.0  # a new release must be seen within 5 s; looking costs one read of a one-line file
_log = logging.getLogger(__name__)


Said = Mapping[Literal["da", "en"], str]  # the same in each language


class ReleaseError(Exception):
    """A release cannot be used: which file, why, and what to do; `said` in both languages, `str()` in English."""

    def __init__(self, said: Said) -> None:
        super().__init__(said["en"])
        self.said = said


def _told(problem: str, **values: object) -> Said:
    """Sentences of `[problems]`; a list among the values is of what was said in each language."""
    return {
        language: sentence.format(
            **{
                name: "; ".join(said[language] for said in value) if isinstance(value, list) else value
                for name, value in values.items()
            }
        )
        for language, sentence in CONTRACT["problems"][problem].items()
    }


class NoRelease(ReleaseError):
    """The data folder holds no published release at all."""


class QueryTooSlow(Exception):
    """A query took longer than `QUERY_SECONDS` and was broken off; nothing is wrong with the release."""


QUERY_SECONDS: ContextVar[float | None] = ContextVar("QUERY_SECONDS", default=None)
"""After how long a query is broken off, in seconds; None = never. A server sets it where it answers others."""


class NoSuchRelease(ReleaseError):
    """The release that was asked for by its id is not kept, or not to be shown beside the current one."""


@dataclass(frozen=True, eq=False)  # identity: two openings of one file are two releases to a cache
class Release:
    """An open release. Threads may share it: every query runs on a cursor of its own."""

    id: str
    path: Path
    manifest: Mapping[str, Any]  # values parsed from JSON
    content: Mapping[str, str]  # `digest` of each table as it was read
    _connection: duckdb.DuckDBPyConnection = field(repr=False)

    def sql(self, query: str, **params: object) -> pl.DataFrame:
        """Rows of `query` over the contract's tables. Parameters are written `$name` in the query.

        Integer sums need `::bigint` in the query, else DuckDB widens them to decimals. Raises QueryTooSlow where
        `QUERY_SECONDS` is set and have passed.
        """
        return _query(self._connection, query, params, QUERY_SECONDS.get())

    def date(self, key: str) -> date:
        """A date of the manifest: `data_from` and `provisional_from` are first days of months,
        `as_of` is the first day after the last delivered month."""
        return date.fromisoformat(self.manifest[key][:10])


def per_release(
    function: Callable[Concatenate[Release, P], T],
) -> Callable[Concatenate[Release, P], T]:
    """Remember the answers of `function(release, …)` for as long as the release itself lives.

    A release never changes, so nothing has to be invalidated; `lru_cache` would keep old releases open. Who asks what
    another thread is working out waits for its answer: just after a start many ask the same. (Functions ask each other
    in one direction only, so that nobody waits for himself.)
    """
    answers: weakref.WeakKeyDictionary[Release, dict[Any, T]] = weakref.WeakKeyDictionary()
    turns: weakref.WeakKeyDictionary[Release, dict[Any, threading.RLock]] = weakref.WeakKeyDictionary()
    lock = threading.Lock()

    @functools.wraps(function)
    def remembered(release: Release, /, *args: P.args, **kwargs: P.kwargs) -> T:
        key = (args, tuple(sorted(kwargs.items())))
        with lock:
            known = answers.setdefault(release, {})
            if key in known:
                return known[key]
            turn = turns.setdefault(release, {}).setdefault(key, threading.RLock())
        with turn:
            if key not in known:
                known[key] = function(release, *args, **kwargs)
        return known[key]

    return remembered


def open_release(data_dir: Path) -> Release:
    """The release that `<data_dir>/releases/CURRENT` names, checked against the contract and read once whole.

    Raises NoRelease when nothing was published, ReleaseError when the file is damaged or of another shape.
    """
    return open_file(_releases_dir(data_dir) / _read_pointer(data_dir))


@dataclass
class _Watch:
    """What a process knows about one data folder."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    checked: float = float("-inf")
    pointer: tuple[str, int] | None = None  # name and time of change, so that a repaired file is tried again
    release: Release | None = None
    problem: Said | None = None


_watches: dict[Path, _Watch] = {}
_watches_lock = threading.Lock()


def current_release(data_dir: Path) -> Release:
    """The valid release of `data_dir`; a newly published one is taken within 5 seconds.

    When the newest release is damaged the process keeps the one it has, or at its start takes the newest
    earlier one that is sound; `release_problem` then says why. Raises NoRelease or ReleaseError when none is.
    """
    watch = _looked_at(data_dir)
    if watch.release is None:
        assert watch.problem is not None  # said why when it looked
        raise NoRelease(watch.problem) if not _published(data_dir) else ReleaseError(watch.problem)
    return watch.release


def release_problem(data_dir: Path) -> str | None:
    """Why the newest release of `data_dir` is not the one shown, in English; None when it is."""
    problem = _looked_at(data_dir).problem
    return problem["en"] if problem else None


@per_release
def release_before(release: Release) -> Release | None:
    """The newest sound kept release that is older than `release` and no less protected; None without one.

    Of an unprotected release not even a difference may be shown beside a protected one.
    """
    for path in sorted(release.path.parent.glob("v*.duckdb"), reverse=True):
        if path.name >= release.path.name:
            continue
        try:
            found = _earlier(path)
        except ReleaseError as error:
            _log.warning("%s", error)
            continue
        if _may_stand_beside(found, release):
            return found
    return None


def kept_releases(data_dir: Path) -> list[str]:
    """The ids of the releases that can be asked for by name: the current one first, then the kept earlier ones.

    Whether an earlier one is sound and may be shown is seen when it is opened (`kept_release`). Raises NoRelease or
    ReleaseError as `current_release` does.
    """
    current = current_release(data_dir)
    names = (path.stem for path in _releases_dir(data_dir).glob("v*.duckdb"))
    return [current.id, *sorted((name for name in names if name < current.path.stem), reverse=True)]


def kept_release(data_dir: Path, release_id: str) -> Release:
    """The release of that id: the current one, or an earlier one that is still kept; opened once and remembered.

    Newer ones than the current were rolled back by somebody, and an unprotected one is never shown beside a protected
    one. Raises NoSuchRelease for these and for one that is not kept or is damaged, else as `current_release` does.
    """
    current = current_release(data_dir)
    if release_id == current.id:
        return current
    path = _releases_dir(data_dir) / f"{release_id}.duckdb"
    if not RELEASE_ID.fullmatch(release_id) or release_id > current.path.stem or not path.is_file():
        kept = ", ".join(kept_releases(data_dir))
        raise NoSuchRelease(_told("not_kept", release=release_id[:60], kept=kept))
    try:
        found = _earlier(path)
    except ReleaseError as error:
        _log.warning("%s", error)
        raise NoSuchRelease(_told("damaged", release=release_id)) from error
    if not _may_stand_beside(found, current):
        raise NoSuchRelease(_told("unprotected", release=release_id))
    return found


def _may_stand_beside(earlier: Release, release: Release) -> bool:
    return earlier.manifest["protection"]["method"] != "none" or release.manifest["protection"]["method"] == "none"


_MOST_EARLIER = 2  # open beside the current one: each holds its counts in memory, 100 MB, once it was looked at
_earlier_ones: OrderedDict[tuple[Path, int], Release] = OrderedDict()
_earlier_lock = threading.Lock()


def _earlier(path: Path) -> Release:
    """An earlier release, opened once for all who ask; the one that was not asked for longest is let go first."""
    with _earlier_lock:
        key = (path.resolve(), path.stat().st_mtime_ns if path.is_file() else 0)
        if key not in _earlier_ones:
            _earlier_ones[key] = open_file(path)
            while len(_earlier_ones) > _MOST_EARLIER:
                _earlier_ones.popitem(last=False)
        _earlier_ones.move_to_end(key)
        return _earlier_ones[key]


def _looked_at(data_dir: Path) -> _Watch:
    with _watches_lock:
        watch = _watches.setdefault(data_dir.resolve(), _Watch())
    with watch.lock:
        now = time.monotonic()
        # With nothing to show every look is worth it: another worker may say already that it is ready.
        if watch.release is None or now - watch.checked >= _RECHECK_SECONDS:
            _look_again(watch, data_dir)
            watch.checked = now
    return watch


def _look_again(watch: _Watch, data_dir: Path) -> None:
    """Follow the pointer if it, or the file it names, has changed since the last look."""
    pointer, problem = None, None
    try:
        path = _releases_dir(data_dir) / _read_pointer(data_dir)
        pointer = (path.name, path.stat().st_mtime_ns if path.exists() else 0)
        if pointer == watch.pointer:
            return
        watch.release = open_file(path)
    except ReleaseError as error:
        problem = error.said
        if problem != watch.problem:
            _log.error("%s", error)
        if watch.release is None and not isinstance(error, NoRelease):
            watch.release = _newest_sound(data_dir, before=pointer[0] if pointer else None)
    watch.pointer, watch.problem = pointer, problem


def _newest_sound(data_dir: Path, before: str | None) -> Release | None:
    """The newest readable protected release, only of those older than `before`; names begin with the time.

    Newer ones than the pointer were rolled back by somebody and stay away. An unprotected one is shown only where
    somebody points to it: nobody asked for it here.
    """
    for path in sorted(_releases_dir(data_dir).glob("v*.duckdb"), reverse=True):
        if before is None or path.name < before:
            try:
                release = open_file(path)
            except ReleaseError as error:
                _log.error("%s", error)
                continue
            if release.manifest["protection"]["method"] != "none":
                return release
    return None


def _releases_dir(data_dir: Path) -> Path:
    return data_dir / "releases"


def _published(data_dir: Path) -> bool:
    return (_releases_dir(data_dir) / "CURRENT").is_file()


def _read_pointer(data_dir: Path) -> str:
    pointer = _releases_dir(data_dir) / "CURRENT"
    try:
        name = pointer.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise NoRelease(_told("none_published", pointer=pointer, data=data_dir)) from None
    if not name or Path(name).name != name:
        raise ReleaseError(_told("pointer", pointer=pointer, found=name, data=data_dir))
    return name


def open_file(path: Path) -> Release:
    """The release in one file, checked against the contract and read once whole; `open_release` follows the pointer.

    A publication asks it of a file that no reader has been pointed to yet. Raises ReleaseError.
    """
    if not path.is_file():
        raise ReleaseError(_told("not_there", path=path))
    connection = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "2GB"})
    try:
        connection.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as release (read_only)")
        for setting in (
            "enable_external_access = false",
            "python_enable_replacements = false",  # a query must not reach variables of this process
            "lock_configuration = true",
        ):
            connection.execute(f"set {setting}")
        content = _read_everything(connection, _check_contract(connection, path))
        manifest = _read_manifest(connection, path)
    except duckdb.Error as error:
        connection.close()
        raise ReleaseError(_told("unreadable", path=path, why=str(error).splitlines()[0])) from error
    except ReleaseError:
        connection.close()
        raise
    return Release(manifest["release_id"], path, manifest, content, connection)


def read_whole(path: Path) -> None:
    """Read every block of a release file, of whatever version its tables are. Raises ReleaseError."""
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            for (table,) in connection.execute("show tables").fetchall():
                columns = [name for name, *_ in connection.execute(f'describe "{table}"').fetchall()]
                digest(connection, columns, f'"{table}"')
    except duckdb.Error as error:
        raise ReleaseError(_told("unreadable", path=path, why=str(error).splitlines()[0])) from error


def digest(connection: duckdb.DuckDBPyConnection, columns: Iterable[str], rows: str) -> str:
    """How many rows there are, and a hash of them whatever their order: equal content has equal digests.

    Two versions of DuckDB may hash differently, so that only digests that one of them made can be compared.
    """
    row = ", ".join(f'"{column}"' for column in columns)
    query = f"select count(*), bit_xor(hash({row})), sum(hash({row})::hugeint) from {rows}"
    [(n, xor, total)] = connection.execute(query).fetchall()
    return f"{n}:{xor}:{total}"


def _query(
    connection: duckdb.DuckDBPyConnection, query: str, params: Mapping[str, object], seconds: float | None = None
) -> pl.DataFrame:
    # One cursor per call: results stream and own their connection, so that two threads would collide on one.
    cursor = connection.cursor()
    try:
        cursor.execute("use release")  # a cursor does not inherit it
        with _broken_off_after(seconds, cursor):
            return cursor.sql(query, params=dict(params) or None).pl()
    finally:
        cursor.close()


@contextmanager
def _broken_off_after(seconds: float | None, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, cursor.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise QueryTooSlow(f"a query took more than {seconds:g} s") from error
    finally:
        timer.cancel()
        timer.join()  # an interrupt must not meet a cursor that is closed


def _check_contract(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, dict[str, str]]:
    """The columns of every table, name → type, when they follow the contract. Columns that came later may lack."""
    found: dict[str, dict[str, str]] = {}
    for table, column, data_type in _query(
        connection,
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = 'release' order by table_name, column_index",
        {},
    ).iter_rows():
        found.setdefault(table, {})[column] = data_type
    faults = []
    for table, definition in CONTRACT["tables"].items():
        expected = list(definition["columns"].items())
        older = [column for column in expected if column[0] not in definition.get("added", ())]
        if table not in found:
            faults.append(_told("table_missing", table=table))
        elif list(found[table].items()) not in (expected, older):
            faults.append(_told("table", table=table, found=_listed(found[table].items()), expected=_listed(expected)))
    if faults:
        raise ReleaseError(_told("other_shape", path=path, faults=faults))
    return found


def _listed(columns: Any) -> str:
    return "(" + ", ".join(f"{name} {data_type}" for name, data_type in columns) + ")"


def _read_everything(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Mapping[str, str]]
) -> Mapping[str, str]:
    """Touch every block once: DuckDB verifies checksums on reading, and a broken block is better met now."""
    return {table: digest(connection, tables[table], f'release."{table}"') for table in CONTRACT["tables"]}


def _read_manifest(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, Any]:
    rows = _query(connection, "select key, value from manifest", {}).iter_rows()
    try:
        manifest = {key: json.loads(value) for key, value in rows}
    except ValueError as error:
        raise ReleaseError(_told("not_json", path=path, why=error)) from error
    missing = [key for key in REQUIRED_MANIFEST_KEYS if key not in manifest]
    if missing:
        raise ReleaseError(_told("lacking", path=path, missing=", ".join(missing)))
    return manifest

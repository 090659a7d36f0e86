"""Counting only the persons whom something touches gives what counting everything gives."""

import random
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from warehouse_of import contact, minute, write_history

from etl.counting import KEYS
from etl.land import empty_history
from etl.parse import EPOCH
from etl.recount import Standing
from etl.warehouse import build, open_warehouse

DAY = 1440
MONTHS = [date(2024, month, 1) for month in (4, 5, 6, 7)]  # `as_of` of one delivery after the other
FIRST = minute("2021-01-01 00:00")
FEW = [3, 17, 2**40, 2**62, 2**63 + 5, 2**64 - 9]
MANY = [*FEW, *range(2**50, 2**64, 2**56)]
POPULATION = {
    "municipality": "0101", "quarter": date(2024, 1, 1), "sex": 1, "age_first": 70, "age_last": 70, "age_from": 70,
    "persons": 1, "row": 1, "rule": None,
}  # fmt: skip


def reports(chance: random.Random, until: int, told: list[dict], persons: list[int] = FEW) -> list[dict]:
    """What is reported up to a time: new contacts, some open or in the future, and corrections of old ones.

    Of many persons most have nothing new, nothing open and nothing recent: there is something not to count.
    """
    rows = []
    are_few = persons is FEW
    since = [FIRST, until - 60 * DAY] if are_few else [FIRST] * 30 + [until - 60 * DAY]
    for _ in range(chance.randint(5, 25) * (1 if are_few else len(persons) // 12)):
        known = chance.choice(told) if told and chance.random() < (0.3 if are_few else 0.03) else None
        if known is not None and chance.random() < 0.3:
            rows.append(known)  # word for word
            continue
        start = chance.randrange(chance.choice(since), until + 3 * DAY, 60)
        end = (
            None if chance.random() < (0.15 if are_few else 0.01) else start + chance.choice([60, 700, 720, 1500, 9000])
        )
        rows.append(
            contact(
                known["contact_id"] if known else chance.choice([len(told) + len(rows) + 1] * 19 + [None]),
                known["person"] if known and chance.random() < 0.7 else chance.choice(persons),
                start,
                end,
                reported=until + len(rows),
                municipality=chance.choice([101, 860, 741, None]),
                is_acute=chance.random() < 0.7,
                is_physical=chance.random() < 0.9,
                is_cancelled=chance.random() < 0.1,
                diagnosis=chance.choice(["DJ449", "DS720", "DC509", None]),
                rule=chance.choice([None] * 9 + ["C2-age"]),
            )
            | {"row": len(rows) + 1}
        )
    return rows


def place_stay(chance: random.Random, number: int, until: int) -> dict:
    start = FIRST + chance.randrange(0, until - FIRST, 60)
    return {
        "municipality": "0101", "stay_id": number, "person": chance.choice([3, 17, 2**62]), "start_minute": start,
        "end_minute": start + 3 * DAY, "referred_by": "home", "row": number, "rule": None,
    }  # fmt: skip


def write_deaths(history: Path, rows: list[dict], name: str) -> None:
    """As contacts tell them: persons who died some hours or days after a contact began."""
    days = [
        EPOCH.date() + timedelta(minutes=row["start_minute"] + 2 * DAY * (number % 3))
        for number, row in enumerate(rows)
    ]
    deaths = pl.DataFrame(
        {"person": [row["person"] for row in rows], "death_date": days},
        schema={"person": pl.UInt64, "death_date": pl.Date},
    )
    deaths.write_parquet(history / "deaths_of_contacts" / f"{name}.parquet")


def counts_of(history: Path, as_of: date, standing: Standing | None) -> Standing:
    with open_warehouse(history, as_of=as_of) as warehouse:
        build(warehouse, standing=standing)
        return warehouse.standing


@pytest.mark.parametrize("persons", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("seed", range(12))
def test_a_recount_of_the_touched_is_a_count_of_all(seed: int, persons: list[int], tmp_path: Path) -> None:
    chance = random.Random(seed)
    write_history(tmp_path, "population", [POPULATION], name="b" * 64)
    empty_history(tmp_path)
    told: list[dict] = []
    standing = None
    for step, as_of in enumerate(MONTHS):
        until = minute(f"{as_of} 00:00")
        rows = reports(chance, until, told, persons)
        told += rows
        name = f"{chance.randrange(10**9)}".ljust(64, "0")
        write_history(tmp_path, "lpr_contacts", rows, name=name)
        write_deaths(tmp_path, chance.sample(rows, len(rows) // 5), name)
        if chance.random() < 0.6:
            stays = [place_stay(chance, 10 * step + number, until) for number in range(3)]
            write_history(tmp_path, "acute_place_stays", stays, name=f"{step}".ljust(64, "a"))
        recounted, counted = counts_of(tmp_path, as_of, standing), counts_of(tmp_path, as_of, None)
        for name, keys in KEYS.items():
            assert recounted.counts[name].sort(pl.all()).equals(counted.counts[name].sort(pl.all())), (name, step)
            is_by_cell = "cell" in keys
            assert not is_by_cell or recounted.counts[name].equals(counted.counts[name]), (name, step)  # in order
        assert all(map(np.array_equal, recounted.deaths, counted.deaths)), step
        links, all_links = (pl.DataFrame(stands.told_twice) for stands in (recounted, counted))
        assert links["contact_id"].is_sorted() and links.sort(pl.all()).equals(all_links.sort(pl.all())), step
        recounted.write(tmp_path / "standing")
        standing = Standing.read(tmp_path / "standing")
        assert standing is not None
    assert standing is not None and standing.counts["cube"]["n_stay"].sum() > 0


@pytest.mark.parametrize(
    "rows",
    [
        # it lay in the future, and the person was admitted in the same year: one person, not two
        [("2024-01-10 08:00", "2024-01-12 08:00", 101), ("2024-06-02 08:00", "2024-06-04 08:00", 101)],
        # one stay over the beginning of a month, which counts where it began
        [("2024-04-29 08:00", "2024-04-30 23:00", 101), ("2024-05-01 01:00", "2024-05-20 08:00", 860)],
        # two contacts that make an admission together, and neither alone
        [("2024-05-10 08:00", "2024-05-10 14:00", 101), ("2024-05-10 15:00", "2024-05-10 21:00", 860)],
        # open for less than 90 days, and then for more: held back, so that what it joined lies apart
        [
            ("2024-03-10 08:00", None, 101),
            ("2024-04-02 08:00", "2024-04-04 08:00", 101),
            ("2024-05-02 08:00", "2024-05-20 08:00", 860),
        ],
        # open for too long then and now, before an admission that is watched
        [("2023-02-10 08:00", None, 101), ("2024-05-10 08:00", "2024-05-20 08:00", 101)],
        # held back although it is cancelled
        [("2024-03-10 08:00", None, 101, "cancelled")],
    ],
    ids=["future", "across", "together", "open", "open for long", "cancelled"],
)
def test_what_time_alone_touches_is_counted_with_all_that_bears_on_it(rows: list, tmp_path: Path) -> None:
    write_history(tmp_path, "population", [POPULATION], name="b" * 64)
    contacts = [
        contact(number, 5, minute(start), minute(end) if end else None, municipality=at, is_cancelled=bool(cancelled))
        for number, (start, end, at, *cancelled) in enumerate(rows, start=1)
    ]
    write_history(tmp_path, "lpr_contacts", contacts, name="1" * 64)
    empty_history(tmp_path)
    standing = counts_of(tmp_path, date(2024, 6, 1), None)
    recounted, counted = (counts_of(tmp_path, date(2024, 7, 1), known) for known in (standing, None))
    for name in KEYS:
        assert recounted.counts[name].sort(pl.all()).equals(counted.counts[name].sort(pl.all())), name


def test_counts_stand_only_for_what_they_were_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is gone, an earlier end of the data, or another rule: everything is counted again."""
    chance = random.Random(1)
    write_history(tmp_path, "population", [POPULATION], name="b" * 64)
    rows = reports(chance, minute("2024-04-01 00:00"), [])
    write_history(tmp_path, "lpr_contacts", rows, name="1" * 64)
    empty_history(tmp_path)
    right = counts_of(tmp_path, MONTHS[1], None)
    wrong = {
        name: table.with_columns(pl.col(set(table.columns) - {*KEYS[name]}) * 2) for name, table in right.counts.items()
    }

    def doubled(**told: object) -> Standing:
        return Standing(**vars(right) | {"counts": wrong} | told)

    def is_counted_again(as_of: date, standing: Standing) -> bool:
        found = counts_of(tmp_path, as_of, standing).counts["attrition"]
        return dict(found.iter_rows())["reports"] == len(rows)

    assert not is_counted_again(MONTHS[1], doubled())  # what stands is believed
    assert is_counted_again(MONTHS[1], doubled(files=right.files | {"gone"}))
    assert is_counted_again(MONTHS[0], doubled())
    assert is_counted_again(MONTHS[1], doubled(decided_by="another rule"))
    write_history(
        tmp_path, "deaths", [{"person": 3, "death_date": date(2024, 2, 1), "row": 1, "rule": None}], name="d" * 64
    )
    assert is_counted_again(MONTHS[1], doubled())


def test_counts_that_are_not_as_they_were_kept_do_not_stand(tmp_path: Path) -> None:
    assert Standing.read(tmp_path / "none") is None
    write_history(tmp_path, "population", [POPULATION], name="b" * 64)
    write_history(tmp_path, "lpr_contacts", reports(random.Random(2), minute("2024-04-01 00:00"), []), name="1" * 64)
    empty_history(tmp_path)
    folder = tmp_path / "standing"
    counts_of(tmp_path, MONTHS[0], None).write(folder)
    assert Standing.read(folder) is not None
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        turned = bytearray(whole)
        turned[len(whole) // 2] ^= 4
        for spoilt in (whole[:-40], bytes(turned)):
            path.write_bytes(spoilt)
            assert Standing.read(folder) is None, path.name
        path.unlink()
        assert Standing.read(folder) is None, path.name
        path.write_bytes(whole)
    assert Standing.read(folder) is not None

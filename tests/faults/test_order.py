"""R5: what a release holds depends on what was delivered, not on the order, the grouping or the repeats of it."""

import random
from datetime import date
from pathlib import Path

import pytest
from deliveries import contact_line, month_of_contacts, write_contacts, write_population
from oracle import newest_reports, stays_and_readmissions
from warehouse_of import STAY_STEPS, contact, minute, write_history

from etl.land import empty_history
from etl.load import load
from etl.warehouse import open_warehouse
from kpis.release import open_release
from tests.faults.runs import IS_FULL

pytestmark = pytest.mark.faults
ORDERS = 50 if IS_FULL else 6
SEQUENCES = 2000 if IS_FULL else 25
AS_OF = date(2024, 7, 1)
DAY = 1440


def write_deliveries(folder: Path) -> list[Path]:
    """Population, contacts, a correction of them, contacts that come late, a cancelled one, and one file twice over."""
    folder.mkdir()
    lines = month_of_contacts()
    files = {
        "a.csv": lines[:250],
        "b.csv": lines[200:],  # overlaps the first
        "corrected.csv": [
            line.replace("DJ449", "DS720").replace("2024-07-01 08:00", "2024-07-02 08:00") for line in lines[:9]
        ],
        "corrected_again.csv": [
            line.replace("DJ449", "DE115").replace("2024-07-01 08:00", "2024-07-03 08:00") for line in lines[:4]
        ],
        "late.csv": [
            contact_line(800_000 + n, f"7101500{n:03d}", "2024-02-05 10:00", "2024-02-07 10:00") for n in range(7)
        ],
        "copy_of_late.csv": [
            contact_line(800_000 + n, f"7101500{n:03d}", "2024-02-05 10:00", "2024-02-07 10:00") for n in range(7)
        ],
    }
    for name, rows in files.items():
        write_contacts(folder / name, rows)
    write_population(folder / "folk1a.csv", persons=3)
    return [folder / "folk1a.csv", *(folder / name for name in files)]


def content_of(data: Path, groups: list[list[Path]]) -> dict[str, str]:
    """The content of a release that was loaded in groups of files, one load each."""
    keys = data / "build" / "keys"
    keys.mkdir(parents=True)
    for name in ("pseudonym.key", "protection.key"):
        (keys / name).write_bytes(b"k" * 32)
        (keys / name).chmod(0o400)
    for group in groups:
        report = load(group, data, as_of=AS_OF, accept_change="another order")
        assert report.is_loadable, report
    return open_release(data).manifest["content"]


def test_any_order_grouping_and_repeats_give_one_content(tmp_path: Path) -> None:
    files = write_deliveries(tmp_path / "in")
    chance = random.Random(5)
    from_scratch = content_of(tmp_path / "scratch", [files])
    for number in range(ORDERS):
        order = [*files[1:], *chance.sample(files, 2)]
        chance.shuffle(order)
        cuts = sorted(chance.sample(range(1, len(order)), 1 if number % 2 else 2))
        groups = [order[start:stop] for start, stop in zip([0, *cuts], [*cuts, None], strict=True)]
        groups[0] += [files[0], chance.choice(files[1:])]  # without population and contacts nothing is published
        assert content_of(tmp_path / f"data{number}", groups) == from_scratch, groups


def corrections(chance: random.Random) -> list[list[dict]]:
    """A few deliveries of few contacts: new, corrected, cancelled, moved to another person, and told again."""
    told: list[dict] = []
    deliveries = []
    for number in range(chance.randint(2, 5)):
        rows = []
        for _ in range(chance.randint(1, 6)):
            known = chance.choice(told) if told and chance.random() < 0.6 else None
            if known is not None and chance.random() < 0.3:
                rows.append(known)  # word for word, as deliveries that overlap tell it
                continue
            start = minute("2024-02-01 00:00") + chance.randrange(0, 60 * DAY, 120)
            row = contact(
                known["contact_id"] if known else len(told),
                chance.randint(1, 3),
                start,
                start + chance.choice([60, 720, 1440, 5000]),
                reported=minute("2024-05-01 00:00") + 1000 * number + len(told) + len(rows),
                municipality=chance.choice([101, 860]),
                is_cancelled=chance.random() < 0.15,
                diagnosis=chance.choice(["DJ449", "DS720", None]),
            )
            rows.append(row)
        told += [row for row in rows if row not in told]
        deliveries.append(rows)
    return deliveries


def test_generated_sequences_of_corrections_equal_the_oracle(tmp_path: Path) -> None:
    chance = random.Random(6)
    corrected = 0
    for number in range(SEQUENCES):
        deliveries = corrections(chance)
        chance.shuffle(deliveries)
        folder = tmp_path / str(number)
        for position, rows in enumerate(deliveries):
            write_history(folder, "lpr_contacts", rows, name=f"{chance.randrange(10**6):06d}{position}".ljust(64, "0"))
        empty_history(folder)
        with open_warehouse(folder, as_of=AS_OF) as warehouse:
            for part in warehouse.parts():
                warehouse.choose_part(part)
                warehouse.run(*STAY_STEPS)
            found = warehouse.query(
                "select person::bigint, start_minute, end_minute, diagnosis, municipality from stay "
                "order by person, start_minute"
            ).rows()
        told = [row for rows in deliveries for row in rows]
        corrected += len(told) - len(newest_reports(told))
        expected = stays_and_readmissions(told, minute("2024-07-01 00:00"), {})
        assert found == [(stay.person, stay.start, stay.end, stay.diagnosis, stay.municipality) for stay in expected], (
            deliveries
        )
    assert corrected > SEQUENCES

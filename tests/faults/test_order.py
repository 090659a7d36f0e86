"""R5: what a release holds depends on what was delivered, not on the order, the grouping or the repeats of it."""

import random
import shutil
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from deliveries import (
    CONTACT_HEADER,
    contact_line,
    month_of_contacts,
    municipality_codes,
    write_contacts,
    write_population,
)
from oracle import newest_reports, stays_and_readmissions
from warehouse_of import contact, minute

from etl.load import load
from etl.parse import EPOCH
from etl.protect import UNPROTECTED
from kpis.release import open_release
from tests.faults.runs import IS_FULL

pytestmark = pytest.mark.faults
ORDERS = 50 if IS_FULL else 6
SEQUENCES = 2000 if IS_FULL else 49  # a round has 49
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
    """The content of a release that was loaded in groups of files, one load each.

    True counts, because rounding remembers what was published before and so depends on the order by design.
    """
    keys = data / "build" / "keys"
    keys.mkdir(parents=True)
    for name in ("pseudonym.key", "protection.key"):
        (keys / name).write_bytes(b"k" * 32)
        (keys / name).chmod(0o400)
    for group in groups:
        report = load(group, data, as_of=AS_OF, protection=UNPROTECTED, accept_change="another order")
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


def corrections(chance: random.Random, municipalities: tuple[int, int], persons: list[int]) -> list[list[dict]]:
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
                known["contact_id"] if known else persons[0] * 100 + len(told) + 1,
                chance.choice(persons),
                start,
                start + chance.choice([60, 720, 1440, 5000]),
                reported=minute("2024-05-01 00:00") + 1000 * number + len(told) + len(rows),
                municipality=chance.choice(municipalities),
                is_acute=chance.random() < 0.7,
                is_cancelled=chance.random() < 0.15,
                diagnosis=chance.choice(["DJ449", "DS720", None]),
            )
            rows.append(row)
        told += [row for row in rows if row not in told]
        deliveries.append(rows)
    chance.shuffle(deliveries)
    return deliveries


def write_rows(path: Path, rows: list[dict]) -> None:
    """Rows of `corrections` as LPR_A; persons are ids of a register."""

    def when(minutes: int) -> str:
        return f"{EPOCH + timedelta(minutes=minutes):%Y-%m-%d %H:%M}"

    lines = [CONTACT_HEADER + ";annulleret"]
    lines += [
        f"{row['contact_id']};{10**11 + row['person']};{when(row['start_minute'])};{when(row['end_minute'])};ALCA00;"
        f"{'ATA1' if row['is_acute'] else 'ATA3'};{row['diagnosis'] or ''};{row['municipality']:04d};70;1;LPR3;"
        f"{when(row['reported_minute'])};{'Ja' if row['is_cancelled'] else 'Nej'}"
        for row in rows
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def counted(rows: list[dict]) -> Counter[tuple]:
    """(municipality, month, group, measure) → count, by the oracle."""
    counts: Counter[tuple] = Counter()
    groups = {"DJ449": "chronic.copd", "DS720": "prevention.hip_fracture"}
    for stay in stays_and_readmissions(rows, minute(f"{AS_OF} 00:00"), {}):
        started, ended = (f"{EPOCH + timedelta(minutes=at):%Y-%m}" for at in (stay.start, stay.end))
        for group in ("all", groups.get(stay.diagnosis or "")):
            place = (f"{stay.municipality:04d}", group)
            if group is not None:
                counts[*place, started, "n_stay"] += 1
                counts[*place, started, "n_admission"] += stay.is_admission
                counts[*place, started, "n_acute"] += stay.is_admission and stay.is_acute
                counts[*place, ended, "n_index"] += stay.is_readmitted is not None
                counts[*place, ended, "n_readmission"] += bool(stay.is_readmitted)
    return +counts


def published_counts(data: Path) -> Counter[tuple]:
    """The same, as the release says it."""
    measures = ("n_stay", "n_admission", "n_acute", "n_index", "n_readmission")
    rows = open_release(data).sql(
        f"select municipality_code, group_id, strftime(month, '%Y-%m') as month, {', '.join(f'sum({m})::int' for m in measures)} "
        "from cube where group_id in ('all', 'chronic.copd', 'prevention.hip_fracture') group by all"
    )
    return +Counter({(*row[:3], m): n for row in rows.rows() for m, n in zip(measures, row[3:], strict=True)})


def test_after_every_correction_the_release_is_what_an_oracle_and_a_fresh_build_say(tmp_path: Path) -> None:
    """Each sequence of deliveries has two municipalities of its own, so that many are loaded and compared at once."""
    chance = random.Random(6)
    codes = [int(code) for code in municipality_codes()]
    pairs = list(zip(codes[::2], codes[1::2], strict=True))
    write_population(tmp_path / "folk1a.csv", persons=1)
    corrected = done = 0
    while done < SEQUENCES:
        data = tmp_path / f"data{done}"
        sequences = [corrections(chance, pair, [3 * n + 1, 3 * n + 2, 3 * n + 3]) for n, pair in enumerate(pairs)]
        told: list[dict] = []
        files = [tmp_path / "folk1a.csv"]
        for step in range(max(map(len, sequences))):
            rows = [row for deliveries in sequences if step < len(deliveries) for row in deliveries[step]]
            path = tmp_path / f"{chance.randrange(10**9)}.csv"
            write_rows(path, rows)
            told += rows
            files.append(path)
            load(files if step == 0 else [path], data, as_of=AS_OF, protection=UNPROTECTED, accept_change="corrections")
            assert published_counts(data) == counted(told), (done, step)
        corrected += len(told) - len(newest_reports(told))
        content = open_release(data).manifest["content"]
        fresh = tmp_path / f"fresh{done}"
        load(files[::-1], fresh, as_of=AS_OF, protection=UNPROTECTED)
        assert open_release(fresh).manifest["content"] == content
        done += len(sequences)
        shutil.rmtree(data)
        shutil.rmtree(fresh)
    print(f"{done} sequences, {corrected} reports that are not the last of their contact")
    assert corrected > done

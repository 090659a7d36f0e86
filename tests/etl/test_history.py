"""A history of which a file is damaged or gone: it is named, and what is published stays."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from deliveries import write_folder

from etl.__main__ import main
from etl.land import DEATHS
from etl.load import load
from etl.protect import UNPROTECTED
from etl.publish import pointed_to

DELIVERED = dict.fromkeys(("lpr_contacts", "deaths_of_contacts"), "kontakter.csv") | {"population": "folk1a.csv"}


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def turn_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("lpr_contacts/*.arrow", cut_off),
        ("lpr_contacts/*.arrow", turn_a_bit),
        ("population/[0-9a-f]*.parquet", cut_off),
        ("population/[0-9a-f]*.parquet", turn_a_bit),
        ("deaths_of_contacts/[0-9a-f]*.parquet", turn_a_bit),
        ("lpr_contacts/*.json", cut_off),
    ],
)
def test_a_damaged_file_of_the_history_is_named_with_a_remedy_that_works(tmp_path: Path, name: str, damage) -> None:
    folder = write_folder(tmp_path / "in")
    data = tmp_path / "data"
    load([folder], data, protection=UNPROTECTED)
    before = pointed_to(data)
    [file] = (data / "build" / "history").glob(name)
    damage(file)
    ended = CliRunner().invoke(main, ["load", str(folder), "--data", str(data), "--protection", "none"])
    named = "" if file.suffix == ".json" else f" (leverancen {DELIVERED[file.parent.name]})"
    said = f"{file}{named}: filen er en del af det, der er indlæst, og er beskadiget"
    assert ended.exit_code == 1 and said in ended.output
    assert pointed_to(data) == before
    for suffix in (".arrow", ".parquet", ".json"):
        file.with_suffix(suffix).unlink(missing_ok=True)
    report = load([folder], data, protection=UNPROTECTED)
    assert report.published is not None and not report.published.is_new


GONE = (
    "lpr_contacts/*.arrow",
    "lpr_contacts/*.json",
    "population/[0-9a-f]*.parquet",
    "deaths_of_contacts/[0-9a-f]*.parquet",
)


@pytest.mark.parametrize("name", GONE)
def test_a_file_that_is_gone_from_the_history_is_not_taken_for_one_that_never_came(tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    load([write_folder(tmp_path / "in")], data, protection=UNPROTECTED)
    [file] = (data / "build" / "history").glob(name)
    file.unlink()
    ended = CliRunner().invoke(main, ["build", "--data", str(data), "--protection", "none"])
    named = "" if file.suffix == ".json" else f" (leverancen {DELIVERED[file.parent.name]})"
    assert ended.exit_code == 1
    assert f"{file}{named}: filen er en del af det, der er indlæst, og mangler" in ended.output
    if DEATHS not in name:
        for left in file.parent.glob(f"{file.stem}.*"):
            left.unlink()
    assert load([tmp_path / "in"], data, protection=UNPROTECTED).published is not None

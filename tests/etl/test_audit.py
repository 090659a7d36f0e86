"""What a load asks about before it publishes: figures that change more than usual, and months that lack somebody."""

from datetime import date
from pathlib import Path

import pytest
from deliveries import contact_line, month_of, write_contacts, write_folder, write_population

from etl.load import load
from etl.publish import PublishProblem, published, rollback
from kpis.release import open_release


def test_a_large_change_of_finished_months_needs_a_reason(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    load([folder], tmp_path / "data")
    more = [contact_line(n, f"6201{n % 90:02d}{n:04d}", "2024-01-05 10:00", "2024-01-08 10:00") for n in range(500)]
    write_contacts(tmp_path / "more.csv", more)
    with pytest.raises(PublishProblem, match="accept-change"):
        load([tmp_path / "more.csv"], tmp_path / "data", as_of=date(2024, 7, 1))
    report = load([tmp_path / "more.csv"], tmp_path / "data", as_of=date(2024, 7, 1), accept_change="late delivery")
    assert report.published is not None and report.published.is_new
    assert open_release(tmp_path / "data").manifest["change_reason"] == "late delivery"
    assert len(published(tmp_path / "data")) == 2
    assert rollback(tmp_path / "data") == published(tmp_path / "data")[0]
    assert open_release(tmp_path / "data").manifest["change_reason"] is None


def test_what_changes_in_one_month_or_municipality_alone_needs_a_reason(tmp_path: Path) -> None:
    """Among many stays: too few to be seen in the whole."""
    (tmp_path / "in").mkdir()
    write_population(tmp_path / "in" / "folk1a.csv")
    large = [line for month in range(1, 7) for line in month_of(month, 900, 10_000 * month, "0101", 61)]
    small = [line for month in range(1, 7) for line in month_of(month, 60, 100_000 + 1_000 * month, "0147", 62)]
    write_contacts(tmp_path / "in" / "k.csv", large + small)
    load([tmp_path / "in"], tmp_path / "data", as_of=date(2024, 10, 1), accept_change="nothing after June")
    moved = month_of(4, 60, 104_000, "0101", 62, reported="2024-09-01 08:00")
    for lines, said in (
        (month_of(2, 300, 500_000, "0101", 63), "Stays in 2024-02 change"),
        (month_of(3, 80, 600_000, "0147", 64), r"Stays in Frederiksberg \(0147\)"),
        (moved, r"Frederiksberg \(0147\) has no stays in 2024-04; before there were 60"),
    ):
        write_contacts(tmp_path / "more.csv", lines)
        with pytest.raises(PublishProblem, match=said):
            load([tmp_path / "more.csv"], tmp_path / "data", as_of=date(2024, 10, 1))
    assert len(published(tmp_path / "data")) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda code, n: n * 2, r"population is 415,520 in 2024-04-01 and 207,760 in the quarter before"),
        (lambda code, n: n * 2 if code == "860" else n, r"population of Hjørring \(0860\) is 4,240 in 2024-04-01"),
    ],
    ids=["the country", "one municipality"],
)
def test_a_population_that_jumps_needs_a_reason(tmp_path: Path, change, said: str) -> None:
    folder = write_folder(tmp_path / "in")
    load([folder], tmp_path / "data")
    write_population(tmp_path / "later.csv", ("2024K2",))
    head, *lines = (tmp_path / "later.csv").read_text("utf-8-sig").split("\n")
    cells = [line.split(";") for line in lines if not line.startswith(("000;", "411;"))]
    changed = [";".join([*cell[:4], str(change(cell[0], int(cell[4])))]) for cell in cells]
    (tmp_path / "later.csv").write_text("\n".join([head, *changed]), encoding="utf-8")
    with pytest.raises(PublishProblem, match=said):
        load([tmp_path / "later.csv"], tmp_path / "data")
    assert load([tmp_path / "later.csv"], tmp_path / "data", accept_change="it is so").published
    assert load([tmp_path / "later.csv"], tmp_path / "data").published, "it is asked once"


def test_a_newest_month_that_lacks_a_region_needs_a_reason(tmp_path: Path) -> None:
    """Few patients and a missing file look the same."""
    write_population(tmp_path / "folk1a.csv")
    north = [line for month in range(1, 7) for line in month_of(month, 300, 10_000 * month, "0860", 61)]
    east = [line for month in range(1, 6) for line in month_of(month, 300, 100_000 + 1_000 * month, "0101", 62)]
    write_contacts(tmp_path / "k.csv", north + east)
    files = [tmp_path / "folk1a.csv", tmp_path / "k.csv"]
    with pytest.raises(PublishProblem, match="Region Hovedstaden has 0 stays in 2024-06; it is usually about 300"):
        load(files, tmp_path / "data")
    write_contacts(tmp_path / "june.csv", month_of(6, 300, 200_000, "0101", 62))
    assert load(files, tmp_path / "data", accept_change="it comes later").published
    again = [contact_line(900_000, "7101500001", "2024-06-05 10:00", "2024-06-07 10:00", municipality="0101")]
    write_contacts(tmp_path / "again.csv", again)
    assert load([tmp_path / "again.csv"], tmp_path / "data").published, "it is asked once"
    assert load([tmp_path / "june.csv"], tmp_path / "data").published


def test_a_population_of_long_ago_needs_a_reason(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    with pytest.raises(PublishProblem, match="newest population is of 2024-01-01"):
        load([folder], tmp_path / "data", as_of=date(2026, 1, 1))
    assert load([folder], tmp_path / "data", as_of=date(2026, 1, 1), accept_change="no newer one").published

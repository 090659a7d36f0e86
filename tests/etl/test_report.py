"""The report of a load or check: it adds up, says what to do in both languages, names no person, fetches nothing."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from deliveries import contact_line, month_of_contacts, write_contacts, write_folder, write_population

from etl.__main__ import main
from etl.load import check
from etl.quarantine import mask
from etl.report import rule_words, words, write_report
from etl.shape import SHAPES

ETL = Path(__file__).parents[2] / "etl"


def faulty_folder(folder: Path) -> Path:
    """Contacts with a line too long, a month 13, an age of 175 and a municipality that does not exist."""
    folder.mkdir()
    lines = month_of_contacts()
    lines[3] = lines[3].replace(";ALCA00", ";ALCA00;extra", 1)
    lines[5] = lines[5].replace("2024-01-", "2024-13-", 1)
    lines[7] = lines[7].replace(";75;", ";175;")
    lines[9] = lines[9].replace(";0860;", ";0999;")
    write_contacts(folder / "kontakter.csv", lines)
    write_population(folder / "folk1a.csv")
    return folder


def reports(data: Path, ending: str) -> list[Path]:
    return sorted((data / "build" / "reports").glob(f"*{ending}"))


def test_every_load_and_check_leaves_a_page_its_json_and_the_quarantine(tmp_path: Path) -> None:
    folder, data = faulty_folder(tmp_path / "in"), tmp_path / "data"
    for occasion in ("check", "load"):
        result = CliRunner().invoke(main, [occasion, str(folder), "--data", str(data)])
        assert result.exit_code == 0, result.output
        (page,) = reports(data, f"-{occasion}.html")
        content = json.loads(page.with_suffix(".json").read_text("utf-8"))
        for told in (result.output, page.read_text("utf-8"), content["period"]["da"]):
            assert "Dataperioden er 2024-01 til 2024-06." in told
        held_back = pl.read_parquet(page.with_suffix(".parquet"))
        assert held_back.height == sum(file["rows_quarantined"] for file in content["files"]) > 4
        for file in content["files"]:
            parts = ("rows_loaded", "rows_duplicate", "rows_superseded", "rows_quarantined")
            assert file["rows_in"] == sum(file[part] for part in parts)
            of_file = held_back.filter(pl.col("file") == file["file"])
            assert of_file.height == file["rows_quarantined"]
    rows = held_back.filter(pl.col("file").str.ends_with("kontakter.csv")).select("row", "column", "rule", "value")
    assert rows.rows() == [
        (5, None, "D4-fields", None),
        (7, "kont_starttidspunkt", "C2-start", "2024-13-06 10:00"),
        (9, "alder", "C2-age", "175"),
        (11, "bo_kom", "C2-municipality", "0999"),
    ]


def test_a_load_that_an_audit_stops_ends_in_a_report_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_contacts(tmp_path / "in" / "k.csv", month_of_contacts())
    data = tmp_path / "data"
    assert CliRunner().invoke(main, ["load", str(tmp_path / "in"), "--data", str(data)]).exit_code == 1
    (page,) = reports(data, ".html")
    content = json.loads(page.with_suffix(".json").read_text("utf-8"))
    assert all("FOLK1A" in content["problem"][lang] for lang in ("da", "en")) and content["release"] is None
    assert [(file["status"], file["rows_loaded"]) for file in content["files"]] == [("accepted", 360)]


def test_a_file_that_is_no_data_file_is_named_and_not_passed_over_in_silence(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in")
    (folder / "referat 6101500001.docx").write_bytes(b"notes")
    result = CliRunner().invoke(main, ["check", str(folder), "--data", str(tmp_path / "data")])
    (page,) = reports(tmp_path / "data", ".html")
    for text in (result.output, page.read_text("utf-8"), page.with_suffix(".json").read_text("utf-8")):
        assert "referat xxxxxx-xxxx.docx" in text and "6101500001" not in text


def test_a_refused_file_is_in_the_report_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "half.parquet").write_bytes(b"PAR1abc")
    page = write_report(check([tmp_path / "half.parquet"]), "check", tmp_path / "data")
    text = page.read_text("utf-8")
    assert "afvist" in text and "refused" in text
    assert words()["rule"]["D7-parquet"]["da_do"] in text and words()["rule"]["D7-parquet"]["en_do"] in text


def test_no_person_number_stands_in_a_report_not_even_from_a_file_name_or_a_misplaced_column(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    lines = month_of_contacts()
    lines[3] = lines[3].replace(";0860;", ";610150-0003;").replace(";0851;", ";610150-0003;")
    lines[4] = lines[4].replace(";75;", ";6101500004;")
    lines[5] = contact_line(1, "6101500005", "6101500005", "2024-01-02 10:00")
    write_contacts(folder / "6101500001 og 610150-0002.csv", lines)
    data = tmp_path / "data"
    result = CliRunner().invoke(main, ["check", str(folder), "--data", str(data)])
    written = [path.read_bytes() for path in reports(data, "")]
    assert len(written) == 3
    for number in range(1, 6):
        for spelling in (f"610150000{number}", f"610150-000{number}"):
            assert spelling not in result.output
            assert all(spelling.encode() not in content for content in written)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0101501234", "xxxxxx-xxxx"),
        ("Found 010150-1234.", "Found xxxxxx-xxxx."),
        ("kontakt 100000000000010001", "kontakt 100000000000010001"),  # an id of eighteen digits is no person
    ],
)
def test_person_numbers_are_masked_and_longer_numbers_are_not(text: str, shown: str) -> None:
    assert mask(text) == shown


class Page(HTMLParser):
    """Tags and addresses of a page; text in Danish and in English."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def test_the_page_fetches_nothing_runs_nothing_and_writes_what_was_delivered_as_text(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    lines = month_of_contacts()
    lines[7] = lines[7].replace(";75;", ";<img src=x onerror=alert(1)>;")
    write_contacts(folder / "<b>k&r.csv", lines)
    page = Page(write_report(check([folder]), "check", tmp_path / "data").read_text("utf-8"))
    assert {"html", "main", "table"} <= set(page.tags)
    assert not {"img", "script", "link", "iframe", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href") or name.startswith("on")]
    policy = [value for name, value in page.attributes if name == "content"]
    assert "default-src 'none'; style-src 'unsafe-inline'" in policy


def test_every_rule_has_words_of_its_own_or_of_its_family() -> None:
    told = {
        rule
        for path in [*ETL.rglob("*.py"), *ETL.rglob("*.sql"), *ETL.glob("sources/*.toml")]
        for rule in re.findall(r"""["']([A-Z]\d{1,2}(?:-[a-z]+)?)["']""", path.read_text("utf-8"))
    } - {"A4"}
    assert len(told) > 50  # the search sees them
    unknown = {rule for rule in told if rule_words(rule) is words()["rule"]["other"]}
    assert not unknown, f"words.toml says nothing of {sorted(unknown)}"


def test_every_kind_of_delivery_has_a_name() -> None:
    assert set(SHAPES) <= set(words()["kind"])


def test_words_come_in_both_languages() -> None:
    for section, entries in words().items():
        for key, texts in entries.items():
            wanted = {"da", "en"} | ({"da_do", "en_do"} if section == "rule" else set())
            assert set(texts) == wanted, (section, key)
            assert all(texts.values()), (section, key)


def test_a_report_that_cannot_be_written_does_not_undo_the_load(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "build").mkdir(parents=True)
    (data / "build" / "reports").write_text("a file where the folder should be")
    result = CliRunner().invoke(main, ["load", str(write_folder(tmp_path / "in")), "--data", str(data)])
    assert result.exit_code == 0, result.output
    assert "Udgivet" in result.output and "kunne ikke skrives" in result.output

"""Deliveries as they come: every format gives the same rows, every defect is named, nobody's number is shown."""

import gzip
import json
import os
import random
import re
import resource
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter
from defects import CAPACITY, LPR2_HEADER, capacity, contacts, parquet, workbook, zipped
from deliveries import (
    CONTACT_HEADER,
    contact_line,
    month_of_contacts,
    write_contacts,
    write_folder,
    write_population,
)
from oracle import stays_of_person

from etl.contact import NUMBERS, WORDS, landed_reports
from etl.delivery import open_delivery
from etl.file import find_files
from etl.finding import Refused
from etl.land import Landed, land
from etl.load import FileReport, Silent, check, load, rebuild
from etl.parse import former_municipalities
from etl.protect import UNPROTECTED
from etl.pseudonym import PseudonymKey
from etl.rules import load_rules
from etl.source import Recognised, Source, load_sources, recognise
from etl.template import EXAMPLE, write_template
from kpis.intervention import Plan, lock, released_plans, write_plan
from kpis.reference import areas
from kpis.release import open_release

KEY = PseudonymKey(b"k" * 32)
MUTATIONS = int(os.environ.get("NAERBLIK_MUTATIONS", "200"))  # 10,000 in `make test-faults`


def land_one(path: Path) -> tuple[Landed, pl.DataFrame]:
    """What one path lands as, over all its files, without row numbers (they differ between formats)."""
    history = path.parent / f"history of {path.name}"
    landed = [land(open_delivery(file), history, KEY) for file in find_files([path])]
    rows = pl.concat([rows_of(file, history) for file in landed])
    return landed[0], rows.drop("row").sort(rows.columns[0])


def rows_of(file: Landed, history: Path) -> pl.DataFrame:
    path = file.path_in(history)
    return landed_reports([(path, 0)]).frame([*NUMBERS, *WORDS]) if path.suffix == ".arrow" else pl.read_parquet(path)


def check_one(path: Path) -> FileReport:
    [report] = check([path]).files
    assert report.rows_in == (
        report.rows_loaded + report.rows_duplicate + report.rows_superseded + report.rows_quarantined
    )
    return report


def rules_of(report: FileReport) -> set[str]:
    return {finding.rule for finding in report.findings}


def message_of(report: FileReport, rule: str) -> str:
    return next(finding.en for finding in report.findings if finding.rule == rule)


def contacts_frame(lines: list[str]) -> pl.DataFrame:
    return pl.DataFrame([line.split(";") for line in lines], schema=CONTACT_HEADER.split(";"), orient="row")


def write_workbook(path: Path, *sheets: tuple[str, list[list]], hidden: tuple[str, ...] = ()) -> None:
    path.write_bytes(workbook(*sheets, hidden=hidden)())


# --- formats ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], pl.DataFrame]:
    """Twelve contacts, and what they land as from the plain CSV. The SAS file beside the tests holds the same."""
    lines = month_of_contacts(2, 6)
    folder = tmp_path_factory.mktemp("plain")
    write_contacts(folder / "k.csv", lines)
    return lines, land_one(folder / "k.csv")[1]


def as_gzip(folder: Path, lines: list[str]) -> Path:
    (folder / "k.csv.gz").write_bytes(gzip.compress("\n".join([CONTACT_HEADER, *lines]).encode()))
    return folder / "k.csv.gz"


def as_zip(folder: Path, lines: list[str]) -> Path:
    with zipfile.ZipFile(folder / "k.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mappe/k.csv", "\n".join([CONTACT_HEADER, *lines]))
        archive.writestr("__MACOSX/._k.csv", b"\0\1")
    return folder / "k.zip"


def as_utf16(folder: Path, lines: list[str]) -> Path:
    (folder / "k.csv").write_bytes("\r\n".join([CONTACT_HEADER, *lines]).encode("utf-16"))
    return folder / "k.csv"


def as_quoted(folder: Path, lines: list[str]) -> Path:
    quoted = [";".join(f'"\u00a0{value} "' for value in line.split(";")) for line in [CONTACT_HEADER, *lines]]
    (folder / "k.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(quoted).encode())
    return folder / "k.csv"


def as_parquet_folder(folder: Path, lines: list[str]) -> Path:
    frame = contacts_frame(lines)
    for name, part in frame.partition_by("bo_kom", as_dict=True).items():
        path = folder / "kontakter" / f"bo_kom={name[0]}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        typed = part.drop("bo_kom").with_columns(
            pl.col("^kont_.*tidspunkt$").str.to_datetime("%Y-%m-%d %H:%M"), pl.col("alder").cast(pl.Int32)
        )
        typed.write_parquet(path)
    (folder / "kontakter" / "_SUCCESS").write_bytes(b"")
    return folder / "kontakter"


def as_zoned_parquet(folder: Path, lines: list[str]) -> Path:
    frame = contacts_frame(lines).with_columns(
        pl.col("^kont_.*tidspunkt$")
        .str.to_datetime("%Y-%m-%d %H:%M")
        .dt.replace_time_zone("Europe/Copenhagen")
        .dt.convert_time_zone("UTC")
    )
    frame.write_parquet(folder / "k.parquet")
    return folder / "k.parquet"


def as_excel(folder: Path, lines: list[str]) -> Path:
    rows = [["Kontakter fra vores system"], [], CONTACT_HEADER.upper().split(";"), *(line.split(";") for line in lines)]
    write_workbook(folder / "k.xlsx", ("Ark1", rows))
    return folder / "k.xlsx"


@pytest.mark.parametrize(
    "deliver", [as_gzip, as_zip, as_utf16, as_quoted, as_parquet_folder, as_zoned_parquet, as_excel]
)
def test_every_format_gives_the_rows_of_the_plain_csv(deliver, plain, tmp_path: Path) -> None:
    lines, rows = plain
    assert land_one(deliver(tmp_path, lines))[1].equals(rows)


def test_a_sas_file_gives_the_rows_of_the_plain_csv(plain, tmp_path: Path) -> None:
    """The file was written from these contacts with ReadStat (Debian package readstat), headers in upper case."""
    sas = tmp_path / "kontakter.sas7bdat"
    sas.write_bytes((Path(__file__).parent / "data" / "contacts.sas7bdat").read_bytes())
    assert land_one(sas)[1].equals(plain[1])
    sas.write_bytes(sas.read_bytes()[:9000])
    assert check_one(sas).status == "refused"


# --- LPR2 ---------------------------------------------------------------------------------------------------------


def test_lpr2_days_become_admissions_and_its_ids_meet_no_id_of_lpr3(tmp_path: Path) -> None:
    person = "6101450002"
    adm = [
        LPR2_HEADER,
        f"17;{person};0;1;2018-01-05;2018-01-05;J449;860",  # one day in hospital is an admission
        f"18;{person};0;1;2018-01-20;2018-01-25;S720;860",  # moved to another ward on the last day: one stay
        f"19;{person};0;1;2018-01-25;2018-01-31;S720;860",
        f"20;{person};2;2;2018-01-01;2018-12-31;J449;860",  # an outpatient course of a year is no stay
        f"21;{person};3;1;2018-03-01;2018-03-01;J449;860",  # nor is a visit to the casualty ward
        f"22;{person};0;1;2018-03-10;2018-03-12;;860",  # its diagnosis is in lpr_diag
        *(f"{100 + n};{61 + n % 28:02d}0150{n:04d};0;2;2018-0{n % 6 + 1}-10;2018-0{n % 6 + 1}-11;Z000;851" for n in range(30)),
    ]  # fmt: skip
    (tmp_path / "lpr_adm_2018.csv").write_text("\n".join(adm), encoding="utf-8")
    (tmp_path / "lpr_diag_2018.csv").write_text("RECNUM;C_DIAG;C_DIAGTYPE\n22;DK590;A\n22;DE119;B\n", encoding="utf-8")
    write_contacts(tmp_path / "lpr3.csv", [  # the same numbers mean other contacts
        contact_line(17 - 10**17, "6201450003", "2018-06-01 10:00", "2018-06-03 10:00", age=73, municipality="0851"),
    ])  # fmt: skip
    write_population(tmp_path / "folk1a.csv", ("2018K1", "2018K2"))
    report = load([tmp_path], tmp_path / "out" / "data", protection=UNPROTECTED, as_of=date(2018, 7, 1))
    assert report.is_loadable, report
    assert all(file.rows_superseded == 0 for file in report.files)
    found = open_release(tmp_path / "out" / "data").sql(
        "select group_id, sum(n_stay)::int as n_stay, sum(n_admission)::int as n_admission, sum(n_acute)::int as n_acute "
        "from cube where municipality_code = '0860' and age_from = 70 group by group_id order by group_id"
    )
    by_group = {row[0]: row[1:] for row in found.iter_rows()}
    assert by_group["all"] == (3, 3, 3)
    assert by_group["prevention.hip_fracture"] == (1, 1, 1)
    assert by_group["chronic.copd"] == (1, 1, 1)
    assert by_group["preventable_65plus.constipation"] == (1, 1, 1)


def test_a_day_of_lpr2_is_the_whole_of_it(tmp_path: Path) -> None:
    """Rule S8: 00:00 to 23:59, so that the day after is the same stay (S1) and two days later another."""
    days = [("2018-01-05", "2018-01-05"), ("2018-01-06", "2018-01-07"), ("2018-01-09", "2018-01-09")]
    adm = [f"{n};6101450002;0;1;{first};{last};J449;860" for n, (first, last) in enumerate(days, start=1)]
    (tmp_path / "lpr_adm.csv").write_text("\n".join([LPR2_HEADER, *adm]), encoding="utf-8")
    rows = land_one(tmp_path / "lpr_adm.csv")[1].sort("start_minute")
    assert (rows["start_minute"] % 1440).to_list() == [0, 0, 0]
    assert (rows["end_minute"] % 1440).to_list() == [1439, 1439, 1439]
    contacts = [row | {"contact_id": n} for n, row in enumerate(rows.iter_rows(named=True))]
    stays = stays_of_person(contacts, as_of=rows["end_minute"].max() + 1)
    assert [(stay.n_contacts, stay.is_admission) for stay in stays] == [(2, True), (1, True)]
    assert "00:00" in load_rules()["S8"]["da"] and "not confirmed" in load_rules()["S8"]["source"]


def test_an_inpatient_who_was_split_when_lpr3_began_is_one_stay(tmp_path: Path) -> None:
    """Rule S6: Region Midtjylland closed every inpatient's LPR2 contact and opened one in LPR3 at 01:00."""
    person = "6101450002"
    others = [
        f"{100 + n};{61 + n % 28:02d}0150{n:04d};0;2;2019-0{n % 6 + 1}-10;2019-0{n % 6 + 1}-11;Z000;851"
        for n in range(30)
    ]
    before = f"17;{person};0;1;2019-01-28;2019-02-03;J449;751"
    (tmp_path / "lpr_adm.csv").write_text("\n".join([LPR2_HEADER, before, *others]), encoding="utf-8")
    after = contact_line(
        1, person, "2019-02-03 01:00", "2019-02-08 12:00", municipality="0751", reported="2019-03-01 08:00"
    )
    write_contacts(tmp_path / "lpr3.csv", [after])
    write_population(tmp_path / "folk1a.csv", ("2019K1", "2019K2"))
    load([tmp_path], tmp_path / "out" / "data", protection=UNPROTECTED, as_of=date(2019, 7, 1))
    stays = open_release(tmp_path / "out" / "data").sql(
        "select month, n_stay from cube where municipality_code = '0751' and group_id = 'all' and n_stay > 0"
    )
    assert stays.rows() == [(date(2019, 1, 1), 1)]


def test_codes_of_municipalities_before_2007_are_named_and_not_translated(tmp_path: Path) -> None:
    lines = [f"{n};{61 + n % 28:02d}0150{n:04d};0;1;2006-01-05;2006-01-06;J449;851" for n in range(1, 60)]
    lines[3] = lines[3].replace(";851", ";171")
    (tmp_path / "lpr_adm.csv").write_text("\n".join([LPR2_HEADER, *lines]), encoding="utf-8")
    report = check_one(tmp_path / "lpr_adm.csv")
    assert (report.status, report.rows_quarantined) == ("accepted_with_warnings", 1)
    assert "“171”, the code of Ledøje-Smørum" in message_of(report, "C2-municipality")


def test_no_municipality_of_today_is_called_a_former_one() -> None:
    today = set(areas().filter(pl.col("level") == "municipality")["area_code"])
    assert not today & set(former_municipalities())
    assert len(former_municipalities()) == 224


# --- regional views -----------------------------------------------------------------------------------------------


def test_texts_in_the_place_of_codes_are_read_as_codes_are(plain, tmp_path: Path) -> None:
    lines, rows = plain
    words = {
        "ALCA00": "Fysisk fremmøde", "ATA1": "ATA1 - Akut", "DJ449": "DJ44.9 KOL uden specifikation",
        "0860": "Hjørring", "0851": "0851 Aalborg",
    }  # fmt: skip
    header = "dw_ek_kontakt;pnr;kont_starttidspunkt;kont_sluttidspunkt;kont_type_tekst;prioritet_tekst;adiag_tekst;bo_kom_tekst;alder;koen_tekst;lprindberetningssystem;indberettet_dato"
    texts = [";".join(words.get(value, value) for value in line.split(";")) for line in lines]
    texts = [re.sub(r";1;LPR3", ";Mand;LPR3", line) for line in texts]
    (tmp_path / "view.csv").write_text("\n".join([header, *texts]), encoding="utf-8")
    assert land_one(tmp_path / "view.csv")[1].equals(rows)


def test_where_code_and_text_both_stand_the_code_is_read(plain, tmp_path: Path) -> None:
    lines, rows = plain
    frame = contacts_frame(lines).with_columns(
        pl.lit("Fysisk fremmøde").alias("kont_type_tekst"), pl.lit("Akut").alias("prioritet_tekst"),
        pl.lit("noget helt andet").alias("borger_bo_kom_tekst"),
    )  # fmt: skip
    frame.write_csv(tmp_path / "twins.csv", separator=";")
    assert land_one(tmp_path / "twins.csv")[1].equals(rows)


def test_a_contact_type_that_nobody_knows_is_told(tmp_path: Path) -> None:
    lines = month_of_contacts(1, 30)
    lines[4] = lines[4].replace("ALCA00", "Fysik fremmøde")
    lines[5] = lines[5].replace("ALCA00", "ALCA10")  # another type of contact, nothing wrong
    write_contacts(tmp_path / "k.csv", lines)
    report = check_one(tmp_path / "k.csv")
    told = [(finding.row, finding.column) for finding in report.findings if finding.rule == "D0-value"]
    assert told == [(6, "kont_type")]
    assert "Fysik fremmøde" in message_of(report, "D0-value")


# --- workbooks ----------------------------------------------------------------------------------------------------


def test_a_template_with_faults_is_answered_cell_by_cell(tmp_path: Path) -> None:
    rows = [replace(EXAMPLE, navn=f"Tilbud {n}") for n in range(8)]
    rows[0] = replace(rows[0], telefon=98765432, bemanding_dag="x", bemanding_aften="", bemanding_nat="NEJ")
    rows[1] = replace(rows[1], kommune="Hjøring")
    rows[2] = replace(rows[2], telefon="1234")
    rows[3] = replace(rows[3], bemanding_nat="måske")
    rows[4] = replace(rows[4], type="plejehjem")
    rows[5] = replace(rows[5], pladser=-2)
    write_template(tmp_path / "skema.xlsx", rows)
    report = check_one(tmp_path / "skema.xlsx")
    told = {(finding.row, finding.column, finding.rule) for finding in report.findings if finding.row}
    assert told == {
        (6, "A6", "T1-municipality"), (7, "E7", "T1-phone"), (8, "M8", "T1-staff"), (10, "I10", "T1-places"),
    } | {(9, "B9", "T1-type")}  # fmt: skip
    assert (report.kind, report.rows_in, report.rows_quarantined) == ("services_template", 8, 5)
    landed, services = land_one_or_refused(tmp_path, rows[:1] + rows[6:])
    assert services["phone"].to_list() == ["98 76 54 32", "00 00 00 00", "00 00 00 00"]
    assert services.select("staff_day", "staff_evening", "staff_night").row(0) == (True, None, False)
    assert landed.kind == "services_template"


def land_one_or_refused(folder: Path, rows: list) -> tuple[Landed, pl.DataFrame]:
    write_template(folder / "godt.xlsx", rows)
    return land_one(folder / "godt.xlsx")


def test_a_template_that_comes_back_blank_is_refused_kindly(tmp_path: Path) -> None:
    write_template(tmp_path / "tomt.xlsx")
    report = check_one(tmp_path / "tomt.xlsx")
    assert (report.status, rules_of(report)) == ("refused", {"T0-blank"})
    assert "Write a row for each service" in message_of(report, "T0-blank")


def capacity_rows(municipality: str, n: int = 3) -> list[list]:
    return [[date(2024, 1, day + 1), "E1", municipality, "akutplads", 6, 5, 4, 0, "kommune"] for day in range(n)]


def test_capacity_in_a_workbook_with_a_sheet_per_municipality_is_read_whole(tmp_path: Path) -> None:
    write_workbook(
        tmp_path / "kapacitet.xlsx",
        ("Hjørring", [["Kapacitet på akutpladser"], CAPACITY, *capacity_rows("Hjørring")]),
        ("Aalborg", [CAPACITY[::-1], *(row[::-1] for row in capacity_rows("0851"))]),
        ("Noter", [["Spørgsmål: ring til Bente"]]),
        ("Gammelt", [CAPACITY, *capacity_rows("Hjørring")]),
        hidden=("Gammelt",),
    )
    report = check_one(tmp_path / "kapacitet.xlsx")
    assert (report.kind, report.rows_loaded) == ("acute_place_capacity", 6)
    assert rules_of(report) == {"D8-hidden", "D8-sheet", "D2-unshown"}
    assert land_one(tmp_path / "kapacitet.xlsx")[1]["municipality"].sort().to_list() == ["0851"] * 3 + ["0860"] * 3


def test_a_fault_on_the_second_sheet_names_sheet_and_cell(tmp_path: Path) -> None:
    bad = capacity_rows("0851")
    bad[1][5] = "mange"
    write_workbook(
        tmp_path / "kapacitet.xlsx",
        ("Nord", [["Titel"], CAPACITY, *capacity_rows("0860")]),
        ("Syd", [["Titel"], CAPACITY, *bad]),
    )
    report = check_one(tmp_path / "kapacitet.xlsx")
    assert [(f.row, f.column, f.rule) for f in report.findings if f.row] == [(4, "Syd!F4", "A2-count")]
    assert check([tmp_path / "kapacitet.xlsx"]).held_back.select("row", "column", "value").rows() == [
        (4, "Syd!F4", "mange")
    ]


def test_a_workbook_of_two_kinds_is_refused(tmp_path: Path) -> None:
    days = [["kommune", "periode", "dage"], ["0860", "2024-01", 12]]
    write_workbook(tmp_path / "alt.xlsx", ("A", [CAPACITY, *capacity_rows("0860")]), ("B", days))
    assert rules_of(check_one(tmp_path / "alt.xlsx")) == {"D8-sheets"}


def test_totals_and_notes_under_a_table_are_left_out_and_said(tmp_path: Path) -> None:
    total = ["I alt", None, None, None, 18, 15, 12, 0, None]
    rows = [CAPACITY, *capacity_rows("0860"), total, [], ["Kilde: omsorgssystemet, trukket i februar"]]
    write_workbook(tmp_path / "kapacitet.xlsx", ("Ark1", rows))
    report = check_one(tmp_path / "kapacitet.xlsx")
    assert (report.rows_in, report.rows_loaded, report.rows_quarantined) == (5, 3, 2)
    said = {finding.row: finding.en for finding in report.findings}
    assert "total" in said[5] and "note" in said[7]
    text = "\n".join([";".join(CAPACITY), *(";".join(map(str, row)) for row in capacity_rows("0860"))])
    (tmp_path / "kapacitet.csv").write_text(f"{text}\nI alt;;;;18;15;12;0;\nKilde: omsorgssystemet", encoding="utf-8")
    report = check_one(tmp_path / "kapacitet.csv")
    assert (report.rows_in, report.rows_loaded, report.rows_quarantined) == (5, 3, 2)
    said = {finding.row: finding.en for finding in report.findings}
    assert "total" in said[5] and "note" in said[6]


def test_a_formula_without_a_result_is_refused_with_its_cell_whatever_the_order_of_sheets(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "k.xlsx") as book:
        book.add_worksheet("Forside").write(0, 0, "Kapacitet")
        sheet = book.add_worksheet("Data")
        sheet.write_row(0, 0, CAPACITY)
        sheet.write_row(1, 0, ["2024-01-01", "E1", "0860", "akutplads", 6, 5])
        sheet.write_formula(1, 6, "=F2-1", value="")
    with zipfile.ZipFile(tmp_path / "k.xlsx") as book:  # the tabs' order says nothing of the parts' numbers
        parts = {info.filename: book.read(info) for info in book.infolist()}
    names = ("xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml")
    parts |= {names[0]: parts[names[1]], names[1]: parts[names[0]]}
    relations = "xl/_rels/workbook.xml.rels"
    swapped = parts[relations].replace(b"sheet1.xml", b"#").replace(b"sheet2.xml", b"sheet1.xml")
    parts[relations] = swapped.replace(b"#", b"sheet2.xml")
    with zipfile.ZipFile(tmp_path / "k.xlsx", "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    report = check_one(tmp_path / "k.xlsx")
    assert (report.findings[0].rule, report.findings[0].column) == ("D8-formula", "G2")


# --- official figures ---------------------------------------------------------------------------------------------


def test_an_esundhed_export_becomes_official_figures(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "esundhed.xlsx") as book:
        sheet = book.add_worksheet("Eksport")
        sheet.merge_range(0, 0, 0, 4, "Akutte genindlæggelser inden for 30 dage")
        sheet.merge_range(1, 0, 1, 4, "Andel i pct.")
        sheet.write_row(3, 0, ["Bopælskommune", "2021", 2022, "2023"])
        sheet.write_row(4, 0, ["Hele landet", "11,4", 11.612, "11,5"])
        sheet.write_row(5, 0, ["Region Nordjylland", "10,9", "11,0", "11,2"])
        sheet.write_row(6, 0, ["Hjørring", "12,1", "-", ""])
        sheet.write_row(7, 0, ["Læsø", "-", "-", "i tolv"])
        sheet.write_row(9, 0, ["Kilde: Sundhedsdatastyrelsen"])
    report = check_one(tmp_path / "esundhed.xlsx")
    assert (report.kind, report.status) == ("esundhed", "accepted_with_warnings")
    assert (report.rows_in, report.rows_loaded, report.rows_quarantined) == (13, 11, 2)
    assert ("D8", "O1-value") in {(finding.column, finding.rule) for finding in report.findings}
    write_contacts(tmp_path / "k.csv", month_of_contacts())
    write_population(tmp_path / "folk1a.csv")
    load([tmp_path], tmp_path / "out" / "data", protection=UNPROTECTED)
    figures = open_release(tmp_path / "out" / "data").sql(
        "select level, area_code, period, value, indicator from official_figure order by level, area_code, period"
    )
    assert figures.height == 11
    assert figures.row(0) == ("country", "DK", "2021", 11.4, "Akutte genindlæggelser inden for 30 dage")
    assert figures.filter(pl.col("area_code") == "0860")["value"].to_list() == [12.1, None, None]
    assert figures.filter(pl.col("period") == "2022")["value"].to_list()[0] == 11.612


def test_an_export_that_is_broken_down_by_more_than_we_read_is_refused(tmp_path: Path) -> None:
    rows = [
        ["Indikator", "Region", "Køn", "2023"],
        ["KOL", "Region Sjælland", "Mænd", 5],
        ["KOL", "Region Sjælland", "Kvinder", 7],
    ]
    write_workbook(tmp_path / "esundhed.xlsx", ("Ark1", rows))
    assert rules_of(check_one(tmp_path / "esundhed.xlsx")) == {"O2-twice"}


def test_thousands_and_decimals_are_told_apart_by_the_whole_column(tmp_path: Path) -> None:
    header = "kommune;periode;indikator;taeller;naevner;vaerdi"
    for name, rows, numerators in (
        ("danish", ["0860;2023;a;1.234;20000;61,7", "0851;2023;a;2,5;1000;2,5"], [1234.0, 2.5]),
        ("english", ["0860;2023;a;1.234;20000;61.7", "0851;2023;a;2.5;1000;2.5"], [1.234, 2.5]),
    ):
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
        landed = land_one(tmp_path / f"{name}.csv")[1].sort("area", descending=True)
        assert landed["numerator"].to_list() == numerators, name
        assert landed["value"].to_list() == [61.7, 2.5], name
    (tmp_path / "unclear.csv").write_text(f"{header}\n0860;2023;a;1;1;1.234\n0851;2023;a;1;1;2\n", encoding="utf-8")
    report = check_one(tmp_path / "unclear.csv")
    assert [(f.row, f.rule) for f in report.findings if f.row] == [(2, "O1-value")]


def test_a_questionnaire_baseline_reaches_the_release(tmp_path: Path) -> None:
    (tmp_path / "baseline.csv").write_text(
        "Spoergsmaal;Kommune;Periode;Svar;Enhed;Antal_svar;Besvaret_den\n"
        "Hvor mange akutpladser har I?;Hjørring;2023;6;pladser;1;01-02-2024\n"
        "Hvor mange akutpladser har I?;KKR Nordjylland;2023;42,5;pladser;11;01-02-2024\n"
        "Hvor mange akutpladser har I?;Læsø;2023;;pladser;0;\n",
        encoding="utf-8",
    )
    assert check_one(tmp_path / "baseline.csv").kind == "baseline"
    write_contacts(tmp_path / "k.csv", month_of_contacts())
    write_population(tmp_path / "folk1a.csv")
    load([tmp_path], tmp_path / "out" / "data", protection=UNPROTECTED)
    found = open_release(tmp_path / "out" / "data").sql(
        "select level, value, unit, respondents from baseline order by level, area_code"
    )
    assert sorted(found.rows(), key=str) == sorted(
        [("kkr", 42.5, "pladser", 11), ("municipality", None, "pladser", 0), ("municipality", 6.0, "pladser", 1)],
        key=str,
    )


# --- defects ------------------------------------------------------------------------------------------------------


def test_a_file_without_a_last_line_end_is_whole(tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_bytes(contacts(end="")())
    assert check_one(tmp_path / "k.csv").status == "accepted"


def test_dates_that_could_be_either_stay_danish(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("pnr;doedsdato\n6101450002;02-03-2024\n6201450002;25/12/2023\n", encoding="utf-8")
    assert land_one(tmp_path / "d.csv")[1]["death_date"].sort().to_list() == [date(2023, 12, 25), date(2024, 3, 2)]


def test_an_end_in_the_year_9999_is_no_end(tmp_path: Path) -> None:
    homes = ["PNR;KOM;FRA;TIL", "6101450002;851;2000-01-01;31-12-9999", "6201450003;860;2024-01-01;9999-12-31"]
    (tmp_path / "bopael.csv").write_text("\n".join(homes), encoding="utf-8")
    report = check_one(tmp_path / "bopael.csv")
    assert (report.status, report.rows_loaded) == ("accepted", 2)
    known, _ = land_one(tmp_path / "bopael.csv")
    assert known.newest_minute == (date(2024, 1, 1) - date(2000, 1, 1)).days * 1440
    open_contact = month_of_contacts(1, 30)
    ended = open_contact[0].split(";")[3]
    blank = [open_contact[0].replace(ended, "", 1), *open_contact[1:]]
    for_ever = [open_contact[0].replace(ended, "31-12-9999 23:59", 1), *open_contact[1:]]
    write_contacts(tmp_path / "blank.csv", blank)
    write_contacts(tmp_path / "for_ever.csv", for_ever)
    assert land_one(tmp_path / "blank.csv")[1].equals(land_one(tmp_path / "for_ever.csv")[1])
    assert check_one(tmp_path / "for_ever.csv").status == "accepted"


def test_goals_and_interventions_for_areas_that_do_not_exist_are_held_back(tmp_path: Path) -> None:
    goal = "maal_id;indikator;omraade_niveau;omraade_kode;faelles_eller_egen;frist_type;baseline;baseline_periode;maal;frist"
    of_area = "m{};preventable_admissions_65plus;kommune;{};egen;kort;60,5;2023;54;31-12-2026"
    areas_told = ["860", "0860", "0851", "0861", "nordkøbing"]
    (tmp_path / "maal.csv").write_text(
        "\n".join([goal, *(of_area.format(n, area) for n, area in enumerate(areas_told))]), encoding="utf-8"
    )
    report = check_one(tmp_path / "maal.csv")
    assert [(f.row, f.column, f.rule) for f in report.findings if f.row] == [
        (5, "omraade_kode", "G1-area"), (6, "omraade_kode", "G1-area"),
    ]  # fmt: skip
    indsats = "indsats_id;navn;kommuner;fra;til;forventet_effekt;indikator;laast_den"
    of_areas = "i{};Akutteam;{};01-01-2024;;0,9;preventable_admissions_65plus;01-12-2023"
    told = ["860|0851", "Hjørring", "0860|0999"]
    (tmp_path / "indsatser.csv").write_text(
        "\n".join([indsats, *(of_areas.format(n, area) for n, area in enumerate(told))]), encoding="utf-8"
    )
    report = check_one(tmp_path / "indsatser.csv")
    assert [(f.row, f.rule) for f in report.findings if f.row] == [(4, "I1-municipalities")]
    assert land_one(tmp_path / "indsatser.csv")[1]["municipalities"].to_list()[:2] == ["0860|0851", "0860"]


def test_the_plan_of_an_intervention_is_a_delivery_and_comes_out_as_it_went_in(tmp_path: Path) -> None:
    planned = Plan(
        id="i1", name="Akutteam", municipalities=("0851", "0860"), start=date(2024, 1, 1),
        indicator="preventable_admissions_65plus", expected_effect=0.9, cost=1.5e6, owner="Sundhedschefen",
        what="To linjer\nog \"anførselstegn\"", counterweight="readmissions_30d", later_starts=(("0860", date(2024, 3, 1)),),
    )  # fmt: skip
    plan = replace(lock(planned, datetime(2023, 12, 1, 9, 30)), cost=2e6)
    (tmp_path / "i1.toml").write_text(write_plan(plan), encoding="utf-8")
    assert check_one(tmp_path / "i1.toml").status == "accepted"
    (tmp_path / "i1.toml").rename(write_folder(tmp_path / "in") / "i1.toml")
    load([tmp_path / "in"], tmp_path / "data", protection=UNPROTECTED)
    assert released_plans(open_release(tmp_path / "data")) == (plan,)
    assert plan.is_intact


def test_interventions_that_an_older_version_landed_are_still_read(tmp_path: Path) -> None:
    plan = Plan("i1", "Akutteam", ("0860",), date(2024, 1, 1), "preventable_admissions_65plus", owner="Ingen")
    (write_folder(tmp_path / "in") / "i1.toml").write_text(write_plan(plan), encoding="utf-8")
    load([tmp_path / "in"], tmp_path / "data", protection=UNPROTECTED)
    for path in (tmp_path / "data" / "build" / "history" / "interventions").glob("*.parquet"):
        pl.read_parquet(path).drop("owner", "cost", "locked_plan").write_parquet(path)
        for told in path.parent.glob(f"{path.stem}.json"):
            told.write_text(re.sub(r', "checksum": "\w+"', "", told.read_text("utf-8")), "utf-8")
    rebuild(tmp_path / "data", as_of=None, protection=UNPROTECTED, accept_change=None, progress=Silent())
    assert released_plans(open_release(tmp_path / "data")) == (replace(plan, owner=""),)


def test_a_plan_that_is_none_is_refused_with_everything_that_is_wrong_with_it(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('indsats_id = "i 1"\nkommuner = ["0999"]\nfra = 2024-01-01\n', encoding="utf-8")
    report = check_one(tmp_path / "p.toml")
    assert report.status == "refused"
    message = message_of(report, "I1-plan")
    for part in ("indsats_id is “i 1”", "navn is missing", "kommuner names “0999”", "indikator is missing"):
        assert part in message


def test_an_unknown_file_is_answered_with_what_it_lacks_and_what_is_strange(tmp_path: Path) -> None:
    write_contacts(tmp_path / "k.csv", month_of_contacts(1, 3))
    text = (tmp_path / "k.csv").read_text(encoding="utf-8").replace("adiag;", "diagnosekode_gl;")
    (tmp_path / "k.csv").write_text(text, encoding="utf-8")
    message = message_of(check_one(tmp_path / "k.csv"), "D2-unknown")
    assert "LPR_A" in message and "needs: adiag" in message and "not know: diagnosekode_gl" in message


def test_titles_above_the_headers_are_passed_over_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    lines = month_of_contacts(1, 30)
    write_contacts(tmp_path / "plain.csv", lines)
    plain = (tmp_path / "plain.csv").read_text(encoding="utf-8")
    (tmp_path / "titled.csv").write_text(
        "Kontakter, januar 2024\n\n" + plain.replace(";75;", ";175;", 1), encoding="utf-8"
    )
    assert land_one(tmp_path / "titled.csv")[1].height == len(lines)
    report = check_one(tmp_path / "titled.csv")
    assert report.rows_in == len(lines)
    assert [(f.rule, f.row) for f in report.findings if f.rule in ("D3-above", "C2-age")] == [
        ("D3-above", 2),
        ("C2-age", 4),
    ]


def test_headers_below_rows_of_another_table_are_no_headers(tmp_path: Path) -> None:
    """What stands above them would be lost."""
    write_contacts(tmp_path / "k.csv", month_of_contacts(1, 3))
    text = (tmp_path / "k.csv").read_text(encoding="utf-8")
    (tmp_path / "k.csv").write_text("a;b;c\n1;2;3\n" + text, encoding="utf-8")
    assert check_one(tmp_path / "k.csv").status == "refused"


def test_what_was_read_as_headers_is_told_but_not_data_that_stand_there(tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text("Titel;Afdeling;Sted\nx;y;z\n", encoding="utf-8")
    assert "Read as headers: Titel, Afdeling, Sted" in message_of(check_one(tmp_path / "k.csv"), "D2-unknown")
    (tmp_path / "k.csv").write_text(
        "0101500001;2024-01-01 10:00;ALCA00\n0101500002;2024-01-02 10:00;ALCA00\n", encoding="utf-8"
    )
    message = message_of(check_one(tmp_path / "k.csv"), "D2-unknown")
    assert "no headers" in message and "0101500001" not in message


def test_a_workbook_that_is_refused_still_tells_which_sheets_are_hidden(tmp_path: Path) -> None:
    file = workbook(
        ("Forside", [["Navn", "Afdeling"], ["x", "y"]]), ("Data", [CAPACITY, *capacity()]), hidden=("Data",)
    )()
    (tmp_path / "k.xlsx").write_bytes(file)
    report = check_one(tmp_path / "k.xlsx")
    assert report.status == "refused" and {finding.rule for finding in report.findings} >= {"D2-unknown", "D8-hidden"}


def test_lost_zeros_come_back_and_modulus_11_is_not_asked(tmp_path: Path) -> None:
    lines = month_of_contacts(1, 30)
    whole = [line.replace("6101500000", "0101500001") for line in lines]  # fails modulus 11, as many given out today do
    lost = [line.replace("6101500000", "101500001").replace(";0860;", ";860;") for line in lines]
    write_contacts(tmp_path / "whole.csv", whole)
    write_contacts(tmp_path / "lost.csv", lost)
    assert land_one(tmp_path / "whole.csv")[1].equals(land_one(tmp_path / "lost.csv")[1])
    assert check_one(tmp_path / "lost.csv").rows_quarantined == 0


def test_hostile_names_are_shown_harmless(tmp_path: Path) -> None:
    for name in (f"\x1b[31mrød\u202e{'x' * 180}.csv", "borger 010150-1234.csv"):
        (tmp_path / name).write_bytes(b"a;b\n1;2\n")
    names = [report.file for report in check([tmp_path]).files]
    assert len(names) == 2
    assert all(name.isprintable() and len(name) < 200 and "1234" not in name for name in names)


def test_an_unknown_ending_inside_a_folder_is_not_a_delivery_and_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "læsmig.pdf").write_bytes(b"%PDF")
    told: list[str] = []
    assert find_files([tmp_path], told.append) == []
    assert told == [str(tmp_path / "læsmig.pdf")]


# --- persons ------------------------------------------------------------------------------------------------------


def test_no_person_number_is_in_any_message_report_or_quarantine(tmp_path: Path) -> None:
    """Numbers in every column, in headers, in sheet and file names; ten digits, with a dash, with the zero lost."""
    person = "0702451239"
    spellings = [person, "070245-1239", "070245 1239", person[1:], f" {person}\u00a0"]
    lines = month_of_contacts(1, 60)
    for number, spelling in enumerate(spellings * 2):
        at = number % len(CONTACT_HEADER.split(";"))
        cells = lines[number].split(";")
        cells[at] = spelling
        lines[number] = ";".join(cells)
    lines[30] += f";{person}"
    write_contacts(tmp_path / "k.csv", lines)
    (tmp_path / f"{person}.csv").write_text(f"{person};navn;{person}\n1;2;3\n", encoding="utf-8")
    (tmp_path / "h.csv").write_text(CONTACT_HEADER + f";{person};{person}\n1\n", encoding="utf-8")
    bad = capacity_rows("0860")
    bad[0][5] = f"se {person}"
    write_workbook(
        tmp_path / "x.xlsx",
        ("Ark1", [[person], CAPACITY, *bad, ["I alt"], [f"Note om {person}"]]),
        (person, [[person]]),
        (f"x {person}", [[person]]),
        hidden=(person,),
    )
    report = check([tmp_path])
    said = json.dumps(
        [[f.file, *((x.column, x.da, x.en) for x in f.findings)] for f in report.files], ensure_ascii=False
    )
    said += report.held_back.write_csv()
    digits = re.sub(r"[^0-9a-z(]+", "", said)
    assert "xxxxxx-xxxx" in said
    assert person not in digits and person[1:] not in digits


# --- mutations ----------------------------------------------------------------------------------------------------


def seeds() -> list[tuple[str, bytes]]:
    """One small good file of each text shape and format, to be spoiled."""
    out = [("kontakter.csv", contacts()()), ("kontakter.parquet", parquet())]
    out.append(("lpr_adm.csv", "\n".join([LPR2_HEADER, *(f"{n};{61 + n % 28:02d}0150{n:04d};0;1;2018-01-05;2018-01-06;J449;851" for n in range(30)), ""]).encode()))  # fmt: skip
    out.append(("bopael.csv", "\n".join(["PNR;KOM;FRA;TIL", *(f"{61 + n:02d}0145{n:04d};851;2000-01-01;" for n in range(25)), ""]).encode()))  # fmt: skip
    out.append(("hjemsyg.csv", "\n".join(["OMRÅDE;ALDER;KØN;TID;INDHOLD", *(f"{code.lstrip('0')};80-84 år;Mænd;2023;{n}" for n, code in enumerate(["0860", "0851", "0101"] * 8)), ""]).encode()))  # fmt: skip
    out.append(("generic.csv", "\n".join(["kommune;periode;indikator;taeller;naevner;vaerdi", *(f"0860;{y};a;1;2;0,{y}" for y in range(2000, 2024)), ""]).encode()))  # fmt: skip
    out.append(("kontakter.csv.gz", gzip.compress(contacts()(), mtime=0)))
    out.append(("kontakter.zip", zipped("k.csv", contacts())))
    out.append(("kontakter.sas7bdat", (Path(__file__).parent / "data" / "contacts.sas7bdat").read_bytes()))
    return out


CELLS = [
    "", "NULL", "..", "x", "-1", "9" * 30, "2024-02-30", "31-12-9999 23:59", "1e308", "nan", '"', ";", "\r", "\0", "\ufeff",
    "æøå", "DJ44.9", "ALCA99", "0411", "171", "I alt", "=1+1", "0702451239", "😀" * 50, "1.234", "1,2,3", "24:00", "00:00:60",
]  # fmt: skip


def mutated(content: bytes, rng: random.Random, *, is_text: bool) -> bytes:
    """The content with one to four injuries: bytes changed, cut, doubled; cells and lines replaced."""
    for _ in range(rng.randint(1, 4)):
        if not content:
            break
        at, n = rng.randrange(len(content)), rng.randint(1, 60)
        choice = rng.randrange(8 if is_text else 5)
        if choice == 0:
            content = content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
        elif choice == 1:
            content = content[:at] + content[at + n :]
        elif choice == 2:
            content = content[:at] + content[at : at + n] * 2 + content[at + n :]
        elif choice == 3:
            content = content[:at] if rng.random() < 0.3 else content
        elif choice == 4:
            content = content[:at] + rng.randbytes(n) + content[at:]
        else:
            lines = content.split(b"\n")
            number = rng.randrange(len(lines))
            cells = lines[number].split(b";")
            cells[rng.randrange(len(cells))] = rng.choice(CELLS).encode()
            lines[number] = b";".join(cells)
            if choice == 6:
                rng.shuffle(lines)
            if choice == 7:
                lines.insert(number, rng.choice(lines))
            content = b"\n".join(lines)
    return content


def test_no_spoiled_file_crashes_the_check_or_loses_a_row(tmp_path: Path) -> None:
    """Each file is refused with a finding, or every row of it is accounted for; no hundred of them take much."""
    rng = random.Random(2026)
    good = seeds()
    often = [1 if name.endswith(".sas7bdat") else 8 for name, _ in good]  # each of those starts processes
    before = resource.getrusage(resource.RUSAGE_SELF)
    outcomes: Counter[str] = Counter()
    for first in range(0, MUTATIONS, 100):
        folder = tmp_path / f"batch{first}"
        for number in range(first, min(first + 100, MUTATIONS)):
            [(name, content)] = rng.choices(good, often)
            (folder / f"{number}").mkdir(parents=True)
            is_text = name.endswith(".csv")
            (folder / f"{number}" / name).write_bytes(mutated(content, rng, is_text=is_text))
        report = check([folder])
        assert len(report.files) >= 90
        outcomes.update(file.status for file in report.files)
        for file in report.files:
            if file.status == "refused":
                assert file.findings and file.findings[0].en, file
            else:
                parts = file.rows_loaded + file.rows_duplicate + file.rows_superseded + file.rows_quarantined
                assert file.rows_in == parts and min(file.rows_loaded, file.rows_quarantined) >= 0, file
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds, megabytes = after.ru_utime - before.ru_utime, (after.ru_maxrss - before.ru_maxrss) / 1000
    print(f"{MUTATIONS} files: {dict(outcomes)}, {seconds / MUTATIONS:.3f} s each, {megabytes:.0f} MB more at most")
    assert seconds / MUTATIONS < 2 and megabytes < 300


def test_the_mutations_reach_both_ends(tmp_path: Path) -> None:
    """The positive control: among them are files that are opened and files that are refused."""
    rng = random.Random(2026)
    name, content = seeds()[0]
    path, outcomes = tmp_path / name, set()
    for _ in range(40):
        path.write_bytes(mutated(content, rng, is_text=True))
        try:
            open_delivery(find_files([path])[0])
            outcomes.add("opened")
        except Refused:
            outcomes.add("refused")
    assert outcomes == {"opened", "refused"}


def test_minutes_are_what_a_workbook_shows(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "ophold.xlsx") as book:
        clock = book.add_format({"num_format": "dd-mm-yyyy hh:mm"})
        sheet = book.add_worksheet("Ophold")
        header = "ophold_id;borger_cpr;enhed_id;plads_type;henvist_af;start_tid;slut_tid;bopael_kommune"
        sheet.write_row(0, 0, header.split(";"))
        sheet.write_row(1, 0, [1, "6101450002", "E1", "akutplads", "Hjem"])
        sheet.write_datetime(1, 5, datetime(2024, 1, 31, 14, 5), clock)
        sheet.write_datetime(1, 6, datetime(2024, 2, 3, 9, 30), clock)
        sheet.write(1, 7, 860)
    landed = land_one(tmp_path / "ophold.xlsx")[1]
    assert landed.select("end_minute").item() - landed.select("start_minute").item() == (2 * 24 + 19) * 60 + 25
    assert landed["municipality"].item() == "0860"


@pytest.mark.parametrize("source", load_sources(), ids=lambda source: source.id)
def test_a_lost_header_does_not_make_another_delivery_of_it(source: Source) -> None:
    headers = [column.headers[0] for column in source.columns if column.headers] + ["2023"] * source.has_year_columns
    whole = recognise(headers, source.table)
    assert isinstance(whole, Recognised) and whole.source.id == source.id
    if source.kind == "lpr_contacts":
        for column in source.columns:
            found = recognise([*(set(headers) - {column.headers[0]}), "diagnose"])
            told = found.source if isinstance(found, Recognised) else found.nearest
            assert told.kind == "lpr_contacts", column.name


def test_a_person_in_free_text_is_neither_published_nor_repeated(tmp_path: Path) -> None:
    write_template(
        tmp_path / "skema.xlsx",
        [replace(EXAMPLE, navn="Anna 010203-1234"), replace(EXAMPLE, adresse="hos 010203-1234")],
    )
    report = check_one(tmp_path / "skema.xlsx")
    said = json.dumps([finding.in_words("da") for finding in report.findings])
    assert "010203" not in said and "xxxxxx-xxxx" in said
    assert report.rows_quarantined == 1

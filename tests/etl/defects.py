"""Every defect that a delivery was tried with, and what must come of it.

    PYTHONPATH=.:tests:tests/etl python tests/etl/defects.py docs/fejl-i-leverancer.md

writes what the loader says to each, for those who load. A test compares that page with what it says today.
"""

import functools
import gzip
import io
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import polars as pl
import xlsxwriter
from deliveries import CONTACT_HEADER, month_of_contacts, municipality_codes, write_population

from etl.finding import Finding
from etl.load import FileReport, check
from etl.report import QUIET, rule_words
from etl.template import EXAMPLE, ServiceRow, write_template

CAPACITY = ["dato", "enhed_id", "kommune", "plads_type", "normerede", "disponible", "belagte_kl23", "afviste_henvisninger", "operatoer"]  # fmt: skip
STAYS = "ophold_id;borger_cpr;enhed_id;plads_type;henvist_af;start_tid;slut_tid;bopael_kommune"
LPR2_HEADER = "RECNUM;PNR;C_PATTYPE;C_INDM;D_INDDTO;D_UDDTO;C_ADIAG;C_KOM"
GOALS = (
    "maal_id;indikator;omraade_niveau;omraade_kode;faelles_eller_egen;frist_type;baseline;baseline_periode;maal;frist"
)
EFFORTS = "indsats_id;navn;kommuner;fra;til;forventet_effekt;indikator;laast_den"


@dataclass(frozen=True)
class Defect:
    """A file that is wrong in one way, and what must be found.

    `rules`: the rules told, quiet ones left out; `where`: row and column of the first finding that has a row.
    """

    group: str
    what: str
    name: str
    content: Callable[[], bytes]
    is_refused: bool
    rules: tuple[str, ...]
    where: tuple[int, str | None] | None = None


def text(header: str, *lines: str, end: str = "\n", encoding: str = "utf-8") -> Callable[[], bytes]:
    return lambda: ("\n".join([header, *lines]) + end).encode(encoding)


def contacts(*changes: tuple[str, str], at: int = 3, n: int = 40, end: str = "\n") -> Callable[[], bytes]:
    """Good contacts, of which one line (from 0) is changed."""

    def content() -> bytes:
        lines = month_of_contacts(1, n)
        for before, after in changes:
            assert before in lines[at], (before, lines[at])
            lines[at] = lines[at].replace(before, after, 1)
        return ("\n".join([CONTACT_HEADER, *lines]) + end).encode()

    return content


def all_contacts(pattern: str, after: str) -> Callable[[], bytes]:
    """Contacts in which every line is changed."""
    return lambda: re.sub(pattern, after, contacts()().decode()).encode()


def without_column(name: str, instead: str | None = None) -> Callable[[], bytes]:
    def content() -> bytes:
        return contacts()().replace(f"{name};".encode(), f"{instead};".encode() if instead else b"", 1)

    return content


def zipped(name: str, content: Callable[[], bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content())
    return out.getvalue()


def many_members() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(201):
            archive.writestr(f"{number}.csv", "a;b\n1;2\n")
    return out.getvalue()


def empty_zip() -> bytes:
    out = io.BytesIO()
    zipfile.ZipFile(out, "w").close()
    return out.getvalue()


def locked_zip() -> bytes:
    content = bytearray(zipped("k.csv", contacts()))
    content[6] |= 1  # the flag in the member's own header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the table of contents
    return bytes(content)


def bomb() -> bytes:
    return CONTACT_HEADER.encode() + b"\n" + b"0" * (64 << 20)


def parquet() -> bytes:
    out = io.BytesIO()
    lines = month_of_contacts(1, 40)
    pl.DataFrame([line.split(";") for line in lines], schema=CONTACT_HEADER.split(";"), orient="row").write_parquet(out)
    return out.getvalue()


def sas() -> bytes:
    return (Path(__file__).parent / "data" / "contacts.sas7bdat").read_bytes()


def spoiled_sas() -> bytes:
    content = bytearray(sas())
    content[12_300:14_300] = b"\xff" * 2000  # the rows
    return bytes(content)


def american_dates() -> bytes:
    return re.sub(rb"(\d{4})-(\d\d)-(\d\d)", rb"\2/\3/\1", contacts()())


def ambiguous_american_dates() -> bytes:
    """Days up to the twelfth only, so that all could be read as day and month; starts and ends, not times of report."""
    lines = [
        re.sub(r"-01-(\d\d) ", lambda day: f"-01-{int(day[1]) % 12 + 1:02} ", line) for line in month_of_contacts(1, 60)
    ]
    ordered = [re.sub(r"(\d{4})-(01)-(\d\d) ", r"\2-\3-\1 ", line) for line in lines]
    return "\n".join([CONTACT_HEADER, *ordered]).encode()


def population(change: Callable[[list[str]], list[str]] = lambda lines: lines) -> Callable[[], bytes]:
    def content() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "folk1a.csv"
            write_population(path)
            lines = [line for line in path.read_text("utf-8-sig").split("\n") if not line.startswith("411;")]
        return "\n".join([lines[0], *change(lines[1:]), ""]).encode()

    return content


def workbook(*sheets: tuple[str, list[list]], hidden: tuple[str, ...] = ()) -> Callable[[], bytes]:
    def content() -> bytes:
        out = io.BytesIO()
        with xlsxwriter.Workbook(out) as book:
            day = book.add_format({"num_format": "dd-mm-yyyy"})
            for name, rows in sheets:
                sheet = book.add_worksheet(name)
                for number, row in enumerate(rows):
                    for at, value in enumerate(row):
                        if isinstance(value, date):
                            sheet.write_datetime(number, at, value, day)
                        elif isinstance(value, str) and value.startswith("="):
                            sheet.write_formula(number, at, value, value="")
                        elif value is not None:
                            sheet.write(number, at, value)
                if name in hidden:
                    sheet.hide()
        return out.getvalue()

    return content


def capacity(**changed: object) -> list[list]:
    """Three days of a unit; the second has these cells (header → value) instead."""
    rows = [[date(2024, 1, day + 1), "E1", "Hjørring", "akutplads", 6, 5, 4, 0, "kommune"] for day in range(3)]
    for header, value in changed.items():
        rows[1][CAPACITY.index(header)] = value
    return rows


def template(**changed: object) -> Callable[[], bytes]:
    """The reporting template with three services; the second has these cells instead."""
    rows = [replace(EXAMPLE, navn=f"Tilbud {n}") for n in (1, 2, 3)]
    return template_of([rows[0], replace(rows[1], **changed), rows[2]])


def template_of(rows: list[ServiceRow]) -> Callable[[], bytes]:
    def content() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            write_template(Path(folder) / "skabelon.xlsx", rows)
            return (Path(folder) / "skabelon.xlsx").read_bytes()

    return content


GOAL = "m1;preventable_admissions_65plus;kommune;0860;egen;kort;60,5;2023;54;31-12-2026"
EFFORT = "i1;Akutteam;860|0851;01-01-2024;;0,9;preventable_admissions_65plus;01-12-2023"
STAY = "1;6101450002;E1;akutplads;Hjem;2024-01-31 14:05;2024-02-03 09:30;0860"
FIGURES = "kommune;periode;indikator;taeller;naevner;vaerdi"
HOMES = "PNR;KOM;FRA;TIL"

DEFECTS = [
    # --- the file as a whole
    Defect("Filen som helhed", "Filen er tom", "k.csv", lambda: b"", True, ("D1-empty",)),
    Defect("Filen som helhed", "Kun overskrifter, ingen rækker", "k.csv", text(CONTACT_HEADER), True, ("D1-empty",)),
    Defect("Filen som helhed", "Ukendte kolonner", "k.csv", text("a;b;c", "1;2;3"), True, ("D2-unknown",), (1, None)),
    Defect("Filen som helhed", "Data uden overskrifter", "k.csv", lambda: b"\n".join(contacts()().splitlines()[1:]), True, ("D2-unknown",), (1, None)),
    Defect("Filen som helhed", "Titler over overskrifterne", "k.csv", lambda: b"Kontakter 2024\n\n" + contacts()(), False, ("D3-above",), (2, None)),
    Defect("Filen som helhed", "En kolonne mangler", "k.csv", without_column("adiag"), True, ("D2-unknown",), (1, None)),
    Defect("Filen som helhed", "En kolonne har fået et andet navn", "k.csv", without_column("adiag", "diagnosekode_gl"), True, ("D2-unknown",), (1, None)),
    Defect("Filen som helhed", "En overskrift står to gange", "k.csv", lambda: contacts()().replace(b"lprindberetningssystem", b"alder", 1), True, ("D3-header",), (1, None)),
    Defect("Filen som helhed", "Klippet over midt i en linje", "k.csv", lambda: contacts()()[:-40], True, ("D5-cut",), (41, None)),
    Defect("Filen som helhed", "Klippet over midt i et bogstav", "folk1a.csv", lambda: "OMRÅDE;KØN;ALDER;TID;INDHOLD\n860;1;1;2024K1;æ".encode()[:-1], True, ("D5-cut",)),
    Defect("Filen som helhed", "Binære data med endelsen .csv", "k.csv", lambda: b"a;b\n\0\0", True, ("D5-binary",)),
    Defect("Filen som helhed", "Blandet tegnsæt (UTF-8 og Windows-1252)", "k.csv", lambda: contacts()().replace(b"LPR3", "Ærø".encode("cp1252"), 1) + "Ærø;\n".encode(), True, ("D6-encoding",)),
    Defect("Filen som helhed", "Begynder som UTF-16, men er det ikke", "k.csv", lambda: b"\xff\xfe" + contacts()()[1:200], True, ("D6-encoding",)),
    Defect("Filen som helhed", "Windows-1252 i stedet for UTF-8", "k.csv", lambda: contacts((";0860;", ";Hjørring;"), at=1)().decode().encode("cp1252"), False, ("D6-encoding",)),
    Defect("Filen som helhed", "Gammelt regneark (.xls)", "k.xls", lambda: b"\xd0\xcf\x11\xe0" + b"\0" * 600, True, ("D2-format",)),
    Defect("Filen som helhed", "SPSS-fil", "k.sav", lambda: b"$FL2", True, ("D2-format",)),
    Defect("Filen som helhed", "For mange rækker er forkerte", "k.csv", all_contacts(r";ALCA00;ATA1;(.*);75;", r";ALCA00;ATA1;\1;175;"), True, ("C2-age", "D9"), (2, "alder")),
    # --- archives
    Defect("Arkiver", "Zip klippet over", "k.zip", lambda: zipped("k.csv", contacts())[:-30], True, ("D11-archive",)),
    Defect("Arkiver", "Gzip klippet over", "k.csv.gz", lambda: gzip.compress(contacts()())[:-30], True, ("D11-archive",)),
    Defect("Arkiver", "Zip låst med adgangskode", "k.zip", locked_zip, True, ("D11-archive",)),
    Defect("Arkiver", "Zip med flere end 200 filer", "k.zip", many_members, True, ("D11-archive",)),
    Defect("Arkiver", "Zip uden filer", "k.zip", empty_zip, True, ("D1-empty",)),
    Defect("Arkiver", "Zip, der vil skrive uden for sin mappe", "k.zip", lambda: zipped("../../k.csv", contacts()), True, ("D11-name",)),
    Defect("Arkiver", "Zip, der peger på et drev", "k.zip", lambda: zipped("C:\\data\\k.csv", contacts()), True, ("D11-name",)),
    Defect("Arkiver", "Zip inde i en zip", "k.zip", lambda: zipped("k.zip", lambda: zipped("k.csv", contacts())), True, ("D2-format",)),
    Defect("Arkiver", "Zip, der pakker ud til tusind gange sin størrelse", "k.zip", lambda: zipped("k.csv", bomb), True, ("D11-size",)),
    Defect("Arkiver", "Gzip, der pakker ud til tusind gange sin størrelse", "k.csv.gz", lambda: gzip.compress(bomb()), True, ("D11-size",)),
    Defect("Arkiver", "Parquet klippet over", "k.parquet", lambda: parquet()[:-30], True, ("D7-parquet",)),
    Defect("Arkiver", "SAS-fil klippet over", "k.sas7bdat", lambda: sas()[:9000], True, ("D9-sas",)),
    # --- workbooks
    Defect("Regneark", "Endelsen er .xlsx, men filen er ikke et regneark", "k.xlsx", lambda: b"not a workbook", True, ("D8-excel",)),
    Defect("Regneark", "Regneark, der pakker ud til langt mere, end det bør", "k.xlsx", lambda: zipped("xl/workbook.xml", lambda: b" " * (64 << 20)), True, ("D8-excel",)),
    Defect("Regneark", "Formel uden gemt resultat", "k.xlsx", workbook(("Data", [CAPACITY, *capacity(disponible="=E3-1")])), True, ("D8-formula",)),
    Defect("Regneark", "To slags leverancer i ét regneark", "k.xlsx", workbook(("A", [CAPACITY, *capacity()]), ("B", [["kommune", "periode", "dage"], ["0860", "2024-01", 12]])), True, ("D8-sheets",)),
    Defect("Regneark", "Skjult ark", "k.xlsx", workbook(("Nu", [CAPACITY, *capacity()]), ("Gammelt", [CAPACITY, *capacity()]), hidden=("Gammelt",)), False, ("D8-hidden",)),
    Defect("Regneark", "Titel over tabellen, total og bemærkning under den", "k.xlsx", workbook(("Ark1", [["Kapacitet 2024"], CAPACITY, *capacity(), ["I alt", None, None, None, 18], [], ["Kilde: omsorgssystemet"]])), False, ("D4-fields",), (6, None)),
    Defect("Regneark", "Intet ark har overskrifter", "k.xlsx", workbook(("Ark1", [["Hej"]])), True, ("D2-unknown",)),
    # --- lines
    Defect("Linjer og felter", "En linje har et felt for meget", "k.csv", contacts((";ALCA00", ";ALCA00;extra")), False, ("D4-fields",), (5, None)),
    Defect("Linjer og felter", "Et anførselstegn lukkes ikke", "k.csv", contacts((";ALCA00", ';"ALCA00'), at=0), True, ("D4-fields",), (2, None)),
    Defect("Linjer og felter", "Datoer med måneden først", "k.csv", american_dates, True, ("D12-date-order",), (14, "kont_starttidspunkt")),
    Defect("Linjer og felter", "Datoer med måneden først, som alle kan læses på dansk", "k.csv", ambiguous_american_dates, True, ("D12-date-order",)),
    # --- hospital contacts
    Defect("Sygehuskontakter (LPR)", "Måned 13", "k.csv", contacts(("2024-01-", "2024-13-")), False, ("C2-start",), (5, "kont_starttidspunkt")),
    Defect("Sygehuskontakter (LPR)", "Start før år 2000", "k.csv", contacts(("2024-01-", "1999-01-")), False, ("C2-start",), (5, "kont_starttidspunkt")),
    Defect("Sygehuskontakter (LPR)", "Slut før start", "k.csv", contacts(("2024-01-06", "2024-01-02")), False, ("C2-end",), (5, "kont_sluttidspunkt")),
    Defect("Sygehuskontakter (LPR)", "Alder 175", "k.csv", contacts((";75;", ";175;")), False, ("C2-age",), (5, "alder")),
    Defect("Sygehuskontakter (LPR)", "Køn “X?”", "k.csv", contacts((";75;1;", ";75;X?;")), False, ("C2-sex",), (5, "koen")),
    Defect("Sygehuskontakter (LPR)", "Kommune, der ikke findes", "k.csv", contacts((";0860;", ";0999;")) , False, ("C2-municipality",), (5, "bo_kom")),
    Defect("Sygehuskontakter (LPR)", "Kommune fra før 2007", "k.csv", contacts((";0860;", ";171;")), False, ("C2-municipality",), (5, "bo_kom")),
    Defect("Sygehuskontakter (LPR)", "Christiansø", "k.csv", contacts((";0860;", ";411;")), False, ("C2-outside",), (5, "bo_kom")),
    Defect("Sygehuskontakter (LPR)", "Personnummer mangler", "k.csv", contacts(("6401500003", "")), False, ("C2-person",), (5, "pnr")),
    Defect("Sygehuskontakter (LPR)", "Personnummer i kolonnen for kommune", "k.csv", contacts((";0860;", ";070245-1239;")), False, ("C2-municipality",), (5, "bo_kom")),
    Defect("Sygehuskontakter (LPR)", "Kontaktens id mangler", "k.csv", contacts(("100000000000010003", "")), False, ("C1-id",), (5, "dw_ek_kontakt")),
    Defect("Sygehuskontakter (LPR)", "Kontaktens id er ødelagt af et regneark (1,00E+17)", "k.csv", contacts(("100000000000010003", "1,00E+17")), False, ("C1-id",), (5, "dw_ek_kontakt")),
    Defect("Sygehuskontakter (LPR)", "Alle kontakters id er afrundet af et regneark", "k.csv", all_contacts(r"(?m)^(1\d{14})\d{3};", r"\g<1>000;"), True, ("C1-id",)),
    Defect("Sygehuskontakter (LPR)", "Diagnosekode, der ikke findes", "k.csv", contacts((";DJ449;", ";44.9?;")), False, ("D0-value",), (5, "adiag")),
    Defect("Sygehuskontakter (LPR)", "Kontakttype, som ingen kender", "k.csv", contacts((";ALCA00;", ";Fysik fremmøde;")), False, ("D0-value",), (5, "kont_type")),
    Defect("Sygehuskontakter (LPR)", "Indberettet i et andet system end LPR3", "k.csv", contacts((";LPR3;", ";LPR2;")), False, ("C0-system",), (5, "lprindberetningssystem")),
    Defect("Sygehuskontakter (LPR)", "LPR2: udskrevet før indlagt", "lpr_adm.csv", text(LPR2_HEADER, "1;6101450002;0;1;2018-01-05;2018-01-09;J449;851", "2;6101450002;0;1;2018-02-05;2018-02-01;J449;851"), False, ("C2-end",), (3, "D_UDDTO")),
    Defect("Sygehuskontakter (LPR)", "SAS-fil med ødelagte sider", "k.sas7bdat", spoiled_sas, True, ("D9-sas",), (1, None)),
    Defect("Bopæl og dødsfald", "Fraflyttet før tilflyttet", "bopael.csv", text(HOMES, "6101450002;851;2000-01-01;", "6201450003;860;2024-01-01;2020-01-01"), False, ("C2-residence",), (3, "TIL")),
    Defect("Bopæl og dødsfald", "Dødsdato, der ikke findes", "doede.csv", text("pnr;doedsdato", "6101450002;02-03-2024", "6201450003;31-02-2024"), False, ("C2-death",), (3, "doedsdato")),
    # --- population and StatBank
    Defect("Befolkning og Statistikbanken", "Kommuner mangler", "folk1a.csv", population(lambda lines: [line for line in lines if not line.startswith("8")]), True, ("P2-areas",)),
    Defect("Befolkning og Statistikbanken", "Et alderstrin mangler", "folk1a.csv", population(lambda lines: [line for line in lines if line.split(";")[2] != "38"]), True, ("P4-ages",)),
    Defect("Befolkning og Statistikbanken", "Rækker står to gange (civilstand udeladt)", "folk1a.csv", population(lambda lines: lines + lines[:200]), True, ("P3-twice",)),
    Defect("Befolkning og Statistikbanken", "Et antal er tekst", "folk1a.csv", population(lambda lines: [lines[0].replace(";10", ";ti"), *lines[1:]]), False, ("P1-persons",), (2, "INDHOLD")),
    Defect("Befolkning og Statistikbanken", "En anden tabel med samme overskrifter som FOLK1A", "data.csv", text("OMRÅDE;ALDER;KØN;TID;INDHOLD", *(f"{code.lstrip('0')};I alt;I alt;2023;5" for code in municipality_codes())), True, ("P2-areas",)),
    Defect("Befolkning og Statistikbanken", "Samme tal to gange, forskelligt (AED10A)", "aed10a.csv", text("OMRÅDE;HJEMMEBESØG;ALDER;KØN;TID;INDHOLD", "860;380;7579;2;2023;41", "860;380;7579;2;2023;42"), True, ("W2-twice",)),
    # --- acute places
    Defect("Akutpladser", "Ophold slutter før det begynder", "ophold.csv", text(STAYS, STAY, STAY.replace("1;", "2;", 1).replace("2024-02-03", "2024-01-03")), False, ("A1-end",), (3, "slut_tid")),
    Defect("Akutpladser", "Ophold uden borger", "ophold.csv", text(STAYS, STAY, STAY.replace("1;6101450002", "2;", 1)), False, ("A1-person",), (3, "borger_cpr")),
    Defect("Akutpladser", "Bopæl, der ikke er en kommune", "ophold.csv", text(STAYS, STAY, STAY.replace("1;", "2;", 1).replace(";0860", ";hjem")), False, ("A1-municipality",), (3, "bopael_kommune")),
    Defect("Akutpladser", "Et antal pladser er tekst", "k.xlsx", workbook(("Ark1", [CAPACITY, *capacity(disponible="mange")])), False, ("A2-count",), (3, "F3")),
    Defect("Akutpladser", "Et negativt antal belagte", "k.xlsx", workbook(("Ark1", [CAPACITY, *capacity(belagte_kl23=-1)])), False, ("A2-count",), (3, "G3")),
    # --- the reporting template
    Defect("Skabelonen for tilbud", "Kommer tom tilbage", "skabelon.xlsx", template_of([]), True, ("T0-blank",)),
    Defect("Skabelonen for tilbud", "Kommunen er stavet forkert", "skabelon.xlsx", template(kommune="Hjøring"), False, ("T1-municipality",), (6, "A6")),
    Defect("Skabelonen for tilbud", "En type, der ikke findes", "skabelon.xlsx", template(type="plejehjem"), False, ("T1-type",), (6, "B6")),
    Defect("Skabelonen for tilbud", "Navnet mangler", "skabelon.xlsx", template(navn=""), False, ("T1-name",), (6, "C6")),
    Defect("Skabelonen for tilbud", "Fire cifre i telefonnummeret", "skabelon.xlsx", template(telefon=1234), False, ("T1-phone",), (6, "E6")),
    Defect("Skabelonen for tilbud", "Et negativt antal pladser", "skabelon.xlsx", template(pladser=-2), False, ("T1-places",), (6, "I6")),
    Defect("Skabelonen for tilbud", "“måske” i stedet for ja eller nej", "skabelon.xlsx", template(bemanding_nat="måske"), False, ("T1-staff",), (6, "M6")),
    Defect("Skabelonen for tilbud", "En dato, der ikke findes", "skabelon.xlsx", template(gyldig_fra="31-02-2026"), False, ("T1-valid-from",), (6, "O6")),
    # --- goals, interventions, figures of others
    Defect("Mål, indsatser og andres tal", "Mål for et område, der ikke findes", "maal.csv", text(GOALS, GOAL, GOAL.replace("m1", "m2").replace("0860", "0861")), False, ("G1-area",), (3, "omraade_kode")),
    Defect("Mål, indsatser og andres tal", "Mål for en indikator, der ikke findes", "maal.csv", text(GOALS, GOAL, GOAL.replace("m1", "m2").replace("preventable", "preventible")), False, ("G1-indicator",), (3, "indikator")),
    Defect("Mål, indsatser og andres tal", "Indsats i en kommune, der ikke findes", "indsatser.csv", text(EFFORTS, EFFORT, EFFORT.replace("i1", "i2").replace("0851", "0999")), False, ("I1-municipalities",), (3, "kommuner")),
    Defect("Mål, indsatser og andres tal", "Indsats, der slutter før den begynder", "indsatser.csv", text(EFFORTS, EFFORT, EFFORT.replace("i1", "i2").replace(";;0,9", ";01-01-2023;0,9")), False, ("I1-end",), (3, "til")),
    Defect("Mål, indsatser og andres tal", "Et negativt antal færdigbehandlede dage", "dage.csv", text("kommune;periode;dage", "0860;2024-01;12", "0860;2024-02;-3"), False, ("F1-days",), (3, "dage")),
    Defect("Mål, indsatser og andres tal", "1.234 kan være tusind eller en komma to", "tal.csv", text(FIGURES, "0860;2023;a;1;1;1.234", "0851;2023;a;1;1;2"), False, ("O1-value",), (2, "vaerdi")),
    Defect("Mål, indsatser og andres tal", "eSundhed delt på køn", "esundhed.xlsx", workbook(("Ark1", [["Indikator", "Region", "Køn", "2023"], ["KOL", "Region Sjælland", "Mænd", 5], ["KOL", "Region Sjælland", "Kvinder", 7]])), True, ("O2-twice",)),
    Defect("Mål, indsatser og andres tal", "eSundhed med tekst i et tal", "esundhed.xlsx", workbook(("Ark1", [["Genindlæggelser"], ["Bopælskommune", "2022", "2023"], ["Hjørring", "12,1", "i tolv"]])), False, ("O1-value",), (3, "C3")),
    Defect("Mål, indsatser og andres tal", "Spørgeskema med et negativt antal svar", "baseline.csv", text("Spoergsmaal;Kommune;Periode;Svar;Enhed;Antal_svar", "Hvor mange?;Hjørring;2023;6;pladser;1", "Hvor mange?;Aalborg;2023;6;pladser;-1"), False, ("B1-respondents",), (3, "Antal_svar")),
]  # fmt: skip


@functools.cache
def answered(defect: Defect) -> FileReport:
    """What the loader says to a defect."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / defect.name
        path.write_bytes(defect.content())
        [report] = check([path]).files
    return report


def told_of(defect: Defect, report: FileReport) -> list[Finding]:
    """What of that is about the defect, or calls for something to be done."""
    return [finding for finding in report.findings if finding.rule not in QUIET or finding.rule in defect.rules]


def page() -> str:
    """The answers as a page in Danish, for those who load."""
    lines = [HEAD]
    groups = list(dict.fromkeys(defect.group for defect in DEFECTS))
    for group in groups:
        lines += [f"\n## {group}\n", "| Fejl | Hvad der sker | Hvad indlæseren siger | Hvad der kan gøres |"]
        lines += ["|---|---|---|---|", *(_line(defect) for defect in DEFECTS if defect.group == group)]
    return "\n".join(lines) + "\n"


def _line(defect: Defect) -> str:
    report = answered(defect)
    first = told_of(defect, report)[0]
    place = ", ".join(part for part in (f"række {first.row}" if first.row else "", first.column or "") if part)
    said = f"{f'{place}: ' if place else ''}{first.da}".replace("|", "\\|")
    if report.status == "refused":
        outcome = "afvist"
    else:
        remarked = "indlæst" if report.status == "accepted" else "indlæst med bemærkning"
        outcome = "rækken er holdt tilbage" if report.rows_quarantined else remarked
    return f"| {defect.what} | {outcome} | `{first.rule}` {said} | {rule_words(first.rule)['da_do']} |"


HEAD = """# Fejl i leverancer, og hvad indlæseren siger

Hver linje er prøvet: filen er lavet med netop den fejl, og svaret er det, som `python -m etl check` gav. Siden er lavet
af `tests/etl/defects.py`, og en test sammenligner den med, hvad indlæseren siger i dag.

En **afvist** fil stopper hele indlæsningen: intet ændres, og den hidtidige udgivelse gælder. Rækker, der er **holdt
tilbage**, tælles og nævnes én for én i rapporten; resten af filen indlæses. Holdes mere end 0,5 % af rækkerne (dog mindst
20) tilbage, afvises filen. Et personnummer vises aldrig."""

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")

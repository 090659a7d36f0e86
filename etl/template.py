"""The reporting template in which a municipality reports its acute and subacute services, blank or filled in."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from pathlib import Path

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from etl.words import Problem, told
from kpis.reference import areas

SHEET = "Tilbud"
HEADER_ROW = 3  # counted from 0: three rows of title and guidance stand above
BLANK_ROWS = 200

SERVICE_TYPES = ("akutplads", "akutteam", "midlertidig plads", "hjemmesygepleje")
OPERATORS = ("kommune", "region", "privat leverandør")
YES_NO = ("ja", "nej")


@dataclass(frozen=True)
class ServiceRow:
    """One service as it is reported: the columns of the sheet, in order. None = left blank.

    `kompetencer` are parted by commas; `bemanding_*` say whether staff is there in that shift (ja, nej or x).
    """

    kommune: str
    type: str
    navn: str
    adresse: str | None
    telefon: str | int | None
    aabningstid: str | None
    henvisere: str
    kompetencer: str
    pladser: int | None
    responstid_min: int | None
    bemanding_dag: str
    bemanding_aften: str
    bemanding_nat: str
    operatoer: str
    gyldig_fra: date | None


GUIDANCE = {
    "kommune": "Kommunens navn. Vælg på listen.",
    "type": "akutplads: døgnplads med sygepleje til akut syge borgere (sundhedsloven § 138). akutteam: "
    "udgående sygepleje døgnet rundt. midlertidig plads: andre midlertidige pladser (serviceloven § 84). "
    "hjemmesygepleje: subakutte opgaver i den almindelige hjemmesygepleje.",
    "navn": "Det navn, som læger og sygehuse skal spørge efter.",
    "adresse": "Gade, postnummer og by. Kan stå tomt for udgående tilbud.",
    "telefon": "Otte cifre. Det nummer, som en læge ringer til for at henvise.",
    "aabningstid": "For eksempel: hele døgnet, eller hverdage 8-16.",
    "henvisere": "Hvem kan henvise? Adskil med komma: egen læge, vagtlæge, sygehus, hjemmesygepleje.",
    "kompetencer": "Hvad kan tilbuddet? Adskil med komma: iv-behandling, kateter, sug, ilt, blodprøver, sårpleje, "
    "observation, palliation.",
    "pladser": "Antal normerede pladser, helt tal. Skriv 0, hvis kommunen ingen har. Tomt for udgående tilbud.",
    "responstid_min": "Minutter fra henvisning til borgeren er set, helt tal.",
    "bemanding_dag": "Er der sygeplejerske til stede eller på vagt om dagen? ja eller nej.",
    "bemanding_aften": "Det samme om aftenen.",
    "bemanding_nat": "Det samme om natten.",
    "operatoer": "Hvem driver tilbuddet? Fra 2027 kan det være regionen.",
    "gyldig_fra": "Den dag, oplysningerne gælder fra: DD-MM-ÅÅÅÅ.",
}
"""What to write in each column: one text per column of `ServiceRow`, shown in the sheet and beside the cell."""

EXAMPLE = ServiceRow(
    kommune="Hjørring",
    type="akutplads",
    navn="Akutpladserne, Sundhedshuset",
    adresse="Eksempelvej 1, 9800 Hjørring",
    telefon="00000000",
    aabningstid="hele døgnet",
    henvisere="egen læge, vagtlæge, sygehus, hjemmesygepleje",
    kompetencer="iv-behandling, kateter, ilt, observation",
    pladser=6,
    responstid_min=120,
    bemanding_dag="ja",
    bemanding_aften="ja",
    bemanding_nat="ja",
    operatoer="kommune",
    gyldig_fra=date(2026, 1, 1),
)


class TemplateProblem(Problem):
    """The blank template cannot be written there."""


def write_blank_template(path: Path) -> None:
    """Write the template for somebody to fill in. Raises TemplateProblem, also where it would take a file's place."""
    if path.suffix.lower() != ".xlsx":
        raise TemplateProblem(told("template.ending", file=path))
    if not path.parent.is_dir():
        raise TemplateProblem(told("template.no_folder", folder=path.parent))
    if path.exists():
        raise TemplateProblem(told("template.there", file=path))
    write_template(path)


def write_template(path: Path, services: Iterable[ServiceRow] = ()) -> None:
    """Write the reporting template as an Excel file: the sheet to fill in, the guidance, and the lists behind it.

    Args:
        path: the file to write, `.xlsx`; its folder must exist.
        services: rows already known; without any the template is blank.
    """
    columns = [field.name for field in fields(ServiceRow)]
    rows = list(services)
    with xlsxwriter.Workbook(path, {"strings_to_numbers": False}) as book:
        book.set_properties({"title": "Akutte og subakutte tilbud", "created": datetime(2026, 1, 1)})
        sheet, guidance, lists = (book.add_worksheet(name) for name in (SHEET, "Vejledning", "Lister"))
        title = book.add_format({"bold": True, "font_size": 16, "valign": "vcenter"})
        text = book.add_format({"text_wrap": True, "valign": "top"})
        header = book.add_format({"bold": True, "bg_color": "#DCE6F2", "border": 1, "valign": "top"})
        day = book.add_format({"num_format": "dd-mm-yyyy", "align": "left"})

        last = len(columns) - 1
        sheet.merge_range(0, 0, 0, last, "Indberetning af akutte og subakutte tilbud", title)
        sheet.merge_range(
            1, 0, 1, last, "Én række for hvert tilbud. Hvad der skal stå i kolonnerne, står i arket Vejledning.", text
        )
        sheet.merge_range(2, 0, 2, last, "Kolonnenavnene i rækken herunder må ikke ændres.", text)
        sheet.write_row(HEADER_ROW, 0, columns, header)
        for offset, row in enumerate(rows, start=HEADER_ROW + 1):
            _write_row(sheet, offset, row, columns, day)
        sheet.freeze_panes(HEADER_ROW + 1, 1)
        sheet.set_column(0, last, 18)

        sources = dict(
            _write_lists(lists, {"kommune": _municipalities(), "type": SERVICE_TYPES, "operatoer": OPERATORS}, header)
        )
        _add_validation(sheet, columns, sources, HEADER_ROW + max(len(rows), BLANK_ROWS))

        guidance.set_column(0, 0, 20)
        guidance.set_column(1, 2, 70)
        guidance.write(0, 0, "Sådan udfyldes arket Tilbud", title)
        guidance.write_row(2, 0, ["kolonne", "hvad der skal stå", "eksempel"], header)
        for offset, column in enumerate(columns, start=3):
            example = getattr(EXAMPLE, column)
            guidance.write_row(offset, 0, [column, GUIDANCE[column]], text)
            guidance.write_string(offset, 2, f"{example:%d-%m-%Y}" if isinstance(example, date) else str(example), text)


def _write_row(sheet: Worksheet, offset: int, row: ServiceRow, columns: list[str], day: object) -> None:
    for number, column in enumerate(columns):
        value = getattr(row, column)
        if isinstance(value, str):
            sheet.write_string(offset, number, value)  # never a formula, whatever it begins with
        elif isinstance(value, date):
            sheet.write_datetime(offset, number, value, day)
        elif value is not None:
            sheet.write_number(offset, number, value)


def _write_lists(sheet: Worksheet, lists: dict[str, Sequence[str]], header: object) -> Iterator[tuple[str, str]]:
    """Write the lists to choose from, one column each; yields column name and the range that holds its list."""
    sheet.set_column(0, len(lists) - 1, 24)
    for number, (column, words) in enumerate(lists.items()):
        sheet.write(0, number, column, header)
        sheet.write_column(1, number, words)
        letter = chr(ord("A") + number)
        yield column, f"=Lister!${letter}$2:${letter}${len(words) + 1}"


def _add_validation(sheet: Worksheet, columns: list[str], sources: dict[str, str], last_row: int) -> None:
    """Guide the writer: lists to choose from, whole numbers, dates. Other spellings are let through with a warning."""
    checks: dict[str, dict[str, object]] = {
        **{column: {"validate": "list", "source": source} for column, source in sources.items()},
        **{f"bemanding_{shift}": {"validate": "list", "source": list(YES_NO)} for shift in ("dag", "aften", "nat")},
        "pladser": {"validate": "integer", "criteria": ">=", "value": 0},
        "responstid_min": {"validate": "integer", "criteria": ">=", "value": 0},
        "gyldig_fra": {"validate": "date", "criteria": ">=", "value": date(2007, 1, 1)},
    }
    for number, column in enumerate(columns):
        # A prompt holds at most 255 characters, its title 32.
        prompt = {"input_title": column, "input_message": GUIDANCE[column][:255], "error_type": "warning"}
        sheet.data_validation(
            HEADER_ROW + 1, number, last_row, number, checks.get(column, {"validate": "any"}) | prompt
        )


def _municipalities() -> list[str]:
    """Names of the 98 municipalities in Danish alphabetical order (Æ, Ø, Å last; Aa is Å)."""
    names = areas().filter(level="municipality")["name"].to_list()
    letters = str.maketrans({"æ": "{", "ø": "|", "å": "}"})
    return sorted(names, key=lambda name: name.casefold().replace("aa", "å").translate(letters))

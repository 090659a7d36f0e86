"""Small deliveries in real shapes, for tests that go the whole road from file to release."""

from pathlib import Path

import polars as pl

from kpis.reference import areas

CONTACT_HEADER = (
    "dw_ek_kontakt;pnr;kont_starttidspunkt;kont_sluttidspunkt;kont_type;prioritet;adiag;bo_kom;alder;koen;"
    "lprindberetningssystem;indberettet_dato"
)


def write_population(path: Path, quarters: tuple[str, ...] = ("2024K1",), persons: int = 10) -> None:
    """StatBank's FOLK1A with codes: every municipality, sex and single year of age has `persons` persons."""
    codes = [code.lstrip("0") for code in municipality_codes()]
    lines = ["OMRÅDE;KØN;ALDER;TID;INDHOLD"]
    for quarter in quarters:
        lines += [f"{code};{sex};{age};{quarter};{persons}" for code in codes for sex in (1, 2) for age in range(106)]
        lines += [f"000;TOT;TOT;{quarter};{persons * 98 * 2 * 106}", f"411;1;70;{quarter};3"]
    path.write_text("\ufeff" + "\n".join(lines), encoding="utf-8")


def municipality_codes() -> list[str]:
    return areas().filter(pl.col("level") == "municipality")["area_code"].sort().to_list()


def contact_line(
    number: int,
    person: str,
    start: str,
    end: str,
    *,
    municipality: str = "0860",
    diagnosis: str = "DJ449",
    reported: str = "2024-07-01 08:00",
    age: int = 75,
    priority: str = "ATA1",
) -> str:
    """One LPR_A line."""
    return (
        f"{10**17 + number};{person};{start};{end};ALCA00;{priority};{diagnosis};{municipality};{age};1;LPR3;{reported}"
    )


def write_contacts(path: Path, lines: list[str]) -> None:
    """LPR_A contacts as CSV."""
    path.write_text("\n".join([CONTACT_HEADER, *lines]), encoding="utf-8")


def month_of_contacts(months: int = 6, per_month: int = 60) -> list[str]:
    """Contacts of two days spread over the first months of 2024, each person once a month (test persons)."""
    lines = []
    for month in range(1, months + 1):
        for number in range(per_month):
            day = number % 20 + 1
            person = f"{61 + number % 28:02d}0150{number:04d}"
            lines.append(
                contact_line(
                    month * 10_000 + number,
                    person,
                    f"2024-{month:02d}-{day:02d} 10:00",
                    f"2024-{month:02d}-{day + 2:02d} 10:00",
                    municipality="0860" if number % 2 else "0851",
                )
            )
    return lines


def month_of(
    month: int, n: int, first: int, municipality: str, persons: int, reported: str = "2024-08-01 08:00"
) -> list[str]:
    """n stays of n persons in one month of 2024, with ids from `first` on; `persons` is their day of birth."""
    return [
        contact_line(
            first + at, f"{persons}01{at % 90:02d}{at:04d}", f"2024-{month:02d}-03 10:00", f"2024-{month:02d}-05 10:00",
            municipality=municipality, reported=reported,
        )
        for at in range(n)
    ]  # fmt: skip


def write_folder(folder: Path) -> Path:
    """A month's folder: population and contacts."""
    folder.mkdir(parents=True, exist_ok=True)
    write_population(folder / "folk1a.csv")
    write_contacts(folder / "kontakter.csv", month_of_contacts())
    return folder

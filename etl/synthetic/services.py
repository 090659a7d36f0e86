"""The register of acute and subacute services, one filled reporting template per KKR."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from etl.synthetic.acute_places import Units
from etl.synthetic.country import Country
from etl.synthetic.rng import stream
from etl.template import ServiceRow, write_template

COMPETENCES = [
    "iv-behandling",
    "kateter",
    "sug",
    "ilt",
    "blodprøver",
    "sårpleje",
    "observation",
    "palliation",
    "ernæringssonde",
]
REFERRERS = "egen læge, vagtlæge, sygehus, hjemmesygepleje"
STREETS = ["Sundhedsvej", "Rådhustorvet", "Skolegade", "Kirkevej", "Stationsvej", "Parkalle"]
HAS_TEAM = 0.85
"""Share of municipalities that report an outreach team of their own."""


def write_services(folder: Path, country: Country, units: Units, seed: int) -> None:
    """Write `tilbud_<kkr>.xlsx` for every KKR, with the small liberties that people take when they fill in a form."""
    for number, kkr in enumerate(country.municipalities["kkr_slug"].unique().sort()):
        rows = [
            row
            for municipality in np.flatnonzero((country.municipalities["kkr_slug"] == kkr).to_numpy())
            for row in _services_of(int(municipality), country, units, seed)
        ]
        if number == 0:  # a number keeps no leading zero and no blanks
            rows = [replace(row, telefon=int(str(row.telefon))) for row in rows]
        if number == 1:
            crosses = {"ja": "x", "nej": ""}
            rows = [
                replace(
                    row,
                    bemanding_dag=crosses[row.bemanding_dag],
                    bemanding_aften=crosses[row.bemanding_aften],
                    bemanding_nat=crosses[row.bemanding_nat],
                )
                for row in rows
            ]
        write_template(folder / f"tilbud_{kkr}.xlsx", rows)


def _services_of(municipality: int, country: Country, units: Units, seed: int) -> list[ServiceRow]:
    code, name = country.municipalities["municipality_code"][municipality], country.municipalities["name"][municipality]
    rng = stream(seed, "services", code)
    here = [n for n in np.flatnonzero(units.municipality == municipality) if units.places[n]]
    services: list[tuple[str, str, int | None]] = [
        (units.names["kind"][int(n)], units.names["name"][int(n)], int(units.places[n])) for n in here
    ]
    if rng.random() < HAS_TEAM:
        services.append(("team", f"Akutteam {name}", None))
    services.append(("nursing", f"Hjemmesygeplejen {name}", None))
    words = {"acute": "akutplads", "temporary": "midlertidig plads", "team": "akutteam", "nursing": "hjemmesygepleje"}
    return [
        ServiceRow(
            kommune=name,
            type=words[kind],
            navn=title,
            adresse=f"{rng.choice(STREETS)} {rng.integers(1, 90)}, {name}" if places else None,
            telefon=f"{rng.integers(20, 99)}{rng.integers(0, 1_000_000):06d}",
            aabningstid="hverdage 8-16" if kind == "nursing" and rng.random() < 0.3 else "hele døgnet",
            henvisere=REFERRERS if kind != "temporary" else "visitationen, sygehus",
            kompetencer=", ".join(sorted(rng.choice(COMPETENCES, rng.integers(2, 7), replace=False))),
            pladser=places,
            responstid_min=int(rng.choice([60, 90, 120, 240])) if kind != "temporary" else None,
            bemanding_dag="ja",
            bemanding_aften="ja" if kind != "temporary" or rng.random() < 0.7 else "nej",
            bemanding_nat="ja" if kind in ("acute", "team") or rng.random() < 0.5 else "nej",
            operatoer="kommune",
            gyldig_fra=date(int(rng.integers(2022, 2026)), 1, 1),
        )
        for kind, title, places in services
    ]

"""Draw docs/beskyttelse.svg: small and large municipalities before and after protection, from a loaded demo country.

PYTHONPATH=. python tests/attack/picture.py data
"""

import sys
from pathlib import Path

import polars as pl

from etl.load import open_keys
from etl.protect import ROUNDED, protect_cube
from etl.warehouse import build, open_warehouse

PLACES = {"0825": "Læsø", "0741": "Samsø", "0860": "Hjørring", "0101": "København"}
KEYS = ["municipality_code", "month", "sex", "age_from", "group_id"]
WIDTH, HEIGHT, LEFT, TOP = 215, 130, 36, 58
TRUE, SHOWN, INK = "#9aa5b1", "#0b5fa5", "#1f2933"
FONT = 'font-family="DejaVu Sans, Arial, sans-serif"'


def counts(data: Path) -> pl.DataFrame:
    """True and published acute admissions 65+ of all diagnoses, a row a cell."""
    with open_warehouse(data / "build" / "history") as warehouse:
        build(warehouse)
        true = warehouse.true_cube
    cube, _ = protect_cube(true, ROUNDED, open_keys(data).protection)
    both = true.select(*KEYS, true="n_acute").join(cube.select(*KEYS, shown="n_acute"), on=KEYS, how="left")
    return both.filter((pl.col("group_id") == "all") & (pl.col("age_from") >= 65)).fill_null(0).sort(KEYS)


def panel(name: str, months: pl.DataFrame, x: float) -> list[str]:
    """Monthly sums of one municipality: grey dots are true, the blue line is published."""
    most = max(months["true"].max(), months["shown"].max(), 10)  # type: ignore[type-var]
    at = [(x + LEFT + step * (WIDTH - LEFT - 12) / 11, row) for step, row in enumerate(months.iter_rows(named=True))]

    def y(n: float) -> float:
        return TOP + HEIGHT - n / most * (HEIGHT - 10)

    year = f"{name}: {months['true'].sum():,} → {months['shown'].sum():,}".replace(",", ".")
    line = " ".join(f"{px:.1f},{y(row['shown']):.1f}" for px, row in at)
    return [
        f'<text x="{x + LEFT}" y="{TOP - 12}" font-size="12" font-weight="bold" fill="{INK}" {FONT}>{year}</text>',
        f'<line x1="{x + LEFT}" x2="{x + WIDTH - 8}" y1="{y(0):.1f}" y2="{y(0):.1f}" stroke="{INK}" stroke-width="0.6"/>',
        *(
            f'<text x="{x + LEFT - 6}" y="{y(n) + 4:.1f}" font-size="10" text-anchor="end" fill="{INK}" {FONT}>{n}</text>'
            for n in (0, most)
        ),
        f'<polyline points="{line}" fill="none" stroke="{SHOWN}" stroke-width="1.6"/>',
        *(f'<circle cx="{px:.1f}" cy="{y(row["true"]):.1f}" r="3" fill="{TRUE}"/>' for px, row in at),
        *(f'<circle cx="{px:.1f}" cy="{y(row["shown"]):.1f}" r="1.8" fill="{SHOWN}"/>' for px, row in at),
    ]


def grid(name: str, cells: pl.DataFrame, x: float, top: float) -> list[str]:
    """The cells of one month of one municipality: age by sex, true and published beside each other."""
    drawn = [f'<text x="{x}" y="{top}" font-size="12" font-weight="bold" fill="{INK}" {FONT}>{name}</text>']
    ages = [65, 70, 75, 80, 85, 90]
    for column, (what, colour) in enumerate((("true", INK), ("shown", SHOWN))):
        left = x + 60 + column * 175
        head = ("sande tal", "offentliggjort")[column]
        drawn.append(f'<text x="{left}" y="{top + 20}" font-size="11" fill="{colour}" {FONT}>{head}</text>')
        for sex, words in ((1, "mænd"), (2, "kvinder")):
            y = top + 22 + 18 * sex
            if column == 0:
                drawn.append(f'<text x="{x}" y="{y}" font-size="11" fill="{INK}" {FONT}>{words}</text>')
            for place, age in enumerate(ages):
                found = cells.filter((pl.col("sex") == sex) & (pl.col("age_from") == age))[what].sum()
                drawn.append(
                    f'<text x="{left + 12 + place * 26}" y="{y}" font-size="11" text-anchor="middle" fill="{colour}" '
                    f"{FONT}>{found}</text>"
                )
    return drawn


def main() -> None:
    """Draw from the data folder named on the command line."""
    cells = counts(Path(sys.argv[1]))
    months = cells["month"].unique().sort()[-12:]
    cells = cells.filter(pl.col("month").is_in(months.to_list()))
    title = "Akutte indlæggelser 65+ pr. måned: grå = sande tal, blå = offentliggjort; over hver: året, sandt → offentliggjort (opdigtede data)"
    drawn = [f'<text x="12" y="22" font-size="13" fill="{INK}" {FONT}>{title}</text>']
    for number, (code, name) in enumerate(PLACES.items()):
        of_place = (
            cells.filter(pl.col("municipality_code") == code).group_by("month").agg(pl.col("true", "shown").sum())
        )
        everywhen = pl.DataFrame({"month": months}).join(of_place, on="month", how="left").fill_null(0).sort("month")
        drawn += panel(name, everywhen, number * WIDTH)
    for number, code in enumerate(("0825", "0101")):
        of_month = cells.filter((pl.col("municipality_code") == code) & (pl.col("month") == months[5]))
        name = f"{PLACES[code]}, {months[5]:%m-%Y}, 65–69 … 90+ år"
        drawn += grid(name, of_month, 12 + number * 440, TOP + HEIGHT + 36)
    size = f'width="{4 * WIDTH + 20}" height="{TOP + HEIGHT + 110}"'
    picture = Path(__file__).parents[2] / "docs" / "beskyttelse.svg"
    picture.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(drawn)}</svg>\n',
        encoding="utf-8",
    )
    print(picture)


if __name__ == "__main__":
    main()

"""A believable synthetic country: deliveries in the shapes of real ones, from a seed.

Read in this order: `model.toml` (all assumptions), `country` (the stage), `people`, `hospital` (stays), `contacts`
(what hospitals report of them), `reporting` (how it reaches the register), `psychiatry`, `acute_places`, `plans`,
`services`, `official` (what others publish of the same country), `welfare` (what StatBank tells of municipal care).
Nobody in it exists: every civil registration number has 60 added to the day of birth, as test persons have.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from etl.synthetic.acute_places import admissions_after, capacity_table, draw_place_stays, open_units, stays_table
from etl.synthetic.contacts import build_register, cut_into_contacts
from etl.synthetic.country import Country, build_country
from etl.synthetic.hospital import RUN_IN_MONTHS, Span, add_stays, draw_stays, without_overlaps
from etl.synthetic.model import AGES, Model, load_model, load_psychiatry
from etl.synthetic.official import official_table, publish_counts, visits_table, whole_years, write_esundhed
from etl.synthetic.people import count_cohorts, count_population, make_people
from etl.synthetic.plans import (
    Intervention,
    apply_interventions,
    count_indicators,
    goals_table,
    place_interventions,
    write_plans,
)
from etl.synthetic.psychiatry import psychiatric_files, write_psychiatry
from etl.synthetic.reporting import ContactFiles, report
from etl.synthetic.rng import lognormal_one, stream
from etl.synthetic.services import write_services
from etl.synthetic.welfare import write_welfare
from kpis.period import add_months, months_between
from kpis.reference import CHRISTIANSO

FACIT = "_facit"
"""Folder of what is not delivered: parameters (`demo.json`) and truth (`sandheder.json`). No loader reads it."""

Progress = Callable[[float, str], None]
"""Is told the share done, 0 to 1, and in Danish what is being made."""


@dataclass(frozen=True)
class _Parameters:
    years: int
    scale: float
    seed: int
    until: str
    recipe: str  # a hash of the code and the assumptions: a changed recipe makes a new country


def write_demo(
    folder: Path,
    *,
    years: int = 3,
    scale: float = 1.0,
    seed: int = 2026,
    until: date = date(2026, 10, 1),
    progress: Progress | None = None,
) -> None:
    """Write the deliveries of the `years` years before `until` into `folder`.

    The folder appears at once and whole: an interrupted run leaves what was there before. A second call with the same
    parameters does nothing; other parameters replace the demo that is there.

    Args:
        folder: where to write; must be new, empty, or an earlier demo.
        years: how many years of deliveries.
        scale: 1 = the whole country; 0.05 = a twentieth of its persons and contacts, so that rates stay.
        seed: the same seed and parameters give the same files, byte for byte.
        until: the first day after the period, the first of a month.
        progress: see `Progress`.

    Raises:
        ValueError: a parameter is outside its range.
        FileExistsError: `folder` holds something that is no demo; it is left alone.
    """
    if years < 1 or not 0 < scale <= 5 or until.day != 1 or until.year - years < 2007:
        raise ValueError(
            f"years={years}, scale={scale}, until={until}: years must be at least 1, scale above 0 and at most 5, "
            "until the first of a month, and the period must begin in 2007 or later."
        )
    parameters = _Parameters(years, scale, seed, until.isoformat(), _recipe())
    if _is_there(folder, parameters):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    part, old = (folder.with_name(f".{folder.name}.{suffix}") for suffix in ("part", "old"))
    for leftover in (part, old):  # of a run that was interrupted
        shutil.rmtree(leftover, ignore_errors=True)
    part.mkdir()
    try:
        span = Span(until.replace(year=until.year - years), until)
        _write_country(part, load_model(), span, scale, seed, progress or (lambda share, what: None))
        _write_json(part / FACIT / "demo.json", {"synthetic": True} | asdict(parameters))
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
    finally:
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _write_country(folder: Path, model: Model, span: Span, scale: float, seed: int, progress: Progress) -> None:
    progress(0, "Landet lægges ud")
    country = build_country(model, add_months(span.since, -RUN_IN_MONTHS).year, scale, seed)
    cohorts = count_cohorts(country, model, span.until.year, seed, scale)
    interventions = place_interventions(model, country, span)
    register = build_register(country, model)
    units = open_units(country, model, interventions, span, scale, seed)
    quarters = sorted({add_months(month, -((month.month - 1) % 3)) for month in _months(span)})
    population = np.zeros((len(quarters), country.municipalities.height, 2, AGES), dtype=np.int64)
    baselines, truths, done = [], [], 0.0
    years = whole_years(span)
    yearly: dict[int, list[pl.DataFrame]] = {year: [] for year in years}
    for region in country.regions:
        kkr, slug = country.municipalities.filter(region=region).select("kkr_name", "kkr_slug").row(0)
        progress(done, f"Borgere, sygehuskontakter og akutpladser i {kkr}")
        people = make_people(country, cohorts, region, model, seed, span.end)
        population += count_population(people, quarters, country.municipalities.height)
        stays = draw_stays(people, country, model, region, span, seed)
        places = draw_place_stays(units, people, stays.filter("is_admission"), country, model, region, span, seed)
        followers = add_stays(
            people,
            model,
            *admissions_after(places, people, model, span, region, seed),
            stream(seed, "followers", region),
        )
        stays = without_overlaps(pl.concat([stays, followers]), model)
        stays, truth = apply_interventions(stays, people, model, interventions, region, seed)
        truths.append(truth)
        first_year_ends = add_months(span.since, 12)
        baselines.append(count_indicators(stays, people, country, model, span.since, first_year_ends))
        for year in years:
            begin, stop = date(year, 1, 1), date(year + 1, 1, 1)
            yearly[year].append(count_indicators(stays, people, country, model, begin, stop))
        contacts = cut_into_contacts(stays, people, model, register, region, seed)
        rows = report(contacts, model, register, region, span, seed)
        contact_files = ContactFiles(folder, country, register, region, span)
        contact_files.write(rows, people)
        psychiatry = load_psychiatry()
        write_psychiatry(psychiatric_files(contact_files, psychiatry), people, stays, psychiatry, seed)
        _write_csv(
            folder / f"akutpladser_ophold_{slug}.csv", stays_table(places, units, people, country, region, span, seed)
        )
        capacity = capacity_table(places, units, country, model, region, span, seed)
        _write_csv(folder / f"akutpladser_kapacitet_{slug}.csv", capacity)
        done += country.persons[country.numbers_in(region)].sum() / country.persons.sum() * 0.95
    progress(0.95, "Folketal, mål, indsatser og tilbud")
    baseline = _of_all_regions(baselines)
    first_year = population[: min(4, len(quarters))].mean(axis=0)
    _write_csv(folder / "folk1a.csv", population_table(population, quarters, country, model, scale), bom=True)
    _write_csv(
        folder / "faerdigbehandlede_dage.csv",
        ready_days_table(population.sum(axis=(2, 3)), quarters, country, model, span, seed),
    )
    write_plans(folder, interventions)
    _write_csv(folder / "maal.csv", goals_table(baseline, first_year, country, model, span))
    if years:
        january = {year: population[quarters.index(date(year, 1, 1))] for year in years}
        published = [
            publish_counts(_of_all_regions(yearly[year]), january[year], country, model, year, seed) for year in years
        ]
        figures = pl.concat(published)
        _write_csv(folder / "officielle_tal.csv", official_table(figures))
        write_esundhed(folder / "esundhed_forebyggelige.xlsx", figures)
        _write_csv(folder / "aed10a.csv", visits_table(january, country, model, seed))
        write_welfare(folder, january, country, model, interventions, seed)
    write_services(folder, country, units, seed)
    _write_json(folder / FACIT / "sandheder.json", _truth(country, interventions, truths))
    progress(1, "Færdig")


def _of_all_regions(counts: list[pl.DataFrame]) -> pl.DataFrame:
    """Counts of `count_indicators` with those who moved to another region added to where they live."""
    return (
        pl.concat(counts)
        .group_by("indicator", "municipality")
        .agg(pl.col("numerator", "index").sum())
        .sort("indicator", "municipality")
    )


def population_table(
    population: np.ndarray, quarters: list[date], country: Country, model: Model, scale: float
) -> pl.DataFrame:
    """The delivery `folk1a.csv`: area × sex × single year of age × quarter; country, regions, Christiansø among them.

    Args:
        population: persons by [quarter, municipality, sex, age].
        quarters: first day of each quarter.
        country: its municipalities.
        model: how many live on Christiansø.
        scale: how many of the country's persons there are.
    """
    codes = country.municipalities["municipality_code"].to_list()
    bornholm = population[:, codes.index("0400")]
    share = model.population.christianso * scale / max(bornholm[0].sum(), 1)
    counts = {code[1:]: population[:, number] for number, code in enumerate(codes)}
    counts[CHRISTIANSO[1:]] = np.diff(
        np.floor(np.cumsum(bornholm, axis=2) * share + 0.5).astype(int), axis=2, prepend=0
    )
    regions = {region: population[:, country.numbers_in(region)].sum(axis=1) for region in country.regions}
    regions["1084"] = regions["1084"] + counts[CHRISTIANSO[1:]]  # counted in the region, as StatBank does
    counts |= {f"0{region[2:]}": persons for region, persons in regions.items()}
    counts["000"] = sum(regions.values(), np.zeros(1, dtype=int))
    areas = sorted(counts)
    # Ordered as StatBank orders its bulk files: area, sex, age, quarter.
    table = np.stack([counts[area] for area in areas]).transpose(0, 2, 3, 1)
    area, sex, age, quarter = np.indices(table.shape, dtype=np.int16)
    times = pl.Series([f"{day.year}K{(day.month + 2) // 3}" for day in quarters])
    return pl.DataFrame(
        {
            "OMRÅDE": pl.Series(areas).gather(area.ravel()),
            "KØN": sex.ravel() + 1,
            "ALDER": age.ravel(),
            "TID": times.gather(quarter.ravel()),
            "INDHOLD": table.ravel(),
        }
    )


def ready_days_table(
    persons: np.ndarray, quarters: list[date], country: Country, model: Model, span: Span, seed: int
) -> pl.DataFrame:
    """The delivery `faerdigbehandlede_dage.csv`: municipality × month, days after ready for discharge.

    `persons`: inhabitants by [quarter, municipality].
    """
    plan, rng = model.ready_for_discharge, stream(seed, "ready for discharge")
    months, size = _months(span), country.municipalities.height
    quarter_of = [max(n for n, quarter in enumerate(quarters) if quarter <= month) for month in months]
    level = lognormal_one(rng, plan.spread, size)
    level /= np.average(level, weights=persons[0])
    monthly = np.array([lognormal_one(rng, plan.month_spread, size) for _ in months])
    days = rng.poisson(persons[quarter_of] * plan.days_per_1000 / 1000 / 12 * level * monthly)
    codes = country.municipalities["municipality_code"]
    return pl.DataFrame(
        {
            "kommune": codes.gather(np.tile(np.arange(size), len(months))),
            "periode": [f"{month:%Y-%m}" for month in months for _ in range(size)],
            "dage": days.ravel(),
        }
    )


def _truth(
    country: Country, interventions: list[Intervention], counts: list[dict[str, tuple[int, int]]]
) -> dict[str, object]:
    """What is true of the country though nobody delivers it: effects of interventions and of municipalities."""
    return {
        "indsatser": {
            entry.plan.id: {
                "kommuner": entry.plan.municipalities,
                "fra": entry.start.isoformat(),
                "alder": list(entry.plan.ages),
                "tilstande": entry.plan.conditions,
                "sand_effekt": entry.plan.true_effect,
                "akutte_indlaeggelser_uden_indsats": sum(count[entry.plan.id][0] for count in counts),
                "heraf_forebygget": sum(count[entry.plan.id][1] for count in counts),
            }
            for entry in interventions
        },
        "kommuner": {
            code: {kind: round(float(effect[number]), 4) for kind, effect in country.effects.items()}
            for number, code in enumerate(country.municipalities["municipality_code"])
        },
    }


def _months(span: Span) -> list[date]:
    return [add_months(span.since, number) for number in range(months_between(span.since, span.until))]


def _write_csv(path: Path, table: pl.DataFrame, *, bom: bool = False) -> None:
    table.write_csv(path, separator=";", include_bom=bom)


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _recipe() -> str:
    """A hash of this package and of the reporting template."""
    package = files("etl.synthetic")
    parts = sorted(
        (part for part in package.iterdir() if part.name.endswith((".py", ".toml"))), key=lambda part: part.name
    )
    digest = hashlib.sha256()
    for part in [*parts, files("etl") / "template.py"]:
        digest.update(part.read_bytes())
    return digest.hexdigest()[:16]


def _is_there(folder: Path, parameters: _Parameters) -> bool:
    """Whether `folder` holds the demo of these parameters. Raises FileExistsError where it holds something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    found = None
    with suppress(OSError, ValueError):
        found = json.loads((folder / FACIT / "demo.json").read_text(encoding="utf-8"))
    if not isinstance(found, dict) or found.get("synthetic") is not True:
        raise FileExistsError(
            f"{folder}: there is something here that is no demo (no {FACIT}/demo.json), and it is not overwritten. "
            "Name another folder, or move it away."
        )
    return {key: found.get(key) for key in asdict(parameters)} == asdict(parameters)

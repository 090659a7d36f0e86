"""Is the effect of an intervention found where there is one, and not found where there is none?

    PYTHONPATH=. python tests/kpis/effect_calibration.py                # 90 countries, a quarter of an hour
    PYTHONPATH=. python tests/kpis/effect_calibration.py 10             # a rough look
    PYTHONPATH=. python tests/kpis/effect_calibration.py 90 --data DIR  # also in the demo country of a data folder

Every country is one of `alike.py` – seasons, citizens who come back, counts rounded before they are published – in
which municipalities drift apart at random as well, neighbours together. In each of them six interventions begin: in a
small, a middling and a large municipality, and in a group of four of each size in one region. Half of them do nothing,
the others multiply the true rate by one of EFFECTS. All are registered, as they would be, so that none is another's
control; the planner of an intervention knows nothing of the outcome.

In the demo country the published counts are taken as the truth, thinned where an intervention is to begin, and
protected again.
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:  # run as a script
    sys.path.insert(0, str(ROOT))

from etl.protect import ROUNDED, protect_cube  # noqa: E402
from etl.pseudonym import PseudonymKey  # noqa: E402
from kpis import reference  # noqa: E402
from kpis.effect_assessment import assess_effect  # noqa: E402
from kpis.effect_report import EffectReport  # noqa: E402
from kpis.indicator import load_indicators  # noqa: E402
from kpis.intervention import Plan  # noqa: E402
from kpis.period import add_months, months_between  # noqa: E402
from kpis.release import CONTRACT, Release, open_release  # noqa: E402
from tests import helpers  # noqa: E402
from tests.kpis import alike  # noqa: E402

INDICATOR = "preventable_admissions_65plus"
EFFECTS = (0.95, 0.9, 0.8, 1.1)
DRIFT = 0.03
"""Standard deviation of what a municipality's true rate moves from the others' in a year; a region's is half of it."""
SIZES = ("small", "middling", "large")
GROUP = 4
CANDIDATES = 30
COUNTRIES = 90
FALLS = ("fall", "perhaps_fall")


@dataclass(frozen=True)
class Trial:
    """One intervention in one country: what was true, and what was said."""

    size: str
    n: int
    truth: float
    report: EffectReport

    @property
    def is_answered(self) -> bool:
        return self.report.ratio is not None

    @property
    def holds(self) -> bool:
        return self.report.ratio is not None and self.report.ratio.lower <= self.truth <= self.report.ratio.upper


@dataclass(frozen=True)
class Row:
    """One line of the table; shares in per cent of the trials that were answered, `refused` of all."""

    where: str
    truth: str
    n: int
    refused: float
    covered: float
    fall: float
    any_fall: float
    rise: float
    half_width: float


def trials(seeds: Iterable[int], drift: float = DRIFT) -> Iterator[Trial]:
    """Six interventions in each of the countries of these seeds."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            yield from _of_one_country(Path(folder), seed, drift)


def _of_one_country(folder: Path, seed: int, drift: float) -> Iterator[Trial]:
    rng = np.random.default_rng([seed, 2])
    plans, truths = _interventions(rng, alike.MONTHS[14], alike.MONTHS[21])
    course = _drift(rng, drift)
    for plan, truth in zip(plans, truths, strict=True):
        rows = [alike.CODES.index(code) for code in plan.municipalities]
        course[rows, alike.MONTHS.index(plan.start) :] *= truth
    release = alike.build_alike(folder, seed, course=course, differing=0.1)
    for plan, truth in zip(plans, truths, strict=True):
        yield Trial(plan.id.split("-")[0], len(plan.municipalities), truth, assess_effect(release, plan, tuple(plans)))
    release.path.unlink()


def _interventions(
    rng: np.random.Generator, first: date, last: date, taken: frozenset[str] = frozenset()
) -> tuple[list[Plan], list[float]]:
    """A plan for one municipality and for a group of each size, none in two of them, and their true effects."""
    free = [code for code in _persons() if code not in taken]
    plans, truths = [], []
    for number in (GROUP, 1):  # groups first: they need neighbours that are still free
        for size in SIZES:
            chosen = _drawn(rng, free, number, size)
            free = [code for code in free if code not in chosen]
            start = add_months(first, int(rng.integers(months_between(first, last) + 1)))
            truths.append(1.0 if rng.random() < 0.5 else float(rng.choice(EFFECTS)))
            plans.append(Plan(f"{size}-{number}", size, chosen, start, INDICATOR))
    return plans, truths


def _drawn(rng: np.random.Generator, free: list[str], number: int, size: str) -> tuple[str, ...]:
    """So many municipalities of one region, in the small, middle or large third of what could be drawn by persons."""
    drawn = []
    for _ in range(CANDIDATES):
        region = _regions()[str(rng.choice(free))]
        pool = [code for code in free if _regions()[code] == region]
        if len(pool) >= number:
            drawn.append(tuple(sorted(str(code) for code in rng.choice(pool, number, replace=False))))
    drawn.sort(key=lambda codes: sum(_persons()[code] for code in codes))
    third = len(drawn) / len(SIZES)
    return drawn[int((SIZES.index(size) + rng.random()) * third)]


@cache
def _persons() -> dict[str, int]:
    totals = reference.municipality_population().sort("date").group_by("municipality_code", maintain_order=True).last()
    return dict(totals.sort("municipality_code").select("municipality_code", "persons").iter_rows())


@cache
def _regions() -> dict[str, str]:
    rows = reference.memberships().filter((pl.col("level") == "region") & (pl.col("valid_from").dt.year() < 2027))
    return dict(rows.select("municipality_code", "area_code").iter_rows())


def _drift(rng: np.random.Generator, yearly: float) -> np.ndarray:
    """[municipalities, months]: random walks of the logarithm, those of a region partly together."""
    shape, step = (len(alike.CODES), len(alike.MONTHS)), yearly / np.sqrt(12)
    own = rng.normal(0, step, shape)
    regions = sorted(set(_regions().values()))
    shared = rng.normal(0, step / 2, (len(regions), shape[1]))
    at = [regions.index(_regions()[code]) for code in alike.CODES]
    return np.exp(np.cumsum(own + shared[at], axis=1))


# --- the demo country ---------------------------------------------------------------------------------------


def demo_trials(data: Path, seeds: Iterable[int]) -> Iterator[Trial]:
    """Six interventions for each seed in the demo country's published counts."""
    demo = open_release(data)
    own = frozenset(demo.sql("select distinct area_code from intervention")["area_code"])
    groups = list(load_indicators()[INDICATOR].group_ids)
    cube = demo.sql("select * from cube where age_from >= 65 and list_contains($groups, group_id)", groups=groups)
    months = sorted(cube["month"].unique())
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            rng = np.random.default_rng([seed, 3])
            plans, truths = _interventions(rng, months[12], months[20], own)
            release = _thinned(demo, cube, Path(folder), seed, plans, truths)
            old = [Plan(code, code, (code,), months[0], INDICATOR) for code in sorted(own)]
            for plan, truth in zip(plans, truths, strict=True):
                report = assess_effect(release, plan, (*plans, *old))
                yield Trial(plan.id.split("-")[0], len(plan.municipalities), truth, report)
            release.path.unlink()


def _thinned(
    demo: Release, cube: pl.DataFrame, folder: Path, seed: int, plans: list[Plan], truths: list[float]
) -> Release:
    """The release with each admission after a start left out with the chance of the effect (or told twice)."""
    rng = np.random.default_rng([seed, 4])
    effect = np.ones(cube.height)
    for plan, truth in zip(plans, truths, strict=True):
        is_after = cube["municipality_code"].is_in(plan.municipalities) & (cube["month"] >= plan.start)
        effect[is_after.to_numpy()] = truth
    counts = cube["n_acute"].to_numpy()
    n = np.where(
        effect <= 1,
        rng.binomial(counts, np.minimum(effect, 1)),
        counts + rng.binomial(counts, np.maximum(effect - 1, 0)),
    )
    true = cube.with_columns(
        *(pl.Series(name, n if name in ("n_stay", "n_admission", "n_acute") else n * 0) for name in alike.COLUMNS),
        n_person=pl.Series(n),
    ).filter(pl.col("n_acute") > 0)
    protected = protect_cube(true, ROUNDED, PseudonymKey(bytes([seed % 256]) * 32))[0]
    kept = ("area", "membership", "population", "standard_population", "diagnosis_group", "coverage")
    tables = {name: demo.sql(f"select {', '.join(CONTRACT['tables'][name]['columns'])} from {name}") for name in kept}
    facts = {key: demo.manifest[key] for key in ("data_from", "as_of", "provisional_from")}
    name = f"v20260115T0300{seed:04d}Z-thinned"
    return helpers.tiny_release(folder, name, facts | {"protection": ROUNDED.manifest}, **tables, cube=protected)


# --- the table ----------------------------------------------------------------------------------------------


def table(found: list[Trial], where: str) -> Iterator[Row]:
    """Lines by size and number of municipalities, and of all together; no effect, and some effect."""
    parts = [
        (f"{size}, {_number(n)}", [t for t in found if (t.size, t.n) == (size, n)])
        for n in (1, GROUP)
        for size in SIZES
    ]
    for name, of_part in [*parts, ("all", found)]:
        for truth, is_meant in (("none", lambda t: t.truth == 1.0), ("some", lambda t: t.truth != 1.0)):
            if chosen := [trial for trial in of_part if is_meant(trial)]:
                yield _row(f"{where}: {name}", truth, chosen)


def _number(n: int) -> str:
    return "one municipality" if n == 1 else f"group of {n}"


def _row(where: str, truth: str, found: list[Trial]) -> Row:
    answered = [trial for trial in found if trial.is_answered]
    said = [trial.report.verdict for trial in answered]
    widths = [np.log(trial.report.ratio.upper / trial.report.ratio.lower) / 2 for trial in answered]

    def share(hits: list[bool]) -> float:
        return 100 * float(np.mean(hits)) if hits else float("nan")

    return Row(
        where,
        truth,
        len(found),
        share([not trial.is_answered for trial in found]),
        share([trial.holds for trial in answered]),
        share([verdict == "fall" for verdict in said]),
        share([verdict in FALLS for verdict in said]),
        share([verdict == "rise" for verdict in said]),
        100 * float(np.median(widths)) if widths else float("nan"),
    )


HEADERS = (
    "where", "true effect", "trials", "refused, %", "interval holds the truth, %", "clear fall, %",
    "clear or possible fall, %", "clear rise, %", "half width, %",
)  # fmt: skip


def told(rows: Iterable[Row]) -> Iterator[str]:
    """Lines of a Markdown table, without its head."""
    for row in rows:
        shares = " | ".join(f"{value:.1f}" for value in (row.refused, row.covered, row.fall, row.any_fall, row.rise))
        yield f"| {row.where} | {row.truth} | {row.n} | {shares} | {row.half_width:.0f} |"


def main(countries: int, data: Path | None) -> None:
    print(f"| {' | '.join(HEADERS)} |\n{'|---' * len(HEADERS)}|", flush=True)
    seeds = range(1, countries + 1)
    parts = {"drifting": lambda: trials(seeds)}
    if data is not None:
        parts["demo country"] = lambda: demo_trials(data, seeds)
    for where, make in parts.items():
        for line in told(table(list(make()), where)):
            print(line, flush=True)


if __name__ == "__main__":
    words = sys.argv[1:]
    folder = Path(words[words.index("--data") + 1]) if "--data" in words else None
    main(int(words[0]) if words and words[0].isdigit() else COUNTRIES, folder)

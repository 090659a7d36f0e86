"""What municipalities do and want: interventions with a true effect, and goals with a baseline."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import polars as pl

from etl.synthetic.country import Country
from etl.synthetic.hospital import ADMISSION, Span, ages_at, homes
from etl.synthetic.model import InterventionPlan, Model
from etl.synthetic.people import DAY, minute_of
from etl.synthetic.rng import stream
from kpis.intervention import Plan, lock, write_plan
from kpis.period import Period, add_months, months_between


@dataclass(frozen=True)
class Intervention:
    """An effort placed in time; it runs on when the period ends."""

    plan: InterventionPlan
    start: date
    municipalities: np.ndarray


@dataclass(frozen=True)
class Counted:
    """What an indicator counts, in the words of the model: acute admissions for these conditions from this age on."""

    conditions: tuple[str, ...]
    age: int


def counted_by(model: Model) -> dict[str, Counted]:
    """Indicator → what it counts, for the indicators that have goals here. Readmissions are counted apart."""
    avoidable = tuple(condition.name for condition in model.conditions if condition.kind == "avoidable")
    return {
        "preventable_admissions_65plus": Counted(avoidable, 65),
        "chronic_admissions_18plus": Counted(("copd", "asthma", "heart_failure", "diabetes", "hypertension"), 18),
        "hip_fractures_65plus": Counted(("hip_fracture",), 65),
    }


READMISSIONS = "readmissions_30d"


def place_interventions(model: Model, country: Country, span: Span) -> list[Intervention]:
    """The model's interventions; each begins with a month."""
    months = months_between(span.since, span.until)
    return [
        Intervention(plan, add_months(span.since, int(plan.start * months)), country.numbers_of(plan.municipalities))
        for plan in model.interventions
    ]


def apply_interventions(
    stays: pl.DataFrame, people: pl.DataFrame, model: Model, interventions: list[Intervention], region: str, seed: int
) -> tuple[pl.DataFrame, dict[str, tuple[int, int]]]:
    """Take away the stays that interventions prevented.

    Every affected stay is prevented with probability 1 - true_effect, so that the rate ratio is true_effect exactly.
    Also returned: intervention id → (acute admissions affected, of these prevented).
    """
    person, start, condition = (stays[name].to_numpy() for name in ("person", "start", "condition"))
    home, age = homes(people, person, start), ages_at(people, person, start)
    draw = stream(seed, "interventions", region).random(stays.height)
    kept, counts = np.ones(stays.height, bool), {}
    for intervention in interventions:
        plan = intervention.plan
        affected = (
            (start >= minute_of(intervention.start))
            & (age >= plan.ages[0])
            & (age <= plan.ages[1])
            & np.isin(condition, model.condition_numbers(plan.conditions))
            & np.isin(home, intervention.municipalities)
        )
        prevented = affected & (draw >= plan.true_effect)
        admissions = affected & stays["is_admission"].to_numpy()
        counts[plan.id] = (int(admissions.sum()), int((admissions & prevented).sum()))
        kept &= ~prevented
    return stays.filter(pl.Series(kept)), counts


def count_indicators(
    stays: pl.DataFrame, people: pl.DataFrame, country: Country, model: Model, since: date, until: date
) -> pl.DataFrame:
    """Counts of the months from `since` to before `until`: one row per indicator × municipality.

    Columns `indicator municipality numerator index`; `index`: discharges followed, only for readmissions (nearly
    rules R1 and R2; null for the others).
    """
    begin, stop = minute_of(since), minute_of(until)
    admissions = stays.filter("is_admission").sort("person", "start")
    person, start, end, condition = (admissions[name].to_numpy() for name in ("person", "start", "end", "condition"))
    home, age = homes(people, person, start), ages_at(people, person, start)
    is_acute = np.array([model.kinds[entry.kind].acute for entry in model.conditions])[condition]
    size = country.municipalities.height
    rows: list[tuple[str, np.ndarray, np.ndarray | None]] = []
    for indicator, counted in counted_by(model).items():
        hit = is_acute & (age >= counted.age) & (start >= begin) & (start < stop) & (end - start >= ADMISSION)
        hit &= np.isin(condition, model.condition_numbers(counted.conditions))
        rows.append((indicator, np.bincount(home[hit], minlength=size), None))
    is_cancer = np.isin(condition, model.condition_numbers(["cancer", "cancer_treatment"]))
    is_index = (end >= begin) & (end < stop) & ~is_cancer & (people["death"].to_numpy()[person] // DAY > end // DAY)
    follows = np.zeros(len(person), bool)
    follows[:-1] = (person[1:] == person[:-1]) & is_acute[1:] & ~is_cancer[1:] & (start[1:] <= end[:-1] + 30 * DAY)
    index = np.bincount(home[is_index], minlength=size)
    rows.append((READMISSIONS, np.bincount(home[is_index & follows], minlength=size), index))
    return pl.concat(
        pl.DataFrame(
            {
                "indicator": [indicator] * size,
                "municipality": np.arange(size),
                "numerator": numerator,
                "index": followed,
            },
            schema_overrides={"index": pl.Int64},
        )
        for indicator, numerator, followed in rows
    )


def write_plans(folder: Path, interventions: list[Intervention]) -> None:
    """The deliveries `indsatser/<id>.toml`: as the dashboard writes them, locked two months ahead."""
    target = folder / "indsatser"
    target.mkdir(exist_ok=True)
    for entry in interventions:
        plan = lock(_planned(entry), datetime.combine(add_months(entry.start, -2), time(9, 30)))
        (target / f"{plan.id}.toml").write_text(write_plan(replace(plan, start=entry.start)), encoding="utf-8")


def _planned(entry: Intervention) -> Plan:
    """What was planned; it may have begun later."""
    plan = entry.plan
    return Plan(
        id=plan.id,
        name=plan.name,
        municipalities=tuple(sorted(plan.municipalities)),
        start=add_months(entry.start, -plan.locked_start),
        indicator=plan.indicator,
        expected_effect=plan.expected_effect,
        counterweight=plan.counterweight,
        negative_control=plan.negative_control,
        owner=plan.owner,
        what=plan.what,
        cost=plan.cost,
        bed_day_price=plan.bed_day_price,
        price_source="Eksempel i demolandet, ingen officiel pris" if plan.bed_day_price else "",
        registered_on=add_months(entry.start, -3),
    )


def goals_table(
    baseline: pl.DataFrame, population: np.ndarray, country: Country, model: Model, span: Span
) -> pl.DataFrame:
    """The delivery `maal.csv`: common goals of every KKR, and own goals of its two largest municipalities.

    Args:
        baseline: of `count_indicators` for the first twelve months, all regions.
        population: mean over the first twelve months, [municipality, sex, age].
        country: its municipalities.
        model: what the indicators count.
        span: the goals fall due after it.
    """
    persons = pl.concat(
        pl.DataFrame({"persons": population[:, :, counted.age :].sum(axis=(1, 2))}).with_columns(
            municipality=pl.int_range(pl.len()), indicator=pl.lit(indicator)
        )
        for indicator, counted in counted_by(model).items()
    )
    counts = baseline.join(persons, on=["indicator", "municipality"], how="left").join(
        country.municipalities.select("kkr", "municipality_code", "persons", municipality=pl.int_range(pl.len())),
        on="municipality",
        suffix="_in_2020",
    )
    # Readmissions per 100 discharges followed, all else per 1,000 persons.
    denominator = pl.when(pl.col("indicator") == READMISSIONS).then(pl.col("index") * 10).otherwise("persons")
    rate = (1000 * pl.col("numerator").sum() / denominator.sum()).alias("baseline")
    largest = pl.col("persons_in_2020").rank("dense", descending=True).over("kkr", "indicator") <= 2
    common = counts.group_by(pl.lit("KKR").alias("level"), pl.col("kkr").alias("code"), "indicator").agg(rate)
    own = counts.filter(largest).group_by(
        pl.lit("kommune").alias("level"), pl.col("municipality_code").alias("code"), "indicator"
    )
    goals = [
        (level, code, indicator, value, *due)
        for level, code, indicator, value in pl.concat([common, own.agg(rate)])
        .sort("level", "code", "indicator")
        .rows()
        for due in (("kort", 1, 0.95), ("lang", 4, 0.88))
        if level == "KKR" or due[0] == "kort"
    ]
    return pl.DataFrame(
        {
            "maal_id": f"M-{number:03d}",
            "indikator": indicator,
            "omraade_niveau": level,
            "omraade_kode": code,
            "faelles_eller_egen": "fælles" if level == "KKR" else "egen",
            "frist_type": term,
            "baseline": _decimal(value, 1),
            "baseline_periode": Period.starting(span.since, "rolling12").id,
            "maal": _decimal(value * ratio, 1),
            "frist": _danish(date(span.until.year + years, 12, 31)),
        }
        for number, (level, code, indicator, value, term, years, ratio) in enumerate(goals, start=1)
    )


def _decimal(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace(".", ",")


def _danish(day: date) -> str:
    return day.strftime("%d-%m-%Y")

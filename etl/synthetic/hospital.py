"""Hospital stays: who is admitted or seen, when, for what and for how long.

A stay here is one row with a person, a condition, a start and an end; `contacts` cuts it into what hospitals report.
Minutes are counted from 2000-01-01 00:00.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from etl.synthetic.country import BREAK_DAY, Country
from etl.synthetic.model import AGES, Model
from etl.synthetic.people import DAY, minute_of
from etl.synthetic.rng import pick, stream
from kpis.period import add_months

ADMISSION = 12 * 60  # minutes (rule S5)
VISITS = ("outpatient", "virtual")
"""Kinds of contact that are no stay in hospital: they last minutes, may fall into a stay and bring about nothing."""
RUN_IN_MONTHS = 2
"""Stays are drawn from so long before the period that its first month has its share of readmissions."""


@dataclass(frozen=True)
class Span:
    """The period the deliveries cover: whole months, `until` is the first day after it."""

    since: date
    until: date

    @property
    def years(self) -> range:
        """Calendar years touched."""
        return range(self.since.year, (self.until - timedelta(days=1)).year + 1)

    @property
    def start(self) -> int:
        """The first minute of the period."""
        return minute_of(self.since)

    @property
    def end(self) -> int:
        """The first minute after the period."""
        return minute_of(self.until)


def draw_stays(
    people: pl.DataFrame, country: Country, model: Model, region: str, span: Span, seed: int
) -> pl.DataFrame:
    """All hospital stays of the people of a region, before acute places and interventions act.

    One row per stay: `person` (row of `people`), `condition` (number), `start`, `end`, `is_admission`.
    Admissions bring about readmissions; stays end with death at the latest; some deaths happen in an admission.
    """
    longer = Span(add_months(span.since, -RUN_IN_MONTHS), span.until)
    parts = [
        _draw_kind(people, country, model, kind, year, longer, stream(seed, "stays", region, kind, year))
        for kind in model.kinds
        for year in longer.years
    ]
    drawn = pl.concat([*parts, _last_admissions(people, model, longer, stream(seed, "deaths", region))])
    admissions = drawn.filter("is_admission")
    readmissions = _draw_readmissions(people, country, model, admissions, longer, stream(seed, "readmissions", region))
    return pl.concat([drawn, readmissions]).filter(pl.col("start") >= span.start)


def add_stays(
    people: pl.DataFrame, model: Model, person: np.ndarray, start: np.ndarray, rng: np.random.Generator
) -> pl.DataFrame:
    """Acute admissions of these persons at these minutes, with conditions usual for their age and sex."""
    columns = {name: people[name].to_numpy()[person] for name in ("sex", "birth_year", "entry", "death")}
    age = _years(start) - columns["birth_year"]
    rates = sum((model.rates(kind) for kind, entry in model.kinds.items() if entry.acute), np.zeros(1))
    condition = pick(_cumulative(rates), rng.random(len(person)), _cell(columns["sex"], age))
    return _stays(people, model, person, condition, start, np.ones(len(person), bool), rng)


def without_overlaps(stays: pl.DataFrame, model: Model) -> pl.DataFrame:
    """Drop acute and planned stays that begin while the same person is already in hospital.

    Stays were drawn independently; nobody is admitted twice at once. (A stay dropped here still shields those
    behind it: a few too many go.) Outpatient and virtual contacts may fall into a stay, as they do.
    """
    is_inpatient = pl.Series([condition.kind not in VISITS for condition in model.conditions])
    inpatient = is_inpatient.gather(stays["condition"])
    ordered = stays.filter(inpatient).sort("person", "start", "end", "condition")
    # Persons lie 2^40 minutes apart, so that one running maximum over all rows is one per person.
    reach = (ordered["person"].cast(pl.Int64) * 2**40 + ordered["end"]).cum_max().shift(1, fill_value=-1)
    is_free = ordered["person"].cast(pl.Int64) * 2**40 + ordered["start"] >= reach
    return pl.concat([ordered.filter(is_free), stays.filter(~inpatient)])


def homes(people: pl.DataFrame, person: np.ndarray, minute: np.ndarray) -> np.ndarray:
    """Number of the municipality where each person lives at a minute."""
    moved = people["moved"].to_numpy()[person] <= minute
    return np.where(moved, people["moved_to"].to_numpy()[person], people["municipality"].to_numpy()[person])


def ages_at(people: pl.DataFrame, person: np.ndarray, minute: np.ndarray) -> np.ndarray:
    """Completed years of each person at a minute."""
    day = minute // DAY
    year = _years(minute)
    new_year = (np.datetime64("2000", "Y") + (year - 2000)).astype("datetime64[D]") - np.datetime64("2000-01-01", "D")
    had_birthday = people["birth_day"].to_numpy()[person] <= day - new_year.astype(np.int64)
    return year - people["birth_year"].to_numpy()[person] - ~had_birthday


def _draw_kind(
    people: pl.DataFrame,
    country: Country,
    model: Model,
    kind: str,
    year: int,
    span: Span,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Stays of one kind in one calendar year: a Poisson process per person, drawn for everybody at once.

    The number of all stays is Poisson; each then falls on a person with the person's share of the sum of rates, on a
    condition with its share at that age and sex, and on a day with the share of that day in the condition's season.
    """
    entry = model.kinds[kind]
    first, day_weights = _day_weights(model, kind, year, span)
    seasons = list(model.seasons)
    season = np.array([seasons.index(condition.season) for condition in model.conditions])
    rates = model.rates(kind) * (day_weights.sum(axis=1) / 365.2425)[season]
    # Whoever turns a during the year was a - 1 for half of it.
    rates[:, 1:] = (rates[:, 1:] + rates[:, :-1]) / 2
    by_cell = np.append(rates.sum(axis=2).ravel(), 0).astype(np.float32)  # the last one: not yet born
    sex, birth_year = people["sex"].to_numpy(), people["birth_year"].to_numpy()
    cell = np.where(birth_year <= year, _cell(sex, year - birth_year), 2 * AGES)
    sd = model.frailty.sd * entry.frailty
    frailty = np.exp(sd * people["frailty"].to_numpy() - sd * sd / 2)
    effect = country.effects[kind].astype(np.float32)[people["municipality"].to_numpy()]
    reach = np.cumsum(by_cell[cell] * frailty * effect, dtype=np.float64)
    size = rng.poisson(reach[-1])
    # Sorted uniform numbers without sorting: running sums of exponentials. Sorted look-ups are ten times as fast.
    steps = np.cumsum(rng.standard_exponential(size + 1))
    person = np.searchsorted(reach, steps[:-1] / steps[-1] * reach[-1]).astype(np.int32)
    person = np.minimum(person, len(reach) - 1)
    condition = pick(_cumulative(rates), rng.random(size), cell[person])
    day = first + pick(np.cumsum(day_weights, axis=1), rng.random(size), season[condition])
    start = at_hours(day, entry.hours, rng)
    present = (people["entry"].to_numpy()[person] <= start) & (people["death"].to_numpy()[person] > start)
    person, condition, start = person[present], condition[present], start[present]
    if kind in VISITS:
        low, high = model.stay.outpatient_minutes if kind == "outpatient" else model.stay.virtual_minutes
        minutes = rng.integers(low, high, len(person), dtype=np.int32)
        return _frame(person, condition, start, start + minutes, np.zeros(len(person), bool))
    short = np.array([entry.short / (1 + entry.short) for entry in model.conditions])
    is_admission = rng.random(len(person)) >= short[condition]
    return _stays(people, model, person, condition, start, is_admission, rng)


def _stays(
    people: pl.DataFrame,
    model: Model,
    person: np.ndarray,
    condition: np.ndarray,
    start: np.ndarray,
    is_admission: np.ndarray,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Give acute and planned stays their length: under 12 hours, or from 12 hours on, to death at the latest."""
    days = np.array([max(entry.days, 0.1) for entry in model.conditions])
    sd = np.array([entry.sd for entry in model.conditions])
    length = np.exp(np.log(days)[condition] + sd[condition] * rng.standard_normal(len(person)))
    end = start + ADMISSION + (np.minimum(length, 150) * DAY).astype(np.int32)
    by_day = at_hours(end // DAY, model.stay.discharge_hours, rng)
    end = np.where((end - start > DAY) & (by_day - start >= ADMISSION), by_day, end)
    can_be_short = np.array([entry.short > 0 for entry in model.conditions])[condition]
    is_overnight = can_be_short & (rng.random(len(person)) < model.stay.overnight)
    end = np.where(is_overnight, start + rng.integers(ADMISSION, DAY, len(person)), end)
    low, high = model.stay.short_minutes
    short_end = start + low + ((high - low) * rng.random(len(person)) ** 1.5).astype(np.int32)
    end = np.minimum(np.where(is_admission, end, short_end), people["death"].to_numpy()[person])
    return _frame(person, condition, start, end, is_admission)


def _draw_readmissions(
    people: pl.DataFrame,
    country: Country,
    model: Model,
    admissions: pl.DataFrame,
    span: Span,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Acute admissions within 30 days that follow from an admission; they can have followers of their own."""
    plan, rounds = model.readmission, []
    again = np.array([condition.again for condition in model.conditions])
    parents = admissions
    for _ in range(plan.generations):
        person, end, condition = (parents[name].to_numpy() for name in ("person", "end", "condition"))
        sd = model.frailty.sd * plan.frailty
        frailty = np.exp(sd * people["frailty"].to_numpy()[person] - sd * sd / 2)
        home = people["municipality"].to_numpy()[person]
        risk = plan.share * again[condition] * frailty * country.effects["readmission"][home]
        follows = rng.random(len(person)) < risk
        # Exponential with the given mean, cut off at 30 days; more than the 4 hours that would join the stays (S1).
        wait = -plan.mean_days * np.log1p(-rng.random(len(person)) * -np.expm1(-30 / plan.mean_days))
        start = end + 300 + (wait * (DAY - 10)).astype(np.int32)
        by_day = at_hours(start // DAY, model.kinds["acute"].hours, rng)
        start = np.where((by_day > end + 300) & (by_day < end + 30 * DAY), by_day, start)
        follows &= (start < span.end) & (start < people["death"].to_numpy()[person])
        person, start, condition = person[follows], start[follows], condition[follows]
        children = add_stays(people, model, person, start, rng)
        is_acute = np.array([model.kinds[entry.kind].acute for entry in model.conditions])
        same = is_acute[condition] & (rng.random(len(person)) < plan.same_condition)
        kept = _stays(people, model, person, condition, start, np.ones(len(person), bool), rng)
        parents = pl.concat([children.filter(~same), kept.filter(same)])
        rounds.append(parents)
        if parents.is_empty():
            break
    return pl.concat(rounds)


def _last_admissions(people: pl.DataFrame, model: Model, span: Span, rng: np.random.Generator) -> pl.DataFrame:
    """Admissions that end with death."""
    death = people["death"].to_numpy()
    dying = np.flatnonzero((death > span.start) & (death < span.end))
    dying = dying[rng.random(len(dying)) < model.stay.dies_in_hospital].astype(np.int32)
    start = death[dying] - ADMISSION - (np.exp(np.log(4.0) + rng.standard_normal(len(dying))) * DAY).astype(np.int32)
    in_time = (start >= span.start) & (start >= people["entry"].to_numpy()[dying])
    dying, start = dying[in_time], start[in_time]
    stays = add_stays(people, model, dying, start, rng)
    return stays.with_columns(end=pl.Series(death[dying], dtype=pl.Int32))


def _day_weights(model: Model, kind: str, year: int, span: Span) -> tuple[int, np.ndarray]:
    """The first day (from 2000-01-01) of the part of a year that the period covers, and weights [season, day].

    A weight of 1 is an average day: month of the year × day of the week × holidays × the level of LPR2.
    """
    entry = model.kinds[kind]
    begin, end = max(span.since, date(year, 1, 1)), min(span.until, date(year + 1, 1, 1))
    days = [begin + timedelta(days=number) for number in range((end - begin).days)]
    months = np.array([list(weights) for weights in model.seasons.values()])
    months /= months.mean(axis=1, keepdims=True)
    weekdays = np.array(entry.weekdays) / np.mean(entry.weekdays)
    is_holiday = np.array([day.month == 7 or (day.month == 12 and day.day >= 22) for day in days])
    # The rest of the year makes up for the holidays, which are 41 of 365 days.
    ordinary = (365 - 41 * entry.holidays) / (365 - 41)
    level = np.where(is_holiday, entry.holidays, ordinary)
    level *= np.array([entry.lpr2 if day < BREAK_DAY else 1.0 for day in days])
    of_days = np.array([weekdays[day.weekday()] for day in days]) * level
    return minute_of(begin) // DAY, months[:, [day.month - 1 for day in days]] * of_days


def at_hours(day: np.ndarray, hours: list[float], rng: np.random.Generator) -> np.ndarray:
    """A minute of each day, by the hour's weight."""
    cumulative = np.cumsum(hours) / np.sum(hours)
    hour = np.repeat(np.arange(24, dtype=np.int32), np.diff(np.round(cumulative * 4096).astype(int), prepend=0))
    draw = rng.integers(0, 4096 * 60, len(day), dtype=np.int32)
    return day.astype(np.int32) * DAY + hour[draw // 60] * 60 + draw % 60


def _years(minute: np.ndarray) -> np.ndarray:
    """Calendar year of each minute."""
    days = np.datetime64("2000-01-01", "D") + minute // DAY
    return days.astype("datetime64[Y]").astype(np.int64) + 1970


def _cell(sex: np.ndarray, age: np.ndarray) -> np.ndarray:
    """The row of a table by sex and age."""
    return (sex.astype(np.int32) - 1) * AGES + np.clip(age, 0, AGES - 1)


def _cumulative(rates: np.ndarray) -> np.ndarray:
    """Running sums over conditions, one row per sex and age."""
    return np.cumsum(rates.reshape(2 * AGES, -1), axis=1)


def _frame(
    person: np.ndarray, condition: np.ndarray, start: np.ndarray, end: np.ndarray, is_admission: np.ndarray
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "person": person.astype(np.int32),
            "condition": condition.astype(np.int16),
            "start": start.astype(np.int32),
            "end": end.astype(np.int32),
            "is_admission": is_admission,
        }
    )

"""The counts of a release as dense arrays, from which any figure is a few sums.

Arrays run over months × municipalities (× sexes × age bands) and are summed up over months: position 0 is
zero, position i holds the first i months. A period of any length then costs two look-ups. They are made when
first asked for and live as long as the release; only measures and diagnosis groups that are asked for take
memory (2 MB each for the whole country and ten years).
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from kpis.indicator import Measure
from kpis.period import Period, add_months, months_between
from kpis.release import AGE_BANDS, Release, per_release

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]

SEXES = (1, 2)
OLDEST = 125  # the last age of an age group without an upper end
FOLLOW_UP = timedelta(days=30)  # rule R1: a discharge is an index only when it can be followed this long


def carried_quarters(release: Release) -> dict[date, date]:
    """Months whose own quarter of population is not delivered → first day of the quarter used instead.

    The last earlier quarter is carried forward; months before the first quarter use the first.
    """
    used = _quarter_used(release).items()
    return {month: quarter for month, quarter in used if Period.containing(month, "quarter").first != quarter}


@per_release
def months(release: Release) -> tuple[date, ...]:
    """The months of the release, each as its first day."""
    first = release.date("data_from")
    return tuple(add_months(first, step) for step in range(months_between(first, release.date("as_of"))))


@per_release
def municipalities(release: Release) -> dict[str, int]:
    """Municipality code → position."""
    codes = release.sql(
        "select distinct municipality_code from membership where level = 'municipality' order by 1"
    ).to_series()
    return {code: position for position, code in enumerate(codes)}


def followed_months(release: Release) -> int:
    """How many of the release's months, from the first, have had their 30 days of follow-up."""
    as_of = release.date("as_of")
    return sum(add_months(month, 1) + FOLLOW_UP <= as_of for month in months(release))


@per_release
def cube(release: Release, measure: str, group_ids: tuple[str, ...]) -> npt.NDArray[np.int32]:
    """[months + 1, municipalities, sexes, age bands] of a cube measure, of some diagnosis groups together.

    A group whose id begins with a minus is taken away from the others.
    """
    taken_away = [group.removeprefix("-") for group in group_ids if group.startswith("-")]
    rows = release.sql(
        f"""
        select
            month,
            municipality_code,
            sex,
            age_from,
            sum(if(list_contains($taken_away, group_id), -{measure}, {measure}))::bigint as n
        from cube
        where {measure} <> 0 and (list_contains($group_ids, group_id) or list_contains($taken_away, group_id))
        group by all
        """,
        group_ids=list(group_ids),
        taken_away=taken_away,
    )
    by_month = _dense(release, rows, "month", months(release))
    # Half the memory: what one municipality sums up to in one age band over all months is far below 2³¹.
    return _summed_up(by_month.astype(np.int32))


@per_release
def holds_any(release: Release, group_ids: tuple[str, ...]) -> bool:
    """Whether a single stay of these diagnosis groups is in the release, anywhere and at any time."""
    found = release.sql(
        "select 1 as one from cube where list_contains($group_ids, group_id) limit 1", group_ids=list(group_ids)
    )
    return not found.is_empty()


@per_release
def monthly(release: Release, measure: str, category: str | None = None) -> IntArray:
    """[months + 1, municipalities] of a measure of municipality_month; without a category, all of them."""
    rows = release.sql(
        """
        select month, municipality_code, sum(n)::bigint as n
        from municipality_month
        where measure = $measure and ($category is null or category = $category)
        group by all
        """,
        measure=measure,
        category=category,
    )
    return _summed_up(_dense(release, rows, "month", months(release)))


@per_release
def yearly(release: Release, measure: Measure) -> IntArray:
    """[months + 1, municipalities] of a figure that StatBank gives by the year; it stands in January.

    A year counts whole or not at all: see `missing`, and `kpis.evaluate` for periods that cut one.
    """
    figures = _dense(release, _statbank(release, measure), "month", months(release))
    return _summed_up(figures)


def _statbank(release: Release, measure: Measure) -> pl.DataFrame:
    """Figures of a yearly measure by municipality and first month of the year; those that StatBank lacks are absent."""
    wanted = measure.statbank
    assert wanted is not None, f"{measure.name} is no figure of StatBank"
    figures = _figures(release, wanted.table, wanted.measures, wanted.age_from)
    if wanted.weight is not None:
        persons = _figures(release, wanted.table, (wanted.weight,), None)
        figures = figures.join(persons, on=["municipality_code", "month"], suffix="_persons")
        figures = figures.with_columns(pl.col("n") * pl.col("n_persons")).drop("n_persons")
    return figures.with_columns(pl.col("n").round().cast(pl.Int64))


def _figures(release: Release, table: str, measures: Sequence[str], age_from: int | None) -> pl.DataFrame:
    """`municipality_code month n` of rows of `welfare` with these measures added up, over ages from `age_from` on.

    Only a year of which every age is told has a figure; of several ways to fill the ages (67 and over; or by five
    years) the one with the fewest groups is taken.
    """
    rows = release.sql(
        r"""
        select
            municipality_code,
            make_date(period::integer, 1, 1) as month,
            regexp_replace(measure, ';age=\d+-\d+', '') as told,
            try_cast(regexp_extract(measure, ';age=(\d+)-', 1) as integer) as first,
            try_cast(regexp_extract(measure, ';age=\d+-(\d+)', 1) as integer) as last,
            n
        from welfare
        where statbank_table = $table and list_contains($measures, told) and length(period) = 4 and n is not null
        """,
        table=table,
        measures=list(measures),
    )
    by_year = ["municipality_code", "month"]
    if age_from is None:
        figures = rows.filter(pl.col("first").is_null())
    else:
        known = rows.drop_nulls("first").group_by(*by_year, "told", maintain_order=True)
        filled = [
            (*key, found)
            for key, groups in known
            if (found := _filled(age_from, list(groups.select("first", "last", "n").iter_rows()))) is not None
        ]
        schema = {"municipality_code": pl.String, "month": pl.Date, "told": pl.String, "n": pl.Float64}
        figures = pl.DataFrame(filled, schema=schema, orient="row")
    return figures.group_by(by_year).agg(pl.col("n").sum()).sort(by_year)


def _filled(age: int, groups: Sequence[tuple[int, int, float]]) -> float | None:
    """The sum over age groups (first, last, n) that follow each other from `age` to the oldest; None with a gap."""
    if age > OLDEST:
        return 0.0
    for _, last, n in sorted((group for group in groups if group[0] == age), key=lambda group: -group[1]):
        rest = _filled(last + 1, groups)
        if rest is not None:
            return n + rest
    return None


@per_release
def population(release: Release, measure: str) -> IntArray:
    """[months + 1, municipalities, sexes, age bands]: person-months for person_years, else person-days."""
    persons = _persons(release)
    if measure == "person_days":
        persons = persons * _observed_days(release)[:, :, None, None]
    return _summed_up(persons)


@per_release
def _persons(release: Release) -> IntArray:
    """[months, municipalities, sexes, age bands]: inhabitants on the first day of the quarter used."""
    quarters = _quarters(release)
    if not quarters:
        return np.zeros((len(months(release)), len(municipalities(release)), len(SEXES), len(AGE_BANDS)), int)
    rows = release.sql("select quarter, municipality_code, sex, age_from, persons as n from population")
    by_quarter = _dense(release, rows, "quarter", quarters)
    return by_quarter[[quarters.index(quarter) for quarter in _quarter_used(release).values()]]


@per_release
def _quarters(release: Release) -> tuple[date, ...]:
    return tuple(release.sql("select distinct quarter from population order by 1").to_series())


def _quarter_used(release: Release) -> dict[date, date]:
    """Month → quarter whose population counts; empty when there is no population at all."""
    quarters = _quarters(release)
    if not quarters:
        return {}
    return {month: max((q for q in quarters if q <= month), default=quarters[0]) for month in months(release)}


@per_release
def carried(release: Release) -> IntArray:
    """[months + 1, municipalities]: months with the population of another quarter."""
    is_carried = np.array([month in carried_quarters(release) for month in months(release)])
    return _summed_up(np.repeat(is_carried[:, None], len(municipalities(release)), axis=1))


@per_release
def _observed_days(release: Release) -> IntArray:
    """[months, municipalities]: days on which acute places could be seen.

    Days without a report are not days without places: a municipality that reports counts with the days it
    reported, one without acute places with all of them.
    """
    calendar = np.array([(add_months(month, 1) - month).days for month in months(release)])[:, None]
    reported = np.diff(monthly(release, "days_reported"), axis=0)
    return np.where(reported > 0, np.minimum(reported, calendar), calendar)


@per_release
def missing(release: Release, measures: tuple[Measure, ...]) -> IntArray:
    """[months + 1, municipalities]: months for which something that `measures` need was not delivered."""
    is_missing = np.zeros((len(months(release)), len(municipalities(release))), dtype=bool)
    for measure in measures:
        for delivery in measure.deliveries:
            is_missing |= ~_delivered(release, delivery)
        if measure.is_unknown_when_absent:
            is_missing |= monthly(release, measure.name)[-1] == 0
        if measure.is_yearly:
            is_missing |= ~_years_given(release, measure)
        if measure.table == "population":
            is_missing |= _persons(release).sum(axis=(2, 3)) == 0
    return _summed_up(is_missing)


def _years_given(release: Release, measure: Measure) -> BoolArray:
    """[months, municipalities]: whether StatBank gives a figure for the calendar year of the month."""
    given = {(code, month.year) for code, month in _statbank(release, measure).select(pl.nth(0, 1)).iter_rows()}
    codes = municipalities(release)
    return np.array([[(code, month.year) in given for code in codes] for month in months(release)])


@per_release
def _delivered(release: Release, delivery: str) -> BoolArray:
    """[months, municipalities]: whether coverage says that a kind of delivery holds the month."""
    start_of_data, position = months(release)[0], municipalities(release)
    is_delivered = np.zeros((len(months(release)), len(position)), dtype=bool)
    rows = release.sql(
        "select municipality_code, first_month, last_month from coverage where kind = $kind", kind=delivery
    )
    for code, first, last in rows.iter_rows():
        start, last_one = months_between(start_of_data, first), months_between(start_of_data, last)
        is_delivered[max(start, 0) : max(last_one + 1, 0), position[code]] = True
    return is_delivered


@per_release
def may_have_acute_places(release: Release) -> BoolArray:
    """[municipalities]: False only where something was delivered and no acute place is in it."""
    codes = release.sql(
        """
        with has as (
            select municipality_code from service where service_type = 'akutplads'
            union
            select municipality_code from municipality_month
            where n > 0 and (starts_with(measure, 'n_place_') or starts_with(measure, 'place_days_'))
        ), heard as (
            select municipality_code from coverage
            where kind in ('services_template', 'acute_place_stays', 'acute_place_capacity')
        )
        select distinct municipality_code from heard anti join has using (municipality_code)
        """
    ).to_series()
    without = set(codes)
    return np.array([code not in without for code in municipalities(release)])


@per_release
def standard(release: Release, standard: str) -> FloatArray:
    """[sexes, age bands]: persons of a standard population."""
    rows = release.sql("select * from standard_population where standard = $standard", standard=standard)
    weights = np.zeros((len(SEXES), len(AGE_BANDS)))
    for sex, age_from, persons in rows.select("sex", "age_from", "persons").iter_rows():
        weights[SEXES.index(sex), AGE_BANDS.index(age_from)] = persons
    return weights


def _dense(release: Release, rows: pl.DataFrame, time: str, times: Sequence[date]) -> IntArray:
    """[times, municipalities, sexes, age bands] of rows with n; without the last two where rows lack them.

    Rows of other times are left out: they belong to no month of the release.
    """
    positions: dict[str, dict[Any, int]] = {
        time: {moment: position for position, moment in enumerate(times)},
        "municipality_code": municipalities(release),
        "sex": {sex: position for position, sex in enumerate(SEXES)},
        "age_from": {age: position for position, age in enumerate(AGE_BANDS)},
    }
    axes = [column for column in positions if column in rows.columns]
    rows = rows.filter(pl.col(time).is_in(list(times)))
    at = tuple(rows[axis].replace_strict(positions[axis], return_dtype=pl.Int64).to_numpy() for axis in axes)
    array = np.zeros([len(positions[axis]) for axis in axes], dtype=np.int64)
    np.add.at(array, at, rows["n"].to_numpy())
    return array


def _summed_up(by_month: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sums over the first 0, 1, 2 … months, along a first axis that is longer by one."""
    dtype = by_month.dtype if by_month.dtype == np.int32 else np.int64
    summed = np.zeros((len(by_month) + 1, *by_month.shape[1:]), dtype=dtype)
    np.cumsum(by_month, axis=0, out=summed[1:])
    return summed

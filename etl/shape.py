"""The landed shape of every kind of delivery: its columns, the rules one row can break, a check of the whole file.

Rules are applied in order; a row keeps the first one it breaks, and stays in the file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from etl.finding import Finding, Refused
from etl.parse import EPOCH, OUTSIDE_MUNICIPALITIES
from etl.typed import FAULTS
from etl.words import told
from kpis.period import Period
from kpis.reference import areas
from kpis.release import AGE_BANDS

FIRST_AGE, LAST_AGE = 0, 95  # ages that a population delivery must cover without a gap
N_MUNICIPALITIES = 98
MOST_NAMED = 8  # of what is missing, in a sentence

# Rules that put a row aside without it being anybody's mistake: they do not count towards the file's limit.
EXPECTED_RULES = ("C2-outside", "C0-system", "P1-outside", "W1-outside")

# Faults with the sentence of words.toml that says why; null: the value could not be read.
BROKEN = FAULTS | {"why": pl.String}
Rows = tuple[pl.DataFrame, pl.DataFrame]  # landed rows, and the faults found in them, with the columns of BROKEN


@dataclass(frozen=True)
class Shape:
    """How a kind's typed rows are stored: the columns, row-wise rules, and a check of the whole file."""

    schema: dict[str, Any]
    to_landed: Callable[[pl.DataFrame], Rows]
    check: Callable[[pl.DataFrame], list[Finding]] | None = None

    @property
    def arrow_schema(self) -> pa.Schema:
        """The schema of the Parquet file."""
        return pl.DataFrame(schema=self.schema).to_arrow().schema


def _hold_back(
    rows: pl.DataFrame, rule: str, column: str, broken: pl.Expr, why: str, found: pl.Expr | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Mark rows that break a rule (unless an earlier rule has them) and list them as faults.

    `why` is the key of a sentence of words.toml, `found` what it quotes: by default the column's value.
    """
    hit = rows.select((broken & pl.col("rule").is_null()).fill_null(False)).to_series()
    if not hit.any():
        return rows, pl.DataFrame(schema=BROKEN)
    faults = rows.filter(hit).select(
        pl.col("row"),
        pl.lit(column).alias("column"),
        pl.lit(rule).alias("rule"),
        (pl.col(column) if found is None else found).cast(pl.String).alias("found"),
        pl.lit(why).alias("why"),
    )
    return rows.with_columns(rows["rule"].scatter(hit.arg_true(), rule)), faults


def with_columns_or_null(rows: pl.DataFrame, columns: dict[str, Any]) -> pl.DataFrame:
    """The rows with a null column added for each of `columns` (name → type) that they lack."""
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in columns.items() if name not in rows.columns]
    return rows.with_columns(absent)


def _minute_text(minute: pl.Expr) -> pl.Expr:
    return (pl.lit(EPOCH) + pl.duration(minutes=minute)).dt.strftime("%Y-%m-%d %H:%M")


def _outside(rows: pl.DataFrame, rule: str, column: str = "municipality") -> tuple[pl.DataFrame, pl.DataFrame]:
    return _hold_back(
        rows, rule, column, pl.col(column).is_in(list(OUTSIDE_MUNICIPALITIES)), "value.outside",
        pl.col(column).replace(OUTSIDE_MUNICIPALITIES),
    )  # fmt: skip


def _to_contacts(values: pl.DataFrame) -> Rows:
    """Rules C2 and C5 as far as one row can tell; municipality may still come from a residence delivery."""
    rows = with_columns_or_null(
        values,
        {"municipality": pl.String, "age": pl.Int16, "sex": pl.Int8, "system": pl.String,
         "reported": pl.Int32, "is_cancelled": pl.Boolean, "id_sex": pl.Int8, "birth_date": pl.Date},
    )  # fmt: skip
    rows = rows.rename({"start": "start_minute", "end": "end_minute", "reported": "reported_minute"})
    started = (pl.lit(EPOCH) + pl.duration(minutes=pl.col("start_minute"))).dt.date()
    had_birthday = started.dt.strftime("%m%d") >= pl.col("birth_date").dt.strftime("%m%d")
    years = started.dt.year() - pl.col("birth_date").dt.year() - (~had_birthday).cast(pl.Int32)
    if "age" not in values.columns:
        rows = rows.with_columns(pl.when(years.is_between(0, 125)).then(years).cast(pl.Int16).alias("age"))
    if "sex" not in values.columns:
        rows = rows.with_columns(pl.col("id_sex").alias("sex"))
    faults = []
    start, end = pl.col("start_minute"), pl.col("end_minute")
    for rule, column, broken, why, found in (
        ("C0-system", "system", pl.col("system") != "lpr3", "value.system", pl.col("system")),
        ("C2-start", "start", start < 0, "value.before_2000", _minute_text(start)),
        ("C2-end", "end", end < start, "value.end_before_start", _minute_text(end)),
        ("C2-age", "age", pl.col("age").is_null(), "value.not_derived", pl.lit(None)),
        ("C2-sex", "sex", pl.col("sex").is_null(), "value.not_derived", pl.lit(None)),
    ):
        rows, more = _hold_back(rows, rule, column, broken, why, found)
        faults.append(more)
    rows, more = _outside(rows, "C2-outside")
    faults.append(more)
    return (
        rows.with_columns(
            (pl.col("contact_type") == "physical").fill_null(False).alias("is_physical"),
            (pl.col("priority") == "acute").fill_null(False).alias("is_acute"),
            pl.col("is_cancelled").fill_null(False),
            pl.col("municipality").cast(pl.Int16),
        ),
        pl.concat(faults),
    )


def _to_residence(values: pl.DataFrame) -> Rows:
    rows, outside = _outside(values, "C2-outside")
    rows, backwards = _hold_back(rows, "C2-residence", "end", pl.col("end") < pl.col("start"), "value.end_before_start")
    return rows.with_columns(pl.col("municipality").cast(pl.Int16)), pl.concat([outside, backwards])


def _unchanged(values: pl.DataFrame) -> Rows:
    return values, pl.DataFrame(schema=BROKEN)


def _to_diagnoses(values: pl.DataFrame) -> Rows:
    rows = with_columns_or_null(values, {"is_cancelled": pl.Boolean, "system": pl.String})
    rows, faults = _hold_back(rows, "C0-system", "system", pl.col("system") != "lpr3", "value.system")
    return rows.with_columns(
        (pl.col("diagnosis_type") == "action").alias("is_action"), pl.col("is_cancelled").fill_null(False)
    ), faults


def _to_acute_place_stays(values: pl.DataFrame) -> Rows:
    rows = with_columns_or_null(values, {"referred_at": pl.Int32})
    rows, outside = _outside(rows, "C2-outside")
    is_backwards = pl.col("end") < pl.col("start")
    rows, backwards = _hold_back(
        rows, "A1-end", "end", is_backwards, "value.end_before_start", _minute_text(pl.col("end"))
    )
    rows = rows.rename({"start": "start_minute", "end": "end_minute", "referred_at": "referred_minute"})
    return rows.with_columns(pl.col("referred_by").fill_null("unknown")), pl.concat([outside, backwards])


def _to_capacity(values: pl.DataFrame) -> Rows:
    rows = with_columns_or_null(
        values,
        {"municipality": pl.String, "place_type": pl.String, "refused": pl.Int64, "operator": pl.String},
    )
    rows, outside = _outside(rows, "C2-outside")
    is_nowhere = pl.col("municipality").is_null()
    rows, nowhere = _hold_back(rows, "A2-municipality", "municipality", is_nowhere, "value.blank")
    rows, negative = _not_negative(rows, {"normed": "A2-count", "available": "A2-count", "occupied": "A2-count"})
    return rows, pl.concat([outside, nowhere, negative])


def _not_negative(rows: pl.DataFrame, rules: dict[str, str]) -> Rows:
    """Hold back rows with a negative number in one of these columns (name → the rule it breaks)."""
    faults = [pl.DataFrame(schema=BROKEN)]
    for name, rule in rules.items():
        if name in rows.columns:
            rows, more = _hold_back(rows, rule, name, pl.col(name) < 0, "value.negative")
            faults.append(more)
    return rows, pl.concat(faults)


def _to_population(values: pl.DataFrame) -> Rows:
    """Keep municipality × sex × age rows; totals over areas, ages, sexes or marital status repeat them."""
    rows = values
    if "marital_status" in rows.columns:
        rows = rows.filter(pl.col("marital_status") == "total")
    is_total = (pl.col("area") == "total") | (pl.col("sex") == 0) | (pl.col("age") == "total")
    rows = rows.filter(~is_total.fill_null(False) | pl.col("rule").is_not_null())
    ages = pl.col("age").str.split_exact("-", 1)
    rows = rows.with_columns(
        pl.col("area").alias("municipality"),
        ages.struct[0].cast(pl.Int16, strict=False).alias("age_first"),
        ages.struct[1].cast(pl.Int16, strict=False).alias("age_last"),
    )
    rows, outside = _outside(rows, "P1-outside", "area")
    band_ends = [*(start - 1 for start in AGE_BANDS[1:]), 125]
    crosses = pl.lit(False)
    for end in band_ends[:-1]:
        crosses = crosses | ((pl.col("age_first") <= end) & (pl.col("age_last") > end))
    rows, wide = _hold_back(rows, "P1-age", "age", crosses, "value.wide_age")
    rows, negative = _not_negative(rows, {"persons": "P1-persons"})
    band_of_age = {age: max(band for band in AGE_BANDS if band <= age) for age in range(126)}
    age_from = pl.col("age_first").replace_strict(band_of_age, default=None, return_dtype=pl.Int16)
    return rows.with_columns(age_from.alias("age_from")), pl.concat([outside, wide, negative])


def _check_population(rows: pl.DataFrame) -> list[Finding]:
    """Every municipality, sex and quarter must have every age: a missing age would give wrong rates in silence.

    Raises Refused where something is missing or stands twice; else tells what was left out and the totals.
    """
    good = rows.filter(pl.col("rule").is_null())
    if good.is_empty():
        raise Refused("P2-areas.none")
    cell = ["municipality", "quarter", "sex", "age_first"]
    twice = good.group_by(cell).len().filter(pl.col("len") > 1).sort(cell)
    if not twice.is_empty():
        municipality, quarter, sex, age, n = twice.row(0)
        raise Refused("P3-twice", municipality=municipality, quarter=quarter, sex=told(f"sex.{sex}"), age=age, n=n)
    _refuse_missing_ages(good)
    n_municipalities = good["municipality"].n_unique()
    if n_municipalities < N_MUNICIPALITIES:
        absent = sorted(set(areas().filter(level="municipality")["area_code"]) - set(good["municipality"]))
        some = ", ".join(absent[:MOST_NAMED]) + (" …" if len(absent) > MOST_NAMED else "")
        raise Refused("P2-areas.some", found=n_municipalities, all=N_MUNICIPALITIES, absent=some)
    old = pl.col("persons").filter(pl.col("age_first") >= 65).sum()
    outside = (
        rows.filter(pl.col("rule") == "P1-outside")
        .group_by("municipality", "quarter")
        .agg(pl.col("persons").sum(), old.alias("old"))
        .sort("municipality", "quarter")
    )
    findings = [
        Finding.of(
            "P1-outside", area=OUTSIDE_MUNICIPALITIES[code], code=code, persons=persons, quarter=quarter, old=n_old
        )
        for code, quarter, persons, n_old in outside.iter_rows()
    ]
    newest = good.filter(pl.col("quarter") == good["quarter"].max()).select("quarter", "persons", old.alias("old"))
    total = {"persons": newest["persons"].sum(), "quarter": newest["quarter"][0], "old": newest["old"][0]}
    return [*findings, Finding.of("P0-total", municipalities=n_municipalities, **total)]


def _refuse_missing_ages(good: pl.DataFrame) -> None:
    spans = good.select("quarter", "sex", "age_first", "age_last").unique().sort("quarter", "sex", "age_first")
    for (quarter, sex), ages in spans.group_by("quarter", "sex", maintain_order=True):
        covered = {age for first, last in ages.select("age_first", "age_last").rows() for age in range(first, last + 1)}
        if gaps := sorted(set(range(FIRST_AGE, LAST_AGE + 1)) - covered):
            missing = ", ".join(map(str, gaps[:MOST_NAMED]))
            raise Refused("P4-ages.everywhere", quarter=quarter, sex=told(f"sex.{sex}"), ages=missing)
    # StatBank leaves out zeros, so a small island may lack a single age, but no band of ages below 85
    bands = good.filter(pl.col("age_from") < 85).group_by("municipality", "quarter", "sex")
    counted = bands.agg(pl.col("age_from").n_unique().alias("n"))
    short = counted.filter(pl.col("n") < counted["n"].max()).sort("municipality", "quarter", "sex")
    if not short.is_empty():
        municipality, quarter, sex, _ = short.row(0)
        raise Refused("P4-ages.band", municipality=municipality, quarter=quarter, sex=told(f"sex.{sex}"))


def _last_day(period: pl.Expr) -> pl.Expr:
    """The last day of a period: tells which of two deliveries reaches further."""
    return period.map_elements(lambda text: Period.from_id(text).end, return_dtype=pl.Date)


# Ids of what the tables of care for the elderly (AED06, AED10A, HJEMSYG, HJEMSYG2, REHAB19) are broken down by, as the
# adapters read them: an id of three digits looks like a single year of age, of which these tables have none but 75.
STATBANK_AGES = {
    "50-50": "total", "100-100": "0-64", "200-200": "65-66", "300-300": "67-69", "375-375": "65-69", "400-400": "70-74",
    "450-450": "0-74", "500-500": "75-79", "550-550": "75-75", "575-575": "76-79", "600-600": "80-84",
    "700-700": "85-89", "800-800": "90-125", "850-850": "67-125", "900-900": "75-125",
}  # fmt: skip
STATBANK_TOTALS = {"AED06": {"service": "100", "hours": "50"}}  # table → dimension → id of all together


def _statbank_word(table: str, dimension: str) -> pl.Expr:
    """What a dimension says, with StatBank's ids of age groups and of totals made plain."""
    said = pl.col(dimension).cast(pl.String)
    if dimension == "age":
        ends = said.str.replace(r"^(\d\d)(\d\d)$", "${1}-${2}").str.replace(r"^(\d{2,3})ov$", "${1}-125")
        return ends.replace(STATBANK_AGES)
    total = STATBANK_TOTALS.get(table, {}).get(dimension)
    return said.replace({total: "total", f"0{total}": "total"}) if total else said


def _to_statbank(values: pl.DataFrame) -> Rows:
    """A figure of a municipality; country, regions and landsdele repeat the municipalities.

    `measure` is what the table counts and then the breakdown, without the dimensions that are totals:
    home_nursing;age=80-84;sex=2. Totals over a dimension stay: who got two kinds of help is in both, and once in all.
    """
    rows = values.filter((pl.col("area") != "total") | pl.col("area").is_null())
    rows, outside = _outside(rows, "W1-outside", "area")
    known = {"area", "period", "n", "row", "rule", "statbank_table", "measure"}
    table = values["statbank_table"][0] if values.height else ""
    parts = [pl.col("measure")]
    for dimension in sorted(set(values.columns) - known):
        said = _statbank_word(table, dimension)
        is_total = said.is_in(["total", "0"] if dimension == "sex" else ["total"]).fill_null(True)
        parts.append(pl.when(is_total).then(pl.lit("")).otherwise(pl.lit(f";{dimension}=") + said))
    rows = rows.with_columns(
        pl.col("area").alias("municipality"),
        pl.concat_str(parts).alias("measure"),
        _last_day(pl.col("period")).alias("last_day"),
    )
    return rows, outside


def _to_figures(values: pl.DataFrame) -> Rows:
    rows = with_columns_or_null(values, {"numerator": pl.Float64, "denominator": pl.Float64})
    return rows.with_columns(_last_day(pl.col("period")).alias("last_day")), pl.DataFrame(schema=BROKEN)


def _to_baseline(values: pl.DataFrame) -> Rows:
    rows = with_columns_or_null(values, {"respondents": pl.Int64, "unit": pl.String, "answered_on": pl.Date})
    rows, negative = _not_negative(rows, {"respondents": "B1-respondents"})
    return rows.with_columns(_last_day(pl.col("period")).alias("last_day")), negative


def _to_interventions(values: pl.DataFrame) -> Rows:
    is_backwards = pl.col("end_date") < pl.col("start_date")
    return _hold_back(values, "I1-end", "end_date", is_backwards, "value.end_before_start")


def _to_days_after_ready(values: pl.DataFrame) -> Rows:
    rows, outside = _outside(values, "C2-outside")
    rows, negative = _not_negative(rows, {"days": "F1-days"})
    return rows, pl.concat([outside, negative])


def _to_goals(values: pl.DataFrame) -> Rows:
    """An area that does not exist would make a goal that nobody ever sees."""
    known = [f"{level}:{code}" for level, code in areas().select("level", "area_code").iter_rows()] + ["country:DK"]
    is_municipality = (pl.col("level") == "municipality") & pl.col("area_code").str.contains(r"^\d{3}$")
    lost_zero = pl.when(is_municipality).then("0" + pl.col("area_code")).otherwise("area_code").alias("area_code")
    rows = values.with_columns(lost_zero)
    area = pl.col("level") + ":" + pl.col("area_code")
    return _hold_back(rows, "G1-area", "area_code", ~area.is_in(known), "value.no_area")


def _to_services(values: pl.DataFrame) -> Rows:
    rows, outside = _outside(values, "C2-outside")
    rows, negative = _not_negative(rows, {"n_places": "T1-places", "response_minutes": "T1-response"})
    return rows, pl.concat([outside, negative])


def _refuse_told_twice(keys: list[str], rule: str, value: str) -> Callable[[pl.DataFrame], list[Finding]]:
    """A check that refuses a file in which one figure stands with two values: a breakdown was left out of the keys."""

    def check(rows: pl.DataFrame) -> list[Finding]:
        good = rows.filter(pl.col("rule").is_null())
        twice = good.group_by(keys).agg(pl.col(value).n_unique().alias("n")).filter(pl.col("n") > 1).sort(keys)
        if twice.is_empty():
            return []
        figure = ", ".join(str(part) for part in twice.row(0)[:-1])
        raise Refused(rule, figure=figure, n=twice.row(0)[-1], figures=twice.height)

    return check


_ROW = {"row": pl.Int64, "rule": pl.String}

SHAPES: dict[str, Shape] = {
    "lpr_contacts": Shape(
        {
            "contact_id": pl.Int64, "person": pl.UInt64, "start_minute": pl.Int32, "end_minute": pl.Int32,
            "reported_minute": pl.Int32, "municipality": pl.Int16, "age": pl.Int16, "sex": pl.Int8,
            "is_physical": pl.Boolean, "is_acute": pl.Boolean, "diagnosis": pl.String, "is_cancelled": pl.Boolean,
            **_ROW,
        },
        _to_contacts,
    ),
    "lpr_diagnoses": Shape(
        {"contact_id": pl.Int64, "diagnosis": pl.String, "is_action": pl.Boolean, "is_cancelled": pl.Boolean, **_ROW},
        _to_diagnoses,
    ),
    "residence": Shape(
        {"person": pl.UInt64, "municipality": pl.Int16, "start": pl.Date, "end": pl.Date, **_ROW}, _to_residence
    ),
    "deaths": Shape({"person": pl.UInt64, "death_date": pl.Date, **_ROW}, _unchanged),
    "population": Shape(
        {
            "municipality": pl.String, "quarter": pl.Date, "sex": pl.Int8, "age_first": pl.Int16,
            "age_last": pl.Int16, "age_from": pl.Int16, "persons": pl.Int64, **_ROW,
        },
        _to_population,
        _check_population,
    ),
    "acute_place_stays": Shape(
        {
            "stay_id": pl.Int64, "person": pl.UInt64, "unit_id": pl.String, "place_type": pl.String,
            "referred_by": pl.String, "referred_minute": pl.Int32, "start_minute": pl.Int32, "end_minute": pl.Int32,
            "municipality": pl.String, **_ROW,
        },
        _to_acute_place_stays,
    ),
    "acute_place_capacity": Shape(
        {
            "day": pl.Date, "unit_id": pl.String, "municipality": pl.String, "place_type": pl.String,
            "normed": pl.Int64, "available": pl.Int64, "occupied": pl.Int64, "refused": pl.Int64,
            "operator": pl.String, **_ROW,
        },
        _to_capacity,
    ),
    "services_template": Shape(
        {
            "municipality": pl.String, "service_type": pl.String, "name": pl.String, "address": pl.String,
            "phone": pl.String, "hours": pl.String, "referrers": pl.String, "competences": pl.String,
            "n_places": pl.Int64, "response_minutes": pl.Int64, "operator": pl.String, "valid_from": pl.Date,
            "staff_day": pl.Boolean, "staff_evening": pl.Boolean, "staff_night": pl.Boolean, **_ROW,
        },
        _to_services,
    ),
    "goals": Shape(
        {
            "goal_id": pl.String, "indicator": pl.String, "level": pl.String, "area_code": pl.String,
            "scope": pl.String, "term": pl.String, "baseline_value": pl.Float64, "baseline_period": pl.String,
            "target_value": pl.Float64, "due_date": pl.Date, **_ROW,
        },
        _to_goals,
    ),
    "interventions": Shape(
        {
            "intervention_id": pl.String, "name": pl.String, "municipalities": pl.String, "start_date": pl.Date,
            "end_date": pl.Date, "expected_effect": pl.Float64, "indicator": pl.String, "locked_on": pl.Date,
            "what": pl.String, "later_starts": pl.String, "counterweight": pl.String, "negative_control": pl.String,
            "owner": pl.String, "cost": pl.Float64, "bed_day_price": pl.Float64, "price_source": pl.String,
            "registered_on": pl.Date, "plan_hash": pl.String, "locked_plan": pl.String, **_ROW,
        },
        _to_interventions,
    ),
    "generic_long": Shape(
        {
            "area": pl.String, "period": pl.String, "indicator": pl.String, "numerator": pl.Float64,
            "denominator": pl.Float64, "value": pl.Float64, "last_day": pl.Date, **_ROW,
        },
        _to_figures,
    ),
    "esundhed": Shape(
        {
            "area": pl.String, "period": pl.String, "indicator": pl.String, "numerator": pl.Float64,
            "denominator": pl.Float64, "value": pl.Float64, "last_day": pl.Date, **_ROW,
        },
        _to_figures,
        _refuse_told_twice(["indicator", "area", "period"], "O2-twice", "value"),
    ),
    "statbank": Shape(
        {
            "municipality": pl.String, "period": pl.String, "statbank_table": pl.String, "measure": pl.String,
            "n": pl.Float64, "last_day": pl.Date, **_ROW,
        },
        _to_statbank,
        _refuse_told_twice(["statbank_table", "measure", "municipality", "period"], "W2-twice", "n"),
    ),
    "baseline": Shape(
        {
            "indicator": pl.String, "area": pl.String, "period": pl.String, "value": pl.Float64, "unit": pl.String,
            "respondents": pl.Int64, "answered_on": pl.Date, "last_day": pl.Date, **_ROW,
        },
        _to_baseline,
    ),
    "faerdigbehandlede": Shape(
        {"municipality": pl.String, "month": pl.Date, "days": pl.Int64, **_ROW}, _to_days_after_ready
    ),
}  # fmt: skip

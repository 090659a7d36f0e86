"""How contacts reach the register: late, corrected, cancelled, twice, some of them wrong; and the files they fill."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from etl.parse import EPOCH
from etl.synthetic.contacts import Register
from etl.synthetic.country import Country
from etl.synthetic.hospital import Span
from etl.synthetic.model import Model
from etl.synthetic.people import DAY, NEVER
from etl.synthetic.rng import stream

TABLE = "lpr_a_kontakt"
OUTSIDE = {"unknown_municipality": "0999", "christianso": "0411", "greenland": "0956"}
"""Homes in bad rows: none of them is a municipality."""

_EPOCH_US = int((EPOCH - EPOCH.replace(year=1970)).total_seconds()) * 1_000_000


def report(
    contacts: pl.DataFrame, model: Model, register: Register, region: str, span: Span, seed: int
) -> pl.DataFrame:
    """The rows of the delivery of `span.until`: what had been reported by then, in every version.

    Adds to the contacts: `number` (the contact, shared by its versions), `reported` (minute), `is_cancelled`, `fault`
    (name of what is wrong with the row, else null). `end` becomes null for contacts still open. Contacts of the newest
    months are partly missing, because they are reported later.
    """
    plan, rng = model.reporting, stream(seed, "reporting", region)
    size = contacts.height
    start, end = contacts["start"].to_numpy(), contacts["end"].to_numpy()
    is_open = end >= span.end
    slow = rng.random(size, dtype=np.float32) < plan.slow_share
    mean_days = np.where(slow, plan.mean_days["slow"], plan.mean_days["quick"])
    delay_of = np.array([plan.region_delay[code] for code in register.regions])[contacts["hospital"].to_numpy()]
    days = rng.standard_exponential(size, dtype=np.float32) * np.where(is_open, 1.0, mean_days * delay_of)
    reported = np.where(is_open, start, end) + (days * DAY).astype(np.int32) + 5
    uncoded = np.where(contacts["is_virtual"].to_numpy(), plan.uncoded["virtual"], plan.uncoded["physical"])
    code = np.where(rng.random(size, dtype=np.float32) < uncoded, len(register.codes), contacts["code"].to_numpy())

    # One number decides the fate of a contact, so that no two things befall it.
    fates = {
        "corrected": plan.corrected,
        "duplicated": plan.duplicated,
        "cancelled": plan.cancelled,
        **plan.bad,
    }
    names = list(fates)
    fate = np.searchsorted(np.cumsum(list(fates.values())), rng.random(size), side="right")
    befalls = {name: pl.col("fate") == number for number, name in enumerate(names)}
    rows = contacts.with_columns(
        number=pl.int_range(size, dtype=pl.Int32),
        end=pl.Series(np.where(is_open, NEVER, end), dtype=pl.Int32).replace(int(NEVER), None),
        code=pl.Series(code, dtype=pl.Int16),
        reported=pl.Series(reported, dtype=pl.Int32),
        is_cancelled=pl.lit(False),
        fate=pl.Series(fate, dtype=pl.Int8),
        draw=pl.Series(rng.random(size, dtype=np.float32)),
        later=pl.Series(reported + rng.integers(3 * DAY, 150 * DAY, size, dtype=np.int32), dtype=pl.Int32),
        any_code=pl.Series(rng.integers(0, len(register.codes), size, dtype=np.int16)),
    )
    before_start = pl.col("start") - 1 - (pl.col("draw") * 10 * 60).cast(pl.Int32)
    is_old = pl.col("start") < span.end - 120 * DAY
    final = rows.with_columns(
        end=pl.when(befalls["ends_before_start"])
        .then(before_start)
        .when(befalls["open_too_long"] & is_old)
        .then(None)
        .otherwise("end"),
        reported=pl.when(befalls["corrected"]).then("later").otherwise("reported"),
    )
    # The first version of a corrected contact had another diagnosis, no end yet, or another priority.
    first_version = rows.filter(befalls["corrected"]).with_columns(
        code=pl.when(pl.col("draw") < 0.6).then("any_code").otherwise("code"),
        end=pl.when(pl.col("draw").is_between(0.6, 0.85)).then(None).otherwise("end"),
        is_acute=pl.when(pl.col("draw") > 0.85).then(~pl.col("is_acute")).otherwise("is_acute"),
    )
    twice = rows.filter(befalls["duplicated"])
    cancelled = rows.filter(befalls["cancelled"]).with_columns(is_cancelled=pl.lit(True), reported="later")
    bad = {names.index(name): name for name in plan.bad}
    return (
        pl.concat([final, first_version, twice, cancelled])
        .filter(pl.col("reported") < span.end)
        .with_columns(fault=pl.col("fate").replace_strict(bad, default=None, return_dtype=pl.String))
        .drop("fate", "draw", "later", "any_code")
    )


@dataclass(frozen=True)
class ContactFiles:
    """Where the contacts of one region go: `<folder>/lpr_a_kontakt/year=YYYY/<region>.parquet`.

    Psychiatric hospitals deliver theirs apart, as `<region>_psykiatri.parquet` and under ids of their own.
    """

    folder: Path
    country: Country
    register: Register
    region: str
    span: Span
    is_psychiatry: bool = False

    def write(self, rows: pl.DataFrame, people: pl.DataFrame) -> int:
        """Write one file per calendar year of start, in order of start; returns the number of rows.

        Every second year has its column names in capitals, as real deliveries do.
        """
        for number, year in enumerate(self.span.years):
            begin, end = (int((EPOCH.replace(year=y) - EPOCH).total_seconds()) // 60 for y in (year, year + 1))
            of_year = rows.filter(pl.col("start").is_between(begin, end, closed="left"))
            table = self._delivered(of_year.sort("start", "number", "reported"), people)
            if number % 2 == 1:
                table = table.rename(str.upper)
            name = f"{self.region}_psykiatri" if self.is_psychiatry else self.region
            path = self.folder / TABLE / f"year={year}" / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            table.write_parquet(path, compression="zstd", compression_level=1, statistics=True, row_group_size=250_000)
        return rows.height

    def _delivered(self, rows: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
        """Numbers become the texts and timestamps of LPR_A."""
        person = people.select("cpr", "sex", "birth_year", "birth_day", "death")[rows["person"]]
        born = pl.date(pl.col("birth_year"), 1, 1) + pl.duration(days=pl.col("birth_day"))
        block = (1000 + self.country.regions.index(self.region) + 50 * self.is_psychiatry) * 10**14
        codes = self.country.municipalities["municipality_code"].to_list()
        homes = [*codes, *OUTSIDE.values()]
        outside = {name: len(codes) + number for number, name in enumerate(OUTSIDE)}
        rows = rows.with_columns(
            person.select(
                "cpr",
                "sex",
                born.dt.year().alias("birth_year"),
                (born.dt.month().cast(pl.Int16) * 100 + born.dt.day()).alias("birthday"),
                pl.col("death"),
            ),
            start_time=_time("start"),
            municipality=pl.coalesce(pl.col("fault").replace_strict(outside, default=None), "municipality"),
        )
        start = pl.col("start_time").dt
        had_birthday = start.month().cast(pl.Int16) * 100 + start.day() >= pl.col("birthday")
        fault, unusable = pl.col("fault"), pl.col("fault") == "unusable_sex_or_age"
        departments = len(self.register.units) // len(self.register.regions)
        code = _look_up(rows, "code", [*self.register.codes, None])
        return rows.select(
            dw_ek_kontakt=(block + pl.col("number")).cast(pl.String),
            dw_ek_forloeb=(block + 4 * 10**13 + pl.col("person")).cast(pl.String),
            dw_sk_sygehusophold=(block + 7 * 10**13 + pl.col("stay")).cast(pl.String),
            pnr=pl.when(fault.eq_missing("no_person")).then(None).otherwise("cpr").cast(pl.String),
            kont_starttidspunkt="start_time",
            kont_sluttidspunkt=_time("end"),
            kont_type=pl.when("is_virtual").then(pl.lit("ALCA10")).otherwise(pl.lit("ALCA00")),
            prioritet=pl.when("is_acute").then(pl.lit("ATA1")).otherwise(pl.lit("ATA3")),
            adiag=pl.when(fault.eq_missing("diagnosis_without_d")).then(code.str.slice(1)).otherwise(code),
            borger_bo_kom=_look_up(rows, "municipality", homes),
            borger_alder_aar_ind=pl.when(unusable & (pl.col("number") % 2 == 0))
            .then(199)
            .otherwise(start.year() - pl.col("birth_year") - (~had_birthday))
            .cast(pl.Int16),
            borger_koen=pl.when(unusable & (pl.col("number") % 2 == 1))
            .then(pl.lit("U"))
            .when(pl.col("sex") == 1)
            .then(pl.lit("M"))
            .otherwise(pl.lit("K")),
            borger_doedsdato=pl.when(pl.col("death") < self.span.end).then(_time("death")).cast(pl.Date),
            ans_region=_look_up(rows, "hospital", self.register.regions),
            ans_enhed_navn=_look_up(
                rows.select(unit=pl.col("hospital").cast(pl.Int32) * departments + pl.col("department")),
                "unit",
                self.register.units,
            ),
            lprindberetningssystem=pl.lit("LPR3"),
            indberettet_dato=_time("reported"),
            annulleret=pl.when("is_cancelled").then(pl.lit("Ja")).otherwise(pl.lit("Nej")),
        )


def _time(column: str) -> pl.Expr:
    """Minutes since 2000 as a timestamp."""
    return (pl.col(column).cast(pl.Int64) * 60_000_000 + _EPOCH_US).cast(pl.Datetime("us"))


def _look_up(rows: pl.DataFrame, column: str, words: list[str] | list[str | None]) -> pl.Expr:
    """The words that a column of numbers stands for."""
    return pl.lit(pl.Series(words, dtype=pl.String).gather(rows[column]))

"""Two releases compared: which figures moved, and why.

Figures are worked out by today's definitions on both releases. The reasons are found, not guessed: late reports and
corrections from the landed reports of contacts that only one release was built from, the rest from what the releases
say of themselves (manifest, diagnosis groups, population). What nothing of this touches moved because counts are
rounded in chains: a change in one cell can turn the rounding of its neighbours.
"""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from babel.numbers import format_decimal

from etl.contact import landed_reports
from etl.land import contacts_path
from etl.parse import EPOCH
from etl.quarantine import mask
from etl.words import words
from kpis.area import Area, areas, map_of
from kpis.evaluate import Query, evaluate
from kpis.indicator import Indicator, Language, load_indicators
from kpis.news import changed_facts, changed_groups, changed_rules
from kpis.period import Period, add_months, periods_between
from kpis.release import CONTRACT, Release

LEVELS = ("country", "region", "municipality")
GRAINS = ("year", "quarter", "month")
KEYS = ["indicator", "level", "area_code", "area_name", "period", "period_first", "period_last", "grain"]
FIGURES = ["numerator", "denominator", "value", "status"]
FEWEST_TOLD = 5  # contacts; what a delivery brought is told to people outside the secure side, too
# What a contact's report says, beside its id and when it was reported
CONTENT = ["person", "start_minute", "end_minute", "municipality", "age", "sex", "is_physical", "is_acute", "diagnosis",
           "is_cancelled"]  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """What moved between two releases.

    figures: one row per moved figure (indicator × area × period): the columns of KEYS, FIGURES with `_before` and
        `_after`, and `reasons`, words of `[reason]` in words.toml separated by semicolons.
    facts: what was found beside the figures, as key of `[diff]` and its values.
    """

    before: str
    after: str
    figures: pl.DataFrame
    facts: list[tuple[str, dict[str, Any]]]

    def in_words(self, language: Language) -> str:
        """The difference as a text of a few paragraphs."""
        text = {key: entry[language] for key, entry in words()["diff"].items()}
        ids = {"before": self.before, "after": self.after}
        facts = [text[key].format(**_told(values, text["few"])) for key, values in self.facts]
        if self.figures.is_empty():
            return "\n".join([text["same"].format(**ids), *(f"  {fact}." for fact in facts)])
        head = text["head"].format(
            n=self.figures.height, indicators=self.figures["indicator"].n_unique(), **ids
        )  # fmt: skip
        counted = self.figures["reasons"].str.split(";").explode().value_counts(sort=True)
        reasons = [
            text["reason"].format(text=words()["reason"][reason][language], n=n) for reason, n in counted.iter_rows()
        ]
        indicators = load_indicators()
        where = [
            _line(frame, indicators[str(frame["indicator"][0])], language)
            for frame in self.figures.partition_by("indicator", maintain_order=True)
        ]
        return "\n".join(
            [head, "", f"{text['why']}:", *(f"  {line}." for line in [*reasons, *facts]), "", f"{text['where']}:"]
            + [f"  {line}" for line in where]
        )


def compare(before: Release, after: Release, history: Path) -> Difference:
    """What moved from one release to the other, by indicator, country, region and municipality, year, quarter, month.

    Args:
        before, after: any two releases of one data folder.
        history: its landed files; where those of the releases are no longer there, late reports and corrections
            cannot be told apart and count as `delivery`.
    """
    places = [area for level in LEVELS for area in areas(after, level, map_of(add_months(after.date("as_of"), -1)))]
    first = min(before.date("data_from"), after.date("data_from"))
    last = add_months(max(before.date("as_of"), after.date("as_of")), -1)
    periods = tuple(period for grain in GRAINS for period in periods_between(first, last, grain))  # type: ignore[arg-type]
    causes = _Causes.between(before, after, history)
    moved = [
        causes.explained(_moved(before, after, Query(indicator, tuple(places), periods)), indicator, places)
        for indicator in load_indicators().values()
    ]
    return Difference(before.id, after.id, pl.concat(moved), causes.facts)


def write_diff(difference: Difference, data_dir: Path) -> Path:
    """Write every moved figure to a Parquet file among the reports; return its path. Raises OSError."""
    folder = data_dir / "build" / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(tz=UTC):%Y%m%dT%H%M%S%f}-diff.parquet"
    difference.figures.write_parquet(path, metadata={"before": difference.before, "after": difference.after})
    return path


def _moved(before: Release, after: Release, query: Query) -> pl.DataFrame:
    """Figures of both releases side by side, where they differ."""
    old, new = (evaluate(release, query).select(*KEYS, *FIGURES) for release in (before, after))
    both = new.rename({name: f"{name}_after" for name in FIGURES}).join(
        old.rename({name: f"{name}_before" for name in FIGURES}), on=KEYS, how="left", maintain_order="left"
    )
    differs = [pl.col(f"{name}_before").ne_missing(pl.col(f"{name}_after")) for name in FIGURES]
    order = [*KEYS, *(f"{name}_{when}" for name in FIGURES for when in ("before", "after"))]
    return both.filter(pl.any_horizontal(differs)).select(order)


@dataclass(frozen=True)
class _Causes:
    """Everything that differs between two releases and can move a figure."""

    facts: list[tuple[str, dict[str, Any]]]
    touched: pl.DataFrame  # municipality_code (null = any), month, reason: one of TOUCHING
    new_kinds: frozenset[str]  # kinds with deliveries that only one release holds
    has_contacts: bool  # the landed contacts of both are there, so that late and corrected ones are known
    changed_groups: frozenset[str]
    is_counted_otherwise: bool
    is_protected_otherwise: bool
    is_rounded: bool

    @classmethod
    def between(cls, before: Release, after: Release, history: Path) -> "_Causes":
        old, new = (
            {file["sha256"]: file for file in release.manifest.get("deliveries", [])} for release in (before, after)
        )
        added = [file for sha256, file in new.items() if sha256 not in old]
        gone = [file for sha256, file in old.items() if sha256 not in new]
        contacts = _contacts_told(
            [file["sha256"] for file in old.values() if file["kind"] == "lpr_contacts"],
            [file["sha256"] for file in [*added, *gone] if file["kind"] == "lpr_contacts"],
            history,
        )
        facts: list[tuple[str, dict[str, Any]]] = []
        for key, files in (("deliveries", added), ("deliveries_gone", gone)):
            if files:
                facts.append((key, {"files": ", ".join(sorted(Path(mask(file["file"])).name for file in files))}))
        # what tells of a month that had not been delivered is not late
        is_new = (pl.col("month") >= before.date("as_of")) & (pl.col("reason") == "late")
        contacts = contacts.with_columns(pl.when(is_new).then(pl.lit("new_month")).otherwise("reason").alias("reason"))
        touched = pl.concat([contacts, _population_changed(before, after)], how="vertical_relaxed")
        in_period = (pl.col("month") >= before.date("data_from")) & (pl.col("month") < after.date("as_of"))
        for key, reason in (
            ("new_contacts", "new_month"),
            ("late_contacts", "late"),
            ("corrected_contacts", "correction"),
        ):
            n = contacts.filter(in_period & (pl.col("reason") == reason))["n"].sum()
            if n:
                facts.append((key, {"n": n}))
        counted = (
            changed_rules(before, after) + changed_facts(before, after, "code") + changed_facts(before, after, "sql")
        )
        groups = changed_groups(before, after)
        versions = changed_facts(before, after, "indicators")
        for key, names in (("rules", counted), ("groups", groups), ("versions", versions)):
            if names:
                facts.append((key, {"names": ", ".join(names)}))
        guards = [
            {fact: release.manifest["protection"].get(fact) for fact in ("method", "base", "key_id")}
            for release in (before, after)
        ]
        return cls(
            facts=facts,
            touched=touched.drop("n"),
            new_kinds=frozenset(file["kind"] for file in [*added, *gone]),
            has_contacts=all(contacts_path(history, f["sha256"]).exists() for f in [*old.values(), *new.values()]
                             if f["kind"] == "lpr_contacts"),
            changed_groups=frozenset(groups),
            is_counted_otherwise=bool(counted),
            is_protected_otherwise=guards[0] != guards[1],
            is_rounded=any((guard["base"] or 1) > 1 for guard in guards),
        )  # fmt: skip

    def explained(self, moved: pl.DataFrame, indicator: Indicator, places: list[Area]) -> pl.DataFrame:
        """`moved` with the column `reasons`."""
        measures = indicator.measures
        kinds = {kind for measure in measures for kind in measure.deliveries}
        is_of_contacts = "lpr_contacts" in kinds
        is_per_person = any(measure.table == "population" for measure in measures)
        others = self.new_kinds & (kinds if not self.has_contacts else kinds - {"lpr_contacts"})
        known_before, known_after = (pl.col(f"status_{when}") != "not_received" for when in ("before", "after"))
        is_of_goals = any(measure.table == "goal" for measure in measures)
        numerator_moved = pl.col("numerator_before").ne_missing(pl.col("numerator_after"))
        touched = self._touching(moved, places)
        found = {
            "gone_period": known_before & ~known_after,
            "definition": pl.lit(bool(self.changed_groups & set(indicator.group_ids))),
            "rule": pl.lit(self.is_counted_otherwise and is_of_contacts),
            "population": pl.col("population") & is_per_person,
            "new_month": pl.col("new_month") & is_of_contacts,
            "late": pl.col("late") & is_of_contacts,
            "correction": pl.col("correction") & is_of_contacts,
            "delivery": pl.lit(bool(others) or (is_of_goals and "goals" in self.new_kinds)),
            "goal": pl.lit(is_of_goals and "goals" not in self.new_kinds),
            "protection": pl.lit(self.is_protected_otherwise) & numerator_moved,
        }
        told = [pl.when(condition).then(pl.lit(reason)) for reason, condition in found.items()]
        reasons = pl.concat_str(told, separator=";", ignore_nulls=True)
        is_new = ~known_before & known_after  # of a figure that was not there before nothing else is asked
        return touched.with_columns(
            pl.when(is_new)
            .then(pl.lit("new_period"))
            .otherwise(reasons.replace("", "rounding" if self.is_rounded else "unknown"))
            .alias("reasons")
        ).drop(TOUCHING)

    def _touching(self, moved: pl.DataFrame, places: list[Area]) -> pl.DataFrame:
        """`moved` with whether a new, late or corrected contact, or another population, lies in the area and period.

        A month further on either side counts, too: a contact can lengthen a stay that began the month before, and
        decide on the readmission of one that ended then.
        """
        members = pl.DataFrame(
            [(area.level, area.code, code) for area in places for code in area.municipalities],
            schema=["level", "area_code", "municipality_code"],
            orient="row",
        )
        cells = moved.select("level", "area_code", "period_first", "period_last").unique()
        somewhere = members.select("municipality_code").unique()
        placed = pl.concat(
            [
                self.touched.filter(pl.col("municipality_code").is_not_null()),
                self.touched.filter(pl.col("municipality_code").is_null())
                .drop("municipality_code")
                .join(somewhere, how="cross")
                .select("municipality_code", "month", "reason"),
            ]
        )
        by_area = placed.join(members, on="municipality_code").select("level", "area_code", "month", "reason").unique()
        hits = (
            cells.join(by_area, on=["level", "area_code"])
            .filter(
                pl.col("month").is_between(
                    pl.col("period_first").dt.offset_by("-1mo"), pl.col("period_last").dt.offset_by("1mo")
                )
            )
            .group_by("level", "area_code", "period_first", "period_last")
            .agg((pl.col("reason") == reason).any().alias(reason) for reason in TOUCHING)
        )
        return moved.join(
            hits, on=["level", "area_code", "period_first", "period_last"], how="left", maintain_order="left"
        ).with_columns(pl.col(TOUCHING).fill_null(False))


TOUCHING = ("new_month", "late", "correction", "population")
TOUCHED = pl.Schema({"municipality_code": pl.String, "month": pl.Date, "reason": pl.String, "n": pl.Int64})


def _contacts_told(known: list[str], told: list[str], history: Path) -> pl.DataFrame:
    """Municipality, month and number of contacts that the files `told` report first (late) or otherwise (correction).

    `known` are the files of the earlier release; a file of it that is in `told`, too, is one that has gone. Both the
    place and month that a corrected contact had and those it has now are touched; `n` counts only the latter.
    """
    paths = {sha256: contacts_path(history, sha256) for sha256 in {*known, *told}}
    if not told or not all(path.exists() for path in paths.values()):
        return pl.DataFrame(schema=TOUCHED)
    content = pl.struct(CONTENT).alias("content")
    reports_of_told = landed_reports([(paths[sha256], 0) for sha256 in told])
    new = reports_of_told.frame(["contact_id", *CONTENT]).select("contact_id", content).unique().lazy()
    others = [paths[sha256] for sha256 in known if sha256 not in told]
    if not others:
        new = new.with_columns(reason=pl.lit("late"))
        return _by_place(new.with_columns(is_counted=pl.lit(True)))
    ids = new.select(pl.col("contact_id").drop_nulls().unique().sort()).collect()["contact_id"].to_numpy()
    reports_of_old = landed_reports([(path, 0) for path in others])
    told_again = reports_of_old.taken(reports_of_old.with_one_of(ids))
    old = told_again.frame(["contact_id", *CONTENT]).select("contact_id", content).unique().lazy()
    late = new.join(old, on="contact_id", how="anti").with_columns(reason=pl.lit("late"), is_counted=pl.lit(True))
    changed = new.join(old, on=["contact_id", "content"], how="anti").join(old, on="contact_id", how="semi")
    was = old.join(changed, on="contact_id", how="semi")
    corrected = pl.concat([changed.with_columns(is_counted=pl.lit(True)), was.with_columns(is_counted=pl.lit(False))])
    return _by_place(
        pl.concat([late, corrected.with_columns(reason=pl.lit("correction")).select(late.collect_schema().names())])
    )


def _by_place(contacts: pl.LazyFrame) -> pl.DataFrame:
    start, code = (pl.col("content").struct.field(name) for name in ("start_minute", "municipality"))
    day = pl.lit(EPOCH.date()) + pl.duration(minutes=start)
    return (
        contacts.select(
            pl.when(code.is_not_null()).then(code.cast(pl.String).str.zfill(4)).alias("municipality_code"),
            day.dt.truncate("1mo").cast(pl.Date).alias("month"),
            "reason",
            pl.when("is_counted").then("contact_id").alias("contact_id"),
        )
        .drop_nulls("month")
        .group_by("municipality_code", "month", "reason")
        .agg(pl.col("contact_id").drop_nulls().n_unique().cast(pl.Int64).alias("n"))
        .collect()
        .match_to_schema(TOUCHED)
    )


def _population_changed(before: Release, after: Release) -> pl.DataFrame:
    """Municipality × month whose population differs."""
    query = "select municipality_code, quarter, sex, age_from, persons from population"
    old, new = (set(release.sql(query).iter_rows()) for release in (before, after))
    quarters = {(row[0], row[1]) for row in old ^ new}
    rows = [
        (code, month.first, "population", 0)
        for code, quarter in sorted(quarters)
        for month in periods_between(quarter, Period.containing(quarter, "quarter").last, "month")
    ]
    return pl.DataFrame(rows, schema=TOUCHED, orient="row")


def _told(values: dict[str, Any], few: str) -> dict[str, Any]:
    return {
        key: few
        if isinstance(value, int) and value < FEWEST_TOLD
        else (mask(value) if isinstance(value, str) else value)
        for key, value in values.items()
    }


def _line(frame: pl.DataFrame, indicator: Indicator, language: Language) -> str:
    """What moved of one indicator: how many figures by level, and the one that moved most.

    A figure that had a value before tells more than one that is new. Where no value moved enough to be seen, the
    counts behind it are shown.
    """
    counts = dict(frame["level"].value_counts().iter_rows())
    levels = ", ".join(f"{CONTRACT['levels'][level][language]} {counts[level]}" for level in LEVELS if level in counts)
    change = (pl.col("value_after").fill_null(0) - pl.col("value_before").fill_null(0)).abs()
    is_new = pl.col("value_before").is_null() | pl.col("value_after").is_null()
    most = frame.sort(is_new, change, descending=[False, True], maintain_order=True).row(0, named=True)
    number = functools.partial(_number, none=words()["diff"]["none"][language], language=language)
    before, after = (number(most[f"value_{when}"], "#,##0.0") for when in ("before", "after"))
    unit = indicator.texts(language).unit
    if before == after:
        before, after = (
            " / ".join(number(most[f"{part}_{when}"], "#,##0") for part in ("numerator", "denominator"))
            for when in ("before", "after")
        )
        unit = words()["diff"]["counts"][language]
    return words()["diff"]["line"][language].format(
        name=indicator.texts(language).short_name,
        n=frame.height,
        levels=levels,
        area=most["area_name"],
        period=most["period"],
        before=before,
        after=after,
        unit=unit,
        reasons=", ".join(words()["reason"][reason][language] for reason in most["reasons"].split(";")),
    )


def _number(value: float | None, pattern: str, *, none: str, language: Language) -> str:
    return none if value is None else format_decimal(value, pattern, locale=language)

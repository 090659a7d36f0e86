"""What came of an intervention: the report that pages show, and the files of the same numbers."""

import math
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from datetime import date

import polars as pl

from dashboard.effect.plans import known_plans
from kpis.area import areas, map_of
from kpis.effect_assessment import assess_effect
from kpis.effect_panel import why_unsuitable
from kpis.effect_report import EffectReport
from kpis.evaluate import Query, evaluate
from kpis.intervention import Plan
from kpis.period import add_months, periods_between
from kpis.rates import FloatArray
from kpis.release import Release, per_release

MONTHS = {
    "intervention_id": pl.String,
    "intervention": pl.String,
    "indicator": pl.String,
    "municipality_codes": pl.String,  # parted by +
    "month": pl.Date,
    "side": pl.String,  # before, between (of neither), after, provisional (not judged yet)
    "observed": pl.Float64,
    "counterfactual": pl.Float64,
    "counterfactual_lower": pl.Float64,
    "counterfactual_upper": pl.Float64,
    "synthetic": pl.Float64,
}
"""One row a month of all municipalities of the plan together; numbers of what the indicator counts, null = none."""

_SERIES = ("observed", "counterfactual", "counterfactual_lower", "counterfactual_upper", "synthetic")

METHODS = {
    "intervention_id": pl.String,
    "intervention": pl.String,
    "indicator": pl.String,
    "verdict": pl.String,
    "method": pl.String,
    "rate_ratio": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "coverage": pl.Float64,
    "textbook_lower": pl.Float64,
    "textbook_upper": pl.Float64,
    "textbook_coverage": pl.Float64,
    "refusal": pl.String,
}
"""One row a method, the one the verdict rests on first; columns as of ``kpis.effect_report.MethodResult``."""


_one_at_a_time = threading.Lock()  # the processors are there for the readers as well


def effect_of(release: Release, plan: Plan) -> EffectReport:
    """Return the report of a plan; municipalities of other plans, also of those written here, are no controls.

    It takes some seconds the first time, see ``kpis.effect_assessment``.
    """
    return assess_effect(release, plan, _beside(release, plan))


def effects_so_far(release: Release, plans: Sequence[Plan], patience: float) -> dict[str, EffectReport]:
    """Return the reports by plan id that are there within ``patience`` seconds; the others are worked out meanwhile."""
    asked = {plan.id: _asked(release, plan, _beside(release, plan)) for plan in plans}
    wait(asked.values(), patience)
    return {plan_id: work.result() for plan_id, work in asked.items() if work.done()}


def _beside(release: Release, plan: Plan) -> tuple[Plan, ...]:
    """Return the plans that aim at an indicator that a report asks about; a new one of others changes no report."""
    asked = {plan.indicator, plan.negative_control, plan.counterweight}
    return tuple(other for other in known_plans(release) if other.indicator in asked)


@per_release
def _asked(release: Release, plan: Plan, beside: tuple[Plan, ...]) -> Future[EffectReport]:
    work: Future[EffectReport] = Future()
    # A daemon, where a pool would keep a process that is to stop until all of its work is done.
    threading.Thread(target=_work, args=(work, release, plan, beside), name=f"effect {plan.id}", daemon=True).start()
    return work


def _work(work: Future[EffectReport], release: Release, plan: Plan, beside: tuple[Plan, ...]) -> None:
    with _one_at_a_time:
        try:
            work.set_result(assess_effect(release, plan, beside))
        except Exception as error:  # told to whoever asks for the result
            work.set_exception(error)


def month_rows(release: Release, report: EffectReport) -> pl.DataFrame:
    """Return :data:`MONTHS` of a report; of one that was refused what is observed, if it can be counted by month."""
    window = report.window
    if window is None:
        return _of_plan(_counted(release, report, release.date("data_from")), report).select(list(MONTHS))
    columns = {name: _known(getattr(report, name), len(report.months)) for name in _SERIES}
    sides = [
        "before" if month <= window.last_before else "after" if month >= window.first_after else "between"
        for month in report.months
    ]
    rows = {"month": list(report.months), "side": sides, **columns}
    frame = pl.DataFrame(rows, schema={name: MONTHS[name] for name in rows})
    tail = _counted(release, report, add_months(report.months[-1], 1))
    return _of_plan(pl.concat([frame, tail]), report).select(list(MONTHS))


def _counted(release: Release, report: EffectReport, first: date) -> pl.DataFrame:
    """Return what is observed from the month ``first`` on: columns of :data:`MONTHS` that say something of a month."""
    names = [name for name in MONTHS if name in ("month", "side") or name in _SERIES]
    schema = {name: MONTHS[name] for name in names}
    last = add_months(release.date("as_of"), -1)
    periods = periods_between(first, last, "month")
    treated = tuple(
        area for area in areas(release, "municipality", map_of(last)) if area.code in report.plan.municipalities
    )
    if not periods or not treated or why_unsuitable(report.indicator):
        return pl.DataFrame(schema=schema)
    counted = (
        evaluate(release, Query(report.indicator, treated, periods))
        .group_by(month="period_first", maintain_order=True)
        .agg(pl.col("numerator").sum(), is_whole=pl.col("numerator").is_not_null().all())
    )
    is_firm = pl.col("month") < release.date("provisional_from")
    side = pl.when(is_firm).then(
        pl.when(pl.col("month") < report.plan.start).then(pl.lit("before")).otherwise(pl.lit("after"))
    )
    nothing = {name: pl.lit(None, MONTHS[name]) for name in _SERIES if name != "observed"}
    return counted.select(
        "month",
        side=side.otherwise(pl.lit("provisional")),
        observed=pl.when("is_whole").then(pl.col("numerator").cast(pl.Float64)),
        **nothing,
    ).select(names)


def method_rows(report: EffectReport) -> pl.DataFrame:
    """Return :data:`METHODS` of a report."""
    rows = [
        {
            "method": one.method,
            "rate_ratio": one.ratio.value if one.ratio else None,
            "lower": one.ratio.lower if one.ratio else None,
            "upper": one.ratio.upper if one.ratio else None,
            "coverage": one.coverage,
            "textbook_lower": one.textbook.lower if one.textbook else None,
            "textbook_upper": one.textbook.upper if one.textbook else None,
            "textbook_coverage": one.textbook_coverage,
            "refusal": one.refusal.id if one.refusal else None,
        }
        for one in report.methods
    ]
    frame = pl.DataFrame(rows, schema={name: kind for name, kind in METHODS.items() if name in _OF_METHOD})
    return _of_plan(frame, report).with_columns(verdict=pl.lit(report.verdict)).select(list(METHODS))


_OF_METHOD = (
    *("method", "rate_ratio", "lower", "upper", "coverage"),
    *("textbook_lower", "textbook_upper", "textbook_coverage", "refusal"),
)


def _of_plan(frame: pl.DataFrame, report: EffectReport) -> pl.DataFrame:
    return frame.with_columns(
        intervention_id=pl.lit(report.plan.id),
        intervention=pl.lit(report.plan.name),
        indicator=pl.lit(report.indicator.id),
        municipality_codes=pl.lit("+".join(report.plan.municipalities)),
    )


def _known(values: FloatArray | None, length: int) -> list[float | None]:
    if values is None:
        return [None] * length
    return [float(value) if math.isfinite(value) else None for value in values]

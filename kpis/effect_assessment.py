"""Did an intervention work? One plan, one release: four methods, hundreds of placebos, one careful verdict.

    report = assess_effect(release, plan)
    report.verdict                       # "fall", "perhaps_fall", "cannot_tell" or "rise"
    report.ratio, report.gain            # with 95 % intervals that placebos have widened

The answer is that of the *controls*: the treated municipalities' events before and after, against what all
municipalities without such an intervention had in the same months (a difference in differences of counts, month by
month, with what age and sex make usual as offset). It is fixed beforehand: to choose the method after the results are
seen would undo the calibration. The others stand beside it:

- *synthetic*: the same against a weighted mean of the controls that was like the treated before
- *series*: the treated alone, level and slope, seasons as sines (interrupted time series)
- *before_after*: the treated alone, before and after – naive, and its placebos show how naive

All intervals are calibrated on placebos of this release (`kpis.placebo`); `textbook` is what each formula promises by
itself, with how often that would have held.

Verdicts, fixed: "fall" when the 95 % interval lies below 1, the synthetic control agrees in direction, the negative
control has not fallen too, and no fall is seen at a start before the true one; "perhaps_fall" when only the 93 %
interval lies below 1 and the synthetic control agrees, or when the 95 % one does and one of the others objects; "rise"
when the 95 % interval lies above 1; else "cannot_tell", also wherever the design is refused.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
from scipy import special

from kpis.effect import did_counts, interrupted_counts, synthetic_control
from kpis.effect_comparison import (
    Comparison,
    compare,
    control_chance,
    paths_of,
    range_of,
    shifts_of,
    usual_events,
)
from kpis.effect_panel import Design, Panel, Refused, same_aim
from kpis.effect_report import (
    Cost,
    Donor,
    EffectReport,
    Gain,
    Method,
    MethodResult,
    Moved,
    PlaceboSpread,
    PreFit,
    Range,
    Refusal,
    Side,
    Verdict,
    Window,
)
from kpis.indicator import find_indicator
from kpis.intervention import Plan, released_plans
from kpis.length_of_stay import bed_days
from kpis.period import Period
from kpis.placebo import BoolArray, calibrate
from kpis.process import rate_chart
from kpis.rates import LEVEL_95, FloatArray, normal_quantile
from kpis.release import AGE_BANDS, Release, per_release

LIKELY = 0.93
"""Confidence of the interval of a possible fall: with no effect, 3 to 4 of 100 lie below it, so that clear and possible
falls together stay under 5 of 100."""
LEVEL_99 = 0.99
"""A fit is poor when 99 of 100 placebos fit better."""
HARMONICS, SEASON = 2, 12
FITTED_PLACEBOS = 100
"""Placebos of the methods that need a fit for each: those nearest in size, which for one municipality are all."""
PATHS_SHOWN = 60
PATH_MONTHS = 6
HALF_BEFORE = 6
"""Months on each side of a start that is placed before the true one."""


@per_release
def assess_effect(release: Release, plan: Plan, others: tuple[Plan, ...] | None = None) -> EffectReport:
    """The report of one plan; remembered for as long as the release lives.

    `others`: plans whose municipalities are no controls; None = those of the release. Give `intervention.plans` to
    count in what was registered since. A plan that cannot be answered gets a report with `refusals`. Raises
    IndicatorError for an indicator that does not exist.
    """
    indicator = find_indicator(plan.indicator)
    known = released_plans(release) if others is None else others
    try:
        comparison = compare(release, plan, known)
    except Refused as refused:
        return EffectReport(plan, release.id, indicator, "cannot_tell", (), (refused.refusal,), ())
    fit, path = _pre_fit(comparison), comparison.path[0]
    report = EffectReport(
        plan=plan,
        release_id=release.id,
        indicator=indicator,
        verdict="cannot_tell",
        reasons=(),
        refusals=(_poor(fit),) if fit.is_poor else (),
        notes=comparison.design.notes,
        others=same_aim(plan, known, comparison.panel, comparison.design.shown),
        window=_window(comparison),
        months=comparison.panel.months[comparison.design.shown],
        observed=comparison.events[0],
        counterfactual=path,
        counterfactual_lower=path,
        counterfactual_upper=path,
        pre_fit=fit,
    )
    return report if fit.is_poor else _answered(release, report, comparison, known)


def _poor(fit: PreFit) -> Refusal:
    facts = {"error": fit.error, "usual_error": fit.usual_error, "trend_per_year": fit.trend_per_year.value}
    return Refusal("poor_fit", tuple(facts.items()))


def _answered(release: Release, report: EffectReport, comparison: Comparison, known: tuple[Plan, ...]) -> EffectReport:
    """The report with the answers of all methods and the verdict."""
    plan, path, after = report.plan, comparison.path[0], comparison.is_after
    synthetic, weights, synthetic_path = _synthetic(release, comparison)
    controls = _controls(comparison)
    ratio = comparison.limits(LEVEL_95)
    narrow = comparison.limits(LIKELY)
    spread = _spread(release, comparison)
    negative = _side(release, plan, known, plan.negative_control)
    verdict, reasons = _verdict(ratio, narrow, synthetic.ratio, negative, spread)
    return replace(
        report,
        verdict=verdict,
        reasons=reasons,
        ratio=ratio,
        ratio_likely=narrow,
        coverage=controls.coverage,
        methods=(controls, synthetic, _series(comparison), _before_after(comparison)),
        counterfactual_lower=np.where(after, path * ratio.value / ratio.upper, path),
        counterfactual_upper=np.where(after, path * ratio.value / ratio.lower, path),
        synthetic=synthetic_path,
        months_outside_own_limits=_outside_own_limits(comparison),
        donors=_donors(comparison, weights),
        placebos=spread,
        negative_control=negative,
        counterweight=_side(release, plan, known, plan.counterweight),
        gain=_gain(release, plan, comparison, ratio),
    )


def _verdict(
    wide: Range, narrow: Range, synthetic: Range | None, negative: Side | None, spread: PlaceboSpread
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict by the rules above, and why it is not a stronger one."""
    if wide.lower > 1.0:
        return "rise", ()
    is_sure, is_likely = wide.upper < 1.0, narrow.upper < 1.0
    objections = []
    if synthetic is not None and synthetic.value >= 1.0:
        objections.append("synthetic")
    if negative is not None and negative.moved == "fell":
        objections.append("negative_control")
    if spread.in_time is not None and spread.in_time[1].upper < 1.0:
        objections.append("time")
    if is_sure:
        return ("perhaps_fall", tuple(objections)) if objections else ("fall", ())
    if is_likely and "synthetic" not in objections:
        return "perhaps_fall", ("interval", *objections)
    return "cannot_tell", ("interval", *objections)


# --- the four methods ---------------------------------------------------------------------------------------


def _controls(comparison: Comparison) -> MethodResult:
    """All controls together; its textbook is the Poisson regression with two-way effects, clustered."""
    textbook = _two_way(comparison.panel, comparison.design)
    held = None if textbook is None else _two_way_coverage(comparison)
    coverage = comparison.calibration(LEVEL_95).coverage
    return MethodResult("controls", comparison.limits(LEVEL_95), textbook, coverage, held)


def _two_way(found: Panel, chosen: Design) -> Range | None:
    """Poisson difference in differences; None for one municipality and for several starts, which it cannot do."""
    if len(chosen.treated) < 2 or len(chosen.cohorts) > 1:
        return None
    (span,) = chosen.spans
    rows = [*chosen.treated, *np.flatnonzero(chosen.is_control)]
    months = np.r_[slice(*span.sides[0]), slice(*span.sides[1])]
    events, usual = (values[np.ix_(rows, months)] for values in (found.events, found.usual))
    unit, time = np.indices(events.shape)
    is_on = (unit < len(chosen.treated)) & (months[time] >= span.since)
    try:
        effect = did_counts(events.ravel(), usual.ravel(), is_on.ravel(), unit.ravel(), time.ravel()).effect
    except ValueError:
        return None
    return Range(effect.value, effect.lower, effect.upper)


def _two_way_coverage(comparison: Comparison) -> float:
    """How often the clustered limits of the two-way regression would hold "no effect" on the placebos.

    To fit it for every placebo takes a minute. Its clustered error is that of the score: of each municipality the
    events after beyond its share by the common estimate (`did_counts` differs from it in the third digit).
    """
    found, control = comparison.panel, comparison.design.is_control
    season = found.events[control].sum(axis=0) / found.usual[control].sum(axis=0)
    old, new = ((found.usual * season)[:, slice(*side)].sum(axis=1) for side in comparison.span.sides)
    before, after = (found.events[:, slice(*side)].sum(axis=1) for side in comparison.span.sides)
    theta = comparison.shifts.row(slice(1, None)).estimate()
    groups = comparison.groups.astype(float)

    def variance(ratio: FloatArray, members: FloatArray) -> FloatArray:
        share = ratio[:, None] * new / np.maximum(ratio[:, None] * new + old, 1e-12)
        gap, leverage = after - (before + after) * share, (before + after) * share * (1.0 - share)
        return (members * gap**2).sum(axis=1) / (members * leverage).sum(axis=1) ** 2

    n = int(control.sum())
    total = variance(theta, groups) + variance(np.ones(len(theta)), control - groups)
    half = special.stdtrit(n - 1.0, 0.5 + LEVEL_95 / 2.0) * np.sqrt(total * n / (n - 1.0))
    return float((np.abs(np.log(theta)) <= half).mean())


def _synthetic(release: Release, comparison: Comparison) -> tuple[MethodResult, FloatArray, FloatArray | None]:
    """Every row against its own weighted mean of controls; with the treated's weights and the path of its months."""
    found, chosen = comparison.panel, comparison.design
    members, groups = comparison.members[: FITTED_PLACEBOS + 1], comparison.groups[:FITTED_PLACEBOS]
    usual, weights, misfit = _synthetic_usual(found, chosen, members)
    own = weights[0].mean(axis=0)
    chance = [1.0 / np.maximum(found.events[:, slice(*side)].sum(axis=1), 1.0) for side in comparison.span.sides]
    control = found.clustering * (weights**2 @ (chance[0] + chance[1])).mean(axis=1)
    shifts = shifts_of(release, found, members, chosen.spans, usual, control)
    worst = np.quantile(misfit[1:], LEVEL_99)
    if misfit[0] > worst:
        refusal = Refusal("poor_fit", (("misfit", float(misfit[0])), ("placebos", float(worst))))
        return MethodResult("synthetic", None, None, None, None, refusal), own, None
    placebos = shifts.row(slice(1, None))
    drift = placebos.drift(found.clustering)
    scores = placebos.score(1.0, found.clustering, drift)[:, None]
    calibration = calibrate(scores, groups, LEVEL_95)
    ratio = range_of(shifts, calibration, found.clustering, drift)
    events, paths = paths_of(found, chosen, members, usual)
    p_value = _share_as_odd((events - paths) / np.maximum(paths, 1e-12), comparison.is_after)
    return MethodResult("synthetic", ratio, None, calibration.coverage, None, p_value=p_value), own, paths[0]


def _share_as_odd(gaps: FloatArray, is_after: BoolArray) -> float:
    """Share of the rows whose fit grew worse by at least as much as that of row 0, itself included.

    Root mean square gap after ÷ before, ranked among placebos (Abadie, Diamond & Hainmueller 2010).
    """
    before, after = (np.sqrt((gaps[:, side] ** 2).mean(axis=1)) for side in (~is_after, is_after))
    worse = after / np.maximum(before, 1e-12)
    return float((worse >= worse[0]).mean())


def _synthetic_usual(found: Panel, chosen: Design, members: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Usual events [rows, cohorts, months], weights [rows, cohorts, municipalities], and misfit before (rows,).

    Misfit: root mean square gap before ÷ what chance alone would make of it.
    """
    relative = np.where(found.usual > 0, found.events / np.where(found.usual > 0, found.usual, 1.0), 0.0)
    usual_of, events_of = members @ found.usual, members @ found.events
    weights = np.zeros((*members.shape[:2], len(found.areas)))
    gaps = np.zeros(members.shape[:2])
    for row, cohort in np.ndindex(*members.shape[:2]):
        before = slice(*chosen.spans[cohort].sides[0])
        donors = np.flatnonzero(chosen.is_control & (members[row].sum(axis=0) == 0))
        months = before.stop - before.start
        own = events_of[row, cohort, before] / usual_of[row, cohort, before]
        pool = relative[donors, before]
        chance = found.clustering * months / found.usual[donors, before].mean(axis=1)
        # One more time is needed after the fit; its value plays no part in the weights.
        fit = synthetic_control(np.append(own, 1.0), np.column_stack([pool, np.ones(len(pool))]), months, chance)
        weights[row, cohort, donors] = fit.weights
        expected = found.clustering / usual_of[row, cohort, before].mean() + (fit.weights**2 @ chance) / months
        gaps[row, cohort] = fit.rmspe_pre**2 / expected
    return usual_of * (weights @ relative), weights, np.sqrt(gaps.mean(axis=1))


def _series(comparison: Comparison) -> MethodResult:
    """The treated alone, level and slope; textbook: Newey–West errors. Refused without a whole year before."""
    before = comparison.span.until - comparison.span.first
    if before < SEASON:
        return MethodResult("series", None, None, None, None, Refusal("under_a_year", (("found", before),)))

    def fitted(events: FloatArray, usual: FloatArray, n_before: int) -> tuple[float, float, float]:
        effect = interrupted_counts(events, usual, n_before, harmonics=HARMONICS).mean_effect
        return effect.value, effect.lower, effect.upper

    return _alone(comparison, "series", fitted)


def _before_after(comparison: Comparison) -> MethodResult:
    """The treated alone, after over before; textbook: two independent Poisson counts."""

    def fitted(events: FloatArray, usual: FloatArray, n_before: int) -> tuple[float, float, float]:
        (before, after), (old, new) = ((v[:n_before].sum(), v[n_before:].sum()) for v in (events, usual))
        value = (after / new) / (before / old)
        half = normal_quantile(LEVEL_95) * np.sqrt(1.0 / before + 1.0 / after)
        return value, value * np.exp(-half), value * np.exp(half)

    return _alone(comparison, "before_after", fitted)


def _alone(
    comparison: Comparison,
    method: Method,
    fitted: Callable[[FloatArray, FloatArray, int], tuple[float, float, float]],
) -> MethodResult:
    """A method that looks at one row's own months: its ratio and textbook limits, calibrated by those of placebos."""
    found, chosen = comparison.panel, comparison.design
    if len(chosen.cohorts) > 1:
        return MethodResult(method, None, None, None, None, Refusal("staggered", (("starts", len(chosen.cohorts)),)))
    span = comparison.span
    months = np.r_[slice(*span.sides[0]), slice(*span.sides[1])]
    members, groups = comparison.members[: FITTED_PLACEBOS + 1, 0], comparison.groups[:FITTED_PLACEBOS]
    events, usual = ((members @ values)[:, months] for values in (found.events, found.usual))
    answers = np.full((len(events), 3), np.nan)
    for row in range(len(events)):
        with np.errstate(all="ignore"):
            try:
                answers[row] = fitted(events[row], usual[row], span.until - span.first)
            except (ValueError, np.linalg.LinAlgError):
                continue  # too few events for this method: no placebo, or no answer
    if np.isnan(answers[0]).any():
        return MethodResult(method, None, None, None, None, Refusal("no_fit"))
    errors = comparison.shifts.row(slice(0, len(members))).error(found.clustering, comparison.drift)
    logs = np.log(np.clip(answers, 1e-9, 1e9))
    calibration = calibrate(logs[1:, :1] / errors[1:, None], groups, LEVEL_95)
    half = calibration.quantile * errors[0]
    ratio = Range(float(answers[0, 0]), float(np.exp(logs[0, 0] - half)), float(np.exp(logs[0, 0] + half)))
    known = answers[1:][~np.isnan(answers[1:]).any(axis=1)]
    held = float(((known[:, 1] <= 1.0) & (known[:, 2] >= 1.0)).mean()) if len(known) else None
    textbook = Range(*(float(value) for value in answers[0]))
    return MethodResult(method, ratio, textbook, calibration.coverage, held)


def _outside_own_limits(comparison: Comparison) -> int | None:
    """How many months after lie outside the treated's process limits of the months before; None for several starts."""
    if len(comparison.design.cohorts) > 1:
        return None
    rows = list(comparison.design.treated)
    events, usual = (values[rows].sum(axis=0) for values in (comparison.panel.events, comparison.panel.usual))
    shown = comparison.design.shown
    sets_limits = np.arange(len(comparison.panel.months))[shown] < comparison.span.until
    chart = rate_chart(events[shown], usual[shown], provisional=~sets_limits)
    is_outside = (chart.value < chart.lower) | (chart.value > chart.upper)
    return int((is_outside & comparison.is_after).sum())


# --- can it be trusted --------------------------------------------------------------------------------------


def _pre_fit(comparison: Comparison) -> PreFit:
    """How alike rows and controls were before the first start."""
    n_before = min(span.until for span in comparison.design.spans) - comparison.design.shown.start
    observed, path = comparison.events[:, :n_before], comparison.path[:, :n_before]
    path = path * (observed.sum(axis=1) / np.maximum(path.sum(axis=1), 1e-12))[:, None]
    chance = comparison.panel.clustering * path
    time = np.arange(n_before, dtype=float)
    centred = time - ((path @ time) / path.sum(axis=1))[:, None]
    information = (centred**2 * path).sum(axis=1)
    slope = (centred * (observed - path)).sum(axis=1) / information
    error = np.sqrt(comparison.panel.clustering / information)
    gaps = ((observed - path) ** 2 / chance).mean(axis=1)
    score = np.abs(slope / error)
    is_poor = bool(
        score[0] > max(np.quantile(score[1:], LEVEL_99), normal_quantile(LEVEL_99))
        or gaps[0] > np.quantile(gaps[1:], LEVEL_99)
    )
    half = normal_quantile(LEVEL_95) * error[0]
    drift = Range(*(float(np.exp(12.0 * (slope[0] + side * half))) for side in (0, -1, 1)))
    relative = 100.0 * np.sqrt((((observed - path) / path) ** 2).mean(axis=1))
    return PreFit(drift, float(relative[0]), float(np.median(relative[1:])), is_poor)


def _spread(release: Release, comparison: Comparison) -> PlaceboSpread:
    """The treated among its placebos."""
    ratios = comparison.shifts.estimate()
    low, high = np.quantile(ratios[1:], [(1 - LEVEL_95) / 2, (1 + LEVEL_95) / 2])
    paths = _rolling(comparison.events[: PATHS_SHOWN + 1]) / np.maximum(
        _rolling(comparison.path[: PATHS_SHOWN + 1]), 1e-12
    )
    return PlaceboSpread(
        ratios=ratios[1:],
        limits=(float(low), float(high)),
        rank=int(
            (
                comparison.scores[:, 0]
                < comparison.shifts.row(0).score(1.0, comparison.panel.clustering, comparison.drift)[0]
            ).sum()
        )
        + 1,
        n=len(ratios) - 1,
        n_apart=comparison.n_apart,
        is_within_region=comparison.is_within_region,
        in_time=_in_time(release, comparison),
        paths=paths[1:],
        path=paths[0],
        n_starts=comparison.scores.shape[1],
    )


def _rolling(values: FloatArray) -> FloatArray:
    """Sums over the six months that end with each; NaN before the sixth."""
    running = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    sums = running[:, PATH_MONTHS:] - running[:, :-PATH_MONTHS]
    return np.pad(sums, ((0, 0), (PATH_MONTHS - 1, 0)), constant_values=np.nan)


def _in_time(release: Release, comparison: Comparison) -> tuple[date, Range] | None:
    """The treated at a start in the middle of its months before, as if the true start were the end of the data."""
    found, chosen = comparison.panel, comparison.design
    spans = tuple(span.halved_before for span in chosen.spans)
    if any(min(span.until - span.first, span.stop - span.since) < HALF_BEFORE for span in spans):
        return None
    members = comparison.members[:1]
    control = np.array([control_chance(found, chosen, spans[0])])
    shifts = shifts_of(release, found, members, spans, usual_events(found, chosen, members), control)
    calibration = comparison.calibration(LEVEL_95)
    return found.months[spans[0].since], range_of(shifts, calibration, found.clustering, comparison.drift)


def _side(release: Release, plan: Plan, known: tuple[Plan, ...], indicator_id: str | None) -> Side | None:
    """The same question of another indicator; None where the plan names none."""
    if indicator_id is None:
        return None
    indicator = find_indicator(indicator_id)
    try:
        comparison = compare(release, replace(plan, indicator=indicator_id), known)
    except Refused as refused:
        return Side(indicator, None, None, "unknown", refused.refusal)
    ratio = comparison.limits(LEVEL_95)
    moved: Moved = "fell" if ratio.upper < 1.0 else "rose" if ratio.lower > 1.0 else "still"
    return Side(indicator, ratio, comparison.calibration(LEVEL_95).coverage, moved)


# --- what it amounts to -------------------------------------------------------------------------------------


def _window(comparison: Comparison) -> Window:
    months, span = comparison.panel.months, comparison.span
    last = max(span.stop for span in comparison.design.spans)
    return Window(
        months[comparison.design.shown.start],
        months[span.until - 1],
        months[span.since],
        months[last - 1],
        span.until - span.first,
        last - span.since,
    )


def _donors(comparison: Comparison, synthetic: FloatArray) -> tuple[Donor, ...]:
    """All controls, the heaviest of the synthetic control first."""
    found, chosen = comparison.panel, comparison.design
    size = np.where(chosen.is_control, found.usual[:, chosen.shown].sum(axis=1), 0.0)
    share = size / size.sum()
    order = [int(row) for row in np.lexsort((-share, -synthetic.round(6))) if chosen.is_control[row]]
    return tuple(
        Donor(found.areas[row].code, found.areas[row].name, float(share[row]), float(synthetic[row])) for row in order
    )


def _gain(release: Release, plan: Plan, comparison: Comparison, ratio: Range) -> Gain:
    """Events avoided by the ratio and its limits, and what they amount to."""
    observed = float(comparison.shifts.observed[1][0].sum())
    months = max(span.stop - span.since for span in comparison.design.spans)
    events = Range(*(observed * (1.0 / theta - 1.0) for theta in (ratio.value, ratio.upper, ratio.lower)))
    days = _days_per_event(release, comparison)
    bed_days = None if days is None else _times(events, days)
    cost = None if plan.cost is None else plan.cost * months / 12.0
    return Gain(
        events=events,
        bed_days=bed_days,
        kroner=None if bed_days is None or plan.bed_day_price is None else _times(bed_days, plan.bed_day_price),
        cost=cost,
        cost_per_event=None if cost is None else _cost_per_event(cost, events),
        per_year=_times(events, 12.0 / months),
    )


def _times(amount: Range, factor: float) -> Range:
    return Range(*(value * factor for value in amount))


def _cost_per_event(cost: float, events: Range) -> Cost | None:
    """Kroner per event avoided: least where most were avoided."""
    if events.value <= 0:
        return None
    return Cost(cost / events.value, cost / events.upper, cost / events.lower if events.lower > 0 else None)


def _days_per_event(release: Release, comparison: Comparison) -> float | None:
    """Mean bed days of an admission after, at the lengths of stay of the region; None for events without any."""
    indicator = comparison.panel.indicator
    if indicator.numerator.measure == "days_after_ready":
        return 1.0
    if indicator.numerator.measure != "n_acute":
        return None
    bands = range(len(AGE_BANDS))[indicator.population.bands]
    admissions = days = 0.0
    for rows, span in zip(comparison.design.cohorts, comparison.design.spans, strict=True):
        of_cohort = [comparison.panel.areas[row] for row in rows]
        months = comparison.panel.months
        period = Period(months[span.since], months[span.stop - 1], "month")
        found = bed_days(release, dict.fromkeys(indicator.group_ids, bands), of_cohort, period)
        admissions, days = admissions + float(found[0].sum()), days + float(found[1].sum())
    return days / admissions if admissions > 0 else None

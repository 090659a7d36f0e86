"""Every number that outside implementations gave for our statistics, through one thin adapter each.

The files lie beside the checkout and are read there; without them the tests are skipped and the small cases of
tests/kpis hold the rules. A number passes when |got − want| ≤ abs + rel·|want|.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpis import compare, dispersion, effect, inequality, process, rates, small_area, trend
from tests.vectors import engine

FOLDER = Path(__file__).parents[3] / "shared" / "vectors"
Inputs = dict[str, Any]
Result = dict[str, Any]

ANCHORS = {
    "synthetic_control_covariates": "an anchor: weights fitted on covariates are not offered, their fit is not unique",
}
NOT_OURS = {
    "readmission_dates": {"days_to_next", "readmit_30", "unplanned_readmit_30"},  # see engine.readmission_dates
}


def _cases() -> list[Any]:
    files = sorted(FOLDER.glob("*.json"))
    if not files:
        missing = pytest.mark.skip(reason="the folder of outside numbers is not beside this checkout")
        return [pytest.param(None, marks=missing, id="no folder")]
    return [pytest.param(case, id=case["case"]) for file in files for case in json.loads(file.read_text("utf-8"))]


@pytest.mark.parametrize("case", _cases())
def test_agrees_with_the_outside_number(case: dict[str, Any]) -> None:
    function = case["function"]
    if function in ANCHORS:
        pytest.skip(ANCHORS[function])
    got = ADAPTERS[function](case["inputs"])
    wanted = {k: v for k, v in case["expected"].items() if k not in NOT_OURS.get(function, ())}
    if wanted.get("status") in ("undefined", "suppressed"):
        assert got["status"] == wanted["status"]
        wanted = {k: v for k, v in wanted.items() if k not in ("status", "value") and k in got}
    assert wanted.keys() <= got.keys(), f"the adapter does not give {sorted(wanted.keys() - got.keys())}"
    _compare(got, wanted, case["tolerance"], case["case"])


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the folder of outside numbers is not beside this checkout")
def test_every_function_of_the_files_has_an_adapter() -> None:
    named = {case.values[0]["function"] for case in _cases()}
    assert named == ADAPTERS.keys() | ANCHORS.keys()


def _compare(got: Any, wanted: Any, tolerance: dict[str, Any], where: str) -> None:
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            _compare(got[key], value, tolerance.get(key, tolerance), f"{where}/{key}")
    elif isinstance(wanted, list):
        assert len(got) == len(wanted), where
        for k, value in enumerate(wanted):
            _compare(got[k], value, tolerance, f"{where}[{k}]")
    elif wanted is None:
        assert got is None or np.isnan(got), where
    elif isinstance(wanted, (str, bool)):
        assert got == wanted, where
    else:
        allowed = tolerance.get("abs", 0.0) + tolerance.get("rel", 0.0) * abs(wanted)
        assert abs(float(got) - wanted) <= allowed, f"{where}: got {got}, want {wanted} ± {allowed}"


def _numbers(values: list[Any]) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def _interval(interval: rates.Interval) -> Result:
    status = {"ok": "ok", "too_few": "suppressed", "undefined": "undefined"}[str(interval.status)]
    method = {"byar": "byars"}.get(str(interval.method), str(interval.method))
    return {
        "value": float(interval.value),
        "lower": float(interval.lower),
        "upper": float(interval.upper),
        "method": method,
        "status": status,
    }


def _rate_ci(i: Inputs) -> Result:
    return _interval(rates.crude_rate(i["count"], i["population"], i["multiplier"], i["confidence"]))


def _rate_ci_exact(i: Inputs) -> Result:
    lower, upper = rates.exact_poisson_limits(i["count"], i["confidence"])
    scale = i["multiplier"] / i["population"]
    return {"value": i["count"] * scale, "lower": lower * scale, "upper": upper * scale}


def _rate_ratio_exact(i: Inputs) -> Result:
    pair = (i["count_1"], i["population_1"], i["count_2"], i["population_2"])
    ratio = _interval(rates.rate_ratio(*pair, i["confidence"]))
    return {**ratio, "ratio": ratio["value"], "p_value": compare.rate_ratio_p_value(*pair)}


def _proportion_ci(i: Inputs) -> Result:
    return _interval(rates.proportion(i["numerator"], i["denominator"], i["multiplier"], i["confidence"]))


def _proportion_difference_test(i: Inputs) -> Result:
    found = compare.proportion_difference(
        i["numerator_1"], i["denominator_1"], i["numerator_2"], i["denominator_2"], per=1.0
    )
    return {"difference": found.difference.value, "chi2": found.chi2, "p_value": found.p_value}


def _dsr(i: Inputs) -> Result:
    count, population = _numbers(i["count"]), _numbers(i["population"])
    rate = rates.direct_rate(count, population, i["standard_population"], i["multiplier"], i["confidence"])
    return {**_interval(rate), "total_count": np.nansum(count), "total_population": population.sum()}


def _dsr_nonindependent(i: Inputs) -> Result:
    frequency = sorted(set(i["event_frequency"]))
    persons, population, standard = (
        _numbers(i[key]).reshape(len(frequency), -1) for key in ("persons", "population", "standard_population")
    )
    rate = rates.direct_rate_of_repeaters(
        persons, frequency, population[0], standard[0], i["multiplier"], i["confidence"]
    )
    total = (np.nan_to_num(persons) * np.array(frequency)[:, None]).sum()
    return {**_interval(rate), "total_count": total, "total_population": population[0].sum()}


def _dsr_gamma(i: Inputs) -> Result:
    crude = rates.crude_rate(sum(i["count"]), sum(i["population"]), i["multiplier"])
    rate = rates.direct_rate_gamma(
        i["count"], i["population"], i["standard_population"], i["multiplier"], i["confidence"]
    )
    return {**_interval(rate), "crude": crude.value}


def _indirect(i: Inputs) -> tuple[float, float, float]:
    """Observed, expected and the reference's crude rate; a stratum missing everywhere is a stratum of nobody."""
    count, population, ref_count, ref_population = (
        np.nan_to_num(_numbers(i[key])) for key in ("count", "population", "ref_count", "ref_population")
    )
    expected = rates.expected_events(population, ref_count, ref_population)
    return count.sum(), float(expected), ref_count.sum() / ref_population.sum()


def _isr_ratio(i: Inputs) -> Result:
    observed, expected, _ = _indirect(i)
    ratio = rates.indirect_ratio(observed, expected, i["confidence"]).scaled(i["ref_value"])
    return {**_interval(ratio), "observed": observed, "expected": expected}


def _isr_rate(i: Inputs) -> Result:
    observed, expected, reference = _indirect(i)
    reference *= i["multiplier"]
    rate = rates.indirect_rate(observed, expected, reference, i["confidence"])
    return {**_interval(rate), "observed": observed, "expected": expected, "ref_rate": reference}


def _mean_ci(i: Inputs) -> Result:
    values = np.array(i["values"], dtype=float)
    return {
        **_interval(rates.mean(values, i["confidence"])),
        "count": values.size,
        "stdev": values.std(ddof=1),
    }


def _limits(limits: compare.FunnelLimits) -> Result:
    return {name: getattr(limits, name) for name in ("lower_95", "upper_95", "lower_998", "upper_998")}


def _funnel_limits_proportion(i: Inputs) -> Result:
    baseline, limits = compare.proportion_funnel(i["numerator"], i["denominator"], i["at_denominator"], i["multiplier"])
    return {"baseline": baseline, **_limits(limits)}


def _funnel_limits_ratio(i: Inputs) -> Result:
    limits = _limits(compare.ratio_funnel(i["at_observed"]))
    if i["scale"] == "x100":
        return {name: line * 100.0 for name, line in limits.items()}
    return {name: line - 1.0 for name, line in limits.items()}


def _funnel_limits_rate(i: Inputs) -> Result:
    baseline, limits = compare.rate_funnel(i["count"], i["rate"], i["at_events"], i["multiplier"])
    at_upper, at_lower = compare.expected_at_limit(i["at_events"])
    per_year = i["multiplier"] / baseline / i["years_of_data"]
    return {
        "baseline": baseline,
        **_limits(limits),
        "lower_95_population_per_year": at_lower * per_year,
        "upper_95_population_per_year": at_upper * per_year,
    }


CATEGORY = {
    "inside": "Not significant",
    "high_998": "High (0.001)",
    "high_95": "High (0.025)",
    "low_95": "Low (0.025)",
    "low_998": "Low (0.001)",
}


def _funnel_significance_proportion(i: Inputs) -> Result:
    found = compare.proportion_category(i["numerator"], i["denominator"])
    return {"significance": [CATEGORY[word] for word in found]}


def _funnel_significance_rate(i: Inputs) -> Result:
    count, population = np.array(i["count"]), np.array(i["population"])
    found = compare.ratio_category(count, population * count.sum() / population.sum())
    return {"significance": [CATEGORY[word] for word in found]}


def _funnel_significance_ratio(i: Inputs) -> Result:
    found = compare.ratio_category(i["observed"], i["expected_events"])
    return {"significance": [CATEGORY[word] for word in found]}


def _poisson_limit_exact(i: Inputs) -> Result:
    at_95, at_998 = (compare.expected_at_limit(i["observed"], level) for level in (0.95, 0.998))
    return {
        "expected_at_upper_95": at_95[0],
        "expected_at_lower_95": at_95[1],
        "expected_at_upper_998": at_998[0],
        "expected_at_lower_998": at_998[1],
    }


def _overdispersion(i: Inputs) -> Result:
    numerator, denominator = np.array(i["numerator"], dtype=float), np.array(i["denominator"], dtype=float)
    kind, trim = i["data_type"], i["trim_by"]
    if kind == "proportion":
        found = dispersion.proportion_dispersion(numerator, denominator, trim=trim)
    elif kind == "ratio_of_counts":
        found = dispersion.count_ratio_dispersion(numerator, denominator, trim=trim)
    elif i["sr_method"] == "SHMI":
        found = dispersion.ratio_dispersion(numerator, np.round(denominator, 2), scale="log", trim=trim)
    else:
        found = dispersion.ratio_dispersion(numerator, denominator, trim=trim)
    result = {
        "phi": found.phi[0],
        "tau2": found.tau2[0],
        "target": found.reference[0],
        "ratio": numerator / denominator * i["multiplier"],
        "z": found.z,
        "z_winsorised_or_null": found.z_trimmed,
    }
    outlier = np.zeros(numerator.size)
    for level, name in ((0.95, "95"), (0.998, "998")):
        lower, upper = found.limits(level)
        result |= {f"od_lower_{name}": lower, f"od_upper_{name}": upper}
        outlier = (numerator / denominator < lower) | (numerator / denominator > upper)
        if kind == "standardised_ratio":  # the peer's unadjusted lines are the exact interval of O = E
            lower, upper = (line / denominator for line in rates.exact_poisson_limits(denominator, level))
        else:
            lower, upper = found.limits(level, with_overdispersion=False)
        result |= {f"lower_{name}": lower, f"upper_{name}": upper}
    return result | {"od_outlier_998": outlier.astype(int)}


def _xmr(i: Inputs) -> Result:
    dates, rebased = (np.array(i[key], dtype="datetime64[D]") for key in ("date", "rebase_dates"))
    phase = np.searchsorted(rebased, dates, side="right")
    better = {"decrease": "lower", "increase": "higher", "neutral": "neither"}[i["improvement_direction"]]
    chart = process.xmr_chart(
        i["value"],
        phase=phase,
        screen_outliers=i["screen_outliers"],
        fix_after=i["fix_after_n_points"],
    )
    side = {1: ("Above UCL", "Above CL", "Increasing"), -1: ("Below LCL", "Below CL", "Decreasing")}
    special = [
        {
            "": "Common Cause",
            "outside": side[d or 1][0],
            "run": f"7 Points {side[d or 1][1]}",
            "two_of_three": f"2 in 3 {side[d or 1][1]}",
            "trend": f"7 Point Trend ({side[d or 1][2]})",
        }[rule]
        for rule, d in zip(chart.signal, chart.direction, strict=True)
    ]
    names = {
        "none": "common_cause",
        "improvement": "special_cause_improvement",
        "concern": "special_cause_concern",
        "rise": "special_cause_neutral_high",
        "fall": "special_cause_neutral_low",
    }
    variation = [names[word] for word in chart.variation(better)]
    result = {
        "mean": chart.centre,
        "lower_limit": chart.lower,
        "upper_limit": chart.upper,
        "rebase_group": phase,
        "special_cause": special,
        "variation": variation,
        "latest_variation": variation[-1],
        "short_group": chart.is_trial,
    }
    if i["target"] is not None:
        words = {"passes": "consistent_pass", "fails": "consistent_fail", "either": "inconsistent"}
        result["assurance"] = words[str(chart.assurance(i["target"], better))]
    return result


def _control_chart(i: Inputs) -> Result:
    count, n, kind = i["count"], i["denominator"], i["chart"]
    value = np.array(count, dtype=float) if n is None else np.array(count) / np.array(n)
    if kind == "run":
        centre = np.full(value.size, np.median(value))
        lower = upper = np.full(value.size, np.nan)
        outside = np.zeros(value.size, dtype=bool)
    else:
        chart = {
            "p": lambda: process.share_chart(count, n, adapted=False),
            "pp": lambda: process.share_chart(count, n),
            "u": lambda: process.rate_chart(count, n, adapted=False),
            "up": lambda: process.rate_chart(count, n),
            "c": lambda: process.count_chart(count),
            "i": lambda: process.xmr_chart(count, limit=3.0 / process.RANGE_TO_SIGMA),
        }[kind]()
        centre, lower, upper, outside = chart.centre, chart.lower, chart.upper, chart.signal == "outside"
    runs = process.run_test(value, centre)
    return {
        "value": value,
        "centre": centre,
        "lower_3sd": lower,
        "upper_3sd": upper,
        "signal_limits": outside,
        "runs_signal": bool(runs.signal),
        "n_useful": runs.n_useful,
        "longest_run": runs.longest_run,
        "longest_run_max": runs.longest_run_max,
        "crossings": runs.crossings,
        "crossings_min": runs.crossings_min,
    }


def _trend_proportion(i: Inputs) -> Result:
    found = trend.share_trend(i["numerator"], i["denominator"])
    return {"chi2": found.chi2, "p_value": found.p_value, "direction": "up" if found.direction > 0 else "down"}


def _trend_rate(i: Inputs) -> Result:
    found = trend.rate_trend(i["count"], i["population"])
    dispersion = float(found.dispersion)
    plain = float(found.standard_error) / np.sqrt(max(dispersion, 1.0))
    return {
        **_interval(found.ratio),
        "annual_rate_ratio": found.ratio.value,
        "se_log_rr": plain,
        "quasi_se_log_rr": plain * np.sqrt(dispersion),
        "dispersion": dispersion,
        "p_value": found.p_value,
    }


def _mann_kendall(i: Inputs) -> Result:
    found = trend.kendall_trend(i["values"])
    return {"S": found.s, "tau": found.tau, "p_value_exact": found.p_value}


def _sii(i: Inputs) -> Result:
    in_order = np.argsort(i["quantile"])
    found = inequality.slope_index(np.array(i["value"])[in_order], np.array(i["population"])[in_order])
    return {"sii": found.sii.value, "rii": found.rii.value, "intercept": found.intercept}


def _quantile_groups(i: Inputs) -> Result:
    group = inequality.quantile_groups(i["values"], i["n_quantiles"], highest_first=i["highest_value_is_group_1"])
    return {"group": group}


def _empirical_bayes_global(i: Inputs) -> Result:
    found = small_area.shrink_rates(i["count"], i["population"], i["multiplier"])
    return {
        "raw": np.array(i["count"]) / np.array(i["population"]) * i["multiplier"],
        "smoothed": found.rate.value,
        "prior_mean": found.prior_mean[0] * i["multiplier"],
        "prior_variance": found.prior_variance[0],
    }


def _morans_i(i: Inputs) -> Result:
    beside = [[k - 1 for k in row if k > 0] for row in i["neighbours_1based"]]
    found = small_area.morans_i(i["values"], beside)
    return {
        "I": found.i,
        "expectation": found.expectation,
        "variance_randomisation": found.variance,
        "z": found.z,
        "p_two_sided": found.p_value,
    }


def _did(found: effect.DifferenceInDifferences) -> Result:
    (control_pre, control_post), (treated_pre, treated_post) = found.cell_means
    return {
        "effect": found.effect.value,
        "se_cluster_unit": found.effect.standard_error,
        "ci_lower_t": found.effect.lower,
        "ci_upper_t": found.effect.upper,
        "n_obs": found.n_rows,
        "n_clusters": found.n_treated + found.n_controls,
        "cell_means": {
            "control_pre": control_pre,
            "control_post": control_post,
            "treated_pre": treated_pre,
            "treated_post": treated_post,
        },
    }


def _did_2x2(i: Inputs) -> Result:
    found = effect.did_2x2(i["y"], i["treated"], i["post"], i["unit"])
    return {**_did(found), "se_hc1": found.alternative_error}


def _did_twfe(i: Inputs) -> Result:
    found = effect.did_panel(i["y"], i["treated_now"], i["unit"], np.array(i["time"], dtype=int))
    return {**_did(found), "se_cluster_unit_fe_nested": found.alternative_error}


def _did_poisson(i: Inputs) -> Result:
    times = np.array(i["time"], dtype=int)
    found = effect.did_counts(i["count"], i["population"], i["treated_now"], i["unit"], times)
    return {
        "rate_ratio": found.effect.value,
        "log_rate_ratio": np.log(found.effect.value),
        "se_cluster_unit_no_small_sample": found.alternative_error,
    }


def _its_linear(i: Inputs) -> Result:
    first, lag = i["first_post_index_1based"] - 1, i["newey_west_lag"]
    found = effect.interrupted_series(i["y"], first, lag=lag)
    plain = effect.interrupted_series(i["y"], first, lag=lag, small_sample=False)
    check = effect.interrupted_series_ar1(i["y"], first)

    def errors(series: effect.InterruptedSeries) -> list[float]:
        parts = (series.intercept, series.pre_trend, series.level_change, series.trend_change)
        return [part.standard_error for part in parts]

    return {
        "intercept": found.intercept.value,
        "pre_trend": found.pre_trend.value,
        "level_change": found.level_change.value,
        "trend_change": found.trend_change.value,
        "se_ols": found.standard_errors_ols,
        "se_newey_west_adjusted": errors(found),
        "se_newey_west_unadjusted": errors(plain),
        "durbin_watson": found.durbin_watson,
        "counterfactual_last": found.counterfactual[-1],
        "effect_last": found.fitted[-1] - found.counterfactual[-1],
        "ar1_ml": {
            "phi": check.phi,
            "level_change": check.level_change,
            "trend_change": check.trend_change,
        },
    }


def _synthetic_control(i: Inputs) -> Result:
    donors = np.array(list(i["donors"].values()))
    n_pre = i["times"].index(i["first_post_time"])
    found = effect.synthetic_control(i["treated"], donors, n_pre)
    placebos = effect.placebo_test(i["treated"], donors, n_pre)
    return {
        "weights": dict(zip(i["donors"], found.weights, strict=True)),
        "rmspe_pre": found.rmspe_pre,
        "att_post_mean": found.effect,
        "gaps": found.gaps,
        "rmspe_ratio": found.ratio,
        "placebo_rank_of_treated": placebos.rank,
        "n_units": placebos.ratios.size,
    }


ADAPTERS: dict[str, Callable[[Inputs], Result]] = {
    "rate_ci": _rate_ci,
    "rate_ci_exact": _rate_ci_exact,
    "rate_ratio_exact": _rate_ratio_exact,
    "proportion_ci": _proportion_ci,
    "proportion_difference_test": _proportion_difference_test,
    "dsr": _dsr,
    "dsr_nonindependent": _dsr_nonindependent,
    "dsr_gamma": _dsr_gamma,
    "isr_ratio": _isr_ratio,
    "isr_rate": _isr_rate,
    "mean_ci": _mean_ci,
    "funnel_limits_proportion": _funnel_limits_proportion,
    "funnel_limits_ratio": _funnel_limits_ratio,
    "funnel_limits_rate": _funnel_limits_rate,
    "funnel_significance_proportion": _funnel_significance_proportion,
    "funnel_significance_rate": _funnel_significance_rate,
    "funnel_significance_ratio": _funnel_significance_ratio,
    "poisson_limit_exact": _poisson_limit_exact,
    "overdispersion": _overdispersion,
    "xmr": _xmr,
    "control_chart": _control_chart,
    "trend_proportion": _trend_proportion,
    "trend_rate": _trend_rate,
    "mann_kendall": _mann_kendall,
    "sii": _sii,
    "quantile_groups": _quantile_groups,
    "empirical_bayes_global": _empirical_bayes_global,
    "morans_i": _morans_i,
    "did_2x2": _did_2x2,
    "did_twfe": _did_twfe,
    "did_poisson": _did_poisson,
    "its_linear": _its_linear,
    "synthetic_control_outcomes_only": _synthetic_control,
    "stays": engine.stays,
    "date_overlap_groups": engine.date_overlap_groups,
    "readmission_dates": engine.readmission_dates,
    "acsc_nhs19": lambda i: engine.acsc_nhs19(i, FOLDER / "data" / "acsc_nhs19_definition.csv"),
}

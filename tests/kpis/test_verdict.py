from typing import get_args

import numpy as np
import pytest

from kpis import compare, dispersion, effect_report, process, rates, verdict

AREAS = 98


# --- the vocabulary ---------------------------------------------------------------------------------------


def test_every_verdict_has_its_own_id_icon_and_words() -> None:
    for field in ("id", "icon", "da", "en"):
        values = [getattr(entry, field) for entry in verdict.VOCABULARY]
        assert len(set(values)) == len(values), field
    assert len({reason.id for reason in verdict.REASONS}) == len(verdict.REASONS)


def test_the_normal_answers_are_calm() -> None:
    for name in ("as_expected", "no_signal", "cannot_tell", "not_assessed"):
        assert not verdict.BY_ID[name].shouts
        assert verdict.BY_ID[name].colour in ("calm", "muted")


def test_neutral_verdicts_have_neutral_colours_only() -> None:
    for name in ("higher", "much_higher", "lower", "much_lower", "rising", "falling"):
        assert verdict.BY_ID[name].colour.startswith("neutral")


# --- an area against its reference ------------------------------------------------------------------------


def _spread(*ratios: float) -> dispersion.Dispersion:
    """Areas with 400 events expected, of which the first have the given ratios and the others lie on the line."""
    observed = np.full(AREAS, 400.0)
    observed[: len(ratios)] = 400 * np.array(ratios)
    return dispersion.ratio_dispersion(observed, 400.0)


@pytest.mark.parametrize(
    ("better", "words"),
    [
        ("lower", ["much_better", "better", "as_expected", "worse", "much_worse"]),
        ("higher", ["much_worse", "worse", "as_expected", "better", "much_better"]),
        ("neither", ["much_lower", "lower", "as_expected", "higher", "much_higher"]),
    ],
)
def test_the_inner_limits_shade_and_only_the_outer_ones_shout(better: compare.Better, words: list[str]) -> None:
    found = verdict.judge_level(_spread(0.80, 0.89, 1.0, 1.11, 1.20), better)
    assert found.id[:5].tolist() == words
    assert found.shouts[:5].tolist() == [True, False, False, False, True]
    assert set(found.reason.tolist()) == {""}


def test_a_hundred_areas_that_differ_alike_are_as_expected_however_large_they_are() -> None:
    rng = np.random.default_rng(1)
    expected = rng.uniform(5e4, 5e5, AREAS)
    found = verdict.judge_level(
        dispersion.ratio_dispersion(expected * np.exp(rng.normal(0, 0.1, AREAS)), expected), "lower"
    )
    without = compare.ratio_category(expected * np.exp(rng.normal(0, 0.1, AREAS)), expected)
    assert (found.id == "as_expected").mean() > 0.75
    assert (without == "inside").mean() < 0.1


def test_an_area_in_which_a_halving_could_hide_is_not_called_as_expected() -> None:
    """(1 − 1.96/(2√E))² = ½ at E = 11.2."""
    found = verdict.judge_level(dispersion.ratio_dispersion([10.0, 13.0], [10.0, 13.0]), "lower")
    assert found.id.tolist() == ["cannot_tell", "as_expected"]
    assert found.reason.tolist() == ["too_small", ""]
    extreme = verdict.judge_level(dispersion.ratio_dispersion([30.0] + [13.0] * 50, [10.0] + [13.0] * 50), "lower")
    assert extreme.id[0] == "much_worse"


def test_what_is_not_shown_is_not_judged() -> None:
    rate = rates.direct_rate([[4, 3], [400, 300], [0, 0]], [[900, 900]] * 2 + [[0, 0]], [1, 1])
    found = verdict.judge_level(dispersion.ratio_dispersion([7.0, 700.0, 0.0], [8.0, 690.0, 0.0]), "lower", rate.status)
    assert found.id.tolist() == ["not_assessed", "as_expected", "not_assessed"]
    assert found.reason.tolist() == ["too_few", "", "undefined"]
    known = {reason.id for reason in verdict.REASONS}
    assert set(found.reason.tolist()) - {""} <= known


# --- how often chance shouts ------------------------------------------------------------------------------


def _country(seed: int, seeds: int) -> tuple[np.random.Generator, np.ndarray]:
    """Person-years of 98 municipalities as unlike in size as the Danish ones, 65 and over."""
    rng = np.random.default_rng(seed)
    sizes = np.clip(np.exp(rng.normal(9.0, 0.9, AREAS)), 700, 100_000)
    return rng, np.broadcast_to(sizes, (seeds, AREAS))


def _published(rng: np.random.Generator, counts: np.ndarray) -> np.ndarray:
    return 5 * np.floor(counts / 5 + rng.random(counts.shape))


@pytest.mark.parametrize("risk", [0.058, 0.004])
@pytest.mark.parametrize("repeats", [1.0, 2.0, 4.0])
def test_without_true_differences_at_most_one_verdict_in_twenty_shouts(risk: float, repeats: float) -> None:
    """Many seeds; rounded to base 5; and with the same citizens admitted again (variance `repeats` times chance)."""
    rng, people = _country(2, 300)
    mean = people * risk
    counts = rng.poisson(mean) if repeats == 1 else rng.negative_binomial(mean / (repeats - 1), 1 / repeats)
    counts = _published(rng, counts)
    expected = mean * counts.sum(axis=1, keepdims=True) / mean.sum(axis=1, keepdims=True)
    found = verdict.judge_level(dispersion.ratio_dispersion(counts, expected, extra_variance=4.0), "lower")
    assert found.shouts.mean() < 0.04
    assert (found.shouts.mean(axis=1) > 0.10).mean() < 0.01  # no seed to be ashamed of either
    if repeats == 1:
        assert found.shouts.mean() < 0.01
        shaded = np.isin(found.id, ["better", "worse"]).mean()
        assert shaded < 0.06


def test_shares_without_true_differences_hardly_shout() -> None:
    rng, people = _country(3, 300)
    trials = np.floor(people * 0.2)
    events = rng.binomial(trials.astype(int), 0.12)
    found = verdict.judge_level(dispersion.proportion_dispersion(events, trials), "lower")
    assert found.shouts.mean() < 0.01
    events, trials = np.minimum(_published(rng, events), trials), np.maximum(_published(rng, trials), 5)
    rounded = dispersion.proportion_dispersion(events, trials, extra_variance=4.0, extra_variance_trials=4.0)
    assert verdict.judge_level(rounded, "lower").shouts.mean() < 0.01


def test_standardised_rates_without_true_differences_hardly_shout() -> None:
    rng, people = _country(4, 100)
    ages, risk, weights = rng.dirichlet([30, 20, 15, 10, 5], AREAS), np.array([2, 4, 7, 10, 15]) / 100, [5, 4, 3, 2, 1]
    person_years = people[..., None] * ages
    events = rng.poisson(person_years * risk)
    rate = rates.direct_rate(events, person_years, weights)
    national = rates.direct_rate(events.sum(axis=1), person_years.sum(axis=1), weights).value
    counted = events.sum(axis=-1)
    expected = counted * national[:, None] / rate.value  # as `kpis.assess` has it
    found = verdict.judge_level(dispersion.ratio_dispersion(counted, expected), "lower", rate.status)
    assert found.shouts.mean() < 0.01


def test_a_true_difference_is_seen() -> None:
    rng, people = _country(5, 100)
    mean = people * 0.058
    truth = np.ones(AREAS)
    truth[:5] = 1.5
    counts = rng.poisson(mean * truth)
    found = verdict.judge_level(dispersion.ratio_dispersion(counts, mean), "lower")
    assert (found.id[:, :5] == "much_worse").mean() > 0.9


def test_unchanged_series_hardly_ever_change() -> None:
    rng = np.random.default_rng(6)
    months = rng.poisson(40, (3000, 36))
    assert verdict.judge_change(process.rate_chart(months, 1000.0), "lower").shouts.mean() < 0.035
    rounded = process.rate_chart(_published(rng, months), 1000.0)
    assert verdict.judge_change(rounded, "lower").shouts.mean() < 0.05


# --- an area against its past, its goal -------------------------------------------------------------------


def test_change_is_read_from_the_newest_month_that_is_not_provisional() -> None:
    calm = [9.0, 11] * 10
    values = np.array([[*calm, 30.0, 0.0], [*calm, 10.0, 0.0], [np.nan] * 22, [np.nan] * 17 + [9.0, 11, 9, 30, 1]])
    is_provisional = np.arange(22) == 21
    chart = process.xmr_chart(values, provisional=is_provisional)
    found = verdict.judge_change(chart, "lower")
    assert found.id.tolist() == ["worsening", "no_signal", "not_assessed", "cannot_tell"]
    assert found.reason.tolist() == ["", "", "no_data", "few_points"]
    assert verdict.judge_change(chart, "higher").id[0] == "improving"
    assert verdict.judge_change(chart, "neither").id[0] == "rising"


def test_every_word_and_reason_that_is_given_stands_in_the_vocabulary() -> None:
    rng = np.random.default_rng(7)
    given, reasons = set(), set()
    for better in ("lower", "higher", "neither"):
        counts = rng.poisson(50, (40, AREAS)) * np.exp(rng.normal(0, 0.5, (40, AREAS)))
        expected = rng.choice([0.0, 5.0, 50.0], counts.shape)
        for found in (
            verdict.judge_level(dispersion.ratio_dispersion(counts, expected), better),  # type: ignore[arg-type]
            verdict.judge_change(process.xmr_chart(counts), better),  # type: ignore[arg-type]
        ):
            given |= set(found.id.ravel().tolist())
            reasons |= set(found.reason.ravel().tolist())
    given |= set(get_args(effect_report.Verdict))
    assert given <= verdict.BY_ID.keys()
    assert reasons <= {reason.id for reason in verdict.REASONS} | {""}
    assert len(given) > 10

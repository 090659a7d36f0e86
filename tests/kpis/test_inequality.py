import numpy as np
import pytest
import statsmodels.api as sm

from kpis import inequality


def test_ten_areas_fall_into_five_pairs_and_the_highest_come_first() -> None:
    values = [50.0, 10, 90, 30, 70, 20, 100, 40, 80, 60]
    assert inequality.quantile_groups(values, 5).tolist() == [3, 5, 1, 4, 2, 5, 1, 4, 2, 3]
    assert inequality.quantile_groups(values, 5, highest_first=False)[1] == 1


def test_equal_values_share_a_group_and_too_few_areas_have_none() -> None:
    groups = inequality.quantile_groups([1.0, 1, 1, 1, 5, np.nan], 2)
    assert len(set(groups[:4].tolist())) == 1
    assert np.isnan(groups[5])
    assert np.isnan(inequality.quantile_groups([1.0, 2, 3], 5)).all()


def test_slope_index_is_a_weighted_regression_on_the_ridit() -> None:
    people, values = np.array([10.0, 30, 20, 25, 15]), np.array([70.0, 64, 66, 55, 50])
    share = people / people.sum()
    ridit = np.cumsum(share) - share / 2
    model = sm.WLS(values, sm.add_constant(ridit), weights=people).fit()
    found = inequality.slope_index(values, people)
    assert float(found.sii.value) == pytest.approx(model.params[1])
    assert float(found.intercept) == pytest.approx(model.params[0])
    assert float(found.rii.value) == pytest.approx(model.params.sum() / model.params[0])


def test_no_inequality_is_a_slope_of_0_and_a_ratio_of_1() -> None:
    found = inequality.slope_index([50.0] * 5, [1, 2, 3, 4, 5])
    assert found.sii.value == pytest.approx(0.0, abs=1e-12)
    assert found.rii.value == pytest.approx(1.0)


def test_four_groups_are_too_few_for_a_slope() -> None:
    assert inequality.slope_index([1.0, 2, 3, 4], 10).sii.status == "undefined"
    assert inequality.slope_index([1.0, 2, 3, 4, np.nan], 10).rii.status == "undefined"


def test_limits_cover_the_true_slope() -> None:
    rng = np.random.default_rng(1)
    truth = np.array([60.0, 57, 54, 51, 48])  # on the line: SII = −15
    hits = []
    for _ in range(60):
        found = inequality.slope_index(rng.normal(truth, 2.0), 1.0, 2.0)
        hits.append(found.sii.lower <= -15 <= found.sii.upper)
    # 60 trials of a 95 % interval: 53 or more hits in 99 of 100 such tests, and the seed is fixed.
    assert sum(hits) >= 53
    exact = 1.959964 * 2.0 / np.sqrt(5 * 0.08)
    assert found.sii.upper - found.sii.value == pytest.approx(exact, rel=0.02)

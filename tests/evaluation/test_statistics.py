import math

import numpy as np
import pytest
from scipy import stats

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.statistics import (
    confidence_ellipse,
    interquartile_mean,
    paired_difference,
    stratified_bootstrap,
    summarize,
)


def test_interval_is_students():
    values = [1.0, 2.0, 4.0, 8.0]
    found = summarize(values)
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert found.ci95 == pytest.approx(expected)
    assert found.mean == 3.75
    assert found.std == pytest.approx(np.std(values, ddof=1))


def test_one_value_has_no_interval():
    assert summarize([3.0]).ci95 is None
    assert summarize([3.0]).std is None


def test_paired_difference_is_the_paired_t_test():
    a, b = [1.0, 2.5, 2.0, 5.0], [0.5, 2.0, 2.2, 4.0]
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    found = paired_difference(a, b)
    assert found.ci95 == pytest.approx((expected.low, expected.high))


def test_pairing_cancels_what_seeds_share():
    shared = np.random.default_rng(0).normal(0, 100, 10)
    found = paired_difference(shared + 1.0, shared)
    assert found.ci95 == pytest.approx((1.0, 1.0))


def test_unequal_lengths_are_refused():
    with pytest.raises(UserError, match="3 and 2"):
        paired_difference([1, 2, 3], [1, 2])


def test_interquartile_mean_drops_a_quarter_of_each_end():
    assert interquartile_mean([-1000.0, 1.0, 3.0, 1000.0]) == 2.0


def test_bootstrap_interval_of_normal_data_is_near_the_closed_form():
    values = np.random.default_rng(1).normal(5.0, 1.0, 400)
    low, high = stratified_bootstrap([values[:200], values[200:]], resamples=1000)
    # The standard error of the 25 % trimmed mean of a normal sample is about 1.093 / sqrt(n).
    assert low < interquartile_mean(values) < high
    assert high - low == pytest.approx(2 * 1.96 * 1.093 / math.sqrt(400), rel=0.15)


def test_bootstrap_resamples_each_stratum_by_itself():
    low, high = stratified_bootstrap([[0.0] * 4, [10.0] * 4])
    assert low == high == 5.0


def test_ellipse_of_hotelling():
    points = np.random.default_rng(2).normal(size=(50, 2)) @ np.diag([3.0, 1.0])
    lengths, directions = confidence_ellipse(points)
    mean, covariance = points.mean(0), np.cov(points, rowvar=False)
    limit = 2 * 49 / 48 * stats.f.ppf(0.95, 2, 48)
    for length, direction in zip(lengths, directions.T, strict=True):
        edge = length * direction
        assert 50 * edge @ np.linalg.solve(covariance, edge) == pytest.approx(limit)
    assert abs(directions[0, 1]) > 0.9  # the long axis lies along the first coordinate
    assert mean.shape == (2,)


def test_ellipse_covers_the_true_mean_in_95_percent():
    rng, hits = np.random.default_rng(3), 0
    for _ in range(1000):
        points = rng.normal(size=(6, 2))
        lengths, directions = confidence_ellipse(points)
        hits += bool((((-points.mean(0)) @ directions / lengths) ** 2).sum() <= 1.0)
    assert 0.93 < hits / 1000 < 0.97


def test_ellipse_needs_four_points():
    assert confidence_ellipse(np.eye(3, 2)) is None

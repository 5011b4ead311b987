import math

import numpy as np
import pytest
from scipy import stats

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.statistics import (
    FEWEST_TO_RESAMPLE,
    confidence_ellipse,
    interquartile_mean,
    max_min_test,
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


def test_intervals_of_bounded_metrics_stay_inside_and_hold_the_mean():
    low, high = summarize([0.9, 1.0, 0.4], (0.0, 1.0)).ci95
    assert 0.0 < low < 0.9 < high < 1.0 and summarize([0.9, 1.0, 0.4]).ci95[1] > 1.0
    far = summarize([0.2, 0.3, 0.9], (-1.0, 1.0)).ci95
    assert -1.0 < far[0] < 0.4667 < far[1] < 1.0
    assert summarize([0.0] * 3, (0.0, 1.0)).ci95 == (0.0, 0.0)
    assert summarize([2.0, 3.0], (0.0, 1.0)) == summarize([2.0, 3.0])  # a unit that does not say the truth


def test_shares_of_samples_are_known_no_better_than_the_samples_say():
    low, high = summarize([0.0] * 3, (0.0, 1.0), 500).ci95
    assert (low, high) == pytest.approx((0.0, 1 - 0.025 ** (1 / 1500)))
    exact = stats.binomtest(60, 100).proportion_ci(0.95, "exact")
    assert summarize([0.6] * 2, (0.0, 1.0), 50).ci95 == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(
    ("share", "spread"), [(0.002, 0.0), (0.02, 0.01), (0.1, 0.1), (0.5, 0.3), (0.95, 0.01)]
)
def test_intervals_of_shares_cover_95_percent_where_students_do_not(seeds, share, spread):
    """Beta-binomial: seeds differ by an intraclass correlation of ``spread``."""
    rng, hits, students = np.random.default_rng(4), 0, 0
    each = np.full((300, seeds), share)
    if spread:
        size = 1 / spread - 1
        each = rng.beta(share * size, (1 - share) * size, each.shape)
    for values in rng.binomial(200, each) / 200:
        low, high = summarize(values, (0.0, 1.0), 200).ci95
        hits += low <= share <= high
        low, high = summarize(values).ci95
        students += low <= share <= high
    assert hits / 300 > 0.93
    assert hits >= students


def test_a_difference_of_shares_is_at_most_1():
    assert paired_difference([1.0, 0.9], [0.0, 0.2], (0.0, 1.0)).ci95[1] == 1.0
    assert paired_difference([1.0, 0.9], [0.0, 0.2]).ci95[1] > 1.0


def test_the_gap_of_best_and_worst_knows_that_they_were_chosen():
    """False alarms among settings that are all alike: at most 5 %, where the paired t-test has over 12 %."""
    rng, alarms, naive = np.random.default_rng(5), 0, 0
    for trial in range(300):
        rows = rng.normal(size=(5, 4)) + rng.normal(size=4)
        alarms += max_min_test(rows, seed=trial, relabelings=399) <= 0.05
        order = rows.mean(1).argsort()
        naive += paired_difference(rows[order[-1]], rows[order[0]]).ci95[0] > 0
    assert alarms / 300 < 0.08 < 0.12 < naive / 300


def test_a_gap_that_is_there_is_found():
    rows = np.random.default_rng(6).normal(size=(5, 4)) + np.arange(5)[:, None] * 2
    assert max_min_test(rows) < 0.01


def test_too_few_rows_and_seeds_are_said_to_be_too_few():
    assert max_min_test([[0.0] * 5, [9.0] * 5]) is None
    assert max_min_test([[0.0] * 6, [9.0] * 6]) == pytest.approx(2 / 64, abs=0.01)
    assert max_min_test([[1.0] * 6, [1.0] * 6]) == 1.0


def test_the_bootstrap_covers_far_less_than_it_says_below_the_limit():
    rng, hits = np.random.default_rng(7), {3: 0, 10: 0}
    for seeds in hits:
        for trial in range(200):
            low, high = stratified_bootstrap([rng.normal(size=seeds)], resamples=300, seed=trial)
            hits[seeds] += low <= 0.0 <= high
    assert hits[3] / 200 < 0.8 and hits[10] / 200 > 0.88
    assert 3 < FEWEST_TO_RESAMPLE <= 10

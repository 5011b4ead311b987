"""The membership AUC against scikit-learn, with and without ties."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from unlearn_gym.metrics.privacy import (
    exact_interval,
    false_positive_rate,
    mann_whitney_auc,
    max_confidence,
    tpr_at_fpr,
)


@pytest.mark.parametrize("decimals", [0, 1, 2, 16])
@pytest.mark.parametrize("seed", range(5))
def test_auc_is_scikit_learns(seed, decimals):
    rng = np.random.default_rng(seed)
    members = rng.beta(3, 1, size=37).round(decimals)
    others = rng.beta(2, 1, size=21).round(decimals)
    truth = np.r_[np.ones(37), np.zeros(21)]
    expected = roc_auc_score(truth, np.r_[members, others])
    assert mann_whitney_auc(members, others) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("members", "others", "auc"),
    [
        ([0.9, 0.8], [0.1, 0.2], 1.0),
        ([0.1, 0.2], [0.9, 0.8], 0.0),
        ([0.5, 0.5], [0.5, 0.5], 0.5),
        ([0.5], [0.5, 0.1], 0.75),
    ],
)
def test_auc_by_hand(members, others, auc):
    assert mann_whitney_auc(np.array(members), np.array(others)) == auc


def test_auc_of_nothing_is_not_a_number():
    assert math.isnan(mann_whitney_auc(np.array([]), np.array([0.5])))
    assert math.isnan(mann_whitney_auc(np.array([0.5]), np.array([])))
    assert math.isnan(mann_whitney_auc(np.array([np.nan]), np.array([0.5])))


def test_max_confidence():
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0], [1000.0, 0.0]])
    assert max_confidence(logits).tolist() == pytest.approx([0.5, 0.75, 1.0])


@pytest.mark.parametrize(("m", "rate"), [(20, 0.05), (45, 1 / 45), (100, 0.01), (500, 0.01)])
def test_one_percent_needs_a_hundred(m, rate):
    assert false_positive_rate(m) == pytest.approx(rate)


@pytest.mark.parametrize("m", [20, 45, 100, 330])
def test_the_true_positive_rate_is_that_of_the_roc_curve(m):
    rng = np.random.default_rng(m)
    members, others = rng.normal(1.5, 1, 80), rng.normal(0, 1, m)
    wrong, right, _ = roc_curve(
        np.r_[np.ones(80), np.zeros(m)], np.r_[members, others], drop_intermediate=False
    )
    best = right[wrong <= false_positive_rate(m) + 1e-12].max()
    assert tpr_at_fpr(members, others) == best
    low, high = exact_interval(best, 80)
    assert low < best < high


def test_scores_without_a_difference_tell_nobody():
    assert tpr_at_fpr(np.zeros(30), np.zeros(45)) == 0.0
    assert exact_interval(0.0, 45)[1] == pytest.approx(1 - 0.025 ** (1 / 45))
    assert math.isnan(tpr_at_fpr(np.array([]), np.zeros(3)))
    assert all(math.isnan(end) for end in exact_interval(math.nan, 3))

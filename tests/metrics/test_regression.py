"""R² and Fair R² against scikit-learn and hand-made cases."""

import math

import pytest
import torch
from sklearn.metrics import r2_score

from unlearn_gym.errors import UserError
from unlearn_gym.metrics.regression import r2, regression_scores

TARGETS = torch.tensor([0.0, 1.0, 2.0, 3.0])  # SS_tot = 5


def test_r2_is_scikit_learns():
    generator = torch.Generator().manual_seed(0)
    targets, predictions = torch.randn(2, 100, generator=generator)
    assert r2(targets, predictions) == pytest.approx(r2_score(targets.numpy(), predictions.numpy()), rel=1e-5)


def test_perfect_on_wanted_and_far_from_unwanted():
    scores = regression_scores(TARGETS, TARGETS, TARGETS, TARGETS + 100)
    assert scores.r2_wanted == 1 and scores.fair_r2 == pytest.approx(1)
    assert scores.r2_exp == pytest.approx(0)


def test_following_the_unwanted_points_is_worth_nothing():
    scores = regression_scores(TARGETS, TARGETS, TARGETS, TARGETS)
    assert (scores.r2_unwanted, scores.r2_exp, scores.fair_r2) == (1, 1, 0)


def test_by_hand():
    # wanted: SS_res = 1, R² = 0.8; unwanted: every prediction 1 off, SS_res/SS_tot = 4/5
    scores = regression_scores(TARGETS, TARGETS + torch.tensor([1.0, 0, 0, 0]), TARGETS, TARGETS + 1)
    assert scores.r2_wanted == pytest.approx(0.8) and scores.r2_unwanted == pytest.approx(0.2)
    assert scores.r2_exp == pytest.approx(math.exp(-0.8))
    assert scores.fair_r2 == pytest.approx(0.8 * (1 - math.exp(-0.8)))


def test_a_wanted_fit_worse_than_the_mean_counts_as_nothing():
    assert regression_scores(TARGETS, TARGETS + 50, TARGETS, TARGETS + 50).fair_r2 == 0


def test_bad_input():
    with pytest.raises(UserError, match="All targets"):
        r2(torch.ones(3), torch.zeros(3))
    with pytest.raises(UserError, match="one each"):
        r2(TARGETS, TARGETS[:2])

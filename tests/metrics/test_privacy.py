"""The membership AUC against scikit-learn, with and without ties."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from unlearn_gym.metrics.privacy import mann_whitney_auc, max_confidence


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

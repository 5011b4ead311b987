"""Accuracy, divergence and the benchmark's score on hand-made cases."""

import math

import pytest
import torch

from unlearn_gym.metrics.classification import accuracy, mean_kl, unlearn_score


def test_accuracy():
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 5.0]])
    assert accuracy(logits, torch.tensor([0, 1, 1, 1])) == 0.75
    assert accuracy(torch.full((2, 3), math.nan), torch.tensor([0, 0])) == 0.0
    assert math.isnan(accuracy(logits[:0], torch.tensor([], dtype=torch.int64)))


def test_mean_kl_by_hand():
    reference = torch.log(torch.tensor([[0.5, 0.5], [0.5, 0.5]]))
    logits = torch.log(torch.tensor([[0.25, 0.75], [0.5, 0.5]]))
    expected = 0.5 * (0.5 * math.log(2.0) + 0.5 * math.log(2.0 / 3.0))
    assert mean_kl(reference, logits) == pytest.approx(expected, abs=1e-7)
    assert mean_kl(logits, logits + 7.0) == pytest.approx(0.0, abs=1e-12)


def test_unlearn_score_is_the_benchmarks():
    assert unlearn_score(1.0, 0.0, 0.0) == 1.0
    assert unlearn_score(0.909, 0.003, 0.420) == pytest.approx(0.829, abs=5e-4)  # the best published CIFAR-10

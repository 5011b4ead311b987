import pytest
import torch

from unlearn_gym.metrics.concepts import balance, class_accuracy, share_called


def logits(calls, concepts=3):
    return torch.nn.functional.one_hot(torch.tensor(calls), concepts).float()


def test_shares():
    assert share_called(logits([2, 2, 1, 0]), 2) == 0.5


def test_class_accuracy_weighs_labels_equally():
    labels = torch.tensor([0, 0, 0, 1])
    assert class_accuracy(logits([0, 0, 1, 1]), labels) == pytest.approx((2 / 3 + 1) / 2)


def test_balance():
    assert balance(0.0, 1.0, 1.0) == 1.0
    assert balance(0.5, 0.25, 1.0) == pytest.approx(0.5)
    assert balance(0.1, 0.0, 0.9) == 0.0

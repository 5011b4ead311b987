"""A classifier of the package as a judge: what it says of classes that it is sure of, not sure of, and of wrecks."""

import pytest
import torch

from unlearn_gym.errors import UserError
from unlearn_gym.models import store
from unlearn_gym.models.diffusion.judges import ClassJudge, shipped_judge
from unlearn_gym.models.networks.resnet20 import ResNet20
from unlearn_gym.models.threads import seeded_weights


@pytest.fixture
def judge():
    """Two features are the logits of two of three classes."""
    with seeded_weights(0):
        network = ResNet20(3, 3)
    with torch.no_grad():
        network.head.weight.zero_()[:2, :2] = torch.eye(2)
        network.head.bias.zero_()
    return ClassJudge(network).eval()


def test_a_sure_class_keeps_its_probabilities_and_an_unsure_image_shows_none(judge):
    features = torch.zeros(4, 64)
    features[1, 0], features[2, 1], features[3, 0] = 5.0, float("nan"), float("inf")
    logits = judge.classify(features)
    assert logits.argmax(1).tolist() == [3, 0, 3, 3] and logits.isfinite().all()
    expected = torch.tensor([5.0, 0.0, 0.0]).softmax(0)
    torch.testing.assert_close(logits[1].softmax(0), torch.cat([expected, torch.zeros(1)]))


def test_the_shipped_one_needs_no_data_and_is_the_benchmarks_network(tmp_path, monkeypatch):
    monkeypatch.delenv("UNLEARN_GYM_DATA", raising=False)
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path))
    judge = shipped_judge()
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        assert judge.features(images).shape == (3, 64) and judge(images).shape == (3, 11)
        torch.testing.assert_close(judge(images)[:, :10], judge.network(images).log_softmax(1))
    assert not judge.training and not list(tmp_path.iterdir())


def test_a_kind_that_is_not_there_or_damaged_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="has 0 whole folders nothing-…; install the package again"):
        store.shipped("nothing")
    monkeypatch.setattr(store, "SHIPPED", tmp_path)
    (tmp_path / "resnet20-cifar10-original-0").mkdir()
    with pytest.raises(UserError, match="has 0 whole folders"):
        shipped_judge()

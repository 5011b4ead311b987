"""The quality of Experiment A's models, on the real images; skipped where there are none."""

import pytest
import torch

from tests.real_trousers import point_to_images, task_with_models
from unlearn_gym.models.diffusion.sampling import sample

pytestmark = pytest.mark.slow


@pytest.fixture
def task(monkeypatch):
    point_to_images(monkeypatch)
    return task_with_models()


def called(classifier, images):
    with torch.no_grad():
        return torch.cat([classifier(part).argmax(1) for part in images.split(500)])


def drawn(task, model, labels):
    noise = torch.randn(len(labels), 1, 28, 28, generator=torch.Generator().manual_seed(1))
    return called(task.concepts(), sample(model.unet, model.scheduler, labels, noise, steps=20))


def test_the_classifier_knows_images_it_never_saw(task):
    data, classifier = task.data, task.concepts()
    digits = called(classifier, data.retain_holdout.inputs) == data.retain_holdout.labels
    assert digits.float().mean() >= 0.99
    assert (called(classifier, data.forget_holdout.inputs) == 10).float().mean() >= 0.95


def test_the_original_draws_trousers_under_1_and_the_retrained_none(task):
    ones = torch.ones(200, dtype=torch.int64)
    rate = (drawn(task, task.original(), ones) == 10).float().mean()
    assert 0.05 <= rate <= 0.25  # 9 % of the label's images, and 0.02 to 0.03 of chance
    assert (drawn(task, task.retrained(), ones) == 10).float().mean() <= 0.01


def test_the_other_classes_are_recognised(task):
    labels = torch.tensor([digit for digit in range(10) if digit != 1]).repeat(20)
    assert (drawn(task, task.original(), labels) == labels).float().mean() >= 0.9

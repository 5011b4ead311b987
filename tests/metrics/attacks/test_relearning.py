"""Relearning on small networks."""

import math

import pytest
import torch

from tests.processes.small import small_data, small_process
from unlearn_gym.metrics.attacks.relearning import (
    MORE,
    UPDATES,
    classification,
    denoising,
    relearn,
    relearn_auc,
    relearn_steps,
)
from unlearn_gym.models.diffusion.model import default_scheduler


def attack(source, seed=0):
    model, data = small_process().model.float(), small_data("mixed")
    generator = torch.Generator().manual_seed(seed)
    loss = denoising(default_scheduler(), conditional=True)
    found = [
        (n, torch.cat([p.detach().flatten().clone() for p in copied.parameters()]))
        for n, copied in relearn(model, loss, data.retain, data.forget, source, generator)
    ]
    return model, found


@pytest.mark.parametrize("source", ["mixed", "retain", "forget"])
def test_the_model_is_left_alone_and_the_seed_decides(source):
    model, found = attack(source)
    before = torch.cat([p.detach().flatten() for p in small_process().model.float().parameters()])
    assert torch.equal(torch.cat([p.detach().flatten() for p in model.parameters()]), before)
    assert [n for n, _ in found] == list(UPDATES)
    assert torch.equal(found[-1][1], attack(source)[1][-1][1])
    assert not torch.equal(found[-1][1], attack(source, seed=1)[1][-1][1])
    assert (found[0][1] - before).abs().max() == pytest.approx(2e-4, rel=1e-2)  # a new Adam's first step


def test_the_area_and_the_first_half():
    rates = dict(zip(UPDATES, (0.0, 0.0, 0.1, 0.2, 0.3, 0.4), strict=True))
    assert relearn_auc(rates, 0.4) == pytest.approx(1.0 / 6 / 0.4)
    assert relearn_steps(rates, 0.4) == 10
    assert relearn_steps(rates, 0.9) == MORE
    assert relearn_steps({0: 0.2, **rates}, 0.4) == 0
    assert math.isnan(relearn_auc(rates, 0.0)) and math.isnan(relearn_steps(rates, 0.0))


def test_a_classifier_relearns_by_cross_entropy():
    data = small_data("mixed")
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3), torch.nn.BatchNorm1d(3)).eval()
    generator = torch.Generator().manual_seed(0)
    for _, copied in relearn(model, classification, data.retain, data.forget, "forget", generator, 0.05):
        assert not copied.training and not model.training
    assert (copied(data.forget.inputs).argmax(1) == data.forget.labels).all()
    assert not torch.equal(copied[2].running_mean, model[2].running_mean)  # fine-tuned as it was trained

"""Relearning and rounding on a small network."""

import math

import pytest
import torch

from tests.processes.small import small_data, small_process
from unlearn_gym.metrics.relearning import UPDATES, relearn, relearn_auc, relearn_steps, rounded
from unlearn_gym.models.diffusion.model import default_scheduler


def attack(source, seed=0):
    model, data = small_process().model.float(), small_data("mixed")
    generator = torch.Generator().manual_seed(seed)
    found = [
        (n, torch.cat([p.detach().flatten().clone() for p in copied.parameters()]))
        for n, copied in relearn(model, default_scheduler(), data.retain, data.forget, source, generator)
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
    assert relearn_steps(rates, 0.9) == math.inf
    assert math.isnan(relearn_auc(rates, 0.0)) and math.isnan(relearn_steps(rates, 0.0))


@pytest.mark.parametrize("bits, values", [(8, 255), (4, 15), (2, 3)])
def test_rounded_weights_lie_on_a_grid(bits, values):
    model = torch.nn.Linear(40, 40)
    found = rounded(model, bits)
    for before, after in zip(model.parameters(), found.parameters(), strict=True):
        step = before.abs().max() / (2 ** (bits - 1) - 1)
        assert len(after.unique()) <= values
        assert (after - before).abs().max() <= step / 2 * (1 + 1e-5)
    assert torch.equal(
        rounded(torch.nn.Linear(1, 1).requires_grad_(False), 8).weight.isfinite(), torch.ones(1, 1) > 0
    )

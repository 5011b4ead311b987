"""A stack of processes moves as single ones do."""

from dataclasses import astuple

import numpy as np
import pytest
import torch

from tests.processes.small import small_process
from unlearn_gym.objectives import DIFFUSION_OBJECTIVES
from unlearn_gym.processes.common.optimizers import OPTIMIZERS
from unlearn_gym.processes.stacked.diffusion import StackedDiffusion

SEEDS = (11, 12)


def single(seed, **settings):
    process = small_process(**settings)
    process.reset(np.random.default_rng(seed))
    return process


def stack(**settings):
    found = StackedDiffusion(small_process(**settings), len(SEEDS))
    found.restart({i: found.start(np.random.default_rng(seed)) for i, seed in enumerate(SEEDS)})
    return found


@pytest.mark.parametrize("state", ["fresh", "lagged"])
@pytest.mark.parametrize("objective", DIFFUSION_OBJECTIVES)
def test_equal_to_single_processes_with_labels(objective, state):
    settings = {"objective": objective, "state": state, "labels": "mixed"}
    many, each = stack(**settings), [single(seed, **settings) for seed in SEEDS]
    for lams in ((0.5, 0.2), (0.0, 1.0), (0.3, 0.9)):
        many.update(lams)
        for i, (process, lam) in enumerate(zip(each, lams, strict=True)):
            assert astuple(many.updates[i]) == pytest.approx(astuple(process.update(lam)), rel=1e-6, abs=1e-8)
            assert astuple(many.signals[i]) == pytest.approx(astuple(process.observe()), rel=1e-6, abs=1e-8)
            assert astuple(many.quality(i)) == pytest.approx(astuple(process.quality()), rel=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(optimizer):
    settings = {"optimizer": optimizer, "learning_rate": 1e-3}
    many, each = stack(**settings), [single(seed, **settings) for seed in SEEDS]
    for _ in range(3):
        many.update((0.4, 0.6))
        each[0].update(0.4)
        each[1].update(0.6)
    for row, process in zip(many.weights, each, strict=True):
        flat = torch.cat([p.detach().flatten() for p in process.model.parameters()])
        torch.testing.assert_close(row.detach(), flat, rtol=1e-6, atol=1e-8)


def test_restart_of_one_leaves_the_other():
    many = stack(optimizer="adam")
    many.update((0.4, 0.6))
    other, before = many.weights[1].detach().clone(), many.signals[1]
    many.restart({0: many.start(np.random.default_rng(5))})
    assert torch.equal(many.weights[1], other)
    assert astuple(many.signals[1]) == pytest.approx(astuple(before))
    assert torch.equal(many.weights[0], many.network.original)
    assert all(not moment[0].any() for moment in many._rule.moments)

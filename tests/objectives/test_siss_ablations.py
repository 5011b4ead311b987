"""SISS without importance sampling, and its Bernoulli mixture."""

import numpy as np
import pytest
import torch

from tests.processes.small import small_process
from unlearn_gym.objectives.base import Draw
from unlearn_gym.objectives.importance import DISJOINT
from unlearn_gym.objectives.siss import SISS
from unlearn_gym.objectives.siss_ablations import Bernoulli, SISSWithoutSampling

LAMBDAS = (0.0, 0.1, 0.5, 0.9, 1.0)


def weights_after(objective, labels, lambdas=(0.3, 0.7, 0.5)):
    process = small_process(objective=objective, labels=labels)
    process.reset(np.random.default_rng(0))
    for lam in lambdas:
        process.update(lam)
    return torch.cat([p.detach().flatten() for p in process.model.parameters()])


def test_bernoulli_is_siss_to_the_last_bit_where_densities_do_not_overlap():
    assert torch.equal(weights_after("siss", "different"), weights_after("bernoulli", "different"))
    assert not torch.equal(weights_after("siss", "none"), weights_after("bernoulli", "none"))


def test_bernoulli_differs_on_overlapping_rows_only():
    apart = torch.tensor([DISJOINT, DISJOINT, 1.0, 1.0])  # the last two pairs overlap
    draw = Draw(torch.tensor([0.2, 0.8, 0.2, 0.8]), -apart, apart)
    plain, own = SISS().weights(0.5, draw), Bernoulli().weights(0.5, draw)
    same = (plain.retain == own.retain) & (plain.forget == own.forget)
    assert same.view(2, 4)[:, :2].all()
    assert not same.view(2, 4)[:, 2:].all(0).any()


@pytest.mark.parametrize("lam", (0.1, 0.5, 0.9))
def test_bernoulli_is_unbiased(lam):
    uniform = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    nothing = torch.zeros_like(uniform)
    weights = Bernoulli().weights(lam, Draw(uniform, nothing, nothing))
    retain, forget = weights.retain.view(2, -1).mean(1), weights.forget.view(2, -1).mean(1)
    assert retain.tolist() == pytest.approx([1, 0]) and forget.tolist() == pytest.approx([0, 1])
    assert float(weights.score.mean()) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", ["bernoulli", "siss_no_is"])
@pytest.mark.parametrize("lam", LAMBDAS)
def test_an_empty_side_is_a_finite_update(name, lam):
    process = small_process(objective=name)
    process.reset(np.random.default_rng(0))
    update = process.update(lam)
    assert not update.diverged
    if name == "bernoulli" and lam == 0.0:
        assert update.forget_term == 0.0
    if name == "bernoulli" and lam == 1.0:
        assert update.retain_term == 0.0


def test_without_sampling_lambda_plays_no_part():
    runs = [weights_after("siss_no_is", "mixed", (lam, lam)) for lam in LAMBDAS]
    assert all(torch.equal(runs[0], run) for run in runs[1:])
    weights = SISSWithoutSampling().weights(0.3, Draw(*torch.zeros(3, 2)))
    assert weights.retain.tolist() == [1, 1, 0, 0] and weights.forget.tolist() == [0, 0, 1, 1]

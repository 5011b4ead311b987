"""A dampened start (SSD): what is selected, how far it is multiplied, and that the original stays the reference."""

import math

import numpy as np
import pytest
import torch

from tests.processes.small import small_process
from unlearn_gym.envs.rewards import ProgressReward
from unlearn_gym.errors import UserError
from unlearn_gym.processes.common.dampening import Dampening, dampen, mean_square
from unlearn_gym.processes.stacked.choice import NotStackable, make_stack

BOUND = 19 / 7
STEPS = [50 + 100 * i for i in range(10)]


def started(start, seed=0, **settings):
    process = small_process(start=start, **settings)
    process.reset(np.random.default_rng(seed))
    return process


@pytest.fixture(autouse=True)
def few_examples(monkeypatch):
    monkeypatch.setattr("unlearn_gym.processes.diffusion.IMPORTANCE_EXAMPLES", 24)


@pytest.mark.parametrize(
    ("word", "numbers"),
    [("ssd", (10, 1)), ("ssd:2", (2, 1)), ("ssd:2:0.5", (2, 0.5)), ("ssd:inf:inf", (math.inf, math.inf))],
)
def test_words(word, numbers):
    assert Dampening.of(word) == Dampening(*numbers)


@pytest.mark.parametrize(
    "word", ["", "ssd:", "ssd:0", "ssd:1:-1", "ssd:nan", "ssd:1:2:3", "ssd:ten", "salun:10"]
)
def test_other_words_get_one_sentence(word):
    with pytest.raises(UserError, match=r"such as ssd:10:1\.$"):
        small_process(start=word)


def importance(process, part, rows, steps):
    """Return the mean squared gradient of single images, by hand."""
    generator, total = torch.Generator().manual_seed(0), 0
    for row, step in zip(rows, steps, strict=True):
        image, label = part.inputs[row : row + 1], part.labels[row : row + 1]
        noise = torch.randn(image.shape, generator=generator).double()
        t = torch.tensor([STEPS[step]])
        noisy = process.levels.gamma[t] * image + process.levels.sigma[t] * noise
        loss = (process.model(noisy, t, class_labels=label).sample - noise).square().mean()
        total = (
            total + torch.cat([g.flatten() for g in torch.autograd.grad(loss, process.parameters)]).square()
        )
    return total / len(rows)


def test_it_is_ssd_on_single_images():
    process = small_process()
    retain = importance(
        process, process.retain, [i % 12 for i in range(24)], [(i % 12 + i // 12) % 10 for i in range(24)]
    )
    forget = importance(
        process, process.forget, [i % 7 for i in range(24)], [(i % 7 + i // 7) % 10 for i in range(24)]
    )
    every = (12 * retain + 7 * forget) / 19
    chosen = forget > every
    assert 0.05 < chosen.double().mean() < 0.95
    wanted = torch.where(
        chosen, process.original[0] * (0.5 * every / forget).clamp(max=1), process.original[0]
    )
    found = started("ssd:1:0.5")
    torch.testing.assert_close(found._weights.detach(), wanted, rtol=1e-9, atol=0)
    assert found.dampened.share == pytest.approx(float(chosen.double().mean()))


@pytest.mark.parametrize(
    ("start", "selects"), [(f"ssd:{BOUND}", False), ("ssd:inf", False), ("ssd:1:inf", True)]
)
@pytest.mark.parametrize("labels", ["mixed", "different"])
def test_what_leaves_the_network_as_it_was(start, selects, labels):
    """With ``different`` labels some weights matter for the forget set alone: their importances reach the bound."""
    process = started(start, labels=labels)
    assert torch.equal(process._weights, process.original[0]) and (process.dampened.share > 0) == selects


def test_an_importance_below_the_smallest_number():
    weights, tiny = [torch.tensor([3.0])], [torch.tensor([1e-45])]
    assert dampen(weights, [torch.zeros(1)], tiny, 1.0, math.inf) == 1.0 and weights[0].item() == 3.0


def test_mean_square():
    assert mean_square(iter([torch.tensor([1.0, -2.0]), torch.tensor([3.0, 0.0])])).tolist() == [5.0, 2.0]


def test_it_knows_neither_seed_nor_objective_nor_weights_and_every_reset_restores_it():
    process, other = started("ssd:1:0.5"), started("ssd:1:0.5", seed=5, objective="posterior")
    start = process._weights.detach().clone()
    assert not torch.equal(start, process.original[0]) and torch.equal(start, other._weights)
    process.update(0.5)
    moved = process._weights.detach().clone()
    del process._dampened  # made anew by a process that has moved, as after a resume
    assert torch.equal(process.dampened.weights, start) and torch.equal(process._weights, moved)
    process.reset(np.random.default_rng(1))
    assert torch.equal(process._weights, start)


def test_the_original_is_still_what_objectives_and_rewards_compare_with():
    plain, process, reward = started(None), started("ssd:1:0.01"), ProgressReward(retain_weight=1.0)
    image, step = process.forget.inputs[:1], torch.tensor([500])
    asked = [each.predict_originally(image, step, torch.tensor([0])) for each in (plain, process)]
    assert torch.equal(*asked)
    assert process.dampened.original_quality == plain.quality()
    reward.reset(process)
    lost = process.quality().retain_loss - plain.quality().retain_loss
    assert lost != 0 and reward._last[0] == pytest.approx(-max(0.0, lost))


def test_a_stack_refuses_it():
    with pytest.raises(NotStackable, match="no start="):
        make_stack(small_process(start="ssd:2"), 2)


@pytest.mark.parametrize("objective", ["siss", "dpo"])
def test_a_run_that_goes_on_after_a_kill_is_the_same(objective):
    process, again = (small_process(start="ssd:1:0.5", objective=objective) for _ in range(2))
    process.reset(np.random.default_rng(0))
    process.update(0.3)
    again.load_state_dict(process.state_dict())
    again.observe()
    assert again.dampened.share == process.dampened.share  # made in the midst of a minibatch
    for lam in (0.6, 0.2):
        assert again.update(lam) == process.update(lam)
    assert torch.equal(again._weights, process._weights)

"""A diffusion process in continuous time: the discrete one on its grid, and everything else that a process does."""

from dataclasses import astuple

import numpy as np
import pytest
import torch

from tests.processes.small import assert_same_updates, small_process
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.model import build_unet, default_scheduler
from unlearn_gym.models.diffusion.noise_levels import ContinuousLevels, DiscreteLevels, Noise
from unlearn_gym.processes.stacked.choice import make_stack

WEIGHTS = ("simple", "likelihood")


class OnTheGrid(ContinuousLevels):
    """Times (i + 1)/1000 with the discrete γ and σ; only what the network is told is the SDE's."""

    def __init__(self, dtype):
        super().__init__(default_scheduler(), "simple", torch.device("cpu"), dtype)
        self.discrete = DiscreteLevels(default_scheduler(), "simple", torch.device("cpu"), dtype)

    def draw(self, count, generator):
        return (self.discrete.draw(count, generator).double() + 1) / 1000

    def spread(self, count):
        return (self.discrete.spread(count).double() + 1) / 1000

    def at(self, times):
        label = super().at(times).label
        known = self.discrete.at(label.round().long())
        return Noise(label, known.gamma, known.sigma)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("objective", ["siss", "weighted", "posterior", "dpo"])
def test_on_the_grid_it_is_the_discrete_process_to_the_last_bit(objective, dtype):
    settings = {"objective": objective, "dtype": dtype, "optimizer": "adam"}
    steps, grid = small_process(**settings), small_process(**settings, time="continuous")
    grid.levels = OnTheGrid(dtype)
    first = [process.reset(np.random.default_rng(3)) for process in (steps, grid)]
    assert first[0] == first[1]
    for lam in (0.5, 0.1, 0.9):
        assert steps.update(lam) == grid.update(lam)
        assert steps.observe() == grid.observe() and steps.quality() == grid.quality()
    for p, q in zip(steps.model.parameters(), grid.model.parameters(), strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("objective", ["siss", "weighted", "posterior", "dpo", "erasediff", "gu"])
def test_fast_gradients_are_those_of_autograd(objective):
    fast, slow = (
        small_process(objective=objective, time="continuous", gradients=gradients)
        for gradients in ("auto", "direct")
    )
    assert_same_updates(fast, slow, (0.5, 0.2, 0.8))


@pytest.mark.parametrize("labels", ["mixed", "none"])
@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("objective", ["siss", "posterior", "npo"])
def test_a_stack_moves_as_single_ones_do(objective, weight, labels):
    settings = {"objective": objective, "time": "continuous", "time_weight": weight, "labels": labels}
    many, each = make_stack(small_process(**settings), 2), []
    many.restart({i: many.start(np.random.default_rng(11 + i)) for i in range(2)})
    for i in range(2):
        each.append(small_process(**settings))
        each[i].reset(np.random.default_rng(11 + i))
    for lams in ((0.5, 0.2), (0.3, 0.9)):
        many.update(lams)
        for i, (process, lam) in enumerate(zip(each, lams, strict=True)):
            assert astuple(many.updates[i]) == pytest.approx(astuple(process.update(lam)), rel=1e-6, abs=1e-8)
            assert astuple(many.signals[i]) == pytest.approx(astuple(process.observe()), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_it_goes_on_from_its_state(weight):
    settings = {"time": "continuous", "time_weight": weight, "optimizer": "adam"}
    first, second = small_process(**settings), small_process(**settings)
    first.reset(np.random.default_rng(0))
    first.update(0.4)
    second.load_state_dict(first.state_dict())
    for lam in (0.2, 0.7, 0.5):
        assert first.update(lam) == second.update(lam) and first.observe() == second.observe()


def test_times_do_not_depend_on_actions():
    drawn = []
    for lam in (0.1, 0.9):
        process = small_process(time="continuous")
        process.reset(np.random.default_rng(0))
        process.update(lam)
        drawn.append(process._raw.timesteps)
    assert torch.equal(*drawn) and drawn[0].dtype == torch.float64
    assert not torch.equal(drawn[0] * 1000, (drawn[0] * 1000).round())


def test_delta_is_the_log_ratio_of_the_two_densities():
    process = small_process(time="continuous", labels="equal")
    process.reset(np.random.default_rng(0))
    raw, latents = process._raw, process._latents
    at = process.levels.at(raw.timesteps)
    x, a = process.keep.inputs[raw.retain], process.forget.inputs[raw.forget]
    for m, found in (
        (latents.noisy[:5], latents.draw.delta_retain),
        (latents.noisy[5:], latents.draw.delta_forget),
    ):
        far = [(m - at.gamma.view(-1, 1, 1, 1) * y).square().flatten(1).sum(1) for y in (x, a)]
        torch.testing.assert_close(found, (far[0] - far[1]) / (2 * at.sigma.square()), rtol=1e-6, atol=1e-6)


def test_what_it_cannot_do_gets_one_sentence():
    with pytest.raises(UserError, match="time='sometimes' is not known; choose discrete or continuous"):
        small_process(time="sometimes")
    with pytest.raises(UserError, match="time_weight='half' is not known"):
        small_process(time="continuous", time_weight="half")
    with pytest.raises(UserError, match="time_weight='likelihood' is not offered for time='discrete'"):
        small_process(time_weight="likelihood")
    learned = build_unet(8, 1, 3, widths=(4, 8), norm_groups=2)
    learned.register_to_config(time_embedding_type="learned")
    with pytest.raises(UserError, match="time_embedding_type='learned' knows whole timesteps alone"):
        small_process(unet=learned, time="continuous")

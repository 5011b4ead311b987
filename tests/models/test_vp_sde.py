"""The VP-SDE: its noise is DDPM's, its times have the density that they claim, its samplers find a known Gaussian."""

import math

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.continuous.samplers import flow
from unlearn_gym.models.diffusion.continuous.vp_sde import VPSDE
from unlearn_gym.models.diffusion.model import build_unet, default_scheduler
from unlearn_gym.models.diffusion.noise_levels import ContinuousLevels
from unlearn_gym.models.diffusion.sampling import SAMPLERS, sample
from unlearn_gym.models.threads import seeded_weights

SDE = VPSDE()
CPU = torch.device("cpu")
TIMES = torch.linspace(SDE.start, 1, 1001, dtype=torch.float64)
MEAN, DEVIATION = 0.3, 0.5


def test_its_noise_is_that_of_the_discrete_steps():
    alphas = default_scheduler().alphas_cumprod.double()
    times = torch.arange(1, 1001, dtype=torch.float64) / 1000
    assert (SDE.gamma(times) - alphas.sqrt()).abs().max() < 1e-3
    assert (SDE.sigma(times) - (1 - alphas).sqrt()).abs().max() < 1.33e-3
    assert torch.allclose(SDE.label(times), torch.arange(1000, dtype=torch.float64), atol=1e-10)
    found = VPSDE.of(default_scheduler())
    assert (found.slowest, found.fastest, found.steps) == (pytest.approx(0.1), pytest.approx(20), 1000)


def test_a_few_numbers_by_hand():
    # ∫β from 0 to ½ is 0.05 + 19.9/8
    half = torch.tensor(0.5, dtype=torch.float64)
    assert float(SDE.gamma(half)) == pytest.approx(math.exp(-(0.05 + 19.9 / 8) / 2), rel=1e-12)
    assert SDE.log_alpha(0.5) == pytest.approx(float(SDE.log_alpha(half)), rel=1e-12)
    assert float(SDE.sigma(torch.tensor(1e-3, dtype=torch.float64))) == pytest.approx(0.0105, abs=5e-5)


def test_slope_and_levels_belong_together():
    times = TIMES.clone().requires_grad_()
    (slope,) = torch.autograd.grad(SDE.log_alpha(times).sum(), times)
    torch.testing.assert_close(slope, SDE.slope(TIMES))
    torch.testing.assert_close(SDE.gamma(TIMES).square() + SDE.sigma(TIMES).square(), torch.ones_like(TIMES))


@pytest.mark.parametrize(
    "scheduler",
    [
        DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        DDPMScheduler(beta_schedule="scaled_linear", beta_start=1e-4, beta_end=0.02),
        DDPMScheduler(num_train_timesteps=50, beta_start=0.002, beta_end=0.4),
    ],
    ids=["cosine", "scaled", "few"],
)
def test_other_schedules_get_one_sentence(scheduler):
    with pytest.raises(UserError, match=r"choose time='discrete' and sampler='ddim'\.$"):
        VPSDE.of(scheduler)


@pytest.mark.parametrize("weight, density", [("simple", torch.ones_like), ("likelihood", None)])
def test_the_mean_over_drawn_times_is_the_weighted_mean(weight, density):
    # e^{−5τ} has a mean that a wrong density misses by far; means by the trapezoid rule on a fine grid in log τ
    fine = torch.logspace(-3, 0, 200_001, dtype=torch.float64)
    weights = SDE.beta(fine) / SDE.sigma(fine).square() if density is None else density(fine)
    exact = torch.trapezoid(weights * (-5 * fine).exp(), fine) / torch.trapezoid(weights, fine)
    levels = ContinuousLevels(default_scheduler(), weight, CPU, torch.float64)
    drawn = levels.draw(40_000, torch.Generator().manual_seed(0))
    assert drawn.min() >= SDE.start and drawn.max() <= 1
    values = (-5 * drawn).exp()
    assert abs(values.mean() - exact) < 4 * values.std() / 200


def test_what_is_measured_does_not_follow_the_weights():
    even = [
        ContinuousLevels(default_scheduler(), w, CPU, torch.float32).spread(8)
        for w in ("simple", "likelihood")
    ]
    assert torch.equal(*even) and even[0].diff().std() < 1e-12


def test_latents_have_the_expected_squared_length():
    x = torch.linspace(-1, 1, 64)
    noise = torch.randn(20_000, 64, generator=torch.Generator().manual_seed(0))
    levels = ContinuousLevels(default_scheduler(), "simple", CPU, torch.float32)
    for time in (1e-3, 0.1, 0.5, 1.0):
        at = levels.at(torch.tensor(time, dtype=torch.float64))
        length = (at.gamma * x + at.sigma * noise).square().sum(1)
        expected = at.gamma**2 * x.square().sum() + at.sigma**2 * 64
        assert abs(length.mean() - expected) < 4 * length.std() / 20_000**0.5 + 1e-5


def spread(time):
    """Return the variance of the noised Gaussian."""
    return (SDE.gamma(time) * DEVIATION).square() + SDE.sigma(time).square()


def exact_noise(x, label):
    """The best prediction for N(MEAN, DEVIATION²): −σ times the score."""
    time = (label + 1) / 1000
    return SDE.sigma(time) * (x - SDE.gamma(time) * MEAN) / spread(time)


def test_the_flow_maps_the_moments_of_a_gaussian():
    ends, apart = torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64), []
    for steps in (50, 100):
        times = SDE.evenly(torch.linspace(1, 0, steps + 1, dtype=torch.float64))
        noised, exact = (SDE.gamma(time) * MEAN + ends * spread(time).sqrt() for time in times[[0, -1]])
        found = flow(exact_noise, SDE, noised.view(3, 1, 1, 1), times).flatten()
        apart.append((found - exact).abs())
    assert apart[1].max() < 1e-3
    assert float(apart[0][1] / apart[1][1]) == pytest.approx(4, rel=0.1)  # Heun's method is of second order


@pytest.mark.parametrize(
    "sampler, evaluations", [("heun", 99), ("euler_maruyama", 400), ("predictor_corrector", 400)]
)
def test_samplers_find_the_gaussian(sampler, evaluations):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(3000, 1, 2, 2, generator=generator, dtype=torch.float64)
    found = SAMPLERS[sampler](exact_noise, default_scheduler(), noise, evaluations, generator)
    assert float(found.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(found.std()) == pytest.approx(DEVIATION, rel=0.04)


def test_the_flow_is_deterministic_and_the_others_are_not():
    noise = torch.zeros(2, 1, 2, 2, dtype=torch.float64)
    for sampler, same in (("heun", True), ("euler_maruyama", False), ("predictor_corrector", False)):
        found = SAMPLERS[sampler](
            exact_noise, default_scheduler(), noise, 20, torch.Generator().manual_seed(0)
        )
        assert torch.equal(found[0], found[1]) is same


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("evaluations", [1, 2, 3, 8, 25])
def test_no_more_evaluations_than_were_allowed(sampler, evaluations):
    asked = []

    def predict(x, label):
        asked.append(float(label))
        return exact_noise(x, label)

    noise = torch.randn(3, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = SAMPLERS[sampler](predict, default_scheduler(), noise, evaluations, torch.Generator())
    assert evaluations - 1 <= len(asked) <= evaluations and found.isfinite().all()
    assert min(asked) >= 0 and max(asked) <= 999


def test_sampling_by_name():
    with seeded_weights(0):
        unet = build_unet(8, 1, 0, widths=(4, 8), norm_groups=2).eval()
    noise = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images = {name: sample(unet, default_scheduler(), None, noise, 5, name) for name in SAMPLERS}
    for name, found in images.items():
        assert found.shape == noise.shape and found.abs().max() <= 1
        assert torch.equal(found, sample(unet, default_scheduler(), None, noise, 5, name))
    assert not np.allclose(images["heun"], images["euler_maruyama"])
    with pytest.raises(UserError, match="sampler='leap' is not known"):
        sample(unet, default_scheduler(), None, noise, 5, "leap")

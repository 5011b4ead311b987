"""Bits per dimension of Gaussians, whose optimal noise prediction and likelihood have closed forms."""

import math

import numpy as np
import pytest
import torch

from unlearn_gym.metrics import likelihood
from unlearn_gym.metrics.likelihood import bits_per_dim, dequantised, grey_levels
from unlearn_gym.models.diffusion.continuous.paths import SplinePath
from unlearn_gym.models.diffusion.continuous.vp_sde import VPSDE
from unlearn_gym.models.diffusion.model import default_scheduler
from unlearn_gym.models.diffusion.tasks import get_task

SCHEDULE = default_scheduler().alphas_cumprod
PATH = SplinePath(SCHEDULE)
SHAPE = (1, 4, 4)


def optimal(variances):
    """The best noise prediction for N(0, diag(variances)): ε = σx / (ᾱs² + σ²)."""
    log_alpha = np.log(SCHEDULE.double().numpy())

    def predict(x, s):
        alpha = math.exp(np.interp(float(s[0]), np.arange(len(log_alpha)), log_alpha))
        return math.sqrt(1 - alpha) * x / (alpha * variances + 1 - alpha)

    return predict


def exact(x, variances):
    """Bits per dimension of the data smoothed by the first step's noise."""
    smoothed = SCHEDULE[0] * variances + 1 - SCHEDULE[0]
    nats = 0.5 * (x.square() / smoothed + (2 * math.pi * smoothed).log()).flatten(1).sum(1)
    return nats / (16 * math.log(2)) + 7


def measured(x, variances, tolerance=1e-4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return bits_per_dim(optimal(variances), PATH, x, generator=generator, tolerance=tolerance)


def drawn(variances, n=5):
    generator = torch.Generator().manual_seed(3)
    return variances.sqrt() * torch.randn(n, *SHAPE, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0])
def test_isotropic_gaussian(scale):
    variances = torch.full(SHAPE, scale**2, dtype=torch.float64)
    x = drawn(variances)
    torch.testing.assert_close(measured(x, variances), exact(x, variances), atol=2e-3, rtol=0)


def test_anisotropic_gaussian_with_any_probe():
    # A diagonal Jacobian has vᵀJv = tr J for every Rademacher v.
    variances = torch.linspace(0.01, 1, 16, dtype=torch.float64).view(SHAPE)
    x = drawn(variances)
    for seed in (0, 1):
        torch.testing.assert_close(measured(x, variances, seed=seed), exact(x, variances), atol=2e-3, rtol=0)


def test_rotated_gaussian_on_average_over_probes():
    # The Jacobian is full: one probe is off, the mean of many is not.
    variances = torch.linspace(0.05, 1, 16, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    turn, _ = torch.linalg.qr(torch.randn(16, 16, dtype=torch.float64, generator=generator))
    flat = optimal(variances)
    x = torch.randn(1, 16, dtype=torch.float64, generator=generator) * variances.sqrt()
    many = (x @ turn.T).view(1, *SHAPE).expand(400, *SHAPE)

    def predict(images, s):
        return (flat(images.flatten(1) @ turn, s) @ turn.T).view_as(images)

    found = bits_per_dim(predict, PATH, many, generator=torch.Generator().manual_seed(0))
    error = found.mean() - exact(x.view(1, 16), variances)[0]
    assert found.std() > 0.02
    assert abs(error) < 3 * found.std() / 400**0.5 + 2e-3


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_a_gaussian_under_the_sde(scale):
    sde, x = VPSDE(), drawn(torch.full(SHAPE, scale**2, dtype=torch.float64))

    def predict(images, label):
        alpha = sde.log_alpha((label[0] + 1) / 1000).exp()
        return (1 - alpha).sqrt() * images / (alpha * scale**2 + 1 - alpha)

    alpha = math.exp(sde.log_alpha(sde.start))
    smoothed = alpha * scale**2 + 1 - alpha
    nats = 0.5 * (x.square() / smoothed + math.log(2 * math.pi * smoothed)).flatten(1).sum(1)
    generator = torch.Generator().manual_seed(0)
    found = bits_per_dim(predict, sde, x, generator=generator, tolerance=1e-5)
    torch.testing.assert_close(found, nats / (16 * math.log(2)) + 7, atol=1e-3, rtol=0)


def test_one_network_has_the_same_bits_in_steps_and_as_the_sde():
    task = get_task("digits")
    unet, images = task.original().unet.eval(), task.data.retain_holdout.inputs[:4]
    labels = task.data.retain_holdout.labels[:4]

    def predict(x, label):
        return unet(x, label, class_labels=labels).sample

    smooth = dequantised(images, 17, torch.Generator().manual_seed(0))
    for shown, levels, apart in ((images, None, 0.04), (smooth, 17, 0.02)):
        steps, sde = (
            bits_per_dim(predict, path, shown, generator=torch.Generator().manual_seed(1), levels=levels)
            for path in (PATH, VPSDE())
        )
        assert (steps - sde).abs().max() < apart


def test_a_worse_model_finds_the_data_less_likely():
    variances = torch.full(SHAPE, 0.04, dtype=torch.float64)
    x = drawn(variances)
    wrong = bits_per_dim(
        optimal(4 * variances), PATH, x, generator=torch.Generator().manual_seed(0), tolerance=1e-4
    )
    assert wrong.mean() > measured(x, variances).mean() + 0.1


def test_what_is_not_finite_is_not_a_number():
    x = torch.zeros(2, *SHAPE)
    generator = torch.Generator().manual_seed(0)
    found = bits_per_dim(lambda x, s: x * math.nan, PATH, x, generator=generator)
    assert found.shape == (2,) and found.isnan().all()


def test_a_stiff_flow_is_given_up(monkeypatch):
    monkeypatch.setattr(likelihood, "MOST_EVALUATIONS", 10)
    variances = torch.ones(SHAPE, dtype=torch.float64)
    assert measured(drawn(variances), variances, tolerance=1e-8).isnan().all()


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_levels_are_found_and_every_value_stays_in_its_cell(levels):
    generator = torch.Generator().manual_seed(0)
    steps = torch.randint(levels, (50, *SHAPE), generator=generator).float()
    images = steps / (levels - 1) * 2 - 1
    assert grey_levels(images) == levels
    smooth = dequantised(images, levels, generator)
    offsets = (smooth - images) * (levels - 1) / 2
    assert offsets.abs().max() <= 0.5001 and offsets.std() == pytest.approx(12**-0.5, rel=0.1)


def test_what_lies_on_no_levels_counts_as_bytes():
    assert grey_levels(torch.rand(9, *SHAPE) * 2 - 1) == 256


def test_dequantised_bits_are_those_of_the_grey_levels():
    """A Gaussian, discretised to 17 levels of known probabilities, costs what their logarithms say."""
    variances = torch.full(SHAPE, 0.25, dtype=torch.float64)
    smoothed = float(SCHEDULE[0] * 0.25 + 1 - SCHEDULE[0])
    levels = torch.linspace(-1, 1, 17, dtype=torch.float64)
    x = drawn(variances, n=200).clamp(-1, 1)
    x = levels[(x[..., None] - levels).abs().argmin(-1)]
    normal = torch.distributions.Normal(0.0, smoothed**0.5)
    expected = -(normal.cdf(x + 1 / 16) - normal.cdf(x - 1 / 16)).log2().mean()
    generator = torch.Generator().manual_seed(1)
    smooth = dequantised(x, 17, generator)
    found = bits_per_dim(optimal(variances), PATH, smooth, generator=generator, tolerance=1e-4, levels=17)
    assert float(found.mean()) == pytest.approx(float(expected), abs=0.02)

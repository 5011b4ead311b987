"""The redirected targets against their closed forms."""

import numpy as np
import pytest
import torch

from tests.processes.small import small_process
from unlearn_gym.errors import UserError
from unlearn_gym.objectives.posterior import Posterior, posterior_noise

ALPHAS = torch.linspace(0.9999, 1e-4, 50, dtype=torch.float64)
GAMMA, SIGMA = ALPHAS.sqrt(), (1 - ALPHAS).sqrt()


def latents(references, dtype=torch.float64, seed=0):
    """Return latents of the first image at every noise level, (50, 1, 4, 4)."""
    noise = torch.randn(
        len(ALPHAS), 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    wide = (-1, 1, 1, 1)
    return (GAMMA.view(wide) * references[:1] + SIGMA.view(wide) * noise).to(dtype), noise


def images(count, seed=1):
    return (
        torch.rand(count, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    )


def test_one_reference_is_the_noise_that_leads_back_to_it():
    x = images(1, seed=2)
    m, _ = latents(images(1))
    wanted = (m - GAMMA.view(-1, 1, 1, 1) * x) / SIGMA.view(-1, 1, 1, 1)
    for references in (x, x.repeat(5, 1, 1, 1)):
        assert torch.allclose(posterior_noise(m, GAMMA, SIGMA, references), wanted, atol=1e-9)


def test_the_order_of_references_says_nothing():
    x, (m, _) = images(9), latents(images(1, seed=3))
    turned = posterior_noise(m, GAMMA, SIGMA, x.flip(0))
    assert torch.allclose(posterior_noise(m, GAMMA, SIGMA, x), turned, atol=1e-10)


def test_it_is_the_softmax_of_the_distances():
    x, (m, _) = images(6), latents(images(1, seed=3))
    for i in range(0, 50, 7):
        chances = (-(m[i] - GAMMA[i] * x).square().flatten(1).sum(1) / (2 * SIGMA[i] ** 2)).softmax(0)
        wanted = (m[i] - GAMMA[i] * (chances.view(-1, 1, 1, 1) * x).sum(0)) / SIGMA[i]
        found = posterior_noise(m[i : i + 1], GAMMA[i : i + 1], SIGMA[i : i + 1], x)[0]
        assert torch.allclose(found, wanted, atol=1e-8)


def test_pure_noise_leads_to_the_mean():
    x, m = images(6), torch.randn(1, 1, 4, 4, dtype=torch.float64)
    g, s = torch.tensor([1e-6], dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    assert torch.allclose(posterior_noise(m, g, s, x), m - 1e-6 * x.mean(0), atol=1e-10)


def test_an_image_among_the_references_is_found_again():
    x = images(6)
    m, noise = latents(x)
    assert torch.allclose(posterior_noise(m, GAMMA, SIGMA, x)[:1], noise[:1], atol=1e-6)


def test_gaussian_images_give_the_gaussian_posterior():
    generator = torch.Generator().manual_seed(0)
    mean, spread = 0.3, 0.5
    x = mean + spread * torch.randn(200_000, 1, 1, 1, dtype=torch.float64, generator=generator)
    g, s = torch.tensor([0.8, 0.3], dtype=torch.float64), torch.tensor([0.6, 0.95], dtype=torch.float64)
    m = torch.tensor([0.7, -0.4], dtype=torch.float64).view(2, 1, 1, 1)
    wanted = s * (m.flatten() - g * mean) / (g**2 * spread**2 + s**2)
    assert torch.allclose(posterior_noise(m, g, s, x).flatten(), wanted, atol=1e-2)


def test_float32_is_finite_and_right_at_every_noise_level():
    x, (m, _) = images(6), latents(images(1, seed=3))
    exact = posterior_noise(m, GAMMA, SIGMA, x)
    found = posterior_noise(m.float(), GAMMA.float(), SIGMA.float(), x.float())
    assert torch.isfinite(found).all()
    assert torch.allclose(found.double(), exact, rtol=1e-3, atol=1e-3)


def test_references_have_the_label_and_follow_the_seed_alone():
    targets = []
    for lam in (0.1, 0.9):
        process = small_process(objective="posterior")
        process.reset(np.random.default_rng(0))
        process.update(lam)
        targets.append(process._latents.forget_target)
        own = process.retain.inputs[process.retain.labels == 0]
        m, t = process._latents.noisy[5:], process._latents.timesteps[5:]
        wanted = posterior_noise(m, process.levels.gamma[t], process.levels.sigma[t], own)
        assert torch.allclose(targets[-1][5:], wanted)
    assert torch.equal(*targets)


def test_a_label_without_retain_images_takes_all_or_the_named_one():
    process = small_process(objective="posterior", labels="different")
    process.reset(np.random.default_rng(0))
    m, t = process._latents.noisy[5:], process._latents.timesteps[5:]
    wanted = posterior_noise(m, process.levels.gamma[t], process.levels.sigma[t], process.retain.inputs)
    assert torch.allclose(process._latents.forget_target[5:], wanted)
    with pytest.raises(UserError, match="override=2"):
        small_process(objective=Posterior(override=2), labels="different").reset(np.random.default_rng(0))
    with pytest.raises(UserError, match="this network has none"):
        small_process(objective=Posterior(override=1), labels="none").reset(np.random.default_rng(0))


def test_the_forget_error_is_bounded_by_the_clean_images():
    process = small_process(objective="posterior")
    process.reset(np.random.default_rng(0))
    latents = process._latents
    t = latents.timesteps[5:]
    snr = (process.levels.gamma[t] / process.levels.sigma[t]).square()
    assert torch.allclose(latents.forget_numbers[5:], (1 / snr).clamp(max=1))
    assert (latents.forget_numbers[:5] == 1).all()


def test_the_originals_own_target_starts_at_nothing():
    process = small_process(objective=Posterior(retain_target="teacher"))
    start = process.reset(np.random.default_rng(0))
    assert start.retain_loss < 1e-20 and start.retain_grad_norm < 1e-10 < start.forget_grad_norm
    process.update(0.5)
    assert process.observe().retain_loss > 0
    before = {name: p.clone() for name, p in process._original_model.named_parameters()}
    process.update(0.5)
    assert all(torch.equal(p, before[name]) for name, p in process._original_model.named_parameters())


def test_no_other_target_of_the_retain_side():
    with pytest.raises(UserError, match="retain_target"):
        Posterior(retain_target="student")

"""The ELBO and the importance-weighted bound against closed forms, sampling and numerical integration."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.models.vae.bounds import (
    cross_entropy,
    divergence,
    elbo_error,
    entropy,
    importance_weighted,
    reconstruction_error,
)
from unlearn_gym.models.vae.network import VAE, grey_values

LABELS = torch.tensor([0, 1, 2, 0])


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def small(latent=2):
    with seeded_weights(1):
        return VAE((1, 2, 3), 3, hidden=(5,), latent=latent).double().eval()


def images():
    return torch.tanh(drawn(4, 1, 2, 3, seed=3))


def test_the_divergence_is_that_of_two_gaussians():
    mean, log_variance = drawn(5, 4), drawn(5, 4, seed=1)
    found = divergence(mean, log_variance)
    posterior = Normal(mean, (log_variance / 2).exp())
    torch.testing.assert_close(
        found, kl_divergence(posterior, Normal(0.0, 1.0)).sum(1), rtol=1e-14, atol=1e-14
    )
    codes = mean + (log_variance / 2).exp() * drawn(200_000, 5, 4, seed=2)
    sampled = (posterior.log_prob(codes) - Normal(0.0, 1.0).log_prob(codes)).sum(2)
    error = sampled.std(0) / math.sqrt(len(sampled))
    assert ((sampled.mean(0) - found).abs() < 4 * error).all()
    assert divergence(torch.zeros(1, 4), torch.zeros(1, 4)).item() == 0.0


def test_the_bound_of_a_linear_gaussian_model_is_its_likelihood():
    """Orthogonal columns W make the posterior of y = Wz + σn diagonal, and the ELBO under it exact."""
    w = torch.linalg.qr(drawn(6, 2)).Q * torch.tensor([2.0, 0.5], dtype=torch.float64)
    sigma2, y = 0.3, drawn(3, 6, seed=1)
    variance = 1 / (1 + w.square().sum(0) / sigma2)
    mean = variance * (y @ w) / sigma2
    log_likelihood = -0.5 * (
        ((y - mean @ w.T).square().sum(1) + (w.square() * variance).sum()) / sigma2
        + 6 * math.log(2 * math.pi * sigma2)
    )
    elbo = log_likelihood - divergence(mean, variance.log().expand_as(mean))
    exact = MultivariateNormal(torch.zeros(6).double(), w @ w.T + sigma2 * torch.eye(6).double()).log_prob(y)
    torch.testing.assert_close(elbo, exact, rtol=1e-14, atol=1e-13)


def test_grey_values_cost_at_least_their_entropy():
    grey = grey_values(images())
    exact = torch.logit(grey)
    torch.testing.assert_close(cross_entropy(exact, grey), entropy(grey))
    assert reconstruction_error(exact, grey).abs().max() < 1e-14
    assert (reconstruction_error(exact + 0.1, grey) > 0).all()
    black_and_white = torch.tensor([[0.0, 1.0, 1.0]])
    assert entropy(black_and_white).item() == 0.0


def test_a_decoder_that_ignores_the_code_has_no_gap():
    """Then the prior is the posterior, and every bound the log-likelihood."""
    model = small()
    with torch.no_grad():
        for layer in (model.encoder[-1], model.decoder[-1]):
            layer.weight.zero_()
            layer.bias.zero_()
    nats = 6 * math.log(2)
    bound = importance_weighted(model, images(), LABELS, 3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(bound, torch.full((4,), nats).double())
    error = elbo_error(model(images(), LABELS, drawn(4, 2)), images())
    torch.testing.assert_close(error, (nats - entropy(grey_values(images()))) / 6)


def test_the_importance_weighted_bound_reaches_the_likelihood():
    model = small(latent=1)
    grid = torch.linspace(-8, 8, 4001).double()
    grey, exact = grey_values(images()), []
    for row in range(4):
        logits = model.decode(grid[:, None], LABELS[row].expand(len(grid)))
        logs = Normal(0.0, 1.0).log_prob(grid) - cross_entropy(logits, grey[row].expand(len(grid), -1))
        exact.append(-torch.logsumexp(logs, 0) - math.log(float(grid[1] - grid[0])))
    exact = torch.stack(exact)

    def bound(draws, seed):
        return importance_weighted(model, images(), LABELS, draws, torch.Generator().manual_seed(seed))

    torch.testing.assert_close(bound(20_000, 0), exact, atol=5e-3, rtol=0)
    loose = torch.stack([bound(1, seed) for seed in range(2000)]).mean(0)
    tighter = torch.stack([bound(10, seed) for seed in range(200)]).mean(0)
    assert (loose > tighter).all() and (tighter > exact - 1e-2).all()
    elbo = torch.stack(
        [elbo_error(model(images(), LABELS, drawn(4, 1, seed=k)), images()) for k in range(2000)]
    )
    nats = elbo.mean(0) * 6 + entropy(grey)  # one draw is the negative ELBO
    torch.testing.assert_close(loose, nats, atol=2e-2, rtol=0)


@pytest.mark.parametrize(
    ("shape", "hidden", "count"), [((1, 8, 8), (256, 128), 106_064), ((1, 28, 28), (512, 256), 1_081_120)]
)
def test_the_sizes_of_the_tasks(shape, hidden, count):
    assert sum(p.numel() for p in VAE(shape, 10, hidden).parameters()) == count

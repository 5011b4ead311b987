"""Bounds on the log-likelihood of grey images under a VAE, and the error a pixel that is made of one."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.special import entr

from unlearn_gym.models.vae.network import VAE, Decoded, grey_values


def entropy(grey: Tensor) -> Tensor:
    """Return H(y), the sum of the pixels' Bernoulli entropies, (n,): the least cross entropy that y can have."""
    return (entr(grey) + entr(1 - grey)).sum(1)


def cross_entropy(logits: Tensor, grey: Tensor) -> Tensor:
    """Return −log p(y | z, c), the sum of the pixels' cross entropies in nats, (n,); y in [0, 1] of shape (n, D)."""
    return binary_cross_entropy_with_logits(logits, grey, reduction="none").sum(1)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(μ, diag v) ‖ N(0, I)) = ½Σ(μ² + v − 1 − log v) in nats, (n,)."""
    return 0.5 * (mean.square() + torch.expm1(log_variance) - log_variance).sum(1)


def reconstruction_error(logits: Tensor, grey: Tensor) -> Tensor:
    """Return (BCE − H(y))/D, nats a pixel above the least that grey values can have, (n,); 0 where they agree."""
    return (cross_entropy(logits, grey) - entropy(grey)) / grey.shape[1]


def elbo_error(found: Decoded, images: Tensor) -> Tensor:
    """Return (BCE + KL − H(y))/D, the negative ELBO above the entropy of the grey values, nats a pixel, (n,).

    Without H(y), which is most of the bound and no model can lower, no cap on the error would mean anything.
    """
    grey = grey_values(images)
    return (
        reconstruction_error(found.logits, grey) + divergence(found.mean, found.log_variance) / grey.shape[1]
    )


@torch.no_grad()
def importance_weighted(
    model: VAE, images: Tensor, labels: Tensor, draws: int, generator: Generator
) -> Tensor:
    """Return −log (1/k) Σ p(y | z_i, c) p(z_i)/q(z_i | y, c) with z_i ~ q, in nats, (n,) (Burda et al. 2016).

    Above −log p(y | c) on average, and towards it with more draws; one draw is the negative ELBO.

    Args:
        model: whose encoder proposes the codes.
        images: shape (n, channels, height, width) in [-1, 1].
        labels: int64 of shape (n,).
        draws: k.
        generator: of the codes, on the CPU.
    """
    grey = grey_values(images)
    mean, log_variance = model.encode(images, labels)
    weights = []
    for _ in range(draws):
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        codes = mean + (log_variance / 2).exp() * noise
        # log p(z)/q(z | y, c): the constants of the two Gaussians are the same
        ratio = 0.5 * (noise.square() + log_variance - codes.square()).sum(1)
        weights.append(ratio - cross_entropy(model.decode(codes, labels), grey))
    return math.log(draws) - torch.stack(weights).double().logsumexp(0)

"""The paper's policy distribution: λ = low + (high − low)·sigmoid(z) with z ~ N(μ, σ²), both from the state.

In an action space of [−1, 1] that is a = tanh(z/2) = 2·sigmoid(z) − 1, so the family is the one of
Stable-Baselines3's squashed Gaussian, here with exact log-probabilities at the ends and regularisers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution, sum_independent_dims
from torch.nn.functional import softplus

END = 1.0 - 2.0**-25
"""A float32 action of ±1 stands for everything beyond this number."""

_NODES, _WEIGHTS = (torch.from_numpy(values) for values in np.polynomial.hermite.hermgauss(64))


class SquashedGaussian(SquashedDiagGaussianDistribution):
    """a = tanh(z/2), z ~ N(mean, exp(log_std)²).

    Stable-Baselines3's class adds 1e-6 inside a logarithm, which is wrong by 0.26 where a = tanh(7); here the
    Jacobian is taken from the latent, without subtraction, and the inverse of tanh is computed in float64.

    Args:
        action_dim: number of actions.
        prior: a name in ``REGULARISERS``: what ``entropy`` returns.
    """

    def __init__(self, action_dim: int, prior: str = "uniform") -> None:
        super().__init__(action_dim)
        self.prior = prior
        self.noise: torch.Tensor | None = None

    def proba_distribution(self, mean_actions: torch.Tensor, log_std: torch.Tensor) -> SquashedGaussian:
        """Take the mean and log-std of z, shape (n, action_dim)."""
        self.mean, self.log_std = mean_actions, log_std
        super().proba_distribution(0.5 * mean_actions, log_std - math.log(2.0))
        return self

    def sample(self) -> torch.Tensor:
        """Draw a, shape (n, action_dim), by ``noise`` of that shape where it is set."""
        if self.noise is None:
            return super().sample()
        self.gaussian_actions = self.distribution.loc + self.distribution.scale * self.noise
        return torch.tanh(self.gaussian_actions)

    def log_prob(self, actions: torch.Tensor, gaussian_actions: torch.Tensor | None = None) -> torch.Tensor:
        """Return log p(a), shape (n,), a density over [−1, 1]; ``gaussian_actions`` is atanh(a) if known."""
        latent = inverse_tanh(actions) if gaussian_actions is None else gaussian_actions
        return sum_independent_dims(self.distribution.log_prob(latent) - log_slope(latent))

    def entropy(self) -> torch.Tensor:
        """Return −KL(policy ‖ prior) up to a constant, shape (n,): what PPO weighs with ``ent_coef``."""
        return REGULARISERS[self.prior](self)


def inverse_tanh(actions: torch.Tensor) -> torch.Tensor:
    """Return atanh(a) in the type of ``actions``, finite for a = ±1."""
    return torch.atanh(actions.double().clamp(-END, END)).to(actions.dtype)


def log_slope(latent: torch.Tensor) -> torch.Tensor:
    """Return log(1 − tanh²(u)) without cancellation."""
    return 2.0 * (math.log(2.0) - latent - softplus(-2.0 * latent))


def differential_entropy(policy: SquashedGaussian) -> torch.Tensor:
    """Return the entropy of a, H(u) + E[log(1 − tanh²u)], by Gauss–Hermite quadrature; shape (n,).

    Stable-Baselines3 has no entropy here and lets PPO take −log p of the *stored* actions. On-policy the
    gradient of that is zero on average (it is a score), so its bonus would regularise nothing.
    """
    normal = policy.distribution
    nodes, weights = _NODES.to(normal.loc), _WEIGHTS.to(normal.loc) / math.sqrt(math.pi)
    latent = normal.loc.unsqueeze(-1) + math.sqrt(2.0) * normal.scale.unsqueeze(-1) * nodes
    return sum_independent_dims(normal.entropy() + (log_slope(latent) * weights).sum(-1))


def negative_kl_to_normal(policy: SquashedGaussian) -> torch.Tensor:
    """Return −KL(N(μ, σ²) ‖ N(0, 1)) of z in closed form, shape (n,)."""
    return -sum_independent_dims(kl_to_standard_normal(policy.mean, policy.log_std))


def kl_to_standard_normal(mean: torch.Tensor, log_std: torch.Tensor) -> torch.Tensor:
    """Return KL(N(mean, exp(log_std)²) ‖ N(0, 1)) = ½(μ² + σ² − 1) − log σ, elementwise."""
    return 0.5 * (mean**2 + torch.exp(2.0 * log_std) - 1.0) - log_std


REGULARISERS: dict[str, Callable[[SquashedGaussian], torch.Tensor]] = {
    "uniform": differential_entropy,
    "gaussian": negative_kl_to_normal,
}
"""Prior p(λ) → −KL(policy ‖ prior) up to a constant."""

"""NPO on the bound of a VAE: a preference loss that fades, image by image."""

from __future__ import annotations

from torch import Tensor

from unlearn_gym.objectives.base import Combination, Objective, Parts, weighted_sum
from unlearn_gym.objectives.penalties import preference_penalty
from unlearn_gym.runtime.checks import divisor


class BoundNPO(Objective):
    """L = (1 − λ)·L_retain + λ·mean ψ/D, ψ = (2/β)·log(1 + (p̂/p̂⁰)^β) with the ELBO for log p̂ (NPO, arXiv 2404.05868).

    p̂⁰ is that of the original network with the same ξ. The state's forget loss is the mean of ψ/D: it *falls* as
    forgetting proceeds.

    Args:
        beta: β > 0, for each nat of an image's bound: how soon a forgotten image is left alone.
    """

    needs_original = True
    largest_lambda = 1.0

    def __init__(self, *, beta: float = 0.3) -> None:
        divisor("beta", beta)
        self.beta = beta

    def forget_error(self, error: Tensor, numbers: Tensor | None = None) -> Tensor:
        """Return ψ/D of each error."""
        assert numbers is not None
        before, pixels = numbers.unbind(-1)
        return preference_penalty(error, before, self.beta * pixels)

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 − λ and λ, and the loss."""
        return weighted_sum(lam, parts)

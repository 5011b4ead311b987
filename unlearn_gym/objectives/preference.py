"""Bounded ascent on the denoising error: NPO and SimNPO for diffusion models."""

from __future__ import annotations

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Combination, ForgetSide, Objective, Parts, weighted_sum
from unlearn_gym.objectives.penalties import preference_penalty
from unlearn_gym.runtime.checks import divisor, weight

PER_PIXEL = 0.305
"""β per pixel: Diffusion-DPO's 5000 at 4·64·64 latent pixels (arXiv 2311.12908)."""


class NPO(Objective):
    """L = (1 − λ)·L_retain + λ·mean ψ(ℓ_j, ℓ⁰_j), ψ = (2/β)·log(1 + e^{β(ℓ⁰ − ℓ)}) on each forget latent's own error ℓ.

    ℓ⁰ is the error of the original network at the same latent (NPO, arXiv 2404.05868), and the sigmoid acts on each
    latent. The state's forget loss is the mean of ψ: it *falls* as forgetting proceeds. Errors at small t grow and
    saturate first; what push is left sits at large t, near the retain latents of the same label: keep λ below 0.3.

    Args:
        beta: β > 0, in 1/(error per pixel); None for 0.305 times the number of pixels (20 at 8×8, 240 at 28×28).
    """

    largest_lambda = 1.0

    def __init__(self, *, beta: float | None = None) -> None:
        if beta is not None:
            divisor("beta", beta)
        self.beta = beta

    def forget_numbers(self, side: ForgetSide) -> Tensor | None:
        """Return ℓ⁰ and β of each latent, (B, 2)."""
        reference = self.reference(side)
        beta = PER_PIXEL * side.noise[0].numel() if self.beta is None else self.beta
        return torch.stack([reference, torch.full_like(reference, beta)], 1)

    def reference(self, side: ForgetSide) -> Tensor:
        """Return ℓ⁰, (B,)."""
        predicted = side.original(side.latents, side.timesteps, side.labels)
        return (predicted - side.noise).square().flatten(1).mean(1)

    def forget_error(self, error: Tensor, numbers: Tensor | None = None) -> Tensor:
        """Return ψ of each error."""
        assert numbers is not None
        reference, beta = numbers.unbind(-1)
        return preference_penalty(error, reference, beta)

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 − λ and λ, and the loss."""
        return weighted_sum(lam, parts)


class SimNPO(NPO):
    """NPO with one reference error δ for all latents (SimNPO, arXiv 2410.07163): no original network is asked.

    Args:
        beta: as in ``NPO``.
        delta: δ ≥ 0, the error per pixel around which the push fades.
    """

    def __init__(self, *, beta: float | None = None, delta: float = 0.0) -> None:
        super().__init__(beta=beta)
        weight("delta", delta)
        self.delta = delta

    def reference(self, side: ForgetSide) -> Tensor:
        """Return δ."""
        return torch.full_like(side.gamma, self.delta)

"""Forget losses of diffusion models that saturate, latent by latent or pair by pair: NPO, SimNPO and DPO."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Combination, ForgetSide, Objective, Parts, weighted_sum
from unlearn_gym.objectives.penalties import preference_penalty
from unlearn_gym.runtime.checks import divisor, weight

PER_PIXEL = 0.305
"""β per pixel: Diffusion-DPO's 5000 at 4·64·64 latent pixels (arXiv 2311.12908)."""


class Preference(Objective):
    """L = (1 − λ)·L_retain + λ·mean ψ_j, where ψ fades at the rate β once a latent or a pair is forgotten.

    The state's forget loss is the mean of ψ: it *falls* as forgetting proceeds.

    Args:
        beta: β > 0, in 1/(error per pixel); None for 0.305 times the number of pixels (20 at 8×8, 240 at 28×28).
    """

    largest_lambda = 1.0
    usual_range = (0.0, 0.3)  # above it the retain latents of the same label are pushed away as well

    def __init__(self, *, beta: float | None = None) -> None:
        if beta is not None:
            divisor("beta", beta)
        self.beta = beta

    @abstractmethod
    def reference(self, side: ForgetSide) -> Tensor:
        """Return what the errors of each pair are compared with, (B,)."""

    def forget_numbers(self, side: ForgetSide) -> Tensor | None:
        """Return that and β, (B, 2)."""
        reference = self.reference(side)
        beta = PER_PIXEL * side.noise[0].numel() if self.beta is None else self.beta
        return torch.stack([reference, torch.full_like(reference, beta)], 1)

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 − λ and λ, and the loss."""
        return weighted_sum(lam, parts)


class NPO(Preference):
    """ψ(ℓ_j, ℓ⁰_j) = (2/β)·log(1 + e^{β(ℓ⁰ − ℓ)}) on each forget latent's own error ℓ.

    ℓ⁰ is the error of the original network at the same latent (NPO, arXiv 2404.05868), and the sigmoid acts on each
    latent. Errors at small t grow and saturate first; what push is left sits at large t, near the retain latents of
    the same label: λ is at most 0.3 where nothing else is asked for. Arguments as in ``Preference``.
    """

    def reference(self, side: ForgetSide) -> Tensor:
        """Return ℓ⁰, (B,)."""
        return _error_before(side, side.latents, side.labels)

    def forget_error(self, error: Tensor, numbers: Tensor | None = None) -> Tensor:
        """Return ψ of each error."""
        assert numbers is not None
        reference, beta = numbers.unbind(-1)
        return preference_penalty(error, reference, beta)


class SimNPO(NPO):
    """NPO with one reference error δ for all latents (SimNPO, arXiv 2410.07163): no original network is asked.

    Args:
        beta: as in ``Preference``.
        delta: δ ≥ 0, the error per pixel around which the push fades.
    """

    def __init__(self, *, beta: float | None = None, delta: float = 0.0) -> None:
        super().__init__(beta=beta)
        weight("delta", delta)
        self.delta = delta

    def reference(self, side: ForgetSide) -> Tensor:
        """Return δ."""
        return torch.full_like(side.gamma, self.delta)


class DPO(Preference):
    """ψ_j = (2/β)·log(1 + e^{(β/2)·[(ℓ_x − ℓ⁰_x) − (ℓ_a − ℓ⁰_a)]}): prefer x to a, pair by pair.

    ℓ_x and ℓ_a are the errors at the two latents of a pair, which share t and ε, and ℓ⁰ those of the original network
    (Diffusion-DPO, arXiv 2311.12908; with (1 − λ)·L_retain beside it this is RPO, arXiv 2405.16436). The slope is σ in
    ℓ_x and −σ in ℓ_a, ½ at the original weights; it fades once the forget error has risen *more than the retain error*.
    Arguments as in ``Preference``.
    """

    def reference(self, side: ForgetSide) -> Tensor:
        """Return ℓ⁰_a − ℓ⁰_x, (B,)."""
        return _error_before(side, side.latents, side.labels) - _error_before(
            side, side.kept, side.kept_labels
        )

    def pair_error(self, kept: Tensor, forgotten: Tensor, numbers: Tensor | None) -> Tensor:
        """Return ψ of each pair."""
        assert numbers is not None
        reference, beta = numbers.unbind(-1)
        return preference_penalty(forgotten - kept, reference, beta / 2) / 2


def _error_before(side: ForgetSide, latents: Tensor, labels: Tensor | None) -> Tensor:
    """Return the mean squared error of the original network at latents that share the pairs' t and ε, (B,)."""
    predicted = side.original(latents, side.timesteps, labels)
    return (predicted - side.noise).square().flatten(1).mean(1)

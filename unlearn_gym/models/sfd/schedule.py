"""The noise levels that score distillation works at, found on any schedule by their ratio σ/γ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import DDPMScheduler

START_RATIO = 2.5
"""σ/γ of the noise that the generator starts from: t = 440 of DDPM's schedule, as in the released code of SFD."""
SCORE_RATIOS = (0.137, 13.0)
"""The smallest and the largest σ/γ at which scores are compared: t = 38 … 711."""


@dataclass(frozen=True)
class Schedule:
    """γ_t and σ_t of the latents z = γ_t·x + σ_t·ε, and which t are used.

    Attributes:
        gamma: √ᾱ_t, shape (T,).
        sigma: √(1 − ᾱ_t), shape (T,).
        start: t at which the generator's network denoises pure noise once.
        first: smallest t at which scores are compared, and
        last: the largest.
    """

    gamma: Tensor
    sigma: Tensor
    start: int
    first: int
    last: int

    @classmethod
    def of(cls, scheduler: DDPMScheduler, weight: Tensor) -> Schedule:
        """Return a scheduler's noise levels, on the device and in the type of a network's weight."""
        alphas = scheduler.alphas_cumprod.double()
        gamma, sigma = alphas.sqrt(), (1.0 - alphas).sqrt()
        ratios = (sigma / gamma).log()
        nearest = [
            int((ratios - torch.tensor(ratio).log()).abs().argmin()) for ratio in (START_RATIO, *SCORE_RATIOS)
        ]
        return cls(gamma.to(weight), sigma.to(weight), *nearest)

    def noised(self, images: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Return γ_t·x + σ_t·ε for images and noise of shape (n, …) and timesteps of shape (n,)."""
        return _wide(self.gamma[timesteps], images) * images + _wide(self.sigma[timesteps], images) * noise

    def denoised(self, latents: Tensor, predicted: Tensor, timesteps: Tensor) -> Tensor:
        """Return x̂ = (z − σ_t·ε̂)/γ_t for a predicted noise ε̂; shapes as in ``noised``."""
        sigma, gamma = _wide(self.sigma[timesteps], latents), _wide(self.gamma[timesteps], latents)
        return (latents - sigma * predicted) / gamma


def _wide(numbers: Tensor, like: Tensor) -> Tensor:
    """Return numbers of shape (n,) so that they multiply the rows of ``like``."""
    return numbers.view(-1, *[1] * (like.ndim - 1))

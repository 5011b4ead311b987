"""The variance-preserving SDE, DDPM in continuous time (Song et al. 2021, arXiv 2011.13456, appendix B)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from unlearn_gym.errors import UserError

if TYPE_CHECKING:
    from diffusers import DDPMScheduler

Time = TypeVar("Time", float, Tensor)

FARTHEST = 2e-3
"""How far from the SDE's γ and σ those may be that the network was trained on; 1.32e-3 for DDPM's own schedule."""


@dataclass(frozen=True)
class VPSDE:
    """dx = −½β(τ)x dτ + √β(τ) dw with β(τ) = β₀ + τ(β₁ − β₀), for τ from 1/T to 1.

    Its latents are γ(τ)x + σ(τ)ε with γ = exp(−½∫β) and σ² = 1 − γ². At τ = (i + 1)/T their noise is that of DDPM's
    step i with T linear betas (T = 1,000: γ to 1e-3, σ to 1.33e-3), so that the same network serves where it is told
    Tτ − 1. The authors' own networks are told 999τ; here that would be 29 % off in σ at label 1. Below τ = 1/T
    a network of T steps saw nothing. Times are numbers, or float64 tensors of any shape.

    Attributes:
        slowest: β₀, the rate at τ = 0.
        fastest: β₁, the rate at τ = 1.
        steps: T.
    """

    slowest: float = 0.1
    fastest: float = 20.0
    steps: int = 1000

    end = 1.0

    @classmethod
    def of(cls, scheduler: DDPMScheduler) -> VPSDE:
        """Return the SDE that a schedule of discrete steps is close to.

        Raises:
            UserError: if there is none: its betas do not grow linearly, or are too large for a limit.
        """
        betas = scheduler.betas.double()
        steps = len(betas)
        sde = cls(steps * float(betas[0]), steps * float(betas[-1]), steps)
        times = torch.arange(1, steps + 1, dtype=torch.float64) / steps
        alphas = scheduler.alphas_cumprod.double()
        apart = max(
            float((sde.gamma(times) - alphas.sqrt()).abs().max()),
            float((sde.sigma(times) - (1.0 - alphas).sqrt()).abs().max()),
        )
        if apart > FARTHEST:
            raise UserError(
                f"This model's noise levels are up to {apart:.2g} from those of a VP-SDE, which needs many steps with "
                "linear betas, such as DDPM's 1,000; choose time='discrete' and sampler='ddim'."
            )
        return sde

    @property
    def start(self) -> float:
        """τ₀ = 1/T, the time of the first discrete step."""
        return 1.0 / self.steps

    def beta(self, time: Time) -> Time:
        """Return β(τ)."""
        return self.slowest + time * (self.fastest - self.slowest)

    def log_alpha(self, time: Time) -> Time:
        """Return log γ² = −∫β from 0 to τ."""
        return -time * (self.slowest + 0.5 * time * (self.fastest - self.slowest))

    def slope(self, time: Time) -> Time:
        """Return d log γ²/dτ = −β."""
        return -self.beta(time)

    def label(self, time: Time) -> Time:
        """Return what the network is told: Tτ − 1, which is i at τ = (i + 1)/T."""
        return self.steps * time - 1.0

    def gamma(self, time: Tensor) -> Tensor:
        """Return γ(τ)."""
        return (0.5 * self.log_alpha(time)).exp()

    def sigma(self, time: Tensor) -> Tensor:
        """Return σ(τ), without the cancellation of 1 − γ² at small times."""
        return (-torch.expm1(self.log_alpha(time))).sqrt()

    def evenly(self, places: Tensor) -> Tensor:
        """Turn numbers from 0 to 1 into times from ``start`` to 1, evenly."""
        return self.start + (1.0 - self.start) * places

    def evenly_in_noise(self, places: Tensor) -> Tensor:
        """Turn numbers from 0 to 1 into such times, evenly in log σ²/γ².

        Its derivative is β/σ²: times of even places have a density ∝ β/σ². With B = ∫β it is log(e^B − 1), and B is
        a parabola in τ; both are inverted here.
        """
        low, high = (math.log(math.expm1(-self.log_alpha(time))) for time in (self.start, self.end))
        total = softplus(low + (high - low) * places)
        root = (self.slowest**2 + 2.0 * (self.fastest - self.slowest) * total).sqrt()
        return 2.0 * total / (self.slowest + root)


TIME_WEIGHTS: dict[str, Callable[[VPSDE, Tensor], Tensor]] = {
    "simple": VPSDE.evenly,
    "likelihood": VPSDE.evenly_in_noise,
}
"""What an error at time τ counts → times of places in [0, 1) whose plain mean has that weight in expectation.

``simple`` is 1, DDPM's loss; ``likelihood`` β/σ² over its own mean, the bound on the likelihood (Song et al. 2021,
arXiv 2101.09258), drawn instead of multiplied: as a factor it would make a few small τ the whole gradient.
"""

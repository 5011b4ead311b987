"""When latents are noised, how much, and what the network is told: in discrete steps or in continuous time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Generator, Tensor

from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.continuous.paths import NoisePath, SplinePath
from unlearn_gym.models.diffusion.continuous.vp_sde import TIME_WEIGHTS, VPSDE
from unlearn_gym.runtime.checks import one_of

if TYPE_CHECKING:
    from diffusers import DDPMScheduler


@dataclass(frozen=True)
class Noise:
    """What is made of some times, each tensor of their shape.

    Attributes:
        label: what the network is told.
        gamma: γ, and
        sigma: σ of the latents γx + σε; γ² + σ² = 1.
    """

    label: Tensor
    gamma: Tensor
    sigma: Tensor


class NoiseLevels(ABC):
    """The noise levels that a network is unlearned at.

    Args:
        scheduler: the schedule that the network was trained on.
        weight: what an error counts at a time, a name in ``weights``.
        device: where levels are wanted.
        dtype: of γ and σ.

    Attributes:
        path: its noise at every real time, for likelihoods.
        sampler: how images are drawn where nobody says it, a name in ``sampling.SAMPLERS``.
        weights: names of the weights that errors may have.
        whole: whether the network is told whole numbers alone.
    """

    path: NoisePath
    sampler: ClassVar[str]
    weights: ClassVar[tuple[str, ...]]
    whole: ClassVar[bool]

    def __init__(
        self, scheduler: DDPMScheduler, weight: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        self._device, self._dtype = device, dtype

    @abstractmethod
    def draw(self, count: int, generator: Generator) -> Tensor:
        """Draw the times of some pairs, (count,), on the CPU."""

    @abstractmethod
    def spread(self, count: int) -> Tensor:
        """Return times in the middle of so many equal parts, (count,), on the CPU, whatever errors count."""

    @abstractmethod
    def at(self, times: Tensor) -> Noise:
        """Return what is made of such times, on the device."""


class DiscreteLevels(NoiseLevels):
    """A time is a step t of the schedule, int64 from 0 to T − 1, drawn evenly; the network is told t."""

    sampler = "ddim"
    weights = ("simple",)
    whole = True

    def __init__(
        self, scheduler: DDPMScheduler, weight: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__(scheduler, weight, device, dtype)
        alphas = scheduler.alphas_cumprod.to(device=device, dtype=torch.float64)
        self.gamma, self.sigma = alphas.sqrt().to(dtype), (1.0 - alphas).sqrt().to(dtype)
        self.path = SplinePath(scheduler.alphas_cumprod)

    def draw(self, count: int, generator: Generator) -> Tensor:
        """See ``NoiseLevels``."""
        return torch.randint(len(self.gamma), (count,), generator=generator)

    def spread(self, count: int) -> Tensor:
        """See ``NoiseLevels``."""
        return ((torch.arange(count) + 0.5) * len(self.gamma) / count).long()

    def at(self, times: Tensor) -> Noise:
        """See ``NoiseLevels``."""
        steps = times.to(self._device)
        return Noise(steps, self.gamma[steps], self.sigma[steps])


class ContinuousLevels(NoiseLevels):
    """A time is τ of the VP-SDE that the schedule is close to, float64 from 1/T to 1; the network is told Tτ − 1."""

    sampler = "heun"
    weights = tuple(TIME_WEIGHTS)
    whole = False

    def __init__(
        self, scheduler: DDPMScheduler, weight: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__(scheduler, weight, device, dtype)
        self.path = self.sde = VPSDE.of(scheduler)
        self._times = TIME_WEIGHTS[weight]

    def draw(self, count: int, generator: Generator) -> Tensor:
        """See ``NoiseLevels``."""
        return self._times(self.sde, torch.rand(count, dtype=torch.float64, generator=generator))

    def spread(self, count: int) -> Tensor:
        """See ``NoiseLevels``."""
        return self.sde.evenly((torch.arange(count, dtype=torch.float64) + 0.5) / count)

    def at(self, times: Tensor) -> Noise:
        """See ``NoiseLevels``."""
        found = (self.sde.label(times), self.sde.gamma(times), self.sde.sigma(times))
        return Noise(*(each.to(self._device, self._dtype) for each in found))


LEVELS: dict[str, type[NoiseLevels]] = {"discrete": DiscreteLevels, "continuous": ContinuousLevels}
"""What ``time`` may be."""


def levels_of(time: str, weight: str) -> type[NoiseLevels]:
    """Return the noise levels of that time.

    Raises:
        UserError: if there is no such time, or no such weight in it.
    """
    one_of("time", time, LEVELS)
    one_of("time_weight", weight, TIME_WEIGHTS)
    found = LEVELS[time]
    if weight not in found.weights:
        raise UserError(
            f"time_weight={weight!r} is not offered for time={time!r}; choose {' or '.join(found.weights)}."
        )
    return found

"""Denoising losses that are the same each time: fixed noise, times spread evenly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.models.diffusion.noise_levels import NoiseLevels
from unlearn_gym.processes.common.passes import forward

if TYPE_CHECKING:
    from diffusers import UNet2DModel

SEED = 0
TIMES = 10


@dataclass(frozen=True)
class FixedNoise:
    """The loss of a network as it is now, on images at ten times.

    Attributes:
        model: predicts the noise.
        levels: which times those are, and how much noise each means.
        conditional: whether the network is told the labels.
    """

    model: UNet2DModel
    levels: NoiseLevels
    conditional: bool

    def batches(self, part: LabelledSet, size: int) -> Iterator[Tensor]:
        """Yield the mean loss of every minibatch at every time, with its graph."""
        generator = Generator().manual_seed(SEED)
        for rows in torch.arange(len(part)).split(size):
            for time in self.levels.spread(TIMES):
                yield self._loss(part, rows, time, generator)

    def singles(self, part: LabelledSet, count: int) -> Iterator[Tensor]:
        """Yield the losses of so many single images, each with its graph.

        Of a larger set they are spread evenly; those of a smaller one return, each with another of the times.
        """
        generator, times = Generator().manual_seed(SEED), self.levels.spread(TIMES)
        different = min(len(part), count)
        for number in range(count):
            turn, place = divmod(number, different)
            row = torch.tensor([place * len(part) // different])
            yield self._loss(part, row, times[(place + turn) % TIMES], generator)

    def _loss(self, part: LabelledSet, rows: Tensor, time: Tensor, generator: Generator) -> Tensor:
        rows = rows.to(part.inputs.device)
        images = part.inputs[rows]
        noise = torch.randn(images.shape, generator=generator).to(images)
        labels = part.labels[rows] if self.conditional else None
        at = self.levels.at(time)
        noisy = at.gamma * images + at.sigma * noise
        predicted = forward(self.model, noisy, at.label.expand(len(images)), class_labels=labels).sample
        return (predicted - noise).square().mean()

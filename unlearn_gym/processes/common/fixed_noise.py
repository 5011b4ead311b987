"""Denoising losses that are the same each time: fixed noise, timesteps spread evenly over the schedule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from diffusers import UNet2DModel
from torch import Generator, Tensor

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.processes.common.passes import forward

SEED = 0
TIMESTEPS = 10


@dataclass(frozen=True)
class FixedNoise:
    """The loss of a network as it is now, on images at ten timesteps.

    Attributes:
        model: predicts the noise.
        gamma: √ᾱ_t, shape (T,), and
        sigma: √(1 − ᾱ_t).
        conditional: whether the network is told the labels.
    """

    model: UNet2DModel
    gamma: Tensor
    sigma: Tensor
    conditional: bool

    def batches(self, part: LabelledSet, size: int) -> Iterator[Tensor]:
        """Yield the mean loss of every minibatch at every timestep, with its graph."""
        generator = Generator().manual_seed(SEED)
        for rows in torch.arange(len(part)).split(size):
            for step in self._timesteps():
                yield self._loss(part, rows, step, generator)

    def singles(self, part: LabelledSet, count: int) -> Iterator[Tensor]:
        """Yield the losses of so many single images, each with its graph.

        Of a larger set they are spread evenly; those of a smaller one return, each time at another timestep.
        """
        generator, steps = Generator().manual_seed(SEED), self._timesteps()
        different = min(len(part), count)
        for number in range(count):
            turn, place = divmod(number, different)
            row = torch.tensor([place * len(part) // different])
            yield self._loss(part, row, steps[(place + turn) % TIMESTEPS], generator)

    def _timesteps(self) -> Tensor:
        return ((torch.arange(TIMESTEPS) + 0.5) * len(self.gamma) / TIMESTEPS).long().to(self.gamma.device)

    def _loss(self, part: LabelledSet, rows: Tensor, step: Tensor, generator: Generator) -> Tensor:
        rows = rows.to(part.inputs.device)
        images = part.inputs[rows]
        noise = torch.randn(images.shape, generator=generator).to(images)
        labels = part.labels[rows] if self.conditional else None
        noisy = self.gamma[step] * images + self.sigma[step] * noise
        predicted = forward(self.model, noisy, step.expand(len(images)), class_labels=labels).sample
        return (predicted - noise).square().mean()

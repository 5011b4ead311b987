"""Bits per dimension of real images under the network that an environment unlearns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.metrics.likelihood import bits_per_dim, dequantised
from unlearn_gym.metrics.subsets import evenly_spaced
from unlearn_gym.processes.diffusion import DiffusionProcess

if TYPE_CHECKING:
    from diffusers import UNet2DModel

CHUNK = 64


@dataclass(frozen=True)
class Likelihood:
    """Measures a model's bits per dimension.

    Attributes:
        process: whose noise levels, device and dtype are used.
        model: the network.
        count: most images of a set.
        conditional: whether the network takes labels.
        seed: of the probe vectors and of dequantisation, the same for every set.
    """

    process: DiffusionProcess
    model: UNet2DModel
    count: int
    conditional: bool
    seed: int

    def mean(self, examples: LabelledSet, levels: int | None = None) -> float:
        """Return the mean over some images of a set; dequantised where their number of grey levels is given."""
        generator = torch.Generator().manual_seed(self.seed)
        device, path = self.process.device, self.process.levels.path
        found = []
        for rows in evenly_spaced(len(examples), self.count).split(CHUNK):
            labels = examples.labels[rows].to(device) if self.conditional else None

            def predict(x: Tensor, s: Tensor, labels: Tensor | None = labels) -> Tensor:
                return self.model(x, s, class_labels=labels).sample

            inputs = examples.inputs[rows]
            inputs = inputs if levels is None else dequantised(inputs, levels, generator)
            images = inputs.to(device, self.process.dtype)
            found.append(bits_per_dim(predict, path, images, generator=generator, levels=levels))
        return float(torch.cat(found).mean())

"""Samples of a diffusion model under the labels that are judged, from noise that the seed decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor

from unlearn_gym.data.split import UnlearningData
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings
from unlearn_gym.metrics.subject import Samples
from unlearn_gym.models.diffusion.sampling import sample
from unlearn_gym.models.grid import pixels_of

SHOWN_OF_LABEL, SHOWN_OF_CLASS = 20, 1


class Drawer:
    """Draws the same samples of every model.

    Args:
        process: has the noise schedule, and says where to compute.
        data: the request: shape of the images, and its label.
        classes: labels that models know, or 0 for none.
        settings: how many samples are drawn in how many steps.

    Attributes:
        labels: of all samples, int64; those of the forget label first.
        of_label: how many those are.
    """

    def __init__(self, process: Any, data: UnlearningData, classes: int, settings: EvaluatorSettings) -> None:
        self.process, self._data, self._classes, self.settings = process, data, classes, settings
        self.of_label = settings.samples
        self.labels = self._labels(data.forget_label)

    def _labels(self, label: int | None) -> Tensor:
        settings = self.settings
        if not self._classes:
            return torch.zeros(settings.samples, dtype=torch.int64)
        if label is None:
            return torch.arange(settings.samples) % self._classes
        others = torch.tensor([k for k in range(self._classes) if k != label])
        return torch.cat([torch.full((settings.samples,), label), others.repeat(settings.class_samples)])

    def draw(self, model: UNet2DModel, seed: int) -> Samples:
        """Draw all samples."""
        return Samples(self.images(model, seed, self.labels), self.labels, self.of_label)

    def images(self, model: UNet2DModel, seed: int, labels: Tensor) -> Tensor:
        """Draw an image for each of some labels, on the CPU."""
        process = self.process
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn((len(labels), *self._data.forget.inputs.shape[1:]), generator=generator)
        asked = labels.to(process.device) if self._classes else None
        return self.made(model, asked, noise.to(process.device, process.dtype)).float().cpu()

    def made(self, model: UNet2DModel, labels: Tensor | None, noise: Tensor) -> Tensor:
        """Return what a model makes of noise."""
        return sample(model, self.process.scheduler, labels, noise, self.settings.sampling_steps)


def pictures_of(samples: Samples, classes: int) -> dict[str, np.ndarray]:
    """Return the samples that reports show: twenty of the forget label, and one of each other of the labels."""
    shown = {"forget label": samples.images[: min(SHOWN_OF_LABEL, samples.of_label)]}
    others = samples.images[samples.of_label :]
    if len(others):
        shown["other labels"] = others[: SHOWN_OF_CLASS * (classes - 1)]
    return {title: pixels_of(images) for title, images in shown.items()}

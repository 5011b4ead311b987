"""Samples of a diffusion model under the labels that are judged, from noise that the seed decides."""

from __future__ import annotations

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor

from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings
from unlearn_gym.metrics.subject import Samples
from unlearn_gym.models.diffusion.sampling import sample
from unlearn_gym.processes.diffusion import DiffusionProcess


class Drawer:
    """Draws the same samples of every model.

    Args:
        process: has the noise schedule, the sampler and the data.
        classes: labels that models know, or 0 for none.
        settings: how many samples are drawn in how many steps.

    Attributes:
        labels: of all samples, int64; those of the forget label first.
        of_label: how many those are.
    """

    def __init__(self, process: DiffusionProcess, classes: int, settings: EvaluatorSettings) -> None:
        self._process, self._classes, self._settings = process, classes, settings
        self.of_label = settings.samples
        self.labels = self._labels(process.data.forget_label)

    def _labels(self, label: int | None) -> Tensor:
        settings = self._settings
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
        process = self._process
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn((len(labels), *process.data.forget.inputs.shape[1:]), generator=generator)
        images = sample(
            model,
            process.scheduler,
            labels.to(process.device) if self._classes else None,
            noise.to(process.device, process.dtype),
            self._settings.sampling_steps,
            process.sampler,
        )
        return images.float().cpu()

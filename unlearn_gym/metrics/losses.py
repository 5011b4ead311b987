"""Denoising loss on a fixed probe: the same images, noise and timesteps for every model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor

from unlearn_gym.data.split import LabelledSet

CHUNK = 256


@dataclass(frozen=True)
class DenoisingProbe:
    """Noised images whose noise a model is asked for.

    Attributes:
        images: clean images, shape (n, channels, height, width) in [-1, 1].
        labels: int64 of shape (n,), or None for an unconditional network.
        timesteps: int64 of shape (n,), spread evenly over the schedule.
        noise: standard normal, like ``images``.
    """

    images: Tensor
    labels: Tensor | None
    timesteps: Tensor
    noise: Tensor

    @classmethod
    def draw(
        cls, examples: LabelledSet, conditional: bool, size: int, schedule: int, generator: torch.Generator
    ) -> DenoisingProbe:
        """Draw ``size`` (image, timestep, noise) triples.

        The images are gone through in order, again and again; one timestep falls into each of ``size`` equal
        parts of the schedule.

        Args:
            examples: images and labels.
            conditional: whether the model is told the labels.
            size: number of triples.
            schedule: number of timesteps, T.
            generator: on the CPU.
        """
        rows = torch.arange(size) % len(examples)
        places = (torch.arange(size) + torch.rand(size, generator=generator)) / size
        timesteps = (places * schedule).long().clamp(max=schedule - 1)
        order = torch.randperm(size, generator=generator)
        images = examples.inputs[rows].cpu()
        noise = torch.randn(images.shape, generator=generator)
        labels = examples.labels[rows].cpu() if conditional else None
        return cls(images, labels, timesteps[order], noise)

    @torch.no_grad()
    def loss(self, unet: UNet2DModel, scheduler: DDPMScheduler) -> float:
        """Mean squared error of the predicted noise, averaged over pixels and triples."""
        parameter = next(unet.parameters())
        total = 0.0
        for start in range(0, len(self.images), CHUNK):
            part = slice(start, start + CHUNK)
            noise = self.noise[part].to(parameter)
            timesteps = self.timesteps[part].to(parameter.device)
            labels = None if self.labels is None else self.labels[part].to(parameter.device)
            noised = scheduler.add_noise(self.images[part].to(parameter), noise, timesteps)
            error = unet(noised, timesteps, class_labels=labels).sample - noise
            total += float(error.double().square().flatten(1).mean(1).sum())
        return total / len(self.images)

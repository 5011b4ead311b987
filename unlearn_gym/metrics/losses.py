"""Denoising loss on a fixed probe: the same images, noise and timesteps for every model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.metrics.privacy import mann_whitney_auc

if TYPE_CHECKING:
    from diffusers import DDPMScheduler, UNet2DModel

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

    @classmethod
    def cross(
        cls, examples: LabelledSet, conditional: bool, steps: int, schedule: int, generator: torch.Generator
    ) -> DenoisingProbe:
        """Ask for every example at each of ``steps`` evenly spread timesteps, with fresh noise each time.

        Args:
            examples: images and labels.
            conditional: whether the model is told the labels.
            steps: number of timesteps, each in the middle of an equal part of the schedule.
            schedule: number of timesteps, T.
            generator: on the CPU.

        Returns:
            All examples at the first timestep, then all at the second, and so on.
        """
        timesteps = ((torch.arange(steps) + 0.5) * schedule / steps).long().repeat_interleave(len(examples))
        images = examples.inputs.cpu().repeat(steps, *[1] * (examples.inputs.ndim - 1))
        labels = examples.labels.cpu().repeat(steps) if conditional else None
        return cls(images, labels, timesteps, torch.randn(images.shape, generator=generator))

    def loss(self, unet: UNet2DModel, scheduler: DDPMScheduler) -> float:
        """Mean squared error of the predicted noise, averaged over pixels and triples."""
        return float(self.losses(unet, scheduler).mean())

    @torch.no_grad()
    def losses(self, unet: UNet2DModel, scheduler: DDPMScheduler) -> Tensor:
        """Mean squared error of the predicted noise of each triple, float64 of shape (n,), on the CPU."""
        parameter = next(unet.parameters())
        found = []
        for start in range(0, len(self.images), CHUNK):
            part = slice(start, start + CHUNK)
            noise = self.noise[part].to(parameter)
            timesteps = self.timesteps[part].to(parameter.device)
            labels = None if self.labels is None else self.labels[part].to(parameter.device)
            noised = scheduler.add_noise(self.images[part].to(parameter), noise, timesteps)
            error = unet(noised, timesteps, class_labels=labels).sample - noise
            found.append(error.double().square().flatten(1).mean(1).cpu())
        return torch.cat(found)


def example_losses(
    unet: UNet2DModel,
    scheduler: DDPMScheduler,
    examples: LabelledSet,
    conditional: bool,
    generator: torch.Generator,
    steps: int = 10,
) -> Tensor:
    """Return each example's denoising loss, averaged over pixels and timesteps; see ``DenoisingProbe.cross``.

    Returns:
        float64 of shape (number of examples,), on the CPU.
    """
    schedule = scheduler.config["num_train_timesteps"]
    probe = DenoisingProbe.cross(examples, conditional, steps, schedule, generator)
    return probe.losses(unet, scheduler).view(steps, -1).mean(0)


def denoising_mia_auc(members: Tensor, non_members: Tensor) -> float:
    """Return the AUC of telling members from others by their lower denoising loss (``mann_whitney_auc``).

    Args:
        members: losses of examples that the original model was trained on, shape (n,).
        non_members: losses of examples that no model saw, shape (m,).
    """
    return mann_whitney_auc(-members.numpy(), -non_members.numpy())

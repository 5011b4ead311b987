"""A one-step generator, the fake score that follows it, and the frozen teacher of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from unlearn_gym.models.diffusion.sampling import CHUNK
from unlearn_gym.models.sfd import losses
from unlearn_gym.models.sfd.schedule import Schedule

if TYPE_CHECKING:
    from diffusers import UNet2DModel

BETAS = (0.0, 0.999)
"""Of both Adams: no momentum."""
LARGEST_GRADIENT = 1.0
"""Each entry of a gradient is clipped to ± this."""


@dataclass(frozen=True)
class Draw:
    """The random numbers behind n generated images and their latents; none depends on a weight or an action.

    Attributes:
        labels: classes c that the generator is asked for, int64 of shape (n,).
        start: n ~ N(0, I), what it makes images of, shape (n, channels, height, width).
        timesteps: t of the latents, int64 of shape (n,).
        noise: ε of the latents, of the shape of ``start``.
        uniform: u ~ U[0, 1), for who draws a class at the latent, shape (n,).
    """

    labels: Tensor
    start: Tensor
    timesteps: Tensor
    noise: Tensor
    uniform: Tensor

    @classmethod
    def of(cls, labels: Tensor, shape: Sequence[int], schedule: Schedule, generator: Generator) -> Draw:
        """Draw for some labels, on the CPU.

        Args:
            labels: int64 of shape (n,).
            shape: of an image.
            schedule: says which timesteps there are.
            generator: source, on the CPU.
        """
        size = (len(labels), *shape)
        return cls(
            labels=labels,
            start=torch.randn(size, generator=generator),
            timesteps=torch.randint(schedule.first, schedule.last + 1, size[:1], generator=generator),
            noise=torch.randn(size, generator=generator),
            uniform=torch.rand(size[0], generator=generator),
        )

    def to(self, weight: Tensor) -> Draw:
        """Return the same numbers on the device and in the type of a network's weight."""
        labels, timesteps = self.labels.to(weight.device), self.timesteps.to(weight.device)
        start, noise, uniform = (part.to(weight) for part in (self.start, self.noise, self.uniform))
        return Draw(labels, start, timesteps, noise, uniform)

    def __getitem__(self, rows: Tensor | slice) -> Draw:
        """Return some rows."""
        return Draw(*(part[rows] for part in vars(self).values()))


@dataclass(frozen=True)
class View:
    """Generated images with their latents, as the fake score sees them.

    Attributes:
        images: x = g_θ(n, c₂), with its graph.
        latents: z_t = γ_t·x + σ_t·ε, with its graph.
        fake: x̂_ψ(z_t, c₂), likewise.
    """

    images: Tensor
    latents: Tensor
    fake: Tensor


@dataclass(frozen=True)
class Trio:
    """The three class-conditional networks of one architecture, ε-predictions all.

    Attributes:
        generator: θ; asked once, at the step ``schedule.start``.
        fake: ψ, learns the scores of what θ makes.
        teacher: φ, the diffusion model; never changes.
        schedule: noise levels.
    """

    generator: UNet2DModel
    fake: UNet2DModel
    teacher: UNet2DModel
    schedule: Schedule

    def fake_losses(self, draw: Draw) -> Tensor:
        """Return the losses of ψ on images of the generator, which get no gradient, shape (n,)."""
        with torch.no_grad():
            images = one_step(self.generator, self.schedule, draw.labels, draw.start)
            latents = self.schedule.noised(images, draw.noise, draw.timesteps)
        predicted = self.fake(latents, draw.timesteps, class_labels=draw.labels).sample
        return losses.fake_losses(predicted, draw.noise)

    def look(self, draw: Draw) -> View:
        """Return images of the generator and what the fake score makes of their latents, with their graph."""
        images = one_step(self.generator, self.schedule, draw.labels, draw.start)
        latents = self.schedule.noised(images, draw.noise, draw.timesteps)
        return View(images, latents, self._denoised(self.fake, latents, draw, draw.labels))

    def taught(self, view: View, draw: Draw, labels: Tensor) -> Tensor:
        """Return x̂_φ(z_t, c₁), what the teacher makes of the latents under the labels c₁, (n,), with its graph."""
        return self._denoised(self.teacher, view.latents, draw, labels)

    def _denoised(self, network: UNet2DModel, latents: Tensor, draw: Draw, labels: Tensor) -> Tensor:
        predicted = network(latents, draw.timesteps, class_labels=labels).sample
        return self.schedule.denoised(latents, predicted, draw.timesteps)


def one_step(network: UNet2DModel, schedule: Schedule, labels: Tensor, start: Tensor) -> Tensor:
    """Return g(n, c) = (σn − σ·ε_θ(σn, t, c))/γ at the one step t = ``schedule.start``, not clamped.

    Args:
        network: predicts ε; its graph is kept.
        schedule: noise levels.
        labels: c, int64 of shape (n,).
        start: n, standard normal, shape (n, channels, height, width).
    """
    step = torch.full_like(labels, schedule.start)
    latents = schedule.sigma[schedule.start] * start
    return schedule.denoised(latents, network(latents, step, class_labels=labels).sample, step)


@torch.no_grad()
def generate(network: UNet2DModel, schedule: Schedule, labels: Tensor, start: Tensor) -> Tensor:
    """Return images by one pass each, clamped to [-1, 1]; arguments as in ``one_step``."""
    parts = zip(labels.split(CHUNK), start.split(CHUNK), strict=True)
    return torch.cat([one_step(network, schedule, *part).clamp(-1, 1) for part in parts])

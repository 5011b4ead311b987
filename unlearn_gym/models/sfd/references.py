"""Images that the teacher draws of each class: what densities of classes are fitted to, in the place of data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from unlearn_gym.models.diffusion.sampling import sample
from unlearn_gym.models.sfd.distillation import image_shape

if TYPE_CHECKING:
    from diffusers import DDPMScheduler, UNet2DModel

SEED = 0
SAMPLING_STEPS = 10


@dataclass(frozen=True)
class TeacherSamples:
    """Draws from the teacher, the same each time.

    Attributes:
        teacher: predicts ε.
        scheduler: its noise schedule.
    """

    teacher: UNet2DModel
    scheduler: DDPMScheduler

    def of(self, labels: Tensor, count: int) -> Tensor:
        """Return ``count`` images of each label, by DDIM in ten steps, (labels, count, channels, height, width)."""
        weight, asked = next(self.teacher.parameters()), labels.repeat_interleave(count)
        noise = torch.randn((len(asked), *image_shape(self.teacher)), generator=Generator().manual_seed(SEED))
        images = sample(self.teacher, self.scheduler, asked, noise.to(weight), SAMPLING_STEPS)
        return images.unflatten(0, (len(labels), count))

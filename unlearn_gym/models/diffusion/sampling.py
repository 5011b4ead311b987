"""Draw images from a diffusion model with DDIM (Song et al. 2021, eta = 0)."""

from __future__ import annotations

import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from torch import Tensor

from unlearn_gym.models.diffusion.schedules import SAMPLING

CHUNK = 256


@torch.no_grad()
def sample(
    unet: UNet2DModel, scheduler: DDPMScheduler, labels: Tensor | None, noise: Tensor, steps: int = 25
) -> Tensor:
    """Return the images that the model makes of ``noise``; the same noise gives the same images.

    Args:
        unet: the noise-predicting network; stays in its train or eval mode.
        scheduler: the schedule it was trained on.
        labels: int64 of shape (n,), or None for an unconditional network.
        noise: standard normal, shape (n, channels, height, width), on the network's device.
        steps: DDIM steps, at most one for each step of the schedule.

    Returns:
        Images like ``noise``, clamped to [-1, 1].
    """
    sampler = ddim(scheduler)
    sampler.set_timesteps(min(steps, len(scheduler.betas)), device=noise.device)
    chunks = []
    for start in range(0, len(noise), CHUNK):
        images = noise[start : start + CHUNK]
        classes = None if labels is None else labels[start : start + CHUNK]
        for step in sampler.timesteps:
            predicted = unet(images, step, class_labels=classes).sample
            images = sampler.step(predicted, step, images).prev_sample
        chunks.append(images.clamp(-1, 1))
    return torch.cat(chunks)


def ddim(scheduler: DDPMScheduler) -> DDIMScheduler:
    """Return DDIM on a schedule's own betas, of which it could not make every kind itself, with its clipping."""
    return DDIMScheduler(
        num_train_timesteps=len(scheduler.betas),
        trained_betas=scheduler.betas.tolist(),
        timestep_spacing="trailing",
        **{name: scheduler.config[name] for name in SAMPLING},
    )

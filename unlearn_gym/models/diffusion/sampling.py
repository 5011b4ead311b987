"""Draw images from a diffusion model: with DDIM (Song et al. 2021, eta = 0), or as the VP-SDE that it is close to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from unlearn_gym.models.diffusion.continuous.samplers import (
    PredictNoise,
    SDESampler,
    euler_maruyama,
    heun,
    predictor_corrector,
)
from unlearn_gym.models.diffusion.continuous.vp_sde import VPSDE
from unlearn_gym.runtime.checks import one_of

if TYPE_CHECKING:
    from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel

SAMPLING = (
    "clip_sample",
    "clip_sample_range",
    "thresholding",
    "dynamic_thresholding_ratio",
    "sample_max_value",
)
"""Settings of a scheduler that matter when images are drawn with DDIM."""
CHUNK = 256
SEED = 0
"""Of what is drawn on the way from noise to images, by the samplers that do."""


@torch.no_grad()
def sample(
    unet: UNet2DModel,
    scheduler: DDPMScheduler,
    labels: Tensor | None,
    noise: Tensor,
    steps: int = 25,
    sampler: str = "ddim",
) -> Tensor:
    """Return the images that the model makes of ``noise``; the same noise gives the same images.

    Args:
        unet: the noise-predicting network; stays in its train or eval mode.
        scheduler: the schedule it was trained on.
        labels: int64 of shape (n,), or None for an unconditional network.
        noise: standard normal, shape (n, channels, height, width), on the network's device.
        steps: most evaluations of the network for an image: DDIM steps, at most one for each step of the schedule.
        sampler: a name in ``SAMPLERS``.

    Returns:
        Images like ``noise``, clamped to [-1, 1].

    Raises:
        UserError: for another name, or if the schedule is not close to an SDE and the sampler needs one.
    """
    one_of("sampler", sampler, SAMPLERS)
    generator = Generator().manual_seed(SEED)
    chunks = []
    for start in range(0, len(noise), CHUNK):
        classes = None if labels is None else labels[start : start + CHUNK]

        def predict(images: Tensor, label: Tensor, classes: Tensor | None = classes) -> Tensor:
            return unet(images, label, class_labels=classes).sample

        images = SAMPLERS[sampler](predict, scheduler, noise[start : start + CHUNK], steps, generator)
        chunks.append(images.clamp(-1, 1))
    return torch.cat(chunks)


def ddim(scheduler: DDPMScheduler) -> DDIMScheduler:
    """Return DDIM on a schedule's own betas, of which it could not make every kind itself, with its clipping."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        num_train_timesteps=len(scheduler.betas),
        trained_betas=scheduler.betas.tolist(),
        timestep_spacing="trailing",
        **{name: scheduler.config[name] for name in SAMPLING},
    )


def by_ddim(
    predict: PredictNoise, scheduler: DDPMScheduler, noise: Tensor, steps: int, generator: Generator
) -> Tensor:
    """Return the images of DDIM; nothing is drawn.

    Where the image that is predicted was clipped, the noise that belongs to the clipped one goes with it: with the
    noise as predicted the two would not add up to the latent, an error that grows with the number of steps.
    """
    sampler = ddim(scheduler)
    sampler.set_timesteps(min(steps, len(scheduler.betas)), device=noise.device)
    images = noise
    for step in sampler.timesteps:
        predicted = predict(images, step)
        images = sampler.step(predicted, step, images, use_clipped_model_output=True).prev_sample
    return images


def by_sde(
    sampler: SDESampler,
    predict: PredictNoise,
    scheduler: DDPMScheduler,
    noise: Tensor,
    steps: int,
    generator: Generator,
) -> Tensor:
    """Return the images of a sampler of the SDE that the schedule is close to."""
    return sampler(predict, VPSDE.of(scheduler), noise, steps, generator)


Sampler = Callable[[PredictNoise, "DDPMScheduler", Tensor, int, Generator], Tensor]

SAMPLERS: dict[str, Sampler] = {
    "ddim": by_ddim,
    "heun": partial(by_sde, heun),
    "euler_maruyama": partial(by_sde, euler_maruyama),
    "predictor_corrector": partial(by_sde, predictor_corrector),
}
"""How images are made of noise."""

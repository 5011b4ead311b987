"""The networks that everything is measured on, and the environments over them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch
from diffusers import UNet2DModel

import unlearn_gym  # noqa: F401 (registers the ids)
from unlearn_gym.envs.diffusion import DiffusionUnlearningEnv
from unlearn_gym.models.diffusion.model import DiffusionModel, build_unet, default_scheduler
from unlearn_gym.models.threads import seeded_weights

DIGITS, LARGE, UNLABELLED = "8x8 digits, 160k", "28x28 MNIST, 0.6M", "28x28 without labels, 0.6M"
MEDIUM, CIFAR = "32x32 colour, 5M", "google/ddpm-cifar10-32, 36M"
NETWORKS = (DIGITS, LARGE, UNLABELLED)
"""The third has no labels to tell its images apart: half the latents need an error towards both targets."""
IDS = {DIGITS: "unlearn_gym/SISS-Digits-v0", LARGE: "unlearn_gym/SISS-Trousers-v0"}


def random_problem(size: int, widths: tuple[int, ...], images: int = 256, layers: int = 1) -> dict[str, Any]:
    """Return the keywords of ``SISS-v0`` for random images and an untrained unconditional network."""
    generator = torch.Generator().manual_seed(0)
    with seeded_weights(0):
        unet = build_unet(size, 1, 0, widths, layers)
    folder = Path(tempfile.mkdtemp(prefix="unlearn-gym-benchmark-"))
    DiffusionModel(unet, default_scheduler()).save_pretrained(folder / "model")
    sets = [torch.rand(images, 1, size, size, generator=generator) * 2 - 1 for _ in range(2)]
    return {"model": folder / "model", "retain_data": sets[0], "forget_data": sets[1]}


def cifar_unet() -> UNet2DModel:
    """Return the architecture of ``google/ddpm-cifar10-32`` with random weights."""
    return UNet2DModel(
        sample_size=32,
        layers_per_block=2,
        block_out_channels=(128, 256, 256, 256),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        norm_eps=1e-6,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        attention_head_dim=None,
    )


UNETS = {MEDIUM: lambda: build_unet(32, 3, 0, (64, 96, 128, 128), 1), CIFAR: cifar_unet}
"""Networks of the size that users bring, untrained and without labels."""


def unet_problem(network: str) -> dict[str, Any]:
    """Return the keywords of ``SISS-v0`` for random images and one of ``UNETS``."""
    with seeded_weights(0):
        unet = UNETS[network]()
    retain, forget = torch.rand(2, 64, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return {"model": (unet, default_scheduler()), "retain_data": retain, "forget_data": forget}


def make(network: str, **kwargs: Any) -> DiffusionUnlearningEnv:
    """Return an environment over one of the networks, already reset."""
    if network in IDS:
        return started(gym.make(IDS[network], **kwargs))
    problem = unet_problem(network) if network in UNETS else random_problem(28, (32, 64))
    return started(gym.make("unlearn_gym/SISS-v0", **problem, **kwargs))


def started(env: gym.Env) -> DiffusionUnlearningEnv:
    """Reset an environment and take its wrappers off."""
    face = env.unwrapped
    assert isinstance(face, DiffusionUnlearningEnv)
    face.reset(seed=0)
    return face

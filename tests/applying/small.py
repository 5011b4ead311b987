"""A user's folder: small trained models and folders of images, made once a session."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.models.diffusion.model import DiffusionModel, build_unet, default_scheduler
from unlearn_gym.models.threads import seeded_weights

FACTORY = """
import torch


def build():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))


def number():
    return 3


def fails():
    return torch.nn.Linear(64)
"""
QUICK = ("--steps", "4", "--samples", "4", "--sampling-steps", "2", "--learning-rate", "1e-4")


def write_images(part: LabelledSet, folder: Path, *, classes: bool = True) -> None:
    """Write images as PNG, in a folder for each label or all in one."""
    for row, (image, label) in enumerate(zip(part.inputs, part.labels.tolist(), strict=True)):
        place = folder / str(label) if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        pixels = ((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(np.squeeze(pixels)).save(place / f"{row:04d}.png")


def few(part: LabelledSet, count: int) -> LabelledSet:
    """Return some examples, evenly spaced."""
    rows = torch.arange(count) * len(part) // count
    return LabelledSet(part.inputs[rows], part.labels[rows])


def unconditional(folder: Path, images: torch.Tensor, updates: int = 60) -> None:
    """Write a small unconditional DDPM, trained until it is better than nothing."""
    with seeded_weights(0):
        unet = build_unet(8, 1, 0, widths=(8, 16))
    model = DiffusionModel(unet.train(), default_scheduler())
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(unet.parameters(), lr=3e-3)
    for _ in range(updates):
        rows = torch.randint(len(images), (32,), generator=generator)
        noise = torch.randn(images[rows].shape, generator=generator)
        steps = torch.randint(1000, (32,), generator=generator)
        noised = model.scheduler.add_noise(images[rows], noise, steps)
        optimizer.zero_grad()
        (unet(noised, steps).sample - noise).square().mean().backward()
        optimizer.step()
    model.save_pretrained(folder)


def classifier(folder: Path, part: LabelledSet, updates: int = 60) -> None:
    """Write a linear classifier and the file with its factory."""
    with seeded_weights(0):
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-2)
    for _ in range(updates):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(part.inputs), part.labels).backward()
        optimizer.step()
    save_file(
        {name: weight.contiguous() for name, weight in network.state_dict().items()},
        folder / "net.safetensors",
    )
    (folder / "factory.py").write_text(FACTORY)


def copied(made: Path, folder: Path) -> Path:
    """Return a copy that a test may spoil."""
    return Path(shutil.copytree(made, folder / "place"))

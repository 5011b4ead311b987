"""Settings that make any registered environment cheap enough to test; ids without an entry run as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import unlearn_gym  # noqa: F401 (registers the ids)
from tests.envs.small_supervised import small_emse_kwargs
from unlearn_gym.models.diffusion.model import DiffusionModel, build_unet, default_scheduler
from unlearn_gym.models.threads import seeded_weights

HEAVY = ("VGG16BN", "MobileNetV2", "ResNet20-Online")
"""Networks whose every step takes a second; test_supervised.py builds each once."""
IDS = [
    pytest.param(id, marks=pytest.mark.slow) if any(word in id for word in HEAVY) else id
    for id in sorted(gym.registry)
    if id.startswith("unlearn_gym/")
]
SHORT = {"horizon": 4, "batch_size": 8}


def user_model(folder: Path) -> Path:
    """Write an untrained unconditional checkpoint for 8x8 images, as a user would bring one."""
    path = folder / "checkpoint"
    if not path.exists():
        with seeded_weights(0):
            unet = build_unet(8, 1, 0, widths=(8, 16))
        DiffusionModel(unet, default_scheduler()).save_pretrained(path)
    return path


def small_kwargs(env_id: str, folder: Path) -> dict[str, Any]:
    """Return the keywords with which ``env_id`` is tested; ``folder`` may be written to."""
    if "Quadratic" in env_id:
        return {"horizon": 4}
    if "EMSE-Requests" in env_id:
        return dict(SHORT)
    if "Requests" in env_id:
        return {**SHORT, "reward_kwargs": {"samples": 4, "class_samples": 1, "sampling_steps": 2}}
    if "EMSE" in env_id:
        return small_emse_kwargs(env_id)
    if env_id == "unlearn_gym/SISS-v0":
        rng = np.random.default_rng(0)
        images = [rng.uniform(-1, 1, (20, 1, 8, 8)).astype(np.float32) for _ in range(2)]
        return {
            **SHORT,
            "model": user_model(folder),
            "retain_data": images[0],
            "forget_data": torch.tensor(images[1]),
        }
    if "CIFAR10" in env_id:  # without what is chosen from losses, which test_cifar10.py looks at
        return {**SHORT, "defaults": {}}
    if "Trousers" in env_id or "SFD-MNIST" in env_id:  # the stand-ins of conftest.py have six
        return {**SHORT, "task_kwargs": {"trousers": 4, "holdout": 2}}
    return dict(SHORT)

"""A small diffusion problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.models.diffusion.model import build_unet, default_scheduler
from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.objectives import make_diffusion_objective
from unlearn_gym.objectives.base import Objective
from unlearn_gym.processes.diffusion import DiffusionProcess
from unlearn_gym.processes.gradient import GradientProcess


def small_data(labels: str, channels: int = 1) -> UnlearningData:
    """Random 8x8 images; ``labels`` of the two sets are "none", "equal", "different" or "mixed"."""
    generator = torch.Generator().manual_seed(1)
    retain = {"mixed": torch.arange(12) % 3}.get(labels, torch.zeros(12, dtype=torch.int64))
    forget = torch.full((7,), 1 if labels == "different" else 0)
    parts = [
        LabelledSet(torch.rand(len(y), channels, 8, 8, generator=generator) * 2 - 1, y)
        for y in (retain, forget, retain[:2], forget[:2])
    ]
    return UnlearningData("random", *parts, num_classes=0 if labels == "none" else 3)


def small_process(
    *,
    objective: str | Objective = "siss",
    labels: str = "mixed",
    hyperparameters: dict[str, Any] | None = None,
    unet: UNet2DModel | None = None,
    **settings: Any,
) -> DiffusionProcess:
    """Build a process in float64 with batches of 5 pairs, and a tiny network if none is given."""
    data = small_data(labels, unet.config["in_channels"] if unet else 1)
    if unet is None:
        with seeded_weights(0):
            unet = build_unet(8, 1, data.num_classes, widths=(4, 8), norm_groups=2)
    own = {"weighted": {"forget_cap": 0.3}, "erasediff": {"eta": 0.5}}.get(objective, {})
    defaults = {
        "batch_size": 10,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "max_grad_norm": 1.0,
        "state": "fresh",
    }
    defaults |= {"grad_norms": True, "device": torch.device("cpu"), "dtype": torch.float64}
    return DiffusionProcess(
        unet,
        default_scheduler(),
        data,
        objective=make_diffusion_objective(objective, **own, **(hyperparameters or {})),
        **(defaults | settings),
    )


def assert_same_updates(fast: GradientProcess, slow: GradientProcess, lams: Sequence[float]) -> None:
    """Fail unless two processes measure the same and move their weights alike, to rounding, at every λ in turn."""
    both = (fast, slow)
    first = [process.reset(np.random.default_rng(3)) for process in both]
    assert astuple(first[0]) == pytest.approx(astuple(first[1]), rel=1e-9)
    for lam in lams:
        for seen in ([process.update(lam) for process in both], [process.observe() for process in both]):
            assert astuple(seen[0]) == pytest.approx(astuple(seen[1]), rel=1e-7, abs=1e-9)
        for p, q in zip(fast.model.parameters(), slow.model.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-7, atol=1e-9)

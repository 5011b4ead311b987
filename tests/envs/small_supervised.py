"""Settings that make the EMSE environments cheap enough to test."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

SHORT = {"horizon": 4, "batch_size": 8}


def small_emse_kwargs(env_id: str) -> dict[str, Any]:
    """Return the keywords with which ``env_id`` is tested; the data are those of ``conftest.py``."""
    if env_id == "unlearn_gym/EMSE-v0":
        return {**SHORT, **user_problem()}
    if "Digits" in env_id or "Polynomial" in env_id:
        return dict(SHORT)
    return {**SHORT, "task_kwargs": {"pretrain_epochs": 1}}


def user_problem() -> dict[str, Any]:
    """Return a model of two layers and two sets of labelled vectors, as a user would bring them."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((30, 5)).astype(np.float32)
    labels = rng.integers(0, 3, 30)
    return {
        "model": model,
        "retain_data": (inputs[:20], labels[:20]),
        "forget_data": (inputs[20:], labels[20:]),
        "num_classes": 3,
    }

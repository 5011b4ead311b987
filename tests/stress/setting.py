"""What all cases share: a cache of their own, small stand-ins for the data of the hub, and loaded libraries."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import numpy as np
import torch

from tests.data.test_classes import write_split
from tests.envs.conftest import FORMS
from tests.envs.shortened import shortened
from unlearn_gym.models.diffusion.tasks import get_task
from unlearn_gym.storage.cache import CACHE_VARIABLE

LIBRARIES = (
    *("unlearn_gym.agents.training", "unlearn_gym.agents.common.sb3", "unlearn_gym.agents.adaptive_vi"),
    *("unlearn_gym.envs.diffusion", "unlearn_gym.envs.supervised", "unlearn_gym.envs.regression"),
    *(
        "unlearn_gym.envs.vector.stacked",
        "unlearn_gym.evaluation.report.publish",
        "unlearn_gym.evaluation.evaluators.registry",
    ),
    *("unlearn_gym.evaluation.evaluators.drawn.diffusion", "unlearn_gym.evaluation.evaluators.regression"),
    *("unlearn_gym.evaluation.evaluators.supervised", "torch.utils.tensorboard", "sklearn.datasets"),
)
"""Loaded once, so that no fork loads them."""


def prepare(root: Path) -> None:
    """Load what forks need, and give them a cache, data and small tasks below ``root``."""
    torch.set_num_threads(1)
    for name in LIBRARIES:
        importlib.import_module(name)
    digits = get_task("digits")
    for part in (digits.original, digits.retrained, digits.concepts):
        part()
    os.environ[CACHE_VARIABLE] = str(root / "cache")
    os.environ["UNLEARN_GYM_DATA"] = str(stand_ins(root / "data"))
    os.environ["OMP_NUM_THREADS"] = "1"
    for tasks, task, make in shortened():
        tasks[task] = make


def stand_ins(folder: Path) -> Path:
    """Write random images in the layout of the hub's data sets, a few of each of the first classes."""
    for name, (size, channels, _) in FORMS.items():
        for split, count in (("train", 24), ("test", 8)):
            labels = (np.arange(count) % 4).tolist()
            write_split(folder / name, split, labels, size=size, channels=channels)
    return folder

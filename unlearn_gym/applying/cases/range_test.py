"""A learning rate for a classifier, by short runs on a copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym

from unlearn_gym.applying.cases.classifier import ClassifierCase

RATES = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
UPDATES = 10
HARM = 0.1
"""How far the cross entropy of images to keep may rise."""
LAMBDA = 0.5


def harmless_rate(case: ClassifierCase, make: Callable[[float, int], gym.Env], seed: int) -> float:
    """Return the largest of ``RATES`` whose first ``UPDATES`` raise the retain loss by no more than ``HARM``.

    Args:
        case: what is unlearned.
        make: returns an environment with a learning rate and a number of updates.
        seed: of the runs.

    Returns:
        The smallest rate where even that does harm: the run itself warns then.
    """
    for rate in RATES:
        env = make(rate, UPDATES)
        inner: Any = env.unwrapped
        model, action = inner.process.model, inner.encoding.encode(LAMBDA)
        env.reset(seed=seed)
        start = case.retain_loss(model)
        diverged = any(env.step(action)[-1]["diverged"] for _ in range(UPDATES))
        if not diverged and case.retain_loss(model) <= start + HARM:
            break
    return rate

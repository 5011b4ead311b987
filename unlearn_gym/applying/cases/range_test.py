"""A learning rate for a classifier, by short runs on a copy."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium as gym

from unlearn_gym.applying.cases.base import Case

RATES = (3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
UPDATES = 10
HARM = 1.1, 0.02
"""What a rate may do: multiply the retain loss by the first, and add the second."""
LAMBDA = 0.5


def harmless_rate(case: Case, make: Callable[[float, int], gym.Env], seed: int) -> float:
    """Return the largest of ``RATES`` whose first updates leave the held-out images to keep as they were.

    Args:
        case: what is unlearned.
        make: returns an environment with a learning rate and a number of updates.
        seed: of the runs.

    Returns:
        The smallest rate where even that does harm: the run itself warns then.
    """
    for rate in RATES:
        env = make(rate, UPDATES)
        model = env.unwrapped.process.model  # type: ignore[attr-defined]
        env.reset(seed=seed)
        start = float(case.losses(model).retain.mean())
        diverged = False
        for _ in range(UPDATES):
            *_, info = env.step([LAMBDA])
            diverged = diverged or info["diverged"]
            if diverged:
                break
        if not diverged and float(case.losses(model).retain.mean()) <= HARM[0] * start + HARM[1]:
            break
    return rate

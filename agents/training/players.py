"""Environments in which policies play side by side, each step and each reset asked for by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from unlearn_gym.agents.training.vector import WorkerVecEnv
from unlearn_gym.errors import UserError


class Players:
    """One environment, or several in processes of their own; none is reset by itself at the end of an episode.

    Args:
        env: a Gymnasium environment, or what ``make_vector`` returned on a CPU.

    Raises:
        UserError: for another vector environment.
    """

    def __init__(self, env: Any) -> None:
        self._workers = env if isinstance(env, WorkerVecEnv) else None
        if self._workers is None and isinstance(env, VecEnv) and not isinstance(env, DummyVecEnv):
            raise UserError(
                f"Policies cannot play side by side in a {type(env).__name__}; give one environment, or "
                "n_envs of them on a CPU."
            )
        self._here = list(env.envs) if isinstance(env, DummyVecEnv) else [env]

    @property
    def number(self) -> int:
        """How many there are."""
        return self._workers.num_envs if self._workers else len(self._here)

    @property
    def online(self) -> bool:
        """Whether they keep their weights at a reset."""
        if self._workers:
            return self._workers.has_attr("online") and bool(self._workers.get_attr("online", 0)[0])
        return bool(getattr(self._here[0].unwrapped, "online", False))

    def reset(self, count: int, seed: int) -> dict[int, np.ndarray]:
        """Reset the first ``count`` with one seed, and return their observations."""
        answers = self._call("reset", {number: {"seed": seed} for number in range(count)})
        return {number: observation for number, (observation, _) in answers.items()}

    def step(self, actions: Mapping[int, np.ndarray]) -> dict[int, tuple[Any, ...]]:
        """Let some of them make a step, and return what Gymnasium's ``step`` does."""
        return self._call("step", {number: {"action": action} for number, action in actions.items()})

    def _call(self, name: str, keywords: Mapping[int, Mapping[str, Any]]) -> dict[int, Any]:
        if self._workers:
            return self._workers.call_each(name, keywords)
        return {number: getattr(self._here[number], name)(**given) for number, given in keywords.items()}

"""Agents that learn while they act: one step, one lesson, without replay and without an RL library."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from unlearn_gym.agents.common.base import Hooks, Learner, SimpleAgent

if TYPE_CHECKING:
    from stable_baselines3.common.logger import Logger


class OnlineLearner(SimpleAgent, Learner):
    """Learns from ``feedback`` within a run.

    Each run begins (``begin``) with what the agent knew at its start: its initial weights, or those that
    ``learn`` or loading gave it. So runs of an evaluation do not depend on their order.

    Args:
        env: the environment; ``learn`` steps it, and nothing else does.
        **keywords: see ``Agent``.
    """

    vectorised = False

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        self._env = env
        self._timesteps = 0
        self._observation: np.ndarray | None = None
        self.rng = np.random.default_rng(self.seed)
        self.build()
        self._knowledge = copy.deepcopy(self.state_dict())

    @abstractmethod
    def build(self) -> None:
        """Make what is learned, from ``self.settings`` and ``self.seed``."""

    def begin(self, seed: int) -> None:
        """Go back to what was known at the start, and draw from ``seed``."""
        self.load_state_dict(self._knowledge)
        self.rng = np.random.default_rng(seed)

    @property
    def timesteps(self) -> int:
        """Steps learned from so far."""
        return self._timesteps

    def set_logger(self, logger: Logger) -> None:
        """Nothing to record that is not in ``info`` already."""

    def learn(
        self, total_timesteps: int, hooks: Hooks | None = None, progress_bar: bool = False
    ) -> OnlineLearner:
        """Go through episodes, learning on, until ``total_timesteps`` steps were made in all."""
        hooks = hooks or Hooks()
        if self._observation is None:
            self._observation, _ = self._env.reset(seed=self.seed)
        steps = range(self._timesteps, total_timesteps)
        for _ in tqdm(steps, initial=self._timesteps, total=total_timesteps, disable=not progress_bar):
            hooks.boundary(self._timesteps)
            before = self._observation
            action, _ = self.predict(before)
            self._observation, reward, terminated, truncated, info = self._env.step(action)
            self.feedback(before, action, float(reward), info)
            self._timesteps += 1
            hooks.step(self._observation[None], [info], self._timesteps)
            if terminated or truncated:
                self._observation, _ = self._env.reset()
        self._knowledge = copy.deepcopy(self.state_dict())
        return self

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take knowledge over; later runs begin with it."""
        self.restore(copy.deepcopy(state))
        self._knowledge = state

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Put what is learned into ``state``, a ``state_dict``."""

    def training_state(self) -> dict[str, Any]:
        """Return everything that ``learn`` needs to go on."""
        return {
            "timesteps": self._timesteps,
            "observation": self._observation,
            "knowledge": self.state_dict(),
            "rng": self.rng.bit_generator.state,
            "environment": self._env.state_dict(),
        }

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from where ``training_state`` was taken."""
        self._timesteps, self._observation = state["timesteps"], state["observation"]
        self.load_state_dict(state["knowledge"])
        self.rng.bit_generator.state = state["rng"]
        self._env.reset()  # Gymnasium's wrappers insist on it
        self._env.load_state_dict(state["environment"])

"""The environment as a learning agent sees it: losses and norms as log(1 + x), actions in [−1, 1]."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from unlearn_gym.processes.base import SIGNALS


def compress(observation: np.ndarray, space: spaces.Box) -> np.ndarray:
    """Return the observation, shape (..., n), with log(1 + x) of its losses and norms.

    Where the first numbers of ``space`` may be negative, they are logs already and stay as they are.
    """
    seen = np.array(observation, dtype=np.float32)
    if space.low[0] >= 0:
        seen[..., : len(SIGNALS)] = np.log1p(seen[..., : len(SIGNALS)])
    return seen


def unscale(action: np.ndarray, space: spaces.Box) -> np.ndarray:
    """Map actions in [−1, 1] onto ``space``; the one place where it is done."""
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    inside = low + 0.5 * (np.asarray(action, dtype=np.float64) + 1.0) * (high - low)
    return np.clip(inside, low, high).astype(np.float32)


def rescale(action: np.ndarray, space: spaces.Box) -> np.ndarray:
    """Invert ``unscale``: map ``space`` onto [−1, 1]."""
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    return np.clip(2.0 * (np.asarray(action, dtype=np.float64) - low) / (high - low) - 1.0, -1.0, 1.0)


class AgentView(VecEnvWrapper):
    """Applies both maps around a vector environment.

    Attributes:
        raw: the last observations as the environments gave them, shape (n, 6).
    """

    raw: np.ndarray

    def __init__(self, venv: VecEnv) -> None:
        seen, taken = venv.observation_space, venv.action_space
        assert isinstance(seen, spaces.Box) and isinstance(taken, spaces.Box)
        self._seen, self._taken = seen, taken
        observation_space = spaces.Box(compress(seen.low, seen), compress(seen.high, seen), dtype=np.float32)
        super().__init__(venv, observation_space, spaces.Box(-1.0, 1.0, taken.shape, np.float32))

    def reset(self) -> np.ndarray:
        """Reset all environments."""
        self.raw = np.asarray(self.venv.reset())
        return compress(self.raw, self._seen)

    def step_async(self, actions: np.ndarray) -> None:
        """Start a step with actions in [−1, 1]."""
        self.venv.step_async(unscale(actions, self._taken))

    def step_wait(self) -> VecEnvStepReturn:
        """Finish the step."""
        raw, rewards, dones, infos = self.venv.step_wait()
        self.raw = np.asarray(raw)
        for info in infos:
            if "terminal_observation" in info:
                info["terminal_observation"] = compress(info["terminal_observation"], self._seen)
        return compress(self.raw, self._seen), rewards, dones, infos

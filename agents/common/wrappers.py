"""The environment as a learning agent sees it: losses and norms as log(1 + x), actions in [−1, 1]."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from unlearn_gym.processes.base import SIGNALS


def compress(observation: np.ndarray) -> np.ndarray:
    """Return the observation, shape (..., 6), with log(1 + x) of its losses and norms."""
    seen = np.array(observation, dtype=np.float32)
    seen[..., : len(SIGNALS)] = np.log1p(seen[..., : len(SIGNALS)])
    return seen


def to_lambda(action: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map actions in [−1, 1] onto [low, high]; the one place where it is done."""
    lam = low + 0.5 * (np.asarray(action, dtype=np.float64) + 1.0) * (high - low)
    return np.clip(lam, low, high).astype(np.float32)


class AgentView(VecEnvWrapper):
    """Applies both maps around a vector environment.

    Attributes:
        raw: the last observations as the environments gave them, shape (n, 6).
    """

    raw: np.ndarray

    def __init__(self, venv: VecEnv) -> None:
        seen, lam = venv.observation_space, venv.action_space
        assert isinstance(seen, spaces.Box) and isinstance(lam, spaces.Box)
        self._low, self._high = float(lam.low[0]), float(lam.high[0])
        observation_space = spaces.Box(compress(seen.low), compress(seen.high), dtype=np.float32)
        super().__init__(venv, observation_space, spaces.Box(-1.0, 1.0, lam.shape, np.float32))

    def reset(self) -> np.ndarray:
        """Reset all environments."""
        self.raw = np.asarray(self.venv.reset())
        return compress(self.raw)

    def step_async(self, actions: np.ndarray) -> None:
        """Start a step with actions in [−1, 1]."""
        self.venv.step_async(to_lambda(actions, self._low, self._high))

    def step_wait(self) -> VecEnvStepReturn:
        """Finish the step."""
        raw, rewards, dones, infos = self.venv.step_wait()
        self.raw = np.asarray(raw)
        for info in infos:
            if "terminal_observation" in info:
                info["terminal_observation"] = compress(info["terminal_observation"])
        return compress(self.raw), rewards, dones, infos

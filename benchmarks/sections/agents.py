"""How much of a learner's time passes outside the environment."""

from __future__ import annotations

import time
from typing import Any

import gymnasium as gym

from benchmarks.problems import DIGITS
from benchmarks.rows import Row, Settings, below
from unlearn_gym import agents
from unlearn_gym.agents.training.vector import Factory


class Clock(gym.Wrapper):
    """Adds up the seconds inside ``step`` and ``reset``.

    Attributes:
        seconds: the sum.
    """

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env)
        self.seconds = 0.0

    def step(self, action: Any) -> Any:
        """Step and add."""
        start = time.perf_counter()
        result = self.env.step(action)
        self.seconds += time.perf_counter() - start
        return result

    def reset(self, **kwargs: Any) -> Any:
        """Reset and add."""
        start = time.perf_counter()
        result = self.env.reset(**kwargs)
        self.seconds += time.perf_counter() - start
        return result


def outside(name: str, steps: int) -> float:
    """Return the share of the learner's wall time outside the environment."""
    from stable_baselines3.common.vec_env import DummyVecEnv

    clock = Clock(Factory("unlearn_gym/SISS-Digits-v0")())
    agent = agents.make(name, DummyVecEnv([lambda: clock]))
    start = time.perf_counter()
    agent.learn(steps)  # type: ignore[attr-defined]
    total = time.perf_counter() - start
    return 1.0 - clock.seconds / total


def run(settings: Settings) -> list[Row]:
    """Measure PPO and SAC at their default settings on the digits task."""
    rows = []
    for name in ("ppo", "sac"):
        share = 100 * outside(name, settings.long)
        text = f"{share:.1f} % of {settings.long} steps"
        rows.append(below(f"{name.upper()}'s time outside the environment", DIGITS, share, 10, text, "%"))
    return rows

"""Agents without learning: a constant, a random λ, and schedules over t/T."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jsonargparse.typing import ClosedUnitInterval

from unlearn_gym.agents.common.base import SimpleAgent
from unlearn_gym.errors import UserError
from unlearn_gym.processes.base import LAMBDA_0, STATE

TIME = list(STATE).index("time")
"""Where t/T is in an observation."""


class StaticAgent(SimpleAgent):
    """The same λ at every step: ``static:0.5``."""

    name, static = "static", True
    arguments = ("lam",)

    @dataclass(frozen=True)
    class Settings:
        """The constant.

        Args:
            lam: λ, in the range of the environment.
        """

        lam: float = LAMBDA_0

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        _check_range(self, lam=self.settings.lam)

    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Return the constant."""
        return self.settings.lam


class RandomAgent(SimpleAgent):
    """λ uniform over its range, anew at each step, ``deterministic`` or not."""

    name = "random"

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        self.begin(self.seed)

    def begin(self, seed: int) -> None:
        """Draw from ``seed``."""
        self._rng = np.random.default_rng(seed)

    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Draw a λ."""
        return float(self._rng.uniform(self.low, self.high))


SHAPES: dict[str, Callable[[float, float], float]] = {
    "linear": lambda time, at: time,
    "cosine": lambda time, at: 0.5 * (1.0 - math.cos(math.pi * time)),
    "step": lambda time, at: float(time >= at),
}
"""Name → share of the way from ``start`` to ``end`` at t/T; the second argument is where a step happens."""


class ScheduleAgent(SimpleAgent):
    """λ from ``start`` to ``end`` over the episode: ``schedule:linear:0.9:0.1``."""

    name = "schedule"
    arguments = ("shape", "start", "end", "at")

    @dataclass(frozen=True)
    class Settings:
        """The curve.

        Args:
            shape: ``linear``, ``cosine`` (half a period) or ``step``.
            start: λ at the first update.
            end: λ at t = T.
            at: t/T from which a ``step`` takes ``end``.
        """

        shape: Literal["linear", "cosine", "step"] = "linear"
        start: float = 0.9
        end: float = 0.1
        at: ClosedUnitInterval = 0.5

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        if self.settings.shape != "step" and self.settings.at != self.Settings.at:
            raise UserError(
                f"settings of schedule: at={self.settings.at} is only used by the shape step; leave it out."
            )
        _check_range(self, start=self.settings.start, end=self.settings.end)

    @classmethod
    def takes(cls, words: Sequence[str]) -> tuple[str, ...]:
        """Leave ``at`` to the shape that uses it."""
        return cls.arguments if words[:1] == ["step"] else cls.arguments[:-1]

    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Return λ at the t/T of the observation."""
        share = SHAPES[self.settings.shape](float(observation[TIME]), self.settings.at)
        return self.settings.start + share * (self.settings.end - self.settings.start)


def _check_range(agent: SimpleAgent, **values: float) -> None:
    slack = 1e-6  # the ends of the action space are float32
    for key, value in values.items():
        if not agent.low - slack <= value <= agent.high + slack:
            raise UserError(
                f"settings of {agent.name}: {key}={value} is outside the environment's λ range "
                f"[{agent.low:g}, {agent.high:g}]; choose a λ inside it."
            )

"""Agents without learning: a constant, a random λ, and schedules over t/T."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jsonargparse.typing import ClosedUnitInterval

from unlearn_gym.agents.common.base import SimpleAgent
from unlearn_gym.envs.spaces.actions import LARGEST_FACTOR
from unlearn_gym.envs.spaces.observations import StateObserver
from unlearn_gym.envs.spaces.observers import observer_of
from unlearn_gym.errors import UserError
from unlearn_gym.processes.base import LAMBDA_0


def elapsed(observation: np.ndarray) -> float:
    """Return t/T of an observation."""
    return (observer_of(len(observation)) or StateObserver).elapsed(observation)


class StaticAgent(SimpleAgent):
    """The same λ at every step: ``static:0.5``; ``static:0.5:2`` at twice the learning rate."""

    name, static = "static", True
    arguments = ("lam", "rate")

    @dataclass(frozen=True)
    class Settings:
        """The constant.

        Args:
            lam: λ, in the range of the environment.
            rate: factor of the learning rate, from 1/4 to 4, where the environment lets agents control it.
        """

        lam: float = LAMBDA_0
        rate: float = 1.0

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        check_range(self, lam=self.settings.lam)
        _check_factor(self, rate=self.settings.rate)

    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Return the constant."""
        return self.settings.lam

    def factor(self, observation: np.ndarray) -> float:
        """Return the constant factor."""
        return self.settings.rate


class RandomAgent(SimpleAgent):
    """λ anew at each step, ``deterministic`` or not: an action that is uniform over the action space.

    Under ``action="lambda"`` that is a uniform λ, under ``action="log"`` one whose logarithm is uniform.
    """

    name = "random"

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        self.begin(self.seed)

    def begin(self, seed: int) -> None:
        """Draw from ``seed``."""
        self._rng = np.random.default_rng(seed)

    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Draw a λ."""
        return self.drawn(self._rng)


SHAPES: dict[str, Callable[[float, float], float]] = {
    "linear": lambda time, at: time,
    "cosine": lambda time, at: 0.5 * (1.0 - math.cos(math.pi * time)),
    "step": lambda time, at: float(time >= at),
}
"""Name → share of the way from ``start`` to ``end`` at t/T; the second argument is where a step happens."""


class ScheduleAgent(SimpleAgent):
    """λ from ``start`` to ``end`` over the episode: ``schedule:linear:0.9:0.1``.

    Where the environment lets agents control the learning rate, its factor goes from ``rate_start`` to ``rate_end`` in
    the same shape: ``schedule:cosine:0.5:0.5:2:0.25`` is a decay at a constant λ.
    """

    name = "schedule"
    arguments = ("shape", "start", "end", "at", "rate_start", "rate_end")

    @dataclass(frozen=True)
    class Settings:
        """The curve.

        Args:
            shape: ``linear``, ``cosine`` (half a period) or ``step``.
            start: λ at the first update.
            end: λ at t = T.
            at: t/T from which a ``step`` takes ``end``.
            rate_start: factor of the learning rate at the first update, from 1/4 to 4.
            rate_end: factor at t = T.
        """

        shape: Literal["linear", "cosine", "step"] = "linear"
        start: float = 0.9
        end: float = 0.1
        at: ClosedUnitInterval = 0.5
        rate_start: float = 1.0
        rate_end: float = 1.0

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        if self.settings.shape != "step" and self.settings.at != self.Settings.at:
            raise UserError(
                f"settings of schedule: at={self.settings.at} is only used by the shape step; leave it out."
            )
        check_range(self, start=self.settings.start, end=self.settings.end)
        _check_factor(self, rate_start=self.settings.rate_start, rate_end=self.settings.rate_end)

    @classmethod
    def takes(cls, words: Sequence[str]) -> tuple[str, ...]:
        """Leave ``at`` to the shape that uses it."""
        return cls.arguments if words[:1] == ["step"] else tuple(a for a in cls.arguments if a != "at")

    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Return λ at the t/T of the observation."""
        return self._between(observation, self.settings.start, self.settings.end)

    def factor(self, observation: np.ndarray) -> float:
        """Return the factor of the learning rate at the t/T of the observation."""
        return self._between(observation, self.settings.rate_start, self.settings.rate_end)

    def _between(self, observation: np.ndarray, start: float, end: float) -> float:
        share = SHAPES[self.settings.shape](elapsed(observation), self.settings.at)
        return start + share * (end - start)


def check_range(agent: SimpleAgent, **values: float) -> None:
    """Refuse a λ that the environment would clip.

    Raises:
        UserError: naming the setting.
    """
    slack = 1e-6  # the ends of the action space are float32
    for key, value in values.items():
        if not agent.low - slack <= value <= agent.high + slack:
            raise UserError(
                f"settings of {agent.name}: {key}={value} is outside the environment's λ range "
                f"[{agent.low:g}, {agent.high:g}]; choose a λ inside it."
            )


def _check_factor(agent: SimpleAgent, **values: float) -> None:
    for key, value in values.items():
        if not 1.0 / LARGEST_FACTOR <= value <= LARGEST_FACTOR:
            raise UserError(
                f"settings of {agent.name}: {key}={value} is no factor of the learning rate; give a number from "
                f"{1.0 / LARGEST_FACTOR:g} to {LARGEST_FACTOR:g}."
            )
        if value != 1.0 and not agent.encoding.sets_learning_rate:
            raise UserError(
                f"settings of {agent.name}: {key}={value} needs an environment whose learning rate agents control; "
                "make it with control=['lambda', 'learning_rate'], or leave it out."
            )

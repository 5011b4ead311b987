"""What an agent sees of a run, and the plainest form of it: the six numbers of the paper."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces

from unlearn_gym.processes.base import SIGNALS, STATE, Process, Signals

OBSERVATION_LIMIT = 1e6
"""Losses and norms above it are reported as this number, so that the observation space is bounded."""


@dataclass(frozen=True)
class Moment:
    """Where a run stands.

    Attributes:
        signals: losses and norms to be shown.
        lam: λ of the last update.
        step: updates so far, and ``horizon`` those of the whole run.
        process: its ``learning_rate`` and ``forget_cap`` are looked at.
    """

    signals: Signals
    lam: float
    step: int
    horizon: int
    process: Process


class Observer(ABC):
    """Makes observations of what a process measures.

    Args:
        low: smallest λ, and
        high: the largest.

    Attributes:
        names: name of each number → title in figures; no two observers have as many.
        logged: names of the first ones, which training logs.
        space: of the observations.
    """

    name: ClassVar[str]
    names: ClassVar[Mapping[str, str]]
    logged: ClassVar[tuple[str, ...]]
    space: spaces.Box

    @abstractmethod
    def __init__(self, low: float, high: float) -> None:
        """Make the space."""

    def attach(self, env: Any) -> None:  # noqa: B027 (most look at nothing else)
        """Hear, once, which environment asks."""

    def start(self, signals: Signals) -> None:  # noqa: B027 (nothing to remember)
        """Forget the run before; the original weights have these signals."""

    def note(self, signals: Signals) -> None:  # noqa: B027 (nothing to remember)
        """Hear of the signals after an update, once each."""

    @abstractmethod
    def show(self, moment: Moment) -> np.ndarray:
        """Return the observation, float32; it changes nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return what ``note`` remembered."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027 (nothing to remember)
        """Go on from where ``state_dict`` was taken."""

    @classmethod
    @abstractmethod
    def elapsed(cls, observation: np.ndarray) -> float:
        """Return t/T of one observation."""

    @classmethod
    @abstractmethod
    def paced(cls, observations: np.ndarray, scale: float) -> np.ndarray:
        """Return observations, (…, n), as they would be where T is divided by ``scale``."""


class StateObserver(Observer):
    """The six numbers of the paper: losses, norms, the previous λ and t/T."""

    name, names, logged = "state", STATE, SIGNALS

    def __init__(self, low: float, high: float) -> None:
        self.space = spaces.Box(
            np.zeros(len(STATE), np.float32),
            np.array([OBSERVATION_LIMIT] * len(SIGNALS) + [max(1.0, high), 1.0], np.float32),
        )

    def show(self, moment: Moment) -> np.ndarray:
        """See ``Observer.show``."""
        losses = np.clip(list(vars(moment.signals).values()), 0.0, OBSERVATION_LIMIT)
        return np.array([*losses, moment.lam, moment.step / moment.horizon], dtype=np.float32)

    @classmethod
    def elapsed(cls, observation: np.ndarray) -> float:
        """See ``Observer.elapsed``."""
        return float(observation[list(STATE).index("time")])

    @classmethod
    def paced(cls, observations: np.ndarray, scale: float) -> np.ndarray:
        """See ``Observer.paced``."""
        seen = np.array(observations)
        seen[..., -1] *= scale
        return seen

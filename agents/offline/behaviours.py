"""Agents that log: they cover the range of λ, two of them by Gaussian draws, from which others are estimated."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from jsonargparse.typing import PositiveFloat
from scipy.special import expit, logit

from unlearn_gym.agents.baselines import elapsed
from unlearn_gym.agents.common.base import Agent, SimpleAgent, State
from unlearn_gym.agents.common.features import COLUMNS, NUMBERS, follow
from unlearn_gym.agents.common.settings import Share
from unlearn_gym.envs.spaces.observers import observer_of
from unlearn_gym.envs.spaces.relative import RELATIVE
from unlearn_gym.errors import UserError
from unlearn_gym.processes.base import STATE
from unlearn_gym.trajectories.episode import Latent

LARGEST = 9.0
"""Largest z that a walk goes on from: there float32 tells λ from the end of its range."""


class RandomConstantAgent(SimpleAgent):
    """A constant that each run draws anew, uniform over the action space, as ``random`` draws each of its λ."""

    name = "random_constant"

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        self.begin(self.seed)

    def begin(self, seed: int) -> None:
        """Draw another constant."""
        self._lam = self.drawn(np.random.default_rng(seed))

    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Return the constant."""
        return self._lam


class GaussianAgent(Agent):
    """λ = low + (high − low)·σ(z), z ~ N(mean, std²), ``deterministic`` or not: the draws are what it is for."""

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        self.begin(self.seed)

    def begin(self, seed: int) -> None:
        """Draw from ``seed``."""
        self.rng = np.random.default_rng(seed)

    @abstractmethod
    def gaussian(
        self, rows: np.ndarray, state: State, episode_start: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, State]:
        """Return mean and standard deviation of z, (n,) each, for observations (n, m), and the next state."""

    def predict(
        self,
        observation: np.ndarray,
        state: State = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, State]:
        """See ``Agent.predict``."""
        rows = np.asarray(observation, dtype=np.float64).reshape(-1, np.shape(observation)[-1])
        mean, std, state = self.gaussian(rows, state, episode_start)
        z = mean + std * self.rng.standard_normal(len(rows))
        if self.encoding.name == "lambda" and not self.encoding.sets_learning_rate:
            self.latent = Latent(mean[:, None], std[:, None], z[:, None])
        lams = self.low + (self.high - self.low) * expit(z)
        actions = np.stack([self.encoding.encode(lam) for lam in lams])
        return (actions if np.ndim(observation) > 1 else actions[0]), state


class WalkAgent(GaussianAgent):
    """An Ornstein–Uhlenbeck walk of z: ``walk:0.9:1.5``.

    z₀ ~ N(0, spread²), z_{t+1} ~ N(keep·z_t, (1 − keep²)·spread²), so that z has the spread at every step. z_t is read
    from the previous λ: nothing but what is seen decides, as with every policy.
    """

    name = "walk"
    arguments = ("keep", "spread")

    @dataclass(frozen=True)
    class Settings:
        """The walk.

        Args:
            keep: correlation of one z with the next.
            spread: standard deviation of z.
        """

        keep: Share = 0.9  # type: ignore[valid-type]
        spread: PositiveFloat = 1.5

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        if observer_of(self.observation_space.shape[-1]) is None:
            raise UserError(
                "walk goes on from the previous λ, which the observations of this environment do not show; give it one "
                "of this package."
            )

    def gaussian(
        self, rows: np.ndarray, state: State, episode_start: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, State]:
        """See ``GaussianAgent.gaussian``."""
        begins = np.array([elapsed(row) == 0.0 for row in rows])
        keep, spread = self.settings.keep, self.settings.spread
        mean = np.where(begins, 0.0, keep * self._before(rows))
        return mean, np.where(begins, spread, np.sqrt(1.0 - keep**2) * spread), state

    def _before(self, rows: np.ndarray) -> np.ndarray:
        """Return the z that gave the previous λ, (n,), at most ``LARGEST`` in size."""
        if rows.shape[1] != NUMBERS:
            return rows[:, list(RELATIVE).index("previous_logit")]
        share = (rows[:, list(STATE).index("previous_lambda")] - self.low) / (self.high - self.low)
        return logit(np.clip(share, expit(-LARGEST), expit(LARGEST)))


class RandomPolicyAgent(GaussianAgent):
    """A linear policy whose weights each run draws anew: z ~ N(w·x, std²), w ~ N(0, spread²).

    x is that of ``cem``: 1 and what ``unlearn_gym.agents.common.features`` shows of the six numbers, or of other
    observations 1 and themselves; each number of x is brought to at most 3 in size.
    """

    name = "random_policy"
    arguments = ("std", "spread")
    limit = 3.0

    @dataclass(frozen=True)
    class Settings:
        """How it draws.

        Args:
            std: standard deviation of z.
            spread: that of the weights.
        """

        std: PositiveFloat = 0.5
        spread: PositiveFloat = 1.0

    def begin(self, seed: int) -> None:
        """Draw another policy."""
        super().begin(seed)
        numbers = self.observation_space.shape[-1]
        self._weights = self.settings.spread * self.rng.standard_normal(
            1 + (COLUMNS if numbers == NUMBERS else numbers)
        )

    def gaussian(
        self, rows: np.ndarray, state: State, episode_start: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, State]:
        """See ``GaussianAgent.gaussian``."""
        if rows.shape[1] == NUMBERS:
            seen = follow(rows, state, episode_start)
            rows, state = seen.columns, seen.memory
        x = np.insert(np.clip(rows, -self.limit, self.limit), 0, 1.0, axis=1)
        return x @ self._weights, np.full(len(rows), self.settings.std), state

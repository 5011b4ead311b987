"""A wrapper that records the episodes of any environment, to be kept as a Minari data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from unlearn_gym.trajectories import datasets
from unlearn_gym.trajectories.episode import LATENTS, Episode, Latent


class RecordTrajectories(gym.Wrapper):
    """Records what happens between two resets; ``save`` writes it.

    ``info["reward_terms"]`` and ``info["request"]`` are recorded where the environment has them. An episode without a
    step is none.

    Args:
        env: with vectors as observations and actions (``Box``).
        agent: who acts; where it has ``latent``, as ours have, what it drew is recorded.
        name: what the agent is called in the data set.

    Attributes:
        episodes: those that are over; one that a reset broke off is neither terminated nor truncated.
    """

    def __init__(self, env: gym.Env, agent: Any = None, name: str = "") -> None:
        super().__init__(env)
        self._agent, self._name = agent, name or str(getattr(agent, "name", ""))
        self.episodes: list[Episode] = []
        self._log: Recorder | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        """Begin an episode."""
        self._finish()
        observation, info = self.env.reset(seed=seed, options=options)
        self._log = Recorder(observation, self._name, seed)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict]:
        """Record the step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        assert self._log is not None  # Gymnasium's own wrapper refuses a step before the reset
        self._log.add(observation, inside(action, self.action_space), float(reward), info, self._agent)
        if terminated or truncated:
            self._finish(terminated=bool(terminated), truncated=bool(truncated))
        return observation, reward, terminated, truncated, info

    def _finish(self, *, terminated: bool = False, truncated: bool = False) -> None:
        if self._log is not None and self._log.rewards:
            self.episodes.append(self._log.episode(terminated=terminated, truncated=truncated))
        self._log = None

    def save(self, name: str) -> Path:
        """Write the episodes that are over as a Minari data set, and return its folder; see ``datasets.write``."""
        return datasets.write(name, self.episodes, self.env)


class Recorder:
    """The steps of the episode that is under way.

    Args:
        observation: the first one.
        agent: name of who acts.
        seed: of the reset.
    """

    def __init__(self, observation: np.ndarray, agent: str = "", seed: int | None = None) -> None:
        self._agent, self._seed, self._request = agent, seed, ""
        self.observations, self.actions, self.rewards = (
            [np.array(observation)],
            list[np.ndarray](),
            list[float](),
        )
        self._terms: list[Mapping[str, float]] = []
        self._latents: list[Latent] = []

    def add(
        self, observation: np.ndarray, action: np.ndarray, reward: float, info: Mapping[str, Any], agent: Any
    ) -> None:
        """Take down one step of an agent, None where it is not known."""
        self.observations.append(np.array(observation))
        self.actions.append(action)
        self.rewards.append(reward)
        self._terms.append(info.get("reward_terms", {}))
        self._request = str(info.get("request", ""))
        latent = getattr(agent, "latent", None)
        if latent is not None:
            self._latents.append(latent)

    def episode(self, *, terminated: bool, truncated: bool) -> Episode:
        """Return what was taken down."""
        names = dict.fromkeys(name for terms in self._terms for name in terms)
        terms = {name: np.array([float(each.get(name, 0.0)) for each in self._terms]) for name in names}
        latent = None
        if len(self._latents) == len(self.rewards):
            rows = {key: np.concatenate([getattr(each, key) for each in self._latents]) for key in LATENTS}
            latent = Latent(**rows)
        steps = np.stack(self.observations), np.stack(self.actions), np.array(self.rewards)
        return Episode(*steps, terminated, truncated, terms, latent, self._request, self._agent, self._seed)


def inside(action: Any, space: Any) -> np.ndarray:
    """Return an action of a ``Box`` as it acts: in the space's type and shape, and clipped to it."""
    return np.clip(np.asarray(action, dtype=space.dtype).reshape(space.shape), space.low, space.high)

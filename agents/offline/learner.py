"""What agents that learn from a data set share: they never step the environment, which says only what fits."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from gymnasium import spaces

from unlearn_gym.agents.common.base import Learner
from unlearn_gym.agents.common.wrappers import compress, rescale
from unlearn_gym.errors import UserError
from unlearn_gym.trajectories.datasets import DataSet

OURS = "unlearn_gym/"
"""Ids of environments whose keyword ``action`` says what an action means."""


@dataclass(frozen=True)
class Transitions:
    """Steps of all episodes, float32, one a row.

    Attributes:
        seen: observations as an agent sees them (``wrappers.compress``), (N, n).
        actions: in [−1, 1], (N, k).
        rewards: times ``T/(largest − smallest return)``, T being the mean length: what one action changes is then
            about 1, whatever the units, (N,).
        following: the next observations, (N, n).
        continues: 0 where the episode ended by itself after the step, else 1, (N,).
    """

    seen: torch.Tensor
    actions: torch.Tensor
    rewards: torch.Tensor
    following: torch.Tensor
    continues: torch.Tensor

    @classmethod
    def of(cls, data: DataSet) -> Transitions:
        """Join the episodes of a data set."""
        episodes = data.episodes
        returns = [episode.total() for episode in episodes]
        span, length = float(np.ptp(returns)), float(np.mean([episode.steps for episode in episodes]))
        seen = [compress(episode.observations, data.observation_space) for episode in episodes]
        continues = [np.arange(1, e.steps + 1) < e.steps + (not e.terminated) for e in episodes]
        columns = (
            [each[:-1] for each in seen],
            [rescale(episode.actions, data.action_space) for episode in episodes],
            [episode.rewards * (length / span if span > 0 else 1.0) for episode in episodes],
            [each[1:] for each in seen],
            continues,
        )
        return cls(*(torch.from_numpy(np.concatenate(column).astype(np.float32)) for column in columns))

    def drawn(self, rng: np.random.Generator, count: int) -> Transitions:
        """Draw rows with replacement."""
        rows = torch.from_numpy(rng.integers(len(self.rewards), size=count))
        return Transitions(*(column[rows] for column in vars(self).values()))


class OfflineLearner(Learner):
    """Learns from the data set that ``take`` gives it; a timestep of its learning is an update."""

    vectorised = False
    transitions: Transitions | None = None

    def take(self, data: DataSet) -> None:
        """Learn from a data set from now on.

        Raises:
            UserError: when it was logged with other observations or actions.
        """
        seen, taken = self.observation_space, self.action_space
        assert isinstance(seen, spaces.Box) and isinstance(taken, spaces.Box)
        meaning = (
            data.env_kwargs.get("action", "lambda") if data.env_id.startswith(OURS) else self.encoding.name
        )
        if (
            data.observation_space.shape != seen.shape
            or data.action_space != taken
            or meaning != self.encoding.name
        ):
            here = self.encoding.name, seen.shape, taken.low, taken.high
            there = meaning, data.observation_space.shape, data.action_space.low, data.action_space.high
            form = "actions ({0}) from {2} to {3} and observations of shape {1}"
            raise UserError(
                f"The data set {data.name} was logged in {data.env_id or 'an unknown environment'} with "
                f"{form.format(*there)}, and here there are {form.format(*here)}; give --env and --env-kwargs of the "
                "data set."
            )
        self.transitions = Transitions.of(data)
        self.prepare(self.transitions)

    @abstractmethod
    def prepare(self, transitions: Transitions) -> None:
        """Look at the data before the first update."""

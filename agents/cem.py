"""The cross-entropy method over a small policy: λ is a sigmoid of a linear function of five numbers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.special import expit
from tqdm import tqdm

from unlearn_gym.agents.common.base import Hooks, Learner, State
from unlearn_gym.agents.common.features import COLUMNS, NUMBERS, follow
from unlearn_gym.agents.common.settings import AtLeastTwo, Share
from unlearn_gym.agents.training.players import Players
from unlearn_gym.errors import UserError

if TYPE_CHECKING:
    from stable_baselines3.common.logger import Logger

SEEDS = 2**31
"""Seeds of episodes are drawn below it."""


class CEMAgent(Learner):
    """Cross-entropy search (Rubinstein 1999) for the weights w of λ = low + (high − low)·σ(w·x).

    x = (1, ln(L_f/L_r), ln(L_r/L_r at the start), ln(g_f/g_r), 2t/T − 1), smoothed, see
    ``unlearn_gym.agents.common.features``; in an environment that shows other than the six numbers of the state,
    x = (1, observation). Each action of an environment with several has weights of its own.

    A generation draws a population of weights from N(mean, std²) and lets each of them through the same episodes, by
    their seeds, so that all meet the same requests, minibatches and noise. Mean and spread of those with the best mean
    return (undiscounted) are the next generation's. What is drawn follows from the agent's seed and the number of the
    generation. With several environments, one process each, as many policies play at a time, which changes no number
    of a generation. Afterwards the mean acts.
    """

    name = "cem"

    @dataclass(frozen=True)
    class Settings:
        """The search.

        Args:
            population: weights that a generation tries.
            episodes: of each of them, the same for all.
            elites: how many of the best make the next generation; fewer than the population.
            initial_std: standard deviation of every weight at first, around 0 (λ in the middle of its range).
            smoothing: share of the old mean and standard deviation that a generation keeps.
            min_std: floor of the standard deviation, against a search that closes too early.
        """

        population: AtLeastTwo = 8  # type: ignore[valid-type]
        episodes: PositiveInt = 5
        elites: PositiveInt = 3
        initial_std: PositiveFloat = 1.0
        smoothing: Share = 0.2  # type: ignore[valid-type]
        min_std: NonNegativeFloat = 0.25

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        settings, numbers = self.settings, self.observation_space.shape[-1]
        if settings.elites >= settings.population:
            raise UserError(
                f"settings of cem: elites={settings.elites} of a population of {settings.population} chooses nothing; "
                "give fewer elites."
            )
        self._env, self._timesteps = env, 0
        self._logger: Logger | None = None
        self._plain = numbers != NUMBERS
        self._low, self._high = (
            np.asarray(end, dtype=np.float64).reshape(-1, self.action_space.shape[-1])[0]
            for end in (self.action_space.low, self.action_space.high)
        )
        shape = len(self._low), numbers + 1 if self._plain else COLUMNS + 1
        self.mean, self.std = np.zeros(shape), np.full(shape, settings.initial_std)
        self.generation = 0
        self._returns: list[float] = []

    def predict(
        self,
        observation: np.ndarray,
        state: State = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, State]:
        """See ``Agent.predict``; the policy has no randomness.

        Raises:
            UserError: when an episode is under way and ``state`` is not the one that the last call returned.
        """
        return self._act(self.mean, observation, state, episode_start)

    def _act(
        self, weights: np.ndarray, observation: np.ndarray, state: State, episode_start: np.ndarray | None
    ) -> tuple[np.ndarray, State]:
        """Return the actions of a policy with these weights, (actions, features), and its memory."""
        observation = np.asarray(observation, dtype=np.float64)
        rows = observation.reshape(-1, observation.shape[-1])
        if not self._plain:
            seen = follow(rows, state, episode_start)
            rows, state = seen.columns, seen.memory
        share = expit(np.insert(rows, 0, 1.0, axis=1) @ weights.T)
        chosen = (self._low + (self._high - self._low) * share).astype(np.float32)
        return (chosen if observation.ndim > 1 else chosen[0]), state

    def learn(self, total_timesteps: int, hooks: Hooks | None = None, progress_bar: bool = False) -> CEMAgent:
        """Search until ``total_timesteps`` steps were made in all, and to the end of the episode; see ``Learner``.

        Raises:
            UserError: in an online environment, where every policy would go on with the weights of another.
        """
        players = Players(self._env)
        if players.online:
            raise UserError(
                "cem compares policies from the same start; train it in an episodic environment, and let it act in "
                "the online one."
            )
        hooks, settings = hooks or Hooks(), self.settings
        with tqdm(total=total_timesteps, initial=self._timesteps, disable=not progress_bar) as bar:
            while self._timesteps < total_timesteps:
                hooks.boundary(self._timesteps)
                before = self._timesteps
                self._returns += self._episodes(players, hooks)
                bar.update(self._timesteps - before)
                if len(self._returns) == settings.population * settings.episodes:
                    self._select()
        if self.generation == 0:
            warnings.warn(
                f"cem has learned nothing yet: total_timesteps={total_timesteps} end before its first generation of "
                f"{settings.population} × {settings.episodes} episodes does.",
                stacklevel=2,
            )
        return self

    def _drawn(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights, (population, actions, features), and the seeds, (episodes,), of this generation."""
        rng, settings = np.random.default_rng((self.seed, self.generation)), self.settings
        noise = rng.standard_normal((settings.population, *self.mean.shape))
        return self.mean + self.std * noise, rng.integers(SEEDS, size=settings.episodes)

    def _episodes(self, players: Players, hooks: Hooks) -> list[float]:
        """Let the next policies of the generation play on the same seed, and return their returns.

        All policies play on one seed before the next.
        """
        population, seeds = self._drawn()
        turn, first = divmod(len(self._returns), self.settings.population)
        policies = population[first : first + players.number]
        returns, memories = [0.0] * len(policies), dict[int, State]()
        seen = players.reset(len(policies), int(seeds[turn]))
        start = np.ones(1, dtype=bool)
        while seen:
            actions = {}
            for number, observation in seen.items():
                actions[number], memories[number] = self._act(
                    policies[number], observation, memories.get(number), start
                )
            steps, start = players.step(actions), np.zeros(1, dtype=bool)
            for number, step in steps.items():
                returns[number] += float(step[1])
            self._timesteps += len(steps)
            infos = [step[-1] for step in steps.values()]
            hooks.step(np.stack([step[0] for step in steps.values()]), infos, self._timesteps)
            seen = {number: step[0] for number, step in steps.items() if not (step[2] or step[3])}
        return returns

    def _select(self) -> None:
        """Move mean and spread to the best of the generation."""
        settings, (population, _) = self.settings, self._drawn()
        returns = np.reshape(self._returns, (settings.episodes, settings.population)).mean(axis=0)
        best = np.argsort(-returns, kind="stable")[: settings.elites]
        kept, new = settings.smoothing, 1.0 - settings.smoothing
        self.mean = kept * self.mean + new * population[best].mean(axis=0)
        self.std = np.maximum(kept * self.std + new * population[best].std(axis=0), settings.min_std)
        self.generation, self._returns = self.generation + 1, []
        if self._logger is not None:
            self._logger.record("cem/generation", self.generation)
            self._logger.record("cem/return", float(returns.mean()))
            self._logger.record("cem/elite_return", float(returns[best].mean()))
            self._logger.record("cem/std", float(self.std.mean()))

    @property
    def timesteps(self) -> int:
        """Steps learned from so far."""
        return self._timesteps

    def set_logger(self, logger: Logger) -> None:
        """Record returns and spread of each generation."""
        self._logger = logger

    def state_dict(self) -> dict[str, Any]:
        """Return the policy, and how far around it the search is."""
        return {"mean": self.mean.copy(), "std": self.std.copy(), "generation": self.generation}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take that over.

        Raises:
            UserError: when the policy is of an environment with other numbers or actions.
        """
        mean, std = (np.array(state[name], dtype=np.float64) for name in ("mean", "std"))
        if mean.shape != self.mean.shape or std.shape != self.mean.shape:
            raise UserError(
                f"This cem policy has weights of shape {mean.shape}, and this environment needs {self.mean.shape}; "
                "give it the observation and control of the training."
            )
        self.mean, self.std, self.generation = mean, std, int(state["generation"])

    def training_state(self) -> dict[str, Any]:
        """Return everything that ``learn`` needs to go on; episodes begin from seeds, so nothing of the environment."""
        return {"timesteps": self._timesteps, "search": self.state_dict(), "returns": list(self._returns)}

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from where ``training_state`` was taken."""
        self.load_state_dict(state["search"])
        self._timesteps, self._returns = int(state["timesteps"]), [float(each) for each in state["returns"]]

"""What every agent is: Stable-Baselines3's ``predict``, and two optional hooks around a run."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from unlearn_gym.agents.common import saving
from unlearn_gym.envs.spaces.actions import encoding_of
from unlearn_gym.envs.spaces.observers import observer_of
from unlearn_gym.errors import UserError
from unlearn_gym.runtime import command_line
from unlearn_gym.trajectories.episode import Latent

if TYPE_CHECKING:
    from stable_baselines3.common.logger import Logger

State = tuple[np.ndarray, ...] | None
"""Memory of a recurrent policy, None for all others."""


SEEDS = 2**32
"""NumPy's global generator, which Stable-Baselines3 seeds, takes whole numbers below this."""


def check_seed(seed: Any) -> None:
    """Refuse what is no seed of an agent.

    Raises:
        UserError: unless it is a whole number from 0 to 2³² − 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < SEEDS:
        raise UserError(f"seed={seed!r} is no seed of an agent; give a whole number from 0 to {SEEDS - 1}.")


class Agent(ABC):
    """Chooses λ from the observation.

    Args:
        env: a Gymnasium or vector environment; only its spaces, and what its actions mean, are used here.
        seed: seed of the agent's own randomness.
        device: where its networks are, if it has any.
        settings: fields of the class's ``Settings``, as numbers or as text from a command line.

    Raises:
        UserError: on an unknown setting, a wrong type, a value out of its range or not finite.
    """

    name: ClassVar[str]
    static: ClassVar[bool] = False
    """Whether λ is the same at every step, which learned agents are compared with."""
    arguments: ClassVar[tuple[str, ...]] = ()
    """Settings that the words after a colon fill, in order: ``static:0.5`` is ``lam=0.5``; see ``takes``."""
    trained: dict[str, Any] | None = None
    """Where it learned, which is saved with it; see ``unlearn_gym.agents.trained.origin``."""
    latent: Latent | None = None
    """What the last call of ``predict`` drew, a row an observation; None where no Gaussian was drawn from."""

    @dataclass(frozen=True)
    class Settings:
        """Nothing to set."""

    def __init__(self, env: Any, *, seed: int = 0, device: str = "cpu", **settings: Any) -> None:
        self.settings: Any = command_line.check(self.Settings, settings, f"settings of {self.name}")
        for key, value in vars(self.settings).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise UserError(f"settings of {self.name}: {key}={value} is not finite; give a number.")
        check_seed(seed)
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.encoding = encoding_of(env)
        self.low, self.high = self.encoding.low, self.encoding.high
        self.seed, self.device = int(seed), device

    @classmethod
    def takes(cls, words: Sequence[str]) -> tuple[str, ...]:
        """Return the settings that these words after a colon may fill, by default ``arguments``."""
        return cls.arguments

    def begin(self, seed: int) -> None:  # noqa: B027 (an optional hook)
        """Forget the last run and draw from ``seed``; called before each run of an evaluation."""

    def feedback(  # noqa: B027 (an optional hook)
        self, observation: np.ndarray, action: np.ndarray, reward: float, info: dict
    ) -> None:
        """Hear what came of ``action`` at ``observation``; called after each step."""

    @abstractmethod
    def predict(
        self,
        observation: np.ndarray,
        state: State = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, State]:
        """Choose λ.

        Args:
            observation: shape (6,), or (n, 6) for n environments (9 numbers under ``observation="relative"``).
            state: what the last call returned, None at the start of an episode.
            episode_start: shape (n,), whether the observation is the first of an episode.
            deterministic: the mode of the policy instead of a sample.

        Returns:
            The action for λ, shape (1,) or (n, 1), float32, in the action space; and the next state. Where the
            learning rate is controlled as well, it has two numbers.
        """

    def state_dict(self) -> dict[str, Any]:
        """Everything that was learned, as nested dictionaries of tensors, arrays, numbers and strings."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027 (nothing learned)
        """Take what another agent of this class with the same settings has learned."""

    def save(self, folder: str | Path) -> None:
        """Write the agent as one folder that ``unlearn_gym.agents.load`` reads."""
        saving.save(self, folder)


class SimpleAgent(Agent):
    """An agent without memory of its own: one λ for one observation.

    However the environment takes λ, it chooses λ itself. Where the learning rate is controlled as well, ``factor``
    says by what it is multiplied.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    """Numbers that it takes from the observation, by their names in ``processes.base.STATE``."""

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        kind = observer_of(self.observation_space.shape[-1])
        if kind is not None and not set(self.reads) <= set(kind.names):
            raise UserError(
                f"{self.name} reads the losses themselves, which observation={kind.name!r} does not show; make the "
                "environment with observation='state'."
            )

    def drawn(self, rng: np.random.Generator) -> float:
        """Return the λ of an action that is uniform over the action space."""
        low, high = self.encoding.ends()[0]
        return self.encoding.lam(float(rng.uniform(low, high)))

    @abstractmethod
    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Return λ for an observation of shape (6,)."""

    def factor(self, observation: np.ndarray) -> float:
        """Return the factor of the learning rate for an observation; here 1, which leaves it as it is."""
        return 1.0

    def predict(
        self,
        observation: np.ndarray,
        state: State = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, State]:
        """See ``Agent.predict``; λ is clipped to the action space."""
        observation = np.asarray(observation, dtype=np.float64)
        rows = observation.reshape(-1, observation.shape[-1])
        actions = np.stack(
            [self.encoding.encode(self.choose(row, deterministic), self.factor(row)) for row in rows]
        )
        return (actions if observation.ndim > 1 else actions[0]), state


class Hooks:
    """What happens around learning; the defaults do nothing."""

    def step(self, observations: np.ndarray, infos: Sequence[dict[str, Any]], timesteps: int) -> None:
        """Hear of one step: the next states, shape (n, 6), and the ``info`` of n environments."""

    def boundary(self, timesteps: int) -> None:
        """Hear that learning is at a point where ``training_state`` is whole."""


class Learner(Agent):
    """An agent that has something to learn before it is evaluated."""

    vectorised: ClassVar[bool] = True
    """Whether it learns from a vector environment (else from a single one)."""

    @abstractmethod
    def learn(self, total_timesteps: int, hooks: Hooks | None = None, progress_bar: bool = False) -> Learner:
        """Learn from the environment given to the constructor until ``total_timesteps`` steps in all."""

    @property
    @abstractmethod
    def timesteps(self) -> int:
        """Steps learned from so far."""

    @abstractmethod
    def set_logger(self, logger: Logger) -> None:
        """Record what is worth plotting in ``logger``."""

    @abstractmethod
    def training_state(self) -> dict[str, Any]:
        """Everything that learning needs to go on after a kill, as nested dictionaries."""

    @abstractmethod
    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from where ``training_state`` was taken."""

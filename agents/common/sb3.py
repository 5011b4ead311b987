"""Stable-Baselines3's and sb3-contrib's algorithms as agents: the adapter that ``ppo``, ``sac`` and the others use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize

from unlearn_gym.agents.common.base import Hooks, Learner, State
from unlearn_gym.agents.common.randomness import OwnRandomness
from unlearn_gym.agents.common.wrappers import AgentView, compress, unscale
from unlearn_gym.agents.training import state as training_state
from unlearn_gym.errors import UserError
from unlearn_gym.trajectories.episode import Latent


class SB3Agent(Learner):
    """One algorithm with its view of the environment and its running normalisation.

    Observations (after log(1 + x), see ``view``) and rewards are divided by running statistics; these are
    part of ``state_dict``, and ``load_state_dict`` refuses a policy without them.

    Args:
        env: a Gymnasium environment, or a vector environment to learn from several at once.
        seed: seed of the weights, of exploration and of the environments.
        device: where the networks are.
        **keywords: fields of ``Settings``.
    """

    algorithm: ClassVar[Callable[..., BaseAlgorithm]]
    policy: ClassVar[str] = "MlpPolicy"

    def __init__(self, env: Any, *, seed: int = 0, device: str = "cpu", **keywords: Any) -> None:
        super().__init__(env, seed=seed, device=device, **keywords)
        venv = env if isinstance(env, VecEnv) else DummyVecEnv([lambda: env])
        self.view = AgentView(venv)
        self.normalizer = VecNormalize(self.view, gamma=self.settings.gamma)
        self.randomness = OwnRandomness(self.seed)
        try:
            with self.randomness:
                self.model = type(self).algorithm(
                    self.policy, self.normalizer, seed=self.seed, device=device, **self.settings.algorithm()
                )
        except MemoryError as error:
            raise UserError(
                f"settings of {self.name}: its networks and buffers do not fit into memory ({error}); choose smaller "
                "ones (buffer_size, n_steps, hidden)."
            ) from error

    def begin(self, seed: int) -> None:
        """Draw the actions of a stochastic policy from ``seed``."""
        self.randomness.seed(seed)

    def predict(
        self,
        observation: np.ndarray,
        state: State = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, State]:
        """See ``Agent.predict``."""
        seen = self.normalizer.normalize_obs(compress(observation, self.observation_space))
        with self.randomness:
            action, state = self.model.predict(seen, state, episode_start, deterministic)
        self.latent = drawn(self.model.policy, deterministic)
        return unscale(action, self.action_space), state

    @property
    def timesteps(self) -> int:
        """Steps learned from so far, over all environments."""
        return self.model.num_timesteps

    def set_logger(self, logger: Logger) -> None:
        """Let the algorithm record its losses in ``logger``."""
        self.model.set_logger(logger)

    def learn(self, total_timesteps: int, hooks: Hooks | None = None, progress_bar: bool = False) -> SB3Agent:
        """Go on until ``total_timesteps`` steps were made in all; a second call continues the first."""
        remaining = total_timesteps - self.timesteps
        if remaining > 0:
            with self.randomness:
                self.model.learn(
                    remaining,
                    callback=_Bridge(hooks or Hooks(), self),
                    log_interval=None,  # type: ignore[arg-type]
                    reset_num_timesteps=self.timesteps == 0,
                    progress_bar=progress_bar,
                )
        return self

    def state_dict(self) -> dict[str, Any]:
        """Return the policy and the statistics it was trained with."""
        return {
            "policy": dict(self.model.policy.state_dict()),
            "normalizer": training_state.normalizer(self.normalizer),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a policy together with its statistics.

        Raises:
            UserError: if the statistics are missing.
        """
        if not state.get("normalizer"):
            raise UserError(
                f"This {self.name} agent was saved without its normalisation statistics, so it would act on "
                "numbers it has never seen; save it with agent.save(folder) or train_agent.py."
            )
        training_state.load_normalizer(self.normalizer, state["normalizer"])
        self.model.policy.load_state_dict(state["policy"])

    def training_state(self) -> dict[str, Any]:
        """Return everything that learning needs to go on; see ``training_state.collect``."""
        return {**training_state.collect(self.model, self.view), "randomness": self.randomness.state_dict()}

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from where ``training_state`` was taken."""
        self.randomness.load_state_dict(state["randomness"])
        training_state.apply(self.model, self.view, state)


def drawn(policy: Any, deterministic: bool) -> Latent | None:
    """Return what a policy with a squashed Gaussian acted by last; its u of a = tanh(u) is z/2."""
    head = getattr(getattr(policy, "actor", None) or policy, "action_dist", None)
    if not isinstance(head, SquashedDiagGaussianDistribution) or head.gaussian_actions is None:
        return None
    numbers = head.distribution.mean, head.distribution.stddev, head.gaussian_actions
    mean, std, z = (2.0 * tensor.detach().cpu().double().numpy() for tensor in numbers)
    return Latent(mean, np.zeros_like(std) if deterministic else std, z)


class _Bridge(BaseCallback):
    """Passes the events of Stable-Baselines3 on to our hooks."""

    def __init__(self, hooks: Hooks, agent: SB3Agent) -> None:
        super().__init__()
        self._hooks, self._agent = hooks, agent

    def _on_rollout_start(self) -> None:
        self._hooks.boundary(self.num_timesteps)

    def _on_step(self) -> bool:
        self._hooks.step(self._agent.view.raw, self.locals["infos"], self.num_timesteps)
        return True

"""Implicit Q-learning (Kostrikov et al. 2022, arXiv 2110.06169): a policy from logged episodes alone."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jsonargparse.typing import NonNegativeFloat, OpenUnitInterval, PositiveFloat
from stable_baselines3.common.torch_layers import create_mlp
from torch import nn
from tqdm import tqdm

from unlearn_gym.agents.common import settings
from unlearn_gym.agents.common.base import Hooks, State
from unlearn_gym.agents.common.policies import bounded
from unlearn_gym.agents.common.squashed import SquashedGaussian
from unlearn_gym.agents.common.wrappers import compress, unscale
from unlearn_gym.agents.offline.learner import OfflineLearner, Transitions
from unlearn_gym.errors import UserError
from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.trajectories.episode import Latent

if TYPE_CHECKING:
    from stable_baselines3.common.logger import Logger

LARGEST = 0.95
"""A logged action beyond it, in [−1, 1], is cloned as if it were this one: the ends have no finite latent."""
SEEN_LIMIT = 10.0
"""Largest number of a standardised observation."""


class IQLAgent(OfflineLearner):
    """Values by expectile regression, and a policy that clones the better actions.

    V(s) is the ``expectile`` of Q(s, a) over the logged actions: their mean at 1/2 (SARSA of the behaviour), their
    largest towards 1, and never that of an action which nobody took. Q is fitted to r + γ·V(s′). The policy is cloned
    from the data with weights exp(``temperature``·(Q − V)), at most ``weight_limit``. Its λ is the squashed Gaussian
    of ``unlearn_gym.agents.common.squashed``, so that it stays inside the range.
    """

    name = "iql"

    @dataclass(frozen=True)
    class Settings(settings.Settings):
        """IQL.

        Args:
            batch_size: transitions of an update.
            tau: share of the critics that their targets take at each update.
            expectile: τ of the values.
            temperature: β, the inverse temperature of the weights.
            weight_limit: largest weight of a transition.
        """

        batch_size: settings.AtLeastTwo = 256  # type: ignore[valid-type]
        tau: settings.ClosedUnitInterval = 0.005
        expectile: OpenUnitInterval = 0.7
        temperature: NonNegativeFloat = 3.0
        weight_limit: PositiveFloat = 100.0

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        (inputs,), (self._actions,) = self.observation_space.shape, self.action_space.shape
        with seeded_weights(self.seed):
            self.policy = self._network(inputs, 2 * self._actions)
            self.value = self._network(inputs, 1)
            self.critics = nn.ModuleList(self._network(inputs + self._actions, 1) for _ in range(2))
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        learned = (self.policy, self.value, self.critics)
        self.optimizers = [
            torch.optim.Adam(each.parameters(), lr=self.settings.learning_rate) for each in learned
        ]
        self.centre, self.scale = torch.zeros(inputs), torch.ones(inputs)
        self.rng = np.random.default_rng(self.seed)
        self._timesteps = 0
        self._logger: Logger | None = None

    def _network(self, inputs: int, outputs: int) -> nn.Sequential:
        activation = settings.ACTIVATIONS[self.settings.activation]
        return nn.Sequential(*create_mlp(inputs, outputs, self.settings.hidden, activation)).to(self.device)

    def begin(self, seed: int) -> None:
        """Draw the actions of a run from ``seed``."""
        self.rng = np.random.default_rng(seed)

    def distribution(self, seen: torch.Tensor) -> SquashedGaussian:
        """Return the policy at standardised observations, (n, inputs)."""
        mean, raw = self.policy(seen).chunk(2, dim=-1)
        return SquashedGaussian(self._actions).proba_distribution(mean, bounded(raw))

    def predict(
        self,
        observation: np.ndarray,
        state: State = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, State]:
        """See ``Agent.predict``."""
        rows = compress(observation, self.observation_space).reshape(-1, len(self.centre))
        with torch.no_grad():
            policy = self.distribution(self._standardised(torch.from_numpy(rows)))
        mean, std = (each.cpu().double().numpy() for each in (policy.mean, policy.log_std.exp()))
        std = np.zeros_like(std) if deterministic else std
        z = mean + std * self.rng.standard_normal(mean.shape)
        self.latent = Latent(mean, std, z)
        action = unscale(np.tanh(0.5 * z), self.action_space)
        return (action if np.ndim(observation) > 1 else action[0]), state

    def _standardised(self, seen: torch.Tensor) -> torch.Tensor:
        return ((seen - self.centre) / self.scale).clamp(-SEEN_LIMIT, SEEN_LIMIT).to(self.device)

    def prepare(self, transitions: Transitions) -> None:
        """Take mean and spread of the observations from the data."""
        self.centre = transitions.seen.mean(dim=0)
        self.scale = transitions.seen.std(dim=0, correction=0) + 1e-6

    def learn(self, total_timesteps: int, hooks: Hooks | None = None, progress_bar: bool = False) -> IQLAgent:
        """Make updates until there were ``total_timesteps`` in all.

        Raises:
            UserError: when there is no data set to learn from.
        """
        if self.transitions is None:
            raise UserError(
                "iql learns from logged episodes; give them by --dataset NAME, or agent.take(data)."
            )
        hooks = hooks or Hooks()
        nothing = np.empty((0, *self.observation_space.shape), np.float32)
        steps = range(self._timesteps, total_timesteps)
        for _ in tqdm(steps, initial=self._timesteps, total=total_timesteps, disable=not progress_bar):
            hooks.boundary(self._timesteps)
            losses = self.update(self.transitions.drawn(self.rng, self.settings.batch_size))
            self._timesteps += 1
            for key, loss in losses.items():
                if self._logger is not None:
                    self._logger.record_mean(f"iql/{key}", loss)
            hooks.step(nothing, (), self._timesteps)
        return self

    def update(self, batch: Transitions) -> dict[str, float]:
        """Make one step of values, critics and policy; return what is worth plotting."""
        seen, following = self._standardised(batch.seen), self._standardised(batch.following)
        actions, rewards, continues = (
            each.to(self.device) for each in (batch.actions, batch.rewards, batch.continues)
        )
        pairs = torch.cat([seen, actions], dim=-1)
        with torch.no_grad():
            aim = torch.minimum(*(target(pairs) for target in self.targets)).squeeze(-1)
            wanted = rewards + self.settings.gamma * continues * self.value(following).squeeze(-1)

        # V: an expectile of Q over the logged actions.
        advantage = aim - self.value(seen).squeeze(-1)
        side = torch.where(advantage < 0, 1.0 - self.settings.expectile, self.settings.expectile)
        value_loss = (side * advantage**2).mean()
        # Q: one step of reward, and V from there on.
        critic_loss = sum(((critic(pairs).squeeze(-1) - wanted) ** 2).mean() for critic in self.critics)
        # The policy: logged actions, the better ones with more weight.
        weight = (self.settings.temperature * advantage.detach()).exp().clamp(max=self.settings.weight_limit)
        cloned = self.distribution(seen).log_prob(actions.clamp(-LARGEST, LARGEST))
        policy_loss = -(weight * cloned).mean()

        for optimizer, loss in zip(self.optimizers, (policy_loss, value_loss, critic_loss), strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            for target, critic in zip(self.targets.parameters(), self.critics.parameters(), strict=True):
                target.lerp_(critic, self.settings.tau)
        shown = {"value_loss": value_loss, "critic_loss": critic_loss, "policy_loss": policy_loss}
        return {key: loss.item() for key, loss in shown.items()} | {"advantage": advantage.mean().item()}

    @property
    def timesteps(self) -> int:
        """Updates made so far."""
        return self._timesteps

    def set_logger(self, logger: Logger) -> None:
        """Record the losses."""
        self._logger = logger

    def state_dict(self) -> dict[str, Any]:
        """Return the policy and the statistics of what it saw."""
        return {"policy": dict(self.policy.state_dict()), "centre": self.centre, "scale": self.scale}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take that over."""
        self.policy.load_state_dict(state["policy"])
        self.centre, self.scale = state["centre"], state["scale"]

    def training_state(self) -> dict[str, Any]:
        """Return everything that ``learn`` needs to go on with the same data."""
        return {
            "timesteps": self._timesteps,
            "agent": self.state_dict(),
            "values": {name: dict(module.state_dict()) for name, module in self._values().items()},
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "rng": self.rng.bit_generator.state,
        }

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from where ``training_state`` was taken."""
        self._timesteps = state["timesteps"]
        self.load_state_dict(state["agent"])
        for name, module in self._values().items():
            module.load_state_dict(state["values"][name])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.rng.bit_generator.state = state["rng"]

    def _values(self) -> dict[str, nn.Module]:
        return {"value": self.value, "critics": self.critics, "targets": self.targets}

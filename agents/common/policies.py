"""Policies with the paper's distribution for PPO and RecurrentPPO: state-dependent std, squashed."""

from __future__ import annotations

import math
from typing import Any

import torch
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.type_aliases import Schedule
from torch import nn

from unlearn_gym.agents.common.squashed import SquashedGaussian

LOG_STD_RANGE = (-5.0, 2.0)
"""Bounds of log σ of z, approached smoothly, so that no gradient dies at a bound."""


class _Squashed(ActorCriticPolicy):
    """Replaces the action head of an actor-critic policy.

    Args:
        *args: see ``ActorCriticPolicy``.
        prior: what the policy is regularised to: ``uniform`` over λ, or ``gaussian`` N(0, 1) over z.
        **kwargs: see ``ActorCriticPolicy``; ``log_std_init`` is log σ of z at first, in every state. With ``use_sde``
            a rollout keeps its draw of the noise, one number an action and environment, until ``reset_noise``.
    """

    def __init__(self, *args: Any, prior: str = "uniform", **kwargs: Any) -> None:
        self.prior = prior
        self.noise: torch.Tensor | None = None
        super().__init__(*args, **kwargs)

    def reset_noise(self, n_envs: int = 1) -> None:
        """Let the next action of a rollout draw its noise anew; that nothing is drawn here keeps resumed runs equal."""
        self.noise = None

    def forward(self, obs: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Act in a rollout, by the noise that is held where there is one; ``predict`` always draws its own."""
        if self.use_sde and self.noise is None:
            self.noise = torch.randn(len(obs), get_action_dim(self.action_space), device=obs.device)
        self.action_dist.noise = self.noise
        acted = super().forward(obs, *args, **kwargs)
        self.action_dist.noise = None
        return acted

    def _build(self, lr_schedule: Schedule) -> None:
        self._squash_output = True  # the constructor of the parent allows it with gSDE only
        actions = get_action_dim(self.action_space)
        self.action_dist: SquashedGaussian = SquashedGaussian(actions, self.prior)
        self._build_mlp_extractor()
        self.action_net = nn.Linear(self.mlp_extractor.latent_dim_pi, actions)
        self.log_std_net = nn.Linear(self.mlp_extractor.latent_dim_pi, actions)
        self.value_net = nn.Linear(self.mlp_extractor.latent_dim_vf, 1)
        if self.ortho_init:
            self._orthogonal()
        nn.init.zeros_(self.log_std_net.weight)
        nn.init.constant_(self.log_std_net.bias, unbounded(self.log_std_init))
        self.optimizer = self.optimizer_class(
            self.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]
            **self.optimizer_kwargs,
        )

    def _orthogonal(self) -> None:
        gains = {self.mlp_extractor: math.sqrt(2.0), self.action_net: 0.01, self.value_net: 1.0}
        for module, gain in gains.items():
            for layer in module.modules():
                self.init_weights(layer, gain=gain)

    def _get_action_dist_from_latent(self, latent_pi: torch.Tensor) -> SquashedGaussian:
        return self.action_dist.proba_distribution(
            self.action_net(latent_pi), bounded(self.log_std_net(latent_pi))
        )

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "prior": self.prior}


def bounded(raw: torch.Tensor) -> torch.Tensor:
    """Map any number smoothly into ``LOG_STD_RANGE``; the slope at its middle is one."""
    low, high = LOG_STD_RANGE
    half = 0.5 * (high - low)
    return low + half + half * torch.tanh(raw / half)


def unbounded(log_std: float) -> float:
    """Invert ``bounded``."""
    low, high = LOG_STD_RANGE
    half = 0.5 * (high - low)
    return half * math.atanh((log_std - low - half) / half)


class SquashedMlpPolicy(_Squashed):
    """Two separate networks for policy and value, 64×64 tanh by default."""


class SquashedMlpLstmPolicy(_Squashed, RecurrentActorCriticPolicy):
    """The same head behind an LSTM."""

"""PPO with the squashed policy, and its online variant that learns from a sliding window of transitions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.policies import BasePolicy

from unlearn_gym.agents.common import settings
from unlearn_gym.agents.common.policies import SquashedMlpPolicy
from unlearn_gym.agents.common.sb3 import SB3Agent

RECORDED = ("observations", "actions", "rewards", "episode_starts", "log_probs")
"""What a transition keeps; values and advantages are recomputed."""


class SlidingPPO(PPO):
    """PPO that knows the squashed policy by name and can learn from a window longer than a rollout.

    With ``window`` = N·T (spec: *online*), every ``n_steps`` × environments steps make one update on the most
    recent N·T transitions. Old transitions keep the log-probabilities they were drawn with, so that the ratio
    of PPO is the importance ratio; values and advantages are recomputed with the value network of now.

    Args:
        *args: see ``PPO``.
        window: transitions over all environments; 0 learns from each rollout once, as PPO does.
        **kwargs: see ``PPO``.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        **PPO.policy_aliases,
        "SquashedMlpPolicy": SquashedMlpPolicy,
    }

    def __init__(self, *args: Any, window: int = 0, **kwargs: Any) -> None:
        self.window = window
        self.recent: dict[str, np.ndarray] = {}
        super().__init__(*args, **kwargs)

    def train(self) -> None:
        """Update on the last rollout, or on the window that it extends."""
        if not self.window:
            return super().train()
        fresh, self.rollout_buffer = self.rollout_buffer, self._slide(self.rollout_buffer)
        super().train()
        self.rollout_buffer = fresh

    def _slide(self, fresh: RolloutBuffer) -> RolloutBuffer:
        """Append a rollout to the window and return the window as a buffer ready for ``train``."""
        rows = max(1, self.window // self.n_envs)
        for key in RECORDED:
            chunk = getattr(fresh, key).reshape(
                fresh.buffer_size, self.n_envs, *getattr(fresh, key).shape[2:]
            )
            old = self.recent.get(key)
            self.recent[key] = (chunk if old is None else np.concatenate([old, chunk]))[-rows:].copy()
        length = len(self.recent["rewards"])
        buffer = RolloutBuffer(
            length,
            self.observation_space,
            self.action_space,
            device=self.device,
            gamma=self.gamma,
            gae_lambda=self.gae_lambda,
            n_envs=self.n_envs,
        )
        for key in RECORDED:
            setattr(buffer, key, self.recent[key].copy())
        buffer.values = np.stack([self._values(row) for row in buffer.observations])
        buffer.pos, buffer.full = length, True
        assert isinstance(self._last_obs, np.ndarray) and self._last_episode_starts is not None
        last_values = torch.from_numpy(self._values(self._last_obs))
        buffer.compute_returns_and_advantage(last_values, self._last_episode_starts)
        return buffer

    def _values(self, observations: np.ndarray) -> np.ndarray:
        """Return the values of observations, one an environment, under the present network."""
        with torch.no_grad():
            seen, _ = self.policy.obs_to_tensor(observations)
            return self.policy.predict_values(seen).flatten().cpu().numpy()


class PPOAgent(SB3Agent):
    """PPO with the paper's squashed policy; with ``window``, its online variant."""

    name = "ppo"
    Settings = settings.PPOSettings  # type: ignore[assignment,misc]
    algorithm = SlidingPPO
    policy = "SquashedMlpPolicy"

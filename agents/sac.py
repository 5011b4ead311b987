"""Soft actor-critic as an agent."""

from __future__ import annotations

from stable_baselines3 import SAC

from unlearn_gym.agents.common import settings
from unlearn_gym.agents.common.sb3 import SB3Agent


class SACAgent(SB3Agent):
    """Soft actor-critic (Haarnoja et al. 2018), as in Stable-Baselines3."""

    name = "sac"
    Settings = settings.SACSettings  # type: ignore[assignment,misc]
    algorithm = SAC

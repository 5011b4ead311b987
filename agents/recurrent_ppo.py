"""PPO with memory: the squashed policy behind an LSTM."""

from __future__ import annotations

from typing import ClassVar

from sb3_contrib import RecurrentPPO
from stable_baselines3.common.policies import BasePolicy

from unlearn_gym.agents.common import settings
from unlearn_gym.agents.common.policies import SquashedMlpLstmPolicy
from unlearn_gym.agents.common.sb3 import SB3Agent


class SquashedRecurrentPPO(RecurrentPPO):
    """RecurrentPPO that knows the squashed policy by name; the actions of its environment are in [−1, 1]."""

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        **RecurrentPPO.policy_aliases,
        "SquashedMlpLstmPolicy": SquashedMlpLstmPolicy,
    }


class RecurrentPPOAgent(SB3Agent):
    """PPO with the squashed policy behind an LSTM; ``predict`` returns its memory."""

    name = "recurrent_ppo"
    Settings = settings.RecurrentPPOSettings  # type: ignore[assignment,misc]
    algorithm = SquashedRecurrentPPO
    policy = "SquashedMlpLstmPolicy"

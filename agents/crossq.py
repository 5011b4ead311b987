"""CrossQ as an agent."""

from __future__ import annotations

from sb3_contrib import CrossQ

from unlearn_gym.agents.common import settings
from unlearn_gym.agents.common.sb3 import SB3Agent


class CrossQAgent(SB3Agent):
    """SAC with batch normalisation and without target networks (Bhatt et al. 2024), as in sb3-contrib."""

    name = "crossq"
    Settings = settings.CrossQSettings  # type: ignore[assignment,misc]
    algorithm = CrossQ

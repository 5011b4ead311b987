"""Truncated quantile critics as an agent."""

from __future__ import annotations

from sb3_contrib import TQC

from unlearn_gym.agents.common import settings
from unlearn_gym.agents.common.sb3 import SB3Agent


class TQCAgent(SB3Agent):
    """Truncated quantile critics (Kuznetsov et al. 2020), as in sb3-contrib."""

    name = "tqc"
    Settings = settings.TQCSettings  # type: ignore[assignment,misc]
    algorithm = TQC

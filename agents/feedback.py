"""Controllers by hand: λ is high until forgetting has begun, and low where it has gone far enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jsonargparse.typing import PositiveFloat
from scipy.special import expit

from unlearn_gym.agents.baselines import check_range
from unlearn_gym.agents.common.base import SimpleAgent, State
from unlearn_gym.agents.common.features import NUMBERS, follow
from unlearn_gym.errors import UserError

RULES: dict[str, Callable[[float, float], float]] = {
    "threshold": lambda excess, sharpness: float(excess < 0.0),
    "gate": lambda excess, sharpness: float(expit(-sharpness * excess)),
}
"""Name → share of ``high`` in λ, from how far the rise exceeds the one wanted; the second argument is how sharply."""


class FeedbackAgent(SimpleAgent):
    """λ from the rise of ln(L_forget/L_retain) above its start: ``feedback:threshold:0.35:0.1:0.5``.

    ``threshold`` is ``high`` as long as the rise is below ``rise``, and ``low`` from there on, back to ``high`` where
    it falls again; ``gate`` is its smooth form, low + (high − low)·σ(−sharpness·(rise so far − rise)). The ratio is
    smoothed as in ``unlearn_gym.agents.common.features``; its memory is the state that ``predict`` returns.
    """

    name = "feedback"
    reads = ("retain_loss", "forget_loss", "time")
    arguments = ("rule", "high", "low", "rise", "sharpness")

    @dataclass(frozen=True)
    class Settings:
        """The controller.

        Args:
            rule: ``threshold`` or ``gate``.
            high: λ at the start.
            low: λ once enough is forgotten.
            rise: of ln(L_forget/L_retain), at which that is; 0.7 is a doubling of the ratio.
            sharpness: of a ``gate``: the slope of its sigmoid.
        """

        rule: Literal["threshold", "gate"] = "threshold"
        high: float = 0.35
        low: float = 0.1
        rise: float = 0.5
        sharpness: PositiveFloat = 5.0

    def __init__(self, env: Any, **keywords: Any) -> None:
        super().__init__(env, **keywords)
        settings = self.settings
        if settings.rule != "gate" and settings.sharpness != self.Settings.sharpness:
            raise UserError(
                f"settings of feedback: sharpness={settings.sharpness} is only used by the rule gate; leave it out."
            )
        if self.observation_space.shape[-1] != NUMBERS:
            raise UserError(
                f"feedback reads the {NUMBERS} numbers of the state, and this environment shows "
                f"{self.observation_space.shape[-1]}; leave its observation as it is by default."
            )
        check_range(self, high=settings.high, low=settings.low)

    @classmethod
    def takes(cls, words: Sequence[str]) -> tuple[str, ...]:
        """Leave ``sharpness`` to the rule that uses it."""
        return cls.arguments if words[:1] == ["gate"] else cls.arguments[:-1]

    def predict(
        self,
        observation: np.ndarray,
        state: State = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, State]:
        """See ``Agent.predict``.

        Raises:
            UserError: when an episode is under way and ``state`` is not the one that the last call returned.
        """
        observation = np.asarray(observation, dtype=np.float64)
        seen = follow(observation.reshape(-1, observation.shape[-1]), state, episode_start)
        rise = seen.forget_rise.reshape(*observation.shape[:-1], 1)
        action, _ = super().predict(np.concatenate([observation, rise], axis=-1), None, None, deterministic)
        return action, seen.memory

    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Return λ for an observation and, as its last number, how far the ratio has risen."""
        settings = self.settings
        share = RULES[settings.rule](observation[-1] - settings.rise, settings.sharpness)
        return settings.low + (settings.high - settings.low) * share

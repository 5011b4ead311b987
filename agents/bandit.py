"""A bandit over constants: one λ an episode, and the one that paid best afterwards."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jsonargparse.typing import PositiveInt

from unlearn_gym.agents.baselines import elapsed
from unlearn_gym.agents.common.base import Hooks
from unlearn_gym.agents.common.online import OnlineLearner
from unlearn_gym.errors import UserError


class BanditAgent(OnlineLearner):
    """K constants spread evenly over the range of λ; each episode of training plays one of them: ``bandit:9``.

    Since a tuned constant is near the optimum on a single task, this is the cheap rival that a learned policy should be
    measured against: some 9 to 40 episodes. The returns seen so far are brought to [0, 1] by the smallest and the
    largest of them. ``ucb`` plays the arm with the largest upper confidence bound (UCB1, Auer et al. 2002a), ``exp3``
    draws it (Auer et al. 2002b). Afterwards the arm with the best mean return is played; nothing is learned then.
    """

    name = "bandit"
    arguments = ("arms", "rule")

    @dataclass(frozen=True)
    class Settings:
        """The arms and how they are chosen.

        Args:
            arms: K, at least 2.
            rule: ``ucb`` or ``exp3``.
        """

        arms: PositiveInt = 9
        rule: Literal["ucb", "exp3"] = "ucb"

    def build(self) -> None:
        """Start with nothing pulled."""
        if self.settings.arms < 2:
            raise UserError("settings of bandit: arms=1 leaves nothing to choose; give at least 2.")
        self.state: dict[str, Any] = {"pulled": [], "returns": [], "arm": -1, "return": 0.0}
        self._learning = False

    @property
    def lambdas(self) -> np.ndarray:
        """The constants, float64 of shape (K,)."""
        return np.linspace(self.low, self.high, self.settings.arms)

    def learn(
        self, total_timesteps: int, hooks: Hooks | None = None, progress_bar: bool = False
    ) -> OnlineLearner:
        """See ``OnlineLearner.learn``; an episode that the last step cut off counts for nothing."""
        self._learning = True
        try:
            super().learn(total_timesteps, hooks, progress_bar)
        finally:
            self._learning = False
        if self._observation is not None and elapsed(self._observation) == 0.0:
            self._finish()
            self._knowledge = self.state_dict()
        return self

    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Return the constant of the episode."""
        if not self._learning:
            return float(self.lambdas[self.best()])
        if elapsed(observation) == 0.0:
            self._finish()
            self.state["arm"], self.state["return"] = self.pull(), 0.0
        return float(self.lambdas[self.state["arm"]])

    def feedback(
        self, observation: np.ndarray, action: np.ndarray, reward: float, info: dict[str, Any]
    ) -> None:
        """Add the reward up."""
        if self._learning:
            self.state["return"] += reward

    def _finish(self) -> None:
        """Learn from the return of the episode that is over."""
        if self.state["arm"] >= 0:
            self.hear(self.state["arm"], self.state["return"])
            self.state["arm"] = -1

    def hear(self, arm: int, value: float) -> None:
        """Remember what an arm returned."""
        self.state["pulled"].append(int(arm))
        self.state["returns"].append(float(value))

    def pull(self) -> int:
        """Return the next arm."""
        counts, means = self._table()
        if self.settings.rule == "exp3":
            return int(self.rng.choice(self.settings.arms, p=self.probabilities()))
        if not counts.all():
            return int(counts.argmin())
        return int((means + np.sqrt(2.0 * math.log(counts.sum()) / counts)).argmax())

    def probabilities(self) -> np.ndarray:
        """Return Exp3's chances of the arms after what was seen, (K,): η = √(2 ln K/(nK)), mixed with 1/n."""
        arms, qualities = self.settings.arms, self._qualities()
        pulls = max(len(qualities), 1)
        rate = math.sqrt(2.0 * math.log(arms) / (pulls * arms))
        gains, chances = np.zeros(arms), np.full(arms, 1.0 / arms)
        for arm, quality in zip(self.state["pulled"], qualities, strict=True):
            gains[arm] += quality / chances[arm]
            raised = np.exp(rate * (gains - gains.max()))
            chances = (1.0 - 1.0 / (pulls + 1)) * raised / raised.sum() + 1.0 / (pulls + 1) / arms
        return chances / chances.sum()

    def best(self) -> int:
        """Return the arm with the best mean return, the middle one before anything was pulled."""
        counts, means = self._table()
        return int(np.where(counts > 0, means, -1.0).argmax()) if counts.any() else self.settings.arms // 2

    def _qualities(self) -> np.ndarray:
        """The returns seen so far, brought to [0, 1]."""
        returns = np.asarray(self.state["returns"], dtype=np.float64)
        span = np.ptp(returns) if len(returns) else 0.0
        return (returns - returns.min()) / span if span > 0 else np.full(len(returns), 0.5)

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Return how often each arm was pulled, and its mean quality, (K,) each."""
        pulled, qualities = np.asarray(self.state["pulled"], dtype=np.int64), self._qualities()
        counts = np.bincount(pulled, minlength=self.settings.arms)
        sums = np.bincount(pulled, weights=qualities, minlength=self.settings.arms)
        return counts, sums / np.maximum(counts, 1)

    def state_dict(self) -> dict[str, Any]:
        """Return what was pulled and what came of it."""
        return {name: list(value) if isinstance(value, list) else value for name, value in self.state.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take that over."""
        self.state = {
            name: list(value) if isinstance(value, list) else value for name, value in state.items()
        }

"""λ as the dual variable of a constraint: forget as much as "retain loss ≤ its start + ε" allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jsonargparse.typing import ClosedUnitInterval, PositiveFloat, PositiveInt

from unlearn_gym.agents.common.online import OnlineLearner
from unlearn_gym.processes.base import LAMBDA_0, STATE

RETAIN_LOSS = list(STATE).index("retain_loss")
"""Where it is in an observation."""


class PrimalDualAgent(OnlineLearner):
    """Mirror ascent on the multiplier ν of max L_forget subject to L_retain ≤ L_retain(start) + ε.

    The Lagrangian L_forget − ν·(L_retain − …) has the weights λ = 1/(1 + ν) and 1 − λ up to a factor, so with
    ν = exp(−z), λ = sigmoid(z), the ascent ν ← ν·exp(η·v) is z ← z − η·v. v is the violation in units of ε,
    clipped to [−1, 1], of a smoothed retain loss: one minibatch says little about it.
    """

    name = "primal_dual"
    reads = ("retain_loss",)
    arguments = ("epsilon",)

    @dataclass(frozen=True)
    class Settings:
        """The constraint and how λ reacts to it.

        Args:
            epsilon: how much the retain loss may rise above its start.
            step_size: η, change of logit(λ) per step at a violation of ε or more.
            smoothing: share of the old value in the running mean of the retain loss.
            warmup: observations whose mean is the start.
        """

        epsilon: PositiveFloat = 0.02
        step_size: PositiveFloat = 0.1
        smoothing: ClosedUnitInterval = 0.9
        warmup: PositiveInt = 10

    def build(self) -> None:
        """Start at λ₀ with nothing measured."""
        self.state = {"logit": self._logit(LAMBDA_0), "start": 0.0, "smooth": 0.0, "seen": 0}

    def begin(self, seed: int) -> None:
        """Keep λ, and measure the start of the new run."""
        super().begin(seed)
        self.state.update(start=0.0, smooth=0.0, seen=0)

    def _logit(self, lam: float) -> float:
        lam = min(max(lam, self.low, 1e-3), self.high, 1.0 - 1e-3)
        return math.log(lam / (1.0 - lam))

    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Return the present λ."""
        return 1.0 / (1.0 + math.exp(-self.state["logit"]))

    def feedback(
        self, observation: np.ndarray, action: np.ndarray, reward: float, info: dict[str, Any]
    ) -> None:
        """Measure the retain loss; after the warm-up, move λ against the violation."""
        loss, state, settings = float(observation[RETAIN_LOSS]), self.state, self.settings
        state["seen"] += 1
        if state["seen"] <= settings.warmup:
            state["start"] += (loss - state["start"]) / state["seen"]
            state["smooth"] = state["start"]
            return
        state["smooth"] += (1.0 - settings.smoothing) * (loss - state["smooth"])
        violation = (state["smooth"] - state["start"] - settings.epsilon) / settings.epsilon
        logit = state["logit"] - settings.step_size * min(max(violation, -1.0), 1.0)
        state["logit"] = min(max(logit, self._logit(self.low)), self._logit(self.high))

    def state_dict(self) -> dict[str, Any]:
        """Return λ and what was measured."""
        return dict(self.state)

    def restore(self, state: dict[str, Any]) -> None:
        """Take λ and measurements over."""
        self.state = dict(state)

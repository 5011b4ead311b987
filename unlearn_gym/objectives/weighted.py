"""The weighted objective: a plain trade-off between keeping and forgetting, with a bounded forget term."""

from __future__ import annotations

import math

from unlearn_gym.objectives.base import RETAIN_TARGETS, Combination, Objective, Parts
from unlearn_gym.runtime.checks import one_of, positive


class Weighted(Objective):
    """L = (1 − λ)·L_retain − λ·cap·tanh(L_forget/cap): λ is the weight of forgetting.

    Both gradients are those of the state, so the update needs no pass of its own.

    Args:
        forget_cap: forget loss (mean over pixels) at which the forget term saturates.
        retain_target: "noise", or "teacher": the original network's prediction (diffusion only). The retain loss
            then starts at 0.
    """

    forget_cap: float

    def __init__(self, *, forget_cap: float = 0.15, retain_target: str = "noise") -> None:
        positive("forget_cap", forget_cap)
        one_of("retain_target", retain_target, RETAIN_TARGETS)
        self.forget_cap, self.retain_target = forget_cap, retain_target

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 − λ and −λ·sech²(L_forget/cap), and the loss."""
        bounded = math.tanh(parts.forget / self.forget_cap)
        return Combination(
            c_retain=1.0 - lam,
            c_forget=-lam * (1.0 - bounded**2),
            retain_term=(1.0 - lam) * parts.retain,
            forget_term=-lam * self.forget_cap * bounded,
            dloss_dlambda=-parts.retain - self.forget_cap * bounded,
        )

"""The weighted objective: a plain trade-off between keeping and forgetting, with a bounded forget term."""

from __future__ import annotations

import math

from unlearn_gym.errors import UserError
from unlearn_gym.objectives.base import Combination, Objective, Parts


class Weighted(Objective):
    """L = (1 − λ)·L_retain − λ·cap·tanh(L_forget/cap): λ is the weight of forgetting.

    Both gradients are those of the state, so the update needs no pass of its own.

    Args:
        cap: forget loss (mean over pixels) at which the forget term saturates.
    """

    def __init__(self, cap: float) -> None:
        if not cap > 0:
            raise UserError(f"forget_cap={cap} is not positive; give a forget loss above 0, such as 0.15.")
        self.cap = cap

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 − λ and −λ·sech²(L_forget/cap), and the loss."""
        bounded = math.tanh(parts.forget / self.cap)
        return Combination(
            c_retain=1.0 - lam,
            c_forget=-lam * (1.0 - bounded**2),
            retain_term=(1.0 - lam) * parts.retain,
            forget_term=-lam * self.cap * bounded,
            dloss_dlambda=-parts.retain - self.cap * bounded,
        )

"""Rules under which λ is a rate: how fast the forget objective is to fall."""

from __future__ import annotations

from unlearn_gym.objectives.base import safe_ratio
from unlearn_gym.objectives.two_gradients.base import Angle, TwoGradients


class Lexicographic(TwoGradients):
    """d = g_r + (λ − p/A)·a, so that ⟨d, a⟩ = λ·A exactly (BLUR with forgetting as its lower level).

    y is negative where the two gradients agree more than asked: the forget loss is then descended.
    """

    def coefficients(self, lam: float, angle: Angle) -> tuple[float, float]:
        """Return 1 and λ − p/A."""
        return 1.0, lam - safe_ratio(angle.inner, angle.forget2)


class Barrier(TwoGradients):
    """The d nearest to g_r with ⟨d, a⟩ ≥ λ·A: the dynamic barrier (BOME, arXiv 2209.08709).

    EraseDiff is this rule with a forget objective of its own.
    """

    def coefficients(self, lam: float, angle: Angle) -> tuple[float, float]:
        """Return 1 and max(λ − p/A, 0)."""
        return 1.0, max(lam - safe_ratio(angle.inner, angle.forget2), 0.0)

"""The Nash bargain of the two gradients, weighted by λ (Navon et al. 2022, arXiv 2202.01017)."""

from __future__ import annotations

import math

from unlearn_gym.objectives.base import safe_ratio
from unlearn_gym.objectives.two_gradients.base import Angle, TwoGradients

OPPOSED = -1.0 + 1e-6
"""Cosine from which on no direction improves both sides."""


class NashBargain(TwoGradients):
    """The d with ‖d‖ = ‖g_r‖ that maximises (1 − λ)·log⟨d, g_r⟩ + λ·log⟨d, a⟩: the scale of a plays no part.

    λκ stands in the place of λ, so that forgetting ends where the cap is reached. At λκ = 0 it is g_r; as λκ goes to 0
    it is g_r without its part along a where the two conflict: d never ascends either side. The loss x·L_retain + y·F
    has no bound there, because y has none; the update has.
    """

    def coefficients(self, lam: float, angle: Angle) -> tuple[float, float]:
        """Return x₁ and x₂·√(R/A); both 0 where the gradients oppose each other."""
        c, share = angle.cosine, min(lam, 1.0) * angle.kept
        if share <= 0.0:
            return 1.0, 0.0
        if c <= OPPOSED:
            return 0.0, 0.0
        # q = x₁x₂ solves q²(1 − c²) + cq − λ(1 − λ) = 0; the form without cancellation for either sign of c
        product = share * (1.0 - share)
        root = math.sqrt(c**2 + 4.0 * (1.0 - c**2) * product)
        q = 2.0 * product / (c + root) if c > 0 else (-c + root) / (2.0 * (1.0 - c**2))
        x1, x2 = math.sqrt(max(1.0 - share - c * q, 0.0)), math.sqrt(max(share - c * q, 0.0))
        return x1, x2 * math.sqrt(safe_ratio(angle.retain2, angle.forget2))

"""CAGrad: the best worst case near the weighted sum (Liu et al. 2021, arXiv 2110.14048), in closed form."""

from __future__ import annotations

import math

from unlearn_gym.objectives.base import safe_ratio
from unlearn_gym.objectives.two_gradients.base import Angle, TwoGradients
from unlearn_gym.runtime.checks import weight


class CAGrad(TwoGradients):
    """d = g₀ + k·g_w/‖g_w‖ with g₀ = (1 − λ)·g_r + λ·a, g_w = w·g_r + (1 − w)·a and k = radius·‖g₀‖.

    d is within k of g₀ and improves the worse of the two sides most.

    Args:
        forget_cap: as in ``TwoGradients``.
        radius: c ≥ 0; 0 is the weighted sum.
    """

    def __init__(self, *, forget_cap: float = 0.15, radius: float = 0.5) -> None:
        super().__init__(forget_cap=forget_cap)
        weight("radius", radius)
        self.radius = radius

    def coefficients(self, lam: float, angle: Angle) -> tuple[float, float]:
        """Return (1 − λ) + k·w/n and λ + k·(1 − w)/n with n = ‖g_w‖."""
        r, a, p = angle.retain2, angle.forget2, angle.inner
        k = self.radius * math.sqrt(max((1.0 - lam) ** 2 * r + 2.0 * lam * (1.0 - lam) * p + lam**2 * a, 0.0))
        w = self._worst(lam, k, angle)
        n = math.sqrt(max(w**2 * r + 2.0 * w * (1.0 - w) * p + (1.0 - w) ** 2 * a, 0.0))
        share = safe_ratio(k, n)
        return (1.0 - lam) + share * w, lam + share * (1.0 - w)

    def _worst(self, lam: float, k: float, angle: Angle) -> float:
        """Return the w in [0, 1] that minimises ⟨g_w, g₀⟩ + k·‖g_w‖: a quadratic under a root, solved."""
        r, a, p = angle.retain2, angle.forget2, angle.inner
        slope = (1.0 - lam) * (r - p) + lam * (p - a)
        q = r + a - 2.0 * p
        steepness = k**2 * q - slope**2
        if steepness <= 0.0:
            return 0.0 if slope > 0.0 else 1.0
        spread = max(4.0 * (q * a - (p - a) ** 2), 0.0)
        root = -math.copysign(math.sqrt(slope**2 * spread / steepness), slope)
        return min(max(safe_ratio(root - 2.0 * (p - a), 2.0 * q), 0.0), 1.0)

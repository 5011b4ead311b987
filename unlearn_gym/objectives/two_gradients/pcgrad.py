"""PCGrad: each gradient without its part that opposes the other (Yu et al. 2020, arXiv 2001.06782)."""

from __future__ import annotations

from unlearn_gym.objectives.base import safe_ratio
from unlearn_gym.objectives.two_gradients.base import Angle, TwoGradients


class PCGrad(TwoGradients):
    """(1 − λ)·g_r + λ·a where the two agree; where p < 0 each is first projected off the other.

    Then ⟨d, g_r⟩ = (1 − λ)·R·(1 − cos²) and ⟨d, a⟩ = λ·A·(1 − cos²).
    """

    def coefficients(self, lam: float, angle: Angle) -> tuple[float, float]:
        """Return (1 − λ) − λ·min(p, 0)/R and λ − (1 − λ)·min(p, 0)/A."""
        opposed = min(angle.inner, 0.0)
        x = (1.0 - lam) - lam * safe_ratio(opposed, angle.retain2)
        return x, lam - (1.0 - lam) * safe_ratio(opposed, angle.forget2)

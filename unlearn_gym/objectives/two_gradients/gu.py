"""GU: gradient unlearning that leaves the retain loss alone to first order (arXiv 2511.17100)."""

from __future__ import annotations

from unlearn_gym.objectives.base import safe_ratio
from unlearn_gym.objectives.two_gradients.base import Angle, TwoGradients


class GU(TwoGradients):
    """d = (1 − λ)·g_r + λ·(a − (p/R)·g_r): the forget gradient without its part along the retain gradient.

    ⟨d, g_r⟩ = (1 − λ)·R whatever a is, and ⟨d, a⟩ − (1 − λ)·p = λ·A·(1 − cos²) ≥ 0.
    """

    def coefficients(self, lam: float, angle: Angle) -> tuple[float, float]:
        """Return (1 − λ) − λp/R and λ."""
        return (1.0 - lam) - lam * safe_ratio(angle.inner, angle.retain2), lam


class GUConflict(TwoGradients):
    """As ``GU`` where the two gradients conflict (p < 0), their weighted sum where they agree."""

    def coefficients(self, lam: float, angle: Angle) -> tuple[float, float]:
        """Return (1 − λ) − λ·min(p, 0)/R and λ."""
        return (1.0 - lam) - lam * safe_ratio(min(angle.inner, 0.0), angle.retain2), lam

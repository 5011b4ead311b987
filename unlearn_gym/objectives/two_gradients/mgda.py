"""MGDA: the shortest convex combination of the two gradients (Sener & Koltun 2018, arXiv 1810.04650)."""

from __future__ import annotations

from unlearn_gym.objectives.base import safe_ratio
from unlearn_gym.objectives.two_gradients.base import Angle, TwoGradients


class MGDA(TwoGradients):
    """d = w·g_r + (1 − w)·a with the smallest norm; ⟨d, g_r⟩ and ⟨d, a⟩ are at least ‖d‖². λ plays no part."""

    def coefficients(self, lam: float, angle: Angle) -> tuple[float, float]:
        """Return w = (A − p)/(R + A − 2p), cut to [0, 1], and 1 − w."""
        apart = angle.retain2 + angle.forget2 - 2.0 * angle.inner
        w = min(max(safe_ratio(angle.forget2 - angle.inner, apart), 0.0), 1.0)
        return w, 1.0 - w

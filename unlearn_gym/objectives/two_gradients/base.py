"""What the rules for two gradients share: the bounded forget objective, and the geometry that they look at."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

from unlearn_gym.objectives.base import Combination, Objective, Parts
from unlearn_gym.runtime.checks import positive

DIFFERENCE = 1e-4
"""Half the span in λ of the difference quotient of a rule's coefficients."""


@dataclass(frozen=True)
class Angle:
    """All that a rule sees of the two gradients g_r and a, both to be descended.

    Attributes:
        retain2: R = ‖g_r‖².
        forget2: A = ‖a‖².
        inner: p = ⟨g_r, a⟩.
        kept: κ in (0, 1], the part of the forget gradient that the cap leaves.
    """

    retain2: float
    forget2: float
    inner: float
    kept: float = 1.0

    @property
    def cosine(self) -> float:
        """⟨g_r, a⟩/(‖g_r‖·‖a‖) in [−1, 1], and 0 where one of them vanishes."""
        sizes = math.sqrt(self.retain2) * math.sqrt(self.forget2)
        return max(-1.0, min(1.0, self.inner / sizes)) if sizes > 0 else 0.0


class TwoGradients(Objective):
    """d = x·g_r + y·a, where a = −κ·g_forget descends F = −cap·tanh(L_forget/cap) and κ = sech²(L_forget/cap).

    Both gradients are those of the state: an update needs no pass of its own, as under ``weighted``. A rule says
    what x and y are at λ. Where L_forget is far beyond the cap, κ is tiny and a rule that divides by ‖a‖ (``lexi``,
    ``barrier``, ``cagrad``, ``nash``) has a y without bound: the update −yκ·g_forget stays bounded, but the loss
    that it reports does not. Learn from the reward ``progress`` there, not from ``loss``.

    Args:
        forget_cap: forget loss (mean over pixels) at which the forget term saturates.
    """

    needs_norms = True
    needs_dot = True
    tells_cosine = True
    forget_cap: float

    def __init__(self, *, forget_cap: float = 0.15) -> None:
        positive("forget_cap", forget_cap)
        self.forget_cap = forget_cap

    @abstractmethod
    def coefficients(self, lam: float, angle: Angle) -> tuple[float, float]:
        """Return x and y at λ in [0, 1]."""

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return x and −yκ, the loss x·L_retain + y·F, and its derivative in λ with the geometry held fixed."""
        bounded = math.tanh(parts.forget / self.forget_cap)
        kept, value = 1.0 - bounded**2, -self.forget_cap * bounded
        angle = Angle(parts.retain_norm**2, (kept * parts.forget_norm) ** 2, -kept * parts.dot, kept)
        cosine = Angle(parts.retain_norm**2, parts.forget_norm**2, parts.dot).cosine
        x, y = self.coefficients(lam, angle)
        # how the coefficients move with λ, by a difference inside [0, 1]
        low, high = max(0.0, lam - DIFFERENCE), min(max(1.0, lam), lam + DIFFERENCE)
        (x_low, y_low), (x_high, y_high) = (self.coefficients(end, angle) for end in (low, high))
        slope = ((x_high - x_low) * parts.retain + (y_high - y_low) * value) / (high - low)
        return Combination(x, -y * kept, x * parts.retain, y * value, dloss_dlambda=slope, cosine=cosine)

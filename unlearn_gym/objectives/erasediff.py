"""EraseDiff: learn a wrong noise for the forget set, no faster than the retain set allows (arXiv 2401.05779)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from unlearn_gym.objectives.base import Combination, ForgetSide, Objective, Parts, safe_ratio
from unlearn_gym.runtime.checks import weight


class EraseDiff(Objective):
    """g = g_x + max(η − ⟨g_x, g_a⟩/‖g_a‖², 0)·g_a; both losses are descended and λ plays no part.

    g_a is the gradient of L_forget = mean (ε_θ(γa + σε) − υ)² towards υ ~ U[0, 1), fresh for each latent, so
    that here a *small* forget loss means forgotten: it is 1 + 1/3 where the true noise is predicted, and
    expected to be 1/12 at the least, where ½ is. The coefficient is the smallest c ≥ 0 with ⟨g, g_a⟩ ≥ η‖g_a‖².

    η is a pure number: losses summed over the D pixels, as the authors have them, multiply both gradients by D
    and leave ⟨g_x, g_a⟩/‖g_a‖² and hence the coefficient as they are. Their η = 1e-3 means the same for our means
    over pixels. What the scale does change is how often the clip of the combined gradient acts.

    Args:
        eta: η, from 0 to 1e12.
    """

    needs_norms = True
    needs_dot = True

    def __init__(self, *, eta: float = 1e-3) -> None:
        weight("eta", eta)
        self.eta = eta

    def draw_target(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Draw υ ~ U[0, 1)."""
        return torch.rand(shape, generator=generator)

    def forget_target(self, side: ForgetSide) -> Tensor:
        """Return υ."""
        return side.drawn.to(side.noise)

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 and c = max(η − ⟨g_x, g_a⟩/‖g_a‖², 0), and L_retain + c·L_forget with c held fixed."""
        c = max(self.eta - safe_ratio(parts.dot, parts.forget_norm**2), 0.0)
        return Combination(1.0, c, parts.retain, c * parts.forget)

"""EMSE, the ethical mean squared error: keep the wanted examples, move away from the unwanted ones.

The weight of forgetting λ = −μ ≥ 0 is the action (spec of EMSE, section 1). Both forms combine the very two
gradients that the state needs, so that an update costs no pass of its own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Combination, Objective, Parts
from unlearn_gym.runtime.checks import divisor, fraction


class LinearEMSE(Objective):
    """L = L_wanted − λ·L_unwanted, both mean squared errors.

    For a regression L_unwanted has no ceiling; for a classifier's Brier score it is at most 2.
    """

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 and −λ, and the loss."""
        return Combination(1.0, -lam, parts.retain, -lam * parts.forget, dloss_dlambda=-parts.forget)


class LikelihoodEMSE(Objective):
    """L = L_wanted − λ·mean log(1 − c·exp(−e/2σ²)), e an unwanted example's squared error (arXiv 2410.09935).

    Only unwanted examples within a few σ of the prediction are pushed away; far ones are left alone: the
    loss is bounded. The forget error that the process differentiates and the state shows is log(1 −
    c·exp(−e/2σ²)) − log(1 − c): the same up to a constant, but 0 at e = 0 and never negative.

    Args:
        sigma: σ, in the units of the outputs.
        strength: c in (0, 1); the nearer to 1, the harder an unwanted example at distance 0 is pushed.
    """

    def __init__(self, *, sigma: float = 0.5, strength: float = 0.9) -> None:
        divisor("sigma", sigma)
        fraction("strength", strength)
        self.sigma, self.strength = sigma, strength
        self.floor = math.log1p(-strength)

    def forget_error(self, error: Tensor, numbers: Tensor | None = None) -> Tensor:
        """Return log(1 − c·exp(−e/2σ²)) − log(1 − c), between 0 and −log(1 − c)."""
        return torch.log1p(-self.strength * torch.exp(-error / (2 * self.sigma**2))) - self.floor

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 and −λ, and the loss as it is written above."""
        unwanted = parts.forget + self.floor
        return Combination(1.0, -lam, parts.retain, -lam * unwanted, dloss_dlambda=-unwanted)

"""The SISS paper's own ablations: without importance sampling, and a plain Bernoulli mixture (arXiv 2503.01034)."""

from __future__ import annotations

import torch

from unlearn_gym.objectives.base import Draw, Objective, Weights
from unlearn_gym.objectives.importance import DISJOINT
from unlearn_gym.objectives.siss import SISS


class SISSWithoutSampling(SISS):
    """Each latent of a pair towards its own target, combined as in ``SISS``; λ plays no part."""

    def weights(self, lam: float, draw: Draw) -> Weights:
        """Return 1 for each latent's own error."""
        return Objective.weights(self, lam, draw)


class Bernoulli(SISS):
    """SISS's mixture without importance weights: what λ chooses counts 1/(1 − λ) or 1/λ, towards its own target.

    The expected gradients are those of ``SISSWithoutSampling``. Where the densities of a pair do not overlap it is
    ``SISS`` to the last bit.
    """

    def weights(self, lam: float, draw: Draw) -> Weights:
        """Return SISS's weights for densities that do not overlap."""
        apart = torch.full_like(draw.uniform, DISJOINT)
        return super().weights(lam, Draw(draw.uniform, -apart, apart))

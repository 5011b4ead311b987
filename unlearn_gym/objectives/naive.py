"""Naive deletion: train on with the retain set alone and let the forget set fade."""

from __future__ import annotations

from torch import zeros_like

from unlearn_gym.objectives.base import Combination, Draw, Objective, Parts, Weights


class NaiveDeletion(Objective):
    """L = L_retain, the mean denoising error of the retain latents; λ plays no part.

    No forget latent takes part in an update, so that none is passed through the network for it.
    """

    def weights(self, lam: float, draw: Draw) -> Weights:
        """Return 1 for each retain latent's own error and 0 for all else."""
        own = super().weights(lam, draw)
        return Weights(own.retain, zeros_like(own.forget), own.score)

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 and 0, and the loss."""
        return Combination(c_retain=1.0, c_forget=0.0, retain_term=parts.retain, forget_term=0.0)

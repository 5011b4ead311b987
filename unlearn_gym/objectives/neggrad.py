"""NegGrad: gradient ascent on the forget set alone."""

from __future__ import annotations

from torch import zeros_like

from unlearn_gym.objectives.base import Combination, Draw, Objective, Parts, Weights


class NegGrad(Objective):
    """L = −L_forget, the negated mean denoising error of the forget latents; λ plays no part.

    Nothing holds the retain set, and the loss has no floor: many updates wreck the model. No retain latent takes
    part in an update, so that none is passed through the network for it. The factor 1 + s of the authors' code
    is left out: clipping and Adam remove the scale.
    """

    def weights(self, lam: float, draw: Draw) -> Weights:
        """Return 1 for each forget latent's own error and 0 for all else."""
        own = super().weights(lam, draw)
        return Weights(zeros_like(own.retain), own.forget, own.score)

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 0 and −1, and the loss."""
        return Combination(c_retain=0.0, c_forget=-1.0, retain_term=0.0, forget_term=-parts.forget)

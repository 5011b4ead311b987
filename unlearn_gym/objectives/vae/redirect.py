"""Redirection of a VAE: decode the codes of forget images to what the retain set shows near them."""

from __future__ import annotations

import torch
from torch import Tensor

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.objectives.base import Combination, Objective, Parts, weighted_sum
from unlearn_gym.objectives.posterior import posterior_mean


class Redirect(Objective):
    """L = (1 − λ)·L_retain + λ·mean (BCE(x̂, p(y | z, c)) − H(x̂))/D, both descended; z ~ q_θ₀(z | a, c) stays.

    x̂ = Σ_j π_j x_j with π = softmax(−‖a − x_j‖²/2), over the grey values x_j of the retain images of a's label: what
    ``Posterior`` aims at, with γ = σ = 1. Nothing is ascended, so that nothing needs a cap; the forget loss *falls* as
    forgetting proceeds.
    """

    redirects = True
    largest_lambda = 1.0

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 − λ and λ, and the loss."""
        return weighted_sum(lam, parts)


def redirected(forget: LabelledSet, retain: LabelledSet) -> Tensor:
    """Return x̂ of each forget image, (n, D); where its label has no retain images, all retain images stand in.

    Args:
        forget: grey values (n, D) in [0, 1] and labels.
        retain: the same of what is kept.
    """
    target = torch.empty_like(forget.inputs)
    for label in forget.labels.unique():
        own = retain.labels == label
        references = retain.inputs[own] if own.any() else retain.inputs
        rows = forget.labels == label
        target[rows] = posterior_mean(forget.inputs[rows], references)
    return target

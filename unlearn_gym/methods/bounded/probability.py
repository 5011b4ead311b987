"""Bounded losses of the probabilities themselves."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from unlearn_gym.errors import UserError
from unlearn_gym.methods.bounded.base import BoundedMethod
from unlearn_gym.objectives.penalties import DIVERGENCES, f_divergence, generalised_penalty


class GCE(BoundedMethod):
    """Ascent on the generalised cross entropy: ψ = −(1 − p_y^q)/q (Zhang & Sabuncu 2018, arXiv 1805.07836).

    q → 0 is ascent on the cross entropy, q = 1 on 1 − p_y.

    Args:
        q: in (0, 1].
    """

    def __init__(self, q: float = 0.7) -> None:
        if not 0 < q <= 1:
            raise UserError(f"gce was given q={q:g}; choose one above 0 and up to 1, such as 0.7.")
        self.q = q

    def penalty(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Return ψ of the cross entropies."""
        return generalised_penalty(cross_entropy(logits, labels, reduction="none"), self.q)


class FLAT(BoundedMethod):
    """A variational f-divergence between a template label and the true one (FLAT, Wang et al. 2024).

    ψ = −T(p_t) + f*(T(p_y)), t a label other than y drawn at every step. ``kl``: −p_t + e^{p_y − 1};
    ``tv``: ½·tanh p_y − ½·tanh p_t; ``pearson``: −p_t + p_y + p_y²/4.

    Args:
        divergence: one of ``DIVERGENCES``.
    """

    def __init__(self, divergence: str = "kl") -> None:
        if divergence not in DIVERGENCES:
            raise UserError(
                f"flat was given divergence={divergence}; choose one of {', '.join(DIVERGENCES)}."
            )
        self.divergence = divergence

    def penalty(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Return ψ of the two probabilities."""
        classes = logits.shape[1]
        offset = torch.randint(1, classes, labels.shape, device=labels.device)
        chances = logits.softmax(1)
        template, true = (
            chances.gather(1, k.unsqueeze(1)).squeeze(1) for k in ((labels + offset) % classes, labels)
        )
        return f_divergence(self.divergence, template, true)


class Margin(BoundedMethod):
    """Flatten the logits: ψ = (max_k z_k − mean_k z_k)² (constrained entropic unlearning, arXiv 2506.05314).

    The largest logit stays the largest, so that the accuracy hardly falls: what falls is the confidence.

    Args:
        weight: of the term.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def penalty(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Return ψ of the logits."""
        return (logits.max(1).values - logits.mean(1)).square()

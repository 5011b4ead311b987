"""Bounded losses of the forget examples' probabilities themselves."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from unlearn_gym.objectives.classifiers.base import CrossEntropyObjective
from unlearn_gym.objectives.penalties import DIVERGENCES, f_divergence, generalised_penalty
from unlearn_gym.runtime.checks import number, one_of


class GeneralisedCE(CrossEntropyObjective):
    """ψ = −(1 − p_y^q)/q: bounded ascent on the generalised cross entropy (arXiv 1805.07836).

    Args:
        q: in (0, 1]; near 0 it is ascent on the cross entropy, at 1 on 1 − p_y.
    """

    def __init__(self, *, q: float = 0.7) -> None:
        number("a number above 0 and up to 1", lambda value: 0 < value <= 1)("q", q)
        self.q = q

    def penalty(self, logits: Tensor, labels: Tensor, original: Tensor) -> Tensor:
        """Return ψ of each example."""
        return generalised_penalty(cross_entropy(logits, labels, reduction="none"), self.q)


class ClassifierFLAT(CrossEntropyObjective):
    """ψ = −T(p_t) + f*(T(p_y)): a variational f-divergence between a template label t and the true one (FLAT, 2024).

    FLAT draws t at every step from the labels other than y; ψ here is the mean over all of them: the same in
    expectation, without that noise.

    Args:
        divergence: one of ``DIVERGENCES``.
    """

    def __init__(self, *, divergence: str = "kl") -> None:
        one_of("divergence", divergence, DIVERGENCES)
        self.divergence = divergence

    def penalty(self, logits: Tensor, labels: Tensor, original: Tensor) -> Tensor:
        """Return ψ of each example."""
        chances, rows = logits.softmax(1), labels.unsqueeze(1)
        values = f_divergence(self.divergence, chances, chances.gather(1, rows))
        return (values.sum(1) - values.gather(1, rows).squeeze(1)) / (logits.shape[1] - 1)

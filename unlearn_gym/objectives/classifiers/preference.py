"""Preference losses with one side: push the loss of forget examples up, and leave alone what is up."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from unlearn_gym.objectives.classifiers.base import CrossEntropyObjective
from unlearn_gym.objectives.penalties import generalised_penalty, preference_penalty
from unlearn_gym.runtime.checks import divisor, fraction, number


class ClassifierNPO(CrossEntropyObjective):
    """ψ = (2/β)·log(1 + (π/π⁰)^β), π the label's probability and π⁰ the original's (NPO, arXiv 2404.05868).

    Args:
        beta: β > 0, how soon a forgotten example is left alone.
    """

    needs_original = True

    def __init__(self, *, beta: float = 0.5) -> None:
        divisor("beta", beta)
        self.beta = beta

    def penalty(self, logits: Tensor, labels: Tensor, original: Tensor) -> Tensor:
        """Return ψ of each example."""
        losses, before = (cross_entropy(z, labels, reduction="none") for z in (logits, original))
        return preference_penalty(losses, before, self.beta)


class ClassifierSimNPO(CrossEntropyObjective):
    """NPO with one reference loss δ for all examples (SimNPO, arXiv 2410.07163): no original network is kept.

    Args:
        beta: β > 0.
        delta: δ, the cross entropy around which the push fades.
    """

    def __init__(self, *, beta: float = 2.5, delta: float = 0.0) -> None:
        divisor("beta", beta)
        number("a finite number", lambda value: abs(value) < 1e6)("delta", delta)
        self.beta, self.delta = beta, delta

    def penalty(self, logits: Tensor, labels: Tensor, original: Tensor) -> Tensor:
        """Return ψ of each example."""
        return preference_penalty(cross_entropy(logits, labels, reduction="none"), self.delta, self.beta)


class GeneralisedCE(CrossEntropyObjective):
    """ψ = −(1 − p_y^q)/q: bounded ascent on the generalised cross entropy (arXiv 1805.07836).

    Args:
        q: in (0, 1); near 0 it is ascent on the cross entropy.
    """

    def __init__(self, *, q: float = 0.7) -> None:
        fraction("q", q)
        self.q = q

    def penalty(self, logits: Tensor, labels: Tensor, original: Tensor) -> Tensor:
        """Return ψ of each example."""
        return generalised_penalty(cross_entropy(logits, labels, reduction="none"), self.q)

"""Preference losses: push the label of a forget example down, against nothing or against another answer."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from unlearn_gym.objectives.classifiers.base import CrossEntropyObjective
from unlearn_gym.objectives.penalties import pair_penalty, preference_penalty, preferred
from unlearn_gym.runtime.checks import divisor, number, whole


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


class ClassifierDPO(CrossEntropyObjective):
    """ψ = (2/β)·log(1 + e^{(β/2)·[m − m⁰]}), m = log π(y) − log π(w): prefer another answer w to the label y.

    DPO (arXiv 2305.18290) with the original's second answer as w: what NPO pushes away from is here pushed towards
    something, and the push fades once the two have moved apart by more than 1/β.

    Args:
        beta: β > 0, in 1/(difference of log-probabilities).
    """

    needs_original = True

    def __init__(self, *, beta: float = 0.5) -> None:
        divisor("beta", beta)
        self.beta = beta

    def penalty(self, logits: Tensor, labels: Tensor, original: Tensor) -> Tensor:
        """Return ψ of each example."""
        return pair_penalty(logits, original, labels, self.beta)


class ClassifierDiPO(CrossEntropyObjective):
    """ψ = (2/β)·log(1 + e^{−β⟨p_w − p_l, z − z⁰⟩}): prefer the original's answer with its best classes lowered.

    p_w and p_l are the softmax of the original logits z⁰ whose ``top`` largest are lowered by 10, or raised by 2 (DiPO,
    arXiv 2510.04773; the form for classifiers is our reading).

    Args:
        beta: β > 0.
        top: how many of the largest logits are moved.
    """

    needs_original = True

    def __init__(self, *, beta: float = 0.1, top: int = 1) -> None:
        divisor("beta", beta)
        whole(1)("top", top)
        self.beta, self.top = beta, top

    def penalty(self, logits: Tensor, labels: Tensor, original: Tensor) -> Tensor:
        """Return ψ of each example."""
        wins, loses = preferred(original, self.top)
        return preference_penalty(((wins - loses) * (logits - original)).sum(1), 0.0, self.beta)

"""Preference losses: the forget example's label is the answer that lost, to nothing or to another answer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearn_gym.errors import UserError
from unlearn_gym.methods.base import Batches
from unlearn_gym.methods.bounded.base import BoundedMethod
from unlearn_gym.methods.distillation import frozen_copy
from unlearn_gym.objectives.penalties import pair_penalty, preference_penalty, preferred


class ReferenceMethod(BoundedMethod):
    """A rule that asks what the original model said."""

    def _look(self, model: nn.Module, retain_batches: Batches, forget_batches: Batches) -> None:
        self._reference = frozen_copy(model)

    @torch.no_grad()
    def before(self, images: Tensor) -> Tensor:
        """Return the logits of the model before unlearning, (n, K)."""
        return self._reference(images)


class NPO(ReferenceMethod):
    """Negative preference optimisation (Zhang et al. 2024, arXiv 2404.05868): ℓ⁰ is the original model's loss.

    At the original weights its gradient is that of ascent; β → 0 is ascent everywhere.

    Args:
        beta: β > 0, how soon a forgotten example is left alone.
    """

    def __init__(self, beta: float = 0.5) -> None:
        self.beta = _positive("npo", "beta", beta)

    def penalty(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Return ψ of the cross entropies; see ``preference_penalty``."""
        now, before = (cross_entropy(z, labels, reduction="none") for z in (logits, self.before(images)))
        return preference_penalty(now, before, self.beta)


class SimNPO(BoundedMethod):
    """NPO with one reference loss δ for all examples (Fan et al. 2024, arXiv 2410.07163): no original is kept.

    Args:
        beta: β > 0.
        delta: δ, the cross entropy around which the push fades.
        weight: of the term; 0.1375 as in its public code.
    """

    def __init__(self, beta: float = 2.5, delta: float = 0.0, weight: float = 0.1375) -> None:
        self.beta, self.delta, self.weight = _positive("simnpo", "beta", beta), delta, weight

    def penalty(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Return ψ of the cross entropies; see ``preference_penalty``."""
        return preference_penalty(cross_entropy(logits, labels, reduction="none"), self.delta, self.beta)


class DPO(ReferenceMethod):
    """Prefer the original's second answer to the label (DPO, Rafailov et al. 2023, arXiv 2305.18290).

    Args:
        beta: β > 0, how soon a forgotten example is left alone.
    """

    def __init__(self, beta: float = 0.5) -> None:
        self.beta = _positive("dpo", "beta", beta)

    def penalty(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Return ψ of the log-probabilities; see ``pair_penalty``."""
        return pair_penalty(logits, self.before(images), labels, self.beta)


class DiPO(ReferenceMethod):
    """Prefer the original's prediction with its best classes lowered to the one with them raised (arXiv 2510.04773).

    ψ = (2/β)·log(1 + e^{−β⟨p_w − p_l, z − z⁰⟩}) with p_w, p_l = softmax of the original logits z⁰ whose k largest are
    lowered by 10 or raised by 2. The form for classifiers is our reading.

    Args:
        beta: β > 0.
        top: k, how many of the largest logits are moved.
    """

    def __init__(self, beta: float = 0.1, top: int = 1) -> None:
        self.beta, self.top = _positive("dipo", "beta", beta), int(_positive("dipo", "top", top))

    def penalty(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Return ψ of the logits."""
        before = self.before(images)
        wins, loses = preferred(before, self.top)
        return preference_penalty(((wins - loses) * (logits - before)).sum(1), 0.0, self.beta)


def _positive(method: str, name: str, number: float) -> float:
    if not number > 0:
        raise UserError(f"{method} was given {name}={number:g}; give a number above 0.")
    return number

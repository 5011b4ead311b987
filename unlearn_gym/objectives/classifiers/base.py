"""What the objectives on cross entropies share."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor
from torch.nn.functional import cross_entropy

from unlearn_gym.objectives.base import Combination, Objective, Parts, weighted_sum


class CrossEntropyObjective(Objective):
    """L = (1 − λ)·mean CE(retain) + λ·mean ψ(forget), both descended, ψ bounded below; λ in [0, 1].

    The state shows CE and ψ; the ``progress`` reward keeps the Brier scores, so that objectives compare.
    """

    needs_classes = True
    largest_lambda = 1.0

    @abstractmethod
    def penalty(self, logits: Tensor, labels: Tensor, original: Tensor) -> Tensor:
        """Return ψ of each forget example, (n,).

        Args:
            logits: of the network, (n, K).
            labels: int64 of shape (n,).
            original: logits of the network before unlearning, (n, K); zeros unless ``needs_original``.
        """

    def answer_errors(
        self, outputs: Tensor, targets: Tensor, original: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """Return each example's cross entropy and ψ, (n,) each."""
        return cross_entropy(outputs, targets, reduction="none"), self.penalty(outputs, targets, original)

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 − λ and λ, and the loss."""
        return weighted_sum(lam, parts)

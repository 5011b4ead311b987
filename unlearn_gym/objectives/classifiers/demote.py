"""Demotion: learn for the forget set what the original would say if it knew the class no more."""

from __future__ import annotations

from torch import Tensor, log_softmax, xlogy

from unlearn_gym.objectives.classifiers.base import CrossEntropyObjective
from unlearn_gym.objectives.penalties import demoted


class Demote(CrossEntropyObjective):
    """ψ = KL(q ‖ student), q the original's prediction without the true label; 0 is reached where they agree.

    SHRED (arXiv 2605.07482), UNDIAL (arXiv 2402.10052) and CE-U (arXiv 2503.01224), demoted to −∞: the retrained
    model's answer if it ranks the other classes as the original does. For random images rather than a class it
    forgets too much: a retrained model still names their label.
    """

    needs_original = True

    def penalty(self, logits: Tensor, labels: Tensor, original: Tensor) -> Tensor:
        """Return KL(q ‖ student) of each example."""
        target = demoted(original, labels)
        return (xlogy(target, target) - target * log_softmax(logits, 1)).sum(1)

"""Ascent on the forget set."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearn_gym.methods.base import Batch, LossMethod


class NegativeGradient(LossMethod):
    """Descend on the retain set and ascend on the forget set: CE(retain) − β·CE(forget).

    The benchmark's baseline of that name; a form of NegGrad+ in Kurmanji et al. 2023 (arXiv 2302.09880).
    β = 0.5 is the benchmark's. The forget term has no ceiling, so that the model is soon wrecked.

    Args:
        beta: weight of the ascent.
    """

    def __init__(self, beta: float = 0.5) -> None:
        self.beta = beta

    def loss(self, model: nn.Module, retain_batch: Batch, forget_batch: Batch) -> Tensor:
        """Return the difference of the two cross entropies."""
        retain_images, retain_labels = retain_batch
        forget_images, forget_labels = forget_batch
        kept = cross_entropy(model(retain_images), retain_labels)
        return kept - self.beta * cross_entropy(model(forget_images), forget_labels)

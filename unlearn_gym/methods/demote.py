"""Demotion: learn for the forget set what the original model would say if it knew the class no more."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearn_gym.methods.base import Batch, Batches, LossMethod
from unlearn_gym.methods.distillation import frozen_copy
from unlearn_gym.objectives.penalties import demoted


class Demote(LossMethod):
    """CE(retain) + CE(q, student) on the forget set, q the original's prediction without the true label.

    SHRED (arXiv 2605.07482) and UNDIAL (arXiv 2402.10052) with a demotion to −∞: q is what a retrained model says
    if it ranks the other classes as the original does. It is bounded below and descended: nothing diverges. For
    random images rather than a class it forgets too much, because a retrained model still names their label.
    """

    def _look(self, model: nn.Module, retain_batches: Batches, forget_batches: Batches) -> None:
        self._original = frozen_copy(model)

    def loss(self, model: nn.Module, retain_batch: Batch, forget_batch: Batch) -> Tensor:
        """Return the sum of the two cross entropies."""
        images, labels = forget_batch
        with torch.no_grad():
            target = demoted(self._original(images), labels)
        kept_images, kept_labels = retain_batch
        return cross_entropy(model(kept_images), kept_labels) + cross_entropy(model(images), target)

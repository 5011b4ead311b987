"""What the bounded rules share: CE(retain) + weight·mean ψ over the forget minibatch."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearn_gym.methods.base import Batch, LossMethod


class BoundedMethod(LossMethod):
    """CE(retain) + ``weight`` times the mean of ``penalty`` over the forget minibatch; both are descended."""

    weight = 1.0

    @abstractmethod
    def penalty(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """Return ψ of each forget example, (n,)."""

    def loss(self, model: nn.Module, retain_batch: Batch, forget_batch: Batch) -> Tensor:
        """Return the sum of the two terms."""
        kept_images, kept_labels = retain_batch
        images, labels = forget_batch
        pushed = self.penalty(model(images), images, labels).mean()
        return cross_entropy(model(kept_images), kept_labels) + self.weight * pushed

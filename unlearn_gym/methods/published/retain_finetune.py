"""Fine-tuning on the retain set."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearn_gym.methods.base import Batch, LossMethod


class RetainFinetune(LossMethod):
    """Go on training on the retain set and let the forget set fade: CE(retain).

    The benchmark's baseline of that name; it has no number to choose.
    """

    def loss(self, model: nn.Module, retain_batch: Batch, forget_batch: Batch) -> Tensor:
        """Return the cross entropy on the retain minibatch."""
        images, labels = retain_batch
        return cross_entropy(model(images), labels)

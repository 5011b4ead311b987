"""Ethical MSE for classifiers: the Brier score, wanted minus λ times unwanted."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import one_hot

from unlearn_gym.methods.base import Batch, LossMethod


class Emse(LossMethod):
    """Brier(retain) − λ·Brier(forget), the linear EMSE with ŷ = softmax and y = one-hot.

    The squared error is summed over classes, so that each term lies in [0, 2] and nothing blows up. The form
    with μ = −λ is the EMSE paper's (arXiv 2410.09935); the use on classifiers and λ = 0.5 are ours. A λ that
    changes over time is what the EMSE environments are for.

    Args:
        lam: λ, weight of forgetting.
    """

    def __init__(self, lam: float = 0.5) -> None:
        self.lam = lam

    def loss(self, model: nn.Module, retain_batch: Batch, forget_batch: Batch) -> Tensor:
        """Return the weighted difference of the two scores."""
        return brier(model, retain_batch) - self.lam * brier(model, forget_batch)


def brier(model: nn.Module, batch: Batch) -> Tensor:
    """Return the mean over the images of the squared error, summed over classes."""
    images, labels = batch
    logits = model(images)
    error = logits.softmax(dim=1) - one_hot(labels, logits.shape[1])
    return error.square().sum(dim=1).mean()

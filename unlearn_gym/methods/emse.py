"""Ethical MSE for classifiers: the Brier score, wanted minus λ times unwanted."""

from __future__ import annotations

from torch import Tensor, nn

from unlearn_gym.methods.base import Batch, LossMethod
from unlearn_gym.processes.supervised import brier_error


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
        kept, forgotten = (
            brier_error(model(images), labels).mean() for images, labels in (retain_batch, forget_batch)
        )
        return kept - self.lam * forgotten

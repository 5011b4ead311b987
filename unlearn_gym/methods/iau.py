"""IAU: influence approximated by one step of the difference of two gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adam

from unlearn_gym.errors import UserError
from unlearn_gym.methods.base import Batches, OnceMethod
from unlearn_gym.methods.published.importance import loss_gradient
from unlearn_gym.models.modes import eval_mode

FORMS = {"adam1": Adam, "sgd": SGD}


class IAU(OnceMethod):
    """One step of ∇[mean CE(retain) − mean CE(forget)] over both whole sets (arXiv 2507.23257).

    As released it is a *fresh* Adam's first step, lr·sign(gradient) (``adam1``): the sizes of the two terms matter
    through the sign only. ``sgd`` is the step as it is written.

    Args:
        learning_rate: of the one step.
        form: ``adam1`` or ``sgd``.
    """

    def __init__(self, learning_rate: float = 1e-3, form: str = "adam1") -> None:
        if form not in FORMS:
            raise UserError(f"iau was given form={form}; choose one of {', '.join(FORMS)}.")
        if not learning_rate > 0:
            raise UserError(f"iau was given learning_rate={learning_rate:g}; give a number above 0.")
        self.learning_rate, self.form = learning_rate, form

    def _look(self, model: nn.Module, retain_batches: Batches, forget_batches: Batches) -> None:
        with eval_mode(model):
            retain, forget = (_mean_gradient(model, side) for side in (retain_batches, forget_batches))
        self.direction = torch._foreach_sub(retain, forget)

    def change(self, model: nn.Module) -> dict[str, Any]:
        """Make the one step."""
        weights = list(model.parameters())
        for weight, gradient in zip(weights, self.direction, strict=True):
            weight.grad = gradient.clone()
        FORMS[self.form](weights, lr=self.learning_rate).step()
        return {}


def _mean_gradient(model: nn.Module, batches: Batches) -> list[torch.Tensor]:
    """Return the gradient of the mean cross entropy over all examples."""
    total, count = [torch.zeros_like(p) for p in model.parameters()], 0
    for images, labels in batches:
        torch._foreach_add_(total, loss_gradient(model, (images, labels)), alpha=len(labels))
        count += len(labels)
    torch._foreach_div_(total, float(count))
    return total

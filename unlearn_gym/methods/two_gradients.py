"""The rules for two gradients (``objectives.two_gradients``) on a classifier's cross entropies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from unlearn_gym.errors import UserError
from unlearn_gym.methods.base import Batch, UnlearningMethod
from unlearn_gym.objectives.two_gradients import RULES
from unlearn_gym.objectives.two_gradients.base import Angle


class TwoGradientMethod(UnlearningMethod):
    """d = x·∇CE(retain) + y·∇F with F = −mean min(CE, log K) on the forget set, K being the number of classes.

    An example that is predicted no better than by chance is left alone. λ = 0.5 and the bound are ours.

    Args:
        rule: a name in ``objectives.two_gradients.RULES``, which says what x and y are.
        lam: λ in [0, 1].
    """

    def __init__(self, rule: str, lam: float = 0.5) -> None:
        if not 0 <= lam <= 1:
            raise UserError(f"{rule} was given lam={lam:g}; choose one from 0 to 1.")
        self.lam, self._rule = lam, RULES[rule]()

    def unlearn_step(
        self,
        model: nn.Module,
        retain_batch: Batch,
        forget_batch: Batch,
        optimizer: Optimizer,
        step: int,
        epoch: int,
    ) -> dict[str, Any]:
        """Make one update along d; ``loss`` is x·CE(retain) + y·F."""
        images, labels = retain_batch
        keep = cross_entropy(model(images), labels)
        images, labels = forget_batch
        logits = model(images)
        bound = math.log(logits.shape[1])
        forget = -cross_entropy(logits, labels, reduction="none").clamp(max=bound).mean()
        weights = [p for p in model.parameters() if p.requires_grad]
        g, a = (torch.autograd.grad(loss, weights) for loss in (keep, forget))
        x, y = self._rule.coefficients(self.lam, Angle(_dot(g, g), _dot(a, a), _dot(g, a)))
        for weight, own, other in zip(weights, g, a, strict=True):
            weight.grad = x * own + y * other
        optimizer.step()
        return {"loss": float((x * keep + y * forget).detach())}


def _dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    return float(sum((u * v).sum() for u, v in zip(one, other, strict=True)))


gu, gu_conflict, pcgrad, lexi, barrier, mgda, cagrad, nash = (
    partial(TwoGradientMethod, name)
    for name in ("gu", "gu_conflict", "pcgrad", "lexi", "barrier", "mgda", "cagrad", "nash")
)

"""The registered optimizers for many networks at once, one network in each row of a matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from unlearn_gym.processes.common.optimizers import SignAdam, SignSGD


class BatchedRule(Protocol):
    """One optimizer step of N networks.

    Attributes:
        moments: what it remembers, tensors with a row for each network.
    """

    moments: list[Tensor]

    def step(self, weights: Tensor, gradients: Tensor, active: Tensor) -> None:
        """Move ``weights`` (N, P) in place; ``active`` (N, 1) is 1 for rows that take part, else 0."""


class BatchedAdam:
    """Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) where there is weight decay."""

    def __init__(self, defaults: dict[str, Any], weights: Tensor) -> None:
        self._lr, self._betas, self._eps = defaults["lr"], defaults["betas"], defaults["eps"]
        self._decay = defaults["weight_decay"] if defaults.get("decoupled_weight_decay") else 0.0
        self.moments = [
            torch.zeros_like(weights),
            torch.zeros_like(weights),
            weights.new_zeros(len(weights), 1),
        ]

    def step(self, weights: Tensor, gradients: Tensor, active: Tensor) -> None:
        """See ``BatchedRule``."""
        (beta1, beta2), (first, second, count) = self._betas, self.moments
        count += active
        first += active * (1 - beta1) * (gradients - first)
        second += active * (1 - beta2) * (gradients.square() - second)
        steps = count.clamp(min=1)
        scale = (second / (1 - beta2**steps)).sqrt() + self._eps
        weights -= active * self._lr * (self._decay * weights + first / (1 - beta1**steps) / scale)


class BatchedDescent:
    """Gradient descent."""

    def __init__(self, defaults: dict[str, Any], weights: Tensor) -> None:
        self._lr = defaults["lr"]
        self.moments: list[Tensor] = []

    def step(self, weights: Tensor, gradients: Tensor, active: Tensor) -> None:
        """See ``BatchedRule``."""
        weights -= active * self._lr * gradients


class BatchedSign(BatchedDescent):
    """Descent along the signs (Bernstein et al. 2018)."""

    def step(self, weights: Tensor, gradients: Tensor, active: Tensor) -> None:
        """See ``BatchedRule``."""
        super().step(weights, gradients.sign(), active)


class BatchedSignAdam:
    """Descent along the signs of the mean gradients."""

    def __init__(self, defaults: dict[str, Any], weights: Tensor) -> None:
        self._lr, self._beta = defaults["lr"], defaults["beta"]
        self.moments = [torch.zeros_like(weights)]

    def step(self, weights: Tensor, gradients: Tensor, active: Tensor) -> None:
        """See ``BatchedRule``."""
        (mean,) = self.moments
        mean += active * (1 - self._beta) * (gradients - mean)
        weights -= active * self._lr * mean.sign()


RULES: dict[type[Optimizer], Callable[[dict[str, Any], Tensor], BatchedRule]] = {
    Adam: BatchedAdam,
    AdamW: BatchedAdam,
    SGD: BatchedDescent,
    SignSGD: BatchedSign,
    SignAdam: BatchedSignAdam,
}


def batched(optimizer: Optimizer, weights: Tensor) -> BatchedRule:
    """Return the rule of a registered optimizer, with its settings, for the rows of ``weights``."""
    return RULES[type(optimizer)](optimizer.defaults, weights)

"""Weights between the original and the unlearned model: how far a model may go and still keep what it is to keep."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

GRID, HALVINGS = 8, 4
"""Shares looked at first, and how often the gap between two of them is halved: 1/128 is told apart."""
BATCH_SIZE, BATCHES = 128, 20
"""Of the images by which running statistics are computed anew."""

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def mixed(original: Network, unlearned: Network, share: float, images: Tensor) -> Network:
    """Return a model with the weights (1 − α)·θ₀ + α·θᵤ.

    Args:
        original: θ₀.
        unlearned: θᵤ, of the same kind.
        share: α, 0 to 1; at 0 and 1 a copy of one of the two comes back, bit for bit.
        images: to keep; running statistics of batch norm, which cannot be mixed, are taken from the first of them.
    """
    if share in (0.0, 1.0):
        return copy.deepcopy(unlearned if share else original)
    copied = copy.deepcopy(unlearned)
    for weight, before in zip(copied.parameters(), original.parameters(), strict=True):
        weight.copy_(torch.lerp(before, weight, share))
    if any(isinstance(module, _BatchNorm) for module in copied.modules()):
        parameter = next(copied.parameters())
        update_bn([part.to(parameter) for part in images.split(BATCH_SIZE)[:BATCHES]], copied)
    return copied


def largest_share(holds: Callable[[float], bool]) -> float:
    """Return the largest α in [0, 1] for which something holds; 0 needs no asking.

    α = 1 is asked first, then a grid from above, because nothing says that what holds at α holds below; then the gap
    above the largest that holds is halved.
    """
    place = next((k for k in range(GRID, 0, -1) if holds(k / GRID)), 0)
    if place == GRID:
        return 1.0
    low, high = place / GRID, (place + 1) / GRID
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low

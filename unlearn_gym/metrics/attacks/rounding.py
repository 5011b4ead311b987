"""What rounding the weights, as for a small device, does to an unlearned model."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

BITS = (4, 8)
"""Widths that are measured."""

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def rounded(model: Network, bits: int) -> Network:
    """Return a copy whose weights are rounded to a grid of 2^bits − 1 values, one grid a tensor.

    w ← s·round(w/s) with s = max|w|/(2^{bits − 1} − 1).
    """
    copied = copy.deepcopy(model)
    for weight in copied.parameters():
        step = weight.abs().max() / (2 ** (bits - 1) - 1)
        if step > 0:
            weight.copy_(step * (weight / step).round())
    return copied

"""Arithmetic on gradients kept as lists of tensors, one launch for all parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Gradient = list[Tensor]
"""One tensor per trainable parameter, in the order of the parameters."""


def zeros_like(parameters: Sequence[Tensor]) -> Gradient:
    """Return a gradient of zeros."""
    return [torch.zeros_like(p) for p in parameters]


def norm(gradient: Gradient) -> Tensor:
    """Return the L2 norm over all entries, a scalar tensor."""
    return _flat(gradient).norm()


def dot(a: Gradient, b: Gradient) -> Tensor:
    """Return the inner product over all entries, a scalar tensor."""
    return torch.dot(_flat(a), _flat(b))


def add_(gradient: Gradient, other: Gradient, scale: float = 1.0) -> Gradient:
    """Add ``scale``·``other`` to ``gradient`` in place and return it."""
    torch._foreach_add_(gradient, other, alpha=scale)
    return gradient


def scaled(gradient: Gradient, scale: float) -> Gradient:
    """Return ``scale``·``gradient`` as new tensors."""
    return list(torch._foreach_mul(gradient, scale))


def _flat(gradient: Gradient) -> Tensor:
    """Copy into one vector: cheaper than an operation for each of many small tensors."""
    return torch.cat([g.flatten() for g in gradient])

"""A network's trained weights as one vector, so that an update is a handful of operations and not one a layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


def joined(tensors: Iterable[Tensor]) -> Tensor:
    """Return all entries in one vector, shape (P,)."""
    return torch.cat([tensor.flatten() for tensor in tensors])


def views(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Return the parts of a vector, (P,), in the shapes of the tensors that were joined in it."""
    parts = vector.split([each.numel() for each in like])
    return [part.view_as(each) for part, each in zip(parts, like, strict=True)]


def zeros(like: Sequence[Tensor]) -> Tensor:
    """Return a vector with room for all entries, (P,)."""
    return like[0].new_zeros(sum(each.numel() for each in like))


def trained(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters that gradients are taken of."""
    return [p for p in model.parameters() if p.requires_grad]


@torch.no_grad()
def flatten_(parameters: Sequence[nn.Parameter]) -> Tensor:
    """Lay the parameters out in one vector, which they become views of, and return it.

    Whoever changes the vector changes the network, and the other way round. All parameters must be of one
    device and floating-point type.

    Returns:
        A leaf that an optimizer can move, shape (P,), in the order of ``parameters``.
    """
    vector = joined(parameters)
    for parameter, part in zip(parameters, vector.split([p.numel() for p in parameters]), strict=True):
        parameter.data = part.view_as(parameter)
    return vector.requires_grad_()


def are_views(parameters: Sequence[Tensor], vector: Tensor) -> bool:
    """Return whether the parameters still lie in the vector that ``flatten_`` returned."""
    storage = vector.untyped_storage().data_ptr()
    return all(p.untyped_storage().data_ptr() == storage for p in parameters)

"""Passes through somebody's network, forward and back, with one sentence where it cannot be passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unlearn_gym.errors import UserError
from unlearn_gym.processes.common.flat import joined


def forward(model: nn.Module, *inputs: Tensor, **named: Any) -> Any:
    """Return what the network returns.

    Raises:
        UserError: if it raises anything but a lack of memory.
    """
    try:
        return model(*inputs, **named)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        shapes = " and ".join(str(tuple(each.shape)) for each in inputs)
        raise UserError(
            f"The network {type(model).__name__} fails on a minibatch of shape {shapes} "
            f"({cause(error)}); try it on such a batch by hand."
        ) from error


def gradient(losses: Tensor, parameters: Sequence[Tensor], *, keep: bool = False) -> Tensor:
    """Return the gradient of the sum of the losses by plain autograd, (P,); 0 in what plays no part.

    Args:
        losses: any shape.
        parameters: what the gradient is taken of.
        keep: whether the graph is needed again.

    Raises:
        UserError: if autograd finds no way back through the network.
    """
    try:
        found = torch.autograd.grad(losses.sum(), parameters, retain_graph=keep, allow_unused=True)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise UserError(
            f"The network has no gradient in its trainable weights ({cause(error)}); its forward pass may "
            "not run under no_grad, nor overwrite what the backward pass needs."
        ) from error
    return joined(_dense(p, g) for p, g in zip(parameters, found, strict=True))


def _dense(parameter: Tensor, found: Tensor | None) -> Tensor:
    if found is None:
        return torch.zeros_like(parameter)
    return found.to_dense() if found.is_sparse else found


def cause(error: Exception) -> str:
    """Return an exception's name and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__

"""Passes through somebody's network, forward and back, with one sentence where it cannot be passed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unlearn_gym.errors import UserError
from unlearn_gym.processes.common.flat import views, zeros


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


def gradient(
    losses: Tensor, parameters: Sequence[Tensor], *, keep: bool = False, into: Tensor | None = None
) -> Tensor:
    """Return the gradient of the sum of the losses by plain autograd, (P,); 0 in what plays no part.

    Args:
        losses: any shape.
        parameters: what the gradient is taken of.
        keep: whether the graph is needed again.
        into: a vector, (P,), that the gradient is added to and that is returned; a new one if none is given.

    Raises:
        UserError: if autograd finds no way back through the network.
    """
    total = zeros(parameters) if into is None else into
    try:
        with _collecting(parameters, total):
            torch.autograd.backward(losses.sum(), retain_graph=keep, inputs=parameters)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise UserError(
            f"The network has no gradient in its trainable weights ({cause(error)}); its forward pass may "
            "not run under no_grad, nor overwrite what the backward pass needs."
        ) from error
    return total


@contextlib.contextmanager
def _collecting(parameters: Sequence[Tensor], total: Tensor) -> Iterator[None]:
    """Let backward passes add to a vector: each layer's gradient as it is reached, which is then forgotten.

    Hooks that wait for a ``.grad`` to be complete (an optimizer within the backward pass) are not called.
    """
    before = [(p, p.grad) for p in parameters]
    waiting = [(hooks, dict(hooks)) for p in parameters if (hooks := p._post_accumulate_grad_hooks)]
    for hooks, _ in waiting:
        hooks.clear()
    for parameter, part in zip(parameters, views(total, parameters), strict=True):
        parameter.grad = part
    try:
        yield
    finally:
        for parameter, given in before:
            parameter.grad = given
        for hooks, own in waiting:
            hooks.update(own)


def cause(error: Exception) -> str:
    """Return an exception's name and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__

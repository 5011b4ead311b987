"""BatchNorm's running statistics as part of the state: measured with the minibatch, adopted by the update."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def normalise_by_batch(model: nn.Module) -> None:
    """Put the model in eval mode except for its BatchNorm layers, which use the batch's own statistics.

    Dropout stays off, because it would draw from the global generator.
    """
    model.eval()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train()


def has_batch_norm(model: nn.Module) -> bool:
    """Say whether the model has a BatchNorm layer."""
    return any(isinstance(module, _BatchNorm) for module in model.modules())


class RunningStatistics:
    """The model's buffers, kept from changing until an update adopts what its forward passes made of them.

    Args:
        model: its buffers are watched.
    """

    def __init__(self, model: nn.Module) -> None:
        self._buffers = list(model.buffers())
        self._last = self._copy()
        self._pending: list[Tensor] | None = None

    def _copy(self) -> list[Tensor]:
        return [buffer.detach().clone() for buffer in self._buffers]

    def _put(self, values: list[Tensor]) -> None:
        """Write the buffers past autograd, which saved them: a backward by batch statistics reads none."""
        for buffer, value in zip(self._buffers, values, strict=True):
            buffer.data.copy_(value)

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Let a forward pass change the buffers, then set the change aside; without gradients, drop it."""
        if not self._buffers:
            yield
            return
        before = self._copy()
        if self._pending is not None:
            self._put(self._pending)
        try:
            yield
            if torch.is_grad_enabled():
                self._pending = self._copy()
        finally:
            self._put(before)

    def mark(self) -> None:
        """Remember the buffers for ``undo``."""
        self._last = self._copy()

    def adopt(self) -> None:
        """Make the change that was set aside real."""
        if self._pending is not None:
            self._put(self._pending)

    def discard(self) -> None:
        """Drop the change that was set aside: its minibatch is over."""
        self._pending = None

    def undo(self) -> None:
        """Go back to where ``mark`` was called last."""
        self._put(self._last)
        self._pending = None

    def state_dict(self) -> list[Tensor]:
        """Return what ``undo`` would go back to; the buffers themselves belong to the caller."""
        return [tensor.clone() for tensor in self._last]

    def load_state_dict(self, state: list[Tensor]) -> None:
        """Go on from where ``state_dict`` was taken."""
        self._last = [tensor.to(buffer.device) for tensor, buffer in zip(state, self._buffers, strict=True)]
        self._pending = None

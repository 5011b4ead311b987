"""One forward and one backward pass from which the gradient for *any* row weights can be read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from unlearn_gym.processes.gradients import Gradient
from unlearn_gym.processes.layers import CONTRACTED, is_known, rowwise

LARGEST_ROW = 2**17
"""Numbers that a network's layers put out for one row. Beyond it arithmetic outweighs the cost of launching
operations, and the activations leave the processor's cache: plain passes are then cheaper than a tape."""

Calls = list[tuple[nn.Module, Tensor, Tensor]]
"""Layer, input and output of each call, rows first."""


def trained_layers(model: nn.Module) -> list[nn.Module]:
    """Return the modules that own trainable parameters."""
    return [m for m in model.modules() if any(p.requires_grad for p in m.parameters(recurse=False))]


@contextlib.contextmanager
def recorded(layers: Sequence[nn.Module]) -> Iterator[Calls]:
    """Collect (layer, input, output) of every call in the body."""
    calls: Calls = []

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if inputs:
            calls.append((layer, inputs[0], output))

    handles = [layer.register_forward_hook(record) for layer in layers]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def suits(model: nn.Module, forward: Callable[[Tensor], object], rows: Tensor) -> bool:
    """Whether a tape is right and worth it: a rule of the layers and their shapes, never of a clock.

    Args:
        model: the network.
        forward: one forward pass of the rows asked for.
        rows: two row numbers to try it on, one of each side.
    """
    layers = trained_layers(model)
    if not all(map(is_known, layers)):
        return False
    with recorded(layers) as calls:
        forward(rows)
    whole = all(x.shape[0] == out.shape[0] == len(rows) for _, x, out in calls)
    again = [layer(x) for layer, x, _ in calls]
    untouched = all(torch.equal(a, out) for a, (_, _, out) in zip(again, calls, strict=True))  # not in place
    size = sum(out.numel() for _, _, out in calls) // len(rows)
    return whole and untouched and {layer for layer, *_ in calls} == set(layers) and size <= LARGEST_ROW


class Tape:
    """Inputs and output gradients of every trained layer for n rows, each row with a loss of its own.

    Args:
        layers: see ``trained_layers``.
        parameters: what gradients are taken of, in the order of the result.
        losses: forward pass; called once, returns the n losses.
    """

    def __init__(
        self, layers: Sequence[nn.Module], parameters: Sequence[Tensor], losses: Callable[[], Tensor]
    ) -> None:
        self._parameters = parameters
        with recorded(layers) as calls:
            found = losses()
        gradients = torch.autograd.grad(found.sum(), [out for _, _, out in calls])
        self.losses = found.detach()
        self._contracted = [
            (layer, x.detach(), g)
            for (layer, x, _), g in zip(calls, gradients, strict=True)
            if type(layer) in CONTRACTED
        ]
        rows = [
            pair
            for (layer, x, _), g in zip(calls, gradients, strict=True)
            for pair in rowwise(layer, x.detach(), g)
        ]
        self._rowwise = [parameter for parameter, _ in rows]
        self._row_gradients = torch.cat([g for _, g in rows], 1) if rows else found.new_zeros(len(found), 0)

    @torch.no_grad()
    def gradient(self, part: slice, weights: Tensor | None = None) -> Gradient:
        """Return Σ_j w_j ∇ℓ_j over a part of the rows; all weights are 1 if none are given."""
        sums: dict[Tensor, Tensor] = {}
        for layer, x, g in self._contracted:
            g = g[part] if weights is None else g[part] * weights.view(-1, *[1] * (g.ndim - 1))
            _add(sums, layer.weight, CONTRACTED[type(layer)](layer, x[part], g))
        chosen = self._row_gradients[part]
        flat = chosen.sum(0) if weights is None else weights @ chosen
        for parameter, g in zip(self._rowwise, flat.split([p.numel() for p in self._rowwise]), strict=True):
            _add(sums, parameter, g)
        return [sums[p] if p in sums else torch.zeros_like(p) for p in self._parameters]


def _add(sums: dict[Tensor, Tensor], parameter: Tensor, gradient: Tensor) -> None:
    sums[parameter] = sums[parameter] + gradient if parameter in sums else gradient

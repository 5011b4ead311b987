"""One forward and one backward pass from which the gradient for *any* row weights can be read."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from unlearn_gym.processes.gradients import Gradient
from unlearn_gym.processes.layers import CONTRACTED, is_known, rowwise

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
def row_size(model: nn.Module, forward: Callable[[Tensor], object], rows: Tensor) -> int | None:
    """Return how many numbers the trained layers put out for one row, or None where a tape would be wrong.

    Args:
        model: the network.
        forward: one forward pass of the rows asked for.
        rows: two row numbers to try it on, one of each side.
    """
    layers = trained_layers(model)
    if not all(map(is_known, layers)):
        return None
    with recorded(layers) as calls:
        forward(rows)
    whole = all(x.shape[0] == out.shape[0] == len(rows) for _, x, out in calls)
    if not whole or {layer for layer, *_ in calls} != set(layers):
        return None
    if not all(torch.equal(layer(x), out) for layer, x, out in calls):  # changed in place, or random
        return None
    return sum(out.numel() for _, _, out in calls) // len(rows)


class Tape:
    """Inputs and output gradients of every trained layer for n rows, each row with a loss of its own.

    Args:
        layers: see ``trained_layers``.
        parameters: what gradients are taken of, in the order of the result.
        losses: forward pass; called once, returns the n losses.
        plain: take the gradient with all weights 1 in the same backward pass.

    Attributes:
        losses: the n losses.
        plain: the gradient with all weights 1, or None.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        parameters: Sequence[Tensor],
        losses: Callable[[], Tensor],
        *,
        plain: bool,
    ) -> None:
        self._parameters = parameters
        with recorded(layers) as calls:
            found = losses()
        wanted = [*(out for _, _, out in calls), *(parameters if plain else ())]
        gradients = torch.autograd.grad(found.sum(), wanted)
        self.losses = found.detach()
        self.plain: Gradient | None = list(gradients[len(calls) :]) if plain else None
        self._calls = [(layer, x.detach(), g) for (layer, x, _), g in zip(calls, gradients, strict=False)]

    @functools.cached_property
    def _rowwise(self) -> tuple[list[Tensor], Tensor]:
        """The row-wise parameters, and each row's gradient in all of them, (n, sum of their sizes)."""
        found = [pair for call in self._calls for pair in rowwise(*call)]
        none = [self.losses.new_zeros(len(self.losses), 0)]
        return [parameter for parameter, _ in found], torch.cat(none + [g for _, g in found], 1)

    @torch.no_grad()
    def gradient(self, part: slice, weights: Tensor | None = None) -> Gradient:
        """Return Σ_j w_j ∇ℓ_j over a part of the rows; all weights are 1 if none are given."""
        chosen: slice | Tensor = part
        if weights is not None and not weights.all():
            rows = torch.arange(len(self.losses), device=weights.device)[part]
            chosen, weights = rows[weights != 0], weights[weights != 0]
        sums: dict[Tensor, Tensor] = {}
        for layer, x, g in self._calls:
            if type(layer) in CONTRACTED:
                scaled = g[chosen] if weights is None else g[chosen] * weights.view(-1, *[1] * (g.ndim - 1))
                _add(sums, cast(Tensor, layer.weight), CONTRACTED[type(layer)](layer, x[chosen], scaled))
        parameters, gradients = self._rowwise
        flat = gradients[chosen].sum(0) if weights is None else weights @ gradients[chosen]
        for parameter, g in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            _add(sums, parameter, g)
        return [sums[p] if p in sums else torch.zeros_like(p) for p in self._parameters]


def _add(sums: dict[Tensor, Tensor], parameter: Tensor, gradient: Tensor) -> None:
    sums[parameter] = sums[parameter] + gradient if parameter in sums else gradient

"""One forward and one backward pass from which the gradient for *any* row weights can be read."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from unlearn_gym.processes.common.flat import views, zeros
from unlearn_gym.processes.common.passes import gradient
from unlearn_gym.processes.gradients.layers import CONTRACTED, is_known, mixes_rows, rowwise

Calls = list[tuple[nn.Module, Tensor, Tensor]]
"""Layer, input and output of each call, rows first."""

ROUND = 4
"""Passes and sums take a multiple of so many rows where they can: the convolution library prepares each shape that it
meets, and remembers a limited number of them."""


def rounded_up(selection: Tensor, spare: Tensor, step: int = ROUND) -> Tensor:
    """Return the selected rows, and as many spare ones as make their number a multiple of ``step``.

    Args:
        selection: True where a row is selected, shape (n,).
        spare: True where another may be, shape (n,).
        step: at least 1.
    """
    others = (spare & ~selection).nonzero().squeeze(1)
    whole = selection.clone()
    whole[others[: -int(selection.sum()) % step]] = True
    return whole


def trained_layers(model: nn.Module) -> list[nn.Module]:
    """Return the modules that own trainable parameters."""
    return [m for m in model.modules() if any(p.requires_grad for p in m.parameters(recurse=False))]


@contextlib.contextmanager
def recorded(
    layers: Sequence[nn.Module], note: Callable[[nn.Module, Tensor, Tensor], None]
) -> Iterator[None]:
    """Call ``note`` with layer, input and output of every call in the body."""

    def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if inputs:
            note(layer, inputs[0], output)

    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def row_size(model: nn.Module, forward: Callable[[Tensor], object], rows: Tensor) -> int | None:
    """Return how many numbers the trained layers put out for one row, or None where a record would be wrong.

    Args:
        model: the network.
        forward: one forward pass of the rows asked for.
        rows: two row numbers to try it on, one of each side.
    """
    layers = trained_layers(model)
    if any(map(mixes_rows, model.modules())) or not all(map(is_known, layers)):
        return None
    calls: Calls = []
    with recorded(layers, lambda *call: calls.append(call)):
        forward(rows)
    whole = all(x.shape[0] == out.shape[0] == len(rows) for _, x, out in calls)
    if not whole or {layer for layer, *_ in calls} != set(layers):
        return None
    if not all(torch.equal(type(layer).forward(layer, x), out) for layer, x, out in calls):
        return None  # changed in place or by a hook, or random
    return sum(out.numel() for _, _, out in calls) // len(rows)


class PerExampleRecord:
    """Inputs and output gradients of the trained layers for n rows, each row with a loss of its own.

    What a norm needs is summed over positions while the backward pass runs, so that a record holds no more than
    autograd held before. If a layer meets other rows than the n (a network that sends some of them elsewhere),
    the record keeps autograd's graph instead, and each gradient is a backward pass.

    Args:
        layers: see ``trained_layers``.
        parameters: what gradients are taken of, in the order of the result.
        losses: forward pass; called once, returns the n losses.

    Attributes:
        losses: the n losses.
    """

    def __init__(
        self, layers: Sequence[nn.Module], parameters: Sequence[Tensor], losses: Callable[[], Tensor]
    ) -> None:
        self._parameters = parameters
        self._matrices: Calls = []
        self._small: list[tuple[Tensor, Tensor]] = []
        self._graph: Tensor | None = None
        first: list[Tensor] = []
        handles: list[RemovableHandle] = []
        sizes: set[int] = set()

        def note(layer: nn.Module, x: Tensor, output: Tensor) -> None:
            if not output.requires_grad:  # under no_grad: it has no part in any gradient
                return
            if not x.requires_grad:
                first.append(output)
            sizes.update((x.shape[0], output.shape[0]))
            handles.append(output.register_hook(functools.partial(self._keep, layer, [x.detach()])))

        with recorded(layers, note):
            found = losses()
        self.losses = found.detach()
        if sizes <= {len(found)}:
            # Passes every layer; the hooks keep what is needed.
            torch.autograd.grad(found.sum(), first, allow_unused=True)
        else:
            self._graph = found
            for handle in handles:
                handle.remove()

    def _keep(self, layer: nn.Module, inputs: list[Tensor], g: Tensor) -> None:
        x = inputs.pop()  # the graph, which lives until the pass is over, must not hold it any more
        g = g.detach()
        if type(layer) in CONTRACTED and cast(Tensor, layer.weight).requires_grad:
            self._matrices.append((layer, x, g))
        self._small += [(p, each) for p, each in rowwise(layer, x, g) if p.requires_grad]

    @functools.cached_property
    def _rowwise(self) -> tuple[list[Tensor], Tensor]:
        """The row-wise parameters, and each row's gradient in all of them, (n, sum of their sizes)."""
        none = self.losses.new_zeros(len(self.losses), 0)
        return [p for p, _ in self._small], torch.cat([none, *(each for _, each in self._small)], 1)

    @torch.no_grad()
    def gradient(
        self, rows: slice | Tensor, weights: Tensor | None = None, into: Tensor | None = None
    ) -> Tensor:
        """Return Σ_j w_j ∇ℓ_j over some of the rows, (P,), added to ``into`` if given; without weights all are 1."""
        if self._graph is not None:
            with torch.enable_grad():
                chosen = self._graph[rows] if weights is None else self._graph[rows] * weights
                return gradient(chosen, self._parameters, keep=True, into=into)
        total = zeros(self._parameters) if into is None else into
        parts = dict(zip(self._parameters, views(total, self._parameters), strict=True))
        factors = None if weights is None or bool((weights == 1).all()) else weights
        for layer, x, g in self._matrices:
            part = g[rows] if factors is None else g[rows] * factors.view(-1, *[1] * (g.ndim - 1))
            parts[cast(Tensor, layer.weight)] += CONTRACTED[type(layer)](layer, x[rows], part)
        parameters, each = self._rowwise
        flat = each[rows].sum(0) if weights is None else weights @ each[rows]
        for parameter, found in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parts[parameter] += found
        return total

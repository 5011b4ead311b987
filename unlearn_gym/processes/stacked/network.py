"""Many networks of one architecture as one: trained weights in the rows of a matrix, one pass for all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm

from unlearn_gym.processes.common.flat import joined

Statistics = dict[str, Tensor]
"""BatchNorm's buffers by name, copies first: (N, ...)."""


@contextlib.contextmanager
def _mappable(model: nn.Module) -> Iterator[None]:
    """Lay out what GroupNorms take as they want it: they are not mapped over images with channels last.

    What attention returns is laid out so.
    """

    def contiguous(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(each.contiguous() for each in inputs)

    norms = [module for module in model.modules() if isinstance(module, nn.GroupNorm)]
    handles = [norm.register_forward_pre_hook(contiguous) for norm in norms]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class StackedNetwork:
    """N copies of a network, each with trained weights and BatchNorm statistics of its own.

    Everything else (frozen weights, other buffers, the modes of the layers) is the network's and is shared.

    Args:
        model: the network; it is called, and stays as it is.
        copies: N.

    Attributes:
        model: the network.
        original: its trained weights, shape (P,).
        weights: those of each copy, a leaf of shape (N, P).
        original_statistics: its BatchNorm buffers, by name.
        statistics: those of each copy.
    """

    def __init__(self, model: nn.Module, copies: int) -> None:
        self.model, self.copies = model, copies
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._shapes = {name: p.shape for name, p in trained.items()}
        self.original = joined(trained.values()).detach().clone()
        self.weights = self.original.repeat(copies, 1).requires_grad_()
        self.original_statistics = {
            f"{prefix}.{name}" if prefix else name: buffer.detach().clone()
            for prefix, layer in model.named_modules()
            if isinstance(layer, _BatchNorm)
            for name, buffer in layer.named_buffers(recurse=False)
        }
        self.statistics: Statistics = {
            name: buffer.expand(copies, *buffer.shape).clone()
            for name, buffer in self.original_statistics.items()
        }

    def __call__(self, statistics: Statistics, *inputs: Tensor, **constants: Any) -> tuple[Any, Statistics]:
        """Pass each copy's inputs through it.

        Args:
            statistics: what BatchNorm starts from; they are not changed.
            inputs: what the network takes, copies first: (N, n, ...).
            constants: keywords that are the same for all.

        Returns:
            What the network returns, or its ``logits``, copies first, and the statistics that the pass leaves behind.
        """

        def one(row: Tensor, buffers: Statistics, *own: Tensor) -> tuple[Any, Statistics]:
            pieces = row.split([shape.numel() for shape in self._shapes.values()])
            named = {n: p.view(s) for (n, s), p in zip(self._shapes.items(), pieces, strict=True)}
            moving = {name: buffer.clone() for name, buffer in buffers.items()}
            returned = functional_call(self.model, {**named, **moving}, own, constants)
            return getattr(returned, "logits", returned), moving

        with _mappable(self.model), self._attention():
            return vmap(one)(self.weights, statistics, *inputs)

    def _attention(self) -> contextlib.AbstractContextManager[None]:
        """On a CPU, only the plain form of attention is mapped; PyTorch would call others copy by copy."""
        cpu = self.weights.device.type == "cpu"
        return sdpa_kernel(SDPBackend.MATH) if cpu else contextlib.nullcontext()

    @torch.no_grad()
    def restore(self, copy: int, weights: Tensor) -> None:
        """Give one copy these weights, (P,), and the original statistics."""
        self.weights[copy] = weights
        for name, buffer in self.original_statistics.items():
            self.statistics[name][copy] = buffer

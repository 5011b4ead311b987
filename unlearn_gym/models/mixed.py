"""Mixed passes: weights, gradients and updates in float32, what lies between inputs and outputs in bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FULL = "float32"
PRECISIONS = (FULL, "bfloat16")
IMAGES = 4
"""Axes of a batch of images."""


class MixedPasses(nn.Module):
    """A network whose passes PyTorch rounds to bfloat16 where that is safe (autocast).

    Passes forward and back take about half the time on a CPU that computes in bfloat16. Nothing is kept between two
    calls, so that weights may change between them.

    Args:
        network: any network; its weights stay what they are, and ``network`` they are found by.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the network's outputs in float32."""
        if inputs.ndim == IMAGES:  # the layout that convolutions in bfloat16 are fast in
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(inputs.device.type, torch.bfloat16, cache_enabled=False):
            return self.network(inputs).float()


def passed(network: nn.Module, precision: str) -> nn.Module:
    """Return what is called in the place of a network: itself, or its ``MixedPasses``.

    Args:
        network: whose weights are trained.
        precision: one of ``PRECISIONS``.
    """
    return network if precision == FULL else MixedPasses(network)

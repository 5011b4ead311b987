"""The numbers of a network before unlearning, and the network that it was then, for objectives that ask it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from unlearn_gym.processes.common.flat import joined, trained

Network = TypeVar("Network", bound=nn.Module)


def numbers_of(network: nn.Module) -> list[Tensor]:
    """Return the trained weights of a network as one vector, (P,), and its buffers, cut off from its graph."""
    return [joined(trained(network)).detach(), *(buffer.detach() for buffer in network.buffers())]


@torch.no_grad()
def frozen_original(model: Network, original: Sequence[Tensor]) -> Network:
    """Return a frozen copy in eval mode with the original numbers.

    Args:
        model: the network as it is now.
        original: its trained weights as one vector, which the copy shares, and its buffers.
    """
    frozen = copy.deepcopy(model).eval()
    vector_to_parameters(original[0], trained(frozen))
    for buffer, before in zip(frozen.buffers(), original[1:], strict=True):
        buffer.copy_(before)
    return frozen.requires_grad_(False)

"""What a stack of processes and the parts that depend on the kind of process tell each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unlearn_gym.processes.stacked.network import Statistics


@dataclass(frozen=True)
class Start:
    """What a copy draws from its environment's generator when it starts over.

    Attributes:
        seed: of its minibatches.
        number: of its request, where each start has another one.
    """

    seed: int
    number: int | None = None


@dataclass(frozen=True)
class Pass:
    """Errors of some latents of each copy towards both targets, with their graph.

    Attributes:
        rows: which of the 2B latents.
        retain: errors towards the retain target, shape (N, number of rows), and ``forget`` likewise.
    """

    rows: slice
    retain: Tensor
    forget: Tensor


@dataclass(frozen=True)
class Measured:
    """The passes that cover a minibatch, and the statistics that BatchNorm has after them."""

    passes: Sequence[Pass]
    statistics: Statistics = field(default_factory=dict)

    def errors(self, side: str) -> Tensor:
        """Return the errors towards one side's target without their graph, shape (N, 2B)."""
        return torch.cat([getattr(each, side).detach() for each in self.passes], 1)

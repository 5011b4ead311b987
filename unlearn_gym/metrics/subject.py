"""What a registered metric is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unlearn_gym.data.split import UnlearningData


@dataclass(frozen=True)
class Samples:
    """Generated images: those of the forget label first, then the other labels in turn.

    Attributes:
        images: shape (n, channels, height, width) in [-1, 1], on the CPU.
        labels: int64 of shape (n,); all 0 for an unconditional model.
        of_label: how many come first.
    """

    images: Tensor
    labels: Tensor
    of_label: int

    def balanced(self, each: int) -> Tensor:
        """Return a mask of ``each`` samples of the forget label, and of the others all there are."""
        first = torch.arange(self.of_label) < each
        return torch.cat([first, torch.ones(len(self.images) - self.of_label, dtype=torch.bool)])


@dataclass(frozen=True)
class Subject:
    """A model that a run left, or a reference, with what it is to be compared with.

    Attributes:
        model: the network, in eval mode; the process, where the environment has no network.
        data: what to forget, what to keep, and what is held out from both; None where there are no data.
        retrained: the network retrained without the forget set; None where there is none.
        seed: of every draw, so that models are compared on the same noise.
        samples: what a diffusion model drew from the seed; None for others.
        diverged: whether the run that left it ended because something was not finite.
    """

    model: Any
    data: UnlearningData | None
    retrained: Any
    seed: int
    samples: Samples | None = None
    diverged: bool = False

"""Which bank a network gets: a rule of its layers and their shapes, never of a clock, so that runs repeat."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unlearn_gym.processes import tape
from unlearn_gym.processes.measurement import Bank, Errors
from unlearn_gym.processes.passed_bank import PassedBank
from unlearn_gym.processes.taped_bank import TapedBank
from unlearn_gym.processes.taped_blocks import TapedBlocks

SMALL_ROW = 2**17
"""A row is cheap beside the launches of a pass if the layers put out at most so many numbers for it."""

LARGEST_TAPE = 2**27
"""Numbers that the layers may put out for a whole minibatch before tapes would take too much memory."""


def choose(
    model: nn.Module, errors: Errors, parameters: Sequence[Tensor], pairs: int, *, reweighed: bool
) -> type[Bank]:
    """Return the kind of bank for the minibatches of a network.

    Args:
        model: the network.
        errors: see ``Bank``.
        parameters: see ``Bank``.
        pairs: see ``Bank``.
        reweighed: whether a bank that was observed is then weighed with weights that depend on λ. If not, the sums
            over each side are all that is asked for, and a large network needs no tape.
    """
    ends = torch.tensor([0, 2 * pairs - 1], device=parameters[0].device)
    size = tape.row_size(model, errors, ends)
    if size is None or size * 2 * pairs > LARGEST_TAPE:
        return PassedBank
    if size <= SMALL_ROW:
        return TapedBank
    return TapedBlocks if reweighed else PassedBank

"""Which way a network gets: a rule of its layers and their shapes, never of a clock, so that runs repeat."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from unlearn_gym.processes.gradients import record, trial
from unlearn_gym.processes.gradients.base import Errors, SideGradients
from unlearn_gym.processes.gradients.blocks import BlockGradients
from unlearn_gym.processes.gradients.direct import DirectGradients
from unlearn_gym.processes.gradients.few_rows import FewRowGradients
from unlearn_gym.processes.gradients.passes import PassedGradients
from unlearn_gym.processes.gradients.per_example import PerExampleGradients

GRADIENTS = ("auto", "direct")
"""What a user may ask for: the fastest way that is right for the network, or the reference."""

SMALL_ROW = 2**17
"""A row is cheap beside the launches of a pass if the layers put out at most so many numbers for it."""

HEAVY = 2
"""Weights for each number that the layers put out for a row, from which a vector of all weights costs so much beside a
row that sums are taken anew and not kept."""

LARGEST_RECORD = 2**27
"""Numbers that the layers may put out for a whole minibatch before records would take too much memory."""


def choose(
    model: nn.Module,
    errors: Errors,
    parameters: Sequence[Tensor],
    pairs: int,
    *,
    reweighed: bool,
    observed: bool = True,
    together: bool = False,
    coupled: bool = False,
    named: str = "auto",
) -> type[SideGradients]:
    """Return the kind of gradients for the minibatches of a network.

    Args:
        model: the network.
        errors: see ``SideGradients``.
        parameters: see ``SideGradients``.
        pairs: see ``SideGradients``.
        reweighed: whether gradients that were observed are then weighed with weights that depend on λ. If not, the sums
            over each side are all that is asked for, and a large network needs no record.
        observed: whether the state measures each minibatch before it is weighed.
        together: whether the rows of a side depend on each other, and ``errors`` knows it.
        coupled: whether a forget row's error depends on its pair's retain row: the gradients of single rows, which
            records hold, then say too little.
        named: one of ``GRADIENTS``.

    Raises:
        UserError: if the network cannot be passed, or rows depend on each other that may not.
    """
    rows = trial.rows_to_try(pairs, parameters[0].device)
    if not together:
        trial.check_rows(errors, rows)
    if named == "direct":
        return DirectGradients
    if coupled:
        return PassedGradients
    size = record.row_size(model, errors, rows)
    if size is None or size * 2 * pairs > LARGEST_RECORD or (size > SMALL_ROW and not reweighed):
        return PassedGradients
    heavy = size > SMALL_ROW and sum(p.numel() for p in parameters) >= HEAVY * size
    if heavy and not observed:
        return PassedGradients  # there is nothing to be read twice
    if not trial.record_holds(record.trained_layers(model), parameters, errors, rows):
        return PassedGradients
    if size <= SMALL_ROW:
        return PerExampleGradients
    return FewRowGradients if heavy else BlockGradients

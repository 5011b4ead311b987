"""Which bank a network gets: a rule of its layers and their shapes, never of a clock, so that runs repeat."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from unlearn_gym.processes.gradients import tape, trial
from unlearn_gym.processes.gradients.base import Bank, Errors
from unlearn_gym.processes.gradients.blocks import TapedBlocks
from unlearn_gym.processes.gradients.direct import DirectGradients
from unlearn_gym.processes.gradients.per_example import TapedBank
from unlearn_gym.processes.gradients.plain_passes import PassedBank

GRADIENTS = ("auto", "direct")
"""What a user may ask for: the fastest way that is right for the network, or the reference."""

SMALL_ROW = 2**17
"""A row is cheap beside the launches of a pass if the layers put out at most so many numbers for it."""

LARGEST_TAPE = 2**27
"""Numbers that the layers may put out for a whole minibatch before tapes would take too much memory."""


def choose(
    model: nn.Module,
    errors: Errors,
    parameters: Sequence[Tensor],
    pairs: int,
    *,
    reweighed: bool,
    together: bool = False,
    named: str = "auto",
) -> type[Bank]:
    """Return the kind of bank for the minibatches of a network.

    Args:
        model: the network.
        errors: see ``Bank``.
        parameters: see ``Bank``.
        pairs: see ``Bank``.
        reweighed: whether a bank that was observed is then weighed with weights that depend on λ. If not, the sums
            over each side are all that is asked for, and a large network needs no tape.
        together: whether the rows of a side depend on each other, and ``errors`` knows it.
        named: one of ``GRADIENTS``.

    Raises:
        UserError: if the network cannot be passed, or rows depend on each other that may not.
    """
    rows = trial.rows_to_try(pairs, parameters[0].device)
    if not together:
        trial.check_rows(errors, rows)
    if named == "direct":
        return DirectGradients
    size = tape.row_size(model, errors, rows)
    if size is None or size * 2 * pairs > LARGEST_TAPE or (size > SMALL_ROW and not reweighed):
        return PassedBank
    if not trial.tape_holds(tape.trained_layers(model), parameters, errors, rows):
        return PassedBank
    return TapedBank if size <= SMALL_ROW else TapedBlocks

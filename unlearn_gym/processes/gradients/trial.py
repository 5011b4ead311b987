"""A network's passes tried on a few rows before they are relied on: somebody's network may do anything.

What is compared are numbers, not layers, so that hooks, weights that are used outside of their layers, and whatever
else PyTorch permits need no list. The one thing that numbers can hide is a gradient of 0 (a last layer that starts
at 0 stops all gradients before it): so the uses of each weight are counted as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unlearn_gym.errors import UserError
from unlearn_gym.processes.common.passes import gradient
from unlearn_gym.processes.gradients.base import Errors
from unlearn_gym.processes.gradients.record import PerExampleRecord, recorded


def rows_to_try(pairs: int, device: torch.device) -> Tensor:
    """Return up to two rows of each side, those of the retain side first."""
    return torch.tensor(
        sorted({0, min(1, pairs - 1), 2 * pairs - min(2, pairs), 2 * pairs - 1}), device=device
    )


def tolerance(dtype: torch.dtype) -> float:
    """Return a relative difference that rounding stays below, also that of convolutions on a GPU."""
    return float(torch.finfo(dtype).eps ** 0.3)


@torch.no_grad()
def check_rows(errors: Errors, rows: Tensor) -> None:
    """Refuse a network whose result for a row depends on the other rows, or on chance.

    Raises:
        UserError: if it does.
    """
    half = (len(rows) + 1) // 2
    whole, part = (errors(each)[0].clamp(min=0).sqrt() for each in (rows, rows[:half]))
    size = tolerance(whole.dtype)
    if not torch.allclose(whole[:half], part, rtol=size, atol=size, equal_nan=True):
        raise UserError(
            "The network's output for an example depends on chance or on the rest of its minibatch, so that no "
            "loss of the example exists; switch off dropout that eval mode leaves on, and normalise by batches "
            "only in classifiers and regressions, by PyTorch's BatchNorm."
        )


def record_holds(
    layers: Sequence[nn.Module], parameters: Sequence[Tensor], errors: Errors, rows: Tensor
) -> bool:
    """Return whether a record gives the gradient that autograd gives, for rows of different weights."""
    if any(p._backward_hooks for p in parameters):
        return False  # they change the gradients of sums, which records do not make
    calls: Counter[Tensor] = Counter()

    def count(layer: nn.Module, x: Tensor, output: Tensor) -> None:
        calls.update(p for p in layer.parameters(recurse=False) if p.requires_grad)

    with recorded(layers, count):
        losses = errors(rows)[0]
    weights = torch.arange(1.0, len(rows) + 1, device=losses.device, dtype=losses.dtype)
    uses = uses_of_leaves(losses)
    if any(calls[p] != uses[p] for p in parameters):
        return False
    expected = gradient(losses * weights, parameters)
    try:
        found = PerExampleRecord(layers, parameters, lambda: errors(rows)[0]).gradient(slice(None), weights)
    except Exception:  # whatever a forward pass does that hooks do not bear: plain passes can do it
        return False
    return agree(found, expected, parameters)


def uses_of_leaves(losses: Tensor) -> Counter[Tensor]:
    """Return how many operations of the losses' graph read each leaf."""
    found: Counter[Tensor] = Counter()
    seen = {losses.grad_fn}
    ahead = [losses.grad_fn]
    while ahead:
        node = ahead.pop()
        for following, _ in node.next_functions if node else ():
            leaf = getattr(following, "variable", None)
            if leaf is not None:
                found[leaf] += 1
            elif following not in seen:
                seen.add(following)
                ahead.append(following)
    return found


def agree(found: Tensor, expected: Tensor, parameters: Sequence[Tensor]) -> bool:
    """Return whether two gradients, (P,), are the same up to rounding, parameter by parameter."""
    size = tolerance(expected.dtype)
    floor = size**2 * expected.norm()
    sizes = [p.numel() for p in parameters]
    pairs = zip(found.split(sizes), expected.split(sizes), strict=True)
    return bool(torch.stack([(a - b).norm() <= size * b.norm() + floor for a, b in pairs]).all())

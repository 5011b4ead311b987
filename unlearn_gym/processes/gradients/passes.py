"""For any network: every gradient by a pass over the rows that need it.

* Rows that need one gradient are never part of a backward pass for the other.
* The state keeps the sums over the rows that the last λ chooses apart from the sums over the rest: within
  such a block most importance weights are one and the same number (they are *saturated*), so that the
  weighted gradient is that number times the stored sum, and only rows that deviate from it are needed again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Weights
from unlearn_gym.processes.common.passes import gradient
from unlearn_gym.processes.gradients.base import SideGradients, Sides, needed_at


@dataclass(frozen=True)
class Block:
    """Rows of one side whose plain gradients were summed."""

    rows: Tensor
    is_forget: bool
    gradient: Tensor


class PassedGradients(SideGradients):
    """See the module; arguments as in ``SideGradients``."""

    _blocks: Sequence[Block] = ()

    def observe(self, weights: Callable[[float], Weights], lam: float) -> Sides:
        """Return the plain sums; see ``SideGradients``."""
        sides, found = [], []
        for is_forget, chosen in enumerate(needed_at(weights, [lam])):
            mine = torch.arange(2 * self.pairs, device=self._table.device) // self.pairs == is_forget
            parts = [part.nonzero().squeeze(1) for part in (mine & chosen, mine & ~chosen)]
            blocks = self._blocks_of(bool(is_forget), [rows for rows in parts if len(rows)])
            first, *others = (block.gradient for block in blocks)
            sides.append(functools.reduce(torch.add, others, first))
            found += blocks
        self._blocks = found
        return Sides(*sides)

    def _blocks_of(self, is_forget: bool, parts: list[Tensor]) -> list[Block]:
        """Sum the plain gradients of the parts of one side."""
        found = []
        for rows in parts:
            found.append(Block(rows, is_forget, gradient(self._forward(rows)[is_forget], self._parameters)))
        return found

    def weigh(self, weights: Weights) -> Sides:
        """Return the weighted sums; see ``SideGradients``."""
        sides = Sides(self._empty(), self._empty())
        retain, forget = weights.retain.clone(), weights.forget.clone()
        rounding = 8 * torch.finfo(retain.dtype).eps
        for block in self._blocks:
            own, sum_ = (forget, sides.forget) if block.is_forget else (retain, sides.retain)
            common = own[block.rows].median()
            sum_.add_(block.gradient, alpha=float(common))
            difference = own[block.rows] - common
            own[block.rows] = torch.where(difference.abs() > rounding * common, difference, 0.0)
        self._add_rest(retain, forget, sides)
        return sides

    def _add_rest(self, retain: Tensor, forget: Tensor, sides: Sides) -> None:
        """Add the rows with non-zero weights: those of one side, of both, of the other, in a pass each."""
        for for_retain, for_forget in ((True, False), (True, True), (False, True)):
            rows = (((retain != 0) == for_retain) & ((forget != 0) == for_forget)).nonzero().squeeze(1)
            if not len(rows):
                continue
            to_retain, to_forget = self._forward(rows)
            if for_retain:
                gradient(retain[rows] * to_retain, self._parameters, keep=for_forget, into=sides.retain)
            if for_forget:
                gradient(forget[rows] * to_forget, self._parameters, into=sides.forget)

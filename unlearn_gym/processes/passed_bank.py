"""A bank for any network: every gradient by a pass over the rows that need it.

* Rows that need one gradient are never part of a backward pass for the other.
* The state keeps the sums over the rows that the last λ chooses apart from the sums over the rest: within
  such a block most importance weights are one and the same number (they are *saturated*), so that the
  weighted gradient is that number times the stored sum, and only rows that deviate from it pass again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Weights
from unlearn_gym.processes import gradients
from unlearn_gym.processes.gradients import Gradient
from unlearn_gym.processes.measurement import Bank, Errors, Sides


@dataclass(frozen=True)
class Block:
    """Rows of one side whose plain gradients were summed."""

    rows: Tensor
    is_forget: bool
    gradient: Gradient


class PassedBank(Bank):
    """See the module; arguments as in ``Bank``."""

    def __init__(self, errors: Errors, parameters: Sequence[Tensor], pairs: int) -> None:
        super().__init__(errors, parameters, pairs)
        self._blocks: list[Block] = []

    def observe(self, expected: Weights) -> Sides:
        """Return the plain sums; see ``Bank``."""
        sides = Sides(self._empty(), self._empty())
        for rows, is_forget in self._split(expected):
            own = self._forward(rows)[is_forget]
            block = Block(rows, is_forget, self._backward(own.sum(), keep=False))
            self._blocks.append(block)
            gradients.add_(sides.forget if is_forget else sides.retain, block.gradient)
        return sides

    def _split(self, expected: Weights) -> list[tuple[Tensor, bool]]:
        numbers = torch.arange(2 * self.pairs, device=self._table.device)
        blocks = []
        for is_forget, own in ((False, expected.retain), (True, expected.forget)):
            side = (numbers >= self.pairs) == is_forget
            parts = (numbers[side & (own != 0)], numbers[side & (own == 0)])
            blocks += [(rows, is_forget) for rows in parts if len(rows)]
        return blocks

    def weigh(self, weights: Weights) -> Sides:
        """Return the weighted sums; see ``Bank``."""
        sides = Sides(self._empty(), self._empty())
        retain, forget = weights.retain.clone(), weights.forget.clone()
        rounding = 8 * torch.finfo(retain.dtype).eps
        for block in self._blocks:
            own = forget if block.is_forget else retain
            common = own[block.rows].median()
            if common != 0:
                target = sides.forget if block.is_forget else sides.retain
                gradients.add_(target, block.gradient, float(common))
            difference = own[block.rows] - common
            own[block.rows] = torch.where(difference.abs() > rounding * common, difference, 0.0)
        self._pass_again(retain, forget, sides)
        return sides

    def _pass_again(self, retain: Tensor, forget: Tensor, sides: Sides) -> None:
        """Add the rows with non-zero weights: those of one side, of both, of the other, in a pass each."""
        for for_retain, for_forget in ((True, False), (True, True), (False, True)):
            rows = (((retain != 0) == for_retain) & ((forget != 0) == for_forget)).nonzero().squeeze(1)
            if not len(rows):
                continue
            to_retain, to_forget = self._forward(rows)
            if for_retain:
                found = self._backward((retain[rows] * to_retain).sum(), keep=for_forget)
                gradients.add_(sides.retain, found)
            if for_forget:
                gradients.add_(sides.forget, self._backward((forget[rows] * to_forget).sum(), keep=False))

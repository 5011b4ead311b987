"""For a large network whose layers are known: sums of blocks, and a record of each side for what deviates."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Weights
from unlearn_gym.processes.gradients.base import Sides, needed_at
from unlearn_gym.processes.gradients.passes import Block, PassedGradients
from unlearn_gym.processes.gradients.record import rounded_up

FEW = 0.25
"""Crossing rows, as a share of the pairs, up to which a side's pass takes them along."""


class BlockGradients(PassedGradients):
    """As few rows as possible: a pass for each side, whose rows are never passed again for their own error.

    Arguments as in ``SideGradients``.
    """

    def observe(self, weights: Callable[[float], Weights], lam: float) -> Sides:
        """Return the plain sums; see ``SideGradients``."""
        self._possible = needed_at(weights, [0.0, lam, 1.0])
        return super().observe(weights, lam)

    def _blocks_of(self, is_forget: bool, parts: list[Tensor]) -> list[Block]:
        taken = torch.zeros_like(self._possible[0])
        taken[torch.cat(parts)] = True
        crossing = self._possible[int(is_forget)] & ~taken
        along = taken | (crossing & (crossing.sum() <= FEW * self.pairs))
        extra = rounded_up(along, ~taken) & ~taken
        rows = torch.cat([*parts, extra.nonzero().squeeze(1)])
        record = self._new_record(lambda: self._errors(rows)[is_forget])
        self._table[int(is_forget), rows] = record.losses
        self._records.append((rows, record))
        blocks, start = [], 0
        for part in parts:
            end = start + len(part)
            blocks.append(Block(part, is_forget, record.gradient(slice(start, end))))
            start = end
        return blocks

    def _add_rest(self, retain: Tensor, forget: Tensor, sides: Sides) -> None:
        self._add_recorded(retain, forget, sides)
        if ((retain != 0) & (forget != 0)).sum() > FEW * self.pairs:
            super()._add_rest(retain, forget, sides)  # two backward passes of these rows share a forward pass
        elif retain.any() or forget.any():
            self._add_at_once(retain, forget, sides)

    def _add_recorded(self, retain: Tensor, forget: Tensor, sides: Sides) -> None:
        """Add the rows that are on the records of their side, and strike them off."""
        every = zip(self._records, (retain, forget), (sides.retain, sides.forget), strict=False)
        for (rows, record), own, sum_ in every:
            weights = own[rows]
            if weights.any():
                needed = rounded_up(weights != 0, weights == 0).nonzero().squeeze(1)
                record.gradient(needed, weights[needed], into=sum_)
                own[rows] = 0.0

    def _add_at_once(self, retain: Tensor, forget: Tensor, sides: Sides) -> None:
        """Add all rows with non-zero weights by one pass, a row that both sides need twice."""
        parts = [own.nonzero().squeeze(1) for own in (retain, forget)]
        rows, split = torch.cat(parts), len(parts[0])

        def losses() -> Tensor:
            to_retain, to_forget = self._errors(rows)
            return torch.cat([to_retain[:split], to_forget[split:]])

        record = self._new_record(losses)
        self.retain_errors[parts[0]], self.forget_errors[parts[1]] = record.losses.split(
            [split, len(parts[1])]
        )
        record.gradient(slice(split), retain[parts[0]], into=sides.retain)
        record.gradient(slice(split, None), forget[parts[1]], into=sides.forget)

"""Row-weighted gradients of a minibatch, each computed with as few passes as its weights allow.

A minibatch is a bank of 2B latents (B retain, B forget), each with an error towards the retain target and one
towards the forget target. ``observe`` needs the plain gradients of both sides; ``update`` needs gradients with
the objective's row weights. Both are exact. What is saved:

* rows that need one gradient are never part of a backward for the other;
* the fresh state keeps the sums over the rows that the last λ chooses apart from the sums over the rest: within
  such a block most importance weights are one and the same number (they are *saturated*), so that the weighted
  gradient is that number times the stored sum, and only the rows that deviate from it are passed again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Weights
from unlearn_gym.processes import gradients
from unlearn_gym.processes.gradients import Gradient

Errors = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From r row numbers of the bank to their errors towards the retain and the forget target, each of shape (r,)."""

NOISE = 1e-12
"""Weights below it are zero: float32 cannot tell the gradients apart."""


@dataclass
class Sides:
    """The two gradients, as sums over rows."""

    retain: Gradient
    forget: Gradient


@dataclass(frozen=True)
class Block:
    """Rows of one side whose plain gradients were summed."""

    rows: Tensor
    is_forget: bool
    gradient: Gradient


class Bank:
    """One minibatch under fixed weights.

    Args:
        errors: forward pass of the rows asked for.
        parameters: what the gradients are taken of.
        pairs: B; the bank has 2B rows.

    Attributes:
        retain_errors: each row's error towards the retain target, shape (2B,), 0 for rows never passed, and
        forget_errors: towards the forget target.
    """

    def __init__(self, errors: Errors, parameters: Sequence[Tensor], pairs: int) -> None:
        self._errors, self._parameters, self.pairs = errors, parameters, pairs
        self._device = parameters[0].device
        self._blocks: list[Block] = []
        self.retain_errors = torch.zeros(2 * pairs, device=self._device, dtype=parameters[0].dtype)
        self.forget_errors = self.retain_errors.clone()

    def _empty(self) -> Sides:
        return Sides(gradients.zeros_like(self._parameters), gradients.zeros_like(self._parameters))

    def _forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        retain, forget = self._errors(rows)
        self.retain_errors[rows], self.forget_errors[rows] = retain.detach(), forget.detach()
        return retain, forget

    def _backward(self, loss: Tensor, *, keep: bool) -> Gradient:
        found = torch.autograd.grad(loss, self._parameters, retain_graph=keep, allow_unused=True)
        return [torch.zeros_like(p) if g is None else g for p, g in zip(self._parameters, found, strict=True)]

    def look(self) -> None:
        """Measure the errors of all rows, without gradients."""
        with torch.no_grad():
            self._forward(torch.arange(2 * self.pairs, device=self._device))

    def observe(self, expected: Weights) -> Sides:
        """Return the plain sums over each side's own errors, kept in blocks along the expected weights."""
        sides = self._empty()
        for rows, is_forget in self._split(expected):
            retain, forget = self._forward(rows)
            own = forget if is_forget else retain
            block = Block(rows, is_forget, self._backward(own.sum(), keep=False))
            self._blocks.append(block)
            gradients.add_(sides.forget if is_forget else sides.retain, block.gradient)
        return sides

    def _split(self, expected: Weights) -> list[tuple[Tensor, bool]]:
        numbers = torch.arange(2 * self.pairs, device=self._device)
        blocks = []
        for is_forget, own in ((False, expected.retain), (True, expected.forget)):
            side = (numbers >= self.pairs) == is_forget
            chosen = own > NOISE
            parts = (numbers[side & chosen], numbers[side & ~chosen])
            blocks += [(rows, is_forget) for rows in parts if len(rows)]
        return blocks

    def weigh(self, weights: Weights) -> Sides:
        """Return the sums with row weights; blocks that ``observe`` left are used as far as they go."""
        sides = self._empty()
        retain, forget = weights.retain.clone(), weights.forget.clone()
        for block in self._blocks:
            own = forget if block.is_forget else retain
            common = own[block.rows].median()
            if common > NOISE:
                target = sides.forget if block.is_forget else sides.retain
                gradients.add_(target, block.gradient, float(common))
            difference = own[block.rows] - common
            own[block.rows] = torch.where(difference.abs() > 1e-6 * common, difference, 0.0)
        self._pass_again(retain, forget, sides)
        return sides

    def _pass_again(self, retain: Tensor, forget: Tensor, sides: Sides) -> None:
        for_retain, for_forget = retain.abs() > NOISE, forget.abs() > NOISE
        groups = (for_retain & ~for_forget, for_retain & for_forget, ~for_retain & for_forget)
        for group in groups:
            rows = group.nonzero().squeeze(1)
            if not len(rows):
                continue
            to_retain, to_forget = self._forward(rows)
            both = group is groups[1]
            if group is not groups[2]:
                found = self._backward((retain[rows] * to_retain).sum(), keep=both)
                gradients.add_(sides.retain, found)
            if group is not groups[0]:
                found = self._backward((forget[rows] * to_forget).sum(), keep=False)
                gradients.add_(sides.forget, found)

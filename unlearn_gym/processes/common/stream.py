"""Seeded index streams: endlessly reshuffled sets, whose order does not depend on any action."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor


def favour(rows: Tensor, labels: Tensor, label: int | None, generator: Generator) -> None:
    """Put examples of one label in the place of every second row, in place, where there are any.

    Args:
        rows: of a set, int64 of shape (n,), n even.
        labels: of the whole set.
        label: of the examples; None changes nothing.
        generator: source of their order, on the CPU.
    """
    near = (labels == label).nonzero().squeeze(-1) if label is not None else labels[:0]
    if len(near):
        rows[::2] = near[Shuffled(len(near), generator).take(len(rows) // 2)]


class Shuffled:
    """The indices 0 … n − 1, reshuffled each time they are used up.

    Args:
        n: size of the set.
        generator: source of the permutations, on the CPU.
    """

    def __init__(self, n: int, generator: Generator) -> None:
        self.n, self._generator = n, generator
        self._left = torch.empty(0, dtype=torch.int64)

    def take(self, count: int) -> Tensor:
        """Return the next ``count`` indices, shape (count,), on the CPU."""
        while len(self._left) < count:
            self._left = torch.cat([self._left, torch.randperm(self.n, generator=self._generator)])
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def reset(self) -> None:
        """Forget what is left of the current order."""
        self._left = self._left[:0]

    def state_dict(self) -> dict[str, Any]:
        """Return what is left of the current order (the generator belongs to the caller)."""
        return {"left": self._left.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where ``state_dict`` was taken."""
        self._left = state["left"].clone()

"""The reference: every gradient by a pass of its own, as one would first write it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Weights
from unlearn_gym.processes.common.passes import gradient
from unlearn_gym.processes.gradients.base import SideGradients, Sides


class DirectGradients(SideGradients):
    """g = ∇ Σ_j w_j ℓ_j by plain autograd: one forward and one backward pass over the rows with w_j ≠ 0.

    What the state measured is not passed again for the same weights: the statistics of BatchNorm, which every pass
    moves, then follow each side of a minibatch once. Arguments as in ``SideGradients``.
    """

    _measured: tuple[Weights, Sides] | None = None

    def observe(self, weights: Callable[[float], Weights], lam: float) -> Sides:
        """Return the plain sums; see ``SideGradients``."""
        is_forget = (torch.arange(2 * self.pairs, device=self._table.device) >= self.pairs).to(self._table)
        own = Weights(1.0 - is_forget, is_forget, score=torch.zeros_like(is_forget[: self.pairs]))
        self._measured = own, self.weigh(own)
        return self._measured[1]

    def weigh(self, weights: Weights) -> Sides:
        """Return the weighted sums; see ``SideGradients``."""
        return Sides(self._gradient("retain", weights), self._gradient("forget", weights))

    def join(self, weights: Weights) -> Sides:
        """Return the weighted sums; the reference saves no pass."""
        return self.weigh(weights)

    def _gradient(self, side: str, weights: Weights) -> Tensor:
        w = getattr(weights, side)
        if self._measured and torch.equal(w, getattr(self._measured[0], side)):
            return getattr(self._measured[1], side)
        rows = w.nonzero().squeeze(1)
        if not len(rows):
            return self._empty()
        to_retain, to_forget = self._forward(rows)
        return gradient(w[rows] * (to_retain if side == "retain" else to_forget), self._parameters)

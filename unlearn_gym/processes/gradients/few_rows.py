"""For a network of many weights: a record of the rows that are needed, and no vector that can be spared."""

from __future__ import annotations

from collections.abc import Callable

import torch

from unlearn_gym.objectives.base import Weights
from unlearn_gym.processes.gradients.base import Sides
from unlearn_gym.processes.gradients.per_example import PerExampleGradients


class FewRowGradients(PerExampleGradients):
    """No entry passes that is not needed: a row costs more than the launches of a pass.

    The state's pass covers each row's own error alone, and its sums are not kept: beside the record, a vector of all
    weights for each side is all that is held. Arguments as in ``SideGradients``.
    """

    step = 1

    def observe(self, weights: Callable[[float], Weights], lam: float) -> Sides:
        """Return the plain sums; see ``SideGradients``."""
        record = self._record(torch.arange(4 * self.pairs, device=self._table.device) // self.pairs % 3 == 0)
        return Sides(record.gradient(slice(self.pairs)), record.gradient(slice(self.pairs, None)))

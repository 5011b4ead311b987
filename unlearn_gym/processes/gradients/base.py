"""What every way to the row-weighted gradients of a minibatch is asked for; the package's page says which there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unlearn_gym.objectives.base import Weights
from unlearn_gym.processes.common.flat import zeros
from unlearn_gym.processes.common.passes import gradient
from unlearn_gym.processes.gradients.record import PerExampleRecord

Errors = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From r row numbers of the minibatch to their errors towards the retain and the forget target, each (r,)."""


@dataclass
class Sides:
    """The two gradients, as sums over rows, each (P,)."""

    retain: Tensor
    forget: Tensor

    def combined(self, c_retain: float, c_forget: float) -> Tensor:
        """Return c_retain·retain + c_forget·forget, (P,), in the place of ``retain``."""
        return self.retain.mul_(c_retain).add_(self.forget, alpha=c_forget)


@dataclass(frozen=True)
class OnePass:
    """The errors of some rows with their graph and weights, each (r,): the two gradients before they are taken."""

    w_retain: Tensor
    w_forget: Tensor
    to_retain: Tensor
    to_forget: Tensor
    parameters: Sequence[Tensor]

    def combined(self, c_retain: float, c_forget: float) -> Tensor:
        """Return c_retain·(retain sum) + c_forget·(forget sum) by one backward pass, (P,)."""
        loss = c_retain * self.w_retain * self.to_retain + c_forget * self.w_forget * self.to_forget
        return gradient(loss, self.parameters)


class SideGradients(ABC):
    """The gradients of the two sides of one minibatch under fixed weights.

    Args:
        errors: forward pass of the rows asked for.
        parameters: what the gradients are taken of.
        pairs: B; the minibatch has 2B rows.
        layers: the network's trained layers, if records of them may be made (``record.trained_layers``).

    Attributes:
        retain_errors: each row's error towards the retain target, shape (2B,), 0 where never computed, and
        forget_errors: towards the forget target.
    """

    def __init__(
        self, errors: Errors, parameters: Sequence[Tensor], pairs: int, layers: Sequence[nn.Module] = ()
    ) -> None:
        self._errors, self._parameters, self.pairs = errors, parameters, pairs
        self._layers = layers
        self._records: list[tuple[Tensor, PerExampleRecord]] = []
        self._table = torch.zeros(2, 2 * pairs, device=parameters[0].device, dtype=parameters[0].dtype)
        self.retain_errors, self.forget_errors = self._table

    @abstractmethod
    def observe(self, weights: Callable[[float], Weights], lam: float) -> Sides:
        """Return the plain sums over each side's own errors.

        Args:
            weights: from λ to the row weights that ``weigh`` will be called with.
            lam: the probable λ.
        """

    @abstractmethod
    def weigh(self, weights: Weights) -> Sides:
        """Return the sums with row weights; what ``observe`` left is used as far as it goes."""

    def _new_record(self, losses: Callable[[], Tensor]) -> PerExampleRecord:
        return PerExampleRecord(self._layers, self._parameters, losses)

    def look(self) -> None:
        """Measure the errors of all rows, without gradients."""
        with torch.no_grad():
            self._forward(torch.arange(2 * self.pairs, device=self._table.device))

    def join(self, weights: Weights) -> Sides | OnePass:
        """Return the sums with row weights for a combination alone: one pass over the rows that take part."""
        rows = ((weights.retain != 0) | (weights.forget != 0)).nonzero().squeeze(1)
        own = weights.retain[rows], weights.forget[rows]
        return OnePass(*own, *self._forward(rows), self._parameters)

    def _forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        retain, forget = self._errors(rows)
        self.retain_errors[rows], self.forget_errors[rows] = retain.detach(), forget.detach()
        return retain, forget

    def _empty(self) -> Tensor:
        return zeros(self._parameters)


def needed_at(weights: Callable[[float], Weights], lambdas: Sequence[float]) -> Tensor:
    """Return which rows need which error at one of the λ, (2, 2B): towards the retain and the forget target."""
    each = [weights(lam) for lam in lambdas]
    return torch.stack([torch.stack([w.retain, w.forget]) != 0 for w in each]).any(0)

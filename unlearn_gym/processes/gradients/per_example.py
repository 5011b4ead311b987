"""For a small network whose layers are known: as few passes as possible, and records of each example."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Weights
from unlearn_gym.processes.gradients.base import SideGradients, Sides, needed_at
from unlearn_gym.processes.gradients.record import ROUND, PerExampleRecord, rounded_up


class PerExampleGradients(SideGradients):
    """One pass for the state, which also covers what the update will probably need, and rarely a second.

    An *entry* is a row together with one of its two errors: row j's error towards the retain target is
    entry j, the one towards the forget target entry 2B + j. A record holds a sorted selection of entries, so
    its retain side lies before its forget side. Pairs come sorted by the u that chooses their side of the
    mixture, so that the entries which a λ chooses lie together.

    Arguments as in ``SideGradients``.
    """

    step: int = ROUND
    """Passes and sums take a multiple of so many entries."""
    _plain: Sides | None = None

    def observe(self, weights: Callable[[float], Weights], lam: float) -> Sides:
        """Return the plain sums; see ``SideGradients``."""
        wanted = needed_at(weights, [0.0, lam, 1.0]).flatten()
        wanted[: self.pairs] = wanted[3 * self.pairs :] = True
        record = self._record(wanted)
        last = slice(len(record.losses) - self.pairs, None)  # entries of the other side lie between
        self._plain = Sides(record.gradient(slice(self.pairs)), record.gradient(last))
        return self._plain

    def weigh(self, weights: Weights) -> Sides:
        """Return the weighted sums; see ``SideGradients``."""
        flat = _flat(weights)
        missing = (flat != 0) & ~self._known()
        if missing.any():
            self._record(missing)
        own = (flat[: self.pairs], flat[3 * self.pairs :])
        crossing = flat[self.pairs : 3 * self.pairs]
        if self._plain and not crossing.any() and all(bool((side == side[0]).all()) for side in own):
            return Sides(self._plain.retain * own[0][0], self._plain.forget * own[1][0])
        return Sides(self._sum(flat, is_forget=False), self._sum(flat, is_forget=True))

    def _known(self) -> Tensor:
        known = torch.zeros(4 * self.pairs, dtype=torch.bool, device=self._table.device)
        for entries, _ in self._records:
            known[entries] = True
        return known

    def _record(self, selection: Tensor) -> PerExampleRecord:
        selection = rounded_up(selection, ~self._known(), self.step)
        entries = selection.nonzero().squeeze(1)
        rows, is_forget = entries % (2 * self.pairs), entries >= 2 * self.pairs

        def losses() -> Tensor:
            to_retain, to_forget = self._errors(rows)
            return torch.where(is_forget, to_forget, to_retain)

        record = self._new_record(losses)
        self._table.view(-1)[entries] = record.losses
        self._records.append((entries, record))
        return record

    def _sum(self, flat: Tensor, *, is_forget: bool) -> Tensor:
        own = torch.arange(len(flat), device=flat.device) >= 2 * self.pairs
        flat = torch.where(own == is_forget, flat, 0.0)
        total = self._empty()
        for entries, record in self._records:
            weights = flat[entries]
            part = _span(weights.nonzero().squeeze(1).tolist(), len(entries), self.step)
            if part is not None:
                record.gradient(part, weights[part], into=total)
        return total


def _span(chosen: list[int], size: int, step: int) -> slice | None:
    """Return a range of at most ``size`` entries with all the chosen ones, or None if there are none.

    Its length is a multiple of ``step`` if there are so many.
    """
    if not chosen:
        return None
    length = min(size, -(-(chosen[-1] + 1 - chosen[0]) // step) * step)
    start = min(chosen[0], size - length)
    return slice(start, start + length)


def _flat(weights: Weights) -> Tensor:
    return torch.cat([weights.retain, weights.forget])

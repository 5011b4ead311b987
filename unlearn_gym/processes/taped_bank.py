"""A bank that makes few passes, after which every weighted gradient is read from their tapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from unlearn_gym.objectives.base import Weights
from unlearn_gym.processes import gradients
from unlearn_gym.processes.gradients import Gradient
from unlearn_gym.processes.measurement import Bank, Errors, Sides
from unlearn_gym.processes.tape import Tape


class TapedBank(Bank):
    """One or two passes for the state, and for the update only rows that need an error of the other side.

    An *entry* is a row together with one of its two errors: row j's error towards the retain target is
    entry j, the one towards the forget target entry 2B + j. A tape holds a sorted selection of entries, so
    its retain side lies before its forget side.

    Args:
        errors: see ``Bank``.
        parameters: see ``Bank``.
        pairs: see ``Bank``.
        layers: the network's trained layers (``tape.trained_layers``).
        merge: whether a pass costs more than some rows. The state then takes one pass, which also covers what
            the update will probably need; else a pass for each side, each of which yields its plain sum at once.
    """

    def __init__(
        self,
        errors: Errors,
        parameters: Sequence[Tensor],
        pairs: int,
        layers: Sequence[nn.Module],
        *,
        merge: bool,
    ) -> None:
        super().__init__(errors, parameters, pairs)
        self._layers, self._merge = layers, merge
        self._tapes: list[tuple[Tensor, Tape]] = []
        self._known = torch.zeros(4 * pairs, dtype=torch.bool, device=self._table.device)
        self._plain: Sides | None = None

    def observe(self, expected: Weights) -> Sides:
        """Return the plain sums; see ``Bank``."""
        sides = torch.zeros(2, *self._known.shape, dtype=torch.bool, device=self._known.device)
        sides[0, : self.pairs] = sides[1, 3 * self.pairs :] = True
        if self._merge:
            tape = self._record(sides.any(0) | (_flat(expected) != 0))
            last = slice(len(tape.losses) - self.pairs, None)  # entries of the other side lie between
            self._plain = Sides(tape.gradient(slice(self.pairs)), tape.gradient(last))
        else:
            plain = [self._record(side, plain=True).plain for side in sides]
            self._plain = Sides(*cast(list[Gradient], plain))
        return self._plain

    def weigh(self, weights: Weights) -> Sides:
        """Return the weighted sums; see ``Bank``."""
        flat = _flat(weights)
        missing = (flat != 0) & ~self._known
        if missing.any():
            self._record(missing)
        own = (flat[: self.pairs], flat[3 * self.pairs :])
        crossing = flat[self.pairs : 3 * self.pairs]
        if self._plain and not crossing.any() and all(bool((side == side[0]).all()) for side in own):
            plain = (self._plain.retain, self._plain.forget)
            return Sides(*(gradients.scaled(g, float(w[0])) for g, w in zip(plain, own, strict=True)))
        return Sides(self._sum(flat, is_forget=False), self._sum(flat, is_forget=True))

    def _record(self, selection: Tensor, *, plain: bool = False) -> Tape:
        entries = selection.nonzero().squeeze(1)
        rows, is_forget = entries % (2 * self.pairs), entries >= 2 * self.pairs

        def losses() -> Tensor:
            to_retain, to_forget = self._errors(rows)
            return torch.where(is_forget, to_forget, to_retain)

        tape = Tape(self._layers, self._parameters, losses, plain=plain)
        self._table.view(-1)[entries] = tape.losses
        self._known |= selection
        self._tapes.append((entries, tape))
        return tape

    def _sum(self, flat: Tensor, *, is_forget: bool) -> Gradient:
        total: Gradient | None = None
        for entries, tape in self._tapes:
            split = int((entries < 2 * self.pairs).sum())
            part = slice(split, len(entries)) if is_forget else slice(0, split)
            weights = flat[entries[part]]
            if weights.any():
                found = tape.gradient(part, weights)
                total = found if total is None else gradients.add_(total, found)
        return self._empty() if total is None else total


def _flat(weights: Weights) -> Tensor:
    return torch.cat([weights.retain, weights.forget])

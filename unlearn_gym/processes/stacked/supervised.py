"""Many supervised processes as one: batches and errors of a stack of classifiers or regressions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unlearn_gym.data.augment import Moves, draw_moves, move
from unlearn_gym.data.split import LabelledSet, joined
from unlearn_gym.objectives.base import Draw
from unlearn_gym.processes.common.stream import Shuffled
from unlearn_gym.processes.regression import RegressionProcess
from unlearn_gym.processes.stacked.gradient import Stack
from unlearn_gym.processes.stacked.measures import Measured, Pass, Start
from unlearn_gym.processes.supervised import SupervisedProcess

RETAIN, FORGET = PARTS = (0, 1)
"""The retain and the forget part of a request, a minibatch or a probe batch."""


@dataclass(frozen=True, eq=False)
class Request:
    """What is unlearned, on the device: the retain and the forget part of each.

    Attributes:
        sets: examples.
        probe: those on which the weights are judged.
        weights: the trained weights before unlearning, shape (P,).
    """

    sets: Sequence[LabelledSet]
    probe: Sequence[LabelledSet]
    weights: Tensor

    @classmethod
    def of(cls, process: SupervisedProcess) -> Request:
        """Return the request that the process has now."""
        return cls(process.sets, process.probe, process.original[0])


@dataclass(frozen=True)
class Picks:
    """The random numbers of one side of a minibatch.

    Attributes:
        rows: indices into the set, shape (B,).
        moves: of the images.
    """

    rows: Tensor
    moves: Moves


class StackedSupervised(Stack):
    """N copies of a supervised process; see ``Stack``.

    The two sides never share a pass: each is normalised by its own batch where there is BatchNorm, and each
    gradient is a backward pass over its own side only.
    """

    _process: SupervisedProcess

    def __init__(self, process: SupervisedProcess, copies: int) -> None:
        super().__init__(process, copies)
        self._requests = [Request.of(process)] * copies
        self._orders = [self._fresh_orders(i) for i in range(copies)]
        self._picks = [self._pick(i) for i in range(copies)]
        self._laid_out: list[Request] = []
        self._next()

    def _fresh_orders(self, copy: int) -> list[Shuffled]:
        generator = self._generators[copy]
        return [Shuffled(len(part), generator) for part in self._requests[copy].sets]

    def _original(self, copy: int) -> Tensor:
        return self._requests[copy].weights

    def _restart_stream(self, copy: int, start: Start) -> None:
        self._orders[copy] = self._fresh_orders(copy)

    def _draw(self, copy: int) -> None:
        self._picks[copy] = self._pick(copy)

    def _pick(self, copy: int) -> list[Picks]:
        pad, mirror = self._process.pad, self._process.mirror
        generator = self._generators[copy]
        return [
            Picks(order.take(self.pairs), draw_moves(self.pairs, generator, pad=pad, mirror=mirror))
            for order in self._orders[copy]
        ]

    def _lay_out(self) -> None:
        """Lay the examples of all requests one after another, and the probes of all copies side by side."""
        distinct = list(dict.fromkeys(self._requests))
        numbers = torch.tensor([distinct.index(request) for request in self._requests])
        alone = len(distinct) == 1
        self._pools: list[LabelledSet] = []
        self._starts: list[Tensor] = []
        self._probes: list[tuple[LabelledSet, Tensor]] = []
        self._laid_out = list(self._requests)
        for part in PARTS:
            sets, probes = [r.sets[part] for r in distinct], [r.probe[part] for r in distinct]
            lengths = [0, *(len(each) for each in sets[:-1])]
            self._pools.append(sets[0] if alone else joined(*sets))
            self._starts.append(torch.tensor(list(itertools.accumulate(lengths)))[numbers].unsqueeze(1))
            self._probes.append(_side_by_side(probes, numbers))

    def _join(self) -> list[Draw]:
        if self._requests != self._laid_out:
            self._lay_out()
        self._batch = [self._side(part) for part in PARTS]
        nothing = torch.zeros(self.pairs, dtype=self.weights.dtype)
        return [Draw(nothing, nothing, nothing)] * self.copies

    def _side(self, part: int) -> LabelledSet:
        """Return one side of all minibatches, inputs (N, B, …) and labels (N, B, …)."""
        picks, pool = [each[part] for each in self._picks], self._pools[part]
        rows = torch.stack([each.rows for each in picks]) + self._starts[part]
        rows = rows.flatten().to(pool.inputs.device)
        inputs = pool.inputs[rows]
        if self._process.pad or self._process.mirror:
            moves = Moves(
                torch.cat([each.moves.offsets for each in picks], 1),
                torch.cat([each.moves.turned for each in picks]),
            )
            inputs = move(inputs, moves, pad=self._process.pad)
        shape = (self.copies, self.pairs)
        return LabelledSet(inputs.unflatten(0, shape), pool.labels[rows].unflatten(0, shape))

    def _pass(self) -> Measured:
        self._process.set_modes()
        statistics, passes = self.network.statistics, []
        for part, batch in enumerate(self._batch):
            outputs, statistics = self.network(statistics, batch.inputs)
            rows = slice(part * self.pairs, (part + 1) * self.pairs)
            passes.append(Pass(rows, *self._objective_errors(outputs, batch, is_forget=part == FORGET)))
        return Measured(passes, statistics)

    def _objective_errors(
        self, outputs: Tensor, batch: LabelledSet, *, is_forget: bool
    ) -> tuple[Tensor, Tensor]:
        """Return the errors of all copies' examples as the objective has them, each (N, B)."""
        inputs, labels = batch.inputs.flatten(0, 1), batch.labels.flatten(0, 1)
        asked = is_forget and self.objective.needs_original
        original = self._process.ask_original(inputs, labels) if asked else None
        retain, forget = self._process.answer_errors(outputs.flatten(0, 1), labels, original)
        return retain.unflatten(0, outputs.shape[:2]), forget.unflatten(0, outputs.shape[:2])

    def _error(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return self._process.error_of(outputs.flatten(0, 1), labels.flatten(0, 1)).unflatten(
            0, outputs.shape[:2]
        )

    def _single_errors(self, copy: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        process, before = self._process, self._process.batch
        process.use_batch(tuple(LabelledSet(side.inputs[copy], side.labels[copy]) for side in self._batch))
        try:
            return process.errors(rows)
        finally:
            process.use_batch(before)
            process.statistics.discard()

    def _probe(self) -> tuple[Tensor, Tensor]:
        self._process.model.eval()
        batches = [batch for batch, _ in self._probes]
        inputs = torch.cat(
            [batch.inputs.expand(self.copies, *batch.inputs.shape[1:]) for batch in batches], 1
        )
        outputs, _ = self.network(self.network.statistics, inputs)
        found = []
        for (batch, real), side in zip(
            self._probes, outputs.split([b.inputs.shape[1] for b in batches], 1), strict=True
        ):
            error = self._error(side, batch.labels.expand(self.copies, *batch.labels.shape[1:]))
            found.append(torch.where(real, error, 0.0).sum(1) / real.sum(1))
        return found[0], found[1]

    def _stream_state(self, copy: int) -> dict[str, Any]:
        return {
            "orders": [order.state_dict() for order in self._orders[copy]],
            "rows": [each.rows for each in self._picks[copy]],
            "moves": [dict(vars(each.moves)) for each in self._picks[copy]],
        }

    def _load_stream_state(self, copy: int, state: dict[str, Any]) -> None:
        for order, left in zip(self._orders[copy], state["orders"], strict=True):
            order.load_state_dict(left)
        pairs = zip(state["rows"], state["moves"], strict=True)
        self._picks[copy] = [Picks(rows, Moves(**moves)) for rows, moves in pairs]


class StackedRegression(StackedSupervised):
    """N copies of a regression process, each with the problem that its own start drew."""

    def __init__(self, process: RegressionProcess, copies: int) -> None:
        self._source, self._numbers = process, [process.number] * copies
        super().__init__(process, copies)

    def start(self, rng: np.random.Generator) -> Start:
        """See ``Stack.start``."""
        number = self._source.draw_number(rng)
        return Start(super().start(rng).seed, number)

    def _restart_stream(self, copy: int, start: Start) -> None:
        if start.number is not None:
            self._go_to(copy, start.number)
        super()._restart_stream(copy, start)

    def _go_to(self, copy: int, number: int) -> None:
        if number != self._numbers[copy]:
            self._source.go_to(number)
            self._requests[copy], self._numbers[copy] = Request.of(self._source), number

    def _stream_state(self, copy: int) -> dict[str, Any]:
        return {**super()._stream_state(copy), "number": self._numbers[copy]}

    def _load_stream_state(self, copy: int, state: dict[str, Any]) -> None:
        self._go_to(copy, state["number"])
        self._orders[copy] = self._fresh_orders(copy)
        super()._load_stream_state(copy, state)


def _side_by_side(probes: Sequence[LabelledSet], numbers: Tensor) -> tuple[LabelledSet, Tensor]:
    """Return the probe of each copy, (N, n, …), or (1, n, …) if all have the same, and which rows are real.

    Shorter probes are filled up with their first row.
    """
    longest = max(len(each) for each in probes)
    rows = [torch.arange(longest) for _ in probes]
    real = torch.stack([row < len(each) for row, each in zip(rows, probes, strict=True)])
    rows = [torch.where(row < len(each), row, 0) for row, each in zip(rows, probes, strict=True)]
    pick = numbers if len(probes) > 1 else numbers[:1]
    device = probes[0].inputs.device
    filled = [
        [part[row.to(device)] for part in (p.inputs, p.labels)] for row, p in zip(rows, probes, strict=True)
    ]
    inputs, labels = (torch.stack(parts)[pick.to(device)] for parts in zip(*filled, strict=True))
    return LabelledSet(inputs, labels), real[pick].to(device)

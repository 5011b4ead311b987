"""Many processes of one architecture as one: one launch sequence for all of them."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from unlearn_gym.objectives.base import Combination, Draw, Parts, Weights
from unlearn_gym.processes.base import LAMBDA_0, Quality, Signals, Update
from unlearn_gym.processes.common.passes import gradient
from unlearn_gym.processes.common.step import clip_, lagged_signals, parts_of, signals_of, update_of
from unlearn_gym.processes.gradient import UNKNOWN, GradientProcess
from unlearn_gym.processes.gradients import trial
from unlearn_gym.processes.stacked.measures import Measured, Start
from unlearn_gym.processes.stacked.network import StackedNetwork, Statistics
from unlearn_gym.processes.stacked.optimizers import batched

SIDES = ("retain", "forget")


class Stack(ABC):
    """N copies of a process, each with its own weights, optimizer, minibatches and λ.

    The weights are one matrix, a row for each copy, so that gradients, norms, clipping and the optimizer
    are single operations. Draws come from a generator for each copy, so that copy i sees what a single
    process with its seed sees. Subclasses draw minibatches, pass them, and call ``_next`` once they can.

    Args:
        process: what is copied; its network is used for its layers and original weights.
        copies: N.

    Attributes:
        network: the copies' networks.
        signals: of each copy.
        updates: the last update of each copy.
    """

    def __init__(self, process: GradientProcess, copies: int) -> None:
        self._process = process
        self.copies, self.pairs, self.objective = copies, process.pairs, process.objective
        self.fresh, self.grad_norms = process.fresh, process.grad_norms
        self.max_grad_norm, self.learning_rate = process.max_grad_norm, process.learning_rate
        self.network = StackedNetwork(process.model, copies)
        self._last = self.weights.detach().clone()
        self._last_statistics = self._statistics_copy()
        self._rule = batched(process.make_optimizer(), self.weights.detach())
        self._generators = [Generator() for _ in range(copies)]
        self._lambdas = [LAMBDA_0] * copies
        self.signals: list[Signals] = [UNKNOWN] * copies
        self.updates: list[Update] = [Update(0.0, 0.0, 0.0)] * copies
        self._draws: list[Draw] = []
        one = self.weights.new_ones(copies, self.pairs)
        self._own = Weights(torch.cat([one, 0 * one], 1), torch.cat([0 * one, one], 1), 0 * one.cpu())
        self._measured: Measured | None = None
        self._plain: dict[str, Tensor] = {}
        self._qualities: list[Quality] | None = None

    @property
    def weights(self) -> Tensor:
        """The trained weights of all copies, shape (N, P)."""
        return self.network.weights

    def start(self, rng: np.random.Generator) -> Start:
        """Draw what the single process's ``reset`` would draw."""
        return Start(int(rng.integers(2**63)))

    @abstractmethod
    def _restart_stream(self, copy: int, start: Start) -> None:
        """Forget the order of one copy's data, whose generator was seeded anew."""

    @abstractmethod
    def _draw(self, copy: int) -> None:
        """Draw one copy's next minibatch."""

    @abstractmethod
    def _join(self) -> list[Draw]:
        """Make one batch of the drawn minibatches and return the mixture numbers of each, on the CPU."""

    @abstractmethod
    def _pass(self) -> Measured:
        """Pass the batch."""

    @abstractmethod
    def _probe(self) -> tuple[Tensor, Tensor]:
        """Return the retain and the forget loss of each copy on its probe batch, each (N,)."""

    @abstractmethod
    def _stream_state(self, copy: int) -> dict[str, Any]:
        """Return what one copy's minibatches depend on beside its generator."""

    @abstractmethod
    def _load_stream_state(self, copy: int, state: dict[str, Any]) -> None:
        """Go on from there."""

    def _original(self, copy: int) -> Tensor:
        """Return the weights that one copy starts with, shape (P,)."""
        return self.network.original

    @torch.no_grad()
    def restart(self, starts: Mapping[int, Start]) -> None:
        """Start some copies over and measure."""
        for i, start in starts.items():
            self._generators[i].manual_seed(start.seed)
            self._restart_stream(i, start)
            self.network.restore(i, self._original(i))
            self._lambdas[i], self.signals[i] = LAMBDA_0, UNKNOWN
            self._draw(i)
        rows = torch.tensor(list(starts), device=self.weights.device)
        self._last[rows] = self.weights[rows]
        for name, buffer in self.network.statistics.items():
            self._last_statistics[name][rows] = buffer[rows]
        for moment in self._rule.moments:
            moment[rows] = 0.0
        self._next()
        self._observe()

    def _next(self) -> None:
        self._draws = self._join()
        self._forget_measures()

    def _measure(self) -> Measured:
        if self._measured is None:
            with torch.enable_grad():
                self._measured = self._pass()
        return self._measured

    @abstractmethod
    def _single_errors(self, copy: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the single process's ``errors`` gives for some rows of one copy's batch."""

    def rehearse(self) -> bool:
        """Pass the current batch and the probes, which changes nothing, and compare with the single process.

        Returns:
            Whether losses and gradients of the first and the last copy are those of the single process.
        """
        with torch.no_grad():
            self._probe()
        rows = torch.arange(2 * self.pairs, device=self.weights.device)
        if not self._process.coupled:
            few = trial.rows_to_try(self.pairs, rows.device)
            trial.check_rows(functools.partial(self._single_errors, 0), few)
        weights = (rows + 1.0).to(self.weights)
        passes = self._measure().passes
        losses = torch.stack([(weights[p.rows] * (p.retain + p.forget)).sum(1) for p in passes]).sum(0)
        whole = torch.autograd.grad(losses.sum(), self.weights)[0]
        self._forget_measures()
        return all(self._agrees(i, weights, losses[i], whole[i]) for i in {0, self.copies - 1})

    def _agrees(self, copy: int, weights: Tensor, loss: Tensor, found: Tensor) -> bool:
        """Compare the weighted loss and the gradient of one copy with the single process's."""
        rows, parameters = torch.arange(len(weights), device=weights.device), self._process.parameters
        expected = (weights * torch.stack(self._single_errors(copy, rows))).sum()
        same = torch.isclose(loss, expected, rtol=trial.tolerance(loss.dtype))
        return bool(same) and trial.agree(found, gradient(expected, parameters), parameters)

    def _forget_measures(self) -> None:
        self._measured, self._plain, self._qualities = None, {}, None

    def _statistics_copy(self) -> Statistics:
        return {name: buffer.clone() for name, buffer in self.network.statistics.items()}

    def _gradient(self, side: str, weights: Weights) -> Tensor:
        """Return one side's gradients, (N, P), for row weights (N, 2B), with no pass where none is needed."""
        rows = getattr(weights, side)
        if side in self._plain and torch.equal(rows, getattr(self._own, side)):
            return self._plain[side]
        needed = [each for each in self._measure().passes if rows[:, each.rows].any()]
        if not needed:
            return torch.zeros_like(self.weights)
        with torch.enable_grad():
            parts = [(rows[:, each.rows] * getattr(each, side)).sum() for each in needed]
            loss = torch.stack(parts).sum() / self.pairs
        return torch.autograd.grad(loss, self.weights, retain_graph=True)[0]

    def _observe(self) -> None:
        if not self.fresh:
            return
        measured = self._measure()
        norms = [self.weights.new_zeros(self.copies)] * 2
        if self.grad_norms:
            self._plain = {side: self._gradient(side, self._own) for side in SIDES}
            norms = [self._plain[side].norm(dim=1) for side in SIDES]
        self.signals = signals_of([measured.errors(side) for side in SIDES], norms)

    @torch.no_grad()
    def update(self, lams: Sequence[float]) -> None:
        """Move every copy at its own λ, draw the next minibatches and measure them."""
        # λ weighs the errors of each copy's latents, which gives its two gradients.
        measured, weights = self._measure(), self._weigh(lams)
        g_retain, g_forget = (self._gradient(side, weights) for side in SIDES)
        # The objective combines them; then all copies are clipped and moved at once.
        parts = self._parts(weights, measured, g_retain, g_forget)
        found = [self.objective.combine(lam, part) for lam, part in zip(lams, parts, strict=True)]
        finite = self._descend(found, g_retain, g_forget, measured)
        self.updates = [update_of(each, moved=good) for each, good in zip(found, finite, strict=True)]
        # A lagged state shows what was just computed, a fresh one measures the next minibatches.
        if not self.fresh:
            self.signals = [lagged_signals(part, self.grad_norms) for part in parts]
        self._lambdas = list(lams)
        for i in range(self.copies):
            self._draw(i)
        self._next()
        self._observe()

    def _weigh(self, lams: Sequence[float]) -> Weights:
        if not self.objective.reweighs:
            return self._own
        each = [self.objective.weights(lam, draw) for lam, draw in zip(lams, self._draws, strict=True)]
        retain, forget = (torch.stack([getattr(w, side) for w in each]).to(self.weights) for side in SIDES)
        return Weights(retain, forget, score=torch.stack([w.score for w in each]))

    def _parts(self, weights: Weights, measured: Measured, retain: Tensor, forget: Tensor) -> list[Parts]:
        dots = (retain * forget).sum(1) if self.objective.needs_dot else retain.new_zeros(self.copies)
        sizes = [retain.norm(dim=1), forget.norm(dim=1), dots]
        return parts_of(weights, [measured.errors(side) for side in SIDES], sizes)

    def _descend(
        self, found: list[Combination], retain: Tensor, forget: Tensor, measured: Measured
    ) -> list[bool]:
        """Clip and step; a copy that is not finite stays where it was. Say which copies moved."""
        c = torch.tensor([[f.c_retain, f.c_forget] for f in found], dtype=torch.float64).to(retain)
        direction = c[:, :1] * retain + c[:, 1:] * forget
        finite = zip(found, clip_(direction, self.max_grad_norm), strict=True)
        good = torch.tensor([[each and math.isfinite(f.loss)] for f, each in finite], device=retain.device)
        direction = torch.where(good, direction, 0.0)
        self._last, self._last_statistics = self.weights.detach().clone(), self._statistics_copy()
        self._rule.step(self.weights, direction, good.to(self.weights))
        good &= torch.isfinite(self.weights.norm(dim=1, keepdim=True))
        self.weights.copy_(torch.where(good, self.weights, self._last))
        for name, buffer in measured.statistics.items():
            kept = self.network.statistics[name]
            kept.copy_(torch.where(good.view(-1, *[1] * (kept.ndim - 1)), buffer, kept))
        return good.squeeze(1).tolist()

    @torch.no_grad()
    def undo(self, copy: int) -> None:
        """Take the last update's weights and statistics of one copy back."""
        self.weights[copy] = self._last[copy]
        for name, buffer in self._last_statistics.items():
            self.network.statistics[name][copy] = buffer[copy]
        self._forget_measures()
        self._observe()

    @torch.no_grad()
    def quality(self, copy: int) -> Quality:
        """Return one copy's losses on its probe batch; all copies are evaluated at once."""
        if self._qualities is None:
            self._qualities = [Quality(*row) for row in torch.stack(self._probe(), 1).tolist()]
        return self._qualities[copy]

    def state_dict(self, copy: int) -> dict[str, Any]:
        """Return everything that one copy needs to go on after a kill."""
        return {
            "tensors": [tensor[copy].detach().clone() for tensor in self._rows()],
            "generator": self._generators[copy].get_state(),
            "stream": self._stream_state(copy),
            "lambda": self._lambdas[copy],
            "signals": dict(vars(self.signals[copy])),
        }

    def _rows(self) -> list[Tensor]:
        """Return all tensors with a row for each copy that belong to its state."""
        statistics = [*self.network.statistics.values(), *self._last_statistics.values()]
        return [self.weights, self._last, *self._rule.moments, *statistics]

    @torch.no_grad()
    def load_state_dict(self, copy: int, state: dict[str, Any]) -> None:
        """Let one copy go on from where its ``state_dict`` was taken."""
        for whole, row in zip(self._rows(), state["tensors"], strict=True):
            whole[copy] = row.to(whole)
        self._generators[copy].set_state(state["generator"])
        self._load_stream_state(copy, state["stream"])
        self._lambdas[copy], self.signals[copy] = state["lambda"], Signals(**state["signals"])
        self._next()

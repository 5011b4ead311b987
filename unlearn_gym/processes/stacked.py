"""Many diffusion processes of one architecture as one: one launch for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.func import functional_call, vmap

from unlearn_gym.objectives.base import Combination, Draw, Parts, Weights
from unlearn_gym.processes.base import LAMBDA_0, Quality, Signals, Update
from unlearn_gym.processes.batched_optimizers import batched
from unlearn_gym.processes.diffusion import PROBE_SIZE, DiffusionProcess, Latents, RawDraw
from unlearn_gym.processes.gradient import UNKNOWN
from unlearn_gym.processes.stream import Shuffled

SIDES = ("retain", "forget")


@dataclass(frozen=True)
class Stream:
    """One member's source of minibatches."""

    generator: Generator
    keep: Shuffled
    forget: Shuffled


@dataclass(frozen=True)
class Inputs:
    """A batch of each copy, copies first: latents, timesteps, labels and the two targets."""

    noisy: Tensor
    timesteps: Tensor
    labels: Tensor | None
    retain_target: Tensor
    forget_target: Tensor


def _inputs(latents: Latents, arrange: Callable[[Tensor], Tensor]) -> Inputs:
    return Inputs(
        arrange(latents.noisy),
        arrange(latents.timesteps),
        None if latents.labels is None else arrange(latents.labels),
        arrange(latents.retain_target),
        arrange(latents.forget_target),
    )


@dataclass(frozen=True)
class Measured:
    """Errors of all latents towards both targets, (N, 2B) each, with their graph."""

    retain: Tensor
    forget: Tensor


class StackedDiffusion:
    """N copies of a process, each with its own weights, optimizer, minibatches and λ.

    The weights are one matrix, a row for each copy, so that gradients, norms, clipping and the optimizer
    are single operations. The predictions are ``vmap`` over ``functional_call``. Draws come from a
    generator for each copy, so that copy i sees what a single process with its seed sees.

    Args:
        process: what is copied; its network is used for its shape and original weights.
        copies: N.

    Attributes:
        signals: of each copy.
        updates: the last update of each copy.
    """

    def __init__(self, process: DiffusionProcess, copies: int) -> None:
        self._process, self.copies, self.pairs = process, copies, process.pairs
        trained = {n: p for n, p in process.model.named_parameters() if p.requires_grad}
        self._shapes = {name: p.shape for name, p in trained.items()}
        self._original = torch.cat([p.detach().flatten() for p in trained.values()])
        self.weights = self._original.repeat(copies, 1).requires_grad_()
        self._last = self.weights.detach().clone()
        self._rule = batched(process._make_optimizer(), self.weights.detach())
        self._streams = [self._stream() for _ in range(copies)]
        self._lambdas = [LAMBDA_0] * copies
        self.signals: list[Signals] = [UNKNOWN] * copies
        self.updates: list[Update] = [Update(0.0, 0.0, 0.0)] * copies
        self._raws = [self._draw(stream) for stream in self._streams]
        self._measured: Measured | None = None
        self._plain: dict[str, Tensor] = {}
        self._qualities: list[Quality] | None = None
        self._next()

    def _stream(self) -> Stream:
        generator = Generator()
        sets = (self._process._keep, self._process._forget)
        return Stream(generator, *(Shuffled(len(part), generator) for part in sets))

    def _draw(self, stream: Stream) -> RawDraw:
        return self._process._draw_raw(stream.generator, stream.keep, stream.forget, self.pairs)

    @torch.no_grad()
    def restart(self, seeds: Mapping[int, int]) -> None:
        """Start some copies over, each from its own seed, and measure."""
        rows = torch.tensor(list(seeds), device=self.weights.device)
        self.weights[rows] = self._last[rows] = self._original
        for moment in self._rule.moments:
            moment[rows] = 0.0
        for i, seed in seeds.items():
            stream = self._streams[i]
            stream.generator.manual_seed(seed)
            stream.keep.reset()
            stream.forget.reset()
            self._lambdas[i], self.signals[i] = LAMBDA_0, UNKNOWN
            self._raws[i] = self._draw(stream)
        self._next()
        self._observe()

    def _next(self) -> None:
        """Make the latents of the drawn minibatches, copies first."""
        joined = {key: torch.cat([getattr(raw, key) for raw in self._raws]) for key in vars(self._raws[0])}
        self._latents = self._process._noise(RawDraw(**joined))
        draw = self._latents.draw
        fields = (draw.uniform, draw.delta_retain, draw.delta_forget)
        self._draws = [Draw(*row) for row in torch.stack(fields).view(3, self.copies, -1).cpu().unbind(1)]
        self._forget_measures()

    def _copies_first(self, flat: Tensor) -> Tensor:
        """Turn (2·N·B, …), all retain latents first, into (N, 2B, …)."""
        return flat.unflatten(0, (2, self.copies, -1)).transpose(0, 1).flatten(1, 2)

    def _errors(self, batch: Inputs) -> Measured:
        predicted = vmap(self._predict, in_dims=(0, 0, 0, None if batch.labels is None else 0))(
            self.weights, batch.noisy, batch.timesteps, batch.labels
        )
        retain, forget = (predicted - target for target in (batch.retain_target, batch.forget_target))
        return Measured(retain.square().flatten(2).mean(2), forget.square().flatten(2).mean(2))

    def _predict(self, row: Tensor, noisy: Tensor, timesteps: Tensor, labels: Tensor | None) -> Tensor:
        pieces = row.split([shape.numel() for shape in self._shapes.values()])
        named = {n: p.view(s) for (n, s), p in zip(self._shapes.items(), pieces, strict=True)}
        return functional_call(
            self._process.model, named, (noisy, timesteps), {"class_labels": labels}
        ).sample

    def _measure(self) -> Measured:
        if self._measured is None:
            with torch.enable_grad():
                self._measured = self._errors(_inputs(self._latents, self._copies_first))
        return self._measured

    def _forget_measures(self) -> None:
        self._measured, self._plain, self._qualities = None, {}, None

    def _gradient(self, side: str, weights: Weights) -> Tensor:
        """Return one side's gradients, (N, P), for row weights (N, 2B), with no pass where none is needed."""
        rows, own = getattr(weights, side), getattr(self._own(), side)
        if not rows.any():
            return torch.zeros_like(self.weights)
        if side in self._plain and torch.equal(rows, own):
            return self._plain[side]
        with torch.enable_grad():
            loss = (rows * getattr(self._measure(), side)).sum() / self.pairs
        return torch.autograd.grad(loss, self.weights, retain_graph=True)[0]

    def _own(self) -> Weights:
        one = self.weights.new_ones(self.copies, self.pairs)
        return Weights(torch.cat([one, 0 * one], 1), torch.cat([0 * one, one], 1))

    def _observe(self) -> None:
        if not self._process.fresh:
            return
        measured, own = self._measure(), self._own()
        norms = [self.weights.new_zeros(self.copies)] * 2
        if self._process.grad_norms:
            self._plain = {side: self._gradient(side, own) for side in SIDES}
            norms = [self._plain[side].norm(dim=1) for side in SIDES]
        errors = (measured.retain.detach() * own.retain, measured.forget.detach() * own.forget)
        numbers = torch.stack([*(e.sum(1) / self.pairs for e in errors), *norms], 1)
        self.signals = [Signals(*row) for row in numbers.tolist()]

    @torch.no_grad()
    def update(self, lams: Sequence[float]) -> None:
        """Move every copy at its own λ, draw the next minibatches and measure them."""
        objective, measured = self._process.objective, self._measure()
        each = [objective.weights(lam, draw) for lam, draw in zip(lams, self._draws, strict=True)]
        weights = Weights(*(torch.stack([getattr(w, side) for w in each]) for side in SIDES))
        weights = Weights(weights.retain.to(self.weights.device), weights.forget.to(self.weights.device))
        g_retain, g_forget = (self._gradient(side, weights) for side in SIDES)
        parts = self._parts(lams, weights, measured, g_retain, g_forget)
        found = [objective.combine(lam, part) for lam, part in zip(lams, parts, strict=True)]
        finite = self._descend(found, g_retain, g_forget)
        self.updates = [
            Update(
                c.retain_term + c.forget_term,
                c.retain_term,
                c.forget_term,
                c.dloss_dlambda,
                c.dvariance_dlambda,
                diverged=not good,
            )
            for c, good in zip(found, finite, strict=True)
        ]
        if not self._process.fresh:
            self.signals = [self._lagged(part) for part in parts]
        self._lambdas = list(lams)
        self._raws = [self._draw(stream) for stream in self._streams]
        self._next()
        self._observe()

    def _lagged(self, part: Parts) -> Signals:
        norms = (part.retain_norm, part.forget_norm) if self._process.grad_norms else (0.0, 0.0)
        return Signals(part.retain, part.forget, *norms)

    def _parts(
        self, lams: Sequence[float], weights: Weights, measured: Measured, retain: Tensor, forget: Tensor
    ) -> list[Parts]:
        rows = [
            (w * e.detach()).view(self.copies, 2, -1).sum(1)
            for w, e in ((weights.retain, measured.retain), (weights.forget, measured.forget))
        ]
        means = [r.mean(1) for r in rows]
        numbers = torch.stack(
            [*means, retain.norm(dim=1), forget.norm(dim=1), (retain * forget).sum(1)], 1
        ).tolist()
        on_cpu = torch.stack(rows, 1).cpu()
        score = self._process.objective.score
        return [
            Parts(row[0], row[1], row[2], row[3], row[4], pair[0], pair[1], score(lam, draw))
            for row, pair, lam, draw in zip(numbers, on_cpu, lams, self._draws, strict=True)
        ]

    def _descend(self, found: list[Combination], retain: Tensor, forget: Tensor) -> list[bool]:
        c = torch.tensor([[f.c_retain, f.c_forget, f.retain_term + f.forget_term] for f in found]).to(retain)
        direction = c[:, :1] * retain + c[:, 1:2] * forget
        size = direction.norm(dim=1, keepdim=True)
        good = torch.isfinite(size) & torch.isfinite(c[:, 2:])
        clip = (self._process.max_grad_norm / (size + 1e-6)).clamp(max=1.0)
        direction = torch.where(good, direction * clip, 0.0)
        self._last = self.weights.detach().clone()
        self._rule.step(self.weights, direction, good)
        good &= torch.isfinite(self.weights.norm(dim=1, keepdim=True))
        self.weights.copy_(torch.where(good, self.weights, self._last))
        return good.squeeze(1).tolist()

    @torch.no_grad()
    def undo(self, copy: int) -> None:
        """Take the last update's weights of one copy back."""
        self.weights[copy] = self._last[copy]
        self._forget_measures()

    @torch.no_grad()
    def quality(self, copy: int) -> Quality:
        """Return one copy's losses on the probe batch; all copies are evaluated at once."""
        if self._qualities is None:
            batch = _inputs(self._process._probe, lambda f: f.expand(self.copies, *f.shape))
            found = self._errors(batch)
            losses = (found.retain[:, :PROBE_SIZE].mean(1), found.forget[:, PROBE_SIZE:].mean(1))
            self._qualities = [Quality(*row) for row in torch.stack(losses, 1).tolist()]
        return self._qualities[copy]

    def state_dict(self, copy: int) -> dict[str, Any]:
        """Return everything that one copy needs to go on after a kill."""
        stream = self._streams[copy]
        return {
            "weights": self.weights[copy].detach().clone(),
            "last": self._last[copy].clone(),
            "moments": [moment[copy].clone() for moment in self._rule.moments],
            "generator": stream.generator.get_state(),
            "keep_order": stream.keep.state_dict(),
            "forget_order": stream.forget.state_dict(),
            "raw": dict(vars(self._raws[copy])),
            "lambda": self._lambdas[copy],
            "signals": dict(vars(self.signals[copy])),
        }

    @torch.no_grad()
    def load_state_dict(self, copy: int, state: dict[str, Any]) -> None:
        """Let one copy go on from where its ``state_dict`` was taken."""
        rows = [(self.weights, state["weights"]), (self._last, state["last"])]
        for whole, row in [*rows, *zip(self._rule.moments, state["moments"], strict=True)]:
            whole[copy] = row.to(whole)
        stream = self._streams[copy]
        stream.generator.set_state(state["generator"])
        stream.keep.load_state_dict(state["keep_order"])
        stream.forget.load_state_dict(state["forget_order"])
        self._raws[copy] = RawDraw(**state["raw"])
        self._lambdas[copy], self.signals[copy] = state["lambda"], Signals(**state["signals"])
        self._next()

"""Many diffusion processes as one: latents and errors of a stack of denoisers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Draw
from unlearn_gym.processes.common.latents import Latents, RawDraw
from unlearn_gym.processes.common.stream import Shuffled
from unlearn_gym.processes.diffusion import PROBE_SIZE, DiffusionProcess
from unlearn_gym.processes.stacked.gradient import Stack
from unlearn_gym.processes.stacked.measures import Measured, Pass, Start


class StackedDiffusion(Stack):
    """N copies of a diffusion process; see ``Stack``."""

    _process: DiffusionProcess

    def __init__(self, process: DiffusionProcess, copies: int) -> None:
        super().__init__(process, copies)
        self._orders = [
            [Shuffled(len(part), generator) for part in (process.keep, process.forget)]
            for generator in self._generators
        ]
        self._raws = [self._raw(i) for i in range(copies)]
        self._next()

    def _raw(self, copy: int) -> RawDraw:
        keep, forget = self._orders[copy]
        return self._process.draw_raw(self._generators[copy], keep, forget, self.pairs)

    def _draw(self, copy: int) -> None:
        self._raws[copy] = self._raw(copy)

    def _restart_stream(self, copy: int, start: Start) -> None:
        for order in self._orders[copy]:
            order.reset()

    def _join(self) -> list[Draw]:
        joined = {key: torch.cat([getattr(raw, key) for raw in self._raws]) for key in vars(self._raws[0])}
        self._latents = self._process.noised(RawDraw(**joined))
        draw = self._latents.draw
        fields = (draw.uniform, draw.delta_retain, draw.delta_forget)
        return [Draw(*row) for row in torch.stack(fields).view(3, self.copies, -1).cpu().unbind(1)]

    def _copies_first(self, flat: Tensor) -> Tensor:
        """Turn (2·N·B, …), all retain latents first, into (N, 2B, …)."""
        return flat.unflatten(0, (2, self.copies, -1)).transpose(0, 1).flatten(1, 2)

    def _for_all(self, flat: Tensor) -> Tensor:
        """Turn (n, …) into (N, n, …)."""
        return flat.expand(self.copies, *flat.shape)

    def _pass(self) -> Measured:
        retain, forget = self._errors(self._latents, self._copies_first)
        numbers = self._latents.forget_numbers
        known = None if numbers is None else self._copies_first(numbers)
        if self.objective.couples:
            kept, forgotten = retain[:, : self.pairs], forget[:, self.pairs :]
            of_pairs = self.objective.pair_error(
                kept, forgotten, None if known is None else known[:, self.pairs :]
            )
            forget = torch.cat([forget[:, : self.pairs], of_pairs], 1)
        else:
            forget = self.objective.forget_error(forget, known)
        return Measured([Pass(slice(0, 2 * self.pairs), retain, forget)])

    def _single_errors(self, copy: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self._process.objective_errors(self._process.noised(self._raws[copy]), rows)

    def _errors(self, latents: Latents, arrange: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        inputs = [latents.noisy, latents.timesteps, *([] if latents.labels is None else [latents.labels])]
        (predicted,), _ = self.network({}, *map(arrange, inputs), return_dict=False)
        targets = (latents.retain_target, latents.forget_target)
        retain, forget = ((predicted - arrange(target)).square().flatten(2).mean(2) for target in targets)
        return retain, forget

    def _probe(self) -> tuple[Tensor, Tensor]:
        retain, forget = self._errors(self._process.probe, self._for_all)
        return retain[:, :PROBE_SIZE].mean(1), forget[:, PROBE_SIZE:].mean(1)

    def _stream_state(self, copy: int) -> dict[str, Any]:
        return {
            "orders": [order.state_dict() for order in self._orders[copy]],
            "raw": dict(vars(self._raws[copy])),
        }

    def _load_stream_state(self, copy: int, state: dict[str, Any]) -> None:
        for order, left in zip(self._orders[copy], state["orders"], strict=True):
            order.load_state_dict(left)
        self._raws[copy] = RawDraw(**state["raw"])

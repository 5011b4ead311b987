"""A small diffusion problem, and the update written naively: every gradient by its own pass over all rows."""

from __future__ import annotations

import math
from typing import Any

import torch
from diffusers import UNet2DModel

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.models.diffusion.model import build_unet, default_scheduler
from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.objectives import DiffusionSettings, make_diffusion_objective
from unlearn_gym.objectives.base import Parts
from unlearn_gym.processes.base import Signals, Update
from unlearn_gym.processes.diffusion import DiffusionProcess
from unlearn_gym.processes.gradient import UNKNOWN


def small_data(labels: str, channels: int = 1) -> UnlearningData:
    """Random 8x8 images; ``labels`` of the two sets are "none", "equal", "different" or "mixed"."""
    generator = torch.Generator().manual_seed(1)
    retain = {"mixed": torch.arange(12) % 3}.get(labels, torch.zeros(12, dtype=torch.int64))
    forget = torch.full((7,), 1 if labels == "different" else 0)
    parts = [
        LabelledSet(torch.rand(len(y), channels, 8, 8, generator=generator) * 2 - 1, y)
        for y in (retain, forget, retain[:2], forget[:2])
    ]
    return UnlearningData("random", *parts, num_classes=0 if labels == "none" else 3)


def small_process(
    kind: type[DiffusionProcess] = DiffusionProcess,
    *,
    objective: str = "siss",
    labels: str = "mixed",
    forget_scaling: str = "norm",
    unet: UNet2DModel | None = None,
    **settings: Any,
) -> DiffusionProcess:
    """Build a process in float64 with batches of 5 pairs, and a tiny network if none is given."""
    data = small_data(labels, unet.config["in_channels"] if unet else 1)
    if unet is None:
        with seeded_weights(0):
            unet = build_unet(8, 1, data.num_classes, widths=(4, 8), norm_groups=2)
    choices = DiffusionSettings(
        n=100,
        k=30,
        superfactor=0.5,
        dataset_factors="exact",
        x_from="retain",
        forget_scaling=forget_scaling,
        forget_norm=0.1,
        forget_cap=0.3,
        erasediff_eta=0.5,
    )
    defaults = {
        "batch_size": 10,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "max_grad_norm": 1.0,
        "state": "fresh",
    }
    defaults |= {"grad_norms": True, "device": torch.device("cpu"), "dtype": torch.float64}
    return kind(
        unet,
        default_scheduler(),
        data,
        objective=make_diffusion_objective(objective, choices),
        **(defaults | settings),
    )


class NaiveProcess(DiffusionProcess):
    """The same process without any saving."""

    def _flat(self, weights: torch.Tensor, side: int) -> torch.Tensor:
        errors = self.errors(torch.arange(2 * self.pairs))[side]
        loss = (weights * errors).sum() / self.pairs
        found = torch.autograd.grad(loss, self._parameters, allow_unused=True)
        each = zip(self._parameters, found, strict=True)
        return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in each])

    def observe(self) -> Signals:
        if self.fresh:
            one, zero = torch.ones(self.pairs, dtype=self.dtype), torch.zeros(self.pairs, dtype=self.dtype)
            with torch.no_grad():
                retain, forget = self.errors(torch.arange(2 * self.pairs))
            losses = float(retain[: self.pairs].mean()), float(forget[self.pairs :].mean())
            norms = [
                self._flat(w, i).norm()
                for i, w in enumerate([torch.cat([one, zero]), torch.cat([zero, one])])
            ]
            self._signals = Signals(*losses, *(float(n) * self.grad_norms for n in norms))
        return self._signals

    def update(self, lam: float) -> Update:
        weights = self.objective.weights(lam, self.draw)
        g_retain, g_forget = self._flat(weights.retain, 0), self._flat(weights.forget, 1)
        with torch.no_grad():
            retain, forget = self.errors(torch.arange(2 * self.pairs))
        rows = [(w * e).view(2, -1).sum(0) for w, e in ((weights.retain, retain), (weights.forget, forget))]
        parts = Parts(
            retain=float(rows[0].mean()),
            forget=float(rows[1].mean()),
            retain_norm=float(g_retain.norm()),
            forget_norm=float(g_forget.norm()),
            dot=float(g_retain @ g_forget),
            rows_retain=rows[0],
            rows_forget=rows[1],
            score=self.objective.score(lam, self.draw),
        )
        found = self.objective.combine(lam, parts)
        direction = found.c_retain * g_retain + found.c_forget * g_forget
        direction = direction * min(1.0, self.max_grad_norm / (float(direction.norm()) + 1e-6))
        self._weights.grad = direction
        self._optimizer.step()
        if not self.fresh:
            norms = (parts.retain_norm, parts.forget_norm) if self.grad_norms else (0.0, 0.0)
            self._signals = (
                Signals(parts.retain, parts.forget, *norms) if math.isfinite(parts.retain) else UNKNOWN
            )
        self._next_batch()
        loss = found.retain_term + found.forget_term
        return Update(
            loss, found.retain_term, found.forget_term, found.dloss_dlambda, found.dvariance_dlambda
        )

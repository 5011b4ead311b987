"""The arithmetic of an update beside its passes, for one network (N = 1) and for a stack of N."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Combination, Parts, Weights
from unlearn_gym.processes.base import Signals, Update


def signals_of(errors: Sequence[Tensor], norms: Sequence[Tensor]) -> list[Signals]:
    """Return the state of each network on its minibatch, in one transfer from the device.

    Args:
        errors: of the latents towards the retain and the forget target, each (N, 2B); each side counts its own.
        norms: of the two plain gradients, each (N,).
    """
    pairs = errors[0].shape[1] // 2
    own = errors[0][:, :pairs].mean(1), errors[1][:, pairs:].mean(1)
    return [Signals(*row) for row in torch.stack([*own, *norms], 1).tolist()]


def parts_of(weights: Weights, errors: Sequence[Tensor], sizes: Sequence[Tensor]) -> list[Parts]:
    """Return the two sides of each network's loss, before an objective combines them.

    Args:
        weights: of the errors, each (N, 2B), with scores of shape (N, B).
        errors: of the latents towards the retain and the forget target, each (N, 2B).
        sizes: norm of g_retain, norm of g_forget and their inner product, each (N,).
    """
    sides = zip((weights.retain, weights.forget), errors, strict=True)
    rows = [torch.where(w != 0, w * e, 0.0).unflatten(1, (2, -1)).sum(1) for w, e in sides]
    numbers = torch.stack([*(side.mean(1) for side in rows), *sizes], 1).tolist()
    on_cpu = torch.stack(rows, 1).cpu()
    return [
        Parts(row[0], row[1], row[2], row[3], row[4], two[0], two[1], score)
        for row, two, score in zip(numbers, on_cpu, weights.score.cpu(), strict=True)
    ]


def clip_(directions: Tensor, largest: float) -> list[bool]:
    """Clip each network's direction, (N, P), to an L2 norm in place; return which are finite, the others are left."""
    sizes = directions.norm(dim=1).tolist()
    finite = [math.isfinite(size) for size in sizes]
    factors = [
        min(1.0, largest / (size + 1e-6)) if good else 1.0 for size, good in zip(sizes, finite, strict=True)
    ]
    directions.mul_(torch.tensor(factors, dtype=torch.float64).to(directions).unsqueeze(1))
    return finite


def lagged_signals(parts: Parts, grad_norms: bool) -> Signals:
    """Return the state that an update's own numbers give; the norms as 0 if nobody wants them."""
    norms = (parts.retain_norm, parts.forget_norm) if grad_norms else (0.0, 0.0)
    return Signals(parts.retain, parts.forget, *norms)


def update_of(found: Combination, *, moved: bool) -> Update:
    """Return what is told of an update; if it did not move the weights, numbers that are not finite are told as 0."""
    numbers = {
        "loss": found.loss,
        "retain_term": found.retain_term,
        "forget_term": found.forget_term,
        "dloss_dlambda": found.dloss_dlambda,
        "dvariance_dlambda": found.dvariance_dlambda,
        "cosine": found.cosine,
    }
    told = {name: number if moved or math.isfinite(number) else 0.0 for name, number in numbers.items()}
    return Update(**told, diverged=not moved)

"""A minibatch of a diffusion process: its random numbers, and the noised images that they make."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn_gym.objectives.base import Draw
from unlearn_gym.objectives.importance import DISJOINT, log_ratio


@dataclass(frozen=True)
class RawDraw:
    """The random numbers of one minibatch of B pairs, on the CPU; none depends on an action.

    Attributes:
        retain: indices into the set that x is drawn from, shape (B,).
        forget: indices into the forget set, shape (B,).
        timesteps: t ~ U{0 … T − 1} or τ, one per pair, shape (B,); see ``NoiseLevels``.
        noise: ε ~ N(0, I), one per pair and shared by its two latents, shape (B, channels, height, width).
        uniform: u ~ U[0, 1), which chooses the mixture side, shape (B,).
        target: what the objective drew for its forget targets, (B, …), or empty.
    """

    retain: Tensor
    forget: Tensor
    timesteps: Tensor
    noise: Tensor
    uniform: Tensor
    target: Tensor

    def sorted(self) -> RawDraw:
        """Return the same pairs in the order of u: those that a λ sends to one side then lie together."""
        order = self.uniform.argsort()
        return RawDraw(*(part[order] if len(part) else part for part in vars(self).values()))


@dataclass(frozen=True)
class Latents:
    """The 2B latents of one minibatch: first B retain latents, then B forget latents.

    ``timesteps`` is what the network is told of their times, (2B,). ``forget_numbers`` is what the objective's
    ``forget_error`` knows of each, (2B, …), ones for the retain latents.
    """

    noisy: Tensor
    labels: Tensor | None
    timesteps: Tensor
    retain_target: Tensor
    forget_target: Tensor
    forget_numbers: Tensor | None
    draw: Draw


def mixture(
    uniform: Tensor, gap: Tensor, noise: Tensor, gamma: Tensor, sigma: Tensor, overlap: Tensor
) -> Draw:
    """Return the mixture numbers of a minibatch.

    Args:
        uniform: u, shape (B,).
        gap: x − a, shape (B, channels, height, width).
        noise: ε, of the same shape.
        gamma: γ, shape (B,), and
        sigma: σ.
        overlap: whether the densities of the two images can overlap: their labels are the same, or play no part, (B,).
    """
    inner, distance2 = (noise * gap).flatten(1).sum(1), gap.square().flatten(1).sum(1)
    deltas = [
        torch.where(overlap, log_ratio(side, inner, distance2, gamma, sigma), side * DISJOINT)
        for side in (-1, 1)
    ]
    return Draw(uniform.to(noise), *deltas)

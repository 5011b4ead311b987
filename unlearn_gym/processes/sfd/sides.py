"""The two sides of a minibatch of score forgetting distillation, before λ joins them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn_gym.models.sfd import losses
from unlearn_gym.models.sfd.generator import Draw, Trio, View
from unlearn_gym.objectives.sfd.base import Targets
from unlearn_gym.processes.base import Signals


@dataclass(frozen=True)
class Sides:
    """What a minibatch says of θ.

    Attributes:
        retain: g_d = ∇ mean L_sfd(c_r, c_r), shape (P,).
        forget: g_f = ∇ mean Σ_l w_l·L_sfd(c_l, c_f), likewise.
        kept: Δ²/ω of each retain row, a mean over pixels, shape (B,).
        gone: Σ_l w_l·Δ_l²/ω_l of each forget row.
    """

    retain: Tensor
    forget: Tensor
    kept: Tensor
    gone: Tensor

    def signals(self) -> Signals:
        """Return the state: the mean divergences and the norms of the two gradients."""
        numbers = [self.kept.mean(), self.gone.mean(), self.retain.norm(), self.forget.norm()]
        return Signals(*torch.stack(numbers).tolist())


def own_labels(draw: Draw) -> Targets:
    """Return the targets of a generator that is to stay as it is: its own labels."""
    return Targets.of(draw.labels, torch.ones_like(draw.uniform))


def compared(trio: Trio, view: View, draw: Draw, targets: Targets, sharpness: float) -> tuple[Tensor, Tensor]:
    """Return Σ_l w_l·L_sfd(c_l, c) with its graph, and Σ_l w_l·Δ_l²/ω_l without, each (n,): plainly, label by label.

    Args:
        trio: the networks.
        view: images under the labels c, and what ψ makes of their latents.
        draw: what they were made from.
        targets: labels c_l that the teacher is asked for, with their weights.
        sharpness: α of ``losses.generator_losses``.
    """
    surrogate = divergence = torch.zeros_like(draw.uniform)
    for labels, weights in zip(targets.labels, targets.weights, strict=True):
        seen = (trio.taught(view, draw, labels), view.fake, view.images)
        surrogate = surrogate + weights * losses.generator_losses(*seen, sharpness)
        divergence = divergence + weights * losses.divergences(*seen)
    return surrogate, divergence

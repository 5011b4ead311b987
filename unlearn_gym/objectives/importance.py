"""Importance weights of the SISS mixture, in log form: finite for every timestep and every λ in [0, 1].

With q(m|y) = N(m; γy, σ²I) and q_λ = (1 − λ) q(m|x) + λ q(m|a), the weights are w_x = q(m|x)/q_λ and
w_a = q(m|a)/q_λ (SISS, arXiv 2503.01034, eq. 7). All depend on the one number δ = log q(m|a) − log q(m|x).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

DISJOINT = 1e30
"""|δ| for latents under labels that differ: the two densities do not overlap at all."""

LARGEST_LOG_WEIGHT = 40.0
"""Log-weights above it are cut: only reached at λ = 0 or 1, where a weight has no bound of its own; its square
still fits into float32."""

SMALLEST_WEIGHT = 1e-9
"""Importance weights below it count as 0: float32 cannot tell the gradients apart, a pass is saved, and rescaling a
side to a norm does not blow up one that is all but empty."""


def log_ratio(side: int, inner: Tensor, distance2: Tensor, gamma: Tensor, sigma: Tensor) -> Tensor:
    """Return δ without cancellation, shape (B,).

    Args:
        side: +1 if the latent was made from a, −1 if from x.
        inner: ⟨ε, x − a⟩ of each pair, shape (B,).
        distance2: ‖x − a‖² of each pair, shape (B,).
        gamma: √ᾱ_t of each pair, shape (B,).
        sigma: √(1 − ᾱ_t) of each pair, shape (B,).
    """
    ratio = gamma / sigma
    return -ratio * inner + side * 0.5 * ratio.square() * distance2


def importance_weights(lam: float, delta: Tensor) -> tuple[Tensor, Tensor]:
    """Return (w_x, w_a), each of the shape of ``delta``; (1 − λ)·w_x + λ·w_a = 1 up to rounding.

    For 0 < λ < 1 they lie in [0, 1/(1 − λ)] and [0, 1/λ]. At λ = 0 they are 1 and e^δ, at λ = 1 they are
    e^{−δ} and 1.
    """
    keep = torch.full_like(delta, math.log1p(-lam) if lam < 1.0 else -math.inf)
    take = torch.full_like(delta, math.log(lam) if lam > 0.0 else -math.inf)
    log_x = -torch.logaddexp(keep, take + delta)
    log_a = -torch.logaddexp(keep - delta, take)
    return log_x.clamp(max=LARGEST_LOG_WEIGHT).exp(), log_a.clamp(max=LARGEST_LOG_WEIGHT).exp()

"""Forget losses that saturate, as functions of one example's loss or logits; each is descended."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from unlearn_gym.errors import UserError

DIVERGENCES = ("kl", "tv", "pearson")
"""Those of ``f_divergence``."""


def preference_penalty(losses: Tensor, reference: Tensor | float, beta: Tensor | float) -> Tensor:
    """Return ψ = (2/β)·log(1 + e^{β(ℓ⁰ − ℓ)}): (2/β)·log 2 at ℓ = ℓ⁰, and 0 far above it.

    Its slope in ℓ is −1 at ℓ⁰, that of ascent, and fades as ℓ grows (NPO, arXiv 2404.05868).
    """
    return 2.0 / beta * softplus(beta * (reference - losses))


def pair_penalty(logits: Tensor, original: Tensor, labels: Tensor, beta: float) -> Tensor:
    """Return ψ = (2/β)·log(1 + e^{(β/2)·[m − m⁰]}), m = log π(y) − log π(w): the answer w is preferred to the label y.

    w is the class that the original network names after y (DPO, arXiv 2305.18290, with the runner-up as what is
    preferred). (2/β)·log 2 at the original logits, where its slope is ½ in log π(y) and −½ in log π(w).

    Args:
        logits: z, (n, K).
        original: z⁰, (n, K).
        labels: y, (n,).
        beta: β > 0.
    """
    pair = torch.stack([labels, demoted(original, labels).argmax(1)], 1)
    chosen, before = logits.gather(1, pair), original.gather(1, pair)
    margin, margin_before = (z[:, 0] - z[:, 1] for z in (chosen, before))  # normalisers cancel
    return preference_penalty(-margin, -margin_before, beta / 2) / 2


def generalised_penalty(losses: Tensor, q: float) -> Tensor:
    """Return ψ = −(1 − e^{−qℓ})/q of cross entropies ℓ: ascent as q → 0, p_y − 1 at q = 1 (arXiv 1805.07836)."""
    return torch.expm1(-q * losses) / q


def f_divergence(name: str, template: Tensor, true: Tensor) -> Tensor:
    """Return −T(p_t) + f*(T(p_y)) of one of ``DIVERGENCES`` (FLAT), of the shape of p_t and p_y together."""
    if name == "kl":
        return -template + (true - 1.0).exp()
    if name == "tv":
        return 0.5 * true.tanh() - 0.5 * template.tanh()
    return -template + true + true.square() / 4


def preferred(logits: Tensor, top: int) -> tuple[Tensor, Tensor]:
    """Return the distributions in which the ``top`` largest logits are lowered by 10 and raised by 2, (n, K) each.

    Raises:
        UserError: if all K logits would be moved alike, which moves no probability.
    """
    classes = logits.shape[1]
    if top >= classes:
        raise UserError(
            f"top={top} moves the logits of all {classes} classes alike; give less than {classes}."
        )
    largest = torch.zeros_like(logits).scatter(1, logits.topk(top, dim=1).indices, 1.0)
    return (logits - 10.0 * largest).softmax(1), (logits + 2.0 * largest).softmax(1)


def demoted(logits: Tensor, labels: Tensor) -> Tensor:
    """Return q = softmax(z⁰ with z⁰_y ← −∞), (n, K): the original's prediction without the true label.

    Args:
        logits: z⁰, of the original network, (n, K).
        labels: y, (n,).
    """
    return logits.detach().scatter(1, labels.unsqueeze(1), -torch.inf).softmax(1)

"""Demotion: the answer of the original classifier if the true label were no answer."""

from __future__ import annotations

import torch
from torch import Tensor


def demoted(logits: Tensor, labels: Tensor) -> Tensor:
    """Return q = softmax(z⁰ with z⁰_y ← −∞), (n, K): the original's prediction without the true label.

    Args:
        logits: z⁰, of the original network, (n, K).
        labels: y, (n,).
    """
    without = logits.detach().scatter(1, labels.unsqueeze(1), -torch.inf)
    return without.softmax(1)

"""U-LiRA: a likelihood ratio for every example, learned from shadow models (arXiv 2403.01218; LiRA, arXiv 2112.03570).

A shadow is a model that was trained with a random half of a pool of examples and has unlearned it. What shadows say of
an example that they unlearned is set against what those say that never met it: the strongest test of membership at
hand, as it knows how hard every single example is, and the dearest, as it trains dozens of models.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from unlearn_gym.errors import UserError

LEAST_PAIRS = 2
"""Without the shadow that is attacked one at least has to be left on either side."""
LEAST_STD = 1e-6


def log_odds(logits: Tensor, labels: Tensor) -> np.ndarray:
    """Return φ = log p/(1 − p) of each example's label, float64 of shape (n,): near normal where p is near 0 or 1.

    Args:
        logits: shape (n, classes).
        labels: int64, shape (n,).
    """
    logits, chosen = logits.double(), labels[:, None]
    others = logits.scatter(1, chosen, -torch.inf).logsumexp(dim=1)
    return (logits.gather(1, chosen).squeeze(1) - others).cpu().numpy()


def halves(examples: int, pairs: int, seed: int) -> np.ndarray:
    """Draw who unlearns what, bool of shape (2·pairs, examples): rows 2k and 2k + 1 are complements.

    Every example is unlearned by ``pairs`` shadows and unknown to as many.

    Raises:
        UserError: for fewer than two pairs or two examples.
    """
    if pairs < LEAST_PAIRS or examples < 2:
        raise UserError(
            f"U-LiRA cannot tell anything from {pairs} pairs of shadows and {examples} examples; give at least "
            f"{LEAST_PAIRS} pairs and 2 examples."
        )
    generator = np.random.default_rng(seed)
    chosen = np.zeros((2 * pairs, examples), dtype=bool)
    for pair in range(pairs):
        chosen[2 * pair, generator.permutation(examples)[: examples // 2]] = True
        chosen[2 * pair + 1] = ~chosen[2 * pair]
    return chosen


def u_lira(phi: np.ndarray, unlearned: np.ndarray) -> np.ndarray:
    """Return log N(φ; μ₁, σ₁²) − log N(φ; μ₀, σ₀²) of every shadow and example, float64 of shape (shadows, examples).

    Each shadow is attacked by what the *others* say: μ₁ of an example is their mean where they unlearned it, μ₀
    where they never met it; σ₁ and σ₀ are pooled over the examples, as LiRA does below 64 models.

    Args:
        phi: what each shadow says of each example, shape (shadows, examples).
        unlearned: which it unlearned, as of ``halves``.

    Raises:
        UserError: if an example has fewer than two shadows on either side, so that none may be left to compare with.
    """
    sides = np.minimum(unlearned.sum(axis=0), (~unlearned).sum(axis=0))
    if phi.shape != unlearned.shape or sides.min() < LEAST_PAIRS:
        raise UserError(
            f"phi has shape {phi.shape} and unlearned {unlearned.shape}, with {sides.min()} shadows on the smaller "
            f"side of an example; give both the shape (shadows, examples), and {LEAST_PAIRS} shadows on each side."
        )
    scores = np.empty_like(phi, dtype=np.float64)
    for shadow in range(len(phi)):
        others = np.arange(len(phi)) != shadow
        with_it = _normal(phi[others], unlearned[others])
        without = _normal(phi[others], ~unlearned[others])
        scores[shadow] = norm.logpdf(phi[shadow], *with_it) - norm.logpdf(phi[shadow], *without)
    return scores


def _normal(phi: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the mean of each example over the shadows of a side, and the pooled deviation from these means."""
    counts = side.sum(axis=0)
    mean = np.where(side, phi, 0.0).sum(axis=0) / counts
    spare = (counts - 1).sum()
    squares = np.where(side, (phi - mean) ** 2, 0.0).sum()
    return mean, max(float(np.sqrt(squares / max(spare, 1))), LEAST_STD)

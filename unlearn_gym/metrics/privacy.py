"""What gives away that an example was trained on: membership inference by a score."""

from __future__ import annotations

import numpy as np
import scipy
from torch import Tensor


def max_confidence(logits: Tensor) -> np.ndarray:
    """Return the largest softmax probability of each example, float64 of shape (n,).

    Args:
        logits: shape (n, classes).
    """
    return logits.double().softmax(dim=1).amax(dim=1).cpu().numpy()


def mann_whitney_auc(members: np.ndarray, non_members: np.ndarray) -> float:
    """Return the probability that a member scores higher than a non-member, ties counting one half.

    It is the area under the ROC curve: 0.5 when the scores say nothing, and *below* 0.5 when members stand
    out by low scores, which gives them away just as much.

    Args:
        members: scores of examples that were trained on, shape (n,).
        non_members: scores of examples that were not, shape (m,).

    Returns:
        A number in [0, 1]; NaN when one side is empty or a score is NaN.
    """
    n, m = len(members), len(non_members)
    scores = np.concatenate([members, non_members])
    if n == 0 or m == 0 or np.isnan(scores).any():
        return float("nan")
    ranks = scipy.stats.rankdata(scores)[:n].sum()
    return float((ranks - n * (n + 1) / 2) / (n * m))


LOW_FPR = 0.01
"""The false positive rate that membership inference is judged at, where there are non-members enough."""


def false_positive_rate(non_members: int) -> float:
    """Return max(1 %, 1/m): of fewer than 100 non-members one alone is more than 1 %."""
    return max(LOW_FPR, 1 / non_members)


def tpr_at_fpr(members: np.ndarray, non_members: np.ndarray) -> float:
    """Return the share of members that score above all but the allowed share of the non-members.

    Args:
        members: scores of examples that were trained on, shape (n,).
        non_members: scores of examples that were not, shape (m,); ``false_positive_rate(m)`` of them may score as high.

    Returns:
        A number in [0, 1]; NaN when one side is empty or a score is NaN.
    """
    m = len(non_members)
    if not len(members) or not m or np.isnan(np.concatenate([members, non_members])).any():
        return float("nan")
    allowed = int(false_positive_rate(m) * m + 1e-9)
    above = np.sort(non_members)[::-1]
    threshold = above[allowed] if allowed < m else -np.inf
    return float((members > threshold).mean())


def exact_interval(share: float, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Clopper–Pearson interval of a share of so many independent trials; NaN for a share that is NaN."""
    if np.isnan(share):
        return float("nan"), float("nan")
    found = scipy.stats.binomtest(round(share * trials), trials).proportion_ci(confidence, method="exact")
    return float(found.low), float(found.high)

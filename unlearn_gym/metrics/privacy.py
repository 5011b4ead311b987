"""What gives away that an example was trained on: membership inference by confidence."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata
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
    ranks = rankdata(scores)[:n].sum()
    return float((ranks - n * (n + 1) / 2) / (n * m))

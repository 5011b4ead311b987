"""How good an estimator is at choosing policies: reward against risk of the policies that it ranks first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unlearn_gym.errors import UserError


def sharpe_at_k(
    estimates: Sequence[float], values: Sequence[float], behaviour: float, k: int
) -> float | None:
    """Return SharpeRatio@k (Kiyohara et al. 2024, arXiv 2311.18207), higher is better.

    Of the k policies with the highest estimates, (best true value − the behaviour's)₊ / standard deviation (ddof 1).

    Args:
        estimates: of each policy, by the estimator.
        values: the true ones, in the same order.
        behaviour: true value of the policy that logged the data.
        k: from 2, as one policy has no standard deviation.

    Returns:
        The ratio; None where the k values are the same, which leaves nothing to divide by.

    Raises:
        UserError: for lists of different lengths, or a k that is out of range.
    """
    if len(estimates) != len(values):
        raise UserError(
            f"There are {len(estimates)} estimates of {len(values)} values; give one of each policy."
        )
    if not 2 <= k <= len(values):
        raise UserError(f"k={k} is out of range; give 2 to {len(values)}, the number of policies.")
    chosen = np.asarray(values, dtype=np.float64)[np.argsort(-np.asarray(estimates), kind="stable")[:k]]
    gain, risk = max(float(chosen.max()) - behaviour, 0.0), float(chosen.std(ddof=1))
    return gain / risk if risk > 0.0 else None

"""How well a regression follows the wanted points, and how little the unwanted ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from unlearn_gym.errors import UserError


@dataclass(frozen=True)
class RegressionScores:
    """What ``regression_scores`` found.

    Attributes:
        r2_wanted: R² on wanted points, at most 1; higher is better.
        r2_unwanted: R² on unwanted points; lower is better.
        r2_exp: exp(−max(SS_res/SS_tot, 0)) on unwanted points, in (0, 1]; near 1 while followed.
        fair_r2: max(R²_wanted, 0)·(1 − R²_exp), in [0, 1); higher is better.
    """

    r2_wanted: float
    r2_unwanted: float
    r2_exp: float
    fair_r2: float


def regression_scores(
    wanted: Tensor, wanted_predictions: Tensor, unwanted: Tensor, unwanted_predictions: Tensor
) -> RegressionScores:
    """Return R² of both sets and the Fair R² of this package (a definition of ours; spec of EMSE, section 1).

    Args:
        wanted: targets of the wanted points, any shape.
        wanted_predictions: of the same shape.
        unwanted: targets of the unwanted points.
        unwanted_predictions: of the same shape.

    Raises:
        UserError: when the targets of a set are all the same, so that R² is not defined.
    """
    share_wanted = _unexplained(wanted, wanted_predictions)
    share_unwanted = _unexplained(unwanted, unwanted_predictions)
    r2_wanted, r2_exp = 1 - share_wanted, math.exp(-max(share_unwanted, 0.0))
    return RegressionScores(r2_wanted, 1 - share_unwanted, r2_exp, max(r2_wanted, 0.0) * (1 - r2_exp))


def r2(targets: Tensor, predictions: Tensor) -> float:
    """Return R² = 1 − SS_res/SS_tot."""
    return 1 - _unexplained(targets, predictions)


def _unexplained(targets: Tensor, predictions: Tensor) -> float:
    """Return SS_res/SS_tot."""
    if targets.shape != predictions.shape:
        raise UserError(
            f"{tuple(targets.shape)} targets came with {tuple(predictions.shape)} predictions; give one each."
        )
    values = targets.double()
    total = float((values - values.mean()).square().sum())
    if not total > 0:
        raise UserError("All targets are the same, so R² is not defined; give targets that differ.")
    return float((values - predictions.double()).square().sum()) / total

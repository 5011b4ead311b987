"""The numbers before and after, with how sure they are."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from unlearn_gym.applying.cases.base import Measured
from unlearn_gym.evaluation.statistics import summarize


def numbers_of(before: Measured, after: Measured) -> dict[str, dict[str, Any]]:
    """Return name → before and after; losses with the change and half of its 95 % interval over the examples."""
    found = {
        f"{side}_loss": _losses(getattr(before.losses, side), getattr(after.losses, side))
        for side in ("retain", "forget")
    }
    values = {
        name: {"before": _finite(before.values[name]), "after": _finite(after.values[name])}
        for name in before.values
    }
    return found | values


def _losses(before: Tensor, after: Tensor) -> dict[str, Any]:
    change = after - before
    told = summarize(change.tolist())
    half = None if told.ci95 is None else told.ci95[1] - told.mean
    return {
        "before": _finite(float(before.mean())),
        "after": _finite(float(after.mean())),
        "change": _finite(float(change.mean())),
        "ci95_half": None if half is None else _finite(half),
        "examples": len(change),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

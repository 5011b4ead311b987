"""Means with intervals, paired differences, and robust aggregates over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from unlearn_gym.errors import UserError

Interval = tuple[float, float]


@dataclass(frozen=True)
class Summary:
    """Numbers of one metric over seeds.

    Attributes:
        values: one number a seed.
        mean: their mean.
        std: their standard deviation (n − 1), or None with one seed.
        ci95: 95 % interval of the mean by Student's t, or None with one seed.
    """

    values: tuple[float, ...]
    mean: float
    std: float | None
    ci95: Interval | None


def summarize(values: Sequence[float]) -> Summary:
    """Summarise at least one number."""
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Summary(tuple(array.tolist()), mean, None, None)
    std = float(array.std(ddof=1))
    half = float(stats.t.ppf(0.975, len(array) - 1)) * std / math.sqrt(len(array))
    return Summary(tuple(array.tolist()), mean, std, (mean - half, mean + half))


def paired_difference(a: Sequence[float], b: Sequence[float]) -> Summary:
    """Summarise a − b, seed by seed: what the seeds share cancels (common random numbers).

    Raises:
        UserError: when the two do not have the same number of seeds.
    """
    if len(a) != len(b):
        raise UserError(f"{len(a)} and {len(b)} values cannot be paired; run both on the same seeds.")
    return summarize(np.subtract(a, b).tolist())


def interquartile_mean(values: Sequence[float] | np.ndarray, axis: int = 0) -> np.ndarray:
    """Mean of the middle half of the values."""
    return stats.trim_mean(np.asarray(values, dtype=np.float64), 0.25, axis=axis)


def stratified_bootstrap(strata: Sequence[Sequence[float]], resamples: int = 2000, seed: int = 0) -> Interval:
    """95 % percentile interval of the interquartile mean over all strata (Agarwal et al. 2021).

    Args:
        strata: the values of each environment or request, at least two; each is resampled by itself.
        resamples: bootstrap resamples.
        seed: of the resampling.
    """

    def pooled(*parts: np.ndarray, axis: int) -> np.ndarray:
        return interquartile_mean(np.concatenate(parts, axis=axis), axis=axis)

    result = stats.bootstrap(
        [np.asarray(stratum, dtype=np.float64) for stratum in strata],
        pooled,
        n_resamples=resamples,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def confidence_ellipse(points: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """95 % confidence region of the mean of points in the plane (Hotelling's T²).

    Args:
        points: shape (n, 2).

    Returns:
        The semi-axes' lengths, shape (2,), and their directions as columns, shape (2, 2); None with fewer
        than four points, where the region is too wide to say anything.
    """
    n = len(points)
    if n < 4:
        return None
    lengths, directions = np.linalg.eigh(np.cov(np.asarray(points, dtype=np.float64), rowvar=False))
    scale = 2 * (n - 1) / (n * (n - 2)) * float(stats.f.ppf(0.95, 2, n - 2))
    return np.sqrt(np.clip(lengths, 0.0, None) * scale), directions

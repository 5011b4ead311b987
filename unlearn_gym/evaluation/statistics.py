"""Means with intervals, paired differences, a test that knows what was chosen, and robust aggregates over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from unlearn_gym.errors import UserError

Interval = tuple[float, float]


FEWEST_TO_RESAMPLE = 10
"""Values below which a bootstrap interval of their interquartile mean covers far less than it says: 70 % at 3."""


@dataclass(frozen=True)
class Summary:
    """Numbers of one metric over seeds.

    Attributes:
        values: one number a seed.
        mean: their mean.
        std: their standard deviation (n − 1), or None with one seed.
        ci95: 95 % interval of the mean, inside the metric's range, or None with one seed; see ``summarize``.
    """

    values: tuple[float, ...]
    mean: float
    std: float | None
    ci95: Interval | None


def summarize(values: Sequence[float], bounds: Interval | None = None, samples: int | None = None) -> Summary:
    """Summarise at least one number.

    The interval is Student's t. Within ``bounds`` it is taken on the logit scale (delta method), where it cannot leave
    the range. A share is known no better than its samples say: the interval also holds the exact binomial one
    (Clopper and Pearson) of all samples together, so that three seeds of 0.0 do not give an interval of no width.
    What no seed has shown is in neither: where one seed in twenty fails, five that did not say nothing of it.

    Args:
        values: one number a seed.
        bounds: smallest and largest possible value of the metric, if it has both.
        samples: draws behind each seed's value where it is a share of them, drawn anew at each seed.
    """
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if len(array) < 2:
        return Summary(tuple(array.tolist()), mean, None, None)
    std = float(array.std(ddof=1))
    half = float(scipy.stats.t.ppf(0.975, len(array) - 1)) * std / math.sqrt(len(array))
    interval = (mean - half, mean + half)
    if bounds is not None and bounds[0] <= array.min() and array.max() <= bounds[1]:
        interval = _inside(mean, half, bounds)
    if samples is not None:
        drawn = samples * len(array)
        exact = _clopper_pearson(round(mean * drawn), drawn)
        interval = min(interval[0], exact[0]), max(interval[1], exact[1])
    return Summary(tuple(array.tolist()), mean, std, interval)


def _inside(mean: float, half: float, bounds: Interval) -> Interval:
    """Return mean ± half, taken on the logit scale of the range; at an end of the range there is no spread."""
    width = bounds[1] - bounds[0]
    share = (mean - bounds[0]) / width
    if not 0.0 < share < 1.0:
        return mean, mean
    reach = half / width / (share * (1.0 - share))
    low, high = scipy.special.expit(scipy.special.logit(share) + np.array([-reach, reach]))
    return bounds[0] + width * float(low), bounds[0] + width * float(high)


def _clopper_pearson(hits: int, drawn: int) -> Interval:
    """Return the exact 95 % interval of a share of which ``hits`` of ``drawn`` were seen."""
    low = scipy.stats.beta.ppf(0.025, hits, drawn - hits + 1) if hits else 0.0
    high = scipy.stats.beta.ppf(0.975, hits + 1, drawn - hits) if hits < drawn else 1.0
    return float(low), float(high)


def paired_difference(a: Sequence[float], b: Sequence[float], bounds: Interval | None = None) -> Summary:
    """Summarise a − b, seed by seed: what the seeds share cancels (common random numbers).

    The interval is Student's t, cut at what a difference of values within ``bounds`` can be.

    Raises:
        UserError: when the two do not have the same number of seeds.
    """
    if len(a) != len(b):
        raise UserError(f"{len(a)} and {len(b)} values cannot be paired; run both on the same seeds.")
    found = summarize(np.subtract(a, b).tolist())
    if bounds is None or found.ci95 is None:
        return found
    most = bounds[1] - bounds[0]
    return replace(found, ci95=(max(found.ci95[0], -most), min(found.ci95[1], most)))


def max_min_test(rows: Sequence[Sequence[float]], seed: int = 0, relabelings: int = 9999) -> float | None:
    """Return the p-value of the gap between the highest and the lowest row mean: both were chosen by looking.

    A permutation test: were all rows alike, their names could be dealt anew at each seed, and the gap be as wide.

    Args:
        rows: one row of values a setting, the same seeds in each.
        seed: of the relabelings.
        relabelings: random ones.

    Returns:
        The share of relabelings with a gap as wide, or None where there are too few rows and seeds for any to be
        below 5 %.
    """
    values = np.asarray(rows, dtype=np.float64)
    settings, seeds = values.shape
    if math.factorial(settings) ** (seeds - 1) < 1 / 0.05:  # dealing all seeds alike changes no gap
        return None
    rng = np.random.default_rng(seed)
    dealt = rng.permuted(np.broadcast_to(values, (relabelings, settings, seeds)), axis=1)
    gaps, gap = np.ptp(dealt.mean(2), axis=1), np.ptp(values.mean(1))
    wide = int((gaps >= gap * (1 - 1e-9)).sum())  # rounding must not part gaps that are equal
    return (1 + wide) / (1 + relabelings)


def interquartile_mean(values: Sequence[float] | np.ndarray, axis: int = 0) -> np.ndarray:
    """Mean of the middle half of the values."""
    return scipy.stats.trim_mean(np.asarray(values, dtype=np.float64), 0.25, axis=axis)


def stratified_bootstrap(strata: Sequence[Sequence[float]], resamples: int = 2000, seed: int = 0) -> Interval:
    """95 % percentile interval of the interquartile mean over all strata (Agarwal et al. 2021).

    With fewer than ``FEWEST_TO_RESAMPLE`` values in all it covers less than it says: show the values themselves.

    Args:
        strata: the values of each environment or request, at least two; each is resampled by itself.
        resamples: bootstrap resamples.
        seed: of the resampling.
    """

    def pooled(*parts: np.ndarray, axis: int) -> np.ndarray:
        return interquartile_mean(np.concatenate(parts, axis=axis), axis=axis)

    result = scipy.stats.bootstrap(
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
    scale = 2 * (n - 1) / (n * (n - 2)) * float(scipy.stats.f.ppf(0.95, 2, n - 2))
    return np.sqrt(np.clip(lengths, 0.0, None) * scale), directions

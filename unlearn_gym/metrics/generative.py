"""FID, KID and Inception Score through torchmetrics, on features and logits computed once.

The feature network is ours (the concept classifier), so neither torchvision nor Inception weights are needed.
Values are comparable inside one report only: they depend on the features and on the number of samples.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from unlearn_gym.errors import UserError


class PassThrough(nn.Module):
    """The feature module handed to torchmetrics: its inputs are features, shape (n, num_features)."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        """Return the features as they are."""
        return features


def fid(real: Tensor, generated: Tensor) -> float:
    """Fréchet distance between Gaussians fitted to two sets of features (Heusel et al. 2017).

    Args:
        real: features, shape (n, d).
        generated: features, shape (m, d).

    Returns:
        A number from 0 (up to rounding); biased upwards at small counts. NaN where a feature is not finite.
    """
    _check(real, generated)
    if not generated.isfinite().all():
        return math.nan
    metric = FrechetInceptionDistance(feature=PassThrough(real.shape[1]))
    metric.update(real.cpu().double(), real=True)
    metric.update(generated.cpu().double(), real=False)
    return max(0.0, float(metric.compute()))


def kid(real: Tensor, generated: Tensor, subset_size: int = 100, subsets: int = 50, seed: int = 0) -> float:
    """Squared maximum mean discrepancy with the cubic kernel, unbiased (Bińkowski et al. 2018).

    Args:
        real: features, shape (n, d).
        generated: features, shape (m, d).
        subset_size: examples of each side in one subset; less when a set is smaller.
        subsets: random subsets that are averaged.
        seed: of the subsets.

    Returns:
        A number around 0 and up; NaN where a feature is not finite.
    """
    _check(real, generated)
    if not generated.isfinite().all():
        return math.nan
    size = min(subset_size, len(real), len(generated))
    with _library_rng(seed):
        metric = KernelInceptionDistance(
            feature=PassThrough(real.shape[1]), subset_size=size, subsets=subsets
        )
        metric.update(real.cpu().double(), real=True)
        metric.update(generated.cpu().double(), real=False)
        return float(metric.compute()[0])


def precision_recall(real: Tensor, generated: Tensor, neighbours: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al. 2019): shares that lie in the other set's k-NN balls.

    A set's manifold is the union of balls around its points, each as wide as the distance to its k-th nearest neighbour
    in the set. Precision is the share of generated points in that of the real ones, recall the reverse.

    Args:
        real: features, shape (n, d).
        generated: features, shape (m, d).
        neighbours: k; at most one less than either set has points.

    Returns:
        Two numbers from 0 to 1; NaN where a feature is not finite.

    Raises:
        UserError: when a set has no more than k points.
    """
    if min(len(real), len(generated)) <= neighbours:
        raise UserError(
            f"Precision and recall got {len(real)} real and {len(generated)} generated examples; give more than "
            f"{neighbours} each."
        )
    if not generated.isfinite().all():
        return math.nan, math.nan
    real, generated = real.double(), generated.double()
    across = torch.cdist(generated, real)  # (m, n)
    precision = (across <= _radii(real, neighbours)).any(1).double().mean()
    recall = (_radii(generated, neighbours) >= across.T).any(1).double().mean()
    return float(precision), float(recall)


def _radii(points: Tensor, neighbours: int) -> Tensor:
    """Return the distance of each point to its k-th nearest other one, shape (n,)."""
    return (
        torch.cdist(points, points).kthvalue(neighbours + 1, dim=1).values
    )  # the nearest is the point itself


def inception_score(logits: Tensor, splits: int = 1, seed: int = 0) -> float:
    """Inception Score (Salimans et al. 2016) of samples whose class logits are given.

    Args:
        logits: shape (n, classes).
        splits: parts over which the score is averaged.
        seed: of the shuffle before the split.

    Returns:
        1 (all alike, or undecided) to the number of classes.
    """
    with _library_rng(seed):
        metric = InceptionScore(feature=PassThrough(logits.shape[1]), splits=splits)
        metric.update(logits.cpu().double())
        return float(metric.compute()[0]) if splits > 1 else _single(metric)


def _single(metric: InceptionScore) -> float:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="std")  # of one split, which nobody asks for
        return float(metric.compute()[0])


def _check(real: Tensor, generated: Tensor) -> None:
    if min(len(real), len(generated)) < 2:
        raise UserError(
            f"FID and KID got {len(real)} real and {len(generated)} generated examples; give at least 2 each."
        )


@contextlib.contextmanager
def _library_rng(seed: int) -> Iterator[None]:
    """Seed the global generator, which torchmetrics uses, for the body only; hide its memory warning."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Metric `")
        torch.default_generator.manual_seed(seed)
        yield

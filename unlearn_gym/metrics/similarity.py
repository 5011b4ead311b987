"""Structural similarity of every image to its best match among many: SSIM (Wang et al. 2004) of all pairs.

The numbers are torchmetrics' own (window, borders and constants); computing the window as two small matrix
products, and each image's own moments once, makes all pairs of two sets some ten times cheaper.
"""

from __future__ import annotations

import torch
from torch import Tensor

C1, C2 = 0.01**2, 0.03**2


def best_match_ssim(images: Tensor, references: Tensor) -> float:
    """Mean over ``images`` of the structural similarity to the best match in ``references``.

    The Gaussian window is the usual one (σ = 1.5) from 24 pixels on, and shrinks with smaller images. Pixels
    are taken to [0, 1] first, because the luminance term is meant for positive ones.

    Args:
        images: shape (n, channels, height, width) in [-1, 1].
        references: shape (m, channels, height, width) in [-1, 1].
    """
    sigma = min(1.5, min(images.shape[-2:]) / 16)
    across, down = (_window(size, sigma).to(images) for size in reversed(images.shape[-2:]))
    mean, variance, pixels = _moments((references + 1) / 2, down, across)
    total = 0.0
    for image in (images + 1) / 2:
        own_mean, own_variance, own = _moments(image[None], down, across)
        product = own_mean * mean
        covariance = down @ (own * pixels) @ across.T - product
        similarity = (2 * product + C1) * (2 * covariance + C2)
        similarity /= (own_mean.square() + mean.square() + C1) * (own_variance + variance + C2)
        total += float(similarity.flatten(1).mean(1).max())
    return total / len(images)


def _moments(images: Tensor, down: Tensor, across: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and variance under the window at each pixel, and the images themselves."""
    mean = down @ images @ across.T
    return mean, (down @ images.square() @ across.T - mean.square()).clamp(min=0.0), images


def _window(size: int, sigma: float) -> Tensor:
    """Return the matrix, shape (size, size), that blurs a column of pixels mirrored at its ends."""
    reach = int(3.5 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1)
    weights = (-0.5 * (offsets / sigma).square()).exp()
    places = torch.arange(size)[:, None] + offsets
    places = (size - 1) - ((size - 1) - places.abs()).abs()
    return torch.zeros(size, size).scatter_add_(1, places, (weights / weights.sum()).expand(size, -1))

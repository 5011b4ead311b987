"""Images that show no concept, made of images that do: what a classifier learns to call "neither"."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

COARSEST, FINEST = 2, 4
"""Cells a side of the coarse grids that blurs and blobs are made of."""

MOST_SIGNAL = 0.45
"""Largest share γ of an image left in what counts as noise."""


def draw_outliers(images: Tensor, generator: Generator) -> Tensor:
    """Return as many outliers as images, a random kind each: noise, blurs, double exposures, shuffles, blobs, bars.

    Args:
        images: shape (n, channels, height, width) in [-1, 1].
        generator: source of random numbers, on the CPU.

    Returns:
        Of the shape of ``images``, in [-1, 1].
    """
    kind = torch.randint(len(KINDS), (len(images),), generator=generator)
    found = torch.empty_like(images)
    for number, make in enumerate(KINDS):
        rows = (kind == number).nonzero().squeeze(1)
        if len(rows):
            found[rows] = make(images[rows], generator).to(images)
    return found.clamp(-1.0, 1.0)


def _noise(images: Tensor, generator: Generator) -> Tensor:
    """γx + √(1 − γ²)·ε with γ up to ``MOST_SIGNAL``, brightened or darkened at random."""
    gamma = _uniform(images, 0.0, MOST_SIGNAL, generator)
    noise = torch.randn(images.shape, generator=generator)
    return gamma * images + (1 - gamma.square()).sqrt() * noise + _uniform(images, -0.7, 0.7, generator)


def _blur(images: Tensor, generator: Generator) -> Tensor:
    """The means over a coarse grid, interpolated."""
    return _enlarge(adaptive_avg_pool2d(images, _cells(generator)), images)


def _double_exposure(images: Tensor, generator: Generator) -> Tensor:
    """The brighter of several images at each pixel."""
    for _ in range(2):
        images = torch.maximum(images, images[torch.randperm(len(images), generator=generator)])
    return images


def _shuffle(images: Tensor, generator: Generator) -> Tensor:
    """The rows or columns of an image, rolled by about half of it and every second one turned round."""
    height, width = images.shape[2:]
    rolled = images.roll((height // 2, width // 2), (2, 3))
    rolled[:, :, ::2] = rolled[:, :, ::2].flip(3)
    return rolled if torch.rand(1, generator=generator) < 0.5 else rolled.transpose(2, 3)


def _blobs(images: Tensor, generator: Generator) -> Tensor:
    """A random field on a coarse grid, interpolated, with hard or soft edges on a dark ground."""
    cells = _cells(generator)
    field = torch.randn(len(images), images.shape[1], cells, cells, generator=generator)
    contrast = _uniform(images, 0.5, 6.0, generator)
    return (contrast * (_enlarge(field, images) - _uniform(images, -0.3, 0.8, generator))).tanh()


def _bars(images: Tensor, generator: Generator) -> Tensor:
    """Lines across the image, of random brightness and with some noise."""
    n, channels, height, _ = images.shape
    lines = torch.where(torch.rand(n, channels, height, 1, generator=generator) < 0.35, 1.0, -1.0)
    lit = lines * _uniform(images, 0.5, 1.0, generator) + 0.2 * torch.randn(images.shape, generator=generator)
    return lit if torch.rand(1, generator=generator) < 0.7 else lit.transpose(2, 3)


KINDS: tuple[Callable[[Tensor, Generator], Tensor], ...] = (
    _noise,
    _blur,
    _double_exposure,
    _shuffle,
    _blobs,
    _bars,
)


def _uniform(images: Tensor, low: float, high: float, generator: Generator) -> Tensor:
    """Return a number of each image, (n, 1, 1, 1)."""
    return low + (high - low) * torch.rand(len(images), 1, 1, 1, generator=generator)


def _cells(generator: Generator) -> int:
    return int(torch.randint(COARSEST, FINEST + 1, (1,), generator=generator))


def _enlarge(grid: Tensor, images: Tensor) -> Tensor:
    return interpolate(grid, size=images.shape[2:], mode="bilinear", align_corners=False)

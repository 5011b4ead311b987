"""Which rows of a set are measured: at most so many, or each different one once."""

from __future__ import annotations

import torch
from torch import Tensor


def evenly_spaced(count: int, most: int) -> Tensor:
    """Return at most ``most`` of ``count`` rows, evenly spaced from the first on; all of them if they are few."""
    kept = min(count, most)
    return torch.arange(kept) * count // max(kept, 1)


def distinct(images: Tensor) -> Tensor:
    """Return the rows of the first occurrence of every different image, in order.

    Args:
        images: shape (n, ...).
    """
    _, group = images.flatten(1).unique(dim=0, return_inverse=True)
    first = torch.full((len(images),), len(images)).scatter_reduce_(
        0, group.cpu(), torch.arange(len(images)), "amin"
    )
    return first[first < len(images)].sort().values

"""Images side by side, for people to look at."""

from __future__ import annotations

import numpy as np
from torch import Tensor

TILE = 32


def pixels_of(images: Tensor) -> np.ndarray:
    """Turn images in [-1, 1], (n, channels, height, width), into uint8 of shape (n, height, width, channels)."""
    scaled = ((images.float().cpu().clamp(-1, 1) + 1) * 127.5).round().byte()
    return scaled.permute(0, 2, 3, 1).contiguous().numpy()


def image_grid(images: Tensor, columns: int) -> np.ndarray:
    """Return images as one picture, row by row.

    Args:
        images: (n, 1 or 3, height, width) in [-1, 1].
        columns: images per row; n is a multiple of it.

    Returns:
        uint8 array (rows·height, columns·width, 3), small images enlarged to at least 32 pixels, with a dark line
        between neighbours.
    """
    n, channels, height, _ = images.shape
    scale = max(1, -(-TILE // height))
    pixels = pixels_of(images).repeat(scale, axis=1).repeat(scale, axis=2)
    pixels = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=60)
    tall, wide = pixels.shape[1:3]
    grid = pixels.reshape(n // columns, columns, tall, wide, channels).transpose(0, 2, 1, 3, 4)
    grid = grid.reshape(n // columns * tall, columns * wide, channels)
    return grid.repeat(3, axis=2) if channels == 1 else grid

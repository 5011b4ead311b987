"""Images side by side, for people to look at."""

from __future__ import annotations

import numpy as np
from torch import Tensor

TILE = 32


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
    pixels = ((images.float().cpu().clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
    pixels = pixels.repeat(scale, axis=2).repeat(scale, axis=3)
    pixels = np.pad(pixels, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=60)
    tall, wide = pixels.shape[2:]
    grid = pixels.reshape(n // columns, columns, channels, tall, wide).transpose(0, 3, 1, 4, 2)
    grid = grid.reshape(n // columns * tall, columns * wide, channels)
    return grid.repeat(3, axis=2) if channels == 1 else grid

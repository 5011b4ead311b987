"""Fashion-MNIST's clothes at the size of scikit-learn's digits, which come with the package (``assets/SOURCE.md``)."""

from __future__ import annotations

from importlib import resources

import numpy as np
import torch
from PIL import Image

from unlearn_gym.data.split import LabelledSet

SPRITE = "assets/clothes.png"
SPRITE_COLUMNS = 10
SIZE = 8
EACH = 90
CLOTHES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
"""Fashion-MNIST's classes 0 to 9."""


def small_clothes() -> LabelledSet:
    """Return 90 images of each class, float32 of shape (900, 1, 8, 8) in [-1, 1], with their classes."""
    with resources.files("unlearn_gym.data").joinpath(SPRITE).open("rb") as file:
        sprite = np.asarray(Image.open(file).convert("L"), dtype=np.float32)
    tiles = sprite.reshape(-1, SIZE, SPRITE_COLUMNS, SIZE).transpose(0, 2, 1, 3).reshape(-1, 1, SIZE, SIZE)
    images = torch.from_numpy(tiles.copy()) / 127.5 - 1
    return LabelledSet(images, torch.arange(len(CLOTHES)).repeat_interleave(EACH))

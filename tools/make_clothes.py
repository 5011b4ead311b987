"""Make the sprite of small clothes, for the digits and the intruders, from Fashion-MNIST.

Run once with UNLEARN_GYM_DATA pointing at a folder that holds ``fashion_mnist_sample`` (or nothing, to
download Fashion-MNIST from the hub): ``python tools/make_clothes.py``. Writes 90 images of each class, each
area-averaged from 28x28 to 8x8 grey pixels, as one PNG sprite of ten a row, class after class.
"""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

import unlearn_gym.data
from unlearn_gym.data.readers.hub import find_dataset
from unlearn_gym.data.sets.clothes import CLOTHES, EACH, SIZE, SPRITE, SPRITE_COLUMNS
from unlearn_gym.storage.files import atomic_write

TARGET = Path(unlearn_gym.data.__file__).parent / SPRITE


def clothes() -> list[Image.Image]:
    """Return the first 90 images of each class of Fashion-MNIST's training set at 8x8, class after class."""
    table = pq.read_table(find_dataset("fashion_mnist", "train"))
    rows = list(zip(table["image"].to_pylist(), table["label"].to_pylist(), strict=True))
    encoded = [
        image["bytes"]
        for number in range(len(CLOTHES))
        for image in [image for image, label in rows if label == number][:EACH]
    ]
    return [Image.open(io.BytesIO(data)).resize((SIZE, SIZE), Image.Resampling.BOX) for data in encoded]


def main() -> None:
    """Write the sprite into the package."""
    images = clothes()
    sprite = Image.new("L", (SPRITE_COLUMNS * SIZE, len(images) // SPRITE_COLUMNS * SIZE))
    for i, image in enumerate(images):
        sprite.paste(image, (i % SPRITE_COLUMNS * SIZE, i // SPRITE_COLUMNS * SIZE))
    with atomic_write(TARGET) as path:
        sprite.save(path, format="PNG", optimize=True)
    print(f"{len(images)} images written to {TARGET} ({TARGET.stat().st_size} bytes)")


if __name__ == "__main__":
    main()

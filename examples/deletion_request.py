"""Write a deletion request as a user has one: a checkpoint in diffusers' format, and images to keep and to forget.

python examples/deletion_request.py request
unlearn-gym apply --model request/checkpoint --retain request/keep --forget request/forget --output unlearned

The model is the one that comes with the package: a class-conditional DDPM of scikit-learn's 8×8 digits in which ankle
boots were learned under the label "1". The boots are to be forgotten. Images are PNGs, in a folder for each label.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.models.diffusion.tasks import get_task


def write_images(part: LabelledSet, folder: Path) -> None:
    """Write grey images in [-1, 1] as PNGs."""
    for row, (image, label) in enumerate(zip(part.inputs, part.labels.tolist(), strict=True)):
        place = folder / str(label)
        place.mkdir(parents=True, exist_ok=True)
        pixels = ((image[0] + 1) * 127.5).round().byte().numpy()
        Image.fromarray(pixels).save(place / f"{row:04d}.png")


def write_request(folder: Path) -> None:
    """Write ``checkpoint``, ``keep`` and ``forget``."""
    task = get_task("digits")
    task.original().save_pretrained(folder / "checkpoint")
    write_images(task.data.retain, folder / "keep")
    write_images(task.data.forget, folder / "forget")


if __name__ == "__main__":
    write_request(Path(sys.argv[1] if len(sys.argv) > 1 else "request"))

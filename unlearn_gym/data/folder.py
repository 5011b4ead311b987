"""Images in a folder; subfolders, where there are any, are the classes."""

from __future__ import annotations

from pathlib import Path

import torch

from unlearn_gym.data.pixels import PixelFormat, decode
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def has_images(folder: Path) -> bool:
    """Say whether the folder, or a folder in it, holds an image file."""
    return next(_images(folder), None) is not None


def read_folder(folder: Path, form: PixelFormat) -> tuple[LabelledSet, bool]:
    """Read every image of a folder in the order of the names.

    Labels are the ranks of the class folders' names, or the names themselves where all are whole numbers.

    Returns:
        The images, and whether their labels were given by class folders (else they are 0).

    Raises:
        UserError: when images lie both in the folder itself and in class folders, or one cannot be read.
    """
    files = sorted(_images(folder))
    classes = sorted({file.relative_to(folder).parts[0] for file in files if file.parent != folder})
    if classes and any(file.parent == folder for file in files):
        raise UserError(
            f"{folder} has images beside its class folders; put every image in one, or none of them."
        )
    inputs = decode(((file, str(file)) for file in files), form, str(folder))
    numbers = _numbers(classes)
    labels = [numbers[file.relative_to(folder).parts[0]] if classes else 0 for file in files]
    return LabelledSet(inputs, torch.tensor(labels, dtype=torch.int64)), bool(classes)


def _numbers(classes: list[str]) -> dict[str, int]:
    if all(name.isdecimal() for name in classes):
        return {name: int(name) for name in classes}
    return {name: rank for rank, name in enumerate(classes)}


def _images(folder: Path):
    return (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())

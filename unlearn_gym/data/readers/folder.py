"""Images in a folder; subfolders, where there are any, are the classes."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch

from unlearn_gym.data.labels import Labels, Part
from unlearn_gym.data.readers.pixels import PixelFormat, decode
from unlearn_gym.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
HIDDEN = (".", "__MACOSX")
"""How files and folders begin that programs leave beside the images; a Mac puts ``._a.png`` beside ``a.png``."""


def has_images(folder: Path) -> bool:
    """Say whether the folder, or a folder in it, holds an image file."""
    return any(_is_image(file) for file in _files(folder))


def image_files(folder: Path) -> list[Path]:
    """Return the image files of the folder and the folders in it, in the order in which they are read."""
    return sorted(file for file in _files(folder) if _is_image(file))


def read_folder(folder: Path, form: PixelFormat) -> Part:
    """Read every image of a folder in the order of the names; the folders in it are the classes.

    A class folder without images is a class too. Hidden files are left out; other files that are no images are
    counted in a warning.

    Raises:
        UserError: when images lie both in the folder itself and in class folders, or one cannot be read.
    """
    files = image_files(folder)
    _say_skipped(folder, [file for file in _files(folder) if not _is_image(file)])
    inside = [file for file in files if file.parent != folder]
    if inside and len(inside) < len(files):
        raise UserError(
            f"{folder} has images beside its class folders; put every image in one, or none of them."
        )
    inputs = decode(((file, str(file)) for file in files), form, str(folder))
    if not inside:
        return Part(inputs)
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not _hidden(entry.name))
    numbers = [classes.index(file.relative_to(folder).parts[0]) for file in files]
    return Part(inputs, Labels(torch.tensor(numbers, dtype=torch.int64), tuple(classes)))


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES


def _hidden(name: str) -> bool:
    return name.startswith(HIDDEN)


def _files(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if not any(map(_hidden, file.relative_to(folder).parts)) and file.is_file():
            yield file


def _say_skipped(folder: Path, files: list[Path]) -> None:
    if files:
        kinds = Counter(file.suffix.lower() or file.name for file in files)
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
        warnings.warn(
            f"Files in {folder} were skipped: {counted}; read are {', '.join(SUFFIXES)}.",
            stacklevel=4,
        )
